/* The language: what may be written, that all ways to write a filter are one cube, and that
 * overlap and inclusion are what they claim to be, packet by packet. */
#include "net_test.h"

static const struct cube all;
#define TYPE(t)	atom(EXO_L2, 12, 2, 0xffff, t)

/* -1: allowed; else the atom that is refused. */
static int refused(const struct cube *from, unsigned n, const struct exo_atom *a)
{
	struct cube c;
	unsigned bad;

	return cube_narrow(from, a, n, &c, &bad) ? -1 : (int)bad;
}
#define REFUSED(...) refused(&all, sizeof((struct exo_atom[]){ __VA_ARGS__ }) / sizeof(struct exo_atom), \
	(struct exo_atom[]){ __VA_ARGS__ })

static void test_form(void)
{
	struct exo_atom a;

	test_begin("atoms-form");
	CHECK(REFUSED(atom(EXO_L2, 0, 1, 0xff, 1)) == -1, "a plain atom");
	for (unsigned width = 0; width < 20; width++) {
		bool good = width == 1 || width == 2 || width == 4 || width == 8;

		CHECK((REFUSED(atom(EXO_L2, 0, width, 1, 1)) == -1) == good, "width %u", width);
	}
	for (unsigned base = 0; base < 5; base++)
		CHECK((REFUSED(TYPE(0x0800), atom(base, 6, 1, 0x20, 0)) == -1) == (base < 3), "base %u", base);
	a = atom(EXO_L2, 0, 1, 0, 0);
	CHECK(REFUSED(a) == 0, "no mask");
	a = atom(EXO_L2, 0, 2, 0x10000, 0);
	CHECK(REFUSED(TYPE(0x0800), a) == 1, "mask beyond the width");
	a = atom(EXO_L2, 0, 2, 0x00f0, 0);
	a.value = 0x0100;
	CHECK(REFUSED(a) == 0, "value beyond the mask");
	a = atom(EXO_L2, 0, 1, 1, 1);
	a.pad = 1;
	CHECK(REFUSED(a) == 0, "padding");
	CHECK(REFUSED(atom(EXO_L2, 15, 1, 1, 1)) == -1 && REFUSED(atom(EXO_L2, 15, 2, 1, 1)) == 0 &&
		REFUSED(atom(EXO_L2, 0xffff, 8, 1, 1)) == 0, "the end of L2");
	test_done();
}

static void test_existence(void)
{
	test_begin("atoms-existence");
	CHECK(REFUSED(atom(EXO_L3, 9, 1, 0xff, 6)) == 0, "L3 without EtherType");
	CHECK(REFUSED(atom(EXO_L3, 9, 1, 0xff, 6), TYPE(0x0800)) == -1, "any order");
	CHECK(REFUSED(atom(EXO_L2, 12, 2, 0xfff0, 0x0800), atom(EXO_L3, 9, 1, 0xff, 6)) == 1, "half a type");
	CHECK(REFUSED(atom(EXO_L2, 12, 1, 0xff, 8), atom(EXO_L3, 9, 1, 1, 0), atom(EXO_L2, 13, 1, 0xff, 0)) == -1,
		"a type in two parts");
	for (unsigned i = 0; i < 40; i++) {
		bool v4 = i && i != 2 && i != 3 && i < 20, v6 = i && i != 4 && i != 5;

		CHECK((REFUSED(TYPE(0x0800), atom(EXO_L3, i, 1, 0xff, 0)) == -1) == v4, "IPv4 byte %u", i);
		CHECK((REFUSED(TYPE(0x86dd), atom(EXO_L3, i, 1, 0xff, 0)) == -1) == v6, "IPv6 byte %u", i);
		CHECK(REFUSED(TYPE(0x0806), atom(EXO_L3, i, 1, 0xff, 0)) == -1, "ARP byte %u", i);
	}
	CHECK(REFUSED(TYPE(0x86dd), atom(EXO_L3, 0, 1, 0x0f, 1)) == -1, "IPv6 traffic class");
	CHECK(REFUSED(TYPE(0x0806), atom(EXO_L4, 0, 1, 1, 1)) == 1, "ARP has no L4");
	CHECK(REFUSED(TYPE(0x86dd), atom(EXO_L4, 23, 1, 1, 1)) == -1 &&
		REFUSED(TYPE(0x86dd), atom(EXO_L4, 24, 1, 1, 1)) == 1, "the end of L4");
	CHECK(REFUSED(TYPE(0x0800), atom(EXO_L4, 0, 1, 1, 1), atom(EXO_L3, 6, 2, 0x1fff, 3)) == 1,
		"L4 of a later fragment");
	test_done();
}

static void test_narrow(void)
{
	struct exo_atom port = atom(EXO_L4, 2, 2, 0xffff, 80), other = atom(EXO_L4, 2, 2, 0xffff, 81),
		halves[] = { atom(EXO_L4, 3, 1, 0xff, 80), TYPE(0x0800), atom(EXO_L4, 2, 1, 0xff, 0),
			atom(EXO_L3, 6, 2, 0x1fff, 0) };
	struct exo_atom both[] = { TYPE(0x0800), port };
	struct cube a, b;
	unsigned bad;

	test_begin("cube-narrow");
	CHECK(cube_narrow(&all, both, 2, &a, &bad) && cube_narrow(&all, halves, 4, &b, &bad), "allowed");
	CHECK(!memcmp(&a, &b, sizeof a), "two ways to write one filter, two cubes");
	CHECK(refused(&a, 1, &other) == 0, "a derived flow went beyond its parent");
	CHECK(refused(&a, 1, &port) == -1, "repetition");
	CHECK(refused(&a, 1, (struct exo_atom[]){ TYPE(0x86dd) }) == 0, "another type");
	CHECK(cube_bits(&a) == 16 + 16 + 13, "bits: %u", cube_bits(&a));
	for (unsigned i = 0; i < 20000; i++) {
		struct written w;

		write_filter(&w);
		CHECK(cube_narrow(&all, w.atom, w.n / 2, &a, &bad) || w.n / 2, "atom %u", bad);
		if (!cube_narrow(&all, w.atom, w.n / 2, &a, &bad))
			continue;	/* the type comes later */
		CHECK(cube_narrow(&a, w.atom + w.n / 2, w.n - w.n / 2, &b, &bad), "atom %u", bad);
		CHECK(cube_within(&b, &a) && cube_overlap(&a, &b), "not within");
		CHECK(cube_bits(&b) >= cube_bits(&a), "bits");
	}
	test_done();
}

void tests_cube(void)
{
	test_form();
	test_existence();
	test_narrow();
}

/* ---- small header spaces ---------------------------------------------------------- */

#define BITS	12
#define PACKETS	(1u << BITS)
#define FILTERS	24

/* Packet number n of the space: type (2 bits), tag, length, and a bit each in eight places. */
static void space_packet(struct packet *p, unsigned n)
{
	static const uint16_t types[] = { 0x0800, 0x86dd, 0x0806, 0x1234 };
	unsigned type = types[n & 3], at = n & 4 ? 18 : 14, l4 = type == 0x86dd ? 40 : 20;

	*p = (struct packet){ .length = n & 8 ? 90 : at + l4 + 2 };
	p->byte[0] = n >> 4 & 1;
	p->byte[6] = n >> 5 & 1;
	p->byte[12] = 0x81;
	p->byte[15] = at == 18;
	p->byte[at - 2] = type >> 8;
	p->byte[at - 1] = type;
	if (type == 0x0800) {
		p->byte[at] = 0x45;
		p->byte[at + 3] = p->length - at;
	} else if (type == 0x86dd) {
		p->byte[at] = 0x60;
		p->byte[at + 5] = p->length - at - 40;
	}
	p->byte[at + 1] = n >> 6 & 1;
	p->byte[at + 7] = n >> 7 & 1;	/* IPv4: the fragment offset's last bit */
	p->byte[at + 9] = n >> 8 & 1;
	p->byte[at + 12] = n >> 9 & 1;
	p->byte[at + l4] |= n >> 10 & 1;
	p->byte[at + l4 + 3] |= n >> 11 & 1;
}

static void space_filter(struct written *w)
{
	static const struct { uint8_t base, offset; } place[] = {
		{ EXO_L2, 0 }, { EXO_L2, 6 }, { EXO_L2, 15 }, { EXO_L3, 1 }, { EXO_L3, 7 }, { EXO_L3, 9 },
		{ EXO_L3, 12 }, { EXO_L4, 0 }, { EXO_L4, 3 },
	};
	static const uint16_t types[] = { 0x0800, 0x0800, 0x86dd, 0x0806 };
	struct cube c;
	unsigned bad;

	*w = (struct written){ 0 };
	if (below(8))
		w->atom[w->n++] = TYPE(types[below(4)]);
	for (unsigned i = below(5); i; i--) {
		unsigned at = below(sizeof place / sizeof place[0]);

		w->atom[w->n] = atom(place[at].base, place[at].offset, 1, 1, below(2));
		w->n += cube_narrow(&all, w->atom, w->n + 1, &c, &bad);
	}
}

static struct space {
	struct written written[FILTERS];
	struct cube cube[FILTERS];
	uint8_t match[FILTERS][PACKETS];	/* by libpcap */
} space;

static void space_make(void)
{
	struct bpf_program_text bpf;
	struct packet p;
	unsigned bad;

	for (unsigned i = 0; i < FILTERS; i++) {
		space_filter(&space.written[i]);
		CHECK(cube_narrow(&all, space.written[i].atom, space.written[i].n, &space.cube[i], &bad), "%u", bad);
		bpf_write(&bpf, &space.written[i]);
		for (unsigned n = 0; n < PACKETS; n++) {
			space_packet(&p, n);
			space.match[i][n] = bpf_matches(&bpf, &p);
		}
	}
}

static void space_pair(unsigned a, unsigned b)
{
	bool common = false, within = true;

	for (unsigned n = 0; n < PACKETS; n++) {
		common |= space.match[a][n] && space.match[b][n];
		within &= !space.match[a][n] || space.match[b][n];
	}
	CHECK(cube_overlap(&space.cube[a], &space.cube[b]) == common, "filters %u %u: common %d", a, b, common);
	CHECK(cube_within(&space.cube[a], &space.cube[b]) == within, "filters %u %u: within %d", a, b, within);
}

/* All that go beside each other are inserted: whose is each packet of the space? */
static void space_demux(void)
{
	uint32_t name, index[FILTERS + 1] = { 0 };
	struct bench b;
	struct packet p;

	bench_make(&b, FILTERS);
	for (unsigned i = 0; i < FILTERS; i++)
		if (bench_insert(&b, &space.cube[i], i, &name) == DEMUX_OK)
			index[name] = i;
	for (unsigned n = 0; n < PACKETS; n++) {
		uint32_t best = 0;

		space_packet(&p, n);
		for (uint32_t j = 1; j <= FILTERS; j++)
			if (b.filter[j].live && space.match[index[j]][n] &&
				(!best || b.filter[j].bits > b.filter[best].bits))
				best = j;
		CHECK(bench_run(&b, &p) == best && bench_plain(&b, &p) == best, "packet %u", n);
	}
	bench_free(&b);
}

void test_spaces(unsigned rounds)
{
	test_begin("spaces");
	for (unsigned r = 0; r < rounds; r++) {
		space_make();
		for (unsigned a = 0; a < FILTERS; a++)
			for (unsigned b = 0; b < FILTERS; b++)
				space_pair(a, b);
		space_demux();
	}
	test_done();
}
