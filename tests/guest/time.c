/* The clock, timers, events, wait; and upcalls under a storm of events. */
#include "tests/guest/ktest.h"

static volatile unsigned fired;
static volatile uint64_t all_bits, fired_at, lowest_rsp;

static void on_event(struct upcall_regs *r, uint64_t bits)
{
	if ((uint64_t)r < lowest_rsp)
		lowest_rsp = (uint64_t)r;
	all_bits |= bits;
	fired_at = time_now();
	fired++;
}
static const struct upcall_handlers counting = { .event = on_event };

static void reset(void)
{
	handle(&counting);
	fired = 0;
	all_bits = 0;
	lowest_rsp = ~0ul;
}

static const char *clock(void)
{
	uint64_t last = time_now();
	CHECK(last);
	for (unsigned i = 0; i < 10000; i++) {
		uint64_t now = time_now();
		CHECK(now >= last);
		last = now;
	}
	return NULL;
}

static const char *timer(void)
{
	reset();
	uint64_t when = time_now() + 2 * NS_PER_MS;
	IS(exo_timer_set(when).status, OK);
	while (!fired && time_now() < when + NS_PER_SEC)
		__asm__ volatile("pause");		/* it fires while we run */
	CHECK(fired == 1 && all_bits == EXO_EV_TIMER && fired_at >= when);
	reset();
	IS(exo_timer_set(1).status, OK);		/* the past: at once */
	when = time_now();
	while (!fired && time_now() < when + NS_PER_SEC)
		__asm__ volatile("pause");
	CHECK(fired == 1);
	reset();
	when = time_now() + 50 * NS_PER_MS;
	IS(exo_timer_set(when).status, OK);
	IS(exo_timer_set(0).status, OK);		/* cancelled */
	time_sleep_until(when + NS_PER_MS);
	CHECK(!fired);
	return NULL;
}

static const char *wait_times(void)
{
	reset();
	uint64_t when = time_now() + 2 * NS_PER_MS;
	IS(exo_wait(NULL, when, EXO_WAIT_UNMASK).status, TIMEOUT);
	CHECK(time_now() >= when);
	IS(exo_wait(NULL, 1, 0).status, TIMEOUT);	/* the past */
	upcall_mask(upcall_first);			/* it may fire before the wait begins */
	IS(exo_timer_set(time_now() + 2 * NS_PER_MS).status, OK);
	IS(exo_wait(NULL, time_now() + NS_PER_SEC, EXO_WAIT_UNMASK).status, EVENT);
	CHECK(fired == 1);
	return NULL;
}

static const char *wait_predicate(void)
{
	struct wait w;
	uint64_t pfn = frame_alloc_zero(), *word = physmap_page(pfn), phys = pfn << 12;
	reset();
	word[0] = 5;
	word[1] = 0xf0;
	wait_start(&w);
	wait_term(&w, phys, 0, EXO_EQ, 4);
	wait_or(&w);
	wait_term(&w, phys, 0, EXO_GE, 5);
	wait_term(&w, phys + 8, 0, EXO_AND, 0x10);
	struct exo_result r = exo_wait(&w.p, EXO_FOREVER, EXO_WAIT_UNMASK);
	IS(r.status, OK);
	CHECK(r.value == 1);
	word[1] = 0;
	IS(wait_for(&w, time_now() + NS_PER_MS), TIMEOUT);
	w.p.term[0][0].addr = 4;
	CHECK(wait_for(&w, time_now() + NS_PER_MS) != EXO_OK);
	w.p.term[0][0].addr = phys + 4;			/* not aligned */
	IS(wait_for(&w, time_now() + NS_PER_MS), ARG);
	frame_free(pfn);
	return NULL;
}

static const char *events(void)
{
	reset();
	struct exo_result e = exo_event_create(EXO_SLOT_ANY, 0, 3ul << 20);
	IS(e.status, OK);
	IS(exo_event_create(EXO_SLOT_ANY, 0, 1).status, ARG);	/* the kernel's bits */
	upcall_mask(upcall_first);
	IS(exo_event_signal(e.value, 1ul << 20).status, OK);
	IS(exo_event_signal(e.value, 1ul << 21).status, OK);
	CHECK(!fired && upcall_first->pair[0] == 1);
	upcall_unmask(upcall_first);
	CHECK(fired == 1 && all_bits == 3ul << 20);		/* coalesced */
	IS(exo_event_signal(e.value, 1ul << 20).status, OK);
	CHECK(fired == 2);
	CHECK(exo_event_signal(e.value, 1ul << 22).status || fired == 2);	/* not in its mask */
	IS(exo_delete_all(0, e.value), OK);
	IS(exo_event_signal(e.value, 1ul << 20).status, CAP);
	return NULL;
}

static const char *wait_unmask(void)
{
	reset();
	struct exo_result e = exo_event_create(EXO_SLOT_ANY, 0, 1ul << 20);
	upcall_mask(upcall_first);
	IS(exo_event_signal(e.value, 1ul << 20).status, OK);
	IS(exo_wait(NULL, EXO_FOREVER, EXO_WAIT_UNMASK).status, EVENT);	/* pending already: no sleep */
	CHECK(fired == 1);
	IS(exo_delete_all(0, e.value), OK);
	return NULL;
}

/* ---- a storm: the timer fires again and again while registers are watched ------------------ */

static uint64_t storm_gap;
static volatile unsigned storm_left;
static void on_storm(struct upcall_regs *r, uint64_t bits)
{
	on_event(r, bits);
	if (storm_left && --storm_left)
		exo_timer_set(time_now() + storm_gap);
}

/* One round: all registers keep their values until the storm is over. */
static uint64_t registers_spin(volatile unsigned *until)
{
	uint64_t bad;
	__asm__ volatile(
		"mov $0x11, %%rbx; mov $0x22, %%rcx; mov $0x33, %%rdx; mov $0x44, %%rsi; mov $0x66, %%r8\n"
		"mov $0x77, %%r9; mov $0x88, %%r10; mov $0x99, %%r11; mov $0xaa, %%r12; mov $0xbb, %%r13\n"
		"mov $0xcc, %%r14; mov $0xdd, %%r15\n"
		"1: cmpl $0, (%%rdi)\n"
		"jne 1b\n"
		"sub $0x11, %%rbx; sub $0x22, %%rcx; sub $0x33, %%rdx; sub $0x44, %%rsi; sub $0x66, %%r8\n"
		"sub $0x77, %%r9; sub $0x88, %%r10; sub $0x99, %%r11; sub $0xaa, %%r12; sub $0xbb, %%r13\n"
		"sub $0xcc, %%r14; sub $0xdd, %%r15\n"
		"or %%rcx, %%rbx; or %%rdx, %%rbx; or %%rsi, %%rbx; or %%r8, %%rbx; or %%r9, %%rbx\n"
		"or %%r10, %%rbx; or %%r11, %%rbx; or %%r12, %%rbx; or %%r13, %%rbx; or %%r14, %%rbx\n"
		"or %%r15, %%rbx; mov %%rbx, %%rax"
		: "=a"(bad) : "D"(until) : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13",
		"r14", "r15", "memory", "cc");
	return bad;
}

static const char *storm(void)
{
	static const struct upcall_handlers h = { .event = on_storm };
	for (storm_gap = 0; storm_gap <= 20000; storm_gap += 1000) {
		reset();
		handle(&h);
		storm_left = 200;
		exo_timer_set(time_now() + storm_gap);
		CHECK(!registers_spin(&storm_left));
		CHECK(fired == 200 && all_bits == EXO_EV_TIMER);
		/* never deeper than one frame: nothing was pushed inside the resume range */
		CHECK(lowest_rsp >= upcall_first->control->stack_hi - sizeof(struct upcall_regs) - 16);
	}
	return NULL;
}

/* Events that hit kernel calls and their way out. */
static const char *storm_of_calls(void)
{
	static const struct upcall_handlers h = { .event = on_storm };
	struct upcall_regs *top = upcall_top(upcall_first);
	reset();
	handle(&h);
	storm_gap = 3000;
	storm_left = 300;
	exo_timer_set(time_now() + storm_gap);
	while (storm_left)
		exo_null();
	CHECK(fired == 300 && lowest_rsp >= (uint64_t)(top - 1));
	return NULL;
}

const struct test time_tests[] = {
	{ "clock", clock },
	{ "timer", timer },
	{ "wait_times", wait_times },
	{ "wait_predicate", wait_predicate },
	{ "events", events },
	{ "wait_unmask", wait_unmask },
	{ "event_storm", storm },
	{ "event_storm_calls", storm_of_calls },
	{ NULL, NULL }
};
