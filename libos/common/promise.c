/* Frames that a domain was promised and has not been given yet.  See struct frames_promise. */
#include "libos/common/frames_own.h"

#define LOW_WATER	4096u	/* with fewer frames left, promised ones are asked for */

static struct {
	const volatile struct frames_promise *page;	/* NULL: nothing is promised */
	uint64_t pfn, cap, event, bits;
	uint64_t taken;			/* of what it says is given */
	uint32_t extent, used;		/* the next frame to take */
	bool asked;
} promise;

uint64_t promised(void) { return promise.page ? promise.page->total - promise.taken : 0; }

/* What is promised, copied out of the loan: nothing is mapped yet. */
void promise_read(const struct exo_start *s, struct frames_promise *p)
{
	struct exo_cap_info info;
	uint64_t cap = start_cap(s, CAP_MEMORY);
	p->extents = p->total = 0;
	if (!cap || exo_cap_info(0, cap, &info).status ||
	    !pt_peek(info.base << EXO_PAGE_SHIFT, p, sizeof *p, cap))
		return;
	promise.cap = cap;
	promise.pfn = info.base;
	promise.event = start_cap(s, CAP_MEMORY_MORE);
	promise.bits = exo_cap_info(0, promise.event, &info).status ? 0 : info.base;
}

/* Regions for it, and its page where we can look at it; the physmap's tables can be made now. */
uint64_t promise_accept(const struct frames_promise *p)
{
	uint64_t va, status;
	if (!p->extents)
		return EXO_OK;
	for (unsigned i = 0; i < p->extents; i++) {
		uint64_t first = p->extent[i].pfn, last = first + p->extent[i].count - 1;
		for (uint64_t n = first / PER_REGION; n <= last / PER_REGION; n++)
			region_get(n);
	}
	if (!(va = pt_window(1)))
		return EXO_LIMIT;
	status = pt_map(own.root, va, promise.pfn, 1, PTE_RO, promise.cap);
	if (!status)
		promise.page = (const volatile struct frames_promise *)va;
	return status;
}

static void promise_take(uint64_t given)
{
	for (; promise.taken < given; promise.taken++, promise.used++) {
		while (promise.used == promise.page->extent[promise.extent].count) {
			promise.extent++;
			promise.used = 0;
		}
		put_one((uint64_t)promise.page->extent[promise.extent].pfn + promise.used);
		own.owned++;
	}
	promise.asked = false;
}

/* Asks for promised frames if few are own.left; with `must`, waits for them.  True: some came. */
bool supply(bool must)
{
	if ((!must && own.left > LOW_WATER) || !promised())
		return false;
	if (!promise.asked)
		exo_event_signal(promise.event, promise.bits);
	promise.asked = true;
	while (promise.page->given <= promise.taken) {
		if (!must)
			return false;
		exo_yield(0);
	}
	promise_take(promise.page->given);
	return true;
}
