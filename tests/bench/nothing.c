/* The smallest program of the libOS `bare`: what a domain costs that does nothing. */
#include "libos/common/common.h"

VIRTUE_NOTE("bare");

int main(struct exo_start *start)
{
	(void)start;
	return 0;
}
