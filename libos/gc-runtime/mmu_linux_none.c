/* Accesses that nobody notices, on any Linux: the region is anonymous memory, as any program's heap
 * is, and all pages count as read and written.  See mmu_linux_bits.h.
 *
 * So Linux has no more to do when it swaps them than with other programs: the baseline of the
 * experiments.  For collectors that move no pages, and without a limit of ours.
 */
#include "libos/gc-runtime/mmu_linux_bits.h"

static int start(void) { return 0; }

static int protection(uint32_t page)
{
	return mmu.pte[page] & MMU_W ? PROT_READ | PROT_WRITE : PROT_READ;
}

static void map(uint32_t page, uint32_t n)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
	void *want = mmu_address(page);
	mmu_linux_must(mmap(want, (size_t)n * MMU_PAGE, protection(page), flags, -1, 0) == want, "mmap");
}

static void restrict_to(uint32_t page, uint32_t n)
{
	mmu_linux_must(!mprotect(mmu_address(page), (size_t)n * MMU_PAGE, protection(page)), "mprotect");
}

/* Nothing is forbidden that the entry allows. */
static void grant(uint32_t page, bool present)
{
	(void)page, (void)present;
}

const struct mmu_mechanism mmu_by_none = { "none", "accesses are not noticed", true, start, map,
	restrict_to, grant };
