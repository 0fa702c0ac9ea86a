/* Accesses noticed by protection, on any Linux: a page without A is PROT_NONE, one without D
 * PROT_READ, as Boehm's collector and user-level pagers do it.  Stretches of other protection are
 * mappings (VMAs) of their own to the kernel.  See mmu_linux_bits.h.
 */
#include "libos/gc-runtime/mmu_linux_bits.h"

static int start(void) { return 0; }

static void map(uint32_t page, uint32_t n) { mmu_linux_map(page, n, mmu_access(mmu.pte[page]), 0); }

static void restrict_to(uint32_t page, uint32_t n)
{
	mmu_linux_must(!mprotect(mmu_address(page), (size_t)n * MMU_PAGE, mmu_access(mmu.pte[page])),
		"mprotect");
}

static void grant(uint32_t page, bool present)
{
	(void)present;
	restrict_to(page, 1);
}

const struct mmu_mechanism mmu_by_mprotect = { "mprotect", "protection, SIGSEGV", false, start, map,
	restrict_to, grant };
