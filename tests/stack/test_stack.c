/* The stack against a wire that loses, repeats, delays, exchanges and spoils frames: bytes arrive
 * once and in order, ends are told, and nothing stays allocated.
 *
 * Both ends are links of one stack with a wire between them; time passes only here, so that a
 * run repeats by its seed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "libos/posix/net/ack.h"
#include "libos/posix/net/stack.h"
#include "tests/stack/wire.h"

#define CHECK(x) do { if (!(x)) { printf("FAIL stack %s line %d: %s, seed %lu\n", test, __LINE__, #x, seed); exit(1); } } while (0)

static const char *test = "";
static uint64_t seed = 1;
static struct stack_link ends[2] = { { .mac = { 2, 0, 0, 0, 0, 1 } }, { .mac = { 2, 0, 0, 0, 0, 2 } } };
static const uint8_t ip4[2][4] = { { 10, 0, 0, 1 }, { 10, 0, 0, 2 } };
static struct stack_address client_ip, server;
static unsigned allocated;		/* pieces */

/* ---- the wire ---------------------------------------------------------------------- */

/* What each end sent last leaves with the next one, or with time, unless that makes it superfluous (as
 * net/card.c does). */
static struct { size_t length; uint8_t byte[STACK_FRAME + 4]; } last[2];
static unsigned replaced;

static void last_leaves(unsigned end)
{
	if (last[end].length)
		wire_put(!end, last[end].byte, last[end].length);
	last[end].length = 0;
}

static uint8_t seen_seq[4], seen_ack[4];	/* of what the first end sent of TCP */

static bool link_sends(struct stack_link *from, const void *frame, size_t length)
{
	const uint8_t *f = frame;
	unsigned end = from == &ends[1];
	if (!end && length >= 54 && f[12] == 8 && f[23] == 6) {
		memcpy(seen_seq, f + 38, 4);
		memcpy(seen_ack, f + 42, 4);
	}
	if (chance_of(wire.full))
		return false;
	if (last[end].length == length && ack_replaces(frame, last[end].byte, length))
		replaced++;
	else
		last_leaves(end);
	memcpy(last[end].byte, frame, length);
	last[end].length = length;
	return true;
}

static void arrives(const struct wire_frame *f) { stack_input(&ends[f->to], f->byte, f->length); }

static void tick(void)
{
	last_leaves(0);
	last_leaves(1);
	wire_tick(arrives);
	stack_timers();
}

static void pass(uint32_t ms)
{
	while (ms--)
		tick();
}

/* ---- the tests' frame ----------------------------------------------------------------- */

static uint32_t now_ms(void) { return wire_now; }
static uint32_t any(void) { return chance(~0u); }
static void stack_panics(const char *why)
{
	printf("FAIL stack %s: %s, seed %lu\n", test, why, seed);
	exit(1);
}

static bool no_memory;
static unsigned scarcity, short_of;	/* of 1,000 pieces: in the next transfer, and now */

static void *allocate(size_t n)
{
	if (no_memory || (short_of && chance_of(short_of)))
		return NULL;
	allocated++;
	return malloc(n);
}

static void release(void *p)
{
	allocated -= p != NULL;
	free(p);
}

static unsigned at_start;
static void begin(const char *name, unsigned lose, unsigned repeat, unsigned spoil, unsigned delay)
{
	test = name;
	chance_seed(seed);
	wire.lose = lose, wire.repeat = repeat, wire.spoil = spoil, wire.delay = delay;
	wire_spoiled = 0;
}

/* After all was closed: connections have ended, and nothing is held any more. */
static void end(void)
{
	struct stack_counts c;

	wire.lose = wire.repeat = wire.spoil = wire.full = short_of = 0;
	for (unsigned i = 0; i < 400000 && stack_counts().connections; i++)
		tick();
	pass(130000);		/* the last ones' wait */
	c = stack_counts();
	CHECK(!c.endpoints && !c.connections && !c.packets);
	CHECK(allocated == at_start);
}

static unsigned changes;
static void changed(void *arg) { (void)arg; changes++; }

static struct endpoint *listener(unsigned backlog)
{
	struct endpoint *l = stack_open(STACK_TCP, 0, changed, NULL);

	server.port++;
	CHECK(l && !stack_bind(l, &server) && !stack_listen(l, backlog));
	return l;
}

static struct endpoint *client(void)
{
	struct endpoint *c = stack_open(STACK_TCP, 0, changed, NULL);

	CHECK(c && !stack_bind(c, &client_ip) && stack_connect(c, &server) == -EINPROGRESS);
	return c;
}

static void meet(struct endpoint *l, struct endpoint **c, struct endpoint **s)
{
	*c = client();
	for (unsigned i = 0; stack_accept(l, s); i++, tick())
		CHECK(i < 200000);
	CHECK(stack_peer(*s).port == stack_local(*c).port && stack_local(*s).port == server.port);
	for (unsigned i = 0; !(stack_poll(*c) & STACK_WRITABLE); i++, tick())
		CHECK(i < 200000);
}

/* ---- TCP --------------------------------------------------------------------------------- */

struct way { struct endpoint *from, *to; size_t sent, got, all; uint8_t salt; bool shut; };

static uint8_t byte_at(const struct way *w, size_t i) { return (i * 31 >> 3) + i + w->salt; }

static void way_go_on(struct way *w)
{
	uint8_t b[5000];
	size_t n = chance(sizeof b);
	long r;

	if (n > w->all - w->sent)
		n = w->all - w->sent;
	for (size_t i = 0; i < n; i++)
		b[i] = byte_at(w, w->sent + i);
	r = n ? stack_send(w->from, b, n) : 0;
	CHECK(r >= 0 || r == -EAGAIN || (short_of && r == -ENOBUFS));
	w->sent += r > 0 ? r : 0;
	if (w->sent == w->all && !w->shut)
		w->shut = !stack_shutdown(w->from);
	if (chance(3) == 0)
		return;			/* a slow reader */
	r = stack_receive(w->to, b, 1 + chance(sizeof b - 1));
	CHECK(r >= 0 || r == -EAGAIN);
	for (long i = 0; i < r; i++)
		CHECK(b[i] == byte_at(w, w->got + i));
	w->got += r > 0 ? r : 0;
	CHECK(r || w->got == w->all);	/* 0: the end, and not before all is there */
}

static void transfer(const char *name, size_t bytes, unsigned lose, unsigned repeat, unsigned spoil, unsigned delay)
{
	struct endpoint *l, *c, *s;

	begin(name, lose, repeat, spoil, delay);
	l = listener(5);
	meet(l, &c, &s);
	short_of = scarcity;
	struct way ways[] = { { .from = c, .to = s, .all = bytes, .salt = 1 }, { .from = s, .to = c, .all = bytes / 3, .salt = 2 } };
	for (unsigned i = 0; ways[0].got < ways[0].all || ways[1].got < ways[1].all; i++, tick()) {
		CHECK(i < 4000000);
		way_go_on(&ways[0]);
		way_go_on(&ways[1]);
	}
	CHECK(stack_receive(s, &(uint8_t){ 0 }, 1) <= 0 && (!spoil || wire_spoiled));
	stack_close(c);
	stack_close(s);
	stack_close(l);
	end();
}

/* Whoever uses all memory up holds up the others, and no more: while there is none all clocks go
 * on; whatever piece cannot be had, the bytes arrive in the end. */
static void scarce(void)
{
	begin("scarce", 0, 0, 0, 2);
	no_memory = true;
	pass(130000);
	no_memory = false;
	for (scarcity = 1; scarcity <= 256; scarcity *= 4)
		transfer("scarce", 100000, 0, 0, 0, 2);
	scarcity = 0;
}

static void refusals(void)
{
	struct endpoint *l, *c, *s, *other = stack_open(STACK_TCP, 0, changed, NULL);

	begin("refusals", 0, 0, 0, 3);
	c = client();			/* nobody listens on this port any more */
	pass(100);
	CHECK(stack_poll(c) & STACK_ENDED && stack_error(c) == -ECONNREFUSED && !stack_error(c));
	CHECK(stack_send(c, "", 1) == -EPIPE);
	stack_close(c);
	wire.lose = 1000;
	c = client();
	pass(400000);
	CHECK(stack_error(c) == -ETIMEDOUT);
	stack_close(c);
	wire.lose = 0;
	l = listener(1);
	CHECK(stack_bind(other, &server) == -EADDRINUSE);
	CHECK(stack_accept(l, &s) == -EAGAIN && stack_accept(other, &s) == -EINVAL);
	CHECK(stack_receive(other, &s, 1) == -ENOTCONN && stack_send(other, "", 1) == -EPIPE);
	CHECK(stack_shutdown(other) == -ENOTCONN);
	meet(l, &c, &s);
	CHECK(stack_connect(c, &server) == -EISCONN && stack_receive(c, &l, 1) == -EAGAIN);
	CHECK(stack_send(c, "unread", 6) == 6);
	pass(100);
	CHECK(stack_poll(s) & STACK_READABLE);
	stack_close(s);			/* with something unread: reset */
	pass(100);
	CHECK(stack_poll(c) & STACK_ENDED && stack_receive(c, &s, 1) == -ECONNRESET);
	stack_close(c);
	stack_close(other);
	stack_close(l);
	end();
}

/* More connections than a listener lets wait; it closes with some of them in the queue. */
static void crowd(void)
{
	enum { N = 100 };
	struct endpoint *c[N], *s[N], *l;
	unsigned connected = 0, accepted = 0;

	begin("crowd", 0, 0, 0, 5);
	l = listener(N);
	for (unsigned i = 0; i < N; i++)
		c[i] = client();
	pass(3000);
	for (unsigned i = 0; i < N; i++)
		connected += (stack_poll(c[i]) & STACK_WRITABLE) != 0;
	while (accepted < 60 && !stack_accept(l, &s[accepted]))
		accepted++;
	CHECK(connected == N && accepted == 60);
	for (unsigned i = 0; i < 60; i++)
		CHECK(stack_send(s[i], "x", 1) == 1);
	stack_close(l);
	pass(1000);
	for (unsigned i = 0; i < N; i++)
		stack_close(c[i]);
	for (unsigned i = 0; i < 60; i++)
		stack_close(s[i]);
	end();
}

/* A full listener lets others ask again, and hears them when there is room. */
static void patience(void)
{
	enum { N = 5 };
	struct endpoint *c[N], *s[N], *l;
	unsigned accepted = 0;

	begin("patience", 0, 0, 0, 2);
	l = listener(2);
	for (unsigned i = 0; i < N; i++)
		c[i] = client();
	pass(10000);
	for (unsigned i = 0; i < N; i++)
		CHECK(!(stack_poll(c[i]) & STACK_ENDED));
	for (unsigned i = 0; accepted < N; i++, tick()) {
		CHECK(i < 60000);
		accepted += !stack_accept(l, &s[accepted]);
	}
	for (unsigned i = 0; i < N; i++)
		CHECK(stack_send(s[i], "x", 1) == 1);
	pass(100);
	for (unsigned i = 0; i < N; i++) {
		CHECK(stack_unread(c[i]) == 1 && stack_receive(c[i], &(char){ 0 }, 1) == 1);
		stack_close(c[i]);
		stack_close(s[i]);
	}
	stack_close(l);
	end();
}

static void full_send(struct endpoint *e, size_t *sent)
{
	static const char b[4096];
	for (unsigned i = 0; i < 3000; i++, tick()) {
		long n = stack_send(e, b, sizeof b);
		*sent += n > 0 ? n : 0;
	}
	CHECK(stack_send(e, b, 1) == -EAGAIN);
}

/* Nobody reads, and then the wire is cut for longer than the peer may be given up in (RFC 1122,
 * 4.2.3.5): all arrives when it is whole and somebody reads. */
static void closed_window(void)
{
	struct endpoint *l, *c, *s;
	size_t sent = 0, got = 0;
	static char b[4096];

	begin("closed-window", 0, 0, 0, 2);
	l = listener(5);
	meet(l, &c, &s);
	full_send(c, &sent);
	wire.lose = 1000;
	pass(110000);
	CHECK(!(stack_poll(c) & STACK_ENDED));
	wire.lose = 0;
	for (unsigned i = 0; got < sent; i++, tick()) {
		CHECK(i < 200000);
		long n = stack_receive(s, b, sizeof b);
		got += n > 0 ? n : 0;
	}
	no_memory = true;
	CHECK(stack_unsent(c) == 0 && stack_send(c, b, 1) == -ENOBUFS);
	no_memory = false;
	CHECK(stack_send(c, b, 1) == 1);
	pass(100);
	CHECK(stack_receive(s, b, 1) == 1);
	stack_close(c);
	stack_close(s);
	stack_close(l);
	end();
}

/* More than there is room for leaves although more is to follow. */
static void corked(void)
{
	struct endpoint *l, *c, *s;
	static char b[4096];
	size_t sent = 0, got = 0;

	begin("corked", 0, 0, 0, 0);
	l = listener(5);
	meet(l, &c, &s);
	pass(1000);
	CHECK(!stack_option(c, STACK_CORK, 1));
	CHECK(stack_send(c, b, 100) == 100);
	pass(3);
	CHECK(!stack_unread(s));
	for (long n; (n = stack_send(c, b, sizeof b)) > 0;)
		sent += n;
	for (unsigned i = 0; got < sent; i++, tick()) {
		CHECK(i < 100);
		long n = stack_receive(s, b, sizeof b);
		got += n > 0 ? n : 0;
	}
	CHECK(!stack_option(c, STACK_CORK, 0));
	stack_close(c);
	stack_close(s);
	stack_close(l);
	end();
}

/* Programs keep what both sides have closed, one after the other or at the same time, for longer than
 * late packets are waited for, or beside more of these than are kept. */
static void closed_and_kept(void)
{
	enum { MORE = 140 };
	struct endpoint *l, *c[2], *s[2], *x, *y;

	begin("closed-and-kept", 0, 0, 0, 2);
	l = listener(5);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 2; i++)
			meet(l, &c[i], &s[i]);
		CHECK(stack_send(s[0], "last", 4) == 4 && !stack_shutdown(c[0]));
		CHECK(!stack_shutdown(c[1]) && !stack_shutdown(s[1]));
		pass(50);
		CHECK(stack_receive(s[0], &x, 1) == 0 && !stack_shutdown(s[0]));
		pass(50);
		for (unsigned i = 0; !round && i < MORE; i++) {
			meet(l, &x, &y);
			stack_close(x);
			stack_close(y);
		}
		pass(round ? 130000 : 1000);
		CHECK(stack_receive(c[0], &x, 8) == 4);
		for (unsigned i = 0; i < 4; i++) {
			struct endpoint *e = i < 2 ? c[i] : s[i - 2];
			stack_local(e), stack_peer(e);
			CHECK(stack_poll(e) & STACK_ENDED && !stack_error(e));
			CHECK(stack_receive(e, &x, 1) == 0 && stack_send(e, "", 1) == -EPIPE);
			stack_shutdown(e);
			stack_close(e);
		}
	}
	stack_close(l);
	end();
}

/* ---- what peers would not send ------------------------------------------------------------- */

static void put16(uint8_t *p, unsigned v) { p[0] = v >> 8, p[1] = v; }

static unsigned sum(const uint8_t *p, unsigned n, unsigned more)
{
	for (unsigned i = 0; i + 1 < n; i += 2)
		more += p[i] << 8 | p[i + 1];
	more += n & 1 ? p[n - 1] << 8 : 0;
	while (more >> 16)
		more = (more & 0xffff) + (more >> 16);
	return more;
}

/* From that address to the second end: a header of IPv4, and what comes behind it. */
static void forge(const uint8_t from[4], uint8_t protocol, uint8_t *f, unsigned length)
{
	memcpy(f, ends[1].mac, 6);
	memcpy(f + 6, ends[0].mac, 6);
	memcpy(f + 12, "\x08\0\x45\0", 4);
	put16(f + 16, 20 + length);
	f[22] = 64;
	f[23] = protocol;
	memcpy(f + 26, from, 4);
	memcpy(f + 30, ip4[1], 4);
	put16(f + 24, 0);
	put16(f + 24, ~sum(f + 14, 20, 0));
	if (protocol == 6) {
		put16(f + 50, 0);
		put16(f + 50, ~sum(f + 34, length, sum(f + 26, 8, 6 + length)));
	}
	stack_input(&ends[1], f, 34 + length);
}

/* A segment of a byte, so far behind what the connection's other end has received. */
static void forge_byte(const struct endpoint *c, uint32_t seq)
{
	uint8_t f[60] = { [46] = 0x50, [47] = 0x10, [48] = 0xff, [54] = 'x' };
	put16(f + 34, stack_local(c).port);
	put16(f + 36, server.port);
	put16(f + 38, seq >> 16), put16(f + 40, seq);
	memcpy(f + 42, seen_ack, 4);
	forge(ip4[0], 6, f, 21);
}

/* Many small segments, in order and not, hold little memory; who claims to be this machine from outside
 * is not heard. */
static void strangers(void)
{
	struct endpoint *l, *c, *s, *u = stack_open(STACK_UDP, 0, changed, NULL);
	uint8_t f[60] = { 0 };
	uint32_t seq;
	long got = 0;

	begin("strangers", 0, 0, 0, 2);
	l = listener(5);
	meet(l, &c, &s);
	CHECK(stack_send(c, "x", 1) == 1);
	pass(2000);
	memcpy(&seq, seen_seq, 4);
	seq = __builtin_bswap32(seq) + 1;
	wire.lose = 1000;
	unsigned before = allocated;
	for (unsigned i = 0; i < 20000; i++)
		forge_byte(c, seq + i);
	CHECK(stack_unread(s) == 20001 && allocated - before < 100);
	for (unsigned i = 0; i < 20000; i++)
		forge_byte(c, seq + 20001 + 2 * i);
	CHECK(allocated - before < 2000);
	for (long n; (n = stack_receive(s, f, 1 + chance(50))) > 0; got += n)
		for (long i = 0; i < n; i++)
			CHECK(f[i] == 'x');
	CHECK(got == 20001);
	CHECK(!stack_bind(u, &server));
	memset(f, 0, sizeof f);
	put16(f + 34, 9), put16(f + 36, server.port), put16(f + 38, 9);
	forge((const uint8_t[4]){ 10, 0, 0, 77 }, 17, f, 9);
	CHECK(stack_receive(u, f, 9) == 1);
	put16(f + 34, 9), put16(f + 36, server.port), put16(f + 38, 9);
	forge((const uint8_t[4]){ 127, 0, 0, 1 }, 17, f, 9);
	CHECK(stack_receive(u, f, 9) == -EAGAIN);
	wire.lose = 0;
	stack_abort(s);
	stack_close(u);
	stack_close(c);
	stack_close(l);
	end();
}

/* ---- UDP ---------------------------------------------------------------------------------- */

static void datagrams(void)
{
	struct endpoint *a = stack_open(STACK_UDP, 0, changed, NULL), *b = stack_open(STACK_UDP, 0, changed, NULL);
	struct stack_address from;
	size_t whole;
	static uint8_t big[9000], got[9000];

	begin("datagrams", 0, 0, 0, 0);
	server.port++;
	CHECK(a && b && !stack_bind(a, &client_ip) && !stack_bind(b, &server));
	CHECK(stack_bind(a, &client_ip) == -EINVAL);
	CHECK(stack_receive(b, got, 1) == -EAGAIN && stack_send(a, "x", 1) == -EDESTADDRREQ);
	for (unsigned n = 0; n < sizeof big; n += 1 + n / 2) {
		for (unsigned i = 0; i < n; i++)
			big[i] = i * n;
		CHECK(stack_send_to(a, big, n, &server) == (long)n);
		pass(50);
		CHECK(stack_poll(b) & STACK_READABLE);
		CHECK(stack_receive_from(b, got, sizeof got, &from, NULL) == (long)n && !memcmp(big, got, n));
		CHECK(from.port == stack_local(a).port && !memcmp(from.ip, client_ip.ip, 16));
	}
	CHECK(!stack_connect(a, &server) && stack_send(a, "four", 4) == 4);
	pass(20);
	CHECK(stack_receive_from(b, got, 2, &from, &whole) == 2 && whole == 4 && stack_receive(b, got, 2) == -EAGAIN);
	for (unsigned i = 0; i < 300; i++) {	/* more than wait */
		CHECK(stack_send(a, big, 100) == 100);
		tick();
	}
	pass(20);
	unsigned n = 0;
	while (stack_receive(b, got, 100) == 100)
		n++;
	CHECK(n == 256);
	CHECK(stack_send(a, big, 100) == 100);
	pass(20);
	stack_close(a);
	stack_close(b);			/* with one unread */
	end();
}

/* Who has the address is not known (any more): what is sent meanwhile, as questions for both kinds of
 * addresses of a name are, waits for the answer. */
static void unknown_neighbour(void)
{
	enum { N = 3 };
	struct endpoint *a = stack_open(STACK_UDP, 0, changed, NULL), *b = stack_open(STACK_UDP, 0, changed, NULL);
	unsigned seen = 0;
	char got;

	begin("unknown-neighbour", 0, 0, 0, 2);
	server.port++;
	CHECK(a && b && !stack_bind(a, &client_ip) && !stack_bind(b, &server));
	pass(310000);
	for (char c = 0; c < N; c++)
		CHECK(stack_send_to(a, &c, 1, &server) == 1);
	pass(100);
	for (char c = 0; c < N; c++, seen |= 1 << got)
		CHECK(stack_receive(b, &got, 1) == 1);
	CHECK(seen == (1 << N) - 1);
	stack_close(a);
	stack_close(b);
	end();
}

/* ---- frames of all kinds -------------------------------------------------------------------- */

/* Real frames, changed here and there or cut; pieces of datagrams that never get whole; noise. */
static void noise(unsigned n)
{
	struct endpoint *l, *c, *s, *u = stack_open(STACK_UDP, 0, changed, NULL);
	static uint8_t kept[64][STACK_FRAME], f[STACK_FRAME + 4];
	static size_t length[64];

	begin("noise", 0, 0, 0, 5);
	l = listener(20);
	CHECK(!stack_bind(u, &server));
	meet(l, &c, &s);
	for (unsigned i = 0; i < n; i++) {
		unsigned k = chance(64);

		if (chance(4) == 0)
			stack_send(c, f, chance(1000));
		if (chance(4) == 0)
			stack_receive(s, f, chance(1000));
		const struct wire_frame *real = chance(2) ? wire_any() : NULL;
		if (real)
			memcpy(kept[k], real->byte, length[k] = real->length);
		size_t size = length[k] ? length[k] : 14 + chance(1500);
		memcpy(f, kept[k], size);
		for (unsigned m = chance(6); m; m--)
			f[chance(chance(2) && size > 60 ? 60 : size)] = any();
		if (chance(8) == 0)
			size = chance(size + 1);
		if (chance(4) == 0)
			f[20] = chance(64), f[21] = any();	/* a fragment */
		stack_input(&ends[chance(2)], f, size);
		if (chance(3) == 0)
			tick();
	}
	stack_close(c);
	stack_close(s);
	stack_close(u);
	stack_close(l);
	end();
}

/* Which acknowledgements make which superfluous; IPv4, and IPv6 with an option (time stamps). */
static void acks(void)
{
	static const struct { unsigned at, bytes; } kind[] = { { 34, 54 }, { 54, 86 } };
	test = "acknowledgements";
	for (unsigned k = 0; k < 2; k++) {
		uint8_t old[100] = { [12] = k ? 0x86 : 8, [13] = k ? 0xdd : 0, [14] = k ? 0x60 : 0x45 }, new[100];
		unsigned at = kind[k].at, n = kind[k].bytes;
		old[k ? 20 : 23] = 6;
		old[at + 8] = 0xff;				/* ff000001 */
		old[at + 11] = 1;
		old[at + 12] = (n - at) / 4 << 4;
		old[at + 13] = 0x10;
		memcpy(new, old, sizeof new);
		CHECK(!ack_replaces(new, old, n));		/* the same again: the peer counts it */
		new[at + 15] = 9;
		CHECK(!ack_replaces(new, old, n));		/* as much, with another window */
		new[at + 11] = 0;
		CHECK(!ack_replaces(new, old, n));		/* less */
		new[at + 8] = 0;
		CHECK(ack_replaces(new, old, n));		/* more, beyond the highest number */
		CHECK(!ack_replaces(new, old, n + 1) && !ack_replaces(new, old, n - 1));
		static const unsigned matters[] = { 0, 6, 12, 34, 36, 38, 47 };	/* addresses, ports, numbers, flags */
		for (unsigned i = 0; i < 7; i++) {
			unsigned byte = matters[i] < 34 || (k && matters[i] == 34) ? matters[i] : matters[i] - 34 + at;
			new[byte] ^= 1;
			CHECK(!ack_replaces(new, old, n));
			new[byte] ^= 1;
		}
		old[at + 13] = 0x18;
		CHECK(!ack_replaces(new, old, n));
	}
}

static void done(void)
{
	printf("ok stack %s\n", test);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const struct stack_system system = { now_ms, any, allocate, release, stack_panics };
	static const uint8_t mask[4] = { 255, 255, 255, 0 }, none[4];
	uint64_t seeds = argc > 1 ? strtoul(argv[1], NULL, 0) : 3;
	uint8_t ip[4];

	client_ip = stack_v4(ip4[0], 0);
	server = stack_v4(ip4[1], 80);
	stack_init(&system);
	for (unsigned i = 0; i < 2; i++) {
		ends[i].send = link_sends;
		CHECK(!stack_link_add(&ends[i]) && !stack_link_ready(&ends[i], ip));
		CHECK(!stack_link_address(&ends[i], ip4[i], mask, none) && stack_link_ready(&ends[i], ip));
	}
	pass(5000);
	at_start = allocated;
	acks(), done();
	refusals(), done();
	crowd(), done();
	patience(), done();
	closed_window(), done();
	scarce(), done();
	corked(), done();
	closed_and_kept(), done();
	strangers(), done();
	datagrams(), done();
	unknown_neighbour(), done();
	for (seed = 1; seed <= seeds; seed++) {
		transfer("tcp", 1000000, 0, 0, 0, 2), seed == seeds ? done() : (void)0;
		CHECK(replaced);
		wire.full = 300, transfer("tcp-full", 1000000, 0, 0, 0, 2), seed == seeds ? done() : (void)0;
		transfer("tcp-loss", 200000, 50, 0, 0, 2), seed == seeds ? done() : (void)0;
		transfer("tcp-order", 200000, 0, 0, 0, 30), seed == seeds ? done() : (void)0;
		transfer("tcp-repeat", 200000, 0, 200, 0, 10), seed == seeds ? done() : (void)0;
		transfer("tcp-spoil", 200000, 0, 0, 30, 2), seed == seeds ? done() : (void)0;
		transfer("tcp-all", 200000, 30, 50, 20, 20), seed == seeds ? done() : (void)0;
		noise(20000), seed == seeds ? done() : (void)0;
	}
	return 0;
}
