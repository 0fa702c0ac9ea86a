/* The 16550 serial port, output only, polled. */
#ifndef DRIVERS_UART16550_H
#define DRIVERS_UART16550_H

#include <stdbool.h>
#include <stdint.h>

#define UART_COM1 0x3f8

/* Finds the port and sets it to 115200 baud, 8N1, FIFOs on, no interrupts.  False: there is none. */
bool uart_init(uint16_t base);
/* False: it does not take the byte (in some milliseconds). */
bool uart_put(uint16_t base, char c);

#endif
