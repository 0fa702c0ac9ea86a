/* The monitor of one virtual machine: its arguments, the order of things, the end.
 *
 *	monitor --kernel PATH [--initrd PATH] [--mem SIZE] [--vcpus N] [--disk SPEC]...
 *		[--append TEXT] [--name NAME] [--no-patch] [--stats]
 *
 * /bin/vmm starts it in a domain of its own, with a quota of the guest's memory and
 * VMM_OVERHEAD; paths are the session's.
 */
#include "libos/vmm/vmm.h"
#include "libos/common/common.h"

#define MEMORY		(256ul << 20)	/* without --mem */
#define MEMORY_MIN	(4ul << 20)
#define MEMORY_MAX	(1ul << 40)

VIRTUE_NOTE("bare");

/* ---- the end -------------------------------------------------------------------------------- */

static _Noreturn void end(unsigned status, const char *format, va_list args)
{
	char text[512] = "vmm: ";
	bool says = vsnprintf(text + 5, sizeof text - 5, format, args) > 0;
	if (vm.running)
		io_end(status, says ? text : "");
	if (says)
		proxy_printf(2, "%s\n", text);
	proxy_exit(status);
}

_Noreturn void vm_refuse(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	end(VM_END_REFUSED, format, args);
}

_Noreturn void vm_end(unsigned status, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	end(status, format, args);
}

/* ---- arguments ------------------------------------------------------------------------------ */

static uint64_t size_of(const char *text)
{
	static const char units[] = "KMGT";
	char digits[24];
	uint64_t n = 0;
	size_t length = strlen(text);
	const char *unit = length > 1 ? strchr(units, text[length - 1]) : NULL;
	unsigned shift = unit ? 10 * (unit - units + 1) : 0;
	text_copy(digits, text, sizeof digits);
	if (unit && length < sizeof digits)
		digits[length - 1] = 0;
	if (length >= sizeof digits || !text_number(digits, &n) || n > MEMORY_MAX >> shift)
		return 0;
	return n << shift;
}

static void take_memory(const char *text)
{
	vm.opt.memory = size_of(text) & -EXO_PAGE_SIZE;
	if (vm.opt.memory < MEMORY_MIN || vm.opt.memory > MEMORY_MAX)
		vm_refuse("--mem %s: not a size from 4M up", text);
}

static void take_vcpus(const char *text)
{
	uint64_t n;
	if (!text_number(text, &n) || !n || n > VMM_VCPUS)
		vm_refuse("--vcpus %s: not a number from 1 to %u", text, VMM_VCPUS);
	vm.opt.vcpus = n;
}

static void take_disk(const char *text)
{
	if (vm.opt.disks == ARRAY_LEN(vm.opt.disk))
		vm_refuse("--disk %s: more than %lu disks", text, ARRAY_LEN(vm.opt.disk));
	vm.opt.disk[vm.opt.disks++] = text;
}

static void take_kernel(const char *text) { vm.opt.kernel = text; }
static void take_initrd(const char *text) { vm.opt.initrd = text; }
static void take_append(const char *text) { vm.opt.append = text; }
static void take_name(const char *text) { vm.opt.name = text; }
static void take_no_patch(const char *text) { (void)text; vm.opt.patch = false; }
static void take_stats(const char *text) { (void)text; vm.opt.stats = true; }

static const struct option {
	const char *name;
	bool has_value;
	void (*take)(const char *text);
} options[] = {
	{ "--kernel", true, take_kernel }, { "--initrd", true, take_initrd },
	{ "--mem", true, take_memory }, { "--vcpus", true, take_vcpus },
	{ "--disk", true, take_disk }, { "--append", true, take_append }, { "--name", true, take_name },
	{ "--no-patch", false, take_no_patch }, { "--stats", false, take_stats },
};

static const struct option *option_named(const char *name)
{
	for (unsigned i = 0; i < ARRAY_LEN(options); i++)
		if (!strcmp(options[i].name, name))
			return &options[i];
	vm_refuse("%s: no such option", name);
}

static void options_take(void)
{
	vm.opt = (struct vm_options){ .vcpus = 1, .memory = MEMORY, .append = "", .name = "",
		.patch = true };
	for (unsigned i = 1; i < proxy_argc(); i++) {
		const struct option *o = option_named(proxy_arg(i));
		if (o->has_value && i + 1 == proxy_argc())
			vm_refuse("%s: its value is missing", o->name);
		o->take(o->has_value ? proxy_arg(++i) : "");
	}
	if (!vm.opt.kernel)
		vm_refuse("no --kernel");
	if (strlen(vm.opt.append) >= XEN_CMDLINE_SIZE)
		vm_refuse("the command line has more than %u bytes", XEN_CMDLINE_SIZE - 1);
}

/* ---- the order of things -------------------------------------------------------------------- */

static void shared_make(void)
{
	vm.shared_mfn = frame_alloc_zero();
	if (!vm.shared_mfn)
		vm_refuse("no memory for the shared page");
	vm.shared = physmap_page(vm.shared_mfn);
	for (unsigned i = 0; i < XEN_LEGACY_VCPUS; i++)
		vm.shared->vcpu_info[i].mask = 1;
}

int main(struct exo_start *s)
{
	struct vm_start start;
	vm.monitor_root = s->root;
	uint64_t frames = frames_init(s, true);
	if (!proxy_attach(s))
		return VM_END_BUG;		/* nobody to tell */
	options_take();
	if (frames)
		vm_refuse("the domain's memory is too little for a monitor: %s",
			exo_status_text(frames));
	if (time_init(s, 0))
		vm_refuse("no clock");
	vm.begun = time_now();
	shared_make();
	ram_init(vm.opt.memory / EXO_PAGE_SIZE);
	io_init();
	vm_build(&start);
	vm.made = time_now();
	vm.running = true;		/* a guest may end before io_run begins */
	vm_run(&start);
	io_run();
}
