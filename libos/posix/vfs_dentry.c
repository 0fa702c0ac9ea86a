/* Inodes and dentries: lifetime, times, the directory tree and its hash table.
 *
 * Left to others: walking paths (vfs_path.c), permission (vfs_path.c), contents (tmpfs.c, proc.c).
 */
#include "libos/posix/vfs.h"

#define TABLE_SIZE 4096

static struct dentry *table[TABLE_SIZE];

/* ---- inodes ---- */

struct timespec64 time_stamp(void)
{
	uint64_t now = time_wall();

	return (struct timespec64){ now / 1000000000, now % 1000000000 };
}

struct inode *inode_new(struct super *s, uint32_t mode)
{
	static uint64_t last_ino;
	struct inode *i = kmalloc(sizeof *i);
	struct process *me = current_process();

	if (!i)
		return NULL;
	i->super = s;
	i->ino = ++last_ino;
	i->refs = 1;
	i->nlink = 1;
	i->mode = mode;
	i->uid = me ? me->euid : 0;
	i->gid = me ? me->egid : 0;
	i->atime = i->mtime = i->ctime = i->btime = time_stamp();
	s->inodes++;
	return i;
}

void inode_get(struct inode *i)
{
	i->refs++;
}

void inode_put(struct inode *i)
{
	if (--i->refs)
		return;
	i->super->inodes--;
	if (i->ops && i->ops->release)
		i->ops->release(i);
	kfree(i);
}

void inode_changed(struct inode *i)
{
	i->ctime = time_stamp();
}

void inode_modified(struct inode *i)
{
	i->mtime = i->ctime = time_stamp();
}

static bool time_after(struct timespec64 a, struct timespec64 b)
{
	return a.sec != b.sec ? a.sec > b.sec : a.nsec > b.nsec;
}

void inode_accessed(struct inode *i)
{
	struct timespec64 now = time_stamp();

	if (i->super->flags & MS_RDONLY)
		return;
	if (!time_after(i->atime, i->mtime) || !time_after(i->atime, i->ctime) ||
	    now.sec - i->atime.sec >= 24 * 3600)
		i->atime = now;
}

/* ---- the table ---- */

static uint32_t name_hash(const struct dentry *dir, const char *name, size_t n)
{
	uint64_t h = (uintptr_t)dir >> 4;

	for (size_t k = 0; k < n; k++)
		h = (h ^ (uint8_t)name[k]) * 0x100000001b3;
	return h ^ h >> 32;
}

static struct dentry *table_find(struct dentry *dir, const char *name, size_t n)
{
	uint32_t hash = name_hash(dir, name, n);
	struct dentry *d = table[hash % TABLE_SIZE];

	while (d && !(d->hash == hash && d->parent == dir && d->length == n &&
		      !memcmp(d->name, name, n)))
		d = d->hash_next;
	return d;
}

static void table_remove(struct dentry *d)
{
	struct dentry **at = &table[d->hash % TABLE_SIZE];

	while (*at != d)
		at = &(*at)->hash_next;
	*at = d->hash_next;
}

/* Puts d, named and with its parent set, among its siblings and into the table. */
static void tree_link(struct dentry *d)
{
	struct dentry *dir = d->parent;

	d->order = ++dir->orders;
	d->next = dir->children;
	d->link = &dir->children;
	if (d->next)
		d->next->link = &d->next;
	dir->children = d;
	d->hash = name_hash(dir, d->name, d->length);
	d->hash_next = table[d->hash % TABLE_SIZE];
	table[d->hash % TABLE_SIZE] = d;
	d->linked = true;
}

static void tree_unlink(struct dentry *d)
{
	table_remove(d);
	*d->link = d->next;
	if (d->next)
		d->next->link = d->link;
	d->linked = false;
}

/* ---- dentries ---- */

/* Its name is the tree's contents (tmpfs), rather than made by lookup. */
static bool stored(const struct dentry *dir)
{
	return !dir->inode->ops->lookup;
}

static char *name_copy(const char *name, size_t n)
{
	char *copy = kmalloc(n + 1);

	if (copy)
		memcpy(copy, name, n);
	return copy;
}

/* Takes over the reference to i, even on failure. */
static struct dentry *dentry_new(struct inode *i, const char *name, size_t n)
{
	struct dentry *d = kmalloc(sizeof *d);
	char *copy = name_copy(name, n);

	if (!d || !copy) {
		kfree(d);
		kfree(copy);
		inode_put(i);
		return NULL;
	}
	d->parent = d;
	d->inode = i;
	d->refs = 1;
	d->name = copy;
	d->length = n;
	return d;
}

struct dentry *dentry_root(struct inode *i, const char *name)
{
	return dentry_new(i, name, strlen(name));
}

void dentry_get(struct dentry *d)
{
	d->refs++;
}

void dentry_put(struct dentry *d)
{
	while (d && !--d->refs) {
		struct dentry *parent = d->parent == d ? NULL : d->parent;

		if (d->linked)
			tree_unlink(d);
		inode_put(d->inode);
		kfree(d->name);
		kfree(d);
		d = parent;
	}
}

/* Hangs an unnamed-yet inode below dir; counted once for the caller. */
static long child_new(struct dentry *dir, const char *name, size_t n, struct inode *i,
	struct dentry **out)
{
	struct dentry *d = dentry_new(i, name, n);

	if (!d)
		return -ENOMEM;
	dentry_get(dir);
	d->parent = dir;
	tree_link(d);
	*out = d;
	return 0;
}

static long lookup_computed(struct dentry *dir, const char *name, size_t n, struct dentry **out)
{
	char text[NAME_MAX + 1];
	struct inode *i;
	long error;

	memcpy(text, name, n);
	text[n] = 0;
	error = dir->inode->ops->lookup(dir->inode, text, &i);
	return error ? error : child_new(dir, name, n, i, out);
}

long dentry_lookup(struct dentry *dir, const char *name, size_t n, struct dentry **out)
{
	struct dentry *d;

	if (dentry_removed(dir))
		return -ENOENT;
	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	d = table_find(dir, name, n);
	if (d && d->inode->ops->valid && !d->inode->ops->valid(d->inode)) {
		tree_unlink(d);
		d = NULL;
	}
	if (!d)
		return stored(dir) ? -ENOENT : lookup_computed(dir, name, n, out);
	dentry_get(d);
	*out = d;
	return 0;
}

#define DIRENT_SIZE 20		/* what a name adds to the size of a folder of tmpfs */

long dentry_add(struct dentry *dir, const char *name, size_t n, struct inode *i,
	struct dentry **out)
{
	long error;

	if (dentry_removed(dir)) {
		inode_put(i);
		return -ENOENT;
	}
	error = child_new(dir, name, n, i, out);
	if (error)
		return error;
	dentry_get(*out);
	dir->inode->size += DIRENT_SIZE;
	if (S_ISDIR(i->mode))
		dir->inode->nlink++;
	inode_modified(dir->inode);
	return 0;
}

void dentry_remove(struct dentry *d)
{
	struct dentry *dir = d->parent;

	tree_unlink(d);
	dir->inode->size -= DIRENT_SIZE;
	inode_modified(dir->inode);
	d->inode->nlink--;
	if (S_ISDIR(d->inode->mode)) {
		dir->inode->nlink--;
		d->inode->nlink = 0;
	}
	inode_changed(d->inode);
	dentry_put(d);
}

static void parent_change(struct dentry *d, struct dentry *dir)
{
	struct dentry *old = d->parent;

	if (S_ISDIR(d->inode->mode)) {
		old->inode->nlink--;
		dir->inode->nlink++;
	}
	old->inode->size -= DIRENT_SIZE;
	dir->inode->size += DIRENT_SIZE;
	inode_modified(old->inode);
	inode_modified(dir->inode);
	inode_changed(d->inode);
	dentry_get(dir);
	d->parent = dir;
	dentry_put(old);
}

long dentry_move(struct dentry *d, struct dentry *dir, const char *name, size_t n)
{
	char *copy = name_copy(name, n);

	if (!copy)
		return -ENOMEM;
	tree_unlink(d);
	kfree(d->name);
	d->name = copy;
	d->length = n;
	parent_change(d, dir);
	tree_link(d);
	return 0;
}

void dentry_exchange(struct dentry *a, struct dentry *b)
{
	struct dentry *dir = a->parent;
	char *name = a->name;
	uint8_t length = a->length;

	tree_unlink(a);
	tree_unlink(b);
	a->name = b->name;
	a->length = b->length;
	b->name = name;
	b->length = length;
	dentry_get(dir);
	parent_change(a, b->parent);
	parent_change(b, dir);
	dentry_put(dir);
	tree_link(a);
	tree_link(b);
}

bool dentry_empty(struct dentry *d)
{
	return !d->children;
}

bool dentry_removed(struct dentry *d)
{
	return !d->linked && d->parent != d;
}

bool dentry_within(struct dentry *d, struct dentry *top)
{
	while (d != top && d->parent != d)
		d = d->parent;
	return d == top;
}

long dir_make(struct dentry *dir, const char *name, uint32_t mode, uint64_t rdev,
	struct dentry **out)
{
	struct super *s = dir->inode->super;
	struct inode *i;
	long error = s->ops->make(s, mode, rdev, &i);

	return error ? error : dentry_add(dir, name, strlen(name), i, out);
}

/* ---- paths of dentries ---- */

struct backwards {
	char *buf;
	size_t at;
	bool overflow;
};

static void prepend(struct backwards *b, const char *text, size_t n)
{
	if (n > b->at) {
		b->overflow = true;
		return;
	}
	b->at -= n;
	memcpy(b->buf + b->at, text, n);
}

long dentry_path(struct dentry *d, struct dentry *root, bool mark, char *buf, size_t n)
{
	struct backwards b = { buf, n, false };
	bool named = false;

	prepend(&b, "", 1);
	if (dentry_removed(d)) {
		if (!mark)
			return -ENOENT;
		prepend(&b, " (deleted)", 10);
	}
	while (d != root && (d->parent != d || d->inode->super->covered)) {
		if (d->parent == d) {
			d = d->inode->super->covered;
			continue;
		}
		prepend(&b, d->name, d->length);
		prepend(&b, "/", 1);
		named = true;
		d = d->parent;
	}
	if (!named && d->parent == d && d->length)
		prepend(&b, d->name, d->length);	/* nameless in any folder: "pipe:[7]" */
	else if (!named)
		prepend(&b, "/", 1);
	if (b.overflow)
		return -ENAMETOOLONG;
	memmove(buf, buf + b.at, n - b.at);
	return n - b.at - 1;
}
