/* Instructions of the guest kernel that ring 3 cannot do, carried out by the monitor: stores into
 * page tables, which are mapped read-only, and privileged instructions.
 *
 * An entry that a store changes is written by the kernel's exchange or compare-and-set, so that A and
 * D bits which the processor sets meanwhile are never lost.
 */
#include "libos/vmm/run.h"

#define INSN_MAX	16u		/* a round number of what has at most 15 */
#define FLAG_CF		0x001ul
#define FLAG_PF		0x004ul
#define FLAG_ZF		0x040ul
#define FLAG_SF		0x080ul
#define FLAG_OF		0x800ul

/* The bytes at RIP, as many as are there. */
static size_t fetch(const struct upcall_regs *r, uint8_t code[INSN_MAX])
{
	size_t page = EXO_PAGE_SIZE - r->up.rip % EXO_PAGE_SIZE;
	if (guest_read(code, r->up.rip, INSN_MAX))
		return INSN_MAX;
	return page < INSN_MAX && guest_read(code, r->up.rip, page) ? page : 0;
}

static void flag_set(struct upcall_regs *r, uint64_t bit, bool on)
{
	r->up.rflags = on ? r->up.rflags | bit : r->up.rflags & ~bit;
}

/* ---- stores into page tables --------------------------------------------------------------- */

struct target {
	uint64_t entry;			/* physical address */
	unsigned shift;			/* of the operand in it, bits */
	uint64_t mask;			/* of the operand, not shifted */
};

static uint64_t *source(struct upcall_regs *r, const struct store *s, unsigned *shift)
{
	bool high = s->size == 1 && !s->rex && s->reg >= 4;
	*shift = high ? 8 : 0;
	return decode_register(r, high ? s->reg - 4 : s->reg);
}

static uint64_t source_get(struct upcall_regs *r, const struct store *s)
{
	unsigned shift;
	const uint64_t *reg = source(r, s, &shift);
	return s->has_imm ? (uint64_t)s->imm : *reg >> shift;
}

/* As the processor does: 4 bytes clear the upper half, fewer leave the rest alone. */
static void merge(uint64_t *reg, unsigned shift, unsigned size, uint64_t mask, uint64_t value)
{
	if (size == 4)
		*reg = value & mask;
	else
		*reg = (*reg & ~(mask << shift)) | (value & mask) << shift;
}

static void logic_flags(struct upcall_regs *r, const struct store *s, uint64_t result)
{
	flag_set(r, FLAG_CF | FLAG_OF, false);
	flag_set(r, FLAG_ZF, !result);
	flag_set(r, FLAG_SF, result >> (8 * s->size - 1) & 1);
	flag_set(r, FLAG_PF, !(__builtin_popcount(result & 0xff) & 1));
}

/* The operand's new value; the old one is `seen`. */
static uint64_t result_of(struct upcall_regs *r, const struct store *s, const struct target *t,
	uint64_t seen)
{
	uint64_t operand = source_get(r, s), bit = 1ul << (operand & (8 * s->size - 1));
	switch (s->op) {
	case STORE_AND:
		return seen & operand & t->mask;
	case STORE_OR:
		return (seen | operand) & t->mask;
	case STORE_BTR:
		return seen & ~bit;
	case STORE_BTS:
		return seen | bit;
	case STORE_CMPXCHG:
		return (seen ^ r->rax) & t->mask ? seen : operand & t->mask;
	default:
		return operand & t->mask;
	}
}

static void after(struct upcall_regs *r, const struct store *s, const struct target *t, uint64_t seen,
	uint64_t result)
{
	unsigned shift;
	uint64_t *reg = source(r, s, &shift);
	switch (s->op) {
	case STORE_AND:
	case STORE_OR:
		logic_flags(r, s, result);
		return;
	case STORE_BTR:
	case STORE_BTS:
		flag_set(r, FLAG_CF, seen >> (source_get(r, s) & (8 * s->size - 1)) & 1);
		return;
	case STORE_XCHG:
		merge(reg, shift, s->size, t->mask, seen);
		return;
	case STORE_CMPXCHG:
		flag_set(r, FLAG_ZF, !((seen ^ r->rax) & t->mask));
		if ((seen ^ r->rax) & t->mask)
			merge(&r->rax, 0, s->size, t->mask, seen);
		return;
	default:
		return;
	}
}

/* Until no bit of the entry changed in between. */
static bool store_loop(struct upcall_regs *r, const struct store *s, const struct target *t,
	uint64_t *seen, uint64_t *result)
{
	const volatile uint64_t *entry = (const volatile uint64_t *)(RAM_BASE + t->entry);
	for (;;) {
		uint64_t now = *entry, old = now;
		*seen = now >> t->shift & t->mask;
		*result = result_of(r, s, t, *seen);
		uint64_t value = (now & ~(t->mask << t->shift)) | *result << t->shift;
		if (entry_write(t->entry, EXO_PT_CAS, value, &old))
			return false;
		if (old == now)
			return true;
	}
}

static bool store_run(const struct vcpu *v, struct upcall_regs *r, const struct store *s,
	const struct target *t)
{
	uint64_t old = 0, result = source_get(r, s);
	if (s->size == 8 && (s->op == STORE_MOV || s->op == STORE_XCHG)) {
		bool leaf = note_of(t->entry >> EXO_PAGE_SHIFT)->level == 1;
		bool plain = leaf && s->op == STORE_MOV;
		bool clears = leaf && !plain && !(result & EXO_PTE_P);
		if (clears ? entry_clear(v, t->entry, result, &old) :
		    entry_write(t->entry, plain ? EXO_PT_SET : EXO_PT_XCHG, result, &old))
			return false;
	} else if (!store_loop(r, s, t, &old, &result)) {
		return false;
	}
	after(r, s, t, old, result);
	return true;
}

bool emulate_store(struct vcpu *v, struct upcall_regs *r)
{
	uint8_t code[INSN_MAX];
	struct store s;
	uint64_t va = r->up.addr, at = guest_range_ok(va, 8) ? mmu_walk(v->root_k, va, 1) : 0;
	uint64_t e = at ? *(const volatile uint64_t *)(RAM_BASE + at) : 0;
	const struct note *n = e & EXO_PTE_P ? note_of(PTE_PFN(e)) : NULL;
	if (!n || !n->level || !decode_store(code, fetch(r, code), &s) || va % 8 + s.size > 8)
		return false;
	struct target t = { (PTE_PFN(e) << EXO_PAGE_SHIFT) + (va & (EXO_PAGE_SIZE - 8)), va % 8 * 8,
		~0ul >> (64 - 8 * s.size) };
	if (!store_run(v, r, &s, &t))
		return false;
	stat_count(v, STAT_STORE);
	r->up.rip += s.length;
	return true;
}

/* ---- model-specific registers ---------------------------------------------------------------- */

#define MSR_APIC_BASE	0x1bu
#define MSR_MCG_CAP	0x179u			/* no banks, no state of machine checks */
#define MSR_MCG_STATUS	0x17au
#define MSR_MISC_ENABLE	0x1a0u
#define MSR_PAT		0x277u
#define MSR_EFER	0xc0000080u
#define MSR_FS_BASE	0xc0000100u
#define MSR_GS_BASE	0xc0000101u
#define MSR_KGS_BASE	0xc0000102u
#define EFER		0xd01ul			/* SCE LME LMA NXE */
#define PAT		0x0007040600070406ul	/* as after a reset */
#define APIC_BASE	0xfee00800ul
#define MISC_ENABLE	1ul

static bool msr_read(struct vcpu *v, uint32_t msr, uint64_t *value)
{
	switch (msr) {
	case MSR_FS_BASE:
	case MSR_GS_BASE:
	case MSR_KGS_BASE:
		*value = segment_base(v, msr == MSR_FS_BASE ? XEN_BASE_FS : msr == MSR_GS_BASE ?
			XEN_BASE_GS_KERNEL : XEN_BASE_GS_USER);
		return true;
	case MSR_EFER:
		*value = EFER;
		return true;
	case MSR_PAT:
		*value = PAT;
		return true;
	case MSR_APIC_BASE:
		*value = APIC_BASE | (v->number ? 0 : 0x100);
		return true;
	case MSR_MISC_ENABLE:
		*value = MISC_ENABLE;
		return true;
	case MSR_MCG_CAP:
	case MSR_MCG_STATUS:
		*value = 0;
		return true;
	}
	*value = 0;
	return !v->trap[VECTOR_GP].address;	/* so early that it cannot be told */
}

static bool msr_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
	uint64_t base[6] = { XEN_BASE_FS, value };
	switch (msr) {
	case MSR_GS_BASE:
		base[0] = XEN_BASE_GS_KERNEL;
		return !call_set_segment_base(v, base);
	case MSR_KGS_BASE:
		base[0] = XEN_BASE_GS_USER;
		return !call_set_segment_base(v, base);
	case MSR_FS_BASE:
		return !call_set_segment_base(v, base);
	case MSR_EFER:
		return value == EFER;
	case MSR_PAT:
		return value == PAT;
	case MSR_MCG_STATUS:
		return !value;
	}
	return !v->trap[VECTOR_GP].address;
}

static bool rdmsr(struct vcpu *v, struct upcall_regs *r)
{
	uint64_t value;
	if (!msr_read(v, r->rcx, &value))
		return false;
	r->rax = (uint32_t)value;
	r->rdx = value >> 32;
	return true;
}

/* ---- control and debug registers ------------------------------------------------------------------ */

static bool cr_read(struct vcpu *v, unsigned n, uint64_t *to)
{
	switch (n) {
	case 0:
		*to = v->cr0;
		return true;
	case 2:
		*to = v->info->cr2;
		return true;
	case 3:
		*to = v->root_k << EXO_PAGE_SHIFT;
		return true;
	case 4:
		*to = v->cr4;
		return true;
	}
	return false;
}

static bool cr_write(struct vcpu *v, unsigned n, uint64_t value)
{
	switch (n) {
	case 0:
		v->cr0 = value;
		return true;
	case 2:
		v->info->cr2 = value;
		return true;
	case 3:
		return !roots_set(v, value >> EXO_PAGE_SHIFT, 0);
	case 4:
		v->cr4 = value;
		return true;
	}
	return false;
}

/* MOV between a general register and CRn (0x20, 0x22) or DRn (0x21, 0x23). */
static bool move_special(struct vcpu *v, struct upcall_regs *r, unsigned opcode, unsigned modrm,
	unsigned rex)
{
	unsigned n = (modrm >> 3 & 7) | (rex & 4 ? 8 : 0);
	uint64_t *reg = decode_register(r, (modrm & 7) | (rex & 1 ? 8 : 0));
	switch (opcode) {
	case 0x20:
		return cr_read(v, n, reg);
	case 0x22:
		return cr_write(v, n, *reg);
	}
	if (n >= ARRAY_LEN(v->dr))
		return false;
	if (opcode == 0x21)
		*reg = v->dr[n];
	else
		v->dr[n] = *reg;
	return true;
}

static bool xsetbv(struct vcpu *v, const struct upcall_regs *r)
{
	uint64_t value = (r->rax & 0xffffffff) | r->rdx << 32;
	if ((uint32_t)r->rcx || !(value & 1) || value & ~xcr0_guest())
		return false;
	v->xcr0 = value;		/* the processor's stays: it holds more */
	return true;
}

/* ---- privileged instructions ----------------------------------------------------------------------- */

#define CR0_TS		8ul
#define PORT_PIT_2	0x42u

/* The opcode after 0x0f: the instruction's length behind it, 0: not one of these, or refused. */
static unsigned two_byte(struct vcpu *v, struct upcall_regs *r, const uint8_t *p, unsigned rex)
{
	switch (p[0]) {
	case 0x01:
		return p[1] == 0xd1 && xsetbv(v, r) ? 2 : 0;
	case 0x06:
		v->cr0 &= ~CR0_TS;
		return 1;
	case 0x08: case 0x09:		/* INVD, WBINVD: no device sees the guest's memory */
		return 1;
	case 0x20: case 0x21: case 0x22: case 0x23:
		return move_special(v, r, p[0], p[1], rex) ? 2 : 0;
	case 0x30:
		return msr_write(v, r->rcx, (r->rax & 0xffffffff) | r->rdx << 32) ? 1 : 0;
	case 0x32:
		return rdmsr(v, r) ? 1 : 0;
	case 0x33:			/* RDPMC: nothing is counted */
		r->rax = r->rdx = 0;
		return 1;
	}
	return 0;
}

/* No port answers: reads are all ones, writes are lost.  But the timer's counter reads as 0: all ones
 * are what Linux waits for, 50,000 times, when it measures the TSC by it.  CLI and STI: the event
 * mask is memory. */
static unsigned one_byte(struct upcall_regs *r, unsigned opcode, unsigned port, unsigned size)
{
	switch (opcode) {
	case 0xe4: case 0xe5: case 0xec: case 0xed:
		port = opcode < 0xe8 ? port : r->rdx & 0xffff;
		merge(&r->rax, 0, size, ~0ul >> (64 - 8 * size), port == PORT_PIT_2 ? 0 : ~0ul);
		return opcode < 0xe8 ? 2 : 1;
	case 0xe6: case 0xe7: case 0xee: case 0xef:
		return opcode < 0xe8 ? 2 : 1;
	case 0xfa: case 0xfb:
		return 1;
	}
	return 0;
}

/* INS, OUTS: one element each time; with REP, the instruction stays for the next. */
static bool string_io(struct upcall_regs *r, unsigned opcode, unsigned size, bool rep,
	unsigned length)
{
	static const uint32_t none = ~0u;
	uint64_t *at = opcode < 0x6e ? &r->rdi : &r->rsi;
	if (!rep || r->rcx) {
		if (opcode < 0x6e && !guest_write(*at, &none, size))
			return false;
		*at += r->up.rflags & RFLAGS_DF ? -(uint64_t)size : size;
		r->rcx -= rep;
	}
	if (!rep || !r->rcx)
		r->up.rip += length;
	return true;
}

bool emulate_privileged(struct vcpu *v, struct upcall_regs *r)
{
	uint8_t code[INSN_MAX + 4] = { 0 };
	unsigned at = 0, rex = 0, size = 4, length;
	bool rep = false;
	if (!fetch(r, code))
		return false;
	for (; code[at] == 0x66 || code[at] == 0xf2 || code[at] == 0xf3; at++)
		if (code[at] == 0x66)
			size = 2;
		else
			rep = true;
	if ((code[at] & 0xf0) == 0x40)
		rex = code[at++];
	if ((code[at] & 0xfc) == 0x6c)
		return string_io(r, code[at], code[at] & 1 ? size : 1, rep, at + 1);
	if (code[at] == 0x0f)
		length = two_byte(v, r, code + at + 1, rex);
	else
		length = one_byte(r, code[at], code[at + 1], code[at] & 1 ? size : 1);
	if (!length)
		return false;
	stat_count(v, STAT_PRIVILEGED);
	r->up.rip += at + length + (code[at] == 0x0f);
	return true;
}
