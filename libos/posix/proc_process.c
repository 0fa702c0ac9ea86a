/* What /proc/PID holds. */
#include "libos/posix/proc.h"
#include "libos/posix/tty.h"

#define TICK 10000000u		/* ns of Linux's clock tick, 100 a second */

static const char *state_name(int state)
{
	switch (state) {
	case 'R':
		return "running";
	case 'T':
		return "stopped";
	case 'Z':
		return "zombie";
	default:
		return "sleeping";
	}
}

static int parent_pid(struct process *p)
{
	return p->parent ? p->parent->pid : 0;
}

static void show_stat(struct text *t, struct process *p)
{
	uint64_t bytes = 0, resident = 0;

	process_memory(p, &bytes, &resident);
	text_print(t, "%d (%s) %c %d %d %d %d %d 0 0 0 0 0 ", p->pid, p->name, p->state,
		parent_pid(p), p->pgid, p->sid, p->tty ? (int)p->tty->rdev : 0,
		p->tty ? p->tty->foreground : -1);
	text_print(t, "%lu %lu 0 0 20 0 %d 0 %lu %lu %lu ", (unsigned long)(p->user_time / TICK),
		(unsigned long)(p->system_time / TICK), process_threads(p),
		(unsigned long)(p->start_time / TICK), (unsigned long)bytes,
		(unsigned long)(resident / PAGE));
	text_print(t,
		"18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
}

static void show_statm(struct text *t, struct process *p)
{
	uint64_t bytes = 0, resident = 0;

	process_memory(p, &bytes, &resident);
	text_print(t, "%lu %lu 0 0 0 %lu 0\n", (unsigned long)(bytes / PAGE),
		(unsigned long)(resident / PAGE), (unsigned long)(bytes / PAGE));
}

static void show_signals(struct text *t, struct process *p)
{
	struct signal_sets s;

	process_signals(p, &s);
	text_print(t, "Threads:\t%d\nSigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n"
		"SigIgn:\t%016lx\nSigCgt:\t%016lx\n", process_threads(p), (unsigned long)s.pending,
		(unsigned long)s.shared_pending, (unsigned long)s.blocked, (unsigned long)s.ignored,
		(unsigned long)s.caught);
}

static void show_status(struct text *t, struct process *p)
{
	uint64_t bytes = 0, resident = 0;
	unsigned mask = p->fs ? p->fs->umask : 0;
	unsigned long kb;

	process_memory(p, &bytes, &resident);
	kb = bytes / 1024;
	text_print(t, "Name:\t%s\nUmask:\t0%u%u%u\nState:\t%c (%s)\nTgid:\t%d\nNgid:\t0\nPid:\t%d\n"
		"PPid:\t%d\nTracerPid:\t0\n", p->name, mask >> 6, mask >> 3 & 7, mask & 7, p->state,
		state_name(p->state), p->pid, p->pid, parent_pid(p));
	text_print(t, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t%u\nGroups:\t \n",
		p->uid, p->euid, p->suid, p->euid, p->gid, p->egid, p->sgid, p->egid,
		p->files ? p->files->size : 0);
	if (p->state != 'Z')
		text_print(t, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmRSS:\t%8lu kB\n", kb, kb,
			(unsigned long)(resident / 1024));
	show_signals(t, p);
}

static void show_comm(struct text *t, struct process *p)
{
	text_print(t, "%s\n", p->name);
}

static long write_comm(struct process *p, const char *text, size_t n)
{
	if (n && text[n - 1] == '\n')
		n--;
	n = smaller(n, sizeof p->name - 1);
	memset(p->name, 0, sizeof p->name);
	memcpy(p->name, text, n);
	return 0;
}

#define PART_MAX (128u * 1024)

/* Text of the processes half, into as much space as it needs. */
static void show_part(struct text *t, struct process *p,
	size_t (*fill)(struct process *p, char *buf, size_t n))
{
	size_t room = PAGE, n;
	char *at;

	do {
		at = text_space(t, room);
		if (!at)
			return;
		n = fill(p, at, room);
		room *= 4;
	} while (n >= room / 4 && room <= PART_MAX * 4);
	t->n += smaller(n, room / 4);
}

static void show_cmdline(struct text *t, struct process *p)
{
	show_part(t, p, process_cmdline);
}

static void show_environ(struct text *t, struct process *p)
{
	show_part(t, p, process_environ);
}

static void show_maps(struct text *t, struct process *p)
{
	show_part(t, p, process_maps);
}

static void show_limits(struct text *t, struct process *p)
{
	text_print(t, "%-26s%-21s%-21s%-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	text_print(t, "%-26s%-21lu%-21lu%-10s\n", "Max open files", (unsigned long)p->limit_nofile,
		(unsigned long)p->limit_nofile, "files");
}

static void show_mounts(struct text *t, struct process *p)
{
	char path[256];

	for (struct super *s = mounts; s; s = s->next) {
		if (dentry_path(s->root, p->fs ? p->fs->root : NULL, true, path, sizeof path) < 0)
			continue;
		text_print(t, "%s %s %s %s%s%s%s%s 0 0\n", s->source, path, s->type,
			s->flags & MS_RDONLY ? "ro" : "rw", s->flags & MS_NOSUID ? ",nosuid" : "",
			s->flags & MS_NODEV ? ",nodev" : "", s->flags & MS_NOEXEC ? ",noexec" : "",
			s->flags & MS_RELATIME ? ",relatime" : "");
	}
}

/* ---- links ---- */

static long object_path(struct dentry *d, char *buf, size_t n)
{
	return dentry_path(d, current_process()->fs->root, true, buf, n);
}

static long give(struct dentry *d, struct dentry **out)
{
	if (!d)
		return -ENOENT;
	dentry_get(d);
	*out = d;
	return 0;
}

static struct dentry *exe_of(struct process *p)
{
	struct file *f = process_exe(p);

	return f ? f->dentry : NULL;
}

static long exe_read(struct process *p, int n, char *buf, size_t size)
{
	(void)n;
	return exe_of(p) ? object_path(exe_of(p), buf, size) : -ENOENT;
}

static long exe_follow(struct process *p, int n, struct dentry **out)
{
	(void)n;
	return give(exe_of(p), out);
}

static long cwd_read(struct process *p, int n, char *buf, size_t size)
{
	(void)n;
	return p->fs ? object_path(p->fs->cwd, buf, size) : -ENOENT;
}

static long cwd_follow(struct process *p, int n, struct dentry **out)
{
	(void)n;
	return give(p->fs ? p->fs->cwd : NULL, out);
}

static long root_read(struct process *p, int n, char *buf, size_t size)
{
	(void)n;
	return p->fs ? object_path(p->fs->root, buf, size) : -ENOENT;
}

static long root_follow(struct process *p, int n, struct dentry **out)
{
	(void)n;
	return give(p->fs ? p->fs->root : NULL, out);
}

static long fd_read(struct process *p, int n, char *buf, size_t size)
{
	struct file *f = files_get(p->files, n);

	return f ? object_path(f->dentry, buf, size) : -ENOENT;
}

static long fd_follow(struct process *p, int n, struct dentry **out)
{
	struct file *f = files_get(p->files, n);

	return give(f ? f->dentry : NULL, out);
}

/* ---- the table ---- */

const struct proc_node proc_fd_node = {
	"", S_IFLNK | 0700, .readlink = fd_read, .follow = fd_follow,
};

const struct proc_node proc_process[] = {
	{ "fd", S_IFDIR | 0500, .follow = fd_follow },
	{ "net", S_IFDIR | 0555, .children = proc_net },
	{ "environ", S_IFREG | 0400, .show = show_environ },
	{ "status", S_IFREG | 0444, .show = show_status },
	{ "limits", S_IFREG | 0444, .show = show_limits },
	{ "comm", S_IFREG | 0644, .show = show_comm, .write = write_comm },
	{ "cmdline", S_IFREG | 0444, .show = show_cmdline },
	{ "stat", S_IFREG | 0444, .show = show_stat },
	{ "statm", S_IFREG | 0444, .show = show_statm },
	{ "maps", S_IFREG | 0444, .show = show_maps },
	{ "cwd", S_IFLNK | 0777, .readlink = cwd_read, .follow = cwd_follow },
	{ "root", S_IFLNK | 0777, .readlink = root_read, .follow = root_follow },
	{ "exe", S_IFLNK | 0777, .readlink = exe_read, .follow = exe_follow },
	{ "mounts", S_IFREG | 0444, .show = show_mounts },
	{ NULL },
};
