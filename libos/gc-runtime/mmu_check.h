/* What both back ends of mmu.h check before a batch. */
#ifndef GC_MMU_CHECK_H
#define GC_MMU_CHECK_H

#include "libos/gc-runtime/mmu.h"

/* By the back end: was this frame taken, and not put back? */
bool mmu_frame_taken(uint64_t frame);
/* The pages of a batch are not discardable any more. */
void mmu_settle(const struct mmu_op *op, unsigned n);
/* 0, -EINVAL, or -ENOMEM: more frames are needed than are free. */
int mmu_check(const struct mmu_op *op, unsigned n);

#endif
