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
/* Destroys it; exact: every frame must have come back from it. */
const char *child_end(struct child *c, bool exact);

uint64_t child_main(struct exo_start *s);

#endif
