/* Signals: queues, masks, sending and choosing who takes one.
 *
 * A signal is pending in a thread or in a process; standard ones once, real-time ones as often
 * as they are sent.  Delivery is deliver.c's.
 */
#include "libos/posix/signal.h"

/* ---- records ------------------------------------------------------------------------ */

struct signals *signals_new(const struct signals *from)
{
	struct signals *s = kmalloc(sizeof *s);
	if (!s)
		return NULL;
	if (from)
		memcpy(s->action, from->action, sizeof s->action);
	s->refs = 1;
	s->pending_end = &s->pending;
	return s;
}

static void queue_clear(struct sigqueue *q)
{
	while (q) {
		struct sigqueue *next = q->next;
		kfree(q);
		q = next;
	}
}

void signals_put(struct signals *s)
{
	if (--s->refs)
		return;
	queue_clear(s->pending);
	kfree(s);
}

void signals_exec(struct task *t)
{
	for (int sig = 1; sig <= SIG_MAX; sig++) {
		struct sigaction *a = &t->p.signals->action[sig];
		uint64_t handler = a->handler == SIG_IGN ? SIG_IGN : SIG_DFL;
		*a = (struct sigaction){ .handler = handler };
	}
}

void thread_signals_init(struct thread *t)
{
	t->pending_end = &t->pending;
}

void thread_signals_end(struct thread *t)
{
	queue_clear(t->pending);
	t->pending = NULL;
	thread_signals_init(t);
}

/* ---- queues ---------------------------------------------------------------------------- */

/* Without memory a standard signal is pending all the same, as on Linux: lost is only what more is
 * known of it. */
static int enqueue(struct sigqueue ***end, uint64_t *mask, const struct siginfo *info)
{
	uint64_t bit = SIG_BIT(info->signo);
	if (info->signo < SIG_RTMIN && *mask & bit)
		return 0;
	struct sigqueue *q = kmalloc(sizeof *q);
	if (!q && info->signo >= SIG_RTMIN)
		return -EAGAIN;
	*mask |= bit;
	if (!q)
		return 0;
	q->info = *info;
	**end = q;
	*end = &q->next;
	return 0;
}

/* Removes the first of the set (synchronous faults first, then by number, as Linux). */
static bool dequeue(struct sigqueue **head, struct sigqueue ***end, uint64_t *mask, uint64_t set,
	struct siginfo *info)
{
	uint64_t ready = *mask & set;
	if (!ready)
		return false;
	if (ready & SIG_FAULTS)
		ready &= SIG_FAULTS;
	int sig = __builtin_ctzl(ready) + 1;
	bool again = false;
	struct sigqueue *found = NULL;
	for (struct sigqueue **p = head; *p;) {
		struct sigqueue *q = *p;
		if (q->info.signo == sig && !found) {
			found = q;
			*p = q->next;
			if (*end == &q->next)
				*end = p;
			continue;
		}
		again |= q->info.signo == sig;
		p = &q->next;
	}
	if (!again)
		*mask &= ~SIG_BIT(sig);
	*info = found ? found->info : (struct siginfo){ .signo = sig, .code = SI_USER };
	kfree(found);
	return true;
}

static void drop(struct sigqueue **head, struct sigqueue ***end, uint64_t *mask, uint64_t set)
{
	struct siginfo info;
	while (dequeue(head, end, mask, set, &info))
		;
}

static void drop_everywhere(struct task *t, uint64_t set)
{
	struct signals *s = t->p.signals;
	drop(&s->pending, &s->pending_end, &s->pending_mask, set);
	for (struct thread *th = t->threads; th; th = th->sibling)
		drop(&th->pending, &th->pending_end, &th->pending_mask, set);
}

bool signal_take(struct thread *t, uint64_t set, struct siginfo *info)
{
	struct signals *s = t->task->p.signals;
	if (!dequeue(&t->pending, &t->pending_end, &t->pending_mask, set, info) &&
	    !dequeue(&s->pending, &s->pending_end, &s->pending_mask, set, info))
		return false;
	if (info->code == SI_TIMER)
		posix_timer_taken(t->task, info);
	return true;
}

uint64_t signal_pending_set(struct thread *t)
{
	return t->pending_mask | t->task->p.signals->pending_mask;
}

bool signal_pending(struct thread *t)
{
	return signal_pending_set(t) & ~t->blocked;
}

bool signal_wakes(struct thread *t)
{
	return t->top->work & (WORK_DIE | WORK_STOP) || signal_pending_set(t) & (~t->blocked | t->wanted);
}

void signal_mask_set(struct thread *t, uint64_t blocked)
{
	t->blocked = blocked & ~SIG_UNBLOCKABLE;
	if (signal_pending(t))
		work_set(t, WORK_SIGNAL);
}

/* ---- sending ----------------------------------------------------------------------------- */

bool signal_default_ignored(int sig)
{
	return sig == SIG_CHLD || sig == SIG_CONT || sig == SIG_URG || sig == SIG_WINCH;
}

static bool ignored(struct task *t, int sig)
{
	uint64_t handler = t->p.signals->action[sig].handler;
	return handler == SIG_IGN || (handler == SIG_DFL && signal_default_ignored(sig));
}

/* Pid 1 is libOS code (session.c): the signals by which an init is told to end the system do
 * that, others nothing. */
static bool taken_by_init(struct task *t, const struct siginfo *info)
{
	if (t != task_init)
		return false;
	if (info->signo == SIG_TERM || info->signo == SIG_USR1 || info->signo == SIG_USR2)
		session_stop();
	return true;
}

static void resume_stopped(struct task *t)
{
	drop_everywhere(t, SIG_STOPS);
	if (!t->stopped)
		return;
	t->stopped = false;
	t->continued = true;
	for (struct thread *th = t->threads; th; th = th->sibling)
		th->top->work &= ~WORK_STOP;
	wake_all(&t->stop_wait);
	child_changed(t, CLD_CONTINUED);
}

/* What happens at once, whoever takes the signal. */
static void generated(struct task *t, int sig)
{
	if (sig == SIG_CONT || sig == SIG_KILL)
		resume_stopped(t);
	else if (SIG_BIT(sig) & SIG_STOPS)
		drop_everywhere(t, SIG_BIT(SIG_CONT));
}

static void notice(struct thread *t)
{
	work_set(t, WORK_SIGNAL);
	thread_interrupt(t);
}

int signal_send_thread(struct thread *t, const struct siginfo *info)
{
	int sig = info->signo;
	generated(t->task, sig);
	if (taken_by_init(t->task, info))
		return 0;
	if (ignored(t->task, sig) && !(t->blocked & SIG_BIT(sig)))
		return 0;
	int error = enqueue(&t->pending_end, &t->pending_mask, info);
	if (!error && (~t->blocked | t->wanted) & SIG_BIT(sig))
		notice(t);
	return error;
}

/* A thread that doesn't block it; better one that sleeps than one that works elsewhere. */
static struct thread *choose(struct task *t, uint64_t bit)
{
	struct thread *best = NULL;
	for (struct thread *th = t->threads; th; th = th->sibling)
		if (th->state != THREAD_DEAD && (~th->blocked | th->wanted) & bit &&
		    (!best || th == this_thread() || th->wanted & bit))
			best = th;
	return best;
}

int signal_send(struct task *t, const struct siginfo *info)
{
	int sig = info->signo;
	if (!t->threads)
		return 0;		/* a zombie */
	generated(t, sig);
	if (taken_by_init(t, info))
		return 0;
	struct thread *th = choose(t, SIG_BIT(sig));
	if (ignored(t, sig) && th && !(th->wanted & SIG_BIT(sig)))
		return 0;
	struct signals *s = t->p.signals;
	int error = enqueue(&s->pending_end, &s->pending_mask, info);
	if (!error && th)
		notice(th);
	return error;
}

static bool timer_again(struct sigqueue *q, int id, int n)
{
	while (q && !(q->info.code == SI_TIMER && q->info.timer.id == id))
		q = q->next;
	if (q && __builtin_add_overflow(q->info.timer.overrun, n, &q->info.timer.overrun))
		q->info.timer.overrun = 0x7fffffff;
	return q;
}

bool signal_timer_again(struct task *t, struct thread *th, int id, int n)
{
	return timer_again(t->p.signals->pending, id, n) || (th && timer_again(th->pending, id, n));
}

void signal_force(struct thread *t, const struct siginfo *info)
{
	struct sigaction *a = &t->task->p.signals->action[info->signo];
	if (a->handler == SIG_IGN || t->blocked & SIG_BIT(info->signo)) {
		a->handler = SIG_DFL;
		signal_mask_set(t, t->blocked & ~SIG_BIT(info->signo));
	}
	if (t->pending_mask & SIG_BIT(info->signo))
		drop(&t->pending, &t->pending_end, &t->pending_mask, SIG_BIT(info->signo));
	enqueue(&t->pending_end, &t->pending_mask, info);
	notice(t);
}

/* ---- the files half's view ------------------------------------------------------------------ */

void signal_process(struct process *p, int sig)
{
	struct siginfo info = { .signo = sig, .code = SI_KERNEL };
	signal_send(task_of(p), &info);
}

void signal_group(int pgid, int sig)
{
	for (struct process *p = process_next(0); p; p = process_next(p->pid))
		if (p->pgid == pgid)
			signal_process(p, sig);
}

bool signal_ignored_or_blocked(struct process *p, int sig)
{
	return p->signals->action[sig].handler == SIG_IGN || this_thread()->blocked & SIG_BIT(sig);
}

/* ---- exceptions -------------------------------------------------------------------------------- */

static int x87_code(void)
{
	uint16_t status, control;
	__asm__ volatile("fnstsw %0" : "=m"(status));
	__asm__ volatile("fnstcw %0" : "=m"(control));
	unsigned raised = status & ~control;
	return raised & 1 ? FPE_FLTINV : raised & 4 ? FPE_FLTDIV : raised & 8 ? FPE_FLTOVF :
		raised & 0x12 ? FPE_FLTUND : raised & 0x20 ? FPE_FLTRES : 0;
}

static int simd_code(void)
{
	uint32_t mxcsr;
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	unsigned raised = mxcsr & ~(mxcsr >> 7);
	return raised & 1 ? FPE_FLTINV : raised & 4 ? FPE_FLTDIV : raised & 8 ? FPE_FLTOVF :
		raised & 0x12 ? FPE_FLTUND : raised & 0x20 ? FPE_FLTRES : 0;
}

void signal_exception(unsigned vector, struct regs *r, struct fault f)
{
	struct siginfo info = { .signo = SIG_SEGV, .code = SI_KERNEL };
	switch (vector) {
	case VECTOR_PAGE:
		info = (struct siginfo){ .signo = f.signal, .code = f.code, .fault.addr = f.addr };
		break;
	case VECTOR_DIVIDE:
		info = (struct siginfo){ .signo = SIG_FPE, .code = FPE_INTDIV, .fault.addr = r->up.rip };
		break;
	case VECTOR_X87:
	case VECTOR_SIMD:
		info = (struct siginfo){ .signo = SIG_FPE, .fault.addr = r->up.rip,
			.code = vector == VECTOR_X87 ? x87_code() : simd_code() };
		break;
	case VECTOR_DEBUG:
		info = (struct siginfo){ .signo = SIG_TRAP, .code = TRAP_TRACE, .fault.addr = r->up.rip };
		break;
	case VECTOR_BREAKPOINT:
		info = (struct siginfo){ .signo = SIG_TRAP, .code = SI_KERNEL };
		break;
	case VECTOR_OPCODE:
		info = (struct siginfo){ .signo = SIG_ILL, .code = ILL_ILLOPN, .fault.addr = r->up.rip };
		break;
	case VECTOR_ALIGNMENT:
	case VECTOR_STACK:
		info = (struct siginfo){ .signo = SIG_BUS, .code = vector == VECTOR_STACK ? SI_KERNEL :
			BUS_ADRALN };
		break;
	}
	signal_force(this_thread(), &info);
}

/* For /proc: the first thread stands for the process. */
void process_signals(struct process *p, struct signal_sets *sets)
{
	const struct thread *t = ((struct task *)p)->threads;
	*sets = (struct signal_sets){ 0 };
	if (t) {
		sets->pending = t->pending_mask;
		sets->blocked = t->blocked;
	}
	if (!p->signals)
		return;
	sets->shared_pending = p->signals->pending_mask;
	for (int s = 1; s <= SIG_MAX; s++) {
		uint64_t handler = p->signals->action[s].handler;
		sets->ignored |= handler == SIG_IGN ? SIG_BIT(s) : 0;
		sets->caught |= handler != SIG_IGN && handler != SIG_DFL ? SIG_BIT(s) : 0;
	}
}
