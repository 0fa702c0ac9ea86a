/* From atoms to cubes, and the questions about cubes.
 *
 * What may be asked for is restricted so that every bit of the view can have either value
 * whatever the others are: so a cube is never empty, and two overlap exactly if they want no bit
 * with two values.
 */
#include "cube.h"

static const struct { uint8_t at, size; } region[EXO_BASES] = {
	[EXO_L2] = { VIEW_L2, VIEW_L3 - VIEW_L2 },
	[EXO_L3] = { VIEW_L3, VIEW_L4 - VIEW_L3 },
	[EXO_L4] = { VIEW_L4, L4_BYTES },
};

enum cube_class cube_class(const struct cube *c)
{
	if (c->mask_byte[VIEW_TYPE] != 0xff || c->mask_byte[VIEW_TYPE + 1] != 0xff)
		return CUBE_ANY;
	switch (c->value_byte[VIEW_TYPE] << 8 | c->value_byte[VIEW_TYPE + 1]) {
	case EXO_ETHERTYPE_IPV4: return CUBE_V4;
	case EXO_ETHERTYPE_IPV6: return CUBE_V6;
	default: return CUBE_OTHER;
	}
}

/* Bits of a view byte that no atom may ask for: L3 and L4 exist only if they are right. */
static uint8_t bits_reserved(enum cube_class class, unsigned at)
{
	switch (class) {
	case CUBE_V4:	/* version and IHL, total length; what lies behind 20 bytes */
		return at == VIEW_L3 || at == VIEW_L3 + 2 || at == VIEW_L3 + 3 ||
			(at >= VIEW_L3 + V4_HEADER && at < VIEW_L4) ? 0xff : 0;
	case CUBE_V6:	/* version, payload length */
		return at == VIEW_L3 ? 0xf0 : at == VIEW_L3 + 4 || at == VIEW_L3 + 5 ? 0xff : 0;
	case CUBE_OTHER:
		return at >= VIEW_L4 ? 0xff : 0;
	default:
		return at >= VIEW_L3 ? 0xff : 0;
	}
}

static bool byte_add(struct cube *c, unsigned at, uint8_t mask, uint8_t value)
{
	if (c->mask_byte[at] & mask & (c->value_byte[at] ^ value))
		return false;
	c->mask_byte[at] |= mask;
	c->value_byte[at] |= value;
	return true;
}

static bool atom_form_ok(const struct exo_atom *a)
{
	uint64_t all = a->width == 8 ? ~0ul : (1ul << a->width % 8 * 8) - 1;

	return a->base < EXO_BASES && (a->width == 1 || a->width == 2 || a->width == 4 || a->width == 8) &&
		!a->pad && a->offset <= region[a->base].size - a->width &&
		a->mask && !(a->mask & ~all) && !(a->value & ~a->mask);
}

static bool atom_add(struct cube *c, const struct exo_atom *a)
{
	enum cube_class class = cube_class(c);
	unsigned at = region[a->base].at + a->offset;

	for (unsigned i = 0; i < a->width; i++) {
		unsigned shift = 8 * (a->width - 1u - i);
		uint8_t mask = a->mask >> shift, value = a->value >> shift;

		if (a->base != EXO_L2 && mask & bits_reserved(class, at + i))
			return false;
		if (!byte_add(c, at + i, mask, value))
			return false;
	}
	if (a->base == EXO_L4 && class == CUBE_V4)	/* no fragment with an offset has an L4 */
		return byte_add(c, VIEW_L3 + 6, 0x1f, 0) && byte_add(c, VIEW_L3 + 7, 0xff, 0);
	return true;
}

bool cube_narrow(const struct cube *from, const struct exo_atom *atoms, unsigned n, struct cube *out,
	unsigned *bad)
{
	*out = *from;
	for (unsigned base = EXO_L2; base < EXO_BASES; base++)	/* the EtherType decides on the rest */
		for (unsigned i = 0; i < n; i++) {
			*bad = i;
			if (!atom_form_ok(&atoms[i]))
				return false;
			if (atoms[i].base == base && !atom_add(out, &atoms[i]))
				return false;
		}
	return true;
}

bool cube_overlap(const struct cube *a, const struct cube *b)
{
	uint64_t differ = 0;

	for (unsigned i = 0; i < VIEW_WORDS && !differ; i++)
		differ = (a->value[i] ^ b->value[i]) & a->mask[i] & b->mask[i];
	return !differ;
}

bool cube_within(const struct cube *a, const struct cube *b)
{
	uint64_t differ = 0;

	for (unsigned i = 0; i < VIEW_WORDS && !differ; i++)
		differ = (b->mask[i] & ~a->mask[i]) | ((a->value[i] ^ b->value[i]) & b->mask[i]);
	return !differ;
}

unsigned cube_bits(const struct cube *c)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < VIEW_WORDS; i++)
		for (uint64_t m = c->mask[i]; m; m &= m - 1)
			bits++;
	return bits;
}

bool cube_match(const struct cube *c, const struct view *v)
{
	uint64_t differ = 0;

	for (unsigned i = 0; i < VIEW_WORDS && !differ; i++)
		differ = c->mask[i] & (~v->there[i] | (v->word[i] ^ c->value[i]));
	return !differ;
}
