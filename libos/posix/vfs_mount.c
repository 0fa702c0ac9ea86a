/* Mounts: instances of file systems on folders, mount(2), umount2(2), statfs, chroot.
 *
 * A file system is mounted in one place; bind mounts and propagation are left out (EINVAL).
 */
#include "libos/posix/syscall.h"
#include "libos/posix/tty.h"

struct super *mounts;
struct super *anonymous;

struct super *super_new(const char *type, uint32_t magic, const struct super_ops *ops)
{
	static uint32_t last_minor;
	struct super *s = kmalloc(sizeof *s);

	if (!s)
		return NULL;
	s->type = type;
	s->magic = magic;
	s->ops = ops;
	s->flags = MS_RELATIME;
	last_minor++;
	s->dev = MAKEDEV(0, last_minor);
	return s;
}

struct dentry *dentry_down(struct dentry *d)
{
	while (d->mounted)
		d = d->mounted->root;
	return d;
}

struct dentry *dentry_up(struct dentry *d, struct dentry *root)
{
	while (d != root && d->parent == d && d->inode->super->covered)
		d = d->inode->super->covered;
	return d == root ? d : dentry_down(d->parent);
}

long super_mount(struct super *s, const char *source, struct dentry *on)
{
	struct super **end = &mounts;
	char *copy = kmalloc(strlen(source) + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, source, strlen(source));
	s->source = copy;
	if (on) {
		dentry_get(on);
		on->mounted = s;
		s->covered = on;
	}
	while (*end)
		end = &(*end)->next;
	*end = s;
	return 0;
}

static void super_detach(struct super *s)
{
	struct super **at = &mounts;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	s->covered->mounted = NULL;
	dentry_put(s->covered);
	s->covered = NULL;
}

static void super_free(struct super *s)
{
	struct dentry *d = s->root;

	while (d != s->root || d->children) {
		struct dentry *parent = d->parent;

		if (d->children) {
			d = d->children;
		} else {
			dentry_remove(d);
			d = parent;
		}
	}
	dentry_put(s->root);
	kfree(s->source);
	kfree(s);
}

/* ---- calls ---- */

static struct super *super_by_type(const char *type)
{
	if (!strcmp(type, "tmpfs") || !strcmp(type, "ramfs"))
		return tmpfs_new();
	if (!strcmp(type, "proc"))
		return proc_new();
	if (!strcmp(type, "devpts"))
		return pts_new();
	if (!strcmp(type, "devtmpfs"))
		return dev_new();
	return NULL;
}

/* The options size=N[kmg] and mode=OCTAL of tmpfs; others are ignored. */
static void options_apply(struct super *s, const char *o)
{
	while (o && *o) {
		uint64_t n = 0;

		if (!strncmp(o, "size=", 5)) {
			for (o += 5; *o >= '0' && *o <= '9'; o++)
				n = n * 10 + (*o - '0');
			n <<= *o == 'k' ? 10 : *o == 'm' ? 20 : *o == 'g' ? 30 : 0;
			s->pages_max = (n + PAGE - 1) / PAGE;
		} else if (!strncmp(o, "mode=", 5)) {
			for (o += 5; *o >= '0' && *o <= '7'; o++)
				n = n * 8 + (*o - '0');
			s->root->inode->mode = S_IFDIR | (n & 07777);
		}
		o = strchr(o, ',');
		o += !!o;
	}
}

#define MS_STORED (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)

static long mount_new(struct dentry *on, const char *source, const char *type, uint64_t flags,
	const char *options)
{
	struct super *s;

	if (!S_ISDIR(on->inode->mode))
		return -ENOTDIR;
	s = super_by_type(type);
	if (!s)
		return -ENODEV;
	s->flags |= flags & MS_STORED;
	options_apply(s, options);
	return super_mount(s, source, on);
}

static long remount(struct dentry *d, uint64_t flags, const char *options)
{
	struct super *s = d->inode->super;

	if (s->root != d)
		return -EINVAL;
	s->flags = (s->flags & ~MS_STORED) | (flags & MS_STORED);
	options_apply(s, options);
	return 0;
}

CALL5(mount, source, target, type, flags, data)
{
	char from[128] = "none", kind[32] = "", options[256] = "";
	struct dentry *on;
	long error;

	if (current_process()->euid)
		return -EPERM;
	if ((source && (error = string_from_user(from, source, sizeof from)) < 0) ||
	    (type && (error = string_from_user(kind, type, sizeof kind)) < 0) ||
	    (data && (error = string_from_user(options, data, sizeof options)) < 0))
		return error == -ENAMETOOLONG ? -EINVAL : error;
	error = path_find(AT_FDCWD, target, WALK_FOLLOW, &on);
	if (error)
		return error;
	if (flags & MS_REMOUNT)
		error = remount(on, flags, options);
	else if (flags & (MS_BIND | MS_MOVE))
		error = -EINVAL;
	else if (!(flags & (MS_PRIVATE | MS_SLAVE | MS_SHARED)))
		error = mount_new(on, from, kind, flags, options);
	dentry_put(on);
	return error;
}

/* Has a name below d more users than the tree itself?  (Only computed names go unlisted.) */
static bool tree_used(struct dentry *d)
{
	uint32_t own = 1;

	for (struct dentry *c = d->children; c; c = c->next) {
		if (c->mounted || !d->inode->ops || d->inode->ops->lookup || tree_used(c))
			return true;
		own++;
	}
	return d->refs > own;
}

CALL2(umount2, target, flags)
{
	struct super *s;
	struct dentry *d;
	bool used;
	long error;

	if (current_process()->euid)
		return -EPERM;
	if (flags & ~(uint64_t)(MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW | 4))
		return -EINVAL;
	error = path_find(AT_FDCWD, target, flags & UMOUNT_NOFOLLOW ? 0 : WALK_FOLLOW, &d);
	if (error)
		return error;
	s = d->inode->super;
	dentry_put(d);
	if (s->root != d || !s->covered)
		return -EINVAL;
	used = tree_used(s->root);
	if (used && !(flags & MNT_DETACH))
		return -EBUSY;
	super_detach(s);
	if (!used)
		super_free(s);
	return 0;
}

static void statfs_fill(struct super *s, struct linux_statfs *st)
{
	memset(st, 0, sizeof *st);
	st->type = s->magic;
	st->bsize = st->frsize = PAGE;
	st->namelen = NAME_MAX;
	st->fsid[0] = s->dev;
	st->flags = ST_VALID | (s->flags & (MS_STORED)) | (s->flags & MS_RELATIME ? 4096 : 0);
	if (s->ops && s->ops->statfs)
		s->ops->statfs(s, st);
}

CALL2(statfs, path, buf)
{
	struct linux_statfs st;
	struct dentry *d;
	long error = path_find(AT_FDCWD, path, WALK_FOLLOW, &d);

	if (error)
		return error;
	statfs_fill(d->inode->super, &st);
	dentry_put(d);
	return copy_to_user(buf, &st, sizeof st);
}

CALL2(fstatfs, fd, buf)
{
	struct linux_statfs st;
	struct file *f = fd_file(fd);

	if (!f)
		return -EBADF;
	statfs_fill(f->inode->super, &st);
	if (f->inode->super == anonymous && S_ISFIFO(f->inode->mode))
		st.type = PIPEFS_MAGIC;
	return copy_to_user(buf, &st, sizeof st);
}

CALL0(sync)
{
	return 0;
}

CALL1(syncfs, fd)
{
	return fd_file(fd) ? 0 : -EBADF;
}
