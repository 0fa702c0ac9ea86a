/* The kernel's log: COM1 where there is one, and a ring in RAM that may be exported.
 *
 * Formats: %s %u %x %lu %lx, nothing else.  A port that stops taking bytes is given up, so that
 * the log never hangs the kernel.
 */
#include <stdarg.h>
#include "exo/arch/machine.h"
#include "drivers/uart16550.h"

#define LOG_SIZE	0x10000

/* The exported frames: this head, then text. */
struct log_head {
	uint64_t written;	/* bytes ever; byte i is at 64 + i % size */
	uint64_t size;
	uint64_t pad[6];
};

static uint8_t ring[LOG_SIZE] __attribute__((aligned(4096)));
static struct log_head *const log_head = (struct log_head *)ring;
volatile bool panicking;
static volatile bool lock;
static bool uart;

static void put(char c)
{
	uint64_t size = LOG_SIZE - sizeof *log_head;
	ring[sizeof *log_head + log_head->written % size] = c;
	__atomic_store_n(&log_head->written, log_head->written + 1, __ATOMIC_RELEASE);
	if (uart && c == '\n')
		uart = uart_put(UART_COM1, '\r');
	if (uart)
		uart = uart_put(UART_COM1, c);
}

static void put_number(uint64_t v, unsigned base)
{
	char digits[20];
	unsigned n = 0;
	do
		digits[n++] = "0123456789abcdef"[v % base];
	while (v /= base);
	while (n)
		put(digits[--n]);
}

/* One conversion, from behind the %; returns the character it ends with. */
static const char *put_conversion(const char *s, va_list *args)
{
	bool wide = *s == 'l';
	s += wide;
	if (*s == 's')
		for (const char *t = va_arg(*args, const char *); *t; t++)
			put(*t);
	else
		put_number(wide ? va_arg(*args, uint64_t) : va_arg(*args, uint32_t), *s == 'x' ? 16 : 10);
	return s;
}

void log_vprint(const char *format, va_list args)
{
	va_list copy;
	va_copy(copy, args);
	while (!panicking && __atomic_exchange_n(&lock, true, __ATOMIC_ACQUIRE))
		pause();
	for (const char *s = format; *s; s++) {
		if (*s == '%')
			s = put_conversion(s + 1, &copy);
		else
			put(*s);
	}
	__atomic_store_n(&lock, false, __ATOMIC_RELEASE);
	va_end(copy);
}

void log_print(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	log_vprint(format, args);
	va_end(args);
}

void log_init(void)
{
	log_head->size = LOG_SIZE - sizeof *log_head;
	export_add("log", image_phys(ring), sizeof ring);
	uart = uart_init(UART_COM1);
}

void log_quiet(void)
{
	uart = false;
}
