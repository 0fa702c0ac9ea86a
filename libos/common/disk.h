/* Block I/O from any libOS: one ring (docs/storage.md), its pages, and an event.
 *
 * Put entries, submit them, get completions; or one transfer at a time, waited for.  No lock: a
 * ring belongs to one context, or its users guard it.  Left to others: what is on the disk.
 */
#ifndef COMMON_DISK_H
#define COMMON_DISK_H

#include "calls.h"

struct disk_ring {
	uint64_t cap;
	struct exo_ring *head;
	struct exo_block_request *entry;
	uint64_t submitted, consumed;	/* as in the header */
	uint64_t event;			/* ours, if disk_open made it; 0: the caller's */
	int bit;
	uint64_t object, head_pfn, entry_pfn;
};

/* Makes a ring.  event: signalled with each completion; 0: a bit of the calling context's that
 * nobody handles, enough for disk_wait in it.  Returns a status. */
uint64_t disk_open(struct disk_ring *r, uint64_t event);
/* Waits until the disk has finished with its requests; their completions are lost. */
void disk_close(struct disk_ring *r);

/* Room for another entry? */
bool disk_room(const struct disk_ring *r);
/* Writes an entry, of which disk_room says that there is room. */
void disk_put(struct disk_ring *r, const struct exo_block_request *q);
/* Hands all entries to the kernel; AGAIN: completions have to be taken before. */
uint64_t disk_submit(struct disk_ring *r);
/* Takes a completion; false: there is none. */
bool disk_get(struct disk_ring *r, struct exo_completion *out);
/* Until there is one; false: not by then.  Event handlers may run meanwhile. */
bool disk_wait(struct disk_ring *r, uint64_t deadline);

/* One transfer, alone in the ring, waited for: the completion's status.  frame: pfns, own ones. */
uint64_t disk_transfer(struct disk_ring *r, uint64_t extent, unsigned op, uint64_t sector,
	unsigned sectors, const uint32_t *frame);

#endif
