/* The model's CPUs from inside, for its own files. */
#ifndef HOST_MODEL_CPU_H
#define HOST_MODEL_CPU_H

#include "tests/host/model.h"

#define TLB_ENTRIES	64u
#define PSC_ENTRIES	32u

struct translation {
	bool valid, large, writable, dirty, nx;
	uint32_t owner;		/* domain whose root gave it */
	uint64_t va, pfn;
};
struct structure {		/* a paging-structure cache's entry */
	bool valid, writable, nx;
	unsigned level;		/* of the table it points to */
	uint32_t owner;
	uint64_t prefix, pfn;
};
struct machine_cpu {
	struct cpu cpu;
	struct exo_regs regs;
	struct translation tlb[TLB_ENTRIES];
	struct structure psc[PSC_ENTRIES];
	bool kicked;
	uint64_t timer, tls[4];
};

extern struct machine_cpu cpus[MODEL_CPUS];
extern unsigned here;			/* the one that runs the kernel */

void flush_all(struct machine_cpu *m);

#endif
