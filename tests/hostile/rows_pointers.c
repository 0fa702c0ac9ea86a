/* Pointers and sizes that no honest program passes. */
#include "tests/hostile/hostile.h"

static uint64_t own_pfn;

/* Addresses that must not be read or written for us: the kernel's own, holes, nothing there. */
static uint64_t bad_pointer(unsigned i)
{
	const uint64_t list[] = {
		0, 8, 0x7ffffffffff8, 0x7fffffffffff, 0x800000000000, 0xffff7ffffffffff8,
		0xffff800000000000 - 8, EXO_KERNEL_BASE - 8, EXO_KERNEL_BASE, EXO_KERNEL_BASE + 0x215000,
		0xffff808040020000, 0xffff80808002c000, 0xffff810000000000,
		0xffff810000000000 + (own_pfn << 12), 0xffff830000000000, 0xffff838000000000,
		EXO_KERNEL_END - 8, EXO_KERNEL_END - 1, ~0ul, ~7ul, 1ul << 63, TEST_VA,
	};
	return i < ARRAY_LEN(list) ? list[i] : 1;
}

#define FAULTS(call) EXPECT(CODE(call) == EXO_FAULT)

static uint64_t pointers(void)
{
	uint64_t bad, status, table = pt_table_new(1, &status);
	uint64_t loan = start_cap(self, CAP_LOAN);
	own_pfn = frame_take();
	EXPECT(own_pfn && table);
	for (unsigned i = 0; (bad = bad_pointer(i)) != 1; i++) {
		FAULTS(exo_cap_info(0, loan, (void *)bad));
		FAULTS(exo_domain_info(0, (void *)bad));
		FAULTS(exo_frame_info(0, own_pfn, (void *)bad));
		FAULTS(exo_frame_retype(0, (void *)bad, 1));
		FAULTS(exo_pt_write(0, (void *)bad, 1, 0, 0, 0));
		FAULTS(exo_pt_clean(0, table, 0, 512, (void *)bad, EXO_CLEAN_A));
		if (bad)
			FAULTS(exo_wait((void *)bad, 0, 0));
	}
	return 0;
}

/* Arrays whose end lies behind the end of the page, or of the address space. */
static uint64_t page_end(void)
{
	uint64_t pfn = page_at(TEST_VA, PTE_RW), free = frame_take(), end = TEST_VA + 4096;
	struct exo_pt_item *items = (void *)(end - 4 * sizeof *items);
	EXPECT(pfn && free && !pt_map(self->root, TEST_VA + 0x10000, free, 1, PTE_RO, 0));
	uint64_t entry = pt_find(self->root, TEST_VA + 0x10000, 1);
	for (unsigned i = 0; i < 4; i++)
		items[i] = (struct exo_pt_item){ entry + 8 * (i + 1), 0 };
	struct exo_result r = exo_pt_write(0, items, 4, 0, 0, 0);
	EXPECT(!r.status && r.value == 4);
	EXPECT(CODE(exo_pt_write(0, items, 5, 0, 0, 0)) == EXO_FAULT);
	EXPECT(CODE(exo_pt_write(0, (void *)(end - 1), 1, 0, 0, 0)) == EXO_FAULT);
	EXPECT(CODE(exo_frame_info(0, pfn, (void *)(end - 8))) == EXO_FAULT);
	EXPECT(CODE(exo_cap_info(0, start_cap(self, CAP_LOAN), (void *)(end - 1))) == EXO_FAULT);
	EXPECT(CODE(exo_domain_info(0, (void *)(end - 16))) == EXO_FAULT);
	EXPECT(CODE(exo_wait((void *)(end - 8), 0, 0)) == EXO_FAULT);
	EXPECT(CODE(exo_frame_retype(0, (void *)(end - 4), 1)) == EXO_FAULT);
	/* An array that the call could read but not write back: nothing of it is done. */
	EXPECT(!pt_protect(self->root, TEST_VA, 1, 0, EXO_PTE_W));
	EXPECT(CODE(exo_frame_info(0, pfn, (void *)TEST_VA)) == EXO_FAULT);
	return 0;
}

/* Counts of nothing, of everything, and those that overflow. */
static uint64_t sizes(void)
{
	static const uint64_t odd[] = { ~0ul, 1ul << 63, (1ul << 63) - 1, 1ul << 32, 1ul << 52, 1ul << 60,
		(1ul << 60) + 1, 0xfffffffful };
	uint64_t status, table = pt_table_new(1, &status), pfn = frame_take(), a = pfn << 12;
	uint64_t loan = start_cap(self, CAP_LOAN), out[16];
	struct exo_pt_item *unmapped = (void *)TEST_VA;
	EXPECT(table && pfn);
	EXPECT(!exo_pt_write(0, unmapped, 0, 0, 0, 0).value);
	EXPECT(!exo_frame_retype(0, (void *)unmapped, 0).value);
	EXPECT(!exo_frame_copy(0, a, 0, ~0ul, 0, 0).value);
	for (unsigned i = 0; i < ARRAY_LEN(odd); i++) {
		uint64_t n = odd[i];
		EXPECT(exo_pt_write(0, unmapped, n, 0, 0, 0).status);
		EXPECT(exo_pt_write(0, (void *)-16ul, n, 0, 0, 0).status);
		EXPECT(exo_frame_retype(0, (void *)unmapped, n).status);
		EXPECT(exo_pt_clean(0, table, n, 1, out, EXO_CLEAN_A).status);
		EXPECT(exo_pt_clean(0, table, 1, n, out, EXO_CLEAN_A).status);
		EXPECT(exo_pt_clean(0, table, n, n, out, EXO_CLEAN_A).status);
		EXPECT(exo_frame_copy(0, a, 0, ~0ul, n, 0).status);
		EXPECT(exo_frame_copy(0, a + 1, 0, a, n, 0).status);
		EXPECT(exo_frame_give(0, 0, pfn, n).status);
		EXPECT(exo_frame_give(0, 0, n, n).status);
		EXPECT(exo_frame_lend(0, EXO_SLOT_ANY, pfn, n, EXO_R_READ).status || n == 0xfffffffful);
		EXPECT(exo_frame_lend(0, EXO_SLOT_ANY, n, n, EXO_R_READ).status);
		EXPECT(exo_cap_copy(0, EXO_SLOT_ANY, loan, EXO_R_READ, told->loan, n).status);
		EXPECT(exo_cap_copy(0, EXO_SLOT_ANY, loan, EXO_R_READ, n, 1).status);
		EXPECT(exo_cap_copy(0, n, loan, EXO_R_READ, 0, 0).status);
		EXPECT(exo_context_create(0, pfn, self->control_pfn, self->save_pfn, n, EXO_SLOT_ANY).status);
		exo_tlb_flush(n, n, EXO_FLUSH_ALL);
		EXPECT(exo_tlb_flush(0, 0, n).status);
		EXPECT(exo_context_ctl(0, EXO_CTX_HOME, n, 0, 0).status);
		EXPECT(exo_context_ctl(0, n, 0, 0, 0).status);
		EXPECT(exo_domain_ctl(0, n, 0, 0).status);
		EXPECT(exo_segment_set(n, 0, 0).status);
		EXPECT(CODE(raw_call(n, n, n, n, n, n, n)) == EXO_CALL);
	}
	EXPECT(!exo_frame_copy(0, a, 0, ~0ul, 4096, 0).status);
	return 0;
}

/* Another CPU takes the array away, and gives it back, while the kernel reads and writes it.
 * Every call ends well or with FAULT; what is read is read once. */
static uint64_t race_stop, race_entry, race_value;

static void unmapper(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&race_stop, __ATOMIC_RELAXED)) {
		entry_set(race_entry, 0, 0);
		entry_set(race_entry, race_value, 0);
	}
	__atomic_store_n(&race_stop, 2, __ATOMIC_RELEASE);
}

static uint64_t copy_race(void)
{
	static struct second s;
	unsigned faults = 0, fine = 0;
	uint64_t pfn = page_at(TEST_VA, PTE_RW), target = page_at(TEST_VA + 0x200000, PTE_RO);
	EXPECT(pfn && target && second_make(&s, 1, unmapper, NULL, 0));
	race_entry = pt_find(self->root, TEST_VA, 1);
	race_value = PTE_MAKE(pfn, PTE_RW);
	uint64_t entry = pt_find(self->root, TEST_VA + 0x200000, 1);
	struct exo_pt_item item = { entry, PTE_MAKE(target, PTE_RO) };
	EXPECT(!second_start(&s));
	for (uint64_t start = time_now(); time_now() - start < NS_PER_SEC / 2 || !fine || !faults;) {
		EXPECT(time_now() - start < 40 * NS_PER_SEC);
		uint64_t codes[] = {
			CODE(exo_domain_info(0, (void *)TEST_VA)),
			CODE(exo_frame_info(0, pfn, (void *)(TEST_VA + 64))),
			CODE(exo_cap_info(0, start_cap(self, CAP_LOAN), (void *)TEST_VA)),
			CODE(exo_pt_write(0, &item, 1, 0, 0, 0)),
			CODE(exo_frame_retype(0, (void *)TEST_VA, 1)),
		};
		for (unsigned i = 0; i < 4; i++) {
			EXPECT(codes[i] == EXO_OK || codes[i] == EXO_FAULT);
			codes[i] == EXO_OK ? fine++ : faults++;
		}
		EXPECT(codes[4] != EXO_OK);
	}
	race_stop = 1;
	while (__atomic_load_n(&race_stop, __ATOMIC_ACQUIRE) != 2)
		exo_yield(0);
	return 0;
}

const struct row pointer_rows[] = {
	{ "pointers", pointers, EXITS, 1, NULL },
	{ "page-end", page_end, EXITS, 1, NULL },
	{ "sizes", sizes, EXITS, 1, NULL },
	{ "copy-race", copy_race, EXITS, 2, NULL },
	{ NULL, NULL, EXITS, 0, NULL },
};
