/* Calls about files that have little to do here: all data is in memory, so that syncing, advice
 * and reading ahead only check their arguments; and there are no extended attributes.
 */
#include "libos/posix/syscall.h"
#include "libos/posix/vfs.h"

static long sync_file(int fd)
{
	struct file *f = fd_get(fd);
	long error;

	if (!f)
		return -EBADF;
	error = S_ISREG(f->inode->mode) || S_ISDIR(f->inode->mode) ? 0 : -EINVAL;
	file_put(f);
	return error;
}

CALL1(fsync, fd)
{
	return sync_file(fd);
}

CALL1(fdatasync, fd)
{
	return sync_file(fd);
}

#define ADVICE_MAX 5

CALL4(fadvise64, fd, offset, length, advice)
{
	struct file *f = fd_get(fd);
	long error = 0;

	(void)offset;
	if (!f)
		return -EBADF;
	if (S_ISFIFO(f->inode->mode))
		error = -ESPIPE;
	else if ((uint32_t)advice > ADVICE_MAX || (int64_t)length < 0)
		error = -EINVAL;
	file_put(f);
	return error;
}

CALL3(readahead, fd, offset, count)
{
	struct file *f = fd_get(fd);
	long error = 0;

	(void)offset, (void)count;
	if (!f)
		return -EBADF;
	if (!file_readable(f))
		error = -EBADF;
	else if (!S_ISREG(f->inode->mode))
		error = -EINVAL;
	file_put(f);
	return error;
}

/* ---- extended attributes ---- */

#define XATTR_NAME_MAX 255

enum access { GET, SET, REMOVE, LIST };

/* What an access to an attribute of that name gives: there is none, and none can be made. */
static long xattr_result(struct inode *i, uint64_t user, enum access access)
{
	char name[XATTR_NAME_MAX + 1];
	long n = access == LIST ? 1 : string_from_user(name, user, sizeof name);

	if (n == -ENAMETOOLONG || n == 0)
		return -ERANGE;
	if (n < 0 || access == LIST)
		return n < 0 ? n : 0;
	if (!strncmp(name, "user.", 5) && !S_ISREG(i->mode) && !S_ISDIR(i->mode))
		return access == GET ? -ENODATA : -EPERM;
	if (!strncmp(name, "user.", 5) || !strchr(name, '.') || access == SET)
		return -EOPNOTSUPP;
	return -ENODATA;
}

static long xattr_path(uint64_t path, unsigned walk, uint64_t name, enum access access)
{
	struct dentry *d;
	long error = path_find(AT_FDCWD, path, walk, &d);

	if (error)
		return error;
	error = xattr_result(d->inode, name, access);
	dentry_put(d);
	return error;
}

static long xattr_fd(int fd, uint64_t name, enum access access)
{
	struct file *f = fd_get(fd);
	long error;

	if (!f)
		return -EBADF;
	error = xattr_result(f->inode, name, access);
	file_put(f);
	return error;
}

CALL2(setxattr, path, name) { return xattr_path(path, WALK_FOLLOW, name, SET); }
CALL2(lsetxattr, path, name) { return xattr_path(path, 0, name, SET); }
CALL2(fsetxattr, fd, name) { return xattr_fd(fd, name, SET); }
CALL2(getxattr, path, name) { return xattr_path(path, WALK_FOLLOW, name, GET); }
CALL2(lgetxattr, path, name) { return xattr_path(path, 0, name, GET); }
CALL2(fgetxattr, fd, name) { return xattr_fd(fd, name, GET); }
CALL1(listxattr, path) { return xattr_path(path, WALK_FOLLOW, 0, LIST); }
CALL1(llistxattr, path) { return xattr_path(path, 0, 0, LIST); }
CALL1(flistxattr, fd) { return xattr_fd(fd, 0, LIST); }
CALL2(removexattr, path, name) { return xattr_path(path, WALK_FOLLOW, name, REMOVE); }
CALL2(lremovexattr, path, name) { return xattr_path(path, 0, name, REMOVE); }
CALL2(fremovexattr, fd, name) { return xattr_fd(fd, name, REMOVE); }
