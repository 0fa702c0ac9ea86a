/* What a file is: stat in its forms, access, readlink. */
#include "libos/posix/syscall.h"
#include "libos/posix/vfs.h"

static uint32_t block_size(struct inode *i)
{
	return i->super->magic == PROC_MAGIC ? 1024 : PAGE;
}

void stat_fill(struct inode *i, struct linux_stat *st)
{
	*st = (struct linux_stat){
		.dev = i->super->dev, .ino = i->ino, .nlink = i->nlink,
		.mode = i->mode, .uid = i->uid, .gid = i->gid, .rdev = i->rdev,
		.size = i->size, .blksize = block_size(i), .blocks = i->pages * (PAGE / 512),
		.atime = i->atime, .mtime = i->mtime, .ctime = i->ctime,
	};
}

static long stat_out(struct inode *i, uint64_t buf)
{
	struct linux_stat st;

	stat_fill(i, &st);
	return copy_to_user(buf, &st, sizeof st);
}

#define STAT_FLAGS (AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE)

static unsigned walk_flags(uint32_t flags)
{
	return (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
		(flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
}

static long stat_at(int dirfd, uint64_t path, uint64_t buf, uint32_t flags)
{
	struct dentry *d;
	long error;

	if (flags & ~STAT_FLAGS)
		return -EINVAL;
	error = path_find(dirfd, path, walk_flags(flags), &d);
	if (error)
		return error;
	error = stat_out(d->inode, buf);
	dentry_put(d);
	return error;
}

CALL2(stat, path, buf)
{
	return stat_at(AT_FDCWD, path, buf, 0);
}

CALL2(lstat, path, buf)
{
	return stat_at(AT_FDCWD, path, buf, AT_SYMLINK_NOFOLLOW);
}

CALL2(fstat, fd, buf)
{
	struct file *f = fd_file(fd);

	return f ? stat_out(f->inode, buf) : -EBADF;
}

CALL4(newfstatat, dirfd, path, buf, flags)
{
	return stat_at(dirfd, path, buf, flags);
}

/* ---- statx ---- */

static struct statx_time statx_time(struct timespec64 t)
{
	return (struct statx_time){ t.sec, t.nsec, 0 };
}

static void statx_fill(struct dentry *d, struct linux_statx *x)
{
	struct inode *i = d->inode;
	uint64_t dev = i->super->dev;

	*x = (struct linux_statx){
		.mask = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, .blksize = block_size(i),
		.attributes = i->super->root == d ? STATX_ATTR_MOUNT_ROOT : 0,
		.attributes_mask = STATX_ATTR_MOUNT_ROOT,
		.nlink = i->nlink, .uid = i->uid, .gid = i->gid, .mode = i->mode,
		.ino = i->ino, .size = i->size, .blocks = i->pages * (PAGE / 512),
		.atime = statx_time(i->atime), .btime = statx_time(i->btime),
		.ctime = statx_time(i->ctime), .mtime = statx_time(i->mtime),
		.rdev_major = MAJOR(i->rdev), .rdev_minor = MINOR(i->rdev),
		.dev_major = MAJOR(dev), .dev_minor = MINOR(dev), .mnt_id = dev,
	};
}

CALL5(statx, dirfd, path, flags, mask, buf)
{
	struct linux_statx x;
	struct dentry *d;
	long error;

	if ((flags & ~(uint64_t)STAT_FLAGS) || (mask & STATX_RESERVED) ||
	    (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	error = path_find(dirfd, path, walk_flags(flags), &d);
	if (error)
		return error;
	statx_fill(d, &x);
	dentry_put(d);
	return copy_to_user(buf, &x, sizeof x);
}

/* ---- access ---- */

static long access_at(int dirfd, uint64_t path, uint32_t mode, uint32_t flags)
{
	struct process *me = current_process();
	bool effective = flags & AT_EACCESS;
	struct dentry *d;
	long error;

	if ((mode & ~7u) || (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
		return -EINVAL;
	error = path_find(dirfd, path, walk_flags(flags), &d);
	if (error)
		return error;
	error = inode_permission_as(d->inode, mode, effective ? me->euid : me->uid,
		effective ? me->egid : me->gid);
	dentry_put(d);
	return error;
}

CALL2(access, path, mode)
{
	return access_at(AT_FDCWD, path, mode, 0);
}

CALL3(faccessat, dirfd, path, mode)
{
	return access_at(dirfd, path, mode, 0);
}

CALL4(faccessat2, dirfd, path, mode, flags)
{
	return access_at(dirfd, path, mode, flags);
}

/* ---- readlink ---- */

static long link_text(struct inode *i, uint64_t buf, size_t size)
{
	char *text = kmalloc(PATH_MAX);
	long n;

	if (!text)
		return -ENOMEM;
	n = i->ops->readlink(i, text, PATH_MAX);
	if (n > 0) {
		n = smaller(n, size);
		inode_accessed(i);
		if (copy_to_user(buf, text, n))
			n = -EFAULT;
	}
	kfree(text);
	return n;
}

static long readlink_at(int dirfd, uint64_t path, uint64_t buf, int32_t size)
{
	struct dentry *d;
	char first;
	long error;

	if (size <= 0)
		return -EINVAL;
	error = path_find(dirfd, path, WALK_EMPTY, &d);
	if (error)
		return error;
	if (S_ISLNK(d->inode->mode))
		error = link_text(d->inode, buf, size);
	else
		error = copy_from_user(&first, path, 1) || first ? -EINVAL : -ENOENT;
	dentry_put(d);
	return error;
}

CALL3(readlink, path, buf, size)
{
	return readlink_at(AT_FDCWD, path, buf, size);
}

CALL4(readlinkat, dirfd, path, buf, size)
{
	return readlink_at(dirfd, path, buf, size);
}
