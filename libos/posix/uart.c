/* The session's line: a 16550 on COM2, driven from ring 3 through the device capability.
 *
 * Bytes go to and come from the files half (console_*); this file knows registers only.
 * Receiving stops while the console has no room: the bytes stay in the UART and its peer.
 */
#include "libos/posix/process.h"
#include "libos/common/start.h"

#define PORT		0x2f8
#define FIFO		16
enum { DATA, IER, IIR, LCR, MCR, LSR };
#define IER_RECEIVE	1
#define IER_SEND	2
#define LSR_READY	1
#define LSR_EMPTY	0x20

static uint64_t device;
static bool sending;			/* an interrupt will tell when the FIFO is empty */

static void out(unsigned reg, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "d"((uint16_t)(PORT + reg)));
}

static uint8_t in(unsigned reg)
{
	uint8_t value;
	__asm__ volatile("inb %1, %0" : "=a"(value) : "d"((uint16_t)(PORT + reg)));
	return value;
}

static void receive(void)
{
	uint8_t bytes[64];
	for (;;) {
		size_t n = 0, room = console_room();
		room = room < sizeof bytes ? room : sizeof bytes;
		while (n < room && in(LSR) & LSR_READY)
			bytes[n++] = in(DATA);
		if (!n)
			return;
		console_input(bytes, n);
	}
}

void console_resume(void)
{
	receive();
}

size_t console_write_raw(const uint8_t *bytes, size_t n)
{
	size_t done = 0;
	while (done < n && device && in(LSR) & LSR_EMPTY)
		for (unsigned i = 0; i < FIFO && done < n; i++)
			out(DATA, bytes[done++]);
	if (done < n && device && !sending) {
		sending = true;
		out(IER, IER_RECEIVE | IER_SEND);
	}
	return device ? done : n;
}

/* The line is edge-triggered: after the acknowledgement nothing may be left that has asked. */
void uart_interrupt(void)
{
	do {
		in(IIR);
		if (sending && in(LSR) & LSR_EMPTY) {
			sending = false;
			out(IER, IER_RECEIVE);
			console_output_ready();
		}
		receive();
		exo_device_ctl(device, EXO_DEV_ACK, 0, 0);
	} while (in(LSR) & LSR_READY && console_room());
}

void uart_init(struct exo_start *s)
{
	uint64_t cap = start_cap(s, CAP_COM2);
	struct exo_result event = exo_event_create(EXO_SLOT_ANY, cpu_table[0].context, EVENT_LINE);
	if (!cap || event.status || exo_device_ctl(cap, EXO_DEV_PORTS, 0, 0).status ||
	    exo_device_ctl(cap, EXO_DEV_BIND, event.value, EVENT_LINE).status) {
		posix_log("the session has no serial line");
		return;
	}
	device = cap;
	out(IER, 0);
	out(LCR, 0x80);			/* the divisor: 115200 baud */
	out(DATA, 1);
	out(IER, 0);
	out(LCR, 3);			/* 8 bits, no parity, one stop bit */
	out(2, 0xc7);			/* FIFOs on and emptied, interrupt at 14 bytes or a pause */
	out(MCR, 0x0b);			/* DTR, RTS, interrupt line on */
	in(LSR);
	in(DATA);
	in(IIR);
	out(IER, IER_RECEIVE);
	exo_device_ctl(cap, EXO_DEV_ACK, 0, 0);
}
