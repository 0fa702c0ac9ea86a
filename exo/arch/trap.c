/* What happens between the ways in and out: calls, redirected system calls,
 * exceptions, interrupts, and the slow way out, on which a CPU changes what it runs.
 *
 * An exception belongs to the libOS: it becomes an upcall (core/upcall.c).  Only a
 * fault at an instruction of the kernel that has a fix-up is the kernel's business;
 * any other fault in the kernel is a panic.
 */
#include "exo/arch/machine.h"

#define VEC_DB	1
#define VEC_NMI	2
#define VEC_PF	14

uint64_t call_enter(uint64_t number, struct call *c);
void call_redirect(struct exo_regs *r);
void trap_user(struct exo_regs *r);
void trap_kernel(struct exo_regs *r);
unsigned trap_ist(struct exo_regs *r);
void kernel_exit(void);
void trap_bad_state(void);

struct exo_regs *arch_current_regs(void)
{
	return CPU_REGS(this_cpu());
}

static __attribute__((noinline, hot)) uint64_t call_locked(uint64_t number, struct call *c)
{
	kernel_lock();
	uint64_t status = call_dispatch(number, c);
	kernel_unlock();
	return status;
}

/* The call that touches nothing needs no lock; neither does resume, which entry.S calls, as it does
 * gate_call, which takes it itself. */
static inline uint64_t call(uint64_t number, struct call *c)
{
	return number == EXO_CALL_NULL ? call_null(c) : call_locked(number, c);
}

static __attribute__((cold, noinline)) uint64_t call_traced(uint64_t number, struct call *c)
{
	trace(EXO_TR_CALL, number, c->rdi, c->rsi);
	uint64_t status = call(number, c);
	trace(EXO_TR_RETURN, number, status, c->rdx);
	return status;
}

__attribute__((hot)) uint64_t call_enter(uint64_t number, struct call *c)
{
	return __builtin_expect(trace_kinds != 0, 0) ? call_traced(number, c) : call(number, c);
}

/* A `syscall` outside the libOS text: an upcall of its own class. */
__attribute__((hot)) void call_redirect(struct exo_regs *r)
{
	(void)r;
	upcall_deliver(EXO_UP_SYSCALL, EXO_INFO_SYSCALL, 0, 0);
}

static void interrupt(unsigned vector)
{
	trace(EXO_TR_IRQ, vector, 0, 0);
	switch (vector) {
	case VEC_FLUSH:
		irq_eoi();
		flush_serve();
		return;
	case VEC_SPURIOUS:
		return;
	case VEC_KICK:
		irq_eoi();
		this_cpu()->resched |= EXO_RESCHED_PICK;
		return;
	}
	kernel_lock();
	if (vector == VEC_TIMER) {
		timer_fired();
		sched_tick();
	} else if (vector >= VEC_IRQ && vector < VEC_IRQ + 32)
		irq_device(vector - VEC_IRQ);
	else if (vector >= VEC_MSI && vector < VEC_MSI + MSIS)
		irq_msi(vector - VEC_MSI);
	irq_eoi();			/* by now a line that a driver serves is quiet */
	kernel_unlock();
}

__attribute__((hot)) void trap_user(struct exo_regs *r)
{
	if (r->vector >= 32) {
		interrupt(r->vector);
		return;
	}
	upcall_deliver(EXO_UP_EXCEPTION, r->vector, r->vector == VEC_PF ? READ_CR(2) : 0, r->error);
}

/* In the kernel: an interrupt of the idle loop, or a fault at a place with a fix-up. */
void trap_kernel(struct exo_regs *r)
{
	if (r->vector >= 32) {
		interrupt(r->vector);
		return;
	}
	uint64_t fix = ex_table_find(r->rip);
	if (!fix)
		panic_trap(r, READ_CR(2));
	r->rip = fix;
}

/* On the stack of an IST vector.  Returns 1 if this is a user's debug exception. */
unsigned trap_ist(struct exo_regs *r)
{
	bool user = r->cs & 3;
	if (r->vector == VEC_NMI) {
		nmi_handle(r);
		return 0;
	}
	if (r->vector != VEC_DB)
		panic_trap(r, READ_CR(2));
	/* A breakpoint that a user set off in the kernel (mov ss, then syscall) is nobody's. */
	__asm__ volatile("mov %0, %%dr6" : : "r"(0xffff0ff0ul));
	if (!user)
		r->rflags &= ~0x100ul;
	return user;
}

void trap_bad_state(void)
{
	kernel_lock();
	context_kill(this_cpu()->current, EXO_DEAD_STATE, 0, 0, 0);
	kernel_unlock();
	this_cpu()->resched |= EXO_RESCHED_PICK;
}

/* The slow way out: until the current context has neither reason to be replaced nor an
 * event to be told of.  Idle is here, with interrupts on only in the halt. */
void kernel_exit(void)
{
	struct cpu *c = this_cpu();
	kernel_lock();
	upcall_fatal();
	for (;;) {
		if (c->resched & EXO_RESCHED_PICK || !c->current) {
			c->resched = 0;
			sched_pick();
		}
		if (c->current) {
			upcall_events();
			if (!c->resched)
				break;
			continue;
		}
		kernel_unlock();
		if (!c->resched)
			__asm__ volatile("sti; hlt; cli" : : : "memory");
		kernel_lock();
	}
	kernel_unlock();
}
