/* Delivery of signals, on the way out to user code: default actions, handlers, stops, and
 * what becomes of an interrupted system call.
 *
 * The frame for a handler is sigframe.c's.
 */
#include "libos/posix/signal.h"

#define SYSCALL_SIZE	2
#define SYS_RESTART	219

static bool restartable(uint64_t rax)
{
	return rax == (uint64_t)-ERESTARTSYS || rax == (uint64_t)-ERESTARTNOHAND ||
		rax == (uint64_t)-ERESTART_RESTARTBLOCK;
}

/* A handler will run: the interrupted call fails, or is made again after it. */
static void interrupted(struct regs *r, const struct sigaction *a)
{
	if (r->call < 0 || !restartable(r->rax))
		return;
	if (r->rax == (uint64_t)-ERESTARTSYS && a->flags & SA_RESTART) {
		r->rax = (uint64_t)r->call;
		r->up.rip -= SYSCALL_SIZE;
	} else {
		r->rax = (uint64_t)-EINTR;
	}
	r->call = -1;
}

void signal_restart(struct regs *r)
{
	if (!restartable(r->rax))
		return;
	r->rax = r->rax == (uint64_t)-ERESTART_RESTARTBLOCK ? SYS_RESTART : (uint64_t)r->call;
	r->up.rip -= SYSCALL_SIZE;
	r->call = -1;
}

/* ---- stops ---------------------------------------------------------------------------- */

static void stop(struct task *t, int sig)
{
	t->stopped = true;
	t->continued = false;
	t->stop_reported = false;
	t->stop_signal = sig;
	for (struct thread *th = t->threads; th; th = th->sibling) {
		work_set(th, WORK_STOP);
		if (th != this_thread())
			thread_interrupt(th);
	}
	t->p.state = 'T';
	child_changed(t, CLD_STOPPED);
}

void signal_stopped(void)
{
	struct thread *t = this_thread();
	while (t->task->stopped && !(t->top->work & WORK_DIE)) {
		struct waitq *q = &t->task->stop_wait;
		struct waiter w = { .next = q->head, .link = &q->head, .thread = t, .queue = q };
		if (w.next)
			w.next->link = &w.next;
		q->head = &w;
		t->deaf = true;
		t->state = THREAD_SLEEPING;
		t->task->p.state = 'T';
		schedule();
		if (w.link) {
			*w.link = w.next;
			if (w.next)
				w.next->link = w.link;
		}
	}
	t->top->work &= ~WORK_STOP;
	if (signal_pending(t))
		work_set(t, WORK_SIGNAL);
}

/* ---- default actions ------------------------------------------------------------------------ */

static bool dumps(int sig)
{
	return (SIG_BIT(sig) & (SIG_FAULTS | SIG_BIT(SIG_QUIT) | SIG_BIT(SIG_ABRT) |
		SIG_BIT(SIG_XCPU) | SIG_BIT(SIG_XFSZ))) != 0;
}

/* Linux sets the bit only if a core file is written: the limit is 0 here, it never is. */
static void default_action(struct thread *t, const struct siginfo *info)
{
	int sig = info->signo;
	if (SIG_BIT(sig) & SIG_STOPS) {
		if (sig == SIG_STOP || !group_orphaned(t->task->p.pgid))
			stop(t->task, sig);
		return;
	}
	if (dumps(sig) && SIG_BIT(sig) & SIG_FAULTS && info->code > 0)
		posix_log("%s[%d]: signal %d at %lx, address %lx", t->task->p.name, t->task->p.pid, sig,
			t->regs->up.rip, info->fault.addr);
	task_kill(t->task, sig);
}

/* ---- delivery ------------------------------------------------------------------------------- */

static void handle(struct thread *t, struct regs *r, const struct siginfo *info)
{
	struct sigaction *slot = &t->task->p.signals->action[info->signo], a = *slot;
	interrupted(r, &a);
	if (a.flags & SA_RESETHAND)
		slot->handler = SIG_DFL;
	if (!sigframe_push(r, info, &a)) {
		struct siginfo fault = { .signo = SIG_SEGV, .code = SI_KERNEL };
		if (info->signo == SIG_SEGV)
			slot->handler = SIG_DFL;
		signal_force(t, &fault);
		return;
	}
	uint64_t blocked = t->blocked | a.mask;
	if (!(a.flags & SA_NODEFER))
		blocked |= SIG_BIT(info->signo);
	t->restore_blocked = false;
	signal_mask_set(t, blocked);
}

void signal_deliver(struct regs *r)
{
	struct thread *t = this_thread();
	struct siginfo info;
	t->top->work &= ~WORK_SIGNAL;
	while (!(t->top->work & (WORK_DIE | WORK_STOP)) && signal_take(t, ~t->blocked, &info)) {
		uint64_t handler = t->task->p.signals->action[info.signo].handler;
		if (handler == SIG_IGN || (handler == SIG_DFL && signal_default_ignored(info.signo)))
			continue;
		if (handler == SIG_DFL)
			default_action(t, &info);
		else
			handle(t, r, &info);
	}
	if (t->restore_blocked && !(t->top->work & (WORK_DIE | WORK_STOP))) {
		t->restore_blocked = false;
		signal_mask_set(t, t->saved_blocked);
	}
}
