/* The model machine (see model.h): its boot, calls and interrupts, time, failure and chance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/host/model_cpu.h"
#include "tests/host/model_disk.h"
#include "tests/host/model_net.h"

uint8_t model_memory[MODEL_FRAMES * EXO_PAGE_SIZE] __attribute__((aligned(4096)));
uint8_t model_window[MODEL_CPUS][WINDOW_SIZE];
uint64_t model_time;
unsigned model_logged;
bool model_quiet = true;
struct machine_cpu cpus[MODEL_CPUS];
unsigned here;

static struct exo_frame frames[MODEL_FRAMES];
static struct region regions[MODEL_FRAMES / 512];
static struct exo_slice_page slices[MODEL_CPUS];
static bool locked;
static uint64_t random_state;
static const char *context_text = "";

uint64_t arch_pte_reserved = 0x000fff0000000000ul;	/* 40 physical address bits */
bool arch_l1tf_safe;
uint64_t arch_kernel_pml4[7] = { 0x1003, 0x2003, 0x3003, 0x4003, 0x5003, 0x6003, 0x7003 };
unsigned cpu_count = MODEL_CPUS;

/* ---- failure --------------------------------------------------------- */

void check_failed(const char *file, int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fflush(stdout);
	fprintf(stderr, "%s:%d: %s", file, line, context_text);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	fflush(stderr);
	abort();
}

static jmp_buf *expected_panic;

void panic(const char *format, ...)
{
	va_list args;

	if (expected_panic)
		longjmp(*expected_panic, 1);
	va_start(args, format);
	fprintf(stderr, "panic: ");
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	abort();
}

bool model_panics(void (*f)(void))
{
	jmp_buf here_again;
	volatile bool panicked = true;

	expected_panic = &here_again;
	if (!setjmp(here_again)) {
		f();
		panicked = false;
	}
	expected_panic = NULL;
	return panicked;
}

void log_print(const char *format, ...)
{
	va_list args;

	model_logged++;
	if (model_quiet)
		return;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
}

uint64_t trace_kinds;
void trace_event(unsigned kind, unsigned code, uint64_t a, uint64_t b) { (void)kind; (void)code; (void)a; (void)b; }
void arch_trace_mask(uint64_t kinds) { trace_kinds = kinds; }
void arch_reboot(void) { panic("reboot"); }
unsigned model_unmasked, model_ports, model_burdens;
void arch_irq_unmask(unsigned gsi) { model_unmasked += gsi != 0; }
void arch_ports_changed(void) { model_ports++; }

/* ---- chance (xorshift64*) -------------------------------------------- */

void model_seed(uint64_t seed) { random_state = seed * 0x9e3779b97f4a7c15ul | 1; }

uint64_t model_random(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dul;
}

/* ---- CPUs ------------------------------------------------------------ */

void *phys_to_virt(uint64_t pa) { return model_memory + pa; }
struct cpu *this_cpu(void) { return &cpus[here].cpu; }
struct cpu *cpu_at(unsigned number) { return &cpus[number].cpu; }
void kernel_lock(void) { CHECK(!locked, "lock taken twice"); locked = true; }
void kernel_unlock(void) { CHECK(locked, "lock not held"); locked = false; }
uint64_t arch_now(void) { return model_time += 10; }
void arch_timer_arm(uint64_t when) { cpus[here].timer = when; }
void arch_kick(unsigned cpu) { cpus[cpu].kicked = true; }

/* The slow way out, as in exo/arch/trap.c; a CPU without work idles. */
static void leave(void)
{
	struct cpu *c = this_cpu();

	for (unsigned i = 0; c->resched & EXO_RESCHED_PICK || !c->current || i == 0; i++) {
		if (c->resched & EXO_RESCHED_PICK || !c->current) {
			c->resched = 0;
			sched_pick();
		}
		if (!c->current)
			break;
		upcall_events();
		CHECK(i < 1000, "the way out does not end");
	}
}

void model_on(unsigned cpu) { here = cpu; }

struct result call(unsigned number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
	uint64_t f)
{
	struct call args = { .rdi = a, .rsi = b, .rdx = c, .r10 = d, .r8 = e, .r9 = f };
	struct result r;
	bool lock = number != EXO_CALL_NULL && number != EXO_CALL_RESUME && number != EXO_CALL_GATE_CALL;

	CHECK(this_cpu()->current, "call %u on idle CPU %u", number, here);
	if (lock)
		kernel_lock();
	r.status = call_dispatch(number, &args);
	r.value = args.rdx;
	model_check_caches();
	if (!lock)
		kernel_lock();
	upcall_fatal();
	leave();
	kernel_unlock();
	model_check_caches();
	return r;
}

bool model_kicked(unsigned cpu) { return cpus[cpu].kicked; }

void model_step(unsigned cpu)
{
	unsigned was = here;

	here = cpu;
	if (cpus[cpu].kicked) {
		cpus[cpu].kicked = false;
		this_cpu()->resched |= EXO_RESCHED_PICK;
		kernel_lock();
		leave();
		kernel_unlock();
	}
	here = was;
}

void model_step_all(void)
{
	for (unsigned i = 0; i < 2 * MODEL_CPUS; i++)
		model_step(i % MODEL_CPUS);
}

void model_timer(unsigned cpu)
{
	unsigned was = here;

	here = cpu;
	if (model_time >= cpus[cpu].timer) {
		cpus[cpu].timer = EXO_FOREVER;
		kernel_lock();
		sched_tick();
		leave();
		kernel_unlock();
	}
	here = was;
}

uint64_t model_timer_at(unsigned cpu) { return cpus[cpu].timer; }

void model_interrupt(void (*handler)(void *), void *arg)
{
	kernel_lock();
	handler(arg);
	leave();
	kernel_unlock();
}

bool model_run(unsigned cpu, struct domain *d)
{
	struct context *x = context_first(d);
	struct cpu *c = cpu_at(cpu);
	unsigned was = here;

	if (d->state != EXO_DS_ACTIVE)
		return false;
	while (x && (x->home != cpu || (x->running && x->cpu != cpu)))
		x = context_next(d, x);
	if (!x)
		return false;
	here = cpu;
	kernel_lock();
	if (x->state == EXO_CS_STOPPED && !x->running)
		sched_ready(x);
	c->slot_end = model_time + 1000000;
	c->donee = x;
	c->passed = true;
	c->resched |= EXO_RESCHED_PICK;
	leave();
	kernel_unlock();
	here = was;
	return c->current == x;
}

/* ---- boot ------------------------------------------------------------ */

struct domain *model_init(void) { return domain_at(domain_init_id); }

static void boot_frames(void)
{
	memset(frames, 0, sizeof frames);
	memset(regions, 0, sizeof regions);
	frame_tables_init(frames, regions, MODEL_FRAMES);
	for (unsigned i = 0; i < MODEL_KERNEL; i++)
		frame_set_type(i, EXO_F_KERNEL);
	for (unsigned i = 0; i < MODEL_EXPORTS; i++)
		frame_set_type(MODEL_EXPORT + i, EXO_F_EXPORT);
	for (unsigned i = MODEL_RAM; i < MODEL_RAM + 3; i++)
		frame_set_type(i, EXO_F_DATA);
}

static void boot_init(void)
{
	struct domain *d = domain_make(MODEL_RAM, MODEL_RAM + 1, NULL);
	struct context *x = frame_object_take(MODEL_RAM + 2);

	domain_init_id = d->id;
	for (unsigned i = MODEL_RAM; i < MODEL_RAM + 3; i++)
		frame_set_owner(i, d);
	frames_found(MODEL_RAM + 3, 1, d);
	frames_found(MODEL_RAM + 4, MODEL_FRAMES - MODEL_RAM - 4, d);
	/* A context by hand that makes the real ones by calls, and is gone again. */
	x->domain = d->id;
	this_cpu()->current = x;
	*(uint64_t *)model_window[0] = (MODEL_RAM + 3) << 8 | EXO_KIND_PT4;
	CHECK(call_dispatch(EXO_CALL_FRAME_RETYPE, &(struct call){ .rsi = WINDOW, .rdx = 1 }) == EXO_OK,
		"init's root");
	for (unsigned i = 0; i < MODEL_CPUS; i++) {
		uint64_t pfn = MODEL_RAM + 4 + 3 * i;
		struct call create = { .rsi = pfn, .rdx = pfn + 1, .r10 = pfn + 2, .r8 = i };

		CHECK(call_dispatch(EXO_CALL_CONTEXT_CREATE, &create) == EXO_OK, "init's context");
		context_at(pfn)->root_k = MODEL_RAM + 3;
		((uint8_t *)pfn_to_virt(pfn + 1))[offsetof(struct exo_control, mask)] = 1;
		sched_ready(context_at(pfn));
	}
	this_cpu()->current = NULL;
	frame_object_free(MODEL_RAM + 2);
}

void model_boot(uint64_t seed)
{
	model_seed(seed);
	memset(model_memory, 0, sizeof model_memory);
	memset(model_memory, MODEL_NOTHING, EXO_PAGE_SIZE);
	memset(cpus, 0, sizeof cpus);
	memset(slices, 0, sizeof slices);
	flush_clock = 1;
	model_time = 1000;
	locked = false;
	model_disks_boot();
	model_nets_boot();
	boot_frames();
	for (here = 0; here < MODEL_CPUS; here++) {
		cpus[here].cpu.number = here;
		cpus[here].cpu.flushed = 1;
		sched_init_cpu(&cpus[here].cpu, &slices[here]);
		CHECK(this_cpu()->resched == EXO_RESCHED_PICK, "CPU %u looks for work", here);
	}
	here = 0;
	boot_init();
	for (unsigned i = 0; i < MODEL_CPUS; i++) {
		cpus[i].kicked = true;
		model_step(i);
	}
	CHECK(cpu_at(0)->current && cpu_at(3)->current, "init runs");
}
