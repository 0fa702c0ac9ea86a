/* What collectors want of virtual memory (Appel, Li, ASPLOS'91), the same operations on Virtue and on
 * Linux.  Prints a line for each as tests/bench/bench.c does: name, operations a round, nanoseconds
 * (lower quartile, median, upper quartile) and time-stamp counts (median) an operation; under -icount
 * these are guest instructions.
 *
 *	appel1	a random protected page is written; the fault protects another one and unprotects it
 *	appel2	100 pages are protected together; each is written, and its fault unprotects it: per page
 *	move	pages change their addresses, no two of them adjacent: per page
 *	dirty	the dirty bits of 256 MiB are read: per page
 */
#include "tests/gc/bench_mmu.h"

#define ROUNDS_MAX	25u
#define TOGETHER	100u
#define APPEL1		500u
#define DIRTY_STEP	97u

static uint64_t seed = 1;

static unsigned draw(unsigned n)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (seed >> 33) % n;
}

static void write_page(unsigned i) { *(volatile uint8_t *)sys_page(i) = 1; }

static void shuffle(unsigned *v, unsigned n)
{
	for (unsigned i = n; i > 1; i--) {
		unsigned k = draw(i), t = v[i - 1];
		v[i - 1] = v[k];
		v[k] = t;
	}
}

/* ---- the operations: each carries out a round of n ------------------------------------------- */

static unsigned victim[BENCH_PAGES];	/* appel1: protected pages, the next to be written first */
static unsigned next_protected;
static volatile unsigned faults;

static void appel1_fault(unsigned page)
{
	faults++;
	sys_exchange(page, next_protected);
}

static void appel1_before(unsigned n)
{
	for (unsigned i = 0; i < BENCH_PAGES; i++)
		victim[i] = i;
	shuffle(victim, BENCH_PAGES);
	sys_protect(0, BENCH_PAGES);
	sys_unprotect(victim[n], 1);		/* the first that is protected in a fault */
	sys_on_fault(appel1_fault);
	faults = 0;
}

/* The page that a fault unprotects is the one that the next fault protects again. */
static void appel1(unsigned n)
{
	next_protected = victim[n];
	for (unsigned i = 0; i < n; i++) {
		write_page(victim[i]);
		next_protected = victim[i];
	}
}

static void appel1_after(unsigned n)
{
	if (faults != n)
		sys_fail("appel1: not every write faulted");
	sys_unprotect(0, BENCH_PAGES);
}

static void appel2_fault(unsigned page)
{
	faults++;
	sys_unprotect(page, 1);
}

static void appel2_before(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		victim[i] = i;
	shuffle(victim, n);
	sys_on_fault(appel2_fault);
	faults = 0;
}

static void appel2(unsigned n)
{
	sys_protect(0, n);
	for (unsigned i = 0; i < n; i++)
		write_page(victim[i]);
}

static void appel2_after(unsigned n)
{
	if (faults != n)
		sys_fail("appel2: not every write faulted");
}

static unsigned from[BENCH_PAGES], to[BENCH_PAGES];
static bool moved;			/* the pages are in the upper half */

/* Every other page, in random order, so that neither sources nor targets are in a row. */
static void move_before(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		from[i] = 2 * i + (moved ? BENCH_PAGES : 0);
		to[i] = 2 * i + (moved ? 0 : BENCH_PAGES);
		*(volatile unsigned *)(sys_page(from[i]) + 64) = from[i] % BENCH_PAGES;
	}
	shuffle(from, n);
	for (unsigned i = 0; i < n; i++)
		to[i] = (from[i] + BENCH_PAGES) % (2 * BENCH_PAGES);
}

static void move(unsigned n) { sys_move(from, to, n); }

static void move_after(unsigned n)
{
	moved = !moved;
	for (unsigned i = 0; i < n; i++)
		if (*(volatile unsigned *)(sys_page(to[i]) + 64) != to[i] % BENCH_PAGES)
			sys_fail("move: content is at another address");
}

static uint64_t dirty_bits[BENCH_LARGE / 64];

static void dirty_before(unsigned n)
{
	sys_large();
	for (unsigned i = 0; i < n; i += DIRTY_STEP)
		sys_large_write(i);
}

static void dirty(unsigned n)
{
	(void)n;
	sys_dirty(dirty_bits);
}

static void dirty_after(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if ((dirty_bits[i / 64] >> i % 64 & 1) != !(i % DIRTY_STEP))
			sys_fail("dirty: a write is not seen, or one that was none");
}

/* ---- running them ---------------------------------------------------------------------------- */

static const struct benchmark {
	const char *name;
	unsigned n;
	void (*before)(unsigned n), (*run)(unsigned n), (*after)(unsigned n);
} benchmarks[] = {
	{ "appel1", APPEL1, appel1_before, appel1, appel1_after },
	{ "appel2", TOGETHER, appel2_before, appel2, appel2_after },
	{ "move", BENCH_PAGES / 2, move_before, move, move_after },
	{ "dirty", BENCH_LARGE, dirty_before, dirty, dirty_after },
};

/* Insertion: a few values. */
static void sort(uint64_t *v, unsigned n)
{
	for (unsigned i = 1; i < n; i++)
		for (unsigned k = i; k && v[k - 1] > v[k]; k--) {
			uint64_t t = v[k];
			v[k] = v[k - 1];
			v[k - 1] = t;
		}
}

/* The first round warms up. */
static void benchmark_run(const struct benchmark *b, unsigned rounds)
{
	uint64_t ns[ROUNDS_MAX + 1], ticks[ROUNDS_MAX + 1];
	for (unsigned i = 0; i <= rounds; i++) {
		b->before(b->n);
		uint64_t t = sys_time(), c = bench_ticks();
		b->run(b->n);
		ticks[i] = bench_ticks() - c;
		ns[i] = sys_time() - t;
		b->after(b->n);
	}
	sort(ns + 1, rounds);
	sort(ticks + 1, rounds);
	uint64_t quartile[3] = { ns[1 + rounds / 4], ns[1 + rounds / 2], ns[1 + rounds * 3 / 4] };
	sys_print(b->name, b->n, quartile, ticks[1 + rounds / 2]);
}

void bench_run(unsigned rounds)
{
	if (!rounds || rounds > ROUNDS_MAX)
		sys_fail("between 1 and 25 rounds");
	sys_init();
	for (unsigned i = 0; i < sizeof benchmarks / sizeof *benchmarks; i++)
		benchmark_run(&benchmarks[i], rounds);
}
