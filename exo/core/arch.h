/* What the hardware-free core needs of the machine.  Implemented by exo/arch on
 * x86-64 and by tests/host on the developer's machine (with a model of TLBs and
 * page walkers).
 */
#ifndef EXO_CORE_ARCH_H
#define EXO_CORE_ARCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#define CPUS_MAX	64

struct cpu;		/* context.h */

void *phys_to_virt(uint64_t pa);		/* the kernel's direct map */
static inline void *pfn_to_virt(uint64_t pfn) { return phys_to_virt(pfn << 12); }

struct cpu *this_cpu(void);
struct cpu *cpu_at(unsigned number);
extern unsigned cpu_count;

/* The kernel lock.  Whoever spins serves its own shootdown mailbox. */
void kernel_lock(void);
void kernel_unlock(void);

uint64_t arch_now(void);			/* ns since boot */
void arch_timer_arm(uint64_t when);		/* this CPU's one-shot timer; ~0: off */
void arch_kick(unsigned cpu);			/* make that CPU enter the kernel and reschedule */

/* User memory, through the current root.  False: not accessible (wrong range,
 * not mapped, not writable). */
bool user_read(void *to, uint64_t from, size_t n);
bool user_write(uint64_t to, const void *from, size_t n);
static inline bool user_canonical(uint64_t va) { return (uint64_t)((int64_t)(va << 16) >> 16) == va; }
/* Writes an upcall frame at sp: three words, and the five of the interrupted state. */
bool user_push_upcall(uint64_t sp, uint64_t info, uint64_t addr, uint64_t error,
	const uint64_t *state);
/* Reads a frame of `resume`: RAX, R11, RCX into r, the rest into *to. */
struct resume_state { uint64_t root, rip, cs, rflags, rsp, ss; };
bool user_read_resume(uint64_t from, struct exo_regs *r, struct resume_state *to);
bool user_range_ok(uint64_t va, size_t n);	/* canonical, no wrap, not the kernel's slots */

/* Page-table entries, atomic against the hardware's A and D updates. */
uint64_t pte_read(const uint64_t *e);
void pte_store(uint64_t *e, uint64_t value);
uint64_t pte_exchange(uint64_t *e, uint64_t value);
bool pte_compare_set(uint64_t *e, uint64_t *expected, uint64_t value);

/* TLBs.  mask: bit per CPU; pages = 0: everything.  Returns when all have done it. */
void arch_flush(uint64_t cpus, uint64_t va, uint64_t pages);
extern uint64_t arch_pte_reserved;		/* frame bits above the physical address width */
extern bool arch_l1tf_safe;			/* non-present entries may hold anything */
extern uint64_t arch_kernel_pml4[7];		/* entries of the kernel's slots, 257-263 */

void arch_ports_changed(void);		/* the current domain got I/O ports */
void arch_irq_unmask(unsigned gsi);
void arch_trace_mask(uint64_t kinds);	/* 1 << kind: recorded from now on */
void arch_reboot(void) __attribute__((noreturn));

void page_zero(void *page);
void page_copy(void *to, const void *from);

void log_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void panic(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* Trace points cost a test when off. */
extern uint64_t trace_kinds;			/* 1 << kind: recorded */
void trace_event(unsigned kind, unsigned code, uint64_t a, uint64_t b) __attribute__((cold));
static inline void trace(unsigned kind, unsigned code, uint64_t a, uint64_t b)
{
	if (__builtin_expect(trace_kinds & 1ul << kind, 0))
		trace_event(kind, code, a, b);
}

#endif
