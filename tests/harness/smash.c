/*
 * Overwrites a word of the library operating system that it runs on (its address is the argument):
 * what a wild store of any program may do. Nothing is promised to such a session, but that it is
 * told of (tests/harness/badinput_test.py).
 */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	*(volatile uint64_t *)strtoull(argv[1], NULL, 16) = 8;
	return getppid() ? 0 : 1;
}
