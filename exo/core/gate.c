/* Gates: protected control transfer (Aegis, SOSP'95).  Who calls a gate hands the CPU, the rest of the
 * slice and its general registers to the gate's context, which runs at the entry that it chose.  The slice
 * stays whose it is: who called is charged for the rest of it.
 *
 * A context is entered only while it is *open*: since its own gate_call, or in a wait that says so,
 * until it runs.  So nothing of it is lost that it did not offer.  There is no record of a call: the
 * way back is a gate of the caller's, who is ready meanwhile, and whoever goes leaves nobody behind.
 * What the registers mean, who answers, and how long one waits for it is the libOSes' affair.
 */
#include "context.h"

uint64_t call_gate_create(struct call *c)
{
	struct context *x;
	struct slot *parent;
	uint64_t status = context_parent(c->rsi, 2, &x, &parent);
	if (status)
		return status;
	struct slot cap = {
		.type = EXO_T_GATE, .rights = EXO_R_GRANT | EXO_R_CALL, .aux = x->id,
		.base = (uint32_t)c->rdx, .count = c->rdx >> 32,
	};
	return cap_insert(current_domain(), c->rdi, 1, &cap, parent, &c->rdx);
}

static uint64_t entry_of(const struct context *x)
{
	return ((volatile const struct exo_control *)context_control(x))->gate_entry;
}

/* Checks all that there is to check.  What was found is remembered until a capability or a root goes,
 * whosesoever, or another entry is chosen: with the one the context may go, with the other what it
 * runs in. */
static __attribute__((noinline)) uint64_t gate_find(struct context *from, uint64_t name)
{
	struct slot *s;
	uint64_t status = cap_find(domain_at(from->domain), name, EXO_T_GATE, EXO_R_CALL, 1, &s);
	if (status)
		return status;
	struct context *x = context_at(s->aux);
	if (!x->open || x->running)
		return FAIL(BUSY, 1);
	uint64_t entry = entry_of(x);
	if (!entry || !user_canonical(entry) || !root_loadable(x->domain, x->root_k))
		return FAIL(STATE, 1);
	wait_wake(x, EXO_OK, 0);
	from->gate = name;
	from->gate_era = cap_era;
	from->gate_badge = slot_mask(s);
	from->gate_entry = entry;
	from->gate_to = x;
	return EXO_OK;
}

static inline uint64_t gate_enter(struct cpu *cpu, struct call *c)
{
	struct context *from = cpu->current, *x;
	uint64_t status;
	if (RARE(from->gate != c->rdi) || RARE(from->gate_era != cap_era) ||
	    RARE(from->gate_entry != entry_of(from->gate_to)) ||
	    RARE(from->gate_to->standing != CONTEXT_OPEN))
		if ((status = gate_find(from, c->rdi)))
			return status;
	from = cpu->current;	/* again, so that no register is kept for the rare case */
	x = from->gate_to;
	arch_hand_over(cpu, from, x, from->gate_entry, context_control(x)->gate_stack);
	c->rdi = from->gate_badge;
	sched_hand_over(cpu, from, x);
	return EXO_OK;
}

/* As few instructions as there may be: what entry.S calls has it all in one function. */
uint64_t gate_call(struct cpu *cpu, struct call *c)
{
	kernel_lock();
	uint64_t status = gate_enter(cpu, c);
	kernel_unlock();
	return status;
}

uint64_t call_gate_call(struct call *c) { return gate_call(this_cpu(), c); }
