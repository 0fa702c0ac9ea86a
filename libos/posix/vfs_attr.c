/* Changing what a file is: mode, owner, times, size; and extended attributes, of which tmpfs has
 * none. */
#include "libos/posix/syscall.h"
#include "libos/posix/tmpfs.h"

typedef long attr_fn(struct inode *i, const uint64_t *args);

/* Applies fn to what a path leads to. */
static long apply_path(int dirfd, uint64_t path, unsigned walk, attr_fn *fn, const uint64_t *args)
{
	struct dentry *d;
	long error = path_find(dirfd, path, walk, &d);

	if (error)
		return error;
	error = d->inode->super->flags & MS_RDONLY ? -EROFS : fn(d->inode, args);
	dentry_put(d);
	return error;
}

static long apply_fd(int fd, attr_fn *fn, const uint64_t *args)
{
	struct file *f = fd_get(fd);
	long error;

	if (!f)
		return -EBADF;
	error = f->inode->super->flags & MS_RDONLY ? -EROFS : fn(f->inode, args);
	file_put(f);
	return error;
}

/* ---- mode ---- */

static long mode_set(struct inode *i, const uint64_t *args)
{
	struct process *me = current_process();
	uint32_t mode = args[0] & 07777;

	if (!inode_owned(i))
		return -EPERM;
	if (S_ISLNK(i->mode))
		return -EOPNOTSUPP;
	if (me->euid && me->egid != i->gid)
		mode &= ~S_ISGID;
	i->mode = (i->mode & S_IFMT) | mode;
	inode_changed(i);
	return 0;
}

CALL2(chmod, path, mode)
{
	return apply_path(AT_FDCWD, path, WALK_FOLLOW, mode_set, &mode);
}

CALL2(fchmod, fd, mode)
{
	return apply_fd(fd, mode_set, &mode);
}

CALL3(fchmodat, dirfd, path, mode)
{
	return apply_path(dirfd, path, WALK_FOLLOW, mode_set, &mode);
}

/* ---- owner ---- */

static long owner_set(struct inode *i, const uint64_t *args)
{
	struct process *me = current_process();
	uint32_t uid = args[0], gid = args[1];

	if (me->euid && ((uid != ~0u && (uid != i->uid || me->euid != i->uid)) ||
	    (gid != ~0u && (me->euid != i->uid || (gid != me->egid && gid != i->gid)))))
		return -EPERM;
	if (uid != ~0u)
		i->uid = uid;
	if (gid != ~0u)
		i->gid = gid;
	if (!S_ISDIR(i->mode)) {
		i->mode &= ~S_ISUID;
		if (i->mode & 010)
			i->mode &= ~S_ISGID;
	}
	inode_changed(i);
	return 0;
}

CALL3(chown, path, uid, gid)
{
	return apply_path(AT_FDCWD, path, WALK_FOLLOW, owner_set, (uint64_t[]){ uid, gid });
}

CALL3(lchown, path, uid, gid)
{
	return apply_path(AT_FDCWD, path, 0, owner_set, (uint64_t[]){ uid, gid });
}

CALL3(fchown, fd, uid, gid)
{
	return apply_fd(fd, owner_set, (uint64_t[]){ uid, gid });
}

CALL5(fchownat, dirfd, path, uid, gid, flags)
{
	if (flags & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return apply_path(dirfd, path, (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
		(flags & AT_EMPTY_PATH ? WALK_EMPTY : 0), owner_set, (uint64_t[]){ uid, gid });
}

/* ---- times ---- */

static void time_set(struct timespec64 *at, const struct timespec64 *t)
{
	if (t->nsec == UTIME_NOW)
		*at = time_stamp();
	else if (t->nsec != UTIME_OMIT)
		*at = *t;
}

/* args: struct timespec64 [2], or none for both now. */
static long times_set(struct inode *i, const uint64_t *args)
{
	static const struct timespec64 now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
	const struct timespec64 *t = args ? (const void *)args : now;
	bool both_now = t[0].nsec == UTIME_NOW && t[1].nsec == UTIME_NOW;

	if (!inode_owned(i)) {
		if (!both_now)
			return -EPERM;
		if (inode_permission(i, MAY_WRITE))
			return -EACCES;
	}
	time_set(&i->atime, &t[0]);
	time_set(&i->mtime, &t[1]);
	inode_changed(i);
	return 0;
}

static bool time_ok(const struct timespec64 *t)
{
	return t->nsec == UTIME_NOW || t->nsec == UTIME_OMIT ||
		(t->nsec >= 0 && t->nsec < 1000000000);
}

CALL4(utimensat, dirfd, path, times, flags)
{
	struct timespec64 t[2];
	const uint64_t *args = times ? (const void *)t : NULL;

	if (times) {
		if (copy_from_user(t, times, sizeof t))
			return -EFAULT;
		if (t[0].nsec == UTIME_OMIT && t[1].nsec == UTIME_OMIT)
			return 0;
		if (!time_ok(&t[0]) || !time_ok(&t[1]))
			return -EINVAL;
	}
	if (!path && (int)dirfd != AT_FDCWD)
		return flags ? -EINVAL : apply_fd(dirfd, times_set, args);
	if (flags & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return apply_path(dirfd, path, (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
		(flags & AT_EMPTY_PATH ? WALK_EMPTY : 0), times_set, args);
}

CALL2(utime, path, times)
{
	int64_t t[2];

	if (!times)
		return apply_path(AT_FDCWD, path, WALK_FOLLOW, times_set, NULL);
	if (copy_from_user(t, times, sizeof t))
		return -EFAULT;
	return apply_path(AT_FDCWD, path, WALK_FOLLOW, times_set,
		(const uint64_t *)(struct timespec64[2]){ { t[0], 0 }, { t[1], 0 } });
}

static long utimes_at(int dirfd, uint64_t path, uint64_t times)
{
	struct timespec64 t[2];

	if (times) {
		if (copy_from_user(t, times, sizeof t))
			return -EFAULT;
		for (int k = 0; k < 2; k++) {
			if (t[k].nsec < 0 || t[k].nsec >= 1000000)	/* microseconds here */
				return -EINVAL;
			t[k].nsec *= 1000;
		}
	}
	if (!path && dirfd != AT_FDCWD)
		return apply_fd(dirfd, times_set, times ? (const void *)t : NULL);
	return apply_path(dirfd, path, WALK_FOLLOW, times_set, times ? (const void *)t : NULL);
}

CALL2(utimes, path, times)
{
	return utimes_at(AT_FDCWD, path, times);
}

CALL3(futimesat, dirfd, path, times)
{
	return utimes_at(dirfd, path, times);
}

/* ---- size ---- */

static long size_limit(uint64_t size)
{
	struct process *me = current_process();

	if (size <= me->limit_fsize)
		return 0;
	signal_process(me, SIGXFSZ);
	return -EFBIG;
}

static long size_set(struct inode *i, const uint64_t *args)
{
	long error;

	if (S_ISDIR(i->mode))
		return -EISDIR;
	if (!S_ISREG(i->mode))
		return -EINVAL;
	error = inode_permission(i, MAY_WRITE);
	if (!error && i->executed)
		error = -ETXTBSY;
	if (!error && !i->ops->truncate)
		error = -EPERM;
	if (!error && args[0] > i->size)
		error = size_limit(args[0]);
	return error ? error : i->ops->truncate(i, args[0]);
}

CALL2(truncate, path, size)
{
	return (int64_t)size < 0 ? -EINVAL :
		apply_path(AT_FDCWD, path, WALK_FOLLOW, size_set, &size);
}

CALL2(ftruncate, fd, size)
{
	struct file *f = fd_get(fd);
	long error = -EINVAL;

	if ((int64_t)size < 0) {
		if (f)
			file_put(f);
		return -EINVAL;
	}
	if (!f)
		return -EBADF;
	if (S_ISREG(f->inode->mode) && file_writable(f)) {
		error = size > f->inode->size ? size_limit(size) : 0;
		if (!error)
			error = f->inode->ops->truncate ? f->inode->ops->truncate(f->inode, size) :
				-EINVAL;
	}
	file_put(f);
	return error;
}

static long range_allocate(struct file *f, uint32_t mode, uint64_t from, uint64_t to)
{
	struct inode *i = f->inode;
	long error;

	if (mode & FALLOC_FL_PUNCH_HOLE) {
		error = tmpfs_punch(i, from, to);
	} else {
		error = to > i->size && !(mode & FALLOC_FL_KEEP_SIZE) ? size_limit(to) : 0;
		if (!error)
			error = tmpfs_reserve(i, from, to);
		if (!error && to > i->size && !(mode & FALLOC_FL_KEEP_SIZE))
			i->size = to;
	}
	if (!error)
		inode_modified(i);
	return error;
}

static long allocate_check(struct file *f, uint32_t mode, int64_t from, int64_t length)
{
	int64_t end;

	if (from < 0 || length <= 0)
		return -EINVAL;
	if (mode != 0 && mode != FALLOC_FL_KEEP_SIZE &&
	    mode != (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if (!file_writable(f))
		return -EBADF;
	if (S_ISFIFO(f->inode->mode))
		return -ESPIPE;
	if (S_ISDIR(f->inode->mode))
		return -EISDIR;
	if (!S_ISREG(f->inode->mode))
		return -ENODEV;
	if (f->inode->super->magic != TMPFS_MAGIC)
		return -EOPNOTSUPP;
	return __builtin_add_overflow(from, length, &end) ? -EFBIG : 0;
}

CALL4(fallocate, fd, mode, from, length)
{
	struct file *f = fd_get(fd);
	long error;

	if (!f)
		return -EBADF;
	error = allocate_check(f, mode, from, length);
	if (!error)
		error = range_allocate(f, mode, from, from + length);
	file_put(f);
	return error;
}
