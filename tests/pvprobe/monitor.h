/* What the monitor's files share. */
#ifndef PROBE_MONITOR_H
#define PROBE_MONITOR_H

#include "tests/guest/part.h"
#include "tests/guest/report.h"
#include "tests/pvprobe/probe.h"

extern uint64_t monitor_root;	/* pfn of the first K root */

/* The guest kernel's own instructions that ring 3 cannot do: stores to page tables (which are
 * mapped read-only) and WRMSR of the GS bases.  False: it is something else. */
bool emulate(struct upcall_regs *r);
void smash_test(void);

#endif
