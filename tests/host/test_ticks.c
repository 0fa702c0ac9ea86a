/* The timer's interrupt: who is looked at, at which nanosecond, and how much is done in one go. */
#include "exo/core/disk.h"
#include "tests/host/test.h"

TEST(ticks_look_at_devices_in_time)
{
	for (unsigned late = 0; late < 2; late++) {
		uint64_t when = model_time + 100000;

		nets_deadline = disks_deadline = when;
		tick_at(0, when - 1);
		CHECK(nets_deadline == when && disks_deadline == when, "not yet");
		tick_at(0, when + late);
		CHECK(nets_deadline > when && disks_deadline > when, "now");
	}
}

/* A timer is armed for whatever comes first. */
TEST(ticks_are_armed_for_the_first)
{
	uint64_t end = this_cpu()->slot_end;

	tick_at(0, end - 500000);	/* near enough for the wheel's first level */
	disks_deadline = nets_deadline = EXO_FOREVER;
	OK(CALL1(TIMER_SET, end + 1000000));
	CHECK(model_timer_at(0) == end, "the slice's end");
	OK(CALL1(TIMER_SET, end - 1000));
	CHECK(model_timer_at(0) == end - 1000, "a timer");
	kernel_lock();
	disks_deadline = end - 2000;
	sched_timer();
	CHECK(model_timer_at(0) == end - 2000, "disks");
	nets_deadline = end - 3000;
	sched_timer();
	CHECK(model_timer_at(0) == end - 3000, "cards");
	this_cpu()->current->warn = 4000;
	sched_timer();
	CHECK(model_timer_at(0) == end - 4000, "a warning");
	kernel_unlock();
}

/* Of one slot of the wheel a run looks at no more than 64, whoever is due behind them. */
TEST(ticks_are_bounded)
{
	struct actor a = actor_make(400);
	struct context *x[101];
	struct wheel *w = &this_cpu()->wheel;
	uint64_t base = ((model_time >> WHEEL_SHIFT) + 2) << WHEEL_SHIFT;

	for (unsigned i = 0; i <= 100; i++) {
		uint64_t object = actor_frame(&a), page = actor_frame(&a), save = actor_frame(&a);

		OK(CALL6(CONTEXT_CREATE, a.cap, object, page, save, 0, 0));
		x[i] = context_at(object);
		timer_queue(x[i], TIMER_USER, base + (i == 100 ? 10 : 100));
	}
	kernel_lock();
	CHECK(timer_next(w) == base, "some time in it: too many to tell");
	timer_run(w, base + 10);
	CHECK(x[100]->timers[TIMER_USER].slot, "it stands behind 100 others");
	for (unsigned i = 0; i < 36; i++)
		timer_cancel(x[i], TIMER_USER);
	CHECK(timer_next(w) == base, "one too many");
	for (unsigned i = 36; i < 50; i++) {
		timer_cancel(x[i], TIMER_USER);
		CHECK(timer_next(w) == base + 10, "the last of %u", 100 - i);
	}
	CHECK(timer_next(w) == base + 10, "of the rest");
	timer_run(w, base + 10);
	CHECK(!x[100]->timers[TIMER_USER].slot && x[50]->timers[TIMER_USER].slot, "it alone");
	for (unsigned i = 50; i < 100; i++)
		timer_cancel(x[i], TIMER_USER);
	kernel_unlock();
}

/* A time that is this very moment is not waited for. */
TEST(timers_of_this_moment)
{
	struct context *x = this_cpu()->current;

	context_control(x)->events = 0;
	OK(CALL1(TIMER_SET, model_time + 10));		/* the clock goes on when it is read */
	CHECK(context_control(x)->events & EXO_EV_TIMER && !x->timers[TIMER_USER].slot, "now");
}
