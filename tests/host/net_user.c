/* The users of packets that tests play: net_user.h. */
#include "tests/host/net_user.h"

struct user in, out;

struct user ring_make(unsigned slot, unsigned kind, unsigned event)
{
	struct user r = { .object = fresh(), .header = fresh(), .entries = fresh(), .name = slot };

	r.h = pfn_to_virt(r.header);
	OK(CALL6(RING_CREATE, r.object, r.header, r.entries, kind, event, slot));
	return r;
}

void net_setup(void)
{
	model_flow_put(model_init(), ALL, 0);
	model_flow_put(model_init(), ALL_1, 1);
	OK(CALL3(EVENT_CREATE, EVENT, 0, 1ul << 20));
	in = ring_make(IN, EXO_RING_RECEIVE, EVENT);
	out = ring_make(OUT, EXO_RING_TRANSMIT, EVENT);
}

void put(struct user *r, uint32_t frame, unsigned offset, unsigned length)
{
	((struct exo_packet *)pfn_to_virt(r->entries))[r->h->submitted % EXO_PACKET_SLOTS] = (struct exo_packet){
		.id = 1000 + r->h->submitted, .frame = frame, .offset = offset, .length = length };
	r->h->submitted++;
}

static const struct exo_completion *next(struct user *r)
{
	const struct exo_completion *first = r->h->completion;

	CHECK(r->h->completed > r->seen, "there is no completion");
	r->h->consumed = r->seen + 1;
	return first + r->seen++ % EXO_PACKET_SLOTS;
}

struct result got(struct user *r)
{
	const struct exo_completion *c = next(r);

	return (struct result){ c->status, c->sectors };
}

struct result submit(struct user *r)
{
	struct result s = CALL1(RING_SUBMIT, r->name);

	audit();
	return s;
}

struct result derive(uint64_t from, uint64_t options, uint64_t slot, unsigned n, const struct exo_atom *a)
{
	memcpy(model_window[this_cpu()->number], a, n * sizeof *a);
	return CALL6(FLOW_DERIVE, from, fresh(), WINDOW, n, options, slot);
}

void tcp(uint8_t p[60], unsigned from, unsigned to)
{
	memset(p, 0, 60);
	p[12] = 8;
	p[14] = 0x45;
	p[17] = 46;
	p[23] = 6;
	p[34] = from >> 8, p[35] = from;
	p[36] = to >> 8, p[37] = to;
}

void arrive(unsigned to, unsigned length)
{
	uint8_t p[NET_BUFFER];

	memset(p, 0x77, sizeof p);
	tcp(p, 4000, to);
	model_net_receive(0, p, length);
	audit();
}

struct exo_flow_info *info(uint64_t flow)
{
	OK(CALL2(FLOW_INFO, flow, WINDOW + 4096));
	return (void *)(model_window[this_cpu()->number] + 4096);
}

struct user actor_ring(struct actor *who)
{
	struct user r;

	model_run(0, who->d);
	OK(CALL3(EVENT_CREATE, EVENT, 0, 1ul << 20));
	r = (struct user){ .object = actor_frame(who), .header = actor_frame(who), .entries = actor_frame(who) };
	r.h = pfn_to_virt(r.header);
	OK(CALL6(RING_CREATE, r.object, r.header, r.entries, EXO_RING_RECEIVE, EVENT, IN));
	return r;
}

struct result actor_derive(struct actor *who, uint64_t from, uint64_t slot, unsigned room, struct exo_atom atom)
{
	memcpy(model_window[0], &atom, sizeof atom);
	return CALL6(FLOW_DERIVE, from, actor_frame(who), WINDOW, 1, EXO_FLOW_OPTIONS(EXO_FLOW_RECEIVE, room), slot);
}
