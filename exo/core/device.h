/* The table of devices that boot found and that a capability may name. */
#ifndef EXO_DEVICE_H
#define EXO_DEVICE_H

#include "context.h"

#define DEVICES_MAX	16

struct device {
	uint16_t port, port_count;	/* I/O ports; count 0: none */
	bool has_irq;
	uint8_t gsi;
	uint32_t ports_owner;		/* the domain whose contexts may use the ports */
	struct cap_ref event;		/* told of interrupts */
	uint64_t bits;
};

unsigned device_add(const struct device *dev);	/* its number, for a capability's aux */
void device_interrupt(unsigned gsi);		/* the line was masked; lock held */

#endif
