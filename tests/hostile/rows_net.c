/* The network: filters and permissions that the program does not hold, rings that lie, headers that
 * change, and authority that ends.
 *
 * A child has the flow of UDP over IPv4, both ways, with room for 8 filters (CAP_NET0); TCP to port
 * 80 is the tester's, who looks at it after each row.  What leaves the machine is watched from
 * outside in tests/nic.
 */
#include "tests/hostile/hostile.h"

#define PATIENCE	(10 * NS_PER_SEC)
#define ROOM		8u
#define V4		{ EXO_L2, 2, 12, 0, 0xffff, 0x0800 }
#define UDP		{ EXO_L3, 1, 9, 0, 0xff, 17 }
#define PORT(n)		{ EXO_L4, 2, 2, 0, 0xffff, n }
#define OWN_PORT	{ EXO_L4, 2, 0, 0, 0xffff, 7 }
#define OWN_IP		{ EXO_L3, 4, 12, 0, 0xffffffff, 0x0a00020f }
#define DERIVE(from, options, ...) derive(from, options, \
	sizeof((struct exo_atom[]){ __VA_ARGS__ }) / sizeof(struct exo_atom), (struct exo_atom[]){ __VA_ARGS__ })
#define BOTH		(EXO_FLOW_RECEIVE | EXO_FLOW_TRANSMIT)

static struct packets in, out;
static uint64_t flow, pfn;
static uint8_t *frame;

static struct exo_result derive(uint64_t from, uint64_t options, unsigned n, const struct exo_atom *a)
{
	uint64_t object = frame_take();
	struct exo_result r = exo_flow_derive(from, object, a, n, options, EXO_SLOT_ANY);
	if (r.status)
		frames_put(object, 1);
	return r;
}

static bool ready(void)
{
	struct exo_result event = exo_event_create(EXO_SLOT_ANY, 0, 1ul << 20);
	flow = start_cap(self, CAP_NET0);
	pfn = page_at(TEST_VA, PTE_RW);
	frame = (uint8_t *)TEST_VA;
	return flow && pfn && !event.status && !packets_open(&in, EXO_RING_RECEIVE, event.value) &&
		!packets_open(&out, EXO_RING_TRANSMIT, event.value);
}

static void udp_make(void)
{
	static const uint8_t header[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 0,
		0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 2, 15, 10, 0, 2, 99, 0, 7, 0, 9, 0, 26 };
	memset(frame, 0, EXO_PAGE_SIZE);
	memcpy(frame, header, sizeof header);
}

/* The completion's code. */
static uint64_t send(unsigned offset, unsigned length)
{
	struct exo_completion c;
	packets_put(&out, 1, pfn, offset, length);
	if (packets_submit(&out) || !packets_wait(&out, time_now() + PATIENCE) || !packets_get(&out, &c))
		return ~0ul;
	return EXO_CODE(c.status);
}

/* ---- filters ------------------------------------------------------------------------------ */

static uint64_t exhaust_filters(void)
{
	EXPECT(ready());
	for (unsigned round = 0; round < 3; round++) {
		uint64_t made[ROOM + 1], n = 0;
		struct exo_result r;
		while (!(r = DERIVE(flow, EXO_FLOW_OPTIONS(BOTH, 1), PORT(n))).status) {
			EXPECT(n < ROOM);
			EXPECT(CODE(exo_flow_bind(r.value, in.cap, 0)) == EXO_OK);
			made[n++] = r.value;
		}
		EXPECT(EXO_CODE(r.status) == EXO_LIMIT && n == ROOM);
		EXPECT(CODE(exo_flow_bind(flow, in.cap, 0)) == EXO_LIMIT);
		while (n--)
			EXPECT(!exo_delete_all(0, made[n]));
	}
	EXPECT(CODE(DERIVE(flow, EXO_FLOW_OPTIONS(BOTH, ROOM + 1), PORT(1))) == EXO_LIMIT);
	EXPECT(CODE(DERIVE(flow, EXO_FLOW_OPTIONS(BOTH, -1ul), PORT(1))) == EXO_ARG);
	return 0;
}

/* Nothing that is written makes a flow larger; no name leads to another's. */
static uint64_t steal_filter(void)
{
	static const struct exo_atom outside[] = { { EXO_L3, 1, 9, 0, 0xff, 6 }, { EXO_L3, 1, 9, 0, 1, 0 },
		{ EXO_L2, 2, 12, 0, 0xffff, 0x86dd }, { EXO_L2, 2, 12, 0, 0xffff, 0x8100 }, { EXO_L2, 1, 13, 0, 1, 1 },
		{ EXO_L3, 1, 0, 0, 0x0f, 6 }, { EXO_L3, 2, 2, 0, 0xffff, 40 }, { EXO_L3, 8, 13, 0, 0xff, 1 },
		{ EXO_L3, 1, 20, 0, 0xff, 0 }, { EXO_L4, 8, 17, 0, 1, 1 }, { EXO_L4, 1, 0xffff, 0, 1, 1 },
		{ 3, 1, 0, 0, 1, 1 }, { EXO_L3, 1, 9, 1, 0xff, 17 }, { EXO_L4, 2, 2, 0, 0x1ffff, 80 } };
	struct exo_flow_info all, part;
	EXPECT(ready() && !exo_flow_info(flow, &all).status);
	for (unsigned i = 0; i < ARRAY_LEN(outside); i++)
		EXPECT(CODE(derive(flow, EXO_FLOW_OPTIONS(BOTH, 1), 1, &outside[i])) == EXO_ARG);
	for (unsigned i = 0; i < 3000; i++) {
		struct exo_atom a[4];
		for (unsigned j = 0; j < sizeof a / 8; j++)
			((uint64_t *)a)[j] = random_next() >> random_below(64);
		for (unsigned j = 0; j < 4; j++)
			a[j] = random_below(4) ? (struct exo_atom){ random_below(3), 1u << random_below(4), random_below(48), 0,
				a[j].mask, a[j].value & a[j].mask } : a[j];
		struct exo_result r = derive(flow, EXO_FLOW_OPTIONS(1 + random_below(3), 0), 1 + random_below(4), a);
		if (r.status)
			continue;
		EXPECT(!exo_flow_info(r.value, &part).status);
		for (unsigned w = 0; w < 10; w++)
			EXPECT((part.mask[w] & all.mask[w]) == all.mask[w] && (part.value[w] & all.mask[w]) == all.value[w]);
		EXPECT(!exo_delete_all(0, r.value));
	}
	for (unsigned i = 0; i < 3000; i++) {
		uint32_t name = i < 300 ? i : random_next();
		if (EXO_CAP_INDEX(name) == EXO_CAP_INDEX(flow))
			continue;
		EXPECT(CODE(exo_flow_bind(name, in.cap, 0)) != EXO_OK);
		EXPECT(CODE(exo_flow_bind(flow, name, 0)) != EXO_OK || EXO_CAP_INDEX(name) == EXO_CAP_INDEX(in.cap) ||
			EXO_CAP_INDEX(name) == EXO_CAP_INDEX(out.cap));
		exo_flow_bind(flow, 0, 0);
		EXPECT(CODE(DERIVE(name, EXO_FLOW_OPTIONS(BOTH, 0), V4)) != EXO_OK);
	}
	return 0;
}

/* ---- what leaves ---------------------------------------------------------------------------- */

static uint64_t permit(void)
{
	struct exo_result r = DERIVE(flow, EXO_FLOW_OPTIONS(EXO_FLOW_TRANSMIT, 0), OWN_IP, OWN_PORT);
	return !r.status && !exo_flow_bind(r.value, out.cap, 0).status ? r.value : 0;
}

/* Each bit of the header flipped. */
static uint64_t spoof(void)
{
	struct exo_flow_info info;
	EXPECT(ready());
	udp_make();
	EXPECT(send(0, 60) == EXO_RIGHT);
	uint64_t cap = permit();
	EXPECT(cap && !exo_flow_info(cap, &info).status);
	EXPECT(send(0, 60) == EXO_OK);
	for (unsigned bit = 0; bit < 38 * 8; bit++) {
		unsigned at = bit / 8, view = at < 14 ? at : at < 34 ? at + 2 : at + 22;
		bool length = at == 16 || at == 17;	/* may be shorter */
		bool fixed = ((const uint8_t *)info.mask)[view] >> bit % 8 & 1 || at == 14;
		udp_make();
		frame[at] ^= 1 << bit % 8;
		uint64_t code = send(0, 60);
		EXPECT(code == (fixed ? EXO_RIGHT : EXO_OK) || (length && code == EXO_RIGHT));
	}
	udp_make();			/* the right words behind a tag, two tags, options, a fragment */
	memmove(frame + 18, frame + 14, 40);
	memcpy(frame + 12, "\x81\x00\x00\x05\x08\x00", 6);
	EXPECT(send(0, 64) == EXO_OK);
	memmove(frame + 22, frame + 18, 40);
	memcpy(frame + 16, "\x81\x00\x00\x05\x08\x00", 6);
	EXPECT(send(0, 68) == EXO_RIGHT);
	udp_make();
	frame[14] = 0x46;
	EXPECT(send(0, 60) == EXO_RIGHT);
	udp_make();
	frame[21] = 1;
	EXPECT(send(0, 60) == EXO_RIGHT);
	udp_make();
	frame[17] = 20;			/* ports in the padding */
	EXPECT(send(0, 60) == EXO_RIGHT);
	EXPECT(!exo_delete_all(0, cap));
	udp_make();
	EXPECT(send(0, 60) == EXO_RIGHT);
	return 0;
}

/* Another CPU changes the header all the time: what is decided is one or the other. */
static volatile bool stop;
static void flip(void *arg)
{
	(void)arg;
	while (!stop)
		((volatile uint8_t *)frame)[35] ^= 0x40;
}

static uint64_t spoof_race(void)
{
	struct second s;
	uint64_t end = time_now() + 200 * NS_PER_MS, sent = 0, refused = 0;
	EXPECT(ready() && permit() && second_make(&s, 1, flip, NULL, 0));
	udp_make();
	EXPECT(!second_start(&s));
	while (time_now() < end || ((!sent || !refused) && time_now() < end + PATIENCE)) {
		uint64_t code = send(0, 60);
		EXPECT(code == EXO_OK || code == EXO_RIGHT);
		code ? refused++ : sent++;
	}
	stop = true;
	EXPECT(sent && refused);
	return 0;
}

/* ---- rings ------------------------------------------------------------------------------------- */

static uint64_t packet_indices(void)
{
	static const uint64_t odd[] = { 129, 256, 1ul << 32, 1ul << 63, -1ul, -130ul };
	struct packets *const ring[] = { &in, &out };
	EXPECT(ready() && permit());
	udp_make();
	for (unsigned k = 0; k < 2; k++) {
		struct exo_ring *h = ring[k]->head;
		for (unsigned i = 0; i < ARRAY_LEN(odd); i++) {
			h->submitted = odd[i];
			EXPECT(EXO_CODE(packets_submit(ring[k])) == EXO_ARG);
			h->submitted = 0;
			h->consumed = odd[i] == -1ul ? 1 : odd[i];
			EXPECT(EXO_CODE(packets_submit(ring[k])) == EXO_ARG);
			h->consumed = 0;
		}
		h->taken = h->completed = ~0ul;
		EXPECT(EXO_CODE(packets_submit(ring[k])) == EXO_OK);
		h->taken = h->completed = 0;
	}
	EXPECT(send(0, 60) == EXO_OK);
	return 0;
}

static uint64_t packet_garbage(void)
{
	struct packets *const ring[] = { &in, &out };
	struct exo_completion c;
	uint64_t good = 0;
	EXPECT(ready() && permit());
	udp_make();
	for (unsigned n = 0; n < 6000; n++) {
		struct packets *r = ring[random_below(2)];
		struct exo_packet e;
		for (unsigned i = 0; i < sizeof e / 8; i++)
			((uint64_t *)&e)[i] = random_below(2) ? 0 : random_next() >> random_below(64);
		if (random_below(4))
			e.frame = random_below(8) ? pfn : told->secret[random_below(SECRETS)];
		if (random_below(3))
			e.offset = 0, e.length = random_below(1600);
		r->entry[r->submitted % EXO_PACKET_SLOTS] = e;
		r->head->submitted = ++r->submitted;
		uint64_t code = EXO_CODE(packets_submit(r));
		EXPECT(code == EXO_OK || (code == EXO_AGAIN && (r == &in || r == &out)));
		while (packets_get(r, &c)) {
			EXPECT(EXO_CODE(c.status) < EXO_STATUS_COUNT && EXO_AT(c.status) <= EXO_PACKET_FLOW);
			good += !c.status;
		}
		if (r == &in && r->submitted - r->consumed == EXO_PACKET_SLOTS) {	/* all filled: another one */
			uint64_t event = exo_event_create(EXO_SLOT_ANY, 0, 1ul << 20).value;
			packets_close(&in);
			EXPECT(!packets_open(&in, EXO_RING_RECEIVE, event));
		}
		while (r == &out && !packets_room(r))
			EXPECT(packets_wait(r, time_now() + PATIENCE) && packets_get(r, &c));
	}
	EXPECT(good);
	return 0;
}

/* A frame that is given to be received into, or sent from, goes nowhere until the ring has ended. */
static uint64_t packet_frames(void)
{
	struct exo_frame f;
	EXPECT(ready() && permit());
	udp_make();
	for (unsigned i = 0; i < 40; i++)
		packets_put(&in, i, pfn, 0, 2048);
	EXPECT(!packets_submit(&in));
	EXPECT(!exo_frame_info(0, pfn, &f).status && f.pins == 40);
	EXPECT(!pt_unmap(self->root, TEST_VA, 1));
	EXPECT(retype_one(pfn, EXO_KIND_PT1) == EXO_BUSY);
	EXPECT(CODE(exo_frame_give(0, 0, pfn, 1)) == EXO_BUSY);
	for (unsigned i = 0; i < 30; i++)
		packets_put(&out, i, pfn, 0, 1000);
	uint64_t code = EXO_CODE(packets_submit(&out));
	EXPECT(code == EXO_OK || code == EXO_AGAIN);
	packets_close(&out);
	packets_close(&in);
	EXPECT(!exo_frame_info(0, pfn, &f).status && !f.pins);
	return 0;
}

const struct row net_rows[] = {
	{ "exhaust-filters", exhaust_filters, EXITS, 1, NULL },
	{ "steal-filter", steal_filter, EXITS, 1, NULL },
	{ "spoof", spoof, EXITS, 1, NULL },
	{ "spoof-race", spoof_race, EXITS, 2, NULL },
	{ "packet-indices", packet_indices, EXITS, 1, NULL },
	{ "packet-garbage", packet_garbage, EXITS, 1, NULL },
	{ "packet-frames", packet_frames, EXITS, 1, NULL },
	{ NULL, NULL, EXITS, 0, NULL }
};
