/* Unpacks a newc archive into the root: what the boot modules root and overlay hold.
 *
 * Every field is checked against the archive's end before it is used; a bad entry is named in
 * the log and ends the unpacking.  A later entry of the same name replaces an earlier one.
 * Entries with the same inode number and more than one link are hard links; as newc has it, the
 * data comes with the last (an empty earlier one gets it too).
 */
#include "libos/posix/tmpfs.h"

#define HEADER 110

struct entry {
	uint32_t ino, mode, uid, gid, nlink, mtime, size, rmajor, rminor, name_size;
	const char *name;
	const uint8_t *data;
};

/* An inode to be found again (hard links) or finished at the end (times of folders). */
struct link {
	struct link *next;
	uint32_t ino, mtime;
	struct inode *inode;
};

struct archive {
	const uint8_t *bytes;
	size_t size, at;
	struct link *links, *folders;
};

/* ---- headers ---- */

static bool hex(const uint8_t *p, uint32_t *value)
{
	*value = 0;
	for (int k = 0; k < 8; k++) {
		uint8_t c = p[k] | 0x20;
		unsigned digit = p[k] >= '0' && p[k] <= '9' ? p[k] - '0' + 0u :
			c >= 'a' && c <= 'f' ? c - 'a' + 10u : 16;

		if (digit > 15)
			return false;
		*value = *value << 4 | digit;
	}
	return true;
}

static size_t align(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* Reads the entry at a->at and moves behind it; NULL, or what is wrong. */
static const char *entry_read(struct archive *a, struct entry *e)
{
	const uint8_t *h = a->bytes + a->at;
	uint32_t major, minor, check;
	uint32_t *const fields[] = { &e->ino, &e->mode, &e->uid, &e->gid, &e->nlink, &e->mtime,
		&e->size, &major, &minor, &e->rmajor, &e->rminor, &e->name_size, &check };
	size_t left = a->size - a->at, name_end;

	if (left < HEADER)
		return "the header is cut off";
	if (memcmp(h, "070701", 6) && memcmp(h, "070702", 6))
		return "no newc header";
	for (int k = 0; k < 13; k++)
		if (!hex(h + 6 + 8 * k, fields[k]))
			return "a field isn't hexadecimal";
	if (e->name_size < 2 || e->name_size > PATH_MAX || e->name_size > left - HEADER)
		return "the name's size is wrong";
	e->name = (const char *)h + HEADER;
	if (strnlen(e->name, e->name_size) != e->name_size - 1)
		return "the name isn't a string of its size";
	name_end = align(a->at + HEADER + e->name_size);
	if (e->size && (name_end > a->size || e->size > a->size - name_end))
		return "the data reaches beyond the archive";
	e->data = a->bytes + name_end;
	a->at = smaller(align(name_end + e->size), a->size);
	return NULL;
}

/* ---- making what an entry says ---- */

static long folder_make(const char *path)
{
	char name[NAME_MAX + 1] = "";
	struct dentry *d;
	struct walk w;
	long error = walk_path(&w, AT_FDCWD, path, WALK_PARENT);

	if (!error && w.last == LAST_NAME) {
		error = dentry_lookup(w.dir, w.name, w.length, &d);
		if (error == -ENOENT) {
			memcpy(name, w.name, w.length);
			error = dir_make(w.dir, name, S_IFDIR | 0755, 0, &d);
		}
		if (!error)
			dentry_put(d);
	}
	walk_end(&w);
	return error;
}

/* Makes the folders above an entry that the archive left out, and walks to the last. */
static long folder_walk(const struct entry *e, struct walk *w)
{
	char *path = w->text;		/* the walk's result refers to it */
	long error = 0;

	path[0] = '/';
	if (text_copy(path + 1, e->name, PATH_MAX - 1) >= PATH_MAX - 1)
		error = -ENAMETOOLONG;
	for (char *p = strchr(path + 1, '/'); p && !error; p = strchr(p + 1, '/')) {
		*p = 0;
		error = folder_make(path);
		*p = '/';
	}
	if (error) {
		w->dir = w->found = NULL;
		w->expanded = NULL;
		return error;
	}
	return walk_path(w, AT_FDCWD, path, WALK_PARENT);
}

static long data_write(struct inode *i, const struct entry *e)
{
	struct file f = { .inode = i };
	uint64_t pos = 0;
	struct iovec one;
	struct iter it;
	long n;

	iter_kernel(&it, &one, (void *)e->data, e->size);
	n = i->fops->write(&f, &it, &pos);
	return n < 0 ? n : n == (long)e->size ? 0 : -ENOSPC;
}

static long contents_set(struct inode *i, const struct entry *e)
{
	char target[PATH_MAX];

	if (S_ISREG(e->mode))
		return e->size ? data_write(i, e) : 0;
	if (!S_ISLNK(e->mode))
		return 0;
	if (!e->size || e->size >= PATH_MAX)
		return -EINVAL;
	memcpy(target, e->data, e->size);
	target[e->size] = 0;
	return tmpfs_link_set(i, target);
}

static void times_set(struct inode *i, uint32_t mtime)
{
	i->atime = i->mtime = (struct timespec64){ mtime, 0 };
}

static void attributes_set(struct inode *i, const struct entry *e)
{
	i->mode = (i->mode & S_IFMT) | (e->mode & 07777);
	i->uid = e->uid;
	i->gid = e->gid;
	times_set(i, e->mtime);
}

static struct link *link_find(struct archive *a, const struct entry *e)
{
	struct link *l = a->links;

	while (l && l->ino != e->ino)
		l = l->next;
	return l;
}

static long remember(struct link **list, const struct entry *e, struct inode *i)
{
	struct link *l = kmalloc(sizeof *l);

	if (!l)
		return -ENOMEM;
	*l = (struct link){ .next = *list, .ino = e->ino, .mtime = e->mtime, .inode = i };
	inode_get(i);
	*list = l;
	return 0;
}

static void list_free(struct link **list, bool folders)
{
	while (*list) {
		struct link *l = *list;

		*list = l->next;
		if (folders)
			times_set(l->inode, l->mtime);
		inode_put(l->inode);
		kfree(l);
	}
}

static bool type_known(uint32_t mode)
{
	uint32_t type = mode & S_IFMT;

	return type == S_IFREG || type == S_IFDIR || type == S_IFLNK || type == S_IFCHR ||
		type == S_IFBLK || type == S_IFIFO || type == S_IFSOCK;
}

static long node_make(struct archive *a, struct walk *w, const struct entry *e)
{
	struct super *s = w->dir->inode->super;
	bool linked = e->nlink > 1 && !S_ISDIR(e->mode);
	struct link *l = linked ? link_find(a, e) : NULL;
	struct dentry *d;
	struct inode *i;
	long error;

	if (!s->ops->make)
		return -EPERM;
	if (l) {
		i = l->inode;
		if ((i->mode ^ e->mode) & S_IFMT)
			return -EINVAL;
		inode_get(i);
		i->nlink++;
	} else {
		error = s->ops->make(s, e->mode & (S_IFMT | 07777), MAKEDEV(e->rmajor, e->rminor),
			&i);
		if (error)
			return error;
	}
	error = dentry_add(w->dir, w->name, w->length, i, &d);
	if (error)
		return error;
	if (!l || (S_ISREG(e->mode) && e->size))
		error = contents_set(i, e);
	attributes_set(i, e);
	if (!error && linked && !l)
		error = remember(&a->links, e, i);
	if (!error && S_ISDIR(e->mode))
		error = remember(&a->folders, e, i);
	dentry_put(d);
	return error;
}

static long folder_again(struct archive *a, struct inode *i, const struct entry *e)
{
	attributes_set(i, e);
	return remember(&a->folders, e, i);
}

/* A folder that exists keeps its contents; anything else of that name gives way. */
static long entry_make(struct archive *a, struct walk *w, const struct entry *e)
{
	struct dentry *old;
	long error;

	if (w->last != LAST_NAME) {
		return S_ISDIR(e->mode) ? folder_again(a, w->dir->inode, e) : -EISDIR;
	}
	error = dentry_lookup(w->dir, w->name, w->length, &old);
	if (error)
		return error == -ENOENT ? node_make(a, w, e) : error;
	if (S_ISDIR(old->inode->mode) && S_ISDIR(e->mode)) {
		error = folder_again(a, old->inode, e);
		dentry_put(old);
		return error;
	}
	error = S_ISDIR(old->inode->mode) ? -EISDIR : 0;
	if (!error)
		dentry_remove(old);
	dentry_put(old);
	return error ? error : node_make(a, w, e);
}

static long entry_unpack(struct archive *a, const struct entry *e)
{
	struct walk w;
	long error;

	if (!type_known(e->mode))
		return -EINVAL;
	error = folder_walk(e, &w);
	if (!error)
		error = entry_make(a, &w, e);
	walk_end(&w);
	return error;
}

long cpio_unpack(const void *archive, size_t size)
{
	struct archive a = { .bytes = archive, .size = size };
	struct entry e;
	long error = 0;

	while (a.at < size && !error) {
		size_t at = a.at;
		const char *wrong;

		if (a.bytes[a.at] == 0) {	/* padding between archives */
			a.at++;
			continue;
		}
		wrong = entry_read(&a, &e);
		if (wrong) {
			posix_log("cpio: entry at byte %lu: %s", (unsigned long)at, wrong);
			error = -EINVAL;
		} else if (!strcmp(e.name, "TRAILER!!!")) {
			list_free(&a.links, false);
		} else {
			error = entry_unpack(&a, &e);
			if (error)
				posix_log("cpio: %s: error %ld", e.name, -error);
		}
	}
	list_free(&a.links, false);
	list_free(&a.folders, true);
	return error;
}
