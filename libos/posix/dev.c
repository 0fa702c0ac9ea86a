/* Character devices: null, zero, full, random, urandom, kmsg, and those that lead to terminals;
 * and the folder /dev, a tmpfs that starts with them.
 *
 * Left to others: random bytes (processes half), terminals (tty.c, pty.c).
 */
#include "libos/posix/domain.h"
#include "libos/posix/poll.h"
#include "libos/posix/tmpfs.h"
#include "libos/posix/tty.h"

/* ---- memory devices ---- */

static long null_read(struct file *f, struct iter *to, uint64_t *pos)
{
	(void)f, (void)to, (void)pos;
	return 0;
}

static long null_write(struct file *f, struct iter *from, uint64_t *pos)
{
	(void)f, (void)pos;
	return from->left;
}

static long null_seek(struct file *f, int64_t offset, int whence)
{
	(void)offset, (void)whence;
	f->pos = 0;
	return 0;
}

static long zero_read(struct file *f, struct iter *to, uint64_t *pos)
{
	size_t n = to->left, got = iter_give_zeros(to, n);

	(void)f, (void)pos;
	return got || !n ? (long)got : -EFAULT;
}

static long full_write(struct file *f, struct iter *from, uint64_t *pos)
{
	(void)f, (void)pos;
	return from->left ? -ENOSPC : 0;
}

static long random_read(struct file *f, struct iter *to, uint64_t *pos)
{
	uint8_t part[256];
	size_t done = 0, n, got;

	(void)f, (void)pos;
	do {
		n = smaller(to->left, sizeof part);
		random_bytes(part, n);
		got = iter_give(to, part, n);
		done += got;
		if (got < n)
			return done ? (long)done : -EFAULT;
	} while (to->left);
	return done;
}

static uint32_t random_poll(struct file *f, struct pollset *set)
{
	(void)f, (void)set;
	return POLL_READY;
}

/* Written lines go to the log. */
static long kmsg_write(struct file *f, struct iter *from, uint64_t *pos)
{
	char text[160] = "";
	size_t n = from->left, got = iter_take(from, text, sizeof text - 1);

	(void)f, (void)pos;
	if (got && text[got - 1] == '\n')
		text[got - 1] = 0;
	posix_log("%s", text);
	return got || !n ? (long)n : -EFAULT;
}

static const struct file_ops null_ops = {
	.read = null_read, .write = null_write, .seek = null_seek,
};
static const struct file_ops zero_ops = {
	.read = zero_read, .write = null_write, .seek = null_seek,
};
static const struct file_ops full_ops = {
	.read = zero_read, .write = full_write, .seek = null_seek,
};
static const struct file_ops random_ops = {
	.read = random_read, .write = null_write, .seek = null_seek, .poll = random_poll,
};
static const struct file_ops kmsg_ops = {
	.read = null_read, .write = kmsg_write, .seek = null_seek,
};

/* ---- terminals ---- */

static long own_tty_open(struct file *f)
{
	struct tty *t = current_process()->tty;

	f->flags |= O_NOCTTY;
	return t ? tty_attach(t, f) : -ENXIO;
}

/* With frames on the line there is no terminal: what is written goes to the log. */
static long console_file_open(struct file *f)
{
	if (session_framed) {
		f->ops = &kmsg_ops;
		return 0;
	}
	f->flags |= O_NOCTTY;
	return tty_attach(&console, f);
}

static long line_open(struct file *f)
{
	return session_framed ? -EIO : tty_attach(&console, f);
}

static const struct file_ops own_tty_ops = { .open = own_tty_open };
static const struct file_ops console_ops = { .open = console_file_open };
static const struct file_ops line_ops = { .open = line_open };
static const struct file_ops ptmx_ops = { .open = ptmx_open };

/* ---- the table ---- */

static const struct device {
	const char *name;
	uint32_t mode;
	uint64_t rdev;
	const struct file_ops *ops;
} devices[] = {
	{ "null", 0666, MAKEDEV(1, 3), &null_ops },
	{ "zero", 0666, ZERO_DEVICE, &zero_ops },
	{ "full", 0666, MAKEDEV(1, 7), &full_ops },
	{ "random", 0666, MAKEDEV(1, 8), &random_ops },
	{ "urandom", 0666, MAKEDEV(1, 9), &random_ops },
	{ "kmsg", 0644, MAKEDEV(1, 11), &kmsg_ops },
	{ "ttyS1", 0600, MAKEDEV(4, 65), &line_ops },
	{ "tty", 0666, MAKEDEV(5, 0), &own_tty_ops },
	{ "console", 0600, MAKEDEV(5, 1), &console_ops },
	{ "ptmx", 0666, MAKEDEV(5, 2), &ptmx_ops },
	{ "domain", 0600, MAKEDEV(10, 250), &domain_ops },
	{ "trace", 0600, MAKEDEV(10, 251), &trace_ops },
};
#define DEVICES (sizeof devices / sizeof devices[0])

const struct file_ops *device_ops(uint32_t mode, uint64_t rdev)
{
	for (size_t k = 0; S_ISCHR(mode) && k < DEVICES; k++)
		if (devices[k].rdev == rdev)
			return devices[k].ops;
	return NULL;
}

/* ---- /dev ---- */

static bool made(long error, struct dentry *d)
{
	if (!error)
		dentry_put(d);
	return !error;
}

static bool links_make(struct dentry *dev)
{
	static const char *const links[][2] = { { "fd", "/proc/self/fd" },
		{ "stdin", "/proc/self/fd/0" }, { "stdout", "/proc/self/fd/1" },
		{ "stderr", "/proc/self/fd/2" } };
	struct dentry *d;

	for (int k = 0; k < 4; k++) {
		long error = dir_make(dev, links[k][0], S_IFLNK | 0777, 0, &d);

		if (!error)
			error = tmpfs_link_set(d->inode, links[k][1]);
		if (!made(error, d))
			return false;
	}
	return true;
}

struct super *dev_new(void)
{
	struct super *s = tmpfs_new();
	struct dentry *d = NULL;
	bool ok = s;

	if (!s)
		return NULL;
	s->type = "devtmpfs";
	for (size_t k = 0; k < DEVICES; k++)
		ok = ok && made(dir_make(s->root, devices[k].name, S_IFCHR | devices[k].mode,
			devices[k].rdev, &d), d);
	ok = ok && made(dir_make(s->root, "pts", S_IFDIR | 0755, 0, &d), d);
	ok = ok && made(dir_make(s->root, "shm", S_IFDIR | 01777, 0, &d), d);
	return ok && links_make(s->root) ? s : NULL;
}
