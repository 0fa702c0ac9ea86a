/* Page tables of this domain.  See pt.h. */
#include "libos/common/pt.h"
#include "libos/common/frames.h"
#include "libos/common/text.h"

/* Where the control page is free: frame_copy's target when there is no physmap. */
#define SCRATCH		2048u
#define WINDOW_PAGES	65536u

static uint64_t scratch_phys, window_at, window_end, root_now;
static volatile uint64_t *scratch;

static void window_above(uint64_t end)
{
	if (end > window_at && end < window_at + (1ul << 30))
		window_at = end;
}

void pt_init(const struct exo_start *s)
{
	scratch_phys = (s->control_pfn << EXO_PAGE_SHIFT) + SCRATCH;
	scratch = (volatile uint64_t *)(s->control + SCRATCH);
	root_now = s->root;
	window_at = s->image_hi;
	window_above(s->stack_hi);
	window_above(s->control + EXO_PAGE_SIZE);
	window_above((uint64_t)s + EXO_PAGE_SIZE);
	window_above(s->args + s->args_size);
	window_at = (window_at + 2 * EXO_PAGE_SIZE - 1) & -EXO_PAGE_SIZE;	/* a guard page */
	window_end = window_at + WINDOW_PAGES * EXO_PAGE_SIZE;
}

uint64_t pt_window(unsigned n)
{
	uint64_t va = window_at;
	if (n > (window_end - window_at) / EXO_PAGE_SIZE)
		return 0;
	window_at += n * EXO_PAGE_SIZE;
	return va;
}

bool pt_peek(uint64_t phys, void *to, size_t n, uint64_t cap)
{
	for (size_t at = 0, part; at < n; at += part) {
		part = n - at < EXO_PAGE_SIZE - SCRATCH ? n - at : EXO_PAGE_SIZE - SCRATCH;
		if (exo_frame_copy(0, scratch_phys, 0, phys + at, part, cap).status)
			return false;
		memcpy((uint8_t *)to + at, (const void *)scratch, part);
	}
	return true;
}

uint64_t pt_read(uint64_t entry)
{
	if (physmap_on())
		return *(volatile uint64_t *)(PHYSMAP_BASE + entry);
	return exo_frame_copy(0, scratch_phys, 0, entry, 8, 0).status ? 0 : *scratch;
}

static uint64_t entry_at(uint64_t table, uint64_t va, unsigned level)
{
	return (table << EXO_PAGE_SHIFT) + 8 * pt_index(va, level);
}

uint64_t pt_find(uint64_t root, uint64_t va, unsigned level)
{
	uint64_t table = root;
	for (unsigned l = 4; l > level; l--) {
		uint64_t e = pt_read(entry_at(table, va, l));
		if (!(e & EXO_PTE_P) || e & EXO_PTE_PS)
			return 0;
		table = PTE_PFN(e);
	}
	return entry_at(table, va, level);
}

uint64_t pt_lookup(uint64_t root, uint64_t va, unsigned *level)
{
	uint64_t table = root, e;
	for (unsigned l = 4; l; l--) {
		e = pt_read(entry_at(table, va, l));
		if (!(e & EXO_PTE_P))
			return 0;
		if (level)
			*level = l;
		if (l == 1 || e & EXO_PTE_PS)
			return e;
		table = PTE_PFN(e);
	}
	return 0;
}

uint64_t pt_table_new(unsigned level, uint64_t *status)
{
	uint64_t pfn = table_alloc(), item = pfn << 8 | level;
	if (!pfn) {
		*status = EXO_LIMIT;
		return 0;
	}
	if (!(*status = exo_retype_all(0, &item, 1, NULL)))
		return pfn;
	table_free(pfn);
	return 0;
}

uint64_t pt_table_drop(uint64_t pfn)
{
	uint64_t item = pfn << 8 | EXO_KIND_DATA;
	uint64_t status = exo_retype_all(0, &item, 1, NULL);
	if (!status)
		table_free(pfn);
	return status;
}

uint64_t pt_make(uint64_t root, uint64_t va, unsigned level, uint64_t *status)
{
	uint64_t table = root;
	*status = EXO_OK;
	for (unsigned l = 4; l > level; l--) {
		uint64_t at = entry_at(table, va, l), e = pt_read(at);
		if (e & EXO_PTE_P && e & EXO_PTE_PS) {
			*status = EXO_BUSY;
			return 0;
		}
		if (!(e & EXO_PTE_P)) {
			uint64_t new = pt_table_new(l - 1, status);
			if (!new)
				return 0;
			e = PTE_MAKE(new, PTE_TABLE);
			struct exo_pt_item item = { at, e };
			if ((*status = exo_pt_write_all(0, &item, 1, 0, EXO_FLUSH_NONE, NULL))) {
				pt_table_drop(new);
				return 0;
			}
		}
		table = PTE_PFN(e);
	}
	return entry_at(table, va, level);
}

/* ---- batches ------------------------------------------------------------------------ */

static void batch_write(struct pt_batch *b, uint64_t flush)
{
	if (b->n && !b->status)
		b->status = exo_pt_write_all(b->dom, b->item, b->n, b->cap, flush, NULL);
	b->n = 0;
}

void pt_batch_add(struct pt_batch *b, uint64_t entry_and_op, uint64_t value)
{
	if (b->n == PT_BATCH)
		batch_write(b, EXO_FLUSH_NONE);
	b->item[b->n++] = (struct exo_pt_item){ entry_and_op, value };
}

uint64_t pt_batch_end(struct pt_batch *b, uint64_t flush)
{
	batch_write(b, flush);
	if (b->status && flush)
		exo_tlb_flush(0, 0, flush);
	return b->status;
}

/* ---- ranges ------------------------------------------------------------------------- */

uint64_t pt_map(uint64_t root, uint64_t va, uint64_t pfn, uint64_t n, uint64_t flags, uint64_t cap)
{
	struct pt_batch b;
	uint64_t at = 0, status = EXO_OK;
	pt_batch_start(&b, 0, cap);
	for (uint64_t i = 0; i < n; i++, va += EXO_PAGE_SIZE, at += 8) {
		if ((!i || !pt_index(va, 1)) && !(at = pt_make(root, va, 1, &status)))
			break;
		pt_batch_add(&b, at, PTE_MAKE(pfn + i, flags));
	}
	uint64_t written = pt_batch_end(&b, EXO_FLUSH_NONE);
	return status ? status : written;
}

/* The next page of [*va, end) whose table exists, and its entry; 0: none. */
static uint64_t next_entry(uint64_t root, uint64_t *va, uint64_t end, uint64_t at)
{
	if (*va < end && at && pt_index(*va, 1))
		return at + 8;
	while (*va < end && !(at = pt_find(root, *va, 1)))
		*va = (*va | ((1ul << 21) - 1)) + 1;
	return *va < end ? at : 0;
}

uint64_t pt_unmap(uint64_t root, uint64_t va, uint64_t n)
{
	struct pt_batch b;
	uint64_t at = 0, end = va + n * EXO_PAGE_SIZE;
	pt_batch_start(&b, 0, 0);
	while ((at = next_entry(root, &va, end, at))) {
		if (pt_read(at))
			pt_batch_add(&b, at, 0);
		va += EXO_PAGE_SIZE;
	}
	return pt_batch_end(&b, EXO_FLUSH_ALL);
}

uint64_t pt_protect(uint64_t root, uint64_t va, uint64_t n, uint64_t set, uint64_t clear)
{
	struct pt_batch b;
	uint64_t at = 0, end = va + n * EXO_PAGE_SIZE, e;
	pt_batch_start(&b, 0, 0);
	while ((at = next_entry(root, &va, end, at))) {
		if ((e = pt_read(at)) & EXO_PTE_P)
			pt_batch_add(&b, at | EXO_PT_SET_AD, (e & ~clear) | set);
		va += EXO_PAGE_SIZE;
	}
	return pt_batch_end(&b, EXO_FLUSH_ALL);
}

/* ---- roots -------------------------------------------------------------------------- */

static bool kernels(unsigned slot)
{
	return slot >= EXO_KERNEL_SLOT_FIRST && slot <= EXO_KERNEL_SLOT_LAST;
}

uint64_t pt_root(uint64_t from, unsigned first, unsigned last)
{
	struct pt_batch b;
	uint64_t status, root = pt_table_new(4, &status);
	if (!root)
		return 0;
	pt_batch_start(&b, 0, 0);
	for (unsigned i = first; i <= last; i++) {
		uint64_t e = kernels(i) ? 0 : pt_read((from << EXO_PAGE_SHIFT) + 8 * i);
		if (e & EXO_PTE_P)
			pt_batch_add(&b, (root << EXO_PAGE_SHIFT) + 8 * i, e);
	}
	if (!pt_batch_end(&b, EXO_FLUSH_NONE))
		return root;
	pt_table_drop(root);
	return 0;
}

/* Frees the tables that entries [first, last] of a table name; they name no tables themselves. */
static uint64_t drop_children(uint64_t table, unsigned first, unsigned last)
{
	struct exo_pt_item clear[64];
	uint64_t item[64], status = EXO_OK;
	for (unsigned i = first; i <= last && !status;) {
		unsigned n = 0;
		for (; i <= last && n < 64; i++) {
			uint64_t at = (table << EXO_PAGE_SHIFT) + 8 * i, e = pt_read(at);
			if (!(e & EXO_PTE_P) || e & EXO_PTE_PS)
				continue;
			clear[n] = (struct exo_pt_item){ at, 0 };
			item[n++] = PTE_PFN(e) << 8 | EXO_KIND_DATA;
		}
		status = exo_pt_write_all(0, clear, n, 0, EXO_FLUSH_NONE, NULL);
		if (!status)
			status = exo_retype_all(0, item, n, NULL);
		for (unsigned k = 0; k < n && !status; k++)
			table_free(item[k] >> 8);
	}
	return status;
}

/* The tables below one PML4 entry, lowest first. */
static uint64_t free_slot(uint64_t root, unsigned slot)
{
	uint64_t e4 = pt_read((root << EXO_PAGE_SHIFT) + 8 * slot), status = EXO_OK;
	if (!(e4 & EXO_PTE_P))
		return EXO_OK;
	for (unsigned i = 0; i < 512 && !status; i++) {
		uint64_t e3 = pt_read((PTE_PFN(e4) << EXO_PAGE_SHIFT) + 8 * i);
		if (e3 & EXO_PTE_P)
			status = drop_children(PTE_PFN(e3), 0, 511);
	}
	if (!status)
		status = drop_children(PTE_PFN(e4), 0, 511);
	return status ? status : drop_children(root, slot, slot);
}

uint64_t pt_free(uint64_t root, unsigned first, unsigned last, bool whole)
{
	uint64_t status = EXO_OK;
	for (unsigned i = first; i <= last && !status; i++)
		if (!kernels(i))
			status = free_slot(root, i);
	return status || !whole ? status : pt_table_drop(root);
}

void *page_new(uint64_t *pfn)
{
	uint64_t frame = frame_alloc_zero(), va;
	if (!frame)
		return NULL;
	*pfn = frame;
	if (physmap_on())
		return physmap_page(frame);
	if ((va = pt_window(1)) && !pt_map(root_now, va, frame, 1, PTE_RW, 0))
		return (void *)va;
	frame_free(frame);
	return NULL;
}
