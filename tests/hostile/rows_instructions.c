/* Instructions: what ring 3 must not do, and the ways into the kernel in odd states. */
#include "tests/hostile/hostile.h"

#define UD	6
#define DB	1
#define BP	3
#define OF	4
#define NP	11
#define SS	12
#define GP	13
#define PF	14

#define FLAG_TF		0x100ul
#define FLAG_DF		0x400ul
#define FLAG_IOPL	0x3000ul
#define FLAG_NT		0x4000ul
#define FLAG_AC		0x40000ul
#define FLAG_VIF	0x80000ul

extern char int_stubs[], step_null[], step_null_end[], landing[];
uint64_t odd_null(uint64_t rsp, uint64_t rflags);
uint64_t resume_to(const void *frame);
void iret_to(void *frame);
void mov_ss_syscall(void *arg);
void mov_ss_int3(void *arg);
void mov_ss_int(void *arg);
void mov_ss_ud2(void *arg);

/* ---- privileged instructions ------------------------------------------------------------- */

/* Each with operands from registers that hold 0, or a port in DX; all end in RET. */
static const struct { const char *name; uint8_t code[14]; } privileged[] = {
	{ "cli", { 0xfa, 0xc3 } }, { "sti", { 0xfb, 0xc3 } }, { "hlt", { 0xf4, 0xc3 } },
	{ "wrmsr efer", { 0xb9, 0x80, 0x00, 0x00, 0xc0, 0x0f, 0x30, 0xc3 } },
	{ "wrmsr lstar", { 0xb9, 0x82, 0x00, 0x00, 0xc0, 0x0f, 0x30, 0xc3 } },
	{ "rdmsr", { 0xb9, 0x82, 0x00, 0x00, 0xc0, 0x0f, 0x32, 0xc3 } },
	{ "invlpg", { 0x0f, 0x01, 0x38, 0xc3 } }, { "wbinvd", { 0x0f, 0x09, 0xc3 } },
	{ "invd", { 0x0f, 0x08, 0xc3 } }, { "clts", { 0x0f, 0x06, 0xc3 } },
	{ "mov cr0", { 0x0f, 0x22, 0xc0, 0xc3 } }, { "mov cr3", { 0x0f, 0x22, 0xd8, 0xc3 } },
	{ "mov cr4", { 0x0f, 0x22, 0xe0, 0xc3 } }, { "read cr0", { 0x0f, 0x20, 0xc0, 0xc3 } },
	{ "read cr3", { 0x0f, 0x20, 0xd8, 0xc3 } }, { "mov cr8", { 0x44, 0x0f, 0x22, 0xc0, 0xc3 } },
	{ "mov dr7", { 0x0f, 0x23, 0xf8, 0xc3 } }, { "read dr6", { 0x0f, 0x21, 0xf0, 0xc3 } },
	{ "lgdt", { 0x0f, 0x01, 0x10, 0xc3 } }, { "lidt", { 0x0f, 0x01, 0x18, 0xc3 } },
	{ "lldt", { 0x0f, 0x00, 0xd0, 0xc3 } }, { "ltr", { 0x0f, 0x00, 0xd8, 0xc3 } },
	{ "lmsw", { 0x0f, 0x01, 0xf0, 0xc3 } }, { "swapgs", { 0x0f, 0x01, 0xf8, 0xc3 } },
	{ "sysretq", { 0x48, 0x0f, 0x07, 0xc3 } }, { "sysexit", { 0x0f, 0x35, 0xc3 } },
	{ "sysenter", { 0x0f, 0x34, 0xc3 } }, { "xsetbv", { 0x31, 0xc9, 0x0f, 0x01, 0xd1, 0xc3 } },
	{ "stac", { 0x0f, 0x01, 0xcb, 0xc3 } }, { "clac", { 0x0f, 0x01, 0xca, 0xc3 } },
	{ "invpcid", { 0x66, 0x0f, 0x38, 0x82, 0x08, 0xc3 } }, { "vmrun", { 0x0f, 0x01, 0xd8, 0xc3 } },
	{ "vmcall", { 0x0f, 0x01, 0xc1, 0xc3 } }, { "monitor", { 0x0f, 0x01, 0xc8, 0xc3 } },
	{ "mwait", { 0x0f, 0x01, 0xc9, 0xc3 } }, { "ud2", { 0x0f, 0x0b, 0xc3 } },
	{ "in al, 0x20", { 0xe4, 0x20, 0xc3 } }, { "out 0x64, al", { 0xe6, 0x64, 0xc3 } },
	{ "out 0xf4, al", { 0xe6, 0xf4, 0xc3 } }, { "out 0xcf8", { 0x66, 0xba, 0xf8, 0x0c, 0xef, 0xc3 } },
	{ "in com1", { 0x66, 0xba, 0xf8, 0x03, 0xec, 0xc3 } },
	{ "out com2", { 0x66, 0xba, 0xf8, 0x02, 0xee, 0xc3 } },
	{ "out 0xffff", { 0x66, 0xba, 0xff, 0xff, 0xee, 0xc3 } },
	{ "insb", { 0x66, 0xba, 0x60, 0x00, 0x6c, 0xc3 } }, { "outsb", { 0x66, 0xba, 0x60, 0x00, 0x6e, 0xc3 } },
};

static uint8_t *code_page(uint64_t va)
{
	return page_at(va, PTE_RWX) ? (uint8_t *)va : NULL;
}

static uint64_t privileged_row(void)
{
	uint8_t *code = code_page(TEST_VA);
	EXPECT(code);
	for (unsigned i = 0; i < ARRAY_LEN(privileged); i++) {
		memcpy(code, privileged[i].code, sizeof privileged[i].code);
		uint64_t vector = try_bytes(code);
		EXPECT(vector == GP || vector == UD);
		EXPECT(fault.rip >= (uint64_t)code && fault.rip < (uint64_t)code + 16);
	}
	return 0;
}

/* What tells of the kernel's tables: refused where the CPU has UMIP, harmless elsewhere. */
static uint64_t umip(void)
{
	static const uint8_t store[][6] = { { 0x0f, 0x01, 0x00, 0xc3 }, { 0x0f, 0x01, 0x08, 0xc3 },
		{ 0x0f, 0x00, 0xc0, 0xc3 }, { 0x0f, 0x00, 0xc8, 0xc3 }, { 0x0f, 0x01, 0xe0, 0xc3 } };
	uint8_t *code = code_page(TEST_VA);
	EXPECT(code);
	for (unsigned i = 0; i < ARRAY_LEN(store) && self->features & EXO_FEATURE_UMIP; i++) {
		memcpy(code, store[i], sizeof store[i]);
		EXPECT(try_bytes(code) == GP);
	}
	return 0;
}

/* ---- interrupts by software ----------------------------------------------------------------- */

static void run_int(void *stub) { ((void (*)(void))stub)(); }

static uint64_t int_all(void)
{
	for (unsigned n = 0; n < 256; n++) {
		uint64_t vector = try_call(run_int, int_stubs + 4 * n);
		EXPECT(vector == (n == BP ? BP : GP) || (n == OF && vector == OF));
	}
	static const uint8_t icebp[] = { 0xf1, 0xc3 }, int3[] = { 0xcc, 0xc3 };
	uint8_t *code = code_page(TEST_VA);
	EXPECT(code);
	memcpy(code, icebp, sizeof icebp);
	uint64_t vector = try_bytes(code);
	EXPECT(vector == DB || vector == UD);	/* TCG knows it as invalid */
	memcpy(code, int3, sizeof int3);
	EXPECT(try_bytes(code) == BP);
	return 0;
}

/* ---- SYSCALL in odd states -------------------------------------------------------------------- */

static uint64_t syscall_odd(void)
{
	static const uint64_t sp[] = { 0, 1, 7, ~0ul, 0x800000000000, EXO_KERNEL_BASE, 0xffff810000001000,
		0xffff808040020000, 0x7ffffffffff8 };
	static const uint64_t flags[] = { 2, FLAG_DF | 2, FLAG_AC | 2, FLAG_NT | 2,
		FLAG_DF | FLAG_AC | FLAG_NT | 0xcd7 };
	for (unsigned i = 0; i < ARRAY_LEN(sp); i++)
		for (unsigned j = 0; j < ARRAY_LEN(flags); j++) {
			uint64_t after = odd_null(sp[i], flags[j]);
			EXPECT((after & (FLAG_DF | FLAG_AC | FLAG_NT)) == (flags[j] & (FLAG_DF | FLAG_AC | FLAG_NT)));
			EXPECT(after & 0x200 && !(after & FLAG_IOPL));
		}
	return 0;
}

static uint64_t gs_tricks(void)
{
	static const uint64_t kernels[] = { EXO_KERNEL_BASE, 0xffff808040020000, 0xffff810000000000, 0 };
	static const uint8_t load_gs[] = { 0x8e, 0xe8, 0xc3 };	/* mov %eax, %gs: EAX is not 0 */
	uint8_t *code = code_page(TEST_VA);
	EXPECT(code);
	EXPECT(CODE(exo_segment_set(EXO_SEG_GS, 0x800000000000, 0)) == EXO_ARG);
	EXPECT(CODE(exo_segment_set(EXO_SEG_KGS, 1ul << 63, 0)) == EXO_ARG);
	EXPECT(CODE(exo_segment_set(EXO_SEG_FS, 0xffff7fffffffffff, 0)) == EXO_ARG);
	for (unsigned i = 0; i < ARRAY_LEN(kernels); i++) {
		EXPECT(!exo_segment_set(EXO_SEG_GS, kernels[i], 0).status);
		EXPECT(!exo_segment_set(EXO_SEG_KGS, kernels[i], 0).status);
		EXPECT(exo_null().value == EXO_ABI_VERSION);
		try_read(0);
		exo_yield(0);
	}
	memcpy(code, load_gs, sizeof load_gs);
	try_bytes(code);
	EXPECT(exo_null().value == EXO_ABI_VERSION);
	return 0;
}

/* The last `syscall` of the lower half returns to an address that is none. */
static uint64_t sysret_noncanonical(void)
{
	const uint64_t last = 0x7ffffffff000, end = 0x800000000000;
	uint8_t *code = code_page(last);
	EXPECT(code);
	code[4094] = 0x0f;
	code[4095] = 0x05;
	EXPECT(CODE(exo_context_ctl(0, EXO_CTX_ROUTE, self->image_lo, end, 0)) == EXO_ARG);
	EXPECT(CODE(exo_context_ctl(0, EXO_CTX_ROUTE, self->image_lo, ~0ul, 0)) == EXO_ARG);
	EXPECT(CODE(exo_context_ctl(0, EXO_CTX_ROUTE, end, 0, 0)) == EXO_ARG);
	EXPECT(CODE(exo_context_ctl(0, EXO_CTX_ROUTE, 0, EXO_KERNEL_BASE, 0)) == EXO_ARG);
	EXPECT(!exo_context_ctl(0, EXO_CTX_ROUTE, self->image_lo, end - 1, 0).status);
	EXPECT(try_bytes(code + 4094) == EXO_INFO_SYSCALL && fault.rip == end);
	return 0;
}

/* Every step is in our own text: none in the kernel, and the call does its work. */
static uint64_t single_step(void)
{
	for (unsigned i = 0; i < 200; i++) {
		fault_stepping = true;
		uint64_t vector = try_call((void (*)(void *))step_null, NULL);
		fault_stepping = false;
		EXPECT(vector == DB && fault.count >= 4 && fault.count < 20);
		EXPECT(fault.rip_low > (uint64_t)step_null && fault.rip_high < (uint64_t)step_null_end + 16);
	}
	return exo_null().value != EXO_ABI_VERSION;
}

static uint64_t mov_ss(void)
{
	for (unsigned i = 0; i < 50; i++) {
		try_call(mov_ss_syscall, NULL);
		EXPECT(fault.vector == NO_FAULT || fault.vector == DB);
		try_call(mov_ss_int3, NULL);
		EXPECT(fault.vector == BP || fault.vector == DB);
		try_call(mov_ss_int, NULL);
		EXPECT(fault.vector == GP || fault.vector == DB);
		try_call(mov_ss_ud2, NULL);
		EXPECT(fault.vector == UD || fault.vector == DB);
	}
	return 0;
}

/* ---- descriptors, flags, returns --------------------------------------------------------------- */

static uint64_t ldt_iopl(void)
{
	static const uint64_t bad[] = {
		0x00af9a000000ffff, 0x00affa000000ffff,	/* 64-bit code, DPL 0 and 3 */
		0x00cf92000000ffff, 0x00cffa000000ffff,	/* data DPL 0, 32-bit code */
		0x0000e90000000000, 0x0000ec0000000000,	/* TSS, call gate, DPL 3 */
		0x0000e20000000000, 0x00cf72000000ffff,	/* LDT, not present */
		~0ul, 1,
	};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		EXPECT(CODE(exo_segment_set(EXO_SEG_TLS, 12, bad[i])) == EXO_ARG);
	for (unsigned n = 0; n < 64; n++)
		if (n < 12 || n > 15)
			EXPECT(CODE(exo_segment_set(EXO_SEG_TLS, n, 0)) == EXO_ARG);
	EXPECT(!exo_segment_set(EXO_SEG_TLS, 12, 0x00cff2000000ffff).status);
	EXPECT(!exo_segment_set(EXO_SEG_TLS, 12, 0).status);
	uint64_t flags;
	__asm__ volatile("pushf\n orq %1, (%%rsp)\n popf\n pushf\n pop %0\n push $2\n popf"
		: "=r"(flags) : "r"(FLAG_IOPL | FLAG_VIF) : "cc", "memory");
	EXPECT(!(flags & (FLAG_IOPL | FLAG_VIF)) && flags & 0x200);
	return 0;
}

/* A processor's LDTR is reset to address 0: with a page there, descriptors and gates of one's own
 * making.  There must be no LDT. */
static uint64_t ldt_forged(void)
{
	static const uint8_t load_ds[] = { 0x8e, 0xdf, 0xc3 }, far_call[] = { 0xff, 0x1f, 0xc3 };
	uint8_t *code = code_page(TEST_VA);
	EXPECT(code && page_at(0, PTE_RWX));
	volatile uint64_t *ldt = (volatile uint64_t *)(TEST_VA - TEST_VA);
	__asm__("" : "+r"(ldt));
	for (unsigned i = 0; i < 64; i += 2) {
		ldt[i] = 0x00cff2000000ffff;			/* data */
		ldt[i + 1] = 0x0000ec0000100000 | TEST_VA >> 16 << 48;	/* call gate to ring 0 */
	}
	for (unsigned selector = 7; selector < 512; selector += 8) {
		struct { uint32_t offset; uint16_t selector; } to = { 0, selector };
		uint64_t vector;
		memcpy(code, load_ds, sizeof load_ds);
		vector = try_call((void (*)(void *))code, (void *)(uint64_t)selector);
		EXPECT(vector == GP);
		memcpy(code, far_call, sizeof far_call);
		vector = try_call((void (*)(void *))code, &to);
		EXPECT(vector == GP);
	}
	return 0;
}

struct iret_frame { uint64_t rip, cs, rflags, rsp, ss; };

static uint64_t iret_bad(void)
{
	static uint8_t stack[4096] __attribute__((aligned(16)));
	for (uint64_t cs = 0; cs < 0x10000; cs += cs < 0x200 || cs >= 0xdf00 ? 1 : 0x101) {
		struct iret_frame f = { (uint64_t)landing, cs, 2, (uint64_t)stack + 4096, 0x2b };
		if ((cs & 0xfff) == 0x23 || (cs & 0xfff) == 0x33)	/* user code: pages of the GDT are one */
			continue;
		uint64_t vector = try_call(iret_to, &f);
		EXPECT(vector == GP || vector == NP || vector == SS);
	}
	static const uint16_t bad_ss[] = { 0, 3, 8, 0x10, 0x18, 0x20, 0x28, 0x33, 0x63, 0x7b, 0x80, 0xe033, 7, 0xffff };
	for (unsigned i = 0; i < ARRAY_LEN(bad_ss); i++) {
		struct iret_frame f = { (uint64_t)landing, 0x33, 2, (uint64_t)stack + 4096, bad_ss[i] };
		uint64_t vector = try_call(iret_to, &f);
		EXPECT(vector == GP || vector == NP || vector == SS);
	}
	return 0;
}

/* resume: bad selectors, addresses and roots are refused; flags are made harmless. */
static uint64_t resume_bad(void)
{
	struct exo_resume f = { .rip = 0x800000000000, .cs = 0x33, .rflags = 0x202, .ss = 0x2b };
	static const uint64_t cs[] = { 0, 3, 8, 0x10, 0x13, 0x18, 0x28, 0x2b, 0x63, 0x80, 0xe010, 0xe02b };
	static const uint64_t holes[] = { 0x800000000000, 0xffff7fffffffffff, 1ul << 63 };
	EXPECT(EXO_CODE(resume_to(&f)) == EXO_ARG);
	/* As a system call leaves it: the kernel would load it by SYSRETQ. */
	f.r11 = f.rflags;
	for (unsigned i = 0; i < ARRAY_LEN(holes); i++) {
		f.rcx = f.rip = holes[i];
		EXPECT(EXO_CODE(resume_to(&f)) == EXO_ARG);
	}
	f.rcx = f.rip = (uint64_t)landing;
	for (unsigned i = 0; i < ARRAY_LEN(cs); i++) {
		f.cs = cs[i];
		EXPECT(EXO_CODE(resume_to(&f)) == EXO_ARG);
		f.cs = 0x33;
		f.ss = cs[i];
		if ((f.ss & 0xffc) != 0x28)
			EXPECT(EXO_CODE(resume_to(&f)) == EXO_ARG);
		f.ss = 0x2b;
	}
	f.cs = 0x23;
	f.rip = 1ul << 32;	/* 32-bit code has no such address */
	EXPECT(EXO_CODE(resume_to(&f)) == EXO_ARG);
	f.cs = 0x33;
	f.rip = (uint64_t)landing;
	for (unsigned i = 0; i < SECRETS; i++) {
		f.root = told->secret[i];
		EXPECT(EXO_CODE(resume_to(&f)) == EXO_TYPE);
	}
	f.root = ~0ul;
	EXPECT(EXO_CODE(resume_to(&f)) == EXO_TYPE);
	f.root = self->control_pfn;
	EXPECT(EXO_CODE(resume_to(&f)) == EXO_TYPE);
	EXPECT(EXO_CODE(resume_to((void *)EXO_KERNEL_BASE)) == EXO_FAULT);
	EXPECT(EXO_CODE(resume_to((void *)0x800000000000)) == EXO_FAULT);
	EXPECT(EXO_CODE(resume_to(NULL)) == EXO_FAULT);
	/* IF, IOPL, NT, VM, VIF and reserved bits asked for: the landing returns what came of it. */
	f.root = 0;
	f.rflags = 0xffffffffffdbeeff;
	for (unsigned quick = 0; quick < 2; quick++) {
		EXPECT(!(resume_to(&f) & (FLAG_IOPL | FLAG_NT | FLAG_VIF | 0x20000 | 0x100000)));
		f.r11 = f.rflags;	/* RCX is RIP: all that SYSRETQ would load but these */
	}
	f.r11 = f.rflags = 0x246;
	EXPECT(resume_to(&f) == 0x246);
	return 0;
}

/* 32-bit code: its system call instructions fail cleanly. */
static void to_compat(void *arg)
{
	iret_to(arg);
}

static uint64_t compat_calls(void)
{
	/* mov $1, %eax; syscall; then int $0x80; sysenter; ud2 */
	static const uint8_t code[] = { 0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0x0f, 0x0b };
	static const uint8_t enter[] = { 0x0f, 0x34, 0x0f, 0x0b };
	const uint64_t va = 0x10000000;
	uint8_t *page = code_page(va);
	EXPECT(page);
	struct iret_frame f = { va, 0x23, 2, va + 4096, 0x2b };
	memcpy(page, code, sizeof code);
	EXPECT(try_call(to_compat, &f) == UD);
	EXPECT(fault.rip == va + 7 || fault.rip == va + 5);
	memcpy(page, enter, sizeof enter);
	uint64_t vector = try_call(to_compat, &f);
	EXPECT(vector == GP || vector == UD);
	return exo_null().value != EXO_ABI_VERSION;
}

const struct row instruction_rows[] = {
	{ "privileged", privileged_row, EXITS, 1, NULL },
	{ "umip", umip, EXITS, 1, NULL },
	{ "int-all", int_all, EXITS, 1, NULL },
	{ "syscall-odd", syscall_odd, EXITS, 1, NULL },
	{ "gs-tricks", gs_tricks, EXITS, 1, NULL },
	{ "sysret-noncanonical", sysret_noncanonical, EXITS, 1, NULL },
	{ "single-step", single_step, EXITS, 1, NULL },
	{ "mov-ss", mov_ss, EXITS, 1, NULL },
	{ "ldt-iopl", ldt_iopl, EXITS, 1, NULL },
	{ "ldt-forged", ldt_forged, EXITS, 1, NULL },
	{ "iret-bad", iret_bad, EXITS, 1, NULL },
	{ "resume-bad", resume_bad, EXITS, 1, NULL },
	{ "compat-calls", compat_calls, EXITS, 1, NULL },
	{ NULL, NULL, EXITS, 0, NULL },
};
