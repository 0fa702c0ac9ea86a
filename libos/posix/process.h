/* What the files of the processes half offer each other: contexts, threads, processes,
 * timers, and the ways in and out.  Memory is in mm.h, signals in signal.h.
 *
 * Everything here is guarded by libos_lock unless it says otherwise.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include "libos/posix/posix.h"
#include "libos/posix/linux_abi.h"
#include "libos/posix/linux_process.h"
#include "libos/posix/layout.h"
#include "libos/common/calls.h"
#include "libos/common/lock.h"
#include "libos/common/start.h"
#include "libos/common/text.h"

#define FOREVER	(~0ul)
#define NS_PER_SECOND 1000000000ul

/* ---- the user's registers, on top of its libOS stack (layout known to entry_stubs.S) ---- */

struct regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	uint64_t rax, rcx, rdx, rsi, rdi;
	int64_t call;		/* number of the system call, -1 if it is none */
	struct exo_upcall up;	/* what the kernel pushed */
};
_Static_assert(sizeof(struct regs) == TOP, "entry_stubs.S");
_Static_assert(offsetof(struct regs, up.rip) == REGS_RIP, "entry_stubs.S");
_Static_assert(offsetof(struct regs, call) == REGS_CALL, "entry_stubs.S");

/* The last bytes of a libOS stack. */
struct stack_top {
	struct exo_control *control;	/* of the CPU it runs on */
	syscall_fn *const *table;	/* SYSCALLS entries */
	uint32_t work;			/* enum work */
	uint32_t pad;
	struct thread *thread;
	struct cpu *cpu;
	uint64_t spare[3];
};
_Static_assert(sizeof(struct stack_top) == STACK_TOP_SIZE, "entry_stubs.S");
_Static_assert(offsetof(struct stack_top, work) == TOP_WORK - TOP, "entry_stubs.S");

/* Reasons to leave by exit_work. */
enum work {
	WORK_SIGNAL = 1,	/* a signal may be deliverable */
	WORK_SCHED = 2,		/* something became ready, or a timer was set: arm, tell others */
	WORK_YIELD = 4,		/* another thread's turn */
	WORK_DIE = 8,		/* the thread is to end */
	WORK_STOP = 16,		/* its process is stopped */
	WORK_REGS = 32,		/* struct regs was changed: leave by the full way */
};

static inline struct stack_top *stack_top(void)
{
	uint64_t sp;
	__asm__("mov %%rsp, %0" : "=r"(sp));
	return (struct stack_top *)((sp | (STACK_STRIDE - 1)) + 1) - 1;
}
#define this_thread()	(stack_top()->thread)
#define this_cpu()	(stack_top()->cpu)
#define this_task()	(this_thread()->task)

/* ---- timers (timer.c) -------------------------------------------------------- */

struct timer {
	uint64_t when;		/* ns since boot */
	void (*fire)(struct timer *t);
	struct timer *child, *next, **link;	/* link: what points to it; NULL: not set */
};
void timer_add(struct timer *t, uint64_t when);	/* again: moves it; FOREVER: none */
void timer_remove(struct timer *t);
uint64_t timer_earliest(void);
void timers_run(uint64_t now);
bool clock_read(uint64_t clock, uint64_t *ns);	/* (clock.c) false: no such clock */

/* ---- CPUs and threads (sched.c) ---------------------------------------------- */

struct cpu {			/* one context */
	unsigned number;
	struct exo_control *control;
	uint32_t control_frame, save_frame;
	uint64_t context, event;	/* capabilities; event carries EVENT_KICK */
	struct thread *thread;		/* runs */
	struct thread *idle;
	struct thread *dead;		/* to be freed by the next that runs */
	uint32_t root;			/* loaded */
	struct thread *state_of;	/* whose extended state the registers hold */
	bool idling;			/* and nobody has told it of work yet */
	bool short_nap;			/* the last time, and a packet ended it */
	uint64_t turn;			/* when `thread` came */
	uint64_t since;			/* up to here its CPU time is counted */
	uint64_t sample;		/* when to look next where it runs */
	bool in_user;			/* an event hit user code */
	uint64_t armed;			/* its kernel timer; FOREVER: none */
	uint64_t look;			/* when the tick considers those that are ready */
	uint64_t idle_ns;
};
#define CPU_MAX 64
extern struct cpu cpu_table[CPU_MAX];
extern unsigned cpu_count;
extern struct lock libos_lock;

#define EVENT_LINE	(1ul << 16)	/* the UART, or the proxy of an inner session */
#define EVENT_KICK	(1ul << 17)

enum thread_state { THREAD_RUNNING, THREAD_READY, THREAD_SLEEPING, THREAD_DEAD };

struct thread {
	int tid;
	uint8_t state;			/* enum thread_state */
	bool deaf;			/* sleeps without regard to signals */
	int woken;			/* why the sleep ended */
	struct task *task;
	struct thread *sibling;		/* threads of the task */
	struct thread *queue_next;	/* run queue */
	struct stack_top *top;
	struct regs *regs;		/* its user registers: right below top */
	uint64_t sp;			/* of its libOS stack, while it doesn't run */
	struct mm *mm;			/* NULL: idle thread */
	struct cpu *ran_on;
	uint8_t *xstate;		/* XSAVE image */
	uint64_t fs_base, gs_base;
	uint64_t run_ns, system_ns;	/* CPU time: all, and what of it counts as system time */
	bool in_system;			/* as its last sample found it */
	struct timer timer;		/* of its sleep */

	uint64_t clear_tid;		/* user address, 0 = none */
	uint64_t robust_list;
	struct futex_wait *futex;

	uint64_t blocked;		/* signals */
	uint64_t saved_blocked;		/* what sigsuspend and the like put aside */
	bool restore_blocked;
	struct sigqueue *pending, **pending_end;
	uint64_t pending_mask;
	uint64_t wanted;		/* sigtimedwait */
	uint64_t alt_sp, alt_size;
	uint32_t alt_flags;
	uint64_t restart_deadline;	/* restart_syscall: of the interrupted nanosleep */
	uint64_t restart_rem;
	uint64_t set_tid;		/* user address: its tid is stored there when it first runs */
	void (*begin)(void);		/* libOS code it runs before it leaves to its registers */
	bool vfork_over;		/* its vfork child is done with the memory */
};

struct thread *thread_new(struct task *task);	/* libOS stack and xstate; not in any list */
void thread_free(struct thread *t);
void thread_ready(struct thread *t);		/* puts a new thread into the run queue */
void thread_wake(struct thread *t, int why);		/* ends its sleep, if it sleeps */
void thread_interrupt(struct thread *t);	/* makes it look at its `work` */
void schedule(void);				/* gives the CPU to another (state is set) */
void thread_yield(void);
int sleep_until_woken(uint64_t deadline, bool deaf);	/* by thread_wake(); as sleep_on */
void sched_init(void);
void cpu_start(struct cpu *c);			/* a further context */
_Noreturn void idle_loop(void);
void sched_arm(void);				/* before leaving to user code */
void sched_tick(uint64_t now);			/* the timer event */
void thread_state_save(struct thread *t);	/* extended state, FS and GS bases, if live */
void sched_account(void);			/* the running thread's CPU time, up to now */
void thread_state_load(struct thread *t);
void bases_read(struct thread *t);		/* FS and GS bases of the running thread */
void bases_write(const struct thread *t);
uint64_t thread_time(struct thread *t);
extern uint64_t xsave_mask, xsave_size;
extern bool have_fsgsbase;

void work_set(struct thread *t, uint32_t why);

/* ---- entry (entry_stubs.S, entry.c) -------------------------------------------------- */

void entry_init(struct cpu *c);
/* First code of a new thread: leaves to its regs. */
__attribute__((visibility("hidden"))) void thread_begin(void);
void stack_switch(uint64_t *save, uint64_t load);
_Noreturn void stack_call(uint64_t sp, void (*fn)(void));
uint64_t root_load(uint64_t root);		/* 0, or the kernel's status */
void events_take(void);
extern syscall_fn *const syscall_table[SYSCALLS];
extern syscall_fn *const trace_table[SYSCALLS];
long sys_unknown(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
const char *syscall_name(unsigned number);	/* NULL if unknown */

/* ---- user memory (uaccess_copy.S) --------------------------------------------------- */

/* 0, or 1 on a fault. */
int user_copy(void *to, const void *from, size_t n);
int user_zero(uint64_t to, size_t n);		/* checks nothing */
/* Compare-and-set of a user's 32-bit word: 0 and *old, or 1. */
int user_cas(uint64_t at, uint32_t expected, uint32_t value, uint32_t *old);
int user_xsave(uint64_t to, uint64_t mask);
int user_xrstor(uint64_t from, uint64_t mask);
int clear_user(uint64_t to, size_t n);		/* 0 or -EFAULT */
static inline bool user_ok(uint64_t at, size_t n) { return n <= USER_END && at <= USER_END - n; }

/* ---- processes (process.c, wait.c) ------------------------------------------------ */

struct itimer { struct timer t; struct task *task; uint64_t interval; };

struct task {
	struct process p;		/* first: the files half's view */
	struct thread *threads;
	unsigned nthreads;
	struct task *children, *sibling;
	struct thread *exec_waits;	/* it waits to be the only one */
	bool dying;			/* exit_group: status below */
	bool stopped, stop_reported, continued;
	bool execed;			/* since its fork (setpgid) */
	struct file *trace;		/* strace writes here; NULL: none */
	int stop_signal;
	int exit_signal;		/* to the parent, 0 = none */
	int status;			/* as wait4 reports it */
	struct waitq child_wait;	/* its wait4 */
	struct waitq stop_wait;
	struct thread *vfork_waiter;	/* the parent's, while the child uses its mm */
	uint64_t child_user, child_system;
	uint64_t faults_minor, child_faults;
	uint64_t rss_most, child_rss_most;	/* pages; of address spaces it has left, of children */
	uint64_t dead_ns;		/* run time of its threads that ended */
	struct itimer real;
	struct { uint64_t when, interval; } cpu_timer[2];	/* ITIMER_VIRTUAL, _PROF; 0: none */
	uint64_t cpu_next;		/* task_time at which the first of them fires; FOREVER: none */
	struct posix_timer *timers;
	struct { uint64_t soft, hard; } limit[16];
	uint32_t groups[32], ngroups;
	int nice;
	bool dumpable;
	int parent_death_signal;
};
static inline struct task *task_of(struct process *p) { return (struct task *)p; }

struct task *task_new(struct task *parent);	/* with a pid, in the table, a child of parent */
void task_free(struct task *t);			/* a zombie, or one that never ran */
void processes_init(void);
bool task_is_zombie(const struct task *t);
void task_add_thread(struct task *t, struct thread *th, int tid);
void task_remove_thread(struct thread *th);
void task_adopt(struct task *parent, struct task *child);
struct task *task_find(int pid);
struct thread *thread_find(int tid);
int tid_new(void);
uint64_t task_rss_most(struct task *t);		/* pages */
uint64_t task_time(struct task *t);		/* ns on CPUs, all threads */

_Noreturn void thread_exit(int status);		/* of the calling thread */
void task_kill(struct task *t, int status);	/* exit_group for all threads */
void vfork_done(struct task *t);
/* Ends all other threads of the calling one's process; -EINTR if the process dies first. */
int threads_end_others(void);
/* The calling thread's process becomes a program; strings of the libOS.  0 or -errno. */
long exec_kernel(const char *path, const char *const *argv, const char *const *envp);
void child_changed(struct task *child, int code);	/* SIGCHLD and wake-up of the parent */
extern struct task *task_init;			/* pid 1 */
void session_begin(void);			/* makes pid 1 (session.c) */
void session_stop(void);			/* power off */

/* ---- other ------------------------------------------------------------------------ */

void futex_thread_exit(struct thread *t);	/* clear_tid and robust list */
int futex_wake_address(uint64_t address, int n);
void posix_timers_end(struct task *t);
uint64_t cpu_timers_left(struct task *t);	/* ns of CPU time */
void cpu_timers_check(struct task *t);		/* fires what is due */
void random_init(const char *seed);
void random_bytes(void *to, size_t n);
void uart_init(struct exo_start *s);
void uart_interrupt(void);
void trace_exit(struct thread *t);
void trace_end(struct task *t);

#endif
