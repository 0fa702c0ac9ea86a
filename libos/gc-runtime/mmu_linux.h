/* What the Linux back end of mmu.h has beside it: the kernel's part in a revocation, for tests
 * (mmu_linux_revoke.c). */
#ifndef GC_MMU_LINUX_H
#define GC_MMU_LINUX_H

#include <stdint.h>

/* Asks for frames: discardable ones go at once (stage 0), for the rest the hook is called. */
void mmu_linux_revoke(uint64_t frames, uint64_t deadline);
/* Frames that went come back to the pool, as many as n; how many did. */
uint64_t mmu_linux_return(uint64_t n);
/* The deadline has passed: the published victims go by force.  How many are still wanted. */
uint64_t mmu_linux_force(void);

/* For mmu_linux.c: at the beginning (0 or -errno), and how many frames are gone. */
int mmu_linux_revoke_init(uint32_t pages, uint64_t frames);
uint64_t mmu_linux_given(void);

#endif
