/* Walking paths: components, links, `..`, mount points, trailing slashes, permission on the way.
 *
 * Left to others: what is done with the object found (vfs_open.c, vfs_names.c, ...).
 */
#include "libos/posix/vfs.h"

/* ---- permission ---- */

long inode_permission_as(struct inode *i, unsigned may, uint32_t uid, uint32_t gid)
{
	uint32_t bits = i->mode;

	if ((may & MAY_WRITE) && (i->super->flags & MS_RDONLY) &&
	    (S_ISREG(i->mode) || S_ISDIR(i->mode) || S_ISLNK(i->mode)))
		return -EROFS;
	if (uid == 0)
		return (may & MAY_EXEC) && !S_ISDIR(i->mode) && !(i->mode & 0111) ? -EACCES : 0;
	if (uid == i->uid)
		bits >>= 6;
	else if (gid == i->gid)
		bits >>= 3;
	return (may & ~bits & 7) ? -EACCES : 0;
}

/* While the root is unpacked there is no process yet: that is root at `/`. */
long inode_permission(struct inode *i, unsigned may)
{
	struct process *me = current_process();

	return inode_permission_as(i, may, me ? me->euid : 0, me ? me->egid : 0);
}

bool inode_owned(struct inode *i)
{
	struct process *me = current_process();

	return !me || me->euid == 0 || me->euid == i->uid;
}

static struct dentry *root_now(void)
{
	struct process *me = current_process();

	return me && me->fs ? me->fs->root : mounts->root;
}

long may_create(struct dentry *dir)
{
	if (dentry_removed(dir))
		return -ENOENT;
	return inode_permission(dir->inode, MAY_WRITE | MAY_EXEC);
}

long may_delete(struct dentry *dir, struct dentry *victim, bool is_dir)
{
	long error = inode_permission(dir->inode, MAY_WRITE | MAY_EXEC);

	if (error)
		return error;
	if ((dir->inode->mode & S_ISVTX) && !inode_owned(dir->inode) && !inode_owned(victim->inode))
		return -EPERM;
	if (is_dir != S_ISDIR(victim->inode->mode))
		return is_dir ? -ENOTDIR : -EISDIR;
	return victim->mounted || victim->parent == victim ? -EBUSY : 0;
}

/* ---- the walk ---- */

static long walk_start(struct walk *w, int dirfd, const char *path)
{
	struct file *f;

	if (*path == '/') {
		w->dir = root_now();
	} else if (dirfd == AT_FDCWD) {
		w->dir = current_process()->fs->cwd;
	} else {
		f = fd_file(dirfd);
		if (!f)
			return -EBADF;
		w->dir = f->dentry;
	}
	dentry_get(w->dir);
	return 0;
}

static void walk_to(struct walk *w, struct dentry *d)
{
	dentry_put(w->dir);
	w->dir = d;
}

/* Replaces what is left to walk by a link's text and then the rest. */
static long link_expand(struct walk *w, struct inode *link, const char *rest, const char **path)
{
	size_t tail = strlen(rest);
	char *text = kmalloc(PATH_MAX + tail);
	long n;

	if (!text)
		return -ENOMEM;
	n = link->ops->readlink(link, text, PATH_MAX - 1);
	if (n <= 0) {
		kfree(text);
		return n ? n : -ENOENT;
	}
	memcpy(text + n, rest, tail + 1);
	kfree(w->expanded);
	w->expanded = text;
	*path = text;
	if (*text == '/') {
		struct dentry *root = root_now();

		dentry_get(root);
		walk_to(w, root);
	}
	return 0;
}

/* Goes on behind a link, w->found: *path is what to walk next from w->dir. */
static long link_follow(struct walk *w, const char *rest, const char **path)
{
	struct dentry *link = w->found, *target;
	long error;

	w->found = NULL;
	inode_accessed(link->inode);
	if (link->inode->ops->follow) {
		error = link->inode->ops->follow(link->inode, &target);
		if (!error)
			walk_to(w, target);
		*path = rest;
	} else {
		error = link_expand(w, link->inode, rest, path);
	}
	dentry_put(link);
	return error;
}

static enum last last_kind(const char *name, size_t n)
{
	if (name[0] != '.' || n > 2 || (n == 2 && name[1] != '.'))
		return LAST_NAME;
	return n == 1 ? LAST_DOT : LAST_DOTDOT;
}

/* Looks the current component up into w->found (counted). */
static long component_find(struct walk *w)
{
	struct dentry *d;
	long error;

	switch (w->last) {
	case LAST_NAME:
		error = dentry_lookup(w->dir, w->name, w->length, &d);
		if (error)
			return error;
		w->found = dentry_down(d);
		dentry_get(w->found);
		dentry_put(d);
		return 0;
	case LAST_DOTDOT:
		w->found = dentry_up(w->dir, root_now());
		break;
	default:
		w->found = w->dir;
	}
	dentry_get(w->found);
	return 0;
}

/* Takes the next component off *path; false at the end of the path. */
static bool component_next(struct walk *w, const char **path, bool *more)
{
	const char *p = *path;

	while (*p == '/')
		p++;
	w->name = p;
	while (*p && *p != '/')
		p++;
	w->length = p - w->name;
	w->slash = w->length ? *p == '/' : p != *path;
	*path = p;
	while (*p == '/')
		p++;
	*more = *p;
	w->last = w->length ? last_kind(w->name, w->length) : LAST_ROOT;
	return w->length;
}

static long component_enter(struct walk *w)
{
	if (!S_ISDIR(w->dir->inode->mode))
		return -ENOTDIR;
	return inode_permission(w->dir->inode, MAY_EXEC);
}

static long walk_on(struct walk *w, const char *path, unsigned flags)
{
	unsigned links = 0;
	bool more;
	long error;

	while (component_next(w, &path, &more)) {
		error = component_enter(w);
		if (error || (!more && (flags & WALK_PARENT)))
			return error;
		if (!more && w->slash && w->last == LAST_NAME && (flags & WALK_CREATE))
			return -EISDIR;		/* open(2) makes no folders */
		error = component_find(w);
		if (error)
			return error == -ENOENT && !more && (flags & WALK_CREATE) ? 0 : error;
		if (S_ISLNK(w->found->inode->mode) && (more || w->slash || (flags & WALK_FOLLOW))) {
			error = links++ < LINKS_MAX ? link_follow(w, path, &path) : -ELOOP;
			if (error)
				return error;
		} else if (more) {
			walk_to(w, w->found);
			w->found = NULL;
		} else {
			return w->slash && !S_ISDIR(w->found->inode->mode) ? -ENOTDIR : 0;
		}
	}
	if (w->slash && !S_ISDIR(w->dir->inode->mode))
		return -ENOTDIR;
	w->found = flags & WALK_PARENT ? NULL : w->dir;
	if (w->found)
		dentry_get(w->found);
	return 0;
}

long walk_path(struct walk *w, int dirfd, const char *path, unsigned flags)
{
	long error;

	w->dir = w->found = NULL;
	w->expanded = NULL;
	w->slash = false;
	if (!*path && !(flags & WALK_EMPTY))
		return -ENOENT;
	error = walk_start(w, dirfd, path);
	return error ? error : walk_on(w, path, flags);
}

long walk_user(struct walk *w, int dirfd, uint64_t path, unsigned flags)
{
	long n = string_from_user(w->text, path, sizeof w->text);

	if (n < 0) {
		w->dir = w->found = NULL;
		w->expanded = NULL;
		return n;
	}
	return walk_path(w, dirfd, w->text, flags);
}

void walk_end(struct walk *w)
{
	if (w->found)
		dentry_put(w->found);
	if (w->dir)
		dentry_put(w->dir);
	kfree(w->expanded);
}

long path_find(int dirfd, uint64_t path, unsigned flags, struct dentry **out)
{
	struct walk w;
	long error = walk_user(&w, dirfd, path, flags);

	if (!error) {
		*out = w.found;
		dentry_get(*out);
	}
	walk_end(&w);
	return error;
}
