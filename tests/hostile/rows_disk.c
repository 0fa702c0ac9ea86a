/* Disks: blocks and frames that the program does not hold, rings that lie, and authority that ends
 * while a disk works.
 *
 * A child has 64 blocks to read and write (CAP_DISK0) and 64 to read only (CAP_DISK_RO); the block
 * behind them is the tester's, who looks at it after each row.
 */
#include "tests/hostile/hostile.h"

#define BLOCKS		64u
#define SECTORS		(BLOCKS * EXO_BLOCK_SECTORS)
#define PATIENCE	(30 * NS_PER_SEC)
#define RING_VA		0x280000000ul

static struct disk_ring ring;
static uint64_t rw, ro;

static bool ready(void)
{
	rw = start_cap(self, CAP_DISK0);
	ro = start_cap(self, CAP_DISK_RO);
	return rw && ro && !disk_open(&ring, 0);
}

/* A completion's whole status; ~0: there came none. */
static uint64_t send(const struct exo_block_request *q)
{
	struct exo_completion c;
	disk_put(&ring, q);
	if (disk_submit(&ring) || !disk_wait(&ring, time_now() + PATIENCE) || !disk_get(&ring, &c))
		return ~0ul;
	return c.id == q->id && (!c.status || !c.sectors) ? c.status : ~0ul;
}

static uint64_t ask(uint64_t cap, unsigned op, uint64_t sector, unsigned sectors, uint64_t pfn)
{
	struct exo_block_request q = { .id = random_next(), .extent = cap, .op = op, .sector = sector,
		.sectors = sectors };
	for (unsigned i = 0; i < EXO_REQUEST_FRAMES; i++)
		q.frame[i] = pfn;
	return EXO_CODE(send(&q));
}

/* ---- blocks -------------------------------------------------------------------------------- */

static uint64_t disk_not_held(void)
{
	static const uint64_t far[] = { SECTORS, SECTORS + 1, 2 * SECTORS, 1ul << 31, 1ul << 32, (1ul << 32) * 8,
		1ul << 55, 1ul << 60, 1ul << 61, 1ul << 63, -8ul, -1ul };
	static const unsigned sizes[] = { 1, 8, 127, 128 };
	uint64_t pfn = page_at(TEST_VA, PTE_RW), base;
	struct exo_cap_info info;
	EXPECT(ready() && pfn && !exo_cap_info(0, rw, &info).status && info.count == BLOCKS);
	base = info.base;
	for (unsigned op = EXO_BLK_READ; op <= EXO_BLK_WRITE; op++) {
		for (unsigned i = 0; i < ARRAY_LEN(far); i++)
			for (unsigned j = 0; j < ARRAY_LEN(sizes); j++)
				EXPECT(ask(rw, op, far[i], sizes[j], pfn) == EXO_ARG);
		EXPECT(ask(rw, op, SECTORS - 1, 2, pfn) == EXO_ARG);
		EXPECT(ask(rw, op, SECTORS - 127, 128, pfn) == EXO_ARG);
		EXPECT(ask(rw, op, 0, 0, pfn) == EXO_ARG);
		EXPECT(ask(rw, op, 0, 129, pfn) == EXO_ARG);
		EXPECT(ask(rw, op, 0, 0xffff, pfn) == EXO_ARG);
		EXPECT(ask(rw, op, SECTORS - 8, 8, pfn) == EXO_OK);
	}
	EXPECT(ask(ro, EXO_BLK_READ, 0, 8, pfn) == EXO_OK);
	EXPECT(ask(ro, EXO_BLK_WRITE, 0, 8, pfn) == EXO_RIGHT);
	EXPECT(ask(ro, EXO_BLK_FLUSH, 0, 0, pfn) == EXO_RIGHT);
	EXPECT(CODE(exo_cap_copy(0, EXO_SLOT_ANY, ro, EXO_R_READ | EXO_R_WRITE, 0, 0)) == EXO_RIGHT);
	EXPECT(CODE(exo_cap_copy(0, EXO_SLOT_ANY, rw, EXO_R_READ, base, BLOCKS + 1)) == EXO_ARG);
	EXPECT(CODE(exo_cap_copy(0, EXO_SLOT_ANY, rw, EXO_R_READ, base - 1, 2)) == EXO_ARG);
	EXPECT(CODE(exo_cap_copy(0, EXO_SLOT_ANY, rw, EXO_R_READ, base + BLOCKS, 1)) == EXO_ARG);
	for (unsigned i = 0; i < 3000; i++) {
		uint32_t name = i < 200 ? i : random_next();
		if (EXO_CAP_INDEX(name) != EXO_CAP_INDEX(rw) && EXO_CAP_INDEX(name) != EXO_CAP_INDEX(ro))
			EXPECT(ask(name, EXO_BLK_WRITE, 0, 8, pfn) != EXO_OK);
	}
	return 0;
}

/* ---- frames ----------------------------------------------------------------------------------- */

/* Refused, and none of the good frames before it stays pinned. */
static uint64_t foreign(uint64_t pfn, uint64_t own, uint32_t loan)
{
	struct exo_frame f;
	struct exo_block_request q = { .extent = rw, .loan = loan, .sectors = 128 };
	for (unsigned i = 0; i < EXO_REQUEST_FRAMES; i++)
		q.frame[i] = own;
	q.frame[random_below(EXO_REQUEST_FRAMES)] = pfn;
	for (unsigned op = EXO_BLK_READ; op <= EXO_BLK_WRITE; op++) {
		EXPECT(ask(rw, op, 0, 8, pfn) != EXO_OK);
		q.op = op;
		uint64_t status = send(&q);
		EXPECT(status && status != ~0ul && EXO_AT(status) == EXO_FIELD_FRAME);
	}
	EXPECT(!exo_frame_info(0, own, &f).status && !f.pins);
	return 0;
}

/* DMA to and from what is not ours: the kernel's, the tester's and the neighbour's frames, tables,
 * objects, registers; an MSI forged by a write to where interrupts are sent. */
static uint64_t disk_foreign_frames(void)
{
	uint64_t own = page_at(TEST_VA, PTE_RW), line;
	uint32_t loan = start_cap(self, CAP_LOAN);
	const uint64_t bad[] = { 0, 1, 0x9f, 0x100, 0x200, 0x201, 0xfec00, 0xfee00, 0xfed00, 0xb0000, 0xe0000, 0x100000,
		0xffffffff, 0x80000000, 1 << 25, told->secret[0], told->secret[1], told->secret[2],
		told->secret[3], told->object, told->table, self->root, told->loan_rw,
		PTE_PFN(pt_read(pt_find(self->root, TEST_VA, 2))) };
	struct exo_block_request q = { .extent = rw, .loan = loan, .sectors = 8, .frame = { told->loan } };
	EXPECT(ready() && own && loan);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		if ((line = foreign(bad[i], own, 0)) || (line = foreign(bad[i], own, loan)))
			return line + 10000 * (i + 1);
	q.extent = rw;
	q.op = EXO_BLK_READ;		/* into a frame on loan to be read */
	EXPECT(send(&q) == (EXO_RIGHT | EXO_FIELD_LOAN << 8));
	q.op = EXO_BLK_WRITE;		/* from it: that is reading */
	EXPECT(send(&q) == EXO_OK);
	q.loan = 0;
	EXPECT(send(&q) == (EXO_OWNER | EXO_FIELD_FRAME << 8));
	q.loan = rw;
	EXPECT(send(&q) == (EXO_TYPE | EXO_FIELD_LOAN << 8));
	return 0;
}

/* What the disk has cannot be given away, typed, lent out of reach or taken back; unmapping it all
 * changes nothing. */
static uint64_t disk_frame_in_flight(void)
{
	uint64_t pfn = page_at(TEST_VA, PTE_RW), busy = 0;
	struct exo_completion c;
	struct exo_frame f;
	EXPECT(ready() && pfn && !pt_unmap(self->root, TEST_VA, 1));
	for (unsigned round = 0; round < 50; round++) {
		struct exo_block_request q = { .extent = rw, .sectors = 8, .frame = { pfn } };
		for (unsigned i = 0; i < EXO_RING_SLOTS; i++) {
			q.op = i & 1;
			q.sector = i;
			disk_put(&ring, &q);
		}
		EXPECT(!disk_submit(&ring));
		EXPECT(!exo_frame_info(0, pfn, &f).status);
		uint64_t give = CODE(exo_frame_give(0, 0, pfn, 1)), table = retype_one(pfn, EXO_KIND_PT1);
		if (give || table)
			EXPECT(give == EXO_BUSY || table == EXO_BUSY);
		EXPECT(retype_one(ring.head_pfn, EXO_KIND_PT1) == EXO_BUSY);
		EXPECT(CODE(exo_frame_give(0, 0, ring.entry_pfn, 1)) == EXO_BUSY);
		EXPECT(CODE(exo_frame_give(0, 0, ring.object, 1)) == EXO_TYPE);
		busy += f.pins != 0;
		for (unsigned i = 0; i < EXO_RING_SLOTS; i++)
			EXPECT(disk_wait(&ring, time_now() + PATIENCE) && disk_get(&ring, &c) && !c.status);
		EXPECT(!exo_frame_info(0, pfn, &f).status && !f.pins);
		if (!table)
			EXPECT(!retype_one(pfn, EXO_KIND_DATA));
	}
	EXPECT(busy);
	return 0;
}

/* ---- rings ----------------------------------------------------------------------------------------- */

static uint64_t submit_code(void) { return EXO_CODE(disk_submit(&ring)); }

static uint64_t ring_indices(void)
{
	static const uint64_t odd[] = { 33, 64, 1ul << 32, 1ul << 63, -1ul, -34ul };
	uint64_t pfn = page_at(TEST_VA, PTE_RW);
	EXPECT(ready() && pfn);
	for (unsigned i = 0; i < ARRAY_LEN(odd); i++) {
		ring.head->submitted = odd[i];
		EXPECT(submit_code() == EXO_ARG);
		ring.head->submitted = 0;
		ring.head->consumed = odd[i] == -1ul ? 1 : odd[i];
		EXPECT(submit_code() == EXO_ARG);
		ring.head->consumed = 0;
	}
	ring.head->taken = ring.head->completed = ~0ul;	/* the kernel's own words */
	EXPECT(submit_code() == EXO_OK);
	ring.head->taken = ring.head->completed = 0;
	EXPECT(ask(rw, EXO_BLK_READ, 0, 8, pfn) == EXO_OK);
	EXPECT(ring.head->completed == 1 && ring.head->taken == 1);
	/* The pages go from the program's sight, not from the kernel's. */
	for (unsigned i = 0; i < 200; i++) {
		struct exo_block_request q = { .extent = rw, .op = i & 1, .sectors = 8, .frame = { pfn } };
		struct exo_completion c;
		disk_put(&ring, &q);
		EXPECT(!pt_unmap(self->root, (uint64_t)ring.head, 1));
		EXPECT(submit_code() == EXO_OK);
		EXPECT(!pt_map(self->root, (uint64_t)ring.head, ring.head_pfn, 1, PTE_RW, 0));
		EXPECT(disk_wait(&ring, time_now() + PATIENCE) && disk_get(&ring, &c) && !c.status);
	}
	return 0;
}

/* Entries of random bytes, near the truth in some places. */
static uint64_t ring_garbage(void)
{
	uint64_t pfn = page_at(TEST_VA, PTE_RW), good = 0;
	struct exo_completion c;
	EXPECT(ready() && pfn);
	for (unsigned n = 0; n < 4000; n++) {
		struct exo_block_request q;
		for (unsigned i = 0; i < sizeof q / 8; i++)
			((uint64_t *)&q)[i] = random_below(3) ? 0 : random_next() >> random_below(64);
		if (random_below(4))
			q.extent = random_below(2) ? rw : ro;
		if (random_below(2))
			q.op = random_below(4);
		if (random_below(2))
			q.sectors = random_below(140);
		if (random_below(2))
			q.sector = random_below(SECTORS + 2);
		for (unsigned i = 0; random_below(2) && i < EXO_REQUEST_FRAMES; i++)
			q.frame[i] = pfn;
		disk_put(&ring, &q);
		if (n % 16 != 15)
			continue;
		EXPECT(submit_code() == EXO_OK);
		for (unsigned i = 0; i < 16; i++) {
			EXPECT(disk_wait(&ring, time_now() + PATIENCE) && disk_get(&ring, &c));
			EXPECT(EXO_CODE(c.status) < EXO_STATUS_COUNT && EXO_AT(c.status) <= EXO_FIELD_FRAME);
			good += !c.status;
		}
	}
	EXPECT(good);
	return 0;
}

/* Two CPUs change entries and indices while the kernel takes them. */
static volatile bool stop;
static void scribble(void *arg)
{
	uint64_t pfn = (uint64_t)arg;
	while (!stop) {
		struct exo_block_request *q = &ring.entry[random_below(EXO_RING_SLOTS)];
		q->sector = random_next() >> random_below(64);
		q->sectors = random_next();
		q->extent = random_below(2) ? rw : random_next();
		q->frame[random_below(16)] = random_below(2) ? pfn : told->secret[random_below(SECRETS)];
		if (!random_below(50))
			ring.head->submitted = random_next() >> random_below(64);
		ring.head->submitted = ring.head->taken + random_below(8);
		ring.head->consumed = ring.head->completed;
	}
}

static uint64_t ring_race(void)
{
	struct second s;
	uint64_t pfn = page_at(TEST_VA, PTE_RW), end = time_now() + 300 * NS_PER_MS, taken = 0;
	EXPECT(ready() && pfn && second_make(&s, 1, scribble, (void *)pfn, 0));
	for (unsigned i = 0; i < EXO_RING_SLOTS; i++)
		ring.entry[i] = (struct exo_block_request){ .extent = rw, .sectors = 8, .frame = { pfn } };
	EXPECT(!second_start(&s));
	while (time_now() < end || (taken < 1000 && time_now() < end + PATIENCE)) {
		struct exo_result r = exo_ring_submit(ring.cap);
		EXPECT(EXO_CODE(r.status) <= EXO_AGAIN || EXO_CODE(r.status) == EXO_ARG);
		taken += EXO_CODE(r.status) <= EXO_AGAIN ? r.value : 0;
	}
	stop = true;
	EXPECT(taken);
	return 0;
}

static uint64_t exhaust_rings(void)
{
	uint64_t made[32], first = 0;
	rw = start_cap(self, CAP_DISK0);
	struct exo_result event = exo_event_create(EXO_SLOT_ANY, 0, 1ul << 20);
	EXPECT(rw && !event.status);
	for (unsigned round = 0; round < 3; round++) {
		uint64_t n = 0, frame[32][3];
		struct exo_result r;
		for (;; n++) {
			EXPECT(n < ARRAY_LEN(made));
			for (unsigned i = 0; i < 3; i++)
				EXPECT((frame[n][i] = frame_take()));
			r = exo_ring_create(frame[n][0], frame[n][1], frame[n][2], EXO_RING_BLOCK, event.value,
				EXO_SLOT_ANY);
			if (r.status)
				break;
			made[n] = r.value;
		}
		EXPECT(EXO_CODE(r.status) == EXO_LIMIT && n > 1 && (!first || n == first));
		first = n;
		frames_put(frame[n][0], 1);
		frames_put(frame[n][1], 1);
		frames_put(frame[n][2], 1);
		while (n--) {
			EXPECT(!exo_delete_all(0, made[n]));
			for (unsigned i = 0; i < 3; i++)
				EXPECT(frames_put(frame[n][i], 1));
		}
	}
	return 0;
}

/* ---- authority that ends ------------------------------------------------------------------------------ */

/* Keeps the disk busy with its frames, or the loan's; says when it has begun. */
static uint64_t keep_busy(uint32_t loan, uint64_t pfn, unsigned expected)
{
	uint64_t end = time_now() + PATIENCE;
	struct exo_completion c = { 0 };
	bool told_tester = false;
	while (time_now() < end && !c.status) {
		struct exo_block_request q = { .extent = rw, .loan = loan, .sectors = 8, .frame = { pfn } };
		while (disk_room(&ring)) {
			q.sector = random_below(SECTORS - 8);
			disk_put(&ring, &q);
		}
		EXPECT(submit_code() <= EXO_AGAIN);
		if (!told_tester)
			exo_event_signal(start_cap(self, CAP_EVENT), 1ul << EVENT_CHILD);
		told_tester = true;
		EXPECT(disk_wait(&ring, time_now() + PATIENCE));
		while (!c.status && disk_get(&ring, &c))
			;
	}
	EXPECT(EXO_CODE(c.status) == EXO_DYING || EXO_CODE(c.status) == EXO_CAP);
	EXPECT(!EXO_AT(c.status) || EXO_AT(c.status) == expected);
	while (disk_wait(&ring, time_now()))
		disk_get(&ring, &c);
	return 0;
}

static uint64_t disk_extent_ended(void)
{
	uint64_t pfn = page_at(TEST_VA, PTE_RW);
	EXPECT(ready() && pfn);
	return keep_busy(0, pfn, EXO_FIELD_EXTENT);
}

static const char *extent_ended_beside(void)
{
	if (!tester_signalled())
		return "the child never asked its disk";
	return exo_revoke_all(0, tester_disk) ? "the tester could not end the extent" : NULL;
}

/* The disk writes into the tester's frame, until the tester takes it back. */
static uint64_t disk_loan_ended(void)
{
	uint32_t loan = start_cap(self, CAP_LOAN_RW);
	EXPECT(ready() && loan);
	return keep_busy(loan, told->loan_dma, EXO_FIELD_LOAN);
}

static const char *loan_ended_beside(void)
{
	if (!tester_signalled())
		return "the child never asked its disk";
	return tester_dma_ended() ? NULL : "the disk wrote to a frame after its loan had ended";
}

/* Until it is destroyed. */
static uint64_t disk_storm(void)
{
	uint64_t pfn = page_at(TEST_VA, PTE_RW);
	struct exo_completion c;
	EXPECT(ready() && pfn);
	for (uint64_t n = 0;; n++) {
		struct exo_block_request q = { .extent = rw, .sectors = 128, .op = n & 1, .class = n % 3,
			.sector = random_below(SECTORS - 128) };
		for (unsigned i = 0; i < EXO_REQUEST_FRAMES; i++)
			q.frame[i] = pfn;
		while (!disk_room(&ring)) {
			EXPECT(disk_wait(&ring, time_now() + PATIENCE));
			disk_get(&ring, &c);
			EXPECT(!c.status);
		}
		disk_put(&ring, &q);
		EXPECT(submit_code() <= EXO_AGAIN);
	}
}

const struct row disk_rows[] = {
	{ "disk-not-held", disk_not_held, EXITS, 1, NULL },
	{ "disk-foreign-frames", disk_foreign_frames, EXITS, 1, NULL },
	{ "disk-frame-in-flight", disk_frame_in_flight, EXITS, 1, NULL },
	{ "ring-indices", ring_indices, EXITS, 1, NULL },
	{ "ring-garbage", ring_garbage, EXITS, 1, NULL },
	{ "ring-race", ring_race, EXITS, 2, NULL },
	{ "exhaust-rings", exhaust_rings, EXITS, 1, NULL },
	{ "disk-extent-ended", disk_extent_ended, EXITS, 1, extent_ended_beside },
	{ "disk-loan-ended", disk_loan_ended, EXITS, 1, loan_ended_beside },
	{ "disk-storm", disk_storm, RUNS, 1, NULL },
	{ "offers-in-flight", offers_in_flight, BESIDE, 1, offers_in_flight_beside },
	{ NULL, NULL, EXITS, 0, NULL },
};
