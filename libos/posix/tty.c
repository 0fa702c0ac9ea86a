/* Terminals as files: reading with VMIN and VTIME, writing, job control, and their ioctls.
 *
 * A file of a terminal keeps in file.pos the count of hang-ups at its opening: after another it is
 * dead (reads give the end of file, writes EIO).  Left to others: the line discipline (ldisc.c).
 */
#include "libos/posix/poll.h"
#include "libos/posix/tty.h"

static bool dead(struct tty *t, struct file *f)
{
	return f->pos != t->hangups;
}

/* ---- signals and sessions ---- */

void tty_signal(struct tty *t, int sig)
{
	if (t->foreground)
		signal_group(t->foreground, sig);
}

/* A process of a background group wants to use its terminal: 0 if it may. */
static long background_check(struct tty *t, int sig)
{
	struct process *me = current_process();

	if (me->tty != t || !t->foreground || me->pgid == t->foreground)
		return 0;
	if (signal_ignored_or_blocked(me, sig))
		return sig == SIGTTIN ? -EIO : 0;
	if (group_orphaned(me->pgid))
		return -EIO;
	signal_group(me->pgid, sig);
	return -ERESTARTSYS;
}

static void session_release(struct tty *t)
{
	for (struct process *p = process_next(0); p; p = process_next(p->pid))
		if (p->tty == t)
			p->tty = NULL;
	t->session = t->foreground = 0;
}

static void acquire(struct tty *t, struct process *p)
{
	p->tty = t;
	t->session = p->sid;
	t->foreground = p->pgid;
}

/* All open files die; whoever sleeps on them finds out. */
static void hang_up(struct tty *t)
{
	t->hangups++;
	tty_flush_input(t);
	t->driver->flush(t);
	t->stopped = false;
	wake(&t->readable);
	wake(&t->writable);
}

void tty_lost(struct tty *t)
{
	struct process *leader = t->session ? process_find(t->session) : NULL;
	int foreground = t->foreground;

	if (leader) {
		signal_process(leader, SIGHUP);
		signal_process(leader, SIGCONT);
	}
	session_release(t);
	hang_up(t);
	if (foreground) {
		signal_group(foreground, SIGHUP);
		signal_group(foreground, SIGCONT);
	}
}

void tty_hangup(struct process *session_leader)
{
	struct tty *t = session_leader->tty;
	int foreground;

	if (!t || t->session != session_leader->sid)
		return;
	foreground = t->foreground;
	session_release(t);
	hang_up(t);
	if (foreground) {
		signal_group(foreground, SIGHUP);
		signal_group(foreground, SIGCONT);
	}
}

/* ---- opening ---- */

long tty_attach(struct tty *t, struct file *f)
{
	struct process *me = current_process();

	f->data = t;
	f->ops = &tty_ops;
	f->pos = t->hangups;
	t->users++;
	if (!(f->flags & O_NOCTTY) && me->pid == me->sid && !me->tty && !t->session)
		acquire(t, me);
	return 0;
}

static void tty_release(struct file *f)
{
	struct tty *t = f->data;

	if (!--t->users && t->driver->closed)
		t->driver->closed(t);
}

/* ---- reading ---- */

struct reading {
	size_t done, minimum;
	uint64_t deadline, gap;		/* gap: between bytes, 0 = none */
};

static void reading_start(struct tty *t, struct reading *r)
{
	uint64_t tenths = t->settings.cc[VTIME];

	*r = (struct reading){ .minimum = 1, .deadline = NEVER };
	if (t->settings.lflag & ICANON)
		return;
	r->minimum = t->settings.cc[VMIN];
	if (r->minimum) {
		r->gap = tenths * 100000000;
	} else {
		r->minimum = 1;
		r->deadline = tenths ? deadline_after(0, tenths * 100000000) : 0;
	}
}

/* Until there is input: 0; 1 = give up with what was read; or -errno. */
static long reading_wait(struct tty *t, struct file *f, struct reading *r)
{
	long error;

	while (!tty_readable(t, false)) {
		if (dead(t, f) || time_now() >= r->deadline)
			return 1;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		error = sleep_on(&t->readable.queue, r->deadline);
		if (error == -ERESTARTSYS)
			return error;
		error = background_check(t, SIGTTIN);
		if (error)
			return error;
	}
	return 0;
}

static long tty_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct tty *t = f->data;
	struct reading r;
	uint8_t part[256];
	bool end = false;
	long error = dead(t, f) ? 0 : background_check(t, SIGTTIN);

	(void)pos;
	if (error || dead(t, f))
		return error;
	reading_start(t, &r);
	while (to->left && !end && r.done < r.minimum) {
		error = reading_wait(t, f, &r);
		if (error)
			break;
		do {
			size_t n = tty_take(t, part, smaller(to->left, sizeof part), &end);

			if (iter_give(to, part, n) < n)
				return r.done ? (long)r.done : -EFAULT;
			r.done += n;
		} while (to->left && !end && tty_readable(t, false));
		if (r.gap)
			r.deadline = deadline_after(0, r.gap);
		if (t->settings.lflag & ICANON)
			break;
	}
	return r.done || error > 0 ? (long)r.done : error;
}

/* ---- writing ---- */

static long tty_write(struct file *f, struct iter *from, uint64_t *pos)
{
	struct tty *t = f->data;
	uint8_t part[256];
	size_t done = 0;
	long error = t->settings.lflag & TOSTOP ? background_check(t, SIGTTOU) : 0;

	(void)pos;
	while (from->left && !error) {
		size_t n = iter_take(from, part, smaller(from->left, sizeof part)), out = 0;

		if (!n)
			error = -EFAULT;
		while (out < n && !error) {
			out += dead(t, f) ? 0 : tty_put(t, part + out, n - out);
			if (dead(t, f))
				error = -EIO;
			else if (out < n && (f->flags & O_NONBLOCK))
				error = -EAGAIN;
			else if (out < n)
				error = sleep_on(&t->writable.queue, NEVER);
		}
		done += out;
	}
	return done ? (long)done : error;
}

static uint32_t tty_poll(struct file *f, struct pollset *set)
{
	struct tty *t = f->data;

	pollset_add(set, &t->readable);
	pollset_add(set, &t->writable);
	if (dead(t, f))
		return POLL_READY | POLLHUP | POLLERR;
	return (tty_readable(t, true) ? POLLIN | POLLRDNORM : 0) |
		(!t->stopped && t->driver->room(t) > 256 ? POLLOUT | POLLWRNORM : 0);
}

/* ---- ioctl ---- */

static long drain(struct tty *t)
{
	long error = 0;

	while (t->driver->queued(t) && !error)
		error = sleep_on(&t->writable.queue, NEVER);
	return error;
}

static long settings_set(struct tty *t, uint32_t command, uint64_t arg)
{
	struct linux_termios new, old = t->settings;
	long error = background_check(t, SIGTTOU);

	if (error)
		return error;
	if (copy_from_user(&new, arg, sizeof new))
		return -EFAULT;
	if (command != TCSETS)
		error = drain(t);
	if (error)
		return error;
	if (command == TCSETSF)
		tty_flush_input(t);
	t->settings = new;
	tty_settings_changed(t, &old);
	return 0;
}

static long controlling_set(struct tty *t, uint64_t steal)
{
	struct process *me = current_process();

	if (me->pid == me->sid && t->session == me->sid)
		return 0;
	if (me->pid != me->sid || me->tty)
		return -EPERM;
	if (t->session) {
		if (steal != 1 || me->euid)
			return -EPERM;
		session_release(t);
	}
	acquire(t, me);
	return 0;
}

static long controlling_drop(struct tty *t)
{
	struct process *me = current_process();

	if (me->tty != t)
		return -ENOTTY;
	if (me->pid == me->sid) {
		tty_signal(t, SIGHUP);
		tty_signal(t, SIGCONT);
		session_release(t);
	}
	me->tty = NULL;
	return 0;
}

static long foreground_set(struct tty *t, uint64_t arg)
{
	struct process *me = current_process(), *p = process_next(0);
	long error = background_check(t, SIGTTOU);
	int32_t group;

	if (error)
		return error == -EIO ? -ENOTTY : error;
	if (me->tty != t || t->session != me->sid)
		return -ENOTTY;
	if (copy_from_user(&group, arg, sizeof group))
		return -EFAULT;
	if (group < 0)
		return -EINVAL;
	while (p && p->pgid != group)
		p = process_next(p->pid);
	if (!p)
		return -ESRCH;
	if (p->sid != me->sid)
		return -EPERM;
	t->foreground = group;
	return 0;
}

void tty_resize(struct tty *t, const struct linux_winsize *size)
{
	if (!memcmp(&t->size, size, sizeof *size))
		return;
	t->size = *size;
	tty_signal(t, SIGWINCH);
}

static long flush(struct tty *t, uint64_t which)
{
	long error = background_check(t, SIGTTOU);

	if (error)
		return error;
	if (which > 2)
		return -EINVAL;
	if (which != 1)
		tty_flush_input(t);
	if (which != 0) {
		t->driver->flush(t);
		wake(&t->writable);
	}
	return 0;
}

static long flow(struct tty *t, uint64_t action)
{
	if (action > 3)
		return -EINVAL;
	if (action < 2) {
		t->stopped = action == 0;
		wake(&t->writable);
	}
	return 0;
}

static long number_out(uint64_t arg, int32_t n)
{
	return copy_to_user(arg, &n, sizeof n);
}

static long stuff(struct tty *t, uint64_t arg)
{
	uint8_t c;

	if (current_process()->tty != t && current_process()->euid)
		return -EPERM;
	if (copy_from_user(&c, arg, 1))
		return -EFAULT;
	tty_receive(t, &c, 1);
	return 0;
}

static long session_ioctl(struct tty *t, uint32_t command, uint64_t arg)
{
	bool mine = current_process()->tty == t;

	switch (command) {
	case TIOCSCTTY:
		return controlling_set(t, arg);
	case TIOCNOTTY:
		return controlling_drop(t);
	case TIOCGPGRP:
		return mine ? number_out(arg, t->foreground) : -ENOTTY;
	case TIOCSPGRP:
		return foreground_set(t, arg);
	case TIOCGSID:
		return mine && t->session ? number_out(arg, t->session) : -ENOTTY;
	default:
		return -ENOTTY;
	}
}

long tty_ioctl(struct tty *t, struct file *f, uint32_t command, uint64_t arg)
{
	struct linux_winsize size;

	if (dead(t, f))
		return command == TIOCSPGRP ? -ENOTTY : -EIO;
	switch (command) {
	case TCGETS:
		return copy_to_user(arg, &t->settings, sizeof t->settings);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return settings_set(t, command, arg);
	case TIOCGWINSZ:
		return copy_to_user(arg, &t->size, sizeof t->size);
	case TIOCSWINSZ:
		if (copy_from_user(&size, arg, sizeof size))
			return -EFAULT;
		tty_resize(t, &size);
		return 0;
	case FIONREAD:
		return number_out(arg, tty_input_bytes(t));
	case TIOCOUTQ:
		return number_out(arg, t->driver->queued(t));
	case TCFLSH:
		return flush(t, arg);
	case TCXONC:
		return flow(t, arg);
	case TCSBRK:
	case TCSBRKP:
		return drain(t);
	case TIOCSTI:
		return stuff(t, arg);
	case TIOCGETD:
		return number_out(arg, 0);
	case TIOCEXCL:
	case TIOCNXCL:
		return 0;
	default:
		return session_ioctl(t, command, arg);
	}
}

static long tty_file_ioctl(struct file *f, uint32_t command, uint64_t arg)
{
	return tty_ioctl(f->data, f, command, arg);
}

const struct file_ops tty_ops = {
	.release = tty_release,
	.read = tty_read,
	.write = tty_write,
	.poll = tty_poll,
	.ioctl = tty_file_ioctl,
};
