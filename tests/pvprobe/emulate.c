/* Instructions of the guest kernel that the monitor carries out for it.
 *
 * A page-table page is mapped read-only, so a store into one faults.  The entry is written by
 * the kernel: XCHG by EXCHANGE, a read-modify-write by COMPARE-AND-SET in a loop, so that A and D
 * bits which the processor sets meanwhile are never lost.  The instructions are those that Linux
 * uses for it.  The store goes where CR2 says; only the operation, the register and the length
 * are decoded.
 */
#include "tests/pvprobe/monitor.h"

#define VECTOR_GP	13
#define VECTOR_PF	14
#define PF_WRITE_PROTECTED 7	/* present, write, user */
#define MSR_GS_BASE	0xc0000101u
#define MSR_KGS_BASE	0xc0000102u

#define FLAG_CF		0x001ul
#define FLAG_ZF		0x040ul

enum op { OP_NONE, OP_MOV, OP_XCHG, OP_CMPXCHG, OP_AND, OP_BTR };
struct insn {
	enum op op;
	unsigned length, reg;	/* reg: of ModRM, with REX.R */
	bool has_imm;
	int64_t imm;
};

static uint64_t *gpr(struct upcall_regs *r, unsigned n)
{
	uint64_t *const reg[16] = { &r->rax, &r->rcx, &r->rdx, &r->rbx, &r->up.rsp, &r->rbp, &r->rsi,
		&r->rdi, &r->r8, &r->r9, &r->r10, &r->r11, &r->r12, &r->r13, &r->r14, &r->r15 };
	return reg[n & 15];
}

/* Bytes of ModRM, SIB and displacement of a memory operand. */
static unsigned operand_length(const uint8_t *p)
{
	unsigned mod = p[0] >> 6, rm = p[0] & 7, n = 1;
	if (rm == 4)
		n++;
	if (mod == 1)
		return n + 1;
	if (mod == 2 || (mod == 0 && (rm == 5 || (rm == 4 && (p[1] & 7) == 5))))
		return n + 4;
	return n;
}

static int32_t read_imm32(const uint8_t *p)
{
	int32_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

static enum op group(unsigned opcode, unsigned sub)
{
	switch (opcode) {
	case 0x89:
		return OP_MOV;
	case 0xc7:
		return sub == 0 ? OP_MOV : OP_NONE;
	case 0x87:
		return OP_XCHG;
	case 0x21:
		return OP_AND;
	case 0x81: case 0x83:
		return sub == 4 ? OP_AND : OP_NONE;
	case 0x0fb1:
		return OP_CMPXCHG;
	case 0x0fb3:
		return OP_BTR;
	case 0x0fba:
		return sub == 6 ? OP_BTR : OP_NONE;
	}
	return OP_NONE;
}

/* 64-bit operations on memory only: [LOCK] REX.W opcode ModRM ... */
static bool decode(const uint8_t *start, struct insn *in)
{
	const uint8_t *p = start;
	if (*p == 0xf0)
		p++;
	unsigned rex = *p++;
	if ((rex & 0xf8) != 0x48)
		return false;
	unsigned opcode = *p++;
	if (opcode == 0x0f)
		opcode = 0x0f00 | *p++;
	in->reg = (p[0] >> 3 & 7) | (rex & 4 ? 8 : 0);
	in->op = group(opcode, p[0] >> 3 & 7);
	if (in->op == OP_NONE || p[0] >> 6 == 3)
		return false;
	p += operand_length(p);
	in->has_imm = opcode == 0xc7 || opcode == 0x81 || opcode == 0x83 || opcode == 0x0fba;
	if (opcode == 0xc7 || opcode == 0x81) {
		in->imm = read_imm32(p);
		p += 4;
	} else if (in->has_imm) {
		in->imm = (int8_t)*p++;
	}
	in->length = p - start;
	return true;
}

static void flag(struct upcall_regs *r, uint64_t bit, bool on)
{
	r->up.rflags = on ? r->up.rflags | bit : r->up.rflags & ~bit;
}

/* One compare-and-set; *old becomes what was there.  False: the kernel refuses the value. */
static bool compare_and_set(uint64_t entry, uint64_t *old, uint64_t value)
{
	struct exo_pt_item item[2] = { { entry | EXO_PT_CAS, value }, { *old, 0 } };
	if (exo_pt_write(0, item, 2, 0, EXO_FLUSH_LOCAL, 0).status)
		return false;
	*old = item[1].ptr;
	return true;
}

/* AND and BTR: until no bit changed in between. */
static bool modify(struct upcall_regs *r, const struct insn *in, uint64_t entry, volatile uint64_t *at)
{
	uint64_t operand = in->has_imm ? (uint64_t)in->imm : *gpr(r, in->reg);
	uint64_t keep = in->op == OP_AND ? operand : ~(1ul << (operand & 63));
	for (;;) {
		uint64_t seen = *at, old = seen;
		if (!compare_and_set(entry, &old, seen & keep))
			return false;
		if (old != seen)
			continue;
		if (in->op == OP_AND)
			flag(r, FLAG_ZF, !(seen & keep));
		else
			flag(r, FLAG_CF, seen & ~keep);
		return true;
	}
}

static bool carry_out(struct upcall_regs *r, const struct insn *in, uint64_t entry,
	volatile uint64_t *at)
{
	struct exo_pt_item item;
	uint64_t old = r->rax;
	switch (in->op) {
	case OP_MOV:
		item = (struct exo_pt_item){ entry | EXO_PT_SET,
			in->has_imm ? (uint64_t)in->imm : *gpr(r, in->reg) };
		return !exo_pt_write(0, &item, 1, 0, EXO_FLUSH_LOCAL, 0).status;
	case OP_XCHG:
		item = (struct exo_pt_item){ entry | EXO_PT_XCHG, *gpr(r, in->reg) };
		if (exo_pt_write(0, &item, 1, 0, EXO_FLUSH_LOCAL, 0).status)
			return false;
		*gpr(r, in->reg) = item.val;
		return true;
	case OP_CMPXCHG:
		if (!compare_and_set(entry, &old, *gpr(r, in->reg)))
			return false;
		flag(r, FLAG_ZF, old == r->rax);
		r->rax = old;
		return true;
	default:
		return modify(r, in, entry, at);
	}
}

static bool is_table(uint64_t pfn)
{
	struct exo_frame f;
	return !exo_frame_info(0, pfn, &f).status && f.type >= EXO_F_PT1 && f.type <= EXO_F_PT4;
}

static bool emulate_store(struct upcall_regs *r)
{
	struct insn in;
	uint64_t pfn = PTE_PFN(pt_lookup(monitor_root, r->up.addr, NULL));
	if (!is_table(pfn) || r->up.addr & 7 || !decode((const uint8_t *)r->up.rip, &in))
		return false;
	uint64_t entry = (pfn << EXO_PAGE_SHIFT) + (r->up.addr & (EXO_PAGE_SIZE - 1));
	if (!carry_out(r, &in, entry, (volatile uint64_t *)r->up.addr))
		return false;
	r->up.rip += in.length;
	return true;
}

/* WRMSR of the two GS bases: the guest kernel's is the active one, its user's the other. */
static bool emulate_wrmsr(struct upcall_regs *r)
{
	const uint8_t *p = (const uint8_t *)r->up.rip;
	uint32_t msr = r->rcx;
	uint64_t value = r->rdx << 32 | (uint32_t)r->rax;
	if (p[0] != 0x0f || p[1] != 0x30 || (msr != MSR_GS_BASE && msr != MSR_KGS_BASE))
		return false;
	if (exo_segment_set(msr == MSR_GS_BASE ? EXO_SEG_GS : EXO_SEG_KGS, value, 0).status)
		return false;
	r->up.rip += 2;
	return true;
}

bool emulate(struct upcall_regs *r)
{
	unsigned vector = EXO_INFO_VECTOR(r->up.info);
	if (vector == VECTOR_PF && r->up.error == PF_WRITE_PROTECTED)
		return emulate_store(r);
	return vector == VECTOR_GP && emulate_wrmsr(r);
}
