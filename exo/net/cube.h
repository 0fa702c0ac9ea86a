/* Cubes in header space: what a filter or a flow capability stands for.
 *
 * A view gives each header field one fixed place (docs/net-design.md), so that a filter is a mask
 * and a value of the view's size, the same for every way to write it down.  Overlap and inclusion
 * are decided exactly, in a fixed number of steps.  Who may have which cube is left to the callers.
 */
#ifndef EXO_NET_CUBE_H
#define EXO_NET_CUBE_H

#include <stdbool.h>
#include <stdint.h>
#include "exo/abi/net.h"

/* The view's layout, in bytes. */
#define VIEW_L2		0
#define VIEW_TYPE	12
#define VIEW_TCI	14
#define VIEW_L3		16
#define VIEW_L4		56
#define VIEW_BYTES	80
#define VIEW_WORDS	(VIEW_BYTES / 8)
#define V4_HEADER	20u
#define V6_HEADER	40u
#define L4_BYTES	(VIEW_BYTES - VIEW_L4)

#define ETHERTYPE_TAG		0x8100u	/* 802.1Q */
#define ETHERTYPE_SERVICE_TAG	0x88a8u	/* 802.1ad */
#define VIEW_READS	102	/* of a frame's bytes no more are looked at: tag, longest IPv4 header, L4 */

/* Bytes in the order of the packet; value has no bits beyond mask. */
struct cube {
	union { uint64_t mask[VIEW_WORDS]; uint8_t mask_byte[VIEW_BYTES]; };
	union { uint64_t value[VIEW_WORDS]; uint8_t value_byte[VIEW_BYTES]; };
};

/* What a cube's L3 and L4 are, by the EtherType that it fixes. */
enum cube_class { CUBE_ANY /* not fixed: nothing but L2 */, CUBE_V4, CUBE_V6, CUBE_OTHER };
enum cube_class cube_class(const struct cube *c);

/* Adds atoms to a cube (of zeroes: all packets): what comes out lies within it.  False: atom
 * *bad is not allowed or contradicts the cube or an atom before it; *out is then undefined. */
bool cube_narrow(const struct cube *from, const struct exo_atom *atoms, unsigned n, struct cube *out,
	unsigned *bad);

bool cube_overlap(const struct cube *a, const struct cube *b);	/* is there a packet in both? */
bool cube_within(const struct cube *a, const struct cube *b);	/* is every packet of a in b? */
/* How many bits it fixes: more than any other that it lies within. */
unsigned cube_bits(const struct cube *c);

/* A packet's header as a cube's bytes; `there` has 0xff where the packet has such a byte. */
struct view {
	union { uint64_t word[VIEW_WORDS]; uint8_t byte[VIEW_BYTES]; };
	union { uint64_t there[VIEW_WORDS]; uint8_t there_byte[VIEW_BYTES]; };
};
/* Takes the view of a frame of `length` bytes, of which the first VIEW_READS (or all) are at
 * `frame`.  False: too short to have one. */
bool view_take(struct view *v, const uint8_t *frame, uint32_t length);
bool cube_match(const struct cube *c, const struct view *v);

#endif
