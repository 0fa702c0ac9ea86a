/* Compaction of the large space by remapping: after a full collection large objects slide together, in
 * their order, by changing page-table entries.  No content is copied, and what is in the store stays
 * there: its record moves.
 *
 * The mature space is as in gen.c.  References are corrected everywhere, so pages that are out and have
 * references are read.  The idea: the Mapping Collector (ASPLOS'08) and C4 (ISMM'11), who remap instead
 * of copying; here it is one batch of MOVE operations.
 */
#include "libos/gc-runtime/gen.h"

#define WASTE	4u		/* worth it when a quarter of the addresses between objects is free */

static uint32_t live_pages(void)
{
	uint32_t n = 0;
	for (uint32_t p = region.large; p < region.large_top; p++)
		n += page_in_use(p);
	return n;
}

/* Each object's new first page, in its first page's `summary`. */
static void plan(void)
{
	uint32_t to = region.large;
	for (uint32_t p = region.large, end; p < region.large_top; p = end) {
		end = p + 1;
		if (!page_in_use(p))
			continue;
		end = region_large_end(p);
		page_of(p)->summary = to;
		to += end - p;
	}
}

static void correct(gc_ref *slot)
{
	uint32_t p = mmu_page(*slot);
	if (*slot && p >= region.large && p < region.large_end)
		*slot = mmu_address(page_of(p)->summary);
}

static bool correct_slot(gc_ref *slot)
{
	correct(slot);
	return false;
}

static void correct_pages(uint32_t first, uint32_t end)
{
	for (uint32_t p = first; p < end; p++)
		if (page_in_use(p))
			region_slots(p, false, correct_slot);
}

static void move_object(uint32_t from, uint32_t to, uint32_t n)
{
	uint64_t old = granule_of(mmu_address(from));
	paging_move(from, to, n);
	for (uint32_t i = 1; i < n; i++)
		page_of(to + i)->count = to;
	paging.start[old / 64] &= ~(1ul << old % 64);
	paging.live[old / 64] &= ~(1ul << old % 64);
	bit_put(paging.start, granule_of(mmu_address(to)));
	bit_put(paging.live, granule_of(mmu_address(to)));
}

static void slide(void)
{
	uint32_t top = region.large;
	for (uint32_t p = region.large, end; p < region.large_top; p = end) {
		end = p + 1;
		if (!page_in_use(p))
			continue;
		end = region_large_end(p);
		uint32_t to = page_of(p)->summary;
		page_of(p)->summary = 0;
		if (to != p)
			move_object(p, to, end - p);
		top = to + (end - p);
	}
	region.large_top = top;
}

static void collect(enum gc_scope scope)
{
	uint64_t full = gc_stats.full;
	gen_collect(scope);
	uint32_t all = region.large_top - region.large, live = live_pages();
	if (gc_stats.full == full || all - live <= all / WASTE)
		return;
	plan();
	roots_each(correct);
	correct_pages(region.first, region.top);
	correct_pages(region.large, region.large_top);
	slide();
}

static void init(void) { gen_init(NULL); }

const struct gc_collector collector_compact = {
	.name = "compact", .about = "gen; large objects slide together by remapping",
	.init = init, .allocate = gen_allocate, .collect = collect, .leaving = gen_leaving,
	.verify = region_verify,
};
