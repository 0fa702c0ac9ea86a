/* Frames, page tables, and libos/common's helpers for them. */
#include "tests/guest/ktest.h"

static uint64_t root(void) { return machine->root; }
static uint64_t entry_of(uint64_t va) { return pt_find(root(), va, 1); }

static uint64_t retype(uint64_t pfn, unsigned kind)
{
	uint64_t item = pfn << 8 | kind;
	return exo_frame_retype(0, &item, 1).status;
}

static uint64_t write_entry(uint64_t entry, uint64_t value)
{
	struct exo_pt_item item = { entry, value };
	return exo_pt_write(0, &item, 1, 0, EXO_FLUSH_ALL, 0).status;
}

static const char *frame_bytes(void)
{
	uint64_t a = frame_alloc(), b = frame_alloc();
	struct exo_frame info;
	memset(physmap_page(a), 0x5a, EXO_PAGE_SIZE);
	memset(physmap_page(b), 0, EXO_PAGE_SIZE);
	IS(exo_frame_copy(0, (b << 12) + 100, 0, (a << 12) + 7, 1000, 0).status, OK);
	uint8_t *p = physmap_page(b);
	CHECK(p[99] == 0 && p[100] == 0x5a && p[1099] == 0x5a && p[1100] == 0);
	IS(exo_frame_copy(0, b << 12, 0, ~0ul, EXO_PAGE_SIZE, 0).status, OK);
	CHECK(p[100] == 0 && p[1099] == 0);
	IS(exo_frame_info(0, b, &info).status, OK);
	CHECK(info.type == EXO_F_DATA && info.owner && !info.pins);
	frame_free(a);
	frame_free(b);
	return NULL;
}

/* Frames that are not ours: the first one (firmware's), the kernel's, one past all RAM. */
static const char *frame_foreign(void)
{
	struct exo_frame info;
	struct exo_cap_info clock;
	uint64_t a = frame_alloc();
	IS(exo_cap_info(0, start_cap(machine, CAP_CLOCK), &clock).status, OK);
	const uint64_t foreign[] = { 0, clock.base, 1ul << 40 };
	for (unsigned i = 0; i < ARRAY_LEN(foreign); i++) {
		IS(exo_frame_copy(0, foreign[i] << 12, 0, a << 12, 8, 0).status, OWNER);
		IS(exo_frame_info(0, foreign[i], &info).status, OWNER);
		CHECK(write_entry(entry_of(machine->stack_lo), PTE_MAKE(foreign[i], PTE_RO)));
		CHECK(retype(foreign[i], EXO_KIND_PT1));
	}
	frame_free(a);
	return NULL;
}

static const char *retype_checks(void)
{
	uint64_t pfn = frame_take(), other = frame_alloc();
	uint64_t *words = physmap_page(other);
	memset(words, 0, EXO_PAGE_SIZE);
	words[5] = 0x1000 | EXO_PTE_P;			/* names frame 1: not ours */
	IS(exo_copy_all(0, pfn << 12, 0, other << 12, EXO_PAGE_SIZE, 0), OK);
	CHECK(retype(pfn, EXO_KIND_PT1));
	IS(retype(other, EXO_KIND_PT1), BUSY);		/* writable in the physmap */
	words[5] = PTE_MAKE(other, PTE_RO);
	IS(exo_copy_all(0, pfn << 12, 0, other << 12, EXO_PAGE_SIZE, 0), OK);
	IS(retype(pfn, EXO_KIND_PT1), OK);
	IS(retype(pfn, EXO_KIND_PT1), TYPE);
	IS(exo_copy_all(0, pfn << 12, 0, other << 12, 8, 0), TYPE);	/* no writing behind it */
	IS(retype(pfn, EXO_KIND_DATA), OK);
	IS(retype(pfn, 5), ARG);
	frames_put(pfn, 1);
	frame_free(other);
	return NULL;
}

static const char *map_and_use(void)
{
	uint64_t pfn = frame_alloc_zero();
	volatile uint64_t *p = (uint64_t *)TEST_VA;
	IS(pt_map(root(), TEST_VA, pfn, 1, PTE_RW, 0), OK);
	*p = 0x1234;
	CHECK(*(uint64_t *)physmap_page(pfn) == 0x1234);
	uint64_t e = pt_read(entry_of(TEST_VA));
	CHECK(e & EXO_PTE_A && e & EXO_PTE_D && e & EXO_PTE_U);
	IS(pt_unmap(root(), TEST_VA, 1), OK);
	CHECK(!pt_read(entry_of(TEST_VA)));
	frame_free(pfn);
	return NULL;
}

static const char *write_operations(void)
{
	uint64_t a = frame_alloc(), b = frame_alloc(), at;
	uint64_t ea = PTE_MAKE(a, PTE_RO), eb = PTE_MAKE(b, PTE_RO);
	IS(pt_map(root(), TEST_VA, a, 1, PTE_RO, 0), OK);
	at = entry_of(TEST_VA);
	struct exo_pt_item x = { at | EXO_PT_XCHG, eb };
	IS(exo_pt_write(0, &x, 1, 0, 0, 0).status, OK);
	CHECK(x.val == ea && pt_read(at) == eb);
	struct exo_pt_item cas[2] = { { at | EXO_PT_CAS, ea }, { ea, 0 } };	/* not equal: stays */
	IS(exo_pt_write(0, cas, 2, 0, 0, 0).status, OK);
	CHECK(cas[1].ptr == eb && pt_read(at) == eb);
	cas[0] = (struct exo_pt_item){ at | EXO_PT_CAS, ea };
	cas[1] = (struct exo_pt_item){ eb, 0 };
	IS(exo_pt_write(0, cas, 2, 0, 0, 0).status, OK);
	CHECK(pt_read(at) == ea);
	IS(exo_tlb_flush(TEST_VA, 1, EXO_FLUSH_ALL).status, OK);
	CHECK(*(volatile uint64_t *)TEST_VA == *(uint64_t *)physmap_page(a));	/* sets A */
	struct exo_pt_item ad = { at | EXO_PT_SET_AD, ea | EXO_PTE_W };
	IS(exo_pt_write(0, &ad, 1, 0, 0, 0).status, OK);
	CHECK(pt_read(at) == (ea | EXO_PTE_W | EXO_PTE_A));
	IS(pt_unmap(root(), TEST_VA, 1), OK);
	frame_free(a);
	frame_free(b);
	return NULL;
}

static const char *write_refused(void)
{
	uint64_t pfn = frame_alloc(), at, status;
	at = pt_make(root(), TEST_VA, 1, &status);
	IS(status, OK);
	uint64_t table = at >> 12;
	IS(write_entry(at, PTE_MAKE(table, PTE_RW)), TYPE);	/* a page table, writable */
	IS(write_entry(at, PTE_MAKE(table, PTE_RO)), OK);	/* read-only is allowed */
	IS(write_entry(at, 0), OK);
	IS(write_entry(at, PTE_MAKE(pfn, PTE_RO) | EXO_PTE_PCD), ENTRY);
	IS(write_entry(at + 1, 0), ARG);			/* no such operation */
	for (unsigned slot = EXO_KERNEL_SLOT_FIRST; slot <= EXO_KERNEL_SLOT_LAST; slot++) {
		CHECK(write_entry((root() << 12) + 8 * slot, 0));
		CHECK(write_entry((root() << 12) + 8 * slot, PTE_MAKE(table, PTE_TABLE)));
	}
	CHECK(write_entry(pt_find(root(), TEST_VA, 3), PTE_MAKE(pfn, PTE_RW) | EXO_PTE_PS));
	IS(write_entry(pfn << 12, 0), OK);			/* a word of a data frame is data */
	frame_free(pfn);
	return NULL;
}

/* Items before a bad one are done, the bad one and what follows are not. */
static const char *batch_stops(void)
{
	uint64_t pfn = frame_alloc(), status, at = pt_make(root(), TEST_VA, 1, &status);
	struct exo_pt_item item[4] = {
		{ at, PTE_MAKE(pfn, PTE_RO) }, { at + 8, PTE_MAKE(pfn, PTE_RO) },
		{ at + 16, PTE_MAKE(0, PTE_RO) }, { at + 24, PTE_MAKE(pfn, PTE_RO) },
	};
	struct exo_result r = exo_pt_write(0, item, 4, 0, 0, 0);
	IS(r.status, OWNER);
	CHECK(r.value == 2);
	CHECK(pt_read(at) && pt_read(at + 8) && !pt_read(at + 16) && !pt_read(at + 24));
	IS(pt_unmap(root(), TEST_VA, 4), OK);
	frame_free(pfn);
	return NULL;
}

static const char *protect_and_clean(void)
{
	uint64_t run = frame_alloc_run(8), bits[16];
	CHECK(run);
	IS(pt_map(root(), TEST_VA, run, 8, PTE_RW, 0), OK);
	*(volatile uint8_t *)(TEST_VA + 0x2000) = 1;
	(void)*(volatile uint8_t *)(TEST_VA + 0x5000);
	struct exo_result r = exo_pt_clean(0, entry_of(TEST_VA) >> 12, pt_index(TEST_VA, 1), 8, bits,
		EXO_CLEAN_A | EXO_CLEAN_D);
	IS(r.status, OK);
	unsigned base = pt_index(TEST_VA, 1);
	CHECK(r.value == 2);
	CHECK(bits[base / 64] >> base % 64 == 0x24 && bits[8 + base / 64] >> base % 64 == 0x04);
	*(volatile uint8_t *)(TEST_VA + 0x2000) = 2;	/* flushed: the walker sets them again */
	CHECK(pt_read(entry_of(TEST_VA + 0x2000)) & EXO_PTE_D);
	IS(pt_protect(root(), TEST_VA, 8, 0, EXO_PTE_W), OK);
	CHECK(!(pt_read(entry_of(TEST_VA + 0x7000)) & EXO_PTE_W));
	IS(pt_unmap(root(), TEST_VA, 8), OK);
	frame_free_run(run, 8);
	return NULL;
}

/* While a region is mapped by a large page, none of its frames becomes a page table. */
static const char *large_page(void)
{
	uint64_t run = frame_alloc_run(512), status;
	CHECK(run && run % 512 == 0);
	uint64_t at = pt_make(root(), TEST_VA, 2, &status);
	IS(status, OK);
	uint64_t was = pt_read(at);
	IS(write_entry(at, PTE_MAKE(run + 1, PTE_RW) | EXO_PTE_PS), ENTRY);
	IS(write_entry(at, PTE_MAKE(run, PTE_RW) | EXO_PTE_PS), OK);
	*(volatile uint64_t *)(TEST_VA + 0x1ff000) = 77;
	CHECK(*(uint64_t *)physmap_page(run + 511) == 77);
	IS(retype(run + 3, EXO_KIND_PT1), BUSY);
	IS(write_entry(at, was), OK);
	frame_free_run(run, 512);
	return NULL;
}

static const char *pt_helpers(void)
{
	uint64_t new = pt_root(root(), 264, 271), status, frame = frame_alloc();
	CHECK(new);
	for (unsigned i = 0; i < 40; i++)		/* tables of every level */
		IS(pt_map(new, 0x10000000000ul * i % 0x7f0000000000ul + i * 0x40200000ul, frame, 1, PTE_RW, 0), OK);
	unsigned level;
	CHECK(PTE_PFN(pt_lookup(new, 0x10040200000ul, &level)) == frame && level == 1);
	CHECK(!pt_lookup(new, 0x555000, &level));
	(void)status;
	IS(pt_free(new, 0, 255, false), OK);
	struct exo_pt_item clear[8];
	for (unsigned i = 0; i < 8; i++)
		clear[i] = (struct exo_pt_item){ (new << 12) + 8 * (264 + i), 0 };
	IS(exo_pt_write_all(0, clear, 8, 0, 0, NULL), OK);
	IS(pt_table_drop(new), OK);
	frame_free(frame);
	return NULL;
}

/* The allocator: everything once, no frame twice, and all of it back. */
static const char *allocator(void)
{
	uint64_t before = frames_left(), n = 0, pfn, list = 0;
	while ((pfn = frame_alloc())) {
		*(uint64_t *)physmap_page(pfn) = list;	/* a list through the frames: a double use breaks it */
		((uint64_t *)physmap_page(pfn))[1] = ~pfn;
		list = pfn;
		n++;
	}
	CHECK(n == before && !frames_left());
	CHECK(!frame_alloc_run(2) && !frame_take());
	for (; list; n--) {
		CHECK(((uint64_t *)physmap_page(list))[1] == ~list);
		pfn = *(uint64_t *)physmap_page(list);
		frame_free(list);
		list = pfn;
	}
	CHECK(!n && frames_left() == before);
	return NULL;
}

/* Unmapped frames leave the window and come back into it. */
static const char *take_and_put(void)
{
	struct exo_start_extent e[8];
	struct exo_frame info;
	uint64_t before = frames_left();
	CHECK(frames_take(700, e, 8) == 700);
	for (unsigned i = 0; i < 8 && e[i].count; i++) {
		IS(exo_frame_info(0, e[i].pfn, &info).status, OK);
		CHECK(!info.mapped && info.type == EXO_F_DATA);
		CHECK(frames_put(e[i].pfn, e[i].count));
	}
	CHECK(frames_left() == before);
	return NULL;
}

const struct test memory_tests[] = {
	{ "frame_bytes", frame_bytes },
	{ "frame_foreign", frame_foreign },
	{ "retype_checks", retype_checks },
	{ "map_and_use", map_and_use },
	{ "pt_write_operations", write_operations },
	{ "pt_write_refused", write_refused },
	{ "pt_write_batch_stops", batch_stops },
	{ "pt_clean", protect_and_clean },
	{ "large_page", large_page },
	{ "pt_helpers", pt_helpers },
	{ "frame_allocator", allocator },
	{ "frames_take_put", take_and_put },
	{ NULL, NULL }
};
