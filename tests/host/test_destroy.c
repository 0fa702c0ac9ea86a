/* The end of a domain, and of what capabilities stand for. */
#include "tests/host/play.h"

static struct exo_domain_info *info(void) { return (void *)model_window[this_cpu()->number]; }

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
	OK(CALL3(EVENT_CREATE, 40, 0, 0x10000));
	OK(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_WATCH, 40, 0x10000));
	IS(CALL1(DOMAIN_DESTROY, 99), CAP, 1);
	r = CALL1(DOMAIN_DESTROY, a.cap);
	IS(r, AGAIN, 0);
	CHECK(control()->events == 0x10000, "the watcher is told at once");
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
