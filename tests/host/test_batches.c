/* Batches of page-table entries at their limits: the longest, and what is no mapping. */
#include "tests/host/test.h"

#define LONGEST	4096u		/* BUDGET */

static struct exo_pt_item *items(void) { return (void *)model_window[0]; }

/* A batch is done up to the budget, with a flush of that many pages. */
TEST(batches_of_the_greatest_length)
{
	uint32_t table = fresh(), frame = fresh();
	struct result r;

	OK(retype(table, EXO_KIND_PT1));
	for (unsigned extra = 0; extra < 4; extra++) {
		for (unsigned i = 0; i < LONGEST + extra; i++)
			items()[i] = (struct exo_pt_item){ (table << 12) + i % 512 * 8, i & 1024 ? 0 : pte(frame, RW) };
		r = CALL6(PT_WRITE, 0, WINDOW, LONGEST + extra, 0, EXO_FLUSH_LOCAL | EXO_FLUSH_VA, 0x400000);
		CHECK(r.status == (extra ? EXO_AGAIN : EXO_OK) && r.value == LONGEST,
			"%lu of %u", r.value, LONGEST + extra);
		audit();
	}
}

/* Plain SETs go the short way: what is there is read when the entry is compared and when it is replaced,
 * and once if only its rights change. */
TEST(batches_read_entries_no_more_than_they_must)
{
	uint32_t table = fresh(), frame[64];
	unsigned before;

	OK(retype(table, EXO_KIND_PT1));
	for (unsigned i = 0; i < 64; i++)
		frame[i] = fresh();
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < 64; i++)	/* new, read-only, writable, others' place, gone */
			items()[i] = (struct exo_pt_item){ (table << 12) + i * 8,
				round < 4 ? pte(frame[round < 3 ? i : 63 - i], round == 1 ? RO : RW) : 0 };
		before = model_entry_reads;
		OK(CALL4(PT_WRITE, 0, WINDOW, 64, 0));
		CHECK(model_entry_reads - before == (round == 1 || round == 2 ? 64 : 128),
			"round %u: %u", round,
			model_entry_reads - before);
		audit();
	}
}

/* Items are written back only where one of the same chunk returns something: others may lie in memory that
 * is only read. */
TEST(batches_write_back_what_they_must)
{
	uint32_t t[3] = { fresh(), fresh(), fresh() }, page[2] = { fresh(), fresh() }, table = fresh();
	struct exo_pt_item *item;

	map_tables(INIT_ROOT, 0x400000, t);
	OK(pt_set(t[0], 0, pte(page[0], RW), 0));
	OK(pt_set(t[0], 1, pte(page[1], RO), 0));
	OK(retype(table, EXO_KIND_PT1));
	for (unsigned i = 0; i < 384; i++) {
		item = (struct exo_pt_item *)pfn_to_virt(page[i / 256]) + i % 256;
		*item = (struct exo_pt_item){ (table << 12) + i * 8 + (i == 100 ? EXO_PT_XCHG : 0), 0 };
	}
	struct result r = CALL4(PT_WRITE, 0, 0x400000, 384, 0);
	OK(r);
	CHECK(r.value == 384, "%lu", r.value);
	item->ptr |= EXO_PT_XCHG;
	IS(CALL4(PT_WRITE, 0, 0x400000, 384, 0), FAULT, 2);
}

/* What is exchanged is not read first: between the two the hardware might set a bit that nobody hears of. */
TEST(exchanges_are_one_step)
{
	uint32_t table = fresh(), frame = fresh();

	OK(retype(table, EXO_KIND_PT1));
	OK(pt_set(table, 0, pte(frame, RW), 0));
	items()[0] = (struct exo_pt_item){ (table << 12) + EXO_PT_XCHG, pte(frame, RO) };
	unsigned before = model_entry_reads;
	OK(CALL4(PT_WRITE, 0, WINDOW, 1, 0));
	CHECK(model_entry_reads == before && items()[0].val == pte(frame, RW),
		"the old one comes back");
}

/* Either bit is read and cleared alone, or both. */
TEST(bits_are_cleaned_as_asked)
{
	const uint64_t both = EXO_PTE_A | EXO_PTE_D;
	uint32_t table = fresh(), frame = fresh();
	const uint64_t *map = (void *)(model_window[0] + 0x4000);

	OK(retype(table, EXO_KIND_PT1));
	for (unsigned which = 1; which <= 3; which++) {
		uint64_t gone = (which & EXO_CLEAN_A ? EXO_PTE_A : 0) | (which & EXO_CLEAN_D ? EXO_PTE_D : 0);

		for (unsigned i = 0; i < 512; i += 511)
			OK(pt_set(table, i, pte(frame, RW | both), 0));
		struct result r = CALL6(PT_CLEAN, 0, table, 1, 511, WINDOW + 0x4000, which);
		OK(r);
		CHECK(r.value == 1 && pt_get(table, 511) == pte(frame, RW | (both & ~gone)),
			"bits %u", which);
		CHECK(pt_get(table, 0) == pte(frame, RW | both), "not the one before");
		CHECK(map[7] == (which & EXO_CLEAN_A ? 1ul << 63 : 0) &&
			map[15] == (which & EXO_CLEAN_D ? 1ul << 63 : 0) &&
			!map[0] && !map[8], "told: %u", which);
	}
}

/* Bits of entries that are not present count for nothing. */
TEST(entries_that_are_not_present)
{
	const uint64_t bits[] = { EXO_PTE_W, EXO_PTE_W | EXO_PTE_A, 0, EXO_PTE_NX | EXO_PTE_W, EXO_PTE_D, 0 };
	uint32_t table = fresh();

	OK(retype(table, EXO_KIND_PT1));
	for (unsigned i = 0; i < 6; i++) {
		OK(pt_set(table, 7, bits[i], 0));
		CHECK(pt_get(table, 7) == bits[i], "stored");
		audit();
	}
}

/* A mapping that loses and gains the right to write, by each operation. */
TEST(entries_change_their_rights)
{
	uint32_t table = fresh(), frame = fresh();
	const unsigned ops[] = { EXO_PT_SET, EXO_PT_SET_AD, EXO_PT_XCHG };

	OK(retype(table, EXO_KIND_PT1));
	for (unsigned k = 0; k < 3; k++)
		for (unsigned i = 0; i < 6; i++) {
			uint64_t value = pte(frame, (i & 1 ? RO : RW) | (i & 2 ? EXO_PTE_NX : 0));

			items()[0] = (struct exo_pt_item){ (table << 12) + 24 + ops[k], value };
			OK(CALL4(PT_WRITE, 0, WINDOW, 1, 0));
			CHECK(pt_get(table, 3) == value && frame_table[frame].mapped == 1 &&
				frame_table[frame].writable == !(i & 1),
				"operation %u, entry %lx", ops[k], pt_get(table, 3));
			audit();
		}
}
