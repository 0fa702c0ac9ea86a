/* The domain's own frames: an allocator, and the window through which they are seen.
 *
 * Frames are kept by 2 MiB region, a bitmap each.  A region is
 *   COLD	not mapped by this file: frames to give away, to become objects or page tables,
 *		or for the program to map as it likes;
 *   SMALL	in the physmap by 4 KiB pages: data frames writable, page tables read-only;
 *   LARGE	in the physmap by one 2 MiB page: data frames only.
 *
 * The PHYSMAP is optional.  With it, frame n is at PHYSMAP_BASE + n * 4096 in the root that
 * frames_init ran in, and in every root that shares PML4 slot 265.  The kernel's rule, a frame
 * is writable-mapped or a page table, never both, is kept by moving frames between data and
 * tables in batches (TABLE_BATCH), so that flushes are rare: table_alloc's frames are
 * read-only already, and were flushed since.
 *
 * Without it all regions are COLD: a domain of a dozen frames needs nothing else.
 *
 * Locking: one lock inside, taken for a short time.  A context must not be interrupted by
 * upcalls that allocate while it allocates: mask events, or allocate at one level only.
 */
#ifndef COMMON_FRAMES_H
#define COMMON_FRAMES_H

#include "calls.h"

#define PHYSMAP_SLOT	265
#define PHYSMAP_BASE	(EXO_MONITOR_BASE + 0x8000000000ul)
#define TABLE_BATCH	64

/* A domain may be promised more frames than it starts with: giving a frame zeroes it, and a machine's
 * whole memory takes seconds.  Its creator lends it this page (CAP_MEMORY, read-only) and an event
 * (CAP_MEMORY_MORE) to ask by; the allocator asks when little is left, and waits when nothing is.
 * Only with the physmap. */
struct frames_promise {
	uint64_t given, total;		/* frames: so far, in the order of the extents; in all */
	uint64_t extents;
	struct exo_start_extent extent[EXO_START_EXTENTS];
};

/* Takes over the frames of the start page's extents.  Returns a status; on failure nothing
 * can be allocated. */
uint64_t frames_init(const struct exo_start *s, bool physmap);
bool physmap_on(void);
/* Where the window shows a frame (SMALL and LARGE ones: what frame_alloc and table_alloc gave). */
static inline void *physmap_page(uint64_t pfn) { return (void *)(PHYSMAP_BASE + pfn * EXO_PAGE_SIZE); }
static inline uint64_t physmap_pfn(const void *page)
{
	return ((uintptr_t)page - PHYSMAP_BASE) / EXO_PAGE_SIZE;
}

/* One frame of data; 0 = none left (pfn 0 is never anybody's).  With the physmap it is
 * writable in the window, otherwise unmapped.  Content: whatever it was, or zeroes. */
uint64_t frame_alloc(void);
uint64_t frame_alloc_zero(void);
/* Data frames with no mapping but the window's. */
void frame_free(uint64_t pfn);
/* count <= 512 adjacent frames within a region, not zeroed; the first, or 0. */
uint64_t frame_alloc_run(unsigned count);
void frame_free_run(uint64_t pfn, unsigned count);
uint64_t frames_left(void);		/* that could be allocated, promised ones included */
uint64_t frames_owned(void);		/* taken over or promised in all, allocated or not */

/* The window shows an allocated frame by a page of its own from now on: the kernel can take that frame
 * alone.  False: it cannot be. */
bool frame_apart(uint64_t pfn);

/* Frames that no window shows: to give away, lend or turn into objects.  Adjacent as far as
 * possible: fills out[], at most max extents; returns how many frames it got (count or fewer). */
uint64_t frames_take(uint64_t count, struct exo_start_extent *out, size_t max);
/* One such frame, for an object; 0 = none. */
uint64_t frame_take(void);
/* Unmapped frames that are the domain's own now: taken ones that come back, those of a
 * destroyed child, or new ones.  False: no room to record that region (the frames are lost). */
bool frames_put(uint64_t pfn, uint64_t count);

/* A zeroed frame for a page table, still typed data, not writable-mapped; 0 = none. */
uint64_t table_alloc(void);
/* Typed data again (exo_retype_all), its old content is of no matter. */
void table_free(uint64_t pfn);

#endif
