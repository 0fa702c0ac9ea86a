/* Waiting for files: poll, ppoll, select, pselect6.
 *
 * Each round asks every file and notes the queues on which it would announce a change; if none
 * is ready the caller sleeps on all of them and asks again.  Left to others: epoll.c.
 */
#include "libos/posix/syscall.h"
#include "libos/posix/poll.h"

void wake(struct wake *w)
{
	w->turns++;
	if (w->queue.head)
		wake_all(&w->queue);
}

/* ---- sets ---- */

void pollset_init(struct pollset *set, uint64_t deadline)
{
	*set = (struct pollset){ .deadline = deadline };
}

void pollset_end(struct pollset *set)
{
	kfree(set->queues);
}

void pollset_add(struct pollset *set, struct wake *w)
{
	if (set->ends) {
		wake_all(&w->queue);
		return;
	}
	set->turns += w->turns;
	if (set->n == set->room) {
		size_t room = set->room ? set->room * 2 : 8;
		struct waitq **more = krealloc(set->queues, room * sizeof *more);

		if (!more)
			return;		/* it will be seen at the next wake-up of the others */
		set->queues = more;
		set->room = room;
	}
	set->queues[set->n++] = &w->queue;
}

long pollset_sleep(struct pollset *set)
{
	struct waitq nobody = { NULL };
	long error = set->n ? sleep_on_many(set->queues, set->n, set->deadline) :
		sleep_on(&nobody, set->deadline);

	set->n = 0;
	set->turns = 0;
	return error;
}

uint32_t file_poll(struct file *f, struct pollset *set)
{
	return f->ops->poll ? f->ops->poll(f, set) : POLL_READY;
}

void pollers_end(struct file *f)
{
	struct pollset all = { .ends = true };

	file_poll(f, &all);
}

/* ---- timeouts and masks ---- */

uint64_t deadline_after(uint64_t seconds, uint64_t ns)
{
	uint64_t now = time_now(), delta, at;

	if (__builtin_mul_overflow(seconds, 1000000000ull, &delta) ||
	    __builtin_add_overflow(delta, ns, &delta) || __builtin_add_overflow(now, delta, &at))
		return NEVER;
	return at;
}

static long deadline_of(const struct timespec64 *t, uint64_t *deadline)
{
	if (t->sec < 0 || t->nsec < 0 || t->nsec >= 1000000000)
		return -EINVAL;
	*deadline = t->sec || t->nsec ? deadline_after(t->sec, t->nsec) : 0;
	return 0;
}

long deadline_from_user(uint64_t user, uint64_t *deadline)
{
	struct timespec64 t;

	*deadline = NEVER;
	if (!user)
		return 0;
	return copy_from_user(&t, user, sizeof t) ? -EFAULT : deadline_of(&t, deadline);
}

/* Tells the caller how much of its timeout is left (unit: ns in one count of the second word). */
static void remainder_to_user(uint64_t user, uint64_t deadline, unsigned unit)
{
	uint64_t now = time_now(), left = deadline > now ? deadline - now : 0;
	struct timespec64 t = { left / 1000000000, left % 1000000000 / unit };

	if (user && deadline != NEVER)
		copy_to_user(user, &t, sizeof t);
}

long mask_from_user(uint64_t mask, uint64_t size)
{
	uint64_t bits;

	if (!mask)
		return 0;
	if (size != sizeof bits)
		return -EINVAL;
	if (copy_from_user(&bits, mask, sizeof bits))
		return -EFAULT;
	signals_block_for_call(bits);
	return 0;
}

/* ---- poll ---- */

static uint16_t poll_one(const struct linux_pollfd *p, struct pollset *set)
{
	struct file *f;

	if (p->fd < 0)
		return 0;
	f = fd_file(p->fd);
	if (!f || (f->flags & O_PATH))
		return POLLNVAL;
	return file_poll(f, set) & ((uint16_t)p->events | POLLERR | POLLHUP);
}

static long poll_round(struct linux_pollfd *p, size_t n, struct pollset *set)
{
	long ready = 0;

	for (size_t k = 0; k < n; k++) {
		p[k].revents = poll_one(&p[k], set);
		ready += p[k].revents != 0;
	}
	return ready;
}

static long poll_until(struct linux_pollfd *p, size_t n, uint64_t deadline)
{
	struct pollset set;
	long ready, error = 0;

	pollset_init(&set, deadline);
	while (!(ready = poll_round(p, n, &set)) && (deadline == NEVER || time_now() < deadline)) {
		error = pollset_sleep(&set);
		set.deadline = deadline;
		if (error == -ERESTARTSYS)
			break;
	}
	pollset_end(&set);
	return ready ? ready : error == -ERESTARTSYS ? -ERESTARTNOHAND : 0;
}

static long revents_to_user(uint64_t fds, const struct linux_pollfd *p, size_t n)
{
	fds += offsetof(struct linux_pollfd, revents);
	for (size_t k = 0; k < n; k++)
		if (copy_to_user(fds + k * sizeof *p, &p[k].revents, sizeof p[k].revents))
			return -EFAULT;
	return 0;
}

static long poll_user(uint64_t fds, uint64_t n, uint64_t deadline)
{
	struct linux_pollfd *p;
	long ready;

	if (n > current_process()->limit_nofile)
		return -EINVAL;
	p = kmalloc(n * sizeof *p + 1);
	if (!p)
		return -ENOMEM;
	ready = copy_from_user(p, fds, n * sizeof *p) ? -EFAULT : poll_until(p, n, deadline);
	if (ready >= 0 && revents_to_user(fds, p, n))
		ready = -EFAULT;
	kfree(p);
	return ready;
}

CALL3(poll, fds, n, timeout)
{
	int32_t ms = timeout;

	return poll_user(fds, (uint32_t)n, ms < 0 ? NEVER : ms == 0 ? 0 :
		deadline_after(ms / 1000, ms % 1000 * 1000000ull));
}

CALL5(ppoll, fds, n, timeout, mask, size)
{
	uint64_t deadline;
	long error = deadline_from_user(timeout, &deadline);

	if (!error)
		error = mask_from_user(mask, size);
	if (error)
		return error;
	error = poll_user(fds, (uint32_t)n, deadline);
	remainder_to_user(timeout, deadline, 1);
	return error;
}

/* ---- select ---- */

#define SELECT_MAX 1024
#define SETS 3
static const uint32_t set_events[SETS] = {
	POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR,
	POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR,
	POLLPRI,
};

struct selection {
	uint64_t in[SETS][SELECT_MAX / 64], out[SETS][SELECT_MAX / 64];
	uint64_t user[SETS];
	unsigned n;
};

static bool bit_get(const uint64_t *set, unsigned fd)
{
	return set[fd / 64] >> fd % 64 & 1;
}

static long select_round(struct selection *s, struct pollset *set)
{
	long ready = 0;

	memset(s->out, 0, sizeof s->out);
	for (unsigned fd = 0; fd < s->n; fd++) {
		uint32_t events;

		if (!bit_get(s->in[0], fd) && !bit_get(s->in[1], fd) && !bit_get(s->in[2], fd))
			continue;
		if (!fd_file(fd))
			return -EBADF;
		events = file_poll(fd_file(fd), set);
		for (int k = 0; k < SETS; k++) {
			if (bit_get(s->in[k], fd) && (events & set_events[k])) {
				s->out[k][fd / 64] |= 1ull << fd % 64;
				ready++;
			}
		}
	}
	return ready;
}

static long select_until(struct selection *s, uint64_t deadline)
{
	struct pollset set;
	long ready, error = 0;

	pollset_init(&set, deadline);
	while (!(ready = select_round(s, &set)) && (deadline == NEVER || time_now() < deadline)) {
		error = pollset_sleep(&set);
		set.deadline = deadline;
		if (error == -ERESTARTSYS)
			break;
	}
	pollset_end(&set);
	return ready ? ready : error == -ERESTARTSYS ? -ERESTARTNOHAND : 0;
}

static long select_user(struct selection *s, uint64_t deadline)
{
	size_t bytes = (s->n + 63) / 64 * 8;
	long ready;

	for (int k = 0; k < SETS; k++)
		if (s->user[k] && copy_from_user(s->in[k], s->user[k], bytes))
			return -EFAULT;
	ready = select_until(s, deadline);
	for (int k = 0; k < SETS && ready >= 0; k++)
		if (s->user[k] && copy_to_user(s->user[k], s->out[k], bytes))
			ready = -EFAULT;
	return ready;
}

static long select_sets(int32_t n, uint64_t in, uint64_t out, uint64_t except, uint64_t deadline)
{
	struct selection *s;
	long ready;

	if (n < 0)
		return -EINVAL;
	s = kmalloc(sizeof *s);
	if (!s)
		return -ENOMEM;
	s->user[0] = in;
	s->user[1] = out;
	s->user[2] = except;
	s->n = smaller(n, smaller(SELECT_MAX, current_process()->files->size));
	ready = select_user(s, deadline);
	kfree(s);
	return ready;
}

CALL5(select, n, in, out, except, timeout)
{
	struct timespec64 t;
	uint64_t deadline = NEVER;
	long ready;

	if (timeout) {
		if (copy_from_user(&t, timeout, sizeof t))
			return -EFAULT;
		if (t.sec < 0 || t.nsec < 0)
			return -EINVAL;
		t.sec += t.nsec / 1000000;
		t.nsec = t.nsec % 1000000 * 1000;
		deadline_of(&t, &deadline);
	}
	ready = select_sets(n, in, out, except, deadline);
	remainder_to_user(timeout, deadline, 1000);
	return ready;
}

CALL6(pselect6, n, in, out, except, timeout, mask)
{
	uint64_t deadline, signals[2] = { 0, 0 };	/* address and size of the mask */
	long error = deadline_from_user(timeout, &deadline);

	if (!error && mask && copy_from_user(signals, mask, sizeof signals))
		error = -EFAULT;
	if (!error)
		error = mask_from_user(signals[0], signals[1]);
	if (error)
		return error;
	error = select_sets(n, in, out, except, deadline);
	remainder_to_user(timeout, deadline, 1);
	return error;
}
