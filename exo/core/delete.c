/* Deletion of capabilities: what a capability stood for ends with it.
 *
 * One mark on the top slot makes all that is derived from it unusable (see cap.c); then leaves
 * are ended and unlinked one by one, until the top is the last.  The state is in the tree
 * itself, so any call can stop within its budget and any later one go on.
 */
#include "cap.h"
#include "domain.h"
#include "table.h"
#include "disk.h"

#define CONTEXT_UNITS	64u

static bool context_end(struct slot *s, unsigned *budget)
{
	return spend(budget, CONTEXT_UNITS) && context_destroy(context_at(s->aux));
}

/* Ends what s, which has no descendants, stands for. */
static bool slot_end(struct slot *s, unsigned *budget)
{
	switch (s->type) {
	case EXO_T_FRAMES:
		return requests_end(slot_domain(s), s, budget) && loan_end(s, budget);
	case EXO_T_EXTENT:
		return requests_end(slot_domain(s), s, budget);
	case EXO_T_RING:
		return s->parent || ring_end(ring_at(s->aux), budget);
	case EXO_T_FLOW:
		return flow_slot_end(s, budget);
	case EXO_T_SLICE:
		slices_lose(slot_domain(s), s->aux, s->base, s->count);
		return true;
	case EXO_T_DEVICE:
		device_lose(slot_domain(s), s->aux);
		return true;
	case EXO_T_CONTEXT:
		return s->parent || context_end(s, budget);
	case EXO_T_DOMAIN:
		if (!s->parent)
			domain_free(domain_at(s->aux));
		return true;
	default:
		return true;
	}
}

bool cap_move_finish(struct slot *first, unsigned *budget)
{
	struct slot *old = first->parent ? NULL : slot_at(first->next), *child;

	if (!old)
		return true;
	while ((child = slot_at(old->child))) {
		if (!spend(budget, 1))
			return false;
		slot_unlink(child);
		slot_link(child, first);
	}
	first->next = 0;
	cap_clear(old);
	return true;
}

bool cap_delete_tree(struct slot *top, unsigned *budget, uint64_t *deleted)
{
	struct slot *s = top, *parent;

	top->gen |= SLOT_DYING;
	cap_era++;
	if (!cap_move_finish(top, budget))
		return false;
	for (;;) {
		while (s->child)	/* at most DERIVE_DEPTH steps down */
			s = slot_at(s->child);
		if (!spend(budget, 1) || !slot_end(s, budget))
			return false;
		parent = slot_at(s->parent);
		cap_clear(s);
		++*deleted;
		if (s == top)
			return true;
		s = parent;
	}
}

/* An object's first capability keeps it alive. */
static uint64_t delete_check(const struct slot *s)
{
	if (s->parent)
		return EXO_OK;
	if (s->type == EXO_T_DOMAIN && !domain_finished(domain_at(s->aux)))
		return FAIL(BUSY, 2);
	if (s->type == EXO_T_CONTEXT && context_at(s->aux) == this_cpu()->current)
		return FAIL(BUSY, 2);
	return EXO_OK;
}

uint64_t call_cap_delete(struct call *c)
{
	struct domain *d;
	struct slot *s;
	unsigned budget = BUDGET;
	uint64_t status = cap_domain(c->rdi, EXO_R_MANAGE, 1, &d);

	if (status || (status = cap_find_any(d, c->rsi, 2, &s)) || (status = delete_check(s)))
		return status;
	c->rdx = 0;
	return cap_delete_tree(s, &budget, &c->rdx) ? EXO_OK : EXO_AGAIN;
}

uint64_t call_cap_revoke(struct call *c)
{
	struct domain *d;
	struct slot *s;
	unsigned budget = BUDGET;
	uint64_t status = cap_domain(c->rdi, EXO_R_MANAGE, 1, &d);

	if (status || (status = cap_find_any(d, c->rsi, 2, &s)))
		return status;
	c->rdx = 0;
	if (!cap_move_finish(s, &budget))
		return EXO_AGAIN;
	while (s->child)
		if (!cap_delete_tree(slot_at(s->child), &budget, &c->rdx))
			return EXO_AGAIN;
	return EXO_OK;
}
