/* The CPUs themselves: what they can do, their control registers, and each one's region in
 * slot 257 with its descriptor tables and stacks.
 *
 * A region is 64 KiB, aligned, so that a CPU finds its data from its stack pointer:
 *
 *	page 0		alias of the SYSCALL stub (entry.S), which addresses the data by RIP
 *	page 1-7	the stack, and from PERCPU_CPU on struct cpu_arch: what each way in and out
 *			touches lies on one page, which is missed after each load of CR3
 *	page 9, 11, 13, 15	stacks of NMI, #MC, #DF, #DB
 *
 * and the rest is not mapped; page 0 is not writable, which guards the stack.  The GDT is one frame, mapped 15 times in a row, so that the
 * selectors at 0xe0xx that PV kernels use mean the same as those at the front.
 */
#include "exo/arch/machine.h"

#define CPU_PAGES	7
#define GDT_ALIASES	15
#define GDT_TLS		12
static const unsigned ist_pages[] = { 9, 11, 13, 15 };		/* IST 1-4 */
static const unsigned ist_vectors[] = { 2, 18, 8, 1 };
_Static_assert(PERCPU_CPU + sizeof(struct cpu_arch) <= (1 + CPU_PAGES) * PAGE, "it fits its pages");

bool cpu_has_smap, cpu_has_x2apic, cpu_has_tsc_deadline, cpu_is_virtual;
uint64_t cpu_cr4, cpu_features_abi;
uint64_t arch_pte_reserved;
bool arch_l1tf_safe;
unsigned cpu_count;

struct cpu *cpu_at(unsigned number)
{
	return (struct cpu *)(PERCPU_BASE + number * (uint64_t)PERCPU_SIZE + PERCPU_CPU);
}

struct cpu *this_cpu(void)
{
	uint64_t sp = (uint64_t)__builtin_frame_address(0);
	return (struct cpu *)((sp & ~(PERCPU_SIZE - 1ul)) + PERCPU_CPU);
}

/* ---- features -------------------------------------------------------------------- */

#define CR4_BASE	0x660u		/* PAE, MCE, OSFXSR, OSXMMEXCPT */
#define CR4_UMIP	0x800u
#define CR4_FSGSBASE	0x10000u
#define CR4_OSXSAVE	0x40000u
#define CR4_SMEP	0x100000u
#define CR4_PKE		0x400000u
#define CR0_SET		0x50022u	/* MP, NE, WP, AM */
#define CR0_CLEAR	0xcul		/* EM, TS */

struct feature {
	const char *name;
	uint32_t leaf;
	char reg;
	uint8_t bit;
	bool demanded;
	uint32_t cr4, abi;
	bool *flag;
};
static const struct feature features[] = {
	{ "NX", 0x80000001, 'd', 20, true, 0, EXO_FEATURE_NX, NULL },
	{ "SYSCALL", 0x80000001, 'd', 11, true, 0, 0, NULL },
	{ "APIC", 1, 'd', 9, true, 0, 0, NULL },
	{ "XSAVE", 1, 'c', 26, true, CR4_OSXSAVE, 0, NULL },
	{ "SMEP", 7, 'b', 7, false, CR4_SMEP, EXO_FEATURE_SMEP, NULL },
	{ "SMAP", 7, 'b', 20, false, 0, 0, &cpu_has_smap },	/* smap.c turns it on */
	{ "UMIP", 7, 'c', 2, false, CR4_UMIP, EXO_FEATURE_UMIP, NULL },
	{ "FSGSBASE", 7, 'b', 0, false, CR4_FSGSBASE, EXO_FEATURE_FSGSBASE, NULL },
	{ "PKU", 7, 'c', 3, false, CR4_PKE, EXO_FEATURE_PKU, NULL },
	{ "x2APIC", 1, 'c', 21, false, 0, EXO_FEATURE_X2APIC, &cpu_has_x2apic },
	{ "TSC-deadline", 1, 'c', 24, false, 0, 0, &cpu_has_tsc_deadline },
	{ "hypervisor", 1, 'c', 31, false, 0, 0, &cpu_is_virtual },
};
#define FEATURES (sizeof features / sizeof features[0])

static uint32_t cpuid_bits(uint32_t leaf, char reg)
{
	if (cpuid(leaf & 0x80000000, 0).a < leaf)
		return 0;
	struct cpuid r = cpuid(leaf, 0);
	return reg == 'b' ? r.b : reg == 'c' ? r.c : r.d;
}

static bool have(const struct feature *f)
{
	return cpuid_bits(f->leaf, f->reg) >> f->bit & 1;
}

/* Meltdown and L1TF: AMD's CPUs have neither, Intel's say so (RDCL_NO). */
static bool rdcl_safe(void)
{
	struct cpuid v = cpuid(0, 0);
	if (v.b == 0x68747541 || v.b == 0x6f677948)	/* "Auth"enticAMD, "Hygo"nGenuine */
		return true;
	return cpuid_bits(7, 'd') >> 29 & 1 && rdmsr(0x10a) & 1;
}

void cpu_features(void)
{
	cpu_cr4 = CR4_BASE;
	log_print("cpu:");
	for (const struct feature *f = features; f < features + FEATURES; f++) {
		bool has = have(f);
		log_print(" %s%s", has ? "" : "no-", f->name);
		if (!has && f->demanded)
			panic("without %s Virtue cannot run", f->name);
		if (f->flag)
			*f->flag = has;
		cpu_cr4 |= has ? f->cr4 : 0;
		cpu_features_abi |= has ? f->abi : 0;
	}
	log_print("\n");
	unsigned wide = 36;
	if (cpuid(0x80000000, 0).a >= 0x80000008)
		wide = cpuid(0x80000008, 0).a & 0xff;
	arch_pte_reserved = EXO_PTE_FRAME & ~((1ul << wide) - 1);
	arch_l1tf_safe = rdcl_safe();
	if (!arch_l1tf_safe)
		log_print("cpu: may have Meltdown and L1TF: isolation of domains is not claimed\n");
}

/* ---- regions ------------------------------------------------------------------------ */

static void map_region(unsigned number, uint64_t cpu_pages, uint64_t stacks)
{
	uint64_t base = PERCPU_BASE + number * (uint64_t)PERCPU_SIZE;
	memory_map(base, image_phys(syscall_stub), PAGE, 0);
	memory_map(base + PERCPU_STACK, cpu_pages, CPU_PAGES * PAGE, MAP_W | MAP_NX);
	for (unsigned i = 0; i < 4; i++)
		memory_map(base + ist_pages[i] * PAGE, stacks + i * PAGE, PAGE, MAP_W | MAP_NX);
}

static void fill_gdt(uint64_t *gdt, const struct tss *tss)
{
	uint64_t at = (uint64_t)tss, limit = sizeof *tss - 1;
	gdt[2] = 0x00af9b000000ffff;	/* kernel code */
	gdt[3] = 0x00cf93000000ffff;	/* kernel data */
	gdt[4] = 0x00cffb000000ffff;	/* user code, 32 bits */
	gdt[5] = 0x00cff3000000ffff;	/* user data */
	gdt[6] = 0x00affb000000ffff;	/* user code, 64 bits */
	gdt[TSS_SEL / 8] = 0x0000890000000000 | limit | (at & 0xffffff) << 16 | (at >> 24 & 0xff) << 56;
	gdt[TSS_SEL / 8 + 1] = at >> 32;
}

void cpu_region_make(unsigned number, uint32_t apic)
{
	uint64_t base = PERCPU_BASE + number * (uint64_t)PERCPU_SIZE;
	uint64_t gdt_at = GDT_BASE + number * (uint64_t)PERCPU_SIZE, frame = early_alloc(PAGE, PAGE);
	map_region(number, early_alloc(CPU_PAGES * PAGE, PAGE), early_alloc(4 * PAGE, PAGE));
	for (unsigned i = 0; i < GDT_ALIASES; i++)
		memory_map(gdt_at + i * PAGE, frame, PAGE, MAP_W | MAP_NX);
	struct cpu_arch *c = cpu_arch(cpu_at(number));
	c->core.number = number;
	c->core.stack_top = base + PERCPU_CPU;
	c->core.flushed = flush_clock;
	c->gdt = (uint64_t *)gdt_at;
	c->apic_id = apic;
	c->tss.rsp0 = base + PERCPU_CPU;
	for (unsigned i = 0; i < 4; i++)
		c->tss.ist[i] = base + (ist_pages[i] + 1) * PAGE;
	c->tss.iomap = __builtin_offsetof(struct tss, ports);
	__builtin_memset(c->tss.ports, 0xff, sizeof c->tss.ports);
	fill_gdt(c->gdt, &c->tss);
}

/* ---- descriptor tables ----------------------------------------------------------------- */

struct gate { uint16_t offset, selector; uint8_t ist, type; uint16_t offset_16; uint32_t offset_32, pad; };
_Static_assert(sizeof(struct gate) == 16, "gate");
struct table_pointer { uint16_t limit; uint64_t base; } __attribute__((packed));
static struct gate idt[256] __attribute__((aligned(4096)));

static void idt_load(void)
{
	struct table_pointer p = { sizeof idt - 1, (uint64_t)idt };
	__asm__ volatile("lidt %0" : : "m"(p));
}

/* The gate's former target. */
uint64_t gate_set(unsigned vector, uint64_t at)
{
	struct gate *g = &idt[vector];
	uint64_t old = g->offset | (uint64_t)g->offset_16 << 16 | (uint64_t)g->offset_32 << 32;
	g->offset = at;
	g->offset_16 = at >> 16;
	g->offset_32 = at >> 32;
	return old;
}

void idt_init(void)
{
	for (unsigned i = 0; i < 256; i++) {
		/* int3 and into are the user's to execute. */
		idt[i] = (struct gate){ .selector = KERNEL_CS, .type = i == 3 || i == 4 ? 0xee : 0x8e };
		gate_set(i, trap_stubs[i]);
	}
	idt_load();
}

void cpu_init(struct cpu_arch *c)
{
	struct table_pointer p = { GDT_ALIASES * PAGE - 1, (uint64_t)c->gdt };
	WRITE_CR(0, (READ_CR(0) | CR0_SET) & ~CR0_CLEAR);
	WRITE_CR(4, cpu_cr4);
	__asm__ volatile("lgdt %0\n"
		"push %1\n lea 1f(%%rip), %%rax\n push %%rax\n lretq\n"
		"1: mov %2, %%ss\n mov %3, %%ds\n mov %3, %%es\n mov %3, %%fs\n mov %3, %%gs\n ltr %4\n"
		"lldt %w3"	/* reset leaves an LDT at address 0, where user code can write gates */
		: : "m"(p), "i"(KERNEL_CS), "r"(KERNEL_DS), "r"(0), "r"((uint16_t)TSS_SEL) : "rax", "memory");
	for (unsigned i = 0; i < 4; i++)
		idt[ist_vectors[i]].ist = i + 1;
	idt_load();
	switch_init_cpu();
}

/* Descriptors 12-15: validated by segment_set. */
void arch_tls_load(const uint64_t tls[4])
{
	uint64_t *gdt = cpu_arch(this_cpu())->gdt;
	for (unsigned i = 0; i < 4; i++)
		gdt[GDT_TLS + i] = tls[i];
}

/* ---- I/O ports --------------------------------------------------------------------------- */

static void ports_set(struct tss *t, unsigned first, unsigned count, bool open)
{
	for (unsigned p = first; p < first + count && p < 0x10000; p++) {
		t->ports[p / 8] |= 1u << p % 8;
		t->ports[p / 8] ^= (unsigned)open << p % 8;
	}
}

static inline uint64_t word_at(const void *p)
{
	uint64_t word;
	__builtin_memcpy(&word, p, sizeof word);
	return word;
}

/* Opens the domain's I/O ports on the CPU. */
void ports_load(struct cpu_arch *c, const struct domain *d)
{
	uint64_t differ = 0;
	_Static_assert(sizeof c->ports == sizeof d->ports, "the same table");
	for (unsigned i = 0; i < DOMAIN_PORTS; i += 2)	/* a word at a time: every switch comes here */
		differ |= word_at(&c->ports[i]) ^ word_at(&d->ports[i]);
	if (!differ)
		return;
	for (unsigned i = 0; i < DOMAIN_PORTS; i++)
		ports_set(&c->tss, c->ports[i].first, c->ports[i].count, false);
	__builtin_memcpy(c->ports, d->ports, sizeof c->ports);
	for (unsigned i = 0; i < DOMAIN_PORTS; i++)
		ports_set(&c->tss, c->ports[i].first, c->ports[i].count, true);
}

/* Under the lock, which context switches hold too: on all CPUs, as one may run the domain that
 * lost the ports.  A CPU looks the bitmap up in memory at each access. */
void arch_ports_changed(void)
{
	for (unsigned i = 0; i < cpu_count; i++)
		if (cpu_at(i)->current)
			ports_load(cpu_arch(cpu_at(i)), domain_at(cpu_at(i)->current->domain));
}
