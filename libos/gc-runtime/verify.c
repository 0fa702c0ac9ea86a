/* The verifier of mature and large spaces: after every collection in test builds.  Looks at every
 * object that starts on a resident page. */
#include "libos/gc-runtime/region.h"
#include "libos/gc-runtime/port.h"
#include "libos/gc-runtime/store.h"

static uint32_t at_page;

static bool target_fits(const struct gc_object *o)
{
	uint32_t p = mmu_page(o);
	if ((const uint8_t *)o >= region.young && (const uint8_t *)o < region.young_end)
		return !((uintptr_t)o % GC_GRANULE);	/* check_young sees its header */
	if (!mmu_inside(o) || p >= paging.pages || (uintptr_t)o % GC_GRANULE || !page_in_use(p))
		return false;
	if (page_of(p)->space != SPACE_MATURE && page_of(p)->space != SPACE_LARGE)
		return false;
	return bit_get(paging.start, granule_of(o)) &&
		(region.marking || bit_get(paging.live, granule_of(o)));
}

static bool check_slot(gc_ref *slot)
{
	if (*slot && !target_fits(*slot))
		port_fail("verify: page %u, word %lu: %p is no live object\n", at_page,
			((uintptr_t)slot & (MMU_PAGE - 1)) / 8, (void *)*slot);
	return false;
}

static void check_root(gc_ref *slot)
{
	if (*slot && !target_fits(*slot))
		port_fail("verify: the root at %p: %p is no live object\n", (void *)slot, (void *)*slot);
}

/* Objects don't overlap, don't straddle, and are covered by the live bitmap. */
static void check_layout(uint32_t p)
{
	const uint8_t *bytes = mmu_window(mmu_frame(p));
	const uint64_t *start = page_bits(paging.start, p), *live = page_bits(paging.live, p);
	uint32_t end = 0;
	for (uint32_t g = 0; g < GRANULES; g++) {
		if (!bit_get(start, g))
			continue;
		const struct gc_object *o = (const struct gc_object *)(bytes + g * GC_GRANULE);
		uint64_t n = gc_granules(o);
		if (g < end || o->header & 1 || !n || g + n > GRANULES ||
		    (uint64_t)gc_refs(o) * 8 + 8 > n * GC_GRANULE)
			port_fail("verify: page %u, granule %u: header %lx\n", p, g, o->header);
		end = g + n;
		for (uint32_t i = g; i < end; i++)
			if (!region.marking && !bit_get(live, i))
				port_fail("verify: page %u, granule %u is not covered\n", p, i);
		if (!gc_refs(o) != !!(page_of(p)->flags & PAGE_LEAF))
			port_fail("verify: page %u, granule %u: of the other class\n", p, g);
	}
}

static void check_marked(uint32_t p)
{
	uint8_t *bytes = mmu_window(mmu_frame(p));
	for (uint32_t g = 0; g < GRANULES; g++) {
		struct gc_object *o = (struct gc_object *)(bytes + g * GC_GRANULE);
		if (bit_get(page_bits(paging.start, p), g) && bit_get(page_bits(paging.live, p), g))
			for (uint32_t i = 0; i < gc_refs(o); i++)
				check_slot(&gc_slots(o)[i]);
	}
}

static void check_page(uint32_t p)
{
	const struct page *r = page_of(p);
	bool standby = r->flags & PAGE_STANDBY && r->state == PAGE_OUT && !(mmu.pte[p] & MMU_W);
	if (((r->state == PAGE_IN) != !!(mmu.pte[p] & MMU_P) && !standby) || (r->state == PAGE_OUT && !r->slot) ||
	    r->state == PAGE_NONE)
		port_fail("verify: page %u: state %u, slot %u, entry %lx\n", p, r->state, r->slot,
			(uint64_t)mmu.pte[p]);
	if (r->state != PAGE_IN)
		return;
	at_page = p;
	if (r->space == SPACE_MATURE)
		check_layout(p);
	if (!region.marking)		/* until it has ended, a page may hold objects found dead before */
		region_slots(p, true, check_slot);
	else if (r->space == SPACE_MATURE && !(r->flags & PAGE_LEAF))
		check_marked(p);
}

static void check_young(void)
{
	uint64_t size;
	for (uint8_t *at = region.young; at < region.young_end; at += size) {
		struct gc_object *o = (struct gc_object *)at;
		size = gc_granules(o) * GC_GRANULE;
		if (!size || o->header & 1 || size > (uint64_t)(region.young_end - at))
			port_fail("verify: young object at %p: header %lx\n", (void *)at, o->header);
		at_page = mmu_page(at);
		for (uint32_t i = 0; i < gc_refs(o); i++)
			check_slot(&gc_slots(o)[i]);
	}
}

void region_verify(void)
{
	uint32_t in = 0, used = 0, slots = 0;
	for (uint32_t p = 0; p < paging.pages; p++) {
		if (!paging.ready[p / SEGMENT])
			continue;
		in += page_of(p)->state == PAGE_IN;
		slots += page_of(p)->slot != 0;
		if (p < region.first || page_of(p)->space == SPACE_FREE)
			continue;
		used++;
		check_page(p);
	}
	if (in != paging.resident || used != region.used)
		port_fail("verify: %u pages resident, counted %u; %u used, counted %u\n", in,
			paging.resident, used, region.used);
	if (slots != slots_used())
		port_fail("verify: %u pages have slots in the store, of which %u are taken\n", slots,
			slots_used());
	check_young();
	roots_each(check_root);
}
