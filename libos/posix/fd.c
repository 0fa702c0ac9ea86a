/* Descriptors: the table of a process, dup, close, fcntl, and what ioctl does for any file.
 *
 * Left to others: open file descriptions (vfs_open.c), locks (lock.c).
 */
#include "libos/posix/syscall.h"
#include "libos/posix/pipe.h"
#include "libos/posix/vfs.h"

#define TABLE_MIN 64		/* a multiple of 64 */

/* ---- the table ---- */

struct files *files_new(void)
{
	struct files *fs = kmalloc(sizeof *fs);

	if (!fs)
		return NULL;
	fs->refs = 1;
	fs->size = TABLE_MIN;
	fs->fd = kmalloc(TABLE_MIN * sizeof *fs->fd);
	fs->cloexec = kmalloc(TABLE_MIN / 8);
	if (fs->fd && fs->cloexec)
		return fs;
	kfree(fs->fd);
	kfree(fs->cloexec);
	kfree(fs);
	return NULL;
}

static bool table_grow(struct files *fs, uint32_t need)
{
	uint32_t size = fs->size;
	struct file **fd;
	uint64_t *cloexec;

	while (size < need)
		size *= 2;
	if (size == fs->size)
		return true;
	fd = kmalloc(size * sizeof *fd);
	cloexec = kmalloc(size / 8);
	if (!fd || !cloexec) {
		kfree(fd);
		kfree(cloexec);
		return false;
	}
	memcpy(fd, fs->fd, fs->size * sizeof *fd);
	memcpy(cloexec, fs->cloexec, fs->size / 8);
	kfree(fs->fd);
	kfree(fs->cloexec);
	fs->fd = fd;
	fs->cloexec = cloexec;
	fs->size = size;
	return true;
}

static bool cloexec_get(struct files *fs, unsigned fd)
{
	return fs->cloexec[fd / 64] >> fd % 64 & 1;
}

static void cloexec_set(struct files *fs, unsigned fd, bool on)
{
	uint64_t bit = 1ull << fd % 64;

	fs->cloexec[fd / 64] = on ? fs->cloexec[fd / 64] | bit : fs->cloexec[fd / 64] & ~bit;
}

struct files *files_copy(struct files *f)
{
	struct files *copy = files_new();

	if (!copy || !table_grow(copy, f->size)) {
		if (copy)
			files_put(copy);
		return NULL;
	}
	memcpy(copy->fd, f->fd, f->size * sizeof *f->fd);
	memcpy(copy->cloexec, f->cloexec, f->size / 8);
	for (uint32_t fd = 0; fd < copy->size; fd++)
		if (copy->fd[fd])
			file_get(copy->fd[fd]);
	return copy;
}

static void slot_close(struct files *fs, unsigned fd)
{
	struct file *f = fs->fd[fd];

	fs->fd[fd] = NULL;
	cloexec_set(fs, fd, false);
	if (f->inode->locks)
		locks_release(f->inode, fs);
	file_put(f);
}

void files_put(struct files *f)
{
	if (--f->refs)
		return;
	for (uint32_t fd = 0; fd < f->size; fd++)
		if (f->fd[fd])
			slot_close(f, fd);
	kfree(f->fd);
	kfree(f->cloexec);
	kfree(f);
}

void files_exec(struct files *f)
{
	for (uint32_t fd = 0; fd < f->size; fd++)
		if (f->fd[fd] && cloexec_get(f, fd))
			slot_close(f, fd);
}

struct file *files_get(struct files *fs, int fd)
{
	return fs && (uint32_t)fd < fs->size ? fs->fd[fd] : NULL;
}

struct file *fd_file(int fd)
{
	return files_get(current_process()->files, fd);
}

struct file *fd_get_path(int fd)
{
	struct file *f = fd_file(fd);

	if (f)
		file_get(f);
	return f;
}

struct file *fd_get(int fd)
{
	struct file *f = fd_file(fd);

	if (!f || (f->flags & O_PATH))
		return NULL;
	file_get(f);
	return f;
}

static long slot_find(struct files *fs, uint32_t from)
{
	uint32_t fd = from;

	while (fd < fs->size && fs->fd[fd])
		fd++;
	if (fd >= current_process()->limit_nofile)
		return -EMFILE;
	return table_grow(fs, fd + 1) ? (long)fd : -ENOMEM;
}

static long install_from(struct file *f, uint32_t from, bool cloexec)
{
	struct files *fs = current_process()->files;
	long fd = slot_find(fs, from);

	if (fd < 0) {
		file_put(f);
		return fd;
	}
	fs->fd[fd] = f;
	cloexec_set(fs, fd, cloexec);
	return fd;
}

long fd_install(struct file *f, bool cloexec)
{
	return install_from(f, 0, cloexec);
}

long fd_install_at(struct files *fs, int fd, struct file *f, bool cloexec)
{
	if (!table_grow(fs, fd + 1)) {
		file_put(f);
		return -ENOMEM;
	}
	if (fs->fd[fd])
		slot_close(fs, fd);
	fs->fd[fd] = f;
	cloexec_set(fs, fd, cloexec);
	return fd;
}

/* ---- close, dup ---- */

CALL1(close, fd)
{
	if (!fd_file(fd))
		return -EBADF;
	slot_close(current_process()->files, (int)fd);
	return 0;
}

CALL3(close_range, first, last, flags)
{
	struct files *fs = current_process()->files;

	if ((flags & ~(uint64_t)CLOSE_RANGE_CLOEXEC) || (uint32_t)first > (uint32_t)last)
		return -EINVAL;
	for (uint32_t fd = first; fd < fs->size && fd <= (uint32_t)last; fd++) {
		if (!fs->fd[fd])
			continue;
		if (flags & CLOSE_RANGE_CLOEXEC)
			cloexec_set(fs, fd, true);
		else
			slot_close(fs, fd);
	}
	return 0;
}

CALL1(dup, fd)
{
	struct file *f = fd_get_path(fd);

	return f ? fd_install(f, false) : -EBADF;
}

static long dup_to(int fd, int to, bool cloexec)
{
	struct file *f;

	if ((uint32_t)to >= current_process()->limit_nofile)
		return -EBADF;
	f = fd_get_path(fd);
	return f ? fd_install_at(current_process()->files, to, f, cloexec) : -EBADF;
}

CALL2(dup2, fd, to)
{
	if ((int)fd == (int)to)
		return fd_file(fd) ? (int)fd : -EBADF;
	return dup_to(fd, to, false);
}

CALL3(dup3, fd, to, flags)
{
	if ((flags & ~(uint64_t)O_CLOEXEC) || (int)fd == (int)to)
		return -EINVAL;
	return dup_to(fd, to, flags & O_CLOEXEC);
}

/* ---- fcntl ---- */

#define SETTABLE (O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME)

static long flags_set(struct file *f, uint32_t flags)
{
	if ((flags & O_NOATIME) && !(f->flags & O_NOATIME) && !inode_owned(f->inode))
		return -EPERM;
	f->flags = (f->flags & ~SETTABLE) | (flags & SETTABLE);
	return 0;
}

/* The commands that O_PATH descriptors know too; -ENOSYS: another. */
static long fcntl_descriptor(struct file *f, int fd, int command, uint64_t arg)
{
	struct files *fs = current_process()->files;

	switch (command) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		if ((uint32_t)arg >= current_process()->limit_nofile)
			return -EINVAL;
		file_get(f);
		return install_from(f, arg, command == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return cloexec_get(fs, fd) ? FD_CLOEXEC : 0;
	case F_SETFD:
		cloexec_set(fs, fd, arg & FD_CLOEXEC);
		return 0;
	case F_GETFL:
		return f->flags;
	default:
		return f->flags & O_PATH ? -EBADF : -ENOSYS;
	}
}

static long fcntl_file(struct file *f, int command, uint64_t arg)
{
	switch (command) {
	case F_SETFL:
		return flags_set(f, arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
		return lock_record(f, command, arg);
	case F_SETOWN:
		f->owner = arg;
		return 0;
	case F_GETOWN:
		return f->owner;
	case F_SETPIPE_SZ:
	case F_GETPIPE_SZ:
		return S_ISFIFO(f->inode->mode) ? pipe_size(f, command, arg) : -EBADF;
	default:
		return -EINVAL;
	}
}

CALL3(fcntl, fd, command, arg)
{
	struct file *f = fd_get_path(fd);
	long result;

	if (!f)
		return -EBADF;
	result = fcntl_descriptor(f, fd, command, arg);
	if (result == -ENOSYS)
		result = fcntl_file(f, command, arg);
	file_put(f);
	return result;
}

CALL2(flock, fd, operation)
{
	uint32_t kind = (uint32_t)operation & ~LOCK_NB;
	struct file *f;
	long error;

	if (operation & LOCK_MAND)	/* did something once: Linux accepts it and does nothing */
		return 0;
	if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN)
		return -EINVAL;
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	error = lock_flock(f, operation);
	file_put(f);
	return error;
}

/* ---- ioctl ---- */

static long flag_from_user(struct file *f, uint32_t flag, uint64_t arg)
{
	int32_t on;

	if (copy_from_user(&on, arg, sizeof on))
		return -EFAULT;
	f->flags = on ? f->flags | flag : f->flags & ~flag;
	return 0;
}

static long ioctl_any(struct file *f, int fd, uint32_t command, uint64_t arg)
{
	struct files *fs = current_process()->files;
	int32_t n;

	switch (command) {
	case FIOCLEX:
	case FIONCLEX:
		cloexec_set(fs, fd, command == FIOCLEX);
		return 0;
	case FIONBIO:
		return flag_from_user(f, O_NONBLOCK, arg);
	case FIOASYNC:
		return flag_from_user(f, O_ASYNC, arg);
	case FIONREAD:
		if (S_ISREG(f->inode->mode)) {
			n = f->inode->size - f->pos;
			return copy_to_user(arg, &n, sizeof n);
		}
	}
	return f->ops->ioctl ? f->ops->ioctl(f, command, arg) : -ENOTTY;
}

CALL3(ioctl, fd, command, arg)
{
	struct file *f = fd_get(fd);
	long result;

	if (!f)
		return -EBADF;
	result = ioctl_any(f, fd, command, arg);
	file_put(f);
	return result;
}
