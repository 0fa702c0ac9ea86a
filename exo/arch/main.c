/* The order of boot. */
#include "exo/arch/machine.h"

void kernel_main(uint32_t magic, uint64_t info) __attribute__((noreturn));

static void read_options(void)
{
	panic_exit = boot_option("exit=debug");
	if (boot_option("log=none"))
		log_quiet();
}

/* For all CPUs that may come: what they need of memory is taken before any starts. */
static void make_cpus(void)
{
	flush_clock = 1;		/* all have flushed later than frames' stamps, 0 */
	for (unsigned i = 0; i < acpi.cpus; i++)
		cpu_region_make(i, acpi.cpu[i]);
	trace_init(acpi.cpus);
}

static void make_slices(void)
{
	uint64_t at = early_alloc(cpu_count * PAGE, PAGE);
	for (unsigned i = 0; i < cpu_count; i++)
		sched_init_cpu(cpu_at(i), phys_to_virt(at + i * PAGE));
	export_add("slices", at, cpu_count * PAGE);
}

/* On the boot CPU's own stack. */
static void boot_rest(void)
{
	cpu_init(cpu_arch(this_cpu()));
	smap_test();
	cpu_count = 1;
	apic_init();
	apic_init_cpu();
	irq_init();
	clock_init();
	smp_init();
	clock_publish();
	make_slices();
	pci_init();
	disks_init();
	nets_init();
	memory_finish();
	init_create();
	smp_release();
	log_print("virtue: booted in %lu ms\n", arch_now() / 1000000);
	schedule_forever();
}

void kernel_main(uint32_t magic, uint64_t info)
{
	log_init();
	log_print("virtue: kernel entered\n");
	idt_init();
	boot_info_read(magic, info);
	read_options();
	log_print("virtue: command line: %s\n", boot_info.cmdline);
	cpu_features();
	memory_init();
	acpi_init();
	make_cpus();
	stack_switch(boot_rest, (void *)cpu_at(0)->stack_top);
}
