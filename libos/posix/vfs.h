/* Files: the objects behind names and descriptors, and what a file system provides.
 *
 *   super    an instance of a file system (tmpfs, proc, devices, pipes)
 *   inode    a file: type, mode, owner, times, size; counted
 *   dentry   a name in a directory.  tmpfs keeps its dentries for ever: they are the directory.
 *            A computed directory (/proc) makes them on lookup, and they go with their last user
 *   file     an open file description: a dentry, a position, flags; shared by dup and fork
 *
 * All is under the libOS lock; only functions that sleep (read, write, open of a FIFO, poll)
 * give it up.  Functions return a value >= 0 or -errno.  A pointer handed out by `long f(...,
 * struct x **out)` is counted for the caller, who puts it.
 *
 * Left to others: who the caller is and where it sleeps (posix.h).
 */
#ifndef POSIX_VFS_H
#define POSIX_VFS_H

#include "libos/common/text.h"
#include "libos/posix/posix.h"
#include "libos/posix/linux_abi.h"

#define PAGE		4096u
#define NAME_MAX	255
#define PATH_MAX	4096
#define LINKS_MAX	40		/* symbolic links followed in one walk */

static inline uint64_t smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* ---- waking and polling (poll.c) ------------------------------------------------ */

/* A wait queue with a count of its wake-ups, by which edge-triggered epoll sees news. */
struct wake {
	struct waitq queue;
	uint32_t turns;
};
void wake(struct wake *w);

/* What a poller would sleep on; filled by file_ops.poll. */
struct pollset {
	struct waitq **queues;
	size_t n, room;
	uint64_t deadline;		/* the earliest of those that files gave (timerfd) */
	uint32_t turns;			/* sum over the queues added */
	bool ends;			/* who sleeps there is woken, and nothing added */
};
void pollset_add(struct pollset *set, struct wake *w);

/* ---- the caller's memory (iter.c) ------------------------------------------------ */

/* Walks the segments of a read or write, in user or libOS memory. */
struct iter {
	struct iovec *segment;
	size_t offset;			/* in the first segment */
	size_t left;			/* bytes in all */
	bool kernel;
};
/* Each returns how many bytes were copied: fewer than n only at a fault. */
size_t iter_take(struct iter *it, void *to, size_t n);		/* from the caller */
size_t iter_give(struct iter *it, const void *from, size_t n);	/* to the caller */
size_t iter_give_zeros(struct iter *it, size_t n);
void iter_kernel(struct iter *it, struct iovec *one, void *base, size_t n);

/* ---- objects ----------------------------------------------------------------------- */

struct inode;
struct dentry;
struct file;
struct super;
struct record_lock;

struct super_ops {
	/* A new inode of mode's type, not yet named; its size etc. are 0.  NULL: nothing can be
	 * created here. */
	long (*make)(struct super *s, uint32_t mode, uint64_t rdev, struct inode **out);
	void (*statfs)(struct super *s, struct linux_statfs *st);
};

struct super {
	const struct super_ops *ops;
	const char *type;		/* "tmpfs" in /proc/mounts */
	uint32_t magic;
	uint32_t flags;			/* MS_RDONLY, MS_NOEXEC... */
	uint64_t dev;
	uint64_t pages, pages_max;	/* in use; 0 = as much as there is */
	uint64_t inodes;
	struct dentry *root;
	struct dentry *covered;		/* mounted on; NULL = the root, or nowhere */
	char *source;
	struct super *next;		/* mounts in order */
};

struct dirlist;

struct inode_ops {
	/* Computed directories: makes the inode called name. */
	long (*lookup)(struct inode *dir, const char *name, struct inode **out);
	/* Is what lookup made still there?  NULL: yes. */
	bool (*valid)(struct inode *i);
	/* The text of a symbolic link, no NUL needed: its length, at most n. */
	long (*readlink)(struct inode *i, char *buf, size_t n);
	/* Links that lead to an object rather than to a name (/proc/PID/fd/N); NULL: by text. */
	long (*follow)(struct inode *i, struct dentry **out);
	long (*truncate)(struct inode *i, uint64_t size);
	void (*release)(struct inode *i);	/* the last reference is gone */
};

struct inode {
	const struct inode_ops *ops;
	const struct file_ops *fops;
	struct super *super;
	uint64_t ino;
	uint32_t refs;
	uint32_t mode, nlink, uid, gid;
	uint32_t writers;		/* open for writing: exec gives ETXTBSY */
	bool mapped;			/* a page of it was given out (file_page) */
	uint32_t executed;		/* open as a program: opening for writing gives ETXTBSY */
	uint64_t rdev;
	uint64_t size;			/* bytes */
	uint64_t pages;			/* frames of data */
	struct timespec64 atime, mtime, ctime, btime;
	struct record_lock *locks;	/* lock.c */
	struct wake lock_wake;
	union {
		void *data;		/* of the file system */
		uint64_t number;
		char *link;
		struct pipe *pipe;	/* a FIFO's, while it is open */
	};
	void *extra;			/* of the file system: proc's process etc. */
};

struct dentry {
	struct dentry *parent;		/* itself at a root */
	struct inode *inode;
	struct super *mounted;		/* what is mounted on it */
	struct dentry *children;	/* newest first, as in Linux's tmpfs */
	struct dentry *next, **link;	/* among the siblings */
	struct dentry *hash_next;
	uint64_t order;			/* when it was put there, by parent->orders */
	uint64_t orders;
	uint32_t refs;			/* one for being in a tree, one a child, one a user */
	uint32_t hash;
	bool linked;			/* can be found in its parent */
	uint8_t length;
	char *name;
};

struct file_ops {
	long (*open)(struct file *f);		/* may replace f->ops */
	void (*release)(struct file *f);	/* the last descriptor is closed */
	long (*read)(struct file *f, struct iter *to, uint64_t *pos);
	long (*write)(struct file *f, struct iter *from, uint64_t *pos);
	long (*seek)(struct file *f, int64_t offset, int whence);	/* NULL: ESPIPE */
	long (*list)(struct file *f, struct dirlist *list);		/* NULL: ENOTDIR */
	uint32_t (*poll)(struct file *f, struct pollset *set);		/* NULL: always ready */
	long (*ioctl)(struct file *f, uint32_t command, uint64_t arg);
	long (*page)(struct file *f, uint64_t index, bool shared_write);	/* see file_page */
};

struct file {
	const struct file_ops *ops;
	struct dentry *dentry;
	struct inode *inode;
	uint32_t refs;
	uint32_t flags;			/* O_*: access mode and status */
	uint64_t pos;
	int owner;			/* F_SETOWN */
	bool program;			/* opened by exec; counted in inode.executed */
	void *data;
	struct epoll_watch *watches;	/* epoll sets that hold it */
};

/* ---- inodes and dentries (vfs_dentry.c) --------------------------------------------- */

struct inode *inode_new(struct super *s, uint32_t mode);	/* refs 1, nlink 1, times now */
void inode_get(struct inode *i);
void inode_put(struct inode *i);
struct timespec64 time_stamp(void);
void inode_changed(struct inode *i);		/* ctime */
void inode_modified(struct inode *i);		/* mtime and ctime */
void inode_accessed(struct inode *i);		/* atime, as relatime has it */

void dentry_get(struct dentry *d);
void dentry_put(struct dentry *d);
/* The child called name (n bytes); -ENOENT. */
long dentry_lookup(struct dentry *dir, const char *name, size_t n, struct dentry **out);
/* Names an inode (takes over the caller's reference, even on failure). */
long dentry_add(struct dentry *dir, const char *name, size_t n, struct inode *i,
	struct dentry **out);
/* A nameless tree of one: roots, pipes, memfd.  Takes over the reference to i. */
struct dentry *dentry_root(struct inode *i, const char *name);
void dentry_remove(struct dentry *d);		/* leaves the directory; users keep it */
long dentry_move(struct dentry *d, struct dentry *dir, const char *name, size_t n);
void dentry_exchange(struct dentry *a, struct dentry *b);
bool dentry_empty(struct dentry *d);
bool dentry_removed(struct dentry *d);		/* a folder that has no name any more */
bool dentry_within(struct dentry *d, struct dentry *top);
/* Adds `name` -> inode made by the file system: for tables of devices and the like. */
long dir_make(struct dentry *dir, const char *name, uint32_t mode, uint64_t rdev,
	struct dentry **out);
/* Path from the process's root (or from the top, where root is NULL); -ENOENT if it was
 * removed and mark is false, else " (deleted)" is appended; -ENAMETOOLONG. Length without
 * the NUL. */
long dentry_path(struct dentry *d, struct dentry *root, bool mark, char *buf, size_t n);

/* ---- mounts (vfs_mount.c) -------------------------------------------------------------- */

extern struct super *mounts;			/* the root's first */
struct super *super_new(const char *type, uint32_t magic, const struct super_ops *ops);
long super_mount(struct super *s, const char *source, struct dentry *on);
struct dentry *dentry_down(struct dentry *d);	/* through what is mounted on it; not counted */
struct dentry *dentry_up(struct dentry *d, struct dentry *root);	/* `..`; not counted */
struct super *tmpfs_new(void);
struct super *proc_new(void);
struct super *dev_new(void);
extern struct super *anonymous;			/* pipes, eventfd, epoll: never mounted */

/* ---- path walking (vfs_path.c) ---------------------------------------------------------- */

enum {
	WALK_FOLLOW = 1,	/* a link at the end is followed */
	WALK_PARENT = 2,	/* stop before the last component: dir and name only */
	WALK_CREATE = 4,	/* a missing last component is no error: found is NULL */
	WALK_EMPTY = 8,		/* an empty path means the start (AT_EMPTY_PATH) */
};
enum last { LAST_NAME, LAST_DOT, LAST_DOTDOT, LAST_ROOT };
struct walk {
	struct dentry *dir;		/* holds the last component */
	struct dentry *found;
	enum last last;
	bool slash;			/* the path ends in a slash */
	uint32_t length;
	const char *name;		/* in text or expanded; not terminated */
	char *expanded;			/* what is left to walk after a link; kmalloc */
	char text[PATH_MAX];
};
/* The walk is to be ended by walk_end, whatever it returned.  dir is set unless the path was
 * empty; found unless WALK_PARENT or a missing last component. */
long walk_path(struct walk *w, int dirfd, const char *path, unsigned flags);
long walk_user(struct walk *w, int dirfd, uint64_t path, unsigned flags);
void walk_end(struct walk *w);
/* A new name for the process, of libOS memory: sockets.  As mknod. */
long name_make(const char *path, uint32_t mode, struct dentry **out);
/* Walks and keeps only what was found. */
long path_find(int dirfd, uint64_t path, unsigned flags, struct dentry **out);

#define MAY_EXEC	1
#define MAY_WRITE	2
#define MAY_READ	4
long inode_permission(struct inode *i, unsigned may);		/* by the effective ids */
long inode_permission_as(struct inode *i, unsigned may, uint32_t uid, uint32_t gid);
bool inode_owned(struct inode *i);		/* the caller owns it or is root */
long may_create(struct dentry *dir);
long may_delete(struct dentry *dir, struct dentry *victim, bool is_dir);

/* ---- open files (vfs_open.c, fd.c) --------------------------------------------------------- */

long file_open(struct dentry *d, uint32_t flags, struct file **out);	/* no permission check */
/* A file on the anonymous file system; name as /proc/PID/fd shows it. */
long file_anonymous(const struct file_ops *ops, uint32_t mode, const char *name, uint32_t flags,
	void *data, struct file **out);
long file_open_path(int dirfd, const char *path, uint32_t flags, uint32_t mode, struct file **out);
long file_read(struct file *f, struct iter *to, uint64_t *pos);
long file_write(struct file *f, struct iter *from, uint64_t *pos);
long file_seek(struct file *f, int64_t offset, int whence);		/* by inode size */
static inline bool file_readable(struct file *f) { return (f->flags & O_ACCMODE) != O_WRONLY &&
	!(f->flags & O_PATH); }
static inline bool file_writable(struct file *f) { return (f->flags & O_ACCMODE) != O_RDONLY &&
	!(f->flags & O_PATH); }

/* Descriptors of the current process. */
long fd_install(struct file *f, bool cloexec);	/* takes over the reference; the number */
long fd_install_at(struct files *fs, int fd, struct file *f, bool cloexec);
struct file *fd_get(int fd);			/* counted, not O_PATH; NULL */
struct file *fd_get_path(int fd);		/* O_PATH too */
struct file *files_get(struct files *fs, int fd);	/* of any process, not counted */

/* Locks (lock.c). */
long lock_record(struct file *f, int command, uint64_t arg);
long lock_flock(struct file *f, int operation);
void locks_release(struct inode *i, void *owner);	/* owner: struct files, or a file */

/* ---- directories (vfs_dir.c) --------------------------------------------------------------- */

/* Where a directory's entries go. */
struct dirlist {
	uint64_t user;
	size_t left, done;
	bool old;			/* getdents rather than getdents64 */
	uint64_t last;			/* user address of the last entry's d_off */
	long error;
};
/* False: full; the entry is to be listed again next time. next: position behind it. */
bool dirlist_add(struct dirlist *l, const char *name, size_t n, uint64_t ino, uint32_t mode,
	uint64_t next);
/* `.` and `..` at positions 0 and 1. */
bool dirlist_dots(struct file *f, struct dirlist *l);
extern const struct file_ops dir_ops;		/* of directories kept as dentries */

/* ---- file types ------------------------------------------------------------------------------ */

extern const struct file_ops fifo_ops;		/* pipe.c */
extern const struct file_ops trace_ops;		/* tracedev.c */
extern const struct inode_ops anonymous_inode_ops;
#define ZERO_DEVICE	MAKEDEV(1, 5)
const struct file_ops *device_ops(uint32_t mode, uint64_t rdev);	/* dev.c; NULL: none */
void stat_fill(struct inode *i, struct linux_stat *st);

#endif
