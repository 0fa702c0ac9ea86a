/* Upcalls: how the kernel enters a libOS (Aegis' exception contexts, Xen's bounce frames).
 *
 * The kernel pushes a frame on the context's upcall stack and continues at the entry
 * point of the class; the libOS returns by a user-mode iretq, without the kernel.
 * Nesting is limited by the stack's bounds alone.  What the libOS does with it, and
 * whether it ever returns, is its own affair.
 *
 * Touches only this CPU and its current context: needs no lock, except to kill, which waits
 * for the slow way out.
 */
#include "context.h"

#define RFLAGS_ENTRY	0x202ul

static void mask_set(struct cpu *c)
{
	((volatile uint8_t *)c->pair)[1] = 1;
}

/* Leaves the U root for its K partner, where the libOS is. */
static bool enter_k(struct context *x)
{
	x->in_user = 0;
	if (!arch_root_load(x))
		return false;
	arch_swap_gs();
	return true;
}

/* Pushes the frame below `top` and continues at `entry`. */
static inline bool enter(struct exo_regs *r, uint64_t entry, uint64_t top, uint64_t bottom,
	uint64_t info, uint64_t addr, uint64_t error)
{
	uint64_t sp = (top & ~15ul) - sizeof(struct exo_upcall);
	if (!entry || !user_canonical(entry) || sp - bottom > top - bottom ||
	    !user_push_upcall(sp, info, addr, error, &r->rip))
		return false;
	r->rip = entry;
	r->cs = EXO_CS64;
	r->rflags = RFLAGS_ENTRY;
	r->rsp = sp;
	r->ss = EXO_SS;
	return true;
}

/* From the U root; and where the class's own delivery fails, once more on the last-chance
 * stack.  False: it cannot be delivered at all. */
static __attribute__((noinline, hot)) bool deliver_slow(unsigned class, uint64_t info,
	uint64_t addr, uint64_t error)
{
	struct cpu *c = this_cpu();
	struct exo_control *ctl = c->control;
	volatile struct exo_control *v = ctl;
	struct exo_regs *r = arch_current_regs();
	uint64_t top = v->stack_hi, bottom = v->stack_lo;
	trace(EXO_TR_UPCALL, info, addr, r->rip);
	if (c->current->in_user) {
		info |= EXO_INFO_FROM_U;
		if (!enter_k(c->current))
			return false;
	} else if (r->rsp > bottom && r->rsp <= top) {
		top = r->rsp;
	}
	if (!enter(r, v->entry[class], top, bottom, info, addr, error)) {
		uint64_t last = __atomic_exchange_n(&ctl->entry[EXO_UP_LAST], 0, __ATOMIC_RELAXED);
		if (!enter(r, last, v->last_stack, 0, info | EXO_INFO_LAST, addr, error))
			return false;
	}
	if (class == EXO_UP_EVENT || v->mask_on >> class & 1)
		mask_set(c);
	return true;
}

static __attribute__((noinline, hot)) void deliver_or_die(unsigned class, uint64_t info,
	uint64_t addr, uint64_t error)
{
	struct context *x = this_cpu()->current;
	if (deliver_slow(class, info, addr, error))
		return;
	x->fatal = true;
	x->fatal_addr = addr;
	x->fatal_vector = EXO_INFO_VECTOR(info);
	x->fatal_error = error;
	this_cpu()->resched |= EXO_RESCHED_PICK;
}

/* The usual case, in few instructions: from the K root, with room on the stack. */
__attribute__((flatten, hot)) void upcall_deliver(unsigned class, uint64_t info, uint64_t addr,
	uint64_t error)
{
	struct cpu *c = this_cpu();
	volatile struct exo_control *ctl = c->control;
	struct exo_regs *r = arch_current_regs();
	uint64_t top = ctl->stack_hi, bottom = ctl->stack_lo;
	if (r->rsp > bottom && r->rsp <= top)
		top = r->rsp;
	if (trace_kinds || c->current->in_user ||
	    !enter(r, ctl->entry[class], top, bottom, info, addr, error))
		deliver_or_die(class, info, addr, error);
	else if (ctl->mask_on >> class & 1)
		mask_set(c);
}

/* On the slow way out, with the lock held: only there are all registers of the context in
 * its frame, and nothing of an earlier one's. */
void upcall_fatal(void)
{
	struct context *x = this_cpu()->current;
	if (!x || !x->fatal)
		return;
	x->fatal = false;
	context_kill(x, EXO_DEAD_EXCEPTION, x->fatal_addr, x->fatal_vector, x->fatal_error);
}

/* On the slow way out, with the lock held: an event that hits the resume range makes that
 * start anew instead of nesting, so that a storm of events cannot use up the stack. */
void upcall_events(void)
{
	struct cpu *c = this_cpu();
	volatile struct exo_control *ctl = c->control;
	struct exo_regs *r = arch_current_regs();
	if (*c->pair != 1 || !ctl->entry[EXO_UP_EVENT])
		return;
	uint64_t restart = ctl->restart;
	if (!c->current->in_user && r->rip >= ctl->resume_lo && r->rip < ctl->resume_hi &&
	    user_range_ok(restart, 1)) {
		r->rip = restart;
		mask_set(c);
	} else if (!deliver_slow(EXO_UP_EVENT, EXO_INFO_EVENT, 0, 0)) {
		context_kill(c->current, EXO_DEAD_EXCEPTION, 0, EXO_INFO_EVENT, 0);
	}
}

/* The root that a frame asks for; x is in its K root.  False, and nothing has changed: it
 * cannot be loaded. */
static __attribute__((noinline, hot)) bool resume_root(struct context *x, uint64_t k, bool user)
{
	uint32_t old_k = x->root_k, old_u = x->root_u;
	if (k) {
		if (!root_loadable(x->domain, k))
			return false;
		x->root_k = k;
		x->root_u = frame_table[k].writable;
	}
	x->in_user = user && x->root_u;
	x->burden = x->in_user ? x->id : x->burden;	/* a KGS base */
	if (!arch_root_load(x)) {
		x->root_k = old_k;
		x->root_u = old_u;
		x->in_user = 0;
		return false;
	}
	if (x->in_user)
		arch_swap_gs();
	return true;
}

/* Lock-free.  Loads the state that the libOS names; only what it may not choose is changed. */
__attribute__((flatten, hot)) uint64_t call_resume(struct call *c)
{
	struct cpu *cpu = this_cpu();
	struct context *x = cpu->current;
	struct exo_regs *r = arch_current_regs(), s;
	struct resume_state f;
	(void)c;
	if (!user_read_resume(r->rsp, r, &f))
		return EXO_FAULT;
	s.rip = f.rip;
	s.cs = f.cs;
	s.rflags = f.rflags;
	s.ss = f.ss;
	if (!arch_frame_sanitize(&s))
		return EXO_ARG;
	if ((f.root || x->root_u) && !resume_root(x, f.root, (f.cs & 3) == 3))
		return EXO_TYPE;
	r->rip = s.rip;
	r->cs = s.cs;
	r->rflags = s.rflags;
	r->rsp = f.rsp;
	r->ss = s.ss;
	((volatile uint8_t *)cpu->pair)[1] = !(f.rflags & 0x200);
	return EXO_OK;
}
