/* What the tests of disks share: init's extents and its ring, requests, and what became of them. */
#ifndef HOST_DISK_USER_H
#define HOST_DISK_USER_H

#include <string.h>
#include "tests/host/test.h"
#include "tests/host/model_disk.h"

#define EXTENT		30u	/* init's slots: all of disk 0, */
#define EXTENT_RO	31u	/* all of disk 1, */
#define EVENT		32u
#define RING		33u
#define BLOCKS		(MODEL_SECTORS / EXO_BLOCK_SECTORS)

struct user {			/* of a ring */
	uint32_t object, header, entries, name;
	struct exo_ring *h;
	uint64_t seen;		/* completions */
};
static struct user u;

static inline void extent_put(struct domain *d, unsigned slot, unsigned disk, unsigned rights)
{
	struct slot s = { .type = EXO_T_EXTENT, .rights = rights, .aux = disk, .count = BLOCKS };
	uint64_t name;

	CHECK(!cap_insert(d, slot, 0, &s, NULL, &name), "extent");
}

static inline struct user ring_make(unsigned slot)
{
	struct user r = { .object = fresh(), .header = fresh(), .entries = fresh(), .name = slot };

	r.h = pfn_to_virt(r.header);
	memset(r.h, 0x5a, sizeof *r.h);		/* the indices are set to 0 */
	OK(CALL6(RING_CREATE, r.object, r.header, r.entries, EXO_RING_BLOCK, EVENT, slot));
	return r;
}

static inline void setup(void)
{
	extent_put(model_init(), EXTENT, 0, EXO_R_GRANT | EXO_R_READ | EXO_R_WRITE);
	extent_put(model_init(), EXTENT_RO, 1, EXO_R_GRANT | EXO_R_READ | EXO_R_WRITE);
	OK(CALL3(EVENT_CREATE, EVENT, 0, 1ul << 20));
	u = ring_make(RING);
}

static inline struct exo_block_request request(unsigned op, uint64_t sector, unsigned sectors)
{
	struct exo_block_request q = { .extent = EXTENT, .op = op, .sector = sector, .sectors = sectors };

	for (unsigned i = 0; i < EXO_REQUEST_FRAMES && i * 8 < sectors; i++)
		q.frame[i] = fresh();
	return q;
}

static inline void put(struct user *r, struct exo_block_request q)
{
	q.id = 1000 + r->h->submitted;
	((struct exo_block_request *)pfn_to_virt(r->entries))[r->h->submitted % EXO_RING_SLOTS] = q;
	r->h->submitted++;
}

static inline struct result submit(struct user *r) { return CALL1(RING_SUBMIT, r->name); }

static inline void send(struct user *r, struct exo_block_request q)
{
	put(r, q);
	OK(submit(r));
	audit();
}

/* The next completion's status. */
static inline struct result got(struct user *r)
{
	const struct exo_completion *c = &r->h->completion[r->seen % EXO_RING_SLOTS];

	CHECK(r->h->completed > r->seen, "there is no completion");
	r->h->consumed = ++r->seen;
	return (struct result){ c->status, c->id };
}
#define NONE(r)	CHECK((r)->h->completed == (r)->seen, "a completion too early")
/* An entry is refused with that code, for that field. */
#define REFUSED(q, code, field)	do { send(&u, q); IS(got(&u), code, EXO_FIELD_##field); } while (0)

#endif
