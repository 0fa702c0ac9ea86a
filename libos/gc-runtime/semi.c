/* Two semispaces (Cheney, CACM'70): the reference.  Everything is copied, large objects too.
 *
 * With a pager that discards, the evacuated half costs no I/O, and a collection starts before both
 * halves together overflow memory; with one that doesn't, it pages as it would under a kernel.
 */
#include "libos/gc-runtime/collector.h"
#include "libos/gc-runtime/pager.h"
#include "libos/gc-runtime/port.h"

#define CHUNK		8u		/* pages */

static struct {
	uint32_t half[2], pages;	/* first pages, length */
	unsigned now;
	uint8_t *at, *limit;		/* allocation, and what is resident of it */
	uint8_t *end;			/* a collection is due */
} semi;

static uint8_t *half_start(unsigned i) { return mmu_address(semi.half[i]); }

/* Makes [limit, upto) usable. */
static void extend(const uint8_t *upto)
{
	while (semi.limit < upto) {
		uint32_t p = mmu_page(semi.limit), end = semi.half[semi.now] + semi.pages;
		uint32_t n = end - p < CHUNK ? end - p : CHUNK;
		if (!n)
			port_fail("gc: out of memory: a semispace of %u pages is full\n", semi.pages);
		paging_fresh(p, n, 0);
		for (uint32_t i = 0; i < n; i++)
			page_of(p + i)->space = SPACE_SEMI;
		semi.limit += (uint64_t)n * MMU_PAGE;
	}
}

/* ---- copying ---------------------------------------------------------------------------------- */

static bool copied_already(const struct gc_object *o)
{
	return (uintptr_t)o - (uintptr_t)half_start(semi.now) < (uint64_t)semi.pages * MMU_PAGE;
}

static void copy(gc_ref *slot)
{
	struct gc_object *o = *slot;
	if (!o || copied_already(o))
		return;
	uint64_t header = o->header, n = (header >> 32) * GC_GRANULE;
	if (header & 1) {
		*slot = (struct gc_object *)(header & ~1ul);
		return;
	}
	extend(semi.at + n);
	memcpy(semi.at, o, n);
	o->header = (uintptr_t)semi.at | 1;
	*slot = (struct gc_object *)semi.at;
	semi.at += n;
}

static void scan_from(uint8_t *at)
{
	while (at < semi.at) {
		struct gc_object *o = (struct gc_object *)at;
		for (uint32_t i = 0, n = gc_refs(o); i < n; i++)
			copy(&gc_slots(o)[i]);
		at += gc_granules(o) * GC_GRANULE;
	}
}

static void semi_collect(enum gc_scope scope)
{
	uint32_t old = semi.half[semi.now], old_pages = mmu_page(semi.limit) - old;
	(void)scope;
	gc_stats.full++;
	semi.now ^= 1;
	semi.at = semi.limit = half_start(semi.now);
	roots_each(copy);
	scan_from(half_start(semi.now));
	for (uint32_t i = 0; i < old_pages; i++)
		page_of(old + i)->space = SPACE_FREE;
	paging_discard(old, old_pages);
	uint64_t live = semi.at - half_start(semi.now), half = (uint64_t)semi.pages * MMU_PAGE;
	uint64_t memory = mmu_frames_total() * MMU_PAGE / 2, due = half;
	if (pager->discards && due > memory)
		due = memory;
	if (due < live + live / 2 + (1ul << 20))
		due = live + live / 2 + (1ul << 20);
	semi.end = half_start(semi.now) + (due < half ? due : half);
	chunk_set(NULL, NULL);
}

/* ---- allocation -------------------------------------------------------------- */

static bool fits(uint64_t bytes) { return bytes <= (uint64_t)(semi.end - semi.at); }

static struct gc_object *semi_allocate(uint32_t refs, uint64_t granules)
{
	uint64_t bytes = granules * GC_GRANULE, chunk = (bytes + MMU_PAGE - 1) & -(uint64_t)MMU_PAGE;
	if (gc_mutator.end == semi.at)
		semi.at = gc_mutator.bump ? gc_mutator.bump : semi.at;
	if (!fits(chunk))
		gc_collect(GC_FULL);
	if (!fits(chunk))
		semi.end = half_start(semi.now) + (uint64_t)semi.pages * MMU_PAGE;
	if (!fits(chunk))
		port_fail("gc: out of memory: no %lu bytes in a semispace of %u pages\n", bytes,
			semi.pages);
	uint8_t *at = semi.at;
	extend(at + chunk);
	memset(at, 0, chunk);
	semi.at += chunk;
	gc_stats.allocated += chunk;
	if (bytes <= GC_SMALL) {
		chunk_set(at, at + chunk);
		return NULL;
	}
	struct gc_object *o = (struct gc_object *)at;
	o->header = granules << 32 | (uint64_t)refs << 1;
	chunk_set(NULL, NULL);
	return o;
}

static void semi_init(void)
{
	semi.half[0] = SEGMENT;
	semi.pages = (paging.pages - SEGMENT) / 2;
	semi.half[1] = semi.half[0] + semi.pages;
	semi.at = semi.limit = half_start(0);
	semi.end = semi.at + (uint64_t)semi.pages * MMU_PAGE;
	uint64_t memory = mmu_frames_total() * MMU_PAGE / 2;
	if (pager->discards && memory < (uint64_t)semi.pages * MMU_PAGE)
		semi.end = semi.at + memory;
}

/* ---- the verifier: after a collection the half is a row of objects --------------- */

static void check(gc_ref *slot)
{
	const struct gc_object *o = *slot;
	const uint8_t *p = (const uint8_t *)o;
	if (o && (p < half_start(semi.now) || p >= semi.at || (uintptr_t)p % GC_GRANULE || o->header & 1))
		port_fail("verify: at %p: %p is no object of this half\n", (void *)slot, (const void *)o);
}

static void semi_verify(void)
{
	uint8_t *at = half_start(semi.now);
	while (at < semi.at) {
		struct gc_object *o = (struct gc_object *)at;
		if (o->header & 1 || !gc_granules(o) || 8 + 8ul * gc_refs(o) > gc_granules(o) * GC_GRANULE)
			port_fail("verify: at %p: header %lx\n", (void *)at, o->header);
		for (uint32_t i = 0, n = gc_refs(o); i < n; i++)
			check(&gc_slots(o)[i]);
		at += gc_granules(o) * GC_GRANULE;
	}
	roots_each(check);
}

const struct gc_collector collector_semi = {
	.name = "semi", .about = "two semispaces, everything is copied",
	.init = semi_init, .allocate = semi_allocate, .collect = semi_collect, .verify = semi_verify,
};
