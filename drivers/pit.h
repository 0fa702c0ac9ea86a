/* The PC's interval timer, as a measure of time. */
#ifndef DRIVERS_PIT_H
#define DRIVERS_PIT_H

#include <stdint.h>

/* Waits that many ns (at most 50 ms) and returns it; 0: it does not count. */
uint64_t pit_wait(uint64_t ns);

#endif
