/* What the files on frames and page tables share: short predicates on the frame table's
 * entries, and the counting of mappings.  Who may do what is decided by the callers.
 */
#ifndef EXO_FRAME_H
#define EXO_FRAME_H

#include "core.h"

#define REGION_SHIFT	9
#define REGION_FRAMES	512u

static inline struct exo_frame *frame_at(uint64_t pfn) { return &frame_table[pfn]; }
static inline struct region *region_at(uint64_t pfn) { return &region_table[pfn >> REGION_SHIFT]; }

static inline bool type_is_table(unsigned type) { return type >= EXO_F_PT1 && type <= EXO_F_PT4; }
static inline unsigned table_level(unsigned type) { return type - EXO_F_PT1 + 1; }

static inline bool region_large(uint64_t pfn)
{
	const struct region *r = region_at(pfn);
	return r->large_ro || r->large_rw;
}

/* Nothing maps it, no holder counts on it: its type or owner may change. */
static inline bool frame_idle(uint64_t pfn)
{
	const struct exo_frame *f = frame_at(pfn);
	return f->type == EXO_F_DATA && !f->mapped && !f->pins && !(f->flags & FRAME_DOOMED) &&
		!region_large(pfn);
}

/* A level-1 entry that maps the frame comes or goes. */
static inline void frame_mapped(struct exo_frame *f, bool writable)
{
	f->mapped++;
	f->writable += writable;
}

/* Stamped at each loss, though only the last one matters: cheaper than to find out. */
static inline void frame_unmapped(struct exo_frame *f, bool writable)
{
	f->writable -= writable;
	f->mapped--;
	f->stamp = flush_clock;
}

/* Flushes what may still be cached of a frame, large pages included. */
void frame_settle(uint64_t pfn);

#endif
