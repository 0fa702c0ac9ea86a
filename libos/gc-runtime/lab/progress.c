/* How far a run is: a line on the error stream about every two seconds, so that results stay what
 * they are.
 *
 * Benchmarks say where they are as often as they like; the clock is read a few times in that stretch
 * only.  While a collection pages, nobody says anything: so it is read, too, when pages come and go.
 */
#include "libos/gc-runtime/lab/lab.h"
#include "libos/gc-runtime/paging.h"
#include "libos/gc-runtime/port.h"

#define EVERY		2000000000ul	/* ns */
#define OFTEN		10000000ul	/* looks at the clock lie farther apart than this */
#define SELDOM		100000000ul	/* and less far than this, */
#define CALLS_MAX	4096u		/* unless there are so many calls in between */

uint32_t progress_calls = 1;
static uint32_t calls = 1;
static uint64_t last_done, last_all = 1, looked, said;
static void (*also)(void);

static void say(uint64_t now)
{
	if (now - said < EVERY)
		return;
	said = now;
	port_note("gclab: %s %lu %%, %lu s, %lu collections%s, %lu MiB written, %lu MiB read\n",
		lab.bench->name, last_done * 100 / last_all, (now - gc_stats.start) / 1000000000,
		gc_stats.pauses, paging.collecting ? " and one under way" : "", gc_stats.written >> 8,
		(gc_stats.loads_mutator + gc_stats.loads_collector) >> 8);
}

void progress_look(uint64_t done, uint64_t all)
{
	progress_calls = ~0u;
	if (lab.quiet)
		return;
	uint64_t now = port_time(), since = now - looked;
	if (since < OFTEN && calls < CALLS_MAX)
		calls *= 2;
	else if (since > SELDOM && calls > 1)
		calls /= 2;
	progress_calls = calls;
	looked = now;
	last_done = done;
	last_all = all;
	say(now);
}

static void observe(void)
{
	if (also)
		also();
	if (!lab.quiet)
		say(port_time());
}

void progress_start(void (*more)(void))
{
	also = more;
	said = looked = gc_stats.start;
	if (more || !lab.quiet)
		paging.observe = observe;
}
