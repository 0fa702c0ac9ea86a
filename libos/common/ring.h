/* A ring of bytes in shared frames: one producer, one consumer, who need not trust each other.
 *
 * Positions count bytes ever written and read; they are 64-bit words in cache lines of their
 * own, so that `wait` can compare them.  Each side keeps its own position privately and reads
 * the other's once per operation: whatever the peer writes there, at worst bytes are lost or
 * garbled, never memory outside the ring touched.
 */
#ifndef COMMON_RING_H
#define COMMON_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring_word { uint64_t value, pad[7]; };
/* In shared memory. */
struct ring_shared {
	struct ring_word head;		/* bytes written; stored by the producer */
	struct ring_word tail;		/* bytes read; stored by the consumer */
	struct ring_word end;		/* 1: the producer writes no more */
	struct ring_word stop;		/* 1: the consumer reads no more */
};
_Static_assert(sizeof(struct ring_shared) == 256, "ring");

/* In the private memory of each side. */
struct ring {
	struct ring_shared *shared;
	uint8_t *data;
	uint64_t size;			/* power of two */
	uint64_t mine;			/* the position this side stores */
};
/* Either side, with the ring empty (positions 0). */
void ring_init(struct ring *r, struct ring_shared *shared, void *data, uint64_t size);

/* Producer. */
size_t ring_room(const struct ring *r);
size_t ring_write(struct ring *r, const void *from, size_t n);	/* how many it took */
void ring_end(struct ring *r);
bool ring_stopped(const struct ring *r);	/* nobody reads any more */
/* Consumer. */
size_t ring_used(const struct ring *r);
size_t ring_read(struct ring *r, void *to, size_t n);		/* how many there were */
void ring_stop(struct ring *r);
bool ring_ended(const struct ring *r);		/* the producer is done and all is read */

#endif
