/* The PC's interval timer (Intel 8254): only channel 2, whose gate and output are at the port of
 * the speaker, and that needs no interrupt. */
#include "drivers/io.h"
#include "drivers/pit.h"

#define HZ		1193182ul
#define CHANNEL_2	0x42
#define MODE		0x43
#define MODE_ONCE	0xb0		/* channel 2, both bytes, mode 0 */
#define SPEAKER		0x61
#define GATE		0x01
#define OUTPUT		0x20
#define SPINS_MAX	100000000u

uint64_t pit_wait(uint64_t ns)
{
	uint32_t count = HZ * ns / 1000000000;
	outb(SPEAKER, (inb(SPEAKER) & 0xfc) | GATE);
	outb(MODE, MODE_ONCE);
	outb(CHANNEL_2, count & 0xff);
	outb(CHANNEL_2, count >> 8);
	for (unsigned i = 0; i < SPINS_MAX; i++) {
		if (inb(SPEAKER) & OUTPUT)
			return ns;
		pause();
	}
	return 0;
}
