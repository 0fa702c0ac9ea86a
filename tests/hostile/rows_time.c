/* CPU time: programs that never stop.  The tester and its neighbour go on beside them; then the
 * tester ends them.
 */
#include "tests/hostile/hostile.h"

static volatile bool forever = true;

static uint64_t cpu_hog(void)
{
	while (forever)
		;
	return 1;
}

/* Masks all it can mask, and never lets go: the slice's end comes all the same. */
static uint64_t cpu_hog_masked(void)
{
	upcall_mask(upcall_first);
	exo_context_ctl(0, EXO_CTX_WARN, NS_PER_MS, 1, 0);
	while (forever)
		__asm__ volatile("pushf\n popf");
	return 1;
}

static uint64_t yield_storm(void)
{
	while (forever)
		exo_yield(0);
	return 1;
}

/* The handler comes back to the instruction that faults: a loop through the kernel. */
static bool go_again(struct upcall_regs *r)
{
	(void)r;
	return true;
}

static uint64_t fault_loop(void)
{
	static const struct upcall_handlers again = { go_again, NULL, NULL };
	upcall_set(&again);
	__asm__ volatile("ud2");
	return 1;
}

/* Timers that are due at once, with a handler that sets the next. */
static void timer_again(struct upcall_regs *r, uint64_t bits)
{
	(void)r;
	(void)bits;
	exo_timer_set(1);
}

static uint64_t timer_storm(void)
{
	static const struct upcall_handlers again = { NULL, NULL, timer_again };
	upcall_set(&again);
	exo_timer_set(1);
	while (forever)
		;
	return 1;
}

/* Events to the tester as fast as they go: they coalesce. */
static uint64_t event_storm(void)
{
	uint64_t event = start_cap(self, CAP_EVENT);
	EXPECT(event);
	while (forever)
		exo_event_signal(event, 1ul << EVENT_CHILD);
	return 1;
}

/* The longest calls there are, one after the other, under the kernel's lock. */
static uint64_t long_calls(void)
{
	uint64_t from = frame_alloc_run(64), to = frame_alloc_run(64);
	EXPECT(from && to);
	while (forever)
		exo_frame_copy(0, to << 12, 0, from << 12, 64 * 4096, 0);
	return 1;
}

/* Loans made, copied and revoked in a loop. */
static uint64_t revoke_loop(void)
{
	uint64_t pfn = frame_take();
	while (forever) {
		struct exo_result r = exo_frame_lend(0, EXO_SLOT_ANY, pfn, 1, EXO_R_GRANT | EXO_R_READ);
		EXPECT(!r.status);
		for (unsigned i = 0; i < 20; i++)
			exo_cap_copy(0, EXO_SLOT_ANY, r.value, EXO_R_READ, 0, 0);
		EXPECT(!exo_delete_all(0, r.value));
	}
	return 1;
}

/* Flushes of every CPU, from all of this domain's CPUs at once, and kicks between them. */
static struct second storm_second;
static uint64_t storm_event[2];

static void storm(void *arg)
{
	uint64_t n = (uint64_t)arg;
	for (;;) {
		exo_tlb_flush(0, 0, EXO_FLUSH_ALL);
		exo_tlb_flush(TEST_VA, 3, EXO_FLUSH_ALL);
		exo_event_signal(storm_event[n], 1ul << 20);
	}
}

static uint64_t shootdown_storm(void)
{
	EXPECT(second_make(&storm_second, cpus - 1, storm, (void *)1, 0));
	storm_event[0] = exo_event_create(EXO_SLOT_ANY, storm_second.cap, 1ul << 20).value;
	storm_event[1] = exo_event_create(EXO_SLOT_ANY, 0, 1ul << 20).value;
	EXPECT(storm_event[0] && storm_event[1] && !second_start(&storm_second));
	storm((void *)0);
	return 1;
}

/* Two contexts that yield to each other, and to nobody else, for ever. */
static void yield_away(void *arg)
{
	(void)arg;
	yield_storm();
}

static uint64_t yield_cartel(void)
{
	EXPECT(second_make(&storm_second, 0, yield_away, NULL, 0));
	EXPECT(!second_start(&storm_second));
	while (forever)
		exo_yield(storm_second.cap);
	return 1;
}

const struct row time_rows[] = {
	{ "cpu-hog", cpu_hog, RUNS, 1, NULL },
	{ "cpu-hog-masked", cpu_hog_masked, RUNS, 1, NULL },
	{ "yield-storm", yield_storm, RUNS, 1, NULL },
	{ "yield-cartel", yield_cartel, RUNS, 1, NULL },
	{ "fault-loop", fault_loop, RUNS, 1, NULL },
	{ "timer-storm", timer_storm, RUNS, 1, NULL },
	{ "event-storm", event_storm, RUNS, 1, NULL },
	{ "long-calls", long_calls, RUNS, 1, NULL },
	{ "revoke-loop", revoke_loop, RUNS, 1, NULL },
	{ "shootdown-storm", shootdown_storm, RUNS, 1, NULL },
	{ NULL, NULL, EXITS, 0, NULL },
};
