/* A domain that calls the kernel at random: each call of the ABI's grammar with arguments that
 * are plausible, nearly so, or absurd.  Two of them run beside each other, each with the other's
 * capability (tester: fuzz.c).  The seed repeats what one domain asks, not how two CPUs meet.
 *
 * It may end itself by any of its calls: that is an end like another, and the next is started.
 */
#include "tests/hostile/hostile.h"
#include "tests/host/kinds.h"

static const struct grammar_call grammar[] = {
#include "exo/grammar.inc"
};

#define POOL		48u
#define CAPS		64u
#define BUFFER_VA	0x2a0000000ul
#define BUFFER_PAGES	3u		/* the fourth is not there */
#define COUNT_VA	0x2b0000000ul

static uint64_t pool[POOL], cap[CAPS];
static unsigned caps;
static uint8_t *const buffer = (uint8_t *)BUFFER_VA;

static bool chance(unsigned n) { return !random_below(n); }

static uint64_t any(void)
{
	static const uint64_t odd[] = { 0, 1, 7, 63, 64, 511, 512, 4096, 0xfff, 0xfffff, 0xffffffff, 1ul << 32,
		1ul << 47, 0xffff7fffffffffff, EXO_KERNEL_BASE, EXO_MONITOR_BASE, ~0ul, ~0xffful };
	return chance(3) ? odd[random_below(ARRAY_LEN(odd))] : random_next() >> random_below(64);
}

static uint64_t pick_pfn(void)
{
	switch (random_below(24)) {
	case 0:
		return any();
	case 1:
		return told->secret[random_below(SECRETS)];
	case 2:
		return told->loan;
	case 3:
		return self->control_pfn;
	case 4:
		return chance(8) ? self->root : told->object;
	}
	return pool[random_below(POOL)];
}

static uint64_t pick_cap(void)
{
	if (caps && !chance(4))
		return cap[random_below(caps)];
	return chance(3) ? any() : chance(2) ? PEER_SLOT + random_below(3) : random_below(140);
}

static uint64_t pick_dom(void)
{
	return chance(8) ? pick_cap() : chance(3) ? PEER_SLOT + random_below(2) : 0;
}

static uint64_t pick_va(void)
{
	return chance(4) ? any() : BUFFER_VA + random_below((BUFFER_PAGES + 1) * 4096);
}

static uint64_t pick_entry(void)
{
	static const uint64_t flags[] = { 0, PTE_RO, PTE_RW, PTE_RX, PTE_RWX, PTE_TABLE, PTE_RW | EXO_PTE_A | EXO_PTE_D,
		PTE_RW | EXO_PTE_PS, EXO_PTE_SW, EXO_PTE_G | PTE_RW };
	uint64_t f = flags[random_below(ARRAY_LEN(flags))];
	return chance(16) ? any() : f ? PTE_MAKE(pick_pfn(), f) : 0;
}

/* An array of something, at the buffer or near its end. */
static uint64_t pick_buffer(enum kind kind)
{
	uint64_t at = chance(6) ? pick_va() : BUFFER_VA + 8 * random_below(64);
	uint64_t *words = (uint64_t *)buffer;
	struct exo_predicate *p = (void *)at;
	if (at < BUFFER_VA || at > BUFFER_VA + 2 * 4096)
		return at;
	for (unsigned i = 0; kind == K_BUF_U64 && i < 24; i++)
		words[i] = pick_pfn() << 8 | random_below(chance(8) ? 256 : 5);
	for (unsigned i = 0; kind == K_BUF_PT_ITEM && i < 24; i += 2) {
		words[i] = (pick_pfn() << 12) + 8 * random_below(512) + (chance(2) ? 0 : random_below(8));
		words[i + 1] = pick_entry();
	}
	if (kind == K_BUF_PREDICATE) {
		p->products = random_below(10);
		for (unsigned i = 0; i < EXO_WAIT_PRODUCTS; i++)
			p->terms[i] = random_below(6);
		for (unsigned i = 0; i < EXO_WAIT_PRODUCTS * EXO_WAIT_TERMS; i++)
			p->term[i / EXO_WAIT_TERMS][i % EXO_WAIT_TERMS] = (struct exo_term){
				.addr = (pick_pfn() << 12) + 8 * random_below(512), .op = random_below(6),
				.cap = chance(4) ? pick_cap() : 0, .value = any() };
	}
	return at;
}

static uint64_t pick(enum kind kind)
{
	switch (kind) {
	case K_NONE:
		return 0;
	case K_DOM:
		return pick_dom();
	case K_SLOT:
		return chance(2) ? 0 : random_below(300);
	case K_PFN:
		return pick_pfn();
	case K_PHYS:
		return (pick_pfn() << 12) + (chance(2) ? 0 : random_below(4096));
	case K_COUNT:
		return chance(6) ? any() : random_below(chance(4) ? 70 : 14);
	case K_FLAGS:
		return chance(6) ? any() : random_below(16);
	case K_TIME:
		return chance(4) ? random_below(2) : time_now() + random_below(200000);
	case K_VA:
		return pick_va();
	case K_OP:
		return chance(8) ? any() : random_below(9);
	case K_ANY:
		return chance(3) ? pick_pfn() : chance(3) ? pick_cap() : any();
	case K_CAP_ANY: case K_CAP_FRAMES: case K_CAP_DOMAIN: case K_CAP_CONTEXT: case K_CAP_EVENT:
	case K_CAP_SLICE: case K_CAP_DEVICE: case K_CAP_MACHINE: case K_CAP_EXTENT: case K_CAP_RING: case K_CAP_FLOW: case K_CAP_GATE:
		return chance(4) ? 0 : pick_cap();
	default:
		return pick_buffer(kind);
	}
}

/* The clock, and the page where calls are counted. */
static bool needed(uint64_t name)
{
	return EXO_CAP_INDEX(name) == EXO_CAP_INDEX(start_cap(self, CAP_CLOCK)) ||
		EXO_CAP_INDEX(name) == EXO_CAP_INDEX(start_cap(self, CAP_LOAN_RW));
}

/* What would only end the fun: its own stop and exit, a route without itself, sleep for ever. */
static bool dull(unsigned n, uint64_t a[6])
{
	if (n == EXO_CALL_CAP_DELETE || n == EXO_CALL_CAP_REVOKE)
		return needed(a[1]) && !chance(200);
	if (n == EXO_CALL_RESUME)
		return true;
	if (n == EXO_CALL_DOMAIN_CTL && !a[0] && (a[1] == EXO_DOM_EXIT || a[1] == EXO_DOM_STOP))
		return !chance(200);
	if (n == EXO_CALL_CONTEXT_CTL && !a[0] && (a[1] == EXO_CTX_ROUTE || a[1] == EXO_CTX_STOP))
		return !chance(200);
	if (n == EXO_CALL_WAIT && a[1] > time_now() + NS_PER_MS)
		a[1] = time_now();
	return false;
}

static void keep(uint64_t value)
{
	if (caps < CAPS)
		cap[caps++] = value;
	else
		cap[random_below(CAPS)] = value;
}

/* A ring of its own, if there is a disk: entries with some sense in them. */
static struct disk_ring ring;

static void fill_ring(void)
{
	ring.head->consumed = chance(100) ? any() : ring.head->completed;
	ring.head->submitted = ring.head->taken;
	for (unsigned i = random_below(8); i; i--) {
		struct exo_block_request *q = &ring.entry[ring.head->submitted++ % EXO_RING_SLOTS];
		*q = (struct exo_block_request){ .extent = chance(4) ? pick_cap() : start_cap(self, CAP_DISK0),
			.sector = chance(8) ? any() : random_below(600), .sectors = random_below(132),
			.op = random_below(3 + chance(20)), .class = random_below(3 + chance(20)),
			.offset = chance(3) ? random_below(9) : 0, .loan = chance(3) ? pick_cap() : 0 };
		for (unsigned j = 0; j < EXO_REQUEST_FRAMES; j++)
			q->frame[j] = chance(6) ? pick_pfn() : pool[random_below(POOL)];
	}
	if (chance(100))
		ring.head->submitted = any();
}

static void random_call(void)
{
	uint64_t a[6];
	unsigned n = random_below(ARRAY_LEN(grammar));
	for (unsigned i = 0; i < 6; i++)
		a[i] = pick(grammar[n].kind[i]);
	if (dull(n, a))
		return;
	if (n == EXO_CALL_RING_SUBMIT && ring.cap) {
		fill_ring();
		a[0] = ring.cap;
	}
	struct exo_result r = raw_call(n, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (!r.status && (n == EXO_CALL_CAP_COPY || n == EXO_CALL_DOMAIN_CREATE || n == EXO_CALL_FRAME_LEND ||
	    n == EXO_CALL_CONTEXT_CREATE || n == EXO_CALL_EVENT_CREATE || n == EXO_CALL_RING_CREATE))
		keep(r.value);
}

/* Frames of the pool: data, tables of each level. */
static bool pool_make(void)
{
	for (unsigned i = 0; i < POOL; i++) {
		pool[i] = frame_take();
		if (!pool[i] || exo_copy_all(0, pool[i] << 12, 0, ~0ul, 4096, 0))
			return false;
		if (i % 3 == 2)
			retype_one(pool[i], 1 + i / 3 % 4);
	}
	return true;
}

static uint64_t fuzz(void)
{
	volatile uint64_t *count = (uint64_t *)COUNT_VA + 8 * told->number;
	uint64_t rw = start_cap(self, CAP_LOAN_RW);
	EXPECT(!pt_map(self->root, COUNT_VA, told->loan_rw, 1, PTE_RW, rw) && pool_make());
	for (unsigned i = 0; i < BUFFER_PAGES; i++)
		EXPECT(page_at(BUFFER_VA + i * 4096, PTE_RW));
	if (start_cap(self, CAP_DISK0) && !disk_open(&ring, 0))
		keep(ring.cap);
	for (unsigned i = 0; i < self->caps; i++)
		if (!needed(self->cap[i].cap))
			keep(self->cap[i].cap);
	for (uint64_t left = told->calls; left; left--) {
		random_call();
		(*count)++;
	}
	return 0;
}

const struct row fuzz_rows[] = {
	{ "fuzz", fuzz, BESIDE, 1, fuzz_beside },
	{ NULL, NULL, EXITS, 0, NULL },
};
