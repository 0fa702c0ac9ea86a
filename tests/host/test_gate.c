/* Gates: who may enter whom, when, and what goes with it. */
#include <string.h>
#include "exo/core/device.h"
#include "tests/host/test.h"

#define BADGE	0x123456789abcdef0ul

static struct context *me(void) { return this_cpu()->current; }
static struct exo_regs *regs(void) { return arch_current_regs(); }

/* A context of its own domain that waits, open, on the CPU where the test runs; and a gate to it in
 * the test's table. */
struct server {
	struct actor a;
	struct context *x;
	uint64_t gate;
};

/* There and back: what there is to remember is remembered. */
static void back_and_forth(const struct server *s)
{
	static const uint64_t name = 40;
	struct context *own = me();

	if (context_control(own)->gate_entry != 0x6000) {
		context_control(own)->gate_entry = 0x6000;
		OK(CALL6(CAP_COPY, s->a.cap, name, CALL3(GATE_CREATE, 0, 0, 1).value, EXO_R_CALL, 0, 0));
	}
	OK(CALL1(GATE_CALL, s->gate));
	CHECK(me() == s->x, "there");
	OK(CALL1(GATE_CALL, name));
	CHECK(me() == own && s->x->open, "and back");
}

static void sleep_open(struct context *x, uint64_t deadline, uint64_t flags)
{
	CHECK(me() == x, "it runs");
	call(EXO_CALL_WAIT, 0, deadline, flags, 0, 0, 0);
	CHECK(me() != x, "it sleeps");
}

static struct server server_make(void)
{
	struct server s = { .a = actor_make(60) };
	struct context *own = me();
	uint64_t cap;

	s.x = context_at(s.a.d->context_head);
	cap = s.x->cap % 128;
	context_control(s.x)->gate_entry = 0x4000;
	context_control(s.x)->gate_stack = 0x5000;
	context_control(s.x)->mask = 1;
	s.gate = CALL3(GATE_CREATE, 0, cap, BADGE).value;
	OK(CALL3(CONTEXT_CTL, cap, EXO_CTX_HOME, this_cpu()->number));
	OK(CALL4(CONTEXT_CTL, cap, EXO_CTX_START, 0x1000, 0));
	OK(CALL1(YIELD, cap));
	regs()->fs_base = 0xf5;
	sleep_open(s.x, EXO_FOREVER, EXO_WAIT_OPEN);
	CHECK(me() == own, "back");
	return s;
}

TEST(gates_enter)
{
	struct server s = server_make();
	struct context *own = me();

	regs()->rbx = 0xb;
	regs()->rip = 0x777;
	regs()->rsp = 0x888;
	regs()->fs_base = 0xf0;
	OK(CALL1(GATE_CALL, s.gate));
	CHECK(me() == s.x && s.x->state == EXO_CS_READY && !s.x->open, "the server runs");
	CHECK(regs()->rip == 0x4000 && regs()->rsp == 0x5000 && regs()->rflags == 0x202, "at its entry");
	CHECK(regs()->rbx == 0xb, "with the caller's registers");
	CHECK(regs()->fs_base == 0xf5, "and its own bases");
	CHECK(own->state == EXO_CS_READY && own->open && own->queued && !own->running, "the caller is ready");
	CHECK(context_regs(own)->rip == 0x777 && context_regs(own)->rsp == 0x888 && !context_regs(own)->rax &&
		context_regs(own)->fs_base == 0xf0, "to go on behind the call");
	OK(CALL1(YIELD, 0));
	CHECK(me() == own && !own->open && regs()->rip == 0x777, "as it does");
	IS(CALL1(GATE_CALL, s.gate), BUSY, 1);
}

TEST(gates_tell_the_badge)
{
	struct server s = server_make();
	struct call c = { .rdi = s.gate };

	CHECK(!call_dispatch(EXO_CALL_GATE_CALL, &c) && c.rdi == BADGE, "in RDI");
}

/* There and back, a gate each way; nobody but who holds one may come back. */
TEST(gates_lead_back)
{
	struct server s = server_make();
	struct context *own = me();
	uint64_t back = CALL3(GATE_CREATE, 0, 0, 1).value, name = 40;

	context_control(own)->gate_entry = 0x6000;
	OK(CALL6(CAP_COPY, s.a.cap, name, back, EXO_R_CALL, 0, 0));
	OK(CALL1(GATE_CALL, s.gate));
	IS(CALL1(GATE_CALL, 41), CAP, 1);
	regs()->rbx = 0xc;
	OK(CALL1(GATE_CALL, name));
	CHECK(me() == own && regs()->rip == 0x6000 && regs()->rbx == 0xc, "entered, not resumed");
	CHECK(s.x->open, "and so on");
	for (unsigned i = 0; i < 100; i++) {
		OK(CALL1(GATE_CALL, s.gate));
		OK(CALL1(GATE_CALL, name));
	}
	CHECK(me() == own, "without end");
	OK(CALL2(CAP_REVOKE, 0, back));
	OK(CALL1(GATE_CALL, s.gate));
	IS(CALL1(GATE_CALL, name), CAP, 1);
}

/* What was waited for is forgotten with the wait: frames, deadline, result. */
TEST(gates_end_waits)
{
	struct server s = server_make();
	uint32_t pfn = actor_frame(&s.a);
	struct exo_predicate *p = (void *)model_window[this_cpu()->number];
	uint64_t wake = CALL3(EVENT_CREATE, 0, s.x->cap % 128, 0x10000).value;

	OK(CALL1(GATE_CALL, s.gate));
	*p = (struct exo_predicate){ .products = 1, .terms = { 1 } };
	p->term[0][0] = (struct exo_term){ .addr = (uint64_t)pfn << 12, .op = EXO_NE };
	call(EXO_CALL_WAIT, WINDOW, model_time + 1000000, EXO_WAIT_OPEN, 0, 0, 0);
	CHECK(frame_table[pfn].pins == 1 && s.x->state == EXO_CS_WAITING, "it waits");
	OK(CALL1(GATE_CALL, s.gate));
	CHECK(me() == s.x && !frame_table[pfn].pins && !s.x->timers[TIMER_WAIT].when, "no more");
	/* Woken, and not run since: still open; the wait's result is lost. */
	context_control(s.x)->mask = 0;
	context_control(s.x)->entry[EXO_UP_EVENT] = 0;
	sleep_open(s.x, EXO_FOREVER, EXO_WAIT_OPEN);
	OK(CALL2(EVENT_SIGNAL, wake, 0x10000));
	CHECK(s.x->state == EXO_CS_READY && s.x->woken && s.x->open, "woken");
	OK(CALL1(GATE_CALL, s.gate));
	CHECK(me() == s.x && !s.x->woken && regs()->rip == 0x4000, "entered");
}

TEST(gates_are_refused)
{
	struct server s = server_make();
	struct context *own = me();
	uint64_t cap = s.x->cap % 128, self = CALL3(GATE_CREATE, 0, 0, 0).value;
	struct exo_control *ctl = context_control(s.x);

	IS(CALL3(GATE_CREATE, 0, 99, 0), CAP, 2);
	IS(CALL3(GATE_CREATE, 1, 0, 0), BUSY, 1);
	OK(CALL6(CAP_COPY, 0, 100, cap, EXO_R_YIELD, 0, 0));
	IS(CALL3(GATE_CREATE, 0, 100, 0), RIGHT, 2);
	OK(CALL6(CAP_COPY, 0, 101, s.gate, EXO_R_GRANT, 0, 0));
	IS(CALL1(GATE_CALL, 101), RIGHT, 1);
	IS(CALL1(GATE_CALL, cap), TYPE, 1);
	IS(CALL1(GATE_CALL, 0), CAP, 1);
	IS(CALL1(GATE_CALL, self), BUSY, 1);
	ctl->gate_entry = 0;
	IS(CALL1(GATE_CALL, s.gate), STATE, 1);
	ctl->gate_entry = 1ul << 47;
	IS(CALL1(GATE_CALL, s.gate), STATE, 1);
	ctl->gate_entry = 0x4000;
	CHECK(me() == own && s.x->state == EXO_CS_WAITING && s.x->open, "nothing has changed");
	FINISH(CALL3(CONTEXT_CTL, cap, EXO_CTX_STOP, 0));
	IS(CALL1(GATE_CALL, s.gate), BUSY, 1);
	OK(CALL3(CONTEXT_CTL, cap, EXO_CTX_RUN, 0));
	IS(CALL1(GATE_CALL, s.gate), BUSY, 1);		/* ready, but nobody said so */
	OK(CALL1(YIELD, cap));
	sleep_open(s.x, EXO_FOREVER, 0);
	IS(CALL1(GATE_CALL, s.gate), BUSY, 1);		/* waits, and not for gates */
	OK(CALL4(DOMAIN_CTL, s.a.cap, EXO_DOM_STOP, 0, 0));
	IS(CALL1(GATE_CALL, s.gate), BUSY, 1);
}

/* The root of who is to be entered went meanwhile. */
TEST(gates_need_a_root)
{
	struct server s = server_make();

	s.x->root_k = fresh();
	IS(CALL1(GATE_CALL, s.gate), STATE, 1);
	CHECK(s.x->state == EXO_CS_WAITING, "it still waits");
	s.x->root_k = s.a.root;
	back_and_forth(&s);
	*(uint64_t *)model_window[this_cpu()->number] = (uint64_t)s.a.root << 8 | EXO_KIND_DATA;
	OK(CALL3(FRAME_RETYPE, s.a.cap, WINDOW, 1));
	IS(CALL1(GATE_CALL, s.gate), STATE, 1);
	CHECK(s.x->open, "as if nobody had called");
}

/* A domain that ends leaves no gate, and nobody behind. */
TEST(gates_end)
{
	struct server s = server_make();
	struct context *own = me();
	uint64_t back = CALL3(GATE_CREATE, 0, 0, 1).value;

	OK(CALL6(CAP_COPY, s.a.cap, 40, back, EXO_R_CALL, 0, 0));
	OK(CALL1(GATE_CALL, s.gate));
	model_on(1);
	FINISH(CALL3(CONTEXT_CTL, s.x->cap % 128, EXO_CTX_STOP, 0));
	model_step_all();
	model_on(0);
	CHECK(me() == own && !own->open, "the caller goes on");
	OK(FINISH(CALL1(DOMAIN_DESTROY, s.a.cap)));
	IS(CALL1(GATE_CALL, s.gate), CAP, 1);
	CHECK(context_regs(own)->rax == EXO_OK, "its call was done");
}

/* Who is being stopped by another CPU while it calls is stopped, not open. */
TEST(gates_and_stops_meet)
{
	struct server s = server_make();
	struct context *own = me();

	model_on(1);
	IS(CALL3(CONTEXT_CTL, own->cap % 128, EXO_CTX_STOP, 0), AGAIN, 0);
	model_on(0);
	OK(CALL1(GATE_CALL, s.gate));
	CHECK(me() == s.x && !own->open && !own->queued && !own->running, "off its CPU");
	own->state = EXO_CS_READY;
	kernel_lock();
	sched_ready(own);
	kernel_unlock();
}

/* What a call remembers of a gate ends with any capability: a name may mean another gate, or none. */
TEST(gates_are_not_remembered_too_long)
{
	struct server s = server_make();
	uint64_t cap = s.x->cap % 128, at = 90, back = CALL3(GATE_CREATE, 0, 0, 1).value;
	struct call c = { .rdi = at };

	context_control(me())->gate_entry = 0x6000;
	OK(CALL6(CAP_COPY, s.a.cap, 40, back, EXO_R_CALL, 0, 0));
	OK(CALL3(GATE_CREATE, at, cap, 1));
	OK(CALL1(GATE_CALL, at));
	OK(CALL1(GATE_CALL, 40));
	OK(CALL2(CAP_DELETE, 0, at));
	IS(CALL1(GATE_CALL, at), CAP, 1);
	OK(CALL3(GATE_CREATE, at, cap, 2));
	CHECK(!call_dispatch(EXO_CALL_GATE_CALL, &c) && c.rdi == 2, "the new one's badge");
	OK(CALL1(GATE_CALL, 40));
	slot_at(s.x->cap)->gen |= SLOT_DYING;	/* as by a deletion that has to go on, */
	cap_era++;				/* which it says */
	IS(CALL1(GATE_CALL, at), DYING, 1);
	slot_at(s.x->cap)->gen &= ~SLOT_DYING;
	OK(CALL1(GATE_CALL, at));
}

/* Nor an entry, nor a name that was never one. */
TEST(gates_are_remembered_by_name_and_entry)
{
	struct server s = server_make();

	back_and_forth(&s);
	IS(CALL1(GATE_CALL, 0), CAP, 1);
	context_control(s.x)->gate_entry = 1ul << 63;
	IS(CALL1(GATE_CALL, s.gate), STATE, 1);
	context_control(s.x)->gate_entry = 0x4400;
	context_control(s.x)->gate_stack = 0x5500;
	OK(CALL1(GATE_CALL, s.gate));
	CHECK(me() == s.x && regs()->rip == 0x4400 && regs()->rsp == 0x5500, "where it says now");
}

/* Whose slice or turn it is pays, whoever runs by gates. */
TEST(gates_do_not_change_who_pays)
{
	struct server s = server_make();
	struct context *own = me();
	struct domain *d = domain_at(own->domain);
	struct cpu *c = this_cpu();
	struct exo_slice *slice = &c->slices->slice[c->slot];
	uint64_t from = c->switched, mine = own->run_time, ours = d->run_time, time = s.x->run_time;
	uint64_t charged = slice->used + slice->given;

	for (unsigned i = 0; i < 500; i++) {
		model_time += 107;
		back_and_forth(&s);
	}
	OK(CALL1(GATE_CALL, s.gate));
	CHECK(c->payer == own && c->switched == from, "no clock is read");
	CHECK(sched_running_time(d) >= 500 * 107 && !sched_running_time(s.a.d), "not charged yet");
	OK(CALL1(YIELD, 0));
	CHECK(c->switched - from >= 500 * 107 && own->run_time - mine == c->switched - from, "all");
	CHECK(d->run_time - ours == own->run_time - mine, "and its domain");
	CHECK(slice->used + slice->given - charged == own->run_time - mine, "and the slice");
	CHECK(s.x->run_time == time && context_control(own)->run_time == own->run_time, "as told");
}

/* Who goes on when the slice ends does so on its own account. */
TEST(gates_end_with_the_slice)
{
	struct server s = server_make();
	struct context *own = me();
	struct cpu *c = this_cpu();

	OK(CALL1(GATE_CALL, s.gate));
	model_on(1);
	FINISH(CALL3(CONTEXT_CTL, own->cap % 128, EXO_CTX_STOP, 0));
	model_on(0);
	c->resched = EXO_RESCHED_PICK;
	OK(CALL0(NULL));
	CHECK(me() == s.x && c->payer == own, "who was stopped still pays for what it gave");
	uint64_t mine = own->run_time, time = s.x->run_time;
	for (unsigned i = 0; i < 3; i++)
		tick_at(0, c->slot_end);
	CHECK(me() == s.x && c->payer == s.x, "and no more");
	CHECK(own->run_time > mine && s.x->run_time > time, "both have");
}

/* Who gave its slice ends: who runs pays for the rest. */
TEST(gates_survive_who_pays)
{
	struct server s = server_make();
	struct actor b = actor_make(60);
	struct context *x = context_first(b.d);
	struct cpu *c = this_cpu();
	uint64_t cap = x->cap % 128, time;

	OK(CALL6(CAP_COPY, b.cap, 40, s.gate, EXO_R_CALL, 0, 0));
	OK(CALL3(CONTEXT_CTL, cap, EXO_CTX_HOME, 0));
	OK(CALL4(CONTEXT_CTL, cap, EXO_CTX_START, 0x1000, 0));
	OK(CALL1(YIELD, cap));
	CHECK(me() == x && c->payer == x, "it runs");
	model_time += 1000;
	OK(CALL1(GATE_CALL, 40));
	CHECK(me() == s.x && c->payer == x, "it pays");
	time = s.x->run_time;
	model_time += 50000;
	model_on(1);
	OK(FINISH(CALL1(DOMAIN_DESTROY, b.cap)));
	model_on(0);
	CHECK(me() == s.x && c->payer == s.x && s.x->run_time == time, "it paid, and can no more");
	OK(CALL1(YIELD, 0));
	CHECK(s.x->run_time < time + 50000, "its rest is another's");
	audit();
}

/* Two that call each other have their turns, no more. */
TEST(gates_give_no_turns)
{
	struct server s = server_make();
	struct context *own = me(), *third = server_make().x;
	uint64_t back = CALL3(GATE_CREATE, 0, 0, 1).value, ran = 0;

	context_control(own)->gate_entry = 0x6000;
	OK(CALL6(CAP_COPY, s.a.cap, 40, back, EXO_R_CALL, 0, 0));
	OK(CALL3(EVENT_CREATE, 91, third->cap % 128, 0x10000));
	OK(CALL2(EVENT_SIGNAL, 91, 0x10000));
	kernel_lock();
	wait_wake(third, EXO_EVENT, 0);
	kernel_unlock();
	for (unsigned i = 0; i < 60; i++) {
		if (me() == own)
			CALL1(GATE_CALL, s.gate);	/* BUSY, if it runs by itself */
		else if (me() == s.x)
			CALL1(GATE_CALL, 40);
		ran += me() == third;
		model_time = this_cpu()->slot_end;	/* right behind the call */
		model_timer(this_cpu()->number);
	}
	CHECK(ran >= 15 && ran <= 30, "the third ran %lu times of 60", ran);
}

TEST(gates_tell_of_events)
{
	struct server s = server_make();

	context_control(s.x)->entry[EXO_UP_EVENT] = 0x7000;
	context_control(s.x)->mask = 0;
	context_control(s.x)->pending = 1;
	context_control(s.x)->stack_lo = WINDOW;
	context_control(s.x)->stack_hi = WINDOW + 4096;
	OK(CALL1(GATE_CALL, s.gate));
	CHECK(me() == s.x && regs()->rip == 0x7000, "told of its event");
}

/* Of the slice's start, and of its end to come. */
TEST(gates_tell_of_slices)
{
	struct server s = server_make();
	struct exo_control *ctl = context_control(s.x);
	uint64_t cap = s.x->cap % 128;

	OK(CALL4(CONTEXT_CTL, cap, EXO_CTX_WARN, 0, 1));
	back_and_forth(&s);
	CHECK(ctl->events == EXO_EV_SLICE_START, "of its start: %lx", ctl->events);
	ctl->events = ctl->pending = 0;
	OK(CALL4(CONTEXT_CTL, cap, EXO_CTX_WARN, 1000000, 0));
	OK(CALL1(GATE_CALL, s.gate));
	CHECK(!ctl->events && me() == s.x && !s.x->warned, "not yet");
	tick_at(0, this_cpu()->slot_end - 500000);
	CHECK(ctl->events == EXO_EV_SLICE_END && s.x->warned && ctl->slice_end == this_cpu()->slot_end, "of its end");
	OK(CALL1(GATE_CALL, 40));
	CHECK(!s.x->warned && s.x->open, "told once a slice");
}

/* What only one side bears is changed: told by number, as others' loads are the machine's affair. */
TEST(gates_carry_burdens)
{
	struct slot device = { .type = EXO_T_DEVICE, .rights = EXO_R_USE };
	struct server s = server_make();
	struct context *own = me(), *other;
	uint64_t name;

	device.aux = device_add(&(struct device){ .port = 0x80, .port_count = 1 });
	CHECK(!cap_insert(model_init(), 95, 0, &device, NULL, &name), "insert");
	back_and_forth(&s);
	CHECK(!model_burdens && !own->burden && !s.x->burden, "nobody has any");
	OK(CALL2(SEGMENT_SET, EXO_SEG_KGS, 0x1000));
	back_and_forth(&s);
	CHECK(model_burdens == 2 && own->burden == own->id, "its own, each way");
	OK(CALL2(DEVICE_CTL, 95, EXO_DEV_PORTS));
	for (other = context_first(model_init()); other; other = context_next(model_init(), other))
		CHECK(other->burden == (other == own ? own->id : own->domain), "all of the domain have ports");
	s.x->burden = own->burden;
	back_and_forth(&s);
	CHECK(model_burdens == 2, "the same");
}

/* Who moves while it runs is ready at its new home once it calls. */
TEST(gates_and_moves_meet)
{
	struct server s = server_make();
	struct context *own = me();

	OK(CALL3(CONTEXT_CTL, own->cap % 128, EXO_CTX_HOME, 1));
	OK(CALL1(GATE_CALL, s.gate));
	CHECK(me() == s.x && own->queued == 2, "it is offered to CPU 1");
	audit();
}
