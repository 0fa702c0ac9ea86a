/* The I/O APIC (Intel 82093AA): registers by index and data, two words for each line. */
#include "drivers/ioapic.h"

enum { INDEX = 0, DATA = 4 };			/* 32-bit registers */
enum { VERSION = 1, ENTRIES = 0x10 };		/* by index */

static void put(const struct ioapic *io, uint32_t index, uint32_t value)
{
	io->at[INDEX] = index;
	io->at[DATA] = value;
}

void ioapic_set(const struct ioapic *io, uint32_t gsi, uint32_t entry)
{
	put(io, ENTRIES + 2 * (gsi - io->gsi), entry);
}

bool ioapic_start(struct ioapic *io, volatile uint32_t *registers, uint32_t gsi, uint8_t apic_id)
{
	registers[INDEX] = VERSION;
	uint32_t version = registers[DATA];
	*io = (struct ioapic){ registers, gsi, version == ~0u ? 0 : (version >> 16 & 0xff) + 1 };
	for (uint32_t n = 0; n < io->lines; n++) {
		ioapic_set(io, gsi + n, IOAPIC_MASKED);
		put(io, ENTRIES + 2 * n + 1, (uint32_t)apic_id << 24);
	}
	return io->lines;
}
