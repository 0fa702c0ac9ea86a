/* The aware pager: drops dead pages, keeps the nursery, and resists scans.
 *
 * 2Q (Johnson, Shasha, VLDB'94): a page read from the store waits in a short queue IN; if it leaves
 * and is soon missed again, it belongs to the pages in frequent use, MAIN.  So a scan that is larger
 * than memory passes through IN and leaves MAIN alone, where LRU would miss every page.  New pages go
 * to MAIN, and those that find IN full: MAIN gets back what died in it.
 */
#include "libos/gc-runtime/pager.h"

#define IN_SHARE	128u	/* IN holds at least 1/128 of the pages, */
#define IN_MOST		24u	/* at most 1/24: what garbage takes and gives back between collections */
#define GHOSTS_SHARE	4u	/* remembered when they left: 1/4 */

static struct page_queue main_queue, in_queue;
static uint32_t since, departures = 1;	/* page.stamp: the departure that it was, 0: none */

static struct page_queue *queue_of(uint32_t p)
{
	return page_of(p)->flags & PAGE_SEEN ? &main_queue : &in_queue;
}

static void enter(uint32_t p, bool to_main)
{
	struct page *r = page_of(p);
	r->flags = to_main ? r->flags | PAGE_SEEN : r->flags & ~PAGE_SEEN;
	queue_front(queue_of(p), p);
}

static bool ghost(const struct page *r)
{
	return r->stamp && departures - r->stamp < (main_queue.n + in_queue.n) / GHOSTS_SHARE;
}

static void aware_arrived(uint32_t p, bool from_store)
{
	struct page *r = page_of(p);
	if (r->flags & PAGE_STAYS)
		return;
	enter(p, !from_store || ghost(r) || in_queue.n > (main_queue.n + in_queue.n) / IN_MOST);
}

static void aware_left(uint32_t p)
{
	struct page *r = page_of(p);
	if (r->flags & PAGE_STAYS)
		return;
	queue_remove(queue_of(p), p);
	r->stamp = r->flags & PAGE_SEEN ? 0 : departures++;
	since++;
}

/* Only in MAIN does use matter; IN is first in, first out. */
static void aware_touched(uint32_t first, const uint64_t *a, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct page *r = page_of(first + i);
		if (!(a[i / 64] >> i % 64 & 1) || r->flags & PAGE_STAYS || !(r->flags & PAGE_SEEN))
			continue;
		queue_remove(&main_queue, first + i);
		queue_front(&main_queue, first + i);
	}
}

static unsigned take(const struct page_queue *q, uint32_t *out, unsigned n, unsigned want)
{
	for (uint32_t p = q->last; p && n < want; p = page_of(p)->prev)
		out[n++] = p;
	return n;
}

static unsigned aware_victims(uint32_t *out, unsigned want)
{
	uint32_t all = main_queue.n + in_queue.n;
	uint32_t in_least = all / IN_SHARE > want ? all / IN_SHARE : want;
	unsigned n = 0;
	if (since * 2 >= all) {
		since = 0;
		paging_touches(false);
	}
	if (in_queue.n > in_least)
		n = take(&in_queue, out, 0, want);
	if (!n)
		n = take(&main_queue, out, 0, want);
	return n ? n : take(&in_queue, out, 0, want);
}

static void aware_kept(uint32_t p)
{
	queue_remove(queue_of(p), p);
	enter(p, true);
}

const struct gc_pager pager_aware = {
	.name = "aware", .about = "drops dead pages, keeps the nursery, resists scans (2Q)",
	.discards = true, .arrived = aware_arrived, .left = aware_left, .touched = aware_touched,
	.victims = aware_victims, .kept = aware_kept,
};
