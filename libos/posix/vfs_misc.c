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

static long xattr_name(uint64_t user, long absent)
{
	char name[XATTR_NAME_MAX + 1];
	long n = string_from_user(name, user, sizeof name);

	if (n == -ENAMETOOLONG || n == 0)
		return -ERANGE;
	if (n < 0)
		return n;
	return strncmp(name, "user.", 5) && strchr(name, '.') ? absent : -EOPNOTSUPP;
}

static long xattr_path(uint64_t path, unsigned walk, long result)
{
	struct dentry *d;
	long error = path_find(AT_FDCWD, path, walk, &d);

	if (error)
		return error;
	dentry_put(d);
	return result;
}

static long xattr_fd(int fd, long result)
{
	struct file *f = fd_get(fd);

	if (!f)
		return -EBADF;
	file_put(f);
	return result;
}

#define SET -EOPNOTSUPP		/* what a known kind of name gets */
#define GET -ENODATA

CALL2(setxattr, path, name) { return xattr_path(path, WALK_FOLLOW, xattr_name(name, SET)); }
CALL2(lsetxattr, path, name) { return xattr_path(path, 0, xattr_name(name, SET)); }
CALL2(fsetxattr, fd, name) { return xattr_fd(fd, xattr_name(name, SET)); }
CALL2(getxattr, path, name) { return xattr_path(path, WALK_FOLLOW, xattr_name(name, GET)); }
CALL2(lgetxattr, path, name) { return xattr_path(path, 0, xattr_name(name, GET)); }
CALL2(fgetxattr, fd, name) { return xattr_fd(fd, xattr_name(name, GET)); }
CALL1(listxattr, path) { return xattr_path(path, WALK_FOLLOW, 0); }
CALL1(llistxattr, path) { return xattr_path(path, 0, 0); }
CALL1(flistxattr, fd) { return xattr_fd(fd, 0); }
CALL2(removexattr, path, name) { return xattr_path(path, WALK_FOLLOW, xattr_name(name, GET)); }
CALL2(lremovexattr, path, name) { return xattr_path(path, 0, xattr_name(name, GET)); }
CALL2(fremovexattr, fd, name) { return xattr_fd(fd, xattr_name(name, GET)); }
