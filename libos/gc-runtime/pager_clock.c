/* Second chance: a hand goes round the resident pages and clears A bits; knows nothing of
 * collections. */
#include "libos/gc-runtime/pager.h"

#define STEP	64u

static uint32_t hand;

static unsigned step(uint32_t *out, unsigned n, unsigned want)
{
	uint64_t a = 0;
	if (paging.ready[hand / SEGMENT]) {
		mmu_harvest(hand, STEP, MMU_A, &a, NULL);
		for (uint32_t i = 0; i < STEP && n < want; i++)
			if (page_of(hand + i)->state == PAGE_IN && !(a >> i & 1) && hand + i)
				out[n++] = hand + i;
	}
	hand = (hand + STEP) % paging.pages;
	return n;
}

static unsigned clock_victims(uint32_t *out, unsigned want)
{
	unsigned n = 0;
	for (uint32_t turned = 0; n < want && turned <= 2 * paging.pages; turned += STEP) {
		if (turned == paging.pages && n)
			break;
		n = step(out, n, want);
	}
	return n;
}

const struct gc_pager pager_clock = {
	.name = "clock", .about = "second chance; knows nothing of collections",
	.cluster = GC_CLUSTER, .victims = clock_victims,
};
