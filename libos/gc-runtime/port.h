/* What the runtime and the lab need of their surroundings: output, time, an end, arguments' files.
 * port_exo.c: a domain with its proxy; port_linux.c: a process.  Bytes and strings: text.h. */
#ifndef GC_PORT_H
#define GC_PORT_H

#include "libos/common/text.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

void port_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A message on the error stream, and the end with status 1: the program cannot go on. */
_Noreturn void port_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A message on the error stream, at once: also within a page fault. */
void port_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void port_exit(int status);
/* The end, if a signal has come that ends programs which handle none (Linux sees to that itself). */
void port_obey(void);
uint64_t port_time(void);		/* ns */
const char *port_error(int error);	/* of 0 or -errno: in words */

/* Files, for the store and for results: a number >= 0 or -errno. */
int port_open(const char *path, unsigned how);		/* read and write; PORT_* */
#define PORT_CREATE	1u	/* if it is not there */
#define PORT_ALONE	2u	/* until the program ends, however it does, nobody else has it so, or
				 * -EAGAIN; character devices, which keep nothing, many may have */
int64_t port_read(int file, uint64_t at, void *to, uint64_t n);		/* bytes, or -errno */
int64_t port_write(int file, uint64_t at, const void *from, uint64_t n);
int64_t port_size(int file);
int64_t port_resize(int file, uint64_t size);		/* 0 or -errno: -EINVAL of what has no size */
void port_close(int file);

/* Zeroed memory outside the pool, for what is not the runtime's own cost: recordings, a store in
 * memory.  NULL: none.  Never freed. */
void *port_memory(uint64_t bytes);

/* None of these functions is under way: a hook that interrupts the program may call them, too. */
bool port_idle(void);

#endif
