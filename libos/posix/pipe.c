/* Pipes and FIFOs: a ring of slots, each a page with a run of bytes in it, as in Linux, so that a
 * pipe is full when Linux's is.
 *
 * A write of at most PIPE_BUF bytes takes one slot, or fits behind the last one's bytes, and so is
 * whole or not at all.  A pipe has 16 slots unless F_SETPIPE_SZ says otherwise.  A FIFO's pipe
 * lives while somebody has it open.
 */
#include "libos/posix/syscall.h"
#include "libos/posix/pipe.h"
#include "libos/posix/poll.h"

#define PIPE_SLOTS	16
#define PIPE_SLOTS_MAX	256
#define NO_OPENS	(~0ull)		/* in f->pos, which is for a reader that didn't wait for a
					 * writer: writer_opens then; until one comes, no POLLHUP */

struct slot {
	uint8_t *page;			/* kept when the slot is empty; NULL: none yet */
	uint32_t offset, length;
};

struct pipe {
	struct slot *slot;
	uint32_t slots;			/* a power of two */
	uint32_t head, tail;		/* slots filled and emptied ever; place: modulo slots */
	size_t bytes;
	uint32_t readers, writers;
	uint32_t reader_opens, writer_opens;
	struct wake readable, writable;
	void (*on_room)(void);
};

static bool full(const struct pipe *p)
{
	return p->head - p->tail >= p->slots;
}

static struct slot *slot_at(struct pipe *p, uint32_t at)
{
	return &p->slot[at % p->slots];
}

static struct pipe *pipe_new(uint32_t slots)
{
	struct pipe *p = kmalloc(sizeof *p);

	if (!p)
		return NULL;
	p->slots = slots;
	p->slot = kmalloc(slots * sizeof *p->slot);
	if (p->slot)
		return p;
	kfree(p);
	return NULL;
}

static void slots_free(struct slot *slot, uint32_t n)
{
	for (uint32_t k = 0; k < n; k++)
		if (slot[k].page)
			page_free(slot[k].page);
	kfree(slot);
}

static void pipe_free(struct pipe *p)
{
	slots_free(p->slot, p->slots);
	kfree(p);
}

/* ---- reading ---- */

static long drain(struct pipe *p, struct iter *to)
{
	size_t done = 0;

	while (to->left && p->tail != p->head) {
		struct slot *s = slot_at(p, p->tail);
		size_t n = smaller(to->left, s->length);
		size_t got = iter_give(to, s->page + s->offset, n);

		s->offset += got;
		s->length -= got;
		p->bytes -= got;
		done += got;
		if (!s->length)
			p->tail++;
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
	while (p->head == p->tail) {
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

/* Takes n bytes into a slot behind those it has; false: a fault (what came before it stays). */
static bool slot_fill(struct pipe *p, struct slot *s, struct iter *from, size_t n)
{
	size_t got = iter_take(from, s->page + s->offset + s->length, n);

	s->length += got;
	p->bytes += got;
	return got == n;
}

/* What doesn't make a whole page goes behind the last bytes, if all of it fits there. */
static bool merge(struct pipe *p, struct iter *from)
{
	size_t part = from->left % PAGE;
	struct slot *last = slot_at(p, p->head - 1);

	if (!part || p->head == p->tail || last->offset + last->length + part > PAGE)
		return true;
	return slot_fill(p, last, from, part);
}

/* The next slot; there must be one.  0, -ENOMEM, -EFAULT. */
static long append(struct pipe *p, struct iter *from)
{
	struct slot *s = slot_at(p, p->head);
	bool ok;

	if (!s->page)
		s->page = page_alloc();
	if (!s->page)
		return -ENOMEM;
	s->offset = s->length = 0;
	ok = slot_fill(p, s, from, smaller(from->left, PAGE));
	p->head += s->length > 0;
	return ok ? 0 : -EFAULT;
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

static long write_slots(struct file *f, struct pipe *p, struct iter *from)
{
	size_t all = from->left;
	long error = merge(p, from) ? 0 : -EFAULT;

	while (from->left && !error) {
		if (!p->readers)
			return broken(all - from->left);
		if (!full(p)) {
			error = append(p, from);
			continue;
		}
		wake(&p->readable);
		error = f->flags & O_NONBLOCK ? -EAGAIN : sleep_on(&p->writable.queue, NEVER);
	}
	return all > from->left ? (long)(all - from->left) : error;
}

static long pipe_write(struct file *f, struct iter *from, uint64_t *pos)
{
	struct pipe *p = f->inode->pipe;
	long done;

	(void)pos;
	if (!from->left)
		return 0;
	if (!p->readers)
		return broken(0);
	done = write_slots(f, p, from);
	if (p->head != p->tail)
		wake(&p->readable);
	return done;
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

/* A FIFO's opener waits for the other side; a nameless pipe's (by /proc/PID/fd) does not. */
static long partner_wait(struct file *f, struct pipe *p)
{
	bool reads = file_readable(f), writes = file_writable(f);

	if (f->inode->super == anonymous || (reads && writes))
		return 0;
	if (writes)
		return p->readers ? 0 : wait_for(&p->reader_opens, &p->writable);
	return p->writers || (f->flags & O_NONBLOCK) ? 0 : wait_for(&p->writer_opens, &p->readable);
}

static long fifo_open(struct file *f)
{
	bool reads = file_readable(f), writes = file_writable(f);
	struct inode *i = f->inode;
	struct pipe *p = i->pipe;
	long error;

	if (writes && !reads && !(p && p->readers) && (f->flags & O_NONBLOCK) &&
	    i->super != anonymous)
		return -ENXIO;
	if (!p)
		p = i->pipe = pipe_new(PIPE_SLOTS);
	if (!p)
		return -ENOMEM;
	f->pos = reads && !p->writers && (f->flags & O_NONBLOCK) ? p->writer_opens : NO_OPENS;
	p->readers += reads;
	p->writers += writes;
	p->reader_opens += reads;
	p->writer_opens += writes;
	wake(&p->readable);
	wake(&p->writable);
	error = partner_wait(f, p);
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
		if (p->head != p->tail)
			events |= POLLIN | POLLRDNORM;
		if (!p->writers && p->writer_opens != f->pos)
			events |= POLLHUP;
	}
	if (file_writable(f)) {
		pollset_add(set, &p->writable);
		if (!full(p))
			events |= POLLOUT | POLLWRNORM;
		if (!p->readers)
			events |= POLLERR;
	}
	return events;
}

static long pipe_ioctl(struct file *f, uint32_t command, uint64_t arg)
{
	int32_t n = f->inode->pipe->bytes;

	return command == FIONREAD ? copy_to_user(arg, &n, sizeof n) : -ENOTTY;
}

/* Moves the slots into a ring of another size. */
static long pipe_resize(struct pipe *p, uint32_t slots)
{
	struct slot *new;
	uint32_t n = p->head - p->tail;

	if (n > slots)
		return -EBUSY;
	new = kmalloc(slots * sizeof *new);
	if (!new)
		return -ENOMEM;
	for (uint32_t k = 0; k < n; k++) {
		new[k] = *slot_at(p, p->tail + k);
		slot_at(p, p->tail + k)->page = NULL;
	}
	slots_free(p->slot, p->slots);
	p->slot = new;
	p->slots = slots;
	p->tail = 0;
	p->head = n;
	wake(&p->writable);
	return slots * PAGE;
}

long pipe_size(struct file *f, int command, uint64_t arg)
{
	struct pipe *p = f->inode->pipe;
	uint32_t slots = 1, size = arg;

	if (f->ops != &fifo_ops)
		return -EBADF;
	if (command == F_GETPIPE_SZ)
		return p->slots * PAGE;
	if ((int32_t)size < 0)
		return -EINVAL;
	while (slots * PAGE < size && slots < PIPE_SLOTS_MAX)
		slots *= 2;
	return slots * PAGE < size ? -EPERM : pipe_resize(p, slots);
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
	(*reader)->inode->pipe->writers--;	/* the first was opened for both */
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

/* Without a reader everything fits: it goes nowhere. */
size_t pipe_room(struct file *writer)
{
	struct pipe *p = writer->inode->pipe;

	return p->readers ? (size_t)(p->slots - (p->head - p->tail)) * PAGE : ~0ull;
}

void pipe_feed(struct file *writer, const void *bytes, size_t n)
{
	struct pipe *p = writer->inode->pipe;
	struct iovec one;
	struct iter it;

	if (!p->readers)
		return;
	iter_kernel(&it, &one, (void *)bytes, n);
	merge(p, &it);
	while (it.left && !full(p) && !append(p, &it))
		;
	wake(&p->readable);
}

void pipe_on_room(struct file *writer, void (*fn)(void))
{
	writer->inode->pipe->on_room = fn;
}
