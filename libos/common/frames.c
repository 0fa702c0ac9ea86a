/* The allocator of frames and the physmap.  See frames.h.
 *
 * What each file may assume: a frame that is free in a SMALL or LARGE region is writable in the
 * physmap; one that is free in a COLD region is mapped nowhere by us.
 */
#include "libos/common/frames.h"
#include "libos/common/lock.h"
#include "libos/common/pt.h"
#include "libos/common/start.h"
#include "libos/common/text.h"

#define PER_REGION	512u
#define STATIC_REGIONS	16
#define POOL_MAX	256
#define LOW_WATER	4096u	/* with fewer frames left, promised ones are asked for */
#define POOL_KEEP	4	/* tables kept for splitting regions: what refilling needs itself */

enum region_map { COLD, SMALL, LARGE };
struct region {
	uint32_t number;		/* pfn / 512 */
	uint16_t free;
	uint16_t map;			/* enum region_map */
	uint64_t bits[8];		/* 1 = free */
};

static struct region static_regions[STATIC_REGIONS];
static struct region *region = static_regions;	/* ascending by number */
static unsigned regions, regions_max = STATIC_REGIONS;
static uint64_t left, owned, root;
static bool windowed;
static unsigned hint[3];		/* by map: below it no region of that kind has a free frame */
static uint32_t pool[POOL_MAX];		/* zeroed, read-only frames */
static unsigned pool_n;
static struct lock lock;
static struct {
	const volatile struct frames_promise *page;	/* NULL: nothing is promised */
	uint64_t pfn, cap, event, bits;
	uint64_t taken;			/* of what it says is given */
	uint32_t extent, used;		/* the next frame to take */
	bool asked;
} promise;

bool physmap_on(void) { return windowed; }

static uint64_t promised(void) { return promise.page ? promise.page->total - promise.taken : 0; }
uint64_t frames_left(void) { return left + promised(); }
uint64_t frames_owned(void) { return owned + promised(); }

/* ---- regions --------------------------------------------------------------------- */

static struct region *region_find(uint32_t number, unsigned *place)
{
	unsigned lo = 0, hi = regions;
	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		if (region[mid].number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (place)
		*place = lo;
	return lo < regions && region[lo].number == number ? &region[lo] : NULL;
}

static struct region *region_get(uint32_t number)
{
	unsigned at;
	struct region *r = region_find(number, &at);
	if (r || regions == regions_max)
		return r;
	memmove(region + at + 1, region + at, (regions++ - at) * sizeof *region);
	region[at] = (struct region){ .number = number };
	return &region[at];
}

static void mark_free(struct region *r, unsigned bit)
{
	r->bits[bit / 64] |= 1ul << bit % 64;
	r->free++;
	left++;
	unsigned at = r - region;
	if (at < hint[r->map])
		hint[r->map] = at;
}

static void mark_used(struct region *r, unsigned bit)
{
	r->bits[bit / 64] &= ~(1ul << bit % 64);
	r->free--;
	left--;
}

static bool is_free(const struct region *r, unsigned bit) { return r->bits[bit / 64] >> bit % 64 & 1; }
static uint64_t region_pfn(const struct region *r) { return (uint64_t)r->number * PER_REGION; }
static uint64_t window_va(const struct region *r) { return PHYSMAP_BASE + region_pfn(r) * EXO_PAGE_SIZE; }

/* The first region of that kind with a free frame. */
static struct region *region_with(enum region_map map)
{
	for (unsigned i = hint[map]; i < regions; i++)
		if (region[i].map == map && region[i].free) {
			hint[map] = i;
			return &region[i];
		}
	hint[map] = regions;
	return NULL;
}

static uint64_t take_one(struct region *r)
{
	unsigned w = 0;
	while (!r->bits[w])
		w++;
	unsigned bit = w * 64 + __builtin_ctzll(r->bits[w]);
	mark_used(r, bit);
	return region_pfn(r) + bit;
}

/* ---- the window ------------------------------------------------------------------ */

/* Entries of a SMALL region's frames from `first` on; the table exists. */
static uint64_t window_set(struct region *r, unsigned first, unsigned n, uint64_t flags)
{
	struct pt_batch b;
	uint64_t at = pt_find(root, window_va(r) + first * EXO_PAGE_SIZE, 1);
	pt_batch_start(&b, 0, 0);
	for (unsigned i = 0; i < n; i++)
		pt_batch_add(&b, at + 8 * i, flags ? PTE_MAKE(region_pfn(r) + first + i, flags) : 0);
	return pt_batch_end(&b, EXO_FLUSH_NONE);
}

static uint64_t window_large(struct region *r, bool on)
{
	struct exo_pt_item item = { pt_find(root, window_va(r), 2),
		on ? PTE_MAKE(region_pfn(r), PTE_RW | EXO_PTE_PS) : 0 };
	uint64_t status = exo_pt_write_all(0, &item, 1, 0, on ? EXO_FLUSH_NONE : EXO_FLUSH_ALL, NULL);
	if (!status)
		r->map = on ? LARGE : COLD;
	return status;
}

/* Maps a region by small pages: the free frames of a COLD one, all frames of a LARGE one. */
static bool window_split(struct region *r)
{
	struct pt_batch b;
	if (!pool_n)
		return false;
	uint64_t entry = pt_find(root, window_va(r), 2), table = pool[--pool_n];
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
	unsigned at = r - region;
	if (at < hint[SMALL])
		hint[SMALL] = at;
	return true;
}

/* Makes frames of a COLD region visible. */
static bool warm(struct region *r)
{
	bool whole = r->free == PER_REGION && !window_large(r, true);
	unsigned at = r - region;
	if (whole && at < hint[LARGE])
		hint[LARGE] = at;
	return whole || window_split(r);
}

/* ---- frames that were promised --------------------------------------------------------- */

static bool put_one(uint64_t pfn);

static void promise_take(uint64_t given)
{
	for (; promise.taken < given; promise.taken++, promise.used++) {
		while (promise.used == promise.page->extent[promise.extent].count) {
			promise.extent++;
			promise.used = 0;
		}
		put_one((uint64_t)promise.page->extent[promise.extent].pfn + promise.used);
		owned++;
	}
	promise.asked = false;
}

/* Asks for promised frames if few are left; with `must`, waits for them.  True: some came. */
static bool supply(bool must)
{
	if ((!must && left > LOW_WATER) || !promised())
		return false;
	if (!promise.asked)
		exo_event_signal(promise.event, promise.bits);
	promise.asked = true;
	while (promise.page->given <= promise.taken) {
		if (!must)
			return false;
		exo_yield(0);
	}
	promise_take(promise.page->given);
	return true;
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
		pt_batch_add(&b, pt_find(root, (uint64_t)page, 1), PTE_MAKE(got[i], PTE_RO));
	}
	if (pt_batch_end(&b, EXO_FLUSH_ALL))
		return;
	memcpy(pool + pool_n, got, n * sizeof got[0]);
	pool_n += n;
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
	lock_take(&lock);
	if (windowed && pool_n <= POOL_KEEP) {
		supply(!left);
		pool_refill();
	}
	if (windowed ? pool_n > POOL_KEEP : pool_n)
		pfn = pool[--pool_n];
	else if (!windowed)
		pfn = cold_zeroed();
	lock_release(&lock);
	return pfn;
}

void table_free(uint64_t pfn)
{
	struct region *r = region_find(pfn / PER_REGION, NULL);
	if (!r)
		return;		/* the creator's: not ours to allocate from */
	lock_take(&lock);
	if (!windowed)
		mark_free(r, pfn % PER_REGION);
	else if (pool_n < POOL_MAX - TABLE_BATCH &&
		 !exo_copy_all(0, pfn << EXO_PAGE_SHIFT, 0, ~0ul, EXO_PAGE_SIZE, 0))
		pool[pool_n++] = pfn;
	else if (!window_set(r, pfn % PER_REGION, 1, PTE_RW))
		mark_free(r, pfn % PER_REGION);
	lock_release(&lock);
}

/* ---- data ------------------------------------------------------------------------- */

static struct region *data_region(void)
{
	struct region *r;
	if (!windowed)
		return region_with(COLD);
	if ((r = region_with(LARGE)) || (r = region_with(SMALL)))
		return r;
	r = region_with(COLD);
	return r && warm(r) ? r : NULL;
}

uint64_t frame_alloc(void)
{
	struct region *r;
	lock_take(&lock);
	supply(false);
	while (!(r = data_region()) && supply(true))
		;
	uint64_t pfn = r ? take_one(r) : 0;
	lock_release(&lock);
	return pfn;
}

uint64_t frame_alloc_zero(void)
{
	uint64_t pfn = frame_alloc();
	if (pfn && windowed)
		memset(physmap_page(pfn), 0, EXO_PAGE_SIZE);
	else if (pfn)
		exo_copy_all(0, pfn << EXO_PAGE_SHIFT, 0, ~0ul, EXO_PAGE_SIZE, 0);
	return pfn;
}

void frame_free(uint64_t pfn) { frame_free_run(pfn, 1); }

void frame_free_run(uint64_t pfn, unsigned count)
{
	lock_take(&lock);
	struct region *r = region_find(pfn / PER_REGION, NULL);
	for (unsigned i = 0; r && i < count; i++)
		if (!is_free(r, pfn % PER_REGION + i))
			mark_free(r, pfn % PER_REGION + i);
	lock_release(&lock);
}

static uint64_t take_run(struct region *r, unsigned count)
{
	unsigned n = 0;
	if (r->free < count)
		return 0;
	for (unsigned bit = 0; bit < PER_REGION; bit++) {
		n = is_free(r, bit) ? n + 1 : 0;
		if (n < count)
			continue;
		for (unsigned i = 0; i < count; i++)
			mark_used(r, bit - i);
		return region_pfn(r) + bit + 1 - count;
	}
	return 0;
}

uint64_t frame_alloc_run(unsigned count)
{
	uint64_t pfn = 0;
	if (!count || count > PER_REGION)
		return 0;
	lock_take(&lock);
	do {
		for (unsigned i = 0; !pfn && i < regions; i++)
			if (!windowed || region[i].map != COLD)
				pfn = take_run(&region[i], count);
		for (unsigned i = 0; !pfn && i < regions; i++)
			if (region[i].map == COLD && region[i].free >= count && warm(&region[i]))
				pfn = take_run(&region[i], count);
	} while (!pfn && supply(true));
	lock_release(&lock);
	return pfn;
}

/* ---- frames without a mapping -------------------------------------------------------- */

/* A region to take unmapped frames from: a COLD one, a LARGE one that is wholly free, or, frame
 * by frame, a SMALL one. */
static struct region *cold_region(void)
{
	struct region *r = region_with(COLD);
	if (r || !windowed)
		return r;
	for (unsigned i = regions; i-- > 0;)
		if (region[i].map == LARGE && region[i].free == PER_REGION && !window_large(&region[i], false)) {
			if (i < hint[COLD])
				hint[COLD] = i;
			return &region[i];
		}
	return region_with(SMALL);
}

static uint64_t take_unmapped(void)
{
	struct region *r;
	while (!(r = cold_region()))
		if (!supply(true))
			return 0;
	uint64_t pfn = take_one(r);
	if (r->map != SMALL || !window_set(r, pfn % PER_REGION, 1, 0))
		return pfn;
	mark_free(r, pfn % PER_REGION);
	return 0;
}

uint64_t frame_take(void)
{
	lock_take(&lock);
	uint64_t pfn = take_unmapped();
	lock_release(&lock);
	return pfn;
}

uint64_t frames_take(uint64_t count, struct exo_start_extent *out, size_t max)
{
	uint64_t got = 0, pfn;
	size_t n = 0;
	lock_take(&lock);
	while (got < count && (pfn = take_unmapped())) {
		if (n && out[n - 1].pfn + out[n - 1].count == pfn) {
			out[n - 1].count++;
		} else if (n < max) {
			out[n++] = (struct exo_start_extent){ pfn, 1 };
		} else {
			struct region *r = region_find(pfn / PER_REGION, NULL);
			if (r->map != SMALL || !window_set(r, pfn % PER_REGION, 1, PTE_RW))
				mark_free(r, pfn % PER_REGION);
			break;
		}
		got++;
	}
	if (n < max)
		out[n] = (struct exo_start_extent){ 0, 0 };
	lock_release(&lock);
	return got;
}

static bool put_one(uint64_t pfn)
{
	struct region *r = windowed ? region_find(pfn / PER_REGION, NULL) : region_get(pfn / PER_REGION);
	if (!r || r->map == LARGE || is_free(r, pfn % PER_REGION))
		return false;
	if (r->map == SMALL && window_set(r, pfn % PER_REGION, 1, PTE_RW))
		return false;
	mark_free(r, pfn % PER_REGION);
	return true;
}

bool frames_put(uint64_t pfn, uint64_t count)
{
	bool all = true;
	lock_take(&lock);
	for (uint64_t i = 0; i < count; i++)
		all &= put_one(pfn + i);
	lock_release(&lock);
	return all;
}

/* ---- the beginning -------------------------------------------------------------------- */

struct early { uint64_t pfn, tables, array, regions; };

/* What is promised, copied out of the loan: nothing is mapped yet. */
static void promise_read(const struct exo_start *s, struct frames_promise *p)
{
	struct exo_cap_info info;
	uint64_t cap = start_cap(s, CAP_MEMORY);
	p->extents = p->total = 0;
	if (!cap || exo_cap_info(0, cap, &info).status ||
	    !pt_peek(info.base << EXO_PAGE_SHIFT, p, sizeof *p, cap))
		return;
	promise.cap = cap;
	promise.pfn = info.base;
	promise.event = start_cap(s, CAP_MEMORY_MORE);
	promise.bits = exo_cap_info(0, promise.event, &info).status ? 0 : info.base;
}

/* Regions for it, and its page where we can look at it; the physmap's tables can be made now. */
static uint64_t promise_accept(const struct frames_promise *p)
{
	uint64_t va, status;
	if (!p->extents)
		return EXO_OK;
	for (unsigned i = 0; i < p->extents; i++)
		for (uint64_t n = p->extent[i].pfn / PER_REGION; n <= (p->extent[i].pfn + p->extent[i].count - 1) / PER_REGION; n++)
			region_get(n);
	if (!(va = pt_window(1)))
		return EXO_LIMIT;
	status = pt_map(root, va, promise.pfn, 1, PTE_RO, promise.cap);
	if (!status)
		promise.page = (const volatile struct frames_promise *)va;
	return status;
}

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
	e->regions = n;
	e->array = (n * sizeof(struct region) + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE;
	e->tables += e->array / PER_REGION + 2;
	e->pfn = largest->pfn + largest->count - e->tables - e->array;
	return e->tables <= POOL_MAX - TABLE_BATCH && largest->count > 2 * (e->tables + e->array);
}

static void add_extents(const struct exo_start *s, const struct early *e)
{
	for (unsigned i = 0; i < s->extents; i++)
		for (uint64_t pfn = s->extent[i].pfn, end = pfn + s->extent[i].count; pfn < end; pfn++) {
			struct region *r = region_get(pfn / PER_REGION);
			owned++;
			if (r && (pfn < e->pfn || pfn >= e->pfn + e->tables + e->array))
				mark_free(r, pfn % PER_REGION);
		}
}

/* Every table of the root that its creator made: read-only in the window, so that pt_read can
 * see it.  Levels above `level` are walked by the caller's loop. */
static uint64_t show_table(uint64_t pfn)
{
	return pt_map(root, PHYSMAP_BASE + pfn * EXO_PAGE_SIZE, pfn, 1, PTE_RO, 0);
}

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
	for (unsigned i = 0; !status && i < regions; i++) {
		struct region *r = &region[i];
		if (!pt_make(root, window_va(r), 2, &status))
			return status;
		if (r->free == PER_REGION) {
			status = window_large(r, true);
			continue;
		}
		if (!r->free && !holds_early(r, e))
			continue;		/* promised only */
		for (unsigned bit = 0; !status && bit < PER_REGION; bit++)
			if (is_free(r, bit))
				status = pt_map(root, window_va(r) + bit * EXO_PAGE_SIZE,
					region_pfn(r) + bit, 1, PTE_RW, 0);
		r->map = SMALL;
	}
	if (!status)
		status = pt_map(root, PHYSMAP_BASE + e->pfn * EXO_PAGE_SIZE, e->pfn, e->tables, PTE_RO, 0);
	if (!status)
		status = show_table(root);
	return status ? status : show_below(root, 4);
}

static uint64_t physmap_start(const struct exo_start *s)
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
		status = pt_map(root, PHYSMAP_BASE + array * EXO_PAGE_SIZE, array, e.array, PTE_RW, 0);
	if (status)
		return status;
	region = physmap_page(array);
	regions_max = e.array * EXO_PAGE_SIZE / sizeof *region;
	add_extents(s, &e);
	status = promise_accept(&more);
	if (!status)
		status = show_all(&e);
	windowed = !status;
	hint[COLD] = hint[SMALL] = hint[LARGE] = 0;
	return status;
}

uint64_t frames_init(const struct exo_start *s, bool physmap)
{
	root = s->root;
	if (physmap)
		return physmap_start(s);
	add_extents(s, &(struct early){ 0 });
	return regions < regions_max || region_find(s->extent[0].pfn / PER_REGION, NULL) ? EXO_OK : EXO_LIMIT;
}
