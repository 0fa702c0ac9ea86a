/* What /proc holds about the machine and the session. */
#include "libos/posix/proc.h"

#define NS_SECOND 1000000000ull

static void show_uptime(struct text *t, struct process *p)
{
	uint64_t up = time_now() / (NS_SECOND / 100), idle = cpu_idle_ns() / (NS_SECOND / 100);

	(void)p;
	text_print(t, "%lu.%02lu %lu.%02lu\n", (unsigned long)(up / 100), (unsigned long)(up % 100),
		(unsigned long)(idle / 100), (unsigned long)(idle % 100));
}

static void count(unsigned *running, unsigned *all, int *last)
{
	*running = *all = 0;
	*last = 0;
	for (struct process *p = process_next(0); p; p = process_next(p->pid)) {
		*running += p->state == 'R';
		*all += process_threads(p);
		*last = p->pid;
	}
}

static void show_loadavg(struct text *t, struct process *p)
{
	unsigned running, all;
	int last;

	(void)p;
	count(&running, &all, &last);
	text_print(t, "0.00 0.00 0.00 %u/%u %d\n", running, all, last);
}

static void show_stat(struct text *t, struct process *p)
{
	unsigned long tick = NS_SECOND / 100, n = cpus();
	unsigned long busy = cpu_busy_ns() / tick, idle = cpu_idle_ns() / tick;
	unsigned running, all;
	int last;

	(void)p;
	count(&running, &all, &last);
	text_print(t, "cpu  %lu 0 0 %lu 0 0 0 0 0 0\n", busy, idle);
	for (unsigned long k = 0; k < n; k++)
		text_print(t, "cpu%lu %lu 0 0 %lu 0 0 0 0 0 0\n", k, busy / n, idle / n);
	text_print(t,
		"intr 0\nctxt 0\nbtime %lu\nprocesses %d\nprocs_running %u\nprocs_blocked 0\n",
		(unsigned long)((time_wall() - time_now()) / NS_SECOND), last, running);
}

static void show_meminfo(struct text *t, struct process *p)
{
	unsigned long kb = PAGE / 1024, total = frames_total() * kb, free = frames_free() * kb;
	unsigned long cached = 0;

	(void)p;
	for (struct super *s = mounts; s; s = s->next)
		cached += s->pages * kb;
	text_print(t, "MemTotal:       %8lu kB\nMemFree:        %8lu kB\nMemAvailable:   %8lu kB\n"
		"Buffers:        %8u kB\nCached:         %8lu kB\nSwapCached:     %8u kB\n"
		"SwapTotal:      %8u kB\nSwapFree:       %8u kB\nShmem:          %8lu kB\n"
		"SReclaimable:   %8u kB\n", total, free, free, 0, cached, 0, 0, 0, cached, 0);
}

static void cpuid(uint32_t leaf, uint32_t out[4])
{
	__asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
		: "a"(leaf), "c"(0));
}

static void cpu_names(char vendor[13], char model[49])
{
	uint32_t r[4];

	cpuid(0, r);
	memcpy(vendor, &r[1], 4);
	memcpy(vendor + 4, &r[3], 4);
	memcpy(vendor + 8, &r[2], 4);
	vendor[12] = 0;
	cpuid(0x80000000, r);
	memset(model, 0, 49);
	for (uint32_t k = 0; r[0] >= 0x80000004 && k < 3; k++)
		cpuid(0x80000002 + k, (uint32_t *)(void *)(model + 16 * k));
}

static void show_cpuinfo(struct text *t, struct process *p)
{
	_Alignas(4) char model[49];
	char vendor[13];

	(void)p;
	cpu_names(vendor, model);
	for (int k = 0; k < cpus(); k++)
		text_print(t, "processor\t: %d\nvendor_id\t: %s\nmodel name\t: %s\n\n", k, vendor,
			model);
}

#define RELEASE "6.1.0-virtue"
#define VERSION "#1 SMP Virtue"

static void show_version(struct text *t, struct process *p)
{
	(void)p;
	text_print(t, "Linux version " RELEASE " (virtue) " VERSION "\n");
}

static void show_filesystems(struct text *t, struct process *p)
{
	(void)p;
	text_print(t, "nodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\tdevpts\nnodev\tramfs\n");
}

static void show_swaps(struct text *t, struct process *p)
{
	(void)p;
	text_print(t, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
}

static void show_empty(struct text *t, struct process *p)
{
	(void)t, (void)p;
}

/* ---- links ---- */

static long self_read(struct process *p, int n, char *buf, size_t size)
{
	(void)p, (void)n;
	return snprintf(buf, size, "%d", current_process()->pid);
}

static long thread_self_read(struct process *p, int n, char *buf, size_t size)
{
	(void)p, (void)n;
	return snprintf(buf, size, "%d/task/%d", current_process()->pid, current_process()->pid);
}

static long mounts_read(struct process *p, int n, char *buf, size_t size)
{
	(void)p, (void)n;
	return snprintf(buf, size, "self/mounts");
}

static long net_read(struct process *p, int n, char *buf, size_t size)
{
	(void)p, (void)n;
	return snprintf(buf, size, "self/net");
}

/* ---- /proc/sys ---- */

#define SHOW(name, ...) \
	static void name(struct text *t, struct process *p) \
	{ \
		(void)p; \
		text_print(t, __VA_ARGS__); \
	}

SHOW(show_hostname, "%s\n", host_name())
SHOW(show_ostype, "Linux\n")
SHOW(show_osrelease, RELEASE "\n")
SHOW(show_osversion, VERSION "\n")
SHOW(show_pid_max, "32768\n")
SHOW(show_ngroups_max, "65536\n")
SHOW(show_threads_max, "32768\n")
SHOW(show_cap_last_cap, "40\n")
SHOW(show_entropy, "256\n")
SHOW(show_zero, "0\n")
SHOW(show_file_max, "9223372036854775807\n")
SHOW(show_nr_open, "1048576\n")
SHOW(show_pipe_max, "1048576\n")
SHOW(show_somaxconn, "4096\n")

static void show_uuid(struct text *t, struct process *p)
{
	uint8_t b[16];

	(void)p;
	random_bytes(b, sizeof b);
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	for (int k = 0; k < 16; k++)
		text_print(t, "%s%02x", k == 4 || k == 6 || k == 8 || k == 10 ? "-" : "", b[k]);
	text_print(t, "\n");
}

#define RO (S_IFREG | 0444)
#define DIR (S_IFDIR | 0555)

static const struct proc_node sys_kernel_random[] = {
	{ "entropy_avail", RO, .show = show_entropy }, { "uuid", RO, .show = show_uuid }, { NULL },
};
static const struct proc_node sys_kernel[] = {
	{ "cap_last_cap", RO, .show = show_cap_last_cap },
	{ "hostname", RO, .show = show_hostname },
	{ "ngroups_max", RO, .show = show_ngroups_max },
	{ "osrelease", RO, .show = show_osrelease },
	{ "ostype", RO, .show = show_ostype },
	{ "pid_max", RO, .show = show_pid_max },
	{ "random", DIR, .children = sys_kernel_random },
	{ "threads-max", RO, .show = show_threads_max },
	{ "version", RO, .show = show_osversion },
	{ NULL },
};
static const struct proc_node sys_vm[] = {
	{ "overcommit_memory", RO, .show = show_zero }, { NULL },
};
static const struct proc_node sys_fs[] = {
	{ "file-max", RO, .show = show_file_max }, { "nr_open", RO, .show = show_nr_open },
	{ "pipe-max-size", RO, .show = show_pipe_max }, { NULL },
};
static const struct proc_node sys_net_core[] = {
	{ "somaxconn", RO, .show = show_somaxconn }, { NULL },
};
static const struct proc_node sys_net[] = {
	{ "core", DIR, .children = sys_net_core }, { NULL },
};
static const struct proc_node sys[] = {
	{ "fs", DIR, .children = sys_fs }, { "kernel", DIR, .children = sys_kernel },
	{ "net", DIR, .children = sys_net }, { "vm", DIR, .children = sys_vm }, { NULL },
};

/* In Linux's order: by length, then by name; then the two selves. */
const struct proc_node proc_system[] = {
	{ "net", S_IFLNK | 0777, .readlink = net_read },
	{ "sys", DIR, .children = sys },
	{ "stat", RO, .show = show_stat },
	{ "swaps", RO, .show = show_swaps },
	{ "mounts", S_IFLNK | 0777, .readlink = mounts_read },
	{ "uptime", RO, .show = show_uptime },
	{ "cmdline", RO, .show = show_empty },
	{ "cpuinfo", RO, .show = show_cpuinfo },
	{ "loadavg", RO, .show = show_loadavg },
	{ "meminfo", RO, .show = show_meminfo },
	{ "modules", RO, .show = show_empty },
	{ "version", RO, .show = show_version },
	{ "filesystems", RO, .show = show_filesystems },
	{ "self", S_IFLNK | 0777, .readlink = self_read },
	{ "thread-self", S_IFLNK | 0777, .readlink = thread_self_read },
	{ NULL },
};
