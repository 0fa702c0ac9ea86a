/* Page-table entries: what may be written, and what an entry counts for.  The rules are in
 * table.c; pt_write, retype, sweeps and the end of a domain stand on them.
 */
#ifndef EXO_TABLE_H
#define EXO_TABLE_H

#include "frame.h"

#define TABLE_ENTRIES	512u
#define PTE_BANNED	(EXO_PTE_PWT | EXO_PTE_PCD)
#define SWEEP_DOOMED	1u

static inline uint64_t entry_pfn(uint64_t entry) { return (entry & EXO_PTE_FRAME) >> EXO_PAGE_SHIFT; }
static inline bool entry_large(unsigned level, uint64_t entry)
{
	return level == 2 && entry & EXO_PTE_PS;
}

/* May a table of d, of that level, hold the value?  Frames of others need the loan.  Makes the
 * value what is to be written (U set, G clear).  The status names arguments of pt_write. */
uint64_t entry_check(const struct domain *d, const struct slot *loan, unsigned level, uint64_t *value);
/* A checked entry of a table of d was written; one was taken out. */
void entry_take(struct domain *d, unsigned level, uint64_t entry);
void entry_drop(struct domain *d, unsigned level, uint64_t entry);

static inline bool is_kernel_slot(unsigned level, unsigned index)
{
	return level == 4 && index >= EXO_KERNEL_SLOT_FIRST && index <= EXO_KERNEL_SLOT_LAST;
}

/* Makes an own data frame a table, as frame_retype does; *units grows by its entries. */
uint64_t table_make(struct domain *d, uint64_t pfn, unsigned level, unsigned *units);
/* Makes u (0: nothing) the partner of an own root k, as root_pair does; k is argument `at`. */
uint64_t root_pair(struct domain *d, uint64_t k, uint64_t u, unsigned at);
void root_unpair(uint64_t k);			/* ends its pair, if any */
/* Takes out all that a table counts for and makes it data; a K root's pair ends.  It must not be
 * referenced; false: a CPU has the root loaded. */
bool table_untype(struct domain *d, uint64_t pfn, unsigned *units);

/* Sweeps d's page tables: SWEEP_DOOMED clears all entries to d's doomed frames, a slot's name
 * those to frames on that loan.  Helps a sweep in progress to its end first.  False when the
 * budget is used up: call again. */
bool sweep(struct domain *d, uint32_t what, unsigned *budget);
/* The loan in s ends: nothing of its holder maps the frames any more, or waits on them. */
bool loan_end(struct slot *s, unsigned *budget);
/* Does a large page at pfn contain a frame of d that is to be taken? */
bool region_doomed(const struct domain *d, uint64_t pfn);
/* May d, or the holder of the loan (NULL: none), write (or read) this frame's bytes?  Counts the
 * arguments for the status: the frame, the loan. */
uint64_t frame_access_check(const struct domain *d, const struct slot *loan, uint64_t pfn, bool write,
	unsigned at, unsigned at_loan);
bool loan_covers(const struct slot *loan, uint64_t pfn);

#endif
