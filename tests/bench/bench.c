/*
 * Micro-benchmarks of a POSIX system: one static program, the same file on every system.
 *
 *	bench [-r ROUNDS] [-s SCALE] [NAME...]
 *
 * prints for each benchmark one line: name, iterations a round, nanoseconds an operation
 * (lower quartile, median, upper quartile of the rounds), time-stamp counts an operation
 * (median). Under QEMU's `-icount shift=0` the counter counts guest instructions, so the last
 * column is then the instructions of one operation, on every layer below included.
 *
 * What is measured is the system: the timed loops hold raw system calls only, no libc. Left to
 * others: running it on several systems in turn and comparing (tests/bench/run).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define FAULT_PAGES 256
#define TRAP_PAGES 64
#define ROUNDS_MAX 101

static long raw6(long n, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static inline long raw(long n, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(n), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return ret;
}

static void die(const char *what)
{
	dprintf(2, "bench: %s: %s\n", what, strerror(errno));
	_exit(1);
}

/* A raw call that must not fail: a benchmark of errors would be a lie. */
static inline long must(long ret, const char *what)
{
	if (ret < 0) {
		errno = -ret;
		die(what);
	}
	return ret;
}

static inline uint64_t counter(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static uint64_t nanoseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* ---- the benchmarks: each carries out `n` operations --------------------- */

static char byte[1];
static int loop_pipe[2], ping[2], pong[2], zero_fd, null_fd;
static pid_t partner;

static void null_call(long n)
{
	while (n--)
		raw(SYS_getppid, 0, 0, 0);
}

static void write_null(long n)
{
	while (n--)
		must(raw(SYS_write, null_fd, (long)byte, 1), "write /dev/null");
}

static void read_zero(long n)
{
	while (n--)
		must(raw(SYS_read, zero_fd, (long)byte, 1), "read /dev/zero");
}

static void pipe_setup(void)
{
	if (pipe(loop_pipe) < 0)
		die("pipe");
}

/* One byte into a pipe and out again, in one process: two calls, no switch. */
static void pipe_byte(long n)
{
	while (n--) {
		must(raw(SYS_write, loop_pipe[1], (long)byte, 1), "write");
		must(raw(SYS_read, loop_pipe[0], (long)byte, 1), "read");
	}
}

static void ping_pong_setup(void)
{
	if (pipe(ping) < 0 || pipe(pong) < 0 || (partner = fork()) < 0)
		die("ping-pong");
	if (partner)
		return;
	close(ping[1]);
	while (raw(SYS_read, ping[0], (long)byte, 1) == 1)
		raw(SYS_write, pong[1], (long)byte, 1);
	_exit(0);
}

/* There and back: two switches between processes. */
static void ping_pong(long n)
{
	while (n--) {
		must(raw(SYS_write, ping[1], (long)byte, 1), "write");
		must(raw(SYS_read, pong[0], (long)byte, 1), "read");
	}
}

static void ping_pong_end(void)
{
	close(ping[1]);
	waitpid(partner, NULL, 0);
	close(ping[0]);
	close(pong[0]);
	close(pong[1]);
}

static void pipe_end(void)
{
	close(loop_pipe[0]);
	close(loop_pipe[1]);
}

static char bulk[65536];

/* The partner takes what it gets until the end of file. */
static void bulk_setup(void)
{
	if (pipe(ping) < 0 || (partner = fork()) < 0)
		die("bulk");
	if (partner)
		return;
	close(ping[1]);
	while (raw(SYS_read, ping[0], (long)bulk, sizeof bulk) > 0)
		;
	_exit(0);
}

/* 64 KiB through a pipe to another process. */
static void pipe_bulk(long n)
{
	while (n--)
		if (must(raw(SYS_write, ping[1], (long)bulk, sizeof bulk), "write") !=
		    sizeof bulk)
			die("short write");
}

static void bulk_end(void)
{
	close(ping[1]);
	close(ping[0]);
	waitpid(partner, NULL, 0);
}

static void child_wait(long pid)
{
	int status = -1;

	must(pid, "fork");
	must(raw6(SYS_wait4, pid, (long)&status, 0, 0, 0, 0), "wait4");
	if (status)
		die("child failed");
}

static void fork_exit(long n)
{
	while (n--) {
		long pid = raw(SYS_fork, 0, 0, 0);

		if (pid == 0)
			raw(SYS_exit_group, 0, 0, 0);
		child_wait(pid);
	}
}

static char self_path[256] = "/proc/self/exe";

static void fork_exec(long n)
{
	static char *argv[] = { "bench", "--exit", NULL }, *envp[] = { NULL };

	while (n--) {
		long pid = raw(SYS_fork, 0, 0, 0);

		if (pid == 0) {
			raw(SYS_execve, (long)self_path, (long)argv, (long)envp);
			raw(SYS_exit_group, 1, 0, 0);
		}
		child_wait(pid);
	}
}

/* The first write to an anonymous page: fault, allocation, zeroing. mmap, munmap excluded. */
static char *fault_area;

static void fault_before(long n)
{
	fault_area = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	if (fault_area == MAP_FAILED)
		die("mmap");
	madvise(fault_area, n * PAGE, MADV_NOHUGEPAGE);
}

static void page_fault(long n)
{
	for (long i = 0; i < n; i++)
		*(volatile char *)(fault_area + i * PAGE) = 1;
}

static void fault_after(long n)
{
	munmap(fault_area, n * PAGE);
}

static void map_unmap(long n)
{
	while (n--) {
		long p = must(raw6(SYS_mmap, 0, 16 * PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "mmap");

		*(volatile char *)p = 1;
		must(raw(SYS_munmap, p, 16 * PAGE, 0), "munmap");
	}
}

static char trap_area[(TRAP_PAGES + 1) * PAGE] __attribute__((aligned(4096)));

static void protect_before(long n)
{
	(void)n;
	memset(trap_area, 1, sizeof trap_area);
}

/* A present page made read-only and writable again: one operation is both. */
static void protect(long n)
{
	long page = (long)trap_area;

	while (n--) {
		must(raw(SYS_mprotect, page, PAGE, PROT_READ), "mprotect");
		must(raw(SYS_mprotect, page, PAGE, PROT_READ | PROT_WRITE), "mprotect");
	}
}

static void *volatile next_victim; /* volatile: stored before the write that traps */

/* Unprotects the page that trapped and protects another one (Appel and Li, "prot1+trap"). */
static void trap_handler(int sig, siginfo_t *info, void *context)
{
	long page = (long)info->si_addr & -PAGE;

	(void)sig;
	(void)context;
	raw(SYS_mprotect, page, PAGE, PROT_READ | PROT_WRITE);
	raw(SYS_mprotect, (long)next_victim, PAGE, PROT_READ);
}

static void trap_setup(void)
{
	struct sigaction sa = { .sa_sigaction = trap_handler, .sa_flags = SA_SIGINFO };

	if (sigaction(SIGSEGV, &sa, NULL) < 0)
		die("sigaction");
}

static void trap_before(long n)
{
	(void)n;
	memset(trap_area, 1, sizeof trap_area);
	if (mprotect(trap_area, PAGE, PROT_READ) < 0)
		die("mprotect");
}

/* Write to a protected page; the handler unprotects it and protects the next (appel1). */
static void protect_trap(long n)
{
	for (long i = 0; i < n; i++) {
		char *page = trap_area + i % TRAP_PAGES * PAGE;

		next_victim = trap_area + (i + 1) % TRAP_PAGES * PAGE;
		*(volatile char *)page = 1;
	}
}

static void trap_after(long n)
{
	(void)n;
	if (mprotect(trap_area, sizeof trap_area, PROT_READ | PROT_WRITE) < 0)
		die("mprotect");
}

static void trap_end(void)
{
	signal(SIGSEGV, SIG_DFL);
}

static volatile long caught;

static void count_signal(int sig)
{
	(void)sig;
	caught++;
}

static void signal_setup(void)
{
	if (signal(SIGUSR1, count_signal) == SIG_ERR)
		die("signal");
}

/* A signal to oneself, handled and returned from. */
static void signal_self(long n)
{
	long pid = getpid(), before = caught, sent = n;

	while (n--)
		raw(SYS_kill, pid, SIGUSR1, 0);
	if (caught - before != sent)
		die("lost signal");
}

static void open_close(long n)
{
	while (n--) {
		long fd = must(raw(SYS_open, (long)"/etc/passwd", O_RDONLY, 0), "open");

		raw(SYS_close, fd, 0, 0);
	}
}

/* ---- running them -------------------------------------------------------- */

struct benchmark {
	const char *name;
	long count; /* operations a round */
	void (*run)(long n);
	void (*setup)(void); /* once */
	void (*before)(long n); /* each round, not timed */
	void (*after)(long n);
	void (*end)(void);
};

static const struct benchmark table[] = {
	{ "null", 20000, null_call, NULL, NULL, NULL, NULL },
	{ "write-null", 10000, write_null, NULL, NULL, NULL, NULL },
	{ "read-zero", 10000, read_zero, NULL, NULL, NULL, NULL },
	{ "open-close", 1000, open_close, NULL, NULL, NULL, NULL },
	{ "pipe", 5000, pipe_byte, pipe_setup, NULL, NULL, pipe_end },
	{ "ping-pong", 1000, ping_pong, ping_pong_setup, NULL, NULL, ping_pong_end },
	{ "pipe-64k", 100, pipe_bulk, bulk_setup, NULL, NULL, bulk_end },
	{ "fork-exit", 50, fork_exit, NULL, NULL, NULL, NULL },
	{ "fork-exec", 30, fork_exec, NULL, NULL, NULL, NULL },
	{ "fault", FAULT_PAGES, page_fault, NULL, fault_before, fault_after, NULL },
	{ "mmap", 1000, map_unmap, NULL, NULL, NULL, NULL },
	{ "mprotect", 1000, protect, NULL, protect_before, NULL, NULL },
	{ "prot-trap", 1000, protect_trap, trap_setup, trap_before, trap_after, trap_end },
	{ "signal", 2000, signal_self, signal_setup, NULL, NULL, NULL },
};

struct sample {
	double ns, ticks;
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct sample round_run(const struct benchmark *b, long n)
{
	uint64_t t0, t1, c0, c1;

	if (b->before)
		b->before(n);
	t0 = nanoseconds();
	c0 = counter();
	b->run(n);
	c1 = counter();
	t1 = nanoseconds();
	if (b->after)
		b->after(n);
	return (struct sample){ (double)(t1 - t0) / n, (double)(c1 - c0) / n };
}

static void benchmark_run(const struct benchmark *b, int rounds, double scale)
{
	double ns[ROUNDS_MAX], ticks[ROUNDS_MAX];
	long n = b->count * scale;

	if (n < 1)
		n = 1;
	if (b->setup)
		b->setup();
	round_run(b, n); /* the first round warms up and is thrown away */
	for (int i = 0; i < rounds; i++) {
		struct sample s = round_run(b, n);

		ns[i] = s.ns;
		ticks[i] = s.ticks;
	}
	if (b->end)
		b->end();
	qsort(ns, rounds, sizeof *ns, compare);
	qsort(ticks, rounds, sizeof *ticks, compare);
	printf("%-12s %7ld %11.1f %11.1f %11.1f %11.1f\n", b->name, n, ns[rounds / 4],
	       ns[rounds / 2], ns[rounds * 3 / 4], ticks[rounds / 2]);
	fflush(stdout);
}

static int wanted(const char *name, char **names)
{
	if (!*names)
		return 1;
	for (; *names; names++)
		if (!strcmp(*names, name))
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	int rounds = 9, option;
	double scale = 1;

	if (argc == 2 && !strcmp(argv[1], "--exit"))
		_exit(0);
	while ((option = getopt(argc, argv, "r:s:p:")) != -1) {
		if (option == 'r')
			rounds = atoi(optarg);
		else if (option == 's')
			scale = atof(optarg);
		else if (option == 'p')
			snprintf(self_path, sizeof self_path, "%s", optarg);
		else
			return 2;
	}
	if (rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	zero_fd = open("/dev/zero", O_RDONLY);
	null_fd = open("/dev/null", O_WRONLY);
	if (zero_fd < 0 || null_fd < 0)
		die("/dev/zero, /dev/null");
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (wanted(table[i].name, argv + optind))
			benchmark_run(&table[i], rounds, scale);
	return 0;
}
