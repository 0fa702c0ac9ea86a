/* lwIP's clocks: when each entry of its table of what is to be called again and again is due.
 *
 * lwIP's own timers are pieces of memory, taken anew each time, and it has no answer when there
 * is none: whoever used all memory up would end the session.  These take none.  Left to others:
 * when to look (stack_timers).
 */
#include "libos/posix/net/endpoint.h"
#include "lwip/sys.h"
#include "lwip/timeouts.h"

#define CLOCKS_MAX	16

static struct clock { bool runs; uint32_t due; } clocks[CLOCKS_MAX];

static int count(void)
{
	if (lwip_num_cyclic_timers > CLOCKS_MAX)
		stack_panic("more clocks than there is room for");
	return lwip_num_cyclic_timers;
}

/* TCP's rests while there is no connection. */
static bool needed(const struct lwip_cyclic_timer *t)
{
	return t->handler != tcp_tmr || tcp_active_pcbs || tcp_tw_pcbs;
}

static bool is_due(const struct clock *c, uint32_t now)
{
	return c->runs && (int32_t)(now - c->due) >= 0;
}

/* The moments are an interval apart; those that have passed meanwhile are left out. */
void clocks_run(void)
{
	uint32_t now = sys_now();

	for (int i = 0; i < count(); i++) {
		if (!is_due(&clocks[i], now))
			continue;
		lwip_cyclic_timers[i].handler();
		clocks[i].due += lwip_cyclic_timers[i].interval_ms;
		if (is_due(&clocks[i], sys_now()))
			clocks[i].due = sys_now() + lwip_cyclic_timers[i].interval_ms;
	}
}

uint32_t clocks_next(void)
{
	uint32_t next = ~0u, now = sys_now();

	for (int i = 0; i < count(); i++) {
		bool run = needed(&lwip_cyclic_timers[i]);
		if (run && !clocks[i].runs)
			clocks[i].due = now + lwip_cyclic_timers[i].interval_ms;
		clocks[i].runs = run;
		uint32_t left = is_due(&clocks[i], now) ? 0 : clocks[i].due - now;
		if (run && left < next)
			next = left;
	}
	return next;
}
