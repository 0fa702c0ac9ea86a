/* Time: nanoseconds since boot, read from the exported clock page without a call, and
 * waiting.
 *
 * time_init maps the clock page (capability CAP_CLOCK); without it time_now is 0 for ever,
 * and time_ok says so.
 */
#ifndef COMMON_TIME_H
#define COMMON_TIME_H

#include "calls.h"

#define NS_PER_SEC	1000000000ul
#define NS_PER_MS	1000000ul

/* Maps the clock page at `va` of the current root, or at a page kept free in the image's
 * window (va = 0). */
uint64_t time_init(const struct exo_start *s, uint64_t va);
/* For who has mapped it elsewhere. */
void time_use(const struct exo_clock_page *page);
bool time_ok(void);
uint64_t time_now(void);	/* ns since boot */
uint64_t time_wall(void);	/* ns since 1970, UTC; 0 if the machine doesn't know */
uint64_t time_of_tsc(uint64_t tsc);

/* Blocks until then, whatever events come (their handlers run). */
void time_sleep_until(uint64_t ns);

/* Predicates for wait: wait_start, then terms joined by AND; wait_or begins the next product.
 * More than 4 terms or 8 products are ignored, and wait_ok is false. */
struct wait {
	struct exo_predicate p;
	bool full;
};
void wait_start(struct wait *w);
void wait_term(struct wait *w, uint64_t phys, uint64_t cap, enum exo_cmp op, uint64_t value);
void wait_or(struct wait *w);
static inline bool wait_ok(const struct wait *w) { return !w->full; }
/* Blocks; events are unmasked at the same moment.  EXO_OK, EXO_TIMEOUT, EXO_EVENT, EXO_LOST. */
uint64_t wait_for(const struct wait *w, uint64_t deadline);

#endif
