/* Interrupt controllers: the local APIC (or x2APIC where the CPU has it), IOAPICs, and
 * the 8259s, which are only silenced.
 *
 * Every IOAPIC line is masked until the holder of its device asks for it, and again from
 * its delivery until the holder acknowledges it.
 */
#include "exo/arch/machine.h"
#include "exo/core/device.h"

/* Local APIC registers: offset in the page; >> 4 + 0x800 is the MSR of x2APIC. */
#define LAPIC_ID	0x20
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
#define APIC_ENABLED	0x800u
#define APIC_X2		0x400u
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

/* Moves them out of the exceptions' way, and masks them. */
static void pic_silence(void)
{
	static const uint8_t words[4][2] = { { 0x11, 0x11 }, { 0x20, 0x28 }, { 4, 2 }, { 1, 1 } };
	outb(0x20, words[0][0]);
	outb(0xa0, words[0][1]);
	for (unsigned i = 1; i < 4; i++) {
		outb(0x21, words[i][0]);
		outb(0xa1, words[i][1]);
	}
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

void apic_init(void)
{
	pic_silence();
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

uint32_t apic_id(void)
{
	uint32_t id = lapic_read(LAPIC_ID);
	return cpu_has_x2apic ? id : id >> 24;
}

void irq_eoi(void)
{
	lapic_write(LAPIC_EOI, 0);
}

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

#define IOAPIC_VERSION	1
#define IOAPIC_ENTRY(n)	(0x10 + 2 * (n))
#define ENTRY_LOW	0x2000u
#define ENTRY_LEVEL	0x8000u
#define ENTRY_MASKED	0x10000u
#define GSIS		32u		/* with a vector: VEC_IRQ + n */

struct ioapic { volatile uint32_t *at; uint32_t gsi, lines; };
static struct ioapic ioapics[8];

static uint32_t ioapic_read(const struct ioapic *io, unsigned reg)
{
	io->at[0] = reg;
	return io->at[4];
}

static void ioapic_write(const struct ioapic *io, unsigned reg, uint32_t v)
{
	io->at[0] = reg;
	io->at[4] = v;
}

static const struct ioapic *ioapic_of(unsigned gsi)
{
	for (unsigned i = 0; i < acpi.ioapics; i++)
		if (gsi >= ioapics[i].gsi && gsi - ioapics[i].gsi < ioapics[i].lines)
			return &ioapics[i];
	return NULL;
}

static uint32_t entry_flags(unsigned gsi)
{
	for (unsigned i = 0; i < 16; i++)
		if (acpi.irq[i].gsi == gsi)
			return (acpi.irq[i].low ? ENTRY_LOW : 0) | (acpi.irq[i].level ? ENTRY_LEVEL : 0);
	return ENTRY_LOW | ENTRY_LEVEL;		/* PCI */
}

static void line_set(unsigned gsi, bool masked)
{
	const struct ioapic *io = ioapic_of(gsi);
	if (io && gsi < GSIS)
		ioapic_write(io, IOAPIC_ENTRY(gsi - io->gsi),
			(VEC_IRQ + gsi) | entry_flags(gsi) | (masked ? ENTRY_MASKED : 0));
}

/* All lines masked; those with a vector are sent to the boot CPU. */
void ioapic_init(void)
{
	for (unsigned i = 0; i < acpi.ioapics; i++) {
		struct ioapic *io = &ioapics[i];
		io->at = device_map(acpi.ioapic[i].base, PAGE);
		io->gsi = acpi.ioapic[i].gsi;
		uint32_t version = ioapic_read(io, IOAPIC_VERSION);
		io->lines = version == ~0u ? 0 : (version >> 16 & 0xff) + 1;
		if (!io->lines)
			log_print("IOAPIC at %lx does not answer\n", acpi.ioapic[i].base);
		for (unsigned n = 0; n < io->lines; n++) {
			ioapic_write(io, IOAPIC_ENTRY(n), ENTRY_MASKED);
			ioapic_write(io, IOAPIC_ENTRY(n) + 1, acpi.cpu[0] << 24);
		}
	}
}

void irq_device(unsigned gsi)
{
	line_set(gsi, true);
	device_interrupt(gsi);
}

void arch_irq_unmask(unsigned gsi)
{
	line_set(gsi, false);
}
