/* The guest kernel of the probe: traps, and the cases about control flow.  Those about page
 * tables: guest_mmu.c.
 */
#include "tests/pvprobe/guest.h"

#define RFLAGS_IF	0x200ul
#define MSR_GS_BASE	0xc0000101u
#define MSR_KGS_BASE	0xc0000102u
#define MS		1000000ul
#define SPINS_MAX	2000000000ul

volatile unsigned events;
struct guest_trap event_trap, poke_trap;
const struct probe_info *info;
static struct guest_trap *user_state;

/* ---- what a kernel needs ---------------------------------------------------------------- */

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	void *start = to;
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	return start;
}

void *memset(void *p, int c, size_t n);
void *memset(void *p, int c, size_t n)
{
	void *start = p;
	__asm__ volatile("rep stosb" : "+D"(p), "+c"(n) : "a"(c) : "memory");
	return start;
}

static void report(const char *name, const char *why)
{
	hypercall(HC_REPORT, (uint64_t)name, (uint64_t)why, NULL);
}

static _Noreturn void done(void)
{
	for (;;)
		hypercall(HC_DONE, 0, 0, NULL);
}

void guest_trap(struct guest_trap *t)
{
	if (t->b.cs & 3) {
		*user_state = *t;
		user_leave();
	}
	if (t->b.reason == EXO_INFO_EVENT) {
		events++;
		event_trap = *t;
	} else if (t->b.rip == (uint64_t)poke_insn) {
		poke_trap = *t;
		t->b.rip = (uint64_t)poke_fault;
	} else {
		hypercall(HC_TRAP, (uint64_t)t, 0, NULL);
	}
}

void user_prepare(struct guest_trap *t, enum user_entry entry)
{
	uint64_t *reg = &t->r15;
	for (unsigned i = 0; i < 15; i++)
		reg[i] = PATTERN(i);
	t->b = (struct bounce){ .rip = ((uint64_t *)USER_BASE)[entry], .cs = 0x33, .ss = 0x2b,
		.rflags = RFLAGS_IF | 2, .rsp = USER_DATA + 0x1000 };
}

void user_go(struct guest_trap *t)
{
	user_state = t;
	user_run(t);
}

/* ---- system calls and resume -------------------------------------------------------------- */

static const char *case_syscall_kernel(void)
{
	uint64_t reg[12];
	for (unsigned i = 0; i < 12; i++)
		reg[i] = PATTERN(i);
	echo(reg);
	for (unsigned i = 0; i < 12; i++)
		if (reg[i] != ~PATTERN(i))
			return "a register arrived or returned changed";
	return NULL;
}

/* What user code trapped with, against what it was resumed with. */
#define AT_R11	6	/* of the registers from R15 on */
#define AT_RCX	11

static const char *echo_check(const struct guest_trap *t, uint64_t shift, uint64_t rcx,
	uint64_t r11)
{
	const uint64_t *reg = &t->r15, *seen = (uint64_t *)USER_DATA;
	if (t->b.reason != EXO_INFO_SYSCALL || !(t->b.info & FROM_USER))
		return "not the upcall of a system call from user";
	if (((uint16_t *)t->b.rip)[-1] != 0x050f || t->b.rsp != USER_DATA + 0x1000)
		return "RIP or RSP is wrong";
	for (unsigned i = 0; i < 15; i++)
		if (i != AT_RCX && i != AT_R11 && reg[i] != PATTERN(i) + shift)
			return "a register arrived changed";
	if (seen[0] != rcx || seen[1] != r11)
		return "resume did not load RCX or R11";
	return NULL;
}

static const char *case_syscall_user(void)
{
	struct guest_trap t;
	user_prepare(&t, U_ECHO);
	user_go(&t);
	const char *why = echo_check(&t, 0, PATTERN(AT_RCX), PATTERN(AT_R11));
	if (why)
		return why;
	for (unsigned i = 0; i < 15; i++)
		(&t.r15)[i] = PATTERN(i) + 1;
	user_go(&t);
	if ((why = echo_check(&t, 1, PATTERN(AT_RCX) + 1, PATTERN(AT_R11) + 1)))
		return why;
	/* As a system call left them. */
	user_prepare(&t, U_ECHO);
	uint64_t rcx = (&t.r15)[AT_RCX] = t.b.rip, r11 = (&t.r15)[AT_R11] = t.b.rflags;
	user_go(&t);
	return echo_check(&t, 0, rcx, r11);
}

static const char *case_selectors(void)
{
	struct guest_trap t;
	uint16_t cs, ss;
	__asm__ volatile("mov %%cs, %0\nmov %%ss, %1" : "=r"(cs), "=r"(ss));
	if (cs != 0xe033 && cs != 0x33)
		return "the guest kernel's own CS";
	user_prepare(&t, U_SELECTORS);
	t.b.cs = 0xe033;
	t.b.ss = 0xe02b;
	user_go(&t);
	if ((t.rax & 0xffff) != 0xe033 || (t.rdx & 0xffff) != 0xe02b)
		return "0xe033, 0xe02b were not loaded";
	user_prepare(&t, U_SELECTORS);
	user_go(&t);
	return (t.rax & 0xffff) == 0x33 && (t.rdx & 0xffff) == 0x2b ? NULL : "0x33, 0x2b were not loaded";
}

/* 32-bit user code by either selector; its `int` is a general protection fault here. */
static const char *case_compat(void)
{
	static const uint16_t selector[] = { 0x23, 0xe023 };
	struct guest_trap t;
	for (unsigned i = 0; i < 2; i++) {
		user_prepare(&t, U_COMPAT);
		t.b.cs = selector[i];
		user_go(&t);
		if (t.b.reason != 13 || !(t.b.error & 2))	/* its index differs in QEMU's TCG */
			return "int 0x80 was not a general protection fault";
		if ((t.rax & 0xffff) != selector[i] || (t.b.cs & 0xffff) != selector[i])
			return "wrong selector";
	}
	return NULL;
}

/* ---- GS bases ----------------------------------------------------------------------------- */

static void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static uint64_t gs_read(void)
{
	uint64_t v;
	__asm__ volatile("mov %%gs:0, %0" : "=r"(v));
	return v;
}

static const char *case_gs(void)
{
	static uint64_t mine[2] = { 0x1111, 0x2222 };
	volatile uint64_t *theirs = (uint64_t *)(USER_DATA + 64);
	struct guest_trap t;
	for (unsigned i = 0; i < 2; i++) {
		theirs[i] = 0x3333 + i;
		wrmsr(MSR_GS_BASE, (uint64_t)&mine[i]);
		wrmsr(MSR_KGS_BASE, (uint64_t)&theirs[i]);
		if (gs_read() != mine[i])
			return "the kernel's base was not set";
		user_prepare(&t, U_GS);
		for (unsigned j = 0; j < 3; j++) {
			user_go(&t);
			if (t.rax != theirs[i])
				return "user does not see its base";
			if (gs_read() != mine[i])
				return "the kernel lost its base";
		}
	}
	return NULL;
}

/* ---- events ------------------------------------------------------------------------------- */

static volatile struct { uint8_t pending, mask; } *pair;

static const char *case_mask_at(void)
{
	uint64_t va = (uint64_t)pool(1) + 0x123 * 2;
	pair = (void *)va;
	if (hypercall(HC_MASK_AT, info->pool[1], 0x123 * 2, &va))
		return "refused";
	return pair->mask ? "masked after it" : NULL;
}

static const char *case_event_masked(void)
{
	unsigned before = events;
	pair->mask = 1;
	if (hypercall(HC_RAISE, 0, 0, NULL))
		return "raise refused";
	if (events != before)
		return "delivered while masked";
	if (pair->pending != 1)
		return "the pending byte was not set";
	pair->mask = 0;
	hypercall(HC_FLUSH, 0, 0, NULL);	/* any entry to the monitor looks */
	if (events != before + 1)
		return "not delivered after unmasking";
	return pair->mask ? "still masked after the return" : NULL;
}

static const char *case_event_kernel(void)
{
	unsigned before = events;
	if (hypercall(HC_RAISE, 0, 0, NULL) || events != before + 1)
		return "not delivered at once";
	if (event_trap.b.cs & 3 || !(event_trap.b.rflags & RFLAGS_IF))
		return "CS or RFLAGS of the frame";
	hypercall(HC_TIMER, 2 * MS, 0, NULL);
	for (uint64_t i = 0; events == before + 1 && i < SPINS_MAX; i++)
		__asm__ volatile("pause");
	return events == before + 2 ? NULL : "the timer did not reach running kernel code";
}

/* Masked until user code runs: the timer may be due before, and then hits at its first
 * instruction.  So it is set later until user code was seen to have run. */
static const char *case_event_user(void)
{
	struct guest_trap t;
	volatile uint64_t *count = (uint64_t *)USER_DATA;
	*count = 0;
	for (uint64_t ns = MS; !*count; ns *= 2) {
		if (ns > 4000 * MS)
			return "user code does not run";
		user_prepare(&t, U_SPIN);
		pair->mask = 1;
		hypercall(HC_TIMER, ns, 0, NULL);
		user_go(&t);
		if (t.b.reason != EXO_INFO_EVENT || !(t.b.info & FROM_USER))
			return "user code was not interrupted by the event";
		for (unsigned j = 0; j < 15; j++)
			if ((&t.r15)[j] != PATTERN(j))
				return "a register changed";
		if (!pair->mask)
			return "not masked on entry";
		pair->mask = 0;
	}
	return NULL;
}

/* ---- what user code cannot see -------------------------------------------------------------- */

static const char *case_u_blind(void)
{
	const uint64_t hidden[] = { info->monitor_text, info->monitor_stack, GUEST_BASE, GUEST_POOL,
		GUEST_TABLES, EXO_KERNEL_BASE, 0xffff810000000000 };
	struct guest_trap t;
	for (unsigned i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
		user_prepare(&t, U_PEEK);
		t.rdi = hidden[i];
		user_go(&t);
		if (t.b.reason != 14 || t.b.addr != hidden[i] || !(t.b.error & 4))
			return "a read did not fault with its address";
		if (!(t.b.info & FROM_USER))
			return "the fault does not say that it is user's";
	}
	user_prepare(&t, U_PEEK);
	t.rdi = USER_BASE;
	user_go(&t);
	return t.b.reason == EXO_INFO_SYSCALL && t.rax == *(uint64_t *)USER_BASE ? NULL :
		"user cannot read its own page";
}

/* ---- all of it ------------------------------------------------------------------------------ */

static const struct { const char *name; const char *(*run)(void); } cases[] = {
	{ "pv-syscall-kernel", case_syscall_kernel }, { "pv-syscall-user", case_syscall_user },
	{ "pv-selectors", case_selectors }, { "pv-compat", case_compat }, { "pv-gs", case_gs },
	{ "pv-pte-mov", case_pte_mov }, { "pv-pte-xchg", case_pte_xchg },
	{ "pv-pte-cmpxchg", case_pte_cmpxchg }, { "pv-pte-and", case_pte_and },
	{ "pv-pte-btr", case_pte_btr }, { "pv-pte-refused", case_pte_refused },
	{ "pv-mmu-update", case_mmu_update }, { "pv-mask-at", case_mask_at },
	{ "pv-event-masked", case_event_masked }, { "pv-event-kernel", case_event_kernel },
	{ "pv-event-user", case_event_user }, { "pv-tables", case_tables },
	{ "pv-root-switch", case_root_switch }, { "pv-u-blind", case_u_blind },
};

/* Overwrites the monitor's stack and comes in. */
static _Noreturn void smash(void)
{
	memset((void *)info->monitor_stack, 0xff, info->monitor_stack_size);
	done();
}

_Noreturn void guest_main(const struct probe_info *i)
{
	info = i;
	if (info->smash)
		smash();
	for (unsigned n = 0; n < sizeof cases / sizeof cases[0]; n++)
		report(cases[n].name, cases[n].run());
	done();
}
