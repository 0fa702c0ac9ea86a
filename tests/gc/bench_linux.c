/* The benchmarks' system on Linux: what a process has for it, by raw system calls where it is
 * timed. mprotect and SIGSEGV; mremap, a page a call, as it takes one stretch of addresses;
 * soft-dirty bits of /proc/self/pagemap.  No huge pages, which would have to be split first.
 */
#define _GNU_SOURCE
#include "tests/gc/bench_mmu.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE		4096ul
#define SOFT_DIRTY	55
#define PART		4096u		/* entries of pagemap read at once */

static uint8_t *area, *large;
static void (*on_fault)(unsigned page);
static int pagemap, clear_refs;

static long call(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e;
	long ret;
	__asm__ volatile("syscall" : "=a"(ret) :
		"a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
	return ret;
}

void sys_fail(const char *what)
{
	dprintf(2, "bench: %s\n", what);
	_exit(1);
}

void sys_print(const char *name, unsigned n, const uint64_t ns[3], uint64_t ticks)
{
	printf("%-12s %7u %11.1f %11.1f %11.1f %11.1f\n", name, n, (double)ns[0] / n,
		(double)ns[1] / n, (double)ns[2] / n, (double)ticks / n);
	fflush(stdout);
}

uint64_t sys_time(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ul + t.tv_nsec;
}

uint8_t *sys_page(unsigned i) { return area + i * PAGE; }

static void protect(unsigned first, unsigned n, int how)
{
	if (call(SYS_mprotect, (long)sys_page(first), n * PAGE, how, 0, 0))
		sys_fail("mprotect");
}

void sys_protect(unsigned first, unsigned n) { protect(first, n, PROT_READ); }
void sys_unprotect(unsigned first, unsigned n) { protect(first, n, PROT_READ | PROT_WRITE); }

void sys_exchange(unsigned unprotect, unsigned protected)
{
	sys_unprotect(unprotect, 1);
	sys_protect(protected, 1);
}

void sys_on_fault(void (*hook)(unsigned page)) { on_fault = hook; }

static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	on_fault(((uint8_t *)info->si_addr - area) / PAGE);
}

void sys_move(const unsigned *from, const unsigned *to, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		long at = (long)sys_page(to[i]);
		if (call(SYS_mremap, (long)sys_page(from[i]), PAGE, PAGE,
				MREMAP_MAYMOVE | MREMAP_FIXED, at) != at)
			sys_fail("mremap");
	}
}

static uint8_t *pages(uint64_t n, int protection)
{
	uint8_t *p = mmap(NULL, n * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		sys_fail("mmap");
	madvise(p, n * PAGE, MADV_NOHUGEPAGE);
	return p;
}

void sys_large(void)
{
	if (!large) {
		large = pages(BENCH_LARGE, PROT_READ | PROT_WRITE);
		for (unsigned i = 0; i < BENCH_LARGE; i++)
			sys_large_write(i);
	}
	if (pwrite(clear_refs, "4", 1, 0) != 1)
		sys_fail("clear_refs");
}

void sys_large_write(unsigned i) { *(volatile uint8_t *)(large + i * PAGE) = 1; }

void sys_dirty(uint64_t *bits)
{
	static uint64_t entry[PART];
	for (unsigned i = 0; i < BENCH_LARGE; i += PART) {
		if (pread(pagemap, entry, sizeof entry, ((uint64_t)large / PAGE + i) * 8) != sizeof entry)
			sys_fail("pagemap");
		for (unsigned k = 0; k < PART; k += 64) {
			uint64_t word = 0;
			for (unsigned b = 0; b < 64; b++)
				word |= (entry[k + b] >> SOFT_DIRTY & 1) << b;
			bits[(i + k) / 64] = word;
		}
	}
}

void sys_init(void)
{
	struct sigaction act = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER };
	area = pages(2 * BENCH_PAGES, PROT_READ | PROT_WRITE);
	for (unsigned i = 0; i < BENCH_PAGES; i++)
		*(volatile uint8_t *)sys_page(i) = 1;
	if (munmap(sys_page(BENCH_PAGES), BENCH_PAGES * PAGE) || sigaction(SIGSEGV, &act, NULL))
		sys_fail("munmap, sigaction");
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	clear_refs = open("/proc/self/clear_refs", O_WRONLY);
	if (pagemap < 0 || clear_refs < 0)
		sys_fail("/proc/self/pagemap, clear_refs");
}

int main(int argc, char **argv)
{
	bench_run(argc > 1 ? atoi(argv[1]) : 9);
	return 0;
}
