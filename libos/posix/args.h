/* Arguments and environment of a program, and the stack it starts with (args.c). */
#ifndef POSIX_ARGS_H
#define POSIX_ARGS_H

#include "libos/posix/mm.h"

#define ARG_STRING_MAX	(128ul << 10)	/* one string, as in Linux */

/* Strings, each with its NUL, back to back in pages.  `front` holds what `#!` lines put before
 * the rest, latest first; the first `skip` strings of the rest are dropped. */
struct args {
	const char *name;		/* of the file that was asked for: AT_EXECFN, comm */
	char **page;
	size_t pages, room;
	size_t bytes;			/* used in the pages */
	size_t arg_bytes;		/* of them, arguments */
	unsigned argc, envc;
	size_t skip_bytes;		/* length of the dropped argv[0] */
	bool skipped;
	char *front;			/* strings back to back */
	size_t front_bytes;
	unsigned front_count;
};
/* What the new program's registers and auxiliary vector need. */
struct start_regs {
	uint64_t rip, rsp;
	uint64_t program_entry, headers, header_count, interpreter;
};

long args_from_user(struct args *a, uint64_t argv, uint64_t envp);
long args_from_kernel(struct args *a, const char *const *argv, const char *const *envp);
/* argv[0] is replaced by: interpreter, argument (may be NULL), the script's path. */
long args_script(struct args *a, const char *script, const char *interpreter, const char *argument);
const char *args_interpreter(const struct args *a);
void args_free(struct args *a);
/* Maps the stack and writes it; mm's root is loaded. */
long args_stack(struct mm *mm, struct args *a, struct start_regs *s, bool executable);

#endif
