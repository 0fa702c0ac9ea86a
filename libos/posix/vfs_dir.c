/* Folders: listing (getdents), and a process's place among them (getcwd, chdir, chroot, umask). */
#include "libos/posix/syscall.h"
#include "libos/posix/vfs.h"

/* ---- entries ---- */

static size_t entry_size(bool old, size_t name)
{
	size_t n = old ? offsetof(struct linux_dirent, name) + name + 2 :
		offsetof(struct linux_dirent64, name) + name + 1;

	return (n + 7) & ~7ul;
}

static void entry_fill(uint8_t *entry, bool old, size_t size, const char *name, size_t n,
	uint64_t ino, uint32_t mode, uint64_t next)
{
	uint8_t type = (mode & S_IFMT) >> 12;

	memset(entry, 0, size);
	if (old) {
		struct linux_dirent *e = (void *)entry;

		*e = (struct linux_dirent){ .ino = ino, .off = next, .length = size };
		memcpy(e->name, name, n);
		entry[size - 1] = type;
	} else {
		struct linux_dirent64 *e = (void *)entry;

		*e = (struct linux_dirent64){ .ino = ino, .off = next, .length = size,
			.type = type };
		memcpy(e->name, name, n);
	}
}

bool dirlist_add(struct dirlist *l, const char *name, size_t n, uint64_t ino, uint32_t mode,
	uint64_t next)
{
	uint8_t entry[sizeof(struct linux_dirent64) + NAME_MAX + 16];
	size_t size = entry_size(l->old, n);

	if (size > l->left) {
		l->error = -EINVAL;
		return false;
	}
	entry_fill(entry, l->old, size, name, n, ino, mode, next);
	if (copy_to_user(l->user + l->done, entry, size)) {
		l->error = -EFAULT;
		return false;
	}
	l->left -= size;
	l->done += size;
	return true;
}

bool dirlist_dots(struct file *f, struct dirlist *l)
{
	struct dentry *d = f->dentry, *up = dentry_up(d, NULL);

	if (f->pos == 0) {
		if (!dirlist_add(l, ".", 1, d->inode->ino, S_IFDIR, 1))
			return false;
		f->pos = 1;
	}
	if (f->pos == 1) {
		if (!dirlist_add(l, "..", 2, up->inode->ino, S_IFDIR, 2))
			return false;
		f->pos = 2;
	}
	return true;
}

/* A stored folder's entries have positions that fall with age, so that a listing runs from the
 * newest to the oldest, and neither removals nor additions disturb one that is under way. */
#define DIR_END (1ull << 62)

static long dir_list(struct file *f, struct dirlist *l)
{
	if (!dirlist_dots(f, l))
		return 0;
	for (struct dentry *d = f->dentry->children; d; d = d->next) {
		uint64_t at = DIR_END - d->order;

		if (at < f->pos)
			continue;
		if (!dirlist_add(l, d->name, d->length, d->inode->ino, d->inode->mode, at + 1))
			break;
		f->pos = at + 1;
	}
	return 0;
}

static long dir_read(struct file *f, struct iter *to, uint64_t *pos)
{
	(void)f, (void)to, (void)pos;
	return -EISDIR;
}

static long dir_seek(struct file *f, int64_t offset, int whence)
{
	return whence == SEEK_SET || whence == SEEK_CUR ? file_seek(f, offset, whence) : -EINVAL;
}

const struct file_ops dir_ops = {
	.read = dir_read,
	.seek = dir_seek,
	.list = dir_list,
};

static long list(int fd, uint64_t buf, uint32_t n, bool old)
{
	struct dirlist l = { .user = buf, .left = n, .old = old };
	struct file *f = fd_get(fd);
	long error = -ENOTDIR;

	if (!f)
		return -EBADF;
	if (f->ops->list) {
		error = dentry_removed(f->dentry) ? -ENOENT : f->ops->list(f, &l);
		if (!error)
			inode_accessed(f->inode);
	}
	file_put(f);
	if (error)
		return error;
	return l.done ? (long)l.done : l.error;
}

CALL3(getdents, fd, buf, n)
{
	return list(fd, buf, n, true);
}

CALL3(getdents64, fd, buf, n)
{
	return list(fd, buf, n, false);
}

/* ---- a process's place ---- */

CALL2(getcwd, buf, size)
{
	struct fs *fs = current_process()->fs;
	char *path = kmalloc(PATH_MAX);
	long n;

	if (!path)
		return -ENOMEM;
	n = dentry_path(fs->cwd, fs->root, false, path, PATH_MAX) + 1;
	if (n > 0 && (uint64_t)n > size)
		n = -ERANGE;
	else if (n > 0 && copy_to_user(buf, path, n))
		n = -EFAULT;
	else if (n <= 0)
		n--;
	kfree(path);
	return n;
}

static long place_check(struct inode *i)
{
	return S_ISDIR(i->mode) ? inode_permission(i, MAY_EXEC) : -ENOTDIR;
}

static void place_set(struct dentry **place, struct dentry *d)
{
	dentry_get(d);
	dentry_put(*place);
	*place = d;
}

CALL1(chdir, path)
{
	struct dentry *d;
	long error = path_find(AT_FDCWD, path, WALK_FOLLOW, &d);

	if (error)
		return error;
	error = place_check(d->inode);
	if (!error)
		place_set(&current_process()->fs->cwd, d);
	dentry_put(d);
	return error;
}

CALL1(fchdir, fd)
{
	struct file *f = fd_file(fd);
	long error = f ? place_check(f->inode) : -EBADF;

	if (!error)
		place_set(&current_process()->fs->cwd, f->dentry);
	return error;
}

CALL1(chroot, path)
{
	struct dentry *d;
	long error = path_find(AT_FDCWD, path, WALK_FOLLOW, &d);

	if (error)
		return error;
	error = place_check(d->inode);
	if (!error && current_process()->euid)
		error = -EPERM;
	if (!error)
		place_set(&current_process()->fs->root, d);
	dentry_put(d);
	return error;
}

CALL1(umask, mask)
{
	struct fs *fs = current_process()->fs;
	uint32_t old = fs->umask;

	fs->umask = mask & 0777;
	return old;
}

struct fs *fs_new(void)
{
	struct fs *fs = kmalloc(sizeof *fs);

	if (!fs)
		return NULL;
	*fs = (struct fs){ 1, mounts->root, mounts->root, 022 };
	dentry_get(fs->root);
	dentry_get(fs->cwd);
	return fs;
}

struct fs *fs_copy(struct fs *f)
{
	struct fs *copy = kmalloc(sizeof *copy);

	if (!copy)
		return NULL;
	*copy = *f;
	copy->refs = 1;
	dentry_get(copy->root);
	dentry_get(copy->cwd);
	return copy;
}

void fs_put(struct fs *f)
{
	if (--f->refs)
		return;
	dentry_put(f->root);
	dentry_put(f->cwd);
	kfree(f);
}
