/* A pager: who leaves when a frame is needed.  One file each, at most 150 lines; docs/gc.md has an
 * example.  It sees pages by number (paging.h), and may use stamp of their records, and prev and next of
 * resident ones.
 *
 * Functions that a pager does not need are NULL.
 */
#ifndef GC_PAGER_H
#define GC_PAGER_H

#include "libos/gc-runtime/paging.h"

#define GC_CLUSTER	8u
struct gc_pager {
	const char *name, *about;
	bool discards;		/* dead pages are dropped; false: it knows of no collections */
	unsigned cluster;	/* pages that lie together are read by so many at once: a power of two, at
				 * most GC_CLUSTER; 0: page by page */
	void (*init)(void);
	/* A page came: with content from the store, or new. */
	void (*arrived)(uint32_t page, bool from_store);
	void (*left)(uint32_t page);
	/* The bitmap a (bit i: page first + i; n of them) of a harvest: these were accessed. */
	void (*touched)(uint32_t first, const uint64_t *a, uint32_t n);
	/* At most `want` resident pages without PAGE_STAYS, the first ones first; 0: none is left. */
	unsigned (*victims)(uint32_t *out, unsigned want);
	/* The collector refused that victim. */
	void (*kept)(uint32_t page);
	void (*collected)(void);	/* a collection has ended */
};
extern const struct gc_pager pager_lru, pager_clock, pager_age, pager_leaf, pager_aware;
extern const struct gc_pager *pager;
/* A program's own, for gc_options.pager; before gc_init. */
void gc_pager_add(const struct gc_pager *p);

/* Queues by prev and next, with a page of its own as head: 0 is never a page that leaves. */
struct page_queue { uint32_t first, last, n; };
#define NO_PAGE	0u
static inline void queue_front(struct page_queue *q, uint32_t p)
{
	struct page *r = page_of(p);
	r->prev = NO_PAGE;
	r->next = q->first;
	if (q->first)
		page_of(q->first)->prev = p;
	else
		q->last = p;
	q->first = p;
	q->n++;
}
static inline void queue_remove(struct page_queue *q, uint32_t p)
{
	struct page *r = page_of(p);
	if (r->prev)
		page_of(r->prev)->next = r->next;
	else
		q->first = r->next;
	if (r->next)
		page_of(r->next)->prev = r->prev;
	else
		q->last = r->prev;
	q->n--;
}

#endif
