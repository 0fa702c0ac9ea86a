/* What the files of exo/arch that boot and drive the machine offer each other.
 *
 * The order of boot (main.c): log, boot information, memory, ACPI, CPUs, interrupts, clock,
 * other CPUs, frame table, first domain.  Memory that boot takes (early_alloc) is the
 * kernel's for good; memory_finish hands over the rest.
 */
#ifndef EXO_MACHINE_H
#define EXO_MACHINE_H

#include "exo/core/context.h"
#include "exo/arch/layout.h"
#include "drivers/io.h"

#define PAGE		4096ul
#define LARGE_PAGE	0x200000ul
#define GiB		(1ul << 30)

/* ---- vectors, and the ways in and out: entry.S, trap.c, switch.c -------- */

#define VEC_IRQ		0x30	/* GSI n arrives at VEC_IRQ + n, n < 32 */
#define VEC_MSI		0x50	/* PCI functions' messages: MSIS of them */
#define MSIS		16u
#define VEC_TIMER	0xf0	/* LAPIC timer */
#define VEC_KICK	0xf1	/* IPI: look for something to run, or for an event */
#define VEC_FLUSH	0xf2	/* IPI: the shootdown mailbox has something */
#define VEC_SPURIOUS	0xff

#define MSR_FS_BASE	0xc0000100u
#define MSR_GS_BASE	0xc0000101u
#define MSR_KGS_BASE	0xc0000102u

/* entry.S */
extern uint64_t trap_stubs[256];	/* gate targets by vector; IST for 1, 2, 8, 18 */
extern char syscall_stub[];		/* page-aligned; LSTAR = its alias in the per-CPU region */
extern char compat_stub[];		/* CSTAR: SYSCALL from 32-bit code on AMD: fails cleanly */
void schedule_forever(void) __attribute__((noreturn));	/* end of a CPU's boot */

/* trap.c: registers lie at stack_top - TRAP_FRAME */
#define TRAP_FRAME	176u		/* the first 22 words of struct exo_regs; struct cpu is behind them */
#define CPU_REGS(c)	((struct exo_regs *)((uint8_t *)(c) - TRAP_FRAME))
uint64_t switch_gate(struct cpu *c);	/* gate_call, as entry.S calls it */
void switch_init_cpu(void);		/* SYSCALL MSRs, XCR0: once per CPU */
extern uint32_t xsave_size;		/* bytes of the XSAVE image that contexts keep */

/* the rest of exo/arch */
void irq_eoi(void);
void irq_device(unsigned gsi);		/* masks the line, acknowledges, calls device_interrupt; lock held */
void flush_serve(void);			/* does what this CPU's shootdown mailbox asks, and acknowledges */
uint64_t ex_table_find(uint64_t rip);	/* the fix-up of a kernel instruction, 0 = none */
void panic_trap(const struct exo_regs *r, uint64_t cr2) __attribute__((noreturn));
void nmi_handle(const struct exo_regs *r);	/* stops this CPU if another one panics */

#define SMAP_SITE(what) __asm__ volatile("1: .byte 0x0f, 0x1f, %c0\n" \
	".pushsection .smap_sites, \"a\"\n.quad 1b\n.popsection" : : "i"(what) : "memory")

/* ---- instructions -------------------------------------------------------- */

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;
	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}
static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;
	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}
static inline void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}
struct cpuid { uint32_t a, b, c, d; };
static inline struct cpuid cpuid(uint32_t leaf, uint32_t sub)
{
	struct cpuid r;
	__asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(sub));
	return r;
}
#define READ_CR(n) ({ uint64_t v_; __asm__ volatile("mov %%cr" #n ", %0" : "=r"(v_)); v_; })
#define WRITE_CR(n, v) __asm__ volatile("mov %0, %%cr" #n : : "r"((uint64_t)(v)) : "memory")

void halt(void) __attribute__((noreturn));
void stack_switch(void (*f)(void), void *top) __attribute__((noreturn));	/* boot.S */

/* ---- log.c, panic.c ------------------------------------------------------- */

void log_init(void);
void log_quiet(void);			/* log=none: the ring only */
void log_vprint(const char *format, __builtin_va_list args);
extern bool panic_exit;			/* end QEMU by isa-debug-exit */
extern volatile bool panicking;		/* the log takes no lock any more */

/* ---- bootinfo.c ------------------------------------------------------------ */

struct range { uint64_t base, end; };
#define RANGES_MAX	128
struct ranges { unsigned count; struct range at[RANGES_MAX]; };
void ranges_add(struct ranges *r, uint64_t base, uint64_t end);
void ranges_remove(struct ranges *r, uint64_t base, uint64_t end);

struct boot_module { char name[16]; uint64_t base, size; };
#define BOOT_MODULES	8
struct boot_info {
	struct ranges ram;			/* whole frames, ascending, not overlapping */
	unsigned modules;
	struct boot_module module[BOOT_MODULES];
	uint8_t rsdp[36];			/* all zero: none */
	char cmdline[512];
};
extern struct boot_info boot_info;
void boot_info_read(uint32_t magic, uint64_t at);
bool boot_option(const char *word);	/* is it one of the command line? */

/* ---- memory.c --------------------------------------------------------------- */

#define MAP_W	EXO_PTE_W
#define MAP_NX	EXO_PTE_NX
#define MAP_DEVICE (EXO_PTE_PCD | EXO_PTE_PWT | EXO_PTE_W | EXO_PTE_NX)

extern char image_start[], rodata_start[], data_start[], image_end[];
static inline uint64_t image_phys(const void *p) { return (uint64_t)p - KERNEL_OFFSET; }

void memory_init(void);			/* the kernel's page tables */
uint64_t early_alloc(uint64_t size, uint64_t align);	/* zeroed; physical address */
void memory_map(uint64_t va, uint64_t pa, uint64_t size, uint64_t flags);
void *device_map(uint64_t pa, uint64_t size);
const void *firmware_map(uint64_t pa, uint64_t size);	/* tables, wherever they lie; NULL: no */
extern uint64_t kernel_root;		/* pfn of the kernel's own PML4 */
/* The frame table.  Afterwards nothing is allocated, and what is left is in memory_free. */
void memory_finish(void);
extern struct ranges memory_free, memory_data;	/* data: with the modules, for init to own */
/* Frames that a capability lets others read. */
struct export { const char *name; uint32_t pfn, count; };
#define EXPORTS_MAX	8
void export_add(const char *name, uint64_t pa, uint64_t size);
extern struct export exports[];
extern unsigned export_count;

/* ---- cpu.c -------------------------------------------------------------------- */

struct tss {
	uint32_t pad0;
	uint64_t rsp0, rsp1, rsp2, pad1, ist[7], pad2;
	uint16_t pad3, iomap;
	uint8_t ports[8193];		/* bit clear: the port may be used; the last byte is all ones */
} __attribute__((packed));

/* A page request that another CPU left here: see flush.c. */
struct mailbox { volatile uint32_t full; uint64_t va, pages; };

struct cpu_arch {
	struct cpu core;		/* first: this_cpu() */
	uint64_t *gdt;
	uint32_t apic_id;
	volatile uint32_t online;
	struct mailbox mailbox;
	struct { uint16_t first, count; } ports[DOMAIN_PORTS];	/* open in the TSS */
	struct tss tss __attribute__((aligned(64)));
};
static inline struct cpu_arch *cpu_arch(struct cpu *c) { return (struct cpu_arch *)c; }

void cpu_features(void);		/* finds, prints, demands */
void cpu_region_make(unsigned number, uint32_t apic_id);
void idt_init(void);			/* without stacks of its own, until the first cpu_init */
void ports_load(struct cpu_arch *c, const struct domain *d);	/* opens its I/O ports in the TSS */
void cpu_init(struct cpu_arch *c);	/* on that CPU: control registers, GDT, TSS, IDT */
extern bool cpu_has_smap, cpu_has_x2apic, cpu_has_tsc_deadline, cpu_is_virtual;
uint64_t gate_set(unsigned vector, uint64_t at);
void smap_test(void);			/* turns SMAP on where a user's IRETQ survives it */
extern uint64_t cpu_cr4;
extern uint64_t cpu_features_abi;	/* EXO_FEATURE_* */

/* ---- acpi.c --------------------------------------------------------------------- */

struct acpi_ioapic { uint64_t base; uint32_t gsi; };
struct acpi_irq { uint8_t gsi; bool low, level; };	/* of ISA irq i */
#define IOAPICS_MAX 8
struct acpi {
	unsigned cpus, ioapics;
	uint32_t cpu[CPUS_MAX];			/* APIC ids; the boot CPU is the first */
	struct acpi_ioapic ioapic[IOAPICS_MAX];
	struct acpi_irq irq[16];
	uint64_t lapic, hpet;			/* 0: none */
	uint64_t ecam;				/* PCIe's configuration space; 0: none */
	uint8_t ecam_first, ecam_last;		/* buses */
	uint32_t pm1a;				/* control port; 0: none */
	uint32_t s5;				/* SLP_TYPa of _S5_, ready to write; 0: not found */
};
extern struct acpi acpi;
void acpi_init(void);

/* ---- pci.c, disks.c ---------------------------------------------------------------- */

void pci_init(void);			/* drivers find their devices */
void irq_msi(unsigned n);		/* vector VEC_MSI + n; lock held */
bool pci_irq(unsigned gsi);		/* a line of the drivers'? lock held */
void disks_init(void);			/* brings up what they found */
void nets_init(void);			/* (nets.c) the same */

/* ---- apic.c, clock.c, smp.c, trace.c, init.c -------------------------------------- */

void apic_init(void);			/* maps the registers */
void apic_init_cpu(void);		/* on every CPU */
void irq_init(void);			/* lines of devices, all masked */
void apic_ipi(uint32_t id, uint32_t command);	/* ICR's low word */
#define IPI_NMI		0x4400u
#define IPI_INIT	0xc500u
#define IPI_STARTUP	0x4600u
uint32_t apic_timer_count(void);
void apic_timer_start(uint32_t count);

void clock_init(void);
void timer_fired(void);			/* this CPU's, before it is armed anew */
void clock_publish(void);		/* the clock page, once cpu_count is known */
void wait_us(unsigned us);

void smp_init(void);			/* starts the other CPUs: they wait for smp_release */
void smp_release(void);
void flush_local(uint64_t va, uint64_t pages);

#define TRACE_FRAMES	64	/* of a CPU */
void trace_init(unsigned cpus);

void init_create(void);			/* the first domain, from the module `init` */

#endif
