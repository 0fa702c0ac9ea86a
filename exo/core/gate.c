/* Gates: protected control transfer (Aegis, SOSP'95).  Who calls a gate hands the CPU, the rest of the
 * slice and its general registers to the gate's context, which runs at the entry that it chose.
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

/* Remembered until a capability goes, whosesoever: with it, and only so, the context may. */
static __attribute__((noinline)) uint64_t gate_find(struct context *from, uint64_t name)
{
	struct slot *s;
	uint64_t status = cap_find(domain_at(from->domain), name, EXO_T_GATE, EXO_R_CALL, 1, &s);
	if (status)
		return status;
	from->gate = name;
	from->gate_era = cap_era;
	from->gate_badge = slot_mask(s);
	from->gate_to = context_at(s->aux);
	return EXO_OK;
}

static inline uint64_t gate_enter(struct call *c)
{
	struct cpu *cpu = this_cpu();
	struct context *from = cpu->current;
	uint64_t status;
	if ((from->gate != c->rdi || from->gate_era != cap_era) && (status = gate_find(from, c->rdi)))
		return status;
	struct context *x = from->gate_to;
	if (!x->open || x->running)
		return FAIL(BUSY, 1);
	volatile const struct exo_control *control = context_control(x);
	uint64_t entry = control->gate_entry, stack = control->gate_stack;
	if (!entry || !user_canonical(entry) || !arch_hand_over(cpu, from, x, entry, stack))
		return FAIL(STATE, 1);
	sched_hand_over(cpu, from, x);
	c->rdi = from->gate_badge;
	return EXO_OK;
}

/* Straight from the way in, as few instructions as there may be: all in one function. */
__attribute__((flatten, hot)) uint64_t call_gate_call(struct call *c)
{
	kernel_lock();
	uint64_t status = gate_enter(c);
	kernel_unlock();
	return status;
}
