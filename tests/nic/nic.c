/* A network card, in the machine: a session that holds all of its packets, and a peer on the wire
 * (tests/nic/run), which does what frames of ours ask for and watches all that comes out.
 *
 * Frames have an EtherType for experiments, and behind it a letter: E: send it back; U: send one
 * of a type that nobody here wants; F n: send n frames of the other type; C: say how many of the
 * other type came.  docs/net-design.md has the rules that are tested.
 */
#include "tests/guest/report.h"

VIRTUE_NOTE("bare");

#define STRING_(x) #x
#define STRING(x) STRING_(x)
#define CHECK(cond) do { if (!(cond)) return "line " STRING(__LINE__) ": " #cond; } while (0)
#define IS(call, code) CHECK(EXO_CODE(last = (call)) == EXO_##code)

#define TYPE		0x88b5u		/* for experiments */
#define TYPE_OTHER	0x88b6u
#define TYPE_NOBODY	0x88b7u
#define CHUNKS		64u		/* each for one packet */
#define PATIENCE	(5 * NS_PER_SEC)

struct test { const char *name; const char *(*run)(void); };

static struct exo_start *machine;
static uint64_t last, all, flow, other, permit;
static struct exo_flow_info info;
static struct packets in, in_other, out;
static uint32_t pfn[2 * CHUNKS], send_pfn;
static uint8_t *chunk[2 * CHUNKS], *sent;
static uint8_t mac[6];

static struct exo_result derive(uint64_t from, unsigned directions, unsigned room, unsigned n,
	const struct exo_atom *atoms)
{
	struct exo_result r = exo_flow_derive(from, frame_take(), atoms, n,
		EXO_FLOW_OPTIONS(directions, room), EXO_SLOT_ANY);
	last = r.status;
	return r;
}

static uint64_t flow_of_type(unsigned type)
{
	struct exo_atom a = { EXO_L2, 2, 12, 0, 0xffff, type };
	return derive(all, EXO_FLOW_RECEIVE | EXO_FLOW_TRANSMIT, 4, 1, &a).value;
}

/* Our own address, and either type. */
static uint64_t permit_of(uint64_t from)
{
	uint64_t own = 0;
	for (unsigned i = 0; i < 6; i++)
		own = own << 8 | mac[i];
	struct exo_atom a[] = { { EXO_L2, 4, 6, 0, 0xffffffff, own >> 16 }, { EXO_L2, 2, 10, 0, 0xffff, own & 0xffff } };
	return derive(from, EXO_FLOW_TRANSMIT, 0, 2, a).value;
}

static void fill(struct packets *r, unsigned first)
{
	for (unsigned i = first; i < first + CHUNKS; i++)
		packets_put(r, i, pfn[i], 0, 2048);
	packets_submit(r);
}

static const char *set_up(void)
{
	uint64_t event;
	int bit = event_alloc(NULL, NULL);
	IS(frames_init(machine, true), OK);
	IS(time_init(machine, 0), OK);
	all = start_cap_at(machine, CAP_NET, 0);
	CHECK(all);
	IS(exo_flow_info(all, &info).status, OK);
	memcpy(mac, info.mac, sizeof mac);
	CHECK(info.room && info.directions == 3 && mac[0] == 0x52);
	struct exo_result e = exo_event_create(EXO_SLOT_ANY, 0, 1ul << bit);
	IS(e.status, OK);
	event = e.value;
	IS(packets_open(&in, EXO_RING_RECEIVE, event), OK);
	IS(packets_open(&in_other, EXO_RING_RECEIVE, event), OK);
	IS(packets_open(&out, EXO_RING_TRANSMIT, event), OK);
	for (unsigned i = 0; i < 2 * CHUNKS; i++) {
		CHECK((pfn[i] = frame_alloc_zero()));
		chunk[i] = physmap_page(pfn[i]);
	}
	CHECK((send_pfn = frame_alloc_zero()));
	sent = physmap_page(send_pfn);
	flow = flow_of_type(TYPE);
	IS(last, OK);
	other = flow_of_type(TYPE_OTHER);
	IS(last, OK);
	IS(exo_flow_bind(flow, in.cap, 0).status, OK);
	IS(exo_flow_bind(other, in_other.cap, 0).status, OK);
	permit = permit_of(flow);
	IS(last, OK);
	IS(exo_flow_bind(permit, out.cap, 0).status, OK);
	uint64_t second = permit_of(other);
	IS(exo_flow_bind(second, out.cap, 0).status, OK);
	fill(&in, 0);
	fill(&in_other, CHUNKS);
	return NULL;
}

/* ---- frames ------------------------------------------------------------------------------- */

/* To everybody, from us. */
static void frame_make(unsigned type, char what, unsigned length)
{
	memset(sent, 0xff, 6);
	memcpy(sent + 6, mac, 6);
	sent[12] = type >> 8;
	sent[13] = type;
	sent[14] = what;
	for (unsigned i = 15; i < length; i++)
		sent[i] = i * 7 + length;
}

static uint64_t frame_send(unsigned offset, unsigned length)
{
	struct exo_completion c;
	packets_put(&out, 1, send_pfn, offset, length);
	uint64_t status = packets_submit(&out);
	if (status)
		return status;
	return packets_wait(&out, time_now() + PATIENCE) && packets_get(&out, &c) ? c.status : EXO_TIMEOUT;
}

/* The next packet of a ring, its chunk given back at once: it stays until the next one. */
static uint8_t *frame_next(struct packets *r, unsigned *length, uint64_t patience)
{
	struct exo_completion c;
	if (!packets_wait(r, time_now() + patience) || !packets_get(r, &c) || c.status)
		return NULL;
	*length = c.sectors;
	packets_put(r, c.id, pfn[c.id], 0, 2048);
	return chunk[c.id];
}

/* Asks the peer; its answer.  A card may be deaf for a second after a reset. */
static uint8_t *ask(char what, unsigned length, unsigned *answered)
{
	for (unsigned i = 0; i < 4; i++) {
		frame_make(TYPE, what, length);
		if (frame_send(0, length))
			return NULL;
		uint8_t *p = frame_next(&in, answered, NS_PER_SEC);
		if (p)
			return p;
	}
	return NULL;
}

/* ---- tests --------------------------------------------------------------------------------- */

static const char *echo(void)
{
	static const unsigned lengths[] = { 60, 61, 127, 128, 129, 500, 1024, 1513, 1514 };
	unsigned n;
	for (unsigned i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		uint8_t *p = ask('E', lengths[i], &n);
		CHECK(p);
		CHECK(n == lengths[i]);
		CHECK(!memcmp(p, mac, 6) && !memcmp(p + 12, sent + 12, n - 12));
	}
	return NULL;
}

static const char *short_frame(void)
{
	unsigned n;
	uint8_t *p = ask('E', 20, &n);
	CHECK(p);
	CHECK(n == 60 && !memcmp(p + 12, sent + 12, 8) && !p[20] && !p[59]);
	return NULL;
}

static const char *nobody(void)
{
	unsigned n;
	frame_make(TYPE, 'U', 60);
	IS(frame_send(0, 60), OK);
	CHECK(ask('E', 99, &n));
	CHECK(n == 99 && !frame_next(&in, &n, NS_PER_SEC / 50) && !frame_next(&in_other, &n, NS_PER_SEC / 50));
	return NULL;
}

/* The peer sees everything that leaves: it fails if one of these does. */
static const char *spoof(void)
{
	frame_make(TYPE, 'S', 60);
	sent[11] ^= 1;
	IS(frame_send(0, 60), RIGHT);
	frame_make(TYPE_NOBODY, 'S', 60);
	IS(frame_send(0, 60), RIGHT);
	frame_make(TYPE, 'S', 60);
	memmove(sent + 16, sent + 12, 40);	/* behind a tag, and then behind two */
	memcpy(sent + 12, "\x81\x00\x00\x07\x81\x00\x00\x07", 8);
	IS(frame_send(0, 60), RIGHT);
	IS(frame_send(0, 13), ARG);
	IS(frame_send(0, 1519), ARG);
	IS(frame_send(4090, 60), ARG);
	return NULL;
}

/* Changed behind the check: what was checked is sent. */
static const char *changed(void)
{
	struct exo_completion c;
	unsigned n;
	frame_make(TYPE, 'E', 128);
	packets_put(&out, 1, send_pfn, 0, 128);
	IS(packets_submit(&out), OK);
	memset(sent, 0xaa, 128);
	CHECK(packets_wait(&out, time_now() + PATIENCE) && packets_get(&out, &c));
	uint8_t *p = frame_next(&in, &n, PATIENCE);
	CHECK(p);
	CHECK(n == 128 && p[14] == 'E');
	return NULL;
}

/* More than there are chunks for: what does not fit is counted, nothing else suffers. */
static const char *flood(void)
{
	enum { N = 1000 };
	unsigned n, got = 0;
	IS(exo_flow_info(other, &info).status, OK);
	uint64_t before = info.packets, dropped = info.dropped;
	frame_make(TYPE, 'F', 60);
	sent[15] = N >> 8;
	sent[16] = N & 0xff;
	IS(frame_send(0, 60), OK);
	uint64_t end = time_now() + PATIENCE;
	do {
		while (frame_next(&in_other, &n, NS_PER_SEC / 5))
			got += n == 60;
		packets_submit(&in_other);
		IS(exo_flow_info(other, &info).status, OK);
	} while (info.packets + info.dropped - before - dropped < N && time_now() < end);
	CHECK(info.packets + info.dropped - before - dropped == N);
	CHECK(got == info.packets - before);
	CHECK(ask('E', 77, &n));
	CHECK(n == 77);
	return NULL;
}

/* As many as fit into the ring at a time; all arrive. */
static const char *burst(void)
{
	enum { N = 600 };
	struct exo_completion c;
	unsigned n, done = 0, put = 0;
	frame_make(TYPE_OTHER, 'X', 60);
	uint64_t end = time_now() + PATIENCE;
	while (done < N && time_now() < end) {
		for (; put < N && packets_room(&out); put++)
			packets_put(&out, put, send_pfn, 0, 60);
		uint64_t code = EXO_CODE(packets_submit(&out));
		CHECK(code == EXO_OK || code == EXO_AGAIN);
		packets_wait(&out, time_now() + NS_PER_SEC / 10);
		for (; packets_get(&out, &c); done++)
			CHECK(!c.status);
	}
	CHECK(done == N);
	uint8_t *p = ask('C', 60, &n);
	CHECK(p);
	CHECK((p[15] << 8 | p[16]) == N);
	return NULL;
}

/* Sleeps until n packets are unread: nobody looks before the ring's event. */
static bool unread(struct packets *r, unsigned n)
{
	struct exo_predicate p = { .products = 1, .terms = { 1 } };
	uint64_t end = time_now() + PATIENCE;
	p.term[0][0] = (struct exo_term){ .op = EXO_EQ, .value = r->consumed + n,
		.addr = (r->head_pfn << EXO_PAGE_SHIFT) + offsetof(struct exo_ring, completed) };
	while (r->head->completed != r->consumed + n && time_now() < end)
		exo_wait(&p, end, 0);
	return time_now() < end;
}

/* The event comes by number, or by time.  (That it does not come before: tests/host.) */
static const char *moderation(void)
{
	static const struct { unsigned count, ns, frames; } kind[] = {
		{ 3, 0, 3 }, { CHUNKS, 2000000, 1 }, { 8, 1000000, 20 }, { 0, 0, 1 } };
	unsigned n;
	for (unsigned i = 0; i < sizeof kind / sizeof kind[0]; i++) {
		in_other.head->event_count = kind[i].count;
		in_other.head->event_ns = kind[i].ns;
		frame_make(TYPE, 'F', 60);
		sent[15] = 0;
		sent[16] = kind[i].frames;
		IS(frame_send(0, 60), OK);
		CHECK(unread(&in_other, kind[i].frames));
		for (unsigned f = 0; f < kind[i].frames; f++)
			CHECK(frame_next(&in_other, &n, 0));
	}
	return NULL;
}

static bool link_becomes(unsigned up)
{
	uint64_t end = time_now() + 4 * PATIENCE;
	do {
		if (!exo_flow_info(all, &info).status && info.link == up)
			return true;
		exo_wait(NULL, time_now() + NS_PER_SEC / 100, 0);
	} while (time_now() < end);
	return false;
}

/* The cable goes, and comes again, while nothing is sent or received that would have anybody look. */
static const char *link(void)
{
	unsigned n;
	CHECK(link_becomes(1));
	frame_make(TYPE, 'L', 60);
	IS(frame_send(0, 60), OK);
	CHECK(link_becomes(0));
	report_line("the cable is out");
	CHECK(link_becomes(1));
	CHECK(ask('E', 60, &n));
	return NULL;
}

/* A ring that ends in the middle: its flow is free, and its frames are. */
static const char *teardown(void)
{
	struct exo_frame f;
	unsigned n;
	frame_make(TYPE, 'F', 60);
	sent[15] = 0;
	sent[16] = 200;
	IS(frame_send(0, 60), OK);
	packets_close(&in_other);
	IS(exo_flow_info(other, &info).status, OK);
	CHECK(!info.bound);
	for (unsigned i = CHUNKS; i < 2 * CHUNKS; i++) {
		IS(exo_frame_info(0, pfn[i], &f).status, OK);
		CHECK(!f.pins);
	}
	CHECK(ask('E', 60, &n));
	IS(exo_cap_delete(0, flow).status, OK);
	frame_make(TYPE, 'E', 60);
	IS(frame_send(0, 60), RIGHT);		/* the permission was derived from it */
	return NULL;
}

static const struct test tests[] = {
	{ "set-up", set_up }, { "echo", echo }, { "short-frame", short_frame }, { "nobody", nobody },
	{ "spoof", spoof }, { "changed", changed }, { "flood", flood }, { "burst", burst },
	{ "moderation", moderation }, { "link", link }, { "teardown", teardown }, { NULL, NULL }
};

int main(struct exo_start *s)
{
	static const struct upcall_handlers handlers = { .event = event_dispatch };
	machine = s;
	upcall_set(&handlers);
	report_start(s);
	for (const struct test *t = tests; t->name; t++) {
		const char *why = t->run();
		if (why)
			report_line("status %lu at %lu", last & 0xff, last >> 8);
		report_case(t->name, why);
		if (why && t == tests)
			break;
	}
	report_end();
}
