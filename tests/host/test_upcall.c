/* Upcalls, events, and the way back by resume; what becomes of those that cannot be delivered. */
#include "tests/host/play.h"
#include "tests/host/test.h"

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

/* A root is loaded and paired at once, or nothing happens. */
TEST(roots_pair)
{
	struct actor a = actor_on_1();
	uint64_t other = context_on(&a, 0)->cap % 128;
	uint32_t u = actor_frame(&a), k = actor_frame(&a), v = actor_frame(&a);

	OK(retype(k, EXO_KIND_PT4));
	OK(retype(u, EXO_KIND_PT4));
	IS(CALL4(CONTEXT_CTL, 0, EXO_CTX_ROOTS, k, v), TYPE, 4);
	IS(CALL4(CONTEXT_CTL, 0, EXO_CTX_ROOTS, k, 3), OWNER, 4);
	IS(CALL4(CONTEXT_CTL, 0, EXO_CTX_ROOTS, k, k), STATE, 4);
	IS(CALL4(CONTEXT_CTL, 0, EXO_CTX_ROOTS, 3, u), OWNER, 3);
	IS(CALL4(CONTEXT_CTL, 0, EXO_CTX_ROOTS, v, u), TYPE, 3);
	model_on(0);			/* its parent, who controls its contexts */
	IS(CALL4(CONTEXT_CTL, other, EXO_CTX_ROOTS, k, u), ARG, 4);
	model_on(1);
	CHECK(this_cpu()->root == a.root && me()->root_k == a.root && !frame_table[k].writable, "nothing");
	OK(CALL4(CONTEXT_CTL, 0, EXO_CTX_ROOTS, k, u));
	CHECK(this_cpu()->root == k && me()->root_k == k && me()->root_u == u, "loaded");
	CHECK(frame_table[k].writable == u && frame_table[u].typerefs == 1, "paired");
	IS(CALL4(CONTEXT_CTL, 0, EXO_CTX_ROOTS, u, k), STATE, 3);
	IS(CALL4(CONTEXT_CTL, 0, EXO_CTX_ROOTS, a.root, u), BUSY, 4);
	OK(retype(v, EXO_KIND_PT4));
	OK(CALL4(CONTEXT_CTL, 0, EXO_CTX_ROOTS, k, v));
	CHECK(me()->root_u == v && !frame_table[u].typerefs, "another partner");
	OK(CALL4(CONTEXT_CTL, 0, EXO_CTX_ROOTS, k, 0));
	CHECK(me()->root_u == v, "0 changes nothing");
	audit();
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
