/* The web server's TCP (apps/web) against another one, lwIP, on a wire that loses, repeats, delays,
 * exchanges and spoils frames: pages arrive whole, connections end, nothing is kept.
 *
 * usage: web ROUNDS [SEED].  Time passes only here, so that a run repeats by its seed.
 */
#include <errno.h>
#include <string.h>
#include "tests/stack/wire.h"
#include "tests/web/client.h"
#include "apps/web/web.h"

#define SCRATCH	16u
#define STORM	4u			/* clients in a storm, of which a few may be given up */

static struct stack_link link_ = { .mac = { 2, 0, 0, 0, 0, 1 } };
static const uint8_t server_mac[6] = { 2, 0, 0, 0, 0, 2 }, server_ip[4] = { 10, 0, 0, 2 };
static const uint8_t client_at[4] = { 10, 0, 0, 1 };

static uint64_t sent_to_client;
enum { CLIENT, SERVER };		/* the wire's ends */

/* ---- the wire ---------------------------------------------------------------------- */

static bool client_sends(struct stack_link *from, const void *frame, size_t length)
{
	(void)from;
	wire_put(SERVER, frame, length);
	return true;
}

/* What the wire shows of a client's connection, by port: for how long the server had heard nothing
 * new when it ended or reset it. */
#define IDLE	60000u			/* ms without a request, after which it ends a connection */
#define PATIENCE 100000u		/* without an acknowledgement before a reset: RFC 1122, 4.2.3.5 */
enum { FIN = 1, RST = 4 };
static struct seen {
	bool open, ended, reset;
	uint32_t seq, ack, heard, silence;
} seen[65536];

static uint16_t get16(const uint8_t *p) { return p[0] << 8 | p[1]; }
static uint32_t get32(const uint8_t *p) { return (uint32_t)get16(p) << 16 | get16(p + 2); }
static bool is_tcp(const uint8_t *f) { return get16(f + 12) == 0x0800 && f[23] == 6; }
static bool newer(uint32_t a, uint32_t b) { return (int32_t)(a - b) > 0; }

static void server_hears(const uint8_t *f)
{
	struct seen *s = &seen[get16(f + 34)];
	uint32_t seq = get32(f + 38) + get16(f + 16), ack = get32(f + 42);
	if (s->open && !newer(seq, s->seq) && !newer(ack, s->ack))
		return;
	s->seq = !s->open || newer(seq, s->seq) ? seq : s->seq;
	s->ack = !s->open || newer(ack, s->ack) ? ack : s->ack;
	s->open = true;
	s->heard = wire_now;
}

static void server_tells(const uint8_t *f)
{
	struct seen *s = &seen[get16(f + 36)];
	if (!(f[47] & (RST | FIN)) || s->reset || (s->ended && !(f[47] & RST)))
		return;
	s->ended = true;
	s->reset = f[47] & RST;
	s->silence = wire_now - s->heard;
}

static void server_input(uint8_t *frame, size_t length)
{
	if (web_arp(frame, length, server_mac, server_ip))
		wire_put(CLIENT, frame, 42);
	else
		web_input(frame, length);
}

static void arrives(const struct wire_frame *f)
{
	if (f->to == SERVER && is_tcp(f->byte) && !f->spoiled)
		server_hears(f->byte);
	if (f->to == SERVER)
		server_input(f->byte, f->length);
	else
		stack_input(&link_, f->byte, f->length);
}

static void tick(void)
{
	wire_tick(arrives);
	if (wire.full)
		web_go_on();
	web_timers();
	stack_timers();
}

/* ---- the server's machine ---------------------------------------------------------------- */

static uint64_t now_ns(void) { return wire_now * 1000000ul; }
static bool ready(struct web_segment *s)
{
	(void)s;
	return !chance_of(wire.full);
}

static void server_sends(struct web_segment *s, unsigned bytes)
{
	CHECK(bytes <= STACK_FRAME);
	sent_to_client++;
	server_tells(s->at);
	wire_put(CLIENT, s->at, bytes);
}

static uint8_t scratch_memory[SCRATCH][WEB_CHUNK];
static struct web_segment *scratch(void)
{
	static struct web_segment s[SCRATCH];
	static unsigned next;
	struct web_segment *one = &s[next++ % SCRATCH];
	if (chance_of(wire.full))
		return NULL;
	one->at = scratch_memory[one - s];
	return one;
}

/* /N is one of N bytes. */
static struct web_page pages[PAGES], missing;

static struct web_page *find(const char *path)
{
	char name[20];
	for (unsigned i = 0; path && i < PAGES; i++) {
		snprintf(name, sizeof name, "/%u", page_sizes[i]);
		if (!strcmp(path, name))
			return &pages[i];
	}
	return &missing;
}

static void page_make(struct web_page *p, const char *status, size_t size)
{
	unsigned n = web_page_segments(size);
	struct web_segment *s = calloc(n, sizeof *s);
	for (unsigned i = 0; i < n; i++)
		s[i].at = malloc(WEB_CHUNK);
	web_page_fill(p, s, status, "text/plain", body, size);
}

/* ---- clients ------------------------------------------------------------------------------- */

/* Served, or given up by the server, that had reason to.  True: served. */
static bool client_end(struct client *c)
{
	const struct seen *s = &seen[c->port];
	bool served = client_answers(c) == c->requests && !s->reset;
	CHECK(served || (s->ended && s->silence >= (s->reset ? PATIENCE : IDLE)));
	client_close(c);
	return served;
}

static void settle(void)
{
	wire.lose = wire.repeat = wire.spoil = wire.full = 0;
	for (unsigned i = 0; i < 400000 && (stack_counts().connections || web_connections()); i++)
		tick();
	CHECK(!web_connections());
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(!pages[i].users);
}

static void start(struct client *c)
{
	client_start(c, 1 + chance(4), PAGES);
	seen[c->port] = (struct seen){ 0 };
}

/* How many clients were not served. */
static unsigned run(const char *name, unsigned clients, unsigned lose, unsigned repeat, unsigned spoil,
	unsigned delay, unsigned full)
{
	static struct client c[30];
	unsigned open = clients, unserved = 0;
	test = name;
	chance_seed(seed);
	wire.lose = lose, wire.repeat = repeat, wire.spoil = spoil, wire.delay = delay, wire.full = full;
	for (unsigned i = 0; i < clients; i++)
		start(&c[i]);
	for (uint32_t begun = wire_now; open; tick()) {
		CHECK(wire_now - begun < 3000000);
		for (unsigned i = 0; i < clients; i++)
			if (c[i].e && (seen[c[i].port].reset || !client_go_on(&c[i]))) {
				unserved += !client_end(&c[i]);
				open--;
			}
	}
	settle();
	return unserved;
}

/* One small page, without loss: what the policy promises. */
static void few_packets(void)
{
	struct client c = { .all = 2000, .requests = 1, .page = { 2 } };
	test = "few-packets";
	wire.delay = 0;
	c.length = snprintf(c.text, sizeof c.text, "GET /1000 HTTP/1.0\r\n\r\n");
	c.got = malloc(c.all);
	for (unsigned i = 0; i < 10; i++)
		tick();
	sent_to_client = 0;
	client_connect(&c);
	for (unsigned i = 0; i < 1000 && client_go_on(&c); i++)
		tick();
	CHECK(client_end(&c));
	settle();
	CHECK(sent_to_client == 3);	/* SYN ACK; request's ACK, page and FIN; ACK of the peer's FIN */
}

static void who_never_reads(void)
{
	struct client c = { .slow = true };
	test = "who-never-reads";
	client_connect(&c);
	for (unsigned i = 0; i < 100; i++)
		tick();
	const char *ask = "GET /200000 HTTP/1.0\r\n\r\n";
	CHECK(stack_send(c.e, ask, strlen(ask)) == (long)strlen(ask));
	for (unsigned i = 0; i < 200000 && web_connections(); i++)
		tick();
	CHECK(!web_connections());
	tick();
	CHECK(seen[c.port].reset && stack_error(c.e) == -ECONNRESET);
	stack_close(c.e);
	settle();
}

/* Half a request, whose acknowledgement finds room only later, and that the rest never follows. */
static void half_a_request(void)
{
	struct client c = { .slow = true };
	test = "half-a-request";
	client_connect(&c);
	for (unsigned i = 0; i < 100; i++)
		tick();
	CHECK(stack_send(c.e, "GET /", 5) == 5);
	wire.full = 1000;
	sent_to_client = 0;
	for (unsigned i = 0; i < 100; i++)
		tick();
	CHECK(!sent_to_client);
	wire.full = 0;
	web_go_on();
	CHECK(sent_to_client == 1);
	for (unsigned i = 0; i < IDLE; i++)
		tick();
	CHECK(sent_to_client == 2 && stack_receive(c.e, &(char){ 0 }, 1) == 0);
	CHECK(seen[c.port].ended && !seen[c.port].reset && seen[c.port].silence >= IDLE);
	stack_close(c.e);
	settle();
}

/* Halves of requests hold all buffers; who asks for two pages at once gets both all the same. */
static void no_buffers(void)
{
	enum { HALVES = 128 };
	static struct client half[HALVES];
	struct client c;
	test = "no-buffers";
	for (unsigned i = 0; i < HALVES; i++)
		client_connect(&half[i]);
	for (unsigned i = 0; i < 100; i++)
		tick();
	for (unsigned i = 0; i < HALVES; i++)
		CHECK(stack_send(half[i].e, "GET /", 5) == 5);
	for (unsigned i = 0; i < 100; i++)
		tick();
	client_start(&c, 2, 3);
	c.slow = false;
	seen[c.port] = (struct seen){ 0 };
	for (unsigned i = 0; client_go_on(&c); i++, tick())
		CHECK(i < IDLE / 2);
	CHECK(client_end(&c));
	for (unsigned i = 0; i < HALVES; i++)
		stack_close(half[i].e);
	settle();
}

/* Makes the sums of a frame right, as far as its lengths make sense. */
static void sums_right(uint8_t *f, unsigned n)
{
	unsigned header = (f[14] & 15) * 4, total = f[16] << 8 | f[17];
	if (header < 20 || total < header + 20 || total + 14 > n)
		return;
	unsigned tcp = total - header;
	uint8_t *t = f + 14 + header;
	f[24] = f[25] = t[16] = t[17] = 0;
	uint16_t s = ~web_fold(web_sum(f + 14, header, 0));
	memcpy(f + 24, &s, 2);
	s = ~web_fold((uint64_t)web_sum(t, tcp, 0) + web_sum(f + 26, 8, 0) + (6 << 8) +
		(uint16_t)(tcp << 8 | tcp >> 8));
	memcpy(t + 16, &s, 2);
}

/* Frames of chance, and frames that are almost right. */
static void garbage(void)
{
	static const uint8_t syn[54] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 9, 8, 0, 0x45, 0, 0, 40, 0, 0,
		0x40, 0, 64, 6, 0, 0, 10, 0, 0, 9, 10, 0, 0, 2, 9, 9, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2,
		16, 0 };
	test = "garbage";
	for (unsigned i = 0; i < 200000; i++) {
		unsigned n = 14 + chance(200);
		uint8_t *f = malloc(n);
		for (unsigned j = 0; j < n; j++)
			f[j] = chance(256);
		if (chance(4))
			memcpy(f, syn, n < 54 ? n : 54);
		if (n >= 54)
			f[35] = chance(256);
		for (unsigned flips = chance(3); n >= 54 && flips; flips--)
			f[12 + chance(n - 12)] ^= 1 << chance(8);
		if (n >= 54 && chance(3) == 0)
			f[47] = chance(256);
		if (n >= 54 && chance(2))
			sums_right(f, n);
		server_input(f, n);
		free(f);
		if (i % 1000 == 0)
			tick();
	}
	CHECK(web_counts.connections > 1000);
	settle();
}

int main(int argc, char **argv)
{
	static const struct web_system web = { now_ns, ready, server_sends, scratch, find };
	unsigned rounds = argc > 1 ? atoi(argv[1]) : 1;
	seed = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
	link_.send = client_sends;
	clients_init(&link_, client_at, server_ip);
	for (unsigned i = 0; i < PAGES; i++)
		page_make(&pages[i], "200 OK", page_sizes[i]);
	page_make(&missing, "404 Not Found", 10);
	web_init(&web, server_mac, server_ip, 80, 12345);
	CHECK(!run("arp", 1, 0, 0, 0, 0, 0));
	few_packets();
	printf("ok web few-packets\n");
	who_never_reads();
	printf("ok web who-never-reads\n");
	half_a_request();
	printf("ok web half-a-request\n");
	no_buffers();
	printf("ok web no-buffers\n");
	garbage();
	printf("ok web garbage\n");
	unsigned unserved = 0;
	for (unsigned i = 0; i < rounds; i++, seed++) {
		CHECK(!run("clean", 30, 0, 0, 0, 3, 0));
		CHECK(!run("lossy", 10, 50, 0, 0, 5, 0));
		CHECK(!run("reordered", 10, 0, 20, 0, 40, 0));
		CHECK(!run("no-room", 10, 0, 0, 0, 3, 300));
		CHECK(!run("everything", 10, 50, 30, 30, 20, 100));
		unserved += run("storm", STORM, 250, 100, 50, 30, 100);
	}
	CHECK(unserved <= 1 + rounds * STORM / 10);
	static const char *const cases[] = { "clean", "lossy", "reordered", "no-room", "everything", "storm" };
	for (unsigned i = 0; i < 6; i++)
		printf("ok web %s\n", cases[i]);
	return 0;
}
