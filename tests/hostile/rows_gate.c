/* Gates: entering who did not ask for it, coming back without a way, what goes with the registers,
 * and contexts that hand the CPU to each other for ever.
 *
 * Both sides are contexts of the program here: the kernel makes no difference, and what the one could
 * take from the other shows as well.
 */
#include "tests/hostile/hostile.h"

#define BADGE	0xfeedfacecafef00dul
#define VA	0x310000000ul		/* a stack for who is entered */

/* What who is entered finds, stored by the first instructions (gate_probe). */
volatile struct { uint64_t rax, rbx, rdi, rbp, r15, rsp, rflags, xmm, mxcsr, count; } gate_seen;
void gate_probe(void), gate_probe_back(void);
uint64_t gate_knock(uint64_t gate);	/* calls it with odd registers and flags; its status */

__asm__(".text\n"
	"gate_probe:\n"
	"mov %rax, gate_seen(%rip)\n mov %rbx, gate_seen+8(%rip)\n mov %rdi, gate_seen+16(%rip)\n"
	"mov %rbp, gate_seen+24(%rip)\n mov %r15, gate_seen+32(%rip)\n mov %rsp, gate_seen+40(%rip)\n"
	"pushf\n pop gate_seen+48(%rip)\n movq %xmm7, gate_seen+56(%rip)\n stmxcsr gate_seen+64(%rip)\n"
	"incq gate_seen+72(%rip)\n"
	"jmp gate_probe_back\n"
	"gate_knock:\n push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
	"mov $0x1234, %eax\n movq %rax, %xmm7\n mov $0xb0b, %ebx\n mov $0xbad, %ebp\n mov $0xf15, %r15d\n"
	"std\n mov $40, %eax\n syscall\n cld\n"
	"pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n");

static struct second other;

static void rest(void)
{
	for (;;)
		exo_wait(NULL, EXO_FOREVER, EXO_WAIT_OPEN);
}

__attribute__((used)) void gate_probe_back(void) { rest(); }

static void rest_fn(void *arg)
{
	(void)arg;
	rest();
}

/* A context that waits to be entered at that place, on this CPU; a gate to it, 0: none. */
static uint64_t server(void (*first)(void *), uint64_t entry)
{
	if (!second_make(&other, 0, first, NULL, 0))
		return 0;
	other.page->gate_entry = entry;
	other.page->gate_stack = page_at(VA, PTE_RW) ? VA + EXO_PAGE_SIZE - 8 : 0;
	uint64_t gate = exo_gate_create(EXO_SLOT_ANY, other.cap, BADGE).value;
	if (second_start(&other))
		return 0;
	exo_yield(other.cap);		/* it may have come to rest already */
	return gate;
}

static uint64_t gate_code(uint64_t gate) { return EXO_CODE(raw_call(EXO_CALL_GATE_CALL, gate, 0, 0, 0, 0, 0).status); }

/* The same once who is behind it has come to rest, and until it has been there: slices end anywhere. */
static uint64_t gate_patient(uint64_t gate)
{
	uint64_t code, before = gate_seen.count, end = time_now() + 10 * NS_PER_SEC;
	while ((code = EXO_CODE(gate_knock(gate))) == EXO_BUSY && time_now() < end)
		exo_yield(other.cap);
	while (!code && gate_seen.count == before && time_now() < end)
		exo_yield(other.cap);
	return code;
}

/* No name but a gate's leads anywhere; a gate ends with its context. */
static uint64_t gate_forge(void)
{
	uint64_t gate = server(rest_fn, (uint64_t)gate_probe), copy;
	EXPECT(gate);
	for (uint64_t i = 0; i < 4000; i++) {
		uint64_t name = i < 400 ? i : random_next() >> random_below(64);
		if (EXO_CAP_INDEX(name) != EXO_CAP_INDEX(gate))
			EXPECT(gate_code(name) != EXO_OK);
	}
	for (uint64_t gen = 1; gen < 4096; gen++)
		if (gen != EXO_CAP_GEN(gate))
			EXPECT(gate_code(EXO_CAP_INDEX(gate) | gen << 20) == EXO_CAP);
	EXPECT(!gate_seen.count);
	copy = exo_cap_copy(0, EXO_SLOT_ANY, gate, EXO_R_GRANT, 0, 0).value;
	EXPECT(gate_code(copy) == EXO_RIGHT);
	EXPECT(CODE(exo_cap_copy(0, EXO_SLOT_ANY, gate, EXO_R_CALL, 1, 0)) == EXO_ARG);	/* another badge */
	EXPECT(gate_code(other.cap) == EXO_TYPE);
	copy = exo_cap_copy(0, EXO_SLOT_ANY, other.cap, EXO_R_YIELD, 0, 0).value;
	EXPECT(CODE(exo_gate_create(EXO_SLOT_ANY, copy, 1)) == EXO_RIGHT);
	EXPECT(CODE(exo_gate_create(EXO_SLOT_ANY, PEER_SLOT, 1)) == EXO_TYPE);
	EXPECT(gate_patient(gate) == EXO_OK && gate_seen.count == 1);
	EXPECT(!exo_delete_all(0, other.cap));
	EXPECT(gate_code(gate) == EXO_CAP);
	return 0;
}

/* What a call says once who is behind the gate has come to rest; it is not to be entered. */
static uint64_t gate_rested(uint64_t gate)
{
	uint64_t code, end = time_now() + 10 * NS_PER_SEC;
	while ((code = gate_code(gate)) == EXO_BUSY && time_now() < end)
		exo_yield(other.cap);
	return code;
}

/* Who runs, is stopped, or waits for something else is not entered; nor who has no entry. */
static uint64_t gate_uninvited(void)
{
	uint64_t gate = server(rest_fn, (uint64_t)gate_probe);
	uint64_t self_gate = exo_gate_create(EXO_SLOT_ANY, 0, 0).value;
	EXPECT(gate && self_gate && gate_code(self_gate) == EXO_BUSY);
	for (unsigned i = 0; i < 3; i++) {
		other.page->gate_entry = (uint64_t[]){ 0, 1ul << 47, 0xfffful << 48 }[i];
		EXPECT(gate_rested(gate) == EXO_STATE);
	}
	other.page->gate_entry = (uint64_t)gate_probe;
	EXPECT(!exo_context_ctl(other.cap, EXO_CTX_STOP, 0, 0, 0).status);
	EXPECT(gate_code(gate) == EXO_BUSY);
	EXPECT(!gate_seen.count && !exo_context_ctl(other.cap, EXO_CTX_RUN, 0, 0, 0).status);
	uint64_t code = gate_code(gate);	/* on another CPU it may have come to rest again by now */
	EXPECT(code == EXO_BUSY ? !gate_seen.count : code == EXO_OK);
	return 0;
}

/* General registers go over; flags, vector registers and the stack do not. */
static uint64_t gate_registers(void)
{
	uint64_t gate = server(rest_fn, (uint64_t)gate_probe);
	EXPECT(gate);
	EXPECT(gate_patient(gate) == EXO_OK && gate_seen.count == 1);
	EXPECT(gate_seen.rdi == BADGE && !gate_seen.rax);
	EXPECT(gate_seen.rbx == 0xb0b && gate_seen.rbp == 0xbad && gate_seen.r15 == 0xf15);
	EXPECT(gate_seen.rsp == VA + EXO_PAGE_SIZE - 8 && gate_seen.rflags == 0x202);
	EXPECT(!gate_seen.xmm && (uint32_t)gate_seen.mxcsr == 0x1f80);
	for (unsigned n = 0; n < 1000; n++)
		EXPECT(gate_patient(gate) == EXO_OK && gate_seen.rbx == 0xb0b && !gate_seen.xmm);
	EXPECT(gate_seen.count == 1001);
	return 0;
}

/* An entry in the kernel is a fault of who chose it. */
static uint64_t gate_kernel(void)
{
	uint64_t gate = server(rest_fn, EXO_KERNEL_BASE + 0x215000);
	EXPECT(gate);
	gate_patient(gate);
	nap(NS_PER_SEC);
	return 1;
}

/* Two that hand each other the CPU, for ever, without a stack that could grow. */
uint64_t cartel_back, cartel_gate;
__asm__(".text\n"
	"gate_turn_own: mov cartel_gate(%rip), %rdi\n mov $40, %eax\n syscall\n jmp gate_turn_own\n"
	"gate_turn_other: mov cartel_back(%rip), %rdi\n mov $40, %eax\n syscall\n jmp gate_turn_other\n");
void gate_turn_own(void), gate_turn_other(void);

static uint64_t gate_cartel(void)
{
	((struct exo_control *)self->control)->gate_entry = (uint64_t)gate_turn_own;
	cartel_back = exo_gate_create(EXO_SLOT_ANY, 0, 1).value;
	EXPECT(cartel_back && (cartel_gate = server(rest_fn, (uint64_t)gate_turn_other)));
	gate_turn_own();
	return 1;
}

const struct row gate_rows[] = {
	{ "gate-forge", gate_forge, EXITS, 1, NULL },
	{ "gate-uninvited", gate_uninvited, EXITS, 1, NULL },
	{ "gate-registers", gate_registers, EXITS, 1, NULL },
	{ "gate-kernel", gate_kernel, DIES_EXCEPTION, 1, NULL },
	{ "gate-cartel", gate_cartel, RUNS, 1, NULL },
	{ NULL, NULL, EXITS, 0, NULL }
};
