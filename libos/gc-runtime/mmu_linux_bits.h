/* How the Linux back end of mmu.h notices accesses: one mechanism a file, behind one interface.
 *
 * mmu.pte is an array there that mmu_linux.c keeps.  A mechanism makes the kernel stop each access
 * that would set a bit the entry has not, or that it forbids; the signal sets the bit, and asks
 * the mechanism to let such accesses pass.
 */
#ifndef GC_MMU_LINUX_BITS_H
#define GC_MMU_LINUX_BITS_H

#include "libos/gc-runtime/mmu.h"
#include <sys/mman.h>

struct mmu_mechanism {
	const char *name, *about;
	/* It sees no access: A and D are always set, and a page's frame is its own anonymous memory. */
	bool blind;
	/* 0 or -errno: this kernel does not offer it, or not to us. */
	int (*start)(void);
	/* n pages that are mapped by their entries, with frames in a row and the same access: makes the
	 * kernel's mapping of them. */
	void (*map)(uint32_t page, uint32_t n);
	/* n mapped pages with the same access, which may be another than before. */
	void (*restrict_to)(uint32_t page, uint32_t n);
	/* An access was stopped that the page's entry allows by now.  `present`: the processor had found a
	 * translation. */
	void (*grant)(uint32_t page, bool present);
};
extern const struct mmu_mechanism mmu_by_uffd, mmu_by_mprotect, mmu_by_none;

/* What may pass unnoticed, as PROT_ bits. */
static inline int mmu_access(uint64_t entry)
{
	if (!(entry & MMU_A))
		return PROT_NONE;
	return entry & MMU_W && entry & MMU_D ? PROT_READ | PROT_WRITE : PROT_READ;
}

static inline bool bit_test(const uint64_t *map, uint64_t i) { return map[i / 64] >> i % 64 & 1; }
static inline void bit_set(uint64_t *map, uint64_t i, bool on)
{
	map[i / 64] = (map[i / 64] & ~(1ul << i % 64)) | (uint64_t)on << i % 64;
}

/* mmap's n pages with the frames of their entries. */
void mmu_linux_map(uint32_t page, uint32_t n, int protection, int flags);
/* Ends the program if not. */
void mmu_linux_must(bool ok, const char *what);

#endif
