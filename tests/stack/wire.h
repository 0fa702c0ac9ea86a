/* A wire in memory that loses, repeats, delays, exchanges and spoils frames, and the time and the
 * chance that a test has: both come from here alone, so that a run repeats by its seed.
 *
 * What the ends do with a frame is theirs. One wire, two ends, 0 and 1.
 */
#ifndef TESTS_STACK_WIRE_H
#define TESTS_STACK_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of 1,000 frames; `delay`: up to so many milliseconds.  `full`: how often who sends finds no room,
 * for the ends to apply. */
extern struct wire { unsigned lose, repeat, spoil, delay, full; } wire;
extern uint32_t wire_now;		/* ms */
extern uint64_t wire_spoiled;		/* so many frames */

struct wire_frame {
	bool used, spoiled;
	unsigned to;
	uint32_t when;			/* that it arrives */
	size_t length;
	uint8_t *byte;
};

void chance_seed(uint64_t seed);
uint32_t chance(uint32_t n);		/* less than n */
bool chance_of(unsigned thousandths);

void wire_put(unsigned to, const void *frame, size_t length);
/* A millisecond.  Frames due in it arrive in any order. */
void wire_tick(void (*arrives)(const struct wire_frame *f));
/* One of those under way, or NULL. */
const struct wire_frame *wire_any(void);

#endif
