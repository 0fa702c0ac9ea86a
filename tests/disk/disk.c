/* Block storage, in the machine: a session that uses its disk0 (docs/storage.md).
 *
 * The word `test=` of the command line says what the disk is like: `plain`; `slow`: some 100
 * requests a second; `errors`: sectors that cannot be read, written or flushed; `silent`: most
 * writes take longer than the kernel's patience; `gone`: is pulled out when this program says so.
 * Who makes such disks is tests/disk/run.
 */
#include "tests/guest/report.h"

VIRTUE_NOTE("bare");

#define STRING_(x) #x
#define STRING(x) STRING_(x)
#define CHECK(cond) do { if (!(cond)) return "line " STRING(__LINE__) ": " #cond; } while (0)
#define IS(call, code) CHECK(EXO_CODE(last = (call)) == EXO_##code)

#define PAGES		64u
#define LABEL		256u		/* sectors before the session's first: init's policy */
#define BAD_READ	(8192u - LABEL)	/* as tests/disk/run has them */
#define BAD_WRITE	(8448u - LABEL)
#define PATIENCE	(60 * NS_PER_SEC)

struct test { const char *name; const char *(*run)(void); };

static struct exo_start *machine;
static uint64_t last;			/* the status that a failure is about */
static uint64_t extent;
static struct exo_extent_info info;
static struct disk_ring ring;
static uint32_t pfn[PAGES];
static uint64_t *page[PAGES];

static void fill(unsigned n, uint64_t seed)
{
	for (unsigned i = 0; i < 512; i++)
		page[n][i] = seed * 0x9e3779b97f4a7c15ul + i;
}

static bool filled(unsigned n, uint64_t seed)
{
	for (unsigned i = 0; i < 512; i++)
		if (page[n][i] != seed * 0x9e3779b97f4a7c15ul + i)
			return false;
	return true;
}

/* One block, page n. */
static uint64_t block_io(unsigned op, uint64_t block, unsigned n)
{
	return disk_transfer(&ring, extent, op, block * EXO_BLOCK_SECTORS, EXO_BLOCK_SECTORS, &pfn[n]);
}

/* Puts a request for `blocks` blocks, of pages from n on. */
static void put(struct disk_ring *r, unsigned op, unsigned class, uint64_t block, unsigned blocks, unsigned n,
	uint64_t id)
{
	struct exo_block_request q = { .id = id, .extent = extent, .op = op, .class = class,
		.sector = block * EXO_BLOCK_SECTORS, .sectors = blocks * EXO_BLOCK_SECTORS };
	for (unsigned i = 0; i < blocks; i++)
		q.frame[i] = pfn[n + i];
	disk_put(r, &q);
}

/* The next completion, waited for. */
static bool next(struct disk_ring *r, struct exo_completion *c)
{
	return disk_wait(r, time_now() + PATIENCE) && disk_get(r, c);
}

/* ---- a disk like any other --------------------------------------------------------------- */

static const char *round_trip(void)
{
	for (unsigned i = 0; i < 8; i++) {
		fill(i, i + 1);
		IS(block_io(EXO_BLK_WRITE, i & 1 ? info.count - 1 - i : i, i), OK);
	}
	IS(disk_transfer(&ring, extent, EXO_BLK_FLUSH, 0, 0, NULL), OK);
	for (unsigned i = 0; i < 8; i++) {
		fill(8, 99);
		IS(block_io(EXO_BLK_READ, i & 1 ? info.count - 1 - i : i, 8), OK);
		CHECK(filled(8, i + 1));
	}
	return NULL;
}

/* A single sector, from and to the middle of a frame. */
static const char *sectors(void)
{
	struct exo_completion c;
	unsigned at = info.sector == 512 ? 3 : 0, n = info.sector == 512 ? 1 : EXO_BLOCK_SECTORS;
	struct exo_block_request q = { .extent = extent, .op = EXO_BLK_WRITE, .sector = 80 + at, .sectors = n,
		.offset = info.sector == 512 ? 6 : 0, .frame = { pfn[1] } };
	fill(0, 10);
	fill(1, 11);
	IS(block_io(EXO_BLK_WRITE, 10, 0), OK);
	disk_put(&ring, &q);
	IS(disk_submit(&ring), OK);
	CHECK(next(&ring, &c));
	IS(c.status, OK);
	CHECK(c.sectors == n);
	IS(block_io(EXO_BLK_READ, 10, 2), OK);
	for (unsigned i = 0; i < 512; i++) {
		bool inside = i / 64 >= at && i / 64 < at + n;
		CHECK(page[2][i] == (inside ? page[1][i - at * 64 + q.offset * 64] : page[0][i]));
	}
	return NULL;
}

/* As much as fits into a request, the frames in no order; then from the middle of a frame on. */
static const char *large(void)
{
	struct exo_completion c;
	unsigned shift = info.sector == 512 ? 4 : 0;
	struct exo_block_request q = { .extent = extent, .op = EXO_BLK_WRITE, .sector = 800,
		.sectors = EXO_REQUEST_FRAMES * EXO_BLOCK_SECTORS };
	for (unsigned i = 0; i < EXO_REQUEST_FRAMES; i++) {
		fill(i, 20 + i);
		q.frame[i] = pfn[i];
	}
	disk_put(&ring, &q);
	IS(disk_submit(&ring), OK);
	CHECK(next(&ring, &c));
	IS(c.status, OK);
	q.op = EXO_BLK_READ;
	q.offset = shift;
	q.sectors -= shift;
	for (unsigned i = 0; i < EXO_REQUEST_FRAMES; i++)
		q.frame[i] = pfn[20 + 15 - i];
	disk_put(&ring, &q);
	IS(disk_submit(&ring), OK);
	CHECK(next(&ring, &c));
	IS(c.status, OK);
	for (unsigned i = 0; i < q.sectors * 64u; i++) {
		unsigned to = i + shift * 64;
		CHECK(page[20 + 15 - to / 512][to % 512] == page[i / 512][i % 512]);
	}
	return NULL;
}

/* 32 requests of different sizes at once, and one too many. */
static const char *full_ring(void)
{
	struct exo_completion c;
	uint32_t seen = 0;
	uint64_t start = time_now();
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < EXO_RING_SLOTS; i++) {
			if (!round)
				fill(i, 100 + i);
			CHECK(disk_room(&ring));
			put(&ring, round ? EXO_BLK_READ : EXO_BLK_WRITE, i % 3, 200 + 7 * i, 1, i, i);
		}
		CHECK(!disk_room(&ring));
		IS(disk_submit(&ring), OK);
		for (unsigned i = seen = 0; i < EXO_RING_SLOTS; i++) {
			CHECK(next(&ring, &c));
			IS(c.status, OK);
			CHECK(c.id < EXO_RING_SLOTS && !(seen >> c.id & 1));
			seen |= 1u << c.id;
		}
		for (unsigned i = 0; i < EXO_RING_SLOTS; i++) {
			CHECK(filled(i, 100 + i));
			memset(page[i], 0, EXO_PAGE_SIZE);
		}
	}
	report_line("disk: %lu us for 64 requests, 32 at a time", (time_now() - start) / 1000);
	return NULL;
}

/* Interrupts arrive: nobody waits for the kernel's next look, which comes twice a second. */
static const char *interrupts(void)
{
	uint64_t start = time_now();
	for (unsigned i = 0; i < 64; i++)
		IS(block_io(EXO_BLK_READ, i, 0), OK);
	uint64_t each = (time_now() - start) / 64;
	report_line("disk: %lu us a read, one at a time", each / 1000);
	CHECK(each < 100 * NS_PER_MS);
	return NULL;
}

static const char *split(void)
{
	const uint64_t whole = extent;
	struct exo_extent_info half;
	struct exo_result a = exo_cap_copy(0, EXO_SLOT_ANY, whole, EXO_R_READ | EXO_R_WRITE, info.base, 50);
	struct exo_result b = exo_cap_copy(0, EXO_SLOT_ANY, whole, EXO_R_READ, info.base + 50, 50);
	CHECK(!a.status && !b.status);
	IS(exo_extent_info(b.value, &half).status, OK);
	CHECK(half.base == info.base + 50 && half.count == 50);
	fill(0, 7);
	extent = whole;
	IS(block_io(EXO_BLK_WRITE, 50, 0), OK);
	extent = b.value;
	uint64_t read = block_io(EXO_BLK_READ, 0, 1), write = block_io(EXO_BLK_WRITE, 0, 1);
	uint64_t beyond = block_io(EXO_BLK_READ, 50, 1);
	extent = a.value;
	uint64_t other = block_io(EXO_BLK_WRITE, 50, 1);
	extent = whole;
	IS(read, OK);
	CHECK(filled(1, 7));
	IS(write, RIGHT);
	CHECK(EXO_AT(last) == EXO_FIELD_EXTENT);
	IS(beyond, ARG);
	IS(other, ARG);
	CHECK(EXO_AT(last) == EXO_FIELD_SECTOR);
	IS(exo_delete_all(0, a.value), OK);
	IS(exo_delete_all(0, b.value), OK);
	return NULL;
}

/* An extent that is revoked with requests in flight: each completes, with OK or DYING, and when the
 * call has returned nothing is in flight any more. */
static const char *revoked(void)
{
	const uint64_t whole = extent;
	struct exo_completion c;
	struct exo_frame f;
	unsigned dying = 0, ok = 0;
	struct exo_result copy = exo_cap_copy(0, EXO_SLOT_ANY, whole, EXO_R_READ, 0, 0);
	CHECK(!copy.status);
	extent = copy.value;
	for (unsigned i = 0; i < EXO_RING_SLOTS; i++)
		put(&ring, EXO_BLK_READ, EXO_BLK_DEMAND, 16 * i, 2, 2 * i, i);
	extent = whole;
	IS(disk_submit(&ring), OK);
	IS(exo_revoke_all(0, whole), OK);
	CHECK(ring.head->completed - ring.consumed == EXO_RING_SLOTS);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(!exo_frame_info(0, pfn[i], &f).status && !f.pins);
	while (disk_get(&ring, &c)) {
		ok += !c.status;
		dying += c.status == EXO_DYING;
	}
	CHECK(ok + dying == EXO_RING_SLOTS && ok);
	IS(exo_cap_info(0, copy.value, &(struct exo_cap_info){ 0 }).status, CAP);
	IS(block_io(EXO_BLK_READ, 0, 0), OK);
	return NULL;
}

static const char *ring_deleted(void)
{
	struct disk_ring second;
	struct exo_frame f;
	IS(disk_open(&second, 0), OK);
	for (unsigned i = 0; i < EXO_RING_SLOTS; i++)
		put(&second, EXO_BLK_READ, EXO_BLK_DEMAND, i, 1, i, i);
	IS(disk_submit(&second), OK);
	disk_close(&second);
	for (unsigned i = 0; i < EXO_RING_SLOTS; i++)
		CHECK(!exo_frame_info(0, pfn[i], &f).status && !f.pins);
	IS(block_io(EXO_BLK_READ, 0, 0), OK);
	return NULL;
}

/* While the disk has a frame it is neither given nor retyped. */
static const char *pinned(void)
{
	struct exo_completion c;
	uint64_t item = (uint64_t)pfn[0] << 8 | EXO_KIND_PT1;
	for (unsigned i = 0; i < EXO_RING_SLOTS; i++)
		put(&ring, EXO_BLK_READ, EXO_BLK_DEMAND, i, 1, 0, i);
	IS(disk_submit(&ring), OK);
	struct exo_frame f;
	IS(exo_frame_info(0, pfn[0], &f).status, OK);
	if (f.pins)
		IS(exo_frame_retype(0, &item, 1).status, BUSY);
	for (unsigned i = 0; i < EXO_RING_SLOTS; i++)
		CHECK(next(&ring, &c) && !c.status);
	IS(exo_frame_info(0, pfn[0], &f).status, OK);
	CHECK(!f.pins);
	return NULL;
}

/* ---- a slow one ---------------------------------------------------------------------------- */

#define BACKGROUND	30u
#define DEMANDS		6u
#define OVERTAKEN	20u	/* at most so many write-backs: the disk's depth, and a few */
#define ROUNDS		10u

/* How many write-backs are done when the last of the demands that came behind them is; all are
 * waited for, so that what follows finds the ring empty. */
static const char *overtaken(struct disk_ring *second, uint64_t *written)
{
	struct exo_completion c;
	unsigned good = 0;
	for (unsigned i = 0; i < BACKGROUND; i++)
		put(&ring, EXO_BLK_WRITE, EXO_BLK_WRITEBACK, 300 + i, 1, i, i);
	IS(disk_submit(&ring), OK);
	for (unsigned i = 0; i < DEMANDS; i++)
		put(second, EXO_BLK_READ, EXO_BLK_DEMAND, i, 1, 40 + i, i);
	IS(disk_submit(second), OK);
	for (unsigned i = 0; i < DEMANDS; i++)
		good += next(second, &c) && !c.status;
	*written = ring.head->completed - ring.consumed;
	for (unsigned i = 0; i < BACKGROUND; i++)
		good += next(&ring, &c) && !c.status;
	CHECK(good == DEMANDS + BACKGROUND);
	return NULL;
}

/* Demands overtake write-backs, but for those that the disk has. A disk that is served in the order
 * of arrival has written all of them each time. A host that pauses the machine between the last
 * demand and the look at it lets more be written, so one undisturbed round is enough. */
static const char *classes(void)
{
	struct disk_ring second;
	const char *failed = NULL;
	uint64_t written = BACKGROUND;
	IS(disk_open(&second, 0), OK);
	for (unsigned round = 0; round < ROUNDS && !failed && written > OVERTAKEN; round++)
		failed = overtaken(&second, &written);
	disk_close(&second);
	CHECK(failed || written <= OVERTAKEN);
	return failed;
}

/* ---- one with bad sectors ------------------------------------------------------------------- */

static const char *bad_sectors(void)
{
	fill(0, 1);
	IS(block_io(EXO_BLK_READ, BAD_READ / 8, 0), IO);
	IS(block_io(EXO_BLK_READ, BAD_READ / 8 + 1, 0), OK);
	IS(block_io(EXO_BLK_WRITE, BAD_WRITE / 8, 0), IO);
	fill(0, 1);
	IS(block_io(EXO_BLK_WRITE, BAD_READ / 8 + 2, 0), OK);
	fill(0, 2);
	IS(block_io(EXO_BLK_READ, BAD_READ / 8 + 2, 0), OK);
	CHECK(filled(0, 1));
	return NULL;
}

/* Among many: only the bad ones fail. */
static const char *bad_among_good(void)
{
	struct exo_completion c;
	for (unsigned i = 0; i < EXO_RING_SLOTS; i++)
		put(&ring, EXO_BLK_READ, EXO_BLK_DEMAND, i % 4 == 1 ? BAD_READ / 8 : i, 1, i, i);
	IS(disk_submit(&ring), OK);
	for (unsigned i = 0; i < EXO_RING_SLOTS; i++) {
		CHECK(next(&ring, &c));
		CHECK(c.status == (c.id % 4 == 1 ? EXO_IO : EXO_OK) && c.sectors == (c.status ? 0 : 8));
	}
	return NULL;
}

static const char *bad_flush(void)
{
	fill(0, 1);
	IS(block_io(EXO_BLK_WRITE, 3, 0), OK);
	IS(disk_transfer(&ring, extent, EXO_BLK_FLUSH, 0, 0, NULL), IO);
	IS(exo_extent_info(extent, &info).status, OK);
	CHECK(!info.resets);
	return NULL;
}

/* ---- one that does not answer ---------------------------------------------------------------- */

static const char *no_answer(void)
{
	uint64_t start = time_now(), status = EXO_OK;
	for (unsigned i = 0; i < 4 && !status; i++)
		status = disk_transfer(&ring, extent, EXO_BLK_WRITE, 1000, 128, pfn);
	IS(status, TIMEOUT);
	CHECK(time_now() - start > 4 * NS_PER_SEC);
	IS(exo_extent_info(extent, &info).status, OK);
	CHECK(info.resets == 1 && !(info.flags & EXO_DISK_GONE));
	IS(block_io(EXO_BLK_READ, 5, 0), OK);
	return NULL;
}

/* Revocation of what a silent disk holds ends with the reset. */
static const char *silent_revoked(void)
{
	const uint64_t whole = extent;
	struct exo_completion c;
	uint64_t status;
	extent = exo_cap_copy(0, EXO_SLOT_ANY, whole, EXO_R_READ | EXO_R_WRITE, 0, 0).value;
	for (unsigned i = 0; i < 2; i++)
		put(&ring, EXO_BLK_WRITE, EXO_BLK_DEMAND, 1000 + 16 * i, 16, 0, i);
	status = disk_submit(&ring);
	uint64_t start = time_now(), revoked_status = exo_revoke_all(0, whole);
	uint64_t took = time_now() - start;
	extent = whole;
	IS(status, OK);
	IS(revoked_status, OK);
	CHECK(took < 30 * NS_PER_SEC);
	for (unsigned i = 0; i < 2; i++)
		CHECK(disk_get(&ring, &c));
	IS(block_io(EXO_BLK_READ, 5, 0), OK);
	return NULL;
}

/* ---- one that is pulled out ------------------------------------------------------------------- */

static const char *pulled_out(void)
{
	uint64_t end = time_now() + PATIENCE, status = EXO_OK;
	unsigned n = 0;
	IS(block_io(EXO_BLK_READ, 5, 0), OK);
	report_line("pull it out");
	if (info.depth == 1)		/* QEMU does not survive it while its AHCI works */
		time_sleep_until(time_now() + 2 * NS_PER_SEC);
	while (!status && time_now() < end) {
		status = block_io(n & 1 ? EXO_BLK_READ : EXO_BLK_WRITE, n % 1000, 0);
		n++;
	}
	CHECK(EXO_CODE(status) == EXO_TIMEOUT || EXO_CODE(status) == EXO_GONE || EXO_CODE(status) == EXO_IO);
	while (EXO_CODE(status) != EXO_GONE && time_now() < end)
		status = block_io(EXO_BLK_READ, 5, 0);
	IS(status, GONE);
	IS(exo_extent_info(extent, &info).status, OK);
	CHECK(info.flags & EXO_DISK_GONE);
	IS(exo_revoke_all(0, extent), OK);
	return NULL;
}

/* ---- all of it ---------------------------------------------------------------------------------- */

static const struct test plain[] = {
	{ "round-trip", round_trip }, { "sectors", sectors }, { "large", large }, { "full-ring", full_ring },
	{ "interrupts", interrupts }, { "split", split }, { "revoked", revoked },
	{ "ring-deleted", ring_deleted }, { "pinned", pinned }, { NULL, NULL }
};
static const struct test slow[] = {
	{ "classes", classes }, { "revoked", revoked }, { "ring-deleted", ring_deleted }, { "pinned", pinned },
	{ NULL, NULL }
};
static const struct test errors[] = {
	{ "bad-sectors", bad_sectors }, { "bad-among-good", bad_among_good }, { "bad-flush", bad_flush },
	{ NULL, NULL }
};
static const struct test silent[] = {
	{ "no-answer", no_answer }, { "silent-revoked", silent_revoked }, { NULL, NULL }
};
static const struct test gone[] = { { "pulled-out", pulled_out }, { NULL, NULL } };
static const struct { const char *name; const struct test *tests; } kinds[] = {
	{ "plain", plain }, { "slow", slow }, { "errors", errors }, { "silent", silent }, { "gone", gone },
};

static const char *setup(void)
{
	IS(frames_init(machine, true), OK);
	IS(time_init(machine, 0), OK);
	extent = start_cap_at(machine, CAP_DISK, 0);
	CHECK(extent);
	IS(exo_extent_info(extent, &info).status, OK);
	CHECK(info.count > 4096 && !info.resets && info.model[0]);
	report_line("disk: %s, %lu blocks, sectors of %u bytes, depth %u", info.model, info.count, info.sector,
		info.depth);
	for (unsigned i = 0; i < PAGES; i++) {
		pfn[i] = frame_alloc_zero();
		CHECK(pfn[i]);
		page[i] = physmap_page(pfn[i]);
	}
	IS(disk_open(&ring, 0), OK);
	return NULL;
}

static void run(const char *kind, const struct test *t)
{
	char name[64], why[200];
	for (; t->name; t++) {
		snprintf(name, sizeof name, "disk-%s-%s", kind, t->name);
		last = 0;
		const char *wrong = t->run();
		if (wrong)
			snprintf(why, sizeof why, "%s (%s at %lu)", wrong, exo_status_name(last), EXO_AT(last));
		report_case(name, wrong ? why : NULL);
	}
}

int main(struct exo_start *s)
{
	static const struct upcall_handlers handlers = { .event = event_dispatch };
	char kind[16] = "plain";
	machine = s;
	upcall_set(&handlers);
	report_start(s);
	start_option(s, "test", kind, sizeof kind);
	const char *wrong = setup();
	report_case("disk-setup", wrong);
	for (unsigned i = 0; !wrong && i < ARRAY_LEN(kinds); i++)
		if (!strcmp(kind, kinds[i].name))
			run(kind, kinds[i].tests);
	report_end();
}
