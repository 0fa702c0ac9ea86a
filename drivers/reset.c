/* A reset of the whole machine: by the reset register of PCI chipsets, else by the keyboard
 * controller (Intel 8042), which has a line for it. */
#include "drivers/io.h"
#include "drivers/reset.h"

#define CHIPSET		0xcf9
#define KEYBOARD	0x64
#define PULSE_RESET	0xfe
#define MOMENT		100000u		/* port reads, of about a microsecond each on old buses */

static void wait(void)
{
	for (unsigned i = 0; i < MOMENT; i++)
		inb(KEYBOARD);
}

void machine_reset(void)
{
	outb(CHIPSET, 0x02);		/* a hard one ... */
	outb(CHIPSET, 0x06);		/* ... now */
	wait();
	outb(KEYBOARD, PULSE_RESET);
	wait();
}
