/*
 * A process turns all memory into page tables, and ends: it is memory for others again.
 *
 * Another one uses up all that is left, and keeps it: the others go on with what needs none.
 * They sleep, many of them at once; signals reach them; connections, and what the stack does from
 * time to time, are still there afterwards.  Run in a machine of its own, with little memory.
 */
#include "test.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>

#define SLEEPERS	600
#define WAITERS		100		/* for a signal */
#define LEFT		(2 * 4096ul)

static void verdict(const char *name, int ok)
{
	printf(ok ? "ok %s\n" : "FAIL %s: see tests/posix/scarce\n", name);
}

static void connect_self(int end[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	bind(listener, (struct sockaddr *)&at, size);
	listen(listener, 1);
	getsockname(listener, (struct sockaddr *)&at, &size);
	end[0] = socket(AF_INET, SOCK_STREAM, 0);
	connect(end[0], (struct sockaddr *)&at, size);
	end[1] = accept(listener, NULL, NULL);
}

/* Sleeps when the pipe's other end is closed. */
static pid_t sleeper(const int start[2])
{
	pid_t pid = fork_clean();
	char c;

	if (pid)
		return pid;
	close(start[1]);
	nap_ms(1);		/* its stack is its own from here on */
	read(start[0], &c, 1);
	nap_ms(700);
	_exit(0);
}

static pid_t waiter(void)
{
	pid_t pid = fork_clean();

	if (pid)
		return pid;
	nap_ms(1);
	for (;;)
		pause();
}

static size_t memory_left(void)
{
	struct sysinfo info;

	sysinfo(&info);
	return info.freeram * info.mem_unit;
}

/* Reads pages that lie so far apart that each needs a page table of its own, until it is killed. */
static void tables_all(void)
{
	size_t size = 1ul << 40;
	pid_t pid = fork_clean();

	if (!pid) {
		volatile char *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
					-1, 0);
		for (size_t at = 0; at < size; at += 2 << 20)
			p[at];
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

/* Takes a frame for each page and nothing else: its page tables are there before.  Says that it has
 * it all, and keeps it until it is killed. */
static pid_t hog(volatile int *go, volatile int *full, const int start[2])
{
	size_t size = 1ul << 30;
	pid_t pid = fork_clean();
	volatile char *p;

	if (pid)
		return pid;
	close(start[1]);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t at = 0; at < size; at += 2 << 20)
		p[at];
	while (!*go)
		nap_ms(1);
	for (size_t at = 0; at < size && memory_left() >= LEFT; at += 4096)
		p[at] = 1;
	*full = 1;
	for (;;)
		pause();
}

/* How many of them SIGTERM ends, within ten seconds; the others are ended. */
static int signals_reach(pid_t *waits)
{
	int reached = 0, status;

	for (int i = 0; i < WAITERS; i++)
		kill(waits[i], SIGTERM);
	for (int n = 0; n < 1000 && reached < WAITERS; n++) {
		nap_ms(10);
		for (int i = 0; i < WAITERS; i++)
			if (waits[i] && waitpid(waits[i], &status, WNOHANG) == waits[i]) {
				reached += WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
				waits[i] = 0;
			}
	}
	for (int i = 0; i < WAITERS; i++)
		if (waits[i]) {
			kill(waits[i], SIGKILL);
			waitpid(waits[i], &status, 0);
		}
	return reached;
}

int main(void)
{
	int start[2], end[2], reached, asleep = 0, status;
	volatile int *flag = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	size_t before = memory_left();
	pid_t glutton, waits[WAITERS];
	char c;

	tables_all();
	verdict("scarce_tables", memory_left() > before / 8 * 7);
	flag[0] = flag[1] = 0;
	connect_self(end);
	pipe(start);
	for (int i = 0; i < SLEEPERS; i++)
		sleeper(start);
	for (int i = 0; i < WAITERS; i++)
		waits[i] = waiter();
	nap_ms(200);
	glutton = hog(&flag[0], &flag[1], start);
	nap_ms(1);
	flag[0] = 1;
	while (!flag[1] && !waitpid(glutton, NULL, WNOHANG))
		nap_ms(10);
	close(start[1]);
	nap_ms(300);		/* whoever ends gives memory back */
	reached = signals_reach(waits);
	nap_ms(1200);		/* what the stack does from time to time */
	kill(glutton, SIGKILL);
	verdict("scarce_full", flag[1]);
	verdict("scarce_signals", reached == WAITERS);
	for (int i = 0; i < SLEEPERS; i++)
		asleep += waitpid(-1, &status, 0) > 0 && WIFEXITED(status);
	verdict("scarce_sleep", asleep >= SLEEPERS - 1);	/* one may be the glutton */
	verdict("scarce_network", write(end[0], "y", 1) == 1 && read(end[1], &c, 1) == 1 && c == 'y');
	return 0;
}
