/* The physmap: the window through which a domain sees its own frames, and the frames for its page
 * tables.  See frames.h.
 */
#include "libos/common/frames_own.h"

#define POOL_MAX	256
#define POOL_KEEP	4	/* tables kept for splitting regions: what refilling needs itself */

static uint32_t pool[POOL_MAX];		/* zeroed, read-only frames */
static unsigned pool_n;

bool physmap_on(void) { return own.windowed; }
static uint64_t window_va(const struct region *r) { return (uint64_t)physmap_page(region_pfn(r)); }

/* ---- the window ------------------------------------------------------------------ */

/* A page that grows more rights could still be cached with fewer. */
uint64_t window_set(struct region *r, unsigned bit, uint64_t flags)
{
	struct exo_pt_item item = { pt_find(own.root, window_va(r) + bit * EXO_PAGE_SIZE, 1),
		flags ? PTE_MAKE(region_pfn(r) + bit, flags) : 0 };
	return exo_pt_write(0, &item, 1, 0, EXO_FLUSH_ALL | EXO_FLUSH_VA,
		window_va(r) + bit * EXO_PAGE_SIZE).status;
}

static uint64_t window_large(struct region *r, bool on)
{
	struct exo_pt_item item = { pt_find(own.root, window_va(r), 2),
		on ? PTE_MAKE(region_pfn(r), PTE_RW | EXO_PTE_PS) : 0 };
	uint64_t status = exo_pt_write_all(0, &item, 1, 0, on ? EXO_FLUSH_NONE : EXO_FLUSH_ALL, NULL);
	if (!status) {
		r->map = on ? LARGE : COLD;
		hint_at(r);
	}
	return status;
}

/* Maps a region by small pages: the free frames of a COLD one, all frames of a LARGE one. */
static bool window_split(struct region *r)
{
	struct pt_batch b;
	if (!pool_n)
		return false;
	uint64_t entry = pt_find(own.root, window_va(r), 2), table = pool[--pool_n];
	uint64_t item = table << 8 | EXO_KIND_PT1;
	if (exo_retype_all(0, &item, 1, NULL))
		return false;
	pt_batch_start(&b, 0, 0);
	for (unsigned i = 0; i < PER_REGION; i++)
		if (r->map == LARGE || is_free(r, i))
			pt_batch_add(&b, (table << EXO_PAGE_SHIFT) + 8 * i,
				PTE_MAKE(region_pfn(r) + i, PTE_RW));
	pt_batch_add(&b, entry, PTE_MAKE(table, PTE_TABLE));
	if (pt_batch_end(&b, EXO_FLUSH_ALL))
		return false;
	r->map = SMALL;
	hint_at(r);
	return true;
}

bool window_cool(struct region *r) { return !window_large(r, false); }

bool window_warm(struct region *r)
{
	return (r->free == PER_REGION && !window_large(r, true)) || window_split(r);
}

/* ---- the pool of frames for tables ------------------------------------------------ */

/* A batch of data frames becomes read-only and zero, with one flush. */
static void pool_refill(void)
{
	struct pt_batch b;
	uint32_t got[TABLE_BATCH];
	unsigned n = 0;
	struct region *r;
	while (n < TABLE_BATCH) {
		if (!(r = region_with(SMALL)) &&
		    (!((r = region_with(LARGE)) || (r = region_with(COLD))) || !window_split(r)))
			break;
		got[n++] = take_one(r);
	}
	pt_batch_start(&b, 0, 0);
	for (unsigned i = 0; i < n; i++) {
		void *page = physmap_page(got[i]);
		memset(page, 0, EXO_PAGE_SIZE);
		pt_batch_add(&b, pt_find(own.root, (uint64_t)page, 1), PTE_MAKE(got[i], PTE_RO));
	}
	if (pt_batch_end(&b, EXO_FLUSH_ALL))
		return;
	memcpy(pool + pool_n, got, n * sizeof got[0]);
	pool_n += n;
}

bool frame_apart(uint64_t pfn)
{
	struct region *r = region_find(pfn / PER_REGION, NULL);
	lock_take(&own.lock);
	if (r && r->map == LARGE && pool_n <= POOL_KEEP)
		pool_refill();			/* it may split that region itself */
	bool apart = r && (r->map != LARGE || window_split(r));
	lock_release(&own.lock);
	return apart;
}

static uint64_t cold_zeroed(void)
{
	struct region *r = region_with(COLD);
	if (!r)
		return 0;
	uint64_t pfn = take_one(r);
	if (!exo_copy_all(0, pfn << EXO_PAGE_SHIFT, 0, ~0ul, EXO_PAGE_SIZE, 0))
		return pfn;
	mark_free(r, pfn % PER_REGION);
	return 0;
}

uint64_t table_alloc(void)
{
	uint64_t pfn = 0;
	lock_take(&own.lock);
	if (own.windowed && pool_n <= POOL_KEEP) {
		supply(!own.left);
		pool_refill();
	}
	if (own.windowed ? pool_n > POOL_KEEP : pool_n)
		pfn = pool[--pool_n];
	else if (!own.windowed)
		pfn = cold_zeroed();
	lock_release(&own.lock);
	return pfn;
}

void table_free(uint64_t pfn)
{
	struct region *r = region_find(pfn / PER_REGION, NULL);
	if (!r)
		return;		/* the creator's: not ours to allocate from */
	lock_take(&own.lock);
	if (!own.windowed)
		mark_free(r, pfn % PER_REGION);
	else if (pool_n < POOL_MAX - TABLE_BATCH &&
		 !exo_copy_all(0, pfn << EXO_PAGE_SHIFT, 0, ~0ul, EXO_PAGE_SIZE, 0))
		pool[pool_n++] = pfn;
	else if (!window_set(r, pfn % PER_REGION, PTE_RW))
		mark_free(r, pfn % PER_REGION);
	lock_release(&own.lock);
}

/* ---- the beginning -------------------------------------------------------------------- */

struct early { uint64_t pfn, tables, array; };

static uint64_t extent_regions(const struct exo_start_extent *e)
{
	return e->count ? (e->pfn + e->count - 1) / PER_REGION - e->pfn / PER_REGION + 1 : 0;
}

/* How many frames the physmap needs before the allocator works: its tables, at worst, and the
 * array of regions.  They are the last frames of the largest extent. */
static bool early_plan(const struct exo_start *s, const struct frames_promise *p, struct early *e)
{
	const struct exo_start_extent *largest = &s->extent[0];
	uint64_t n = 0;
	e->tables = 1 + POOL_KEEP + 8;	/* 8: to show what the creator made */
	for (unsigned i = 0; i < s->extents; i++) {
		const struct exo_start_extent *x = &s->extent[i];
		n += extent_regions(x);
		e->tables += 2 + extent_regions(x) / PER_REGION + 2;
		if (x->count > largest->count)
			largest = x;
	}
	for (unsigned i = 0; i < p->extents; i++) {
		n += extent_regions(&p->extent[i]);
		e->tables += extent_regions(&p->extent[i]) / PER_REGION + 2;
	}
	e->array = (n * sizeof(struct region) + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE;
	e->tables += e->array / PER_REGION + 2;
	e->pfn = largest->pfn + largest->count - e->tables - e->array;
	return e->tables <= POOL_MAX - TABLE_BATCH && largest->count > 2 * (e->tables + e->array);
}

static void add_extents(const struct exo_start *s, const struct early *e)
{
	for (unsigned i = 0; i < s->extents; i++)
		for (uint64_t k = 0; k < s->extent[i].count; k++) {
			uint64_t pfn = s->extent[i].pfn + k;
			struct region *r = region_get(pfn / PER_REGION);
			own.owned++;
			if (r && (pfn < e->pfn || pfn >= e->pfn + e->tables + e->array))
				mark_free(r, pfn % PER_REGION);
		}
}

static uint64_t window_map(uint64_t pfn, uint64_t n, uint64_t flags)
{
	return pt_map(own.root, (uint64_t)physmap_page(pfn), pfn, n, flags, 0);
}

/* Every table of the root that its creator made: read-only in the window, for pt_read to see. */
static uint64_t show_table(uint64_t pfn) { return window_map(pfn, 1, PTE_RO); }

static uint64_t show_below(uint64_t pfn, unsigned level)
{
	uint64_t status = EXO_OK, entry;
	for (unsigned i = 0; !status && i < 512; i++) {
		entry = pt_read((pfn << EXO_PAGE_SHIFT) + 8 * i);
		if (!(entry & EXO_PTE_P) || entry & EXO_PTE_PS)
			continue;
		if (level == 4 && i >= EXO_KERNEL_SLOT_FIRST && i <= EXO_KERNEL_SLOT_LAST)
			continue;
		status = show_table(PTE_PFN(entry));
		if (!status && level > 2 && !(level == 4 && i == PHYSMAP_SLOT))
			status = show_below(PTE_PFN(entry), level - 1);
	}
	return status;
}

static bool holds_early(const struct region *r, const struct early *e)
{
	return region_pfn(r) + PER_REGION > e->pfn && region_pfn(r) < e->pfn + e->tables + e->array;
}

/* The window's own tables lie in the early frames and are shown with them. */
static uint64_t show_all(const struct early *e)
{
	uint64_t status = EXO_OK;
	for (unsigned i = 0; !status && i < own.count; i++) {
		struct region *r = &own.region[i];
		if (!pt_make(own.root, window_va(r), 2, &status))
			return status;
		if (r->free == PER_REGION) {
			status = window_large(r, true);
			continue;
		}
		if (!r->free && !holds_early(r, e))
			continue;		/* promised only */
		for (unsigned bit = 0; !status && bit < PER_REGION; bit++)
			if (is_free(r, bit))
				status = window_map(region_pfn(r) + bit, 1, PTE_RW);
		r->map = SMALL;
	}
	if (!status)
		status = window_map(e->pfn, e->tables, PTE_RO);
	if (!status)
		status = show_table(own.root);
	return status ? status : show_below(own.root, 4);
}

uint64_t physmap_start(const struct exo_start *s)
{
	struct early e;
	struct frames_promise more;
	promise_read(s, &more);
	if (!early_plan(s, &more, &e))
		return EXO_LIMIT;
	uint64_t status = exo_copy_all(0, e.pfn << EXO_PAGE_SHIFT, 0, ~0ul,
		(e.tables + e.array) << EXO_PAGE_SHIFT, 0);
	for (uint64_t i = 0; i < e.tables; i++)
		pool[pool_n++] = e.pfn + i;
	uint64_t array = e.pfn + e.tables;
	if (!status)
		status = window_map(array, e.array, PTE_RW);
	if (status)
		return status;
	own.region = physmap_page(array);
	own.max = e.array * EXO_PAGE_SIZE / sizeof *own.region;
	add_extents(s, &e);
	status = promise_accept(&more);
	if (!status)
		status = show_all(&e);
	own.windowed = !status;
	own.hint[COLD] = own.hint[SMALL] = own.hint[LARGE] = 0;
	return status;
}
