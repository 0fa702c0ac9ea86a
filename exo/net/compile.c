/* The compiler: code for x86-64 that demultiplexes packets of the shapes that there are.
 *
 * The code first finds the packet's headers, as view.c says, then tries the shapes that a packet
 * of its EtherType can match, by falling number of bits.  It calls nothing, writes nothing, jumps
 * backwards only along a chain of filters (at most CHAIN_MAX), and reads of the frame only what it
 * has compared the length with.  Filters are data to it.
 *
 *	rdi frame   rdx the tag's TCI   r9 L3   r10 L4   rsi how much there is of L4, else of L3
 *	rax hash, filter   r8 r11 the first two words   rcx scratch
 *
 * Each shape's code takes at most 66 bytes a load and 110 more, and stands there once, or three
 * times if it needs nothing but L2 (5 loads at most): DEMUX_CODE holds any 32.
 */
#include "demux.h"

enum reg { RAX, RCX, RDX, RSI = 6, RDI, R8, R9, R10, R11 };
enum jump { JB = 0x82, JE = 0x84, JNE = 0x85, JA = 0x87, JMP = 0xe9 };

struct code { uint8_t *start, *at, *end; };

/* A place that is jumped to before it is known: the uses are linked through their operands. */
struct label { uint32_t last; };

static void byte(struct code *c, uint8_t b)
{
	if (c->at < c->end)
		*c->at = b;
	c->at++;
}

static void number(struct code *c, uint64_t value, unsigned bytes)
{
	for (; bytes--; value >>= 8)
		byte(c, value);
}

/* Fixed instructions, most significant byte first. */
static void bytes(struct code *c, unsigned n, uint64_t text)
{
	while (n--)
		byte(c, text >> 8 * n);
}

static void jump(struct code *c, enum jump kind, struct label *to)
{
	if (kind != JMP)
		byte(c, 0x0f);
	byte(c, kind);
	number(c, to->last, 4);
	to->last = c->at - c->start;
}

static void label(struct code *c, struct label *l)
{
	uint32_t at = l->last, here = c->at - c->start;

	l->last = 0;
	while (at && c->start + here <= c->end) {
		uint8_t *operand = c->start + at - 4;
		uint32_t next = 0, distance = here - at;

		for (unsigned i = 0; i < 4; i++) {
			next |= (uint32_t)operand[i] << 8 * i;
			operand[i] = distance >> 8 * i;
		}
		at = next;
	}
}

static void jump_back(struct code *c, uint32_t to)
{
	byte(c, JMP);
	number(c, to - (uint32_t)(c->at - c->start) - 4, 4);
}

/* A REX prefix (always one, so that byte registers are what they seem), opcode, and operands
 * reg, [base + distance]. */
static void op_mem(struct code *c, bool wide, uint32_t opcode, unsigned opcode_bytes, enum reg reg,
	enum reg base, int32_t distance)
{
	byte(c, 0x40 | wide << 3 | (reg >> 3) << 2 | base >> 3);
	bytes(c, opcode_bytes, opcode);
	byte(c, 0x80 | (reg & 7) << 3 | (base & 7));
	number(c, (uint32_t)distance, 4);
}

static void op_reg(struct code *c, bool wide, uint8_t opcode, enum reg reg, enum reg rm)
{
	byte(c, 0x40 | wide << 3 | (reg >> 3) << 2 | rm >> 3);
	byte(c, opcode);
	byte(c, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

static void load_number(struct code *c, enum reg reg, uint64_t value)
{
	byte(c, 0x48 | reg >> 3);
	byte(c, 0xb8 | (reg & 7));
	number(c, value, 8);
}

/* reg = memory, zero-extended. */
static void load_mem(struct code *c, unsigned width, enum reg reg, enum reg base, int32_t distance)
{
	if (width < 4)
		op_mem(c, false, width == 1 ? 0x0fb6 : 0x0fb7, 2, reg, base, distance);
	else
		op_mem(c, width == 8, 0x8b, 1, reg, base, distance);
}

static void compare_mem(struct code *c, unsigned width, enum reg base, int32_t distance, enum reg reg)
{
	if (width == 2)
		byte(c, 0x66);
	op_mem(c, width == 8, width == 1 ? 0x38 : 0x39, 1, reg, base, distance);
}

/* ---- a shape ---------------------------------------------------------------------- */

static uint64_t width_mask(unsigned width) { return width == 8 ? ~0ul : (1ul << 8 * width) - 1; }

/* reg = the word of the packet, masked.  A mask of more than 32 bits needs `scratch`. */
static void load_word(struct code *c, const struct load *l, enum reg reg, enum reg scratch)
{
	if (reg == RDX)
		return;
	if (l->at == VIEW_TCI || l->at == VIEW_TCI + 1) {
		op_reg(c, false, 0x8b, reg, RDX);
		if (l->at != VIEW_TCI) {	/* shr reg, 8 */
			byte(c, 0x40 | reg >> 3);
			bytes(c, 3, 0xc1e808 | (reg & 7) << 8);
		}
	} else if (l->at >= VIEW_L4) {
		load_mem(c, l->width, reg, R10, l->at - VIEW_L4);
	} else if (l->at >= VIEW_TYPE) {	/* the EtherType lies before L3 too */
		load_mem(c, l->width, reg, R9, l->at < VIEW_L3 ? l->at - VIEW_TCI : l->at - VIEW_L3);
	} else {
		load_mem(c, l->width, reg, RDI, l->at);
	}
	if (l->mask == width_mask(l->width) && !(l->at == VIEW_TCI && l->width == 1))
		return;
	if (l->width == 8) {
		load_number(c, scratch, l->mask);
		op_reg(c, true, 0x21, scratch, reg);
	} else {		/* and reg, mask */
		byte(c, 0x40 | reg >> 3);
		bytes(c, 2, 0x81e0 | (reg & 7));
		number(c, l->mask, 4);
	}
}

/* Words 0 and 1, and a whole TCI, stay in registers; others are loaded again to be compared. */
static enum reg word_at(const struct load *l, unsigned i)
{
	if (l[i].at == VIEW_TCI && l[i].mask == 0xffff)
		return RDX;
	return i == 0 ? R8 : i == 1 ? R11 : RCX;
}

/* Which register helps to mask word i. */
static enum reg mask_scratch(unsigned i) { return i < 2 ? RCX : R11; }

/* Does a later word need word 1's register to be masked? */
static bool second_lost(const struct load *l, unsigned n)
{
	bool lost = false;

	for (unsigned i = 2; i < n; i++)
		lost |= l[i].width == 8 && l[i].mask != ~0ul;
	return lost;
}

/* rax = the head of the chain that the packet's words lead to. */
static void shape_hash(struct code *c, const struct demux *d, const struct shape *s,
	const struct load *l, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		load_word(c, &l[i], word_at(l, i), mask_scratch(i));
		if (!i) {
			op_mem(c, true, 0x8d, 1, RAX, word_at(l, 0), s->mix);	/* lea rax, [word + mix] */
			continue;
		}
		op_reg(c, true, 0x69, RCX, word_at(l, i));		/* imul rcx, word, mix */
		number(c, d->mix[i], 4);
		bytes(c, 3, 0x4801c8);				/* add rax, rcx */
	}
	if (!n)
		bytes(c, 1, 0xb8), number(c, s->mix, 4);	/* mov eax, mix */
	load_number(c, RCX, d->multiplier);
	bytes(c, 4, 0x480fafc1);				/* imul rax, rcx */
	bytes(c, 4, 0x48c1e800 | (64 - d->heads_log));		/* shr rax, n */
	load_number(c, RCX, (uintptr_t)d->heads);
	bytes(c, 4, 0x488b04c1);				/* mov rax, [rcx + rax * 8] */
}

/* Returns the filter of the chain with the packet's words; falls through if there is none. */
static void shape_chain(struct code *c, unsigned shape, const struct load *l, unsigned n,
	struct label *next)
{
	uint32_t loop = c->at - c->start;
	bool reload = second_lost(l, n);
	struct label other = { 0 };

	bytes(c, 3, 0x4885c0);					/* test rax, rax */
	jump(c, JE, next);
	op_mem(c, false, 0x80, 1, 7, RAX, offsetof(struct filter, shape));	/* cmp byte [], n */
	byte(c, shape);
	jump(c, JNE, &other);
	for (unsigned i = 0; i < n; i++) {
		if (i > 1 || (i == 1 && reload))
			load_word(c, &l[i], word_at(l, i), mask_scratch(i));
		compare_mem(c, l[i].width, RAX, offsetof(struct filter, cube.value) + l[i].at, word_at(l, i));
		jump(c, JNE, &other);
	}
	byte(c, 0xc3);						/* ret */
	label(c, &other);
	load_mem(c, 8, RAX, RAX, offsetof(struct filter, chain));
	jump_back(c, loop);
}

static void shape_code(struct code *c, const struct demux *d, const struct shape *s)
{
	struct load l[LOADS_MAX];
	unsigned n = shape_loads(s, l), end = n ? l[n - 1].at + l[n - 1].width : 0;
	struct label next = { 0 };
	unsigned need = end > VIEW_L4 ? end - VIEW_L4 :
		s->class == CUBE_OTHER && end > VIEW_L3 ? end - VIEW_L3 : 0;

	if (need) {
		bytes(c, 3, 0x83fe00 | need);			/* cmp esi, need */
		jump(c, JB, &next);
	}
	shape_hash(c, d, s, l, n);
	shape_chain(c, s - d->shape, l, n, &next);
	label(c, &next);
}

/* The shapes for packets of a class; the end: nobody's packet. */
static void class_code(struct code *c, const struct demux *d, enum cube_class class)
{
	for (unsigned i = 0; i < d->shapes; i++) {
		const struct shape *s = &d->shape[d->order[i]];

		if (s->class == class || s->class == CUBE_ANY)
			shape_code(c, d, s);
	}
	bytes(c, 3, 0x31c0c3);					/* xor eax, eax; ret */
}

/* ---- the way to L3 and L4 ------------------------------------------------------------ */

struct ways { struct label v4, v6, other; };

static void jump_if_type(struct code *c, uint16_t type, struct label *to)
{
	byte(c, 0x3d);						/* cmp eax, type (as in memory) */
	number(c, (uint16_t)(type << 8 | type >> 8), 4);
	jump(c, JE, to);
}

/* The usual packet first: IPv4 without tag and options.  Other IPv4 packets come to the place
 * *found, with the bytes behind their header in ecx.  Only the ways that fail before rsi is
 * changed may lead to `other`, or those that lower it. */
static void v4_usual_code(struct code *c, const struct demux *d, struct ways *to, uint32_t *found)
{
	struct label unusual = { 0 }, fragment = { 0 };
	uint32_t shapes;

	bytes(c, 3, 0x83fe22), jump(c, JB, &unusual);		/* cmp esi, 34 */
	bytes(c, 3, 0x8b470c);					/* mov eax, [rdi + 12] */
	bytes(c, 5, 0x25ffffff00);				/* and eax, 0xffffff */
	bytes(c, 5, 0x3d08004500);				/* cmp eax, type 0x0800, 0x45 */
	jump(c, JNE, &unusual);
	bytes(c, 4, 0x4c8d4f0e);				/* lea r9, [rdi + 14] */
	bytes(c, 4, 0x4c8d5722);				/* lea r10, [rdi + 34] */
	bytes(c, 2, 0x31d2);					/* xor edx, edx */
	bytes(c, 3, 0x83ee0e);					/* sub esi, 14 */
	bytes(c, 4, 0x0fb74f10);				/* movzx ecx, word [rdi + 16] */
	bytes(c, 2, 0x86e9);					/* xchg cl, ch */
	bytes(c, 2, 0x39f1), jump(c, JA, &to->other);		/* cmp ecx, esi */
	bytes(c, 3, 0x83e914), jump(c, JB, &to->other);		/* sub ecx, 20 */
	*found = c->at - c->start;
	bytes(c, 2, 0x89ce);					/* mov esi, ecx */
	bytes(c, 7, 0x6641f741061fff);				/* test word [r9 + 6], 0xff1f */
	jump(c, JNE, &fragment);
	shapes = c->at - c->start;
	class_code(c, d, CUBE_V4);
	label(c, &fragment);
	bytes(c, 2, 0x31f6);					/* xor esi, esi: no L4 */
	jump_back(c, shapes);
	label(c, &unusual);
}

static void l2_code(struct code *c, struct ways *to)
{
	struct label none = { 0 }, tagged = { 0 };

	bytes(c, 3, 0x83ee0e), jump(c, JB, &none);		/* sub esi, 14 */
	bytes(c, 4, 0x4c8d4f0e);				/* lea r9, [rdi + 14] */
	bytes(c, 4, 0x0fb7470c);				/* movzx eax, word [rdi + 12] */
	bytes(c, 2, 0x31d2);					/* xor edx, edx */
	jump_if_type(c, EXO_ETHERTYPE_IPV4, &to->v4);
	jump_if_type(c, EXO_ETHERTYPE_IPV6, &to->v6);
	jump_if_type(c, ETHERTYPE_TAG, &tagged);
	jump_if_type(c, ETHERTYPE_SERVICE_TAG, &tagged);
	jump(c, JMP, &to->other);
	label(c, &tagged);
	bytes(c, 3, 0x83ee04), jump(c, JB, &none);		/* sub esi, 4 */
	bytes(c, 4, 0x0fb7570e);				/* movzx edx, word [rdi + 14] */
	bytes(c, 4, 0x0fb74710);				/* movzx eax, word [rdi + 16] */
	bytes(c, 4, 0x4983c104);				/* add r9, 4 */
	jump_if_type(c, EXO_ETHERTYPE_IPV4, &to->v4);
	jump_if_type(c, EXO_ETHERTYPE_IPV6, &to->v6);
	jump(c, JMP, &to->other);
	label(c, &none);
	bytes(c, 3, 0x31c0c3);					/* xor eax, eax; ret */
}

static void v4_code(struct code *c, struct ways *to, uint32_t found)
{
	label(c, &to->v4);
	bytes(c, 3, 0x83fe14), jump(c, JB, &to->other);		/* cmp esi, 20 */
	bytes(c, 4, 0x410fb601);				/* movzx eax, byte [r9] */
	bytes(c, 3, 0x8d48bb);					/* lea ecx, [rax - 0x45] */
	bytes(c, 3, 0x83f90a), jump(c, JA, &to->other);		/* cmp ecx, 10 */
	bytes(c, 3, 0x83e00f);					/* and eax, 15 */
	bytes(c, 4, 0x4d8d1481);				/* lea r10, [r9 + rax * 4] */
	bytes(c, 5, 0x410fb74902);				/* movzx ecx, word [r9 + 2] */
	bytes(c, 2, 0x86e9);					/* xchg cl, ch */
	bytes(c, 2, 0x39f1), jump(c, JA, &to->other);		/* cmp ecx, esi */
	bytes(c, 3, 0xc1e002);					/* shl eax, 2 */
	bytes(c, 2, 0x29c1), jump(c, JB, &to->other);		/* sub ecx, eax */
	jump_back(c, found);
}

static void v6_code(struct code *c, const struct demux *d, struct ways *to)
{
	label(c, &to->v6);
	bytes(c, 3, 0x83fe28), jump(c, JB, &to->other);		/* cmp esi, 40 */
	bytes(c, 4, 0x410fb601);				/* movzx eax, byte [r9] */
	bytes(c, 3, 0xc1e804);					/* shr eax, 4 */
	bytes(c, 3, 0x83f806), jump(c, JNE, &to->other);	/* cmp eax, 6 */
	bytes(c, 5, 0x410fb74904);				/* movzx ecx, word [r9 + 4] */
	bytes(c, 2, 0x86e9);					/* xchg cl, ch */
	bytes(c, 4, 0x4d8d5128);				/* lea r10, [r9 + 40] */
	bytes(c, 3, 0x83ee28);					/* sub esi, 40 */
	bytes(c, 2, 0x39f1), jump(c, JA, &to->other);		/* cmp ecx, esi */
	bytes(c, 2, 0x89ce);					/* mov esi, ecx */
	class_code(c, d, CUBE_V6);
}

size_t demux_compile(const struct demux *d, uint8_t *code, size_t room)
{
	struct code c = { code, code, code + room };
	struct ways to = { 0 };
	uint32_t found;

	v4_usual_code(&c, d, &to, &found);
	l2_code(&c, &to);
	v4_code(&c, &to, found);
	v6_code(&c, d, &to);
	label(&c, &to.other);
	class_code(&c, d, CUBE_OTHER);
	return c.at > c.end ? 0 : (size_t)(c.at - c.start);
}
