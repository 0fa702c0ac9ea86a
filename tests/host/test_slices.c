/* Slices: what is counted when a context leaves its CPU, which slots a capability's end unbinds, and who
 * goes on when its domain does. */
#include "exo/core/disk.h"
#include "tests/host/test.h"

#define SLICE	1000000ul

/* A switch is counted by who comes, and as forced by who would have gone on. */
TEST(switches_are_counted_one_by_one)
{
	struct actor a = actor_make(60), b = actor_make(60);
	struct context *x = context_on(&a, 1), *y = context_on(&b, 1);
	struct cpu *c = cpu_at(1);

	slots_share(x, y, SLICE);
	slots_begin(x, y, SLICE);
	for (unsigned i = 0; i < 6; i++) {
		struct exo_control *goes = context_control(c->current), *comes = context_control(c->current == x ? y : x);
		uint64_t forced = goes->forced, other = comes->forced, switches = comes->switches, all = c->slices->switches;

		disks_deadline = nets_deadline = EXO_FOREVER;
		tick_at(1, c->slot_end);
		CHECK(model_timer_at(1) == c->slot_end && c->slot_end > model_time,
			"until its slice ends");
		CHECK(c->control == comes && c->slices->running == c->current->id,
			"the other runs");
		CHECK(goes->forced == forced + 1 && comes->forced == other, "by force");
		CHECK(comes->switches == switches + 1 && c->slices->switches == all + 1,
			"one switch");
	}
	struct exo_control *goes = c->control;
	uint64_t forced = goes->forced;
	model_on(1);
	OK(CALL1(YIELD, 0));
	CHECK(c->control != goes && goes->forced == forced, "who yields is not forced");
}

/* The slots of a capability, no more, and no others' in them. */
TEST(slots_are_lost_with_their_capability)
{
	struct slot all = { .type = EXO_T_SLICE, .rights = 7, .aux = 1, .base = 0, .count = 64 };
	struct actor a = actor_make(60), b = actor_make(60);
	struct context *x = context_on(&a, 1), *y = context_on(&b, 1);
	const struct exo_slice *slice = cpu_at(1)->slices->slice;
	uint64_t name;

	CHECK(!cap_insert(model_init(), 90, 0, &all, NULL, &name), "insert");
	OK(CALL6(CAP_COPY, 0, 91, 90, EXO_R_BIND | EXO_R_GRANT, 8, 3));
	OK(CALL6(CAP_COPY, a.cap, 92, 91, EXO_R_BIND, 0, 0));
	for (unsigned i = 0; i < 64; i++)
		OK(CALL4(SLICE_CTL, 90, i, 0, (i == 9 ? y : x)->cap % 128));
	OK(CALL2(CAP_DELETE, a.cap, 92));
	for (unsigned i = 0; i < 64; i++) {
		bool lost = i == 8 || i == 10;

		CHECK(slice[i].context == (lost ? 0 : i == 9 ? y->id : x->id), "slot %u", i);
		CHECK(slice[i].domain == (lost ? 0 : i == 9 ? b.d->id : a.d->id),
			"slot %u's domain", i);
	}
	CHECK(x->slices == 61 && a.d->slices == 61 && y->slices == 1 && b.d->slices == 1,
		"counted");
	IS(CALL4(SLICE_CTL, 91, 3, 0, 0), ARG, 2);
	OK(CALL4(SLICE_CTL, 91, 2, 0, y->cap % 128));
	CHECK(slice[10].context == y->id && slice[10].length == 10000000, "the last slot");
	OK(CALL4(SLICE_CTL, 90, 0, 100000, 0));
	OK(CALL4(SLICE_CTL, 90, 1, 1000000000, 0));
	IS(CALL4(SLICE_CTL, 90, 2, 99999, 0), ARG, 3);
	IS(CALL4(SLICE_CTL, 90, 2, 1000000001, 0), ARG, 3);
	CHECK(slice[0].length == 100000 && slice[1].length == 1000000000,
		"the shortest and the longest");
}

/* Who was stopped by name meanwhile does not go on with its domain. */
TEST(stops_outlive_those_of_the_domain)
{
	struct actor a = actor_make(60);
	struct context *x = context_on(&a, 1), *y = context_on(&a, 2);

	context_begin(x);
	context_begin(y);
	OK(FINISH(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_STOP, 0, 0)));
	OK(FINISH(CALL3(CONTEXT_CTL, x->cap % 128, EXO_CTX_STOP, 0)));
	OK(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_START, 0, 0));
	CHECK(x->state == EXO_CS_STOPPED && y->state == EXO_CS_READY, "y goes on, x does not");
	OK(CALL3(CONTEXT_CTL, x->cap % 128, EXO_CTX_RUN, 0));
	CHECK(x->state == EXO_CS_READY, "until it is told to");
}

/* The start of a slice is one of the moments at which its context's predicate is looked at. */
TEST(waits_end_with_a_slice_that_starts)
{
	struct actor a = actor_make(60);
	struct context *x = context_on(&a, 1);
	uint32_t pfn = actor_frame(&a);
	struct exo_predicate *p = (void *)model_window[1];

	slots_share(x, x, SLICE);
	CHECK(model_run(1, a.d) && cpu_at(1)->current == x, "runs");
	model_on(1);
	*p = (struct exo_predicate){ .products = 1, .terms = { 1 } };
	p->term[0][0] = (struct exo_term){ .addr = (uint64_t)pfn << 12, .op = EXO_EQ, .value = 7 };
	IS(CALL3(WAIT, WINDOW, model_time + 10, 0), TIMEOUT, 0);	/* as of this very moment */
	CALL3(WAIT, WINDOW, EXO_FOREVER, 0);
	model_on(0);
	CHECK(x->state == EXO_CS_WAITING, "waits");
	tick_at(1, cpu_at(1)->slot_end);
	CHECK(x->state == EXO_CS_WAITING && frame_table[pfn].pins == 1, "for something else");
	*(uint64_t *)pfn_to_virt(pfn) = 7;
	tick_at(1, cpu_at(1)->slot_end);
	CHECK(cpu_at(1)->current == x && !frame_table[pfn].pins, "for this");
}
