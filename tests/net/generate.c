/* Random filters and packets over the same few values, so that they meet often. */
#include "net_test.h"

static uint64_t state = 1;

uint64_t random_word(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15ul;	/* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ul;
	z = (z ^ z >> 27) * 0x94d049bb133111ebul;
	return z ^ z >> 31;
}

void random_seed(uint64_t seed) { state = seed * 0x9e3779b97f4a7c15ul; }

struct exo_atom atom(unsigned base, unsigned offset, unsigned width, uint64_t mask, uint64_t value)
{
	return (struct exo_atom){ .base = base, .width = width, .offset = offset, .mask = mask,
		.value = value & mask };
}

static const uint16_t types[] = { 0x0800, 0x0800, 0x0800, 0x86dd, 0x0806, 0x8100, 0x05ff };

static uint64_t field_value(unsigned bits)
{
	static const uint64_t few[] = { 0, 1, 2, 80, 0x0a000001, 0x0a000002, 0xfe80000000000001ul, ~0ul };

	return bits == 64 ? few[below(8)] : few[below(8)] & ((1ul << bits) - 1);
}

static uint64_t field_mask(unsigned bits)
{
	uint64_t all = bits == 64 ? ~0ul : (1ul << bits) - 1;

	switch (below(6)) {
	case 0: return all & ~(all >> below(bits));	/* a prefix, perhaps none */
	case 1: return random_word() & all;
	default: return all;
	}
}

/* Places that programs look at, and any. */
static const struct { uint8_t base, offset, width; } field[] = {
	{ EXO_L2, 0, 2 }, { EXO_L2, 2, 4 }, { EXO_L2, 6, 2 }, { EXO_L2, 8, 4 },
	{ EXO_L2, 14, 2 }, { EXO_L2, 14, 1 }, { EXO_L2, 15, 1 },
	{ EXO_L3, 1, 1 }, { EXO_L3, 6, 2 }, { EXO_L3, 9, 1 }, { EXO_L3, 12, 4 }, { EXO_L3, 16, 4 },
	{ EXO_L3, 6, 1 }, { EXO_L3, 8, 8 }, { EXO_L3, 24, 8 }, { EXO_L3, 32, 8 },
	{ EXO_L4, 0, 2 }, { EXO_L4, 2, 2 }, { EXO_L4, 0, 4 }, { EXO_L4, 13, 1 },
};

/* One that its own view allows; the language is asked whether it does. */
static void atom_try(struct written *w, struct exo_atom a)
{
	const struct cube all = { .mask = { 0 } };
	struct cube c;
	unsigned bad;

	if (w->n == EXO_ATOMS_MAX)
		return;
	w->atom[w->n] = a;
	w->n += cube_narrow(&all, w->atom, w->n + 1, &c, &bad);
}

static void random_atom(struct written *w)
{
	unsigned i = below(sizeof field / sizeof field[0] + 3), width, base;

	if (i < sizeof field / sizeof field[0]) {
		width = field[i].width;
		atom_try(w, atom(field[i].base, field[i].offset, width, field_mask(8 * width),
			field_value(8 * width)));
		return;
	}
	width = 1u << below(4);
	base = below(EXO_BASES);
	atom_try(w, atom(base, below(40), width, field_mask(8 * width), field_value(8 * width)));
}

void write_filter(struct written *w)
{
	*w = (struct written){ 0 };
	if (below(8))
		atom_try(w, atom(EXO_L2, 12, 2, 0xffff, types[below(sizeof types / sizeof types[0])]));
	for (unsigned n = below(below(2) ? 4 : 9); n; n--)
		random_atom(w);
	for (unsigned i = w->n; i > 1; i--) {	/* in any order */
		unsigned j = below(i);
		struct exo_atom other = w->atom[j];

		w->atom[j] = w->atom[i - 1];
		w->atom[i - 1] = other;
	}
}

static void put(struct packet *p, unsigned at, unsigned bytes, uint64_t value)
{
	for (; bytes--; value >>= 8)
		p->byte[at + bytes] = value;
}

static unsigned few_bits(unsigned usual, unsigned bits) { return below(8) ? usual : below(1u << bits); }

static void fill(struct packet *p, unsigned at, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i += 2)
		put(p, at + i, 2, field_value(16));
}

static unsigned write_v4(struct packet *p, unsigned at)
{
	unsigned ihl = below(3) ? 5 : below(16), l4 = at + ihl * 4, end = l4 + below(40);

	fill(p, at, 20);
	put(p, at, 1, few_bits(4, 4) << 4 | ihl);
	put(p, at + 2, 2, end - at + (below(10) ? 0 : below(9) - 4u));
	put(p, at + 6, 2, below(4) ? below(2) << 14 : random_word() & 0x3fff);
	put(p, at + 9, 1, below(2) ? 6 : field_value(8));
	put(p, at + 12, 4, field_value(32));
	put(p, at + 16, 4, field_value(32));
	fill(p, l4, 40);
	return end;
}

static unsigned write_v6(struct packet *p, unsigned at)
{
	unsigned n = below(40);

	for (unsigned i = 0; i < 40; i += 8)
		put(p, at + i, 8, field_value(64));
	put(p, at, 1, few_bits(6, 4) << 4);
	put(p, at + 4, 2, n + (below(10) ? 0 : below(9) - 4u));
	fill(p, at + 40, 40);
	return at + 40 + n;
}

void write_packet(struct packet *p)
{
	unsigned at = 14, end;
	uint16_t type = below(20) ? types[below(sizeof types / sizeof types[0])] : random_word();

	*p = (struct packet){ 0 };
	for (unsigned i = 0; i < 12; i += 6) {
		put(p, i, 2, field_value(16));
		put(p, i + 2, 4, field_value(32));
	}
	for (unsigned tags = below(3) ? 0 : 1 + !below(4); tags; tags--, at += 4) {
		put(p, at - 2, 2, below(3) ? 0x8100 : 0x88a8);
		put(p, at, 2, field_value(16));
	}
	put(p, at - 2, 2, type);
	end = type == 0x0800 ? write_v4(p, at) : type == 0x86dd ? write_v6(p, at) : at + below(60);
	if (type != 0x0800 && type != 0x86dd)
		fill(p, at, 60);
	p->length = below(8) ? end + (end < 60 && below(2) ? 60 - end : 0) : below(end + 1);
}
