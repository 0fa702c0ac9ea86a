/* The PC's battery-backed clock (Motorola MC146818A), read only. */
#include <stdbool.h>
#include "drivers/io.h"
#include "drivers/rtc.h"

#define INDEX		0x70
#define DATA		0x71
#define NO_NMI		0x80
#define REG_A		10		/* bit 7: an update is in progress */
#define REG_B		11		/* bit 2: binary, bit 1: 24 hours */
#define TRIES		10000u
enum { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, FIELDS };

static uint8_t cmos(uint8_t reg)
{
	outb(INDEX, reg | NO_NMI);
	return inb(DATA);
}

static void read_fields(uint8_t v[FIELDS])
{
	static const uint8_t regs[FIELDS] = { 0, 2, 4, 7, 8, 9 };
	for (unsigned i = 0; cmos(REG_A) & 0x80 && i < TRIES; i++)
		pause();
	for (unsigned i = 0; i < FIELDS; i++)
		v[i] = cmos(regs[i]);
}

/* Two readings that agree were not hit by an update. */
static bool read_stable(uint8_t v[FIELDS])
{
	uint8_t again[FIELDS];
	for (unsigned i = 0; i < 4; i++) {
		read_fields(v);
		read_fields(again);
		if (!__builtin_memcmp(v, again, FIELDS))
			return true;
	}
	return false;
}

static unsigned from_bcd(unsigned v, bool binary)
{
	return binary ? v : (v >> 4) * 10 + (v & 15);
}

/* Days since 1970 of a date in the Gregorian calendar; years begin in March here. */
static uint64_t days(unsigned y, unsigned m, unsigned d)
{
	y -= m <= 2;
	unsigned in_era = y % 400, in_year = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	return y / 400 * 146097ul + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

uint64_t rtc_read(void)
{
	uint8_t v[FIELDS];
	if (!read_stable(v))
		return 0;
	uint8_t format = cmos(REG_B);
	bool binary = format & 4, pm = v[HOUR] & 0x80;
	v[HOUR] &= 0x7f;
	for (unsigned i = 0; i < FIELDS; i++)
		v[i] = from_bcd(v[i], binary);
	if (!(format & 2))
		v[HOUR] = v[HOUR] % 12 + (pm ? 12 : 0);
	if (v[SECOND] > 59 || v[MINUTE] > 59 || v[HOUR] > 23 || v[DAY] - 1u > 30 ||
	    v[MONTH] - 1u > 11 || v[YEAR] > 99)
		return 0;
	return ((days(2000 + v[YEAR], v[MONTH], v[DAY]) * 24 + v[HOUR]) * 60 + v[MINUTE]) * 60 + v[SECOND];
}
