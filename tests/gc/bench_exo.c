/* The benchmarks' system on Virtue: the MMU interface of the GC runtime, in a domain. */
#include "tests/gc/bench_mmu.h"
#include "libos/gc-runtime/gc.h"
#include "libos/gc-runtime/mmu.h"
#include "libos/gc-runtime/port.h"

#define LARGE	(2 * BENCH_PAGES)		/* its first page */

static void (*hook)(unsigned page);

void sys_fail(const char *what) { port_fail("bench: %s\n", what); }

void sys_print(const char *name, unsigned n, const uint64_t ns[3], uint64_t ticks)
{
	uint64_t v[4] = { ns[0] * 10 / n, ns[1] * 10 / n, ns[2] * 10 / n, ticks * 10 / n };
	port_print("%-12s %7u %9lu.%lu %9lu.%lu %9lu.%lu %9lu.%lu\n", name, n, v[0] / 10, v[0] % 10,
		v[1] / 10, v[1] % 10, v[2] / 10, v[2] % 10, v[3] / 10, v[3] % 10);
}

uint64_t sys_time(void) { return port_time(); }
uint8_t *sys_page(unsigned i) { return mmu_address(i); }

static void batch(const struct mmu_op *op, unsigned n)
{
	if (mmu_batch(op, n))
		sys_fail("mmu_batch");
}

static void protect(unsigned first, unsigned n, unsigned prot)
{
	struct mmu_op op = { MMU_PROTECT, first, n, prot, 0 };
	batch(&op, 1);
}

void sys_protect(unsigned first, unsigned n) { protect(first, n, 0); }
void sys_unprotect(unsigned first, unsigned n) { protect(first, n, MMU_W); }

void sys_exchange(unsigned unprotect, unsigned protected)
{
	struct mmu_op op[2] = { { MMU_PROTECT, unprotect, 1, MMU_W, 0 },
		{ MMU_PROTECT, protected, 1, 0, 0 } };
	batch(op, 2);
}

static bool on_fault(const struct mmu_fault *f)
{
	if (!f->mapped || !f->write)
		return false;
	hook(f->page);
	return true;
}

void sys_on_fault(void (*fault)(unsigned page)) { hook = fault; }

void sys_move(const unsigned *from, const unsigned *to, unsigned n)
{
	static struct mmu_op op[BENCH_PAGES];
	for (unsigned i = 0; i < n; i++)
		op[i] = (struct mmu_op){ MMU_MOVE, from[i], 1, 0, to[i] };
	batch(op, n);
}

void sys_large(void)
{
	if (!mmu_frame(LARGE) && mmu_do(MMU_MAP, LARGE, BENCH_LARGE, MMU_W | MMU_A | MMU_D, 0))
		sys_fail("no 256 MiB");
	mmu_harvest(LARGE, BENCH_LARGE, MMU_D, NULL, NULL);
}

void sys_large_write(unsigned i) { *(volatile uint8_t *)mmu_address(LARGE + i) = 1; }
void sys_dirty(uint64_t *bits) { mmu_dirty(LARGE, BENCH_LARGE, bits); }

void sys_init(void)
{
	const char *why;
	if (mmu_init(LARGE + BENCH_LARGE, BENCH_PAGES + BENCH_LARGE, &why))
		sys_fail(why);
	if (mmu_do(MMU_MAP, 0, BENCH_PAGES, MMU_W | MMU_A | MMU_D, 0))
		sys_fail("no pages");
	mmu_on_fault(on_fault);
}

int gc_main(unsigned argc, const char *(*arg)(unsigned i))
{
	uint64_t rounds = 9;
	if (argc > 1 && !text_number(arg(1), &rounds))
		sys_fail("the argument is how many rounds");
	bench_run(rounds);
	return 0;
}
