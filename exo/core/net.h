/* Flows, packets in rings, and network devices. */
#ifndef EXO_NET_H
#define EXO_NET_H

#include "context.h"
#include "exo/net/demux.h"
#include "drivers/net.h"

struct ring;

/* ---- packets in rings (packet.c): part of a ring's object -------------------- */

/* Entries that were taken complete in order. */
struct packet_ring {
	uint64_t first, last;		/* slots in use: [first, last) % EXO_PACKET_SLOTS */
	uint32_t flows, flow_head;	/* bound to it */
	uint32_t device;		/* of all of them */
	bool waits;			/* to send: in the device's list of those to be told of room */
	struct link waiting;
	struct packet_slot { uint64_t id; uint32_t frame; uint16_t offset, length; } slot[EXO_PACKET_SLOTS];
};

/* Takes a copied entry.  False: the device has no room to send it; the ring's event will tell. */
bool packet_take(struct ring *r, const struct exo_packet *e);
/* The oldest entry is done; `length`: bytes received. */
void packet_done(struct ring *r, uint64_t status, unsigned length);
/* The ring's first capability ends.  False: the budget is used up, or the device still sends from
 * its frames. */
bool packets_end(struct ring *r, unsigned *budget);

/* ---- flows (flow.c) -------------------------------------------------------------- */

struct flow {
	struct filter filter;		/* first: a live filter is its flow */
	uint32_t id;
	uint32_t cap;			/* slot of its first capability */
	uint32_t parent;		/* 0: the flow of all packets */
	uint32_t device, directions;
	uint32_t room, given;		/* left; what the parent gave */
	uint32_t ring, bound_by;	/* 0: not bound; slot of the capability it was bound by */
	struct link link;		/* the ring's flows */
	uint64_t packets, bytes, dropped;
};
_Static_assert(sizeof(struct flow) <= EXO_PAGE_SIZE, "flow object");

#define FLOW_UNITS	64u	/* to make or end one */
static inline struct flow *flow_at(uint32_t id) { return pfn_to_virt(id); }
void flow_unbind(struct flow *f);
/* A capability to a flow ends.  False: the budget is used up. */
bool flow_slot_end(struct slot *s, unsigned *budget);
/* The flow of the transmit ring in which the frame lies; NULL: it may not be sent. */
struct flow *flow_permit(const struct ring *r, const uint8_t *header, unsigned length);
/* The flow of all packets of a device, in a zeroed frame of the kernel's. */
void flow_make_all(uint32_t id, uint32_t device, uint32_t room);

/* ---- devices (net.c) --------------------------------------------------------------- */

#define NETS_MAX	2u

enum net_device_state { NET_STATE_READY, NET_STATE_RESETTING, NET_STATE_GONE };

struct net {
	struct net_device *dev;
	struct demux demux;
	uint32_t sending[NET_QUEUE];	/* rings whose frames are being sent, oldest at sent % NET_QUEUE */
	uint64_t started, sent;		/* frames, ever */
	uint64_t deadline;		/* of the oldest */
	uint64_t reset_started;
	uint64_t nobody;		/* frames received that no filter wanted */
	uint32_t all;			/* the flow of all its packets */
	uint32_t waiting;		/* rings to be told when there is room */
	uint8_t state;
	bool queued;			/* frames that the device has not been told of */
};
extern struct net nets[NETS_MAX];
extern unsigned net_count;

/* At boot, after the demultiplexer was initialised. */
void net_add(struct net_device *dev);
/* Where the header of a frame to be sent goes; NULL: there is no room, r will be told. */
void *net_header(struct net *n, struct ring *r);
/* Queues it: oldest entries' frames are released by packet_done. */
void net_send(struct net *n, struct ring *r, unsigned header, uint64_t phys, unsigned rest);
void net_kick(struct net *n);	/* and off they go */
void net_wait_end(struct net *n, struct ring *r);	/* it need not be told */

/* When somebody has to look at the devices again, or at rings that hold back completions, whatever
 * device they are of; EXO_FOREVER: never. */
extern uint64_t nets_deadline;
void nets_tick(uint64_t now);

#endif
