/* Contexts: upcalls, resume, events, waits, timers, slices; devices and the machine calls. */
#include <string.h>
#include "exo/core/device.h"
#include "tests/host/test.h"

#define STACK	(WINDOW + 0x8000)

static struct context *me(void) { return this_cpu()->current; }
static struct exo_control *control(void) { return context_control(me()); }
static struct exo_regs *regs(void) { return arch_current_regs(); }
static void *at_user(uint64_t va) { return model_window[this_cpu()->number] + (va - WINDOW); }

/* The running context can take upcalls from here on. */
static void upcalls_on(void)
{
	struct exo_control *c = control();

	for (unsigned i = 0; i < 4; i++)
		c->entry[i] = 0x1000 * (i + 1);
	c->stack_lo = STACK;
	c->stack_hi = STACK + 0x1000;
	c->last_stack = STACK + 0x3000;
	c->mask = 0;
	regs()->rip = 0x777;
	regs()->rsp = 0x5555;
	regs()->rflags = 0x202;
	regs()->cs = EXO_CS64;
	regs()->ss = EXO_SS;
}

/* An actor's context on CPU 1, which this thread plays from now on. */
static struct actor actor_on_1(void)
{
	struct actor a = actor_make(100);

	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	upcalls_on();
	return a;
}

TEST(upcalls_push_a_frame)
{
	struct exo_upcall *f;

	upcalls_on();
	control()->mask_on = 1 << EXO_UP_SYSCALL;
	upcall_deliver(EXO_UP_EXCEPTION, 14, 0x1234, 6);
	CHECK(regs()->rip == 0x1000 && regs()->rsp == STACK + 0x1000 - 64, "entered");
	f = at_user(regs()->rsp);
	CHECK(f->info == 14 && f->addr == 0x1234 && f->error == 6 && f->rip == 0x777 && f->rsp == 0x5555,
		"frame");
	CHECK(!control()->mask, "not masked");
	regs()->rip = 0x778;
	upcall_deliver(EXO_UP_SYSCALL, EXO_INFO_SYSCALL, 0, 0);
	CHECK(regs()->rip == 0x2000 && regs()->rsp == STACK + 0x1000 - 128, "nested");
	CHECK(control()->mask, "masked");
}

TEST(upcalls_fall_back_once)
{
	struct actor a = actor_on_1();
	struct exo_upcall *f;
	struct exo_domain_info *info;
	uint32_t t[3];

	control()->stack_hi = STACK + 0x20;
	upcall_deliver(EXO_UP_EXCEPTION, 14, 0x1234, 6);
	CHECK(regs()->rip == 0x4000 && !control()->entry[EXO_UP_LAST], "last chance");
	f = at_user(regs()->rsp);
	CHECK(f->info == (14 | EXO_INFO_LAST), "told so");
	for (unsigned i = 0; i < 3; i++)
		t[i] = actor_frame(&a);
	map_tables(a.root, 0x400000, t);
	OK(pt_set(t[0], 3, 0x330, 0));
	upcall_deliver(EXO_UP_EXCEPTION, 13, 0x403000, 2);
	CHECK(CALL0(NULL).value == EXO_ABI_VERSION, "the way out");
	CHECK(a.d->state == EXO_DS_KILLED && a.d->reason == EXO_DEAD_EXCEPTION, "killed");
	model_on(0);
	OK(CALL2(DOMAIN_INFO, a.cap, WINDOW));
	info = at_user(WINDOW);
	CHECK(info->fault_addr == 0x403000 && info->regs.vector == 13 && info->root == a.root &&
		info->context, "the record");
	CHECK(info->entries[0] == pte(t[2], RW) && info->entries[1] == pte(t[1], RW) &&
		info->entries[2] == pte(t[0], RW) && info->entries[3] == 0x330, "the mapping");
	IS(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_START, 0, 0), STATE, 1);
	OK(FINISH(CALL1(DOMAIN_DESTROY, a.cap)));
	CHECK(a.d->reason == EXO_DEAD_EXCEPTION, "the reason stays");
}

/* The record of the mapping ends where the mapping does. */
TEST(deaths_record_what_is_mapped)
{
	struct actor a = actor_on_1();
	uint32_t t[3];

	for (unsigned i = 0; i < 3; i++)
		t[i] = actor_frame(&a);
	map_tables(a.root, 0x400000, t);
	OK(pt_set(t[1], 3, 0x123000 | 1ul << 45, 0));
	control()->stack_lo = control()->stack_hi = 0;
	control()->entry[EXO_UP_LAST] = 0;
	upcall_deliver(EXO_UP_EXCEPTION, 14, 0x600000, 2);
	CALL0(NULL);
	CHECK(a.d->death.entries[2] == (0x123000 | 1ul << 45) && !a.d->death.entries[3], "an absent entry");
	CHECK(a.d->death.fault_addr == 0x600000 && a.d->death.regs.error == 2, "the fault");
}

TEST(events_arrive_unmasked)
{
	uint64_t event = CALL3(EVENT_CREATE, 0, 0, 0x30000).value;

	upcalls_on();
	control()->mask = 1;
	CHECK(CALL2(EVENT_SIGNAL, event, 0x10000).value == 1, "the first");
	CHECK(CALL2(EVENT_SIGNAL, event, 0x20000).value == 0, "coalesced");
	CHECK(regs()->rip == 0x777 && control()->events == 0x30000, "masked");
	IS(CALL2(EVENT_SIGNAL, event, 0x40000), RIGHT, 2);
	control()->mask = 0;
	CALL0(NULL);
	CHECK(regs()->rip == 0x3000 && control()->mask == 1, "delivered");
	/* In the resume range nothing is pushed. */
	upcalls_on();
	control()->pending = 1;
	control()->resume_lo = 0x700;
	control()->resume_hi = 0x800;
	control()->restart = 0x900;
	CALL0(NULL);
	CHECK(regs()->rip == 0x900 && regs()->rsp == 0x5555 && control()->mask == 1, "restarted");
}

TEST(events_reach_other_cpus)
{
	struct actor a = actor_make(60);
	struct context *x = context_first(a.d);
	uint64_t event, copy = CALL6(CAP_COPY, 0, 0, x->cap % 128, EXO_R_CONTROL, 0, 0).value;

	event = CALL3(EVENT_CREATE, 0, copy, 0x10000).value;
	OK(CALL6(CAP_COPY, 0, 100, x->cap % 128, EXO_R_YIELD, 0, 0));
	IS(CALL3(EVENT_CREATE, 0, 100, 0x10000), RIGHT, 2);
	IS(CALL3(EVENT_CREATE, 0, copy, 0x8000), ARG, 3);
	IS(CALL3(EVENT_CREATE, 0, copy, 0), ARG, 3);
	CHECK(model_run(3, a.d) && x->running, "runs");
	model_step_all();
	CHECK(CALL2(EVENT_SIGNAL, event, 0x10000).value == 1 && !model_kicked(3), "masked: no kick");
	context_control(x)->mask = context_control(x)->pending = 0;
	CHECK(CALL2(EVENT_SIGNAL, event, 0x10000).value == 1 && model_kicked(3), "kicked");
	OK(CALL2(CAP_DELETE, 0, copy));
	IS(CALL2(EVENT_SIGNAL, event, 0x10000), CAP, 1);	/* derived from the copy */
}

TEST(undeliverable_events_kill)
{
	struct actor a = actor_on_1();

	control()->stack_lo = control()->stack_hi = 0;
	control()->entry[EXO_UP_LAST] = 0;
	control()->pending = 1;
	CALL0(NULL);
	CHECK(a.d->state == EXO_DS_KILLED, "killed");
}

static struct exo_resume *resume_frame(uint64_t root)
{
	struct exo_resume *f = at_user(WINDOW + 0x100);

	*f = (struct exo_resume){ .rax = 9, .rip = 0x4444, .cs = EXO_CS64, .rflags = 0x202, .rsp = 0x66,
		.ss = EXO_SS, .rcx = 7, .r11 = 8, .root = root };
	regs()->rsp = WINDOW + 0x100;
	return f;
}

static bool resumed(void) { return CALL0(RESUME).status == EXO_OK && regs()->rax == 9; }

TEST(resume_loads)
{
	struct actor a = actor_on_1();
	uint32_t u = actor_frame(&a), k = actor_frame(&a);

	control()->mask = 1;
	resume_frame(0);
	CHECK(resumed() && regs()->rip == 0x4444 && regs()->rsp == 0x66 && regs()->rcx == 7 &&
		!control()->mask, "resumed and unmasked");
	OK(retype(k, EXO_KIND_PT4));
	OK(retype(u, EXO_KIND_PT4));
	OK(CALL3(ROOT_PAIR, 0, k, u));
	resume_frame(k)->cs = EXO_CS64 & ~3;
	CHECK(resumed() && this_cpu()->root == k, "another root");
	resume_frame(0)->rflags = 2;
	CHECK(resumed() && this_cpu()->root == u && me()->in_user && control()->mask,
		"its U partner");
	/* From the U root an upcall first goes to the K root, and starts at the stack's top. */
	upcalls_on();
	regs()->rsp = STACK + 0x100;
	upcall_deliver(EXO_UP_SYSCALL, EXO_INFO_SYSCALL, 0, 0);
	CHECK(this_cpu()->root == k && regs()->rsp == STACK + 0x1000 - 64, "back in K");
	CHECK(((struct exo_upcall *)at_user(regs()->rsp))->info == (EXO_INFO_SYSCALL | EXO_INFO_FROM_U), "told");
	regs()->rsp = 0x1;
	CHECK(CALL0(RESUME).status == EXO_FAULT, "no frame");
	resume_frame(0)->cs = 0x10;
	CHECK(CALL0(RESUME).status == EXO_ARG, "no such selector");
	resume_frame(a.first + 50);
	CHECK(CALL0(RESUME).status == EXO_TYPE, "no root");
	/* The pair is gone, the context still names it. */
	OK(CALL3(ROOT_PAIR, 0, k, 0));
	OK(retype(u, 0));
	resume_frame(0);
	CHECK(CALL0(RESUME).status == EXO_TYPE && this_cpu()->root == k, "its partner is no root any more");
	CHECK(me()->root_u == u && !me()->in_user, "nothing has changed");
}

TEST(lost_k_root_kills)
{
	struct actor a = actor_on_1();
	uint32_t u = actor_frame(&a), k = actor_frame(&a);

	OK(retype(k, EXO_KIND_PT4));
	OK(retype(u, EXO_KIND_PT4));
	OK(CALL3(ROOT_PAIR, 0, k, u));
	OK(CALL3(CONTEXT_CTL, 0, EXO_CTX_ROOTS, k));
	resume_frame(0);
	CHECK(resumed() && me()->in_user, "in U");
	OK(CALL3(ROOT_PAIR, 0, k, 0));
	OK(retype(k, 0));
	upcall_deliver(EXO_UP_SYSCALL, EXO_INFO_SYSCALL, 0, 0);
	CALL0(NULL);
	CHECK(a.d->state == EXO_DS_KILLED, "killed");
}

TEST(context_control_checks)
{
	struct actor a = actor_make(100);
	uint32_t object = fresh(), page = fresh(), save = fresh();
	uint64_t x = context_first(a.d)->cap % 128;
	struct result r;

	IS(CALL6(CONTEXT_CREATE, 99, object, page, save, 0, 0), CAP, 1);
	IS(CALL6(CONTEXT_CREATE, 0, 3, page, save, 0, 0), OWNER, 2);
	IS(CALL6(CONTEXT_CREATE, 0, object, 3, save, 0, 0), OWNER, 3);
	IS(CALL6(CONTEXT_CREATE, 0, object, page, 3, 0, 0), OWNER, 4);
	IS(CALL6(CONTEXT_CREATE, 0, object, page, page, 0, 0), BUSY, 2);
	IS(CALL6(CONTEXT_CREATE, 0, object, MODEL_RAM, save, 0, 0), BUSY, 3);
	IS(CALL6(CONTEXT_CREATE, 0, object, page, MODEL_RAM, 0, 0), BUSY, 4);
	IS(CALL6(CONTEXT_CREATE, 0, object, page, save, MODEL_CPUS, 0), ARG, 5);
	IS(CALL6(CONTEXT_CREATE, 0, object, page, save, 0, 1000), ARG, 6);
	IS(CALL3(CONTEXT_CTL, x, 99, 0), ARG, 2);
	IS(CALL3(CONTEXT_CTL, 77, EXO_CTX_STATE, 0), CAP, 1);
	IS(CALL3(CONTEXT_CTL, x, EXO_CTX_ROOTS, page), TYPE, 3);
	IS(CALL4(CONTEXT_CTL, x, EXO_CTX_ROUTE, 5, 4), ARG, 3);
	OK(CALL4(CONTEXT_CTL, x, EXO_CTX_ROUTE, 0x1000, 0x2000));
	CHECK(context_first(a.d)->route_lo == 0x1000 &&
		context_first(a.d)->route_hi == 0x2000, "route");
	IS(CALL4(CONTEXT_CTL, x, EXO_CTX_MASK_AT, a.next, 4095), ARG, 4);
	IS(CALL4(CONTEXT_CTL, x, EXO_CTX_MASK_AT, page, 0), OWNER, 3);
	IS(CALL4(CONTEXT_CTL, x, EXO_CTX_MASK_AT, a.root, 0), BUSY, 3);
	OK(CALL4(CONTEXT_CTL, x, EXO_CTX_MASK_AT, a.next, 4094));
	OK(CALL4(CONTEXT_CTL, x, EXO_CTX_MASK_AT, a.next, 16));
	OK(CALL4(CONTEXT_CTL, x, EXO_CTX_MASK_AT, a.next + 1, 16));
	audit();
	OK(CALL4(CONTEXT_CTL, x, EXO_CTX_MASK_AT, 0, 0));
	IS(CALL3(CONTEXT_CTL, x, EXO_CTX_HOME, MODEL_CPUS), ARG, 3);
	OK(CALL3(CONTEXT_CTL, x, EXO_CTX_HOME, 2));
	IS(CALL3(CONTEXT_CTL, x, EXO_CTX_START, 1ul << 47), ARG, 3);
	OK(CALL5(CONTEXT_CTL, x, EXO_CTX_START, 0x4000, 0x8000, 0x77));
	CHECK(context_regs(context_first(a.d))->rip == 0x4000 &&
		context_regs(context_first(a.d))->rsp == 0x8000 &&
		context_regs(context_first(a.d))->rdi == 0x77, "registers");
	model_step_all();
	IS(CALL4(CONTEXT_CTL, x, EXO_CTX_START, 0x4000, 0x8000), STATE, 1);
	IS(CALL4(CONTEXT_CTL, x, EXO_CTX_RUN, 0, 0), STATE, 1);
	FINISH(CALL3(CONTEXT_CTL, x, EXO_CTX_STOP, 0));
	r = CALL3(CONTEXT_CTL, x, EXO_CTX_STATE, 0);
	CHECK(r.value == EXO_CS_STOPPED, "stopped");
	OK(CALL3(CONTEXT_CTL, x, EXO_CTX_RUN, 0));
	IS(CALL3(CONTEXT_CTL, x, EXO_CTX_HOME, 1), STATE, 1);
	CHECK(model_run(2, a.d), "runs elsewhere");
	CHECK(CALL3(CONTEXT_CTL, x, EXO_CTX_STATE, 0).value == EXO_CS_RUNNING, "running");
	IS(CALL3(CONTEXT_CTL, x, EXO_CTX_ROOTS, a.root), STATE, 1);
	IS(CALL4(CONTEXT_CTL, x, EXO_CTX_ROUTE, 0, 0), STATE, 1);
	IS(CALL4(CONTEXT_CTL, x, EXO_CTX_MASK_AT, 0, 0), STATE, 1);
	OK(CALL3(CONTEXT_CTL, 0, EXO_CTX_ROOTS, MODEL_RAM + 3));
	OK(CALL4(CONTEXT_CTL, 0, EXO_CTX_ROUTE, 0x1000, 0x2000));
	CHECK(this_cpu()->route_lo == 0x1000 && this_cpu()->route_hi == 0x2000, "at once");
	OK(CALL4(CONTEXT_CTL, 0, EXO_CTX_ROUTE, 0x7fffffffe000ul, 0x7ffffffff000ul));
	IS(CALL4(CONTEXT_CTL, 0, EXO_CTX_ROUTE, 0x7fffffffe000ul, 1ul << 48), ARG, 3);
	OK(CALL4(CONTEXT_CTL, 0, EXO_CTX_ROUTE, 0x1000, 0x2000));
	OK(CALL4(CONTEXT_CTL, 0, EXO_CTX_MASK_AT, page, 0));
	OK(CALL4(CONTEXT_CTL, 0, EXO_CTX_MASK_AT, 0, 0));
	OK(FINISH(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_STOP, 0, 0)));
	IS(CALL3(CONTEXT_CTL, x, EXO_CTX_START, 0), STATE, 1);
	IS(CALL3(CONTEXT_CTL, x, EXO_CTX_RUN, 0), STATE, 1);
}

TEST(segments)
{
	const uint64_t data = 0x00cff2000000fffful;

	OK(CALL2(SEGMENT_SET, EXO_SEG_FS, 0x1234));
	IS(CALL2(SEGMENT_SET, EXO_SEG_GS, 1ul << 50), ARG, 2);
	OK(CALL2(SEGMENT_SET, EXO_SEG_KGS, 0xffffff0000000000ul));
	OK(CALL3(SEGMENT_SET, EXO_SEG_TLS, 12, data));
	OK(CALL3(SEGMENT_SET, EXO_SEG_TLS, 15, 0));
	IS(CALL3(SEGMENT_SET, EXO_SEG_TLS, 11, data), ARG, 2);
	IS(CALL3(SEGMENT_SET, EXO_SEG_TLS, 16, data), ARG, 2);
	IS(CALL3(SEGMENT_SET, EXO_SEG_TLS, 12, 0x00af9a000000fffful), ARG, 3);
	IS(CALL3(SEGMENT_SET, EXO_SEG_TLS, 12, 0x00ef92000000fffful), ARG, 3);
	IS(CALL1(SEGMENT_SET, 9), ARG, 1);
}

/* ---- waits and timers --------------------------------------------------- */

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

/* ---- slices ------------------------------------------------------------- */

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
	CHECK(cpu_at(2)->slices->idle >= 1000000, "idle time: %lu", cpu_at(2)->slices->idle);
	IS(CALL3(TLB_FLUSH, 0, 0, 0), ARG, 3);
	IS(CALL3(TLB_FLUSH, 0, 1ul << 40, EXO_FLUSH_ALL), ARG, 2);
}

/* ---- devices and the machine -------------------------------------------- */

static void one_device_more(void) { device_add(&(struct device){ 0 }); }

TEST(devices_belong_to_one)
{
	struct slot cap = { .type = EXO_T_DEVICE, .rights = EXO_R_USE | EXO_R_GRANT };
	struct actor a = actor_make(60);
	uint64_t name, event;
	unsigned before, with = device_add(&(struct device){ .port = 0x60, .port_count = 5, .has_irq = true, .gsi = 9 });
	unsigned bare = device_add(&(struct device){ .gsi = 9 });

	cap.aux = with;
	CHECK(!cap_insert(model_init(), 90, 0, &cap, NULL, &name), "insert");
	cap.aux = bare;
	CHECK(!cap_insert(model_init(), 91, 0, &cap, NULL, &name), "insert");
	event = CALL3(EVENT_CREATE, 0, 0, 0x30000).value;
	IS(CALL2(DEVICE_CTL, 91, EXO_DEV_PORTS), STATE, 1);
	IS(CALL4(DEVICE_CTL, 91, EXO_DEV_BIND, event, 0x10000), STATE, 1);
	IS(CALL2(DEVICE_CTL, 91, EXO_DEV_ACK), STATE, 1);
	IS(CALL2(DEVICE_CTL, 90, 9), ARG, 2);
	IS(CALL2(DEVICE_CTL, 89, 0), CAP, 1);
	OK(CALL2(DEVICE_CTL, 90, EXO_DEV_PORTS));
	OK(CALL2(DEVICE_CTL, 90, EXO_DEV_PORTS));
	CHECK(model_ports >= 1, "the machine is told");
	CHECK(model_init()->ports[0].first == 0x60 && model_init()->ports[0].count == 5, "ports");
	IS(CALL4(DEVICE_CTL, 90, EXO_DEV_BIND, 88, 0x10000), CAP, 3);
	IS(CALL4(DEVICE_CTL, 90, EXO_DEV_BIND, event, 0x40000), RIGHT, 4);
	OK(CALL4(DEVICE_CTL, 90, EXO_DEV_BIND, event, 0x10000));
	CHECK(model_unmasked == 1, "unmasked");
	OK(CALL2(DEVICE_CTL, 90, EXO_DEV_ACK));
	CHECK(model_unmasked == 2, "acknowledged");
	device_interrupt(8);
	CHECK(!control()->events, "another's interrupt");
	device_interrupt(9);
	CHECK(control()->events & 0x10000, "told");
	/* Ports go to who opens them, and end with the capability. */
	OK(CALL6(CAP_COPY, a.cap, 20, 90, EXO_R_USE, 0, 0));
	CHECK(model_run(0, a.d), "runs");
	a.d->ports[0].first = a.d->ports[0].count = 9;
	OK(CALL2(DEVICE_CTL, 20, EXO_DEV_PORTS));
	CHECK(a.d->ports[1].first == 0x60 && a.d->ports[1].count == 5 && !model_init()->ports[0].count, "moved");
	for (unsigned i = 1; i < DOMAIN_PORTS; i++)
		a.d->ports[i].first = a.d->ports[i].count = i;
	IS(CALL2(DEVICE_CTL, 20, EXO_DEV_PORTS), LIMIT, 1);
	a.d->ports[1].first = 0x60;
	CHECK(model_run(0, model_init()), "runs");
	before = model_ports;
	OK(CALL2(CAP_REVOKE, 0, 90));
	CHECK(model_ports == before + 1, "the machine is told");
	CHECK(!a.d->ports[1].count && a.d->ports[0].count && a.d->ports[2].count, "closed");
	control()->events = 0;
	device_interrupt(9);
	CHECK(control()->events & 0x10000, "the binding is init's own");
	OK(CALL2(CAP_DELETE, 0, event));
	control()->events = 0;
	device_interrupt(9);
	CHECK(!control()->events, "gone with the event");
	event = CALL3(EVENT_CREATE, 0, 0, 0x30000).value;
	OK(CALL4(DEVICE_CTL, 90, EXO_DEV_BIND, event, 0x10000));
	OK(CALL2(CAP_DELETE, 0, 90));
	device_interrupt(9);
	CHECK(!control()->events, "gone with the device");
	while (device_add(&(struct device){ 0 }) < DEVICES_MAX - 1)
		;
	CHECK(model_panics(one_device_more), "one too many");
}

static void reboot(void) { CALL3(MACHINE_CTL, 90, EXO_M_REBOOT, 0); }
static void ask_for_panic(void) { CALL3(MACHINE_CTL, 90, EXO_M_PANIC, 0); }

TEST(machine_calls)
{
	struct slot cap = { .type = EXO_T_MACHINE, .rights = EXO_R_LOG | EXO_R_TRACE | EXO_R_RESET };
	uint64_t name;

	CHECK(!cap_insert(model_init(), 90, 0, &cap, NULL, &name), "insert");
	OK(CALL6(CAP_COPY, 0, 91, 90, EXO_R_LOG, 0, 0));
	strcpy(at_user(WINDOW), "hello\n");
	CHECK(CALL3(LOG_WRITE, 90, WINDOW, 6).value == 6, "written");
	CHECK(CALL3(LOG_WRITE, 90, WINDOW, 100000).value == 256, "bounded");
	IS(CALL3(LOG_WRITE, 90, 0x1000, 6), FAULT, 2);
	IS(CALL3(LOG_WRITE, 89, 0x1000, 6), CAP, 1);
	IS(CALL3(MACHINE_CTL, 91, EXO_M_TRACE, 1), RIGHT, 1);
	IS(CALL3(MACHINE_CTL, 90, 99, 1), ARG, 2);
	OK(CALL3(MACHINE_CTL, 90, EXO_M_TRACE, 1));
	CHECK(CALL3(MACHINE_CTL, 90, EXO_M_IDLE, 77).value == 0, "no CPU idles");
	CHECK(model_panics(reboot), "reboots");
	kernel_unlock();
	CHECK(model_panics(ask_for_panic), "panics");
	kernel_unlock();
}

static void first_ends(void) { call(EXO_CALL_DOMAIN_CTL, 0, EXO_DOM_EXIT, 1, 0, 0, 0); }

TEST(the_first_domain_stays)
{
	CHECK(model_panics(first_ends), "its end is a panic");
	kernel_unlock();
}

TEST(bad_call_numbers)
{
	CHECK(call(EXO_CALL_COUNT, 0, 0, 0, 0, 0, 0).status == EXO_CALL, "no such call");
	CHECK(call(~0u, 0, 0, 0, 0, 0, 0).status == EXO_CALL, "no such call");
}
