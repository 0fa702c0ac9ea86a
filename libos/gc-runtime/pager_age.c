/* By age in collections: what the mutator has not touched for most of them leaves first. */
#include "libos/gc-runtime/pager.h"

static uint32_t hand;

static bool candidate(uint32_t p)
{
	const struct page *r = page_of(p);
	return p && r->state == PAGE_IN && !(r->flags & PAGE_STAYS);
}

static unsigned oldest(void)
{
	unsigned age = 0;
	for (uint32_t p = 0; p < paging.pages; p++) {
		if (!(p % SEGMENT) && !paging.ready[p / SEGMENT]) {
			p += SEGMENT - 1;
			continue;
		}
		if (candidate(p) && page_of(p)->age > age)
			age = page_of(p)->age;
	}
	return age;
}

/* From the hand on, at least three quarters as old as the oldest. */
static unsigned age_victims(uint32_t *out, unsigned want)
{
	unsigned n = 0, age = oldest() * 3 / 4;
	for (uint32_t k = 0; k < paging.pages && n < want; k++, hand = (hand + 1) % paging.pages)
		if (paging.ready[hand / SEGMENT] && candidate(hand) && page_of(hand)->age >= age)
			out[n++] = hand;
	return n;
}

/* The others of that age are to be tried, and then the younger ones. */
static void age_kept(uint32_t p) { page_of(p)->age = 0; }

const struct gc_pager pager_age = {
	.name = "gc-age", .about = "what is untouched for most collections; drops dead pages",
	.discards = true, .victims = age_victims, .kept = age_kept,
};
