#include "drivers/block.h"
#include "drivers/pci.h"
bool ahci_probe(const struct pci_function *f) { (void)f; return false; }
