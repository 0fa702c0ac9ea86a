/* Bytes, strings and formatted text, without a heap and without a C library.
 *
 * snprintf knows %d %i %u %x %X %p %s %c %%, the lengths l, ll, z, a width, `0`, `-`, and a
 * precision for %s.  Like the standard's, it always terminates and returns the length that
 * the whole text would have.
 */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if __STDC_HOSTED__		/* host tests: the C library's, and our formatter beside it */
#include <stdio.h>
#include <string.h>
#else
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *p, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t n);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
int snprintf(char *to, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int vsnprintf(char *to, size_t size, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));
#endif
/* vsnprintf itself, under a name that the host doesn't have. */
int text_format(char *to, size_t size, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));
/* Copies at most size - 1 bytes and terminates; returns the length of `from`. */
size_t text_copy(char *to, const char *from, size_t size);
/* Decimal or 0x hexadecimal, the whole of s; false if it is none or too large. */
bool text_number(const char *s, uint64_t *value);

/* A line to the kernel's log, where the program holds CAP_MACHINE with the right (start.h);
 * otherwise nothing. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
