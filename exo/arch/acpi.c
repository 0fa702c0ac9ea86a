/* What the firmware's ACPI tables say about CPUs, interrupt controllers, timers and power.
 *
 * RSDP -> XSDT (or RSDT where there is none) -> MADT, FADT with DSDT, HPET, MCFG.  Every length is
 * checked against the table's, every table by its checksum; a bad table counts as absent and
 * is named.  Nothing here interprets AML, but for finding the package _S5_.
 */
#include "exo/arch/machine.h"
#include "drivers/acpi_pm.h"

#define TABLE_MAX	0x1000000u
#define SLP_EN		0x2000u

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char ids[26];
} __attribute__((packed));
_Static_assert(sizeof(struct header) == 36, "ACPI table header");

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt, length;
	uint64_t xsdt;
	uint8_t checksum_all, pad[3];
} __attribute__((packed));

struct acpi acpi = { .lapic = 0xfee00000, .cpus = 1 };

/* Tables are not aligned: fields are copied out. */
#define FIELD(type, base, offset) \
	({ type v_; __builtin_memcpy(&v_, (const uint8_t *)(base) + (offset), sizeof v_); v_; })

static bool sum_ok(const void *p, size_t n)
{
	uint8_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += ((const uint8_t *)p)[i];
	return !sum;
}

/* NULL: not there, not this one, or damaged. */
static const struct header *table_at(uint64_t pa, const char *signature)
{
	const struct header *h = firmware_map(pa, sizeof *h);
	if (!h || __builtin_memcmp(h->signature, signature, 4))
		return NULL;
	if (h->length >= sizeof *h && h->length <= TABLE_MAX && firmware_map(pa, h->length) &&
	    sum_ok(h, h->length))
		return h;
	log_print("ACPI: table %s at %lx is damaged\n", signature, pa);
	return NULL;
}

static const struct header *table_find(const struct header *root, const char *signature)
{
	const struct header *h = NULL;
	unsigned width = root->signature[0] == 'X' ? 8 : 4;
	for (uint32_t at = sizeof *root; !h && at + width <= root->length; at += width)
		h = table_at(width == 8 ? FIELD(uint64_t, root, at) : FIELD(uint32_t, root, at), signature);
	return h;
}

static const struct header *root_table(void)
{
	const struct rsdp *r = (const struct rsdp *)boot_info.rsdp;
	if (__builtin_memcmp(r->signature, "RSD PTR ", 8) || !sum_ok(r, 20))
		return NULL;
	if (r->revision >= 2 && r->xsdt && sum_ok(r, sizeof *r))
		return table_at(r->xsdt, "XSDT");
	return table_at(r->rsdt, "RSDT");
}

/* ---- MADT --------------------------------------------------------------------- */

enum { MADT_LAPIC, MADT_IOAPIC, MADT_OVERRIDE, MADT_X2APIC = 9 };
#define MADT_ENTRIES	44u

static void add_cpu(uint32_t id, uint32_t flags)
{
	if (!(flags & 1) || id == acpi.cpu[0])	/* not enabled; the boot CPU is there already */
		return;
	for (unsigned i = 1; i < acpi.cpus; i++)
		if (acpi.cpu[i] == id)
			return;
	if (acpi.cpus == CPUS_MAX || (id > 0xff && !cpu_has_x2apic))
		log_print("ACPI: the CPU with APIC id %u is not used\n", id);
	else
		acpi.cpu[acpi.cpus++] = id;
}

static void add_ioapic(uint32_t base, uint32_t gsi)
{
	if (acpi.ioapics < IOAPICS_MAX)
		acpi.ioapic[acpi.ioapics++] = (struct acpi_ioapic){ base, gsi };
}

/* Polarity and trigger: 0 = as the bus has it; ISA: high, edge. */
static void add_override(unsigned irq, uint32_t gsi, uint16_t flags)
{
	if (irq < 16 && gsi < 32)
		acpi.irq[irq] = (struct acpi_irq){ gsi, (flags & 3) == 3, (flags >> 2 & 3) == 3 };
}

static void read_madt_entry(const uint8_t *e, unsigned length)
{
	static const uint8_t lengths[] = {
		[MADT_LAPIC] = 8, [MADT_IOAPIC] = 12, [MADT_OVERRIDE] = 10, [MADT_X2APIC] = 16,
	};
	if (e[0] >= sizeof lengths || length < lengths[e[0]])
		return;
	switch (e[0]) {
	case MADT_LAPIC:
		add_cpu(e[3], FIELD(uint32_t, e, 4));
		break;
	case MADT_X2APIC:
		add_cpu(FIELD(uint32_t, e, 4), FIELD(uint32_t, e, 8));
		break;
	case MADT_IOAPIC:
		add_ioapic(FIELD(uint32_t, e, 4), FIELD(uint32_t, e, 8));
		break;
	case MADT_OVERRIDE:
		add_override(e[3], FIELD(uint32_t, e, 4), FIELD(uint16_t, e, 8));
	}
}

static void read_madt(const struct header *h)
{
	const uint8_t *p = (const uint8_t *)h;
	if (h->length < MADT_ENTRIES)
		return;
	acpi.lapic = FIELD(uint32_t, p, 36);
	for (uint32_t at = MADT_ENTRIES, length; at + 2 <= h->length; at += length) {
		length = p[at + 1];
		if (length < 2 || length > h->length - at) {
			log_print("ACPI: MADT entry at %u has a bad length\n", at);
			return;
		}
		read_madt_entry(p + at, length);
	}
}

/* ---- FADT, DSDT, HPET ----------------------------------------------------------- */

/* Name(_S5_, Package(n) { SLP_TYPa, ... }): 08 [5c] "_S5_" 12 PkgLength n [0a] value. */
static void find_s5(const struct header *dsdt)
{
	const uint8_t *p = (const uint8_t *)dsdt;
	for (uint32_t i = sizeof *dsdt + 2; i + 12 < dsdt->length; i++) {
		if (__builtin_memcmp(p + i, "_S5_", 4) || p[i + 4] != 0x12)
			continue;
		if (p[i - 1] != 0x08 && !(p[i - 1] == 0x5c && p[i - 2] == 0x08))
			continue;
		uint32_t at = i + 5 + (p[i + 5] >> 6) + 1 + 1;	/* behind PkgLength and the count */
		if (at + 1 >= dsdt->length)
			return;
		uint8_t type = p[at] == 0x0a ? p[at + 1] : p[at];
		acpi.s5 = (type & 7u) << 10 | SLP_EN;
		return;
	}
}

static void read_fadt(const struct header *h)
{
	if (h->length < 116)
		return;
	uint64_t dsdt = FIELD(uint32_t, h, 40);
	if (h->length >= 148 && FIELD(uint64_t, h, 140))
		dsdt = FIELD(uint64_t, h, 140);
	if (FIELD(uint32_t, h, 64) > 0xfffe)
		return;
	acpi.pm1a = FIELD(uint32_t, h, 64);
	if (acpi.pm1a && !acpi_pm_take(acpi.pm1a, FIELD(uint32_t, h, 48), FIELD(uint8_t, h, 52)))
		log_print("ACPI: the firmware does not hand over power management\n");
	const struct header *d = table_at(dsdt, "DSDT");
	if (d)
		find_s5(d);
}

/* The first segment group, if it is number 0. */
static void read_mcfg(const uint8_t *p)
{
	if (FIELD(uint16_t, p, 52))
		return;
	acpi.ecam = FIELD(uint64_t, p, 44);
	acpi.ecam_first = p[54];
	acpi.ecam_last = p[55];
}

void acpi_init(void)
{
	for (unsigned i = 0; i < 16; i++)
		acpi.irq[i] = (struct acpi_irq){ .gsi = i };
	acpi.cpu[0] = cpuid(1, 0).b >> 24;
	const struct header *root = root_table(), *h;
	if (!root) {
		log_print("ACPI: no tables: one CPU, no power-off\n");
		add_ioapic(0xfec00000, 0);
		return;
	}
	if ((h = table_find(root, "APIC")))
		read_madt(h);
	if ((h = table_find(root, "FACP")))
		read_fadt(h);
	if ((h = table_find(root, "HPET")) && h->length >= 56)
		acpi.hpet = FIELD(uint64_t, h, 44);
	if ((h = table_find(root, "MCFG")) && h->length >= 60)
		read_mcfg((const uint8_t *)h);
	log_print("ACPI: %u CPUs, %u IOAPICs%s%s\n", acpi.cpus, acpi.ioapics, acpi.hpet ? ", HPET" : "", acpi.s5 && acpi.pm1a ? ", power-off" : "");
}
