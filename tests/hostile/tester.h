/* The tester's children. */
#ifndef HOSTILE_TESTER_H
#define HOSTILE_TESTER_H

#include "tests/hostile/hostile.h"

#define EXTENTS 24
struct child {
	struct spawn s;
	struct exo_start_extent quota[EXTENTS];
	uint64_t before;		/* frames we owned before it was made */
};
/* A domain that will run that row, not yet started.  NULL, or what went wrong. */
const char *child_make(struct child *c, const char *row, uint64_t number, unsigned cpu);
const char *child_make_seeded(struct child *c, const char *row, uint64_t number, unsigned cpu,
	uint64_t seed, uint64_t calls);
bool child_ended(const struct child *c, struct exo_domain_info *info);
/* Destroys it; exact: every frame must have come back from it. */
const char *child_end(struct child *c, bool exact);

uint64_t frames_held(void);		/* by the tester */
const char *neighbour_check(void);
uint64_t tester_option(const char *name, uint64_t otherwise);	/* a number of the command line */
volatile uint64_t *tester_shared(void);	/* the page that children have as CAP_LOAN_RW */

uint64_t child_main(struct exo_start *s);

#endif
