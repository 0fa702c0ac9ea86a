/* Numbers and structure layouts of Linux on x86-64 that the processes half uses: memory,
 * processes, signals, time.  Facts only; no behaviour.  Errors and files: linux_abi.h.
 */
#ifndef LINUX_PROCESS_H
#define LINUX_PROCESS_H

#include <stdint.h>

#define ELIBBAD		80
#define ERESTART_RESTARTBLOCK 516 /* the same, by restart_syscall */

/* ---- exceptions ------------------------------------------------------------ */

enum {
	VECTOR_DIVIDE = 0, VECTOR_DEBUG = 1, VECTOR_BREAKPOINT = 3, VECTOR_OVERFLOW = 4,
	VECTOR_BOUNDS = 5, VECTOR_OPCODE = 6, VECTOR_STACK = 12, VECTOR_PROTECTION = 13,
	VECTOR_PAGE = 14, VECTOR_X87 = 16, VECTOR_ALIGNMENT = 17, VECTOR_SIMD = 19,
};
#define FAULT_PRESENT	1u
#define FAULT_WRITE	2u
#define FAULT_FETCH	16u

/* ---- memory ----------------------------------------------------------------- */

#define USER_END	0x7ffffffff000ul

#define PROT_READ	1
#define PROT_WRITE	2
#define PROT_EXEC	4
#define PROT_GROWSDOWN	0x01000000
#define PROT_GROWSUP	0x02000000

#define MAP_SHARED	0x01
#define MAP_PRIVATE	0x02
#define MAP_SHARED_VALIDATE 0x03
#define MAP_TYPE	0x0f
#define MAP_FIXED	0x10
#define MAP_ANONYMOUS	0x20
#define MAP_32BIT	0x40
#define MAP_GROWSDOWN	0x0100
#define MAP_POPULATE	0x8000
#define MAP_LOCKED	0x2000
#define MAP_FIXED_NOREPLACE 0x100000

#define MREMAP_MAYMOVE	1
#define MREMAP_FIXED	2
#define MREMAP_DONTUNMAP 4

#define MS_ASYNC	1
#define MS_INVALIDATE	2
#define MS_SYNC		4

#define MADV_NORMAL	0
#define MADV_RANDOM	1
#define MADV_SEQUENTIAL	2
#define MADV_WILLNEED	3
#define MADV_DONTNEED	4
#define MADV_FREE	8
#define MADV_REMOVE	9
#define MADV_DONTFORK	10
#define MADV_DOFORK	11
#define MADV_MERGEABLE	12
#define MADV_UNMERGEABLE 13
#define MADV_HUGEPAGE	14
#define MADV_NOHUGEPAGE	15
#define MADV_DONTDUMP	16
#define MADV_DODUMP	17

/* ---- processes ---------------------------------------------------------------- */

#define CLONE_VM		0x00000100ul
#define CLONE_FS		0x00000200ul
#define CLONE_FILES		0x00000400ul
#define CLONE_SIGHAND		0x00000800ul
#define CLONE_PIDFD		0x00001000ul
#define CLONE_PTRACE		0x00002000ul
#define CLONE_VFORK		0x00004000ul
#define CLONE_PARENT		0x00008000ul
#define CLONE_THREAD		0x00010000ul
#define CLONE_NEWNS		0x00020000ul
#define CLONE_SYSVSEM		0x00040000ul
#define CLONE_SETTLS		0x00080000ul
#define CLONE_PARENT_SETTID	0x00100000ul
#define CLONE_CHILD_CLEARTID	0x00200000ul
#define CLONE_DETACHED		0x00400000ul
#define CLONE_UNTRACED		0x00800000ul
#define CLONE_CHILD_SETTID	0x01000000ul
#define CLONE_NEW_ANY		0x7e020000ul	/* namespaces: not offered */
#define CLONE_IO		0x80000000ul
#define CLONE_CLEAR_SIGHAND	0x100000000ul
#define CSIGNAL			0xfful

struct clone_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	uint64_t set_tid, set_tid_size, cgroup;
};

#define WNOHANG		1
#define WUNTRACED	2
#define WSTOPPED	2
#define WEXITED		4
#define WCONTINUED	8
#define WNOWAIT		0x01000000
#define __WNOTHREAD	0x20000000
#define __WALL		0x40000000
#define __WCLONE	0x80000000u
enum { P_ALL, P_PID, P_PGID, P_PIDFD };

#define ARCH_SET_GS	0x1001
#define ARCH_SET_FS	0x1002
#define ARCH_GET_FS	0x1003
#define ARCH_GET_GS	0x1004

enum {
	AT_NULL = 0, AT_PHDR = 3, AT_PHENT = 4, AT_PHNUM = 5, AT_PAGESZ = 6, AT_BASE = 7,
	AT_FLAGS = 8, AT_ENTRY = 9, AT_UID = 11, AT_EUID = 12, AT_GID = 13, AT_EGID = 14,
	AT_PLATFORM = 15, AT_HWCAP = 16, AT_CLKTCK = 17, AT_SECURE = 23, AT_RANDOM = 25,
	AT_HWCAP2 = 26, AT_EXECFN = 31, AT_MINSIGSTKSZ = 51,
};

struct timeval { int64_t sec, usec; };
struct rusage {
	struct timeval user, system;
	int64_t maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd,
		msgrcv, nsignals, nvcsw, nivcsw;
};
#define RUSAGE_SELF	0
#define RUSAGE_CHILDREN	(-1)
#define RUSAGE_THREAD	1

enum { RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_CORE, RLIMIT_RSS,
	RLIMIT_NPROC, RLIMIT_NOFILE, RLIMIT_MEMLOCK, RLIMIT_AS, RLIMIT_LOCKS, RLIMIT_SIGPENDING,
	RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_RTPRIO, RLIMIT_RTTIME, RLIMITS };
#define RLIM_INFINITY	(~0ul)

struct itimerval { struct timeval interval, value; };
enum { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF };
enum { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
	CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME,
	CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM, CLOCK_TAI = 11 };
#define TIMER_ABSTIME	1
#define TICKS		100		/* of times(), per second */

/* ---- signals ---------------------------------------------------------------------- */

enum {
	SIG_HUP = 1, SIG_INT, SIG_QUIT, SIG_ILL, SIG_TRAP, SIG_ABRT, SIG_BUS, SIG_FPE, SIG_KILL,
	SIG_USR1, SIG_SEGV, SIG_USR2, SIG_PIPE, SIG_ALRM, SIG_TERM, SIG_STKFLT, SIG_CHLD, SIG_CONT,
	SIG_STOP, SIG_TSTP, SIG_TTIN, SIG_TTOU, SIG_URG, SIG_XCPU, SIG_XFSZ, SIG_VTALRM, SIG_PROF,
	SIG_WINCH, SIG_IO, SIG_PWR, SIG_SYS, SIG_RTMIN = 32, SIG_MAX = 64,
};
#define SIG_DFL		0ul
#define SIG_IGN		1ul

#define SA_NOCLDSTOP	0x00000001ul
#define SA_NOCLDWAIT	0x00000002ul
#define SA_SIGINFO	0x00000004ul
#define SA_RESTORER	0x04000000ul
#define SA_ONSTACK	0x08000000ul
#define SA_RESTART	0x10000000ul
#define SA_NODEFER	0x40000000ul
#define SA_RESETHAND	0x80000000ul

enum { SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK };
#define SS_ONSTACK	1u
#define SS_DISABLE	2u
#define SS_AUTODISARM	(1u << 31)
#define MINSIGSTKSZ	2048

struct sigaction { uint64_t handler, flags, restorer, mask; };
struct sigaltstack { uint64_t sp; uint32_t flags, pad; uint64_t size; };

enum { SI_USER = 0, SI_KERNEL = 0x80, SI_QUEUE = -1, SI_TIMER = -2, SI_TKILL = -6 };
enum { SEGV_MAPERR = 1, SEGV_ACCERR, SEGV_PKUERR = 4, BUS_ADRALN = 1, BUS_ADRERR = 2, ILL_ILLOPN = 2,
	FPE_INTDIV = 1, FPE_INTOVF, FPE_FLTDIV, FPE_FLTOVF, FPE_FLTUND, FPE_FLTRES, FPE_FLTINV,
	TRAP_BRKPT = 1, TRAP_TRACE = 2 };
enum { CLD_EXITED = 1, CLD_KILLED, CLD_DUMPED, CLD_TRAPPED, CLD_STOPPED, CLD_CONTINUED };

struct siginfo {
	int32_t signo, errno_, code, pad;
	union {
		struct { int32_t pid; uint32_t uid; uint64_t value; } user;	/* kill, queue */
		struct { int32_t pid; uint32_t uid; int32_t status, pad; int64_t utime, stime; } child;
		struct { uint64_t addr; int16_t lsb; } fault;
		struct { int32_t id, overrun; uint64_t value; } timer;
		uint8_t raw[112];
	};
};
_Static_assert(sizeof(struct siginfo) == 128, "siginfo");

struct sigevent { uint64_t value; int32_t signo, notify, tid; int32_t pad[11]; };
enum { SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD, SIGEV_THREAD_ID = 4 };

struct sigcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip;
	uint64_t rflags;
	uint16_t cs, gs, fs, ss;
	uint64_t error, vector, oldmask, cr2, fpstate, reserved[8];
};
_Static_assert(sizeof(struct sigcontext) == 256, "sigcontext");
struct ucontext {
	uint64_t flags, link;
	struct sigaltstack stack;
	struct sigcontext mcontext;
	uint64_t sigmask;
};
#define UC_FP_XSTATE		1
#define UC_SIGCONTEXT_SS	2
#define UC_STRICT_RESTORE_SS	4
struct rt_sigframe { uint64_t restorer; struct ucontext uc; struct siginfo info; };
_Static_assert(sizeof(struct rt_sigframe) == 440, "rt_sigframe");

/* In the legacy image's software bytes, at 464. */
struct fpx_sw_bytes { uint32_t magic1, extended_size; uint64_t xfeatures; uint32_t xstate_size, pad[7]; };
#define FP_XSTATE_MAGIC1	0x46505853u
#define FP_XSTATE_MAGIC2	0x46505845u
#define FPX_SW_OFFSET		464

/* ---- futex -------------------------------------------------------------------------- */

enum { FUTEX_WAIT, FUTEX_WAKE, FUTEX_FD, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP,
	FUTEX_LOCK_PI, FUTEX_UNLOCK_PI, FUTEX_TRYLOCK_PI, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET };
#define FUTEX_PRIVATE_FLAG	128
#define FUTEX_CLOCK_REALTIME	256
#define FUTEX_WAITERS		0x80000000u
#define FUTEX_OWNER_DIED	0x40000000u
#define FUTEX_TID_MASK		0x3fffffffu

#endif
