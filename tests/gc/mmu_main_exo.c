/* The cases of the MMU interface, in a domain. */
#include "tests/gc/test_mmu.h"
#include "libos/gc-runtime/gc.h"

int gc_main(unsigned argc, const char *(*arg)(unsigned i))
{
	(void)argc, (void)arg;
	return test_mmu() != 0;
}
