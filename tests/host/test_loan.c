/* Loans of frames, and the sweeps that end them. */
#include <string.h>
#include "tests/host/test.h"

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

/* A domain that may read x by its slot 50, from init's 60, played on CPU 1 from here on. */
static struct actor borrower(uint32_t x)
{
	struct actor a = actor_make(60);

	OK(CALL5(FRAME_LEND, 0, 60, x, 1, EXO_R_READ | EXO_R_GRANT));
	OK(CALL6(CAP_COPY, a.cap, 50, 60, EXO_R_READ, 0, 0));
	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	return a;
}

/* What an earlier, longer predicate has left behind counts no more. */
TEST(loans_end_spares_other_waits)
{
	uint32_t x = fresh();
	struct actor a = borrower(x);
	struct exo_predicate *p = memset(model_window[1] + 1024, 0, sizeof *p);
	struct context *waiter = this_cpu()->current;

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
	uint32_t x = fresh();
	struct actor a = borrower(x);
	struct exo_predicate *p = memset(model_window[1] + 1024, 0, sizeof *p);
	struct context *waiter = this_cpu()->current;

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
