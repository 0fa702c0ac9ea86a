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
static bool enter(struct exo_regs *r, uint64_t entry, uint64_t top, uint64_t bottom,
	struct exo_upcall *f)
{
	uint64_t sp = (top & ~15ul) - sizeof *f;
	f->rip = r->rip;
	f->cs = r->cs;
	f->rflags = r->rflags;
	f->rsp = r->rsp;
	f->ss = r->ss;
	if (!entry || sp < bottom || sp > top || !user_range_ok(entry, 1) || !user_write(sp, f, sizeof *f))
		return false;
	r->rip = entry;
	r->cs = EXO_CS64;
	r->rflags = RFLAGS_ENTRY;
	r->rsp = sp;
	r->ss = EXO_SS;
	return true;
}

/* The class's own delivery failed: once more, on the last-chance stack. */
static bool enter_last(struct cpu *c, struct exo_regs *r, struct exo_upcall *f)
{
	struct exo_control *ctl = c->control;
	uint64_t entry = __atomic_exchange_n(&ctl->entry[EXO_UP_LAST], 0, __ATOMIC_RELAXED);
	f->info |= EXO_INFO_LAST;
	return enter(r, entry, *(volatile uint64_t *)&ctl->last_stack, 0, f);
}

/* Enters class's entry point; false: it cannot be delivered at all. */
static bool deliver(struct cpu *c, unsigned class, struct exo_upcall *f)
{
	struct context *x = c->current;
	struct exo_regs *r = arch_current_regs();
	volatile struct exo_control *ctl = c->control;
	uint64_t top = ctl->stack_hi, bottom = ctl->stack_lo;
	trace(EXO_TR_UPCALL, f->info, f->addr, r->rip);
	if (x->in_user) {
		f->info |= EXO_INFO_FROM_U;
		if (!enter_k(x))
			return false;
	} else if (r->rsp > bottom && r->rsp <= top) {
		top = r->rsp;
	}
	if (!enter(r, ctl->entry[class], top, bottom, f) && !enter_last(c, r, f))
		return false;
	if (class == EXO_UP_EVENT || ctl->mask_on >> class & 1)
		mask_set(c);
	return true;
}

void upcall_deliver(unsigned class, uint64_t info, uint64_t addr, uint64_t error)
{
	struct cpu *c = this_cpu();
	struct exo_upcall f = { .info = info, .addr = addr, .error = error };
	if (deliver(c, class, &f))
		return;
	struct context *x = c->current;
	x->fatal = true;
	x->fatal_addr = addr;
	x->fatal_vector = EXO_INFO_VECTOR(info);
	x->fatal_error = error;
	c->resched |= EXO_RESCHED_PICK;
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
	struct exo_upcall f = { .info = EXO_INFO_EVENT };
	if (*c->pair != 1 || !ctl->entry[EXO_UP_EVENT])
		return;
	uint64_t restart = ctl->restart;
	if (!c->current->in_user && r->rip >= ctl->resume_lo && r->rip < ctl->resume_hi &&
	    user_range_ok(restart, 1)) {
		r->rip = restart;
		mask_set(c);
	} else if (!deliver(c, EXO_UP_EVENT, &f)) {
		context_kill(c->current, EXO_DEAD_EXCEPTION, 0, EXO_INFO_EVENT, 0);
	}
}

/* Lock-free.  Loads the state that the libOS names; only what it may not choose is changed. */
uint64_t call_resume(struct call *c)
{
	struct cpu *cpu = this_cpu();
	struct context *x = cpu->current;
	struct domain *d = domain_at(x->domain);
	struct exo_resume f;
	struct exo_regs *r = arch_current_regs(), s;
	uint32_t k = x->root_k, u = x->root_u;
	(void)c;
	if (!user_read(&f, r->rsp, sizeof f))
		return EXO_FAULT;
	s.rip = f.rip;
	s.cs = f.cs;
	s.rflags = f.rflags;
	s.ss = f.ss;
	if (!arch_frame_sanitize(&s))
		return EXO_ARG;
	if (f.root) {
		if (!root_loadable(d, f.root))
			return EXO_TYPE;
		k = f.root;
		u = frame_table[k].writable;
	}
	bool user = (f.cs & 3) == 3 && u;
	uint32_t old_k = x->root_k, old_u = x->root_u;
	x->root_k = k;
	x->root_u = u;
	x->in_user = user;
	if (!arch_root_load(x)) {
		x->root_k = old_k;
		x->root_u = old_u;
		x->in_user = 0;
		return EXO_TYPE;
	}
	if (user)
		arch_swap_gs();
	r->rip = s.rip;
	r->cs = s.cs;
	r->rflags = s.rflags;
	r->rsp = f.rsp;
	r->ss = s.ss;
	r->rcx = f.rcx;
	r->r11 = f.r11;
	r->rax = f.rax;
	((volatile uint8_t *)cpu->pair)[1] = !(f.rflags & 0x200);
	cpu->resched |= EXO_RESCHED_FRAME;
	return f.rax;
}
