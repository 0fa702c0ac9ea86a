/* The PC's interval timer, as a measure of time. */
#ifndef DRIVERS_PIT_H
#define DRIVERS_PIT_H

#include <stdbool.h>
#include <stdint.h>

/* Waits that many ns (at most 50 ms); false: it does not count. */
bool pit_wait(uint64_t ns);

#endif
