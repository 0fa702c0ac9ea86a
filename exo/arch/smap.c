/* SMAP, where it can be used: a libOS returns by a user-mode IRETQ, which QEMU's TCG (7.2) checks
 * as if it were a supervisor's access to the user's stack.  So boot executes one in ring 3,
 * before there is anything else, and leaves SMAP off where that faults.
 */
#include "exo/arch/machine.h"

#define CR4_SMAP	0x200000ul
#define VEC_BREAKPOINT	3
#define VEC_PAGE_FAULT	14

/* Enters ring 3 at rip with that stack; true if it gets to its INT3, false if it faults. */
bool smap_probe(uint64_t rip, uint64_t rsp);
extern char smap_probe_reached[], smap_probe_faulted[];

__asm__(".text\n"
	".globl smap_probe, smap_probe_reached, smap_probe_faulted\n"
	".hidden smap_probe, smap_probe_reached, smap_probe_faulted\n"
	"smap_probe:\n"
	"	push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
	"	mov %rsp, smap_probe_sp(%rip)\n"
	"	push $0x2b\n push %rsi\n push $2\n push $0x33\n push %rdi\n"
	"	iretq\n"
	"smap_probe_faulted:\n"
	"	xor %eax, %eax\n"
	"	jmp 1f\n"
	"smap_probe_reached:\n"
	"	mov $1, %eax\n"
	"1:	mov smap_probe_sp(%rip), %rsp\n"
	"	pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
	"	ret\n"
	".local smap_probe_sp\n"
	".comm smap_probe_sp, 8, 8\n");

/* A user page at address 0, below tables of its own: code, and a frame for its IRETQ. */
static void make_page(uint8_t *pages, uint64_t pa)
{
	static const uint8_t code[] = { 0x48, 0xcf, 0xcc };		/* iretq; int3 */
	uint64_t flags = EXO_PTE_P | EXO_PTE_W | EXO_PTE_U;
	uint64_t *frame = (uint64_t *)(pages + 3 * PAGE + 1024);
	for (unsigned i = 0; i < 3; i++)
		*(uint64_t *)(pages + i * PAGE) = (pa + (i + 1) * PAGE) | flags;
	__builtin_memcpy(pages + 3 * PAGE, code, sizeof code);
	frame[0] = 2;			/* rip: the int3 */
	frame[1] = EXO_CS64;
	frame[2] = 2;
	frame[3] = 2048;
	frame[4] = EXO_SS;
}

static bool iretq_works(void)
{
	struct cpu_arch *c = cpu_arch(this_cpu());
	uint8_t stack[512] __attribute__((aligned(16)));	/* for the way back: ours is in use */
	uint64_t pa = early_alloc(4 * PAGE, PAGE), top = c->tss.rsp0;
	uint64_t *root = pfn_to_virt(kernel_root);
	uint64_t old[2] = { gate_set(VEC_BREAKPOINT, (uint64_t)smap_probe_reached),
		gate_set(VEC_PAGE_FAULT, (uint64_t)smap_probe_faulted) };
	make_page(phys_to_virt(pa), pa);
	root[0] = pa | EXO_PTE_P | EXO_PTE_W | EXO_PTE_U;
	c->tss.rsp0 = (uint64_t)(stack + sizeof stack);
	bool works = smap_probe(0, 1024);
	c->tss.rsp0 = top;
	root[0] = 0;
	flush_local(0, 0);
	gate_set(VEC_BREAKPOINT, old[0]);
	gate_set(VEC_PAGE_FAULT, old[1]);
	ranges_add(&memory_free, pa, pa + 4 * PAGE);
	return works;
}

static void site_patch(uint8_t *code)
{
	code[1] = 0x01;
	code[2] = code[2] == SMAP_STAC ? 0xcb : 0xca;
}

/* Entries into the kernel and accesses to user memory have NOPs of three bytes (SMAP_SITE), of
 * which the last tells what they become. */
static void patch_sites(void)
{
	extern uint64_t smap_sites_start[], smap_sites_end[];
	uint64_t cr0 = READ_CR(0);
	WRITE_CR(0, cr0 & ~0x10000ul);		/* WP */
	for (uint64_t *site = smap_sites_start; site < smap_sites_end; site++)
		site_patch((uint8_t *)*site);
	WRITE_CR(0, cr0);
}

void smap_test(void)
{
	bool has = cpu_has_smap;
	cpu_has_smap = false;
	if (!has)
		return;
	WRITE_CR(4, cpu_cr4 | CR4_SMAP);
	if (!iretq_works()) {
		WRITE_CR(4, cpu_cr4);
		log_print("cpu: SMAP stays off: a user's IRETQ faults under it (as in QEMU's TCG)\n");
		return;
	}
	patch_sites();
	cpu_cr4 |= CR4_SMAP;
	cpu_features_abi |= EXO_FEATURE_SMAP;
	cpu_has_smap = true;
}
