/* Flushes that a libOS asks for.  Those that protection needs are by stamp, in frame.c.
 */
#include "core.h"
#include "context.h"

#define PAGES_MAX	64u	/* beyond, flushing everything is cheaper */

uint64_t flush_check(uint64_t flags, uint64_t va, uint64_t pages, unsigned at_flags, unsigned at_va)
{
	uint64_t who = flags & (EXO_FLUSH_LOCAL | EXO_FLUSH_ALL);

	if (flags & ~(uint64_t)(EXO_FLUSH_LOCAL | EXO_FLUSH_ALL | EXO_FLUSH_VA) ||
	    (flags & EXO_FLUSH_VA && !who))
		return FAIL(ARG, at_flags);
	if (flags & EXO_FLUSH_VA && (pages > BUDGET || !user_range_ok(va, pages * EXO_PAGE_SIZE)))
		return FAIL(ARG, at_va);
	return EXO_OK;
}

void flush_do(const struct domain *d, uint64_t flags, uint64_t va, uint64_t pages)
{
	uint64_t cpus = 0;

	if (flags & EXO_FLUSH_ALL)
		cpus = contexts_cpus(d);
	else if (flags & EXO_FLUSH_LOCAL)
		cpus = 1ul << this_cpu()->number;
	if (!(flags & EXO_FLUSH_VA) || pages > PAGES_MAX)
		va = pages = 0;
	if (cpus)
		arch_flush(cpus, va, pages);
}
