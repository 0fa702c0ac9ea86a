/* What the library needs to know of the program it is in, from an ordinary C library on Linux or on
 * something that looks like it: where the stack ends, where data lie, the environment.
 */
#define _GNU_SOURCE
#include "lib.h"
#include <link.h>
#include <stdlib.h>
#include <sys/auxv.h>

/* The kernel puts these 16 bytes above the first frame, among arguments and environment. */
void *sys_stack_bottom(void) { return (void *)(getauxval(AT_RANDOM) & ~15ul); }

static void (*tell)(void *from, void *to);

static int segments(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size, (void)arg;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		char *from = (char *)info->dlpi_addr + p->p_vaddr;
		if (p->p_type == PT_LOAD && p->p_flags & PF_W &&
		    roots_wanted(info->dlpi_name, from, p->p_memsz))
			tell(from, from + p->p_memsz);
	}
	return 0;
}

void sys_data_segments(void (*found)(void *from, void *to))
{
	tell = found;
	dl_iterate_phdr(segments, NULL);
}

const char *sys_variable(const char *name) { return getenv(name); }
