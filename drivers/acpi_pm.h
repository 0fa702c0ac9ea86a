/* The power management registers of ACPI's fixed hardware. */
#ifndef DRIVERS_ACPI_PM_H
#define DRIVERS_ACPI_PM_H

#include <stdbool.h>
#include <stdint.h>

/* The firmware hands them over: control register PM1a, and port and command to ask by (0: it need
 * not be asked).  False: it doesn't. */
bool acpi_pm_take(uint16_t pm1a, uint16_t smi_port, uint8_t command);

#endif
