/* Packets from any libOS: a ring to receive into or to send from (docs/net-design.md).
 *
 * Put entries, submit them, get completions.  No lock: a ring belongs to one context, or its users
 * guard it.  Left to others: flows, what is in a packet.
 */
#ifndef COMMON_PACKETS_H
#define COMMON_PACKETS_H

#include "calls.h"

struct packets {
	uint64_t cap;
	struct exo_ring *head;
	struct exo_packet *entry;
	uint64_t submitted, consumed;	/* as in the header */
	uint64_t object, head_pfn, entry_pfn;
};

/* kind: EXO_RING_RECEIVE or EXO_RING_TRANSMIT; the event is signalled with each completion.
 * Returns a status. */
uint64_t packets_open(struct packets *r, unsigned kind, uint64_t event);
/* Waits until the card is done with its frames; completions are lost, its flows unbound. */
void packets_close(struct packets *r);
/* Room for another entry? */
bool packets_room(const struct packets *r);
/* Writes an entry, of which packets_room says that there is room: bytes of an own frame. */
void packets_put(struct packets *r, uint64_t id, uint32_t frame, unsigned offset, unsigned length);
/* Hands all entries to the kernel; AGAIN: completions have to be taken before, or the card has no
 * room (the event will tell). */
uint64_t packets_submit(struct packets *r);
/* Takes a completion, whose `sectors` is the length; false: there is none. */
bool packets_get(struct packets *r, struct exo_completion *out);
/* Until there is one; false: not by then.  Event handlers may run meanwhile. */
bool packets_wait(struct packets *r, uint64_t deadline);

#endif
