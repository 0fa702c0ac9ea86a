/* How much of the time the program had: mutator utilisation, from the pauses of collections.
 *
 * For a window of a given width, the worst one counts: the least part of any stretch of that
 * length that was not a pause (Cheng, Blelloch, PLDI'01).  What the program waited for its own pages
 * is not in it: that is in the time of the run.
 */
#include "libos/gc-runtime/lab/lab.h"

static struct {
	uint32_t before[GC_PAUSES];	/* us paused before pause i began */
	uint64_t n, end;
} u;

/* Pauses that began before `time`. */
static uint64_t begun(uint64_t time)
{
	uint64_t low = 0, high = u.n;
	while (low < high) {
		uint64_t mid = (low + high) / 2;
		if (gc_stats.pause_at[mid] < time)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Paused until `time`, in us. */
static uint64_t paused(uint64_t time)
{
	uint64_t n = begun(time), in, lasts;
	if (!n--)
		return 0;
	in = time - gc_stats.pause_at[n];
	lasts = gc_stats.pause[n];
	return u.before[n] + (in < lasts ? in : lasts);
}

bool utilisation_take(uint64_t end)
{
	uint64_t sum = 0;
	u.end = end;
	if (gc_stats.pauses > GC_PAUSES)
		return false;
	for (u.n = 0; u.n < gc_stats.pauses; sum += gc_stats.pause[u.n++])
		u.before[u.n] = sum;
	return true;
}

/* The worst window begins with a pause or ends with one. */
unsigned utilisation(uint64_t window)
{
	uint64_t most = 0, run = u.end;
	if (!window || window > run)
		return 1000 - (run ? paused(run) * 1000 / run : 0);
	for (uint64_t i = 0; i < u.n; i++) {
		uint64_t at = gc_stats.pause_at[i], end = at + gc_stats.pause[i];
		uint64_t from = at + window <= run ? at : run - window;
		uint64_t first = paused(from + window) - paused(from);
		uint64_t second = end < window ? 0 : paused(end) - paused(end - window);
		most = first > most ? first : most;
		most = second > most ? second : most;
	}
	return 1000 - most * 1000 / window;
}
