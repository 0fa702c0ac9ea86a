/* Timers that send signals: alarm, setitimer, and POSIX timers.
 *
 * ITIMER_VIRTUAL and ITIMER_PROF both count all CPU time of the process.  POSIX timers of CPU
 * clocks are not offered: their creation fails.
 */
#include "libos/posix/signal.h"
#include "libos/posix/syscall.h"

/* ---- the interval timer --------------------------------------------------------------------- */

static void real_fires(struct timer *timer)
{
	struct itimer *i = (struct itimer *)timer;
	struct siginfo info = { .signo = SIG_ALRM, .code = SI_KERNEL };
	if (i->interval) {
		uint64_t next = timer->when + i->interval, now = time_now();
		timer_add(timer, next > now ? next : now + i->interval);
	}
	signal_send(i->task, &info);
}

static uint64_t ns_of(struct timeval v)
{
	return (uint64_t)v.sec * NS_PER_SECOND + (uint64_t)v.usec * 1000;
}

static struct timeval val(uint64_t ns)
{
	ns += 999;
	return (struct timeval){ (int64_t)(ns / NS_PER_SECOND), (int64_t)(ns % NS_PER_SECOND / 1000) };
}

static struct itimerval real_state(struct task *t)
{
	uint64_t now = time_now(), when = t->real.t.link ? t->real.t.when : 0;
	return (struct itimerval){ .interval = val(t->real.interval),
		.value = when ? val(when > now ? when - now : 1000) : (struct timeval){ 0, 0 } };
}

static void real_set(struct task *t, uint64_t value, uint64_t interval)
{
	timer_remove(&t->real.t);
	t->real.task = t;
	t->real.t.fire = real_fires;
	t->real.interval = interval;
	if (value)
		timer_add(&t->real.t, time_now() + value);
}

/* ---- timers of CPU time ------------------------------------------------------------------------ */

static void cpu_next_set(struct task *t)
{
	t->cpu_next = FOREVER;
	for (unsigned i = 0; i < 2; i++)
		if (t->cpu_timer[i].when && t->cpu_timer[i].when < t->cpu_next)
			t->cpu_next = t->cpu_timer[i].when;
	work_set(this_thread(), WORK_SCHED);
}

uint64_t cpu_timers_left(struct task *t)
{
	uint64_t now = task_time(t);
	return t->cpu_next > now ? t->cpu_next - now : 0;
}

void cpu_timers_check(struct task *t)
{
	static const int signals[2] = { SIG_VTALRM, SIG_PROF };
	uint64_t now = task_time(t);
	for (unsigned i = 0; i < 2; i++) {
		if (!t->cpu_timer[i].when || t->cpu_timer[i].when > now)
			continue;
		t->cpu_timer[i].when = t->cpu_timer[i].interval ? now + t->cpu_timer[i].interval : 0;
		signal_send(t, &(struct siginfo){ .signo = signals[i], .code = SI_KERNEL });
	}
	cpu_next_set(t);
}

static struct itimerval cpu_state(struct task *t, unsigned i)
{
	uint64_t now = task_time(t), when = t->cpu_timer[i].when;
	return (struct itimerval){ .interval = val(t->cpu_timer[i].interval),
		.value = when ? val(when > now ? when - now : 1000) : (struct timeval){ 0, 0 } };
}

static void cpu_set(struct task *t, unsigned i, uint64_t value, uint64_t interval)
{
	t->cpu_timer[i].when = value ? task_time(t) + value : 0;
	t->cpu_timer[i].interval = interval;
	cpu_next_set(t);
}

/* ---- calls ------------------------------------------------------------------------------------- */

static bool bad(struct timeval v)
{
	return v.sec < 0 || v.sec > 1000000000000 || (uint64_t)v.usec >= 1000000;
}

CALL3(setitimer, which, from, to)
{
	struct task *t = this_task();
	struct itimerval new = { 0 }, old;
	if (which > ITIMER_PROF)
		return -EINVAL;
	old = which == ITIMER_REAL ? real_state(t) : cpu_state(t, (unsigned)which - 1);
	if (from && copy_from_user(&new, from, sizeof new))
		return -EFAULT;
	if (bad(new.interval) || bad(new.value))
		return -EINVAL;
	if (which == ITIMER_REAL)
		real_set(t, ns_of(new.value), ns_of(new.interval));
	else
		cpu_set(t, (unsigned)which - 1, ns_of(new.value), ns_of(new.interval));
	return to ? copy_to_user(to, &old, sizeof old) : 0;
}

CALL2(getitimer, which, to)
{
	struct itimerval v;
	if (which > ITIMER_PROF)
		return -EINVAL;
	v = which == ITIMER_REAL ? real_state(this_task()) : cpu_state(this_task(), (unsigned)which - 1);
	return copy_to_user(to, &v, sizeof v);
}

CALL1(alarm, seconds)
{
	struct task *t = this_task();
	struct itimerval old = real_state(t);
	uint64_t left = ns_of(old.value);
	real_set(t, (uint32_t)seconds * NS_PER_SECOND, 0);
	uint64_t whole = (left + NS_PER_SECOND / 2) / NS_PER_SECOND;
	return left && !whole ? 1 : (long)whole;
}

/* ---- POSIX timers ----------------------------------------------------------------------------- */

struct posix_timer {
	struct timer t;			/* first */
	struct posix_timer *next;
	struct task *task;
	int id, signo, notify, tid;
	uint64_t value;
	uint32_t clock;
	uint64_t interval;
	int overrun;			/* of the signal that was taken last */
};

#define OVERRUN_MAX	0x7ffffffe

/* A timer has one signal pending at most: expiries that find it there are counted by it. */
static void posix_fires(struct timer *timer)
{
	struct posix_timer *p = (struct posix_timer *)timer;
	struct siginfo info = { .signo = p->signo, .code = SI_TIMER,
		.timer = { .id = p->id, .value = p->value } };
	if (p->interval) {
		uint64_t now = time_now(), late = now > timer->when ? (now - timer->when) / p->interval : 0;
		info.timer.overrun = late < OVERRUN_MAX ? (int)late : OVERRUN_MAX;
		timer_add(timer, timer->when + (late + 1) * p->interval);
	}
	struct thread *th = p->notify & SIGEV_THREAD_ID ? thread_find(p->tid) : NULL;
	if (th && th->task != p->task)
		th = NULL;
	if (p->notify == SIGEV_NONE || signal_timer_again(p->task, th, p->id, info.timer.overrun + 1))
		return;
	if (th)
		signal_send_thread(th, &info);
	else
		signal_send(p->task, &info);
}

static struct posix_timer *find(int id)
{
	struct posix_timer *p = this_task()->timers;
	while (p && p->id != id)
		p = p->next;
	return p;
}

void posix_timer_taken(struct task *t, const struct siginfo *info)
{
	for (struct posix_timer *p = t->timers; p; p = p->next)
		if (p->id == info->timer.id)
			p->overrun = info->timer.overrun;
}

CALL3(timer_create, clock, event, to)
{
	struct sigevent e = { .signo = SIG_ALRM, .notify = SIGEV_SIGNAL };
	struct task *t = this_task();
	uint64_t now;
	if (event && copy_from_user(&e, event, sizeof e))
		return -EFAULT;
	if (!clock_read(clock, &now) || (e.notify & ~(SIGEV_NONE | SIGEV_THREAD | SIGEV_THREAD_ID)) ||
	    (!(e.notify & SIGEV_NONE) && (e.signo < 1 || e.signo > SIG_MAX)))
		return -EINVAL;
	if (clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID || (int32_t)clock < 0)
		return -ENOTSUP;
	struct posix_timer *p = kmalloc(sizeof *p);
	if (!p)
		return -EAGAIN;
	*p = (struct posix_timer){ .t.fire = posix_fires, .next = t->timers, .task = t,
		.id = t->timers ? t->timers->id + 1 : 0, .signo = e.signo, .notify = e.notify,
		.tid = e.tid, .value = e.value, .clock = (uint32_t)clock };
	if (!event)
		p->value = (uint64_t)p->id;
	if (copy_to_user(to, &p->id, sizeof p->id)) {
		kfree(p);
		return -EFAULT;
	}
	t->timers = p;
	return 0;
}

static struct linux_itimerspec state(const struct posix_timer *p)
{
	uint64_t now = time_now(), left = !p->t.link ? 0 : p->t.when > now ? p->t.when - now : 1;
	return (struct linux_itimerspec){
		.interval = { (int64_t)(p->interval / NS_PER_SECOND), (int64_t)(p->interval % NS_PER_SECOND) },
		.value = { (int64_t)(left / NS_PER_SECOND), (int64_t)(left % NS_PER_SECOND) } };
}

static bool spec_bad(struct timespec64 t)
{
	return t.sec < 0 || t.sec > 1000000000 || (uint64_t)t.nsec >= NS_PER_SECOND;
}

CALL4(timer_settime, id, flags, from, to)
{
	struct posix_timer *p = find((int)id);
	struct linux_itimerspec s, old;
	uint64_t now;
	if (!p)
		return -EINVAL;
	if (copy_from_user(&s, from, sizeof s))
		return -EFAULT;
	if (spec_bad(s.interval) || spec_bad(s.value))
		return -EINVAL;
	old = state(p);
	uint64_t value = (uint64_t)s.value.sec * NS_PER_SECOND + (uint64_t)s.value.nsec;
	p->interval = (uint64_t)s.interval.sec * NS_PER_SECOND + (uint64_t)s.interval.nsec;
	p->overrun = 0;
	timer_remove(&p->t);
	clock_read(p->clock, &now);
	if (value && flags & TIMER_ABSTIME)
		timer_add(&p->t, time_now() + (value > now ? value - now : 0));
	else if (value)
		timer_add(&p->t, time_now() + value);
	return to ? copy_to_user(to, &old, sizeof old) : 0;
}

CALL2(timer_gettime, id, to)
{
	struct posix_timer *p = find((int)id);
	if (!p)
		return -EINVAL;
	struct linux_itimerspec s = state(p);
	return copy_to_user(to, &s, sizeof s);
}

CALL1(timer_getoverrun, id)
{
	struct posix_timer *p = find((int)id);
	return p ? p->overrun : -EINVAL;
}

CALL1(timer_delete, id)
{
	for (struct posix_timer **link = &this_task()->timers, *p; (p = *link); link = &p->next)
		if (p->id == (int)id) {
			*link = p->next;
			timer_remove(&p->t);
			kfree(p);
			return 0;
		}
	return -EINVAL;
}

void posix_timers_end(struct task *t)
{
	for (struct posix_timer *p; (p = t->timers);) {
		t->timers = p->next;
		timer_remove(&p->t);
		kfree(p);
	}
}
