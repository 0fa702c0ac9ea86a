/* The 16550 serial port (National Semiconductor PC16550D), output only, polled: for the
 * kernel's log.  The session's port is driven by its libOS. */
#include "drivers/io.h"
#include "drivers/uart16550.h"

enum { DATA = 0, IER = 1, FCR = 2, LCR = 3, MCR = 4, LSR = 5, SCRATCH = 7 };
#define LCR_8N1		0x03
#define LCR_DLAB	0x80
#define FCR_ON_RESET	0x07
#define MCR_DTR_RTS	0x03
#define LSR_THR_EMPTY	0x20
#define DIVISOR_115200	1
#define TRIES		100000		/* a port read takes about a microsecond; a byte 87 */

bool uart_init(uint16_t base)
{
	outb(base + SCRATCH, 0x5a);
	if (inb(base + SCRATCH) != 0x5a)
		return false;
	outb(base + IER, 0);
	outb(base + LCR, LCR_DLAB);
	outb(base + DATA, DIVISOR_115200);
	outb(base + IER, 0);
	outb(base + LCR, LCR_8N1);
	outb(base + FCR, FCR_ON_RESET);
	outb(base + MCR, MCR_DTR_RTS);
	return true;
}

bool uart_put(uint16_t base, char c)
{
	for (unsigned i = 0; i < TRIES; i++) {
		if (inb(base + LSR) & LSR_THR_EMPTY) {
			outb(base + DATA, c);
			return true;
		}
		pause();
	}
	return false;
}
