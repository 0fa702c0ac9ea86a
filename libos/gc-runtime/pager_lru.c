/* Least recently used, as far as harvests of A bits tell; knows nothing of collections. */
#include "libos/gc-runtime/pager.h"

static struct page_queue queue;		/* the most recent first */
static uint32_t since;			/* pages that left since the last harvest */

static void lru_arrived(uint32_t p, bool from_store)
{
	(void)from_store;
	queue_front(&queue, p);
}

static void lru_left(uint32_t p)
{
	queue_remove(&queue, p);
	since++;
}

static void lru_touched(uint32_t first, const uint64_t *a, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (a[i / 64] >> i % 64 & 1) {
			queue_remove(&queue, first + i);
			queue_front(&queue, first + i);
		}
}

/* A harvest each time an eighth of memory has left. */
static unsigned lru_victims(uint32_t *out, unsigned want)
{
	unsigned n = 0;
	if (since * 8 >= queue.n) {
		since = 0;
		paging_touches(false);
	}
	for (uint32_t p = queue.last; p && n < want; p = page_of(p)->prev)
		out[n++] = p;
	return n;
}

static void lru_kept(uint32_t p)
{
	queue_remove(&queue, p);
	queue_front(&queue, p);
}

const struct gc_pager pager_lru = {
	.name = "lru", .about = "least recently used; knows nothing of collections",
	.cluster = GC_CLUSTER, .arrived = lru_arrived, .left = lru_left, .touched = lru_touched,
	.victims = lru_victims,
	.kept = lru_kept,
};
