/* The beginning of a program of the GC runtime, in a domain of its own: frames, proxy, clock, and a
 * stack that a recursive program can use.
 */
#include "libos/common/common.h"
#include "libos/gc-runtime/gc.h"
#include "libos/gc-runtime/port.h"

VIRTUE_NOTE("gc-runtime");

#define STACK	(1ul << 20)

static _Noreturn void begin(void)
{
	proxy_exit(gc_main(proxy_argc(), proxy_arg));
}

int main(struct exo_start *start)
{
	bool proxy = proxy_attach(start);
	uint64_t status = frames_init(start, true);
	if (!proxy)
		log_line("gc-runtime: started without a session");
	if (status)
		port_fail("gc: no memory: %s\n", exo_status_text(status));
	if (time_init(start, 0))
		port_fail("gc: no clock\n");
	uint8_t *stack = port_memory(STACK);
	if (!stack)
		port_fail("gc: no memory for a stack\n");
	__asm__ volatile("mov %0, %%rsp; xor %%ebp, %%ebp; call *%1; ud2" : :
		"r"(stack + STACK), "r"(begin) : "memory");
	__builtin_unreachable();
}
