/* The page through which a child of revoker.c that gives nothing tells it what to ask for. */
#ifndef TEST_VICTIMS_H
#define TEST_VICTIMS_H

#include <stdint.h>

#define CAP_BOARD	"board"
struct board {
	volatile uint64_t asked, done;	/* requests: the child's, answered */
	uint64_t frames;		/* to ask for, */
	uint64_t most;			/* that may go: the rest is the child's reserve */
	uint64_t patience;		/* ns until the deadline */
	uint64_t status, value;		/* the answer */
};

#endif
