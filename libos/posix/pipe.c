/* Pipes and FIFOs: a ring of bytes in pages that are made when first needed.
 *
 * Writes of at most PIPE_BUF bytes are whole or not at all; a pipe holds 64 KiB unless
 * F_SETPIPE_SZ says otherwise.  A FIFO's pipe lives while somebody has it open.
 */
#include "libos/posix/syscall.h"
#include "libos/posix/pipe.h"
#include "libos/posix/poll.h"

#define PIPE_PAGES	16
#define PIPE_PAGES_MAX	256
#define NO_OPENS	(~0ull)		/* in f->pos, which is for a reader that didn't wait for a
					 * writer: writer_opens then; until one comes, no POLLHUP */

struct pipe {
	uint8_t **page;
	uint32_t pages;			/* a power of two */
	uint64_t head, tail;		/* bytes read and written ever; place: modulo capacity */
	uint32_t readers, writers;
	uint32_t reader_opens, writer_opens;
	struct wake readable, writable;
	void (*on_room)(void);
};

static uint64_t capacity(const struct pipe *p)
{
	return (uint64_t)p->pages * PAGE;
}

static size_t pipe_bytes(const struct pipe *p)
{
	return p->tail - p->head;
}

static struct pipe *pipe_new(uint32_t pages)
{
	struct pipe *p = kmalloc(sizeof *p);

	if (!p)
		return NULL;
	p->pages = pages;
	p->page = kmalloc(pages * sizeof *p->page);
	if (p->page)
		return p;
	kfree(p);
	return NULL;
}

static void pages_free(struct pipe *p)
{
	for (uint32_t k = 0; k < p->pages; k++)
		if (p->page[k])
			page_free(p->page[k]);
	kfree(p->page);
}

static void pipe_free(struct pipe *p)
{
	pages_free(p);
	kfree(p);
}

/* The page for byte `at`, and how many bytes lie in it from there on. */
static uint8_t *place(struct pipe *p, uint64_t at, size_t *n)
{
	uint8_t **page = &p->page[at / PAGE % p->pages];

	*n = smaller(*n, PAGE - at % PAGE);
	if (!*page)
		*page = page_alloc();
	return *page ? *page + at % PAGE : NULL;
}

/* ---- reading ---- */

static long drain(struct pipe *p, struct iter *to)
{
	size_t done = 0;

	while (to->left && pipe_bytes(p)) {
		size_t n = smaller(to->left, pipe_bytes(p)), got;
		uint8_t *at = place(p, p->head, &n);

		got = iter_give(to, at, n);
		p->head += got;
		done += got;
		if (got < n)
			return done ? (long)done : -EFAULT;
	}
	return done;
}

static long pipe_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct pipe *p = f->inode->pipe;
	long error, done;

	(void)pos;
	if (!to->left)
		return 0;
	while (!pipe_bytes(p)) {
		if (!p->writers)
			return 0;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		error = sleep_on(&p->readable.queue, NEVER);
		if (error)
			return error;
	}
	done = drain(p, to);
	wake(&p->writable);
	if (p->on_room)
		p->on_room();
	return done;
}

/* ---- writing ---- */

static long fill(struct pipe *p, struct iter *from, size_t room)
{
	size_t done = 0;

	while (from->left && done < room) {
		size_t n = smaller(from->left, room - done), got;
		uint8_t *at = place(p, p->tail, &n);

		if (!at)
			return done ? (long)done : -ENOMEM;
		got = iter_take(from, at, n);
		p->tail += got;
		done += got;
		if (got < n)
			return done ? (long)done : -EFAULT;
	}
	return done;
}

static long broken(size_t done)
{
	signal_process(current_process(), SIGPIPE);
	return done ? (long)done : -EPIPE;
}

bool pipe_broken(struct file *writer)
{
	bool gone = writer->ops == &fifo_ops && !writer->inode->pipe->readers;

	if (gone)
		broken(0);
	return gone;
}

static long pipe_write(struct file *f, struct iter *from, uint64_t *pos)
{
	struct pipe *p = f->inode->pipe;
	size_t need = from->left <= PIPE_BUF ? from->left : 1, done = 0;

	(void)pos;
	if (!from->left)
		return 0;
	for (;;) {
		size_t room = capacity(p) - pipe_bytes(p);
		long n = 0;

		if (!p->readers)
			return broken(done);
		if (room >= need || done)
			n = fill(p, from, room);
		if (n > 0)
			wake(&p->readable);
		if (n < 0)
			return done ? (long)done : n;
		done += n;
		if (!from->left)
			return done;
		if (f->flags & O_NONBLOCK)
			return done ? (long)done : -EAGAIN;
		n = sleep_on(&p->writable.queue, NEVER);
		if (n)
			return done ? (long)done : n;
	}
}

/* ---- opening and closing ---- */

static long wait_for(uint32_t *opens, struct wake *w)
{
	uint32_t before = *opens;
	long error = 0;

	while (*opens == before && !error)
		error = sleep_on(&w->queue, NEVER);
	return error;
}

static void ends_drop(struct inode *i, bool reads, bool writes)
{
	struct pipe *p = i->pipe;

	p->readers -= reads;
	p->writers -= writes;
	wake(&p->readable);
	wake(&p->writable);
	if (!p->readers && !p->writers) {
		i->pipe = NULL;
		pipe_free(p);
	}
}

static long fifo_open(struct file *f)
{
	bool reads = file_readable(f), writes = file_writable(f);
	struct inode *i = f->inode;
	struct pipe *p = i->pipe ? i->pipe : pipe_new(PIPE_PAGES);
	long error = 0;

	if (!p)
		return -ENOMEM;
	i->pipe = p;
	if (writes && !reads && !p->readers && (f->flags & O_NONBLOCK)) {
		if (!p->writers) {
			i->pipe = NULL;
			pipe_free(p);
		}
		return -ENXIO;
	}
	f->pos = reads && !p->writers && (f->flags & O_NONBLOCK) ? p->writer_opens : NO_OPENS;
	p->readers += reads;
	p->writers += writes;
	p->reader_opens += reads;
	p->writer_opens += writes;
	wake(&p->readable);
	wake(&p->writable);
	if (reads && !writes && !p->writers && !(f->flags & O_NONBLOCK))
		error = wait_for(&p->writer_opens, &p->readable);
	else if (writes && !reads && !p->readers)
		error = wait_for(&p->reader_opens, &p->writable);
	if (error)
		ends_drop(i, reads, writes);
	return error;
}

static void pipe_release(struct file *f)
{
	ends_drop(f->inode, file_readable(f), file_writable(f));
}

/* ---- polling, sizes ---- */

static uint32_t pipe_poll(struct file *f, struct pollset *set)
{
	struct pipe *p = f->inode->pipe;
	uint32_t events = 0;

	if (file_readable(f)) {
		pollset_add(set, &p->readable);
		if (pipe_bytes(p))
			events |= POLLIN | POLLRDNORM;
		if (!p->writers && p->writer_opens != f->pos)
			events |= POLLHUP;
	}
	if (file_writable(f)) {
		pollset_add(set, &p->writable);
		if (capacity(p) - pipe_bytes(p) >= PIPE_BUF)
			events |= POLLOUT | POLLWRNORM;
		if (!p->readers)
			events |= POLLERR;
	}
	return events;
}

static long pipe_ioctl(struct file *f, uint32_t command, uint64_t arg)
{
	int32_t n = pipe_bytes(f->inode->pipe);

	return command == FIONREAD ? copy_to_user(arg, &n, sizeof n) : -ENOTTY;
}

/* Moves the bytes into a ring of another size. */
static long pipe_resize(struct pipe *p, uint32_t pages)
{
	struct pipe *q = pipe_new(pages);

	if (!q)
		return -ENOMEM;
	while (pipe_bytes(p)) {
		size_t n = pipe_bytes(p), m;
		uint8_t *from = place(p, p->head, &n), *to;

		m = n;
		to = place(q, q->tail, &m);
		if (!to) {
			pipe_free(q);
			return -ENOMEM;
		}
		memcpy(to, from, m);
		q->tail += m;
		p->head += m;
	}
	pages_free(p);
	p->page = q->page;
	p->pages = q->pages;
	p->head = q->head;
	p->tail = q->tail;
	kfree(q);
	wake(&p->writable);
	return pages * PAGE;
}

long pipe_size(struct file *f, int command, uint64_t arg)
{
	struct pipe *p = f->inode->pipe;
	uint32_t pages = 1, size = arg;

	if (f->ops != &fifo_ops)
		return -EBADF;
	if (command == F_GETPIPE_SZ)
		return capacity(p);
	if ((int32_t)size < 0)
		return -EINVAL;
	while (pages * PAGE < size && pages < PIPE_PAGES_MAX)
		pages *= 2;
	if (pages * PAGE < size)
		return -EPERM;
	return pages * PAGE < pipe_bytes(p) ? -EBUSY : pipe_resize(p, pages);
}

const struct file_ops fifo_ops = {
	.open = fifo_open,
	.release = pipe_release,
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
};

/* ---- pipe(2) ---- */

long pipe_make(struct file **reader, struct file **writer, uint32_t flags)
{
	long error = file_anonymous(&fifo_ops, S_IFIFO | 0600, "pipe:[%lu]", O_RDWR | flags, NULL,
		reader);

	if (error)
		return error;
	error = file_open((*reader)->dentry, O_WRONLY | flags, writer);
	if (error) {
		file_put(*reader);
		return error;
	}
	(*reader)->inode->pipe->writers--;	/* it was opened for both so as not to wait */
	(*reader)->flags = O_RDONLY | flags;
	(*writer)->flags = O_WRONLY | flags;
	return 0;
}

static long pipe_user(uint64_t user, uint32_t flags)
{
	struct file *reader, *writer;
	int32_t fd[2];
	long error;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	error = pipe_make(&reader, &writer, flags & O_NONBLOCK);
	if (error)
		return error;
	fd[0] = fd_install(reader, flags & O_CLOEXEC);
	if (fd[0] < 0) {
		file_put(writer);
		return fd[0];
	}
	fd[1] = fd_install(writer, flags & O_CLOEXEC);
	if (fd[1] >= 0 && !copy_to_user(user, fd, sizeof fd))
		return 0;
	error = fd[1] < 0 ? fd[1] : -EFAULT;
	sys_close(fd[0], 0, 0, 0, 0, 0);
	if (fd[1] >= 0)
		sys_close(fd[1], 0, 0, 0, 0, 0);
	return error;
}

CALL1(pipe, fds)
{
	return pipe_user(fds, 0);
}

CALL2(pipe2, fds, flags)
{
	return pipe_user(fds, flags);
}

/* ---- feeding ---- */

size_t pipe_room(struct file *writer)
{
	struct pipe *p = writer->inode->pipe;

	return p->readers ? capacity(p) - pipe_bytes(p) : ~0ull;
}

void pipe_feed(struct file *writer, const void *bytes, size_t n)
{
	struct pipe *p = writer->inode->pipe;
	struct iovec one;
	struct iter it;

	if (!p->readers)
		return;
	iter_kernel(&it, &one, (void *)bytes, n);
	fill(p, &it, n);
	wake(&p->readable);
}

void pipe_on_room(struct file *writer, void (*fn)(void))
{
	writer->inode->pipe->on_room = fn;
}
