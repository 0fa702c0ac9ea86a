/* Waiting for children: wait4, waitid. */
#include "libos/posix/mm.h"
#include "libos/posix/syscall.h"

struct wanted { int which; int id; uint64_t options; };

static bool matches(const struct task *child, const struct wanted *w)
{
	bool clone = child->exit_signal != SIG_CHLD;
	if (!(w->options & __WALL) && clone != !!(w->options & __WCLONE))
		return false;
	return w->which == P_ALL || (w->which == P_PID ? child->p.pid : child->p.pgid) == w->id;
}

static int status_of(const struct task *c, const struct wanted *w)
{
	if (w->options & WEXITED && task_is_zombie(c))
		return c->status;
	if (w->options & WSTOPPED && c->stopped && !c->stop_reported)
		return c->stop_signal << 8 | 0x7f;
	if (w->options & WCONTINUED && c->continued)
		return 0xffff;
	return -1;
}

/* Oldest first: children are linked newest first. */
static struct task *find(struct task *parent, const struct wanted *w, bool *any)
{
	struct task *found = NULL;
	*any = false;
	for (struct task *c = parent->children; c; c = c->sibling)
		if (matches(c, w)) {
			*any = true;
			if (status_of(c, w) >= 0)
				found = c;
		}
	return found;
}

static uint64_t rss_of(const struct task *c)
{
	return c->rss_most > c->child_rss_most ? c->rss_most : c->child_rss_most;
}

static void times_of(const struct task *c, struct rusage *u)
{
	uint64_t us = (c->p.user_time + c->child_user) / 1000;
	uint64_t sys = (c->p.system_time + c->child_system) / 1000;
	*u = (struct rusage){
		.user = { (int64_t)(us / 1000000), (int64_t)(us % 1000000) },
		.system = { (int64_t)(sys / 1000000), (int64_t)(sys % 1000000) },
		.maxrss = (int64_t)(rss_of(c) * (PAGE / 1024)),
		.minflt = (int64_t)(c->faults_minor + c->child_faults) };
}

static void reap(struct task *parent, struct task *c)
{
	parent->child_user += c->p.user_time + c->child_user;
	parent->child_system += c->p.system_time + c->child_system;
	if (rss_of(c) > parent->child_rss_most)
		parent->child_rss_most = rss_of(c);
	parent->child_faults += c->faults_minor + c->child_faults;
	task_free(c);
}

/* The child's pid, 0 (WNOHANG), or -errno. */
static long wait_for_child(const struct wanted *w, int *status, uint32_t *uid, struct rusage *usage)
{
	struct task *parent = this_task();
	for (;;) {
		bool any;
		struct task *c = find(parent, w, &any);
		if (c) {
			int pid = c->p.pid;
			*status = status_of(c, w);
			*uid = c->p.uid;
			times_of(c, usage);
			if (w->options & WNOWAIT)
				return pid;
			if (task_is_zombie(c))
				reap(parent, c);
			else if (c->stopped)
				c->stop_reported = true;
			else
				c->continued = false;
			return pid;
		}
		if (!any)
			return -ECHILD;
		if (w->options & WNOHANG)
			return 0;
		int why = sleep_on(&parent->child_wait, FOREVER);
		if (why)
			return why;
	}
}

CALL4(wait4, id, to, options, usage_to)
{
	int pid = (int)id, status = 0;
	uint32_t uid;
	struct rusage usage;
	if (options & ~(uint64_t)(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WALL | __WCLONE))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	struct wanted w = { .options = options | WEXITED };
	w.which = pid > 0 ? P_PID : pid == -1 ? P_ALL : P_PGID;
	w.id = pid > 0 ? pid : pid ? -pid : this_task()->p.pgid;
	long result = wait_for_child(&w, &status, &uid, &usage);
	if (result <= 0)
		return result;
	if ((to && copy_to_user(to, &status, sizeof status)) ||
	    (usage_to && copy_to_user(usage_to, &usage, sizeof usage)))
		return -EFAULT;
	return result;
}

static void waitid_info(struct siginfo *info, int pid, int status, uint32_t uid)
{
	int low = status & 0x7f;
	*info = (struct siginfo){ .signo = SIG_CHLD, .child = { .pid = pid, .uid = uid } };
	if (status == 0xffff) {
		info->code = CLD_CONTINUED;
		info->child.status = SIG_CONT;
	} else if (low == 0x7f) {
		info->code = CLD_STOPPED;
		info->child.status = status >> 8;
	} else {
		info->code = low ? CLD_KILLED : CLD_EXITED;
		info->child.status = low ? low : status >> 8;
	}
}

CALL5(waitid, which, id, to, options, usage_to)
{
	int status = 0;
	uint32_t uid;
	struct rusage usage;
	struct siginfo info = { 0 };
	if (options & ~(uint64_t)(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED |
			__WNOTHREAD | __WALL | __WCLONE) ||
	    !(options & (WEXITED | WSTOPPED | WCONTINUED)) || which > P_PGID ||
	    (which == P_PID && (int)id <= 0) || (which == P_PGID && (int)id < 0))
		return -EINVAL;
	struct wanted w = { .which = (int)which, .id = (int)id, .options = options };
	if (which == P_PGID && !id)
		w.id = this_task()->p.pgid;
	long result = wait_for_child(&w, &status, &uid, &usage);
	if (result < 0)
		return result;
	if (result)
		waitid_info(&info, (int)result, status, uid);
	if ((to && copy_to_user(to, &info, sizeof info)) ||
	    (result && usage_to && copy_to_user(usage_to, &usage, sizeof usage)))
		return -EFAULT;
	return 0;
}
