/* tmpfs: regular files as trees of frames, folders kept as dentries, links, device nodes, FIFOs.
 *
 * A file's frames are counted, so that processes may map them.  A hole has no frame.  The tree
 * is a radix tree of 512-way nodes; a file of one page has no node at all.
 *
 * Left to others: names (vfs_names.c), the calls that read and write (vfs_io.c).
 */
#include "libos/posix/tmpfs.h"

#define FAN_BITS 9
#define FAN (1u << FAN_BITS)

struct tree {
	void *root;			/* height 0: the page 0 itself */
	unsigned height;
};

static const struct inode_ops tmpfs_inode_ops;
static const struct super_ops tmpfs_super_ops;
static const struct file_ops regular_ops;

/* ---- the tree of pages ---- */

static uint64_t tree_pages(const struct tree *t)	/* that fit at its height */
{
	return 1ull << (t->height * FAN_BITS);
}

static bool tree_grow(struct tree *t, uint64_t index)
{
	while (index >= tree_pages(t)) {
		void **node = t->root ? page_alloc() : NULL;

		if (t->root && !node)
			return false;
		if (node)
			node[0] = t->root;
		t->root = node;
		t->height++;
	}
	return true;
}

/* Where the page of that index hangs; NULL: nowhere yet (or no memory, with `make`). */
static void **tree_slot(struct tree *t, uint64_t index, bool make)
{
	void **at = &t->root;

	if (make ? !tree_grow(t, index) : index >= tree_pages(t))
		return NULL;
	for (unsigned level = t->height; level; level--) {
		if (!*at && make)
			*at = page_alloc();
		if (!*at)
			return NULL;
		at = (void **)*at + ((index >> ((level - 1) * FAN_BITS)) & (FAN - 1));
	}
	return at;
}

/* Frees the pages first..end-1 below *at, whose first page is `base`; and empty nodes.
 * Returns how many pages it freed. */
static uint64_t tree_cut(void **at, unsigned level, uint64_t base, uint64_t first, uint64_t end)
{
	uint64_t span = 1ull << (level * FAN_BITS), freed = 0;
	bool empty = true;

	if (!*at || base >= end || base + span <= first)
		return 0;
	if (level) {
		void **node = *at;
		uint64_t step = span >> FAN_BITS;

		for (unsigned k = 0; k < FAN; k++) {
			freed += tree_cut(&node[k], level - 1, base + k * step, first, end);
			empty = empty && !node[k];
		}
	} else {
		freed = 1;
	}
	if (empty) {
		page_free(*at);
		*at = NULL;
	}
	return freed;
}

/* The first page at or behind `first` (base: the index of *at's first page); ~0: none. */
static uint64_t tree_next(void *at, unsigned level, uint64_t base, uint64_t first)
{
	uint64_t span = 1ull << (level * FAN_BITS), step = span >> FAN_BITS, found = ~0ull;

	if (!at || base + span <= first)
		return ~0ull;
	if (!level)
		return base;
	for (unsigned k = 0; k < FAN && found == ~0ull; k++)
		found = tree_next(((void **)at)[k], level - 1, base + k * step, first);
	return found;
}

/* ---- pages of a file ---- */

static void *page_find(struct inode *i, uint64_t index)
{
	void **slot = tree_slot(i->data, index, false);

	return slot ? *slot : NULL;
}

static void *page_make(struct inode *i, uint64_t index)
{
	struct super *s = i->super;
	void **slot = tree_slot(i->data, index, true);

	if (slot && !*slot && s->pages < s->pages_max) {
		*slot = page_alloc();
		if (*slot) {
			i->pages++;
			s->pages++;
		}
	}
	return slot ? *slot : NULL;
}

static void pages_cut(struct inode *i, uint64_t first, uint64_t end)
{
	struct tree *t = i->data;
	uint64_t freed;

	if (i->mapped)
		file_unmap(i, first, end);
	freed = tree_cut(&t->root, t->height, 0, first, end);

	i->pages -= freed;
	i->super->pages -= freed;
}

static void range_zero(struct inode *i, uint64_t from, uint64_t to)	/* within one page */
{
	uint8_t *page = from < to ? page_find(i, from / PAGE) : NULL;

	if (page)
		memset(page + from % PAGE, 0, to - from);
}

long tmpfs_punch(struct inode *i, uint64_t from, uint64_t to)
{
	uint64_t first = (from + PAGE - 1) / PAGE, end = to / PAGE;

	if (first > end) {
		range_zero(i, from, to);
		return 0;
	}
	range_zero(i, from, first * PAGE);
	range_zero(i, end * PAGE, to);
	pages_cut(i, first, end);
	return 0;
}

long tmpfs_reserve(struct inode *i, uint64_t from, uint64_t to)
{
	if ((to - from) / PAGE > i->super->pages_max)
		return -ENOSPC;
	for (uint64_t k = from / PAGE; k < (to + PAGE - 1) / PAGE; k++)
		if (!page_make(i, k))
			return -ENOSPC;
	return 0;
}

/* The next data or hole at or behind offset, for SEEK_DATA and SEEK_HOLE. */
static int64_t regular_scan(struct inode *i, uint64_t offset, bool data)
{
	struct tree *t = i->data;
	uint64_t k = offset / PAGE, end = (i->size + PAGE - 1) / PAGE;

	if (offset >= i->size)
		return -ENXIO;
	if (data)
		k = tree_next(t->root, t->height, 0, k);
	else
		while (k < end && page_find(i, k))
			k++;
	if (k >= end)
		return data ? -ENXIO : (int64_t)i->size;
	return larger(offset, k * PAGE);
}

/* ---- regular files ---- */

static long regular_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct inode *i = f->inode;
	size_t done = 0;

	while (to->left && *pos < i->size) {
		size_t n = smaller(smaller(to->left, PAGE - *pos % PAGE), i->size - *pos);
		uint8_t *page = page_find(i, *pos / PAGE);
		size_t got = page ? iter_give(to, page + *pos % PAGE, n) : iter_give_zeros(to, n);

		done += got;
		*pos += got;
		if (got < n)
			return done ? (long)done : -EFAULT;
	}
	inode_accessed(i);
	return done;
}

static long regular_write(struct file *f, struct iter *from, uint64_t *pos)
{
	struct inode *i = f->inode;
	size_t done = 0, n, got;
	long error = 0;

	while (from->left && !error) {
		uint8_t *page = page_make(i, *pos / PAGE);

		n = smaller(from->left, PAGE - *pos % PAGE);
		got = page ? iter_take(from, page + *pos % PAGE, n) : 0;
		if (got < n)
			error = page ? -EFAULT : -ENOSPC;
		done += got;
		*pos += got;
		if (*pos > i->size && got)
			i->size = *pos;
	}
	if (done)
		inode_modified(i);
	return done ? (long)done : error;
}

static long regular_seek(struct file *f, int64_t offset, int whence)
{
	int64_t to;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return file_seek(f, offset, whence);
	if (offset < 0)
		return -ENXIO;
	to = regular_scan(f->inode, offset, whence == SEEK_DATA);
	if (to >= 0)
		f->pos = to;
	return to;
}

static long regular_page(struct file *f, uint64_t index, bool shared_write)
{
	void *page;

	(void)shared_write;
	if (index >= (f->inode->size + PAGE - 1) / PAGE)
		return -EFAULT;
	page = page_make(f->inode, index);
	if (!page)
		return -ENOMEM;
	f->inode->mapped = true;
	frame_get(page_frame(page));
	return page_frame(page);
}

static long tmpfs_truncate(struct inode *i, uint64_t size)
{
	if (size <= i->size) {		/* reserved pages behind the end go, too */
		pages_cut(i, (size + PAGE - 1) / PAGE, ~0ull >> 1);
		range_zero(i, size, (size + PAGE - 1) / PAGE * PAGE);
	}
	i->size = size;
	inode_modified(i);
	return 0;
}

static const struct file_ops regular_ops = {
	.read = regular_read,
	.write = regular_write,
	.seek = regular_seek,
	.page = regular_page,
};

/* ---- inodes ---- */

static long tmpfs_readlink(struct inode *i, char *buf, size_t n)
{
	n = smaller(n, i->size);
	memcpy(buf, i->link, n);
	return n;
}

long tmpfs_link_set(struct inode *i, const char *text)
{
	size_t n = strlen(text);

	i->link = kmalloc(n + 1);
	if (!i->link)
		return -ENOMEM;
	memcpy(i->link, text, n);
	i->size = n;
	i->pages = n >= 128;		/* Linux keeps a short one in the inode */
	return 0;
}

static void tmpfs_release(struct inode *i)
{
	if (S_ISREG(i->mode)) {
		pages_cut(i, 0, ~0ull >> 1);
		kfree(i->data);
	} else if (S_ISLNK(i->mode)) {
		kfree(i->link);
	}
}

static const struct inode_ops tmpfs_inode_ops = {
	.readlink = tmpfs_readlink,
	.truncate = tmpfs_truncate,
	.release = tmpfs_release,
};

static const struct file_ops *ops_by_type(uint32_t mode, uint64_t rdev)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return &regular_ops;
	case S_IFDIR:
		return &dir_ops;
	case S_IFIFO:
		return &fifo_ops;
	default:
		return device_ops(mode, rdev);
	}
}

static long tmpfs_make(struct super *s, uint32_t mode, uint64_t rdev, struct inode **out)
{
	struct inode *i = inode_new(s, mode);

	if (!i)
		return -ENOSPC;
	i->ops = &tmpfs_inode_ops;
	i->rdev = rdev;
	i->fops = ops_by_type(mode, rdev);
	if (S_ISREG(mode)) {
		i->data = kmalloc(sizeof(struct tree));
		if (!i->data) {
			inode_put(i);
			return -ENOSPC;
		}
	} else if (S_ISDIR(mode)) {
		i->nlink = 2;
		i->size = 40;
	}
	*out = i;
	return 0;
}

/* ---- instances ---- */

static void tmpfs_statfs(struct super *s, struct linux_statfs *st)
{
	st->blocks = s->pages_max;
	st->bfree = st->bavail = smaller(s->pages_max - s->pages, frames_free());
	st->files = frames_total();
	st->ffree = st->files - smaller(st->files, s->inodes);
}

static const struct super_ops tmpfs_super_ops = {
	.make = tmpfs_make,
	.statfs = tmpfs_statfs,
};

struct super *tmpfs_new(void)
{
	struct super *s = super_new("tmpfs", TMPFS_MAGIC, &tmpfs_super_ops);
	struct inode *i;

	if (!s)
		return NULL;
	s->pages_max = frames_total() / 2;
	if (tmpfs_make(s, S_IFDIR | 0755, 0, &i) < 0)
		return NULL;
	s->root = dentry_root(i, "");
	return s->root ? s : NULL;
}
