/* Address spaces: what is mapped where (vma.c), page tables (tables.c), faults (fault.c), and
 * the calls that change them (mmap.c, mremap.c).
 *
 * The layout is Linux's without randomisation: programs at their addresses, static-PIE ones at
 * PIE_BASE, brk behind the program, mmap downwards from below the stack.
 */
#ifndef MM_H
#define MM_H

#include "libos/posix/process.h"

#ifndef PAGE
#define PAGE		4096ul
#endif
#define USER_LOW	0x10000ul		/* nothing is mapped below, unless MAP_FIXED says so */
#define PIE_BASE	0x555555554000ul
#define STACK_GAP	(1ul << 20)		/* between the stack's limit and mmap's area */
#define page_down(x)	((x) & ~(PAGE - 1))
#define page_up(x)	(((x) + PAGE - 1) & ~(PAGE - 1))

/* ---- areas ------------------------------------------------------------------ */

enum vma_flag { VMA_SHARED = 1, VMA_GROWS = 2, VMA_LOCKED = 4, VMA_HEAP = 8 };

struct vma {
	uint64_t start, end;
	uint32_t prot;			/* PROT_* */
	uint32_t flags;			/* enum vma_flag */
	struct file *file;		/* counted; NULL: anonymous */
	struct shm *shm;		/* counted; of an anonymous shared area */
	uint64_t offset;		/* of start, in the file or shm */
};
struct vmas { struct vma *v; size_t n, room; };	/* sorted, disjoint */

struct vma *vma_find(const struct vmas *m, uint64_t addr);	/* holds addr; NULL */
size_t vma_index(const struct vmas *m, uint64_t addr);		/* first that ends above addr */
/* Takes over v's reference; merges with its neighbours.  The range must be free. */
int vma_insert(struct vmas *m, struct vma v);
/* Makes start and end borders of areas, as far as they lie in one. */
int vma_cut(struct vmas *m, uint64_t start, uint64_t end);
int vma_remove(struct vmas *m, uint64_t start, uint64_t end);
void vma_merge(struct vmas *m, uint64_t start, uint64_t end);	/* joins what fits */
bool vma_free(const struct vmas *m, uint64_t start, uint64_t end);
/* The first address of [start, end) that no area holds; end: none. */
uint64_t vma_hole(const struct vmas *m, uint64_t start, uint64_t end);
bool vma_covered(const struct vmas *m, uint64_t start, uint64_t end);	/* without holes */
/* The highest free place of that size in [lo, hi), 0 = none. */
uint64_t vma_gap(const struct vmas *m, uint64_t size, uint64_t lo, uint64_t hi);
int vmas_copy(struct vmas *to, const struct vmas *from);
void vmas_clear(struct vmas *m);

/* Memory of anonymous shared areas. */
struct shm { uint32_t refs; size_t pages; uint32_t *pfn; };
struct shm *shm_new(size_t pages);
void shm_get(struct shm *s);
void shm_put(struct shm *s);
long shm_page(struct shm *s, uint64_t index);	/* its pfn, counted once more; -errno */

/* ---- address spaces ------------------------------------------------------------ */

struct table { uint64_t entry; uint32_t pfn, level; };	/* entry: who refers to it */

struct mm {
	uint32_t refs;			/* threads and vfork children */
	uint32_t root;
	struct vmas areas;
	struct table *tables;		/* page tables below the root, parents first */
	size_t table_count, table_room;
	uint64_t cached_base;		/* pt1 maps 2 MiB from here; ~0: none */
	uint64_t *cached_pt1;
	uint64_t brk_start, brk, mmap_top;
	uint64_t pages, pages_most;	/* present: now, and at most */
	uint64_t stack_limit;
	uint64_t arg_start, arg_end, env_start, env_end;
	struct file *exe;
};

struct fault { int signal, code; uint64_t addr; };	/* signal 0: served */

struct mm *mm_new(void);
void mm_put(struct mm *mm);
struct mm *mm_fork(struct mm *parent);
void mm_load(struct mm *mm);		/* this CPU's root (sched.c) */
struct fault mm_fault(struct mm *mm, uint64_t addr, uint64_t error);
/* Serves a fault that a write or read of the page would cause: 0 or -EFAULT. */
int mm_touch(struct mm *mm, uint64_t addr, bool write);
int mm_map(struct mm *mm, struct vma v);	/* takes the reference; unmaps what was there */
int mm_unmap(struct mm *mm, uint64_t start, uint64_t end);
void mm_forget(struct mm *mm, uint64_t start, uint64_t end);	/* pages go, areas stay */
uint64_t mm_place(struct mm *mm, uint64_t size);
uint64_t mm_pages_most(struct mm *mm);
uint64_t mm_pages_of(const struct mm *mm);	/* total size of its areas, in pages */

/* ---- page tables (tables.c) ------------------------------------------------------ */

#define PTE_HIDDEN	0x200ul		/* not present: keeps a page of a PROT_NONE area */
#define PTE_FILE	0x400ul		/* a private mapping's page that is the file's own */
static inline uint64_t pte_hide(uint64_t e)
{
	return (~e & EXO_PTE_FRAME) | PTE_HIDDEN | (e & PTE_FILE);
}
static inline uint32_t pte_pfn(uint64_t e)
{
	return (uint32_t)(((e & EXO_PTE_P ? e : ~e) & EXO_PTE_FRAME) >> EXO_PAGE_SHIFT);
}
static inline uint64_t pte_of(uint32_t pfn, uint32_t prot, bool write)
{
	return (uint64_t)pfn << EXO_PAGE_SHIFT | EXO_PTE_P | EXO_PTE_U | EXO_PTE_A |
		(write ? EXO_PTE_W | EXO_PTE_D : 0) | (prot & PROT_EXEC ? 0 : EXO_PTE_NX);
}
extern uint32_t zero_pfn;

uint32_t root_get(void);			/* an empty root; 0 = no memory */
void root_put(uint32_t root);
/* The table that maps va's 2 MiB, as seen through the physmap; NULL: there is none. */
uint64_t *pt1_find(struct mm *mm, uint64_t va);
uint64_t *pt1_make(struct mm *mm, uint64_t va);	/* NULL: no memory */
void tables_free(struct mm *mm);		/* all; ends the batch that cleared their entries */
static inline unsigned pt1_index(uint64_t va) { return va >> 12 & 511; }
/* The next address in [va, end) that has a table, for walks; end: none. */
uint64_t pt1_next(struct mm *mm, uint64_t va, uint64_t end);

/* A batch of entry writes.  `narrow`: some translation that was there goes, or loses a right.
 * There is one batch at a time; its frames are put after the flush. */
void batch_start(struct mm *mm);
void batch_set(uint64_t *entry, uint64_t value);
void batch_protect(uint64_t *entry, uint64_t value);	/* keeps A and D; narrows */
void batch_drop(uint64_t *entry);			/* clears it and puts its frame */
void batch_narrow(void);
void batch_end(void);
/* One entry of a page that was not present, or is widened. */
void pte_set(uint64_t *entry, uint64_t value);
/* One entry that was present and now is another page, or narrower. */
void pte_replace(struct mm *mm, uint64_t va, uint64_t *entry, uint64_t value);

/* ---- frames (heap.c) ------------------------------------------------------------- */

uint32_t frame_new(void);		/* count 1, content undefined; 0 = none */
uint32_t frame_count(uint32_t pfn);
void page_zero(void *page);
void page_copy(void *to, const void *from);

#endif
