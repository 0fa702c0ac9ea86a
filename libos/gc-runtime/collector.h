/* A collector: allocation's slow path, collections, and what it knows of pages that come and go.
 * docs/gc.md tells how to write one.
 */
#ifndef GC_COLLECTOR_H
#define GC_COLLECTOR_H

#include "libos/gc-runtime/paging.h"

enum page_fate {
	PAGE_WRITE,		/* keep the content */
	PAGE_DROP,		/* it is dead */
	PAGE_KEEP,		/* don't evict it now */
};
struct gc_collector {
	const char *name, *about;
	bool marks, cards;	/* tables it wants: paging.mark, paging.card */
	void (*init)(void);
	/* Fills [gc_mutator.bump, end) with zeroed memory for at least `granules` (small objects), or
	 * makes a large object; collects if need be. */
	struct gc_object *(*allocate)(uint32_t refs, uint64_t granules);
	void (*collect)(enum gc_scope scope);
	/* A resident page is to leave.  Called inside faults: reads the page by its window only, and
	 * allocates from tables alone.  NULL: always PAGE_WRITE. */
	enum page_fate (*leaving)(uint32_t page);
	void (*back)(uint32_t page);	/* it was read from the store, and is mapped */
	/* Every object that a verifier may look at; ends the program at the first that is wrong. */
	void (*verify)(void);
};
extern const struct gc_collector collector_semi, collector_gen, collector_card, collector_bookmark,
	collector_summary, collector_compact;
extern const struct gc_collector *collector;
extern uint64_t gc_step;		/* gc_options.step */
/* A program's own, for gc_options.collector; before gc_init. */
void gc_collector_add(const struct gc_collector *c);

/* Every root: visit may change it. */
void roots_each(void (*visit)(gc_ref *slot));
/* A small piece of zeroed memory ends the inline allocation at [bump, end). */
static inline void chunk_set(uint8_t *bump, uint8_t *end)
{
	gc_mutator.bump = bump;
	gc_mutator.end = end;
}

#endif
