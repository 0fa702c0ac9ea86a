/* The 16550 serial port (National Semiconductor PC16550D), output only, polled: for the
 * kernel's log.  The session's port is driven by its libOS. */
#include "drivers/uart16550.h"

enum { DATA = 0, IER = 1, FCR = 2, LCR = 3, MCR = 4, LSR = 5, SCRATCH = 7 };
#define LCR_8N1		0x03
#define LCR_DLAB	0x80
#define FCR_ON_RESET	0x07
#define MCR_DTR_RTS	0x03
#define LSR_THR_EMPTY	0x20
#define DIVISOR_115200	1
#define TRIES		100000		/* a port read takes about a microsecond; a byte 87 */

static uint8_t in(uint16_t port)
{
	uint8_t v;
	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static void out(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

bool uart_init(uint16_t base)
{
	out(base + SCRATCH, 0x5a);
	if (in(base + SCRATCH) != 0x5a)
		return false;
	out(base + IER, 0);
	out(base + LCR, LCR_DLAB);
	out(base + DATA, DIVISOR_115200);
	out(base + IER, 0);
	out(base + LCR, LCR_8N1);
	out(base + FCR, FCR_ON_RESET);
	out(base + MCR, MCR_DTR_RTS);
	return true;
}

bool uart_put(uint16_t base, char c)
{
	for (unsigned i = 0; i < TRIES; i++) {
		if (in(base + LSR) & LSR_THR_EMPTY) {
			out(base + DATA, c);
			return true;
		}
		__asm__ volatile("pause");
	}
	return false;
}
