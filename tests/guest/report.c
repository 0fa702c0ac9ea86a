/* Test results on the kernel's log and on COM2.  See report.h, docs/run-protocol.md. */
#include "tests/guest/report.h"

#define COM2		0x2f8
#define LINE_STATUS	5
#define LINE_EMPTY	0x20	/* the transmitter takes a byte */
#define SPINS_MAX	1000000u

static bool frames_on;
static unsigned passed, failed;

static void port_out(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "d"(port));
}

static uint8_t port_in(uint16_t port)
{
	uint8_t v;
	__asm__ volatile("inb %1, %0" : "=a"(v) : "d"(port));
	return v;
}

static void put_byte(uint8_t c)
{
	for (unsigned i = 0; !(port_in(COM2 + LINE_STATUS) & LINE_EMPTY) && i < SPINS_MAX; i++)
		__asm__ volatile("pause");
	port_out(COM2, c);
}

static void put_frame(char type, const void *payload, uint16_t n)
{
	const uint8_t *p = payload;
	if (!frames_on)
		return;
	put_byte(type);
	put_byte(n);
	put_byte(n >> 8);
	while (n--)
		put_byte(*p++);
}

/* 115200 8n1, FIFOs on, no interrupts. */
static void uart_init(void)
{
	port_out(COM2 + 1, 0);
	port_out(COM2 + 3, 0x83);
	port_out(COM2, 1);
	port_out(COM2 + 1, 0);
	port_out(COM2 + 3, 3);
	port_out(COM2 + 2, 7);
	port_out(COM2 + 4, 3);
}

void report_start(const struct exo_start *s)
{
	char mode[8];
	uint64_t cap = start_cap(s, CAP_COM2);
	if (start_option(s, "mode", mode, sizeof mode) < 0 || strcmp(mode, "frame") || !cap ||
	    exo_device_ctl(cap, EXO_DEV_PORTS, 0, 0).status)
		return;
	uart_init();
	frames_on = true;
	put_frame('R', "VIRTUE 1", 8);
}

static void report_text(const char *format, va_list args)
{
	char text[256];
	size_t n = vsnprintf(text, sizeof text - 1, format, args);
	if (n > sizeof text - 2)
		n = sizeof text - 2;
	log_line("%s", text);
	text[n++] = '\n';
	put_frame('O', text, n);
}

void report_line(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	report_text(format, args);
	va_end(args);
}

void report_ok(const char *name)
{
	passed++;
	report_line("ok %s", name);
}

void report_fail(const char *name, const char *format, ...)
{
	char why[200];
	va_list args;
	va_start(args, format);
	vsnprintf(why, sizeof why, format, args);
	va_end(args);
	failed++;
	report_line("FAIL %s: %s", name, why);
}

void report_case(const char *name, const char *why)
{
	if (why)
		report_fail(name, "%s", why);
	else
		report_ok(name);
}

unsigned report_failures(void) { return failed; }

_Noreturn void report_end(void)
{
	uint8_t status = failed != 0 || !passed;
	report_line("%u passed, %u failed", passed, failed);
	put_frame('S', &status, 1);
	put_frame('B', NULL, 0);
	domain_exit(status);
}
