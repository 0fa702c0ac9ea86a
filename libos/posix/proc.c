/* /proc: a file system of names from tables and of processes; text is made when it is read.
 *
 * Left to others: the texts (proc_system.c, proc_process.c).
 */
#include "libos/posix/proc.h"

/* Positions in the listing of /proc: first the table, from here on processes by their pid. */
#define FIRST_PROCESS	256

static const struct inode_ops node_ops, link_ops, magic_ops;
static const struct file_ops text_ops, dir_node_ops;

static const struct proc_node root_node = { "", S_IFDIR | 0555, .children = proc_system };
static const struct proc_node process_node = { "", S_IFDIR | 0555, .children = proc_process };

/* ---- inodes: which node of which process and which descriptor ---- */

static const struct proc_node *node_of(struct inode *i)
{
	return i->extra;
}

static int pid_of(struct inode *i)
{
	return i->number >> 32;
}

static struct process *process_of(struct inode *i)
{
	return pid_of(i) ? process_find(pid_of(i)) : NULL;
}

static struct inode *node_inode(struct super *s, const struct proc_node *node, int pid, int fd)
{
	struct process *p = pid ? process_find(pid) : NULL;
	struct inode *i = inode_new(s, node->mode);

	if (!i)
		return NULL;
	i->ops = !S_ISLNK(node->mode) ? &node_ops : node->follow ? &magic_ops : &link_ops;
	i->fops = S_ISDIR(node->mode) ? &dir_node_ops : S_ISREG(node->mode) ? &text_ops : NULL;
	i->extra = (void *)node;
	i->number = (uint64_t)pid << 32 | (uint32_t)fd;
	i->uid = p ? p->euid : 0;
	i->gid = p ? p->egid : 0;
	i->size = S_ISLNK(node->mode) ? 64 : 0;
	i->nlink = S_ISDIR(node->mode) ? 2 : 1;
	return i;
}

/* ---- names ---- */

static const struct proc_node *child_find(const struct proc_node *dir, const char *name)
{
	const struct proc_node *n = dir->children;

	while (n && n->name && strcmp(n->name, name))
		n++;
	return n && n->name ? n : NULL;
}

static bool decimal(const char *name, uint64_t *n)
{
	return name[0] >= '0' && name[0] <= '9' && !(name[0] == '0' && name[1]) &&
		text_number(name, n) && *n < 0x7fffffff;
}

static uint32_t fd_mode(struct file *f)
{
	return S_IFLNK | 0100 | (file_readable(f) ? 0400 : 0) | (file_writable(f) ? 0200 : 0);
}

static struct inode *fd_inode(struct inode *dir, const char *name)
{
	struct process *p = process_of(dir);
	struct file *f;
	struct inode *i;
	uint64_t n;

	if (!p || !decimal(name, &n) || !(f = files_get(p->files, n)))
		return NULL;
	i = node_inode(dir->super, &proc_fd_node, p->pid, n);
	if (i)
		i->mode = fd_mode(f);
	return i;
}

static bool node_valid(struct inode *i)
{
	return !pid_of(i) || process_find(pid_of(i));
}

static long node_lookup(struct inode *dir, const char *name, struct inode **out)
{
	const struct proc_node *node = node_of(dir), *child = child_find(node, name);
	uint64_t pid;

	*out = NULL;
	if (!node_valid(dir))
		return -ENOENT;
	if (child)
		*out = node_inode(dir->super, child, pid_of(dir), 0);
	else if (node == &root_node && decimal(name, &pid) && process_find(pid))
		*out = node_inode(dir->super, &process_node, pid, 0);
	else if (node->follow)
		*out = fd_inode(dir, name);
	return *out ? 0 : -ENOENT;
}

static bool link_valid(struct inode *i)
{
	/* A descriptor may have got another file. */
	return node_of(i) != &proc_fd_node && node_valid(i);
}

static long link_read(struct inode *i, char *buf, size_t n)
{
	struct process *p = process_of(i);

	if (pid_of(i) && !p)
		return -ENOENT;
	return node_of(i)->readlink(p, (uint32_t)i->number, buf, n);
}

static long link_follow(struct inode *i, struct dentry **out)
{
	struct process *p = process_of(i);

	return p ? node_of(i)->follow(p, (uint32_t)i->number, out) : -ENOENT;
}

static const struct inode_ops node_ops = {
	.lookup = node_lookup,
	.valid = node_valid,
};
static const struct inode_ops link_ops = {
	.valid = link_valid,
	.readlink = link_read,
};
static const struct inode_ops magic_ops = {
	.valid = link_valid,
	.readlink = link_read,
	.follow = link_follow,
};

/* ---- listing ---- */

static bool list_children(struct file *f, struct dirlist *l, const struct proc_node *node)
{
	const struct proc_node *n = node->children;

	for (uint64_t at = 2; n && n->name; n++, at++) {
		if (at < f->pos)
			continue;
		if (!dirlist_add(l, n->name, strlen(n->name), at + 1, n->mode, at + 1))
			return false;
		f->pos = at + 1;
	}
	return true;
}

static bool list_numbers(struct file *f, struct dirlist *l, uint64_t at, unsigned n, uint32_t type)
{
	char name[12];

	if (!dirlist_add(l, name, snprintf(name, sizeof name, "%u", n), at + 1, type, at + 1))
		return false;
	f->pos = at + 1;
	return true;
}

static bool list_processes(struct file *f, struct dirlist *l)
{
	struct process *p;

	f->pos = larger(f->pos, FIRST_PROCESS);
	for (p = process_next((int)f->pos - FIRST_PROCESS - 1); p; p = process_next(p->pid))
		if (!list_numbers(f, l, FIRST_PROCESS + p->pid, p->pid, S_IFDIR))
			return false;
	return true;
}

static bool list_fds(struct file *f, struct dirlist *l, struct process *p)
{
	for (uint64_t fd = f->pos - 2; p->files && fd < p->files->size; fd++)
		if (p->files->fd[fd] && !list_numbers(f, l, fd + 2, fd, S_IFLNK))
			return false;
	return true;
}

static long dir_node_list(struct file *f, struct dirlist *l)
{
	const struct proc_node *node = node_of(f->inode);
	struct process *p = process_of(f->inode);

	if (pid_of(f->inode) && !p)
		return -ENOENT;
	if (!dirlist_dots(f, l))
		return 0;
	if (node->follow)
		list_fds(f, l, p);
	else if (list_children(f, l, node) && node == &root_node)
		list_processes(f, l);
	return 0;
}

static long dir_node_read(struct file *f, struct iter *to, uint64_t *pos)
{
	(void)f, (void)to, (void)pos;
	return -EISDIR;
}

static const struct file_ops dir_node_ops = {
	.read = dir_node_read,
	.seek = file_seek,
	.list = dir_node_list,
};

/* ---- text ---- */

char *text_space(struct text *t, size_t n)
{
	char *buf;

	if (t->n + n <= t->room)
		return t->buf + t->n;
	t->room = larger(t->room * 2, t->n + n);
	buf = krealloc(t->buf, t->room);
	t->lost = !buf;
	if (!buf)
		return NULL;
	t->buf = buf;
	return buf + t->n;
}

void text_print(struct text *t, const char *format, ...)
{
	va_list args, again;
	char *at;
	int n;

	if (t->lost)
		return;
	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	at = text_space(t, n + 1);
	if (at)
		t->n += vsnprintf(at, n + 1, format, again);
	va_end(again);
}

/* A reading from the start makes the text anew. */
static long text_make(struct file *f)
{
	struct process *p = process_of(f->inode);
	struct text *t = f->data ? f->data : kmalloc(sizeof *t);

	if (!t)
		return -ENOMEM;
	f->data = t;
	t->n = 0;
	t->lost = false;
	if (pid_of(f->inode) && !p)
		return -ESRCH;
	node_of(f->inode)->show(t, p);
	return t->lost ? -ENOMEM : 0;
}

static long text_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct text *t;
	size_t n, got;
	long error = !f->data || *pos == 0 ? text_make(f) : 0;

	if (error)
		return error;
	t = f->data;
	if (*pos >= t->n)
		return 0;
	n = smaller(to->left, t->n - *pos);
	got = iter_give(to, t->buf + *pos, n);
	*pos += got;
	return got || !n ? (long)got : -EFAULT;
}

static long text_write(struct file *f, struct iter *from, uint64_t *pos)
{
	struct process *p = process_of(f->inode);
	char text[128];
	size_t n = from->left, got = iter_take(from, text, sizeof text - 1);

	(void)pos;
	if (!node_of(f->inode)->write)
		return -EIO;
	if (got < smaller(n, sizeof text - 1))
		return -EFAULT;
	if (pid_of(f->inode) && !p)
		return -ESRCH;
	text[got] = 0;
	return node_of(f->inode)->write(p, text, got) ? -EINVAL : (long)n;
}

static void text_release(struct file *f)
{
	struct text *t = f->data;

	if (t)
		kfree(t->buf);
	kfree(t);
}

static const struct file_ops text_ops = {
	.read = text_read,
	.write = text_write,
	.seek = file_seek,
	.release = text_release,
};

/* ---- the instance ---- */

static void proc_statfs(struct super *s, struct linux_statfs *st)
{
	(void)s;
	st->frsize = st->bsize;
}

static const struct super_ops proc_super_ops = { .statfs = proc_statfs };

struct super *proc_new(void)
{
	struct super *s = super_new("proc", PROC_MAGIC, &proc_super_ops);
	struct inode *i = s ? node_inode(s, &root_node, 0, 0) : NULL;

	if (!i)
		return NULL;
	s->root = dentry_root(i, "");
	return s->root ? s : NULL;
}
