/* domain: what it costs to create, run and destroy a domain, from a process of the POSIX session
 * through /dev/domain.  Prints a line as bench.c does; the counterpart on Linux is fork-exec.
 *
 * usage: bench-domain [ROUNDS [COUNT]]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "libos/common/domain_dev.h"

#define ROUNDS_MAX	64
#define QUOTA		(256u << 10)

static int image;
static union { struct domain_message head; char bytes[DOMAIN_MESSAGE_MAX]; } in;

static void die(const char *what)
{
	fprintf(stderr, "bench-domain: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void domain_once(void)
{
	static char name[] = "nothing";
	struct domain_start start = { .image = image, .memory = QUOTA, .strings = (uintptr_t)name,
		.strings_size = sizeof name, .argc = 1 };
	int device = open("/dev/domain", O_RDWR | O_CLOEXEC);
	if (device < 0)
		die("/dev/domain");
	if (ioctl(device, DOMAIN_START, &start) < 0)
		die(start.error[0] ? start.error : "start");
	do {
		if (read(device, in.bytes, sizeof in.bytes) < (long)sizeof in.head)
			die("message");
	} while (in.head.type != DOMAIN_EXIT);
	if (in.head.value)
		die("the domain's status is not 0");
	close(device);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 5, count = argc > 2 ? atoi(argv[2]) : 20;
	double ns[ROUNDS_MAX], ticks[ROUNDS_MAX];
	if (rounds < 1 || rounds > ROUNDS_MAX || count < 1)
		return 2;
	image = open("/bin/nothing", O_RDONLY | O_CLOEXEC);
	if (image < 0)
		die("/bin/nothing");
	domain_once();		/* warms up */
	for (int i = 0; i < rounds; i++) {
		double t0 = now();
		unsigned long c0 = __builtin_ia32_rdtsc();
		for (int j = 0; j < count; j++)
			domain_once();
		ticks[i] = (double)(__builtin_ia32_rdtsc() - c0) / count;
		ns[i] = (now() - t0) / count;
	}
	qsort(ns, rounds, sizeof *ns, compare);
	qsort(ticks, rounds, sizeof *ticks, compare);
	printf("%-12s %7d %11.1f %11.1f %11.1f %11.1f\n", "domain", count, ns[rounds / 4], ns[rounds / 2],
		ns[rounds * 3 / 4], ticks[rounds / 2]);
	return 0;
}
