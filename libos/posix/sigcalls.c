/* The system calls of signals. */
#include "libos/posix/signal.h"
#include "libos/posix/syscall.h"

#define SET_SIZE 8

static bool bad_signal(uint64_t sig)
{
	return !sig || sig > SIG_MAX;
}

CALL4(rt_sigaction, sig, new, old, size)
{
	struct sigaction a, *slot;
	if (size != SET_SIZE || bad_signal(sig) || (new && SIG_BIT(sig) & SIG_UNBLOCKABLE))
		return -EINVAL;
	slot = &this_task()->p.signals->action[sig];
	if (new && copy_from_user(&a, new, sizeof a))
		return -EFAULT;
	if (old && copy_to_user(old, slot, sizeof *slot))
		return -EFAULT;
	if (!new)
		return 0;
	a.mask &= ~SIG_UNBLOCKABLE;
	*slot = a;
	if (a.handler == SIG_IGN || (a.handler == SIG_DFL && signal_default_ignored((int)sig))) {
		struct siginfo info;
		for (struct thread *t = this_task()->threads; t; t = t->sibling)
			while (signal_take(t, SIG_BIT(sig), &info))
				;
	}
	return 0;
}

CALL4(rt_sigprocmask, how, new, old, size)
{
	struct thread *t = this_thread();
	uint64_t set, before = t->blocked;
	if (size != SET_SIZE)
		return -EINVAL;
	if (new) {
		if (copy_from_user(&set, new, sizeof set))
			return -EFAULT;
		if (how > SIG_SETMASK)
			return -EINVAL;
		signal_mask_set(t, how == SIG_BLOCK ? before | set :
			how == SIG_UNBLOCK ? before & ~set : set);
	}
	return old ? copy_to_user(old, &before, sizeof before) : 0;
}

CALL2(rt_sigpending, to, size)
{
	struct thread *t = this_thread();
	uint64_t set = signal_pending_set(t) & t->blocked;
	return size > SET_SIZE ? -EINVAL : copy_to_user(to, &set, size);
}

void signals_block_for_call(uint64_t mask)
{
	struct thread *t = this_thread();
	t->saved_blocked = t->blocked;
	t->restore_blocked = true;
	signal_mask_set(t, mask);
	work_set(t, WORK_SIGNAL);
}

/* Sleeps with another mask until a handler has run. */
static long suspend(uint64_t mask)
{
	signals_block_for_call(mask);
	while (sleep_until_woken(FOREVER, false) != -ERESTARTSYS)
		;
	return -ERESTARTNOHAND;
}

CALL2(rt_sigsuspend, from, size)
{
	uint64_t mask;
	if (size != SET_SIZE)
		return -EINVAL;
	return copy_from_user(&mask, from, sizeof mask) ? -EFAULT : suspend(mask);
}

CALL0(pause)
{
	while (sleep_until_woken(FOREVER, false) != -ERESTARTSYS)
		;
	return -ERESTARTNOHAND;
}

CALL4(rt_sigtimedwait, from, to, timeout, size)
{
	struct thread *t = this_thread();
	struct siginfo info;
	struct timespec64 ts;
	uint64_t set, deadline = FOREVER;
	if (size != SET_SIZE)
		return -EINVAL;
	if (copy_from_user(&set, from, sizeof set) || (timeout && copy_from_user(&ts, timeout, sizeof ts)))
		return -EFAULT;
	if (timeout) {
		if (ts.sec < 0 || (uint64_t)ts.nsec >= NS_PER_SECOND)
			return -EINVAL;
		deadline = time_now() + (uint64_t)ts.sec * NS_PER_SECOND + (uint64_t)ts.nsec;
	}
	set &= ~SIG_UNBLOCKABLE;
	while (!signal_take(t, set, &info)) {
		t->wanted = set;
		int why = sleep_until_woken(deadline, false);
		t->wanted = 0;
		if (why == -ETIMEDOUT)
			return signal_take(t, set, &info) ? info.signo : -EAGAIN;
		if (why && !(signal_pending_set(t) & set))
			return -EINTR;
	}
	if (to && copy_to_user(to, &info, sizeof info))
		return -EFAULT;
	return info.signo;
}

/* ---- sending -------------------------------------------------------------------------- */

static bool may_signal(struct task *t, int sig)
{
	struct process *from = &this_task()->p, *to = &t->p;
	return !from->euid || from->euid == to->suid || from->euid == to->uid ||
		from->uid == to->suid || from->uid == to->uid ||
		(sig == SIG_CONT && from->sid == to->sid);
}

static long send_to(struct task *t, const struct siginfo *info)
{
	if (!may_signal(t, info->signo))
		return -EPERM;
	return info->signo ? signal_send(t, info) : 0;
}

static struct siginfo from_me(int sig, int code)
{
	return (struct siginfo){ .signo = sig, .code = code,
		.user = { .pid = this_task()->p.pid, .uid = this_task()->p.uid } };
}

/* pid -1: all but oneself and pid 1; otherwise a group. */
static long send_many(int pgid, const struct siginfo *info)
{
	long result = -ESRCH;
	for (struct process *p = process_next(0); p; p = process_next(p->pid)) {
		bool meant = pgid == -1 ? p->pid != 1 && p != current_process() : p->pgid == pgid;
		if (!meant)
			continue;
		long one = send_to(task_of(p), info);
		if (result)
			result = one;
	}
	return result;
}

CALL2(kill, pid, sig)
{
	int to = (int)pid;
	if (sig > SIG_MAX)
		return -EINVAL;
	struct siginfo info = from_me((int)sig, SI_USER);
	if (to > 0) {
		struct task *t = task_find(to);
		return t ? send_to(t, &info) : -ESRCH;
	}
	return send_many(to == 0 ? this_task()->p.pgid : to == -1 ? -1 : -to, &info);
}

static long send_thread(int tgid, int tid, const struct siginfo *info)
{
	struct thread *t = thread_find(tid);
	if (!t || (tgid > 0 && t->task->p.pid != tgid))
		return -ESRCH;
	if (!may_signal(t->task, info->signo))
		return -EPERM;
	return info->signo ? signal_send_thread(t, info) : 0;
}

CALL2(tkill, tid, sig)
{
	if ((int)tid <= 0 || sig > SIG_MAX)
		return -EINVAL;
	struct siginfo info = from_me((int)sig, SI_TKILL);
	return send_thread(0, (int)tid, &info);
}

CALL3(tgkill, tgid, tid, sig)
{
	if ((int)tid <= 0 || (int)tgid <= 0 || sig > SIG_MAX)
		return -EINVAL;
	struct siginfo info = from_me((int)sig, SI_TKILL);
	return send_thread((int)tgid, (int)tid, &info);
}

static long queued_info(struct siginfo *info, uint64_t from, uint64_t sig, int pid)
{
	if (copy_from_user(info, from, sizeof *info))
		return -EFAULT;
	if (sig > SIG_MAX)
		return -EINVAL;
	if ((info->code >= 0 || info->code == SI_TKILL) && pid != this_task()->p.pid)
		return -EPERM;
	info->signo = (int)sig;
	return 0;
}

CALL3(rt_sigqueueinfo, pid, sig, from)
{
	struct siginfo info;
	long error = queued_info(&info, from, sig, (int)pid);
	struct task *t = task_find((int)pid);
	return error ? error : t ? send_to(t, &info) : -ESRCH;
}

CALL4(rt_tgsigqueueinfo, tgid, tid, sig, from)
{
	struct siginfo info;
	if ((int)tid <= 0 || (int)tgid <= 0)
		return -EINVAL;
	long error = queued_info(&info, from, sig, (int)tgid);
	return error ? error : send_thread((int)tgid, (int)tid, &info);
}
