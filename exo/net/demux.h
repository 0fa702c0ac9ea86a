/* The demultiplexer of one network device: whose packet is this?
 *
 * Live filters are disjoint, or one lies within the other; the most specific one that matches
 * gets the packet.  They are sorted by *shape* (mask, and what L3 is); a packet is looked up once
 * a shape, by code that is compiled for the shapes that there are.  Whoever calls holds a lock;
 * who may insert what is asked of the caller; memory and where code may be written are its
 * affair too.
 */
#ifndef EXO_NET_DEMUX_H
#define EXO_NET_DEMUX_H

#include <stddef.h>
#include "cube.h"

/* A live filter.  Until it is removed it stays where it is. */
struct filter {
	struct cube cube;
	struct filter *chain;		/* next with the same hash */
	struct filter *next, *prev;	/* of the same shape, circular */
	uint32_t owner;			/* domain */
	uint8_t shape;
	uint8_t live;
	uint16_t bits;			/* cube_bits */
};

#define SHAPES_MAX	32	/* a device */
#define SHAPES_OWNER	8	/* of them first used by one domain */
#define CHAIN_MAX	8	/* filters with the same hash */
#define LOADS_MAX	13	/* words that a shape reads of a packet */
#define DEMUX_CODE	40960u	/* bytes that suffice for the code of any shapes (see compile.c) */

struct shape {
	uint64_t mask[VIEW_WORDS];
	struct filter *list;		/* one of its filters */
	uint32_t filters;		/* 0: unused */
	uint32_t owner;			/* who used it first */
	uint32_t mix;			/* its constant in the hash */
	uint16_t bits;
	uint8_t class;			/* enum cube_class: CUBE_ANY if nothing behind the EtherType is asked for */
};

/* The code: the filter that gets the packet, or NULL.  No byte of the frame is read behind its
 * length or the first VIEW_READS; nobody may write to it meanwhile. */
typedef struct filter *demux_fn(const uint8_t *frame, uint32_t length);

struct demux {
	struct filter **heads;		/* of chains: 1 << heads_log, zeroed by the caller */
	uint32_t heads_log;
	uint32_t count, max;		/* filters */
	uint64_t multiplier;		/* of the hash; odd */
	uint32_t mix[LOADS_MAX];
	struct shape shape[SHAPES_MAX];
	uint8_t order[SHAPES_MAX];	/* by falling bits */
	uint32_t shapes;
	/* Makes `run` fit the shapes in order[], or returns false and changes nothing.  NULL:
	 * there is no code, demux_plain serves. */
	bool (*build)(struct demux *d);
	demux_fn *run;
};

/* The random words are to be unknown to those who choose filters. */
void demux_init(struct demux *d, struct filter **heads, uint32_t heads_log, uint32_t max,
	uint64_t (*random)(void));

/* May f, which is not live, overlap the live filter `other`, which is another domain's? */
typedef bool demux_may_fn(const struct filter *f, const struct filter *other, void *with);

enum demux_status {
	DEMUX_OK,
	DEMUX_TWICE,	/* the same filter is live */
	DEMUX_CROSS,	/* overlaps one that it neither lies within nor includes */
	DEMUX_FOREIGN,	/* overlaps one that it may not overlap */
	DEMUX_FULL,	/* no more filters, shapes (in all, or of this owner), or place in a chain */
};
/* Makes f live; its cube and owner are set.  Nothing is changed unless DEMUX_OK.  At most as many
 * calls of `may` as there are filters. */
enum demux_status demux_insert(struct demux *d, struct filter *f, demux_may_fn *may, void *with);
void demux_remove(struct demux *d, struct filter *f);

/* The definition of what a demux_fn does: every live filter is compared. */
struct filter *demux_plain(const struct demux *d, const uint8_t *frame, uint32_t length);

/* ---- between demux.c and compile.c ------------------------------------------------- */

/* A word that a shape reads of a packet: view bytes [at, at + width). */
struct load {
	uint8_t at, width;	/* width 1, 2, 4, 8 */
	uint64_t mask;		/* as loaded from memory */
};
/* The words that cover a shape's mask, none of which ends behind the last byte of its part of the
 * view that the shape needs. */
unsigned shape_loads(const struct shape *s, struct load load[LOADS_MAX]);

/* Writes a demux_fn for the shapes in order[]; its length, 0 if there is no room.  It can be run
 * at any other address. */
size_t demux_compile(const struct demux *d, uint8_t *code, size_t room);

#endif
