/* Counters as files: eventfd (counts what is written) and timerfd (counts what has expired). */
#include "libos/posix/syscall.h"
#include "libos/posix/poll.h"

#define COUNT_MAX (~0ull - 1)

/* ---- eventfd ---- */

struct event {
	uint64_t count;
	bool semaphore;
	struct wake changed;
};

static long event_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct event *e = f->data;
	uint64_t value;
	long error;

	(void)pos;
	if (to->left < sizeof value)
		return -EINVAL;
	while (!e->count) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		error = sleep_on(&e->changed.queue, NEVER);
		if (error)
			return error;
	}
	value = e->semaphore ? 1 : e->count;
	e->count -= value;
	wake(&e->changed);
	return iter_give(to, &value, sizeof value) == sizeof value ? (long)sizeof value : -EFAULT;
}

static long event_write(struct file *f, struct iter *from, uint64_t *pos)
{
	struct event *e = f->data;
	uint64_t value;
	long error;

	(void)pos;
	if (from->left < sizeof value)
		return -EINVAL;
	if (iter_take(from, &value, sizeof value) < sizeof value)
		return -EFAULT;
	if (value == ~0ull)
		return -EINVAL;
	while (value > COUNT_MAX - e->count) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		error = sleep_on(&e->changed.queue, NEVER);
		if (error)
			return error;
	}
	e->count += value;
	wake(&e->changed);
	return sizeof value;
}

static uint32_t event_poll(struct file *f, struct pollset *set)
{
	struct event *e = f->data;

	pollset_add(set, &e->changed);
	return (e->count ? POLLIN : 0) | (e->count < COUNT_MAX ? POLLOUT : 0);
}

static void data_release(struct file *f)
{
	kfree(f->data);
}

static const struct file_ops event_ops = {
	.release = data_release,
	.read = event_read,
	.write = event_write,
	.poll = event_poll,
};

static long event_make(uint32_t count, uint32_t flags)
{
	struct event *e;
	struct file *f;
	long error;

	if (flags & ~(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	e = kmalloc(sizeof *e);
	if (!e)
		return -ENOMEM;
	e->count = count;
	e->semaphore = flags & EFD_SEMAPHORE;
	error = file_anonymous(&event_ops, 0600, "anon_inode:[eventfd]",
		O_RDWR | (flags & O_NONBLOCK), e, &f);
	if (error) {
		kfree(e);
		return error;
	}
	return fd_install(f, flags & O_CLOEXEC);
}

CALL1(eventfd, count)
{
	return event_make(count, 0);
}

CALL2(eventfd2, count, flags)
{
	return event_make(count, flags);
}

/* ---- timerfd ---- */

struct timer_file {
	int clock;
	uint64_t next;			/* ns since boot; NEVER: off */
	uint64_t interval;
	uint64_t count;			/* expired, unread */
	struct wake changed;		/* it was set anew */
};

static void timer_advance(struct timer_file *t)
{
	uint64_t now = time_now(), n;

	if (t->next > now || t->next == NEVER)
		return;
	n = t->interval ? (now - t->next) / t->interval + 1 : 1;
	t->count += n;
	t->next = t->interval ? t->next + n * t->interval : NEVER;
}

static long timer_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct timer_file *t = f->data;
	uint64_t count;
	long error;

	(void)pos;
	if (to->left < sizeof count)
		return -EINVAL;
	for (timer_advance(t); !t->count; timer_advance(t)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		error = sleep_on(&t->changed.queue, t->next);
		if (error == -ERESTARTSYS)
			return error;
	}
	count = t->count;
	t->count = 0;
	return iter_give(to, &count, sizeof count) == sizeof count ? (long)sizeof count : -EFAULT;
}

static uint32_t timer_poll(struct file *f, struct pollset *set)
{
	struct timer_file *t = f->data;

	timer_advance(t);
	pollset_add(set, &t->changed);
	set->turns += t->count;			/* an expiry is news */
	set->deadline = smaller(set->deadline, t->next);
	return t->count ? POLLIN | POLLRDNORM : 0;
}

static const struct file_ops timer_ops = {
	.release = data_release,
	.read = timer_read,
	.poll = timer_poll,
};

static struct timespec64 timespec_of(uint64_t ns)
{
	return (struct timespec64){ ns / 1000000000, ns % 1000000000 };
}

static void timer_get(struct timer_file *t, struct linux_itimerspec *s)
{
	timer_advance(t);
	s->interval = timespec_of(t->interval);
	s->value = timespec_of(t->next == NEVER ? 0 : t->next - time_now());
}

static bool time_valid(const struct timespec64 *t)
{
	return t->sec >= 0 && t->nsec >= 0 && t->nsec < 1000000000;
}

static void timer_set(struct timer_file *t, const struct linux_itimerspec *s, bool absolute)
{
	uint64_t value = s->value.sec * 1000000000ull + s->value.nsec, now = time_now();

	t->interval = s->interval.sec * 1000000000ull + s->interval.nsec;
	t->count = 0;
	if (!value)
		t->next = NEVER;
	else if (!absolute)
		t->next = now + value;
	else if (t->clock == 0)
		t->next = now + (value > time_wall() ? value - time_wall() : 0);
	else
		t->next = value;
	wake(&t->changed);
}

CALL2(timerfd_create, clock, flags)
{
	struct timer_file *t;
	struct file *f;
	long error;

	if ((flags & ~(uint64_t)(O_CLOEXEC | O_NONBLOCK)) || (clock > 1 && clock != 7))
		return -EINVAL;
	t = kmalloc(sizeof *t);
	if (!t)
		return -ENOMEM;
	t->clock = clock;
	t->next = NEVER;
	error = file_anonymous(&timer_ops, 0600, "anon_inode:[timerfd]",
		O_RDWR | (flags & O_NONBLOCK), t, &f);
	if (error) {
		kfree(t);
		return error;
	}
	return fd_install(f, flags & O_CLOEXEC);
}

CALL4(timerfd_settime, fd, flags, new, old)
{
	struct linux_itimerspec s, before;
	struct file *f = fd_file(fd);

	if (copy_from_user(&s, new, sizeof s))
		return -EFAULT;
	if ((flags & ~(uint64_t)(TFD_TIMER_ABSTIME | 2)) || !time_valid(&s.value) ||
	    !time_valid(&s.interval))
		return -EINVAL;
	if (!f)
		return -EBADF;
	if (f->ops != &timer_ops)
		return -EINVAL;
	timer_get(f->data, &before);
	timer_set(f->data, &s, flags & TFD_TIMER_ABSTIME);
	return old ? copy_to_user(old, &before, sizeof before) : 0;
}

CALL2(timerfd_gettime, fd, current)
{
	struct linux_itimerspec s;
	struct file *f = fd_file(fd);

	if (!f)
		return -EBADF;
	if (f->ops != &timer_ops)
		return -EINVAL;
	timer_get(f->data, &s);
	return copy_to_user(current, &s, sizeof s);
}
