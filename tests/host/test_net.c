/* Flows and packets: who may have which, what may be sent, what is pinned, and that nothing outlives
 * its authority. */
#include "tests/host/net_user.h"

TEST(net_flow_derive)
{
	struct exo_atom many[17] = { V4 };
	struct result r;

	net_setup();
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

	net_setup();
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

	net_setup();
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
	net_setup();
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

TEST(net_strangers)
{
	struct exo_atom port = TO(80), peer = FROM(9), other = TO(81);
	struct result r;

	net_setup();
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

	net_setup();
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

	net_setup();
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

/* A domain with live filters, filled chunks and frames at the card is destroyed. */
TEST(net_domain_ends)
{
	struct exo_atom port = TO(80);
	uint32_t frames;
	struct user r;

	net_setup();
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

	net_setup();
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
