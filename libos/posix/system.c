/* Calls about the system and a process's standing in it: uname, limits, priorities, scheduling,
 * sysinfo, prctl, membarrier.
 */
#include "libos/posix/signal.h"
#include "libos/posix/syscall.h"

/* ---- uname ------------------------------------------------------------------------------- */

static char host[65] = "virtue", domain[65] = "(none)";

CALL1(uname, to)
{
	struct { char system[65], node[65], release[65], version[65], machine[65], domain[65]; } u = {
		"Linux", "", "6.1.0-virtue", "#1 SMP Virtue", "x86_64", "" };
	memcpy(u.node, host, sizeof host);
	memcpy(u.domain, domain, sizeof domain);
	return copy_to_user(to, &u, sizeof u);
}

const char *host_name(void)
{
	return host;
}

static long set_name(char *name, uint64_t from, uint64_t n)
{
	char text[65] = { 0 };
	if (current_process()->euid)
		return -EPERM;
	if (n > 64)
		return -EINVAL;
	if (copy_from_user(text, from, n))
		return -EFAULT;
	memcpy(name, text, sizeof text);
	return 0;
}

CALL2(sethostname, from, n) { return set_name(host, from, n); }
CALL2(setdomainname, from, n) { return set_name(domain, from, n); }

struct sysinfo {
	int64_t uptime;
	uint64_t loads[3], total, free, shared, buffer, swap, free_swap;
	uint16_t procs, pad;
	uint32_t pad2;
	uint64_t high, free_high;
	uint32_t unit, tail;
};
_Static_assert(sizeof(struct sysinfo) == 112, "sysinfo");

CALL1(sysinfo, to)
{
	struct sysinfo s = { .uptime = (int64_t)(time_now() / NS_PER_SECOND), .unit = 1,
		.total = frames_total() * PAGE, .free = frames_free() * PAGE };
	for (struct process *p = process_next(0); p; p = process_next(p->pid))
		s.procs += (uint16_t)process_threads(p);
	return copy_to_user(to, &s, sizeof s);
}

/* ---- limits -------------------------------------------------------------------------------- */

struct rlimit { uint64_t soft, hard; };

/* What other files read of a limit follows it. */
static long limit_set(struct task *t, unsigned which, struct rlimit new)
{
	if (new.soft > new.hard)
		return -EINVAL;
	if (new.hard > t->limit[which].hard && current_process()->euid)
		return -EPERM;
	if (which == RLIMIT_NOFILE && new.hard > 1048576)
		return -EPERM;
	t->limit[which].soft = new.soft;
	t->limit[which].hard = new.hard;
	if (which == RLIMIT_NOFILE)
		t->p.limit_nofile = new.soft;
	if (which == RLIMIT_FSIZE)
		t->p.limit_fsize = new.soft;
	if (which == RLIMIT_STACK && t->p.mm)
		t->p.mm->stack_limit = new.soft;
	return 0;
}

CALL4(prlimit64, pid, which, from, to)
{
	struct task *t = (int)pid ? task_find((int)pid) : this_task();
	struct rlimit new, old;
	if (which >= RLIMITS)
		return -EINVAL;
	if (!t)
		return -ESRCH;
	if (t != this_task() && current_process()->euid && current_process()->uid != t->p.uid)
		return -EPERM;
	old = (struct rlimit){ t->limit[which].soft, t->limit[which].hard };
	if (from && copy_from_user(&new, from, sizeof new))
		return -EFAULT;
	long error = from ? limit_set(t, (unsigned)which, new) : 0;
	return error ? error : to ? copy_to_user(to, &old, sizeof old) : 0;
}

CALL2(getrlimit, which, to)
{
	return sys_prlimit64(0, which, 0, to, 0, 0);
}

CALL2(setrlimit, which, from)
{
	return from ? sys_prlimit64(0, which, from, 0, 0, 0) : -EFAULT;
}

/* ---- priorities and scheduling ---------------------------------------------------------------- */

/* Kept and reported; the scheduler treats all threads alike. */
CALL3(setpriority, which, who, value)
{
	int nice = (int)value;
	struct task *t = (int)who ? task_find((int)who) : this_task();
	if (which > 2)
		return -EINVAL;
	if (which)
		return 0;
	if (!t)
		return -ESRCH;
	nice = nice < -20 ? -20 : nice > 19 ? 19 : nice;
	if (nice < t->nice && current_process()->euid)
		return -EACCES;
	t->nice = nice;
	return 0;
}

CALL2(getpriority, which, who)
{
	struct task *t = which == 0 && (int)who ? task_find((int)who) : this_task();
	if (which > 2)
		return -EINVAL;
	return t ? 20 - t->nice : -ESRCH;
}

static bool thread_exists(uint64_t tid)
{
	return !(int)tid || thread_find((int)tid) || task_find((int)tid);
}

CALL3(sched_getaffinity, tid, size, to)
{
	uint64_t mask = cpu_count < 64 ? (1ul << cpu_count) - 1 : ~0ul;
	if (size < 8 || size & 7)
		return -EINVAL;
	if (!thread_exists(tid))
		return -ESRCH;
	return copy_to_user(to, &mask, 8) ? -EFAULT : 8;
}

CALL3(sched_setaffinity, tid, size, from)
{
	uint64_t mask = 0;
	if (!thread_exists(tid))
		return -ESRCH;
	if (copy_from_user(&mask, from, size < 8 ? size : 8))
		return -EFAULT;
	return mask & ((cpu_count < 64 ? 1ul << cpu_count : 0) - 1) ? 0 : -EINVAL;
}

static long thread_check(uint64_t tid)
{
	return (int)tid < 0 ? -EINVAL : thread_exists(tid) ? 0 : -ESRCH;
}

enum { SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_UNUSED = 4, SCHED_LAST = 6 };

/* The static priority of a policy: real-time ones have a range, the others only 0. */
static long priority_of(uint64_t policy, long real_time)
{
	if (policy > SCHED_LAST || policy == SCHED_UNUSED)
		return -EINVAL;
	return policy == SCHED_FIFO || policy == SCHED_RR ? real_time : 0;
}

CALL1(sched_getscheduler, tid) { return thread_check(tid); }
CALL1(sched_get_priority_max, policy) { return priority_of((uint32_t)policy, 99); }
CALL1(sched_get_priority_min, policy) { return priority_of((uint32_t)policy, 1); }

CALL2(sched_getparam, tid, to)
{
	long error = to ? thread_check(tid) : -EINVAL;
	return error ? error : clear_user(to, 4);
}

/* Only the ordinary policy is there. */
CALL3(sched_setscheduler, tid, policy, from)
{
	int priority;
	if (!from || (int)tid < 0)
		return -EINVAL;
	if (copy_from_user(&priority, from, sizeof priority))
		return -EFAULT;
	if (!thread_exists(tid))
		return -ESRCH;
	long least = priority_of(policy, 1), most = priority_of(policy, 99);
	if (least < 0 || priority < least || priority > most)
		return -EINVAL;
	return policy == SCHED_OTHER ? 0 : -EPERM;
}

CALL2(sched_setparam, tid, from)
{
	return sys_sched_setscheduler(tid, SCHED_OTHER, from, 0, 0, 0);
}

CALL2(sched_rr_get_interval, tid, to)
{
	struct timespec64 ts = { 0, 10000000 };
	return thread_exists(tid) ? copy_to_user(to, &ts, sizeof ts) : -ESRCH;
}

CALL3(getcpu, cpu, node, cache)
{
	uint32_t number = this_cpu()->number, zero = 0;
	(void)cache;
	return (cpu && copy_to_user(cpu, &number, 4)) || (node && copy_to_user(node, &zero, 4)) ?
		-EFAULT : 0;
}

/* A switch of threads is a full barrier, and a thread that runs on another CPU is made to enter
 * the libOS. */
CALL2(membarrier, command, flags)
{
	if (flags)
		return -EINVAL;
	if (command == 0)
		return 1 | 2 | 4 | 8 | 16;
	if (command & ~31ul || command & (command - 1))
		return -EINVAL;
	for (unsigned i = 0; i < cpu_count; i++)
		if (&cpu_table[i] != this_cpu() && cpu_table[i].thread != cpu_table[i].idle)
			exo_event_signal(cpu_table[i].event, EVENT_KICK);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return 0;
}

/* ---- prctl ----------------------------------------------------------------------------------------- */

enum { PR_SET_PDEATHSIG = 1, PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_SET_KEEPCAPS = 8,
	PR_SET_NAME = 15, PR_GET_NAME, PR_CAPBSET_READ = 23, PR_SET_TIMERSLACK = 29,
	PR_GET_TIMERSLACK, PR_SET_NO_NEW_PRIVS = 38, PR_GET_NO_NEW_PRIVS };

CALL5(prctl, op, a, b, c, d)
{
	struct task *t = this_task();
	char name[16] = { 0 };
	(void)b;
	(void)c;
	(void)d;
	switch (op) {
	case PR_SET_PDEATHSIG:
		if (a > SIG_MAX)
			return -EINVAL;
		t->parent_death_signal = (int)a;
		return 0;
	case PR_GET_PDEATHSIG:
		return copy_to_user(a, &t->parent_death_signal, 4);
	case PR_GET_DUMPABLE:
		return t->dumpable;
	case PR_SET_DUMPABLE:
		if (a > 1)
			return -EINVAL;
		t->dumpable = a;
		return 0;
	case PR_SET_NAME:
		if (string_from_user(name, a, sizeof name) == -EFAULT)
			return -EFAULT;
		name[15] = 0;
		memcpy(t->p.name, name, sizeof name);
		return 0;
	case PR_GET_NAME:
		return copy_to_user(a, t->p.name, sizeof t->p.name);
	case PR_CAPBSET_READ:
		return a <= 40 ? 1 : -EINVAL;
	case PR_GET_TIMERSLACK:
		return 50000;
	case PR_SET_TIMERSLACK:
	case PR_SET_KEEPCAPS:
	case PR_SET_NO_NEW_PRIVS:
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return 0;
	}
	return -EINVAL;
}

CALL1(personality, persona)
{
	return persona == 0xffffffff || !persona ? 0 : -EINVAL;
}
