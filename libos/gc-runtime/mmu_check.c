/* Checks of a batch, against the state before it.  See mmu.h. */
#include "libos/gc-runtime/mmu_check.h"

#define ENOMEM	12
#define EINVAL	22

static bool all(uint64_t page, uint32_t n, bool mapped)
{
	if (n > mmu.pages || page > mmu.pages - n)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (!(mmu.pte[page + i] & MMU_P) == mapped)
			return false;
	return true;
}

static bool right(const struct mmu_op *o)
{
	switch (o->op) {
	case MMU_MAP:
		return all(o->page, o->n, false);
	case MMU_MAP_FRAME:
		return o->n == 1 && all(o->page, 1, false) && mmu_frame_taken(o->arg);
	case MMU_UNMAP:
	case MMU_DETACH:
	case MMU_PROTECT:
		return all(o->page, o->n, true);
	case MMU_MOVE:
	case MMU_ALIAS:
	case MMU_SWAP:
		return all(o->page, o->n, true) && all(o->arg, o->n, o->op == MMU_SWAP);
	}
	return false;
}

static int settle_pages(uint64_t page, uint32_t n)
{
	if (n > mmu.pages || page > mmu.pages - n)
		return 0;		/* mmu_check refuses it */
	mmu_discardable(page, n, false);
	return mmu_unpublish(page, n);
}

int mmu_settle(const struct mmu_op *op, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (op[i].op == MMU_MAP || op[i].op == MMU_MAP_FRAME)
			continue;
		int error = settle_pages(op[i].page, op[i].n);
		if (!error && op[i].op == MMU_SWAP)
			error = settle_pages(op[i].arg, op[i].n);
		if (error)
			return error;
	}
	return 0;
}

int mmu_check(const struct mmu_op *op, unsigned n)
{
	uint64_t need = 0;
	for (unsigned i = 0; i < n; i++) {
		if (!right(&op[i]))
			return -EINVAL;
		need += op[i].op == MMU_MAP ? op[i].n : 0;
	}
	return need > mmu_frames_free() ? -ENOMEM : 0;
}
