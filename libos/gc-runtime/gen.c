/* Generational collectors: a copying nursery before the mature space of region.h.  The remembered set
 * is the pages whose dirty bit the hardware set since the last collection (`gen`), or a card mark.
 *
 * A nursery collection promotes all survivors, so after it no mature page refers to the nursery; until
 * the next, a page that does is not evicted (gen_leaving).
 */
#include "libos/gc-runtime/gen.h"
#include "libos/gc-runtime/port.h"

#define NURSERY		1024u		/* pages, or an eighth of memory */
#define CHUNK		4u		/* pages zeroed at once */
#define GROWTH_MIN	4096u		/* pages: no full collection below */
#define CARD_WORD(p)	((uint64_t *)paging.card + (p))

static struct {
	uint32_t first, end;		/* the nursery */
	uint32_t next;			/* the next chunk */
	uint32_t threshold;		/* pages used that call for a full collection */
} gen;

static bool in_nursery(const void *o)
{
	return (uintptr_t)o - mmu.base - (uint64_t)gen.first * MMU_PAGE <
		(uint64_t)(gen.end - gen.first) * MMU_PAGE;
}

/* ---- promotion --------------------------------------------------------------------------------- */

static void promote(gc_ref *slot)
{
	struct gc_object *o = *slot, *to;
	if (!in_nursery(o))
		return;
	uint64_t header = o->header;
	if (header & 1) {
		*slot = (struct gc_object *)(header & ~1ul);
		return;
	}
	if (!(to = region_alloc(gc_granules(o), !gc_refs(o))))
		port_fail("gc: out of addresses for mature objects\n");
	memcpy(to, o, gc_granules(o) * GC_GRANULE);
	o->header = (uintptr_t)to | 1;
	*slot = to;
	if (gc_refs(to))
		region_push((uintptr_t)to);
}

static bool promote_slot(gc_ref *slot)
{
	promote(slot);
	return false;
}

static bool remembered(uint32_t p)
{
	return page_in_use(p) && page_of(p)->state == PAGE_IN && !(page_of(p)->flags & PAGE_LEAF) &&
		(paging.card ? *CARD_WORD(p) != 0 : paging_written(p));
}

static void promote_remembered(uint32_t first, uint32_t end)
{
	for (uint32_t p = first; p < end; p++)
		if (remembered(p)) {
			region_slots(p, false, promote_slot);
			if (paging.card)
				*CARD_WORD(p) = 0;
		}
}

static void collect_young(void)
{
	uint64_t word;
	gc_stats.young++;
	promote_remembered(region.first, region.top);
	promote_remembered(region.large, region.large_top);
	roots_each(promote);
	while (region_pop(&word)) {
		struct gc_object *o = (struct gc_object *)word;
		for (uint32_t i = 0, n = gc_refs(o); i < n; i++)
			promote(&gc_slots(o)[i]);
	}
	if (paging.record)
		paging_discard(gen.first, gen.next - gen.first);
	gen.next = gen.first;
	chunk_set(NULL, NULL);
}

/* ---- full collections --------------------------------------------------------------------------- */

/* Collect again when the heap has doubled; before it overflows memory, but not for less than a
 * quarter of what is live. */
static void set_threshold(void)
{
	uint64_t live = region.used, nursery = gen.end - gen.first;
	uint64_t others = mmu_frames_total() - mmu_frames_free() - paging.resident + nursery + 128;
	uint64_t room = mmu_frames_total() > others ? mmu_frames_total() - others : 0;
	uint64_t at = 2 * live > GROWTH_MIN ? 2 * live : GROWTH_MIN;
	at = at < room ? at : room;
	gen.threshold = at > live + live / 4 + nursery ? at : live + live / 4 + nursery;
}

void gen_collect(enum gc_scope scope)
{
	collect_young();
	uint32_t left = region.end - region.first - (region.used < region.end - region.first ?
		region.used : region.end - region.first);
	if (scope == GC_FULL || region.used > gen.threshold || left < gen.end - gen.first) {
		if (mmu_frames_free() < gen.end - gen.first)
			paging_discard(gen.first, gen.end - gen.first);
		gc_stats.full++;
		region_collect();
		set_threshold();
	}
	if (!paging.card) {
		paging_watch(region.first, region.top - region.first);
		paging_watch(region.large, region.large_top - region.large);
	}
}

/* ---- allocation ---------------------------------------------------------------------------------- */

static struct gc_object *allocate_large(uint32_t refs, uint64_t granules)
{
	uint64_t pages = (granules * GC_GRANULE + MMU_PAGE - 1) / MMU_PAGE;
	struct gc_object *o;
	gc_stats.allocated += pages * MMU_PAGE;
	if (region.used + pages > gen.threshold)
		gc_collect(GC_FULL);
	if ((o = region_alloc_large(refs, granules)))
		return o;
	gc_collect(GC_FULL);
	if (!(o = region_alloc_large(refs, granules)))
		port_fail("gc: no %lu pages of addresses in a row for a large object\n", pages);
	return o;
}

struct gc_object *gen_allocate(uint32_t refs, uint64_t granules)
{
	if (granules * GC_GRANULE > GC_SMALL)
		return allocate_large(refs, granules);
	if (gen.next == gen.end)
		gc_collect(GC_YOUNG);
	uint8_t *at = mmu_address(gen.next);
	paging_fresh(gen.next, CHUNK, PAGE_STAYS);
	for (uint32_t i = 0; i < CHUNK; i++)
		page_of(gen.next + i)->space = SPACE_NURSERY;
	gen.next += CHUNK;
	gc_stats.allocated += CHUNK * MMU_PAGE;
	memset(at, 0, CHUNK * MMU_PAGE);
	chunk_set(at, at + CHUNK * MMU_PAGE);
	return NULL;
}

/* ---- pages -------------------------------------------------------------------------------------- */

static bool refers_young(gc_ref *slot) { return in_nursery(*slot); }

enum page_fate gen_leaving(uint32_t p)
{
	if (page_of(p)->space == SPACE_NURSERY || page_of(p)->flags & PAGE_LEAF)
		return region_filling(p) ? PAGE_KEEP : PAGE_WRITE;
	if (region_filling(p))
		return PAGE_KEEP;
	bool maybe = paging.collecting || paging.card || paging_written(p);
	return maybe && region_slots(p, true, refers_young) ? PAGE_KEEP : PAGE_WRITE;
}

/* ---- the beginning -------------------------------------------------------------------------------- */

void gen_init(const struct region_hooks *hooks)
{
	uint64_t eighth = mmu_frames_total() / 8;
	uint32_t n = (eighth < NURSERY ? eighth : NURSERY) & -16u;
	if (n < 16)
		port_fail("gc: %lu frames are too few\n", mmu_frames_total());
	gen.first = gen.next = SEGMENT;
	gen.end = gen.first + n;
	paging.quiet = (gen.end + SEGMENT - 1) & -SEGMENT;
	if (paging.quiet + 4 * SEGMENT > paging.pages)
		port_fail("gc: the heap has too few addresses\n");
	region_init(paging.quiet, paging.pages, hooks);
	set_threshold();
	if (paging.card)
		gc_mutator.cards = (uint8_t *)((uintptr_t)paging.card - (mmu.base >> GC_CARD));
}

static void plain_init(void) { gen_init(NULL); }

const struct gc_collector collector_gen = {
	.name = "gen", .about = "generational, mark-region; remembers by hardware dirty bits",
	.init = plain_init, .allocate = gen_allocate, .collect = gen_collect,
	.leaving = gen_leaving, .verify = region_verify,
};
const struct gc_collector collector_card = {
	.name = "gen-card", .about = "the same, remembers by card marks", .cards = true,
	.init = plain_init, .allocate = gen_allocate, .collect = gen_collect,
	.leaving = gen_leaving, .verify = region_verify,
};
