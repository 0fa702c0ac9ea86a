/* The kernel's log: COM1 where there is one, and a ring in RAM that may be exported.
 *
 * Formats: %s %c %d %u %x %p %%, with l, a width, 0 and - ; nothing else.  A port that
 * stops taking bytes is given up, so that the log never hangs the kernel.
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

struct field { unsigned width; char fill; bool left; };

static void put_padded(const char *s, unsigned n, struct field f)
{
	unsigned fill = f.width > n ? f.width - n : 0;
	for (; !f.left && fill; fill--)
		put(f.fill);
	for (unsigned i = 0; i < n; i++)
		put(s[i]);
	for (; fill; fill--)
		put(' ');
}

static void put_number(uint64_t v, unsigned base, bool negative, struct field f)
{
	char text[24], *p = text + sizeof text;
	do
		*--p = "0123456789abcdef"[v % base];
	while (v /= base);
	if (negative)
		*--p = '-';
	put_padded(p, text + sizeof text - p, f);
}

static void put_string(const char *s, struct field f)
{
	unsigned n = 0;
	while (s[n])
		n++;
	put_padded(s, n, f);
}

static const char *parse_field(const char *s, struct field *f)
{
	*f = (struct field){ .fill = ' ' };
	for (; *s == '0' || *s == '-'; s++) {
		f->left |= *s == '-';
		if (*s == '0')
			f->fill = '0';
	}
	for (; *s >= '0' && *s <= '9'; s++)
		f->width = f->width * 10 + (*s - '0');
	return s;
}

/* One conversion, from behind the %; returns the character it ends with. */
static const char *put_conversion(const char *s, va_list *args)
{
	struct field f;
	s = parse_field(s, &f);
	bool wide = *s == 'l';
	s += wide;
	int64_t d;
	char c;
	switch (*s) {
	case 'd':
		d = wide ? va_arg(*args, int64_t) : va_arg(*args, int32_t);
		put_number(d < 0 ? -(uint64_t)d : (uint64_t)d, 10, d < 0, f);
		break;
	case 'u':
	case 'x':
		put_number(wide ? va_arg(*args, uint64_t) : va_arg(*args, uint32_t), *s == 'u' ? 10 : 16,
			false, f);
		break;
	case 'p':
		put_number(va_arg(*args, uint64_t), 16, false, f);
		break;
	case 'c':
		c = va_arg(*args, int);
		put_padded(&c, 1, f);
		break;
	case 's':
		put_string(va_arg(*args, const char *), f);
		break;
	default:
		put(*s);
	}
	return s;
}

void log_vprint(const char *format, va_list args)
{
	va_list copy;
	va_copy(copy, args);
	while (!panicking && __atomic_exchange_n(&lock, true, __ATOMIC_ACQUIRE))
		pause();
	for (const char *s = format; *s; s++) {
		if (*s != '%')
			put(*s);
		else if (!*(s = put_conversion(s + 1, &copy)))
			break;
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
