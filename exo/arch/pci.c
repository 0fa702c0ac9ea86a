/* PCI and PCIe: finds functions, hands them to the drivers that know them, and turns bus mastering
 * off on the others.  Registers by ECAM where ACPI tells of it, else by ports CF8 and CFC.
 *
 * Buses are numbered and memory is assigned by the firmware; a function without is left alone.
 * Interrupts go to the boot CPU: MSI-X, MSI, or the line that the firmware wrote down (there is no
 * interpreter for ACPI's routing tables, so disks on a line are polled as well).
 */
#include "exo/arch/machine.h"
#include "drivers/pci.h"

#define ADDRESS		0xcf8
#define DATA		0xcfc
#define ENABLE		0x80000000u
#define BUS_SIZE	0x100000u	/* of ECAM */

enum { ID = 0, COMMAND = 4, CLASS = 8, HEADER = 12, BAR = 0x10, BUSES = 0x18, CAPS = 0x34, LINE = 0x3c };
#define MEMORY		2u		/* of the command register */
#define MASTER		4u
#define NO_INTX		0x400u
#define HAS_CAPS	0x100000u	/* of the status register, above it */
#define NETWORK		0x02u		/* class */
#define MSI_ADDRESS	0xfee00000u

/* ---- registers ------------------------------------------------------------- */

static volatile uint8_t *bus_at[256];	/* NULL: by ports */

static volatile uint32_t *ecam(const struct pci_function *f, unsigned at)
{
	volatile uint8_t *bus = bus_at[f->bus];
	return bus ? (volatile uint32_t *)(bus + ((unsigned)f->device << 12) + at) : NULL;
}

static void port_select(const struct pci_function *f, unsigned at)
{
	outl(ADDRESS, ENABLE | f->bus << 16 | f->device << 8 | at);
}

uint32_t pci_read(const struct pci_function *f, unsigned at)
{
	volatile uint32_t *r = ecam(f, at);
	if (r)
		return *r;
	port_select(f, at);
	return inl(DATA);
}

void pci_write(const struct pci_function *f, unsigned at, uint32_t value)
{
	volatile uint32_t *r = ecam(f, at);
	if (r) {
		*r = value;
		return;
	}
	port_select(f, at);
	outl(DATA, value);
}

static void bus_map(unsigned bus)
{
	if (acpi.ecam && bus >= acpi.ecam_first && bus <= acpi.ecam_last)
		bus_at[bus] = device_map(acpi.ecam + (bus - acpi.ecam_first) * BUS_SIZE, BUS_SIZE);
}

/* The status register's bits are cleared by ones. */
static void command_set(const struct pci_function *f, uint32_t clear, uint32_t set)
{
	pci_write(f, COMMAND, ((pci_read(f, COMMAND) & 0xffff) & ~clear) | set);
}

void pci_master(const struct pci_function *f, bool on)
{
	command_set(f, MASTER, on ? MASTER | MEMORY : NO_INTX);
}

unsigned pci_capability(const struct pci_function *f, unsigned id, unsigned after)
{
	if (!(pci_read(f, COMMAND) & HAS_CAPS))
		return 0;
	unsigned at = after ? pci_read(f, after) >> 8 & 0xfc : pci_read(f, CAPS) & 0xfc;
	for (unsigned i = 0; at >= 0x40 && i < 48; i++) {
		uint32_t v = pci_read(f, at);
		if ((v & 0xff) == id)
			return at;
		at = v >> 8 & 0xfc;
	}
	return 0;
}

/* ---- memory ------------------------------------------------------------------- */

static uint64_t bar_size(const struct pci_function *f, unsigned at, bool wide)
{
	uint32_t low = pci_read(f, at), high = wide ? pci_read(f, at + 4) : ~0u;
	command_set(f, MEMORY, 0);
	pci_write(f, at, ~0u);
	if (wide)
		pci_write(f, at + 4, ~0u);
	uint64_t mask = (pci_read(f, at) & ~15u) | (uint64_t)(wide ? pci_read(f, at + 4) : ~0u) << 32;
	pci_write(f, at, low);
	if (wide)
		pci_write(f, at + 4, high);
	command_set(f, 0, MEMORY);
	return -mask;
}

volatile void *pci_bar(const struct pci_function *f, unsigned n, uint64_t offset, uint64_t size)
{
	unsigned at = BAR + 4 * n;
	if (n > 5)
		return NULL;
	uint32_t low = pci_read(f, at);
	bool wide = (low & 6) == 4 && n < 5;
	uint64_t base = (low & ~15u) | (wide ? (uint64_t)pci_read(f, at + 4) << 32 : 0);
	if (low & 1 || !base)
		return NULL;
	uint64_t all = bar_size(f, at, wide);
	return offset < all && size <= all - offset ? device_map(base + offset, size) : NULL;
}

/* ---- interrupts ------------------------------------------------------------------ */

static struct handler { void (*fn)(void *); void *arg; uint8_t gsi; } handlers[MSIS];
static unsigned handler_count;

static bool msix_set(const struct pci_function *f, unsigned vector)
{
	unsigned cap = pci_capability(f, PCI_CAP_MSIX, 0);
	if (!cap)
		return false;
	uint32_t table = pci_read(f, cap + 4);
	volatile uint32_t *entry = pci_bar(f, table & 7, table & ~7u, 16);
	if (!entry)
		return false;
	entry[0] = MSI_ADDRESS | acpi.cpu[0] << 12;
	entry[1] = 0;
	entry[2] = vector;
	entry[3] = 0;
	pci_write(f, cap, (pci_read(f, cap) & ~0x40000000u) | 0x80000000u);
	return true;
}

static bool msi_set(const struct pci_function *f, unsigned vector)
{
	unsigned cap = pci_capability(f, PCI_CAP_MSI, 0);
	if (!cap)
		return false;
	uint32_t control = pci_read(f, cap);
	bool wide = control & 0x800000;
	pci_write(f, cap + 4, MSI_ADDRESS | acpi.cpu[0] << 12);
	if (wide)
		pci_write(f, cap + 8, 0);
	pci_write(f, cap + (wide ? 12 : 8), vector);
	pci_write(f, cap, (control & ~0x700000u) | 0x10000);	/* one message, on */
	return true;
}

bool pci_interrupt(const struct pci_function *f, void (*fn)(void *), void *arg)
{
	unsigned line = pci_read(f, LINE) & 0xff, n = handler_count;
	if (n == MSIS)
		return false;
	handlers[handler_count++] = (struct handler){ fn, arg, 0 };
	if (acpi.cpu[0] < 256 && !boot_option("nomsi") &&
	    (msix_set(f, VEC_MSI + n) || msi_set(f, VEC_MSI + n))) {
		command_set(f, 0, NO_INTX);
		return true;
	}
	if (line && line < 32) {
		handlers[n].gsi = line;
		command_set(f, NO_INTX, 0);
		arch_irq_unmask(line);
	}
	return false;
}

void pci_line_off(const struct pci_function *f) { command_set(f, 0, NO_INTX); }

void irq_msi(unsigned n)
{
	if (handlers[n].fn)
		handlers[n].fn(handlers[n].arg);
}

bool pci_irq(unsigned gsi)
{
	bool ours = false;
	for (unsigned i = 0; i < handler_count; i++)
		if (gsi && handlers[i].gsi == gsi) {
			handlers[i].fn(handlers[i].arg);
			ours = true;
		}
	return ours;
}

/* ---- functions ---------------------------------------------------------------------- */

static pci_probe_fn *const drivers[] = { virtio_blk_probe, ahci_probe, nvme_probe, e1000_probe,
	virtio_net_probe };
static uint64_t buses[4];		/* to be looked at: a bit each */

static bool taken(const struct pci_function *f)
{
	for (unsigned i = 0; i < sizeof drivers / sizeof drivers[0]; i++)
		if (drivers[i](f))
			return true;
	return false;
}

/* What the firmware may still need: bridges, and USB controllers that play a keyboard. */
static bool spared(uint32_t class)
{
	return class >> 16 == 0x06 || class >> 8 == 0x0c03;
}

/* False: there is none. */
static bool function_look(uint8_t bus, uint8_t device)
{
	struct pci_function f = { .bus = bus, .device = device };
	uint32_t id = pci_read(&f, ID);
	if (id == ~0u || !id)
		return false;
	f.vendor = id;
	f.id = id >> 16;
	f.class = pci_read(&f, CLASS) >> 8;
	unsigned kind = pci_read(&f, HEADER) >> 16 & 0x7f;
	if (kind == 1) {		/* a bridge: what is behind has a higher number */
		unsigned behind = pci_read(&f, BUSES) >> 8 & 0xff;
		if (behind > bus)
			buses[behind / 64] |= 1ul << behind % 64;
	} else if (!kind && !taken(&f) && !spared(f.class)) {
		pci_master(&f, false);
		if (f.class >> 16 == NETWORK)
			log_print("net: no driver for the card %x:%x: left alone\n", f.vendor, f.id);
	}
	return true;
}

static void bus_look(unsigned bus)
{
	bus_map(bus);
	for (unsigned d = 0; d < 256; d += 8) {
		struct pci_function first = { .bus = bus, .device = d };
		if (!function_look(bus, d) || !(pci_read(&first, HEADER) & 0x800000))
			continue;
		for (unsigned i = 1; i < 8; i++)
			function_look(bus, d + i);
	}
}

void pci_init(void)
{
	buses[0] = 1;
	for (unsigned bus = 0; bus < 256; bus++)
		if (buses[bus / 64] >> bus % 64 & 1)
			bus_look(bus);
}
