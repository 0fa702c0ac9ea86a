/* wait: blocks a context until words of memory compare as asked (Xok's wakeup
 * predicates), or a time comes (Denali's idle-with-timeout).
 *
 * A predicate is a sum of products, small enough to be kept in the context's object and
 * evaluated in bounded time; the frames of its words are pinned meanwhile.  It is not
 * polled: evaluated on the call, on a signal, at slice start and at the deadline.
 */
#include "table.h"
#include "context.h"

static bool compare(const struct exo_term *t)
{
	uint64_t word = *(volatile uint64_t *)phys_to_virt(t->addr);
	switch (t->op) {
	case EXO_EQ:
		return word == t->value;
	case EXO_NE:
		return word != t->value;
	case EXO_LT:
		return word < t->value;
	case EXO_GE:
		return word >= t->value;
	}
	return word & t->value;
}

/* The number of the first product that holds, or -1. */
static int evaluate(const struct exo_predicate *p)
{
	for (unsigned i = 0; i < p->products; i++) {
		bool all = true;
		for (unsigned j = 0; all && j < p->terms[i]; j++)
			all = compare(&p->term[i][j]);
		if (all)
			return i;
	}
	return -1;
}

static void pins(const struct exo_predicate *p, void (*change)(uint64_t pfn))
{
	for (unsigned i = 0; i < p->products; i++)
		for (unsigned j = 0; j < p->terms[i]; j++)
			change(p->term[i][j].addr >> EXO_PAGE_SHIFT);
}

__attribute__((noinline)) void wait_wake(struct context *x, unsigned status, uint64_t value)
{
	if (x->state != EXO_CS_WAITING)
		return;
	timer_cancel(x, TIMER_WAIT);
	pins(&x->pred, frame_unpin);
	x->woken = 1;
	x->wake_status = status;
	x->wake_value = value;
	x->state = EXO_CS_STOPPED;
	sched_ready(x);
}

bool wait_check(struct context *x)
{
	int product = evaluate(&x->pred);
	if (product < 0)
		return false;
	wait_wake(x, EXO_OK, product);
	return true;
}

/* One word: aligned, in a data frame of the domain or on loan. */
static uint64_t term_check(struct domain *d, const struct exo_term *t)
{
	uint64_t pfn = t->addr >> EXO_PAGE_SHIFT;
	struct slot *loan;
	if (t->addr & 7 || t->op >= EXO_CMP_COUNT)
		return FAIL(ARG, 1);
	uint64_t status = t->cap ? cap_find(d, t->cap, EXO_T_FRAMES, EXO_R_READ, 1, &loan) :
		frame_own(d, pfn, 1);
	if (status)
		return status;
	if (t->cap && !loan_covers(loan, pfn))
		return FAIL(OWNER, 1);
	return frame_pin_ok(pfn) ? EXO_OK : FAIL(BUSY, 1);
}

static uint64_t predicate_read(struct domain *d, struct exo_predicate *p, uint64_t from)
{
	if (!user_read(p, from, offsetof(struct exo_predicate, term)))
		return FAIL(FAULT, 1);
	if (p->products > EXO_WAIT_PRODUCTS)
		return FAIL(ARG, 1);
	for (unsigned i = 0; i < p->products; i++) {
		if (!p->terms[i] || p->terms[i] > EXO_WAIT_TERMS)
			return FAIL(ARG, 1);
		uint64_t at = from + offsetof(struct exo_predicate, term) + i * sizeof p->term[i];
		if (!user_read(p->term[i], at, p->terms[i] * sizeof p->term[i][0]))
			return FAIL(FAULT, 1);
		for (unsigned j = 0; j < p->terms[i]; j++) {
			uint64_t status = term_check(d, &p->term[i][j]);
			if (status)
				return status;
		}
	}
	return EXO_OK;
}

uint64_t call_wait(struct call *c)
{
	struct context *x = this_cpu()->current;
	struct exo_predicate *p = &x->pred;
	volatile uint8_t *pair = (volatile uint8_t *)context_pair(x);
	uint64_t status = EXO_OK;
	if (c->rdx & ~(uint64_t)(EXO_WAIT_UNMASK | EXO_WAIT_OPEN))
		return FAIL(ARG, 3);
	p->products = 0;
	if (c->rdi)
		status = predicate_read(domain_at(x->domain), p, c->rdi);
	if (status) {
		p->products = 0;
		return status;
	}
	if (c->rdx & EXO_WAIT_UNMASK)
		pair[1] = 0;
	int product = evaluate(p);
	if (product >= 0) {
		c->rdx = product;
		return EXO_OK;
	}
	if (pair[0] && !pair[1])
		return EXO_EVENT;
	if (c->rsi <= arch_now())
		return EXO_TIMEOUT;
	pins(p, frame_pin);
	sched_block(x, EXO_CS_WAITING);
	x->open = (c->rdx & EXO_WAIT_OPEN) != 0;
	if (c->rsi != EXO_FOREVER)
		timer_queue(x, TIMER_WAIT, c->rsi);
	return EXO_OK;
}
