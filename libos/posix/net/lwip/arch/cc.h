/* What lwIP asks of its surroundings. */
#ifndef LWIP_ARCH_CC_H
#define LWIP_ARCH_CC_H

#include <stdint.h>
#include <stdlib.h>

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
#define LWIP_RAND()			stack_random()
#define LWIP_PLATFORM_DIAG(message)	((void)0)
#define LWIP_PLATFORM_ASSERT(message)	stack_panic(message)

#endif
