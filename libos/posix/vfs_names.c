/* Names: mkdir, mknod, link, symlink, unlink, rmdir, rename.
 *
 * Each call walks to the folder, checks in Linux's order, and only then changes anything.
 */
#include "libos/posix/syscall.h"
#include "libos/posix/tmpfs.h"

/* ---- making ---- */

/* What is walked to is to be made: it must not exist. */
static long walk_new(struct walk *w, long error, bool folder)
{
	struct dentry *d;

	if (error)
		return error;
	if (w->last != LAST_NAME)
		return -EEXIST;
	error = dentry_lookup(w->dir, w->name, w->length, &d);
	if (!error) {
		dentry_put(d);
		return -EEXIST;
	}
	if (error != -ENOENT)
		return error;
	return w->slash && !folder ? -ENOENT : 0;
}

/* The last check and the deed. */
static long name_new(struct walk *w, uint32_t mode, uint64_t rdev, struct dentry **out)
{
	struct inode *dir = w->dir->inode, *i;
	long error = may_create(w->dir);

	if (!error && !dir->super->ops->make)
		error = -EPERM;
	if (!error)
		error = dir->super->ops->make(dir->super, mode, rdev, &i);
	if (error)
		return error;
	if (dir->mode & S_ISGID) {
		i->gid = dir->gid;
		i->mode |= S_ISDIR(mode) ? S_ISGID : 0;
	}
	return dentry_add(w->dir, w->name, w->length, i, out);
}

static long make_at(int dirfd, uint64_t path, uint32_t mode, uint64_t rdev)
{
	struct dentry *d;
	struct walk w;
	long error = walk_new(&w, walk_user(&w, dirfd, path, WALK_PARENT), S_ISDIR(mode));

	if (!error)
		error = name_new(&w, mode & ~current_process()->fs->umask, rdev, &d);
	if (!error)
		dentry_put(d);
	walk_end(&w);
	return error;
}

long name_make(const char *path, uint32_t mode, struct dentry **out)
{
	struct walk w;
	long error = walk_new(&w, walk_path(&w, AT_FDCWD, path, WALK_PARENT), false);

	if (!error)
		error = name_new(&w, mode & ~current_process()->fs->umask, 0, out);
	walk_end(&w);
	return error;
}

CALL2(mkdir, path, mode)
{
	return make_at(AT_FDCWD, path, S_IFDIR | (mode & (S_ISVTX | 0777)), 0);
}

CALL3(mkdirat, dirfd, path, mode)
{
	return make_at(dirfd, path, S_IFDIR | (mode & (S_ISVTX | 0777)), 0);
}

static long node_make(int dirfd, uint64_t path, uint32_t mode, uint32_t dev)
{
	mode &= S_IFMT | 07777;
	switch (mode & S_IFMT) {
	case 0:
		mode |= S_IFREG;
		break;
	case S_IFCHR:
	case S_IFBLK:
		if (current_process()->euid)
			return -EPERM;
		break;
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	return make_at(dirfd, path, mode, S_ISFIFO(mode) || S_ISREG(mode) ? 0 : dev);
}

CALL3(mknod, path, mode, dev)
{
	return node_make(AT_FDCWD, path, mode, dev);
}

CALL4(mknodat, dirfd, path, mode, dev)
{
	return node_make(dirfd, path, mode, dev);
}

static long symlink_at(uint64_t target, int dirfd, uint64_t path)
{
	char *text = kmalloc(PATH_MAX);
	struct dentry *d;
	struct walk w;
	long error;

	if (!text)
		return -ENOMEM;
	error = string_from_user(text, target, PATH_MAX);
	if (error <= 0) {
		kfree(text);
		return error ? error : -ENOENT;
	}
	error = walk_new(&w, walk_user(&w, dirfd, path, WALK_PARENT), false);
	if (!error)
		error = name_new(&w, S_IFLNK | 0777, 0, &d);
	if (!error) {
		error = tmpfs_link_set(d->inode, text);
		if (error)
			dentry_remove(d);
		dentry_put(d);
	}
	walk_end(&w);
	kfree(text);
	return error;
}

CALL2(symlink, target, path)
{
	return symlink_at(target, AT_FDCWD, path);
}

CALL3(symlinkat, target, dirfd, path)
{
	return symlink_at(target, dirfd, path);
}

static long link_check(struct inode *i, struct dentry *dir, bool nameless)
{
	long error;

	if (i->super != dir->inode->super)
		return -EXDEV;
	error = may_create(dir);
	if (error)
		return error;
	if (S_ISDIR(i->mode))
		return -EPERM;
	return i->nlink || nameless ? 0 : -ENOENT;
}

static long link_at(int old_fd, uint64_t old, int new_fd, uint64_t new, uint32_t flags)
{
	unsigned walk = (flags & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0) |
		(flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
	struct dentry *from, *d;
	struct walk w;
	long error;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	error = path_find(old_fd, old, walk, &from);
	if (error)
		return error;
	error = walk_new(&w, walk_user(&w, new_fd, new, WALK_PARENT), false);
	if (!error)
		error = link_check(from->inode, w.dir, from->parent == from);
	if (!error) {
		inode_get(from->inode);
		error = dentry_add(w.dir, w.name, w.length, from->inode, &d);
	}
	if (!error) {
		from->inode->nlink++;
		inode_changed(from->inode);
		dentry_put(d);
	}
	walk_end(&w);
	dentry_put(from);
	return error;
}

CALL2(link, old, new)
{
	return link_at(AT_FDCWD, old, AT_FDCWD, new, 0);
}

CALL5(linkat, old_fd, old, new_fd, new, flags)
{
	return link_at(old_fd, old, new_fd, new, flags);
}

/* ---- removing ---- */

static long unlink_check(struct walk *w, struct dentry *d)
{
	bool folder = S_ISDIR(d->inode->mode);

	if (w->slash)
		return folder ? -EISDIR : -ENOTDIR;
	return may_delete(w->dir, d, false);
}

static long unlink_at(int dirfd, uint64_t path)
{
	struct dentry *d;
	struct walk w;
	long error = walk_user(&w, dirfd, path, WALK_PARENT);

	if (!error && w.last != LAST_NAME)
		error = -EISDIR;
	if (!error)
		error = dentry_lookup(w.dir, w.name, w.length, &d);
	if (!error) {
		error = unlink_check(&w, d);
		if (!error && w.dir->inode->ops->lookup)
			error = -EPERM;
		if (!error)
			dentry_remove(d);
		dentry_put(d);
	}
	walk_end(&w);
	return error;
}

static long rmdir_check(struct walk *w, struct dentry *d)
{
	long error = may_delete(w->dir, d, true);

	if (!error && w->dir->inode->ops->lookup)
		error = -EPERM;
	return !error && !dentry_empty(d) ? -ENOTEMPTY : error;
}

static long rmdir_at(int dirfd, uint64_t path)
{
	static const int by_last[] = { [LAST_NAME] = 0, [LAST_DOT] = -EINVAL,
		[LAST_DOTDOT] = -ENOTEMPTY, [LAST_ROOT] = -EBUSY };
	struct dentry *d;
	struct walk w;
	long error = walk_user(&w, dirfd, path, WALK_PARENT);

	if (!error)
		error = by_last[w.last];
	if (!error)
		error = dentry_lookup(w.dir, w.name, w.length, &d);
	if (!error) {
		error = rmdir_check(&w, d);
		if (!error)
			dentry_remove(d);
		dentry_put(d);
	}
	walk_end(&w);
	return error;
}

CALL1(unlink, path)
{
	return unlink_at(AT_FDCWD, path);
}

CALL1(rmdir, path)
{
	return rmdir_at(AT_FDCWD, path);
}

CALL3(unlinkat, dirfd, path, flags)
{
	if (flags & ~(uint64_t)AT_REMOVEDIR)
		return -EINVAL;
	return flags & AT_REMOVEDIR ? rmdir_at(dirfd, path) : unlink_at(dirfd, path);
}

/* ---- rename ---- */

struct rename {
	struct walk from, to;
	struct dentry *old, *new;	/* new: NULL if there is none */
	uint32_t flags;
};

static long rename_walk(struct rename *r, int from_fd, uint64_t from, int to_fd, uint64_t to)
{
	long error = walk_user(&r->from, from_fd, from, WALK_PARENT);
	long second = error;

	if (error) {
		r->to.dir = r->to.found = NULL;
		r->to.expanded = NULL;
	} else {
		second = walk_user(&r->to, to_fd, to, WALK_PARENT);
	}
	if (second)
		return second;
	if (r->from.dir->inode->super != r->to.dir->inode->super)
		return -EXDEV;
	if (r->from.last != LAST_NAME)
		return -EBUSY;
	if (r->to.last != LAST_NAME)
		return r->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	return 0;
}

static long rename_lookup(struct rename *r)
{
	long error = dentry_lookup(r->from.dir, r->from.name, r->from.length, &r->old);

	if (error)
		return error;
	if (dentry_removed(r->to.dir))
		return -ENOENT;
	error = dentry_lookup(r->to.dir, r->to.name, r->to.length, &r->new);
	if (error && error != -ENOENT)
		return error;
	if (r->new && (r->flags & RENAME_NOREPLACE))
		return -EEXIST;
	return !r->new && (r->flags & RENAME_EXCHANGE) ? -ENOENT : 0;
}

/* Trailing slashes and folders that hold each other. */
static long rename_shape(struct rename *r)
{
	bool exchange = r->flags & RENAME_EXCHANGE;

	if (exchange && !S_ISDIR(r->new->inode->mode) && r->to.slash)
		return -ENOTDIR;
	if (!S_ISDIR(r->old->inode->mode) && (r->from.slash || (!exchange && r->to.slash)))
		return -ENOTDIR;
	if (dentry_within(r->to.dir, r->old))
		return -EINVAL;
	if (r->new && dentry_within(r->from.dir, r->new))
		return exchange ? -EINVAL : -ENOTEMPTY;
	return 0;
}

static long rename_permission(struct rename *r)
{
	bool folder = S_ISDIR(r->old->inode->mode), exchange = r->flags & RENAME_EXCHANGE;
	long error = may_delete(r->from.dir, r->old, folder);

	if (!error && !r->new)
		error = may_create(r->to.dir);
	else if (!error)
		error = may_delete(r->to.dir, r->new,
			exchange ? S_ISDIR(r->new->inode->mode) : folder);
	if (error || r->from.dir == r->to.dir)
		return error;
	if (folder)
		error = inode_permission(r->old->inode, MAY_WRITE);
	if (!error && exchange && S_ISDIR(r->new->inode->mode))
		error = inode_permission(r->new->inode, MAY_WRITE);
	return error;
}

static long rename_do(struct rename *r)
{
	if (r->flags & RENAME_EXCHANGE) {
		dentry_exchange(r->old, r->new);
		return 0;
	}
	if (r->new) {
		if (S_ISDIR(r->new->inode->mode) && !dentry_empty(r->new))
			return -ENOTEMPTY;
		dentry_remove(r->new);
	}
	return dentry_move(r->old, r->to.dir, r->to.name, r->to.length);
}

static long rename_found(struct rename *r)
{
	long error = rename_shape(r);

	if (error)
		return error;
	if (r->new && r->old->inode == r->new->inode)
		return 0;
	error = rename_permission(r);
	if (!error && r->from.dir->inode->ops->lookup)
		error = -EPERM;
	return error ? error : rename_do(r);
}

static long rename_at(int from_fd, uint64_t from, int to_fd, uint64_t to, uint32_t flags)
{
	struct rename r;
	long error;

	if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) ||
	    flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	r.old = r.new = NULL;
	r.flags = flags;
	error = rename_walk(&r, from_fd, from, to_fd, to);
	if (!error)
		error = rename_lookup(&r);
	if (!error)
		error = rename_found(&r);
	if (r.old)
		dentry_put(r.old);
	if (r.new)
		dentry_put(r.new);
	walk_end(&r.from);
	walk_end(&r.to);
	return error;
}

CALL2(rename, from, to)
{
	return rename_at(AT_FDCWD, from, AT_FDCWD, to, 0);
}

CALL4(renameat, from_fd, from, to_fd, to)
{
	return rename_at(from_fd, from, to_fd, to, 0);
}

CALL5(renameat2, from_fd, from, to_fd, to, flags)
{
	return rename_at(from_fd, from, to_fd, to, flags);
}
