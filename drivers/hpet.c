/* The high precision event timer (IA-PC HPET 1.0a): only its main counter, of which the low half
 * is enough. */
#include "drivers/io.h"
#include "drivers/hpet.h"

enum { PERIOD = 1, CONFIG = 4, COUNTER = 60 };	/* 32-bit registers */
#define PERIOD_MIN	100000u			/* femtoseconds */
#define PERIOD_MAX	100000000u
#define ENABLE		1u
#define SPINS_MAX	100000000u

static volatile uint32_t *hpet;

bool hpet_start(volatile uint32_t *registers)
{
	hpet = registers;
	if (hpet[PERIOD] < PERIOD_MIN || hpet[PERIOD] > PERIOD_MAX)
		return false;
	hpet[CONFIG] |= ENABLE;
	return true;
}

uint64_t hpet_wait(uint64_t ns)
{
	uint32_t start = hpet[COUNTER], ticks = ns * 1000000 / hpet[PERIOD], passed = 0;
	for (unsigned i = 0; passed < ticks; i++) {
		if (i == SPINS_MAX)
			return 0;
		pause();
		passed = hpet[COUNTER] - start;
	}
	return (uint64_t)passed * hpet[PERIOD] / 1000000;
}
