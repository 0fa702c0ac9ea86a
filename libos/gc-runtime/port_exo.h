/* How a program of the GC runtime begins in a domain, whatever it goes on with. */
#ifndef GC_PORT_EXO_H
#define GC_PORT_EXO_H

#include <stdint.h>

struct exo_start;
/* Proxy, frames, clock, and a stack of so many bytes: its end.  It ends the program if it can't. */
uint8_t *port_begin(struct exo_start *start, uint64_t stack);

#endif
