/* A network card for the stack: see card.h. */
#include "libos/posix/net/ack.h"
#include "libos/posix/net/card.h"

#define CHUNK		2048u
#define CHUNKS		(2 * CARD_FRAMES)
#define LOOK_MAX	512u		/* packets */
#define LOOK_SEND	16u		/* after so many the peer hears of them, and goes on meanwhile */

_Static_assert(CHUNKS <= EXO_PACKET_SLOTS, "a slot for each chunk");

static uint8_t *chunk_at(const uint32_t *pfn, unsigned n)
{
	return (uint8_t *)physmap_page(pfn[n / 2]) + n % 2 * CHUNK;
}

/* ---- flows ------------------------------------------------------------------------ */

static uint64_t flow_within(uint64_t from, uint64_t options, const struct exo_atom *atoms, unsigned n,
	uint64_t ring)
{
	uint64_t object = frame_take();
	if (!object)
		return EXO_LIMIT;
	struct exo_result f = exo_flow_derive(from, object, atoms, n, options, EXO_SLOT_ANY);
	uint64_t status = f.status ? f.status : exo_flow_bind(f.value, ring, 0).status;
	if (status && !f.status)
		exo_delete_all(0, f.value);
	if (status)
		frames_put(object, 1);
	return status;
}

static uint64_t filter_bind(struct card *c, uint64_t flow)
{
	if (c->filters == CARD_FILTERS)
		return EXO_LIMIT;
	uint64_t status = exo_flow_bind(flow, c->in.cap, 0).status;
	if (!status)
		c->filter[c->filters++] = flow;
	return status;
}

uint64_t card_add(struct card *c, uint64_t in, uint64_t out)
{
	uint64_t status = exo_flow_bind(out, c->out.cap, 0).status;
	return status ? status : filter_bind(c, in);
}

void card_forget(struct card *c, uint64_t in)
{
	for (unsigned i = 0; i < c->filters; i++)
		if (c->filter[i] == in)
			c->filter[i--] = c->filter[--c->filters];
}

/* A flow that may be sent from at all may be from the own address. */
static uint64_t flow_bind(struct card *c, uint64_t flow, uint32_t directions)
{
	const uint8_t *m = c->link.mac;
	const struct exo_atom own[] = {
		{ EXO_L2, 4, 6, 0, 0xffffffff, (uint64_t)m[0] << 24 | m[1] << 16 | m[2] << 8 | m[3] },
		{ EXO_L2, 2, 10, 0, 0xffff, m[4] << 8 | m[5] } };
	uint64_t status = EXO_OK;
	if (directions & EXO_FLOW_RECEIVE)	/* itself: what is given out lies within it */
		status = filter_bind(c, flow);
	if (!status && directions & EXO_FLOW_TRANSMIT)
		status = flow_within(flow, EXO_FLOW_OPTIONS(EXO_FLOW_TRANSMIT, 0), own, 2, c->out.cap);
	return status;
}

/* The address that the flow's packets are for, if it is one. */
static bool flow_address(const struct exo_flow_info *info, uint8_t mac[6])
{
	const uint8_t *mask = (const uint8_t *)info->mask, *value = (const uint8_t *)info->value;
	for (unsigned i = 0; i < 6; i++)
		if (mask[i] != 0xff)
			return false;
	if (value[0] & 1 || !(info->directions & EXO_FLOW_RECEIVE))
		return false;
	memcpy(mac, value, 6);
	return true;
}

static uint64_t flows_bind(struct card *c, const uint64_t *flow, unsigned flows)
{
	struct exo_flow_info info[CARD_FLOWS] = { 0 };
	bool own = false;
	for (unsigned i = 0; i < flows; i++) {
		uint64_t status = exo_flow_info(flow[i], &info[i]).status;
		if (status)
			return status;
		if (!own && info[i].device == info[0].device)
			own = flow_address(&info[i], c->link.mac);
	}
	if (!own)
		memcpy(c->link.mac, info[0].mac, sizeof c->link.mac);
	for (unsigned i = 0; i < flows; i++) {
		uint64_t status = info[i].device == info[0].device ?
			flow_bind(c, flow[i], info[i].directions) : EXO_OK;
		if (status)
			return status;
	}
	return EXO_OK;
}

/* ---- frames ------------------------------------------------------------------------ */

static void chunks_reap(struct card *c)
{
	struct exo_completion done;
	while (packets_get(&c->out, &done))
		c->unused[c->unused_count++] = done.id;
}

/* What was sent last, if the kernel has not taken it yet, is replaced by an acknowledgement that makes it
 * superfluous: of a batch that came in one leaves. */
static bool last_replaced(struct card *c, const void *frame, size_t length)
{
	const struct exo_packet *e = &c->out.entry[(c->out.submitted - 1) % EXO_PACKET_SLOTS];
	if (c->out.submitted == __atomic_load_n(&c->out.head->taken, __ATOMIC_ACQUIRE) ||
	    e->length != length || !ack_replaces(frame, chunk_at(c->out_pfn, e->id), length))
		return false;
	memcpy(chunk_at(c->out_pfn, e->id), frame, length);
	return true;
}

bool card_send(struct stack_link *link, const void *frame, size_t length)
{
	struct card *c = link->arg;
	if (last_replaced(c, frame, length))
		return true;
	if (!c->unused_count) {
		card_submit(c);
		chunks_reap(c);
	}
	if (!c->unused_count || length > CHUNK) {
		c->lost++;
		return false;
	}
	unsigned n = c->unused[--c->unused_count];
	memcpy(chunk_at(c->out_pfn, n), frame, length);
	packets_put(&c->out, n, c->out_pfn[n / 2], n % 2 * CHUNK, length);
	return true;
}

static void in_give(struct card *c, unsigned n)
{
	packets_put(&c->in, n, c->in_pfn[n / 2], n % 2 * CHUNK, CHUNK);
}

/* The kernel's ring is short, and bursts are long: what came goes into the stack's queue at once, and
 * the ring is emptied again before each look at a packet. */
static void chunks_empty(struct card *c)
{
	struct exo_completion done;
	for (unsigned i = 0; i < CHUNKS && packets_get(&c->in, &done); i++) {
		if (!done.status)
			stack_input_queue(&c->link, chunk_at(c->in_pfn, done.id), done.sectors);
		in_give(c, done.id);
	}
}

bool card_look(struct card *c)
{
	unsigned n = 0;
	chunks_reap(c);
	do {
		chunks_empty(c);
		if (n % LOOK_SEND == LOOK_SEND - 1)
			card_submit(c);
	} while (stack_input_next() && ++n < LOOK_MAX);
	card_submit(c);
	return n == LOOK_MAX;
}

void card_submit(struct card *c)
{
	if (c->out.submitted != __atomic_load_n(&c->out.head->taken, __ATOMIC_ACQUIRE))
		packets_submit(&c->out);	/* AGAIN: the event tells when to go on */
}

void card_wait(struct card *c, uint64_t deadline)
{
	struct exo_predicate p = { .products = 2, .terms = { 1, 1 } };
	const struct packets *r[] = { &c->in, &c->out };
	for (unsigned i = 0; i < 2; i++)
		p.term[i][0] = (struct exo_term){ .op = EXO_NE, .value = r[i]->consumed,
			.addr = (r[i]->head_pfn << EXO_PAGE_SHIFT) + offsetof(struct exo_ring, completed) };
	exo_wait(&p, deadline, 0);
}

static bool chunks_make(struct card *c)
{
	for (unsigned i = 0; i < CARD_FRAMES; i++) {
		c->in_pfn[i] = frame_alloc_zero();
		c->out_pfn[i] = frame_alloc_zero();
		if (!c->in_pfn[i] || !c->out_pfn[i])
			return false;
	}
	for (unsigned n = 0; n < CHUNKS; n++) {
		c->unused[c->unused_count++] = n;
		in_give(c, n);
	}
	return true;
}

uint64_t card_open(struct card *c, const uint64_t *flow, unsigned flows, uint64_t event)
{
	bool four_only = c->link.four_only;
	*c = (struct card){ .link.send = card_send, .link.four_only = four_only };
	c->link.arg = c;
	uint64_t status = packets_open(&c->in, EXO_RING_RECEIVE, event);
	if (!status)
		status = packets_open(&c->out, EXO_RING_TRANSMIT, event);
	if (!status && !chunks_make(c))
		status = EXO_LIMIT;
	/* Only who has no chunk left waits for what was sent, and then many are under way. */
	if (!status)
		c->out.head->event_count = CHUNKS / 2;
	if (!status)
		status = flows_bind(c, flow, flows < CARD_FLOWS ? flows : CARD_FLOWS);
	if (!status)
		status = packets_submit(&c->in);
	return status ? status : stack_link_add(&c->link) ? EXO_LIMIT : EXO_OK;
}

uint64_t card_dropped(const struct card *c)
{
	struct exo_flow_info info;
	uint64_t n = 0;
	for (unsigned i = 0; i < c->filters; i++)
		if (!exo_flow_info(c->filter[i], &info).status)
			n += info.dropped;
	return n;
}
