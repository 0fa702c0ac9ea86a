/* The libOS's start: from the start page to the first processes and further contexts.
 *
 * Runs on the first context's start stack only until that CPU's idle thread is there.
 */
#include "libos/posix/inner.h"
#include "libos/posix/mm.h"
#include "libos/posix/process.h"
#include "libos/common/frames.h"
#include "libos/common/note.h"
#include "libos/common/proxy.h"
#include "libos/common/pt.h"
#include "libos/common/start.h"
#include "libos/common/time.h"

VIRTUE_NOTE("bare");

#define MODULES_AT	(EXO_MONITOR_BASE + 3 * 0x8000000000ul)	/* PML4 slot 267 */
#define SLICE_LENGTH	10000000ul

extern char __text_lo[], __text_hi[];

void posix_log(const char *format, ...)
{
	char text[200];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	log_line("posix: %s", text);
}

void posix_panic(const char *format, ...)
{
	char text[200];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (inner)
		proxy_printf(2, "posix: %s\n", text);
	domain_fail("posix: %s", text);
}

/* ---- the machine's features ------------------------------------------------------------- */

static void features(void)
{
	uint32_t lo, hi;
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	xsave_mask = (uint64_t)hi << 32 | lo;
	xsave_size = start_page->xsave_size;
	have_fsgsbase = start_page->features & EXO_FEATURE_FSGSBASE;
}

static void zero_page(void)
{
	zero_pfn = frame_new();
	if (!zero_pfn)
		posix_panic("no memory");
	page_zero(frame_page(zero_pfn));
}

/* ---- CPUs --------------------------------------------------------------------------------- */

static void cpu_init(struct cpu *c, unsigned number, struct exo_control *control)
{
	struct thread *idle = thread_new(NULL);
	if (!idle)
		posix_panic("no memory for an idle thread");
	*c = (struct cpu){ .number = number, .control = control, .idle = idle, .thread = idle,
		.root = (uint32_t)start_page->root, .armed = FOREVER, .since = time_now() };
	idle->state = THREAD_RUNNING;
	idle->top->cpu = c;
	idle->top->control = control;
	control->stack_lo = (uint64_t)(idle->top + 1) - STACK_SIZE;
	control->stack_hi = (uint64_t)idle->top;
	entry_init(c);
}

static void event_make(struct cpu *c)
{
	struct exo_result r = exo_event_create(EXO_SLOT_ANY, c->context, EVENT_KICK);
	if (r.status)
		posix_panic("event: %s", exo_status_text(r.status));
	c->event = r.value;
}

static void cpu_main(struct cpu *c)
{
	lock_take(&libos_lock);
	c->since = time_now();
	idle_loop();
}

static void cpu_start_status(uint64_t status, unsigned number)
{
	if (status)
		posix_panic("context of CPU %u: %s", number, exo_status_text(status));
}

/* A further context, on CPU `number`. */
static void cpu_add(unsigned number)
{
	struct cpu *c = &cpu_table[cpu_count];
	uint64_t object = frame_take(), control = frame_alloc_zero(), save = frame_alloc_zero();
	if (!object || !control || !save)
		posix_panic("no memory for a context");
	cpu_init(c, cpu_count, physmap_page(control));
	struct exo_result r = exo_context_create(0, object, control, save, number, EXO_SLOT_ANY);
	cpu_start_status(r.status, number);
	c->context = r.value;
	event_make(c);
	uint64_t slice = start_cap_at(start_page, CAP_SLICE, number);
	if (slice)
		exo_slice_ctl(slice, 0, SLICE_LENGTH, c->context);
	cpu_start_status(exo_context_ctl(c->context, EXO_CTX_ROOTS, start_page->root, 0, 0).status, number);
	cpu_start_status(exo_context_ctl(c->context, EXO_CTX_ROUTE, (uint64_t)__text_lo,
		(uint64_t)__text_hi, 0).status, number);
	cpu_count++;
	cpu_start_status(exo_context_ctl(c->context, EXO_CTX_START, (uint64_t)cpu_main,
		(uint64_t)c->idle->regs - 8, (uint64_t)c).status, number);
}

/* ---- the root file system --------------------------------------------------------------------- */

static bool unpack(const char *name)
{
	static uint64_t at = MODULES_AT;
	uint64_t cap = start_cap(start_page, name);
	for (unsigned i = 0; i < start_page->modules; i++) {
		const struct exo_start_module *m = &start_page->module[i];
		uint64_t pages = page_up(m->size) / PAGE;
		if (strncmp(m->name, name, sizeof m->name))
			continue;
		uint64_t status = pt_map(start_page->root, at, m->pfn, pages, PTE_RO, cap);
		if (status)
			posix_panic("module %s: %s", name, exo_status_text(status));
		long error = cpio_unpack((void *)at, m->size);
		if (error == -ENOSPC || error == -ENOMEM)
			posix_panic("too little memory for the files of module %s", name);
		if (error)
			posix_panic("module %s is not a good archive (error %ld)", name, -error);
		pt_unmap(start_page->root, at, pages);
		return true;
	}
	return false;
}

/* On the idle thread's stack. */
static void boot(void)
{
	char seed[32];
	lock_take(&libos_lock);
	random_init(start_option(start_page, "seed", seed, sizeof seed) > 0 ? seed : NULL);
	processes_init();
	vfs_init();
	if (!unpack("root"))
		posix_panic("there is no boot module 'root'");
	unpack("overlay");
	vfs_ready();
	if (!inner)
		uart_init(start_page);
	for (unsigned i = 1; !inner && i < start_page->cpus && cpu_count < CPU_MAX; i++)
		cpu_add(i);
	trace_init();
	session_begin();
	idle_loop();
}

int main(struct exo_start *s)
{

	uint64_t status = frames_init(s, true);
	if (status)
		domain_fail("posix: memory: %s", exo_status_text(status));
	status = time_init(s, 0);
	if (status)
		posix_log("there is no clock: %s", exo_status_text(status));
	features();
	zero_page();
	cpu_init(&cpu_table[0], 0, (struct exo_control *)s->control);
	cpu_table[0].context = start_cap(s, CAP_CONTEXT);
	event_make(&cpu_table[0]);
	inner_attach();
	stack_call((uint64_t)cpu_table[0].idle->regs, boot);
}
