/* Timers: the wheel, in order and in crowds. */
#include "tests/host/play.h"
#include "tests/host/test.h"

TEST(timers_fire_in_order)
{
	struct actor a[4];
	uint64_t base;

	for (unsigned i = 0; i < 4; i++) {
		a[i] = actor_make(60);
		CHECK(model_run(1, a[i].d), "runs");
		model_on(1);
		/* From microseconds to years ahead: every level of the wheel. */
		OK(CALL1(TIMER_SET, model_time + (1000ul << 14 * i)));
		model_on(0);
	}
	base = model_time;
	for (unsigned i = 0; i < 4; i++) {
		struct context *x = NULL;

		for (x = context_first(a[i].d); x->home != 1; x = context_next(a[i].d, x))
			;
		model_time = base + (1000ul << 14 * i) - 500;
		model_timer(1);
		CHECK(!(context_control(x)->events & EXO_EV_TIMER), "timer %u is early", i);
		model_time = base + (1000ul << 14 * i) + 20000;
		for (unsigned k = 0; k < 20; k++)
			model_timer(1);
		CHECK(context_control(x)->events & EXO_EV_TIMER, "timer %u is late", i);
	}
}

TEST(timers_are_set_and_cancelled)
{
	upcalls_on();
	control()->mask = 1;
	OK(CALL1(TIMER_SET, model_time + 1000000));
	OK(CALL1(TIMER_SET, model_time + 2000000));
	OK(CALL1(TIMER_SET, 0));
	CHECK(!me()->timers[0].slot, "cancelled");
	OK(CALL1(TIMER_SET, EXO_FOREVER));
	CHECK(!(control()->events & EXO_EV_TIMER), "quiet");
	OK(CALL1(TIMER_SET, model_time + 1000000));
	OK(CALL1(TIMER_SET, 1));
	CHECK(!me()->timers[0].slot, "no timer is left");
	CHECK(control()->events & EXO_EV_TIMER, "the past fires at once");
	OK(CALL1(TIMER_SET, model_time + (1ul << 60)));
	CHECK(me()->timers[0].slot, "beyond the wheel");
	model_time += 1ul << 57;
	for (unsigned i = 0; i < 100; i++)
		model_timer(0);
	CHECK(me()->timers[0].slot, "still queued");
	OK(CALL1(TIMER_SET, 0));
}

/* Within a slot of the wheel, the due ones fire, whatever their place. */
TEST(timers_share_a_slot)
{
	struct actor a = actor_make(60);
	struct context *x = context_first(a.d), *y = context_next(a.d, x);
	uint64_t when = (model_time + 0x40000) & ~0x3ffful;

	kernel_lock();
	timer_queue(x, TIMER_USER, when + 8000);
	timer_queue(y, TIMER_USER, when + 1000);
	CHECK(timer_next(&this_cpu()->wheel) == when + 1000, "the earlier one counts");
	timer_run(&this_cpu()->wheel, when + 999);
	CHECK(!(context_control(y)->events & EXO_EV_TIMER), "not yet");
	timer_run(&this_cpu()->wheel, when + 1000);
	CHECK(!(context_control(x)->events & EXO_EV_TIMER) && context_control(y)->events & EXO_EV_TIMER, "one");
	CHECK(timer_next(&this_cpu()->wheel) == when + 8000, "one is left");
	timer_run(&this_cpu()->wheel, when + 9000);
	CHECK(context_control(x)->events & EXO_EV_TIMER, "the other");
	CHECK(timer_next(&this_cpu()->wheel) == EXO_FOREVER, "none is left");
	context_control(x)->events = 0;
	timer_queue(x, TIMER_USER, when + 0x4000);	/* where a slot begins */
	timer_run(&this_cpu()->wheel, when + 0x4000);
	CHECK(context_control(x)->events & EXO_EV_TIMER, "to the nanosecond");
	kernel_unlock();
}

/* Many timers in one slot are fired in bounded runs. */
TEST(timers_in_crowds)
{
	struct actor a = actor_make(700);
	uint64_t when;
	unsigned n = 0;

	for (unsigned i = 0; i < 150; i++) {
		uint64_t object = actor_frame(&a), page = actor_frame(&a), save = actor_frame(&a);
		struct result r;

		if (i == 100)
			OK(CALL2(CAP_GROW, 0, fresh()));
		r = CALL6(CONTEXT_CREATE, a.cap, object, page, save, 0, 0);
		OK(r);
		timer_queue(context_at(object), TIMER_USER, model_time + 1000000 + i % 3);
	}
	when = model_time + 1000010;
	CHECK(timer_next(&this_cpu()->wheel) <= when, "armed");
	model_time = when + 100;
	timer_run(&this_cpu()->wheel, model_time);
	for (struct context *x = context_first(a.d); x; x = context_next(a.d, x))
		n += (context_control(x)->events & EXO_EV_TIMER) != 0;
	CHECK(n > 32 && n <= 64, "a bounded run: %u", n);
	for (unsigned i = 0; i < 5; i++)
		timer_run(&this_cpu()->wheel, model_time);
	n = 0;
	for (struct context *x = context_first(a.d); x; x = context_next(a.d, x))
		n += (context_control(x)->events & EXO_EV_TIMER) != 0;
	CHECK(n == 150, "all: %u", n);
}
