/* The first domain, from the boot module `init`. */
#include "exo/arch/machine.h"
void init_create(void)
{
	panic("no init module");
}
