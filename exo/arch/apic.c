/* Interrupts: the local APIC (or x2APIC where the CPU has it), and the lines of devices, by
 * IOAPICs (drivers/ioapic.c).
 *
 * Every IOAPIC line is masked until the holder of its device asks for it, and again from
 * its delivery until the holder acknowledges it.
 */
#include "exo/arch/machine.h"
#include "exo/core/device.h"
#include "drivers/ioapic.h"
#include "drivers/pic8259.h"

/* Local APIC registers: offset in the page; >> 4 + 0x800 is the MSR of x2APIC. */
#define LAPIC_TPR	0x80
#define LAPIC_EOI	0xb0
#define LAPIC_SPURIOUS	0xf0
#define LAPIC_ICR	0x300
#define LAPIC_ICR_HIGH	0x310
#define LAPIC_TIMER	0x320
#define LAPIC_LINT0	0x350
#define LAPIC_LINT1	0x360
#define LAPIC_ERROR	0x370
#define LAPIC_INITIAL	0x380
#define LAPIC_COUNT	0x390
#define LAPIC_DIVIDE	0x3e0
#define LVT_MASKED	0x10000u
#define LVT_NMI		0x400u
#define LVT_DEADLINE	0x40000u
#define ICR_PENDING	0x1000u
#define DIVIDE_1	0xbu
#define MSR_APIC_BASE	0x1bu
#define APIC_ENABLED	0x800ul
#define APIC_X2		0x400ul
#define IPI_TRIES	1000000u

static volatile uint32_t *lapic;

static uint32_t lapic_read(unsigned reg)
{
	return cpu_has_x2apic ? (uint32_t)rdmsr(0x800 + (reg >> 4)) : lapic[reg / 4];
}

static void lapic_write(unsigned reg, uint32_t v)
{
	if (cpu_has_x2apic)
		wrmsr(0x800 + (reg >> 4), v);
	else
		lapic[reg / 4] = v;
}

void apic_init(void)
{
	if (!cpu_has_x2apic)
		lapic = device_map(acpi.lapic, PAGE);
}

void apic_init_cpu(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) | APIC_ENABLED;
	wrmsr(MSR_APIC_BASE, base);
	if (cpu_has_x2apic)
		wrmsr(MSR_APIC_BASE, base | APIC_X2);
	lapic_write(LAPIC_TPR, 0);
	lapic_write(LAPIC_LINT0, LVT_MASKED);
	lapic_write(LAPIC_LINT1, LVT_NMI);
	lapic_write(LAPIC_ERROR, LVT_MASKED);
	lapic_write(LAPIC_DIVIDE, DIVIDE_1);
	lapic_write(LAPIC_TIMER, VEC_TIMER | (cpu_has_tsc_deadline ? LVT_DEADLINE : 0));
	lapic_write(LAPIC_SPURIOUS, 0x100 | VEC_SPURIOUS);
}

void irq_eoi(void) { lapic_write(LAPIC_EOI, 0); }

void apic_ipi(uint32_t id, uint32_t command)
{
	if (cpu_has_x2apic) {
		__asm__ volatile("mfence; lfence" : : : "memory");
		wrmsr(0x800 + (LAPIC_ICR >> 4), (uint64_t)id << 32 | command);
		return;
	}
	if (!lapic)
		return;
	for (unsigned i = 0; lapic_read(LAPIC_ICR) & ICR_PENDING && i < IPI_TRIES; i++)
		pause();
	lapic_write(LAPIC_ICR_HIGH, id << 24);
	lapic_write(LAPIC_ICR, command);
}

uint32_t apic_timer_count(void) { return lapic_read(LAPIC_COUNT); }
void apic_timer_start(uint32_t count) { lapic_write(LAPIC_INITIAL, count); }

/* ---- IOAPICs --------------------------------------------------------------------- */

#define GSIS		32u		/* with a vector: VEC_IRQ + n */

static struct ioapic ioapics[IOAPICS_MAX];

static uint32_t entry_flags(unsigned gsi)
{
	for (unsigned i = 0; i < 16; i++)
		if (acpi.irq[i].gsi == gsi)
			return (acpi.irq[i].low ? IOAPIC_LOW : 0) | (acpi.irq[i].level ? IOAPIC_LEVEL : 0);
	return IOAPIC_LOW | IOAPIC_LEVEL;	/* PCI */
}

static void line_set(unsigned gsi, uint32_t masked)
{
	for (struct ioapic *io = ioapics; io < ioapics + acpi.ioapics && gsi < GSIS; io++)
		if (gsi >= io->gsi && gsi - io->gsi < io->lines)
			ioapic_set(io, gsi, (VEC_IRQ + gsi) | entry_flags(gsi) | masked);
}

/* Interrupts go to the boot CPU. */
void irq_init(void)
{
	pic_silence();
	for (unsigned i = 0; i < acpi.ioapics; i++)
		if (!ioapic_start(&ioapics[i], device_map(acpi.ioapic[i].base, PAGE), acpi.ioapic[i].gsi,
				acpi.cpu[0]))
			log_print("IOAPIC at %lx does not answer\n", acpi.ioapic[i].base);
}

void irq_device(unsigned gsi)
{
	if (!pci_irq(gsi))
		line_set(gsi, IOAPIC_MASKED);
	device_interrupt(gsi);
}

void arch_irq_unmask(unsigned gsi)
{
	line_set(gsi, 0);
}
