/* The counters of a VM's life (--stats), on standard error when it ends: times, frames, traps and
 * hypercalls of all vCPUs together. */
#include "libos/vmm/run.h"
#include "libos/common/common.h"

static const char *const names[STATS] = {
	[STAT_SYSCALL] = "system calls", [STAT_FAULT] = "page faults",
	[STAT_EXCEPTION] = "exceptions",
	[STAT_CALLBACK] = "event callbacks", [STAT_HYPERCALL] = "hypercalls",
	[STAT_IRET_USER] = "irets to user",
	[STAT_DIRECT] = "hypercalls past the kernel", [STAT_IRET_KERNEL] = "irets to kernel",
	[STAT_STORE] = "emulated stores", [STAT_PRIVILEGED] = "privileged instructions",
	[STAT_CPUID] = "cpuids", [STAT_EVENT] = "kernel events", [STAT_BLOCK] = "blocks",
};

static uint64_t count_of(enum stat s)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < vm.vcpus; i++)
		n += vm.vcpu[i]->count[s];
	return n;
}

static uint64_t calls_of(unsigned number)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < vm.vcpus; i++)
		n += vm.vcpu[i]->calls[number];
	return n;
}

void stats_tell(void)
{
	uint64_t used = frames_owned() - vm.pages - frames_left(), now = time_now();
	proxy_printf(2, "vmm: made in %lu ms, ran %lu ms\n", (vm.made - vm.begun) / NS_PER_MS,
		(now - vm.made) / NS_PER_MS);
	proxy_printf(2, "vmm: frames: guest %lu, monitor %lu beside its image, not used %lu\n",
		vm.pages, used, frames_left());
	for (enum stat s = 0; s < STATS; s++)
		if (count_of(s))
			proxy_printf(2, "vmm: %s: %lu\n", names[s], count_of(s));
	for (unsigned i = 0; i < XEN_CALLS; i++)
		if (calls_of(i))
			proxy_printf(2, "vmm: hypercall %s: %lu\n", hypercall_name(i), calls_of(i));
}
