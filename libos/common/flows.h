/* Parts of a card's flow that are let to others: what comes for a part of the ports, or for an address,
 * and what may be sent from there.  All of them are within the flow they are derived from; whoever
 * gets one cannot widen it (docs/net-design.md).
 *
 * Left to others: which part may be had, and by whom.
 */
#ifndef COMMON_FLOWS_H
#define COMMON_FLOWS_H

#include "calls.h"

struct flow_part {
	uint64_t in, out;		/* capabilities: RECEIVE with room for one filter, TRANSMIT */
	uint64_t frame[2];		/* their objects */
};
/* Each returns a status; if it is not EXO_OK there is nothing to end. */

/* IPv4 packets for the card's address, ip and ports [first, first + count) of a protocol (6 or 17), and
 * from there; count is a power of two and first a multiple of it.  ip NULL: any; such a part crosses
 * those of flow_ip, and both cannot be bound. */
uint64_t flow_ports(struct flow_part *p, uint64_t from, uint8_t protocol, uint16_t first, uint32_t count,
	const uint8_t ip[4]);
/* IPv4 packets for an address, and from it, with the card's hardware address. */
uint64_t flow_ip(struct flow_part *p, uint64_t from, const uint8_t ip[4]);
/* ARP that asks for an address or answers it, and what asks or answers in its name. */
uint64_t flow_arp(struct flow_part *p, uint64_t from, const uint8_t ip[4]);
/* Takes it back, and all that was derived from it. */
void flow_part_end(struct flow_part *p);

#endif
