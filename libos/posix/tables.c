/* Page tables of processes: making and finding them, and batches of entry writes with the
 * flush they need.
 *
 * Tables are read through the physmap and written by the kernel's pt_write.  They come from
 * pools and go back there empty, still typed, as long as those are small.  Who must be flushed:
 * docs/posix-design.md, 3.  What an entry ought to hold is others' business.
 */
#include "libos/posix/mm.h"
#include "libos/common/frames.h"
#include "libos/common/pt.h"

#define BATCH		512
#define SURPLUS		64
#define MONITOR_FIRST	264
#define MONITOR_LAST	271

uint32_t zero_pfn;

static void check(uint64_t status, const char *what)
{
	if (status)
		posix_panic("%s: %s", what, exo_status_text(status));
}

/* ---- pools ---------------------------------------------------------------------- */

static struct { uint32_t *pfn; size_t n, room; } pool[4];	/* by level; 0: roots */

static bool pool_put(unsigned i, uint32_t pfn)
{
	if (pool[i].n == pool[i].room) {
		size_t room = pool[i].room ? pool[i].room * 2 : 64;
		uint32_t *p = krealloc(pool[i].pfn, room * sizeof *p);
		if (!p)
			return false;
		pool[i].pfn = p;
		pool[i].room = room;
	}
	pool[i].pfn[pool[i].n++] = pfn;
	return true;
}

static uint32_t table_get(unsigned level)
{
	uint64_t status;
	if (pool[level].n)
		return pool[level].pfn[--pool[level].n];
	return (uint32_t)pt_table_new(level, &status);
}

/* More of a level than that are memory for other things again: else a process whose pages lie far
 * apart would turn all memory into tables for good. */
static size_t pool_max(void)
{
	size_t n = frames_total() / 256;
	return n > SURPLUS ? n : SURPLUS;
}

/* Tables on their way to be memory: many at a time, as each such step costs a flush of all CPUs. */
static struct { uint64_t item[SURPLUS]; unsigned n; } surplus;

static void surplus_drop(void)
{
	if (surplus.n)
		check(exo_retype_all(0, surplus.item, surplus.n, NULL), "page tables to memory");
	while (surplus.n)
		table_free(surplus.item[--surplus.n] >> 8);
}

static void table_put(unsigned level, uint32_t pfn)
{
	if (pool[level].n < pool_max() && pool_put(level, pfn))
		return;
	surplus.item[surplus.n++] = (uint64_t)pfn << 8 | EXO_KIND_DATA;
	if (surplus.n == SURPLUS)
		surplus_drop();
}

uint32_t root_get(void)
{
	if (pool[0].n)
		return pool[0].pfn[--pool[0].n];
	return (uint32_t)pt_root(start_page->root, MONITOR_FIRST, MONITOR_LAST);
}

/* A root that doesn't fit into the pool stays behind, empty: a CPU may have it loaded. */
void root_put(uint32_t root)
{
	pool_put(0, root);
}

/* ---- finding and making ------------------------------------------------------------- */

static uint64_t *table_of(uint64_t entry)
{
	return physmap_page(PTE_PFN(entry));
}

uint64_t *pt1_find(struct mm *mm, uint64_t va)
{
	uint64_t base = va & ~0x1ffffful;
	if (mm->cached_base == base)
		return mm->cached_pt1;
	uint64_t *t = physmap_page(mm->root);
	for (unsigned level = 4; level > 1; level--) {
		uint64_t e = t[pt_index(va, level)];
		if (!(e & EXO_PTE_P))
			return NULL;
		t = table_of(e);
	}
	mm->cached_base = base;
	mm->cached_pt1 = t;
	return t;
}

uint64_t pt1_next(struct mm *mm, uint64_t va, uint64_t end)
{
	while (va < end) {
		uint64_t *t = physmap_page(mm->root);
		unsigned level = 4;
		for (; level > 1; level--) {
			uint64_t e = t[pt_index(va, level)];
			if (!(e & EXO_PTE_P))
				break;
			t = table_of(e);
		}
		if (level == 1)
			return va;
		uint64_t step = 1ul << (12 + 9 * (level - 1));
		va = (va & ~(step - 1)) + step;
	}
	return end;
}

static bool table_remember(struct mm *mm, struct table t)
{
	if (mm->table_count == mm->table_room) {
		size_t room = mm->table_room ? mm->table_room * 2 : 12;
		struct table *p = krealloc(mm->tables, room * sizeof *p);
		if (!p)
			return false;
		mm->tables = p;
		mm->table_room = room;
	}
	mm->tables[mm->table_count++] = t;
	return true;
}

/* Gives back the last n tables remembered: they are linked nowhere yet. */
static void tables_undo(struct mm *mm, size_t n)
{
	while (n--) {
		struct table *t = &mm->tables[--mm->table_count];
		table_put(t->level, t->pfn);
	}
}

uint64_t *pt1_make(struct mm *mm, uint64_t va)
{
	uint64_t *t = pt1_find(mm, va);
	if (t)
		return t;
	struct exo_pt_item item[3];
	size_t n = 0;
	uint64_t table = mm->root;
	for (unsigned level = 4; level > 1; level--) {
		uint64_t at = (table << 12) + 8 * pt_index(va, level);
		uint64_t e = n ? 0 : ((uint64_t *)physmap_page(table))[pt_index(va, level)];
		if (e & EXO_PTE_P) {
			table = PTE_PFN(e);
			continue;
		}
		table = table_get(level - 1);
		if (!table || !table_remember(mm, (struct table){ at, (uint32_t)table, level - 1 })) {
			if (table)
				table_put(level - 1, (uint32_t)table);
			tables_undo(mm, n);
			return NULL;
		}
		item[n++] = (struct exo_pt_item){ at | EXO_PT_SET, PTE_MAKE(table, PTE_TABLE) };
	}
	check(exo_pt_write(0, item, n, 0, EXO_FLUSH_NONE, 0).status, "linking a page table");
	mm->cached_base = va & ~0x1ffffful;
	return mm->cached_pt1 = physmap_page(table);
}

/* ---- batches --------------------------------------------------------------------------- */

static struct {
	struct mm *mm;
	unsigned n, puts;
	bool narrow;
	struct exo_pt_item item[BATCH];
	uint32_t put[BATCH];
} batch;

static uint64_t flush_for(struct mm *mm)
{
	uint64_t flush = EXO_FLUSH_NONE;
	for (unsigned i = 0; i < cpu_count; i++)
		if (cpu_table[i].root == mm->root) {
			if (&cpu_table[i] != this_cpu())
				return EXO_FLUSH_ALL;
			flush = EXO_FLUSH_LOCAL;
		}
	return flush;
}

void batch_start(struct mm *mm)
{
	batch.mm = mm;
	batch.n = batch.puts = 0;
	batch.narrow = false;
}

void batch_end(void)
{
	if (batch.n)
		check(exo_pt_write_all(0, batch.item, batch.n, 0,
			batch.narrow ? flush_for(batch.mm) : EXO_FLUSH_NONE, NULL), "page tables");
	else if (batch.narrow)
		exo_tlb_flush(0, 0, flush_for(batch.mm));
	for (unsigned i = 0; i < batch.puts; i++)
		frame_put(batch.put[i]);
	batch_start(batch.mm);
}

static void batch_add(uint64_t *entry, unsigned op, uint64_t value)
{
	if (batch.n == BATCH) {
		bool narrow = batch.narrow;
		batch_end();
		batch.narrow = narrow;
	}
	uint64_t at = (physmap_pfn(entry) << 12) + ((uint64_t)entry & 0xfff);
	batch.item[batch.n++] = (struct exo_pt_item){ at | op, value };
}

void batch_set(uint64_t *entry, uint64_t value)
{
	batch_add(entry, EXO_PT_SET, value);
}

void batch_protect(uint64_t *entry, uint64_t value)
{
	batch.narrow = true;
	batch_add(entry, EXO_PT_SET_AD, value);
}

void batch_drop(uint64_t *entry)
{
	uint32_t pfn = pte_pfn(*entry);
	batch.narrow |= *entry & EXO_PTE_P;
	batch_add(entry, EXO_PT_SET, 0);
	batch.put[batch.puts++] = pfn;
}

void batch_narrow(void)
{
	batch.narrow = true;
}

static struct exo_pt_item one_item(uint64_t *entry, uint64_t value)
{
	uint64_t at = (physmap_pfn(entry) << 12) + ((uint64_t)entry & 0xfff);
	return (struct exo_pt_item){ at | EXO_PT_SET, value };
}

void pte_set(uint64_t *entry, uint64_t value)
{
	struct exo_pt_item item = one_item(entry, value);
	check(exo_pt_write(0, &item, 1, 0, EXO_FLUSH_NONE, 0).status, "page-table entry");
}

void pte_replace(struct mm *mm, uint64_t va, uint64_t *entry, uint64_t value)
{
	struct exo_pt_item item = one_item(entry, value);
	uint64_t flush = flush_for(mm);
	check(exo_pt_write(0, &item, 1, 0, flush ? flush | EXO_FLUSH_VA : flush, va).status,
		"page-table entry");
}

/* Ends the open batch, which has cleared all entries of pages. */
void tables_free(struct mm *mm)
{
	for (size_t i = 0; i < mm->table_count; i++) {
		uint64_t at = mm->tables[i].entry;
		batch_set((uint64_t *)((char *)physmap_page(at >> 12) + (at & 0xfff)), 0);
	}
	batch.narrow = true;
	batch_end();
	for (size_t i = 0; i < mm->table_count; i++)
		table_put(mm->tables[i].level, mm->tables[i].pfn);
	surplus_drop();
	kfree(mm->tables);
	mm->tables = NULL;
	mm->table_count = mm->table_room = 0;
	mm->cached_base = ~0ul;
}
