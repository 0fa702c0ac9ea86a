/* The PC's battery-backed clock. */
#ifndef DRIVERS_RTC_H
#define DRIVERS_RTC_H

#include <stdint.h>

/* Unix time in seconds, taking the clock for UTC and this century; 0: it gives no sense. */
uint64_t rtc_read(void);

#endif
