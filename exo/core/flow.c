/* Flows: capabilities to sets of packets, and filters bound to rings (docs/net-design.md).
 *
 * A flow is made within another one and by no call gets larger.  Bound to a receive ring it is a
 * live filter; what may live beside what is decided here by descent, and in exo/net by geometry.
 * How packets get into rings is left to packet.c.
 */
#include "cap.h"
#include "disk.h"

static struct link *flow_link(uint32_t id) { return &flow_at(id)->link; }

/* ---- derivation ----------------------------------------------------------------- */

static uint64_t atoms_read(const struct call *c, const struct flow *from, struct cube *cube,
	uint64_t *bad)
{
	struct exo_atom atoms[EXO_ATOMS_MAX];
	unsigned at = 0;

	if (c->r10 > EXO_ATOMS_MAX)
		return FAIL(ARG, 4);
	if (!user_read(atoms, c->rdx, c->r10 * sizeof atoms[0]))
		return FAIL(FAULT, 3);
	if (cube_narrow(&from->filter.cube, atoms, c->r10, cube, &at))
		return EXO_OK;
	*bad = at;
	return FAIL(ARG, 3);
}

static uint64_t options_check(const struct flow *from, uint64_t options)
{
	unsigned directions = options & 0xff;

	if (options >> 40)
		return FAIL(ARG, 5);
	if (!directions || directions & ~from->directions)
		return FAIL(RIGHT, 5);
	return options >> 8 > from->room ? FAIL(LIMIT, 5) : EXO_OK;
}

uint64_t call_flow_derive(struct call *c)
{
	struct domain *d = current_domain();
	struct slot *s, cap;
	struct cube cube;
	uint64_t slot = c->r9, bad = 0;
	uint64_t status = cap_find(d, c->rdi, EXO_T_FLOW, EXO_R_USE, 1, &s);

	if (status || (status = frame_object_check(d, c->rsi, 2)))
		return status;
	struct flow *from = flow_at(s->aux), *f;
	if ((status = atoms_read(c, from, &cube, &bad)) || (status = options_check(from, c->r8)) ||
	    (status = cap_slot_check(d, &slot, 6)) || (status = cap_depth_check(s))) {
		c->rdx = bad;
		return status;
	}
	f = frame_object_take(c->rsi);
	*f = (struct flow){ .filter.cube = cube, .id = c->rsi, .parent = from->id, .device = from->device,
		.directions = c->r8 & 0xff, .room = c->r8 >> 8, .given = c->r8 >> 8 };
	from->room -= f->given;
	cap = (struct slot){ .type = EXO_T_FLOW, .rights = s->rights, .aux = f->id };
	status = cap_insert(d, slot, 6, &cap, s, &c->rdx);
	f->cap = slot_name(domain_slot(d, slot));
	return status;
}

void flow_make_all(uint32_t id, uint32_t device, uint32_t room)
{
	*flow_at(id) = (struct flow){ .id = id, .device = device, .room = room,
		.directions = EXO_FLOW_RECEIVE | EXO_FLOW_TRANSMIT };
}

/* ---- binding ---------------------------------------------------------------------- */

static bool descends(uint32_t name, const struct slot *from)
{
	const struct slot *s = slot_at(name);

	while (s && s != from)
		s = slot_at(s->parent);
	return s;
}

/* May the filters of two domains overlap?  `over`: the slot that the binder named, or NULL. */
static bool overlap_allowed(const struct filter *filter, const struct filter *other_filter, void *over)
{
	const struct flow *f = (const struct flow *)filter, *other = (const struct flow *)other_filter;

	return descends(other->cap, slot_at(f->cap)) || descends(f->cap, slot_at(other->cap)) ||
		(over && descends(other->cap, over));
}

static uint64_t live(struct flow *f, uint32_t owner, struct slot *over, uint64_t *why)
{
	static const uint8_t whys[] = { [DEMUX_TWICE] = EXO_OVERLAP_SAME,
		[DEMUX_CROSS] = EXO_OVERLAP_CROSS, [DEMUX_FOREIGN] = EXO_OVERLAP_FOREIGN };

	if (!f->room)
		return FAIL(LIMIT, 1);
	f->filter.owner = owner;
	enum demux_status status = demux_insert(&nets[f->device].demux, &f->filter, overlap_allowed, over);
	if (status == DEMUX_FULL)
		return FAIL(LIMIT, 1);
	if (status != DEMUX_OK) {
		*why = whys[status];
		return FAIL(BUSY, 1);
	}
	f->room--;
	return EXO_OK;
}

/* Rings belong to one device, as long as they have to do with any. */
static bool device_fits(const struct ring *r, const struct flow *f)
{
	const struct packet_ring *p = &r->packets;
	bool busy = p->flows || (r->kind == EXO_RING_TRANSMIT && (p->waits || p->first != p->last));

	return !busy || p->device == f->device;
}

static uint64_t bind(struct flow *f, struct ring *r, struct slot *over, uint64_t *why)
{
	bool receive = r->kind == EXO_RING_RECEIVE;

	if (r->kind == EXO_RING_BLOCK)
		return FAIL(TYPE, 2);
	if (!(f->directions & (receive ? EXO_FLOW_RECEIVE : EXO_FLOW_TRANSMIT)))
		return FAIL(RIGHT, 1);
	if (f->ring)
		return FAIL(STATE, 1);
	if (!device_fits(r, f))
		return FAIL(ARG, 2);
	if (!receive && r->packets.flows == EXO_FLOW_PERMITS)
		return FAIL(LIMIT, 2);
	uint64_t status = receive ? live(f, r->domain, over, why) : EXO_OK;
	if (status)
		return status;
	f->ring = r->id;
	r->packets.device = f->device;
	r->packets.flows++;
	ring_add(&r->packets.flow_head, f->id, flow_link);
	return EXO_OK;
}

void flow_unbind(struct flow *f)
{
	struct ring *r = ring_at(f->ring);

	if (r->kind == EXO_RING_RECEIVE) {
		demux_remove(&nets[f->device].demux, &f->filter);
		f->room++;
	}
	ring_remove(&r->packets.flow_head, f->id, flow_link);
	r->packets.flows--;
	f->ring = f->bound_by = 0;
}

uint64_t call_flow_bind(struct call *c)
{
	struct domain *d = current_domain();
	struct slot *flow, *ring, *over = NULL;
	uint64_t status = cap_find(d, c->rdi, EXO_T_FLOW, EXO_R_USE, 1, &flow), name = c->rdx;

	c->rdx = 0;
	if (status)
		return status;
	struct flow *f = flow_at(flow->aux);
	if (!c->rsi) {
		if (!f->ring || ring_at(f->ring)->domain != d->id)
			return FAIL(STATE, 1);
		flow_unbind(f);
		return EXO_OK;
	}
	if ((status = cap_find(d, c->rsi, EXO_T_RING, EXO_R_USE, 2, &ring)))
		return status;
	if (name && (status = cap_find(d, name, EXO_T_FLOW, EXO_R_USE, 3, &over)))
		return status;
	status = bind(f, ring_at(ring->aux), over, &c->rdx);
	if (!status)
		f->bound_by = slot_name(flow);
	return status;
}

/* ---- the end, and questions ---------------------------------------------------------- */

bool flow_slot_end(struct slot *s, unsigned *budget)
{
	struct flow *f = flow_at(s->aux);

	if (!spend(budget, FLOW_UNITS))
		return false;
	if (f->ring && (f->bound_by == slot_name(s) || f->cap == slot_name(s)))
		flow_unbind(f);
	if (f->cap != slot_name(s) || !f->parent)
		return true;
	flow_at(f->parent)->room += f->given;
	frame_object_free(f->id);
	return true;
}

struct flow *flow_permit(const struct ring *r, const uint8_t *header, unsigned length)
{
	uint32_t id = r->packets.flow_head;
	struct view v;

	if (!view_take(&v, header, length))
		return NULL;
	for (unsigned i = 0; i < r->packets.flows; i++, id = flow_at(id)->link.next)
		if (cube_match(&flow_at(id)->filter.cube, &v))
			return flow_at(id);
	return NULL;
}

uint64_t call_flow_info(struct call *c)
{
	struct slot *s;
	uint64_t status = cap_find(current_domain(), c->rdi, EXO_T_FLOW, 0, 1, &s);

	if (status)
		return status;
	const struct flow *f = flow_at(s->aux);
	const struct net_device *dev = nets[f->device].dev;
	struct exo_flow_info info = { .device = f->device, .directions = f->directions, .room = f->room,
		.bound = f->ring != 0, .packets = f->packets, .bytes = f->bytes, .dropped = f->dropped,
		.link = dev->link };
	__builtin_memcpy(info.mask, f->filter.cube.mask, sizeof info.mask);
	__builtin_memcpy(info.value, f->filter.cube.value, sizeof info.value);
	__builtin_memcpy(info.mac, dev->mac, sizeof info.mac);
	__builtin_memcpy(info.model, dev->model, sizeof info.model);
	return answer_write(c, c->rsi, &info, sizeof info, 2);
}
