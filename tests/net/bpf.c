/* The reference: each filter as a program for libpcap's bpf_filter, made from its atoms, byte by
 * byte, without the view. */
#include <sys/types.h>
#include <pcap/bpf.h>
#include "net_test.h"

_Static_assert(sizeof(struct bpf_insn) == sizeof(uint64_t), "an instruction");

enum { M_TAG, M_TCI, M_L3, M_LEFT, M_L4, M_L4_LEFT };	/* scratch words */

static void emit(struct bpf_program_text *b, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	struct bpf_insn insn = { code, jt, jf, k };

	CHECK(b->n < BPF_MAX, "program too long");
	memcpy(&b->code[b->n++], &insn, sizeof insn);
}

static void op(struct bpf_program_text *b, uint16_t code, uint32_t k) { emit(b, code, 0, 0, k); }

/* Goes on if the comparison holds, else it is no match. */
static void demand(struct bpf_program_text *b, uint16_t compare, uint32_t k)
{
	emit(b, BPF_JMP | compare, 1, 0, k);
	op(b, BPF_RET | BPF_K, 0);
}

static void refuse_if(struct bpf_program_text *b, uint16_t compare, uint32_t k)
{
	emit(b, BPF_JMP | compare, 0, 1, k);
	op(b, BPF_RET | BPF_K, 0);
}

static void l2(struct bpf_program_text *b)
{
	op(b, BPF_LD | BPF_W | BPF_LEN, 0);
	demand(b, BPF_JGE | BPF_K, 14);
	op(b, BPF_LD | BPF_IMM, 0);
	op(b, BPF_ST, M_TAG);
	op(b, BPF_ST, M_TCI);
	op(b, BPF_LD | BPF_H | BPF_ABS, 12);
	emit(b, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0x8100);
	emit(b, BPF_JMP | BPF_JEQ | BPF_K, 0, 6, 0x88a8);
	op(b, BPF_LD | BPF_H | BPF_ABS, 16);	/* no match if it is cut off */
	op(b, BPF_LD | BPF_H | BPF_ABS, 14);
	op(b, BPF_ST, M_TCI);
	op(b, BPF_LD | BPF_IMM, 4);
	op(b, BPF_ST, M_TAG);
	op(b, BPF_JMP | BPF_JA, 0);
	op(b, BPF_LD | BPF_MEM, M_TAG);
	op(b, BPF_ALU | BPF_ADD | BPF_K, 14);
	op(b, BPF_ST, M_L3);
	op(b, BPF_LDX | BPF_MEM, M_L3);
	op(b, BPF_LD | BPF_W | BPF_LEN, 0);
	op(b, BPF_ALU | BPF_SUB | BPF_X, 0);
	op(b, BPF_ST, M_LEFT);
}

static void l3(struct bpf_program_text *b, unsigned type)
{
	op(b, BPF_LD | BPF_MEM, M_LEFT);
	op(b, BPF_LDX | BPF_MEM, M_L3);
	if (type == 0x0800) {
		demand(b, BPF_JGE | BPF_K, 20);
		op(b, BPF_LD | BPF_B | BPF_IND, 0);
		demand(b, BPF_JGE | BPF_K, 0x45);
		refuse_if(b, BPF_JGE | BPF_K, 0x50);
		op(b, BPF_ALU | BPF_AND | BPF_K, 15);
		op(b, BPF_ALU | BPF_LSH | BPF_K, 2);
		op(b, BPF_ST, M_L4);			/* from L3 so far */
		op(b, BPF_LD | BPF_H | BPF_IND, 2);
		op(b, BPF_LDX | BPF_MEM, M_L4);
		demand(b, BPF_JGE | BPF_X, 0);
		op(b, BPF_LDX | BPF_MEM, M_LEFT);
		refuse_if(b, BPF_JGT | BPF_X, 0);
		op(b, BPF_LDX | BPF_MEM, M_L4);
		op(b, BPF_ALU | BPF_SUB | BPF_X, 0);
		op(b, BPF_ST, M_L4_LEFT);
		op(b, BPF_LD | BPF_MEM, M_L3);
		op(b, BPF_ALU | BPF_ADD | BPF_X, 0);
		op(b, BPF_ST, M_L4);
	} else if (type == 0x86dd) {
		demand(b, BPF_JGE | BPF_K, 40);
		op(b, BPF_ALU | BPF_SUB | BPF_K, 40);
		op(b, BPF_ST, M_LEFT);
		op(b, BPF_LD | BPF_B | BPF_IND, 0);
		op(b, BPF_ALU | BPF_RSH | BPF_K, 4);
		demand(b, BPF_JEQ | BPF_K, 6);
		op(b, BPF_LD | BPF_H | BPF_IND, 4);
		op(b, BPF_ST, M_L4_LEFT);
		op(b, BPF_LDX | BPF_MEM, M_LEFT);
		refuse_if(b, BPF_JGT | BPF_X, 0);
		op(b, BPF_LD | BPF_MEM, M_L3);
		op(b, BPF_ALU | BPF_ADD | BPF_K, 40);
		op(b, BPF_ST, M_L4);
	}
}

/* A = the byte that an atom means. */
static void byte_load(struct bpf_program_text *b, unsigned base, unsigned offset)
{
	if (base == EXO_L2 && offset >= 14) {
		op(b, BPF_LD | BPF_MEM, M_TCI);
		op(b, offset == 14 ? BPF_ALU | BPF_RSH | BPF_K : BPF_ALU | BPF_AND | BPF_K,
			offset == 14 ? 8 : 255);
	} else if (base == EXO_L2 && offset >= 12) {
		op(b, BPF_LDX | BPF_MEM, M_TAG);
		op(b, BPF_LD | BPF_B | BPF_IND, offset);
	} else if (base == EXO_L2) {
		op(b, BPF_LD | BPF_B | BPF_ABS, offset);
	} else {
		op(b, BPF_LDX | BPF_MEM, base == EXO_L3 ? M_L3 : M_L4);
		op(b, BPF_LD | BPF_B | BPF_IND, offset);
	}
}

static void atom_code(struct bpf_program_text *b, const struct exo_atom *a, unsigned type)
{
	if (a->base == EXO_L4 && type == 0x0800) {
		op(b, BPF_LDX | BPF_MEM, M_L3);
		op(b, BPF_LD | BPF_H | BPF_IND, 6);
		op(b, BPF_ALU | BPF_AND | BPF_K, 0x1fff);
		demand(b, BPF_JEQ | BPF_K, 0);
	}
	for (unsigned i = 0; i < a->width; i++) {
		uint8_t mask = a->mask >> 8 * (a->width - 1 - i), value = a->value >> 8 * (a->width - 1 - i);

		if (!mask)
			continue;
		if (a->base == EXO_L4) {
			op(b, BPF_LD | BPF_MEM, M_L4_LEFT);
			demand(b, BPF_JGE | BPF_K, a->offset + i + 1);
		}
		byte_load(b, a->base, a->offset + i);
		op(b, BPF_ALU | BPF_AND | BPF_K, mask);
		demand(b, BPF_JEQ | BPF_K, value);
	}
}

/* The EtherType that the atoms fix; 0: none.  Without one there are no atoms behind L2. */
static unsigned type_fixed(const struct written *w)
{
	uint8_t mask[16] = { 0 }, value[16] = { 0 };

	for (unsigned i = 0; i < w->n; i++)
		for (unsigned j = 0; w->atom[i].base == EXO_L2 && j < w->atom[i].width; j++) {
			unsigned shift = 8 * (w->atom[i].width - 1 - j);

			mask[w->atom[i].offset + j] |= w->atom[i].mask >> shift;
			value[w->atom[i].offset + j] |= w->atom[i].value >> shift;
		}
	return mask[12] == 0xff && mask[13] == 0xff ? value[12] << 8 | value[13] : 0;
}

void bpf_write(struct bpf_program_text *b, const struct written *w)
{
	unsigned type = type_fixed(w);
	bool found = false;	/* L3 */

	b->n = 0;
	l2(b);
	for (unsigned base = EXO_L2; base < EXO_BASES; base++)
		for (unsigned i = 0; i < w->n; i++) {
			if (w->atom[i].base != base)
				continue;
			if (base != EXO_L2 && !found)
				l3(b, type);
			found = base != EXO_L2;
			atom_code(b, &w->atom[i], type);
		}
	op(b, BPF_RET | BPF_K, 1);
	CHECK(bpf_validate((struct bpf_insn *)b->code, b->n), "not a BPF program");
}

bool bpf_matches(const struct bpf_program_text *b, const struct packet *p)
{
	return bpf_filter((const struct bpf_insn *)b->code, p->byte, p->length, p->length);
}
