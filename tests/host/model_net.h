/* Model network cards: a driver (drivers/net.h) whose device sends when a test says so, reads what
 * it sends at any moment until then, and can be made not to answer or not to come back. */
#ifndef HOST_MODEL_NET_H
#define HOST_MODEL_NET_H

#include "tests/host/model.h"
#include "exo/core/disk.h"

#define MODEL_NETS	2u	/* 0: room for NET_QUEUE frames, with interrupts; 1: for 4, polled */
#define MODEL_FLOW	8u	/* frames of the kernel's that hold the flows of all packets */
#define MODEL_ROOM	64u	/* filters of a card */

struct model_net {
	struct net_device dev;
	struct model_frame {		/* being sent, oldest first */
		uint8_t header[NET_HEADER];
		unsigned n, rest;
		uint64_t phys;
		uint32_t owner;
	} out[NET_QUEUE];
	uint64_t started, sent, over;	/* over: sent, but nobody was told yet */
	uint64_t kicked;		/* those that the card knows of */
	unsigned depth;
	unsigned reset_steps, steps;	/* that a reset takes; left of the one in progress */
	const uint8_t *incoming;	/* a frame that came, */
	unsigned incoming_length, incoming_left;	/* so many times */
	bool broken, off, link;
	bool lost;			/* the device sends nothing any more, until it is reset */
};
extern struct model_net model_nets[MODEL_NETS];
extern uint64_t model_frames_out;	/* sent by all cards, ever */
/* Looks at each frame when it is handed to a card. */
extern void (*model_observer)(const uint8_t *header, unsigned n);

void model_nets_boot(void);
/* The cards read what they send, once more: every frame must still be pinned, data, its owner's. */
void model_nets_dma(void);
void model_net_finish(unsigned net, unsigned frames);	/* the oldest are sent; it interrupts */
void model_net_receive(unsigned net, const uint8_t *frame, unsigned length);
/* The same frame many times, with one interrupt for all: `frame` stays until all were fetched. */
void model_net_receive_many(unsigned net, const uint8_t *frame, unsigned length, unsigned frames);
/* A capability to the flow of all packets, in d's slot. */
void model_flow_put(struct domain *d, unsigned slot, unsigned net);

#endif
