/* The guest's clock and timers.
 *
 * System time is the kernel's: nanoseconds since boot.  A guest computes it from the TSC by
 * vcpu_info.time, which is filled once: the kernel's clock runs at one rate.
 */
#include "libos/vmm/run.h"

#define SPAN_SHIFT	40		/* TSC ticks that the rate is taken over */

static uint64_t tsc_now(void)
{
	uint32_t lo, hi;
	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

/* ns = (ticks << shift) * mul >> 32, mul in [2^31, 2^32). */
void time_start(volatile struct xen_vcpu_info *info)
{
	uint64_t tsc = tsc_now(), now = time_of_tsc(tsc);
	uint64_t mul = (time_of_tsc(tsc + (1ul << SPAN_SHIFT)) - now) >> (SPAN_SHIFT - 32);
	int8_t shift = 0;
	for (; mul >> 32; mul >>= 1)
		shift++;
	for (; mul && !(mul >> 31); mul <<= 1)
		shift--;
	struct xen_time_info t = { .version = 2, .tsc_timestamp = tsc, .system_time = now,
		.tsc_to_system_mul = mul, .tsc_shift = shift, .flags = XEN_TIME_STABLE };
	memcpy((void *)&info->time, &t, sizeof t);
}

/* Of the moment when system time was 0. */
void wallclock_start(void)
{
	uint64_t wall = time_wall(), now = time_now(), boot = wall > now ? wall - now : 0;
	vm.shared->wc_sec = boot / NS_PER_SEC;
	vm.shared->wc_sec_hi = boot / NS_PER_SEC >> 32;
	vm.shared->wc_nsec = boot % NS_PER_SEC;
	vm.shared->wc_version = 2;
}

/* The nearer of the two. */
void timer_arm(struct vcpu *v)
{
	uint64_t when = v->deadline;
	if (v->period && !v->tick)
		v->tick = time_now() + v->period;
	if (v->period && (!when || v->tick < when))
		when = v->tick;
	exo_timer_set(when ? when : EXO_FOREVER);
}

void timer_fired(struct vcpu *v)
{
	uint64_t now = time_now();
	bool due = false;
	if (v->deadline && v->deadline <= now) {
		v->deadline = 0;
		due = true;
	}
	if (v->period && v->tick <= now) {
		v->tick = now + v->period;
		due = true;
	}
	if (due)
		virq_raise(v, XEN_VIRQ_TIMER);
	if (v->deadline || v->period)
		timer_arm(v);
}

int64_t call_set_timer_op(struct vcpu *v, const uint64_t a[6])
{
	v->deadline = a[0];
	timer_arm(v);
	return 0;
}
