/* Pseudo-terminals: /dev/ptmx makes a pair; its other end is a terminal in /dev/pts.
 *
 * What is written to the terminal waits in a ring for the master; what the master writes is typed.
 */
#include "libos/posix/poll.h"
#include "libos/posix/tty.h"

#define PTYS		64
#define RING_SIZE	8192u
#define DEVPTS_MAGIC	0x1cd1
#define PTS_MAJOR	136

struct pty {
	struct tty tty;
	unsigned number;
	bool master_open, locked, opened;	/* opened: the slave was, once */
	uint8_t ring[RING_SIZE];
	uint32_t head, tail;
	struct wake out;			/* the master can read */
	struct wake in;				/* or write */
};

static struct pty *ptys[PTYS];

/* ---- the slave's line ---- */

static size_t pty_queued(struct tty *t)
{
	struct pty *p = t->data;

	return p->head - p->tail;
}

static size_t pty_room(struct tty *t)
{
	return RING_SIZE - pty_queued(t);
}

static size_t pty_put(struct tty *t, const uint8_t *bytes, size_t n)
{
	struct pty *p = t->data;

	n = smaller(n, pty_room(t));
	for (size_t k = 0; k < n; k++)
		p->ring[p->head++ % RING_SIZE] = bytes[k];
	if (n)
		wake(&p->out);
	return n;
}

static size_t pty_never_queued(struct tty *t)
{
	(void)t;
	return 0;			/* it has left the terminal once the master may read it */
}

static void pty_flush(struct tty *t)
{
	struct pty *p = t->data;

	p->tail = p->head;
}

static void pty_input_room(struct tty *t)
{
	struct pty *p = t->data;

	wake(&p->in);
}

static void pty_drop(struct pty *p)
{
	if (p->master_open || p->tty.users)
		return;
	ptys[p->number] = NULL;
	kfree(p);
}

static void pty_closed(struct tty *t)
{
	struct pty *p = t->data;

	wake(&p->out);
	pty_drop(p);
}

static const struct tty_driver driver = {
	.put = pty_put,
	.room = pty_room,
	.queued = pty_never_queued,
	.flush = pty_flush,
	.input_room = pty_input_room,
	.closed = pty_closed,
};

/* ---- the master ---- */

static long master_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct pty *p = f->data;
	size_t done = 0;
	long error;

	(void)pos;
	while (p->head == p->tail) {
		if (p->opened && !p->tty.users)
			return -EIO;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		error = sleep_on(&p->out.queue, NEVER);
		if (error)
			return error;
	}
	while (to->left && p->head != p->tail) {
		uint32_t at = p->tail % RING_SIZE;
		size_t n = smaller(smaller(to->left, p->head - p->tail), RING_SIZE - at);
		size_t got = iter_give(to, p->ring + at, n);

		p->tail += got;
		done += got;
		if (got < n)
			break;
	}
	wake(&p->tty.writable);
	return done ? (long)done : -EFAULT;
}

static long master_write(struct file *f, struct iter *from, uint64_t *pos)
{
	struct pty *p = f->data;
	uint8_t part[256];
	size_t done = 0;
	long error = 0;

	(void)pos;
	while (from->left && !error) {
		size_t n = smaller(smaller(from->left, sizeof part), tty_receive_room(&p->tty));

		if (n) {
			size_t got = iter_take(from, part, n);

			tty_receive(&p->tty, part, got);
			done += got;
			error = got < n ? -EFAULT : 0;
		} else {
			error = f->flags & O_NONBLOCK ? -EAGAIN : sleep_on(&p->in.queue, NEVER);
		}
	}
	return done ? (long)done : error;
}

static uint32_t master_poll(struct file *f, struct pollset *set)
{
	struct pty *p = f->data;

	pollset_add(set, &p->out);
	pollset_add(set, &p->in);
	return (p->head != p->tail ? POLLIN | POLLRDNORM : 0) |
		(p->opened && !p->tty.users ? POLLHUP : 0) |
		(tty_receive_room(&p->tty) ? POLLOUT | POLLWRNORM : 0);
}

static long master_ioctl(struct file *f, uint32_t command, uint64_t arg)
{
	struct pty *p = f->data;
	int32_t n = p->number;

	switch (command) {
	case TIOCGPTN:
		return copy_to_user(arg, &n, sizeof n);
	case TIOCSPTLCK:
		if (copy_from_user(&n, arg, sizeof n))
			return -EFAULT;
		p->locked = n;
		return 0;
	case FIONREAD:
		n = p->head - p->tail;
		return copy_to_user(arg, &n, sizeof n);
	case TIOCGPGRP:
		n = p->tty.foreground;
		return copy_to_user(arg, &n, sizeof n);
	default: {
		struct file slave = { .pos = p->tty.hangups };

		return tty_ioctl(&p->tty, &slave, command, arg);
	}
	}
}

static void master_release(struct file *f)
{
	struct pty *p = f->data;

	p->master_open = false;
	tty_lost(&p->tty);
	pty_drop(p);
}

static const struct file_ops master_ops = {
	.release = master_release,
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = master_ioctl,
};

long ptmx_open(struct file *f)
{
	unsigned n = 0;
	struct pty *p;

	while (n < PTYS && ptys[n])
		n++;
	if (n == PTYS)
		return -ENOSPC;
	p = kmalloc(sizeof *p);
	if (!p)
		return -ENOMEM;
	tty_init(&p->tty, &driver, MAKEDEV(PTS_MAJOR, n));
	p->tty.data = p;
	p->number = n;
	p->locked = p->master_open = true;
	ptys[n] = p;
	f->data = p;
	f->ops = &master_ops;
	return 0;
}

/* ---- the slave, in /dev/pts ---- */

static long slave_open(struct file *f)
{
	struct pty *p = f->inode->number < PTYS ? ptys[f->inode->number] : NULL;

	if (!p || !p->master_open || p->locked)
		return -EIO;
	p->opened = true;
	return tty_attach(&p->tty, f);
}

static const struct file_ops slave_node_ops = { .open = slave_open };

static bool slave_valid(struct inode *i)
{
	return ptys[i->number] && ptys[i->number]->master_open;
}

static const struct inode_ops slave_inode_ops = { .valid = slave_valid };

static struct inode *slave_inode(struct super *s, unsigned number)
{
	struct inode *i = inode_new(s, S_IFCHR | 0620);

	if (!i)
		return NULL;
	i->ops = &slave_inode_ops;
	i->fops = &slave_node_ops;
	i->number = number;
	i->rdev = MAKEDEV(PTS_MAJOR, number);
	i->gid = 5;
	return i;
}

static long pts_lookup(struct inode *dir, const char *name, struct inode **out)
{
	uint64_t n;

	if ((name[0] == '0' && name[1]) || !text_number(name, &n) || n >= PTYS || !ptys[n] ||
	    !ptys[n]->master_open)
		return -ENOENT;
	*out = slave_inode(dir->super, n);
	return *out ? 0 : -ENOMEM;
}

static long pts_list(struct file *f, struct dirlist *l)
{
	char name[8];

	if (!dirlist_dots(f, l))
		return 0;
	for (uint64_t k = f->pos - 2; k < PTYS; k++) {
		if (ptys[k] && ptys[k]->master_open &&
		    !dirlist_add(l, name, snprintf(name, sizeof name, "%u", (unsigned)k), k + 3,
		    S_IFCHR, k + 3))
			break;
		f->pos = k + 3;
	}
	return 0;
}

static const struct inode_ops pts_inode_ops = { .lookup = pts_lookup };
static const struct file_ops pts_ops = { .list = pts_list, .seek = file_seek };
static const struct super_ops pts_super_ops = { 0 };

struct super *pts_new(void)
{
	struct super *s = super_new("devpts", DEVPTS_MAGIC, &pts_super_ops);
	struct inode *i = s ? inode_new(s, S_IFDIR | 0755) : NULL;

	if (!i)
		return NULL;
	i->ops = &pts_inode_ops;
	i->fops = &pts_ops;
	i->nlink = 2;
	s->root = dentry_root(i, "");
	return s->root ? s : NULL;
}
