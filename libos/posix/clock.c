/* Clocks and sleeping: clock_gettime and its kin, nanosleep, times, getrusage. */
#include "libos/posix/mm.h"
#include "libos/posix/syscall.h"

static struct timespec64 spec(uint64_t ns)
{
	return (struct timespec64){ (int64_t)(ns / NS_PER_SECOND), (int64_t)(ns % NS_PER_SECOND) };
}

static struct timeval val(uint64_t ns)
{
	return (struct timeval){ (int64_t)(ns / NS_PER_SECOND), (int64_t)(ns % NS_PER_SECOND / 1000) };
}

/* False: no such clock. */
bool clock_read(uint64_t clock, uint64_t *ns)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI:
	case CLOCK_REALTIME_ALARM:
		*ns = time_wall();
		return true;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = time_now();
		return true;
	case CLOCK_PROCESS_CPUTIME_ID:
		*ns = task_time(this_task());
		return true;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = thread_time(this_thread());
		return true;
	}
	/* clock_getcpuclockid and pthread_getcpuclockid: ~id << 3 | 2, + 4 for a thread */
	if ((int32_t)clock < 0) {
		int id = (int)~((int32_t)clock >> 3);
		struct thread *t = clock & 4 ? (id ? thread_find(id) : this_thread()) : NULL;
		struct task *p = clock & 4 ? NULL : id ? task_find(id) : this_task();
		*ns = t ? thread_time(t) : p ? task_time(p) : 0;
		return t || p;
	}
	return false;
}

CALL2(clock_gettime, clock, to)
{
	uint64_t ns;
	if (!clock_read(clock, &ns))
		return -EINVAL;
	struct timespec64 ts = spec(ns);
	return copy_to_user(to, &ts, sizeof ts);
}

CALL2(clock_getres, clock, to)
{
	uint64_t ns;
	bool coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
	if (!clock_read(clock, &ns))
		return -EINVAL;
	struct timespec64 ts = { 0, coarse ? 4000000 : 1 };
	return to ? copy_to_user(to, &ts, sizeof ts) : 0;
}

/* The wall clock is the machine's; a session doesn't own it: nobody may set it. */
CALL2(clock_settime, clock, from)
{
	struct timespec64 ts;
	if (clock != CLOCK_REALTIME)
		return -EINVAL;
	if (copy_from_user(&ts, from, sizeof ts))
		return -EFAULT;
	return ts.sec < 0 || (uint64_t)ts.nsec >= NS_PER_SECOND ? -EINVAL : -EPERM;
}

CALL2(settimeofday, from, zone)
{
	struct timeval tv = { 0, 0 };
	uint64_t minutes;
	if ((from && copy_from_user(&tv, from, sizeof tv)) ||
	    (zone && copy_from_user(&minutes, zone, sizeof minutes)))
		return -EFAULT;
	return tv.sec < 0 || (uint64_t)tv.usec > 1000000 ? -EINVAL : -EPERM;
}

CALL2(gettimeofday, to, zone)
{
	struct timeval tv = val(time_wall());
	if (to && copy_to_user(to, &tv, sizeof tv))
		return -EFAULT;
	return zone ? clear_user(zone, 8) : 0;
}

CALL1(time, to)
{
	int64_t now = (int64_t)(time_wall() / NS_PER_SECOND);
	return to && copy_to_user(to, &now, sizeof now) ? -EFAULT : now;
}

/* ---- sleeping -------------------------------------------------------------------------- */

/* Until a time since boot.  An interruption leaves what restart_syscall needs. */
static long sleep_until(uint64_t deadline, uint64_t rest_to)
{
	struct thread *t = this_thread();
	int why;
	do
		why = sleep_until_woken(deadline, false);
	while (!why);
	if (why == -ETIMEDOUT)
		return 0;
	uint64_t now = time_now();
	struct timespec64 rest = spec(deadline > now ? deadline - now : 0);
	if (rest_to && copy_to_user(rest_to, &rest, sizeof rest))
		return -EFAULT;
	t->restart_deadline = deadline;
	t->restart_rem = rest_to;
	return -ERESTART_RESTARTBLOCK;
}

static long time_from(uint64_t from, uint64_t *ns)
{
	struct timespec64 ts;
	if (copy_from_user(&ts, from, sizeof ts))
		return -EFAULT;
	if (ts.sec < 0 || (uint64_t)ts.nsec >= NS_PER_SECOND)
		return -EINVAL;
	uint64_t most = FOREVER / NS_PER_SECOND / 4;
	*ns = ((uint64_t)ts.sec < most ? (uint64_t)ts.sec : most) * NS_PER_SECOND + (uint64_t)ts.nsec;
	return 0;
}

CALL2(nanosleep, from, rest)
{
	uint64_t ns;
	long error = time_from(from, &ns);
	return error ? error : sleep_until(time_now() + ns, rest);
}

CALL4(clock_nanosleep, clock, flags, from, rest)
{
	uint64_t ns, now;
	if (!clock_read(clock, &now) || clock == CLOCK_THREAD_CPUTIME_ID)
		return -EINVAL;
	long error = time_from(from, &ns);
	if (error)
		return error;
	if (!(flags & TIMER_ABSTIME))
		return sleep_until(time_now() + ns, rest);
	if (ns <= now)
		return 0;
	error = sleep_until(time_now() + (ns - now), 0);
	return error == -ERESTART_RESTARTBLOCK ? -ERESTARTNOHAND : error;
}

CALL0(restart_syscall)
{
	struct thread *t = this_thread();
	return t->restart_deadline ? sleep_until(t->restart_deadline, t->restart_rem) : -EINTR;
}

/* ---- CPU time ----------------------------------------------------------------------------- */

CALL1(times, to)
{
	struct task *t = this_task();
	uint64_t tick = NS_PER_SECOND / TICKS;
	sched_account();
	int64_t v[4] = { (int64_t)(t->p.user_time / tick), (int64_t)(t->p.system_time / tick),
		(int64_t)(t->child_user / tick), (int64_t)(t->child_system / tick) };
	if (to && copy_to_user(to, v, sizeof v))
		return -EFAULT;
	return (long)(time_now() / tick);
}

CALL2(getrusage, who, to)
{
	struct task *t = this_task();
	struct rusage u = { 0 };
	sched_account();
	switch ((int)who) {
	case RUSAGE_SELF:
		u.user = val(t->p.user_time);
		u.system = val(t->p.system_time);
		u.minflt = (int64_t)t->faults_minor;
		u.maxrss = (int64_t)(task_rss_most(t) * (PAGE / 1024));
		break;
	case RUSAGE_THREAD:
		u.user = val(this_thread()->run_ns - this_thread()->system_ns);
		u.system = val(this_thread()->system_ns);
		u.maxrss = (int64_t)(task_rss_most(t) * (PAGE / 1024));
		break;
	case RUSAGE_CHILDREN:
		u.user = val(t->child_user);
		u.system = val(t->child_system);
		u.minflt = (int64_t)t->child_faults;
		u.maxrss = (int64_t)(t->child_rss_most * (PAGE / 1024));
		break;
	default:
		return -EINVAL;
	}
	return copy_to_user(to, &u, sizeof u);
}
