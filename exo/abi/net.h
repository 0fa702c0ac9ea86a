/* The network's part of the kernel interface: what a packet filter can say.
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

#endif
