/* How threads and processes end: exit, exit_group, death by signal; zombies and orphans.
 *
 * The last thread of a process lets go of all it holds and leaves a zombie, which wait.c hands
 * to the parent.
 */
#include "libos/posix/signal.h"
#include "libos/posix/syscall.h"

void vfork_done(struct task *t)
{
	if (!t->vfork_waiter)
		return;
	t->vfork_waiter->vfork_over = true;
	thread_wake(t->vfork_waiter, 0);
	t->vfork_waiter = NULL;
}

/* ---- telling the parent ---------------------------------------------------------------- */

static struct siginfo child_info(const struct task *child, int code)
{
	int status = child->status & 0x7f ? child->status & 0x7f : child->status >> 8 & 0xff;
	if (code == CLD_STOPPED)
		status = child->stop_signal;
	if (code == CLD_CONTINUED)
		status = SIG_CONT;
	return (struct siginfo){ .signo = SIG_CHLD, .code = code, .child = { .pid = child->p.pid,
		.uid = child->p.uid, .status = status,
		.utime = (int64_t)(child->p.user_time / (NS_PER_SECOND / TICKS)),
		.stime = (int64_t)(child->p.system_time / (NS_PER_SECOND / TICKS)) } };
}

static const struct sigaction *chld_action(const struct task *parent)
{
	return &parent->p.signals->action[SIG_CHLD];
}

void child_changed(struct task *child, int code)
{
	struct task *parent = task_of(child->p.parent);
	if (!parent || !parent->p.signals)
		return;
	struct siginfo info = child_info(child, code);
	bool stop = code == CLD_STOPPED || code == CLD_CONTINUED;
	if (!stop)
		info.signo = child->exit_signal;
	if (info.signo && !(stop && chld_action(parent)->flags & SA_NOCLDSTOP))
		signal_send(parent, &info);
	wake_all(&parent->child_wait);
}

/* Nobody wants its status. */
static bool unwanted(const struct task *child)
{
	const struct task *parent = task_of(child->p.parent);
	return !parent || !parent->p.signals || (child->exit_signal == SIG_CHLD &&
		(chld_action(parent)->handler == SIG_IGN || chld_action(parent)->flags & SA_NOCLDWAIT));
}

/* ---- orphans ------------------------------------------------------------------------------ */

static bool group_has_stopped(int pgid)
{
	for (struct process *p = process_next(0); p; p = process_next(p->pid))
		if (p->pgid == pgid && task_of(p)->stopped)
			return true;
	return false;
}

/* POSIX: a group that becomes orphaned with stopped members is hung up and continued. */
static void check_orphaned(int pgid, bool was_orphaned)
{
	if (was_orphaned || !group_has_stopped(pgid) || !group_orphaned(pgid))
		return;
	signal_group(pgid, SIG_HUP);
	signal_group(pgid, SIG_CONT);
}

static void give_away_children(struct task *t)
{
	while (t->children) {
		struct task *child = t->children;
		bool was = group_orphaned(child->p.pgid);
		t->children = child->sibling;
		if (child->parent_death_signal)
			signal_process(&child->p, child->parent_death_signal);
		task_adopt(task_init, child);
		child->exit_signal = SIG_CHLD;
		if (task_is_zombie(child))
			wake_all(&task_init->child_wait);
		else
			check_orphaned(child->p.pgid, was);
	}
}

/* ---- ending ---------------------------------------------------------------------------------- */

static void release(struct task *t)
{
	timer_remove(&t->real.t);
	posix_timers_end(t);
	if (t->p.files)
		files_put(t->p.files);
	t->p.files = NULL;
	if (t->p.fs)
		fs_put(t->p.fs);
	t->p.fs = NULL;
	vfork_done(t);
	struct mm *mm = t->p.mm;
	t->rss_most = task_rss_most(t);
	t->p.mm = NULL;
	this_thread()->mm = NULL;
	if (mm)
		mm_put(mm);
}

static void become_zombie(struct task *t)
{
	bool was = group_orphaned(t->p.pgid);
	release(t);
	if (t->p.sid == t->p.pid)
		tty_hangup(&t->p);
	give_away_children(t);
	signals_put(t->p.signals);
	t->p.signals = NULL;
	t->p.state = 'Z';
	t->stopped = false;
	check_orphaned(t->p.pgid, was);
	bool gone = unwanted(t);
	child_changed(t, t->status & 0x7f ? CLD_KILLED : CLD_EXITED);
	if (gone)
		task_free(t);
}

void thread_exit(int status)
{
	struct thread *t = this_thread();
	struct task *task = t->task;
	if (!task->dying)
		task->status = status;
	futex_thread_exit(t);
	if (task->trace)
		trace_exit(t);
	thread_signals_end(t);
	sched_account();
	task->dead_ns += t->run_ns;
	task_remove_thread(t);
	if (!task->threads)
		become_zombie(task);
	else if (task->nthreads == 1 && task->exec_waits)
		thread_wake(task->exec_waits, 0);
	t->task = NULL;
	t->mm = NULL;
	t->state = THREAD_DEAD;
	this_cpu()->dead = t;
	schedule();
	posix_panic("a dead thread runs");
}

void task_kill(struct task *task, int status)
{
	if (task->dying)
		return;
	task->dying = true;
	task->status = status;
	task->stopped = false;
	wake_all(&task->stop_wait);
	for (struct thread *t = task->threads; t; t = t->sibling) {
		work_set(t, WORK_DIE);
		if (t != this_thread())
			thread_interrupt(t);
	}
}

int threads_end_others(void)
{
	struct thread *self = this_thread();
	struct task *task = self->task;
	if (task->exec_waits)
		return -EINTR;
	task->exec_waits = self;
	for (struct thread *t = task->threads; t; t = t->sibling)
		if (t != self) {
			work_set(t, WORK_DIE);
			thread_interrupt(t);
		}
	while (task->nthreads > 1)
		sleep_until_woken(FOREVER, true);
	task->exec_waits = NULL;
	if (task->dying)
		return -EINTR;
	if (self->tid != task->p.pid) {		/* it becomes the leader */
		task_remove_thread(self);
		task_add_thread(task, self, task->p.pid);
	}
	return 0;
}

CALL1(exit, status)
{
	thread_exit((int)(status & 0xff) << 8);
}

CALL1(exit_group, status)
{
	task_kill(this_task(), (int)(status & 0xff) << 8);
	thread_exit(0);
}
