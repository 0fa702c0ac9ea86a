/* A network card for the stack: flows of one card and two rings become a link.
 *
 * What is received is handed over in the frame where the kernel put it; what is sent is copied
 * once, into frames that wait for the card.  No lock: as for the stack.  Left to others: when to
 * look, which flow.
 */
#ifndef POSIX_NET_CARD_H
#define POSIX_NET_CARD_H

#include "libos/common/common.h"
#include "libos/posix/net/stack.h"

#define CARD_FRAMES	64u		/* each way; of two chunks */
#define CARD_FLOWS	4u		/* at most, when it is opened */
#define CARD_FILTERS	16u

struct card {
	struct stack_link link;
	struct packets in, out;
	uint32_t in_pfn[CARD_FRAMES], out_pfn[CARD_FRAMES];
	uint16_t unused[2 * CARD_FRAMES];	/* chunks to send from */
	unsigned unused_count;
	uint64_t lost;			/* to be sent, and there was no chunk */
	uint64_t filter[CARD_FILTERS];	/* capabilities: what the receive ring is bound to */
	unsigned filters;
};
/* Receives all packets of the flows that are of the first one's card, and may send from its address:
 * the card's own, or the one to which a flow narrows what is received.  The event is signalled when
 * something came or went.  A status. */
uint64_t card_open(struct card *c, const uint64_t *flow, unsigned flows, uint64_t event);
/* More that it may receive and send, flows of the same card.  A status. */
uint64_t card_add(struct card *c, uint64_t in, uint64_t out);
/* A filter has ended, as its flow has. */
void card_forget(struct card *c, uint64_t in);
/* The link's own way to send; who replaces link.send ends there. */
bool card_send(struct stack_link *link, const void *frame, size_t length);
/* Takes in what came, and gives the card what was sent meanwhile; true: there may be more. */
bool card_look(struct card *c);
/* Gives the card what was sent. */
void card_submit(struct card *c);
/* Packets that came and found no chunk. */
uint64_t card_dropped(const struct card *c);
/* Sleeps until there is something to look at. */
void card_wait(struct card *c, uint64_t deadline);

#endif
