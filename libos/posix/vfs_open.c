/* Open file descriptions: making, closing, and open(2) with its rules.
 *
 * Left to others: descriptors (fd.c), reading and writing (vfs_io.c).
 */
#include "libos/posix/syscall.h"
#include "libos/posix/poll.h"
#include "libos/posix/vfs.h"

/* ---- the life of a file ---- */

static const struct file_ops path_ops;		/* O_PATH: nothing can be done with it */

static bool counts_as_writer(struct file *f)
{
	return S_ISREG(f->inode->mode) && file_writable(f);
}

/* Takes over the reference to d, even on failure. */
static long file_new(const struct file_ops *ops, struct dentry *d, uint32_t flags,
	struct file **out)
{
	struct file *f = kmalloc(sizeof *f);
	long error = 0;

	if (!f) {
		dentry_put(d);
		return -ENFILE;
	}
	f->ops = ops;
	f->dentry = d;
	f->inode = d->inode;
	f->refs = 1;
	f->flags = flags;
	if (ops->open)
		error = ops->open(f);
	if (error) {
		dentry_put(d);
		kfree(f);
		return error;
	}
	f->flags &= ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
	if (counts_as_writer(f))
		f->inode->writers++;
	*out = f;
	return 0;
}

long file_open(struct dentry *d, uint32_t flags, struct file **out)
{
	const struct file_ops *ops = flags & O_PATH ? &path_ops : d->inode->fops;

	if (!ops)
		return -ENXIO;
	if (!(flags & O_PATH))
		flags |= O_LARGEFILE;
	dentry_get(d);
	return file_new(ops, d, flags, out);
}

static struct super *anonymous_super(void)
{
	if (!anonymous)
		anonymous = super_new("anon", ANON_MAGIC, NULL);
	return anonymous;
}

const struct inode_ops anonymous_inode_ops;

long file_anonymous(const struct file_ops *ops, uint32_t mode, const char *name, uint32_t flags,
	void *data, struct file **out)
{
	struct super *s = anonymous_super();
	struct inode *i = s ? inode_new(s, mode) : NULL;
	struct dentry *d;
	char text[64];
	long error;

	if (!i)
		return -ENFILE;
	i->ops = &anonymous_inode_ops;
	i->fops = ops;
	snprintf(text, sizeof text, name, (unsigned long)i->ino);
	d = dentry_root(i, text);
	if (!d)
		return -ENFILE;
	error = file_new(ops, d, flags, out);
	if (!error)
		(*out)->data = data;
	return error;
}

void file_get(struct file *f)
{
	f->refs++;
}

void file_put(struct file *f)
{
	if (--f->refs)
		return;
	if (f->watches)
		epoll_forget(f);
	pollers_end(f);
	if (f->inode->locks)
		locks_release(f->inode, f);
	if (counts_as_writer(f))
		f->inode->writers--;
	if (f->program)
		f->inode->executed--;
	if (f->ops->release)
		f->ops->release(f);
	dentry_put(f->dentry);
	kfree(f);
}

/* ---- open ---- */

static unsigned wanted(uint32_t flags)
{
	static const unsigned by_mode[] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE,
		MAY_READ | MAY_WRITE };

	return by_mode[flags & O_ACCMODE] | (flags & O_TRUNC ? MAY_WRITE : 0);
}

static long open_check(struct inode *i, uint32_t flags)
{
	unsigned may = wanted(flags);
	long error;

	if ((flags & O_DIRECTORY) && !S_ISDIR(i->mode))
		return -ENOTDIR;
	if (flags & O_PATH)
		return 0;
	if (S_ISLNK(i->mode))
		return -ELOOP;
	if (S_ISDIR(i->mode) && (may & MAY_WRITE))
		return -EISDIR;
	error = inode_permission(i, may);
	if (error)
		return error;
	if ((flags & O_NOATIME) && !inode_owned(i))
		return -EPERM;
	if ((flags & O_DIRECT) && i->super->magic == TMPFS_MAGIC && S_ISREG(i->mode))
		return -EINVAL;
	return S_ISREG(i->mode) && (may & MAY_WRITE) && i->executed ? -ETXTBSY : 0;
}

static long open_found(struct walk *w, uint32_t flags, struct file **out)
{
	struct inode *i = w->found->inode;
	long error;

	if (flags & O_CREAT) {
		if (flags & O_EXCL)
			return -EEXIST;
		if (S_ISDIR(i->mode))
			return -EISDIR;
	}
	error = open_check(i, flags);
	if (!error)
		error = file_open(w->found, flags, out);
	if (!error && (flags & O_TRUNC) && S_ISREG(i->mode) && i->ops->truncate)
		error = i->ops->truncate(i, 0);
	return error;
}

/* A new file's group is that of a folder with the S_ISGID bit. */
static long open_new(struct walk *w, uint32_t flags, uint32_t mode, struct file **out)
{
	struct super *s = w->dir->inode->super;
	struct inode *i;
	long error = may_create(w->dir);

	if (!error && !s->ops->make)
		error = -EACCES;
	if (error)
		return error;
	mode = (mode & 07777 & ~current_process()->fs->umask) | S_IFREG;
	error = s->ops->make(s, mode, 0, &i);
	if (error)
		return error;
	if (w->dir->inode->mode & S_ISGID)
		i->gid = w->dir->inode->gid;
	error = dentry_add(w->dir, w->name, w->length, i, &w->found);
	return error ? error : file_open(w->found, flags, out);
}

/* O_TMPFILE: a file without a name in the file system of the folder found. */
static long open_nameless(struct walk *w, uint32_t flags, uint32_t mode, struct file **out)
{
	struct super *s = w->found->inode->super;
	struct inode *i;
	struct dentry *d;
	char name[40];
	long error;

	if (!S_ISDIR(w->found->inode->mode))
		return -ENOTDIR;
	error = inode_permission(w->found->inode, MAY_WRITE | MAY_EXEC);
	if (!error && !s->ops->make)
		error = -EOPNOTSUPP;
	if (!error)
		error = s->ops->make(s, (mode & 07777 & ~current_process()->fs->umask) | S_IFREG, 0,
			&i);
	if (error)
		return error;
	i->nlink = 0;
	snprintf(name, sizeof name, "/#%lu (deleted)", (unsigned long)i->ino);
	d = dentry_root(i, name);
	return d ? file_new(i->fops, d, (flags & ~(uint32_t)O_TMPFILE) | O_LARGEFILE,
		out) : -ENOMEM;
}

static long open_walked(struct walk *w, uint32_t flags, uint32_t mode, struct file **out)
{
	if (flags & O_TMPFILE & ~O_DIRECTORY)
		return open_nameless(w, flags, mode, out);
	return w->found ? open_found(w, flags, out) : open_new(w, flags, mode, out);
}

static unsigned walk_flags(uint32_t flags)
{
	unsigned walk = flags & O_CREAT ? WALK_CREATE : 0;

	if (!(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL))
		walk |= WALK_FOLLOW;
	return walk;
}

/* The flags that are looked at, or -EINVAL. */
static long open_flags(uint32_t flags)
{
	if (flags & O_PATH)
		return flags & (O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC);
	if (flags & O_TMPFILE & ~O_DIRECTORY) {
		if (!(flags & O_DIRECTORY) || (flags & O_CREAT) || !(flags & O_ACCMODE))
			return -EINVAL;
	} else if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY)) {
		return -EINVAL;
	}
	return flags;
}

long file_open_path(int dirfd, const char *path, uint32_t flags, uint32_t mode, struct file **out)
{
	struct walk w;
	long error = walk_path(&w, dirfd, path, walk_flags(flags));

	if (!error)
		error = open_walked(&w, flags, mode, out);
	walk_end(&w);
	return error;
}

static long open_at(int dirfd, uint64_t path, uint32_t asked, uint32_t mode)
{
	long flags = open_flags(asked), error;
	struct walk w;
	struct file *f;

	if (flags < 0)
		return flags;
	error = walk_user(&w, dirfd, path, walk_flags(flags));
	if (!error)
		error = open_walked(&w, flags, mode, &f);
	walk_end(&w);
	return error ? error : fd_install(f, asked & O_CLOEXEC);
}

CALL3(open, path, flags, mode)
{
	return open_at(AT_FDCWD, path, flags, mode);
}

CALL4(openat, dirfd, path, flags, mode)
{
	return open_at(dirfd, path, flags, mode);
}

CALL2(creat, path, mode)
{
	return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

CALL2(memfd_create, name, flags)
{
	char text[NAME_MAX + 1] = "/memfd:";
	long n = string_from_user(text + 7, name, 250), error;
	struct dentry *d;
	struct inode *i;
	struct file *f;

	if (flags & ~(uint64_t)(MFD_CLOEXEC | MFD_ALLOW_SEALING))
		return -EINVAL;
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	error = mounts->ops->make(mounts, S_IFREG | 0777, 0, &i);
	if (error)
		return error;
	i->nlink = 0;
	snprintf(text + 7 + n, sizeof text - 7 - n, "%s", n < 239 ? " (deleted)" : "");
	d = dentry_root(i, text);
	error = d ? file_new(i->fops, d, O_RDWR | O_LARGEFILE, &f) : -ENOMEM;
	return error ? error : fd_install(f, flags & MFD_CLOEXEC);
}

long file_open_exec(const char *path, struct file **out)
{
	struct walk w;
	long error = walk_path(&w, AT_FDCWD, path, WALK_FOLLOW);

	if (!error && !S_ISREG(w.found->inode->mode))
		error = -EACCES;
	if (!error && (w.found->inode->super->flags & MS_NOEXEC))
		error = -EACCES;
	if (!error)
		error = inode_permission(w.found->inode, MAY_EXEC);
	if (!error && w.found->inode->writers)
		error = -ETXTBSY;
	if (!error)
		error = file_open(w.found, O_RDONLY, out);
	if (!error) {
		(*out)->program = true;
		(*out)->inode->executed++;
	}
	walk_end(&w);
	return error;
}

long path_is_no_link(int dirfd, uint64_t path)
{
	struct dentry *d;
	long error = path_find(dirfd, path, WALK_EMPTY, &d);

	if (error)
		return error;
	error = S_ISLNK(d->inode->mode) ? -ELOOP : 0;
	dentry_put(d);
	return error;
}

uint64_t file_size(struct file *f)
{
	return f->inode->size;
}

struct inode *file_inode(struct file *f)
{
	return f->inode;
}

long file_page(struct file *f, uint64_t index, bool shared_write)
{
	return f->ops->page ? f->ops->page(f, index, shared_write) : -ENODEV;
}

long file_path(struct file *f, char *buf, size_t n)
{
	return dentry_path(f->dentry, current_process()->fs->root, true, buf, n);
}
