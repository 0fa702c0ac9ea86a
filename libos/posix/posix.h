/* The POSIX libOS: what its files offer each other.
 *
 * One image in the monitor area (PML4 slots 264-271), mapped in every root of the
 * domain; a process is a root plus records, a thread is a record plus a libOS stack.
 * The libOS is not preempted: it runs with events masked and under one big lock
 * (libos_lock), which a thread holds from its entry until it returns to user code or
 * sleeps.  Shared state (process table, pipes, file cache) is ordinary memory.
 *
 * Two halves, built against this header only:
 *   files:      vfs, tmpfs, cpio, devices, /proc, pipes, terminals, descriptors, file calls
 *   processes:  memory, fork, exec, threads, signals, scheduling, time, entry, strace
 *
 * Linux numbers and structure layouts are Linux/x86-64's (linux_abi.h).
 * Functions that return long return a value >= 0 or -errno, as Linux does.
 */
#ifndef POSIX_H
#define POSIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)	/* one image: addresses of functions need no table */

/* ---- memory of the libOS (heap.c, processes half) -------------------------- */

void *kmalloc(size_t n);		/* zeroed; NULL when out of memory */
void *krealloc(void *p, size_t n);
void kfree(void *p);
/* A whole frame, zeroed, counted once, as the libOS sees it through the physmap window. */
void *page_alloc(void);
void page_free(void *page);		/* the same as frame_put(page_frame(page)) */
uint32_t page_frame(const void *page);	/* its pfn */
void *frame_page(uint32_t pfn);
/* Frames that processes and the file cache share are counted. */
void frame_get(uint32_t pfn);
void frame_put(uint32_t pfn);		/* freed at zero */
size_t frames_free(void);
size_t frames_total(void);

/* ---- user memory (uaccess.c): 0 or -EFAULT --------------------------------- */

int copy_from_user(void *to, uint64_t from, size_t n);
int copy_to_user(uint64_t to, const void *from, size_t n);
/* NUL-terminated, at most n bytes with the NUL: length, -EFAULT or -ENAMETOOLONG. */
long string_from_user(char *to, uint64_t from, size_t n);

/* ---- sleeping (sched.c) ------------------------------------------------------ */

struct thread;
struct waitq { struct waiter *head; };	/* zero-initialised = empty */
struct waiter { struct waiter *next, **link; struct thread *thread; struct waitq *queue; };

/* Sleeps on a queue until woken, a signal arrives, or the deadline passes.  Gives up the
 * libOS lock meanwhile.  Returns 0 (woken: look again), -EINTR-class -ERESTARTSYS (a
 * signal is to be delivered) or -ETIMEDOUT.  deadline in ns since boot, ~0 = never. */
int sleep_on(struct waitq *q, uint64_t deadline);
/* The same on several queues (poll, select). */
int sleep_on_many(struct waitq **queues, size_t n, uint64_t deadline);
void wake_all(struct waitq *q);
void wake_one(struct waitq *q);
#define ERESTARTSYS 512		/* restart if SA_RESTART, else EINTR; never seen by user code */
#define ERESTARTNOHAND	514	/* restart unless a handler runs; never seen by user code */

/* ---- time -------------------------------------------------------------------- */

uint64_t time_now(void);		/* ns since boot */
uint64_t time_wall(void);		/* ns since 1970 */

/* ---- processes as the files half sees them ------------------------------------ */

struct file;
struct inode;
struct dentry;

/* File-related state of a process; copied by fork, shared by threads. */
struct files {
	uint32_t refs;
	uint32_t size;			/* slots in fd */
	struct file **fd;
	uint64_t *cloexec;		/* bitmap */
};
struct fs {				/* shared by CLONE_FS */
	uint32_t refs;
	struct dentry *cwd, *root;
	uint32_t umask;
};

struct process {
	int pid, pgid, sid;
	struct process *parent;
	struct files *files;
	struct fs *fs;
	uint32_t uid, euid, suid, gid, egid, sgid;
	struct tty *tty;		/* controlling terminal, NULL = none */
	char name[16];			/* comm */
	struct mm *mm;			/* processes half */
	struct signals *signals;
	uint64_t limit_nofile, limit_fsize;
	uint64_t start_time, user_time, system_time;	/* ns */
	int state;			/* 'R', 'S', 'T', 'Z' as in /proc */
	/* the processes half has more behind this: struct task in process.h */
};
struct process *current_process(void);
struct process *process_find(int pid);
struct process *process_next(int after_pid);	/* iteration in order of pid; NULL at the end */
int process_threads(struct process *p);
/* For /proc: text into buf, length. */
size_t process_cmdline(struct process *p, char *buf, size_t n);
size_t process_environ(struct process *p, char *buf, size_t n);
size_t process_maps(struct process *p, char *buf, size_t n);
void process_memory(struct process *p, uint64_t *virtual_bytes, uint64_t *resident_bytes);
/* Sets of signals, bit n - 1 for signal n. */
struct signal_sets { uint64_t pending, shared_pending, blocked, ignored, caught; };
void process_signals(struct process *p, struct signal_sets *sets);
struct file *process_exe(struct process *p);	/* not counted; may be NULL */
uint64_t cpu_busy_ns(void);
uint64_t cpu_idle_ns(void);
int cpus(void);
const char *host_name(void);

/* Signals, from the files half (SIGPIPE, terminal signals). */
void signal_process(struct process *p, int sig);
void signal_group(int pgid, int sig);
bool signal_ignored_or_blocked(struct process *p, int sig);	/* for SIGTTIN, SIGTTOU */
bool group_orphaned(int pgid);
/* The calling thread's blocked signals until this call has returned (ppoll, pselect6,
 * epoll_pwait); then what they were, after handlers that the change lets in. */
void signals_block_for_call(uint64_t mask);
void random_bytes(void *to, size_t n);

/* ---- files as the processes half sees them (vfs.h has the rest) ---------------- */

void trace_init(void);			/* maps the kernel's trace rings, if the session has them */
void vfs_init(void);			/* an empty root */
void vfs_ready(void);			/* after unpacking: /dev, /proc, /tmp */
long cpio_unpack(const void *archive, size_t size);	/* into the root; -EINVAL names the entry in the log */
/* Opens for exec: follows links, checks type and x permission.  While the file is open it can't
 * be opened for writing. */
long file_open_exec(const char *path, struct file **out);
long path_is_no_link(int dirfd, uint64_t path);	/* a user path; "" is dirfd itself: 0, -ELOOP, ... */
long file_read_at(struct file *f, void *to, size_t n, uint64_t offset);	/* kernel buffer */
uint64_t file_size(struct file *f);
struct inode *file_inode(struct file *f);
/* The page of file data at `index`, counted once more (frame_get); for private and shared
 * file mappings.  A hole in a shared mapping is filled.  -errno, or the pfn. */
long file_page(struct file *f, uint64_t index, bool shared_write);
/* Those pages [first, end) of the file are going: out of all address spaces (unmap.c). */
void file_unmap(struct inode *i, uint64_t first, uint64_t end);
long file_path(struct file *f, char *buf, size_t n);
void file_get(struct file *f);
void file_put(struct file *f);
struct files *files_copy(struct files *f);	/* fork */
void files_put(struct files *f);		/* exit */
void files_exec(struct files *f);		/* closes close-on-exec descriptors */
struct file *fd_file(int fd);			/* of the current process, not counted; NULL */
struct fs *fs_copy(struct fs *f);
void fs_put(struct fs *f);
/* The session's descriptors 0, 1, 2 in an empty table: the terminal, or (framed: the command
 * line has mode=frame) the run protocol's streams; then frame R goes out. */
long console_open(struct files *f, bool framed);
struct fs *fs_new(void);			/* the first process's: / and umask 022 */
struct files *files_new(void);
/* Framed: the command has ended.  Sends S, the files of /run/virtue/get, and B; sleeps until
 * the line has taken all.  Its status as a shell reports it.  Not framed: drains the line. */
void session_report(int status);
extern int session_pgid;			/* the group that frame C signals; 0 = none */
_Noreturn void session_exit(int status);	/* ends the domain */
void tty_hangup(struct process *session_leader);	/* it exits: SIGHUP, no tty any more */

/* Bytes of the serial line (uart.c, processes half).  The line's driver, under the libOS lock,
 * reads at most console_room() bytes from the line and gives them to console_input, which takes
 * all; with no room it leaves them in the UART until console_resume is called.  When it can
 * send again after console_write_raw took less than all, it calls console_output_ready. */
size_t console_room(void);
void console_input(const uint8_t *bytes, size_t n);
void console_output_ready(void);
size_t console_write_raw(const uint8_t *bytes, size_t n);	/* to the line; how many it took */
void console_resume(void);			/* the driver's: there is room again */

/* ---- system calls ---------------------------------------------------------------- */

/* syscalls.def: one line a call, X(number, name, state, handler, test): see that file.
 * A handler takes up to six arguments. */
typedef long syscall_fn(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

void posix_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
void posix_panic(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#pragma GCC visibility pop

#endif
