/* What the tests of packets share: two rings of init's, flows, frames that come, and rings of other
 * domains. */
#ifndef HOST_NET_USER_H
#define HOST_NET_USER_H

#include <string.h>
#include "tests/host/test.h"
#include "tests/host/model_net.h"

#define ALL	30u		/* init's slots: all packets of card 0, */
#define ALL_1	31u		/* of card 1, */
#define EVENT	32u
#define IN	33u		/* a receive ring, */
#define OUT	34u		/* a transmit ring */
#define BOTH	(EXO_FLOW_RECEIVE | EXO_FLOW_TRANSMIT)

struct user {
	uint32_t object, header, entries, name;
	struct exo_ring *h;
	uint64_t seen;
};
extern struct user in, out;

/* A ring of init's, of that kind, that tells by that event. */
struct user ring_make(unsigned slot, unsigned kind, unsigned event);
/* Capabilities to all packets, an event, and the rings. */
void net_setup(void);
void put(struct user *r, uint32_t frame, unsigned offset, unsigned length);
struct result submit(struct user *r);
/* The next completion: status, and the length as value. */
struct result got(struct user *r);
#define NONE(r)	CHECK((r)->h->completed == (r)->seen, "a completion too early")

#define V4	{ EXO_L2, 2, 12, 0, 0xffff, 0x0800 }
#define TCP	{ EXO_L3, 1, 9, 0, 0xff, 6 }
#define TO(n)	{ EXO_L4, 2, 2, 0, 0xffff, n }
#define FROM(n)	{ EXO_L4, 2, 0, 0, 0xffff, n }

struct result derive(uint64_t from, uint64_t options, uint64_t slot, unsigned n, const struct exo_atom *a);
#define DERIVE(from, options, slot, ...) derive(from, options, slot, \
	sizeof((struct exo_atom[]){ __VA_ARGS__ }) / sizeof(struct exo_atom), (struct exo_atom[]){ __VA_ARGS__ })
struct exo_flow_info *info(uint64_t flow);

/* A TCP segment, and one that arrives at card 0. */
void tcp(uint8_t p[60], unsigned from, unsigned to);
void arrive(unsigned to, unsigned length);

/* The same for another domain, which runs from then on: a receive ring in its slot IN. */
struct user actor_ring(struct actor *who);
struct result actor_derive(struct actor *who, uint64_t from, uint64_t slot, unsigned room, struct exo_atom atom);

#endif
