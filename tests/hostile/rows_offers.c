/* Frames on offer (the domain page's bitmaps): what a domain offers that it may not give, bitmaps
 * that are none, and bitmaps that change while the kernel reads them.
 *
 * The tester asks children of its own for frames meanwhile, by domain_revoke.
 */
#include "tests/hostile/tester.h"

#define PAGE_VA		0x210000000ul
#define MAP_VA		0x210010000ul
#define ASK		20u		/* frames */
#define FAR		(60 * NS_PER_SEC)	/* until it may be by force */
#define ROUNDS		2000u
#define POOL		300u		/* frames of the child that come and go */
#define PATIENCE	(30 * NS_PER_SEC)
#define BUSY		(200 * NS_PER_MS)

enum variant { TABLES, PINNED, FOREIGN, NO_BITMAPS, TABLE_AS_BITMAP, GARBAGE, ITSELF };

static volatile struct exo_domain_page *page = (void *)PAGE_VA;
static uint64_t page_pfn;

/* ---- the child ------------------------------------------------------------------------------- */

static bool ready(void)
{
	page_pfn = page_at(PAGE_VA, PTE_RW);
	return page_pfn && !exo_domain_ctl(0, EXO_DOM_PAGE, page_pfn, 0).status;
}

/* The bitmap of the frame, a page of its own. */
static uint64_t *bitmap(uint64_t pfn)
{
	uint64_t k = pfn / EXO_SPARE_BITS, va = MAP_VA + k * EXO_PAGE_SIZE;
	if (!page->spare[k])
		page->spare[k] = page_at(va, PTE_RW);
	return (uint64_t *)va;
}

static void offer(uint64_t pfn)
{
	__atomic_fetch_or(&bitmap(pfn)[pfn % EXO_SPARE_BITS / 64], 1ul << pfn % 64, __ATOMIC_SEQ_CST);
}

/* One bitmap says of all memory that it is on offer. */
static void offer_all(void)
{
	memset(bitmap(0), 0xff, EXO_PAGE_SIZE);
	for (unsigned k = 1; k < EXO_SPARE_MAX; k++)
		page->spare[k] = page->spare[0];
}

/* Its root and its tables, used and unused, and what the kernel made of its frames. */
static bool offer_tables(void)
{
	for (unsigned kind = EXO_KIND_PT1; kind <= EXO_KIND_PT4; kind++) {
		uint64_t pfn = frame_alloc_zero();
		if (!pfn || retype_one(pfn, kind))
			return false;
		offer(pfn);
	}
	offer(self->root);
	offer(told->object);
	offer(told->table);
	return true;
}

/* Pages of a ring and of a second context, and the domain page itself. */
static bool offer_pinned(void)
{
	static struct disk_ring ring;
	static struct second second;
	if (disk_open(&ring, 0) || !second_make(&second, 0, NULL, NULL, 0))
		return false;
	const uint64_t pinned[] = { page_pfn, ring.object, ring.head_pfn, ring.entry_pfn, second.object,
		second.control, second.save };
	for (unsigned i = 0; i < ARRAY_LEN(pinned); i++)
		offer(pinned[i]);
	return true;
}

/* The tester's, the neighbour's, the kernel's, and such as there are not. */
static bool offer_foreign(void)
{
	for (unsigned i = 0; i < SECRETS; i++)
		offer(told->secret[i]);
	offer(told->loan);
	for (unsigned pfn = 0; pfn < 256; pfn++)
		offer(pfn);
	for (uint64_t k = EXO_SPARE_MAX - 8; k < EXO_SPARE_MAX; k++)
		offer(k * EXO_SPARE_BITS + k);
	return true;
}

/* Bitmaps that are the tester's, the neighbour's, the kernel's, tables, objects, nothing: to be
 * cleared there, a bit would have to be read there. */
static bool no_bitmaps(void)
{
	const uint32_t bad[] = { told->secret[0], told->secret[1], told->secret[2], told->secret[3],
		told->loan, told->object, told->table, self->root, 1, 0x100, 0xfee00, ~0u, 1u << 31 };
	for (unsigned k = 0; k < EXO_SPARE_MAX; k++)
		page->spare[k] = bad[k % ARRAY_LEN(bad)];
	return true;
}

/* A page table, whose entry's bits, read as a bitmap's, are frames beside `pfn`. */
static bool table_as_bitmap(void)
{
	uint64_t table = frame_alloc_zero(), pfn = frame_take(), at = pfn % EXO_SPARE_BITS / 64;
	page->spare[pfn / EXO_SPARE_BITS] = table;
	return table && pfn && !retype_one(table, EXO_KIND_PT1) &&
		!entry_set(table * EXO_PAGE_SIZE + at * 8, pfn << 12 | PTE_RO, 0);
}

static bool prepare(uint64_t variant)
{
	switch (variant) {
	case TABLES:
		return offer_tables();
	case PINNED:
		return offer_pinned();
	case FOREIGN:
		return offer_foreign();
	case NO_BITMAPS:
		return no_bitmaps();
	case TABLE_AS_BITMAP:
		return table_as_bitmap();
	case GARBAGE:
		offer_all();
		return true;
	}
	bitmap(told->object);
	offer(page->spare[told->object / EXO_SPARE_BITS]);
	return true;
}

static uint64_t offers(void)
{
	EXPECT(ready() && prepare(told->number));
	EXPECT(!exo_event_signal(start_cap(self, CAP_EVENT), 1ul << EVENT_CHILD).status);
	for (;;)
		exo_yield(0);
}

/* Frames are offered and taken back all the time, and so are bitmaps: one that comes and goes, one
 * that is a table every other time, none, the tester's. */
static uint64_t offers_race(void)
{
	static uint64_t mine[EXO_PAGE_SIZE / 8];
	EXPECT(ready());
	uint64_t *map = bitmap(told->object), k = told->object / EXO_SPARE_BITS;
	uint64_t other = frame_alloc_zero();
	const uint32_t choice[] = { page->spare[k], other, 0, told->secret[0] };
	for (unsigned i = 0; i < POOL; i++) {
		uint64_t pfn = frame_take();
		if (pfn / EXO_SPARE_BITS == k)
			mine[pfn % EXO_SPARE_BITS / 64] |= 1ul << pfn % 64;
	}
	for (uint64_t n = 0;; n++) {
		for (unsigned i = 0; i < EXO_PAGE_SIZE / 8; i++)
			map[i] = mine[i] & random_next();
		page->spare[k] = choice[n % ARRAY_LEN(choice)];
		EXPECT(!retype_one(other, n & 1 ? EXO_KIND_DATA : EXO_KIND_PT1));
		if (n == 8)
			exo_event_signal(start_cap(self, CAP_EVENT), 1ul << EVENT_CHILD);
	}
}

/* A disk reads into frames that are on offer, as long as they are its. */
uint64_t offers_in_flight(void)
{
	static struct disk_ring ring;
	struct exo_completion c;
	uint32_t frame[EXO_REQUEST_FRAMES];
	EXPECT(ready() && !disk_open(&ring, 0));
	for (unsigned i = 0; i < EXO_REQUEST_FRAMES; i++)
		EXPECT((frame[i] = frame_take()));
	for (uint64_t n = 0;; n++) {
		struct exo_block_request q = { .extent = start_cap(self, CAP_DISK0), .op = EXO_BLK_READ,
			.sectors = EXO_REQUEST_FRAMES * EXO_BLOCK_SECTORS };
		for (unsigned i = 0; i < EXO_REQUEST_FRAMES; i++)
			q.frame[i] = frame[i];
		disk_put(&ring, &q);
		disk_submit(&ring);
		for (unsigned i = 0; i < EXO_REQUEST_FRAMES; i++)
			offer(frame[i]);
		EXPECT(disk_wait(&ring, time_now() + PATIENCE) && disk_get(&ring, &c));
		if (n == 8)
			exo_event_signal(start_cap(self, CAP_EVENT), 1ul << EVENT_CHILD);
	}
}

/* ---- the tester ------------------------------------------------------------------------------ */

static struct child c;

/* n frames, asked for until they are there or that many times; the last answer.  *ever: the most
 * that were there. */
static uint64_t ask(uint64_t n, uint64_t deadline, uint64_t *ever)
{
	struct exo_result r = { .status = EXO_AGAIN };
	for (unsigned i = 0; i < ROUNDS && r.status == EXO_AGAIN; i++) {
		r = exo_domain_revoke(c.s.domain, n, deadline);
		*ever = r.value;
	}
	return EXO_CODE(r.status);
}

static const char *begin(const char *row, uint64_t number)
{
	static char text[96];
	struct exo_domain_info info = { .status = 0 };
	const char *why = child_make(&c, row, number, cpus - 1);
	if (why)
		return why;
	if (!spawn_start(&c.s) && tester_signalled())
		return NULL;
	child_ended(&c, &info);
	snprintf(text, sizeof text, "the child of variant %lu made no offers, state %u, line %lu", number,
		info.state, info.status);
	return text;
}

/* What was asked for and what came, and that it is ours. */
static const char *answer(uint64_t variant)
{
	static char text[96];
	bool own = variant == GARBAGE || variant == ITSELF;
	uint64_t before = frames_held(), want = variant == GARBAGE ? ASK : 1, given = 0;
	uint64_t status = ask(want, time_now() + FAR, &given);
	if (status == (own ? EXO_OK : EXO_AGAIN) && given == (own ? want : 0) &&
	    frames_held() == before + given)
		return NULL;
	snprintf(text, sizeof text, "offers %lu: %s, %lu frames of %lu, %lu are ours", variant,
		exo_status_text(status), given, want, frames_held() - before);
	return text;
}

static const char *end(const char *why, uint64_t before)
{
	const char *left = neighbour_check(), *gone = child_end(&c, false);
	if (!why && !(why = left) && !(why = gone) && frames_held() != before)
		return "frames are missing";
	return why;
}

static const char *offers_beside(void)
{
	const char *why = NULL;
	for (uint64_t v = TABLES; v <= ITSELF && !why; v++) {
		uint64_t before = frames_held();
		why = begin("offers", v);
		why = end(why ? why : answer(v), before);
	}
	return why;
}

/* Until the time is over and something came; whatever comes, but no more than is its. */
static const char *storm(const char *row)
{
	uint64_t before = frames_held(), taken = 0, given, n = 0;
	const char *why = begin(row, 0);
	uint64_t until = time_now() + BUSY, give_up = until + PATIENCE;
	while (!why && time_now() < (taken ? until : give_up)) {
		uint64_t status = ask(1 + n++ % 4, time_now() + FAR, &given);
		taken += given;
		if (status != EXO_OK && status != EXO_AGAIN)
			why = exo_status_text(status);
	}
	return end(why || taken ? why : "nothing was on offer", before);
}

static const char *race_beside(void) { return storm("offers-race"); }
const char *offers_in_flight_beside(void) { return storm("offers-in-flight"); }

const struct row offer_rows[] = {
	{ "offers", offers, BESIDE, 1, offers_beside },
	{ "offers-race", offers_race, BESIDE, 2, race_beside },
	{ NULL, NULL, EXITS, 0, NULL },
};
