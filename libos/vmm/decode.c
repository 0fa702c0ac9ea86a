/* Decodes the stores that guests make into page tables: MOV, XCHG, CMPXCHG, AND, OR, BTR, BTS to
 * memory.  Where the operand lies is not decoded, the fault has told it; only its size, the
 * register or immediate, and the instruction's length.
 */
#include "libos/vmm/run.h"

#define PREFIX_LOCK	0xf0
#define PREFIX_SIZE	0x66

struct reader {
	const uint8_t *at, *end;
	bool short_operand, rex_w;
};

static unsigned next(struct reader *in) { return in->at < in->end ? *in->at++ : 0; }

uint64_t *decode_register(struct upcall_regs *r, unsigned number)
{
	uint64_t *const reg[16] = { &r->rax, &r->rcx, &r->rdx, &r->rbx, &r->up.rsp, &r->rbp, &r->rsi,
		&r->rdi, &r->r8, &r->r9, &r->r10, &r->r11, &r->r12, &r->r13, &r->r14, &r->r15 };
	return reg[number & 15];
}

static bool is_prefix(unsigned b)
{
	return b == PREFIX_LOCK || b == PREFIX_SIZE || b == 0x2e || b == 0x36 || b == 0x3e || b == 0x26 ||
		b == 0x64 || b == 0x65;
}

/* ModRM's register; skips SIB and displacement.  False: no memory operand. */
static bool operand(struct reader *in, unsigned *reg)
{
	unsigned modrm = next(in), mod = modrm >> 6, rm = modrm & 7, skip = mod == 1 ? 1 : mod == 2 ? 4 : 0;
	*reg = modrm >> 3 & 7;
	if (rm == 4 && (next(in) & 7) == 5 && mod == 0)
		skip = 4;
	else if (rm == 5 && mod == 0)
		skip = 4;
	in->at += skip;
	return mod != 3 && in->at <= in->end;
}

/* The operation; what the immediate's bytes are: 0, 1, or the operand's (at most 4). */
struct form { enum store_op op; bool byte; int imm; };
#define IMM_FULL	(-1)

static struct form form_of(unsigned opcode, unsigned sub)
{
	static const enum store_op group1[8] = { [1] = STORE_OR, [4] = STORE_AND };
	static const enum store_op group8[8] = { [5] = STORE_BTS, [6] = STORE_BTR };
	bool byte = !(opcode & 1);
	switch (opcode) {
	case 0x88: case 0x89:
		return (struct form){ STORE_MOV, byte, 0 };
	case 0xc6: case 0xc7:
		return (struct form){ sub ? STORE_NONE : STORE_MOV, byte, IMM_FULL };
	case 0x86: case 0x87:
		return (struct form){ STORE_XCHG, byte, 0 };
	case 0x20: case 0x21:
		return (struct form){ STORE_AND, byte, 0 };
	case 0x08: case 0x09:
		return (struct form){ STORE_OR, byte, 0 };
	case 0x80: case 0x81:
		return (struct form){ group1[sub], byte, IMM_FULL };
	case 0x83:
		return (struct form){ group1[sub], false, 1 };
	case 0x0fb0: case 0x0fb1:
		return (struct form){ STORE_CMPXCHG, byte, 0 };
	case 0x0fab:
		return (struct form){ STORE_BTS, false, 0 };
	case 0x0fb3:
		return (struct form){ STORE_BTR, false, 0 };
	case 0x0fba:
		return (struct form){ group8[sub], false, 1 };
	}
	return (struct form){ STORE_NONE, false, 0 };
}

static int64_t immediate(struct reader *in, unsigned bytes)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)next(in) << 8 * i;
	unsigned shift = 64 - 8 * bytes;
	return (int64_t)(v << shift) >> shift;
}

bool decode_store(const uint8_t *code, size_t n, struct store *s)
{
	struct reader in = { code, code + n, false, false };
	unsigned b, rex = 0, reg;
	while (is_prefix(b = next(&in)))
		in.short_operand |= b == PREFIX_SIZE;
	if ((b & 0xf0) == 0x40) {
		rex = b;
		b = next(&in);
	}
	unsigned opcode = b == 0x0f ? 0x0f00 | next(&in) : b;
	if (!operand(&in, &reg))
		return false;
	struct form f = form_of(opcode, reg);
	s->op = f.op;
	s->size = f.byte ? 1 : rex & 8 ? 8 : in.short_operand ? 2 : 4;
	s->rex = rex;
	s->reg = reg | (rex & 4 ? 8 : 0);
	s->has_imm = f.imm;
	if (f.imm)
		s->imm = immediate(&in, f.imm > 0 ? 1 : s->size < 4 ? s->size : 4);
	s->length = in.at - code;
	return s->op != STORE_NONE && s->length <= n;
}
