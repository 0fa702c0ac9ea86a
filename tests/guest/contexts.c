/* More contexts of this domain, on this CPU and others; slices. */
#include "tests/guest/ktest.h"

#define OTHER_STACK	8192

static uint8_t other_upcalls[UPCALL_STACK_SIZE] __attribute__((aligned(UPCALL_STACK_SIZE)));
static uint8_t other_stack[OTHER_STACK] __attribute__((aligned(16)));
static volatile uint64_t counter, other_events, stop_flag;
static uint64_t own_event;

struct other { uint64_t cap, object, control, save; struct exo_control *page; };

static void other_event(struct upcall_regs *r, uint64_t bits)
{
	(void)r;
	other_events |= bits;
}
static const struct upcall_handlers other_handlers = { .event = other_event };

static void spin(uint64_t arg)
{
	(void)arg;
	for (;;)
		counter++;
}

/* Waits for events, and answers each one with one of its own. */
static void answer(uint64_t arg)
{
	struct upcall_base *self = upcall_base_of(other_upcalls);
	(void)arg;
	while (!stop_flag) {
		upcall_mask(self);		/* an event between the look and the wait is not lost */
		if (!other_events)
			exo_wait(NULL, EXO_FOREVER, EXO_WAIT_UNMASK);
		else
			upcall_unmask(self);
		if (__atomic_exchange_n(&other_events, 0, __ATOMIC_SEQ_CST))
			exo_event_signal(own_event, 1ul << 30);
	}
	counter = ~0ul;
	for (;;)
		exo_wait(NULL, EXO_FOREVER, 0);
}

static uint64_t other_make(struct other *o, unsigned cpu, void (*fn)(uint64_t))
{
	extern char __text_lo[], __text_hi[];
	*o = (struct other){ .object = frame_take(), .control = frame_alloc_zero(), .save = frame_alloc_zero() };
	o->page = physmap_page(o->control);
	struct exo_result r = exo_context_create(0, o->object, o->control, o->save, cpu, EXO_SLOT_ANY);
	if (r.status)
		return r.status;
	o->cap = r.value;
	upcall_init(other_upcalls, o->page, &other_handlers, NULL);
	uint64_t status = exo_context_ctl(o->cap, EXO_CTX_ROOTS, machine->root, 0, 0).status;
	if (!status)
		status = exo_context_ctl(o->cap, EXO_CTX_ROUTE, (uint64_t)__text_lo, (uint64_t)__text_hi, 0).status;
	if (!status)
		status = exo_context_ctl(o->cap, EXO_CTX_START, (uint64_t)fn,
			(uint64_t)other_stack + OTHER_STACK - 8, 0).status;
	return status;
}

static uint64_t other_stop(struct other *o)
{
	uint64_t status, until = time_now() + NS_PER_SEC;
	while ((status = exo_context_ctl(o->cap, EXO_CTX_STOP, 0, 0, 0).status) == EXO_AGAIN &&
	       time_now() < until)
		;
	return status;
}

static uint64_t other_drop(struct other *o)
{
	uint64_t status = exo_delete_all(0, o->cap);
	frames_put(o->object, 1);
	frame_free(o->control);
	frame_free(o->save);
	return status;
}

static unsigned cpus_to_try(void) { return machine->cpus > 2 ? 2 : machine->cpus; }

static const char *second_context(void)
{
	struct other o;
	for (unsigned cpu = 0; cpu < cpus_to_try(); cpu++) {
		counter = 0;
		IS(other_make(&o, cpu, spin), OK);
		uint64_t until = time_now() + 2 * NS_PER_SEC;
		while (!counter && time_now() < until)
			exo_wait(NULL, time_now() + NS_PER_MS, EXO_WAIT_UNMASK);
		CHECK(counter);
		IS(other_stop(&o), OK);
		uint64_t stopped = counter;
		const struct exo_regs *r = physmap_page(o.save);
		CHECK(r->rip >= (uint64_t)spin && r->rip < (uint64_t)spin + 64);
		time_sleep_until(time_now() + 3 * NS_PER_MS);
		CHECK(counter == stopped);
		IS(exo_context_ctl(o.cap, EXO_CTX_RUN, 0, 0, 0).status, OK);
		until = time_now() + 2 * NS_PER_SEC;
		while (counter == stopped && time_now() < until)
			exo_wait(NULL, time_now() + NS_PER_MS, EXO_WAIT_UNMASK);
		CHECK(counter != stopped);
		CHECK(o.page->cpu == cpu && o.page->run_time);
		IS(other_stop(&o), OK);
		IS(other_drop(&o), OK);
	}
	return NULL;
}

static volatile unsigned answers;
static void count_answer(struct upcall_regs *r, uint64_t bits)
{
	(void)r;
	answers += bits >> 30 & 1;
}

static const char *event_ping_pong(void)
{
	static const struct upcall_handlers h = { .event = count_answer };
	struct other o;
	handle(&h);
	struct exo_result mine = exo_event_create(EXO_SLOT_ANY, 0, 1ul << 30);
	IS(mine.status, OK);
	own_event = mine.value;
	for (unsigned cpu = 0; cpu < cpus_to_try(); cpu++) {
		answers = counter = stop_flag = other_events = 0;
		IS(other_make(&o, cpu, answer), OK);
		struct exo_result e = exo_event_create(EXO_SLOT_ANY, o.cap, 1ul << 31);
		IS(e.status, OK);
		for (unsigned i = 0; i < 200; i++) {
			uint64_t until = time_now() + 2 * NS_PER_SEC;
			IS(exo_event_signal(e.value, 1ul << 31).status, OK);
			upcall_mask(upcall_first);
			while (answers == i && time_now() < until) {
				exo_wait(NULL, until, EXO_WAIT_UNMASK);
				upcall_mask(upcall_first);
			}
			upcall_unmask(upcall_first);
			CHECK(answers == i + 1);
		}
		stop_flag = 1;
		IS(exo_event_signal(e.value, 1ul << 31).status, OK);
		uint64_t until = time_now() + 2 * NS_PER_SEC;
		while (counter != ~0ul && time_now() < until)
			exo_wait(NULL, time_now() + NS_PER_MS, EXO_WAIT_UNMASK);
		CHECK(counter == ~0ul);
		IS(other_stop(&o), OK);
		IS(other_drop(&o), OK);
	}
	IS(exo_delete_all(0, mine.value), OK);
	return NULL;
}

/* Donation: yield(to) runs the other at once, on the same CPU. */
static const char *yield_to(void)
{
	struct other o;
	counter = 0;
	IS(other_make(&o, 0, spin), OK);
	for (unsigned i = 0; i < 100 && !counter; i++)
		IS(exo_yield(o.cap).status, OK);
	CHECK(counter);
	IS(other_stop(&o), OK);
	IS(other_drop(&o), OK);
	return NULL;
}

static const char *slices(void)
{
	struct other o;
	struct exo_cap_info info;
	uint64_t slice = start_cap_at(machine, CAP_SLICE, 0);
	IS(exo_cap_info(0, slice, &info).status, OK);
	CHECK(info.type == EXO_T_SLICE && info.count > 1);
	IS(exo_slice_ctl(slice, info.count, 0, 0).status, ARG);
	IS(exo_slice_ctl(slice, 1, 1000, 0).status, ARG);		/* 1 us: too short */
	counter = 0;
	IS(other_make(&o, 0, spin), OK);
	IS(exo_slice_ctl(slice, 1, 2 * NS_PER_MS, o.cap).status, OK);
	uint64_t until = time_now() + 10 * NS_PER_SEC, switches = upcall_first->control->switches;
	while (!(counter && o.page->forced) && time_now() < until)
		__asm__ volatile("pause");		/* both want the CPU: the kernel divides it */
	CHECK(counter);
	CHECK(upcall_first->control->switches > switches);
	CHECK(o.page->forced);				/* it never yields */
	IS(exo_slice_ctl(slice, 1, 0, 0).status, OK);
	IS(other_stop(&o), OK);
	IS(other_drop(&o), OK);
	return NULL;
}

const struct test context_tests[] = {
	{ "second_context", second_context },
	{ "event_ping_pong", event_ping_pong },
	{ "yield_to", yield_to },
	{ "slices", slices },
	{ NULL, NULL }
};
