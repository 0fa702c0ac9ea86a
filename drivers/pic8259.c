/* The PC's old pair of interrupt controllers (Intel 8259A): only silenced, as IOAPICs take their
 * place. */
#include "drivers/io.h"
#include "drivers/pic8259.h"

#define MASTER		0x20
#define SLAVE		0xa0
#define ALL_MASKED	0xff

/* Initialisation words 1-4: cascaded, vectors, which line the slave is on, 8086 mode. */
static void start(uint16_t base, uint8_t vector, uint8_t cascade)
{
	outb(base, 0x11);
	outb(base + 1, vector);
	outb(base + 1, cascade);
	outb(base + 1, 0x01);
	outb(base + 1, ALL_MASKED);
}

void pic_silence(void)
{
	start(MASTER, 0x20, 4);
	start(SLAVE, 0x28, 2);
}
