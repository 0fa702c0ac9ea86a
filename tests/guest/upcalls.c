/* Upcalls of every class, the way back, routing of system calls, the last chance. */
#include "tests/guest/ktest.h"

static struct upcall_regs seen;
static volatile unsigned count;
static uint64_t next_rip;	/* where skip_to goes on */

static uint64_t frame_rx(const void *code, size_t n)
{
	uint64_t pfn = frame_alloc_zero();
	memcpy(physmap_page(pfn), code, n);
	return pt_map(machine->root, TEST_VA, pfn, 1, PTE_RX, 0) ? 0 : pfn;
}

static void drop(uint64_t pfn)
{
	pt_unmap(machine->root, TEST_VA, 1);
	frame_free(pfn);
}

/* ---- exceptions --------------------------------------------------------------------- */

static bool map_on_demand(struct upcall_regs *r)
{
	seen = *r;
	if (EXO_INFO_VECTOR(r->up.info) != 14 || count++ > 100)
		return false;
	return !pt_map(machine->root, r->up.addr & -4096ul, frame_alloc_zero(), 1, PTE_RW, 0);
}

static const char *page_fault(void)
{
	static const struct upcall_handlers h = { .exception = map_on_demand, .event = event_dispatch };
	volatile uint64_t *p = (uint64_t *)(TEST_VA + 0x123 * 8);
	count = 0;
	handle(&h);
	*p = 42;
	CHECK(count == 1 && *p == 42);
	CHECK(seen.up.addr == (uint64_t)p && (seen.up.error & 3) == 2 && seen.up.error & 4);
	CHECK(!seen.mask && (seen.up.cs & 3) == 3);
	CHECK(!upcall_first->pair[1]);
	uint64_t pfn = PTE_PFN(pt_lookup(machine->root, TEST_VA, NULL));
	drop(pfn);
	return NULL;
}

static bool skip_to(struct upcall_regs *r)
{
	seen = *r;
	count++;
	r->up.rip = next_rip;
	return true;
}

/* Runs an instruction that faults; goes on at the label behind it. */
#define FAULTING(instruction) do { \
	count = 0; \
	__asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, %0\n" instruction "\n1:" \
		: "=m"(next_rip) : : "rax", "rcx", "rdx", "memory", "cc"); \
} while (0)

static const char *vectors(void)
{
	static const struct upcall_handlers h = { .exception = skip_to, .event = event_dispatch };
	handle(&h);
	FAULTING("ud2");
	CHECK(count == 1 && EXO_INFO_VECTOR(seen.up.info) == 6);
	FAULTING("int3");
	CHECK(count == 1 && EXO_INFO_VECTOR(seen.up.info) == 3);
	FAULTING("xor %%ecx, %%ecx; div %%ecx");
	CHECK(count == 1 && EXO_INFO_VECTOR(seen.up.info) == 0);
	FAULTING("hlt");
	CHECK(count == 1 && EXO_INFO_VECTOR(seen.up.info) == 13 && !seen.up.error);
	FAULTING("int $0x80");
	CHECK(count == 1 && EXO_INFO_VECTOR(seen.up.info) == 13 && seen.up.error);
	FAULTING("mov $1ul << 63, %%rax; mov (%%rax), %%rax");
	CHECK(count == 1 && EXO_INFO_VECTOR(seen.up.info) == 13);
	FAULTING("movabs $0xffff808000000000, %%rax; mov (%%rax), %%rax");
	CHECK(count == 1 && EXO_INFO_VECTOR(seen.up.info) == 14 && seen.up.addr == EXO_KERNEL_BASE);
	return NULL;
}

static bool single_step(struct upcall_regs *r)
{
	count++;
	seen = *r;
	if (count == 3)
		r->up.rflags &= ~0x100ul;
	return EXO_INFO_VECTOR(r->up.info) == 1;
}

static const char *debug_step(void)
{
	static const struct upcall_handlers h = { .exception = single_step, .event = event_dispatch };
	handle(&h);
	count = 0;
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq\nnop\nnop\nnop\nnop" : : : "memory", "cc");
	CHECK(count == 3);
	return NULL;
}

/* A handler that itself faults: the frames nest on the upcall stack. */
static bool nested(struct upcall_regs *r)
{
	unsigned level = count++;
	seen = *r;
	if (level < 4)
		((volatile uint8_t *)TEST_VA)[level * 4096] = 1;
	return !pt_map(machine->root, r->up.addr & -4096ul, frame_alloc_zero(), 1, PTE_RW, 0);
}

static const char *nesting(void)
{
	static const struct upcall_handlers h = { .exception = nested, .event = event_dispatch };
	handle(&h);
	count = 0;
	((volatile uint8_t *)TEST_VA)[9 * 4096] = 1;
	CHECK(count == 5);
	CHECK(seen.mask == 1);			/* the innermost interrupted masked code */
	CHECK(!upcall_first->pair[1]);
	for (unsigned i = 0; i < 10; i++) {
		uint64_t e = pt_lookup(machine->root, TEST_VA + i * 4096, NULL);
		pt_unmap(machine->root, TEST_VA + i * 4096, 1);
		if (e)
			frame_free(PTE_PFN(e));
	}
	return NULL;
}

/* ---- system calls ----------------------------------------------------------------------- */

static void on_syscall(struct upcall_regs *r)
{
	seen = *r;
	count++;
	r->rax = 0x7777;
}

static const char *routing(void)
{
	static const uint8_t code[] = { 0x0f, 0x05, 0xc3 };	/* syscall; ret */
	static const struct upcall_handlers h = { .syscall = on_syscall, .event = event_dispatch };
	uint64_t pfn = frame_rx(code, sizeof code), result = 39;
	CHECK(pfn);
	handle(&h);
	count = 0;
	__asm__ volatile("call *%1" : "+a"(result) : "r"(TEST_VA), "D"(5ul) : "rcx", "r11", "memory");
	CHECK(count == 1 && result == 0x7777);
	CHECK(seen.rax == 39 && seen.rdi == 5 && seen.up.rip == TEST_VA + 2);
	CHECK(EXO_INFO_VECTOR(seen.up.info) == EXO_INFO_SYSCALL);
	drop(pfn);
	return NULL;
}

/* ---- the last chance ------------------------------------------------------------------------ */

static uint8_t last_stack[4096] __attribute__((aligned(16)));
static uint64_t last_info, last_continue;
static volatile struct exo_control *ctl;

static __attribute__((used)) void last_seen(struct exo_upcall *u)
{
	last_info = u->info;
	ctl->stack_hi = (uint64_t)upcall_first + UPCALL_STACK_SIZE;
	u->rip = last_continue;
}

void last_entry(void);
__asm__(".pushsection .text\n"
	"last_entry: mov %rsp, %rdi\n"
	"call last_seen\n"
	"add $24, %rsp\n"
	"iretq\n"
	".popsection\n");

static const char *last_chance(void)
{
	ctl = upcall_first->control;
	ctl->last_stack = (uint64_t)last_stack + sizeof last_stack;
	ctl->entry[EXO_UP_LAST] = (uint64_t)last_entry;
	last_info = 0;
	__asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, %0; mov %2, %1; ud2; 1:"
		: "=m"(last_continue), "=m"(ctl->stack_hi) : "r"(ctl->stack_lo + 16)
		: "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
	CHECK(last_info == (6 | EXO_INFO_LAST));
	CHECK(!ctl->entry[EXO_UP_LAST]);	/* one-shot */
	return NULL;
}

/* ---- another root, and U roots ---------------------------------------------------------------- */

static uint64_t other_root;
static bool to_other_root(struct upcall_regs *r)
{
	count++;
	r->up.rip = next_rip;
	upcall_return_in(r, count == 1 ? other_root : machine->root);
}

/* The same address shows different frames in two roots; every register survives the switch. */
static const char *resume_root(void)
{
	static const struct upcall_handlers h = { .exception = to_other_root, .event = event_dispatch };
	uint64_t a = frame_alloc_zero(), b = frame_alloc_zero(), in_b, rdi, rsi;
	other_root = pt_root(machine->root, 0, 511);
	CHECK(other_root);
	struct exo_pt_item clear = { (other_root << 12) + 8 * pt_index(TEST_VA + (1ul << 39), 4), 0 };
	IS(exo_pt_write(0, &clear, 1, 0, 0, 0).status, OK);
	volatile uint64_t *p = (uint64_t *)(TEST_VA + (1ul << 39));
	*(uint64_t *)physmap_page(a) = 1;
	*(uint64_t *)physmap_page(b) = 2;
	IS(pt_map(machine->root, (uint64_t)p, a, 1, PTE_RO, 0), OK);
	IS(pt_map(other_root, (uint64_t)p, b, 1, PTE_RO, 0), OK);
	CHECK(*p == 1);
	handle(&h);
	count = 0;
	__asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, %3; mov $0x12, %%rdi; mov $0x34, %%rsi; ud2\n"
		"1: mov (%4), %%rax; mov %%rax, %0; mov %%rdi, %1; mov %%rsi, %2\n"
		"lea 2f(%%rip), %%rax; mov %%rax, %3; ud2\n2:"
		: "=m"(in_b), "=m"(rdi), "=m"(rsi), "=m"(next_rip) : "r"(p) : "rax", "rdi", "rsi", "memory");
	CHECK(count == 2 && in_b == 2 && rdi == 0x12 && rsi == 0x34 && *p == 1);
	IS(pt_unmap(machine->root, (uint64_t)p, 1), OK);
	unsigned slot = pt_index((uint64_t)p, 4);
	IS(pt_free(other_root, slot, slot, false), OK);
	IS(pt_free(machine->root, slot, slot, false), OK);
	IS(pt_table_drop(other_root), OK);
	frame_free(a);
	frame_free(b);
	return NULL;
}

static void from_u(struct upcall_regs *r)
{
	seen = *r;
	r->rax += 1;
	if (++count == 3) {		/* leave it: on in the K root, on our first stack */
		r->up.info &= ~(uint64_t)EXO_INFO_FROM_U;
		r->up.rip = next_rip;
		r->up.rsp = r->rbx;
	}
}

static bool into_u(struct upcall_regs *r)
{
	r->up.info |= EXO_INFO_FROM_U;
	r->rbx = r->up.rsp;
	r->up.rip = TEST_VA;
	r->up.rsp = 0;			/* U code needs no stack for upcalls */
	return true;
}

/* Code that exists only in a U root makes system calls; the libOS, only in the K root, serves them. */
static const char *u_root(void)
{
	static const uint8_t code[] = { 0x0f, 0x05, 0xeb, 0xfc };	/* 1: syscall; jmp 1b */
	static const struct upcall_handlers h = { into_u, from_u, event_dispatch };
	uint64_t status, u = pt_table_new(4, &status), pfn = frame_alloc_zero(), rax;
	IS(status, OK);
	memcpy(physmap_page(pfn), code, sizeof code);
	IS(pt_map(u, TEST_VA, pfn, 1, PTE_RX, 0), OK);
	IS(exo_root_pair(0, machine->root, u).status, OK);
	IS(exo_context_ctl(0, EXO_CTX_ROOTS, machine->root, 0, 0).status, OK);
	handle(&h);
	count = 0;
	__asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, %1; mov $100, %%eax; mov $7, %%rdi; mov $8, %%rsi\n"
		"ud2\n1: mov %%rax, %0" : "=m"(rax), "=m"(next_rip) : :
		"rax", "rbx", "rcx", "r11", "rdi", "rsi", "memory");
	IS(exo_root_pair(0, machine->root, 0).status, OK);
	IS(exo_context_ctl(0, EXO_CTX_ROOTS, machine->root, 0, 0).status, OK);
	CHECK(count == 3 && rax == 103 && seen.rdi == 7 && seen.rsi == 8);
	CHECK(seen.up.info & EXO_INFO_FROM_U && seen.up.rip == TEST_VA + 2);
	IS(pt_free(u, 0, 255, true), OK);
	frame_free(pfn);
	return NULL;
}

const struct test upcall_tests[] = {
	{ "upcall_page_fault", page_fault },
	{ "upcall_vectors", vectors },
	{ "upcall_single_step", debug_step },
	{ "upcall_nested", nesting },
	{ "syscall_routing", routing },
	{ "last_chance", last_chance },
	{ "resume_root", resume_root },
	{ "u_root", u_root },
	{ NULL, NULL }
};
