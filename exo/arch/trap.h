/* Vectors, and what entry.S, trap.c and switch.c (the ways in and out) and the
 * rest of exo/arch offer each other.
 */
#ifndef EXO_TRAP_H
#define EXO_TRAP_H

#include "exo/core/context.h"

#define VEC_IRQ		0x30	/* GSI n arrives at VEC_IRQ + n, n < 32 */
#define VEC_TIMER	0xf0	/* LAPIC timer */
#define VEC_KICK	0xf1	/* IPI: look for something to run, or for an event */
#define VEC_FLUSH	0xf2	/* IPI: the shootdown mailbox has something */
#define VEC_SPURIOUS	0xff

#define MSR_FS_BASE	0xc0000100u
#define MSR_GS_BASE	0xc0000101u
#define MSR_KGS_BASE	0xc0000102u

/* entry.S */
extern uint64_t trap_stubs[256];	/* gate targets by vector; IST for 1, 2, 8, 18 */
extern char syscall_stub[];		/* page-aligned; LSTAR = its alias in the per-CPU region */
extern char compat_stub[];		/* CSTAR: SYSCALL from 32-bit code on AMD: fails cleanly */
void schedule_forever(void) __attribute__((noreturn));	/* end of a CPU's boot */

/* trap.c: registers lie at stack_top - TRAP_FRAME */
#define TRAP_FRAME	176u		/* the first 22 words of struct exo_regs */
void switch_init_cpu(void);		/* SYSCALL MSRs, XCR0: once per CPU */
extern uint32_t xsave_size;		/* bytes of the XSAVE image that contexts keep */

/* the rest of exo/arch */
void irq_eoi(void);
void irq_device(unsigned gsi);		/* masks the line, acknowledges, calls device_interrupt; lock held */
void flush_serve(void);			/* does what this CPU's shootdown mailbox asks, and acknowledges */
uint64_t ex_table_find(uint64_t rip);	/* the fix-up of a kernel instruction, 0 = none */
void ports_load(const struct domain *d);	/* opens the domain's I/O ports in the TSS */
/* arch_tls_load (core/context.h) is defined with the GDT */
void panic_trap(const struct exo_regs *r, uint64_t cr2) __attribute__((noreturn));
uint64_t clock_ns(uint64_t tsc);
void nmi_handle(const struct exo_regs *r);	/* stops this CPU if another one panics */

#define SMAP_SITE(what) __asm__ volatile("1: .byte 0x0f, 0x1f, %c0\n" \
	".pushsection .smap_sites, \"a\"\n.quad 1b\n.popsection" : : "i"(what) : "memory")

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;
	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}
static inline void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

#endif
