/* The beginning of a program of the GC runtime, in a domain of its own: frames, proxy, clock, and a
 * stack that a recursive program can use.
 */
#include "libos/common/common.h"
#include "libos/gc-runtime/gc.h"
#include "libos/gc-runtime/port_exo.h"

VIRTUE_NOTE("gc-runtime");

#define STACK	(1ul << 20)

static _Noreturn void begin(void)
{
	proxy_exit(gc_main(proxy_argc(), proxy_arg));
}

int main(struct exo_start *start)
{
	uint8_t *stack = port_begin(start, STACK);
	__asm__ volatile("mov %0, %%rsp; xor %%ebp, %%ebp; call *%1; ud2" : :
		"r"(stack), "r"(begin) : "memory");
	__builtin_unreachable();
}
