/* Runs the unit tests, each in a process of its own; `host-posix NAME` runs one. */
#include "tests/host/posix/shim.h"

static struct test *tests;

void test_add(struct test *t)
{
	struct test **at = &tests;

	while (*at)
		at = &(*at)->next;
	*at = t;
}

int main(int argc, char **argv)
{
	bool ok = true;

	for (struct test *t = tests; t; t = t->next)
		if (argc < 2 || !strcmp(argv[1], t->name))
			ok = test_run(t) && ok;
	return !ok;
}
