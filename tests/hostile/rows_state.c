/* State of contexts: what leaks from one to another, and what is loaded that cannot be. */
#include "tests/hostile/hostile.h"

/* ---- what a fresh domain finds ------------------------------------------------------------- */

static uint64_t vector_sum(void)
{
	uint64_t buffer[32], sum = 0;
	__asm__ volatile("movdqu %%xmm0, 0(%0)\n movdqu %%xmm1, 16(%0)\n movdqu %%xmm2, 32(%0)\n"
		"movdqu %%xmm3, 48(%0)\n movdqu %%xmm4, 64(%0)\n movdqu %%xmm5, 80(%0)\n"
		"movdqu %%xmm6, 96(%0)\n movdqu %%xmm7, 112(%0)\n movdqu %%xmm8, 128(%0)\n"
		"movdqu %%xmm9, 144(%0)\n movdqu %%xmm10, 160(%0)\n movdqu %%xmm11, 176(%0)\n"
		"movdqu %%xmm12, 192(%0)\n movdqu %%xmm13, 208(%0)\n movdqu %%xmm14, 224(%0)\n"
		"movdqu %%xmm15, 240(%0)" : : "r"(buffer) : "memory");
	for (unsigned i = 0; i < 32; i++)
		sum |= buffer[i];
	return sum;
}

static uint32_t mxcsr(void)
{
	uint32_t v;
	__asm__ volatile("stmxcsr %0" : "=m"(v));
	return v;
}

/* The neighbour keeps patterns in all of these, and looks for them itself (tester.c). */
static uint64_t fpu_leak(void)
{
	uint16_t control;
	for (unsigned i = 0; i < 200; i++) {
		EXPECT(!vector_sum() && mxcsr() == 0x1f80);
		__asm__ volatile("fnstcw %0" : "=m"(control));
		EXPECT(control == 0x37f);
		i & 1 ? nap(NS_PER_MS / 4) : (void)exo_yield(0);
	}
	return 0;
}

static uint32_t pkru(void)
{
	uint32_t v;
	__asm__ volatile(".byte 0x0f, 0x01, 0xee" : "=a"(v) : "c"(0) : "edx");
	return v;
}

static void pkru_set(uint32_t v)
{
	__asm__ volatile(".byte 0x0f, 0x01, 0xef" : : "a"(v), "c"(0), "d"(0));
}

static uint64_t base(bool gs)
{
	uint64_t v;
	if (gs)
		__asm__ volatile("rdgsbase %0" : "=r"(v));
	else
		__asm__ volatile("rdfsbase %0" : "=r"(v));
	return v;
}

static uint64_t pkru_fsbase(void)
{
	bool pku = self->features & EXO_FEATURE_PKU, bases = self->features & EXO_FEATURE_FSGSBASE;
	EXPECT(!pku || !pkru());
	EXPECT(!bases || (!base(false) && !base(true)));
	if (pku)
		pkru_set(0x55555550);
	EXPECT(!exo_segment_set(EXO_SEG_FS, 0x1234567000, 0).status);
	EXPECT(!exo_segment_set(EXO_SEG_GS, 0x7654321000, 0).status);
	for (unsigned i = 0; i < 200; i++) {
		EXPECT(!pku || pkru() == 0x55555550);
		EXPECT(!bases || (base(false) == 0x1234567000 && base(true) == 0x7654321000));
		i & 1 ? nap(NS_PER_MS / 4) : (void)exo_yield(0);
	}
	return 0;
}

/* ---- states that cannot be loaded ------------------------------------------------------------- */

#define SAVE_VA	(0x300000000ul + 4096)	/* second 0's save area: child.c */
static struct second other;
static volatile uint64_t ran;

static void count_up(void *arg)
{
	(void)arg;
	for (;;)
		ran++;
}

/* A second context that ran, was stopped, and has this state in its save area now. */
static volatile struct exo_regs *stopped_second(void)
{
	if (!second_make(&other, 0, count_up, NULL, 0) || second_start(&other))
		return NULL;
	while (!ran)
		exo_yield(0);
	while (EXO_CODE(exo_context_ctl(other.cap, EXO_CTX_STOP, 0, 0, 0).status) == EXO_AGAIN)
		exo_yield(0);
	return (struct exo_regs *)SAVE_VA;
}

/* The domain dies while this waits. */
static uint64_t run_bad(void)
{
	uint64_t status = EXO_CODE(exo_context_ctl(other.cap, EXO_CTX_RUN, 0, 0, 0).status);
	nap(30 * NS_PER_SEC);
	return status ? 1 : 2;
}

static uint64_t save_cs(void)
{
	volatile struct exo_regs *r = stopped_second();
	EXPECT(r);
	r->cs = 0x10;
	return run_bad();
}

static uint64_t save_rip(void)
{
	volatile struct exo_regs *r = stopped_second();
	EXPECT(r);
	r->rip = 0x800000000000;
	return run_bad();
}

/* Its root is no root any more when it is to run. */
static uint64_t root_gone(void)
{
	EXPECT(stopped_second());
	uint64_t root = pt_root(self->root, 0, 511);
	EXPECT(root && !exo_context_ctl(other.cap, EXO_CTX_ROOTS, root, 0, 0).status);
	EXPECT(!retype_one(root, EXO_KIND_DATA));
	return run_bad();
}

/* Garbage that is made harmless: flags, selectors, bases, and an extended state that no XRSTOR takes. */
static uint64_t save_garbage(void)
{
	volatile struct exo_regs *r = stopped_second();
	volatile uint64_t *xstate = (uint64_t *)(SAVE_VA + EXO_SAVE_XSTATE);
	uint64_t before;
	EXPECT(r);
	for (unsigned i = 0; i < 8; i++) {
		r->rflags = 0xffffffffffdbeeff & ~0x100ul;
		r->ds = r->es = r->fs = r->gs = (uint16_t)random_next();
		r->fs_base = r->gs_base = r->kgs_base = 1ul << 63;
		r->in_user = 1;
		xstate[64] = i & 1 ? ~0ul : 3;		/* XSTATE_BV */
		xstate[65] = i & 2 ? ~0ul : 0;		/* XCOMP_BV */
		xstate[66] = i & 4 ? ~0ul : 0;		/* reserved */
		xstate[3] = 0xffffffff;			/* MXCSR, reserved bits set */
		before = ran;
		EXPECT(!exo_context_ctl(other.cap, EXO_CTX_RUN, 0, 0, 0).status);
		for (uint64_t until = time_now() + 30 * NS_PER_SEC; ran == before;) {
			EXPECT(time_now() < until);
			exo_yield(0);
		}
		while (EXO_CODE(exo_context_ctl(other.cap, EXO_CTX_STOP, 0, 0, 0).status) == EXO_AGAIN)
			exo_yield(0);
		EXPECT(!r->fs_base && !r->gs_base && !r->kgs_base);
		EXPECT(!(r->rflags & 0x3000) && !(r->rflags & 0x20000) && r->rflags & 0x200);
	}
	return 0;
}

/* The record of a death has the dead one's registers: an undeliverable fault, straight from user
 * code, with patterns in all of them (checked by the tester). */
static uint64_t death_record(void)
{
	((struct exo_control *)self->control)->entry[EXO_UP_EXCEPTION] = 0;
	__asm__ volatile("mov $0x1111, %%ebx\n mov $0x2222, %%r12d\n mov $0x3333, %%r13d\n"
		"mov $0x4444, %%r14d\n mov $0x5555, %%r15d\n mov $0x6666, %%esi\n mov $0x7777, %%ebp\n ud2" : : :
		"rbx", "r12", "r13", "r14", "r15", "rsi");
	return 1;
}

/* ---- upcalls that cannot be delivered ----------------------------------------------------------- */

static struct exo_control *control(void) { return (struct exo_control *)self->control; }

static uint64_t die(void)
{
	__asm__ volatile("ud2");
	return 1;
}

static uint64_t entry_kernel(void)
{
	control()->entry[EXO_UP_EXCEPTION] = EXO_KERNEL_BASE + 0x215000;
	return die();
}

static uint64_t entry_noncanonical(void)
{
	control()->entry[EXO_UP_EXCEPTION] = 0x800000000000;
	return die();
}

static uint64_t no_stack(void)
{
	control()->stack_lo = control()->stack_hi = 0;
	return die();
}

static uint64_t stack_kernel(void)
{
	control()->stack_lo = EXO_KERNEL_BASE;
	control()->stack_hi = 0xffff810000000000 + (told->secret[0] << 12) + 4096;
	return die();
}

static uint64_t stack_unmapped(void)
{
	control()->stack_lo = TEST_VA;
	control()->stack_hi = TEST_VA + 4096;
	return die();
}

static uint64_t stack_readonly(void)
{
	EXPECT(page_at(TEST_VA, PTE_RO));
	control()->stack_lo = TEST_VA;
	control()->stack_hi = TEST_VA + 4096;
	return die();
}

/* An event, too, needs a stack. */
static uint64_t event_no_stack(void)
{
	control()->stack_lo = control()->stack_hi = 0x800000000000;
	EXPECT(!exo_timer_set(time_now() + NS_PER_MS).status);
	for (;;)
		;
}

/* A handler that faults itself: every fault uses stack, until there is none. */
static uint64_t handler_loop(void)
{
	control()->entry[EXO_UP_EXCEPTION] = (uint64_t)die;
	return die();
}

/* The last chance comes once; what it does with it, faulting again, is the end. */
static volatile uint64_t chances;
static void last_chance(void)
{
	chances++;
	die();
}

static uint64_t fault_in_handler(void)
{
	EXPECT(page_at(TEST_VA, PTE_RW));
	control()->entry[EXO_UP_EXCEPTION] = (uint64_t)die;
	control()->entry[EXO_UP_LAST] = (uint64_t)last_chance;
	control()->last_stack = TEST_VA + 4096;
	return die();
}

static uint64_t restart_bad(void)
{
	control()->resume_lo = 0;
	control()->resume_hi = EXO_KERNEL_BASE;
	control()->restart = EXO_KERNEL_BASE;
	EXPECT(!exo_timer_set(time_now() + NS_PER_MS).status);
	nap(10 * NS_PER_MS);
	control()->restart = 0x800000000000;
	EXPECT(!exo_timer_set(time_now() + NS_PER_MS).status);
	nap(10 * NS_PER_MS);
	return 0;
}

const struct row state_rows[] = {
	{ "fpu-leak", fpu_leak, EXITS, 1, NULL },
	{ "pkru-fsbase", pkru_fsbase, EXITS, 1, NULL },
	{ "save-cs", save_cs, DIES_STATE, 1, NULL },
	{ "save-rip", save_rip, DIES_STATE, 1, NULL },
	{ "root-gone", root_gone, DIES_STATE, 1, NULL },
	{ "save-garbage", save_garbage, EXITS, 1, NULL },
	{ "death-record", death_record, DIES_EXCEPTION, 1, NULL },
	{ "entry-kernel", entry_kernel, DIES_EXCEPTION, 1, NULL },
	{ "entry-noncanonical", entry_noncanonical, DIES_EXCEPTION, 1, NULL },
	{ "no-stack", no_stack, DIES_EXCEPTION, 1, NULL },
	{ "stack-kernel", stack_kernel, DIES_EXCEPTION, 1, NULL },
	{ "stack-unmapped", stack_unmapped, DIES_EXCEPTION, 1, NULL },
	{ "stack-readonly", stack_readonly, DIES_EXCEPTION, 1, NULL },
	{ "event-no-stack", event_no_stack, DIES_EXCEPTION, 1, NULL },
	{ "handler-loop", handler_loop, DIES_EXCEPTION, 1, NULL },
	{ "fault-in-handler", fault_in_handler, DIES_EXCEPTION, 1, NULL },
	{ "restart-bad", restart_bad, EXITS, 1, NULL },
	{ NULL, NULL, EXITS, 0, NULL },
};
