/* Page tables of this domain: finding entries, mapping, unmapping, and batches.
 *
 * A root is named by the pfn of its PML4.  Tables are read through the physmap where there is
 * one, else by frame_copy into the control page's unused part.  They are written by pt_write.
 * No lock: whoever shares a root between contexts guards it.
 *
 * Functions that can fail return a status of the kernel's (EXO_OK = 0); EXO_LIMIT with no
 * argument also means: no frame for a table.
 */
#ifndef COMMON_PT_H
#define COMMON_PT_H

#include "calls.h"

#define PTE_RO		(EXO_PTE_P | EXO_PTE_U | EXO_PTE_NX)
#define PTE_RW		(EXO_PTE_P | EXO_PTE_U | EXO_PTE_NX | EXO_PTE_W)
#define PTE_RX		(EXO_PTE_P | EXO_PTE_U)
#define PTE_RWX		(EXO_PTE_P | EXO_PTE_U | EXO_PTE_W)
#define PTE_TABLE	(EXO_PTE_P | EXO_PTE_U | EXO_PTE_W)
#define PTE_PFN(e)	(((e) & EXO_PTE_FRAME) >> EXO_PAGE_SHIFT)
#define PTE_MAKE(pfn, flags)	((uint64_t)(pfn) << EXO_PAGE_SHIFT | (flags))

/* What reading without a physmap needs: the control page (start.c calls it). */
void pt_init(const struct exo_start *s);

/* Index of va in a table of that level (1-4). */
static inline unsigned pt_index(uint64_t va, unsigned level)
{
	return va >> (EXO_PAGE_SHIFT + 9 * (level - 1)) & 511;
}
/* Reads up to a page's bytes by physical address, without mapping them: own frames, or those of a
 * loan (cap).  Slow: for a domain's first steps. */
bool pt_peek(uint64_t phys, void *to, size_t n, uint64_t cap);
/* An entry's value, by its physical address. */
uint64_t pt_read(uint64_t entry);
/* Physical address of va's entry at `level`; 0: a table above is missing, or a large page is
 * in the way. */
uint64_t pt_find(uint64_t root, uint64_t va, unsigned level);
/* The same, making the missing tables; *status tells why it is 0. */
uint64_t pt_make(uint64_t root, uint64_t va, unsigned level, uint64_t *status);
/* The entry that maps va (level 1, or a large one at level 2, then *level = 2); 0: none. */
uint64_t pt_lookup(uint64_t root, uint64_t va, unsigned *level);

/* Maps n adjacent pages at va to n adjacent frames; `cap` names the loan that covers them, 0:
 * own.  Entries that were present are replaced; nothing is flushed (see pt_flush). */
uint64_t pt_map(uint64_t root, uint64_t va, uint64_t pfn, uint64_t n, uint64_t flags, uint64_t cap);
/* Clears the entries of n pages; tables stay.  Flushes every CPU of the domain. */
uint64_t pt_unmap(uint64_t root, uint64_t va, uint64_t n);
/* Sets and clears flag bits in the present entries of n pages, keeping A and D; flushes every
 * CPU of the domain. */
uint64_t pt_protect(uint64_t root, uint64_t va, uint64_t n, uint64_t set, uint64_t clear);

/* A PML4 that shares slots [first, last] with `from` and is empty otherwise, typed; 0: none. */
uint64_t pt_root(uint64_t from, unsigned first, unsigned last);
/* Frees the tables (not the data frames) under slots [first, last] of a root that no CPU has
 * loaded, and with `whole` the root itself.  What they mapped is unmapped by it. */
uint64_t pt_free(uint64_t root, unsigned first, unsigned last, bool whole);

/* Turns one zeroed frame from table_alloc into a table; back, and frees it. */
uint64_t pt_table_new(unsigned level, uint64_t *status);
uint64_t pt_table_drop(uint64_t pfn);

/* A batch of entries, written when it is full and by pt_batch_end. */
#define PT_BATCH	128
struct pt_batch {
	struct exo_pt_item item[PT_BATCH];
	unsigned n;
	uint64_t dom, cap;
	uint64_t status;	/* of the first failure; what follows is dropped */
};
static inline void pt_batch_start(struct pt_batch *b, uint64_t dom, uint64_t cap)
{
	b->n = 0;
	b->dom = dom;
	b->cap = cap;
	b->status = EXO_OK;
}
void pt_batch_add(struct pt_batch *b, uint64_t entry_and_op, uint64_t value);
/* Writes the rest; flush: EXO_FLUSH_NONE, LOCAL or ALL.  The status of all. */
uint64_t pt_batch_end(struct pt_batch *b, uint64_t flush);

/* Pages of addresses that the linker script keeps free behind the image, for windows: takes n
 * of them for good; 0 = none left. */
uint64_t pt_window(unsigned n);
/* A zeroed page of the domain, mapped writable (physmap, or a window page); NULL = none. */
void *page_new(uint64_t *pfn);

#endif
