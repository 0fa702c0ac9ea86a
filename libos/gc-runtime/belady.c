/* Belady's MIN over a recorded trace.  See trace.h. */
#include "libos/gc-runtime/trace.h"
#include "libos/gc-runtime/port.h"

#define NEVER	0xffffffffu

struct state {
	uint32_t next;			/* the event that refers to it next; NEVER: dies or ends first */
	uint32_t place;			/* in the heap + 1; 0: not resident */
	bool dirty, stored;		/* differs from the store; the store has it */
};
static struct state *page;
static uint32_t *heap;			/* resident pages, the farthest next reference on top */
static uint64_t heap_n;
static struct belady *result;

static uint32_t key(uint64_t i) { return page[heap[i]].next; }

static void put(uint64_t i, uint32_t p)
{
	heap[i] = p;
	page[p].place = i + 1;
}

static void up(uint64_t i)
{
	uint32_t p = heap[i];
	for (; i && key((i - 1) / 2) < page[p].next; i = (i - 1) / 2)
		put(i, heap[(i - 1) / 2]);
	put(i, p);
}

static void down(uint64_t i)
{
	uint32_t p = heap[i];
	for (uint64_t k; (k = 2 * i + 1) < heap_n; i = k) {
		if (k + 1 < heap_n && key(k + 1) > key(k))
			k++;
		if (key(k) <= page[p].next)
			break;
		put(i, heap[k]);
	}
	put(i, p);
}

static void take_out(uint32_t p)
{
	uint64_t i = page[p].place - 1;
	uint32_t last = heap[--heap_n];
	page[p].place = 0;
	if (last == p)
		return;
	put(i, last);
	up(i);
	down(page[last].place - 1);
}

static void bring(uint32_t p, uint64_t frames)
{
	if (heap_n == frames) {
		uint32_t victim = heap[0];
		take_out(victim);
		if (page[victim].dirty && page[victim].next != NEVER) {
			result->writes++;
			page[victim].stored = true;
			page[victim].dirty = false;
		}
	}
	put(heap_n++, p);
	up(heap_n - 1);
}

/* next[i]: the event after i that refers to the same page; NEVER if it dies first. */
static void look_ahead(const uint32_t *event, uint64_t n, uint32_t pages, uint32_t *next)
{
	for (uint32_t p = 0; p < pages; p++)
		page[p].next = NEVER;
	for (uint64_t i = n; i-- > 0;) {
		struct state *s = &page[TRACE_PAGE(event[i])];
		bool reference = TRACE_KIND(event[i]) == TRACE_READ || TRACE_KIND(event[i]) == TRACE_WRITE;
		next[i] = s->next;
		s->next = reference ? i : NEVER;
	}
}

static void step(uint32_t event, uint32_t next, uint64_t frames)
{
	uint32_t p = TRACE_PAGE(event);
	struct state *s = &page[p];
	enum trace_kind kind = TRACE_KIND(event);
	s->next = next;
	if (kind == TRACE_DIED) {
		if (s->place)
			take_out(p);
		s->stored = s->dirty = false;
		return;
	}
	if (s->place) {
		up(s->place - 1);
		down(s->place - 1);
	} else {
		if (kind != TRACE_BORN && s->stored)
			result->reads++;
		bring(p, frames);
	}
	result->references += kind != TRACE_BORN;
	if (kind != TRACE_READ)
		s->dirty = true;
}

bool belady(const uint32_t *event, uint64_t n, uint32_t *next, uint32_t pages, uint64_t frames,
	struct belady *out)
{
	page = port_memory(pages * sizeof *page);
	heap = port_memory((frames + 1) * sizeof *heap);
	*out = (struct belady){ 0 };
	result = out;
	heap_n = 0;
	if (!page || !heap || !frames || n >= NEVER)
		return false;
	look_ahead(event, n, pages, next);
	for (uint64_t i = 0; i < n; i++)
		step(event[i], next[i], frames);
	for (uint32_t p = 0; p < pages; p++)
		out->pages += page[p].next != NEVER || page[p].place || page[p].stored;
	return true;
}
