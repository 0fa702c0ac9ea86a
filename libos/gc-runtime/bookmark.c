/* The bookmarking collector (Hertz, Feng, Berger, PLDI'05): no collection reads an evicted page.
 *
 * When a page with references leaves, the targets of its references are bookmarked (paging.mark) and
 * their pages count it (page.summary); a full collection takes bookmarked objects as live, and all
 * objects of evicted pages too.  When it is back the counts go down; a page that no evicted page refers
 * to loses its bookmarks.  Pointer-free pages need none of it: what is live on them is found exactly.
 *
 * What it leaves to summary.c: garbage on evicted pages, and what hangs on it, is kept.
 */
#include "libos/gc-runtime/gen.h"

static bool bookmark(gc_ref *slot)
{
	if (*slot) {
		bit_put(paging.mark, granule_of(*slot));
		page_of(mmu_page(*slot))->summary++;
	}
	return false;
}

static bool unbookmark(gc_ref *slot)
{
	uint32_t p = mmu_page(*slot);
	if (*slot && !--page_of(p)->summary)
		for (unsigned w = 0; w < WORDS; w++)
			page_bits(paging.mark, p)[w] = 0;
	return false;
}

static bool again;			/* pages left in the midst of marking */

/* A page that leaves in the midst of marking counts as one that was out before. */
static void as_if_out(uint32_t p)
{
	if (page_of(p)->space == SPACE_MATURE)
		region_cover_page(p);
	page_of(p)->flags &= ~PAGE_GRAY;
	again = true;
}

static enum page_fate leaving(uint32_t p)
{
	enum page_fate fate = gen_leaving(p);
	bool refers = page_of(p)->space != SPACE_NURSERY && !(page_of(p)->flags & PAGE_LEAF);
	if (fate != PAGE_WRITE || !refers)
		return fate;
	if (region.marking)
		as_if_out(p);
	region_slots(p, true, bookmark);
	return PAGE_WRITE;
}

static void back(uint32_t p)
{
	if (page_of(p)->space == SPACE_NURSERY)
		return;
	if (!(page_of(p)->flags & PAGE_LEAF))
		region_slots(p, true, unbookmark), region_gray(p);
	else if (page_of(p)->space == SPACE_MATURE)
		region_restore(p);
}

/* ---- what marking asks ------------------------------------------------------- */

static bool exact(uint32_t p) { return page_of(p)->flags & PAGE_LEAF; }
static void reach(struct gc_object *o, uint32_t p)
{
	if (exact(p))
		bit_put(paging.live, granule_of(o));
}

static bool some_left(uint32_t first)
{
	for (uint32_t p = first; p < region.large_top && page_in_use(p); p++) {
		if (p > first && page_of(p)->space != SPACE_REST)
			break;
		if (page_of(p)->state == PAGE_OUT && !exact(p))
			return true;
	}
	return false;
}

static void roots(void)
{
	for (uint32_t p = region.first; p < region.top; p++)
		if (page_in_use(p) && (page_of(p)->state == PAGE_IN || exact(p)))
			region_each(p, paging.mark, region_mark_object);
	for (uint32_t p = region.large; p < region.large_top; p++)
		if (page_in_use(p) && page_of(p)->space == SPACE_LARGE &&
		    (bit_get(paging.mark, granule_of(mmu_address(p))) || some_left(p)))
			region_mark_object(mmu_address(p));
}

static bool more(void)
{
	bool was = again;
	again = false;
	if (was)
		roots();
	return was;
}

static void nothing(uint32_t p) { (void)p; }

static const struct region_hooks hooks = { roots, reach, more, nothing, nothing, exact };
static void init(void) { gen_init(&hooks); }

const struct gc_collector collector_bookmark = {
	.name = "bookmark", .about = "gen that never reads evicted pages: bookmarks", .marks = true,
	.init = init, .allocate = gen_allocate, .collect = gen_collect, .leaving = leaving,
	.back = back, .verify = region_verify,
};
