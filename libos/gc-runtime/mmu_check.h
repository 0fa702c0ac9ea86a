/* What both back ends of mmu.h check before a batch. */
#ifndef GC_MMU_CHECK_H
#define GC_MMU_CHECK_H

#include "libos/gc-runtime/mmu.h"

/* By the back end: was this frame taken, and not put back? */
bool mmu_frame_taken(uint64_t frame);
/* By the back end: the pages are not in the order any more; -EBUSY: one may have been chosen. */
int mmu_unpublish(uint32_t page, uint32_t n);
/* The pages of a batch are neither discardable nor in the order any more; or -EBUSY. */
int mmu_settle(const struct mmu_op *op, unsigned n);
/* 0, -EINVAL, or -ENOMEM: more frames are needed than are free. */
int mmu_check(const struct mmu_op *op, unsigned n);

#endif
