/* What the hostile programs share: faults that are survived, raw calls, second contexts. */
#include "tests/hostile/tester.h"

struct exo_start *self;
const struct hostile_args *told;
unsigned cpus;
volatile struct fault fault;
volatile uint64_t fault_resume;

bool fault_stepping;

#define RFLAGS_TF	0x100ul
#define VECTOR_DB	1

/* ---- faults ------------------------------------------------------------------------------ */

static bool on_exception(struct upcall_regs *r)
{
	fault.vector = EXO_INFO_VECTOR(r->up.info);
	fault.error = r->up.error;
	fault.addr = r->up.addr;
	fault.rip = r->up.rip;
	fault.rflags = r->up.rflags;
	fault.count++;
	if (fault.rip < fault.rip_low)
		fault.rip_low = fault.rip;
	if (fault.rip > fault.rip_high)
		fault.rip_high = fault.rip;
	if (fault_stepping && fault.vector == VECTOR_DB)
		return true;
	if (!fault_resume)
		return false;
	r->up.rip = fault_resume;
	r->up.rflags &= ~RFLAGS_TF;
	r->up.cs = EXO_CS64;
	r->up.ss = EXO_SS;
	return true;
}

/* A system call from outside of the routed text counts as a fault too. */
static void on_syscall(struct upcall_regs *r)
{
	if (!on_exception(r))
		domain_exit(99);
}

static const struct upcall_handlers handlers = { on_exception, on_syscall, NULL };

static void fault_arm(void)
{
	fault.vector = NO_FAULT;
	fault.error = fault.addr = fault.rip = fault.count = fault.rip_high = 0;
	fault.rip_low = ~0ul;
}

/* Whatever fn leaves in the preserved registers and the stack pointer is put right. */
__attribute__((noinline, noclone))
uint64_t try_call(void (*fn)(void *), void *arg)
{
	fault_arm();
	__asm__ volatile(
		"push %%rbx\n push %%rbp\n push %%r12\n push %%r13\n push %%r14\n push %%r15\n"
		"mov %%rsp, try_stack(%%rip)\n"
		"lea 1f(%%rip), %%rax\n mov %%rax, fault_resume(%%rip)\n"
		"call *%%rsi\n"
		"1: mov try_stack(%%rip), %%rsp\n cld\n"
		"pop %%r15\n pop %%r14\n pop %%r13\n pop %%r12\n pop %%rbp\n pop %%rbx\n"
		".pushsection .bss\n try_stack: .skip 8\n .popsection\n"
		: "+S"(fn), "+D"(arg) : : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
	fault_resume = 0;
	return fault.vector;
}

static void run_bytes(void *code)
{
	((void (*)(void))code)();
}

uint64_t try_bytes(const uint8_t *code) { return try_call(run_bytes, (void *)code); }

static void read_word(void *va) { (void)*(volatile uint64_t *)va; }
uint64_t try_read(uint64_t va) { return try_call(read_word, (void *)va); }

struct store { uint64_t va, value; };
static void write_word(void *arg)
{
	struct store *s = arg;
	*(volatile uint64_t *)s->va = s->value;
}
uint64_t try_write(uint64_t va, uint64_t value)
{
	return try_call(write_word, &(struct store){ va, value });
}

/* ---- calls --------------------------------------------------------------------------------- */

struct exo_result raw_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
	uint64_t f)
{
	struct exo_result r = { .value = c };
	register uint64_t r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	/* gate_call gives no register back. */
	__asm__ volatile("push %%rbx\n push %%rbp\n push %%r12\n push %%r13\n push %%r14\n push %%r15\n"
		"syscall\n"
		"pop %%r15\n pop %%r14\n pop %%r13\n pop %%r12\n pop %%rbp\n pop %%rbx" : "=a"(r.status), "+d"(r.value)
		: "a"(number), "D"(a), "S"(b), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return r;
}

uint64_t random_next(void)
{
	static uint64_t state;
	if (!state)
		state = told->seed | 1;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

uint64_t entry_set(uint64_t entry, uint64_t value, uint64_t cap)
{
	struct exo_pt_item item = { entry, value };
	return EXO_CODE(exo_pt_write(0, &item, 1, cap, EXO_FLUSH_ALL, 0).status);
}

uint64_t retype_one(uint64_t pfn, uint64_t kind)
{
	uint64_t item = pfn << 8 | kind;
	return EXO_CODE(exo_frame_retype(0, &item, 1).status);
}

uint64_t page_at(uint64_t va, uint64_t flags)
{
	uint64_t pfn = frame_alloc_zero();
	return pfn && !pt_map(self->root, va, pfn, 1, flags, 0) ? pfn : 0;
}

/* ---- second contexts --------------------------------------------------------------------------- */

#define SECOND_STACK	0x4000
#define SECOND_VA(n)	(0x300000000ul + (n) * 0x100000ul)

static uint8_t second_upcalls[SECONDS][UPCALL_STACK_SIZE] __attribute__((aligned(UPCALL_STACK_SIZE)));
static struct { void (*fn)(void *); void *arg; uint64_t rip, rsp; } second_args[SECONDS];

static _Noreturn void second_main(uint64_t n)
{
	second_args[n].fn(second_args[n].arg);
	for (;;)
		exo_wait(NULL, EXO_FOREVER, 0);
}

bool second_make(struct second *s, unsigned cpu, void (*fn)(void *), void *arg, unsigned n)
{
	uint64_t va = SECOND_VA(n), top = va + 2 * EXO_PAGE_SIZE + SECOND_STACK;
	s->object = frame_take();
	s->control = page_at(va, PTE_RW);
	s->page = (struct exo_control *)va;
	s->save = page_at(va + EXO_PAGE_SIZE, PTE_RW);
	for (uint64_t p = va + 2 * EXO_PAGE_SIZE; p < top; p += EXO_PAGE_SIZE)
		if (!page_at(p, PTE_RW))
			return false;
	struct exo_result r = exo_context_create(0, s->object, s->control, s->save, cpu, EXO_SLOT_ANY);
	if (r.status)
		return false;
	s->cap = r.value;
	second_args[n].fn = fn;
	second_args[n].arg = arg;
	second_args[n].rip = (uint64_t)second_main;
	second_args[n].rsp = top - 8;
	upcall_init(second_upcalls[n], (struct exo_control *)va, &handlers, (void *)(uint64_t)n);
	return !exo_context_ctl(s->cap, EXO_CTX_ROOTS, self->root, 0, 0).status &&
		!exo_context_ctl(s->cap, EXO_CTX_ROUTE, self->image_lo, self->image_hi, 0).status;
}

uint64_t second_start(struct second *s)
{
	for (unsigned n = 0; n < SECONDS; n++)
		if (s->control == PTE_PFN(pt_lookup(self->root, SECOND_VA(n), NULL)))
			return exo_context_ctl(s->cap, EXO_CTX_START, second_args[n].rip, second_args[n].rsp, n).status;
	return EXO_STATE;
}

void nap(uint64_t ns) { time_sleep_until(time_now() + ns); }

/* ---- the beginning ------------------------------------------------------------------------------- */

static const struct row *const tables[] = { cap_rows, memory_rows, pointer_rows, instruction_rows,
	state_rows, quota_rows, time_rows, race_rows, disk_rows, net_rows, gate_rows, offer_rows,
	fuzz_rows };

uint64_t child_main(struct exo_start *s)
{
	self = s;
	told = (const struct hostile_args *)s->args;
	cpus = s->cpus;
	upcall_set(&handlers);
	if (frames_init(s, false) || time_init(s, 0))
		return 98;
	if (!strcmp(told->row, "neighbour"))
		return neighbour_run();
	for (unsigned t = 0; t < ARRAY_LEN(tables); t++)
		for (const struct row *r = tables[t]; r->name; r++)
			if (!strcmp(r->name, told->row))
				return r->run();
	return 97;
}
