/* Time: the TSC, measured at boot against the HPET or the PIT; this CPU's one-shot timer;
 * the date from the RTC.  The clock page lets who holds a capability compute the same
 * nanoseconds without a call.
 */
#include "exo/arch/machine.h"
#include "drivers/hpet.h"
#include "drivers/pit.h"
#include "drivers/rtc.h"

#define NS		1000000000ul
#define WINDOW_NS	2000000ul	/* of one measurement */
#define ROUNDS		3u		/* the median counts */
#define TSC_MIN		50000000ul	/* Hz */
#define SHIFT		32u
#define MSR_DEADLINE	0x6e0u

static uint8_t page[PAGE] __attribute__((aligned(4096)));
static struct exo_clock_page *const clock_page = (struct exo_clock_page *)page;
static uint64_t tsc_base, mult, inverse;	/* the kernel's own copies; ns to ticks >> SHIFT */
static uint64_t apic_inverse;

static uint64_t scale(uint64_t v, uint64_t factor)
{
	return (unsigned __int128)v * factor >> SHIFT;
}

uint64_t arch_now(void)
{
	return scale(rdtsc() - tsc_base, mult);
}

/* (a << SHIFT) / b */
static uint64_t ratio(uint64_t a, uint64_t b)
{
	uint64_t q, high = a >> (64 - SHIFT);
	__asm__("divq %3" : "=a"(q), "+d"(high) : "a"(a << SHIFT), "r"(b));
	return q;
}

/* ---- measuring ----------------------------------------------------------------- */

static uint64_t median(const uint64_t v[ROUNDS])
{
	uint64_t low = v[0] < v[1] ? v[0] : v[1], high = v[0] < v[1] ? v[1] : v[0];
	return v[2] < low ? low : v[2] > high ? high : v[2];
}

/* Ticks a second of TSC and APIC timer. */
static void measure(bool by_hpet, uint64_t *tsc_hz, uint64_t *apic_hz)
{
	uint64_t tsc[ROUNDS], apic[ROUNDS];
	for (unsigned i = 0; i < ROUNDS; i++) {
		apic_timer_start(~0u);
		uint64_t start = rdtsc();
		uint64_t ns = by_hpet ? hpet_wait(WINDOW_NS) : pit_wait(WINDOW_NS);
		if (!ns)
			panic("no clock: the %s does not count", by_hpet ? "HPET" : "PIT");
		tsc[i] = (rdtsc() - start) * NS / ns;
		apic[i] = (~0u - apic_timer_count()) * NS / ns;
		apic_timer_start(0);
	}
	*tsc_hz = median(tsc);
	*apic_hz = median(apic);
}

/* ---- the clock ----------------------------------------------------------------------- */

void clock_init(void)
{
	uint64_t tsc_hz, apic_hz, seconds = rtc_read();
	bool by_hpet = acpi.hpet && hpet_start(device_map(acpi.hpet, PAGE));
	measure(by_hpet, &tsc_hz, &apic_hz);
	if (tsc_hz < TSC_MIN || !apic_hz)	/* so slow: what it was measured by does not wait */
		panic("no clock: %s", apic_hz ? by_hpet ? "TSC or HPET do not count" :
			"TSC or PIT do not count" : "the APIC timer does not count");
	tsc_base = rdtsc();
	mult = ratio(NS, tsc_hz);
	inverse = ratio(tsc_hz, NS);
	apic_inverse = ratio(apic_hz, NS);
	*clock_page = (struct exo_clock_page){
		.tsc_base = tsc_base, .mult = mult, .shift = SHIFT,
		.tsc_khz = tsc_hz / 1000, .wall_base = seconds * NS,
	};
	log_print("clock: TSC %lu kHz by %s, timer %s%s\n", tsc_hz / 1000, by_hpet ? "HPET" : "PIT",
		cpu_has_tsc_deadline ? "TSC deadline" : "APIC", seconds ? "" : ", no date");
}

void clock_publish(void)
{
	clock_page->cpus = cpu_count;
	export_add("clock", image_phys(page), PAGE);
}

static uint64_t fires[CPUS_MAX];	/* for when APIC timers are set; 0: they are not */

void timer_fired(void) { fires[this_cpu()->number] = 0; }

/* A timer that is due fires at once; one that is too far away fires early, and is set anew.  So an APIC
 * timer that fires earlier than it has to is left alone: to set it costs more than to be interrupted. */
void arch_timer_arm(uint64_t when)
{
	uint64_t now, count, *at = &fires[this_cpu()->number];

	if (cpu_has_tsc_deadline) {
		wrmsr(MSR_DEADLINE, when == ~0ul ? 0 : tsc_base + scale(when, inverse) + 1);
		return;
	}
	if (when == ~0ul || (*at && when >= *at))
		return;
	*at = when;
	now = arch_now();
	count = when > now ? scale(when - now, apic_inverse) + 1 : 1;
	apic_timer_start(count < ~0u ? count : ~0u);
}

void wait_us(unsigned us)
{
	uint64_t end = arch_now() + us * 1000ul;
	while (arch_now() < end)
		pause();
}
