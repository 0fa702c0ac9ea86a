/* What lwIP asks of its surroundings. */
#ifndef LWIP_ARCH_CC_H
#define LWIP_ARCH_CC_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#if !__STDC_HOSTED__
#pragma GCC visibility push(hidden)	/* one image: addresses of functions need no table */
#endif

#define atoi(text)	0	/* links are not looked up by name; the libOS has none */

#define LWIP_NO_STDINT_H	0
#define LWIP_NO_INTTYPES_H	1
#define X8_F	"02x"
#define U16_F	"u"
#define S16_F	"d"
#define X16_F	"x"
#define U32_F	"u"
#define S32_F	"d"
#define X32_F	"x"
#define SZT_F	"lu"
#define LWIP_NO_CTYPE_H		1

uint32_t stack_random(void);
void stack_panic(const char *why) __attribute__((noreturn));
void *stack_memory_get(size_t n);
void *stack_memory_zeroed(size_t count, size_t n);
void stack_memory_put(void *p);
#define LWIP_RAND()			stack_random()
#define LWIP_PLATFORM_DIAG(message)	((void)0)
#define LWIP_PLATFORM_ASSERT(message)	stack_panic(message)
#define mem_clib_malloc			stack_memory_get
#define mem_clib_calloc			stack_memory_zeroed
#define mem_clib_free			stack_memory_put

#endif
