/* Timers: a binary heap by time.
 *
 * Who fires them, and when, is sched.c's; what a firing does is its owner's.
 */
#include "libos/posix/process.h"

static struct timer **heap;
static size_t count, capacity;

static void put(size_t i, struct timer *t)
{
	heap[i] = t;
	t->at = (uint32_t)i + 1;
}

static void sift_up(size_t i, struct timer *t)
{
	for (; i && t->when < heap[(i - 1) / 2]->when; i = (i - 1) / 2)
		put(i, heap[(i - 1) / 2]);
	put(i, t);
}

static void sift_down(size_t i, struct timer *t)
{
	for (size_t child; (child = 2 * i + 1) < count; i = child) {
		if (child + 1 < count && heap[child + 1]->when < heap[child]->when)
			child++;
		if (t->when <= heap[child]->when)
			break;
		put(i, heap[child]);
	}
	put(i, t);
}

void timer_remove(struct timer *t)
{
	if (!t->at)
		return;
	size_t i = t->at - 1;
	t->at = 0;
	struct timer *last = heap[--count];
	if (last == t)
		return;
	if (i && last->when < heap[(i - 1) / 2]->when)
		sift_up(i, last);
	else
		sift_down(i, last);
}

void timer_add(struct timer *t, uint64_t when)
{
	timer_remove(t);
	if (when == FOREVER)
		return;
	if (count == capacity) {
		capacity = capacity ? capacity * 2 : 64;
		heap = krealloc(heap, capacity * sizeof *heap);
		if (!heap)
			posix_panic("no memory for timers");
	}
	t->when = when;
	sift_up(count++, t);
	stack_top()->work |= WORK_SCHED;
}

uint64_t timer_earliest(void)
{
	return count ? heap[0]->when : FOREVER;
}

void timers_run(uint64_t now)
{
	while (count && heap[0]->when <= now) {
		struct timer *t = heap[0];
		timer_remove(t);
		t->fire(t);
	}
}
