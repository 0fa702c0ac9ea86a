/* Signals: what is pending (signal.c), where they are delivered (sigframe.c, deliver.c). */
#ifndef SIGNAL_H
#define SIGNAL_H

#include "libos/posix/process.h"
#include "libos/posix/mm.h"

#define SIG_BIT(s)	(1ul << ((s) - 1))
#define SIG_UNBLOCKABLE	(SIG_BIT(SIG_KILL) | SIG_BIT(SIG_STOP))
#define SIG_STOPS	(SIG_BIT(SIG_STOP) | SIG_BIT(SIG_TSTP) | SIG_BIT(SIG_TTIN) | SIG_BIT(SIG_TTOU))
#define SIG_FAULTS	(SIG_BIT(SIG_SEGV) | SIG_BIT(SIG_BUS) | SIG_BIT(SIG_ILL) | \
			 SIG_BIT(SIG_TRAP) | SIG_BIT(SIG_FPE) | SIG_BIT(SIG_SYS))

struct sigqueue { struct sigqueue *next; struct siginfo info; };

/* Pending signals: of a thread, or of a process. */
struct signals {			/* process.signals; handlers shared by CLONE_SIGHAND */
	uint32_t refs;
	struct sigaction action[SIG_MAX + 1];	/* by signal */
	struct sigqueue *pending, **pending_end;
	uint64_t pending_mask;
};

struct signals *signals_new(const struct signals *from);	/* actions copied */
void signals_put(struct signals *s);
void signals_exec(struct task *t);		/* handlers to default */
void thread_signals_init(struct thread *t);
void thread_signals_end(struct thread *t);

/* Queues a signal and makes somebody look.  Generated job-control signals undo each other. */
int signal_send(struct task *t, const struct siginfo *info);	/* -EAGAIN: no memory */
int signal_send_thread(struct thread *t, const struct siginfo *info);
/* If the signal of POSIX timer `id` is still pending for the process or for th (may be NULL), that
 * one stands for n more expiries; false: it is not pending. */
bool signal_timer_again(struct task *t, struct thread *th, int id, int n);
void posix_timer_taken(struct task *t, const struct siginfo *info);	/* itimer.c: it was taken */
/* The caller itself, whatever it blocks or ignores: a blocked or ignored one kills. */
void signal_force(struct thread *t, const struct siginfo *info);
void signal_exception(unsigned vector, struct regs *r, struct fault f);
/* Takes the first pending one of `set`; false: none. */
bool signal_take(struct thread *t, uint64_t set, struct siginfo *info);
bool signal_pending(struct thread *t);		/* one that is not blocked */
bool signal_wakes(struct thread *t);		/* is to end a sleep */
void signal_mask_set(struct thread *t, uint64_t blocked);
uint64_t signal_pending_set(struct thread *t);
bool signal_default_ignored(int sig);

/* On the way out. */
void signal_deliver(struct regs *r);
void signal_restart(struct regs *r);		/* a call that returned ERESTARTSYS, no handler run */
void signal_stopped(void);			/* sleeps while the process is stopped */
/* Builds the frame for a handler; false: no room on the stack. */
bool sigframe_push(struct regs *r, const struct siginfo *info, const struct sigaction *a);

#endif
