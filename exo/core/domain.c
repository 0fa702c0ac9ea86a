/* Domains: one application each, with its frames, capabilities and contexts.
 *
 * Creation, control and inspection; the end of a domain is in destroy.c, asking frames back
 * in revoke.c.  The domain object and its first table frame belong to the creator; all that
 * comes later is the domain's own.
 */
#include "frame.h"
#include "cap.h"
#include "domain.h"
#include "context.h"

uint32_t domain_init_id;

struct domain *domain_at(uint32_t id) { return id ? pfn_to_virt(id) : NULL; }
static struct link *sibling(uint32_t id) { return &domain_at(id)->sibling; }

struct domain *domain_make(uint64_t object, uint64_t table, struct domain *parent)
{
	struct domain *d = frame_object_take(object);

	d->id = object;
	frame_at(object)->typerefs = object;	/* the watch slot in it is the domain's */
	cap_table_add(d, table);
	if (parent)
		domain_adopt(d, parent);
	return d;
}

void domain_adopt(struct domain *d, struct domain *parent)
{
	d->parent = parent->id;
	ring_push(&parent->first_child, d->id, sibling);
}

void domain_orphan(struct domain *d)
{
	ring_remove(&domain_at(d->parent)->first_child, d->id, sibling);
}

void domain_signal_watch(struct domain *d)
{
	const struct slot *s = &d->watch;

	if (s->type == EXO_T_EVENT)
		context_signal(context_at(s->aux), d->watch_bits);
	if (!d->parent && (d->state == EXO_DS_EXITED || d->state == EXO_DS_KILLED))
		panic("the first domain has ended");	/* nobody is left who could do anything */
}

void domain_signal(struct domain *d, uint64_t bits)
{
	for (struct context *x = context_first(d); x; x = context_next(d, x))
		context_signal(x, bits);
}

uint64_t call_domain_create(struct call *c)
{
	struct domain *self = current_domain(), *d;
	struct slot cap = { .type = EXO_T_DOMAIN, .rights = DOMAIN_RIGHTS, .aux = c->rsi };
	uint64_t slot = c->rdi, object = c->rsi, table = c->rdx;
	uint64_t status = cap_slot_check(self, &slot, 1);

	if (status || (status = frame_object_check(self, object, 2)) ||
	    (status = frame_object_check(self, table, 3)))
		return status;
	if (object == table || table >> TABLE_PFN_BITS)
		return FAIL(ARG, 3);
	if (object >> TABLE_PFN_BITS)
		return FAIL(ARG, 2);
	d = domain_make(object, table, self);
	cap.aux = d->id;
	return cap_insert(self, slot, 1, &cap, NULL, &c->rdx);
}

/* ---- domain_ctl --------------------------------------------------------- */

static uint64_t domain_set_page(struct domain *d, uint64_t pfn)
{
	uint64_t status = pfn ? frame_own(d, pfn, 3) : EXO_OK;

	if (status)
		return status;
	if (pfn && !frame_pin_ok(pfn))
		return FAIL(TYPE, 3);
	if (pfn)
		frame_pin(pfn);
	if (d->page)
		frame_unpin(d->page);
	d->page = pfn;
	return EXO_OK;
}

/* The watch is a capability of its own, derived from the caller's, in the domain object. */
static uint64_t domain_set_watch(struct domain *d, uint64_t event, uint64_t bits)
{
	struct slot *s = NULL, copy;
	uint64_t status = EXO_OK;

	if (event)
		status = cap_find(current_domain(), event, EXO_T_EVENT, EXO_R_SIGNAL, 3, &s);
	if (status)
		return status;
	if (s && (!bits || bits & ~slot_mask(s)))
		return FAIL(ARG, 4);
	if (s && (status = cap_depth_check(s)))
		return status;
	if (d->watch.type)
		cap_clear(&d->watch);
	if (s) {
		copy = *s;
		slot_fill(&d->watch, &copy, s);
	}
	d->watch_bits = bits;
	return EXO_OK;
}

static uint64_t domain_stop(struct domain *d, unsigned state)
{
	if (d->state != EXO_DS_ACTIVE && d->state != state)
		return FAIL(STATE, 1);
	if (d->state != state) {
		d->state = state;
		domain_signal_watch(d);
	}
	return contexts_stop(d) || d == current_domain() ? EXO_OK : EXO_AGAIN;
}

uint64_t call_domain_ctl(struct call *c)
{
	struct domain *d, *self = current_domain();
	uint64_t a = c->rdx, status = cap_domain(c->rdi, EXO_R_MANAGE, 1, &d);

	if (status)
		return status;
	c->rdx = 0;
	switch (c->rsi) {
	case EXO_DOM_PAGE:
		return domain_set_page(d, a);
	case EXO_DOM_RESERVE:
		if (d == self)
			return FAIL(RIGHT, 1);
		if (a > UINT32_MAX)
			return FAIL(ARG, 3);
		d->reserve = a;
		return EXO_OK;
	case EXO_DOM_STOP:
		return domain_stop(d, EXO_DS_STOPPED);
	case EXO_DOM_START:
		if (d->state != EXO_DS_STOPPED)
			return FAIL(STATE, 1);
		d->state = EXO_DS_ACTIVE;
		contexts_start(d);
		return EXO_OK;
	case EXO_DOM_WATCH:
		return domain_set_watch(d, a, c->r10);
	case EXO_DOM_EXIT:
		if (d != self)
			return FAIL(ARG, 1);
		d->status = a;
		d->reason = EXO_DEAD_EXIT;
		return domain_stop(d, EXO_DS_EXITED);
	default:
		return FAIL(ARG, 2);
	}
}

/* ---- domain_info -------------------------------------------------------- */

/* Works on a dying domain too, other than cap_domain. */
uint64_t call_domain_info(struct call *c)
{
	struct domain *d = current_domain();
	struct slot *s;
	struct exo_domain_info info;
	uint64_t status = c->rdi ? cap_find(d, c->rdi, EXO_T_DOMAIN, EXO_R_INFO, 1, &s) : EXO_OK;

	if (status)
		return status;
	if (c->rdi)
		d = domain_at(s->aux);
	info = d->death;
	info.id = d->id;
	info.parent = d->parent;
	info.state = d->state;
	info.reason = d->reason;
	info.status = d->status;
	info.frames = d->frames;
	info.contexts = d->contexts;
	info.run_time = d->run_time + sched_running_time(d);
	info.slices = d->slices;
	info.child = d->first_child;
	return answer_write(c, c->rsi, &info, sizeof info, 2);
}
