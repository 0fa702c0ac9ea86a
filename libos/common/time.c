/* The clock and waiting.  See time.h. */
#include "libos/common/time.h"
#include "libos/common/pt.h"
#include "libos/common/start.h"

static const struct exo_clock_page *clock;

uint64_t time_init(const struct exo_start *s, uint64_t va)
{
	struct exo_cap_info info;
	uint64_t cap = start_cap(s, CAP_CLOCK);
	if (!cap)
		return EXO_CAP;
	uint64_t status = exo_cap_info(0, cap, &info).status;
	if (!status && !va && !(va = pt_window(1)))
		status = EXO_LIMIT;
	if (!status)
		status = pt_map(s->root, va, info.base, 1, PTE_RO, cap);
	if (!status)
		time_use((const struct exo_clock_page *)va);
	return status;
}

void time_use(const struct exo_clock_page *page) { clock = page; }
bool time_ok(void) { return clock; }

uint64_t time_of_tsc(uint64_t tsc)
{
	if (!clock)
		return 0;
	return (unsigned __int128)(tsc - clock->tsc_base) * clock->mult >> clock->shift;
}

uint64_t time_now(void)
{
	uint32_t lo, hi;
	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return time_of_tsc((uint64_t)hi << 32 | lo);
}

uint64_t time_wall(void)
{
	return clock && clock->wall_base ? clock->wall_base + time_now() : 0;
}

void time_sleep_until(uint64_t ns)
{
	while (exo_wait(NULL, ns, EXO_WAIT_UNMASK).status == EXO_EVENT)
		;
}

void wait_start(struct wait *w)
{
	w->p.products = 1;
	for (unsigned i = 0; i < EXO_WAIT_PRODUCTS; i++)
		w->p.terms[i] = 0;
	w->p.pad = 0;
	w->full = false;
}

void wait_term(struct wait *w, uint64_t phys, uint64_t cap, enum exo_cmp op, uint64_t value)
{
	unsigned product = w->p.products - 1, term = w->p.terms[product];
	if (w->full || term == EXO_WAIT_TERMS) {
		w->full = true;
		return;
	}
	w->p.term[product][term] = (struct exo_term){ phys, op, cap, value };
	w->p.terms[product]++;
}

void wait_or(struct wait *w)
{
	if (w->p.products == EXO_WAIT_PRODUCTS)
		w->full = true;
	else
		w->p.products++;
}

uint64_t wait_for(const struct wait *w, uint64_t deadline)
{
	return exo_wait(&w->p, deadline, EXO_WAIT_UNMASK).status;
}
