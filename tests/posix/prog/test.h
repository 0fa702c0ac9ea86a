/*
 * What the test programs share: every line they print must be the same on any Linux-compatible
 * system, so results are printed with errno names, and never with addresses, ids or times.
 */
#ifndef POSIX_TEST_H
#define POSIX_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BAD bad_address()
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Prints an expression and its value: a number, or -1 and the error's text. */
#define SHOW(call) show(#call, (long)(call))
/* The same where only success or the error counts: the value itself varies. */
#define CHECK(call) show_ok(#call, (long)(call))
/* A condition that must hold. */
#define TRUE(condition) printf("%s: %s\n", #condition, (condition) ? "yes" : "NO")

/* Lines leave at once, so that a crash shows how far the program came. */
__attribute__((constructor)) static inline void lines_leave(void)
{
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
}

/* An address that nobody may have mapped; the compiler must not see that it is bad. */
static inline void *bad_address(void)
{
	void *p;

	__asm__("" : "=r"(p) : "0"(8l));
	return p;
}

static inline void show(const char *text, long value)
{
	int error = errno;

	if (value == -1)
		printf("%s = -1 %s\n", text, strerror(error));
	else
		printf("%s = %ld\n", text, value);
	errno = 0;
}

static inline void show_ok(const char *text, long value)
{
	int error = errno;

	printf("%s: %s\n", text, value == -1 ? strerror(error) : "ok");
	errno = 0;
}

static inline void show_status(const char *text, int status)
{
	if (WIFEXITED(status))
		printf("%s: exited %d\n", text, WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		printf("%s: killed by %s\n", text, strsignal(WTERMSIG(status)));
	else if (WIFSTOPPED(status))
		printf("%s: stopped by %s\n", text, strsignal(WSTOPSIG(status)));
	else if (WIFCONTINUED(status))
		printf("%s: continued\n", text);
}

/* Forks with nothing left in stdio's buffer, which the child would print again. */
static inline pid_t fork_clean(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		exit(1);
	}
	return pid;
}

/* Runs a function in a child and prints how it ended. */
static inline void in_child(const char *text, void (*f)(void))
{
	int status = 0;
	pid_t pid = fork_clean();

	if (pid == 0) {
		f();
		fflush(NULL);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	show_status(text, status);
}

static inline void nap_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

/* Until a child that this process doesn't wait for sleeps: ten seconds, at most. */
static inline void until_asleep(pid_t pid)
{
	char path[64], state = 0;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	for (int n = 0; n < 1000 && state != 'S'; n++) {
		FILE *f = fopen(path, "r");

		if (f && fscanf(f, "%*d %*s %c", &state) != 1)
			state = 0;
		if (f)
			fclose(f);
		nap_ms(10);
	}
}

static inline int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

static inline void *pages_map(size_t count, int prot)
{
	void *p = mmap(NULL, count * 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

#endif
