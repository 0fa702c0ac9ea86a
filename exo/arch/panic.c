/* The end: a message, registers, a symbolised backtrace; then a halt for good, or the end
 * of QEMU where `exit=debug` asks for it.  Takes no lock, and trusts no pointer on the way.
 * And the other end: a reboot.
 */
#include <stdarg.h>
#include "exo/arch/machine.h"
#include "drivers/reset.h"

#define BACKTRACE_MAX	24
#define DEBUG_EXIT_PORT	0xf4
#define DEBUG_EXIT_PANIC 0x3c

bool panic_exit;

/* Made from the first link by symbols.py: text offsets in ascending order, names. */
struct symbol { uint32_t offset, name; };
extern const struct symbol symbol_table[];
extern const uint32_t symbol_count;
extern const char symbol_names[];

void halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* Where no device resets the machine, a triple fault does. */
void arch_reboot(void)
{
	struct { uint16_t limit; uint64_t base; } __attribute__((packed)) none = { 0, 0 };
	log_print("virtue: reboot\n");
	machine_reset();
	__asm__ volatile("lidt %0; int3" : : "m"(none));
	halt();
}

static void print_address(uint64_t rip)
{
	uint64_t offset = rip - (uint64_t)image_start;
	unsigned i = 0;
	while (i < symbol_count && symbol_table[i].offset <= offset)
		i++;
	if (offset >= (uint64_t)(rodata_start - image_start) || !i)
		log_print("  %lx\n", rip);
	else
		log_print("  %lx %s+0x%lx\n", rip, symbol_names + symbol_table[i - 1].name,
			offset - symbol_table[i - 1].offset);
}

/* Frames lie on the stack that `from` is on: the boot stack, or one in the CPU's region. */
static bool on_stack(uint64_t fp, uint64_t from)
{
	extern char boot_stack[];
	uint64_t boot = (uint64_t)boot_stack, end = (from | (PAGE - 1)) + 1;
	if (from >= boot && from < boot + BOOT_STACK_SIZE)
		end = boot + BOOT_STACK_SIZE;
	else if (from < PERCPU_BASE || from >= GDT_BASE)
		return false;
	else if ((from & (PERCPU_SIZE - 1)) < PERCPU_CPU)
		end = (from & ~(PERCPU_SIZE - 1ul)) + PERCPU_CPU;
	return !(fp & 7) && fp >= from && fp + 16 <= end;
}

static void backtrace(uint64_t rip, uint64_t fp, uint64_t rsp)
{
	log_print("backtrace:\n");
	print_address(rip);
	for (unsigned i = 0; i < BACKTRACE_MAX && on_stack(fp, rsp); i++) {
		const uint64_t *frame = (const uint64_t *)fp;
		if (!frame[1])
			break;
		print_address(frame[1] - 1);
		if (frame[0] <= fp)
			break;
		fp = frame[0];
	}
}

static unsigned cpu_number(void)
{
	uint64_t sp = (uint64_t)__builtin_frame_address(0);
	return sp >= PERCPU_BASE && sp < GDT_BASE ? (sp - PERCPU_BASE) / PERCPU_SIZE : 0;
}

static void __attribute__((noreturn)) end(void)
{
	if (panic_exit)
		outb(DEBUG_EXIT_PORT, DEBUG_EXIT_PANIC);
	halt();
}

/* The first CPU to get here speaks; the others are stopped by NMI (nmi_handle). */
static void begin(void)
{
	static unsigned speaker = CPUS_MAX;
	unsigned nobody = CPUS_MAX;
	if (!__atomic_compare_exchange_n(&speaker, &nobody, cpu_number(), false, __ATOMIC_SEQ_CST,
			__ATOMIC_SEQ_CST)) {
		if (nobody == cpu_number())	/* a fault on the way */
			end();
		halt();
	}
	panicking = true;
	for (unsigned i = 0; i < cpu_count; i++)
		if (i != cpu_number())
			apic_ipi(cpu_arch(cpu_at(i))->apic_id, IPI_NMI);
}

void panic(const char *format, ...)
{
	va_list args;
	begin();
	log_print("\nvirtue: panic on CPU %u: ", cpu_number());
	va_start(args, format);
	log_vprint(format, args);
	va_end(args);
	log_print("\n");
	uint64_t fp = (uint64_t)__builtin_frame_address(0);
	backtrace((uint64_t)__builtin_return_address(0) - 1, *(uint64_t *)fp, fp);
	end();
}

void panic_trap(const struct exo_regs *r, uint64_t cr2)
{
	begin();
	log_print("\nvirtue: panic on CPU %u: exception %lu, error %lx, %s\n", cpu_number(), r->vector,
		r->error, r->cs & 3 ? "in user mode" : "in the kernel");
	regs_log(r);
	log_print("  cr0 %lx cr2 %lx cr3 %lx cr4 %lx\n", READ_CR(0), cr2, READ_CR(3), READ_CR(4));
	if (!(r->cs & 3))
		backtrace(r->rip, r->rbp, r->rsp);
	end();
}

/* Another CPU panics, or the machine reports a fault that nothing else explains. */
void nmi_handle(const struct exo_regs *r)
{
	if (panicking)
		halt();
	panic_trap(r, READ_CR(2));
}
