/* A shared interface to the MMU, for collectors and other runtimes that manage their own pages.
 *
 * It manages one REGION of addresses, and one POOL of frames, which is the memory limit: on Virtue
 * frames of the domain's quota, on Linux a memfd of that size.  Pages are numbered from the
 * region's start.  Two back ends, with the same semantics: mmu_exo.c and mmu_linux.c.
 *
 * It has no policy: which page leaves, what is kept of it and where, is the caller's (paging.c).
 * For one thread.  Functions return 0 or -errno unless they say otherwise.
 *
 * The ideas are from Appel, Li (ASPLOS'91: what user programs want of virtual memory), the
 * exokernel (SOSP'95: visible revocation, own page tables), C4 (ISMM'11: batches of remaps), OoH
 * (SC'22: dirty logging for user space).
 */
#ifndef GC_MMU_H
#define GC_MMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MMU_SHIFT	12
#define MMU_PAGE	4096u

/* Bits of an entry, x86's own.  Other bits may be set, and mean nothing here. */
#define MMU_P		0x001ul		/* mapped */
#define MMU_W		0x002ul		/* may be written */
#define MMU_A		0x020ul		/* accessed since it was mapped or last harvested */
#define MMU_D		0x040ul		/* written since then */
#define MMU_FRAME	0x000ffffffffff000ul

struct mmu {
	uint64_t base;			/* address of page 0 */
	uint32_t pages;			/* of the region */
	const volatile uint64_t *pte;	/* pte[page]: its entry, as the hardware has it */
	uintptr_t window;		/* see mmu_window */
};
extern struct mmu mmu;

static inline uint32_t mmu_page(const void *p) { return ((uintptr_t)p - mmu.base) >> MMU_SHIFT; }
static inline void *mmu_address(uint32_t page)
{
	return (void *)(mmu.base + ((uint64_t)page << MMU_SHIFT));
}
static inline bool mmu_inside(const void *p)
{
	return (uintptr_t)p - mmu.base < (uint64_t)mmu.pages << MMU_SHIFT;
}
/* The frame that is mapped at a page, by its number; 0: none. */
static inline uint64_t mmu_frame(uint32_t page)
{
	uint64_t e = mmu.pte[page];
	return e & MMU_P ? (e & MMU_FRAME) >> MMU_SHIFT : 0;
}
/* A frame's bytes, whether it is mapped in the region or not.  Accesses here set no bits in pte[].
 */
static inline void *mmu_window(uint64_t frame) { return (void *)(mmu.window + frame * MMU_PAGE); }

/* Before mmu_init: how accesses are noticed, "auto" or a mechanism's name.  On Virtue "hardware";
 * on Linux "uffd" or "mprotect", auto: the first that the kernel offers; or "none", not at all, in
 * ordinary memory.  False: there is none of that name. */
bool mmu_select(const char *mechanism);
/* After it: which is in use. */
const char *mmu_mechanism(const char **about);
/* `frames` for the pool (0: all there are), `pages` of addresses.  `why`: what was wrong. */
int mmu_init(uint32_t pages, uint64_t frames, const char **why);

/* ---- frames ------------------------------------------------------------------------------- */

uint64_t mmu_frames_free(void);		/* in the pool: neither mapped nor taken */
uint64_t mmu_frames_total(void);	/* free, mapped and taken */
/* One out of the pool, for I/O or MMU_MAP_FRAME; 0: none.  Content: anything of this domain's. */
uint64_t mmu_frame_take(void);
void mmu_frame_put(uint64_t frame);

/* ---- batches ------------------------------------------------------------------------------- */

enum mmu_op_kind {
	MMU_MAP,	/* n empty pages get frames of the pool.  The content is what this domain left
			 * in them, unless prot has MMU_ZERO */
	MMU_MAP_FRAME,	/* one empty page gets frame `arg`, which was taken or detached */
	MMU_UNMAP,	/* n pages become empty; their frames go to the pool */
	MMU_DETACH,	/* the same, but the frames stay taken: aliased, or in somebody's hands */
	MMU_PROTECT,	/* n mapped pages: prot is MMU_W or 0 */
	MMU_MOVE,	/* n mapped pages go to the empty ones at page `arg`, with their bits */
	MMU_SWAP,	/* n mapped pages change places with those at page `arg` */
	MMU_ALIAS,	/* the frames of n mapped pages appear at the empty ones at `arg` too.  Only one
			 * of the two may be unmapped; the other is detached */
};
#define MMU_ZERO	0x100u
struct mmu_op {
	uint32_t op, page, n;
	uint32_t prot;		/* of MAP, MAP_FRAME, PROTECT, ALIAS: MMU_W, and for a new mapping MMU_A and
				 * MMU_D: the bits it is born with; MAP: MMU_ZERO */
	uint64_t arg;
};
/* Carries out n operations on pages that no two of them share.  All are checked against the state
 * before the batch first: -EINVAL, -ENOMEM (too few frames), -EBUSY (see mmu_victims): nothing was
 * done.  Translations that were removed or restricted are flushed on return. */
int mmu_batch(const struct mmu_op *op, unsigned n);
static inline int mmu_do(uint32_t kind, uint32_t page, uint32_t n, uint32_t prot, uint64_t arg)
{
	struct mmu_op op = { kind, page, n, prot, arg };
	return mmu_batch(&op, 1);
}

/* Reads and clears the bits `which` (MMU_A, MMU_D) of the mapped pages [page, page + n).  Bit i of
 * a and d (each may be NULL) is page + i; words are overwritten.  `page` is a multiple of 64.
 * On return the flush is done: a later access sets its bit again.  So: harvest, then read the page.
 * How many pages had one set. */
uint32_t mmu_harvest(uint32_t page, uint32_t n, uint32_t which, uint64_t *a, uint64_t *d);

/* Which of the pages [page, page + n) were written since the last harvest: read from the entries,
 * without a call of the kernel; nothing is cleared.  Bit i is page + i; words are overwritten; n is
 * a multiple of 64. */
static inline void mmu_dirty(uint32_t page, uint32_t n, uint64_t *bits)
{
	for (uint32_t i = 0; i < n; i += 64) {
		uint64_t word = 0;
		#pragma GCC unroll 16
		for (uint32_t k = 0; k < 64; k++)	/* D is bit 6: it enters at the top */
			word = word >> 1 | (mmu.pte[page + i + k] << 57 & 1ul << 63);
		bits[i / 64] = word;
	}
}

/* ---- faults ---------------------------------------------------------------------------------- */

struct mmu_fault {
	uint32_t page;
	bool write;
	bool mapped;		/* a write to a page without MMU_W */
	uint64_t address, ip;
};
/* Called in the faulting thread, which goes on when the hook returns true; false ends the program
 * with a report.  The hook may change mappings, and must not touch pages that are not mapped. */
void mmu_on_fault(bool (*hook)(const struct mmu_fault *f));

/* ---- revocation -------------------------------------------------------------- */

/* Stage 0: pages whose frames may go at once, unasked, content lost.  A page that went is unmapped.
 * An operation of a batch on a page ends its being discardable first: if its frame went, it is not
 * mapped. */
void mmu_discardable(uint32_t page, uint32_t n, bool on);
/* Stage 1: so many frames more are wanted until `deadline` (ns, port.h's clock).  Called at any
 * moment, between two instructions of the program, but not inside the fault hook: it answers by
 * mmu_give, or, where the program may have been interrupted in this interface, makes a note, and the
 * program answers. */
void mmu_on_revoke(void (*hook)(uint64_t frames, uint64_t deadline));
/* Gives up to n free frames of the pool back; how many are still wanted. */
uint64_t mmu_give(uint64_t n);
/* Stage 2: when the deadline has passed, frames go by force: those of these pages first, in this
 * order (at most MMU_VICTIMS; pages that are not mapped, or whose frame is in it already, are passed
 * over).  A page is discardable or in the order, as was said last, and an operation of a batch takes
 * it out of the order.  Between the deadline and the end of the request the order stands: both are
 * refused then, -EBUSY, as its pages may have been chosen.
 * A page whose frame went is unmapped.  mmu_lost tells one after the other, each once; ~0: no more.
 * When the order is at its end, any frame of the program's goes. */
#define MMU_VICTIMS	192u
int mmu_victims(const uint32_t *page, unsigned n);
uint32_t mmu_lost(void);

#endif
