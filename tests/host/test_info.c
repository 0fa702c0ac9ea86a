/* What domains and CPUs are at their beginning and their end, as domain_info tells it; the extremes that
 * domain_ctl takes. */
#include "tests/host/test.h"

static const struct exo_domain_info *info(uint64_t cap)
{
	OK(CALL2(DOMAIN_INFO, cap, WINDOW));
	return (void *)model_window[this_cpu()->number];
}

TEST(domains_tell_of_their_children)
{
	struct actor a = actor_make(100);
	uint32_t object = actor_frame(&a), table = actor_frame(&a);

	CHECK(info(0)->child == a.d->id && !info(a.cap)->child, "init's");
	CHECK(info(a.cap)->parent == model_init()->id && !info(0)->parent, "parents");
	CHECK(model_run(0, a.d), "runs");
	struct result r = CALL3(DOMAIN_CREATE, 30, object, table);
	OK(r);
	CHECK(info(0)->child == object && info(r.value)->parent == a.d->id, "its own");
	CHECK(model_run(0, model_init()), "runs");
	CHECK(info(a.cap)->child == object, "as others see it");
	CHECK(info(a.cap)->frames == a.d->frames && info(a.cap)->contexts == MODEL_CPUS, "counts");
}

TEST(domains_tell_how_they_ended)
{
	struct actor a = actor_make(60);

	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	call(EXO_CALL_DOMAIN_CTL, 0, EXO_DOM_EXIT, 0x123456789abcul, 0, 0, 0);
	model_on(0);
	CHECK(info(a.cap)->state == EXO_DS_EXITED && info(a.cap)->reason == EXO_DEAD_EXIT &&
		info(a.cap)->status == 0x123456789abcul, "exited");
	OK(FINISH(CALL1(DOMAIN_DESTROY, a.cap)));
	CHECK(info(a.cap)->state == EXO_DS_DYING && info(a.cap)->reason == EXO_DEAD_EXIT &&
		!info(a.cap)->frames &&
		!info(a.cap)->contexts, "and gone");
	struct actor b = actor_make(60);
	OK(FINISH(CALL1(DOMAIN_DESTROY, b.cap)));
	CHECK(info(b.cap)->reason == EXO_DEAD_DESTROYED, "not by itself");
}

TEST(reserves_of_every_size)
{
	struct actor a = actor_make(60);

	OK(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_RESERVE, UINT32_MAX, 0));
	CHECK(a.d->reserve == UINT32_MAX, "all");
	IS(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_RESERVE, UINT32_MAX + 1ul, 0), ARG, 3);
	OK(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_RESERVE, 0, 0));
	CHECK(!a.d->reserve, "none");
}

/* A small domain ends in one call. */
TEST(small_domains_end_at_once)
{
	struct actor a = actor_make(40);

	OK(CALL6(CAP_COPY, a.cap, 5, a.cap, EXO_R_INFO, 0, 0));
	OK(CALL1(DOMAIN_DESTROY, a.cap));
	CHECK(!a.d->frames, "all of it");
}

/* A CPU begins its accounts, its slice and its wheel at the time at which it comes. */
TEST(cpus_begin_now)
{
	static struct exo_slice_page page;
	struct cpu c = { .number = 2 };

	model_time = 1ul << 40;
	sched_init_cpu(&c, &page);
	CHECK(c.wheel.now == model_time && c.switched == model_time && c.slot_start == model_time,
		"now");
	CHECK(c.slot_end == model_time + 10000000 && c.slice == &page.slice[0] && page.cpu == 2 &&
		page.count == 64 &&
		page.slice[63].length == 10000000, "its first slice");
	CHECK(!c.current && c.resched == EXO_RESCHED_PICK, "it looks for work");
}
