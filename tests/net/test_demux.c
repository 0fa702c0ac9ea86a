/* Insertion and removal: what is refused and that it changes nothing, limits, chains; and what
 * the compiled code costs. */
#include "net_test.h"

static const struct cube all;

static struct cube cube(unsigned n, const struct exo_atom *a)
{
	struct cube c;
	unsigned bad;

	CHECK(cube_narrow(&all, a, n, &c, &bad), "atom %u", bad);
	return c;
}
#define CUBE(...) cube(sizeof((struct exo_atom[]){ __VA_ARGS__ }) / sizeof(struct exo_atom), \
	(struct exo_atom[]){ __VA_ARGS__ })
#define V4	atom(EXO_L2, 12, 2, 0xffff, 0x0800)
#define TCP	atom(EXO_L3, 9, 1, 0xff, 6)
#define TO(ip)	atom(EXO_L3, 16, 4, ~0u, ip)
#define FROM(ip) atom(EXO_L3, 12, 4, ~0u, ip)
#define PORT(n)	atom(EXO_L4, 2, 2, 0xffff, n)
#define PEER(n)	atom(EXO_L4, 0, 2, 0xffff, n)

static enum demux_status insert(struct bench *b, struct cube c, uint32_t owner)
{
	uint32_t name;

	return bench_insert(b, &c, owner, &name);
}

/* Everything but the filter that was offered. */
static uint64_t state_sum(const struct bench *b)
{
	uint64_t sum = b->d.count * 31 + b->d.shapes;

	for (uint32_t i = 0; i < 1u << b->heads_log; i++)
		sum = sum * 1099511628211ul + (uintptr_t)b->heads[i];
	for (uint32_t i = 1; i <= b->filters; i++)
		if (b->filter[i].live)
			sum = sum * 1099511628211ul + (uintptr_t)b->filter[i].chain * 7 + (uintptr_t)b->filter[i].next;
	for (uint32_t i = 0; i < b->d.shapes; i++)
		sum = sum * 1099511628211ul + b->d.order[i] + b->d.shape[b->d.order[i]].filters;
	return sum;
}

static void refused(struct bench *b, struct cube c, uint32_t owner, enum demux_status why)
{
	uint64_t before = state_sum(b);
	enum demux_status status = insert(b, c, owner);

	CHECK(status == why, "status %d, not %d", status, why);
	CHECK(state_sum(b) == before, "a refused insertion changed something");
}

static void test_overlaps(void)
{
	struct bench b;

	test_begin("overlaps");
	bench_make(&b, 16);
	CHECK(insert(&b, CUBE(V4, TCP, PORT(80)), 1) == DEMUX_OK, "a listener");
	refused(&b, CUBE(PORT(80), V4, TCP), 1, DEMUX_TWICE);
	refused(&b, CUBE(V4, TO(1)), 1, DEMUX_CROSS);
	refused(&b, CUBE(V4, PORT(80), PEER(9)), 2, DEMUX_CROSS);
	CHECK(insert(&b, CUBE(V4, TCP, TO(1), PORT(80)), 1) == DEMUX_OK, "within");
	CHECK(insert(&b, CUBE(V4, TCP), 1) == DEMUX_OK, "around");
	CHECK(insert(&b, CUBE(V4, TCP, PORT(81)), 2) == DEMUX_OK, "beside, and within");
	CHECK(insert(&b, all, 1) == DEMUX_OK, "everything");
	refused(&b, all, 2, DEMUX_TWICE);
	bench_free(&b);
	test_done();
}

static bool never(const struct filter *f, const struct filter *other, void *with)
{
	(void)f;
	*(const struct filter **)with = other;
	return false;
}

static void test_foreign(void)
{
	const struct filter *other = NULL;
	struct filter *f;
	struct bench b;

	test_begin("foreign");
	bench_make(&b, 16);
	CHECK(insert(&b, CUBE(V4, TCP, PORT(80)), 1) == DEMUX_OK, "a listener");
	f = &b.filter[9];
	f->owner = 2;
	f->cube = CUBE(V4, TCP, PORT(80), PEER(4000));
	CHECK(demux_insert(&b.d, f, never, &other) == DEMUX_FOREIGN && other == &b.filter[1], "narrower");
	f->cube = CUBE(V4);
	other = NULL;
	CHECK(demux_insert(&b.d, f, never, &other) == DEMUX_FOREIGN && other == &b.filter[1], "wider");
	f->cube = CUBE(V4, TCP, PORT(81));
	other = NULL;
	CHECK(demux_insert(&b.d, f, never, &other) == DEMUX_OK && !other, "beside");
	f = &b.filter[10];
	f->owner = 1;
	f->cube = CUBE(V4, TCP, PORT(80), PEER(4000));
	CHECK(demux_insert(&b.d, f, never, &other) == DEMUX_OK && !other, "one's own");
	bench_free(&b);
	test_done();
}

static void test_limits(void)
{
	struct bench b;

	test_begin("limits");
	bench_make(&b, 64);
	for (unsigned i = 0; i < SHAPES_MAX; i++) {	/* prefixes of one address: each within the last */
		struct exo_atom a = atom(EXO_L3, 12, 4, ~0u << (31 - i), 0);

		if (i % SHAPES_OWNER == 0 && i)
			refused(&b, CUBE(V4, a), i / SHAPES_OWNER, DEMUX_FULL);
		CHECK(insert(&b, CUBE(V4, a), 1 + i / SHAPES_OWNER) == DEMUX_OK, "shape %u", i);
	}
	refused(&b, CUBE(V4), 99, DEMUX_FULL);
	for (unsigned i = SHAPES_MAX; i < 64; i++)
		CHECK(insert(&b, CUBE(V4, FROM(i)), 99) == DEMUX_OK, "filter %u", i);
	refused(&b, CUBE(V4, FROM(99)), 1, DEMUX_FULL);
	while (b.d.count) {
		uint32_t name = 1 + below(64);

		if (b.filter[name].live)
			demux_remove(&b.d, &b.filter[name]);
	}
	for (uint32_t i = 0; i < 1u << b.heads_log; i++)
		CHECK(!b.heads[i], "chain %u is not empty", i);
	CHECK(!b.d.shapes, "%u shapes are left", b.d.shapes);
	bench_free(&b);
	test_done();
}

static void test_chain(void)
{
	struct packet p = { .length = 60 };
	struct bench b;

	test_begin("chain");
	bench_make(&b, 64);
	b.d.multiplier = 1;	/* the worst luck: all have one hash */
	for (unsigned i = 0; i < CHAIN_MAX; i++)
		CHECK(insert(&b, CUBE(atom(EXO_L2, 0, 1, 0xff, i)), 1) == DEMUX_OK, "filter %u", i);
	refused(&b, CUBE(atom(EXO_L2, 0, 1, 0xff, 99)), 1, DEMUX_FULL);
	refused(&b, CUBE(atom(EXO_L2, 0, 1, 0xff, 0), atom(EXO_L2, 1, 1, 0xff, 0)), 1, DEMUX_FULL);
	for (p.byte[0] = 0; p.byte[0] < CHAIN_MAX + 2; p.byte[0]++) {
		uint32_t name = bench_run(&b, &p);

		CHECK(name == (p.byte[0] < CHAIN_MAX ? p.byte[0] + 1u : 0), "packet %u: %u", p.byte[0], name);
	}
	bench_free(&b);
	test_done();
}

/* The most code that there can be, and none too little room is overrun for. */
static void test_code_size(void)
{
	static uint8_t code[DEMUX_CODE + 64];
	struct bench b;
	size_t size, most = 0;

	test_begin("code-size");
	for (unsigned kind = 0; kind < 2; kind++) {
		bench_make(&b, 64);
		for (unsigned i = 0; i < SHAPES_MAX; i++) {
			struct cube c = { .mask = { 0 } };
			unsigned last = kind ? VIEW_BYTES : VIEW_L3;

			for (unsigned at = 0; at < last; at++)	/* every byte, no byte whole */
				c.mask_byte[at] = at == VIEW_TYPE || at == VIEW_TYPE + 1 ? kind ? 0xff : 0x7f : 0xf7;
			c.mask_byte[i % 12] ^= 1 << (i / 12);
			if (kind) {
				c.value_byte[VIEW_TYPE] = 0x86;
				c.value_byte[VIEW_TYPE + 1] = 0xdd;
			}
			c.value_byte[11] = i << 3 & 0xf0 & c.mask_byte[11];
			c.value_byte[10] = i & 7 & c.mask_byte[10];
			insert(&b, c, i);
		}
		CHECK(b.d.shapes > 16, "%u shapes", b.d.shapes);
		for (size_t room = 0; room < sizeof code; room += 1 + room / 8) {
			memset(code, 0xa5, sizeof code);
			size = demux_compile(&b.d, code, room);
			for (size_t i = room; i < sizeof code; i++)
				CHECK(code[i] == 0xa5, "wrote beyond %zu", room);
			if (size * SHAPES_MAX / b.d.shapes > most)
				most = size * SHAPES_MAX / b.d.shapes;
		}
		bench_free(&b);
	}
	CHECK(most && most < DEMUX_CODE, "%zu bytes for %u shapes", most, SHAPES_MAX);
	printf("# at most %zu bytes of code for %u shapes\n", most, SHAPES_MAX);
	test_done();
}

void tests_demux(void)
{
	test_overlaps();
	test_foreign();
	test_limits();
	test_chain();
	test_code_size();
}

/* ---- cost -------------------------------------------------------------------------- */

/* A TCP packet, without tag or options. */
static struct packet tcp(uint32_t from, uint32_t to, uint16_t peer, uint16_t port)
{
	struct packet p = { .length = 60, .byte = { [12] = 8, [14] = 0x45, [17] = 46, [23] = 6,
		[26] = from >> 24, from >> 16, from >> 8, from, to >> 24, to >> 16, to >> 8, to,
		peer >> 8, peer, port >> 8, port } };

	return p;
}

#define LIMIT_FIRST	60	/* instructions, the goals of docs/net-design.md */
#define LIMIT_SHAPE	25

/* The average over the packets of n connections, each of which has its filter. */
static double cost_of(unsigned n)
{
	unsigned sum = 0;
	struct packet p;
	struct bench b;

	bench_make(&b, 1024);
	for (unsigned i = 0; i < n; i++)
		CHECK(insert(&b, CUBE(V4, TCP, FROM(0x0a000002 + i / 7), TO(0x0a000001), PEER(40000 + i), PORT(80)),
			1) == DEMUX_OK, "connection %u", i);
	for (unsigned i = 0; i < n; i++) {
		p = tcp(0x0a000002 + i / 7, 0x0a000001, 40000 + i, 80);
		CHECK(bench_run(&b, &p) == i + 1, "connection %u", i);
		sum += bench_count(&b, &p);
	}
	bench_free(&b);
	return (double)sum / n;
}

static void test_flat(void)
{
	double ten, hundred, thousand;

	test_begin("cost-flat");
	ten = cost_of(10);
	hundred = cost_of(100);
	thousand = cost_of(1000);
	printf("# instructions a packet of a connection: %.1f of 10, %.1f of 100, %.1f of 1000 filters\n",
		ten, hundred, thousand);
	CHECK(ten <= LIMIT_FIRST && thousand <= LIMIT_FIRST, "more than %u instructions", LIMIT_FIRST);
	CHECK(thousand <= 1.1 * ten && ten <= 1.1 * thousand, "not flat");
	test_done();
}

static unsigned cost_first(const char *what, struct cube c, const struct packet *p)
{
	struct bench b;
	unsigned cost;

	bench_make(&b, 16);
	CHECK(insert(&b, c, 1) == DEMUX_OK, "%s", what);
	CHECK(bench_run(&b, p) == 1, "%s", what);
	cost = bench_count(&b, p);
	printf("# instructions for one shape, %s: %u\n", what, cost);
	CHECK(cost <= LIMIT_FIRST, "%s: more than %u instructions", what, LIMIT_FIRST);
	bench_free(&b);
	return cost;
}

static void test_first(void)
{
	struct packet p = tcp(0x0a000002, 0x0a000001, 4000, 80), arp = { .length = 60, .byte = { [12] = 8, 6, [41] = 1 } },
		v6 = { .length = 90, .byte = { [12] = 0x86, 0xdd, 0x60, [19] = 30, 6, [57] = 80 } };
	const struct exo_atom v6_type = atom(EXO_L2, 12, 2, 0xffff, 0x86dd);

	test_begin("cost-first");
	cost_first("TCP to a port", CUBE(V4, TCP, PORT(80)), &p);
	cost_first("TCP to an address and port", CUBE(V4, TCP, TO(0x0a000001), PORT(80)), &p);
	cost_first("a TCP connection", CUBE(V4, TCP, TO(0x0a000001), FROM(0x0a000002), PEER(4000), PORT(80)), &p);
	cost_first("the same without a tag", CUBE(V4, TCP, TO(0x0a000001), PORT(80), atom(EXO_L2, 14, 2, 0xffff, 0)), &p);
	cost_first("ARP for an address", CUBE(atom(EXO_L2, 12, 2, 0xffff, 0x0806), atom(EXO_L3, 24, 4, ~0u, 1)), &arp);
	cost_first("TCP to a port, IPv6", CUBE(v6_type, atom(EXO_L3, 6, 1, 0xff, 6), PORT(80)), &v6);
	cost_first("a destination address", CUBE(atom(EXO_L2, 0, 4, ~0u, 0), atom(EXO_L2, 4, 2, 0xffff, 0)), &arp);
	test_done();
}

/* What a shape costs that is tried in vain before the one that matches. */
static void test_more_shapes(void)
{
	struct packet p = tcp(0x0a000002, 0x0a000001, 4000, 80);
	struct bench b;
	unsigned one, two;

	test_begin("cost-shape");
	bench_make(&b, 16);
	CHECK(insert(&b, CUBE(V4, TCP, PORT(80)), 1) == DEMUX_OK, "the listener");
	one = bench_count(&b, &p);
	CHECK(insert(&b, CUBE(V4, TCP, TO(0x0a000001), FROM(0x0a000003), PEER(4000), PORT(80)), 1) == DEMUX_OK,
		"a connection");
	CHECK(bench_run(&b, &p) == 1, "another's connection");
	two = bench_count(&b, &p);
	printf("# instructions for a shape more: %u\n", two - one);
	CHECK(two - one <= LIMIT_SHAPE, "more than %u instructions", LIMIT_SHAPE);
	bench_free(&b);
	test_done();
}

void tests_cost(void)
{
	test_first();
	test_flat();
	test_more_shapes();
}
