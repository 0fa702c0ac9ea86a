/* What a driver sees of PCI (exo/arch/pci.c): its function's registers, memory and interrupt. */
#ifndef DRIVERS_PCI_H
#define DRIVERS_PCI_H

#include <stdbool.h>
#include <stdint.h>

struct pci_function {
	uint8_t bus, device;		/* device: number << 3 | function */
	uint16_t vendor, id;
	uint32_t class;			/* class << 16 | subclass << 8 | interface */
};

enum { PCI_CAP_MSI = 5, PCI_CAP_VENDOR = 9, PCI_CAP_MSIX = 17 };

void pci_line_off(const struct pci_function *f);	/* its INTx line, for good */
uint32_t pci_read(const struct pci_function *f, unsigned at);	/* 32 bits, aligned */
void pci_write(const struct pci_function *f, unsigned at, uint32_t value);
/* The next capability of that kind behind `after` (0: the first): where it is; 0: none. */
unsigned pci_capability(const struct pci_function *f, unsigned id, unsigned after);

/* While probing: */
/* Memory of base address register n, from `offset` on, of that size, mapped uncached; NULL: it has
 * no such memory. */
volatile void *pci_bar(const struct pci_function *f, unsigned n, uint64_t offset, uint64_t size);
void pci_master(const struct pci_function *f, bool on);	/* may it reach memory?  off: nor interrupt */
/* Connects its interrupt: the first entry of MSI-X, or MSI, or INTx.  False: there is none. */
bool pci_interrupt(const struct pci_function *f, void (*handler)(void *), void *arg);

/* A driver: takes the function if it is one of its kind. */
typedef bool pci_probe_fn(const struct pci_function *f);
pci_probe_fn virtio_blk_probe, ahci_probe, nvme_probe, e1000_probe, virtio_net_probe;

#endif
