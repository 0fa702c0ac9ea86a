/* Moving bytes: read, write, their vector and positioned forms, lseek, sendfile.
 *
 * Left to others: what a file does with them (file_ops).
 */
#include "libos/posix/syscall.h"
#include "libos/posix/pipe.h"
#include "libos/posix/vfs.h"

#define USER_END 0x7ffffffff000ull

static bool range_ok(uint64_t base, uint64_t n)
{
	return n <= USER_END && base <= USER_END - n;
}

/* ---- one file ---- */

long file_read(struct file *f, struct iter *to, uint64_t *pos)
{
	if (!f->ops->read)
		return -EINVAL;
	return f->ops->read(f, to, pos);
}

/* How much may be written at pos under RLIMIT_FSIZE; -EFBIG with its signal. */
static long write_limit(struct file *f, uint64_t pos, size_t n)
{
	struct process *me = current_process();

	if (!S_ISREG(f->inode->mode) || n == 0)
		return n;
	if (pos >= me->limit_fsize) {
		signal_process(me, SIGXFSZ);
		return -EFBIG;
	}
	n = smaller(n, me->limit_fsize - pos);
	return pos >= FILE_SIZE_MAX ? -EFBIG : (long)smaller(n, FILE_SIZE_MAX - pos);
}

static void privileges_drop(struct inode *i)
{
	if (current_process()->euid == 0 || !S_ISREG(i->mode))
		return;
	i->mode &= ~S_ISUID;
	if (i->mode & 010)
		i->mode &= ~S_ISGID;
}

long file_write(struct file *f, struct iter *from, uint64_t *pos)
{
	long n;

	if (!f->ops->write)
		return -EINVAL;
	if ((f->flags & O_APPEND) && S_ISREG(f->inode->mode) && from->left)
		*pos = f->inode->size;
	n = write_limit(f, *pos, from->left);
	if (n < 0)
		return n;
	from->left = n;
	if (f->inode->mode & (S_ISUID | S_ISGID))
		privileges_drop(f->inode);
	return f->ops->write(f, from, pos);
}

long file_seek(struct file *f, int64_t offset, int whence)
{
	int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (int64_t)f->pos :
		(int64_t)f->inode->size, to;

	if (whence < SEEK_SET || whence > SEEK_END)
		return -EINVAL;
	if (__builtin_add_overflow(base, offset, &to))
		return -EOVERFLOW;
	if (to < 0)
		return -EINVAL;
	f->pos = to;
	return to;
}

long file_read_at(struct file *f, void *to, size_t n, uint64_t offset)
{
	struct iovec one;
	struct iter it;

	iter_kernel(&it, &one, to, n);
	return file_read(f, &it, &offset);
}

/* ---- read and write ---- */

enum { READ, WRITE };

/* Moves an iterator's bytes at *offset, or at the file's position if offset is NULL. */
static long file_move(struct file *f, struct iter *it, int direction, uint64_t *offset)
{
	uint64_t *pos = offset ? offset : &f->pos;

	if (direction == READ)
		return file_readable(f) ? file_read(f, it, pos) : -EBADF;
	return file_writable(f) ? file_write(f, it, pos) : -EBADF;
}

static long move_buffer(int fd, uint64_t base, uint64_t n, int direction, uint64_t *offset)
{
	struct file *f = fd_get(fd);
	struct iovec one = { base, smaller(n, RW_MAX) };
	struct iter it = { &one, 0, one.length, false };
	long moved;

	if (!f)
		return -EBADF;
	if (offset && !f->ops->seek)
		moved = -ESPIPE;
	else if (!(direction == READ ? file_readable(f) : file_writable(f)))
		moved = -EBADF;
	else if (!range_ok(base, n))
		moved = -EFAULT;
	else
		moved = file_move(f, &it, direction, offset);
	file_put(f);
	return moved;
}

CALL3(read, fd, buf, n)
{
	return move_buffer(fd, buf, n, READ, NULL);
}

CALL3(write, fd, buf, n)
{
	return move_buffer(fd, buf, n, WRITE, NULL);
}

CALL4(pread64, fd, buf, n, offset)
{
	return (int64_t)offset < 0 ? -EINVAL : move_buffer(fd, buf, n, READ, &offset);
}

CALL4(pwrite64, fd, buf, n, offset)
{
	return (int64_t)offset < 0 ? -EINVAL : move_buffer(fd, buf, n, WRITE, &offset);
}

#define IOV_QUICK 8

/* Takes in the segments; the sum of their lengths, at most RW_MAX. */
static long vector_from_user(struct iovec *v, uint64_t user, size_t n)
{
	uint64_t sum = 0;

	if (copy_from_user(v, user, n * sizeof *v))
		return -EFAULT;
	for (size_t k = 0; k < n; k++) {
		if ((int64_t)v[k].length < 0)
			return -EINVAL;
		if (!range_ok(v[k].base, v[k].length))
			return -EFAULT;
		v[k].length = smaller(v[k].length, RW_MAX - sum);
		sum += v[k].length;
	}
	return sum;
}

static long move_segments(struct file *f, uint64_t user, size_t n, int direction, uint64_t *offset)
{
	struct iovec quick[IOV_QUICK], *v = quick;
	struct iter it = { 0 };
	long sum;

	if (n > IOV_MAX)
		return -EINVAL;
	if (n > IOV_QUICK)
		v = kmalloc(n * sizeof *v);
	if (!v)
		return -ENOMEM;
	sum = vector_from_user(v, user, n);
	if (sum > 0) {
		it = (struct iter){ v, 0, sum, false };
		sum = file_move(f, &it, direction, offset);
	}
	if (v != quick)
		kfree(v);
	return sum;
}

static long move_vector(int fd, uint64_t user, uint64_t n, int direction, uint64_t *offset)
{
	struct file *f = fd_get(fd);
	long moved;

	if (!f)
		return -EBADF;
	if (offset && !f->ops->seek)
		moved = -ESPIPE;
	else if (!(direction == READ ? file_readable(f) : file_writable(f)))
		moved = -EBADF;
	else
		moved = move_segments(f, user, n, direction, offset);
	file_put(f);
	return moved;
}

CALL3(readv, fd, iov, n)
{
	return move_vector(fd, iov, n, READ, NULL);
}

CALL3(writev, fd, iov, n)
{
	return move_vector(fd, iov, n, WRITE, NULL);
}

CALL4(preadv, fd, iov, n, offset)
{
	return (int64_t)offset < 0 ? -EINVAL : move_vector(fd, iov, n, READ, &offset);
}

CALL4(pwritev, fd, iov, n, offset)
{
	return (int64_t)offset < 0 ? -EINVAL : move_vector(fd, iov, n, WRITE, &offset);
}

CALL3(lseek, fd, offset, whence)
{
	struct file *f = fd_get(fd);
	long to;

	if (!f)
		return -EBADF;
	if ((uint32_t)whence > SEEK_HOLE)
		to = -EINVAL;
	else
		to = f->ops->seek ? f->ops->seek(f, offset, whence) : -ESPIPE;
	file_put(f);
	return to;
}

/* ---- from file to file ---- */

/* Copies at most a page; 0 at the end of `in` or when `out` takes no more. */
static long page_copy_through(struct file *in, uint64_t *in_pos, struct file *out,
	uint64_t *out_pos,
	uint8_t *page, size_t n)
{
	uint64_t from = *in_pos;
	struct iovec one;
	struct iter it;
	long moved;

	iter_kernel(&it, &one, page, smaller(n, PAGE));
	moved = file_read(in, &it, &from);
	if (moved <= 0)
		return moved;
	iter_kernel(&it, &one, page, moved);
	moved = file_write(out, &it, out_pos);
	if (moved > 0)
		*in_pos += moved;
	return moved;
}

static long file_copy(struct file *in, uint64_t *in_pos, struct file *out, uint64_t *out_pos,
	size_t n)
{
	uint8_t *page = page_alloc();
	size_t done = 0;
	long moved = 0;

	if (!page)
		return -ENOMEM;
	while (done < n) {
		moved = page_copy_through(in, in_pos, out, out_pos, page, n - done);
		if (moved <= 0)
			break;
		done += moved;
	}
	page_free(page);
	return done ? (long)done : moved;
}

static long sendfile(struct file *out, struct file *in, uint64_t user, size_t n)
{
	uint64_t offset = in->pos;
	long done;

	if (!file_readable(in) || !file_writable(out))
		return -EBADF;
	if (user && !in->ops->seek)
		return -ESPIPE;
	if (user && copy_from_user(&offset, user, sizeof offset))
		return -EFAULT;
	if ((int64_t)offset < 0 || (int64_t)n < 0)
		return -EINVAL;
	if (n && S_ISFIFO(out->inode->mode) && pipe_broken(out))
		return -EPIPE;
	if (!in->ops->seek || S_ISDIR(in->inode->mode) ||
	    ((out->flags & O_APPEND) && !S_ISFIFO(out->inode->mode)))
		return -EINVAL;
	done = file_copy(in, &offset, out, &out->pos, smaller(n, RW_MAX));
	if (!user)
		in->pos = offset;
	else if (copy_to_user(user, &offset, sizeof offset))
		return -EFAULT;
	return done;
}

CALL4(sendfile, out_fd, in_fd, offset, n)
{
	struct file *in = fd_get(in_fd), *out = fd_get(out_fd);
	long done = in && out ? sendfile(out, in, offset, n) : -EBADF;

	if (in)
		file_put(in);
	if (out)
		file_put(out);
	return done;
}

static long copy_check(struct file *in, uint64_t in_pos, struct file *out, uint64_t out_pos,
	uint64_t n)
{
	if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
		return -EISDIR;
	if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
		return -EINVAL;
	if (!file_readable(in) || !file_writable(out) || (out->flags & O_APPEND))
		return -EBADF;
	if ((int64_t)in_pos < 0 || (int64_t)out_pos < 0 || in_pos + n < n || out_pos + n < n)
		return -EOVERFLOW;
	if (in->inode == out->inode && in_pos < out_pos + n && out_pos < in_pos + n)
		return -EINVAL;
	return 0;
}

static long copy_range(struct file *in, uint64_t in_user, struct file *out, uint64_t out_user,
	uint64_t n)
{
	uint64_t from = in->pos, to = out->pos;
	long done;

	if ((in_user && copy_from_user(&from, in_user, 8)) ||
	    (out_user && copy_from_user(&to, out_user, 8)))
		return -EFAULT;
	n = from < in->inode->size ? smaller(n, in->inode->size - from) : 0;
	done = copy_check(in, from, out, to, n);
	if (!done)
		done = file_copy(in, &from, out, &to, smaller(n, RW_MAX));
	if (done <= 0)
		return done;
	if (!in_user)
		in->pos = from;
	if (!out_user)
		out->pos = to;
	return (in_user && copy_to_user(in_user, &from, 8)) ||
		(out_user && copy_to_user(out_user, &to, 8)) ? -EFAULT : done;
}

CALL6(copy_file_range, in_fd, in_pos, out_fd, out_pos, n, flags)
{
	struct file *in = fd_get(in_fd), *out = fd_get(out_fd);
	long done = -EBADF;

	if (in && out)
		done = flags ? -EINVAL : copy_range(in, in_pos, out, out_pos, n);
	if (in)
		file_put(in);
	if (out)
		file_put(out);
	return done;
}
