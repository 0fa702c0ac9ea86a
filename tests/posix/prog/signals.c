/* Signals: actions and their flags, masks, waiting, restarting, queues, faults, contexts. */
#include "test.h"
#include <poll.h>
#include <setjmp.h>
#include <sys/resource.h>
#include <ucontext.h>

static volatile int hits, depth, deepest;
static siginfo_t last;

static void count(int sig)
{
	(void)sig;
	hits++;
}

static void record(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	hits++;
	last = *info;
}

static void action_set(int sig, void (*f)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = f, .sa_flags = SA_SIGINFO | flags };

	sigaction(sig, &sa, NULL);
}

static void nest(int sig, siginfo_t *info, void *context)
{
	(void)info;
	(void)context;
	if (++depth > deepest)
		deepest = depth;
	if (hits++ < 3)
		raise(sig);
	depth--;
}

static void flags(void)
{
	struct sigaction sa;

	action_set(SIGUSR1, nest, 0);
	hits = deepest = 0;
	raise(SIGUSR1);
	printf("masked while handled: %d hits, %d deep\n", hits, deepest);
	action_set(SIGUSR1, nest, SA_NODEFER);
	hits = deepest = 0;
	raise(SIGUSR1);
	printf("SA_NODEFER: %d hits, %d deep\n", hits, deepest);
	action_set(SIGUSR1, record, SA_RESETHAND);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &sa);
	printf("SA_RESETHAND: default again %d, flags %x\n", sa.sa_handler == SIG_DFL,
	       (unsigned)sa.sa_flags & ~0x04000000);
	SHOW(sigaction(SIGKILL, &sa, NULL));
	SHOW(sigaction(SIGSTOP, &sa, NULL));
	SHOW(sigaction(SIGKILL, NULL, &sa));
	SHOW(syscall(SYS_rt_sigaction, 0, NULL, NULL, 8));
	SHOW(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8));
	SHOW(syscall(SYS_rt_sigaction, 64, NULL, NULL, 8));
	SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
	SHOW(syscall(SYS_rt_sigaction, SIGUSR1, BAD, NULL, 8));
}

static void origins(void)
{
	union sigval value = { .sival_int = 77 };

	action_set(SIGUSR2, record, 0);
	kill(getpid(), SIGUSR2);
	printf("kill: code %d, from me %d %d\n", last.si_code, last.si_pid == getpid(), last.si_uid);
	raise(SIGUSR2);
	printf("raise: code %d\n", last.si_code);
	sigqueue(getpid(), SIGUSR2, value);
	printf("sigqueue: code %d value %d\n", last.si_code, last.si_value.sival_int);
	action_set(SIGCHLD, record, 0);
	hits = 0;
	if (fork_clean() == 0)
		_exit(3);
	while (!hits)
		nap_ms(5);
	printf("child: code %d status %d\n", last.si_code == CLD_EXITED, last.si_status);
	wait(NULL);
	hits = 0;
	if (fork_clean() == 0)
		raise(SIGKILL);
	while (!hits)
		nap_ms(5);
	printf("child: code %d status %d\n", last.si_code == CLD_KILLED, last.si_status);
	wait(NULL);
	signal(SIGCHLD, SIG_DFL);
}

static void masks(void)
{
	sigset_t set, old, pending;
	union sigval v;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	SHOW(sigprocmask(SIG_BLOCK, &set, &old));
	action_set(SIGUSR1, record, 0);
	action_set(SIGRTMIN, record, 0);
	hits = 0;
	for (v.sival_int = 1; v.sival_int <= 3; v.sival_int++) {
		sigqueue(getpid(), SIGUSR1, v);
		sigqueue(getpid(), SIGRTMIN, v);
	}
	sigpending(&pending);
	printf("pending %d %d, hits %d\n", sigismember(&pending, SIGUSR1),
	       sigismember(&pending, SIGRTMIN), hits);
	sigprocmask(SIG_SETMASK, &old, NULL);
	printf("after: hits %d, last value %d\n", hits, last.si_value.sival_int);
	SHOW(sigprocmask(99, &set, NULL));
	SHOW(sigprocmask(99, NULL, &old));
	sigfillset(&set);
	SHOW(sigprocmask(SIG_SETMASK, &set, &old));
	sigprocmask(SIG_SETMASK, &old, &set);
	printf("KILL blocked %d STOP %d TERM %d\n", sigismember(&set, SIGKILL),
	       sigismember(&set, SIGSTOP), sigismember(&set, SIGTERM));
}

static void later(int sig, int ms)
{
	pid_t parent = getpid();

	if (fork_clean() == 0) {
		nap_ms(ms);
		kill(parent, sig);
		_exit(0);
	}
}

static void waiting(void)
{
	struct timespec short_time = { 0, 50000000 }, zero = { 0 };
	sigset_t set, old, empty;
	siginfo_t info;
	int sig;

	sigemptyset(&empty);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, &old);
	hits = 0;
	later(SIGUSR1, 100);
	SHOW(sigsuspend(&empty));
	printf("hits %d\n", hits);
	wait(NULL);
	SHOW(sigtimedwait(&set, &info, &zero));
	SHOW(sigtimedwait(&set, &info, &short_time));
	later(SIGUSR2, 100);
	SHOW(sigwaitinfo(&set, &info));
	printf("code %d, hits %d\n", info.si_code, hits);
	wait(NULL);
	raise(SIGUSR1);
	SHOW(sigwait(&set, &sig));
	SHOW(sig);
	sigprocmask(SIG_SETMASK, &old, NULL);
	action_set(SIGUSR1, record, 0);
	later(SIGUSR1, 100);
	SHOW(pause());
	wait(NULL);
}

static void interrupted(const char *text, int flag, long (*call)(void))
{
	long value;
	int error;

	action_set(SIGUSR1, record, flag);
	hits = 0;
	later(SIGUSR1, 100);
	errno = 0;
	value = call();
	error = errno;
	printf("%s: %ld %s, hits %d\n", text, value, value < 0 ? strerror(error) : "", hits);
	while (wait(NULL) > 0)
		;
}

static int channel[2];

/* Well behind the signal of interrupted(), on a host with pauses too. */
#define AFTER_MS	600

static void byte_later(void)
{
	if (fork_clean() == 0) {
		nap_ms(AFTER_MS);
		write(channel[1], "x", 1);
		_exit(0);
	}
}

static long do_read(void)
{
	char c;

	byte_later();
	return read(channel[0], &c, 1);
}

static long do_poll(void)
{
	struct pollfd f = { channel[0], POLLIN, 0 };

	return poll(&f, 1, 3000);
}

static long do_nap(void)
{
	struct timespec t = { 3, 0 }, rest = { 0 };
	long r = nanosleep(&t, &rest);

	if (r < 0 && (rest.tv_sec < 0 || rest.tv_sec >= 3 || !(rest.tv_sec | rest.tv_nsec)))
		printf("remaining time is wrong\n");
	return r;
}

static long do_wait(void)
{
	pid_t pid = fork_clean();

	if (!pid) {
		nap_ms(AFTER_MS);
		_exit(0);
	}
	return waitpid(pid, NULL, 0) > 0 ? 1 : -1;
}

/* What was written before the signal counts: it is returned, not restarted. */
static long do_write(void)
{
	static char big[200000];
	pid_t pid = fork_clean();

	if (!pid) {
		nap_ms(AFTER_MS);
		read(channel[0], big, sizeof big);
		_exit(0);
	}
	return write(channel[1], big, sizeof big);
}

static void restarts(void)
{
	char c;

	pipe(channel);
	interrupted("read", 0, do_read);
	read(channel[0], &c, 1);
	interrupted("read, SA_RESTART", SA_RESTART, do_read);
	interrupted("poll", SA_RESTART, do_poll);
	interrupted("nanosleep", SA_RESTART, do_nap);
	interrupted("wait", 0, do_wait);
	interrupted("wait, SA_RESTART", SA_RESTART, do_wait);
	interrupted("write, SA_RESTART", SA_RESTART, do_write);
}

static sigjmp_buf back;
static volatile int fault_code, fault_sig;
static void *volatile fault_address;

static void fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	fault_sig = sig;
	fault_code = info->si_code;
	fault_address = info->si_addr;
	siglongjmp(back, 1);
}

#define FAULT(text, address, statement) \
	do { \
		if (!sigsetjmp(back, 1)) { \
			statement; \
			printf("%s: no fault\n", text); \
		} else { \
			printf("%s: %s code %d address right %d\n", text, strsignal(fault_sig), \
			       fault_code, fault_address == (void *)(address)); \
		} \
	} while (0)

static void faults(void)
{
	char *p = pages_map(3, PROT_READ), *volatile q = BAD;
	volatile int zero = 0, one = 1, sink;
	int fd = open("short", O_RDWR | O_CREAT, 0600);

	for (int sig = 1; sig < 32; sig++)
		if (sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL || sig == SIGTRAP)
			action_set(sig, fault, 0);
	FAULT("read unmapped", 8, sink = *q);
	FAULT("write unmapped", 8, *q = 1);
	FAULT("write read-only", p + 5, p[5] = 1);
	mprotect(p + 4096, 4096, PROT_NONE);
	FAULT("read no access", p + 4100, sink = p[4100]);
	FAULT("execute data", p, ((void (*)(void))(uintptr_t)p)());
	munmap(p + 8192, 4096);
	FAULT("read after munmap", p + 8192, sink = p[8192]);
	FAULT("not canonical", 0, sink = *(volatile char *)0x8000000000000000);
	FAULT("kernel address", 0xffffffff81000000, sink = *(volatile char *)0xffffffff81000000);
	FAULT("divide", fault_address, sink = one / zero);
	FAULT("undefined", fault_address, __asm__ volatile("ud2"));
	FAULT("privileged", 0, __asm__ volatile("hlt"));
	FAULT("breakpoint", 0, __asm__ volatile("int3"));
	FAULT("int 0x42", 0, __asm__ volatile("int $0x42"));
	FAULT("port", 0, __asm__ volatile("outb %%al, $0x80" : : "a"(0)));
	q = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	FAULT("beyond end of file", q, sink = *q);
	FAULT("null call", 0, ((void (*)(void))(uintptr_t)zero)());
	(void)sink;
	close(fd);
	for (int sig = 1; sig < 32; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_DFL);
}

static char other_stack[65536];
static volatile int on_other;

static void where(int sig)
{
	char local;

	(void)sig;
	on_other = &local >= other_stack && &local < other_stack + sizeof other_stack;
	hits++;
}

static volatile int overflow_depth;

static int overflow(int n)
{
	volatile char room[1024];

	overflow_depth = n;
	room[0] = n;
	return n < 0 ? 0 : overflow(n + 1) + room[0];
}

static void overflow_caught(int sig, siginfo_t *info, void *context)
{
	(void)context;
	printf("stack overflow: %s code %d, deep %d\n", strsignal(sig), info->si_code,
	       overflow_depth > 100);
	fflush(stdout);
	_exit(0);
}

static void overflow_child(void)
{
	struct rlimit small = { 256 << 10, RLIM_INFINITY };

	setrlimit(RLIMIT_STACK, &small);
	action_set(SIGSEGV, overflow_caught, SA_ONSTACK);
	overflow(0);
}

static void alternate_stack(void)
{
	struct sigaction sa = { .sa_handler = where, .sa_flags = SA_ONSTACK };
	stack_t s = { .ss_sp = other_stack, .ss_size = sizeof other_stack }, old;

	SHOW(sigaltstack(NULL, &old));
	printf("disabled %d\n", old.ss_flags == SS_DISABLE);
	SHOW(sigaltstack(&s, NULL));
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	printf("on it %d\n", on_other);
	sa.sa_flags = 0;
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	printf("without the flag %d\n", on_other);
	s.ss_size = 100;
	SHOW(syscall(SYS_sigaltstack, &s, NULL));
	in_child("overflow", overflow_child);
	s.ss_flags = 99;
	SHOW(syscall(SYS_sigaltstack, &s, NULL));
	s.ss_flags = SS_DISABLE;
	SHOW(sigaltstack(&s, NULL));
}

static volatile int stepped;

static void edit_context(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)info;
	printf("rax %llx rbx %llx r15 %llx\n", uc->uc_mcontext.gregs[REG_RAX],
	       uc->uc_mcontext.gregs[REG_RBX], uc->uc_mcontext.gregs[REG_R15]);
	printf("trap %lld error %llx cr2 %llx\n", uc->uc_mcontext.gregs[REG_TRAPNO],
	       uc->uc_mcontext.gregs[REG_ERR], uc->uc_mcontext.gregs[REG_CR2]);
	uc->uc_mcontext.gregs[REG_RIP] += 2;
	uc->uc_mcontext.gregs[REG_RBX] = 0x5555;
	sigaddset(&uc->uc_sigmask, SIGUSR2);
}

static void contexts(void)
{
	unsigned long b = 0x1234;
	sigset_t set;

	action_set(SIGSEGV, edit_context, 0);
	__asm__ volatile("mov $0x7777, %%r15d; mov $16, %%eax; mov (%%rax), %%al"
			 : "+b"(b)
			 :
			 : "rax", "r15", "memory");
	printf("rbx from handler %lx\n", b);
	sigprocmask(SIG_BLOCK, NULL, &set);
	printf("mask from handler %d\n", sigismember(&set, SIGUSR2));
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGSEGV, SIG_DFL);
}

static void order(int sig)
{
	printf("%d ", sig == SIGRTMIN ? 100 : sig);
	fflush(stdout);
}

static void delivery_order(void)
{
	int list[] = { SIGTERM, SIGUSR2, SIGHUP, SIGRTMIN, SIGUSR1 };
	struct sigaction sa = { .sa_handler = order };
	sigset_t all, old;

	sigfillset(&all);
	sa.sa_mask = all;
	sigprocmask(SIG_SETMASK, &all, &old);
	for (size_t i = 0; i < COUNT(list); i++) {
		sigaction(list[i], &sa, NULL);
		raise(list[i]);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	printf("\n");
}

static void ignored_children(void)
{
	struct sigaction sa = { .sa_handler = SIG_IGN };

	sigaction(SIGCHLD, &sa, NULL);
	if (fork_clean() == 0)
		_exit(1);
	SHOW(wait(NULL));
	sa.sa_handler = SIG_DFL;
	sa.sa_flags = SA_NOCLDWAIT;
	sigaction(SIGCHLD, &sa, NULL);
	if (fork_clean() == 0)
		_exit(1);
	SHOW(wait(NULL));
	signal(SIGCHLD, SIG_DFL);
}

static void blocked_fault(void)
{
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	action_set(SIGSEGV, record, 0);
	*(volatile char *)BAD = 1;
}

int main(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	flags();
	origins();
	masks();
	waiting();
	restarts();
	faults();
	alternate_stack();
	contexts();
	delivery_order();
	ignored_children();
	in_child("fault while blocked", blocked_fault);
	signal(SIGUSR1, count);
	return 0;
}
