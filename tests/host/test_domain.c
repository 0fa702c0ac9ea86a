/* Domains: creation, control, inspection, loans between them, their end, revocation. */
#include <string.h>
#include "tests/host/test.h"

#define INIT_ROOT	(MODEL_RAM + 3)

static struct exo_domain_info *info(void) { return (void *)model_window[this_cpu()->number]; }

static void tables_of(struct actor *a, uint32_t t[3])
{
	for (unsigned i = 0; i < 3; i++)
		t[i] = actor_frame(a);
	map_tables(a->root, 0x400000, t);
}

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

/* ---- loans -------------------------------------------------------------- */

TEST(loans_map_by_their_rights)
{
	struct actor a = actor_make(60);
	uint32_t t[3], x = fresh(), y = fresh();

	OK(CALL5(FRAME_LEND, 0, 50, x, 1, EXO_R_READ | EXO_R_WRITE | EXO_R_EXEC | EXO_R_GRANT));
	OK(CALL6(CAP_COPY, a.cap, 50, 50, EXO_R_READ, 0, 0));
	OK(CALL6(CAP_COPY, a.cap, 51, 50, EXO_R_READ | EXO_R_WRITE, 0, 0));
	OK(CALL6(CAP_COPY, a.cap, 52, 50, EXO_R_READ | EXO_R_EXEC, 0, 0));
	OK(CALL6(CAP_COPY, a.cap, 53, 50, EXO_R_WRITE, 0, 0));
	CHECK(model_run(0, a.d), "runs");
	tables_of(&a, t);
	IS(pt_set(t[0], 0, pte(x, RO | EXO_PTE_NX), 0), OWNER, 2);
	OK(pt_set(t[0], 0, pte(x, RO | EXO_PTE_NX), 50));
	IS(pt_set(t[0], 0, pte(x, RW | EXO_PTE_NX), 50), RIGHT, 4);
	IS(pt_set(t[0], 0, pte(x, RO), 50), RIGHT, 4);
	OK(pt_set(t[0], 0, pte(x, RO | EXO_PTE_NX), 0));	/* what is bound stays bound */
	IS(pt_set(t[0], 0, pte(y, RO | EXO_PTE_NX), 50), OWNER, 2);
	IS(pt_set(t[0], 0, pte(x, RW | EXO_PTE_NX), 53), RIGHT, 4);
	OK(pt_set(t[0], 0, pte(x, RW | EXO_PTE_NX), 51));
	IS(pt_set(t[0], 0, pte(x, RW), 51), RIGHT, 4);
	IS(pt_set(t[0], 0, pte(x, RW), 52), RIGHT, 4);
	OK(pt_set(t[0], 0, pte(x, RO), 52));
	/* Software bits may change without the loan, rights may not. */
	OK(pt_set(t[0], 0, pte(x, RO | 0x200), 0));
	IS(pt_set(t[0], 0, pte(x, RW | 0x200), 0), OWNER, 2);
	CHECK(a.d->foreign == 1, "one foreign entry");
	/* No large pages, no tables by loan. */
	CHECK(model_run(0, model_init()), "runs");
	IS(CALL4(FRAME_GIVE, 0, a.cap, x, 1), BUSY, 3);
	OK(CALL2(CAP_REVOKE, 0, 50));
	OK(CALL4(FRAME_GIVE, 0, a.cap, x, 1));
}

TEST(loans_end_everywhere)
{
	struct actor a = actor_make(60), b = actor_make(60);
	uint32_t ta[3], tb[3], x = fresh(), y = fresh();
	uint8_t byte = 1;

	OK(CALL5(FRAME_LEND, 0, 60, x, 2, EXO_R_READ | EXO_R_WRITE | EXO_R_GRANT));
	OK(CALL6(CAP_COPY, a.cap, 50, 60, EXO_R_READ | EXO_R_WRITE | EXO_R_GRANT, 0, 0));
	CHECK(model_run(0, a.d) && model_run(1, a.d), "runs");
	tables_of(&a, ta);
	OK(pt_set(ta[0], 0, pte(x, RW | EXO_PTE_NX), 50));
	OK(pt_set(ta[0], 1, pte(y, RW | EXO_PTE_NX), 50));
	OK(pt_set(ta[0], 2, pte(a.next, RW), 0));
	CHECK(model_access(1, 0x400000, true, &byte) && model_access(1, 0x401000, true, &byte), "mapped");
	model_on(2);
	OK(CALL6(CAP_COPY, b.cap, 51, 60, EXO_R_READ | EXO_R_GRANT, 0, 0));
	CHECK(model_run(2, b.d), "runs");
	tables_of(&b, tb);
	OK(pt_set(tb[0], 0, pte(x, RO | EXO_PTE_NX), 51));
	CHECK(model_access(2, 0x400000, false, &byte), "mapped");
	audit();
	model_on(3);
	/* The first is unmapped by its holder, without a flush. */
	model_on(0);
	OK(pt_set(ta[0], 0, 0, 0));
	model_on(3);
	OK(CALL2(CAP_DELETE, 0, 60));
	CHECK(!model_access(1, 0x400000, false, &byte) && !model_access(1, 0x401000, true, &byte) &&
		!model_access(2, 0x400000, false, &byte), "nobody reaches the frames");
	CHECK(pt_get(ta[0], 2), "own frames stay");
	CHECK(context_control(cpu_at(1)->current)->events & EXO_EV_LOST, "they are told");
	CHECK(!frame_table[x].mapped && !a.d->foreign && !b.d->foreign, "counts");
	OK(CALL4(FRAME_GIVE, 0, a.cap, x, 2));
}

/* What an earlier, longer predicate has left behind counts no more. */
TEST(loans_end_spares_other_waits)
{
	struct actor a = actor_make(60);
	uint32_t x = fresh();
	struct exo_predicate *p = (void *)(model_window[1] + 1024);
	struct context *waiter;

	OK(CALL5(FRAME_LEND, 0, 60, x, 1, EXO_R_READ | EXO_R_GRANT));
	OK(CALL6(CAP_COPY, a.cap, 50, 60, EXO_R_READ, 0, 0));
	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	waiter = this_cpu()->current;
	memset(p, 0, sizeof *p);
	p->products = p->terms[0] = 1;
	p->term[0][0] = (struct exo_term){ .addr = (uint64_t)a.next << 12, .op = EXO_EQ, .value = 5 };
	CALL3(WAIT, WINDOW + 1024, EXO_FOREVER, 0);
	waiter->pred.term[0][1].addr = (uint64_t)x << 12;
	model_on(0);
	OK(CALL2(CAP_DELETE, 0, 60));
	CHECK(waiter->state == EXO_CS_WAITING, "waits on");
}

TEST(loans_end_waits)
{
	struct actor a = actor_make(60);
	uint32_t x = fresh();
	struct exo_predicate *p = (void *)(model_window[1] + 1024);
	struct context *waiter;

	OK(CALL5(FRAME_LEND, 0, 60, x, 1, EXO_R_READ | EXO_R_GRANT));
	OK(CALL6(CAP_COPY, a.cap, 50, 60, EXO_R_READ, 0, 0));
	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	waiter = this_cpu()->current;
	memset(p, 0, sizeof *p);
	p->products = 2;	/* of which the second's second term is on loan */
	p->terms[0] = 1;
	p->terms[1] = 2;
	p->term[0][0] = (struct exo_term){ .addr = (uint64_t)a.next << 12, .op = EXO_EQ, .value = 5 };
	p->term[1][0] = p->term[0][0];
	p->term[1][1] = (struct exo_term){ .addr = (uint64_t)x << 12, .op = EXO_EQ, .cap = 50, .value = 5 };
	CALL3(WAIT, WINDOW + 1024, EXO_FOREVER, 0);
	CHECK(waiter->state == EXO_CS_WAITING && frame_table[x].pins == 1, "waits");
	audit();
	model_on(0);
	IS(CALL4(FRAME_GIVE, 0, a.cap, x, 1), BUSY, 3);
	OK(CALL2(CAP_DELETE, 0, 60));
	CHECK(waiter->state == EXO_CS_READY && !frame_table[x].pins, "woken");
	CHECK(waiter->wake_status == EXO_LOST || waiter->running, "by the loss");
}

/* A sweep that does not fit one call; another that begins meanwhile helps. */
TEST(sweeps_restart)
{
	struct actor a = actor_make(1200);
	uint32_t tables[3], x = fresh(), y = fresh();
	struct result r;
	unsigned calls = 0;

	OK(CALL5(FRAME_LEND, 0, 60, x, 1, EXO_R_READ | EXO_R_GRANT));
	OK(CALL5(FRAME_LEND, 0, 61, y, 1, EXO_R_READ | EXO_R_GRANT));
	OK(CALL6(CAP_COPY, a.cap, 50, 60, EXO_R_READ, 0, 0));
	OK(CALL6(CAP_COPY, a.cap, 51, 61, EXO_R_READ, 0, 0));
	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	tables_of(&a, tables);
	for (unsigned i = 0; i < 30; i++) {
		uint32_t t = actor_frame(&a);

		OK(retype(t, EXO_KIND_PT1));
		OK(pt_set(tables[1], 100 + i, pte(t, RW), 0));
		OK(pt_set(t, i, pte(x, RO | EXO_PTE_NX), 50));
		OK(pt_set(t, 100, pte(y, RO | EXO_PTE_NX), 51));
	}
	model_on(0);
	r = CALL2(CAP_DELETE, 0, 60);
	IS(r, AGAIN, 0);
	CHECK(frame_table[x].mapped > 0 && frame_table[x].mapped < 30, "part of it: %u", frame_table[x].mapped);
	audit();
	model_on(1);
	IS(pt_set(tables[0], 0, pte(x, RO | EXO_PTE_NX), 50), DYING, 4);
	/* The table at the sweep's place goes, and the front of the list changes. */
	OK(pt_set(tables[1], 110, 0, 0));
	for (unsigned i = 0; i < 20; i++)
		retype(actor_frame(&a), EXO_KIND_PT1);
	model_on(2);
	while ((r = CALL2(CAP_DELETE, 0, 61)).status == EXO_AGAIN)
		calls++;
	OK(r);
	CHECK(!frame_table[y].mapped && !frame_table[x].mapped, "swept");
	CHECK(calls < 20, "%u calls", calls);
	model_on(0);
	OK(CALL2(CAP_DELETE, 0, 60));
	audit();
}

/* A sweep that has become pointless is not left behind. */
TEST(sweeps_end_with_their_loan)
{
	struct actor a = actor_make(600);
	uint32_t tables[3], x = fresh(), t[30];

	OK(CALL5(FRAME_LEND, 0, 60, x, 1, EXO_R_READ | EXO_R_GRANT));
	OK(CALL6(CAP_COPY, a.cap, 50, 60, EXO_R_READ, 0, 0));
	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	tables_of(&a, tables);
	for (unsigned i = 0; i < 30; i++) {
		t[i] = actor_frame(&a);
		OK(retype(t[i], EXO_KIND_PT1));
		OK(pt_set(t[i], i, pte(x, RO | EXO_PTE_NX), 50));
	}
	model_on(0);
	IS(CALL2(CAP_DELETE, 0, 60), AGAIN, 0);
	model_on(1);
	for (unsigned i = 0; i < 30; i++)
		OK(pt_set(t[i], i, 0, 0));
	CHECK(!a.d->foreign && a.d->sweep_for, "nothing is left to find");
	model_on(0);
	OK(FINISH(CALL2(CAP_DELETE, 0, 60)));
	CHECK(!a.d->sweep_for, "the sweep is over");
	OK(CALL5(FRAME_LEND, 0, 60, x, 1, EXO_R_READ | EXO_R_GRANT));
	/* The same at the end of the domain. */
	OK(CALL6(CAP_COPY, a.cap, 50, 60, EXO_R_READ, 0, 0));
	model_on(1);
	OK(pt_set(t[0], 0, pte(x, RO | EXO_PTE_NX), 50));
	model_on(0);
	IS(CALL2(CAP_DELETE, 0, 60), AGAIN, 0);
	OK(FINISH(CALL1(DOMAIN_DESTROY, a.cap)));
	audit();
}

/* A lent frame may become a page table; its readers then read that. */
TEST(lent_frames_become_tables)
{
	struct actor a = actor_make(100);
	uint32_t t[3], x = fresh();

	OK(CALL5(FRAME_LEND, 0, 60, x, 1, EXO_R_READ | EXO_R_WRITE | EXO_R_GRANT));
	OK(CALL6(CAP_COPY, a.cap, 50, 60, EXO_R_READ | EXO_R_WRITE, 0, 0));
	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	tables_of(&a, t);
	OK(pt_set(t[0], 0, pte(x, RW | EXO_PTE_NX), 50));
	model_on(0);
	IS(retype(x, EXO_KIND_PT1), BUSY, 2);
	model_on(1);
	OK(pt_set(t[0], 0, pte(x, RO | EXO_PTE_NX), 50));
	model_on(0);
	OK(retype(x, EXO_KIND_PT1));
	audit();
	model_on(1);
	IS(pt_set(t[0], 1, pte(x, RO | EXO_PTE_NX), 50), TYPE, 2);
	IS(pt_set(t[0], 0, pte(x, RW | EXO_PTE_NX), 50), TYPE, 2);
	model_on(0);
	OK(CALL2(CAP_DELETE, 0, 60));
	CHECK(!frame_table[x].mapped, "swept");
}

/* ---- destruction -------------------------------------------------------- */

static void destroy_all(struct actor *a)
{
	OK(FINISH(CALL1(DOMAIN_DESTROY, a->cap)));
	audit();
	OK(CALL2(CAP_DELETE, 0, a->cap));
	audit();
}

TEST(destroy_returns_every_frame)
{
	uint32_t before = model_init()->frames, t[3], page;
	struct actor a = actor_make(200);
	uint8_t byte = 1;
	struct result r;

	CHECK(model_run(1, a.d) && model_run(2, a.d), "runs");
	model_on(1);
	tables_of(&a, t);
	OK(pt_set(t[0], 0, pte(a.next, RW), 0));
	CHECK(model_access(2, 0x400000, true, &byte), "mapped");
	page = (actor_frame(&a), actor_frame(&a));
	OK(CALL4(DOMAIN_CTL, 0, EXO_DOM_PAGE, page, 0));
	OK(CALL2(CAP_GROW, 0, actor_frame(&a)));
	OK(CALL5(FRAME_LEND, 0, 200, a.first, 10, EXO_R_READ));
	page = actor_frame(&a);
	OK(retype(page, EXO_KIND_PT4));
	OK(CALL3(ROOT_PAIR, 0, a.root, page));
	model_on(0);
	IS(CALL1(DOMAIN_DESTROY, 99), CAP, 1);
	r = CALL1(DOMAIN_DESTROY, a.cap);
	IS(r, AGAIN, 0);
	IS(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_RESERVE, 1, 0), DYING, 1);
	IS(CALL2(CAP_DELETE, 0, a.cap), BUSY, 2);
	r = FINISH(CALL1(DOMAIN_DESTROY, a.cap));
	OK(r);
	CHECK(r.value == 200, "all: %lu", r.value);
	OK(CALL1(DOMAIN_DESTROY, a.cap));
	OK(CALL2(DOMAIN_INFO, a.cap, WINDOW));
	CHECK(info()->state == EXO_DS_DYING && info()->reason == EXO_DEAD_DESTROYED && !info()->frames, "info");
	IS(CALL3(DOMAIN_REVOKE, a.cap, 1, 0), DYING, 1);
	OK(CALL2(CAP_DELETE, 0, a.cap));
	CHECK(model_init()->frames == before && !model_init()->first_child, "everything is back");
	for (unsigned i = MODEL_RAM + 20; i < MODEL_FRAMES; i++)
		CHECK(frame_table[i].type == EXO_F_DATA && !frame_table[i].mapped && !frame_table[i].pins, "%u", i);
}

TEST(destroy_ends_loans_both_ways)
{
	struct actor a = actor_make(100), b = actor_make(100);
	uint32_t ta[3], tb[3], x = actor_frame(&a), y = fresh();
	uint8_t byte;

	CHECK(model_run(1, a.d) && model_run(2, b.d), "runs");
	OK(CALL5(FRAME_LEND, 0, 60, y, 1, EXO_R_READ | EXO_R_GRANT));
	OK(CALL6(CAP_COPY, a.cap, 60, 60, EXO_R_READ | EXO_R_GRANT, 0, 0));
	OK(CALL6(CAP_COPY, a.cap, 61, b.cap, EXO_R_GIVE | EXO_R_GRANT, 0, 0));
	model_on(1);
	tables_of(&a, ta);
	OK(pt_set(ta[0], 0, pte(y, RO | EXO_PTE_NX), 60));
	OK(CALL5(FRAME_LEND, 0, 62, x, 1, EXO_R_READ | EXO_R_GRANT));
	OK(CALL6(CAP_COPY, 61, 70, 62, EXO_R_READ, 0, 0));
	OK(CALL6(CAP_COPY, 61, 71, 60, EXO_R_READ, 0, 0));
	model_on(2);
	tables_of(&b, tb);
	OK(pt_set(tb[0], 0, pte(x, RO | EXO_PTE_NX), 70));
	OK(pt_set(tb[0], 1, pte(y, RO | EXO_PTE_NX), 71));
	CHECK(model_access(2, 0x400000, false, &byte) && model_access(2, 0x401000, false, &byte), "mapped");
	model_on(0);
	destroy_all(&a);
	CHECK(!model_access(2, 0x400000, false, &byte), "its frames are not reachable");
	CHECK(!model_access(2, 0x401000, false, &byte), "nor what it had passed on");
	CHECK(b.d->state == EXO_DS_ACTIVE && !b.d->foreign, "the other lives");
	destroy_all(&b);
}

/* Children, and contexts made for others, become the parent's. */
TEST(destroy_reparents)
{
	uint32_t before = model_init()->frames;
	struct actor a = actor_make(400), c = { 0 };
	struct result r;
	uint32_t object, root, event;

	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	object = actor_frame(&a);
	r = CALL3(DOMAIN_CREATE, 0, object, actor_frame(&a));
	OK(r);
	c = (struct actor){ .d = domain_at(object), .cap = r.value };
	OK(CALL4(FRAME_GIVE, 0, c.cap, a.next, 20));
	c.first = a.next;
	a.next += 20;
	root = c.first;
	*(uint64_t *)model_window[1] = (uint64_t)root << 8 | EXO_KIND_PT4;
	OK(CALL3(FRAME_RETYPE, c.cap, WINDOW, 1));
	r = CALL6(CONTEXT_CREATE, c.cap, root + 1, root + 2, root + 3, 3, 0);
	OK(r);
	event = CALL3(EVENT_CREATE, 0, r.value, 0x10000).value;
	OK(CALL6(CAP_COPY, c.cap, 5, event, EXO_R_SIGNAL, 0, 0));
	OK(CALL3(CONTEXT_CTL, r.value, EXO_CTX_ROOTS, root));
	OK(CALL6(CAP_COPY, c.cap, 9, c.cap, EXO_R_INFO, 0, 0));	/* derived from what moves */
	OK(CALL4(DOMAIN_CTL, c.cap, EXO_DOM_WATCH, event, 0x10000));
	audit();
	model_on(0);
	OK(FINISH(CALL1(DOMAIN_DESTROY, a.cap)));
	audit();
	CHECK(c.d->parent == model_init()->id && model_init()->first_child, "reparented");
	CHECK(slot_domain(slot_at(c.d->cap)) == model_init(), "its capability too");
	CHECK(slot_at(c.d->table[0] * 128 + 9)->type == EXO_T_DOMAIN, "what was derived from it lives on");
	CHECK(!slot_at(c.d->table[0] * 128 + 5)->type, "what was derived from its own copy does not");
	OK(CALL2(CAP_DELETE, 0, a.cap));
	audit();
	CHECK(model_run(3, c.d), "it still runs");
	c.cap = c.d->cap % 128;
	destroy_all(&c);
	CHECK(model_init()->frames == before, "everything is back");
}

/* The parent's table may be full: the destroyer is told, and can make room. */
TEST(destroy_needs_room_for_children)
{
	struct actor a = actor_make(100);
	uint32_t object;
	struct result r;

	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	object = actor_frame(&a);
	OK(CALL3(DOMAIN_CREATE, 0, object, actor_frame(&a)));
	model_on(0);
	while (a.d->contexts)
		FINISH(CALL2(CAP_DELETE, 0, context_first(a.d)->cap % 128));
	while (!CALL5(FRAME_LEND, 0, 0, 100, 1, EXO_R_READ).status)
		;
	r = FINISH(CALL1(DOMAIN_DESTROY, a.cap));
	IS(r, LIMIT, 0);
	audit();
	OK(CALL2(CAP_GROW, 0, fresh()));
	OK(FINISH(CALL1(DOMAIN_DESTROY, a.cap)));
	audit();
}

/* Many copies of what moves: in several calls, and whoever looks meanwhile finds all in order. */
TEST(destroy_moves_in_steps)
{
	struct actor a = actor_make(400);
	uint32_t object, cap;
	struct result r;
	unsigned again = 0;

	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	object = actor_frame(&a);
	for (unsigned i = 0; i < 60; i++)
		OK(CALL2(CAP_GROW, 0, actor_frame(&a)));
	cap = CALL3(DOMAIN_CREATE, 3000, object, actor_frame(&a)).value;
	OK(CALL6(CAP_COPY, cap, 1, cap, EXO_R_INFO, 0, 0));
	for (unsigned i = 0; i < 6000; i++)
		OK(CALL6(CAP_COPY, 0, 0, cap, EXO_R_INFO, 0, 0));
	model_on(0);
	while ((r = CALL1(DOMAIN_DESTROY, a.cap)).status == EXO_AGAIN) {
		model_step_all();
		audit();
		if (slot_domain(slot_at(domain_at(object)->cap)) == model_init() &&
		    slot_at(domain_at(object)->cap)->next)
			IS(CALL2(CAP_DELETE, 0, domain_at(object)->cap % 128), BUSY, 2);
		again++;
	}
	OK(r);
	CHECK(again >= 3 && again < 100, "%u calls", again);
	CHECK(slot_at(domain_at(object)->table[0] * 128 + 1)->type == EXO_T_DOMAIN, "its own copy lives on");
}

/* A grandchild arrives in a dying table at a slot that was passed already. */
TEST(destroy_parent_and_child_at_once)
{
	uint32_t before = model_init()->frames;
	struct actor a = actor_make(400);
	uint32_t child, grandchild, init_cap;
	struct slot cap;
	uint64_t name, status;

	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	for (unsigned i = 0; i < 90; i++)
		OK(CALL2(CAP_GROW, 0, actor_frame(&a)));
	child = actor_frame(&a);
	OK(CALL3(DOMAIN_CREATE, 11000, child, actor_frame(&a)));
	OK(CALL4(FRAME_GIVE, 0, 11000, a.next, 20));
	grandchild = a.next + 1;
	/* The kernel's hand plays the child, which has no context: it makes a child of its own. */
	model_on(0);
	CHECK(!frame_object_check(domain_at(child), grandchild, 0), "may be an object");
	domain_make(grandchild, grandchild + 1, domain_at(child));
	cap = (struct slot){ .type = EXO_T_DOMAIN, .rights = 0x3f, .aux = grandchild };
	CHECK(!cap_insert(domain_at(child), 5, 0, &cap, NULL, &name), "its capability");
	cap.aux = child;
	CHECK(!cap_insert(model_init(), 100, 0, &cap, slot_at(domain_at(child)->cap), &name), "a copy");
	audit();
	while (a.d->cursor < 2000 || a.d->step < 3) {
		IS(CALL1(DOMAIN_DESTROY, a.cap), AGAIN, 0);
		model_step_all();
	}
	CHECK(a.d->cursor < 11000, "not there yet");
	do {
		status = CALL1(DOMAIN_DESTROY, 100).status;
	} while (EXO_CODE(status) == EXO_AGAIN);
	CHECK(status == EXO_OK && domain_at(grandchild)->parent == a.d->id, "inherited by the dying");
	audit();
	OK(FINISH(CALL1(DOMAIN_DESTROY, a.cap)));
	CHECK(domain_at(grandchild)->parent == model_init()->id, "and again");
	OK(CALL2(CAP_DELETE, 0, a.cap));
	init_cap = domain_at(grandchild)->cap % 128;
	OK(FINISH(CALL1(DOMAIN_DESTROY, init_cap)));
	OK(CALL2(CAP_DELETE, 0, init_cap));
	CHECK(model_init()->frames == before, "everything is back");
}

/* Calls without a value return 0. */
TEST(values_are_zero)
{
	uint32_t k = fresh(), u = fresh();

	OK(retype(k, EXO_KIND_PT4));
	OK(retype(u, EXO_KIND_PT4));
	CHECK(CALL3(ROOT_PAIR, 0, k, u).value == 0, "root_pair");
	CHECK(CALL3(FRAME_INFO, 0, k, WINDOW).value == 0, "frame_info");
	CHECK(CALL3(DOMAIN_INFO, 0, WINDOW, 77).value == 0, "domain_info");
	CHECK(CALL4(DOMAIN_CTL, 0, EXO_DOM_PAGE, fresh(), 0).value == 0, "domain_ctl");
	OK(CALL5(FRAME_LEND, 0, 20, k, 1, EXO_R_READ));
	CHECK(CALL3(CAP_INFO, 0, 20, WINDOW).value == 0, "cap_info");
}

/* Even walking an empty capability table is work that is bounded. */
TEST(destroy_is_bounded)
{
	struct actor a = actor_make(300);
	unsigned again = 0;

	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	for (unsigned i = 0; i < 120; i++)
		OK(CALL2(CAP_GROW, 0, actor_frame(&a)));
	for (unsigned i = 0; i < 20; i++)
		OK(retype(actor_frame(&a), EXO_KIND_PT1 + i % 3));
	model_on(0);
	while (CALL1(DOMAIN_DESTROY, a.cap).status == EXO_AGAIN) {
		model_step_all();
		audit();
		again++;
	}
	/* 15,488 slots, 21 tables of 512, 300 frames of 8 units, in calls of 4,096. */
	CHECK(again >= 7 && again < 12, "%u calls", again);
}

TEST(destroy_is_refused)
{
	struct actor a = actor_make(60);

	OK(CALL6(CAP_COPY, a.cap, 20, a.cap, EXO_R_DESTROY | EXO_R_REVOKE, 0, 0));
	OK(CALL6(CAP_COPY, 0, 90, a.cap, EXO_R_GIVE, 0, 0));
	IS(CALL1(DOMAIN_DESTROY, 90), RIGHT, 1);
	IS(CALL3(DOMAIN_REVOKE, 90, 1, 0), RIGHT, 1);
	CHECK(model_run(0, a.d), "runs");
	IS(CALL1(DOMAIN_DESTROY, 20), STATE, 1);
	IS(CALL3(DOMAIN_REVOKE, 20, 1, 0), STATE, 1);
}

TEST(contexts_end_with_their_capability)
{
	struct actor a = actor_make(60);
	struct context *x = context_first(a.d);
	uint32_t own = slot_name(slot_at(this_cpu()->current->cap)) % 128, cap = x->cap % 128;
	unsigned before = a.d->contexts;

	IS(CALL2(CAP_DELETE, 0, own), BUSY, 2);
	OK(CALL6(CAP_COPY, 0, 100, cap, EXO_R_CONTROL, 0, 0));
	OK(CALL2(CAP_DELETE, 0, 100));
	CHECK(a.d->contexts == before, "a copy is just a copy");
	CHECK(model_run(x->home, a.d) || true, "runs");
	OK(FINISH(CALL2(CAP_DELETE, 0, cap)));
	CHECK(a.d->contexts == before - 1, "ended");
}

TEST(slices_and_devices_end_with_capabilities)
{
	struct slot slices = { .type = EXO_T_SLICE, .rights = EXO_R_GRANT | EXO_R_BIND | EXO_R_LENGTH,
		.aux = 1, .base = 0, .count = 8 };
	struct actor a = actor_make(60);
	uint64_t name;

	CHECK(!cap_insert(model_init(), 90, 0, &slices, NULL, &name), "insert");
	OK(CALL6(CAP_COPY, a.cap, 90, 90, EXO_R_BIND, 2, 3));
	OK(CALL6(CAP_COPY, a.cap, 91, context_first(a.d)->cap % 128, EXO_R_YIELD, 0, 0));
	CHECK(model_run(0, a.d), "runs");
	OK(CALL4(SLICE_CTL, 90, 1, 0, 91));
	CHECK(cpu_at(1)->slices->slice[3].context == a.d->context_head && a.d->slices == 1, "bound");
	CHECK(model_run(0, model_init()), "runs");
	OK(CALL2(CAP_REVOKE, 0, 90));
	CHECK(!cpu_at(1)->slices->slice[3].context && !a.d->slices, "unbound");
}

/* ---- revocation --------------------------------------------------------- */

static struct exo_domain_page *give_page(struct actor *a)
{
	uint32_t pfn = actor_frame(a);

	OK(CALL4(DOMAIN_CTL, a->cap, EXO_DOM_PAGE, pfn, 0));
	return pfn_to_virt(pfn);
}

TEST(revoke_by_consent)
{
	struct actor a = actor_make(100);
	struct exo_domain_page *page = give_page(&a);
	uint64_t deadline = model_time + 1000000;
	struct result r;

	CHECK(model_run(1, a.d), "runs");
	IS(CALL3(DOMAIN_REVOKE, a.cap, 0, deadline), ARG, 2);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 1ul << 32, deadline), ARG, 2);
	IS(CALL3(DOMAIN_REVOKE, 120, 1, deadline), CAP, 1);
	r = CALL3(DOMAIN_REVOKE, a.cap, 5, deadline);
	IS(r, AGAIN, 0);
	CHECK(page->revoke_want == 5 && page->revoke_deadline == deadline && page->revoke_asked == 1 &&
		!r.value, "asked");
	CHECK(context_control(cpu_at(1)->current)->events & EXO_EV_REVOKE, "told");
	r = CALL3(DOMAIN_REVOKE, a.cap, 5, deadline);
	IS(r, AGAIN, 0);
	context_control(cpu_at(1)->current)->events = 0;
	IS(CALL3(DOMAIN_REVOKE, a.cap, 5, deadline), AGAIN, 0);
	CHECK(!context_control(cpu_at(1)->current)->events, "told once");
	OK(CALL4(FRAME_GIVE, a.cap, 0, a.next, 5));
	r = CALL3(DOMAIN_REVOKE, a.cap, 5, deadline);
	OK(r);
	CHECK(r.value == 5 && !page->revoke_want && !page->repo_count, "complied");
	/* Asking again, and thinking better of it. */
	IS(CALL3(DOMAIN_REVOKE, a.cap, 5, deadline), AGAIN, 0);
	OK(CALL3(DOMAIN_REVOKE, a.cap, 0, 0));
	CHECK(!page->revoke_want && page->revoke_asked == 2, "cancelled");
}

TEST(revoke_by_force)
{
	struct actor a = actor_make(200);
	struct exo_domain_page *page = give_page(&a);
	uint32_t t[3], *order = page->order, before = model_init()->frames;
	uint8_t byte = 1;
	struct result r;

	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	tables_of(&a, t);
	for (unsigned i = 0; i < 50; i++)
		OK(pt_set(t[0], i, pte(a.next + i, RW), 0));
	for (unsigned i = 0; i < 50; i++)
		CHECK(model_access(1, 0x400000 + i * 4096, true, &byte), "mapped");
	order[0] = a.next + 40;		/* its own wishes, and nonsense */
	order[1] = 3;
	order[2] = ~0u;
	order[3] = t[0];
	order[4] = a.next + 10;
	order[5] = a.next + 40;
	page->order_count = ~0ul;
	model_on(0);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 40, model_time - 1), AGAIN, 0);
	context_control(cpu_at(1)->current)->events = 0;
	r = FINISH(CALL3(DOMAIN_REVOKE, a.cap, 40, 0));
	OK(r);
	audit();
	CHECK(r.value == 40 && model_init()->frames == before + 40, "taken");
	CHECK(page->repo_count == 40 && page->revoke_want == 0, "logged");
	bool first = false, second = false;
	for (unsigned i = 0; i < 40; i++) {
		uint32_t pfn = page->repo[i];
		const uint64_t *p = pfn_to_virt(pfn);

		first |= pfn == a.next + 40;
		second |= pfn == a.next + 10;
		CHECK(frame_table[pfn].owner == model_init()->id && !*p && !memcmp(p, p + 1, 4088), "zeroed");
	}
	CHECK(first && second, "the declared order comes first");
	CHECK(!model_access(1, 0x400000 + 10 * 4096, true, &byte), "unreachable");
	CHECK(!pt_get(t[0], 40), "swept");
	CHECK(context_control(cpu_at(1)->current)->events & EXO_EV_REVOKE, "told");
}

TEST(revoke_spares_the_reserve)
{
	struct actor a = actor_make(200);
	uint32_t t[3];
	struct result r;

	OK(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_RESERVE, 150, 0));
	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	tables_of(&a, t);
	model_on(0);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 100, 0), AGAIN, 0);
	r = FINISH(CALL3(DOMAIN_REVOKE, a.cap, 100, 0));
	IS(r, LIMIT, 1);
	CHECK(r.value == 50 && a.d->frames == 150, "down to the reserve: %lu", r.value);
	OK(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_RESERVE, 0, 0));
	r = FINISH(CALL3(DOMAIN_REVOKE, a.cap, 100, 0));
	OK(r);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 1000, 0), AGAIN, 0);
	r = FINISH(CALL3(DOMAIN_REVOKE, a.cap, 1000, 0));
	IS(r, LIMIT, 1);
	/* What is left is in use: tables, objects, pinned frames. */
	for (uint32_t pfn = 1; pfn < MODEL_FRAMES; pfn++)
		CHECK(frame_table[pfn].owner != a.d->id || frame_table[pfn].type != EXO_F_DATA ||
			frame_table[pfn].pins, "frame %x is left", pfn);
	audit();
}

/* Doomed frames take part in nothing; those on loan stay; large pages go too. */
TEST(revoke_meets_the_unwilling)
{
	struct actor a = actor_make(60);
	uint32_t t[3], u[3] = { fresh(), fresh(), fresh() }, region = fresh_region(), lent;
	uint8_t byte = 1;
	struct result r;

	for (unsigned done = 0; done < 512; done += r.value)
		r = CALL4(FRAME_GIVE, 0, a.cap, region + done, 512 - done);
	map_tables(INIT_ROOT, 0x400000, u);
	lent = region + 511;
	CHECK(model_run(1, a.d), "runs");
	OK(CALL5(FRAME_LEND, a.cap, 30, lent, 1, EXO_R_READ | EXO_R_GRANT));
	/* The kernel's own hand plays the accomplice's part in passing it on. */
	struct slot *s = slot_at(a.d->table[0] * 128 + 30);
	uint64_t name;
	struct slot copy = *s;
	CHECK(!cap_insert(model_init(), 100, 0, &copy, s, &name), "copy");
	OK(pt_set(u[0], 0, pte(lent, RO | EXO_PTE_NX), 100));
	model_on(1);
	tables_of(&a, t);
	OK(pt_set(t[1], 5, pte(region, RW | EXO_PTE_PS), 0));
	CHECK(model_access(1, 0xa00000 + 0x5000, true, &byte), "mapped");
	model_on(0);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 30, 0), AGAIN, 0);
	r = FINISH(CALL3(DOMAIN_REVOKE, a.cap, 30, 0));
	OK(r);
	CHECK(!pt_get(t[1], 5), "the large page is gone");
	CHECK(frame_table[lent].owner == a.d->id && frame_table[lent].mapped == 1, "the lent frame stays");
	CHECK(!model_access(1, 0xa00000 + 0x5000, true, &byte), "unreachable");
	audit();
}

/* Only large pages with a doomed frame in them go, and no tables. */
TEST(revoke_hits_what_it_must)
{
	struct actor a = actor_make(60);
	uint32_t first = fresh_region(), second = fresh_region(), t[3], page;
	struct result r;

	for (unsigned done = 0; done < 1024; done += r.value)
		r = CALL4(FRAME_GIVE, 0, a.cap, first + done, 1024 - done);
	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	tables_of(&a, t);
	OK(retype(first + 9, EXO_KIND_PT1));
	OK(pt_set(t[1], 5, pte(second, RW | EXO_PTE_PS), 0));
	OK(pt_set(t[1], 6, pte(first, RO | EXO_PTE_PS), 0));
	OK(pt_set(t[1], 7, pte(first + 9, RW), 0));
	page = actor_frame(&a);
	OK(CALL4(DOMAIN_CTL, 0, EXO_DOM_PAGE, page, 0));
	((struct exo_domain_page *)pfn_to_virt(page))->order[0] = first + 3;
	((struct exo_domain_page *)pfn_to_virt(page))->order[1] = first + 9;
	((struct exo_domain_page *)pfn_to_virt(page))->order[2] = page;
	((struct exo_domain_page *)pfn_to_virt(page))->order[3] = first + 4;
	((struct exo_domain_page *)pfn_to_virt(page))->order_count = 4;
	OK(pt_set(t[0], 0, pte(first + 9, RO), 0));
	OK(pt_set(t[0], 1, pte(page, RW), 0));
	model_on(0);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 2, 0), AGAIN, 0);
	OK(FINISH(CALL3(DOMAIN_REVOKE, a.cap, 2, 0)));
	CHECK(frame_table[first + 3].owner == model_init()->id, "taken");
	CHECK(pt_get(t[0], 0) && pt_get(t[0], 1), "what cannot be taken stays mapped");
	CHECK(pt_get(t[1], 5) && !pt_get(t[1], 6) && pt_get(t[1], 7), "the rest stays");
}

/* Batch after batch from the back of the list, whatever was taken before. */
TEST(revoke_many)
{
	struct actor a = actor_make(60);
	uint32_t region = fresh_region(), before;
	struct result r;

	for (unsigned done = 0; done < 512; done += r.value)
		r = CALL4(FRAME_GIVE, 0, a.cap, region + done, 512 - done);
	before = model_init()->frames;
	IS(CALL3(DOMAIN_REVOKE, a.cap, 300, 0), AGAIN, 0);
	OK(FINISH(CALL3(DOMAIN_REVOKE, a.cap, 300, 0)));
	CHECK(model_init()->frames == before + 300, "taken");
}

/* The frames that force takes first, mapped, so that a sweep has to be made: behind them in the list are
 * the objects of contexts. */
static void map_last(const struct actor *a, unsigned frames, uint32_t table)
{
	for (unsigned i = 0; i < 40; i++)
		OK(pt_set(table, 100 + i, pte(a->first + frames - 3 * MODEL_CPUS - 1 - i, RO), 0));
}

/* A request taken back in the middle of a sweep does not confuse the next one. */
TEST(revoke_twice)
{
	struct actor a = actor_make(600);
	uint32_t t[3], table[30], pfn;
	struct result r;

	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	tables_of(&a, t);
	for (unsigned i = 0; i < 30; i++)
		OK(retype(table[i] = actor_frame(&a), EXO_KIND_PT1));
	pfn = actor_frame(&a);
	for (unsigned i = 0; i < 30; i++)
		OK(pt_set(table[i], 0, pte(pfn, RW), 0));
	map_last(&a, 600, table[0]);
	model_on(0);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 5, 0), AGAIN, 0);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 5, 0), AGAIN, 0);
	CHECK(a.d->doomed_count == 5 && a.d->sweep_for == 1, "in the middle");
	OK(CALL3(DOMAIN_REVOKE, a.cap, 0, 0));
	CHECK(!a.d->doomed_count, "spared");
	model_on(1);
	struct exo_domain_page *page = pfn_to_virt(actor_frame(&a));
	OK(CALL4(DOMAIN_CTL, 0, EXO_DOM_PAGE, a.next - 1, 0));
	page->order[0] = pfn;
	page->order_count = 1;
	model_on(0);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 1, 0), AGAIN, 0);
	r = FINISH(CALL3(DOMAIN_REVOKE, a.cap, 1, 0));
	OK(r);
	CHECK(page->repo[0] == pfn && frame_table[pfn].owner == model_init()->id, "the one it would rather lose");
}

/* ---- offers ------------------------------------------------------------- */

static void offer(uint64_t *map, uint32_t pfn) { map[pfn / 64] |= 1ul << pfn % 64; }
static bool offered(const uint64_t *map, uint32_t pfn) { return map[pfn / 64] >> pfn % 64 & 1; }

static bool revoke_event(void) { return context_control(cpu_at(1)->current)->events & EXO_EV_REVOKE; }

/* The domain's page with one bitmap. */
static uint64_t *offers_of(struct actor *a, struct exo_domain_page **page)
{
	uint32_t map = actor_frame(a);

	*page = give_page(a);
	(*page)->spare[0] = map;
	return pfn_to_virt(map);
}

/* What is on offer goes at once, mapped or not, and nobody is told. */
TEST(revoke_takes_offers)
{
	struct actor a = actor_make(200);
	struct exo_domain_page *page;
	uint64_t *map = offers_of(&a, &page);
	uint32_t t[3], first = a.next + 40, before = model_init()->frames;
	uint8_t byte = 1;
	struct result r;

	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	tables_of(&a, t);
	OK(pt_set(t[0], 7, pte(first + 7, RW), 0));
	CHECK(model_access(1, 0x400000 + 7 * 4096, true, &byte), "mapped");
	model_on(0);
	for (unsigned i = 0; i < 100; i++)
		offer(map, first + i);
	r = FINISH(CALL3(DOMAIN_REVOKE, a.cap, 50, model_time + 1000000));
	OK(r);
	CHECK(r.value == 50 && model_init()->frames == before + 50 && !page->revoke_want, "taken");
	CHECK(!page->repo_count && !revoke_event(), "without a word");
	for (unsigned i = 0; i < 100; i++) {
		bool gone = frame_table[first + i].owner == model_init()->id;

		CHECK(gone == (i < 50) && offered(map, first + i) == !gone, "bits tell: %u", i);
	}
	CHECK(!model_access(1, 0x400000 + 7 * 4096, true, &byte) && !pt_get(t[0], 7), "unreachable");
	/* Oneself took one back. */
	map[(first + 50) / 64] &= ~(1ul << (first + 50) % 64);
	OK(FINISH(CALL3(DOMAIN_REVOKE, a.cap, 49, model_time + 1000000)));
	CHECK(frame_table[first + 50].owner == a.d->id && !revoke_event(), "the last ones");
	audit();
}

/* Too few are on offer: told once; what is offered then goes before the deadline. */
TEST(revoke_asks_for_more)
{
	struct actor a = actor_make(200);
	struct exo_domain_page *page;
	uint64_t *map = offers_of(&a, &page), deadline = model_time + 1000000;
	uint32_t first = a.next + 40;
	struct result r;

	CHECK(model_run(1, a.d), "runs");
	for (unsigned i = 0; i < 10; i++)
		offer(map, first + i);
	for (unsigned i = 0; i < 3; i++) {
		IS(r = CALL3(DOMAIN_REVOKE, a.cap, 12, deadline), AGAIN, 0);
		CHECK(r.value == 10 && page->revoke_want == 2 && revoke_event() == !i, "told once: %u", i);
		context_control(cpu_at(1)->current)->events = 0;
	}
	offer(map, first + 20);
	offer(map, first + 2);		/* of others by now */
	IS(CALL3(DOMAIN_REVOKE, a.cap, 12, deadline), AGAIN, 0);
	offer(map, first + 21);
	r = CALL3(DOMAIN_REVOKE, a.cap, 12, deadline);
	OK(r);
	CHECK(r.value == 12 && !page->repo_count, "complied");
	/* With nothing on offer, by force. */
	IS(CALL3(DOMAIN_REVOKE, a.cap, 3, 0), AGAIN, 0);
	OK(FINISH(CALL3(DOMAIN_REVOKE, a.cap, 3, 0)));
	CHECK(page->repo_count == 3, "logged");
	audit();
}

/* Nonsense on offer, a bitmap that is none, frames that cannot go. */
TEST(revoke_believes_no_offer)
{
	struct actor a = actor_make(200);
	struct exo_domain_page *page;
	uint64_t *map = offers_of(&a, &page);
	uint32_t t[3], bitmap = page->spare[0], lent = a.next + 30, copies[3] = { fresh(), fresh(), fresh() };
	uint64_t name;
	struct result r;

	map_tables(INIT_ROOT, 0x400000, copies);
	CHECK(model_run(1, a.d), "runs");
	OK(CALL5(FRAME_LEND, a.cap, 30, lent, 1, EXO_R_READ | EXO_R_GRANT));
	struct slot *s = slot_at(a.d->table[0] * 128 + 30), copy = *s;
	CHECK(!cap_insert(model_init(), 100, 0, &copy, s, &name), "copy");
	OK(pt_set(copies[0], 0, pte(lent, RO | EXO_PTE_NX), 100));
	model_on(1);
	tables_of(&a, t);
	model_on(0);
	for (unsigned k = 1; k < EXO_SPARE_MAX; k++)
		page->spare[k] = (uint32_t[]){ 3, ~0u, t[0], bitmap }[k % 4];
	memset(map, 0xff, EXO_PAGE_SIZE);
	map[bitmap / 64] &= ~(1ul << bitmap % 64);
	do
		r = CALL3(DOMAIN_REVOKE, a.cap, 1000, model_time + 1000000);
	while (!revoke_event());
	IS(r, AGAIN, 0);
	audit();
	CHECK(frame_table[bitmap].owner == a.d->id && offered(map, 3) && offered(map, t[0]), "its own bits stay");
	CHECK(frame_table[t[0]].type == EXO_F_PT1 && frame_table[lent].mapped == 1, "tables and loans stay");
	CHECK(frame_table[lent].owner == a.d->id && offered(map, lent), "on offer again");
	/* All the others went. */
	for (uint32_t pfn = 1; pfn < MODEL_FRAMES; pfn++)
		CHECK(frame_table[pfn].owner != a.d->id || frame_table[pfn].type != EXO_F_DATA ||
			frame_table[pfn].pins || pfn == bitmap || pfn == lent, "frame %x is left", pfn);
}

/* A large page goes with a frame of it. */
TEST(revoke_takes_offers_out_of_large_pages)
{
	struct actor a = actor_make(60);
	struct exo_domain_page *page;
	uint64_t *map = offers_of(&a, &page);
	uint32_t region = fresh_region(), t[3];
	struct result r;

	for (unsigned done = 0; done < 512; done += r.value)
		r = CALL4(FRAME_GIVE, 0, a.cap, region + done, 512 - done);
	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	tables_of(&a, t);
	OK(pt_set(t[1], 5, pte(region, RW | EXO_PTE_PS), 0));
	model_on(0);
	offer(map, region + 77);
	OK(FINISH(CALL3(DOMAIN_REVOKE, a.cap, 1, model_time + 1000000)));
	CHECK(frame_table[region + 77].owner == model_init()->id && !pt_get(t[1], 5), "both went");
	audit();
}

/* A request that is taken back leaves on offer what was. */
TEST(revoke_gives_offers_back)
{
	struct actor a = actor_make(1000);
	struct exo_domain_page *page;
	uint64_t *map = offers_of(&a, &page);
	uint32_t t[3], first = a.next + 100;

	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	tables_of(&a, t);
	for (unsigned i = 0; i < 40; i++)
		OK(retype(actor_frame(&a), EXO_KIND_PT1));
	for (unsigned i = 0; i < 20; i++) {
		OK(pt_set(t[0], i, pte(first + i, RW), 0));
		offer(map, first + i);
	}
	model_on(0);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 20, model_time + 1000000), AGAIN, 0);
	CHECK(a.d->doomed_count == 20 && !offered(map, first), "in the middle");
	audit();
	OK(CALL3(DOMAIN_REVOKE, a.cap, 0, 0));
	for (unsigned i = 0; i < 20; i++)
		CHECK(offered(map, first + i) && !frame_table[first + i].flags, "on offer again: %u", i);
	audit();
}

TEST(doomed_frames_are_refused)
{
	struct actor a = actor_make(1000);
	uint32_t t[3], doomed;
	struct result r;

	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	tables_of(&a, t);
	for (unsigned i = 0; i < 40; i++)
		OK(retype(actor_frame(&a), EXO_KIND_PT1));
	map_last(&a, 1000, t[0]);
	model_on(0);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 30, 0), AGAIN, 0);
	r = CALL3(DOMAIN_REVOKE, a.cap, 30, 0);
	IS(r, AGAIN, 0);
	CHECK(a.d->doomed_count == 30, "chosen");
	audit();
	doomed = a.d->doomed[0];
	model_on(1);
	IS(pt_set(t[0], 0, pte(doomed, RO), 0), BUSY, 2);
	IS(retype(doomed, EXO_KIND_PT1), BUSY, 2);
	IS(CALL2(CAP_GROW, 0, doomed), BUSY, 2);
	IS(CALL4(DOMAIN_CTL, 0, EXO_DOM_PAGE, doomed, 0), TYPE, 3);
	IS(CALL4(CONTEXT_CTL, 0, EXO_CTX_MASK_AT, doomed, 0), BUSY, 3);
	model_on(0);
	IS(CALL4(FRAME_GIVE, a.cap, 0, doomed, 1), BUSY, 3);
	if (model_random() & 1) {
		OK(CALL3(DOMAIN_REVOKE, a.cap, 0, 0));
		CHECK(!a.d->doomed_count && !frame_table[doomed].flags, "forgiven");
	}
	OK(FINISH(CALL1(DOMAIN_DESTROY, a.cap)));
	CHECK(!frame_table[doomed].flags, "clean");
}
