/* The little of a C library that Debian's liblz4.a and liblzma.a link against beyond text.h: their
 * stack protector, and an allocator that the functions we call never call.
 */
#include "libos/vmm/load.h"

void *malloc(size_t n);
void *calloc(size_t n, size_t size);
void free(void *p);
_Noreturn void __stack_chk_fail(void);

void *malloc(size_t n)
{
	(void)n;
	return NULL;
}

void *calloc(size_t n, size_t size)
{
	(void)n;
	(void)size;
	return NULL;
}

void free(void *p) { (void)p; }

_Noreturn void __stack_chk_fail(void) { vm_end(VM_END_BUG, "a library's stack is damaged"); }

/* The protector reads %fs:0x28. */
void shim_init(void)
{
	static uint64_t thread[8] = { [5] = 0x9d3f5a7c12e4b600 };
	exo_segment_set(EXO_SEG_FS, (uint64_t)thread, 0);
}
