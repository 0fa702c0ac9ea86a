/* Domains: creation, control, inspection. */
#include "tests/host/test.h"

static struct exo_domain_info *info(void) { return (void *)model_window[this_cpu()->number]; }

TEST(create_and_inspect)
{
	uint32_t object = fresh(), table = fresh();
	struct result r = CALL3(DOMAIN_CREATE, 30, object, table);

	OK(r);
	OK(CALL2(DOMAIN_INFO, r.value, WINDOW));
	CHECK(info()->id == object && info()->parent == model_init()->id && info()->state == EXO_DS_ACTIVE &&
		!info()->frames && !info()->contexts, "empty");
	OK(CALL2(DOMAIN_INFO, 0, WINDOW));
	CHECK(info()->id == model_init()->id && info()->contexts == MODEL_CPUS, "oneself");
	IS(CALL3(DOMAIN_CREATE, 30, fresh(), fresh()), BUSY, 1);
	IS(CALL3(DOMAIN_CREATE, 500, fresh(), fresh()), ARG, 1);
	IS(CALL3(DOMAIN_CREATE, 0, object, fresh()), TYPE, 2);
	IS(CALL3(DOMAIN_CREATE, 0, fresh(), 3), OWNER, 3);
	object = fresh();
	IS(CALL3(DOMAIN_CREATE, 0, object, object), ARG, 3);
	IS(CALL2(DOMAIN_INFO, 99, WINDOW), CAP, 1);
	IS(CALL2(DOMAIN_INFO, 1, WINDOW), TYPE, 1);
	IS(CALL2(DOMAIN_INFO, 30, 0x1000), FAULT, 2);
	OK(CALL6(CAP_COPY, 0, 31, 30, EXO_R_GIVE, 0, 0));
	IS(CALL2(DOMAIN_INFO, 31, WINDOW), RIGHT, 1);
	IS(CALL4(DOMAIN_CTL, 31, EXO_DOM_RESERVE, 1, 0), RIGHT, 1);
}

TEST(control)
{
	struct actor a = actor_make(60);
	struct context *x;

	IS(CALL4(DOMAIN_CTL, 0, EXO_DOM_RESERVE, 1, 0), RIGHT, 1);
	IS(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_RESERVE, 1ul << 32, 0), ARG, 3);
	OK(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_RESERVE, 7, 0));
	CHECK(a.d->reserve == 7, "reserve");
	IS(CALL4(DOMAIN_CTL, a.cap, 99, 1, 0), ARG, 2);
	IS(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_START, 0, 0), STATE, 1);
	IS(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_EXIT, 0, 0), ARG, 1);
	CHECK(model_run(1, a.d) && model_run(2, a.d), "runs");
	OK(CALL3(EVENT_CREATE, 40, 0, 0x70000));
	IS(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_WATCH, 41, 0x10000), CAP, 3);
	IS(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_WATCH, 40, 0), ARG, 4);
	IS(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_WATCH, 40, 0x80000), ARG, 4);
	OK(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_WATCH, 40, 0x20000));
	OK(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_WATCH, 40, 0x10000));
	IS(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_STOP, 0, 0), AGAIN, 0);
	OK(FINISH(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_STOP, 0, 0)));
	CHECK(!contexts_cpus(a.d), "off all CPUs");
	CHECK(context_control(this_cpu()->current)->events == 0x10000, "the watcher is told");
	OK(CALL2(DOMAIN_INFO, a.cap, WINDOW));
	CHECK(info()->state == EXO_DS_STOPPED, "state");
	OK(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_START, 0, 0));
	model_step_all();
	CHECK(a.d->state == EXO_DS_ACTIVE, "active");
	for (x = context_first(a.d); x; x = context_next(a.d, x))
		CHECK((x->state == EXO_CS_READY) == (x->home == 1 || x->home == 2), "those that ran go on");
	OK(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_WATCH, 0, 0));
	OK(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_WATCH, 40, 0x10000));
	OK(CALL2(CAP_DELETE, 0, 40));		/* the watch goes with the event */
	CHECK(!a.d->watch.type, "no watch");
	CHECK(model_run(0, a.d), "runs");
	x = this_cpu()->current;
	call(EXO_CALL_DOMAIN_CTL, 0, EXO_DOM_EXIT, 42, 0, 0, 0);
	CHECK(!x->running && a.d->state == EXO_DS_EXITED && a.d->status == 42 &&
		a.d->reason == EXO_DEAD_EXIT, "exited");
}

TEST(watch_depth)
{
	struct actor a = actor_make(60);
	unsigned i;

	OK(CALL3(EVENT_CREATE, 40, 0, 0x70000));
	for (i = 40; !CALL6(CAP_COPY, 0, i + 1, i, EXO_R_SIGNAL, 0, 0).status; i++)
		;
	IS(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_WATCH, i, 0x10000), LIMIT, 0);
}
