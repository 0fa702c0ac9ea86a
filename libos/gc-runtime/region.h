/* The mature and the large space, shared by the collectors that don't move mature objects: pages of
 * lines in the manner of Immix (Blackburn, McKinley, PLDI'08), marking, sweeping.
 *
 * Left to others: the nursery and the remembered set (gen.c); what is known of evicted pages (the
 * hooks: bookmark.c, summary.c).
 */
#ifndef GC_REGION_H
#define GC_REGION_H

#include "libos/gc-runtime/collector.h"

#define LINE		128u		/* bytes: eight granules, one byte of the live bitmap */
#define LINES		(MMU_PAGE / LINE)
#define GRANULES	(MMU_PAGE / GC_GRANULE)	/* of a page */
#define WORDS		(GRANULES / 64)		/* of a bitmap for a page */

/* What a collector knows of pages that are out; NULL: they are read. */
struct region_hooks {
	/* Before marking: marks what evicted pages keep alive, or clears the marks of evicted pages. */
	void (*roots)(void);
	/* An object on an evicted page was reached. */
	void (*reach)(struct gc_object *o, uint32_t page);
	/* The stack is empty: marks on; false: there is nothing left.  Edges of what left gray come here. */
	bool (*more)(void);
	/* Marks what an evicted page of a large object refers to. */
	void (*edges)(uint32_t page);
	void (*freed)(uint32_t page);		/* an evicted page died */
	/* Marking finds out what is live on this evicted page; false: all of it is. */
	bool (*exact)(uint32_t page);
};
struct region {
	uint32_t first, end;		/* mature pages; from `top` on none was ever used */
	uint32_t top;
	uint32_t large, large_end, large_top;
	uint32_t used;			/* pages of both spaces in use */
	const struct region_hooks *hooks;
	bool marking;			/* in the midst of marking: between collections too */
	uint8_t *young, *young_end;	/* objects outside both spaces, in a row: after a collection */
};
extern struct region region;

void region_init(uint32_t first, uint32_t end, const struct region_hooks *hooks);
/* Room for a small object, with its bits set and nothing written; NULL: no addresses are left. */
struct gc_object *region_alloc(uint32_t granules, bool leaf);
/* A zeroed large object; NULL: no such run of addresses is free. */
struct gc_object *region_alloc_large(uint32_t refs, uint64_t granules);
uint32_t region_large_end(uint32_t first);	/* the page behind that large object */
/* A page that the allocator is filling. */
bool region_filling(uint32_t page);

/* A stack of words, for objects to scan.  What was pushed at a depth below `base` stays. */
uint64_t region_depth(void);
void region_push(uint64_t word);
bool region_pop(uint64_t *word, uint64_t base);
/* Marks a slot's object, and pushes it; objects outside both spaces are of no interest. */
void region_mark(gc_ref *slot);
void region_mark_object(struct gc_object *o);

/* Marking, in one collection or in steps of several, after Boehm, Demers, Shenker (PLDI'91): what the
 * program writes meanwhile is scanned again, what is allocated meanwhile lives and is scanned.  The live
 * bitmap holds the marks until marking has ended; so nothing is allocated in holes until then. */
void region_begin(void);		/* anew, if marking was under way */
/* Scans so many words, more or less; true: nothing is left to do. */
bool region_step(uint64_t words);
/* Marks from the roots what is not marked yet, and sweeps; nothing may lie outside both spaces. */
void region_end(void);
/* A page with references was written: while marking is under way it is scanned again. */
void region_gray(uint32_t page);

/* Every reference slot on a resident page, by address in the region (window false) or by the page's
 * window; stops and returns true when visit does. */
bool region_slots(uint32_t page, bool window, bool (*visit)(gc_ref *slot));
/* Covers an object's extent in the live bitmap. */
void region_cover(const struct gc_object *o, uint64_t granules);
/* The same of all objects that start on a resident page. */
void region_cover_page(uint32_t page);
/* A page with exact liveness is back: objects that were found dead start no more, the others' extents
 * are covered. */
void region_restore(uint32_t page);
/* The objects that start on a page and have a bit in `map` too. */
void region_each(uint32_t page, const uint64_t *map, void (*visit)(struct gc_object *o));
void region_verify(void);

static inline uint64_t granule_of(const void *o) { return ((uintptr_t)o - mmu.base) / GC_GRANULE; }
static inline bool bit_get(const uint64_t *map, uint64_t i) { return map[i / 64] >> i % 64 & 1; }
static inline void bit_put(uint64_t *map, uint64_t i) { map[i / 64] |= 1ul << i % 64; }
static inline uint64_t *page_bits(uint64_t *map, uint32_t page) { return map + (uint64_t)page * WORDS; }
static inline bool page_in_use(uint32_t p)
{
	return paging.ready[p / SEGMENT] && page_of(p)->space != SPACE_FREE;
}

#endif
