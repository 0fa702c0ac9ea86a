/* context_ctl and segment_set: what the holder of a context may change about it. */
#include "context.h"
#include "table.h"

static bool is_here(const struct context *x) { return x == this_cpu()->current; }
static bool is_elsewhere(const struct context *x) { return x->running && !is_here(x); }

/* u: a new partner of k, or 0.  Pairs are the domain's: its own contexts change them. */
static uint64_t set_roots(struct context *x, uint64_t k, uint64_t u)
{
	uint64_t status = !u ? EXO_OK : is_here(x) ? root_pair(current_domain(), k, u, 3) : FAIL(ARG, 4);
	if (status)
		return status;
	if (!root_loadable(x->domain, k))
		return FAIL(TYPE, 3);
	if (is_elsewhere(x))
		return FAIL(STATE, 1);
	x->root_k = k;
	x->root_u = frame_table[k].writable;
	if (is_here(x) && !arch_root_load(x))
		return FAIL(TYPE, 3);
	return EXO_OK;
}

static uint64_t set_route(struct context *x, uint64_t lo, uint64_t hi)
{
	if (lo > hi || !user_range_ok(lo, hi - lo + 1))
		return FAIL(ARG, 3);
	if (is_elsewhere(x))
		return FAIL(STATE, 1);
	x->route_lo = lo;
	x->route_hi = hi;
	if (is_here(x)) {
		this_cpu()->route_lo = lo;
		this_cpu()->route_hi = hi;
	}
	return EXO_OK;
}

static uint64_t set_mask_at(struct context *x, uint64_t pfn, uint64_t offset)
{
	uint64_t status;
	if (is_elsewhere(x))
		return FAIL(STATE, 1);
	if (!pfn) {
		pfn = x->control;
		offset = offsetof(struct exo_control, pending);
	} else if ((status = frame_own(domain_at(x->domain), pfn, 3))) {
		return status;
	} else if (offset > EXO_PAGE_SIZE - 2 || offset & 1) {
		return FAIL(ARG, 4);
	} else if (frame_table[pfn].type != EXO_F_DATA || !frame_pin_ok(pfn)) {
		return FAIL(BUSY, 3);
	}
	if (pfn != x->control)
		frame_pin(pfn);
	if (x->mask_frame != x->control)
		frame_unpin(x->mask_frame);
	x->mask_frame = pfn;
	x->pair = (volatile uint16_t *)((uint8_t *)pfn_to_virt(pfn) + offset);
	if (is_here(x))
		this_cpu()->pair = x->pair;
	return EXO_OK;
}

static uint64_t start(struct context *x, uint64_t rip, uint64_t rsp, uint64_t rdi)
{
	if (x->state != EXO_CS_STOPPED || x->running)
		return FAIL(STATE, 1);
	if (!user_canonical(rip))
		return FAIL(ARG, 3);
	if (!root_loadable(x->domain, x->root_k))
		return FAIL(STATE, 1);
	arch_context_reset(x);
	struct exo_regs *r = context_regs(x);
	r->rip = rip;
	r->rsp = rsp;
	r->rdi = rdi;
	x->in_user = 0;
	x->woken = 0;
	sched_ready(x);
	return EXO_OK;
}

static uint64_t run(struct context *x)
{
	if (x->state != EXO_CS_STOPPED || x->running)
		return FAIL(STATE, 1);
	sched_ready(x);
	return EXO_OK;
}

static uint64_t stop(struct context *x)
{
	context_stop(x, EXO_EVENT);
	x->held = 0;
	return is_elsewhere(x) ? EXO_AGAIN : EXO_OK;
}

uint64_t call_context_ctl(struct call *c)
{
	struct context *x;
	uint64_t status = cap_context(c->rdi, EXO_R_CONTROL, 1, &x);
	if (status)
		return status;
	struct domain *d = domain_at(x->domain);
	bool active = d->state == EXO_DS_ACTIVE;
	uint64_t a = c->rdx, b = c->r10;
	switch (c->rsi) {
	case EXO_CTX_ROOTS:
		return set_roots(x, a, b);
	case EXO_CTX_ROUTE:
		return set_route(x, a, b);
	case EXO_CTX_MASK_AT:
		return set_mask_at(x, a, b);
	case EXO_CTX_START:
		return active ? start(x, a, b, c->r8) : FAIL(STATE, 1);
	case EXO_CTX_RUN:
		return active ? run(x) : FAIL(STATE, 1);
	case EXO_CTX_STOP:
		return stop(x);
	case EXO_CTX_WARN:
		x->warn = a;
		x->want_start = b != 0;
		x->notices = a || b;
		return EXO_OK;
	case EXO_CTX_STATE:
		c->rdx = x->running ? EXO_CS_RUNNING : x->state;
		return EXO_OK;
	case EXO_CTX_HOME:
		if (a >= cpu_count)
			return FAIL(ARG, 3);
		if (x->queued && !x->running)
			return FAIL(STATE, 1);
		x->home = a;
		return EXO_OK;
	}
	return FAIL(ARG, 2);
}

/* A user data segment, or none: anything else in the GDT is the kernel's. */
static bool tls_ok(uint64_t desc)
{
	unsigned access = desc >> 40 & 0xff;
	return !desc || ((access & 0xf8) == 0xf0 && !(desc >> 53 & 1));
}

uint64_t call_segment_set(struct call *c)
{
	struct context *x = this_cpu()->current;
	if (c->rdi >= EXO_SEG_KGS)
		x->burden = x->id;
	switch (c->rdi) {
	case EXO_SEG_FS:
	case EXO_SEG_GS:
	case EXO_SEG_KGS:
		if (!user_canonical(c->rsi))
			return FAIL(ARG, 2);
		arch_segment_base(c->rdi, c->rsi);
		return EXO_OK;
	case EXO_SEG_TLS:
		if (c->rsi < 12 || c->rsi > 15)
			return FAIL(ARG, 2);
		if (!tls_ok(c->rdx))
			return FAIL(ARG, 3);
		x->tls[c->rsi - 12] = c->rdx;
		arch_tls_load(x->tls);
		return EXO_OK;
	}
	return FAIL(ARG, 1);
}
