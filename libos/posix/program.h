/* ELF programs as execve reads them: from a file piece by piece, checked before anything is
 * believed.  Hardware-free (program.c). */
#ifndef POSIX_PROGRAM_H
#define POSIX_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRAM_HEADERS	128		/* more are refused */
#define PROGRAM_HEAD	256		/* bytes of the file that exec looks at first */

enum { PT_NULL, PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE, PT_SHLIB, PT_PHDR, PT_TLS };
#define PT_GNU_STACK	0x6474e551u
#define PF_X		1u
#define PF_W		2u
#define PF_R		4u

struct program_header {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, file_size, size, align;
};
struct program {
	bool pie;
	uint64_t entry, headers_offset;
	unsigned count;
	struct program_header header[PROGRAM_HEADERS];
	uint64_t lo, hi;		/* page-aligned span of the segments */
	uint64_t align;			/* largest of theirs */
	uint64_t headers;		/* address of the program headers, 0 = not mapped */
	uint64_t interp, interp_size;	/* PT_INTERP in the file; size 0 = none */
	bool exec_stack;
};

/* The first bytes of a file: 0, or -ENOEXEC.  *table: where the program headers are. */
int program_head(const void *head, uint64_t n, struct program *p, uint64_t *table, uint64_t *bytes);
/* Checks the headers that were read into p->header: 0, -ENOEXEC or -EINVAL. */
int program_check(struct program *p, uint64_t file_size);

#endif
