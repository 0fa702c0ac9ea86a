/* NAME: say here what it does, and what it leaves to others.
 *
 * A program of the libOS `bare`: it runs in a domain of its own, owns its frames and page tables,
 * and links libos/common.  libos/common/common.h lists what there is; apps/hello shows how to
 * serve page faults and use the timer.
 */
#include "libos/common/common.h"

VIRTUE_NOTE("bare");

int main(struct exo_start *start)
{
	if (!proxy_attach(start))
		log_line("NAME: started without a session");
	proxy_printf(1, "NAME:");
	for (unsigned i = 1; i < proxy_argc(); i++)
		proxy_printf(1, " %s", proxy_arg(i));
	proxy_printf(1, "\n");
	proxy_exit(0);
}
