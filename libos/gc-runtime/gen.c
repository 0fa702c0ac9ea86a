/* Generational collectors: a copying nursery before the mature space of region.h.  The remembered set
 * is the pages whose dirty bit the hardware set since the last collection (`gen`), or a card mark.
 *
 * The nursery is [survivors | survivors | eden].  What survives a collection in eden is copied to the
 * empty survivors, what survives a second one becomes mature; so what was being built when a collection
 * came does not fill mature pages with garbage.  A page that refers to the nursery is not evicted
 * (gen_leaving), unless nothing else is left: no collection has to read a page for its young
 * references.
 *
 * A full collection is marked in steps, a step after each nursery collection; the remembered set is the
 * barrier of that too (region_gray).
 */
#include "libos/gc-runtime/gen.h"
#include "libos/gc-runtime/port.h"

#define NURSERY		1024u		/* pages, or an eighth of memory */
#define SURVIVORS	64u		/* pages, or an eighth of the nursery */
#define CHUNK		4u		/* pages zeroed at once */
#define GROWTH_MIN	4096u		/* pages: no full collection below */
#define CARD_WORD(p)	((uint64_t *)paging.card + (p))

static struct {
	uint32_t first, eden, end, last;	/* the nursery; it may grow up to `last` */
	uint32_t next;			/* the next chunk of eden */
	uint32_t used;			/* chunks from here on never were */
	uint32_t survivors;		/* pages of each half */
	unsigned now;			/* the half that holds survivors */
	uint8_t *to, *to_end;		/* during a collection: the other half */
	bool all;			/* everything becomes mature */
	uint32_t live;			/* pages used after the last full collection */
	uint32_t threshold, limit;	/* pages used that call for the next; for all of it at once */
	uint64_t rate;			/* pages that a young collection makes mature, of late */
	bool marked;			/* nothing was left to mark by the last one */
} gen;

static bool between(const void *o, uint32_t first, uint32_t end)
{
	return (uintptr_t)o - mmu.base - (uint64_t)first * MMU_PAGE < (uint64_t)(end - first) * MMU_PAGE;
}
static bool in_nursery(const void *o) { return between(o, gen.first, gen.last); }
static uint32_t half(unsigned i) { return gen.first + i * gen.survivors; }

/* ---- nursery collections ---------------------------------------------------------------------- */

static struct gc_object *room_for(const struct gc_object *o, uint64_t granules)
{
	uint64_t size = granules * GC_GRANULE;
	struct gc_object *to = (struct gc_object *)gen.to;
	if (!gen.all && between(o, gen.eden, gen.last) && size <= (uint64_t)(gen.to_end - gen.to)) {
		gen.to += size;
		return to;
	}
	if (!(to = region_alloc(granules, !gc_refs(o))))
		port_fail("gc: out of addresses for mature objects\n");
	return to;
}

static void evacuate(gc_ref *slot)
{
	struct gc_object *o = *slot, *to;
	if (!in_nursery(o) || between(o, half(!gen.now), half(!gen.now) + gen.survivors))
		return;
	uint64_t header = o->header, n = header >> 32;
	if (header & 1) {
		*slot = (struct gc_object *)(header & ~1ul);
		return;
	}
	to = room_for(o, n);
	memcpy(to, o, n * GC_GRANULE);
	o->header = (uintptr_t)to | 1;
	if (gc_refs(to))
		region_push((uintptr_t)to);	/* the slot's page stays: it still refers to o */
	*slot = to;
}

static bool refers;			/* one of the slots since it was cleared */
static bool evacuate_slot(gc_ref *slot)
{
	evacuate(slot);
	refers |= in_nursery(*slot);
	return false;
}

static bool written(uint32_t p)
{
	return paging.card ? *CARD_WORD(p) != 0 : paging_written(p);
}

static bool remembered(uint32_t p)
{
	if (!page_in_use(p) || page_of(p)->flags & PAGE_LEAF)
		return false;
	return page_of(p)->flags & PAGE_REFERS || (page_of(p)->state == PAGE_IN && written(p));
}

static void note_refers(uint32_t p, bool does)
{
	page_of(p)->flags = (page_of(p)->flags & ~PAGE_REFERS) | (does ? PAGE_REFERS : 0);
}

static void scan_remembered(uint32_t first, uint32_t end)
{
	for (uint32_t p = first; p < end; p++)
		if (remembered(p)) {
			refers = false;
			region_gray(p);
			region_slots(p, false, evacuate_slot);
			note_refers(p, refers);
			if (paging.card)
				*CARD_WORD(p) = 0;
		}
}

/* A mature page that left refers to no young object, unless it was forced to: its copies were scanned
 * with it, as those of a remembered page, or had nothing to be scanned for. */
static bool has_left(const struct gc_object *o)
{
	const struct page *r = page_of(mmu_page(o));
	return r->space == SPACE_MATURE && r->state == PAGE_OUT && !(r->flags & PAGE_REFERS);
}

static void scan_copied(uint64_t base)
{
	uint64_t word;
	while (region_pop(&word, base)) {
		struct gc_object *o = (struct gc_object *)word;
		if (has_left(o))
			continue;
		refers = false;
		for (uint32_t i = 0, n = gc_refs(o); i < n; i++)
			evacuate_slot(&gc_slots(o)[i]);
		if (refers)
			page_of(mmu_page(o))->flags |= PAGE_REFERS;
	}
}

static void nursery_fresh(uint32_t page, uint32_t n)
{
	paging_fresh(page, n, PAGE_STAYS);
	for (uint32_t i = 0; i < n; i++)
		page_of(page + i)->space = SPACE_NURSERY;
}

static void collect_young(bool all)
{
	uint64_t base = region_depth();
	uint32_t before = region.used;
	gc_stats.young++;
	gen.all = all;
	gen.to = mmu_address(half(!gen.now));
	gen.to_end = gen.to + (uint64_t)gen.survivors * MMU_PAGE;
	if (!all)
		nursery_fresh(half(!gen.now), gen.survivors);
	scan_remembered(region.first, region.top);
	scan_remembered(region.large, region.large_top);
	roots_each(evacuate);
	scan_copied(base);
	if (paging.record) {
		paging_discard(half(gen.now), gen.survivors);
		paging_discard(gen.eden, gen.next - gen.eden);
	}
	gen.rate = (3 * gen.rate + (region.used - before)) / 4;
	gen.now = !gen.now;
	region.young = mmu_address(half(gen.now));
	region.young_end = gen.to;
	gen.next = gen.eden;
	chunk_set(NULL, NULL);
}

/* ---- full collections ------------------------------------------------------- */

/* What may be used before the next full collection, beyond what is live now: as much again; less, where
 * memory ends before.  When not even the live pages fit, garbage displaces them: collect early where
 * that costs no I/O (with hooks), the earlier the more the last collection found. */
static uint64_t growth(uint64_t live, uint64_t before, bool tight)
{
	static uint64_t grow;
	uint64_t least = live / 32 + 1, most = live / 4 + 1;
	if (!tight || !region.hooks) {
		grow = most;
	} else if (before - live > grow / 2) {
		grow /= 2;
	} else if (before - live < grow / 4) {
		grow *= 2;
	}
	grow = grow < least ? least : grow > most ? most : grow;
	return grow;
}

/* After a full collection, before which so many pages were used. */
static void plan_ahead(uint64_t before)
{
	uint64_t live = region.used, all = gen.last - gen.first;
	uint64_t heap = paging.resident, others = mmu_frames_total() - mmu_frames_free() - heap + 128;
	uint64_t room = mmu_frames_total() > others + all ? mmu_frames_total() - others - all : 0;
	uint64_t at = 2 * live > GROWTH_MIN ? 2 * live : GROWTH_MIN;
	bool tight = live + live / 64 > room;
	uint64_t least = live + growth(live, before, tight);
	uint64_t limit = at + at / 2 < room ? at + at / 2 : room;
	at = at < room ? at : room;
	gen.live = live;
	gen.threshold = at > least ? at : least;
	gen.limit = limit > least ? limit : least;
	gen.end = tight ? gen.eden + ((gen.last - gen.eden) / 8 & -CHUNK) + CHUNK : gen.last;
	if (gen.used > gen.end) {
		paging_discard(gen.end, gen.used - gen.end);
		gen.used = gen.end;
	}
}

/* Marking starts when it will have ended before the limit, if things go on as they did. */
static bool marking_is_due(void)
{
	uint64_t steps = (uint64_t)region.used * (MMU_PAGE / 8) / gc_step + 2;
	return region.used > gen.threshold || (region.used + gen.rate * steps > gen.limit &&
		region.used > gen.live + (gen.limit - gen.live) / 4);
}

static bool full_is_due(void)
{
	uint32_t size = region.end - region.first;
	return region.used > gen.limit || region.used + gen.last - gen.first > size ||
		(region.marking && gen.marked);
}

static void collect_full(bool anew)
{
	uint64_t before = region.used;
	gc_stats.full++;
	if (mmu_frames_free() < gen.end - gen.first)
		paging_discard(gen.first, gen.used - gen.first);
	if (anew || !region.marking)
		region_begin();
	region_end();
	plan_ahead(before);
}

void gen_collect(enum gc_scope scope)
{
	bool full = scope == GC_FULL || full_is_due();
	collect_young(full || paging_crowded());
	if (full) {
		collect_full(scope == GC_FULL);
	} else if (region.marking || marking_is_due()) {
		if (!region.marking)
			region_begin();
		gen.marked = region_step(gc_step);
		gc_stats.steps++;
	}
	if (!paging.card) {
		paging_watch(region.first, region.top - region.first);
		paging_watch(region.large, region.large_top - region.large);
	}
}

/* ---- allocation -------------------------------------------------------------- */

static struct gc_object *allocate_large(uint32_t refs, uint64_t granules)
{
	uint64_t pages = (granules * GC_GRANULE + MMU_PAGE - 1) / MMU_PAGE;
	struct gc_object *o;
	gc_stats.allocated += pages * MMU_PAGE;
	if (region.used + pages > gen.limit)
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
	nursery_fresh(gen.next, CHUNK);
	gen.next += CHUNK;
	gen.used = gen.next > gen.used ? gen.next : gen.used;
	gc_stats.allocated += CHUNK * MMU_PAGE;
	memset(at, 0, CHUNK * MMU_PAGE);
	chunk_set(at, at + CHUNK * MMU_PAGE);
	return NULL;
}

/* ---- pages ------------------------------------------------------------------ */

static bool refers_young(gc_ref *slot) { return in_nursery(*slot); }

enum page_fate gen_leaving(uint32_t p)
{
	if (page_of(p)->space == SPACE_NURSERY || page_of(p)->flags & PAGE_LEAF)
		return region_filling(p) ? PAGE_KEEP : PAGE_WRITE;
	if (region_filling(p))
		return PAGE_KEEP;
	bool maybe = paging.collecting || paging.card || paging_written(p) ||
		page_of(p)->flags & PAGE_REFERS;
	bool young = maybe && region_slots(p, true, refers_young);
	if (young && !paging.forced)
		return PAGE_KEEP;
	note_refers(p, young);
	if (!paging.collecting && written(p))
		region_gray(p);
	return PAGE_WRITE;
}

/* ---- the beginning ------------------------------------------------------------ */

void gen_init(const struct region_hooks *hooks)
{
	uint64_t eighth = mmu_frames_total() / 8;
	uint32_t n = (eighth < NURSERY ? eighth : NURSERY) & -16u;
	if (n < 16)
		port_fail("gc: %lu frames are too few\n", mmu_frames_total());
	gen.first = SEGMENT;
	gen.survivors = n / 8 < SURVIVORS ? n / 8 : SURVIVORS;
	gen.eden = gen.next = gen.used = gen.first + 2 * gen.survivors;
	gen.end = gen.last = gen.eden + ((n - 2 * gen.survivors) & -CHUNK);
	paging.quiet = (gen.last + SEGMENT - 1) & -SEGMENT;
	if (paging.quiet + 4 * SEGMENT > paging.pages)
		port_fail("gc: the heap has too few addresses\n");
	region_init(paging.quiet, paging.pages, hooks);
	plan_ahead(0);
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
