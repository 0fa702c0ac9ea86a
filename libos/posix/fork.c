/* New processes and threads: fork, vfork, clone, clone3.
 *
 * The child begins as a copy of the caller's registers with RAX = 0.  Memory is copied on write
 * (mm.c), shared (threads, vfork), or lent until exec or exit (vfork).
 */
#include "libos/posix/mm.h"
#include "libos/posix/signal.h"
#include "libos/posix/syscall.h"

/* ---- threads as records ------------------------------------------------------------------- */

void thread_first(void);
void sched_switched(void);

void thread_first(void)
{
	struct thread *t = this_thread();
	int32_t tid = t->tid;
	sched_switched();
	if (t->set_tid)
		copy_to_user(t->set_tid, &tid, sizeof tid);
	if (t->begin)
		t->begin();
}

static void state_copy(struct thread *to, struct thread *from)
{
	thread_state_save(from);
	memcpy(to->xstate, from->xstate, xsave_size);
	to->fs_base = from->fs_base;
	to->gs_base = from->gs_base;
	*to->regs = *from->regs;
	to->regs->rax = 0;
	to->regs->call = -1;
	to->regs->rcx = to->regs->up.rip;
	to->regs->r11 = to->regs->up.rflags;
}

static void thread_inherit(struct thread *to, const struct thread *from, const struct clone_args *a)
{
	to->blocked = from->blocked;
	to->top->table = from->top->table;
	if (!(a->flags & CLONE_VM) || a->flags & CLONE_VFORK) {
		to->alt_sp = from->alt_sp;
		to->alt_size = from->alt_size;
		to->alt_flags = from->alt_flags;
	}
	if (a->stack)
		to->regs->up.rsp = a->stack + a->stack_size;
	if (a->flags & CLONE_SETTLS)
		to->fs_base = a->tls;
	if (a->flags & CLONE_CHILD_SETTID)
		to->set_tid = a->child_tid;
	if (a->flags & CLONE_CHILD_CLEARTID)
		to->clear_tid = a->child_tid;
}

/* ---- processes ----------------------------------------------------------------------------- */

static bool share_or_copy(struct task *t, struct task *from, uint64_t flags)
{
	struct process *p = &t->p, *q = &from->p;
	if (flags & CLONE_FILES) {
		p->files = q->files;
		p->files->refs++;
	} else {
		p->files = files_copy(q->files);
	}
	if (flags & CLONE_FS) {
		p->fs = q->fs;
		p->fs->refs++;
	} else {
		p->fs = fs_copy(q->fs);
	}
	if (flags & CLONE_SIGHAND) {
		p->signals = q->signals;
		p->signals->refs++;
	} else {
		p->signals = signals_new(q->signals);
	}
	if (flags & CLONE_VM) {
		p->mm = q->mm;
		p->mm->refs++;
	} else {
		p->mm = mm_fork(q->mm);
	}
	return p->files && p->fs && p->signals && p->mm;
}

static void undo(struct task *t)
{
	if (t->p.files)
		files_put(t->p.files);
	if (t->p.fs)
		fs_put(t->p.fs);
	if (t->p.signals)
		signals_put(t->p.signals);
	if (t->p.mm)
		mm_put(t->p.mm);
	task_free(t);
}

static struct task *new_process(struct task *from, const struct clone_args *a)
{
	struct task *t = task_new(a->flags & CLONE_PARENT ? task_of(from->p.parent) : from);
	if (!t)
		return NULL;
	t->exit_signal = (int)a->exit_signal;
	if (!share_or_copy(t, from, a->flags)) {
		undo(t);
		return NULL;
	}
	return t;
}

/* ---- the calls -------------------------------------------------------------------------------- */

static bool flags_bad(const struct clone_args *a)
{
	uint64_t f = a->flags;
	return (f & CLONE_SIGHAND && !(f & CLONE_VM)) || (f & CLONE_THREAD && !(f & CLONE_SIGHAND)) ||
		f & (CLONE_NEW_ANY | CLONE_PIDFD) || a->set_tid_size || a->exit_signal > SIG_MAX ||
		(f & CLONE_SETTLS && a->tls >= USER_END);
}

static void vfork_wait(struct task *child)
{
	struct thread *t = this_thread();
	t->vfork_over = false;
	child->vfork_waiter = t;
	while (!t->vfork_over)
		sleep_until_woken(FOREVER, true);
}

static long clone(const struct clone_args *a)
{
	struct thread *self = this_thread(), *th = NULL;
	struct task *task = self->task;
	if (flags_bad(a))
		return -EINVAL;
	bool thread = a->flags & CLONE_THREAD;
	if (!thread && !(task = new_process(task, a)))
		return -ENOMEM;
	int tid = thread ? tid_new() : task->p.pid;
	if (!tid || !(th = thread_new(task))) {
		if (!thread)
			undo(task);
		return -EAGAIN;
	}
	th->mm = task->p.mm;
	state_copy(th, self);
	thread_inherit(th, self, a);
	task_add_thread(task, th, tid);
	int32_t value = tid;
	if (a->flags & CLONE_PARENT_SETTID)
		copy_to_user(a->parent_tid, &value, sizeof value);
	if (task->dying)
		work_set(th, WORK_DIE);
	thread_ready(th);
	if (a->flags & CLONE_VFORK)
		vfork_wait(task);
	return tid;
}

CALL0(fork)
{
	return clone(&(struct clone_args){ .exit_signal = SIG_CHLD });
}

CALL0(vfork)
{
	return clone(&(struct clone_args){ .flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIG_CHLD });
}

CALL5(clone, flags, stack, parent_tid, child_tid, tls)
{
	return clone(&(struct clone_args){ .flags = flags & ~CSIGNAL & 0xffffffff,
		.exit_signal = flags & CSIGNAL, .stack = stack, .parent_tid = parent_tid,
		.child_tid = child_tid, .tls = tls });
}

CALL2(clone3, from, size)
{
	struct clone_args a = { 0 };
	if (size < 64)
		return -EINVAL;
	if (size > PAGE)
		return -E2BIG;
	uint64_t extra = 0;
	for (uint64_t at = sizeof a; at + 8 <= size; at += 8)
		if (copy_from_user(&extra, from + at, 8) || extra)
			return extra ? -E2BIG : -EFAULT;
	if (copy_from_user(&a, from, size < sizeof a ? size : sizeof a))
		return -EFAULT;
	if (a.flags & (CSIGNAL | CLONE_DETACHED) || (!a.stack) != (!a.stack_size) ||
	    (a.flags & (CLONE_THREAD | CLONE_PARENT) && a.exit_signal))
		return -EINVAL;
	if (a.flags & CLONE_CLEAR_SIGHAND)
		return -EINVAL;
	return clone(&a);
}
