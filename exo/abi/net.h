/* The network's part of the kernel interface: what a packet filter can say, flows, packets in
 * rings.  Included by abi.h.
 *
 * The rules, and why they are what they are: docs/net-design.md.
 */
#ifndef EXO_ABI_NET_H
#define EXO_ABI_NET_H

#include <stdint.h>

/* Where an atom's offset counts from. */
enum exo_base {
	EXO_L2,		/* 0-5 destination, 6-11 source, 12-13 EtherType behind a tag, 14-15 the
			 * tag's TCI (0: no tag) */
	EXO_L3,		/* behind the EtherType: 20 bytes of IPv4, 40 of everything else */
	EXO_L4,		/* behind the IPv4 header or the fixed IPv6 header: 24 bytes.  Fragments with
			 * an offset have none */
	EXO_BASES
};

/* The bytes at base + offset, as a number in network order, & mask == value. */
struct exo_atom {
	uint8_t base;		/* enum exo_base */
	uint8_t width;		/* bytes: 1, 2, 4, 8 */
	uint16_t offset;
	uint32_t pad;		/* 0 */
	uint64_t mask, value;	/* no bits beyond the width; no value bits beyond the mask */
};
_Static_assert(sizeof(struct exo_atom) == 24, "atom");
#define EXO_ATOMS_MAX	16	/* a filter */

#define EXO_ETHERTYPE_IPV4	0x0800u
#define EXO_ETHERTYPE_ARP	0x0806u
#define EXO_ETHERTYPE_IPV6	0x86ddu

/* flow_derive's options: directions, and how many filters may be bound below. */
#define EXO_FLOW_RECEIVE	1u
#define EXO_FLOW_TRANSMIT	2u
#define EXO_FLOW_OPTIONS(directions, room)	((directions) | (uint64_t)(room) << 8)
#define EXO_FLOW_PERMITS	8u	/* flows bound to a transmit ring, at most */

/* Why flow_bind says BUSY. */
enum exo_overlap {
	EXO_OVERLAP_SAME = 1,	/* the same filter is live */
	EXO_OVERLAP_CROSS,	/* one is live that neither lies within it nor includes it */
	EXO_OVERLAP_FOREIGN	/* another domain's is live, of a flow without such authority over it */
};

struct exo_flow_info {
	uint64_t mask[10], value[10];	/* by view byte (docs/net-design.md) */
	uint32_t device;		/* number */
	uint32_t directions;
	uint32_t room, bound;
	uint64_t packets, bytes;	/* delivered or sent under it */
	uint64_t dropped;		/* received, and its ring had no room for it */
	uint8_t mac[6];			/* of the device */
	uint8_t link, pad;		/* 1: there is one */
	char model[32];			/* for people */
};

/* Rings for packets have this many slots, and completions (struct exo_completion, whose `sectors`
 * is the length in bytes) from the same place on. */
#define EXO_PACKET_SLOTS	128u
#define EXO_PACKET_MIN		14u
#define EXO_PACKET_MAX		1518u
#define EXO_PACKET_HEADER	128u	/* of what is sent; checked in a copy, and sent from there */
/* An entry: bytes of an own frame, to receive into or to send.  Rings of one kind complete in the
 * order of the entries, but for those that are refused, which complete at once. */
struct exo_packet {
	uint64_t id;		/* comes back with the completion */
	uint32_t frame;		/* pfn; pinned until then */
	uint16_t offset, length;
	uint64_t reserved[2];	/* zero */
};
_Static_assert(sizeof(struct exo_packet) == 32, "packet");
/* What a completion's status complains about. */
enum exo_packet_field { EXO_PACKET_NONE, EXO_PACKET_FRAME, EXO_PACKET_RANGE, EXO_PACKET_FLOW };

#endif
