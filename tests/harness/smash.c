/*
 * Overwrites words of the library operating system that it runs on (the arguments are addresses):
 * what a wild store of any program may do. Nothing is promised to such a session, but that it is
 * told of (tests/harness/badinput_test.py).
 */
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	volatile uint64_t *at[8];

	for (int i = 1; i < argc && i <= 8; i++)
		at[i - 1] = (volatile uint64_t *)strtoull(argv[i], NULL, 16);
	/* Again and again: another CPU, in the midst of its own change of a word, may put it right. */
	for (int n = 0; n < 1000; n++) {
		for (int i = 1; i < argc && i <= 8; i++)
			*at[i - 1] = 8;
		sched_yield();
	}
	return 0;
}
