/* Frames: giving, lending, objects, pins, stamps, copying. */
#include <string.h>
#include "tests/host/test.h"

/* Maps pfn at va in init's root, whose tables are made on the first use. */
static uint32_t tables[3];
static void map(uint64_t va, uint64_t pfn, uint64_t bits)
{
	if (!tables[0]) {
		for (unsigned i = 0; i < 3; i++)
			tables[i] = fresh();
		map_tables(MODEL_RAM + 3, va, tables);
	}
	OK(pt_set(tables[0], va >> 12 & 511, pfn ? pte(pfn, bits) : 0, 0));
}

static bool is_zero(uint64_t pfn)
{
	const uint8_t *p = pfn_to_virt(pfn);

	return !p[0] && !memcmp(p, p + 1, EXO_PAGE_SIZE - 1);
}

/* The frames of boot in a few runs are as if each had been typed and given singly. */
TEST(found_frames_are_as_given_singly)
{
	enum { COUNT = 4 * 512 + 100 };
	static const uint32_t runs[][2] = { { 5, 3 }, { 10, 2 }, { 100, 1500 }, { 1600, 1 }, { 1700, COUNT - 1700 } };
	static struct exo_frame frames[2][COUNT];
	static struct region regions[3][MODEL_FRAMES / 512];
	struct domain *d = model_init();
	struct exo_frame *frame_was = frame_table;
	struct region *region_was = region_table;
	uint32_t head[2], owned[2], head_was = d->frames_head, owned_was = d->frames;

	for (unsigned singly = 0; singly < 2; singly++) {
		memset(frames[singly], 0, sizeof frames[singly]);
		frame_tables_init(frames[singly], regions[singly], COUNT);
		d->frames = d->frames_head = 0;
		for (unsigned i = 0; i < sizeof runs / sizeof runs[0]; i++) {
			if (!singly)
				frames_found(runs[i][0], runs[i][1], d);
			for (uint32_t p = runs[i][0]; singly && p < runs[i][0] + runs[i][1]; p++) {
				frame_set_type(p, EXO_F_DATA);
				frame_set_owner(p, d);
			}
		}
		head[singly] = d->frames_head;
		owned[singly] = d->frames;
	}
	frame_tables_init(frame_was, regions[2], MODEL_FRAMES);	/* the model's again */
	region_table = region_was;
	d->frames_head = head_was;
	d->frames = owned_was;
	CHECK(!memcmp(frames[0], frames[1], sizeof frames[0]), "the same frame table");
	CHECK(!memcmp(regions[0], regions[1], sizeof regions[0]), "the same regions");
	CHECK(head[0] == head[1] && owned[0] == owned[1] && owned[0] == 1506 + COUNT - 1700, "the same list");
}

TEST(give_moves_and_zeroes)
{
	struct actor a = actor_make(60), b = actor_make(60);
	uint32_t before = model_init()->frames, pfn = fresh();
	struct result r;

	fresh();
	memset(pfn_to_virt(pfn), 7, 2 * EXO_PAGE_SIZE);
	r = CALL4(FRAME_GIVE, 0, a.cap, pfn, 2);
	OK(r);
	CHECK(r.value == 2 && is_zero(pfn) && is_zero(pfn + 1), "zeroed");
	CHECK(frame_table[pfn].owner == a.d->id && model_init()->frames == before - 2, "moved");
	IS(CALL4(FRAME_GIVE, 0, a.cap, pfn, 1), OWNER, 3);
	OK(CALL4(FRAME_GIVE, a.cap, b.cap, pfn, 2));
	OK(CALL4(FRAME_GIVE, b.cap, 0, pfn, 2));
	CHECK(model_init()->frames == before, "back");
	IS(CALL4(FRAME_GIVE, 0, a.cap, 0, 1), OWNER, 3);
	IS(CALL4(FRAME_GIVE, 0, a.cap, MODEL_FRAMES - 1, 2), OWNER, 3);
	IS(CALL4(FRAME_GIVE, 0, a.cap, 1ul << 40, 1), OWNER, 3);
	IS(CALL4(FRAME_GIVE, 0, a.cap, a.d->id, 1), TYPE, 3);
	IS(CALL4(FRAME_GIVE, 0, 99, pfn, 1), CAP, 2);
	IS(CALL4(FRAME_GIVE, 99, a.cap, pfn, 1), CAP, 1);
	r = CALL4(FRAME_GIVE, 0, a.cap, 1000, 100);
	IS(r, AGAIN, 0);
	CHECK(r.value == 64, "bounded");
}

/* A frame that was mapped is flushed on every CPU before it is zeroed: one round for all. */
TEST(give_flushes_by_stamp)
{
	struct actor a = actor_make(60);
	uint32_t pfn[4];
	uint8_t byte = 0x55;
	unsigned flushes;

	for (unsigned i = 0; i < 4; i++) {
		pfn[i] = fresh();
		map(0x400000 + i * 0x1000, pfn[i], RW);
		for (unsigned c = 0; c < MODEL_CPUS; c++)
			CHECK(model_access(c, 0x400000 + i * 0x1000, true, &byte), "mapped");
	}
	IS(CALL4(FRAME_GIVE, 0, a.cap, pfn[0], 1), BUSY, 3);
	for (unsigned i = 0; i < 4; i++)
		map(0x400000 + i * 0x1000, 0, 0);
	CHECK(model_access(1, 0x400000, true, &byte), "the stale translation is still there");
	flushes = model_flushes;
	for (unsigned i = 0; i < 4; i++) {
		OK(CALL4(FRAME_GIVE, 0, a.cap, pfn[i], 1));
		CHECK(is_zero(pfn[i]), "written behind the kernel's back");
	}
	CHECK(model_flushes == flushes + 1, "%u rounds", model_flushes - flushes);
	CHECK(!model_access(1, 0x400000, true, &byte), "no translation is left");
	flushes = model_flushes;
	OK(CALL4(FRAME_GIVE, 0, a.cap, fresh(), 1));
	CHECK(model_flushes == flushes, "a frame never mapped needs none");
}

TEST(pinned_frames_stay)
{
	struct actor a = actor_make(60);
	uint32_t pfn = fresh(), other = fresh();

	OK(CALL4(DOMAIN_CTL, 0, EXO_DOM_PAGE, pfn, 0));
	IS(CALL4(FRAME_GIVE, 0, a.cap, pfn, 1), BUSY, 3);
	IS(retype(pfn, EXO_KIND_PT1), BUSY, 2);
	IS(CALL2(CAP_GROW, 0, pfn), BUSY, 2);
	IS(CALL3(DOMAIN_CREATE, 0, pfn, other), BUSY, 2);
	IS(CALL3(DOMAIN_CREATE, 0, other, pfn), BUSY, 3);
	OK(CALL4(DOMAIN_CTL, 0, EXO_DOM_PAGE, other, 0));
	OK(CALL4(FRAME_GIVE, 0, a.cap, pfn, 1));
	IS(CALL4(DOMAIN_CTL, 0, EXO_DOM_PAGE, pfn, 0), OWNER, 3);
	IS(CALL4(DOMAIN_CTL, 0, EXO_DOM_PAGE, MODEL_RAM, 0), TYPE, 3);
	OK(CALL4(DOMAIN_CTL, 0, EXO_DOM_PAGE, 0, 0));
	OK(CALL4(FRAME_GIVE, 0, a.cap, other, 1));
}

TEST(lend_checks)
{
	IS(CALL5(FRAME_LEND, 9, 0, 100, 1, EXO_R_READ), CAP, 1);
	IS(CALL5(FRAME_LEND, 0, 0, MODEL_FRAMES, 1, EXO_R_READ), ARG, 3);
	IS(CALL5(FRAME_LEND, 0, 0, 100, 0, EXO_R_READ), ARG, 4);
	IS(CALL5(FRAME_LEND, 0, 0, 100, MODEL_FRAMES - 99, EXO_R_READ), ARG, 4);
	IS(CALL5(FRAME_LEND, 0, 0, 100, 1, 0x10), ARG, 5);
	OK(CALL5(FRAME_LEND, 0, 0, 100, MODEL_FRAMES - 100, EXO_R_READ));
}

TEST(frame_info_shows_own_frames)
{
	struct exo_frame *f = (void *)(model_window[0] + 64);
	uint32_t pfn = fresh();

	map(0x400000, pfn, RW);
	OK(CALL3(FRAME_INFO, 0, pfn, WINDOW + 64));
	CHECK(f->type == EXO_F_DATA && f->mapped == 1 && f->writable == 1 && f->owner == model_init()->id,
		"entry");
	IS(CALL3(FRAME_INFO, 0, 5, WINDOW), OWNER, 2);
	IS(CALL3(FRAME_INFO, 0, pfn, 0x5000), FAULT, 3);
	IS(CALL3(FRAME_INFO, 77, pfn, WINDOW), CAP, 1);
}

TEST(copy_moves_bytes)
{
	struct actor a = actor_make(60);
	uint32_t x = fresh(), y = fresh(), table = fresh();
	uint64_t px = (uint64_t)x << 12, py = (uint64_t)y << 12, pa = (uint64_t)a.next << 12;
	struct result r;

	memset(pfn_to_virt(x), 1, 4096);
	memset(pfn_to_virt(y), 2, 4096);
	r = CALL6(FRAME_COPY, 0, px + 0xff0, 0, py + 8, 0x20, 0);	/* over a page's end, into y */
	OK(r);
	CHECK(r.value == 0x20 && ((uint8_t *)pfn_to_virt(x))[0xff0] == 2 &&
		((uint8_t *)pfn_to_virt(x))[0xfef] == 1, "bytes");
	OK(CALL6(FRAME_COPY, 0, px, 0, py, 4096, 0));
	CHECK(!memcmp(pfn_to_virt(x), pfn_to_virt(y), 4096), "page");
	OK(CALL6(FRAME_COPY, 0, px + 16, 0, ~0ul, 16, 0));
	CHECK(((uint8_t *)pfn_to_virt(x))[16] == 0 && ((uint8_t *)pfn_to_virt(x))[32] == 2, "zeroes");
	OK(CALL6(FRAME_COPY, 0, px, 0, ~0ul, 4096, 0));
	CHECK(is_zero(x), "zero page");
	OK(CALL6(FRAME_COPY, a.cap, pa, 0, py, 4096, 0));
	OK(CALL6(FRAME_COPY, 0, px, a.cap, pa, 4096, 0));
	CHECK(!memcmp(pfn_to_virt(x), pfn_to_virt(y), 4096), "across domains");
	IS(CALL6(FRAME_COPY, 0, px, 0, pa, 8, 0), OWNER, 4);
	IS(CALL6(FRAME_COPY, 0, pa, 0, px, 8, 0), OWNER, 2);
	IS(CALL6(FRAME_COPY, 0, (uint64_t)MODEL_RAM << 12, 0, px, 8, 0), TYPE, 2);
	IS(CALL6(FRAME_COPY, 0, px, 0, (uint64_t)MODEL_RAM << 12, 8, 0), TYPE, 4);
	IS(CALL6(FRAME_COPY, 0, 0, 0, px, 8, 0), OWNER, 2);
	IS(CALL6(FRAME_COPY, 0, ~0xffful, 0, px, 8, 0), OWNER, 2);
	IS(CALL6(FRAME_COPY, 55, px, 0, px, 8, 0), CAP, 1);
	IS(CALL6(FRAME_COPY, 0, px, 55, px, 8, 0), CAP, 3);
	IS(CALL6(FRAME_COPY, 0, px, 0, px, 8, 55), CAP, 6);
	OK(CALL6(FRAME_COPY, 0, table * 4096ul, 0, ~0ul, 4096, 0));
	OK(retype(table, EXO_KIND_PT1));
	OK(CALL6(FRAME_COPY, 0, px, 0, table * 4096ul, 4096, 0));
	CHECK(is_zero(x), "a page table may be read");
	IS(CALL6(FRAME_COPY, 0, table * 4096ul, 0, px, 8, 0), TYPE, 2);
	r = CALL6(FRAME_COPY, 0, 2048ul * 4096, 0, ~0ul, 65 * 4096, 0);
	IS(r, AGAIN, 0);
	CHECK(r.value == 64 * 4096, "bounded");
	OK(CALL6(FRAME_COPY, 0, px, 0, py, 0, 0));
	OK(CALL6(FRAME_COPY, 0, (MODEL_FRAMES - 1) * 4096ul, 0, py, 4096, 0));	/* to the end of memory */
}

TEST(copy_by_loan)
{
	struct actor a = actor_make(60);
	uint32_t x = fresh(), y = actor_frame(&a);
	uint64_t px = (uint64_t)x << 12, py = (uint64_t)y << 12;

	OK(CALL5(FRAME_LEND, a.cap, 50, y, 1, EXO_R_READ | EXO_R_GRANT));
	CHECK(model_run(0, a.d), "runs");
	OK(CALL6(CAP_COPY, 0, 51, 50, EXO_R_READ, 0, 0));
	IS(CALL6(FRAME_COPY, 0, py, 0, px, 8, 0), OWNER, 4);
	CHECK(model_run(0, model_init()), "runs");
	OK(CALL5(FRAME_LEND, 0, 60, x, 1, EXO_R_READ | EXO_R_WRITE | EXO_R_GRANT));
	OK(CALL6(CAP_COPY, a.cap, 52, 60, EXO_R_READ, 0, 0));
	OK(CALL6(CAP_COPY, a.cap, 53, 60, EXO_R_WRITE, 0, 0));
	CHECK(model_run(0, a.d), "runs");
	memset(pfn_to_virt(x), 3, 4096);
	OK(CALL6(FRAME_COPY, 0, py, 0, px, 8, 52));
	IS(CALL6(FRAME_COPY, 0, px, 0, py, 8, 52), RIGHT, 6);
	IS(CALL6(FRAME_COPY, 0, py, 0, px, 8, 53), RIGHT, 6);
	OK(CALL6(FRAME_COPY, 0, px + 8, 0, py, 8, 53));
	IS(CALL6(FRAME_COPY, 0, py, 0, px + 4096, 8, 52), OWNER, 4);
	IS(CALL6(FRAME_COPY, 0, py, 0, px, 8, 1), CAP, 6);
}

TEST(exports_are_read_only)
{
	struct slot export = { .type = EXO_T_FRAMES, .rights = EXO_R_GRANT | EXO_R_READ | EXO_R_WRITE,
		.base = MODEL_EXPORT, .count = 2 };
	uint32_t pfn = fresh();
	uint64_t name;

	CHECK(!cap_insert(model_init(), 40, 0, &export, NULL, &name), "insert");
	map(0x400000, pfn, RW);
	OK(pt_set(tables[0], 1, pte(MODEL_EXPORT, RO | EXO_PTE_NX), 40));
	OK(pt_set(tables[0], 1, pte(MODEL_EXPORT + 1, RO | EXO_PTE_NX), 40));
	IS(pt_set(tables[0], 1, pte(MODEL_EXPORT, RW | EXO_PTE_NX), 40), TYPE, 2);
	IS(pt_set(tables[0], 1, pte(MODEL_EXPORT + 2, RO | EXO_PTE_NX), 40), OWNER, 2);
	IS(pt_set(tables[0], 1, pte(MODEL_EXPORT, RO | EXO_PTE_NX), 0), OWNER, 2);
	IS(pt_set(tables[0], 1, pte(3, RO | EXO_PTE_NX), 40), OWNER, 2);
	OK(CALL6(FRAME_COPY, 0, pfn * 4096ul, 0, MODEL_EXPORT * 4096ul, 64, 40));
	IS(CALL6(FRAME_COPY, 0, MODEL_EXPORT * 4096ul, 0, pfn * 4096ul, 64, 40), TYPE, 2);
	audit();
	OK(CALL2(CAP_DELETE, 0, 40));
	CHECK(!pt_get(tables[0], 1), "the mapping is gone");
}
