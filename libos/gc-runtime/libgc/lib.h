/* What the parts of the libgc-compatible library share.  What programs see is Debian's gc.h; only
 * names that begin with GC_ leave the library (build.mk hides the others).
 *
 * A conservative, non-moving mark-sweep collector for one thread, on mmu.h:
 *	space.c	pages of the region, records of them
 *	alloc.c	objects in pages: classes of sizes, bitmaps, explicit frees
 *	roots.c	where marking begins: data segments, registers, the stack
 *	mark.c	the mark stack, what words refer to, what objects refer to
 *	cycle.c	when to collect: at once, or in steps with the pages' dirty bits
 *	final.c	finalizers, disappearing links
 *	typed.c	objects with descriptors;  debug.c, settings.c: the rest of gc.h
 */
#ifndef LIBGC_LIB_H
#define LIBGC_LIB_H

#define GC_BUILD		/* its headers: we are the library */
#include <gc/gc.h>
#include <gc/gc_mark.h>
#include "libos/gc-runtime/mmu.h"
#include <string.h>

#define LIB_API __attribute__((visibility("default")))

#define GRANULE		16u			/* objects begin at multiples of it */
#define GRANULES	(MMU_PAGE / GRANULE)	/* of a page */
#define SMALL_MAX	2048u			/* bytes; larger objects have pages of their own */
typedef uint64_t __attribute__((may_alias)) word;	/* memory, whatever its type */
#define NO_PAGE		(~0u)
#define CHUNK		64u			/* pages of one sort: with pointers or without */

/* ---- pages (space.c) ------------------------------------------------------- */

enum page_state { PAGE_FREE, PAGE_SMALL, PAGE_LARGE, PAGE_REST };
#define PAGE_LISTED	1u	/* in the list of its class */
#define PAGE_GRAY	2u	/* its marked objects are to be scanned again */
#define PAGE_FIRST_ONLY	4u	/* references to later pages of the object don't count */

struct page {
	uint64_t used[GRANULES / 64];	/* bit g: an allocated object begins at granule g */
	uint64_t mark[GRANULES / 64];	/* the same, and it was found reachable */
	uint64_t bytes;			/* of an object */
	uint32_t first;			/* PAGE_REST: the page where the object begins */
	uint32_t next;			/* in the list of its class */
	uint32_t inverse;		/* 65536 / granules of an object, rounded up */
	uint16_t cursor;		/* PAGE_SMALL: no free slot before this granule */
	uint8_t state, kind, flags, class;
};
extern struct space {
	struct page *page;
	uint32_t top;			/* pages from here on were never used */
	uint32_t mapped;		/* pages that have frames */
	uint64_t limit;			/* bytes that may be mapped; 0: as many as there are */
} space;

void space_init(void);
/* n free pages in a row, for objects with pointers or without; NO_PAGE.  `grow`: not only pages
 * that have frames already. */
uint32_t space_take(uint32_t n, bool pointers, bool grow);
void space_free(uint32_t page, uint32_t n);
/* Gives frames of free pages back, where somebody wants them, or all. */
void space_shrink(bool all);
void space_poll(void);			/* the same, if somebody has asked since; else nothing */
void space_note_revocation(void);
/* Reads and clears the dirty bits of pages with pointers: those become gray (`use`), or nothing
 * happens to them. */
void space_harvest(bool use);

static inline bool bit_test(const uint64_t *map, unsigned i) { return map[i / 64] >> i % 64 & 1; }
static inline void bit_set(uint64_t *map, unsigned i) { map[i / 64] |= 1ul << i % 64; }
static inline void bit_clear(uint64_t *map, unsigned i) { map[i / 64] &= ~(1ul << i % 64); }

/* ---- objects (alloc.c) ------------------------------------------------------- */

enum { KIND_ATOMIC, KIND_NORMAL, KIND_UNCOLLECTABLE, KIND_ATOMIC_UNCOLLECTABLE, KIND_TYPED,
	KIND_ARRAY, KIND_FIRST_OWN, KINDS = 16 };
struct kind {
	uint64_t descriptor;		/* gc_mark.h's */
	bool pointers;			/* may refer to objects */
	bool clear, stays;		/* begins zeroed; only GC_free frees it */
	bool conservative;		/* every word may be a reference: no descriptor is needed */
};
extern struct kind kinds[KINDS];
extern struct alloc {
	uint64_t since, before;		/* bytes allocated since the last collection, and before */
	uint64_t freed;			/* explicitly, since then */
	uint64_t live, live_atomic;	/* bytes that it left, with pointers and without */
	bool black;			/* new objects are marked: a cycle is under way */
} alloc;

/* An object; NULL is what the oom function gave. */
void *alloc_object(uint64_t bytes, unsigned kind, uint8_t flags);
/* Zeroed memory for the library's own tables, until GC_free; it never collects.  NULL: none. */
void *alloc_table(uint64_t bytes);
/* The allocated object that p points into: its page (the first), its granule there.  NULL: none. */
struct page *object_at(const void *p, unsigned *granule);
static inline void *object_address(const struct page *g, unsigned granule)
{
	return (uint8_t *)mmu_address(g - space.page) + granule * GRANULE;
}
static inline unsigned page_granules(const struct page *g) { return g->bytes / GRANULE; }
void alloc_sweep(void);			/* what isn't marked is free */

/* ---- marking ------------------------------------------------------------------- */

void mark_init(void);
void mark_clear(void);			/* all but what stays becomes unmarked */
void mark_word(uint64_t w);		/* whatever it refers to is marked, and scanned later */
void mark_words(const word *from, uint64_t n);	/* the same of words, now */
void mark_range(const void *from, const void *to);	/* conservatively, later */
void mark_children(struct page *g, unsigned granule);	/* of an object */
void mark_page(struct page *g);		/* the children of its marked objects */
/* Scans up to `words` words of what is to be scanned; true: nothing is left. */
bool mark_some(uint64_t words);
void mark_all(void);
bool mark_is(const void *p);		/* is this object marked, or not an object */
extern uint64_t mark_scanned;		/* words, ever */

void roots_init(void);
void roots_push(void);			/* registers and the stack of the caller, too */
uint64_t roots_bytes(void);		/* of the last time */
bool roots_wanted(const char *name, void *from, size_t n);	/* a data segment */

/* ---- collection ------------------------------------------------------------------ */

void lib_init(void);			/* once; everything public that needs a heap calls it */
extern bool lib_ready;
static inline void lib_need(void)
{
	if (!lib_ready)
		lib_init();
}
/* Called before memory for objects is taken: collects or does a step when it is time. */
void cycle_poll(void);
/* A whole collection, now; false: collections are off, or the stop function said so. */
bool cycle_now(GC_stop_func stop);
uint64_t cycle_pause_max(void);	/* ns */
void final_decide(void);		/* after marking: links vanish, finalizers are queued */
void final_push(void);			/* what finalizers will need */
bool final_prepare(void);		/* room for all that a collection may queue */
void final_run(void);			/* what is queued, unless the program does so itself */

/* ---- the surroundings (surroundings.c) ---------------------------------------------- */

void *sys_stack_bottom(void);
void sys_data_segments(void (*found)(void *from, void *to));
uint32_t sys_pages(void);		/* how many pages of addresses the heap gets */
uint64_t sys_frames(void);		/* how many frames; 0: no limit but the machine's */
void sys_started(void);			/* mmu_init is done */
const char *sys_variable(const char *name);	/* of the environment; NULL */
extern const bool mmu_protects;	/* dirty bits cost a fault each */

#endif
