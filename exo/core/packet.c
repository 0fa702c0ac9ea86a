/* Packets in rings: what is received is copied into frames that were given for it; what is sent is
 * checked in a copy of its header.
 *
 * The copy in is the one that a shared receive queue forces; of what is sent only the header is
 * copied, and the rest may be changed by its owner until it has left: nothing there was checked.
 */
#include "frame.h"
#include "disk.h"

static struct packet_slot *slot_of(struct ring *r, uint64_t n)
{
	return &r->packets.slot[n % EXO_PACKET_SLOTS];
}

static uint64_t entry_check(const struct ring *r, const struct exo_packet *e)
{
	struct domain *d = domain_at(r->domain);

	if (e->reserved[0] || e->reserved[1])
		return FAIL(ARG, EXO_PACKET_NONE);
	if (e->length < EXO_PACKET_MIN || e->offset + (uint32_t)e->length > EXO_PAGE_SIZE ||
	    (r->kind == EXO_RING_TRANSMIT && e->length > EXO_PACKET_MAX))
		return FAIL(ARG, EXO_PACKET_RANGE);
	uint64_t status = frame_own(d, e->frame, EXO_PACKET_FRAME);
	if (status)
		return status;
	if (frame_at(e->frame)->type != EXO_F_DATA)
		return FAIL(TYPE, EXO_PACKET_FRAME);
	return frame_pin_ok(e->frame) ? EXO_OK : FAIL(BUSY, EXO_PACKET_FRAME);
}

static void slot_fill(struct ring *r, const struct exo_packet *e)
{
	frame_pin(e->frame);
	*slot_of(r, r->packets.last++) = (struct packet_slot){ e->id, e->frame, e->offset, e->length };
}

void packet_done(struct ring *r, uint64_t status, unsigned length)
{
	struct packet_slot s = *slot_of(r, r->packets.first++);

	frame_unpin(s.frame);
	ring_complete(r, s.id, status, length);
}

/* ---- sending -------------------------------------------------------------------- */

/* AGAIN: no room. */
static uint64_t send(struct ring *r, const struct exo_packet *e)
{
	struct net *n = &nets[r->packets.device];
	uint64_t phys = ((uint64_t)e->frame << EXO_PAGE_SHIFT) + e->offset;
	unsigned header = e->length < EXO_PACKET_HEADER ? e->length : EXO_PACKET_HEADER;

	if (n->state == NET_STATE_GONE)
		return FAIL(GONE, EXO_PACKET_NONE);
	if (!r->packets.flows)
		return FAIL(RIGHT, EXO_PACKET_FLOW);
	uint8_t *copy = net_header(n, r);
	if (!copy)
		return EXO_AGAIN;
	__builtin_memcpy(copy, phys_to_virt(phys), header);
	__asm__ volatile("" : : : "memory");	/* from here on, nothing but the copy counts */
	struct flow *f = flow_permit(r, copy, e->length);
	if (!f)
		return FAIL(RIGHT, EXO_PACKET_FLOW);
	f->packets++;
	f->bytes += e->length;
	slot_fill(r, e);
	net_send(n, r, header, phys + header, e->length - header);
	return EXO_OK;
}

bool packet_take(struct ring *r, const struct exo_packet *e)
{
	uint64_t status = entry_check(r, e);

	if (!status && r->kind == EXO_RING_TRANSMIT)
		status = send(r, e);
	else if (!status)
		slot_fill(r, e);
	if (status && status != EXO_AGAIN)
		ring_complete(r, e->id, status, 0);
	return status != EXO_AGAIN;
}

/* ---- receiving -------------------------------------------------------------------- */

void net_received(struct net_device *dev, const uint8_t *frame, unsigned length)
{
	struct net *n = &nets[dev->number];
	struct filter *filter = n->demux.run ? n->demux.run(frame, length) :
		demux_plain(&n->demux, frame, length);
	struct flow *f = (struct flow *)filter;
	uint64_t taken;

	if (!f) {
		n->nobody++;
		return;
	}
	struct ring *r = ring_at(f->ring);
	if (r->packets.first == r->packets.last)
		ring_take(r, &taken);
	struct packet_slot *s = slot_of(r, r->packets.first);
	if (r->packets.first == r->packets.last || s->length < length) {
		f->dropped++;
		return;
	}
	__builtin_memcpy((uint8_t *)pfn_to_virt(s->frame) + s->offset, frame, length);
	f->packets++;
	f->bytes += length;
	packet_done(r, EXO_OK, length);
}

/* ---- the end ------------------------------------------------------------------------ */

bool packets_end(struct ring *r, unsigned *budget)
{
	while (r->packets.flows) {
		if (!spend(budget, FLOW_UNITS))
			return false;
		flow_unbind(flow_at(r->packets.flow_head));
	}
	if (r->kind == EXO_RING_TRANSMIT) {
		if (r->packets.waits)
			net_wait_end(&nets[r->packets.device], r);
		return r->packets.first == r->packets.last;
	}
	while (r->packets.first != r->packets.last)
		frame_unpin(slot_of(r, r->packets.first++)->frame);
	return true;
}
