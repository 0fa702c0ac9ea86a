/* What the benchmarks of memory primitives (bench_mmu.c) need of a system: pages that can be
 * protected and moved, and their faults.  bench_exo.c: the MMU interface on Virtue; bench_linux.c:
 * what a process has for it.
 */
#ifndef BENCH_MMU_H
#define BENCH_MMU_H

#include <stdbool.h>
#include <stdint.h>

#define BENCH_PAGES	1024u		/* written pages, and as many addresses that are empty */
#define BENCH_LARGE	65536u		/* pages whose dirty bits are read: 256 MiB */

static inline uint64_t bench_ticks(void)
{
	uint32_t low, high;
	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* Left to each system: ends the program with status 1 when something fails, as figures of failures
 * would be lies. */
void sys_init(void);
void sys_print(const char *name, unsigned n, const uint64_t ns[3], uint64_t ticks);
_Noreturn void sys_fail(const char *what);
uint64_t sys_time(void);		/* ns */
/* Page i of 2 * BENCH_PAGES addresses: the first half is mapped at first. */
uint8_t *sys_page(unsigned i);
void sys_protect(unsigned first, unsigned n);
void sys_unprotect(unsigned first, unsigned n);
/* In a fault: one page may be written again, another one no more. */
void sys_exchange(unsigned unprotect, unsigned protect);
/* Called in the faulting thread when a protected page is written, which then goes on. */
void sys_on_fault(void (*hook)(unsigned page));
/* n mapped pages go to n empty addresses. */
void sys_move(const unsigned *from, const unsigned *to, unsigned n);
/* BENCH_LARGE written pages of which nothing is known to be dirty; writing one by its number; which
 * are dirty, in a bitmap. */
void sys_large(void);
void sys_large_write(unsigned i);
void sys_dirty(uint64_t *bits);

void bench_run(unsigned rounds);

#endif
