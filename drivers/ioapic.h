/* The I/O APIC: interrupt lines of devices, and what becomes of them. */
#ifndef DRIVERS_IOAPIC_H
#define DRIVERS_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

struct ioapic { volatile uint32_t *at; uint32_t gsi, lines; };	/* its first line is that GSI */

#define IOAPIC_LOW	0x2000u		/* active low */
#define IOAPIC_LEVEL	0x8000u		/* level-triggered */
#define IOAPIC_MASKED	0x10000u

/* Masks all its lines, and sends them to that CPU.  False: it does not answer. */
bool ioapic_start(struct ioapic *io, volatile uint32_t *registers, uint32_t gsi, uint8_t apic_id);
/* entry: the vector and flags. */
void ioapic_set(const struct ioapic *io, uint32_t gsi, uint32_t entry);

#endif
