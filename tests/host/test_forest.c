/* Random forests of flows: three domains derive, pass on, bind, take back and send, as hostile as
 * chance; what each flow covers is kept here, field by field, and every packet that arrives or leaves is
 * held against that.
 *
 * FOREST=N FOREST_SEED=N in the environment: so many steps, another course.
 */
#include <stdlib.h>
#include <string.h>
#include "tests/host/test.h"
#include "tests/host/model_net.h"

#define ACTORS	3u
#define OBJECTS	24u		/* flows that each can have at a time */
#define SLOTS	40u		/* for flows, in each one's table */
#define FIRST	40u
#define EVENT	32u
#define IN	33u
#define OUT	34u
#define BOTH	(EXO_FLOW_RECEIVE | EXO_FLOW_TRANSMIT)

/* What flows and packets differ in; packets that are not IPv4 have no ports. */
enum field { TO_MAC, FROM_MAC, TYPE, PROTOCOL, TO_PORT, FROM_PORT, FIELDS };
static const struct exo_atom atoms[FIELDS] = { { EXO_L2, 1, 0, 0, 1, 0 }, { EXO_L2, 1, 6, 0, 1, 0 },
	{ EXO_L2, 2, 12, 0, 0xffff, 0 }, { EXO_L3, 1, 9, 0, 0xff, 0 }, { EXO_L4, 2, 2, 0, 0xffff, 0 },
	{ EXO_L4, 2, 0, 0, 0xffff, 0 } };
static const uint16_t values[FIELDS][2] = { { 0, 1 }, { 0, 1 }, { 0x0800, 0x0806 }, { 6, 17 }, { 80, 81 }, { 7, 9 } };

struct packet { uint8_t is[FIELDS]; };		/* index of the value */
struct mirror { bool made; int8_t want[FIELDS]; unsigned directions; uint32_t parent; };
static struct mirror mirrors[MODEL_FRAMES];	/* by the flow's number; [0]: none */

static struct user { struct actor a; uint32_t object[OBJECTS], in, out, chunk; } users[ACTORS];
static uint64_t delivered, sent, refused, bound;

static unsigned chance(unsigned n) { return model_random() % n; }

/* ---- what should be ---------------------------------------------------------------------------- */

static bool covers(const struct mirror *m, const struct packet *p)
{
	for (unsigned i = 0; i < FIELDS; i++)
		if (m->want[i] >= 0 && (m->want[i] != p->is[i] || (i > PROTOCOL && p->is[TYPE])))
			return false;
	return true;
}

static bool disjoint(const struct mirror *a, const struct mirror *b)
{
	for (unsigned i = 0; i < FIELDS; i++)
		if (a->want[i] >= 0 && b->want[i] >= 0 && a->want[i] != b->want[i])
			return true;
	return false;
}

static bool within(const struct mirror *a, const struct mirror *b)
{
	for (unsigned i = 0; i < FIELDS; i++)
		if (b->want[i] >= 0 && a->want[i] != b->want[i])
			return false;
	return true;
}

static bool descends(uint32_t flow, uint32_t from)
{
	while (flow && flow != from)
		flow = mirrors[flow].parent;
	return flow;
}

/* The ring that a flow is bound to, if it is of that kind. */
static struct ring *ring_of(uint32_t id, unsigned kind)
{
	bool there = id == MODEL_FLOW || frame_table[id].type == EXO_F_OBJECT;
	if (!mirrors[id].made || !there || !flow_at(id)->ring)
		return NULL;
	struct ring *r = ring_at(flow_at(id)->ring);
	return r->kind == kind ? r : NULL;
}

/* The most specific one that covers the packet; 0: none. */
static uint32_t receiver(const struct packet *p)
{
	uint32_t best = 0;
	for (uint32_t i = 1; i < MODEL_FRAMES; i++) {
		if (!ring_of(i, EXO_RING_RECEIVE) || !covers(&mirrors[i], p))
			continue;
		CHECK(!best || within(&mirrors[i], &mirrors[best]) || within(&mirrors[best], &mirrors[i]),
			"flows %x and %x cross", i, best);
		if (!best || within(&mirrors[i], &mirrors[best]))
			best = i;
	}
	return best;
}

static bool may_send(const struct domain *d, const struct packet *p)
{
	for (uint32_t i = 1; i < MODEL_FRAMES; i++) {
		const struct ring *r = ring_of(i, EXO_RING_TRANSMIT);
		if (r && r->domain == d->id && mirrors[i].directions & EXO_FLOW_TRANSMIT && covers(&mirrors[i], p))
			return true;
	}
	return false;
}

/* Of a binding that was made: every other live one is apart, or nested with authority. */
static void binding_check(uint32_t flow, uint32_t over)
{
	const struct ring *r = ring_of(flow, EXO_RING_RECEIVE);
	CHECK(r && mirrors[flow].directions & EXO_FLOW_RECEIVE, "flow %x is not bound", flow);
	for (uint32_t i = 1; i < MODEL_FRAMES; i++) {
		const struct ring *other = ring_of(i, EXO_RING_RECEIVE);
		if (i == flow || !other || disjoint(&mirrors[i], &mirrors[flow]))
			continue;
		bool in = within(&mirrors[i], &mirrors[flow]), out = within(&mirrors[flow], &mirrors[i]);
		CHECK(in != out, "flow %x was bound over %x", flow, i);
		CHECK(other->domain == r->domain || descends(i, flow) || descends(flow, i) || (over && descends(i, over)),
			"flow %x was bound over %x, a stranger's", flow, i);
	}
}

/* A refusal has a reason. */
static bool in_the_way(uint32_t flow, uint32_t domain)
{
	for (uint32_t i = 1; i < MODEL_FRAMES; i++) {
		const struct ring *other = ring_of(i, EXO_RING_RECEIVE);
		if (i == flow || !other || disjoint(&mirrors[i], &mirrors[flow]))
			continue;
		if (within(&mirrors[i], &mirrors[flow]) == within(&mirrors[flow], &mirrors[i]) ||
		    (other->domain != domain && !descends(i, flow) && !descends(flow, i)))
			return true;
	}
	return false;
}

/* ---- what is done -------------------------------------------------------------------------------- */

static uint32_t flow_in(const struct user *u, unsigned index)
{
	struct slot *s;
	return cap_find(u->a.d, index, EXO_T_FLOW, 0, 1, &s) ? 0 : s->aux;
}

static unsigned pick(const struct user *u)
{
	unsigned index = FIRST + chance(SLOTS);
	for (unsigned i = 0; i < SLOTS && !flow_in(u, index); i++)
		index = FIRST + (index - FIRST + 1) % SLOTS;
	return index;
}

static void derive(struct user *u)
{
	unsigned from = pick(u), n = chance(3), i;
	uint32_t object = u->object[chance(OBJECTS)], parent = flow_in(u, from);
	struct exo_atom *a = (void *)model_window[0];
	struct mirror m = mirrors[parent];
	if (!parent)
		return;
	for (i = 0; i < n; i++) {
		unsigned f = chance(FIELDS), v = chance(2);
		a[i] = atoms[f];
		a[i].value = values[f][v];
		if (m.want[f] >= 0 && m.want[f] != (int)v)	/* to be refused */
			m.directions = ~0u;
		m.want[f] = v;
	}
	unsigned directions = 1 + chance(3);
	bool good = m.directions != ~0u && !(directions & ~m.directions);
	good &= m.want[PROTOCOL] < 0 || m.want[TYPE] >= 0;
	for (i = TO_PORT; i < FIELDS; i++)
		good &= m.want[i] < 0 || m.want[TYPE] == 0;
	struct result r = CALL6(FLOW_DERIVE, from, object, WINDOW, n, EXO_FLOW_OPTIONS(directions, chance(4)),
		FIRST + chance(SLOTS));
	if (r.status)
		return;
	CHECK(good, "a flow that leaves its own was made");
	m.directions = directions;
	m.parent = parent;
	m.made = true;
	mirrors[object] = m;
}

static void pass_on(struct user *u)
{
	unsigned to = chance(ACTORS);
	CALL6(CAP_COPY, &users[to] == u ? 0 : 10 + to, FIRST + chance(SLOTS), pick(u),
		chance(4) ? EXO_R_USE | EXO_R_GRANT : EXO_R_GRANT, 0, 0);
}

static void bind(struct user *u)
{
	unsigned index = pick(u), over = chance(3) ? 0 : pick(u);
	uint32_t flow = flow_in(u, index), over_flow = over ? flow_in(u, over) : 0;
	bool receive = chance(2);
	struct result r = CALL3(FLOW_BIND, index, receive ? IN : OUT, over);
	if (receive && !r.status) {
		binding_check(flow, over_flow);
		bound++;
	}
	if (receive && EXO_CODE(r.status) == EXO_BUSY && EXO_AT(r.status) == 1)
		CHECK(in_the_way(flow, u->a.d->id), "flow %x was refused without a reason", flow);
	if (!receive && !r.status)
		CHECK(mirrors[flow].directions & EXO_FLOW_TRANSMIT, "a permission that was not given");
}

static void packet_make(uint8_t bytes[60], struct packet *p)
{
	memset(bytes, 0, 60);
	for (unsigned i = 0; i < FIELDS; i++)
		p->is[i] = i == TYPE ? !chance(8) : chance(2);
	bytes[0] = values[TO_MAC][p->is[TO_MAC]];
	bytes[6] = values[FROM_MAC][p->is[FROM_MAC]];
	bytes[12] = 8;
	bytes[13] = values[TYPE][p->is[TYPE]];
	bytes[14] = 0x45;
	bytes[17] = 46;
	bytes[23] = values[PROTOCOL][p->is[PROTOCOL]];
	bytes[35] = values[FROM_PORT][p->is[FROM_PORT]];
	bytes[37] = values[TO_PORT][p->is[TO_PORT]];
}

static struct exo_ring *header(uint32_t pfn) { return pfn_to_virt(pfn); }

static void entry_put(uint32_t ring, uint32_t frame, unsigned length)
{
	struct exo_packet *e = pfn_to_virt(ring + 1);
	struct exo_ring *h = header(ring);
	h->consumed = h->completed;
	e[h->submitted++ % EXO_PACKET_SLOTS] = (struct exo_packet){ .frame = frame, .length = length };
}

/* From outside: at most one gets it, and it is the right one. */
static void arrives(void)
{
	uint8_t bytes[60];
	struct packet p;
	uint64_t before[ACTORS];
	packet_make(bytes, &p);
	uint32_t right = receiver(&p);
	for (unsigned i = 0; i < ACTORS; i++) {
		if (header(users[i].in)->submitted == header(users[i].in)->completed)
			entry_put(users[i].in, users[i].chunk, 2048);
		before[i] = header(users[i].in)->completed;
	}
	model_net_receive(0, bytes, sizeof bytes);
	for (unsigned i = 0; i < ACTORS; i++) {
		uint64_t got = header(users[i].in)->completed - before[i];
		bool his = right && ring_of(right, EXO_RING_RECEIVE)->domain == users[i].a.d->id;
		CHECK(got == his, "domain %u got %lu packets, flow %x", i, got, right);
		delivered += got;
	}
}

static bool seen;
static void observe(const uint8_t *frame, unsigned n)
{
	(void)frame, (void)n;
	seen = true;
}

static void sends(struct user *u)
{
	struct packet p;
	packet_make(pfn_to_virt(u->chunk), &p);
	seen = false;
	bool may = may_send(u->a.d, &p);
	entry_put(u->out, u->chunk, 60);
	struct result r = CALL1(RING_SUBMIT, OUT);
	CHECK(EXO_CODE(r.status) == EXO_OK, "submit: %lu", r.status);
	CHECK(seen == may, "a frame %s, and %s", seen ? "left" : "stayed", may ? "might leave" : "might not");
	*(may ? &sent : &refused) += 1;
	model_net_finish(0, may);
}

static void step(struct user *u)
{
	switch (chance(12)) {
	case 0: case 1: case 2:
		derive(u);
		return;
	case 3: case 4:
		pass_on(u);
		return;
	case 5: case 6:
		bind(u);
		return;
	case 7:
		CALL3(FLOW_BIND, pick(u), 0, 0);
		return;
	case 8:
		if (chance(3) == 0)
			FINISH(CALL2(CAP_DELETE, 0, pick(u)));
		return;
	case 9:
		if (chance(6) == 0)
			FINISH(CALL2(CAP_REVOKE, 0, pick(u)));
		return;
	case 10:
		sends(u);
		return;
	default:
		arrives();
	}
}

static void ring_make(uint32_t object, unsigned kind, unsigned slot)
{
	OK(CALL6(RING_CREATE, object, object + 1, object + 2, kind, EVENT, slot));
}

/* Each has the flow of all packets, and gets it again when it gave it back. */
static void endow(struct user *u)
{
	if (flow_in(u, FIRST))
		return;
	model_run(0, model_init());
	CALL6(CAP_COPY, u->a.cap, FIRST, 30, EXO_R_USE | EXO_R_GRANT, 0, 0);
}

static void user_make(struct user *u)
{
	u->a = actor_make(100);
	for (unsigned i = 0; i < OBJECTS; i++)
		u->object[i] = actor_frame(&u->a);
	uint32_t rings[6];
	for (unsigned i = 0; i < 6; i++)
		rings[i] = actor_frame(&u->a);
	u->chunk = actor_frame(&u->a);
	u->in = rings[1];
	u->out = rings[4];
	CHECK(model_run(0, u->a.d), "runs");
	context_control(this_cpu()->current)->mask = 1;
	OK(CALL3(EVENT_CREATE, EVENT, 0, 1ul << 20));
	ring_make(rings[0], EXO_RING_RECEIVE, IN);
	ring_make(rings[3], EXO_RING_TRANSMIT, OUT);
	model_run(0, model_init());
}

static unsigned number_from(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);
	return text ? strtoul(text, NULL, 0) : otherwise;
}

TEST(net_forest)
{
	unsigned steps = number_from("FOREST", 30000);

	model_seed(number_from("FOREST_SEED", 1));
	model_flow_put(model_init(), 30, 0);
	memset(mirrors, 0, sizeof mirrors);
	mirrors[MODEL_FLOW] = (struct mirror){ true, { -1, -1, -1, -1, -1, -1 }, BOTH, 0 };
	delivered = sent = refused = bound = 0;
	for (unsigned i = 0; i < ACTORS; i++)
		user_make(&users[i]);
	for (unsigned i = 0; i < ACTORS; i++)
		for (unsigned j = 0; j < ACTORS; j++)
			if (i != j)
				OK(CALL6(CAP_COPY, users[i].a.cap, 10 + j, users[j].a.cap, EXO_R_GIVE, 0, 0));
	model_observer = observe;
	for (unsigned i = 0; i < steps; i++) {
		struct user *u = &users[chance(ACTORS)];

		model_on(0);
		endow(u);
		CHECK(model_run(0, u->a.d), "runs");
		step(u);
		if (i % 500 == 0)
			audit();
	}
	CHECK(delivered > steps / 100 && sent > steps / 100 && refused > steps / 100 && bound > steps / 200,
		"%lu came, %lu left, %lu were refused, %lu bindings", delivered, sent, refused, bound);
}
