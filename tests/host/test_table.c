/* Page tables: retype, pt_write, large pages, roots, pt_clean. */
#include <string.h>
#include "tests/host/test.h"


static struct exo_pt_item *items(void) { return (struct exo_pt_item *)model_window[this_cpu()->number]; }

static uint64_t at(uint64_t table, unsigned index, unsigned op) { return (table << 12) + index * 8 + op; }

static struct result write_items(unsigned n, uint64_t cap, unsigned flags, uint64_t va)
{
	return CALL6(PT_WRITE, 0, WINDOW, n, cap, flags, va);
}

TEST(retype_bottom_up)
{
	uint32_t t[5];

	for (unsigned i = 1; i < 5; i++)
		t[i] = fresh();
	for (unsigned i = 2; i < 5; i++) {
		((uint64_t *)pfn_to_virt(t[i]))[7] = pte(t[i - 1], RW);
		IS(retype(t[i], i), TYPE, 2);	/* what it names is no table yet */
		CHECK(frame_table[t[i]].type == EXO_F_DATA, "unchanged");
	}
	audit();
	for (unsigned i = 1; i < 5; i++)
		OK(retype(t[i], i));
	CHECK(pt_get(t[4], 257) == arch_kernel_pml4[0] && pt_get(t[4], 263) == arch_kernel_pml4[6],
		"the kernel's slots");
	for (unsigned i = 1; i < 4; i++) {
		CHECK(frame_table[t[i]].typerefs == 1, "one reference");
		IS(retype(t[i], 0), BUSY, 2);
	}
	IS(retype(t[1], EXO_KIND_PT2), TYPE, 2);
	IS(retype(t[1], 5), ARG, 2);
	IS(retype(3, 1), OWNER, 2);
	IS(retype(MODEL_RAM, 1), TYPE, 2);
	IS(retype(fresh(), 0), TYPE, 2);
	audit();
	for (unsigned i = 4; i > 0; i--)
		OK(retype(t[i], 0));
	CHECK(!pt_get(t[4], 257) && !pt_get(t[4], 263), "kernel slots are not left behind");
	CHECK(frame_table[t[1]].typerefs == 0, "no reference");
	/* What lies behind a table is not looked at. */
	t[0] = fresh();
	*(uint64_t *)pfn_to_virt(fresh()) = pte(3, RW);
	OK(retype(t[0], EXO_KIND_PT1));
	IS(CALL3(FRAME_RETYPE, 0, 0x1000, 1), FAULT, 2);
	IS(CALL3(FRAME_RETYPE, 99, WINDOW, 1), CAP, 1);
}

/* One entry at each place in turn, and all of them. */
TEST(retype_finds_every_entry)
{
	uint32_t table = fresh(), page = fresh();
	uint64_t *entries = pfn_to_virt(table);

	for (unsigned i = 0; i <= 512; i++) {
		for (unsigned k = 0; k < 512; k++)
			entries[k] = k == i || i == 512 ? pte(page, RO) : 0;
		OK(retype(table, EXO_KIND_PT1));
		CHECK(frame_table[page].mapped == (i == 512 ? 512 : 1), "counted");
		OK(retype(table, EXO_KIND_DATA));
		CHECK(frame_table[page].mapped == 0, "and dropped");
		entries[i % 512] = pte(3, RO);
		IS(retype(table, EXO_KIND_PT1), OWNER, 2);
		CHECK(frame_table[page].mapped == 0, "refused as a whole");
	}
}

TEST(retype_batches)
{
	uint64_t *list = (uint64_t *)model_window[0];
	struct result r;

	uint32_t page = fresh();

	for (unsigned i = 0; i < 40; i++)
		list[i] = (uint64_t)fresh() << 8 | EXO_KIND_PT1;
	r = CALL3(FRAME_RETYPE, 0, WINDOW, 40);
	IS(r, AGAIN, 0);
	CHECK(r.value == 32, "32 a call");
	r = CALL3(FRAME_RETYPE, 0, WINDOW + 8 * 32, 8);
	CHECK(r.value == 8 && r.status == EXO_OK, "the rest");
	/* Full ones are more work. */
	uint32_t full[10];
	for (unsigned i = 0; i < 10; i++) {
		uint64_t *entries = pfn_to_virt(full[i] = fresh());

		for (unsigned k = 0; k < 512; k++)
			entries[k] = pte(page, RO);
	}
	for (unsigned kind = EXO_KIND_PT1 + 1; kind-- > EXO_KIND_DATA;) {
		for (unsigned i = 0; i < 10; i++)
			list[i] = (uint64_t)full[i] << 8 | kind;
		r = CALL3(FRAME_RETYPE, 0, WINDOW, 10);
		IS(r, AGAIN, 0);
		CHECK(r.value == 8, "eight a call");
		r = CALL3(FRAME_RETYPE, 0, WINDOW + 64, 2);
		CHECK(r.value == 2 && r.status == EXO_OK, "the rest");
	}
	list[0] = (uint64_t)fresh() << 8 | EXO_KIND_PT2;
	list[1] = 5 << 8 | EXO_KIND_PT2;
	r = CALL3(FRAME_RETYPE, 0, WINDOW, 2);
	IS(r, OWNER, 2);
	CHECK(r.value == 1, "the first was done");
}

TEST(retype_refuses_writable)
{
	uint32_t t[3] = { fresh(), fresh(), fresh() }, pfn = fresh(), self = fresh();

	map_tables(INIT_ROOT, 0x400000, t);
	OK(pt_set(t[0], 0, pte(pfn, RW), 0));
	IS(retype(pfn, EXO_KIND_PT1), BUSY, 2);
	OK(pt_set(t[0], 0, pte(pfn, RO), 0));
	OK(retype(pfn, EXO_KIND_PT1));
	IS(pt_set(t[0], 0, pte(pfn, RW), 0), TYPE, 2);
	OK(pt_set(t[0], 1, pte(pfn, RO), 0));
	IS(pt_set(t[0], 1, pte(pfn, RW), 0), TYPE, 2);
	/* A table may map itself to be read, not to be written. */
	((uint64_t *)pfn_to_virt(self))[3] = pte(self, RW);
	IS(retype(self, EXO_KIND_PT1), TYPE, 2);
	((uint64_t *)pfn_to_virt(self))[3] = pte(self, EXO_PTE_P);
	OK(retype(self, EXO_KIND_PT1));
	CHECK(pt_get(self, 3) == pte(self, RO), "U is forced");
	OK(retype(self, 0));
	audit();
}

/* A stale writable translation could change a table's content between check and use. */
TEST(retype_flushes_before_it_looks)
{
	uint32_t t[3] = { fresh(), fresh(), fresh() };
	uint8_t byte = 0;

	map_tables(INIT_ROOT, 0x400000, t);
	for (unsigned i = 0; i < 100; i++) {
		uint32_t pfn = fresh();

		OK(pt_set(t[0], i, pte(pfn, RW), 0));
		for (unsigned c = 1; c < MODEL_CPUS; c++)
			CHECK(model_access(c, 0x400000 + i * 4096, true, &byte), "mapped");
		OK(pt_set(t[0], i, 0, 0));
		retype(pfn, EXO_KIND_PT1 + model_random() % 3);
		audit();
	}
}

/* The same when the mapping stays, but not to be written. */
TEST(retype_flushes_what_was_protected)
{
	uint32_t t[3] = { fresh(), fresh(), fresh() };
	uint8_t byte = 0;

	map_tables(INIT_ROOT, 0x400000, t);
	for (unsigned way = 0; way < 5; way++) {
		static const unsigned ops[] = { EXO_PT_SET, EXO_PT_XCHG, EXO_PT_SET_AD, EXO_PT_CAS, EXO_PT_SET };
		uint32_t pfn = fresh();
		uint64_t va = 0x400000 + way * 4096;

		OK(pt_set(t[0], way, pte(pfn, RW), 0));
		CHECK(model_access(1, va, true, &byte) && model_access(2, va, true, &byte), "mapped");
		items()[0] = (struct exo_pt_item){ at(t[0], way, ops[way]), pte(pfn, RO | (way == 4 ? EXO_PTE_NX : 0)) };
		items()[1] = (struct exo_pt_item){ pt_get(t[0], way), 0 };
		OK(write_items(ops[way] == EXO_PT_CAS ? 2 : 1, 0, 0, 0));
		CHECK(model_access(1, va, true, &byte), "not flushed yet");
		OK(retype(pfn, EXO_KIND_PT1));
		CHECK(!model_access(1, va, true, &byte) && !model_access(2, va, true, &byte), "way %u", way);
		CHECK(model_access(1, va, false, &byte), "to be read");
	}
}

TEST(retype_to_data_flushes)
{
	uint32_t t[3] = { fresh(), fresh(), fresh() }, pfn = fresh();
	uint8_t byte = 0;

	for (unsigned i = 0; i < 20; i++) {
		map_tables(INIT_ROOT, 0x400000, t);
		OK(pt_set(t[0], 0, pte(pfn, RW), 0));
		for (unsigned c = 0; c < MODEL_CPUS; c++)
			CHECK(model_access(c, 0x400000, true, &byte), "mapped");
		OK(pt_set(INIT_ROOT, 0, 0, 0));
		for (unsigned level = 3; level > 0; level--)
			OK(retype(t[level - 1], 0));
		CHECK(!model_access(1, 0x400000, false, &byte), "no walker finds the old tables");
		for (unsigned level = 0; level < 3; level++)
			memset(pfn_to_virt(t[level]), 0, 4096);
	}
}

TEST(loaded_roots_stay)
{
	struct actor a = actor_make(60);
	uint32_t root = fresh(), ctx;

	IS(retype(INIT_ROOT, 0), BUSY, 2);
	OK(retype(root, EXO_KIND_PT4));
	OK(retype(root, 0));
	CHECK(model_run(1, a.d), "runs");
	*(uint64_t *)model_window[0] = (uint64_t)a.root << 8;
	IS(CALL3(FRAME_RETYPE, a.cap, WINDOW, 1), BUSY, 2);
	CHECK(root_loadable(a.d->id, a.root) && !root_loadable(model_init()->id, a.root), "still a root");
	CHECK(model_run(1, model_init()), "runs");
	cpu_at(2)->root_claim = a.root;	/* about to load it */
	IS(CALL3(FRAME_RETYPE, a.cap, WINDOW, 1), BUSY, 2);
	cpu_at(2)->root_claim = cpu_at(2)->root;
	OK(CALL3(FRAME_RETYPE, a.cap, WINDOW, 1));
	/* A context whose root is gone cannot run: its domain ends. */
	ctx = a.d->context_head;
	CHECK(!model_run(context_at(ctx)->home, a.d), "does not run");
	CHECK(a.d->state == EXO_DS_KILLED, "killed");
	CHECK(!root_loadable(a.d->id, 0) && !root_loadable(a.d->id, MODEL_FRAMES), "no frames");
}

TEST(pairs)
{
	uint32_t k = fresh(), u = fresh(), v = fresh();

	OK(retype(k, EXO_KIND_PT4));
	OK(retype(u, EXO_KIND_PT4));
	IS(CALL3(ROOT_PAIR, 0, v, u), TYPE, 2);
	IS(CALL3(ROOT_PAIR, 0, k, v), TYPE, 3);
	OK(retype(v, EXO_KIND_PT4));
	IS(CALL3(ROOT_PAIR, 0, 3, u), OWNER, 2);
	IS(CALL3(ROOT_PAIR, 0, k, 3), OWNER, 3);
	IS(CALL3(ROOT_PAIR, 90, k, u), CAP, 1);
	IS(CALL3(ROOT_PAIR, 0, k, k), STATE, 3);
	OK(CALL3(ROOT_PAIR, 0, k, u));
	OK(CALL3(ROOT_PAIR, 0, k, u));
	IS(CALL3(ROOT_PAIR, 0, u, v), STATE, 2);
	IS(CALL3(ROOT_PAIR, 0, v, k), STATE, 3);
	IS(CALL3(ROOT_PAIR, 0, v, u), BUSY, 3);
	IS(retype(u, 0), BUSY, 2);
	audit();
	OK(CALL3(ROOT_PAIR, 0, k, v));
	OK(retype(u, 0));
	OK(CALL3(ROOT_PAIR, 0, k, 0));
	OK(CALL3(ROOT_PAIR, 0, k, 0));
	OK(retype(k, 0));
	OK(retype(v, 0));
}

/* A pair ends with its K root, unless that stays. */
TEST(pairs_end)
{
	struct actor a = actor_make(60);
	uint32_t k = actor_frame(&a), u = actor_frame(&a), v = actor_frame(&a);
	uint64_t *item = (uint64_t *)model_window[0];

	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	OK(retype(k, EXO_KIND_PT4));
	OK(retype(u, EXO_KIND_PT4));
	OK(CALL4(CONTEXT_CTL, 0, EXO_CTX_ROOTS, k, u));
	model_on(0);
	*item = (uint64_t)k << 8;
	IS(CALL3(FRAME_RETYPE, a.cap, WINDOW, 1), BUSY, 2);
	CHECK(frame_table[k].writable == u && frame_table[u].typerefs == 1, "loaded: it is a pair still");
	audit();
	model_on(1);
	OK(CALL3(CONTEXT_CTL, 0, EXO_CTX_ROOTS, a.root));
	model_on(0);
	item[1] = (uint64_t)u << 8;
	OK(CALL3(FRAME_RETYPE, a.cap, WINDOW, 2));
	CHECK(!frame_table[k].writable && !frame_table[u].typerefs && !frame_table[u].flags &&
		frame_table[u].type == EXO_F_DATA, "both are data");
	audit();
	/* What was the U partner is a K root like any. */
	model_on(1);
	OK(retype(k, EXO_KIND_PT4));
	OK(retype(u, EXO_KIND_PT4));
	OK(retype(v, EXO_KIND_PT4));
	OK(CALL3(ROOT_PAIR, 0, k, u));
	OK(retype(k, 0));
	OK(CALL3(ROOT_PAIR, 0, u, v));
	audit();
	model_on(0);
}

TEST(entry_bits)
{
	uint32_t t[3] = { fresh(), fresh(), fresh() }, pfn = fresh();
	uint64_t reserved = 1ul << 45;

	map_tables(INIT_ROOT, 0x400000, t);
	OK(pt_set(t[0], 5, pte(pfn, RW | EXO_PTE_A | EXO_PTE_D | EXO_PTE_NX | EXO_PTE_SW | EXO_PTE_G), 0));
	CHECK(pt_get(t[0], 5) == pte(pfn, RW | EXO_PTE_A | EXO_PTE_D | EXO_PTE_NX | EXO_PTE_SW), "bits");
	OK(pt_set(t[0], 5, pte(pfn, EXO_PTE_P), 0));
	CHECK(pt_get(t[0], 5) == pte(pfn, RO), "U is forced");
	IS(pt_set(t[0], 5, pte(pfn, RW | EXO_PTE_PWT), 0), ENTRY, 2);
	IS(pt_set(t[0], 5, pte(pfn, RW | EXO_PTE_PCD), 0), ENTRY, 2);
	IS(pt_set(t[0], 5, pte(pfn, RW | EXO_PTE_PS), 0), ENTRY, 2);	/* PAT */
	IS(pt_set(t[0], 5, pte(pfn, RW) | reserved, 0), ENTRY, 2);
	IS(pt_set(t[0], 5, pte(MODEL_FRAMES, RW), 0), OWNER, 2);
	IS(pt_set(t[0], 5, pte(0, RW), 0), OWNER, 2);
	IS(pt_set(t[0], 5, pte(7, RO), 0), OWNER, 2);
	IS(pt_set(t[0], 5, pte(MODEL_RAM, RO), 0), TYPE, 2);
	IS(pt_set(t[2], 5, pte(t[1], RW | EXO_PTE_PS), 0), ENTRY, 2);
	IS(pt_set(INIT_ROOT, 5, pte(t[2], RW | EXO_PTE_PS), 0), ENTRY, 2);
	IS(pt_set(INIT_ROOT, 5, pte(t[1], RW), 0), TYPE, 2);
	IS(pt_set(INIT_ROOT, 5, pte(INIT_ROOT, RW), 0), TYPE, 2);
	IS(pt_set(t[1], 5, pte(pfn, RW), 0), TYPE, 2);
	IS(pt_set(t[1], 5, pte(3, RW), 0), OWNER, 2);
	for (unsigned i = EXO_KERNEL_SLOT_FIRST; i <= EXO_KERNEL_SLOT_LAST; i++) {
		IS(pt_set(INIT_ROOT, i, 0, 0), ENTRY, 2);
		IS(pt_set(INIT_ROOT, i, pte(t[2], RW), 0), ENTRY, 2);
	}
	OK(pt_set(INIT_ROOT, EXO_KERNEL_SLOT_FIRST - 1, pte(t[2], RW), 0));
	OK(pt_set(INIT_ROOT, EXO_KERNEL_SLOT_LAST + 1, pte(t[2], RW), 0));
	OK(pt_set(t[0], EXO_KERNEL_SLOT_FIRST, pte(pfn, RW), 0));
	CHECK(frame_table[t[2]].typerefs == 3, "a shared subtree");
	/* Absent entries: an address that the L1TF flaw could read is refused. */
	IS(pt_set(t[0], 6, pte(pfn, EXO_PTE_W), 0), ENTRY, 2);
	OK(pt_set(t[0], 6, 0xabeul, 0));
	CHECK(pt_get(t[0], 6) == 0xabe, "absent entries are the libOS's");
	OK(pt_set(t[0], 6, 0x123000 | reserved, 0));
	arch_l1tf_safe = true;
	OK(pt_set(t[0], 6, 0xfffffffffffffffeul, 0));
	OK(pt_set(t[2], 6, 0x12345678, 0));
	arch_l1tf_safe = false;
	OK(pt_set(t[0], 6, 0, 0));
	OK(pt_set(t[2], 6, 0, 0));
}

TEST(write_finds_tables)
{
	uint32_t data = fresh(), page = fresh();

	/* A data frame is a table under construction: words as they are, nothing counted. */
	OK(pt_set(data, 0, pte(page, RW | EXO_PTE_G) & ~EXO_PTE_U, 0));
	OK(pt_set(data, EXO_KERNEL_SLOT_FIRST, ~0ul, 0));
	CHECK(pt_get(data, 0) == (pte(page, RW | EXO_PTE_G) & ~EXO_PTE_U) &&
		pt_get(data, EXO_KERNEL_SLOT_FIRST) == ~0ul, "plain words");
	CHECK(!frame_table[page].mapped && frame_table[data].type == EXO_F_DATA, "no counts");
	items()[0] = (struct exo_pt_item){ at(data, 0, EXO_PT_XCHG), 5 };
	items()[1] = (struct exo_pt_item){ at(data, 0, EXO_PT_CAS), 7 };
	items()[2] = (struct exo_pt_item){ 5, 0 };
	OK(write_items(3, 0, 0, 0));
	CHECK(pt_get(data, 0) == 7 && items()[2].ptr == 5, "exchange, compare and set");
	IS(pt_set(3, 0, 0, 0), OWNER, 2);
	IS(pt_set(0, 0, 0, 0), OWNER, 2);
	IS(pt_set(1ul << 40, 0, 0, 0), OWNER, 2);
	IS(pt_set(MODEL_RAM, 0, 0, 0), TYPE, 2);
	items()[0] = (struct exo_pt_item){ at(INIT_ROOT, 0, 1), 0 };
	IS(write_items(1, 0, 0, 0), ARG, 2);
	items()[0].ptr = 7;
	IS(write_items(1, 0, 0, 0), OWNER, 2);
	items()[0].ptr = ~0ul;
	IS(write_items(1, 0, 0, 0), OWNER, 2);
	for (unsigned op = 0; op < 8; op++) {
		items()[0] = (struct exo_pt_item){ at(INIT_ROOT, 0, op), 0 };
		items()[1] = (struct exo_pt_item){ 0, 0 };
		CHECK(EXO_CODE(write_items(op == 5 ? 2 : 1, 0, 0, 0).status) ==
			(op == 0 || op == 2 || op == 4 || op == 5 ? EXO_OK : EXO_ARG), "operation %u", op);
	}
	IS(CALL3(PT_WRITE, 0, 0x1000, 1), FAULT, 2);
	IS(CALL3(PT_WRITE, 50, WINDOW, 1), CAP, 1);
	IS(CALL4(PT_WRITE, 0, WINDOW, 1, 50), CAP, 4);
	IS(CALL4(PT_WRITE, 0, WINDOW, 1, 1), TYPE, 4);
	OK(CALL3(PT_WRITE, 0, WINDOW, 0));
}

TEST(write_operations)
{
	uint32_t t[3] = { fresh(), fresh(), fresh() }, a = fresh(), b = fresh();
	struct exo_pt_item *i = items();
	struct result r;

	map_tables(INIT_ROOT, 0x400000, t);
	i[0] = (struct exo_pt_item){ at(t[0], 1, EXO_PT_XCHG), pte(a, RW | EXO_PTE_D) };
	i[1] = (struct exo_pt_item){ at(t[0], 1, EXO_PT_XCHG), pte(b, RW) };
	i[2] = (struct exo_pt_item){ at(t[0], 1, EXO_PT_SET_AD), pte(b, RW | EXO_PTE_A) };
	i[3] = (struct exo_pt_item){ at(t[0], 2, EXO_PT_SET), pte(b, RW) };
	OK(write_items(4, 0, 0, 0));
	CHECK(i[0].val == 0 && i[1].val == pte(a, RW | EXO_PTE_D), "old values");
	CHECK((pt_get(t[0], 1) & ~EXO_PTE_A) == pte(b, RW), "keeps A and D as they were");
	CHECK(frame_table[b].mapped == 2 && frame_table[b].writable == 2 && !frame_table[a].mapped, "counts");
	((uint64_t *)pfn_to_virt(t[0]))[1] |= EXO_PTE_A | EXO_PTE_D;
	i[0] = (struct exo_pt_item){ at(t[0], 1, EXO_PT_SET_AD), pte(b, RO) };
	OK(write_items(1, 0, 0, 0));
	CHECK(pt_get(t[0], 1) == pte(b, RO | EXO_PTE_A | EXO_PTE_D), "SET_AD");
	i[0] = (struct exo_pt_item){ at(t[0], 1, EXO_PT_CAS), pte(a, RW) };
	i[1] = (struct exo_pt_item){ pte(b, RO), 0 };
	r = write_items(2, 0, 0, 0);
	OK(r);
	CHECK(r.value == 2 && i[1].ptr == pte(b, RO | EXO_PTE_A | EXO_PTE_D), "CAS tells what is there");
	CHECK(pt_get(t[0], 1) == pte(b, RO | EXO_PTE_A | EXO_PTE_D), "and leaves it");
	OK(write_items(2, 0, 0, 0));
	CHECK(pt_get(t[0], 1) == pte(a, RW), "CAS");
	IS(write_items(1, 0, 0, 0), ARG, 2);	/* lacks its second item */
	i[0].val = pte(3, RW);
	IS(write_items(2, 0, 0, 0), OWNER, 2);
	audit();
}

/* CAS's two items may lie in two of the chunks (of 128) in which the kernel copies. */
TEST(write_across_chunks)
{
	uint32_t t[3] = { fresh(), fresh(), fresh() }, pfn = fresh();
	struct result r;

	map_tables(INIT_ROOT, 0x400000, t);
	for (unsigned k = 0; k < 127; k++)
		items()[k] = (struct exo_pt_item){ at(t[0], k, EXO_PT_SET), pte(pfn, RW) };
	items()[127] = (struct exo_pt_item){ at(t[0], 127, EXO_PT_CAS), pte(pfn, RW) };
	items()[128] = (struct exo_pt_item){ 0, 0 };
	items()[129] = (struct exo_pt_item){ at(t[0], 129, EXO_PT_XCHG), pte(pfn, RW) };
	r = write_items(130, 0, 0, 0);
	OK(r);
	CHECK(r.value == 130 && frame_table[pfn].mapped == 129, "all done: %lu", r.value);
	items()[140] = (struct exo_pt_item){ at(t[0], 140, EXO_PT_SET), pte(3, RW) };
	for (unsigned k = 130; k < 140; k++)
		items()[k] = (struct exo_pt_item){ at(t[0], k, EXO_PT_SET), pte(pfn, RW) };
	items()[127].val = items()[128].ptr = pt_get(t[0], 127);
	r = write_items(150, 0, 0, 0);
	IS(r, OWNER, 2);
	CHECK(r.value == 140, "stopped at the bad one: %lu", r.value);
	for (unsigned k = 0; k < 5000; k++)
		items()[k] = (struct exo_pt_item){ at(t[0], k % 512, EXO_PT_SET), pte(pfn, k & 1 ? RW : RO) };
	r = write_items(5000, 0, 0, 0);
	IS(r, AGAIN, 0);
	CHECK(r.value == BUDGET, "bounded");
	items()[BUDGET - 1] = (struct exo_pt_item){ at(t[0], 31, EXO_PT_CAS), pte(pfn, RW) };
	items()[BUDGET] = (struct exo_pt_item){ 0, 0 };
	r = write_items(BUDGET + 1, 0, 0, 0);
	IS(r, AGAIN, 0);
	CHECK(r.value == BUDGET - 1, "a pair is not torn: %lu", r.value);
}

/* What an earlier chunk left behind is not taken for the rest of a later one. */
TEST(write_short_chunks)
{
	uint32_t t[3] = { fresh(), fresh(), fresh() }, pfn = fresh();
	struct result r;

	map_tables(INIT_ROOT, 0x400000, t);
	for (unsigned k = 0; k < 138; k++)
		items()[k] = (struct exo_pt_item){ at(t[0], k, k == 128 ? EXO_PT_XCHG : EXO_PT_SET),
			pte(pfn, k < 128 ? RO : RW) };
	r = write_items(138, 0, 0, 0);
	OK(r);
	CHECK(r.value == 138 && frame_table[pfn].mapped == 138 && frame_table[pfn].writable == 10, "138: %lu",
		r.value);
}

static uint64_t random_entry(const uint32_t frames[8])
{
	uint64_t bits = model_random() & (EXO_PTE_P | EXO_PTE_W | EXO_PTE_A | EXO_PTE_NX | 0x200);

	bits |= model_random() % 4 ? EXO_PTE_P | EXO_PTE_U : 0;
	if (model_random() % 10 == 0)
		bits |= 1ul << model_random() % 64;
	return model_random() % 5 ? pte(frames[model_random() % 8], bits) : model_random() & 1 ? 0 : bits;
}

/* SET has a fast way of its own; it must decide as the long one, which XCHG takes. */
TEST(write_fast_as_the_long_way)
{
	uint32_t t[2] = { fresh(), fresh() };
	uint32_t frames[8] = { fresh(), fresh(), fresh(), fresh(), MODEL_RAM, 3, MODEL_FRAMES, 0 };

	OK(retype(t[0], EXO_KIND_PT1));
	OK(retype(t[1], EXO_KIND_PT1));
	frames[4] = t[0];
	OK(CALL4(DOMAIN_CTL, 0, EXO_DOM_PAGE, frames[3], 0));	/* a pinned one */
	for (unsigned i = 0; i < 20000; i++) {
		unsigned index = model_random() % 4;
		uint64_t value = random_entry(frames), before = pt_get(t[0], index);
		struct result fast, slow;

		items()[0] = (struct exo_pt_item){ at(t[0], index, EXO_PT_SET), value };
		fast = write_items(1, 0, 0, 0);
		items()[0] = (struct exo_pt_item){ at(t[1], index, EXO_PT_XCHG), value };
		slow = write_items(1, 0, 0, 0);
		CHECK(fast.status == slow.status, "%lx over %lx: %lx, not %lx", value, before, fast.status,
			slow.status);
		CHECK(pt_get(t[0], index) == pt_get(t[1], index), "%lx over %lx: %lx, not %lx", value, before,
			pt_get(t[0], index), pt_get(t[1], index));
		if (i % 1000 == 0)
			audit();
	}
}

TEST(write_counts_by_the_entry)
{
	uint32_t t[3] = { fresh(), fresh(), fresh() }, pfn = fresh(), table = fresh();
	const struct exo_frame *f = &frame_table[pfn];

	map_tables(INIT_ROOT, 0x400000, t);
	OK(retype(table, EXO_KIND_PT1));
	OK(pt_set(t[0], 0, pte(pfn, RO), 0));
	CHECK(f->mapped == 1 && !f->writable, "read-only");
	OK(pt_set(t[0], 0, pte(pfn, RW), 0));
	CHECK(f->mapped == 1 && f->writable == 1, "writable");
	OK(pt_set(t[0], 0, pte(pfn, RW | EXO_PTE_A), 0));
	CHECK(f->mapped == 1 && f->writable == 1, "the same");
	OK(pt_set(t[0], 0, pte(pfn, RO | EXO_PTE_NX), 0));
	CHECK(f->mapped == 1 && !f->writable && f->stamp == flush_clock, "read-only again, stamped");
	OK(pt_set(t[0], 0, pte(table, RO), 0));
	CHECK(!f->mapped && frame_table[table].mapped == 1, "another frame");
	IS(pt_set(t[0], 0, pte(table, RW), 0), TYPE, 2);
	OK(pt_set(t[0], 0, 0, 0));
	frame_table[pfn].mapped = COUNT_MAX;
	IS(pt_set(t[0], 0, pte(pfn, RO), 0), LIMIT, 2);
	frame_table[pfn].mapped = 0;
	frame_table[table].typerefs = COUNT_MAX;
	IS(pt_set(t[1], 9, pte(table, RW), 0), LIMIT, 2);
	frame_table[table].typerefs = 0;
}

TEST(write_flushes_as_asked)
{
	uint32_t t[3] = { fresh(), fresh(), fresh() }, pfn = fresh();
	uint8_t byte = 1;
	unsigned before;

	map_tables(INIT_ROOT, 0x400000, t);
	for (unsigned mode = 0; mode < 8; mode++) {
		unsigned flags = mode & 7, who = flags & 3;

		OK(pt_set(t[0], 0, pte(pfn, RW), 0));
		OK(CALL3(TLB_FLUSH, 0, 0, EXO_FLUSH_ALL));
		for (unsigned c = 0; c < MODEL_CPUS; c++)
			CHECK(model_access(c, 0x400000, true, &byte), "mapped");
		items()[0] = (struct exo_pt_item){ at(t[0], 0, 0), 0 };
		if (flags & EXO_FLUSH_VA && !who) {
			IS(write_items(1, 0, flags, 0x400000), ARG, 5);
			continue;
		}
		before = model_flushes;
		OK(write_items(1, 0, flags, 0x400000));
		CHECK(model_flushes == before + (who != 0), "flushes %u", flags);
		CHECK(model_access(0, 0x400000, true, &byte) == (who == 0), "own CPU, flags %u", flags);
		CHECK(model_access(1, 0x400000, true, &byte) == !(who & EXO_FLUSH_ALL), "other, flags %u", flags);
	}
	/* Page by page, only those; many pages, everything. */
	for (unsigned i = 0; i < 100; i++)
		OK(pt_set(t[0], i, pte(pfn, RW), 0));
	for (unsigned c = 0; c < 2; c++) {
		OK(CALL3(TLB_FLUSH, 0, 0, EXO_FLUSH_ALL));
		for (unsigned i = 0; i < 2; i++)
			CHECK(model_access(1, 0x400000 + i * 99 * 4096, true, &byte), "mapped");
		for (unsigned i = 0; i < 100; i++)
			items()[i] = (struct exo_pt_item){ at(t[0], i, 0), 0 };
		OK(write_items(c ? 99 : 64, 0, EXO_FLUSH_VA | EXO_FLUSH_ALL, 0x400000));
		items()[0] = items()[99];
		OK(write_items(1, 0, 0, 0));
		CHECK(!model_access(1, 0x400000, true, &byte), "flushed");
		CHECK(model_access(1, 0x463000, true, &byte) == !c, "%s", c ? "all are" : "only those");
		for (unsigned i = 0; i < 100; i++)
			OK(pt_set(t[0], i, pte(pfn, RW), 0));
	}
	IS(write_items(1, 0, 8, 0), ARG, 5);
	IS(write_items(1, 0, EXO_FLUSH_VA | EXO_FLUSH_ALL, EXO_KERNEL_BASE), ARG, 6);
	IS(write_items(1, 0, EXO_FLUSH_VA | EXO_FLUSH_ALL, 1ul << 47), ARG, 6);
}

/* The array may lie in ordinary memory of the domain, even where the batch itself unmaps it. */
TEST(write_from_mapped_memory)
{
	uint32_t t[3] = { fresh(), fresh(), fresh() }, buffer = fresh(), pfn = fresh();
	struct exo_pt_item *i = pfn_to_virt(buffer);
	struct result r;

	map_tables(INIT_ROOT, 0x400000, t);
	OK(pt_set(t[0], 0, pte(buffer, RO), 0));
	i[0] = (struct exo_pt_item){ at(t[0], 1, EXO_PT_SET), pte(pfn, RW) };
	OK(CALL3(PT_WRITE, 0, 0x400000, 1));
	i[0] = (struct exo_pt_item){ at(t[0], 1, EXO_PT_XCHG), 0 };
	IS(CALL3(PT_WRITE, 0, 0x400000, 1), FAULT, 2);	/* not writable: nothing is done */
	CHECK(frame_table[pfn].mapped == 1, "nothing is done");
	OK(pt_set(t[0], 0, pte(buffer, RW), 0));
	OK(CALL3(TLB_FLUSH, 0, 0, EXO_FLUSH_ALL));
	OK(CALL3(PT_WRITE, 0, 0x400000, 1));
	CHECK((i[0].val & ~(EXO_PTE_A | EXO_PTE_D)) == pte(pfn, RW), "the old value comes back");
	/* Unmaps a table above, with a flush of its own by retype in the same call's reach. */
	i[0] = (struct exo_pt_item){ at(t[0], 1, EXO_PT_XCHG), 0 };
	i[1] = (struct exo_pt_item){ at(t[0], 0, EXO_PT_SET), 0 };
	r = CALL6(PT_WRITE, 0, 0x400000, 2, 0, EXO_FLUSH_ALL, 0);
	CHECK(r.value == 2 && (EXO_CODE(r.status) == EXO_OK || EXO_CODE(r.status) == EXO_FAULT), "done");
	CHECK(!frame_table[buffer].mapped, "unmapped");
}

TEST(large_pages)
{
	uint32_t t[3] = { fresh(), fresh(), fresh() }, region = fresh_region(), pfn = region + 5;
	struct actor a = actor_make(60);
	uint8_t byte = 9;

	map_tables(INIT_ROOT, 0x400000, t);
	IS(pt_set(t[1], 3, pte(region + 1, RW | EXO_PTE_PS), 0), ENTRY, 2);
	IS(pt_set(t[1], 3, pte(MODEL_FRAMES, RW | EXO_PTE_PS), 0), OWNER, 2);
	IS(pt_set(t[1], 3, pte(0, RW | EXO_PTE_PS), 0), OWNER, 2);
	OK(pt_set(t[1], 3, pte(region, RW | EXO_PTE_PS | EXO_PTE_G), 0));
	CHECK(pt_get(t[1], 3) == pte(region, RW | EXO_PTE_PS), "G is cleared");
	for (unsigned c = 0; c < MODEL_CPUS; c++)
		CHECK(model_access(c, 0x605000, true, &byte), "mapped");
	CHECK(*(uint8_t *)pfn_to_virt(pfn) == 9, "the right frame");
	/* While it exists, nothing may change that makes it wrong. */
	IS(retype(pfn, EXO_KIND_PT1), BUSY, 2);
	IS(CALL4(FRAME_GIVE, 0, a.cap, pfn, 1), BUSY, 3);
	IS(CALL2(CAP_GROW, 0, pfn), BUSY, 2);
	audit();
	OK(pt_set(t[1], 3, pte(region, RO | EXO_PTE_PS), 0));
	*(uint8_t *)pfn_to_virt(pfn) = 0;
	OK(retype(pfn, EXO_KIND_PT1));		/* a table may be read */
	CHECK(!model_access(1, 0x605000, true, &byte), "flushed before");
	IS(pt_set(t[1], 3, pte(region, RW | EXO_PTE_PS), 0), TYPE, 2);
	IS(CALL2(CAP_GROW, 0, pfn + 1), BUSY, 2);
	audit();
	OK(pt_set(t[1], 3, 0, 0));
	OK(CALL2(CAP_GROW, 0, pfn + 1));
	IS(pt_set(t[1], 3, pte(region, RO | EXO_PTE_PS), 0), TYPE, 2);
	IS(pt_set(t[2], 3, pte(region, RO | EXO_PTE_PS), 0), ENTRY, 2);
}

TEST(large_page_limits)
{
	uint32_t t[3] = { fresh(), fresh(), fresh() }, region = fresh_region();

	map_tables(INIT_ROOT, 0x400000, t);
	region_table[region / 512].large_ro = COUNT_MAX;
	IS(pt_set(t[1], 3, pte(region, RO | EXO_PTE_PS), 0), LIMIT, 2);
	region_table[region / 512].large_ro = 0;
	/* By retype too, and a level-2 table inside its own region. */
	((uint64_t *)pfn_to_virt(region))[1] = pte(region, RW | EXO_PTE_PS);
	IS(retype(region, EXO_KIND_PT2), TYPE, 2);
	((uint64_t *)pfn_to_virt(region))[1] = pte(region, RO | EXO_PTE_PS);
	OK(retype(region, EXO_KIND_PT2));
	audit();
	OK(retype(region, 0));
}

/* Regions follow their owners, whichever way the frames go. */
TEST(regions_change_hands)
{
	struct actor a = actor_make(60);
	uint32_t t[3] = { actor_frame(&a), actor_frame(&a), actor_frame(&a) }, region = fresh_region();
	uint32_t u[3] = { fresh(), fresh(), fresh() };
	struct result r;

	map_tables(INIT_ROOT, 0x400000, u);
	for (unsigned i = 0; i < 512; i++) {
		uint32_t pfn = region + (i * 7 & 511);	/* a permutation */

		OK(CALL4(FRAME_GIVE, 0, a.cap, pfn, 1));
		if (i % 64 == 0)
			audit();
		if (i == 100)
			IS(pt_set(u[1], 4, pte(region, RW | EXO_PTE_PS), 0), OWNER, 2);
	}
	CHECK(region_table[region / 512].owner == a.d->id && region_table[region / 512].owned == 512, "owner");
	CHECK(model_run(0, a.d), "runs");
	map_tables(a.root, 0x400000, t);
	OK(pt_set(t[1], 4, pte(region, RW | EXO_PTE_PS), 0));
	OK(pt_set(t[1], 4, 0, 0));
	CHECK(model_run(0, model_init()), "runs");
	for (unsigned done = 0; done < 512; done += r.value)
		r = CALL4(FRAME_GIVE, a.cap, 0, region + done, 512 - done);
	audit();
}

TEST(clean_reads_and_clears)
{
	uint32_t t[3] = { fresh(), fresh(), fresh() }, pfn = fresh();
	uint64_t *map = (uint64_t *)(model_window[0] + 4096);
	uint8_t byte = 1;
	struct result r;

	map_tables(INIT_ROOT, 0x400000, t);
	for (unsigned i = 0; i < 512; i += 3)
		OK(pt_set(t[0], i, pte(pfn, RW), 0));
	CHECK(model_access(1, 0x400000 + 3 * 4096, true, &byte) &&
		model_access(2, 0x400000 + 510 * 4096, false, &byte), "touched");
	r = CALL6(PT_CLEAN, 0, t[0], 0, 512, WINDOW + 4096, EXO_CLEAN_D);
	OK(r);
	CHECK(r.value == 1 && map[8] == 1 << 3 && !map[7] && !map[0], "D only");
	CHECK(pt_get(t[0], 3) & EXO_PTE_A && !(pt_get(t[0], 3) & EXO_PTE_D), "A stays");
	CHECK(model_access(1, 0x400000 + 3 * 4096, true, &byte) && pt_get(t[0], 3) & EXO_PTE_D,
		"flushed, so the next write is seen");
	CHECK(model_access(2, 0x400000 + 510 * 4096, true, &byte), "touched");
	r = CALL6(PT_CLEAN, 0, t[0], 3, 508, WINDOW + 4096, EXO_CLEAN_A | EXO_CLEAN_D);
	CHECK(r.value == 2 && map[15] == 1ul << 62 && map[0] & 1 << 3 && map[7] >> 62 & 1 && map[8] & 1 << 3, "both");
	CHECK(model_access(1, 0x400000 + 3 * 4096, true, &byte), "touched");
	OK(CALL6(PT_CLEAN, 0, t[0], 0, 3, WINDOW + 4096, EXO_CLEAN_A));
	CHECK(!(map[0] & 1 << 3) && pt_get(t[0], 3) & EXO_PTE_A, "the range ends before");
	IS(CALL6(PT_CLEAN, 0, t[1], 0, 1, WINDOW, 1), TYPE, 2);
	IS(CALL6(PT_CLEAN, 0, 3, 0, 1, WINDOW, 1), OWNER, 2);
	IS(CALL6(PT_CLEAN, 0, t[0], 512, 1, WINDOW, 1), ARG, 3);
	IS(CALL6(PT_CLEAN, 0, t[0], 500, 13, WINDOW, 1), ARG, 4);
	IS(CALL6(PT_CLEAN, 0, t[0], 0, 0, WINDOW, 1), ARG, 4);
	IS(CALL6(PT_CLEAN, 0, t[0], 0, 1, 0x1000, 1), FAULT, 5);
	IS(CALL6(PT_CLEAN, 0, t[0], 0, 1, WINDOW, 0), ARG, 6);
	IS(CALL6(PT_CLEAN, 0, t[0], 0, 1, WINDOW, 4), ARG, 6);
	IS(CALL6(PT_CLEAN, 70, t[0], 0, 1, WINDOW, 1), CAP, 1);
}
