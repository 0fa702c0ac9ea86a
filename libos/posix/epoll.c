/* epoll: sets of watched files, level- and edge-triggered, one-shot; sets may hold sets.
 *
 * A wait asks every watched file, as poll does.  Edge: a file is news if its queues were woken
 * since it was last reported.
 */
#include "libos/posix/syscall.h"
#include "libos/posix/poll.h"

#define NESTING_MAX 5

struct epoll_watch {
	struct epoll_watch *next;	/* of the set */
	struct epoll_watch *file_next;	/* of the file */
	struct epoll *set;
	struct file *file;
	int fd;
	uint32_t events;
	uint64_t data;
	uint32_t turns;			/* of its queues when last reported */
	bool reported;
};

struct epoll {
	struct epoll_watch *watches;
	struct wake changed;		/* a watch was added or changed */
};

static void epoll_release(struct file *f);
static uint32_t epoll_poll(struct file *f, struct pollset *set);

static const struct file_ops epoll_ops = {
	.release = epoll_release,
	.poll = epoll_poll,
};

/* ---- watches ---- */

static struct epoll_watch **watch_find(struct epoll *e, int fd, struct file *f)
{
	struct epoll_watch **at = &e->watches;

	while (*at && !((*at)->fd == fd && (*at)->file == f))
		at = &(*at)->next;
	return at;
}

static void watch_remove(struct epoll_watch **at)
{
	struct epoll_watch *w = *at, **of_file = &w->file->watches;

	while (*of_file != w)
		of_file = &(*of_file)->file_next;
	*of_file = w->file_next;
	*at = w->next;
	kfree(w);
}

void epoll_forget(struct file *f)
{
	while (f->watches) {
		struct epoll_watch **at = &f->watches->set->watches;

		while (*at != f->watches)
			at = &(*at)->next;
		watch_remove(at);
	}
}

static void epoll_release(struct file *f)
{
	struct epoll *e = f->data;

	while (e->watches)
		watch_remove(&e->watches);
	kfree(e);
}

/* What of it is to be reported now. */
static uint32_t watch_ready(struct epoll_watch *w, struct pollset *set)
{
	uint32_t before = set->turns, events = file_poll(w->file, set), news;

	events &= w->events | POLLERR | POLLHUP;
	if (!(w->events & ~(EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP)))
		return 0;		/* a one-shot that has fired */
	news = set->turns - before;
	if ((w->events & EPOLLET) && w->reported && w->turns == news)
		return 0;
	if (events)
		w->turns = news;
	return events;
}

static uint32_t epoll_poll(struct file *f, struct pollset *set)
{
	struct epoll *e = f->data;

	pollset_add(set, &e->changed);
	for (struct epoll_watch *w = set->ends ? NULL : e->watches; w; w = w->next) {
		uint32_t turns = w->turns;
		bool ready = watch_ready(w, set);

		w->turns = turns;
		if (ready)
			return POLLIN | POLLRDNORM;
	}
	return 0;
}

/* ---- control ---- */

static bool reaches(struct file *from, struct file *to, int depth)
{
	struct epoll *e = from->data;

	if (from == to || depth > NESTING_MAX)
		return true;
	for (struct epoll_watch *w = e->watches; w; w = w->next)
		if (w->file->ops == &epoll_ops && reaches(w->file, to, depth + 1))
			return true;
	return false;
}

static long watch_add(struct file *set, struct file *f, int fd, const struct linux_epoll_event *ev)
{
	struct epoll *e = set->data;
	struct epoll_watch *w, **end = &e->watches;

	if (f->ops == &epoll_ops && reaches(f, set, 0))
		return -ELOOP;
	w = kmalloc(sizeof *w);
	if (!w)
		return -ENOMEM;
	*w = (struct epoll_watch){ .file_next = f->watches, .set = e, .file = f, .fd = fd,
		.events = ev->events, .data = ev->data };
	while (*end)
		end = &(*end)->next;
	*end = w;
	f->watches = w;
	wake(&e->changed);
	return 0;
}

static long control(struct file *set, int operation, struct file *f, int fd,
	const struct linux_epoll_event *ev)
{
	struct epoll *e = set->data;
	struct epoll_watch **at = watch_find(e, fd, f);

	if (operation == EPOLL_CTL_ADD)
		return *at ? -EEXIST : watch_add(set, f, fd, ev);
	if (operation != EPOLL_CTL_MOD && operation != EPOLL_CTL_DEL)
		return -EINVAL;
	if (!*at)
		return -ENOENT;
	if (operation == EPOLL_CTL_DEL) {
		watch_remove(at);
		return 0;
	}
	(*at)->events = ev->events;
	(*at)->data = ev->data;
	(*at)->reported = false;
	wake(&e->changed);
	return 0;
}

CALL4(epoll_ctl, epfd, operation, fd, event)
{
	struct linux_epoll_event ev = { 0 };
	struct file *set, *f;

	if (operation != EPOLL_CTL_DEL && copy_from_user(&ev, event, sizeof ev))
		return -EFAULT;
	set = fd_file(epfd);
	f = fd_file(fd);
	if (!set || !f)
		return -EBADF;
	if (!f->ops->poll)
		return -EPERM;
	if (f == set || set->ops != &epoll_ops)
		return -EINVAL;
	return control(set, operation, f, fd, &ev);
}

/* ---- waiting ---- */

struct chain {
	struct epoll_watch *first, **end;
};

static void chain_add(struct chain *c, struct epoll_watch *w)
{
	w->next = NULL;
	*c->end = w;
	c->end = &w->next;
}

/* One round.  Linux reports in the order of its ready list: first what there was no room for,
 * then what was reported and still is ready, then the news. */
static long collect(struct epoll *e, struct pollset *set, uint64_t user, int max)
{
	struct chain again = { NULL, &again.first }, rest = { NULL, &rest.first };
	struct epoll_watch *w, *next;
	bool fault = false;
	int n = 0;

	for (w = e->watches; w && n < max; w = next) {
		struct linux_epoll_event ev = { watch_ready(w, set), w->data };

		next = w->next;
		fault = ev.events && copy_to_user(user + n * sizeof ev, &ev, sizeof ev);
		if (fault)
			break;
		n += ev.events != 0;
		w->reported = w->reported || ev.events;
		chain_add(ev.events && !(w->events & (EPOLLET | EPOLLONESHOT)) ? &again : &rest, w);
		if (ev.events && (w->events & EPOLLONESHOT))
			w->events &= EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP;
	}
	*again.end = rest.first;
	e->watches = w;
	if (w) {
		while (w->next)
			w = w->next;
		w->next = again.first;
	} else {
		e->watches = again.first;
	}
	return fault && !n ? -EFAULT : n;
}

static long epoll_wait_until(int fd, uint64_t events, int max, uint64_t deadline)
{
	struct file *f = fd_get(fd);
	struct pollset set;
	struct epoll *e;
	long n, error = 0;

	if (!f)
		return -EBADF;
	e = f->data;
	if (max <= 0 || f->ops != &epoll_ops) {
		file_put(f);
		return -EINVAL;
	}
	pollset_init(&set, deadline);
	for (;;) {
		pollset_add(&set, &e->changed);
		n = collect(e, &set, events, max);
		if (n || (deadline != NEVER && time_now() >= deadline) || error == -ERESTARTSYS)
			break;
		error = pollset_sleep(&set);
		set.deadline = deadline;
	}
	pollset_end(&set);
	file_put(f);
	return n ? n : error == -ERESTARTSYS ? -EINTR : 0;
}

static uint64_t deadline_ms(int32_t ms)
{
	return ms < 0 ? NEVER : ms == 0 ? 0 : deadline_after(ms / 1000, ms % 1000 * 1000000ull);
}

CALL4(epoll_wait, fd, events, max, timeout)
{
	return epoll_wait_until(fd, events, max, deadline_ms(timeout));
}

CALL6(epoll_pwait, fd, events, max, timeout, mask, size)
{
	long error = mask_from_user(mask, size);

	return error ? error : epoll_wait_until(fd, events, max, deadline_ms(timeout));
}

static long epoll_make(bool cloexec)
{
	struct epoll *e = kmalloc(sizeof *e);
	struct file *f;
	long error;

	if (!e)
		return -ENOMEM;
	error = file_anonymous(&epoll_ops, 0600, "anon_inode:[eventpoll]", O_RDWR, e, &f);
	if (error) {
		kfree(e);
		return error;
	}
	return fd_install(f, cloexec);
}

CALL1(epoll_create, size)
{
	return (int32_t)size <= 0 ? -EINVAL : epoll_make(false);
}

CALL1(epoll_create1, flags)
{
	return flags & ~(uint64_t)O_CLOEXEC ? -EINVAL : epoll_make(flags & O_CLOEXEC);
}
