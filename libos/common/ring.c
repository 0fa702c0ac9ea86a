/* The byte ring.  See ring.h. */
#include "libos/common/ring.h"
#include "libos/common/text.h"

static uint64_t load(const struct ring_word *w) { return __atomic_load_n(&w->value, __ATOMIC_ACQUIRE); }
static void store(struct ring_word *w, uint64_t v) { __atomic_store_n(&w->value, v, __ATOMIC_RELEASE); }

void ring_init(struct ring *r, struct ring_shared *shared, void *data, uint64_t size)
{
	*r = (struct ring){ shared, data, size, 0 };
}

/* What lies between the two positions, whatever the peer claims: at most the ring's size. */
static uint64_t distance(const struct ring *r, uint64_t head, uint64_t tail)
{
	return head - tail <= r->size ? head - tail : 0;
}

size_t ring_room(const struct ring *r)
{
	uint64_t tail = load(&r->shared->tail);
	return r->mine - tail <= r->size ? r->size - (r->mine - tail) : 0;
}

size_t ring_used(const struct ring *r) { return distance(r, load(&r->shared->head), r->mine); }

/* The bytes from position `at` on that lie in a row. */
static size_t in_a_row(const struct ring *r, uint64_t at, size_t n)
{
	uint64_t rest = r->size - (at & (r->size - 1));
	return n < rest ? n : rest;
}

size_t ring_write(struct ring *r, const void *from, size_t n)
{
	size_t room = ring_room(r), first;
	if (n > room)
		n = room;
	first = in_a_row(r, r->mine, n);
	memcpy(r->data + (r->mine & (r->size - 1)), from, first);
	memcpy(r->data, (const uint8_t *)from + first, n - first);
	r->mine += n;
	store(&r->shared->head, r->mine);
	return n;
}

size_t ring_read(struct ring *r, void *to, size_t n)
{
	size_t used = ring_used(r), first;
	if (n > used)
		n = used;
	first = in_a_row(r, r->mine, n);
	memcpy(to, r->data + (r->mine & (r->size - 1)), first);
	memcpy((uint8_t *)to + first, r->data, n - first);
	r->mine += n;
	store(&r->shared->tail, r->mine);
	return n;
}

void ring_end(struct ring *r) { store(&r->shared->end, 1); }
void ring_stop(struct ring *r) { store(&r->shared->stop, 1); }
bool ring_stopped(const struct ring *r) { return load(&r->shared->stop); }
bool ring_ended(const struct ring *r) { return load(&r->shared->end) && !ring_used(r); }
