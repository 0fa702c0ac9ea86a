/* The high precision event timer, as a measure of time. */
#ifndef DRIVERS_HPET_H
#define DRIVERS_HPET_H

#include <stdbool.h>
#include <stdint.h>

/* Starts the counter; false: its period is out of range. */
bool hpet_start(volatile uint32_t *registers);
/* Waits that many ns, and returns how long it was; 0: it does not count. */
uint64_t hpet_wait(uint64_t ns);

#endif
