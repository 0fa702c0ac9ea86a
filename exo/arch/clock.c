/* Time: the TSC, measured at boot against the HPET or the PIT; this CPU's one-shot timer;
 * the date from the RTC.  The clock page lets who holds a capability compute the same
 * nanoseconds without a call.
 */
#include "exo/arch/machine.h"

#define NS		1000000000ul
#define WINDOW_NS	5000000ul	/* of one measurement */
#define ROUNDS		3u		/* the median counts */
#define SHIFT		32u
#define PIT_HZ		1193182ul
#define SPINS_MAX	100000000ul
#define MSR_DEADLINE	0x6e0u

static uint8_t page[PAGE] __attribute__((aligned(4096)));
static struct exo_clock_page *const clock_page = (struct exo_clock_page *)page;
static uint64_t tsc_base, mult, inverse;	/* the kernel's own copies; ns to ticks >> SHIFT */
static uint64_t apic_inverse;
static volatile uint32_t *hpet;
static uint64_t hpet_fs;		/* femtoseconds a tick */

uint64_t clock_ns(uint64_t tsc)
{
	return (unsigned __int128)(tsc - tsc_base) * mult >> SHIFT;
}

uint64_t arch_now(void)
{
	return clock_ns(rdtsc());
}

static uint64_t scale(uint64_t v, uint64_t factor)
{
	return (unsigned __int128)v * factor >> SHIFT;
}

/* (a << SHIFT) / b */
static uint64_t ratio(uint64_t a, uint64_t b)
{
	uint64_t q, high = a >> (64 - SHIFT);
	__asm__("divq %3" : "=a"(q), "+d"(high) : "a"(a << SHIFT), "r"(b));
	return q;
}

/* ---- measuring ----------------------------------------------------------------- */

#define HPET_PERIOD	1		/* registers, in words */
#define HPET_CONFIG	4
#define HPET_COUNTER	60

static bool hpet_start(void)
{
	if (!acpi.hpet)
		return false;
	hpet = device_map(acpi.hpet, PAGE);
	hpet_fs = hpet[HPET_PERIOD];
	if (hpet_fs < 100000 || hpet_fs > 100000000) {
		log_print("clock: the HPET's period is out of range\n");
		return false;
	}
	hpet[HPET_CONFIG] |= 1;
	return true;
}

static bool hpet_window(void)
{
	uint32_t start = hpet[HPET_COUNTER], ticks = WINDOW_NS * 1000000 / hpet_fs;
	for (uint64_t i = 0; i < SPINS_MAX; i++) {
		if (hpet[HPET_COUNTER] - start >= ticks)
			return true;
		pause();
	}
	return false;
}

/* Channel 2 counts down once; its output is bit 5 of port 0x61. */
static bool pit_window(void)
{
	uint32_t count = PIT_HZ * WINDOW_NS / NS;
	uint8_t gate = inb(0x61) & 0xfc;
	outb(0x61, gate | 1);
	outb(0x43, 0xb0);
	outb(0x42, count & 0xff);
	outb(0x42, count >> 8);
	for (uint64_t i = 0; i < SPINS_MAX; i++) {
		if (inb(0x61) & 0x20)
			return true;
		pause();
	}
	return false;
}

static uint64_t median(const uint64_t v[ROUNDS])
{
	uint64_t low = v[0] < v[1] ? v[0] : v[1], high = v[0] < v[1] ? v[1] : v[0];
	return v[2] < low ? low : v[2] > high ? high : v[2];
}

/* Ticks a second of TSC and APIC timer. */
static void measure(bool (*window)(void), uint64_t *tsc_hz, uint64_t *apic_hz)
{
	uint64_t tsc[ROUNDS], apic[ROUNDS];
	for (unsigned i = 0; i < ROUNDS; i++) {
		apic_timer_start(~0u);
		uint64_t start = rdtsc();
		if (!window())
			panic("no clock: the %s does not count", window == hpet_window ? "HPET" : "PIT");
		tsc[i] = rdtsc() - start;
		apic[i] = ~0u - apic_timer_count();
		apic_timer_start(0);
	}
	*tsc_hz = median(tsc) * (NS / WINDOW_NS);
	*apic_hz = median(apic) * (NS / WINDOW_NS);
}

/* ---- the date ---------------------------------------------------------------------- */

static uint8_t cmos(uint8_t reg)
{
	outb(0x70, reg | 0x80);
	return inb(0x71);
}

static unsigned from_bcd(unsigned v, bool binary)
{
	return binary ? v : (v >> 4) * 10 + (v & 15);
}

/* Days since 1970 of a date in the Gregorian calendar. */
static uint64_t days(unsigned y, unsigned m, unsigned d)
{
	y -= m <= 2;
	unsigned era_year = y % 400, year_day = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return y / 400 * 146097ul + era_year * 365 + era_year / 4 - era_year / 100 + year_day - 719468;
}

/* Unix time in seconds; 0: the clock gives no sense.  Reads between two updates. */
static uint64_t rtc_read(void)
{
	static const uint8_t regs[6] = { 0, 2, 4, 7, 8, 9 };
	unsigned v[6], again[6], tries;
	for (tries = 0; tries < 10000; tries++) {
		while (cmos(10) & 0x80 && tries++ < 10000)
			pause();
		for (unsigned i = 0; i < 6; i++)
			v[i] = cmos(regs[i]);
		for (unsigned i = 0; i < 6; i++)
			again[i] = cmos(regs[i]);
		if (!__builtin_memcmp(v, again, sizeof v))
			break;
	}
	bool binary = cmos(11) & 4, h24 = cmos(11) & 2, pm = v[2] & 0x80;
	v[2] &= 0x7f;
	for (unsigned i = 0; i < 6; i++)
		v[i] = from_bcd(v[i], binary);
	if (!h24)
		v[2] = v[2] % 12 + (pm ? 12 : 0);
	if (v[0] > 59 || v[1] > 59 || v[2] > 23 || v[3] - 1 > 30 || v[4] - 1 > 11 || v[5] > 99)
		return 0;
	return ((days(2000 + v[5], v[4], v[3]) * 24 + v[2]) * 60 + v[1]) * 60 + v[0];
}

/* ---- the clock ----------------------------------------------------------------------- */

void clock_init(void)
{
	uint64_t tsc_hz, apic_hz, seconds = rtc_read();
	bool by_hpet = hpet_start();
	measure(by_hpet ? hpet_window : pit_window, &tsc_hz, &apic_hz);
	if (!tsc_hz || !apic_hz)
		panic("no clock: the %s does not count", tsc_hz ? "APIC timer" : "TSC");
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

/* A timer that is due fires at once; one that is too far away fires early, and is set anew. */
void arch_timer_arm(uint64_t when)
{
	if (cpu_has_tsc_deadline) {
		wrmsr(MSR_DEADLINE, when == ~0ul ? 0 : tsc_base + scale(when, inverse) + 1);
		return;
	}
	if (when == ~0ul) {
		apic_timer_start(0);
		return;
	}
	uint64_t now = arch_now(), count = when > now ? scale(when - now, apic_inverse) + 1 : 1;
	apic_timer_start(count < ~0u ? count : ~0u);
}

void wait_us(unsigned us)
{
	uint64_t end = arch_now() + us * 1000ul;
	while (arch_now() < end)
		pause();
}
