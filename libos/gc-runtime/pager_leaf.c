/* Pointer-free pages first: no collection ever has to look at them. Among equals, second chance. */
#include "libos/gc-runtime/pager.h"

#define STEP	64u

static uint32_t hand;

static bool wanted(uint32_t p, bool leaf)
{
	const struct page *r = page_of(p);
	return p && r->state == PAGE_IN && !(r->flags & PAGE_STAYS) &&
		!!(r->flags & PAGE_LEAF) == leaf;
}

static unsigned turn(uint32_t *out, unsigned want, bool leaf, uint32_t rounds)
{
	unsigned n = 0;
	for (uint32_t k = 0; k < rounds * paging.pages && n < want; k += STEP) {
		if (k == paging.pages && n)
			break;
		uint64_t a = 0;
		if (paging.ready[hand / SEGMENT]) {
			mmu_harvest(hand, STEP, MMU_A, &a, NULL);
			for (uint32_t i = 0; i < STEP && n < want; i++)
				if (wanted(hand + i, leaf) && !(a >> i & 1))
					out[n++] = hand + i;
		}
		hand = (hand + STEP) % paging.pages;
	}
	return n;
}

static unsigned leaf_victims(uint32_t *out, unsigned want)
{
	unsigned n = turn(out, want, true, 2);
	return n ? n : turn(out, want, false, 2);
}

const struct gc_pager pager_leaf = {
	.name = "pointer-free", .about = "pointer-free pages first; drops dead pages",
	.discards = true, .victims = leaf_victims,
};
