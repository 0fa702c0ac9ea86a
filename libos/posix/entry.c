/* What to do about an entry: exceptions, events, and the work before leaving to user code.
 *
 * entry_stubs.S saves and loads registers; signals are delivered by signal.c, faults served by mm.
 * These functions run with events masked; those called by entry_stubs.S take the lock and release
 * it themselves.
 */
#include "libos/posix/domain.h"
#include "libos/posix/inner.h"
#include "libos/posix/mm.h"
#include "libos/posix/net.h"
#include "libos/posix/process.h"
#include "libos/posix/signal.h"

#pragma GCC visibility push(hidden)
extern char entry_syscall[], entry_exception[], entry_event[];
extern char entry_resume_lo[], entry_resume_hi[], entry_restart[];
extern char user_access_lo[], user_access_hi[], user_access_fault[];
#pragma GCC visibility pop

void entry_init(struct cpu *c)
{
	struct exo_control *ctl = c->control;
	ctl->entry[EXO_UP_EXCEPTION] = (uint64_t)entry_exception;
	ctl->entry[EXO_UP_SYSCALL] = (uint64_t)entry_syscall;
	ctl->entry[EXO_UP_EVENT] = (uint64_t)entry_event;
	ctl->entry[EXO_UP_LAST] = 0;
	ctl->resume_lo = (uint64_t)entry_resume_lo;
	ctl->resume_hi = (uint64_t)entry_resume_hi;
	ctl->restart = (uint64_t)entry_restart;
	ctl->mask_on = 1 << EXO_UP_EXCEPTION | 1 << EXO_UP_SYSCALL | 1 << EXO_UP_EVENT;
	ctl->mask = 1;
}

void libos_lock_wait(void);
void leave_work(struct regs *r);
void leave_again(struct regs *r);
void exception_user(struct regs *r);
void exception_libos(struct regs *r);
void event_user(struct regs *r);

void libos_lock_wait(void)
{
	lock_take(&libos_lock);
}

void events_take(void)
{
	struct exo_control *ctl = this_cpu()->control;
	if (!__atomic_load_n(&ctl->pending, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&ctl->pending, 0, __ATOMIC_SEQ_CST);
	uint64_t bits = __atomic_exchange_n(&ctl->events, 0, __ATOMIC_SEQ_CST);
	if (bits & EXO_EV_TIMER) {
		this_cpu()->armed = FOREVER;
		sched_tick(time_now());
	}
	if (bits & EVENT_LINE)
		inner ? inner_news() : uart_interrupt();
	if (bits & EVENT_DOMAIN)
		domain_news();
	if (bits & EVENT_NET)
		net_flush();
}

/* Before leaving: all that stands in `work`, until there is nothing more; the lock is held,
 * and released at the end. */
static void leave(struct regs *r)
{
	struct stack_top *top = stack_top();
	for (;;) {
		events_take();
		uint32_t work = top->work;
		if (work & WORK_DIE)
			thread_exit(0);
		if (work & WORK_STOP)
			signal_stopped();
		else if (work & WORK_YIELD)
			thread_yield();
		else if (work & WORK_SIGNAL)
			signal_deliver(r);
		else
			break;
	}
	if (r->call >= 0)
		signal_restart(r);
	top->work = 0;
	sched_arm();
	lock_release(&libos_lock);
}

/* A system call's result is in RAX. */
void leave_work(struct regs *r)
{
	if (r->call >= 0) {
		r->rcx = r->up.rip;
		r->r11 = r->up.rflags;
	}
	leave(r);
}

/* Events hit the way out; what RAX holds is final. */
void leave_again(struct regs *r)
{
	lock_take(&libos_lock);
	if (r->call >= 0) {
		r->rcx = r->up.rip;
		r->r11 = r->up.rflags;
	}
	r->call = -1;
	leave(r);
}

void event_user(struct regs *r)
{
	lock_take(&libos_lock);
	this_cpu()->in_user = true;
	events_take();
	this_cpu()->in_user = false;
	leave(r);
}

void exception_user(struct regs *r)
{
	lock_take(&libos_lock);
	unsigned vector = EXO_INFO_VECTOR(r->up.info);
	struct fault f = { 0 };
	if (vector == VECTOR_PAGE) {
		this_task()->faults_minor++;
		f = mm_fault(this_thread()->mm, r->up.addr, r->up.error);
		if (!f.signal) {
			if (stack_top()->work || this_cpu()->control->pending)
				leave(r);
			else
				lock_release(&libos_lock);
			return;
		}
	}
	signal_exception(vector, r, f);
	leave(r);
}

/* The libOS's own: a copy routine touched a page that isn't there yet, or shouldn't have. */
void exception_libos(struct regs *r)
{
	unsigned vector = EXO_INFO_VECTOR(r->up.info);
	bool copying = r->up.rip >= (uint64_t)user_access_lo && r->up.rip < (uint64_t)user_access_hi;
	struct mm *mm = this_thread()->mm;
	if (copying && vector == VECTOR_PAGE && mm && r->up.addr < USER_END) {
		struct fault f = mm_fault(mm, r->up.addr, r->up.error);
		if (!f.signal)
			return;
		if (f.signal == SIG_KILL)	/* no memory: as if the program had touched it */
			signal_exception(vector, r, f);
	}
	if (!copying)
		posix_panic("exception %u at %lx: address %lx, error %lx, rsp %lx, rdi %lx, rsi %lx",
			vector, r->up.rip, r->up.addr, r->up.error, r->up.rsp, r->rdi, r->rsi);
	r->up.rip = (uint64_t)user_access_fault;
}
