/* Runs the unit tests, each on a fresh machine; `host-core NAME` runs one, `host-core -x` stops
 * at the first that fails. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/host/test.h"

static struct test *tests;

void test_add(struct test *t)
{
	struct test **at = &tests;

	while (*at)
		at = &(*at)->next;
	*at = t;
}

static int run(const struct test *t, unsigned seed)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		model_boot(seed);
		actors_begin();
		t->run();
		audit();
		fflush(stdout);
		exit(0);	/* flushes coverage counts */
	}
	waitpid(child, &status, 0);
	if (status == 0)
		printf("ok host-core %s\n", t->name);
	else
		printf("FAIL host-core %s: status %x (repeat: host-core %s)\n", t->name, status, t->name);
	return status != 0;
}

int main(int argc, char **argv)
{
	bool stop = argc > 1 && !strcmp(argv[1], "-x");
	int failed = 0;

	for (struct test *t = tests; t && !(stop && failed); t = t->next)
		if (argc < 2 || stop || !strcmp(argv[1], t->name))
			failed += run(t, 1);
	return failed != 0;
}
