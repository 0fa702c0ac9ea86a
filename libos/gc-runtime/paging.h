/* Paging of the heap: records of pages, residence, eviction and faults.
 *
 * The region (mmu.h) is [heap pages | tables].  Every heap page has a record; records and the
 * bitmaps over the heap exist by segment of SEGMENT pages, and stay resident.  Frames come from the
 * pool; when it is empty the pager names victims, the collector says what is lost with them, and
 * what must be kept goes to the store.
 *
 * Left to others: who leaves (pager.h), what a page's content means (collector.h), where it goes
 * (store.h).
 */
#ifndef GC_PAGING_H
#define GC_PAGING_H

#include "libos/gc-runtime/gc.h"
#include "libos/gc-runtime/mmu.h"

enum page_state {
	PAGE_NONE,		/* no content */
	PAGE_IN,		/* mapped */
	PAGE_OUT,		/* in the store */
};
enum page_space {
	SPACE_FREE,		/* nobody's; a pager that ignores discards may keep its content */
	SPACE_NURSERY, SPACE_MATURE,
	SPACE_LARGE,		/* the first page of a large object ... */
	SPACE_REST,		/* ... and the others */
	SPACE_SEMI,
};
/* Flags. */
#define PAGE_DIRTY	1u	/* differs from the store (or the entry's D bit says so) */
#define PAGE_LEAF	2u	/* pointer-free */
#define PAGE_STAYS	4u	/* a pager that knows of collections never evicts it */
#define PAGE_SEEN	8u	/* the pager's */
#define PAGE_REFERS	16u	/* the collector's: refers to younger objects */
#define PAGE_GRAY	32u	/* the collector's: written since its marked objects were scanned */
#define PAGE_STANDBY	64u	/* OUT, but mapped to be read, unless its frame went: see offers.c */

struct page {
	uint8_t state, space, flags;
	uint8_t age;		/* collections since the mutator touched it, as far as harvests tell */
	uint32_t slot;		/* of the store, 0: none */
	uint32_t prev, next, stamp;	/* the pager's */
	uint32_t hash;		/* of its content in the store, if gc_options.verify */
	uint32_t summary;	/* the collector's */
	uint32_t count;		/* MATURE: free lines; LARGE: references; REST: the first page */
};
_Static_assert(sizeof(struct page) == 32, "a segment's records fill a page");

#define SEGMENT		128u
struct paging {
	struct page *page;
	uint32_t pages;			/* of the heap */
	uint32_t resident;		/* heap pages that are IN */
	uint32_t quiet;			/* the first pages, whose A bits are of no interest: a multiple of SEGMENT */
	uint64_t *start;		/* a bit per granule: an object starts here */
	uint64_t *live;			/* covered by an object that was live or is new */
	uint64_t *mark;			/* the collector's, if it asked for it */
	uint8_t *card;			/* a byte per 512 bytes, if it asked for it */
	bool collecting;
	uint32_t refused;		/* victims that the collector kept since its last run */
	bool forced;			/* it has kept all there are: leaving must let go what it can */
	bool verify;
	bool *ready;			/* by segment: its tables exist */
	bool record;			/* births and deaths are traced */
	void (*observe)(void);		/* called as pages come and go, if not NULL: looks only */
};
extern struct paging paging;

static inline struct page *page_of(uint32_t number) { return &paging.page[number]; }

/* Lays out `heap` pages of addresses, with the tables that the collector wants. */
void paging_init(uint32_t heap, bool marks, bool cards);
/* Bytes of tables that grow with need: zeroed, resident, in addresses that follow each other;
 * `most` is what could ever be needed. */
struct table { uint32_t page, most, have; };
void table_init(struct table *t, uint64_t most);
/* Makes the first `bytes` of it usable. */
void table_grow(struct table *t, uint64_t bytes);

/* The segment's tables exist from now on. */
void paging_ready(uint32_t page);
/* Makes pages resident and writable whose content is of no matter, with flags STAYS and LEAF as
 * given.  Evicts if need be.  While their space is FREE, a reread counts as one of dead content. */
void paging_fresh(uint32_t page, uint32_t n, unsigned flags);
/* Their content is dead.  A pager that knows of collections drops it. */
void paging_discard(uint32_t page, uint32_t n);
/* Pages [from, from + n) become those at `to`, below, whose content is dead: frames, slots and records
 * move, no content does.  The collector's marks and `count` are its own affair. */
void paging_move(uint32_t from, uint32_t to, uint32_t n);
/* Makes room for n frames; ends the program if that cannot be. */
void paging_room(uint64_t n);
/* Makes room for n frames that are to be given away; false: the program needs what there is. */
bool paging_spare(uint64_t n);
/* What is to be on offer (gc_options.offer) is: pages leave for it, if the pool has none to spare. */
void paging_offer(void);
/* Harvests the A bits of all pages and shows them to the pager; `forget`: clears them only. */
void paging_touches(bool forget);
/* Clears the D bits of [page, page + n), so that paging_written tells what is written from now on. */
void paging_watch(uint32_t page, uint32_t n);
/* A collection begins, ends. */
void paging_begin(void);
void paging_end(void);
static inline bool paging_written(uint32_t page) { return mmu.pte[page] & MMU_D; }
/* An eighth was kept for its references to young objects: when these become old, pages can leave again. */
static inline bool paging_crowded(void)
{
	return paging.refused && paging.refused >= paging.resident / 8;
}
/* A resident page's content is not what the store has. */
static inline bool paging_differs(uint32_t page)
{
	const struct page *r = page_of(page);
	return r->flags & PAGE_DIRTY || mmu.pte[page] & MMU_D || !r->slot;
}
uint32_t paging_hash(uint32_t page);	/* of a resident page's content */

#endif
