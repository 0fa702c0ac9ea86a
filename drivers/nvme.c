#include "drivers/block.h"
#include "drivers/pci.h"
bool nvme_probe(const struct pci_function *f) { (void)f; return false; }
