/* Flows and packets: who may have which, what may be sent, what is pinned, what happens when a card
 * does not answer, and that nothing outlives its authority. */
#include <string.h>
#include "tests/host/test.h"
#include "tests/host/model_net.h"

#define ALL	30u		/* init's slots: all packets of card 0, */
#define ALL_1	31u		/* of card 1, */
#define EVENT	32u
#define IN	33u		/* a receive ring, */
#define OUT	34u		/* a transmit ring */
#define BOTH	(EXO_FLOW_RECEIVE | EXO_FLOW_TRANSMIT)

struct user {
	uint32_t object, header, entries, name;
	struct exo_ring *h;
	uint64_t seen;
};
static struct user in, out;

static struct user ring_make(unsigned slot, unsigned kind, unsigned event)
{
	struct user r = { .object = fresh(), .header = fresh(), .entries = fresh(), .name = slot };

	r.h = pfn_to_virt(r.header);
	OK(CALL6(RING_CREATE, r.object, r.header, r.entries, kind, event, slot));
	return r;
}

static void setup(void)
{
	model_flow_put(model_init(), ALL, 0);
	model_flow_put(model_init(), ALL_1, 1);
	OK(CALL3(EVENT_CREATE, EVENT, 0, 1ul << 20));
	in = ring_make(IN, EXO_RING_RECEIVE, EVENT);
	out = ring_make(OUT, EXO_RING_TRANSMIT, EVENT);
}

static void put(struct user *r, uint32_t frame, unsigned offset, unsigned length)
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

/* The next completion: status, and the length as value. */
static struct result got(struct user *r)
{
	const struct exo_completion *c = next(r);

	return (struct result){ c->status, c->sectors };
}
#define NONE(r)	CHECK((r)->h->completed == (r)->seen, "a completion too early")

static struct result submit(struct user *r)
{
	struct result s = CALL1(RING_SUBMIT, r->name);

	audit();
	return s;
}

#define V4	{ EXO_L2, 2, 12, 0, 0xffff, 0x0800 }
#define TCP	{ EXO_L3, 1, 9, 0, 0xff, 6 }
#define TO(n)	{ EXO_L4, 2, 2, 0, 0xffff, n }
#define FROM(n)	{ EXO_L4, 2, 0, 0, 0xffff, n }

static struct result derive(uint64_t from, uint64_t options, uint64_t slot, unsigned n, const struct exo_atom *a)
{
	memcpy(model_window[this_cpu()->number], a, n * sizeof *a);
	return CALL6(FLOW_DERIVE, from, fresh(), WINDOW, n, options, slot);
}
#define DERIVE(from, options, slot, ...) derive(from, options, slot, \
	sizeof((struct exo_atom[]){ __VA_ARGS__ }) / sizeof(struct exo_atom), (struct exo_atom[]){ __VA_ARGS__ })

static void tcp(uint8_t p[60], unsigned from, unsigned to)
{
	memset(p, 0, 60);
	p[12] = 8;
	p[14] = 0x45;
	p[17] = 46;
	p[23] = 6;
	p[34] = from >> 8, p[35] = from;
	p[36] = to >> 8, p[37] = to;
}

static void arrive(unsigned to, unsigned length)
{
	uint8_t p[NET_BUFFER];

	memset(p, 0x77, sizeof p);
	tcp(p, 4000, to);
	model_net_receive(0, p, length);
	audit();
}

static struct exo_flow_info *info(uint64_t flow)
{
	OK(CALL2(FLOW_INFO, flow, WINDOW + 4096));
	return (void *)(model_window[this_cpu()->number] + 4096);
}

TEST(net_flow_derive)
{
	struct exo_atom many[17] = { V4 };
	struct result r;

	setup();
	OK(DERIVE(ALL, EXO_FLOW_OPTIONS(BOTH, 10), 40, V4, TCP));
	OK(DERIVE(40, EXO_FLOW_OPTIONS(EXO_FLOW_RECEIVE, 4), 41, TO(80)));
	audit();
	CHECK(info(ALL)->room == MODEL_ROOM - 10 && info(40)->room == 6 && info(41)->room == 4, "room");
	CHECK(info(41)->directions == EXO_FLOW_RECEIVE && info(41)->device == 0 && !info(41)->bound &&
		info(41)->link == 1 && info(41)->mac[0] == 2 && !strcmp(info(41)->model, "model"), "info");
	CHECK(info(41)->mask[7] && info(41)->value[7], "the cube");
	r = DERIVE(41, EXO_FLOW_OPTIONS(EXO_FLOW_RECEIVE, 0), 0, V4, TO(81));
	IS(r, ARG, 3);
	CHECK(r.value == 1, "atom %lu", r.value);
	IS(DERIVE(41, EXO_FLOW_OPTIONS(EXO_FLOW_TRANSMIT, 0), 0, V4), RIGHT, 5);
	IS(DERIVE(41, EXO_FLOW_OPTIONS(0, 0), 0, V4), RIGHT, 5);
	IS(DERIVE(41, EXO_FLOW_OPTIONS(EXO_FLOW_RECEIVE, 5), 0, V4), LIMIT, 5);
	IS(DERIVE(41, 1ul << 40 | 1, 0, V4), ARG, 5);
	IS(DERIVE(41, EXO_FLOW_OPTIONS(EXO_FLOW_RECEIVE, 0), 40, V4), BUSY, 6);
	IS(DERIVE(EVENT, EXO_FLOW_OPTIONS(EXO_FLOW_RECEIVE, 0), 0, V4), TYPE, 1);
	IS(derive(41, EXO_FLOW_OPTIONS(EXO_FLOW_RECEIVE, 0), 0, 17, many), ARG, 4);
	IS(CALL6(FLOW_DERIVE, 41, fresh(), 0x1000, 1, EXO_FLOW_RECEIVE, 0), FAULT, 3);
	IS(CALL6(FLOW_DERIVE, 41, in.header, WINDOW, 0, EXO_FLOW_RECEIVE, 0), BUSY, 2);
	IS(CALL2(FLOW_INFO, 41, 0x1000), FAULT, 2);
	IS(CALL2(FLOW_INFO, EVENT, WINDOW), TYPE, 1);
	OK(CALL5(CAP_COPY, 0, 42, 41, EXO_R_GRANT, 0));
	IS(DERIVE(42, EXO_FLOW_OPTIONS(EXO_FLOW_RECEIVE, 0), 0, V4), RIGHT, 1);
	IS(CALL5(CAP_COPY, 0, 43, 41, EXO_R_GRANT, 1), ARG, 5);
	audit();
	OK(CALL2(CAP_DELETE, 0, 40));
	CHECK(info(ALL)->room == MODEL_ROOM, "the room came back");
	IS(CALL2(FLOW_INFO, 42, WINDOW), CAP, 1);
}

TEST(net_receives)
{
	uint32_t frame = fresh(), other = fresh();
	uint8_t *at = pfn_to_virt(frame);
	struct result r;

	setup();
	arrive(80, 60);
	CHECK(nets[0].nobody == 1, "nobody's");
	OK(DERIVE(ALL, EXO_FLOW_OPTIONS(BOTH, 1), 40, V4, TCP, TO(80)));
	OK(CALL2(FLOW_BIND, 40, IN));
	IS(CALL2(FLOW_BIND, 40, IN), STATE, 1);
	CHECK(info(40)->bound == 1 && !info(40)->room, "bound");
	arrive(80, 60);
	CHECK(info(40)->dropped == 1, "no chunk");
	NONE(&in);
	put(&in, frame, 2048, 2048);
	put(&in, other, 0, 100);
	put(&in, other, 0, 100);
	OK(submit(&in));
	CHECK(frame_table[frame].pins == 1 && frame_table[other].pins == 2, "pinned");
	context_control(this_cpu()->current)->events = 0;
	arrive(80, 1000);
	r = got(&in);
	OK(r);
	CHECK(r.value == 1000 && at[2048 + 37] == 80 && at[2048 + 999] == 0x77 && !at[2048 + 1000] && !at[2047],
		"the packet");
	CHECK(context_control(this_cpu()->current)->events & 1ul << 20, "the event");
	CHECK(!frame_table[frame].pins && info(40)->packets == 1 && info(40)->bytes == 1000, "counts");
	arrive(81, 60);
	NONE(&in);
	arrive(80, 101);	/* more than there is room for */
	CHECK(info(40)->dropped == 2, "dropped");
	NONE(&in);
	arrive(80, 100);
	CHECK(got(&in).value == 100, "what fits");
	put(&in, frame, 0, 100);	/* written, but not submitted: looked at when there is need */
	arrive(80, 99);
	CHECK(got(&in).value == 100 - 1, "the one before");
	arrive(80, 98);
	CHECK(got(&in).value == 98, "not submitted");
	OK(CALL2(FLOW_BIND, 40, 0));
	IS(CALL2(FLOW_BIND, 40, 0), STATE, 1);
	arrive(80, 60);
	CHECK(nets[0].nobody == 3 && info(40)->room == 1, "unbound");
}

TEST(net_entries_refused)
{
	static const struct { unsigned offset, length, code, at; } bad[] = {
		{ 0, 13, EXO_ARG, EXO_PACKET_RANGE }, { 4096 - 59, 60, EXO_ARG, EXO_PACKET_RANGE },
		{ 0, 1519, EXO_ARG, EXO_PACKET_RANGE }, { 0, 60, EXO_RIGHT, EXO_PACKET_FLOW } };
	struct exo_packet *e;
	uint32_t frame = fresh();

	setup();
	for (unsigned i = 0; i < 4; i++) {
		put(&out, frame, bad[i].offset, bad[i].length);
		OK(submit(&out));
		CHECK(got(&out).status == (bad[i].code | bad[i].at << 8), "entry %u", i);
	}
	put(&out, MODEL_EXPORT, 0, 60);
	OK(submit(&out));
	IS(got(&out), OWNER, EXO_PACKET_FRAME);
	put(&out, out.object, 0, 60);
	OK(submit(&out));
	IS(got(&out), TYPE, EXO_PACKET_FRAME);
	put(&in, MODEL_FRAMES + 9, 0, 60);
	OK(submit(&in));
	IS(got(&in), OWNER, EXO_PACKET_FRAME);
	put(&in, frame, 0, 60);
	e = pfn_to_virt(in.entries);
	e[(in.h->submitted - 1) % EXO_PACKET_SLOTS].reserved[1] = 1;
	OK(submit(&in));
	IS(got(&in), ARG, EXO_PACKET_NONE);
	for (unsigned i = 0; i <= EXO_PACKET_SLOTS; i++)
		put(&in, frame, 0, 60);
	IS(submit(&in), ARG, 1);	/* one more than there are slots */
	in.h->submitted--;
	OK(submit(&in));
	put(&in, frame, 0, 60);
	IS(submit(&in), AGAIN, 0);
	in.h->consumed = in.h->completed + 1;
	IS(submit(&in), ARG, 1);
	CHECK(frame_table[frame].pins == EXO_PACKET_SLOTS, "pins");
	OK(CALL2(CAP_DELETE, 0, IN));
	CHECK(!frame_table[frame].pins, "the ring's end");
}

TEST(net_bind_refused)
{
	setup();
	OK(CALL6(RING_CREATE, fresh(), fresh(), fresh(), EXO_RING_BLOCK, EVENT, 45));
	OK(DERIVE(ALL, EXO_FLOW_OPTIONS(EXO_FLOW_RECEIVE, 1), 40, V4));
	OK(DERIVE(ALL_1, EXO_FLOW_OPTIONS(BOTH, 1), 41, V4));
	OK(DERIVE(ALL, EXO_FLOW_OPTIONS(BOTH, 0), 42, V4, TCP));
	IS(CALL2(FLOW_BIND, 40, OUT), RIGHT, 1);
	IS(CALL2(FLOW_BIND, 40, 45), TYPE, 2);
	IS(CALL2(FLOW_BIND, 40, EVENT), TYPE, 2);
	IS(CALL2(FLOW_BIND, EVENT, IN), TYPE, 1);
	IS(CALL3(FLOW_BIND, 40, IN, EVENT), TYPE, 3);
	IS(CALL2(FLOW_BIND, 42, IN), LIMIT, 1);
	OK(CALL2(FLOW_BIND, 40, IN));
	IS(CALL2(FLOW_BIND, 41, IN), ARG, 2);
	OK(CALL2(FLOW_BIND, 42, OUT));
	IS(CALL2(FLOW_BIND, 41, OUT), ARG, 2);
	for (unsigned i = 1; i < EXO_FLOW_PERMITS; i++) {
		OK(DERIVE(ALL, EXO_FLOW_OPTIONS(BOTH, 0), 50 + i, V4));
		OK(CALL2(FLOW_BIND, 50 + i, OUT));
	}
	OK(DERIVE(ALL, EXO_FLOW_OPTIONS(BOTH, 0), 50, V4));
	IS(CALL2(FLOW_BIND, 50, OUT), LIMIT, 2);
	audit();
	OK(CALL2(CAP_DELETE, 0, OUT));
	CHECK(!info(42)->bound, "unbound with its ring");
}

/* Two domains beside init, each with a receive ring. */
static struct actor a, b;

static struct user actor_ring(struct actor *who)
{
	struct user r;

	model_run(0, who->d);
	OK(CALL3(EVENT_CREATE, EVENT, 0, 1ul << 20));
	r = (struct user){ .object = actor_frame(who), .header = actor_frame(who), .entries = actor_frame(who) };
	r.h = pfn_to_virt(r.header);
	OK(CALL6(RING_CREATE, r.object, r.header, r.entries, EXO_RING_RECEIVE, EVENT, IN));
	return r;
}

static struct result actor_derive(struct actor *who, uint64_t from, uint64_t slot, unsigned room, struct exo_atom atom)
{
	memcpy(model_window[0], &atom, sizeof atom);
	return CALL6(FLOW_DERIVE, from, actor_frame(who), WINDOW, 1, EXO_FLOW_OPTIONS(EXO_FLOW_RECEIVE, room), slot);
}

TEST(net_strangers)
{
	struct exo_atom port = TO(80), peer = FROM(9), other = TO(81);
	struct result r;

	setup();
	a = actor_make(60);
	b = actor_make(60);
	OK(DERIVE(ALL, EXO_FLOW_OPTIONS(BOTH, 30), 40, V4, TCP));
	OK(CALL6(CAP_COPY, a.cap, 20, 40, EXO_R_USE | EXO_R_GRANT, 0, 0));
	OK(CALL6(CAP_COPY, b.cap, 20, 40, EXO_R_USE | EXO_R_GRANT, 0, 0));
	actor_ring(&a);
	OK(actor_derive(&a, 20, 21, 3, port));
	OK(CALL2(FLOW_BIND, 21, IN));
	actor_ring(&b);
	OK(actor_derive(&b, 20, 21, 3, port));
	r = CALL2(FLOW_BIND, 21, IN);
	IS(r, BUSY, 1);
	CHECK(r.value == EXO_OVERLAP_SAME, "the same: %lu", r.value);
	OK(actor_derive(&b, 21, 22, 1, peer));
	r = CALL2(FLOW_BIND, 22, IN);			/* narrower than a's, and not a's */
	IS(r, BUSY, 1);
	CHECK(r.value == EXO_OVERLAP_FOREIGN, "foreign: %lu", r.value);
	IS(CALL3(FLOW_BIND, 22, IN, 20), BUSY, 1);	/* b's copy is no ancestor of a's flow */
	OK(actor_derive(&b, 20, 23, 1, peer));
	r = CALL2(FLOW_BIND, 23, IN);
	IS(r, BUSY, 1);
	CHECK(r.value == EXO_OVERLAP_CROSS, "across: %lu", r.value);
	OK(actor_derive(&b, 20, 24, 1, other));
	OK(CALL2(FLOW_BIND, 24, IN));
	audit();
	/* Init gave the flow: it may take a part back, or be served what is left. */
	model_run(0, model_init());
	OK(DERIVE(40, EXO_FLOW_OPTIONS(BOTH, 1), 41, TO(80), FROM(7)));
	IS(CALL2(FLOW_BIND, 41, IN), BUSY, 1);
	OK(CALL3(FLOW_BIND, 41, IN, 40));
	OK(CALL2(FLOW_BIND, 40, IN));
	audit();
	/* a gives a part of its packets to b. */
	model_run(0, a.d);
	OK(actor_derive(&a, 21, 25, 1, peer));
	model_run(0, model_init());
	OK(CALL2(CAP_DELETE, a.cap, 25));
	OK(CALL2(CAP_REVOKE, 0, 40));
	audit();
	CHECK(nets[0].demux.count == 1, "only init's own is left: %u", nets[0].demux.count);
}

TEST(net_gives_a_part)
{
	struct exo_atom port = TO(80), peer = FROM(4000);
	struct user rb;

	setup();
	a = actor_make(60);
	b = actor_make(60);
	OK(CALL6(CAP_COPY, a.cap, 19, b.cap, EXO_R_GIVE | EXO_R_INFO, 0, 0));
	OK(DERIVE(ALL, EXO_FLOW_OPTIONS(BOTH, 30), 40, V4, TCP));
	OK(CALL6(CAP_COPY, a.cap, 20, 40, EXO_R_USE | EXO_R_GRANT, 0, 0));
	rb = actor_ring(&b);
	actor_ring(&a);
	OK(actor_derive(&a, 20, 21, 3, port));
	OK(CALL2(FLOW_BIND, 21, IN));
	OK(actor_derive(&a, 21, 22, 1, peer));
	OK(CALL6(CAP_COPY, 19, 22, 22, EXO_R_USE, 0, 0));
	model_run(0, b.d);
	OK(CALL2(FLOW_BIND, 22, IN));
	put(&rb, actor_frame(&b), 0, 2000);
	arrive(80, 60);		/* from 4000 */
	CHECK(got(&rb).value == 60, "b has it");
	model_run(0, a.d);
	IS(CALL2(FLOW_BIND, 22, 0), STATE, 1);	/* it is in b's ring, which is none of a's affairs */
	OK(CALL2(CAP_REVOKE, 0, 22));	/* b's copy, by which it was bound, goes */
	put(&rb, actor_frame(&b), 0, 2000);
	arrive(80, 60);
	NONE(&rb);
	CHECK(info(21)->dropped == 1 && !info(22)->bound, "a has it again");
}

static uint8_t last_header[NET_HEADER];
static unsigned last_length;

static void observe(const uint8_t *header, unsigned n)
{
	memcpy(last_header, header, n);
	last_length = n;
}

TEST(net_sends)
{
	uint32_t frame = fresh();
	uint8_t *at = pfn_to_virt(frame);

	setup();
	model_observer = observe;
	OK(DERIVE(ALL, EXO_FLOW_OPTIONS(EXO_FLOW_TRANSMIT, 0), 40, V4, TCP, FROM(80), { EXO_L2, 4, 8, 0, ~0u, 0x11223344 }));
	OK(CALL2(FLOW_BIND, 40, OUT));
	OK(DERIVE(ALL, EXO_FLOW_OPTIONS(EXO_FLOW_TRANSMIT, 0), 41, V4, TCP, FROM(81)));
	OK(CALL2(FLOW_BIND, 41, OUT));
	tcp(at + 100, 80, 9);
	put(&out, frame, 100, 60);
	OK(submit(&out));
	IS(got(&out), RIGHT, EXO_PACKET_FLOW);	/* another's address */
	memcpy(at + 108, "\x11\x22\x33\x44", 4);
	put(&out, frame, 100, 1500);
	OK(submit(&out));
	NONE(&out);
	CHECK(model_nets[0].started == 1 && frame_table[frame].pins == 1 && last_length == NET_HEADER &&
		!memcmp(last_header, at + 100, NET_HEADER), "handed to the card");
	memset(at, 0xff, 4096);		/* too late to change what was checked */
	CHECK(model_nets[0].out[0].header[35] == 80 && model_nets[0].out[0].rest == 1500 - NET_HEADER &&
		model_nets[0].out[0].phys == ((uint64_t)frame << 12) + 100 + NET_HEADER, "the copy is sent");
	put(&out, frame, 100, 60);
	OK(submit(&out));
	IS(got(&out), RIGHT, EXO_PACKET_FLOW);
	tcp(at, 81, 1);
	put(&out, frame, 0, 60);
	OK(submit(&out));
	CHECK(last_length == 60 && model_nets[0].out[1].rest == 0, "short");
	CHECK(info(40)->packets == 1 && info(41)->bytes == 60, "counts");
	IS(CALL4(FRAME_GIVE, 0, 0, frame, 1), BUSY, 3);
	model_net_finish(0, 2);
	OK(got(&out));
	OK(got(&out));
	CHECK(!frame_table[frame].pins, "unpinned");
	tcp(at, 81, 1);
	put(&out, frame, 0, EXO_PACKET_MAX + 1);
	OK(submit(&out));
	IS(got(&out), ARG, EXO_PACKET_RANGE);
	put(&out, frame, 0, EXO_PACKET_MAX);
	OK(submit(&out));
	NONE(&out);			/* the longest is taken */
	audit();
}

TEST(net_room)
{
	uint32_t frame = fresh();
	struct exo_control *x = context_control(this_cpu()->current);

	setup();
	OK(DERIVE(ALL_1, EXO_FLOW_OPTIONS(EXO_FLOW_TRANSMIT, 0), 40, V4, TCP));
	OK(CALL2(FLOW_BIND, 40, OUT));
	tcp(pfn_to_virt(frame), 1, 2);
	for (unsigned i = 0; i < 6; i++)
		put(&out, frame, 0, 60);
	IS(submit(&out), AGAIN, 0);
	CHECK(model_nets[1].started == 4 && out.h->taken == 4, "four at a time");
	OK(CALL3(EVENT_CREATE, 36, 0, 1ul << 21));
	struct user other = ring_make(35, EXO_RING_TRANSMIT, 36);
	OK(DERIVE(ALL_1, EXO_FLOW_OPTIONS(EXO_FLOW_TRANSMIT, 0), 42, V4, TCP));
	OK(CALL2(FLOW_BIND, 42, 35));
	put(&other, frame, 0, 60);
	IS(submit(&other), AGAIN, 0);
	CHECK(!other.h->taken, "no room for another's either");
	OK(CALL2(FLOW_BIND, 40, 0));
	OK(DERIVE(ALL, EXO_FLOW_OPTIONS(EXO_FLOW_TRANSMIT, 0), 41, V4, TCP));
	IS(CALL2(FLOW_BIND, 41, OUT), ARG, 2);		/* still the other card's */
	OK(CALL2(FLOW_BIND, 40, OUT));
	x->events = 0;
	model_nets[1].over = 1;
	model_time += 1100000;				/* polled */
	model_timer(0);
	OK(got(&out));
	CHECK(x->events & 1ul << 20 && x->events & 1ul << 21 && !nets[1].waiting, "both told");
	NONE(&other);
	IS(submit(&out), AGAIN, 0);
	CHECK(model_nets[1].started == 5, "one more");
	model_run(0, model_init());
	CHECK(CALL2(CAP_DELETE, 0, OUT).status == EXO_AGAIN, "the card still sends");
	model_net_finish(1, 4);
	OK(CALL2(CAP_DELETE, 0, OUT));
	OK(CALL2(CAP_DELETE, 0, 35));
	CHECK(!nets[1].waiting, "nobody waits");
	audit();
}

TEST(net_silent_card)
{
	uint32_t frame = fresh();

	setup();
	OK(DERIVE(ALL, EXO_FLOW_OPTIONS(EXO_FLOW_TRANSMIT, 0), 40, V4, TCP));
	OK(CALL2(FLOW_BIND, 40, OUT));
	tcp(pfn_to_virt(frame), 1, 2);
	put(&out, frame, 0, 60);
	OK(submit(&out));
	model_nets[0].lost = true;
	model_nets[0].reset_steps = 2;
	model_time += 1900000000;
	model_timer(0);
	CHECK(nets[0].state == NET_STATE_READY, "in time");
	model_time += 600000000;
	model_timer(0);
	CHECK(nets[0].state == NET_STATE_RESETTING, "late");
	NONE(&out);
	put(&out, frame, 0, 60);
	IS(submit(&out), AGAIN, 0);
	model_net_finish(0, 0);			/* an interrupt in the middle */
	for (unsigned i = 0; i < 3; i++) {
		model_time += 1100000;
		model_timer(0);
	}
	CHECK(nets[0].state == NET_STATE_READY, "back");
	IS(got(&out), TIMEOUT, 0);
	OK(submit(&out));
	model_nets[0].lost = model_nets[0].broken = true;
	model_time += 2600000000;
	model_timer(0);
	CHECK(nets[0].state == NET_STATE_GONE && model_nets[0].off && !info(40)->link, "given up");
	IS(got(&out), GONE, 0);
	put(&out, frame, 0, 60);
	OK(submit(&out));
	IS(got(&out), GONE, 0);
	audit();
}

/* A card that has more room than the kernel keeps track of. */
TEST(net_room_is_bounded)
{
	uint32_t frame = fresh();

	setup();
	struct user more = ring_make(35, EXO_RING_TRANSMIT, EVENT);
	for (unsigned i = 0; i < 2; i++) {
		OK(DERIVE(ALL, EXO_FLOW_OPTIONS(EXO_FLOW_TRANSMIT, 0), 40 + i, V4, TCP));
		OK(CALL2(FLOW_BIND, 40 + i, i ? 35 : OUT));
	}
	tcp(pfn_to_virt(frame), 1, 2);
	model_nets[0].depth = NET_QUEUE + 1;
	for (unsigned i = 0; i < EXO_PACKET_SLOTS; i++)
		put(&out, frame, 0, 60);
	OK(submit(&out));
	CHECK(model_nets[0].started == NET_QUEUE, "as many as there may be");
	put(&more, frame, 0, 60);
	IS(submit(&more), AGAIN, 0);
	CHECK(model_nets[0].started == NET_QUEUE && nets[0].waiting, "no more");
	model_net_finish(0, 1);
	CHECK(!nets[0].waiting, "told");
	OK(submit(&more));
}

/* More rings than are told in one go, and nothing is under way by then that would have the card looked
 * at again. */
TEST(net_room_for_many)
{
	enum { ACTORS = 18, EACH = 15 };
	uint32_t frame = fresh();

	setup();
	model_nets[0].depth = 1;
	model_nets[1].dev.interrupts = true;	/* nobody looks at the other card meanwhile */
	OK(DERIVE(ALL, EXO_FLOW_OPTIONS(EXO_FLOW_TRANSMIT, 0), 40, V4, TCP));
	OK(CALL2(FLOW_BIND, 40, OUT));
	tcp(pfn_to_virt(frame), 1, 2);
	put(&out, frame, 0, 60);
	OK(submit(&out));
	for (unsigned i = 0; i < ACTORS; i++) {
		model_run(0, model_init());
		a = actor_make(90);
		OK(CALL6(CAP_COPY, a.cap, 20, 40, EXO_R_USE | EXO_R_GRANT, 0, 0));
		model_run(0, a.d);
		OK(CALL3(EVENT_CREATE, EVENT, 0, 1ul << 20));
		for (unsigned slot = 40; slot < 40 + EACH; slot++) {
			struct user r = { .object = actor_frame(&a), .header = actor_frame(&a),
				.entries = actor_frame(&a), .name = slot };

			r.h = pfn_to_virt(r.header);
			OK(CALL6(RING_CREATE, r.object, r.header, r.entries, EXO_RING_TRANSMIT, EVENT, slot));
			OK(CALL6(FLOW_DERIVE, 20, actor_frame(&a), WINDOW, 0, EXO_FLOW_TRANSMIT, slot + EACH));
			OK(CALL2(FLOW_BIND, slot + EACH, slot));
			put(&r, actor_frame(&a), 0, 60);
			IS(CALL1(RING_SUBMIT, slot), AGAIN, 0);
		}
	}
	audit();
	model_run(0, model_init());
	model_net_finish(0, 1);
	CHECK(nets[0].waiting, "not all at once");
	for (unsigned i = 0; i < ACTORS * EACH / NET_QUEUE; i++) {
		model_time += 600000000;
		model_timer(0);
	}
	CHECK(!nets[0].waiting, "all were told");
}

/* The times of a card that does not answer, to the nanosecond. */
TEST(net_times_are_exact)
{
	uint32_t frame = fresh();
	uint64_t now, end;

	setup();
	OK(DERIVE(ALL, EXO_FLOW_OPTIONS(EXO_FLOW_TRANSMIT, 0), 40, V4, TCP));
	OK(CALL2(FLOW_BIND, 40, OUT));
	tcp(pfn_to_virt(frame), 1, 2);
	put(&out, frame, 0, 60);
	model_nets[0].lost = true;
	model_nets[0].reset_steps = 1000;
	now = model_time;
	nets_deadline = EXO_FOREVER;
	OK(submit(&out));
	CHECK(nets_deadline > now + 500000000 && nets_deadline <= model_time + 500000000, "looked at twice a second");
	end = nets[0].deadline;
	CHECK(end > now + 2000000000 && end <= model_time + 2000000000, "two seconds");
	kernel_lock();
	nets_tick(end - 1);
	CHECK(nets[0].state == NET_STATE_READY, "in time");
	nets_tick(end);
	CHECK(nets[0].state == NET_STATE_RESETTING && nets[0].reset_started == end, "late");
	nets_tick(end + 5000000000);
	CHECK(nets[0].state == NET_STATE_RESETTING, "five seconds for a reset");
	nets_tick(end + 5000000001);
	kernel_unlock();
	CHECK(nets[0].state == NET_STATE_GONE, "no more");
	IS(got(&out), GONE, 0);
}

TEST(net_slow_reset)
{
	uint32_t frame = fresh();

	setup();
	OK(DERIVE(ALL, EXO_FLOW_OPTIONS(EXO_FLOW_TRANSMIT, 0), 40, V4, TCP));
	OK(CALL2(FLOW_BIND, 40, OUT));
	tcp(pfn_to_virt(frame), 1, 2);
	put(&out, frame, 0, 60);
	OK(submit(&out));
	model_nets[0].lost = true;
	model_nets[0].reset_steps = 1000000;
	for (unsigned i = 0; i < 10; i++) {
		model_time += 1000000000;
		model_timer(0);
	}
	CHECK(nets[0].state == NET_STATE_GONE, "for ever");
	IS(got(&out), GONE, 0);
	kernel_lock();
	net_interrupt(&model_nets[0].dev);	/* it may still: nobody listens */
	kernel_unlock();
}

/* More frames than a look fetches, and one interrupt for all of them. */
TEST(net_receives_many)
{
	enum { N = 2 * NET_QUEUE + 1 };
	uint8_t p[60];

	setup();
	OK(DERIVE(ALL, EXO_FLOW_OPTIONS(BOTH, 1), 40, V4, TCP, TO(80)));
	OK(CALL2(FLOW_BIND, 40, IN));
	tcp(p, 4000, 80);
	model_net_receive_many(0, p, sizeof p, N);
	CHECK(info(40)->dropped == NET_QUEUE, "%lu at once", info(40)->dropped);
	model_time += 1;
	model_timer(0);
	CHECK(info(40)->dropped == 2 * NET_QUEUE, "%lu then", info(40)->dropped);
	model_time += 1;
	model_timer(0);
	CHECK(info(40)->dropped == N, "%lu in the end", info(40)->dropped);
	CHECK(nets_deadline > model_time + 1, "at once again, though there is nothing");
}

TEST(net_link)
{
	setup();
	unsigned logged = model_logged;
	model_net_finish(0, 0);
	CHECK(model_logged == logged, "nothing new");
	model_nets[0].link = false;
	model_net_finish(0, 0);
	CHECK(!info(ALL)->link && model_logged == logged + 1, "down");
	model_nets[0].link = true;
	model_net_finish(0, 0);
	CHECK(info(ALL)->link && model_logged == logged + 2, "up");
}

/* Whether the event came since the last time. */
static bool told(void)
{
	uint64_t *events = &context_control(this_cpu()->current)->events, came = *events & 1ul << 20;

	*events = 0;
	return came;
}

static void later(uint64_t ns)
{
	model_time += ns;
	model_timer(0);
	audit();
}

TEST(net_moderation)
{
	uint32_t frame = fresh();

	setup();
	OK(DERIVE(ALL, EXO_FLOW_OPTIONS(BOTH, 1), 40, V4, TCP, TO(80)));
	OK(CALL2(FLOW_BIND, 40, IN));
	for (unsigned i = 0; i < 40; i++)
		put(&in, frame, 0, 100);
	OK(submit(&in));
	told();
	in.h->event_count = 3;			/* by number alone */
	for (unsigned i = 0; i < 7; i++) {
		arrive(80, 60);
		CHECK(told() == (i >= 2), "%u are unread", i + 1);
	}
	while (in.seen < 6)
		got(&in);
	arrive(80, 60);
	later(1000000000);
	CHECK(!told(), "two are unread");
	arrive(80, 60);
	CHECK(told(), "three again");
	in.h->consumed = in.seen = in.h->completed;
	in.h->event_ns = 50000;			/* or by time */
	arrive(80, 60);
	later(40000);
	arrive(80, 60);
	CHECK(!told() && rings_held.count == 1, "held");
	later(9000);
	CHECK(!told(), "too early");
	later(1000);
	CHECK(told() && !rings_held.count, "by time, from the first on");
	later(100000);
	CHECK(!told(), "once");
	arrive(80, 60);
	CHECK(told(), "three were unread");
	in.h->consumed = in.seen = in.h->completed;
	in.h->event_count = 2;
	arrive(80, 60);
	arrive(80, 60);
	CHECK(told() && !rings_held.count, "both limits, by number");
	in.h->consumed = in.seen = in.h->completed;
	in.h->event_ns = ~0u;
	arrive(80, 60);
	later(4200000000);
	CHECK(!told(), "less than four seconds");
	later(100000000);
	CHECK(told(), "four seconds");
	in.h->consumed = in.seen = in.h->completed;
	in.h->event_count = 0;
	arrive(80, 60);
	CHECK(told(), "without moderation");
	in.h->consumed = in.seen = in.h->completed;
	in.h->event_count = 2;
	in.h->event_ns = 50000;
	arrive(80, 60);
	kernel_lock();
	rings_look(ring_at(in.object)->due - 1);
	CHECK(!told(), "a nanosecond too early");
	rings_look(ring_at(in.object)->due);
	CHECK(told(), "in time");
	kernel_unlock();
}

/* More rings than one look goes through; some end meanwhile. */
TEST(net_moderation_many)
{
	enum { ACTORS = 8, EACH = 10 };
	static struct actor who[ACTORS];
	uint8_t packet[60];
	struct user r;

	setup();
	OK(DERIVE(ALL, EXO_FLOW_OPTIONS(BOTH, ACTORS * EACH / 2), 40, V4, TCP));
	OK(DERIVE(ALL_1, EXO_FLOW_OPTIONS(BOTH, ACTORS * EACH / 2), 41, V4, TCP));
	for (unsigned i = 0; i < ACTORS * EACH; i++) {
		struct actor *w = &who[i / EACH];
		struct exo_atom port = TO(i);

		model_run(0, model_init());
		if (i % EACH == 0) {
			*w = actor_make(80);
			OK(CALL6(CAP_COPY, w->cap, 20, 40 + i / EACH % 2, EXO_R_USE | EXO_R_GRANT, 0, 0));
			model_run(0, w->d);
			OK(CALL3(EVENT_CREATE, EVENT, 0, 1ul << 20));
		}
		model_run(0, w->d);
		r = (struct user){ .object = actor_frame(w), .header = actor_frame(w), .entries = actor_frame(w) };
		r.h = pfn_to_virt(r.header);
		OK(CALL6(RING_CREATE, r.object, r.header, r.entries, EXO_RING_RECEIVE, EVENT, 40 + i % EACH));
		r.name = 40 + i % EACH;
		r.h->event_count = 2;
		r.h->event_ns = 1000;
		put(&r, actor_frame(w), 0, 60);
		OK(submit(&r));
		OK(actor_derive(w, 20, 60 + i % EACH, 1, port));
		OK(CALL2(FLOW_BIND, 60 + i % EACH, 40 + i % EACH));
		tcp(packet, 1, i);
		model_net_receive(i / EACH % 2, packet, sizeof packet);
	}
	audit();
	CHECK(rings_held.count == ACTORS * EACH, "%u are held", rings_held.count);
	model_run(0, model_init());
	OK(FINISH(CALL1(DOMAIN_DESTROY, who[0].cap)));
	audit();
	CHECK(rings_held.count == (ACTORS - 1) * EACH, "%u are left", rings_held.count);
	for (unsigned i = 0; i < 3 && rings_held.count; i++)
		later(2000);
	CHECK(!rings_held.count, "all were told");
}

/* A domain with live filters, filled chunks and frames at the card is destroyed. */
TEST(net_domain_ends)
{
	struct exo_atom port = TO(80);
	uint32_t frames;
	struct user r;

	setup();
	frames = model_init()->frames;
	a = actor_make(60);
	OK(DERIVE(ALL, EXO_FLOW_OPTIONS(BOTH, 30), 40, V4, TCP));
	OK(CALL6(CAP_COPY, a.cap, 20, 40, EXO_R_USE | EXO_R_GRANT, 0, 0));
	r = actor_ring(&a);
	OK(actor_derive(&a, 20, 21, 3, port));
	OK(CALL2(FLOW_BIND, 21, IN));
	for (unsigned i = 0; i < 5; i++)
		put(&r, actor_frame(&a), 0, 2000);
	OK(CALL1(RING_SUBMIT, IN));
	audit();
	model_run(0, model_init());
	OK(FINISH(CALL1(DOMAIN_DESTROY, a.cap)));
	audit();
	CHECK(!nets[0].demux.count && info(40)->room == 30, "no filter is left");
	OK(FINISH(CALL2(CAP_DELETE, 0, a.cap)));
	arrive(80, 60);
	CHECK(nets[0].nobody == 1, "nobody's");
	OK(CALL2(CAP_DELETE, 0, 40));
	CHECK(model_init()->frames == frames, "all frames are back");
}

/* A ring with more flows than one call ends. */
TEST(net_many_flows)
{
	struct result r;

	setup();
	for (unsigned i = 0; i < MODEL_ROOM; i++) {
		OK(DERIVE(ALL, EXO_FLOW_OPTIONS(BOTH, 1), 60 + i, V4, TCP, TO(i)));
		OK(CALL2(FLOW_BIND, 60 + i, IN));
	}
	IS(DERIVE(ALL, EXO_FLOW_OPTIONS(BOTH, 1), 0, V4, TCP, TO(999)), LIMIT, 5);
	audit();
	r = CALL2(CAP_DELETE, 0, IN);
	CHECK(r.status == EXO_AGAIN, "in steps");
	audit();
	OK(FINISH(CALL2(CAP_DELETE, 0, IN)));
	CHECK(!nets[0].demux.count, "all gone");
	audit();
}
