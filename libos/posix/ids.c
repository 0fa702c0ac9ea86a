/* Who a process is: pids, groups, sessions, users. */
#include "libos/posix/process.h"
#include "libos/posix/syscall.h"

#define SAME	0xffffffffu	/* -1: leave it */

static struct process *me(void) { return current_process(); }

CALL0(getpid) { return me()->pid; }
CALL0(getppid) { return me()->parent ? me()->parent->pid : 0; }
CALL0(getuid) { return me()->uid; }
CALL0(geteuid) { return me()->euid; }
CALL0(getgid) { return me()->gid; }
CALL0(getegid) { return me()->egid; }
CALL0(getpgrp) { return me()->pgid; }

static struct process *named(uint64_t pid)
{
	return (int)pid ? process_find((int)pid) : me();
}

CALL1(getpgid, pid)
{
	struct process *p = named(pid);
	return p ? p->pgid : -ESRCH;
}

CALL1(getsid, pid)
{
	struct process *p = named(pid);
	return p ? p->sid : -ESRCH;
}

static bool group_exists(int pgid, int sid)
{
	for (struct process *p = process_next(0); p; p = process_next(p->pid))
		if (p->pgid == pgid && p->sid == sid)
			return true;
	return false;
}

CALL2(setpgid, pid, pgid)
{
	struct process *p = named(pid);
	int group = (int)pgid;
	if (group < 0)
		return -EINVAL;
	if (!p || (p != me() && p->parent != me()))
		return -ESRCH;
	if (!group)
		group = p->pid;
	if (p != me() && task_of(p)->execed)
		return -EACCES;
	if (p->sid == p->pid || p->sid != me()->sid || (group != p->pid && !group_exists(group, p->sid)))
		return -EPERM;
	p->pgid = group;
	return 0;
}

CALL0(setsid)
{
	struct process *p = me();
	for (struct process *q = process_next(0); q; q = process_next(q->pid))
		if (q->pgid == p->pid)
			return -EPERM;
	p->sid = p->pgid = p->pid;
	p->tty = NULL;
	return p->pid;
}

/* ---- users: real, effective and saved ids of one kind ----------------------------------- */

struct ids { uint32_t *real, *effective, *saved; };

static struct ids users(void) { return (struct ids){ &me()->uid, &me()->euid, &me()->suid }; }
static struct ids groups(void) { return (struct ids){ &me()->gid, &me()->egid, &me()->sgid }; }

static bool one_of(struct ids i, uint32_t id)
{
	return id == SAME || id == *i.real || id == *i.effective || id == *i.saved;
}

static long set_all(struct ids i, uint32_t real, uint32_t effective, uint32_t saved)
{
	if (me()->euid && (!one_of(i, real) || !one_of(i, effective) || !one_of(i, saved)))
		return -EPERM;
	*i.real = real == SAME ? *i.real : real;
	*i.effective = effective == SAME ? *i.effective : effective;
	*i.saved = saved == SAME ? *i.saved : saved;
	return 0;
}

static long set_one(struct ids i, uint32_t id)
{
	if (id == SAME)
		return -EINVAL;
	if (!me()->euid)
		return set_all(i, id, id, id);
	if (id != *i.real && id != *i.saved)
		return -EPERM;
	*i.effective = id;
	return 0;
}

static long set_two(struct ids i, uint32_t real, uint32_t effective)
{
	if (me()->euid && ((real != SAME && real != *i.real && real != *i.effective) ||
			   !one_of(i, effective)))
		return -EPERM;
	bool save = real != SAME || (effective != SAME && effective != *i.real);
	*i.real = real == SAME ? *i.real : real;
	*i.effective = effective == SAME ? *i.effective : effective;
	if (save)
		*i.saved = *i.effective;
	return 0;
}

static long get_all(struct ids i, uint64_t real, uint64_t effective, uint64_t saved)
{
	return copy_to_user(real, i.real, 4) || copy_to_user(effective, i.effective, 4) ||
		copy_to_user(saved, i.saved, 4) ? -EFAULT : 0;
}

CALL1(setuid, id) { return set_one(users(), (uint32_t)id); }
CALL1(setgid, id) { return set_one(groups(), (uint32_t)id); }
CALL2(setreuid, r, e) { return set_two(users(), (uint32_t)r, (uint32_t)e); }
CALL2(setregid, r, e) { return set_two(groups(), (uint32_t)r, (uint32_t)e); }
CALL3(setresuid, r, e, s) { return set_all(users(), (uint32_t)r, (uint32_t)e, (uint32_t)s); }
CALL3(setresgid, r, e, s) { return set_all(groups(), (uint32_t)r, (uint32_t)e, (uint32_t)s); }
CALL3(getresuid, r, e, s) { return get_all(users(), r, e, s); }
CALL3(getresgid, r, e, s) { return get_all(groups(), r, e, s); }

/* Files are checked with the effective ids: these have no others to set. */
CALL1(setfsuid, id)
{
	(void)id;
	return me()->euid;
}

CALL1(setfsgid, id)
{
	(void)id;
	return me()->egid;
}

CALL2(getgroups, size, to)
{
	struct task *t = this_task();
	if ((int)size < 0 || (size && size < t->ngroups))
		return -EINVAL;
	if (size && t->ngroups && copy_to_user(to, t->groups, t->ngroups * sizeof t->groups[0]))
		return -EFAULT;
	return t->ngroups;
}

static void groups_sort(uint32_t *list, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
		for (uint32_t k = i; k && list[k - 1] > list[k]; k--) {
			uint32_t t = list[k];
			list[k] = list[k - 1];
			list[k - 1] = t;
		}
}

CALL2(setgroups, size, from)
{
	struct task *t = this_task();
	if (me()->euid)
		return -EPERM;
	if (size > sizeof t->groups / sizeof t->groups[0])
		return -EINVAL;
	if (copy_from_user(t->groups, from, size * sizeof t->groups[0]))
		return -EFAULT;
	t->ngroups = (uint32_t)size;
	groups_sort(t->groups, t->ngroups);
	return 0;
}
