/* Waits: predicates, events and deadlines. */
#include <string.h>
#include "tests/host/play.h"
#include "tests/host/test.h"

static struct exo_predicate *predicate(uint64_t pfn, unsigned op, uint64_t value)
{
	struct exo_predicate *p = at_user(WINDOW + 0x2000);

	memset(p, 0, sizeof *p);
	p->products = 1;
	p->terms[0] = 1;
	p->term[0][0] = (struct exo_term){ .addr = pfn << 12, .op = op, .value = value };
	return p;
}
#define WAIT_ON(deadline, flags)	CALL3(WAIT, WINDOW + 0x2000, deadline, flags)

TEST(wait_evaluates)
{
	uint32_t pfn = fresh();
	uint64_t *word = pfn_to_virt(pfn);
	static const struct { uint64_t word, value; bool holds[EXO_CMP_COUNT]; } cases[] = {
		{ 5, 5, { true, false, false, true, true } },
		{ 4, 5, { false, true, true, false, true } },
		{ 6, 1, { false, true, false, true, false } },
	};
	struct exo_predicate *p;

	for (unsigned i = 0; i < 3; i++)
		for (unsigned op = 0; op < EXO_CMP_COUNT; op++) {
			predicate(pfn, op, cases[i].value);
			*word = cases[i].word;
			CHECK(EXO_CODE(WAIT_ON(0, 0).status) == (cases[i].holds[op] ? EXO_OK : EXO_TIMEOUT),
				"case %u, comparison %u", i, op);
		}
	p = predicate(pfn, EXO_EQ, 6);
	p->products = 2;
	p->terms[1] = 2;
	p->term[1][0] = p->term[1][1] = p->term[0][0];
	p->term[0][0].value = 1;
	CHECK(WAIT_ON(0, 0).value == 1, "the second product");
	p->term[1][1].value = 0;
	IS(WAIT_ON(0, 0), TIMEOUT, 0);
	p = predicate(pfn, EXO_EQ, 6);
	p->terms[0] = 2;
	p->term[0][1] = (struct exo_term){ .addr = (uint64_t)pfn << 12, .op = EXO_NE, .value = 6 };
	IS(WAIT_ON(0, 0), TIMEOUT, 0);
	p->terms[0] = 1;
	OK(WAIT_ON(0, 0));	/* one term is one term */
	IS(CALL3(WAIT, 0, 0, 0), TIMEOUT, 0);	/* nothing of an earlier predicate is left */
	p->term[0][0].op = EXO_CMP_COUNT;
	IS(WAIT_ON(0, 0), ARG, 1);
	predicate(pfn, EXO_EQ, 1)->term[0][0].addr += 4;
	IS(WAIT_ON(0, 0), ARG, 1);
	predicate(3, EXO_EQ, 1);
	IS(WAIT_ON(0, 0), OWNER, 1);
	predicate(MODEL_RAM, EXO_EQ, 1);
	IS(WAIT_ON(0, 0), BUSY, 1);
	predicate(pfn, EXO_EQ, 1)->term[0][0].cap = 100;
	IS(WAIT_ON(0, 0), CAP, 1);
	OK(CALL5(FRAME_LEND, 0, 100, pfn + 1, 1, EXO_R_READ));
	IS(WAIT_ON(0, 0), OWNER, 1);
	OK(CALL5(FRAME_LEND, 0, 101, pfn - 1, 1, EXO_R_READ));
	predicate(pfn, EXO_EQ, 1)->term[0][0].cap = 101;
	IS(WAIT_ON(0, 0), OWNER, 1);
	predicate(pfn, EXO_EQ, 1)->products = 9;
	IS(WAIT_ON(0, 0), ARG, 1);
	predicate(pfn, EXO_EQ, 1)->terms[0] = 5;
	IS(WAIT_ON(0, 0), ARG, 1);
	IS(WAIT_ON(0, 4), ARG, 3);
	IS(CALL3(WAIT, 0x1000, 0, 0), FAULT, 1);
	p = at_user(WINDOW + WINDOW_SIZE - 48);
	p->products = p->terms[0] = 1;
	IS(CALL3(WAIT, WINDOW + WINDOW_SIZE - 48, 0, 0), FAULT, 1);
	control()->pending = 1;
	upcalls_on();
	IS(CALL3(WAIT, 0, EXO_FOREVER, EXO_WAIT_UNMASK), EVENT, 0);
}

TEST(wait_ends)
{
	struct actor a = actor_make(100);
	uint32_t pfn = a.next;
	struct context *x;
	struct exo_predicate *p;
	uint64_t event;

	OK(CALL6(CAP_COPY, 0, 100, context_first(a.d)->cap % 128, EXO_R_CONTROL, 0, 0));
	event = CALL3(EVENT_CREATE, 0, 100, 0x10000).value;
	CHECK(model_run(3, a.d), "runs");
	model_on(3);
	x = me();
	CHECK(x->id == a.d->context_head, "the last made");
	p = predicate(pfn, EXO_EQ, 99);
	p->products = 2;
	p->terms[1] = 2;
	p->term[1][0] = (struct exo_term){ .addr = (pfn + 1ul) << 12, .op = EXO_EQ };
	p->term[1][1] = (struct exo_term){ .addr = (uint64_t)pfn << 12, .op = EXO_NE };
	WAIT_ON(model_time + 50000, 0);
	CHECK(x->state == EXO_CS_WAITING && frame_table[pfn].pins == 2 && frame_table[pfn + 1].pins == 1, "waits");
	audit();
	/* A signal lets it look. */
	model_on(0);
	CALL2(EVENT_SIGNAL, event, 0x10000);
	CHECK(x->state == EXO_CS_WAITING, "not yet");
	*(uint64_t *)pfn_to_virt(pfn) = 1;
	CALL2(EVENT_SIGNAL, event, 0x10000);
	CHECK(x->state != EXO_CS_WAITING && !frame_table[pfn].pins, "woken");
	model_step_all();
	CHECK(model_run(3, a.d), "runs");
	model_on(3);
	CHECK(regs()->rax == EXO_OK && regs()->rdx == 1, "by the second product");
	/* The deadline. */
	predicate(pfn, EXO_EQ, 7);
	WAIT_ON(model_time + 50000, 0);
	model_time += 200000;
	model_timer(3);
	CHECK(x->state != EXO_CS_WAITING, "timed out");
	CHECK(model_run(3, a.d) && regs()->rax == EXO_TIMEOUT, "and told");
	/* A slice's start. */
	predicate(pfn, EXO_EQ, 7);
	WAIT_ON(EXO_FOREVER, 0);
	*(uint64_t *)pfn_to_virt(pfn) = 7;
	struct exo_slice *slice = &this_cpu()->slices->slice[this_cpu()->slot];
	slice->context = x->id;
	model_time += 100000000;
	model_timer(3);
	slice->context = 0;
	/* The end of the context. */
	CHECK(model_run(3, a.d) || true, "runs");
	if (me() == x) {
		predicate(pfn, EXO_EQ, 8);
		WAIT_ON(EXO_FOREVER, 0);
	}
	model_on(0);
	OK(FINISH(CALL1(DOMAIN_DESTROY, a.cap)));
	CHECK(!frame_table[pfn].pins, "unpinned");
}
