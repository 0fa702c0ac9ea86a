/* The power management registers of ACPI's fixed hardware (ACPI 6.4, 4.8): until ACPI is enabled
 * they belong to the firmware.  Power-off is up to who holds their ports. */
#include "drivers/io.h"
#include "drivers/acpi_pm.h"

#define SCI_EN		1u
#define TRIES		100000u		/* port reads, of about a microsecond each */

bool acpi_pm_take(uint16_t pm1a, uint16_t smi_port, uint8_t command)
{
	if (!smi_port || !command)
		return true;
	if (!(inw(pm1a) & SCI_EN))
		outb(smi_port, command);
	for (unsigned i = 0; i < TRIES; i++)
		if (inw(pm1a) & SCI_EN)
			return true;
	return false;
}
