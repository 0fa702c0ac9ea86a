/* Bytes, strings and formatted text.  See text.h. */
#include "libos/common/text.h"

#if !__STDC_HOSTED__
void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	void *d = to;
	size_t words = n / 8;
	n %= 8;
	__asm__ volatile("rep movsq" : "+D"(d), "+S"(from), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(n) : : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	uint8_t *d = to;
	const uint8_t *s = from;
	if ((uintptr_t)d - (uintptr_t)s >= n)
		return memcpy(to, from, n);
	while (n--)
		d[n] = s[n];
	return to;
}

void *memset(void *p, int c, size_t n)
{
	void *d = p;
	uint64_t word = (uint8_t)c * 0x0101010101010101ul;
	size_t words = n / 8;
	n %= 8;
	__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(word) : "memory");
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(word) : "memory");
	return p;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;
	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strnlen(const char *s, size_t n)
{
	size_t i = 0;
	while (i < n && s[i])
		i++;
	return i;
}

size_t strlen(const char *s) { return strnlen(s, (size_t)-1); }

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (*a != *b || !*a)
			return (uint8_t)*a - (uint8_t)*b;
	return 0;
}

int strcmp(const char *a, const char *b) { return strncmp(a, b, (size_t)-1); }

char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++)
		if (!*s)
			return NULL;
	return (char *)s;
}

int vsnprintf(char *to, size_t size, const char *format, va_list args)
{
	return text_format(to, size, format, args);
}

int snprintf(char *to, size_t size, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int n = text_format(to, size, format, args);
	va_end(args);
	return n;
}
#endif

size_t text_copy(char *to, const char *from, size_t size)
{
	size_t n = strlen(from), m = n < size ? n : size - 1;
	if (size) {
		memcpy(to, from, m);
		to[m] = 0;
	}
	return n;
}

bool text_number(const char *s, uint64_t *value)
{
	unsigned base = 10;
	uint64_t v = 0;
	if (s[0] == '0' && (s[1] | 32) == 'x') {
		base = 16;
		s += 2;
	}
	if (!*s)
		return false;
	for (; *s; s++) {
		unsigned c = (uint8_t)*s, d = c - '0' < 10 ? c - '0' : (c | 32) - 'a' + 10;
		if ((c - '0' >= 10 && (c | 32) - 'a' >= 26) || d >= base || v > (~0ul - d) / base)
			return false;
		v = v * base + d;
	}
	*value = v;
	return true;
}

/* ---- formatted text ------------------------------------------------------------ */

struct out { char *to; size_t size, n; };
struct field { unsigned width, precision; bool zero, left; char sign; };

static void put(struct out *o, char c)
{
	if (o->n + 1 < o->size)
		o->to[o->n] = c;
	o->n++;
}

static void put_field(struct out *o, const struct field *f, const char *s, size_t n)
{
	size_t length = n + !!f->sign, pad = f->width > length ? f->width - length : 0;
	if (!f->left && !f->zero)
		for (; pad; pad--)
			put(o, ' ');
	if (f->sign)
		put(o, f->sign);
	if (!f->left)
		for (; pad; pad--)
			put(o, '0');
	while (n--)
		put(o, *s++);
	for (; pad; pad--)
		put(o, ' ');
}

static void put_number(struct out *o, struct field *f, uint64_t v, unsigned base, bool upper)
{
	char text[24], *p = text + sizeof text;
	do
		*--p = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[v % base];
	while (v /= base);
	put_field(o, f, p, text + sizeof text - p);
}

static const char *field_parse(const char *p, struct field *f, va_list *args)
{
	*f = (struct field){ .precision = ~0u };
	for (;; p++) {
		if (*p == '0')
			f->zero = true;
		else if (*p == '-')
			f->left = true;
		else
			break;
	}
	for (; *p >= '0' && *p <= '9'; p++)
		f->width = f->width * 10 + *p - '0';
	if (*p != '.')
		return p;
	if (*++p == '*') {
		f->precision = va_arg(*args, int);
		return p + 1;
	}
	for (f->precision = 0; *p >= '0' && *p <= '9'; p++)
		f->precision = f->precision * 10 + *p - '0';
	return p;
}

static void put_conversion(struct out *o, char c, struct field *f, bool wide, va_list *args)
{
	uint64_t v;
	switch (c) {
	case 'd': case 'i':
		v = wide ? va_arg(*args, long) : va_arg(*args, int);
		if ((int64_t)v < 0) {
			f->sign = '-';
			v = -v;
		}
		put_number(o, f, v, 10, false);
		return;
	case 'u': case 'x': case 'X':
		v = wide ? va_arg(*args, unsigned long) : va_arg(*args, unsigned);
		put_number(o, f, v, c == 'u' ? 10 : 16, c == 'X');
		return;
	case 'p':
		put(o, '0');
		put(o, 'x');
		put_number(o, f, (uintptr_t)va_arg(*args, void *), 16, false);
		return;
	case 's': {
		const char *s = va_arg(*args, const char *);
		f->zero = false;
		put_field(o, f, s ? s : "(null)", strnlen(s ? s : "(null)", f->precision));
		return;
	}
	case 'c': {
		char one = va_arg(*args, int);
		put_field(o, f, &one, 1);
		return;
	}
	}
	put(o, c);
}

int text_format(char *to, size_t size, const char *format, va_list args)
{
	struct out o = { to, size, 0 };
	struct field f;
	va_list list;
	va_copy(list, args);
	for (const char *p = format; *p; p++) {
		if (*p != '%') {
			put(&o, *p);
			continue;
		}
		bool wide = false;
		for (p = field_parse(p + 1, &f, &list); *p == 'l' || *p == 'z'; p++)
			wide = true;
		if (!*p)
			break;
		put_conversion(&o, *p, &f, wide, &list);
	}
	va_end(list);
	if (size)
		to[o.n < size ? o.n : size - 1] = 0;
	return o.n;
}
