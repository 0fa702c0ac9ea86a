/* strace CMD [ARG...]: shows the system calls of a command and its children on standard error.
 *
 * The libOS does the work (libos/posix/strace.c): this program asks for it by a private call, and
 * becomes the command.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SYS_TRACE_ME 511	/* libos/posix/layout.h */

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "-f")) {	/* children are always shown */
		argv++;
		argc--;
	}
	if (argc < 2) {
		fprintf(stderr, "usage: strace [-f] CMD [ARG...]\n");
		return 2;
	}
	if (syscall(SYS_TRACE_ME, 1) < 0) {
		perror("strace");
		return 1;
	}
	execvp(argv[1], argv + 1);
	fprintf(stderr, "strace: %s: %s\n", argv[1], strerror(errno));
	return errno == ENOENT ? 127 : 126;
}
