/* What a card does, as its users see it: room and who waits for it, no answer, resets, the link,
 * many frames at once, and events by number or by time. */
#include "tests/host/net_user.h"

static struct actor a;

TEST(net_room)
{
	uint32_t frame = fresh();
	struct exo_control *x = context_control(this_cpu()->current);

	net_setup();
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

/* A packet in the ring to a card that does not answer. */
static void lose_one(uint32_t frame)
{
	net_setup();
	OK(DERIVE(ALL, EXO_FLOW_OPTIONS(EXO_FLOW_TRANSMIT, 0), 40, V4, TCP));
	OK(CALL2(FLOW_BIND, 40, OUT));
	tcp(pfn_to_virt(frame), 1, 2);
	put(&out, frame, 0, 60);
	model_nets[0].lost = true;
}

TEST(net_silent_card)
{
	uint32_t frame = fresh();

	lose_one(frame);
	OK(submit(&out));
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

	net_setup();
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

	net_setup();
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

	lose_one(frame);
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

	lose_one(frame);
	OK(submit(&out));
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

	net_setup();
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
	net_setup();
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

	net_setup();
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

	net_setup();
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
