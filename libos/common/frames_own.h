/* What frames.c (the allocator), physmap.c (the window, and frames for tables) and promise.c
 * (frames still to come) share.  All of it is guarded by own.lock. */
#ifndef COMMON_FRAMES_OWN_H
#define COMMON_FRAMES_OWN_H

#include "frames.h"
#include "lock.h"
#include "pt.h"
#include "start.h"
#include "text.h"

#define PER_REGION	512u

/* A frame that is free in a SMALL or LARGE region is writable in the physmap; one that is free in a
 * COLD region is mapped nowhere by us. */
enum region_map { COLD, SMALL, LARGE };
struct region {
	uint32_t number;		/* pfn / 512 */
	uint16_t free;
	uint16_t map;			/* enum region_map */
	uint64_t bits[8];		/* 1 = free */
};

extern struct own {
	struct region *region;		/* ascending by number */
	unsigned count, max;
	uint64_t left, owned, root;
	bool windowed;			/* the physmap is there */
	unsigned hint[3];		/* by map: below it no region of that kind has a free frame */
	struct lock lock;
} own;

/* frames.c */
struct region *region_find(uint32_t number, unsigned *place);	/* place: where it is or belongs */
struct region *region_get(uint32_t number);	/* made if need be; NULL: no room */
struct region *region_with(enum region_map map);	/* the first of that kind with a free frame */
void mark_free(struct region *r, unsigned bit);
uint64_t take_one(struct region *r);
bool put_one(uint64_t pfn);			/* an unmapped frame that is ours now */

static inline bool is_free(const struct region *r, unsigned bit)
{
	return r->bits[bit / 64] >> bit % 64 & 1;
}
static inline uint64_t region_pfn(const struct region *r) { return (uint64_t)r->number * PER_REGION; }
static inline void hint_at(const struct region *r)
{
	unsigned at = r - own.region;
	if (at < own.hint[r->map])
		own.hint[r->map] = at;
}

/* physmap.c */
uint64_t physmap_start(const struct exo_start *s);
/* One page of a SMALL region; flags 0: unmapped. */
uint64_t window_set(struct region *r, unsigned bit, uint64_t flags);
bool window_cool(struct region *r);		/* a LARGE one that is wholly free becomes COLD */
bool window_warm(struct region *r);		/* a COLD one becomes SMALL or LARGE */

/* promise.c */
uint64_t promised(void);
void promise_read(const struct exo_start *s, struct frames_promise *p);
uint64_t promise_accept(const struct frames_promise *p);
/* Asks for promised frames if few are left; with `must`, waits for them.  True: some came. */
bool supply(bool must);

#endif
