/* Slices in turn, what is left of them to others, idle CPUs. */
#include "tests/host/play.h"
#include "tests/host/test.h"

TEST(slices_rotate)
{
	struct slot all = { .type = EXO_T_SLICE, .rights = 7, .aux = 1, .base = 0, .count = 64 };
	struct actor a = actor_make(60), b = actor_make(60);
	struct context *xa, *xb, *xi;
	uint64_t name, warnings, time, given = 0, used = 0;
	const struct exo_slice_page *page;
	const struct exo_control *ctl;

	for (unsigned i = 0; i < 64; i++)
		CHECK(cpu_at(1)->slices->slice[i].length == 10000000, "10 ms, until somebody chooses");
	CHECK(!cap_insert(model_init(), 90, 0, &all, NULL, &name), "insert");
	OK(CALL6(CAP_COPY, 0, 91, 90, EXO_R_BIND, 0, 0));
	for (xa = context_first(a.d); xa->home != 1; xa = context_next(a.d, xa))
		;
	for (xb = context_first(b.d); xb->home != 1; xb = context_next(b.d, xb))
		;
	IS(CALL4(SLICE_CTL, 90, 64, 0, 0), ARG, 2);
	IS(CALL4(SLICE_CTL, 90, 0, 1, 0), ARG, 3);
	IS(CALL4(SLICE_CTL, 90, 0, 2000000000, 0), ARG, 3);
	IS(CALL4(SLICE_CTL, 91, 0, 1000000, 0), RIGHT, 1);
	IS(CALL4(SLICE_CTL, 90, 0, 0, 99), CAP, 4);
	IS(CALL4(SLICE_CTL, 1, 0, 0, 0), TYPE, 1);
	for (unsigned i = 0; i < 64; i++)
		OK(CALL4(SLICE_CTL, 90, i, 1000000, (i & 1 ? xb : xa)->cap % 128));
	OK(CALL4(CONTEXT_CTL, xa->cap % 128, EXO_CTX_WARN, 100000, 1));
	OK(CALL4(CONTEXT_CTL, xa->cap % 128, EXO_CTX_START, 0x1000, 0));
	OK(CALL4(CONTEXT_CTL, xb->cap % 128, EXO_CTX_START, 0x1000, 0));
	context_control(xa)->mask = context_control(xb)->mask = 1;
	model_step_all();
	for (unsigned i = 0; i < 1600; i++) {
		model_time += 50000;
		model_timer(1);
	}
	page = cpu_at(1)->slices;
	ctl = context_control(cpu_at(1)->current);
	CHECK(page->cpu == 1 && page->count == 64 && page->running == cpu_at(1)->current->id &&
		page->now == cpu_at(1)->slot && page->switches > 10, "the slice page");
	CHECK(ctl->cpu == 1 && ctl->number == cpu_at(1)->current->id && ctl->slice_start <= model_time &&
		ctl->slice_end > model_time && ctl->slice_end - ctl->slice_start == 1000000, "the control page: %u %u, %lu to %lu at %lu",
		ctl->cpu, ctl->number, ctl->slice_start, ctl->slice_end, model_time);
	CHECK(context_control(xa)->run_time == xa->run_time, "run time");
	for (unsigned i = 0; i < 64; i++)
		used += page->slice[i].used;
	CHECK(used > 60000000 && used + page->idle < model_time, "accounted: %lu", used);
	warnings = context_control(xa)->events;
	OK(CALL2(DOMAIN_INFO, a.cap, WINDOW));
	time = ((struct exo_domain_info *)at_user(WINDOW))->run_time;
	CHECK(time >= xa->run_time && time < xa->run_time + 2000000, "run time: %lu", time);
	CHECK(xa->run_time > 5000000 && xb->run_time > 5000000, "both ran: %lu %lu", xa->run_time, xb->run_time);
	CHECK(xa->run_time < 2 * xb->run_time && xb->run_time < 2 * xa->run_time, "alike: %lu %lu", xa->run_time,
		xb->run_time);
	CHECK(warnings & EXO_EV_SLICE_START && warnings & EXO_EV_SLICE_END, "told of start and end");
	CHECK(context_control(xa)->forced > 5 && context_control(xa)->switches > 5 &&
		context_control(xa)->switches < 1000, "saved by force");
	/* Who yields in one slot has its next one all the same. */
	while (cpu_at(1)->current != xa || cpu_at(1)->slices->slice[cpu_at(1)->slot].context != xa->id) {
		model_time += 50000;
		model_timer(1);
	}
	model_on(1);
	OK(CALL1(YIELD, 0));
	model_on(0);
	for (unsigned i = 0; i < 20; i++) {
		model_time += 50000;
		model_timer(1);
	}
	for (xi = context_first(model_init()); xi->home != 1; xi = context_next(model_init(), xi))
		;
	time = xi->run_time;
	for (unsigned i = 0; i < 400; i++) {
		model_time += 50000;
		model_timer(1);
	}
	CHECK(xi->run_time < time + 1500000, "all slots are bound, and used: %lu", xi->run_time - time);
	/* One stops: others take its slots, and that is accounted as given. */
	FINISH(CALL3(CONTEXT_CTL, xb->cap % 128, EXO_CTX_STOP, 0));
	for (unsigned i = 0; i < 100; i++) {
		model_time += 50000;
		model_timer(1);
	}
	for (unsigned i = 1; i < 64; i += 2)
		given += cpu_at(1)->slices->slice[i].given;
	CHECK(given > 1000000, "given: %lu", given);
	FINISH(CALL3(CONTEXT_CTL, xa->cap % 128, EXO_CTX_STOP, 0));
	model_run(1, model_init());
	model_step_all();
	OK(CALL4(SLICE_CTL, 90, 0, 0, 0));
	OK(CALL2(CAP_DELETE, 0, 90));
	OK(FINISH(CALL1(DOMAIN_DESTROY, a.cap)));
	OK(FINISH(CALL1(DOMAIN_DESTROY, b.cap)));
}

TEST(yield_donates)
{
	struct actor a = actor_make(60);
	struct context *x = context_first(a.d), *own = me();
	uint64_t cap = x->cap % 128;

	IS(CALL1(YIELD, cap), STATE, 1);	/* not ready */
	IS(CALL1(YIELD, 99), CAP, 1);
	OK(CALL3(CONTEXT_CTL, cap, EXO_CTX_HOME, 0));
	OK(CALL4(CONTEXT_CTL, cap, EXO_CTX_START, 0x1000, 0));
	context_control(x)->mask = 1;
	regs()->rbx = 0x1234;
	OK(CALL1(YIELD, cap));
	CHECK(me() == x && regs()->rip == 0x1000 && regs()->rbx == 0, "it runs");
	OK(CALL1(YIELD, 0));
	CHECK(me() == own && regs()->rbx == 0x1234, "and back, with its registers");
	OK(CALL1(YIELD, 0));
}

TEST(idle_cpus_wake)
{
	struct actor a = actor_make(60);
	struct context *idle = cpu_at(2)->current, *x;

	kernel_lock();
	context_stop(idle, EXO_EVENT);
	kernel_unlock();
	model_step_all();
	CHECK(!cpu_at(2)->current && !cpu_at(2)->root && !cpu_at(2)->slices->running, "idle");
	model_time += 1000000;
	CHECK(CALL3(TLB_FLUSH, 0, 0, EXO_FLUSH_ALL).status == EXO_OK, "flush");
	for (x = context_first(a.d); x->home != 2; x = context_next(a.d, x))
		;
	OK(CALL4(CONTEXT_CTL, x->cap % 128, EXO_CTX_START, 0x1000, 0));
	model_step_all();
	CHECK(cpu_at(2)->current == x, "kicked awake");
	CHECK(cpu_at(2)->slices->idle >= 1000000 && cpu_at(2)->slices->idle < model_time, "idle time: %lu", cpu_at(2)->slices->idle);
	IS(CALL3(TLB_FLUSH, 0, 0, 0), ARG, 3);
	IS(CALL3(TLB_FLUSH, 0, 1ul << 40, EXO_FLUSH_ALL), ARG, 2);
}
