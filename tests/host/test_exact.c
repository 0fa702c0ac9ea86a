/* Moments, limits and counts, met exactly: the nanosecond at which a slice ends, the last term of a
 * predicate, every register that a resume loads.  What they are for is tested by their own files.
 */
#include <string.h>
#include "tests/host/play.h"

#define SLICE	1000000ul
#define WARN	100000ul

/* Each slice of a context has its warning, and both come to the nanosecond. */
TEST(slices_end_exactly)
{
	struct actor a = actor_make(60), b = actor_make(60);
	struct context *x = context_on(&a, 1), *y = context_on(&b, 1);
	struct cpu *c = cpu_at(1);

	slots_share(x, y, SLICE);
	OK(CALL4(CONTEXT_CTL, x->cap % 128, EXO_CTX_WARN, WARN, 1));
	slots_begin(x, y, SLICE);
	for (unsigned i = 0; i < 6; i++) {
		struct context *now = c->current;
		uint64_t end = c->slot_end;

		CHECK((now == x || now == y) && c->slices->slice[c->slot].context == now->id, "its slot");
		context_control(now)->events = 0;
		tick_at(1, end - WARN - 1);
		CHECK(!(context_control(now)->events & EXO_EV_SLICE_END), "no warning yet");
		tick_at(1, end - WARN);
		CHECK(!(context_control(now)->events & EXO_EV_SLICE_END) == (now == y), "a warning for x");
		tick_at(1, end - 1);
		CHECK(c->current == now, "its last nanosecond");
		tick_at(1, end);
		CHECK(c->current != now && c->slot_start - end < 100, "the other's turn");
	}
}

/* The timer of a CPU that comes out of idling is set to the end of its slice. */
TEST(slices_end_after_idling)
{
	struct actor a = actor_make(60), b = actor_make(60);
	struct context *x = context_on(&a, 1), *y = context_on(&b, 1);
	struct cpu *c = cpu_at(1);

	kernel_lock();
	context_stop(c->current, EXO_EVENT);
	kernel_unlock();
	model_step_all();
	CHECK(!c->current, "idle");
	slots_share(x, y, SLICE);
	model_time += 20 * SLICE;
	context_begin(x);
	context_begin(y);
	CHECK(c->current == x || c->current == y, "one of them runs");
	struct context *first = c->current;
	model_time = c->slot_end + 1;
	model_timer(1);
	CHECK(c->current && c->current != first, "the other has its turn");
}

TEST(slices_are_counted)
{
	struct actor a = actor_make(60), b = actor_make(60);
	struct context *x = context_on(&a, 1), *y = context_on(&b, 1);
	const struct exo_domain_info *info = at_user(WINDOW);

	slots_share(x, y, SLICE);
	CHECK(x->slices == 32 && y->slices == 32, "bound");
	OK(CALL4(SLICE_CTL, 90, 0, 0, y->cap % 128));
	CHECK(x->slices == 31 && y->slices == 33, "bound to another");
	OK(CALL2(DOMAIN_INFO, b.cap, WINDOW));
	CHECK(info->slices == 33 && info->frames == b.d->frames && info->frames && info->contexts == MODEL_CPUS,
		"told: %lu, %lu", info->slices, info->frames);
	OK(CALL4(SLICE_CTL, 90, 0, 0, 0));
	CHECK(x->slices == 31 && y->slices == 32, "unbound");
	OK(CALL2(CAP_DELETE, 0, 90));
}

TEST(run_time_counts_to_this_moment)
{
	struct actor a = actor_make(60);
	const struct exo_domain_info *info = at_user(WINDOW);

	CHECK(model_run(1, a.d), "runs");
	OK(CALL2(DOMAIN_INFO, a.cap, WINDOW));
	uint64_t before = info->run_time;
	CHECK(before < 1000, "just begun: %lu", before);
	model_time += 12345;
	OK(CALL2(DOMAIN_INFO, a.cap, WINDOW));
	CHECK(info->run_time - before - 12345 < 100, "%lu, then %lu", before, info->run_time);
}

/* Only the CPU that is to run it is told of a context that is ready, and only if it idles. */
TEST(who_is_kicked)
{
	struct actor a = actor_make(60);
	struct context *x = context_on(&a, 2);

	model_step_all();
	for (unsigned i = 1; i < MODEL_CPUS; i++)
		CHECK(cpu_at(i)->current, "CPU %u is busy", i);
	OK(CALL4(CONTEXT_CTL, x->cap % 128, EXO_CTX_START, 0x1000, 0));
	for (unsigned i = 1; i < MODEL_CPUS; i++)
		CHECK(!model_kicked(i), "CPU %u", i);
	FINISH(CALL3(CONTEXT_CTL, x->cap % 128, EXO_CTX_STOP, 0));
	kernel_lock();
	context_stop(cpu_at(3)->current, EXO_EVENT);
	kernel_unlock();
	model_step_all();
	CHECK(!cpu_at(3)->current, "CPU 3 idles");
	OK(CALL3(CONTEXT_CTL, x->cap % 128, EXO_CTX_RUN, 0));
	CHECK(!model_kicked(2) && !model_kicked(3), "not its home");
}

TEST(start_begins_afresh)
{
	struct actor a = actor_make(60);
	struct context *x = context_on(&a, 2);

	context_begin(x);
	FINISH(CALL3(CONTEXT_CTL, x->cap % 128, EXO_CTX_STOP, 0));
	context_regs(x)->rbx = context_regs(x)->r15 = x->in_user = 1;
	context_begin(x);
	CHECK(!context_regs(x)->rbx && !context_regs(x)->r15 && !x->in_user, "nothing of its earlier life");
}

TEST(resume_loads_every_word)
{
	struct exo_resume *f = at_user(WINDOW + 0x100);

	*f = (struct exo_resume){ .rax = 9, .rip = 0x4444, .cs = EXO_CS64, .rflags = 0x246, .rsp = 0x66,
		.ss = EXO_SS, .rcx = 7, .r11 = 8 };
	*regs() = (struct exo_regs){ .rsp = WINDOW + 0x100, .rflags = 0x202 };
	OK(CALL0(RESUME));
	CHECK(regs()->rip == 0x4444 && regs()->cs == EXO_CS64 && (regs()->rflags & 0x44) == 0x44 &&
		regs()->rsp == 0x66 && regs()->ss == EXO_SS && regs()->rax == 9 && regs()->rcx == 7 &&
		regs()->r11 == 8, "all of them");
}

/* A stack pointer at the very bottom is none of this stack: the frame goes to its top. */
TEST(upcalls_at_the_ends_of_the_stack)
{
	struct exo_control *c = context_control(this_cpu()->current);

	c->entry[EXO_UP_EXCEPTION] = 0x1000;
	c->stack_lo = STACK;
	c->stack_hi = STACK + 0x1000;
	for (unsigned i = 0; i < 2; i++) {
		regs()->rsp = i ? STACK + 0x1000 : STACK;
		upcall_deliver(EXO_UP_EXCEPTION, 14, 0, 0);
		CHECK(regs()->rip == 0x1000 && regs()->rsp == STACK + 0x1000 - sizeof(struct exo_upcall), "the top");
		regs()->rip = 0x777;
	}
	c->stack_hi = STACK + sizeof(struct exo_upcall);
	regs()->rsp = c->stack_hi;
	upcall_deliver(EXO_UP_EXCEPTION, 14, 0, 0);
	CHECK(regs()->rip == 0x1000 && regs()->rsp == STACK, "room for just one");
}

static struct exo_predicate *predicate(unsigned products, unsigned terms, uint64_t pfn, uint64_t value)
{
	struct exo_predicate *p = at_user(WINDOW + 0x2000);

	memset(p, 0, sizeof *p);
	p->products = products;
	for (unsigned i = 0; i < products; i++) {
		p->terms[i] = terms;
		for (unsigned j = 0; j < terms; j++)
			p->term[i][j] = (struct exo_term){ .addr = pfn << 12, .op = EXO_EQ, .value = value };
	}
	return p;
}

TEST(predicates_of_every_size)
{
	uint32_t pfn = fresh();

	*(uint64_t *)pfn_to_virt(pfn) = 5;
	predicate(EXO_WAIT_PRODUCTS, EXO_WAIT_TERMS, pfn, 5);
	OK(CALL3(WAIT, WINDOW + 0x2000, 0, 0));
	/* Of a product that is not there nothing counts, whatever an earlier predicate left. */
	predicate(2, 1, pfn, 5);
	OK(CALL3(WAIT, WINDOW + 0x2000, 0, 0));
	predicate(1, 1, pfn, 6)->terms[1] = 1;
	IS(CALL3(WAIT, WINDOW + 0x2000, 0, 0), TIMEOUT, 0);
}

/* Beyond the wheel's reach a timer waits in the slot that comes last. */
TEST(timers_beyond_the_wheel)
{
	unsigned shift = WHEEL_SHIFT + 6 * (WHEEL_LEVELS - 1);
	struct context *x = this_cpu()->current;

	for (unsigned i = 0; i < 3; i++) {
		OK(CALL1(TIMER_SET, model_time + (1ul << 62)));
		unsigned now = this_cpu()->wheel.now >> shift, slot = x->timers[TIMER_USER].slot - 1;
		CHECK(slot == (WHEEL_LEVELS - 1) * WHEEL_SLOTS + ((now - 1) & (WHEEL_SLOTS - 1)), "slot %u", slot);
		model_time += 1ul << (shift + 1);
		model_timer(0);
		model_timer(0);
	}
	OK(CALL1(TIMER_SET, 0));
}

/* Of a flush of everything the address does not count. */
TEST(flushes_look_at_addresses_they_use)
{
	struct exo_pt_item *item = at_user(WINDOW);

	*item = (struct exo_pt_item){ (uint64_t)fresh() << 12 | EXO_PT_SET, 5 };
	OK(CALL6(PT_WRITE, 0, WINDOW, 1, 0, EXO_FLUSH_LOCAL, EXO_MONITOR_BASE - 4096));
	*item = (struct exo_pt_item){ (uint64_t)fresh() << 12 | EXO_PT_SET, 5 };
	CHECK(CALL6(PT_WRITE, 0, WINDOW, 1, 0, EXO_FLUSH_LOCAL | EXO_FLUSH_VA, EXO_MONITOR_BASE - 4096).status,
		"the kernel's");
}

TEST(idle_cpus_are_told)
{
	struct slot cap = { .type = EXO_T_MACHINE, .rights = EXO_R_TRACE };
	uint64_t name;

	CHECK(!cap_insert(model_init(), 90, 0, &cap, NULL, &name), "insert");
	kernel_lock();
	context_stop(cpu_at(3)->current, EXO_EVENT);
	kernel_unlock();
	model_step_all();
	CHECK(CALL3(MACHINE_CTL, 90, EXO_M_IDLE, 77).value == 1 << 3, "CPU 3 idles");
}

TEST(masks_lie_where_they_were_put)
{
	struct actor a = actor_make(60);
	struct context *x = context_on(&a, 2);

	OK(CALL4(CONTEXT_CTL, x->cap % 128, EXO_CTX_MASK_AT, a.next, 16));
	CHECK(x->mask_frame == a.next && (uint8_t *)x->pair == (uint8_t *)pfn_to_virt(a.next) + 16, "frame and offset");
	CHECK(context_pair(x) == (void *)((uint8_t *)pfn_to_virt(a.next) + 16), "there");
}

/* The first name behind a table is none. */
TEST(tables_end)
{
	uint64_t slots = model_init()->table_frames * 128;

	IS(CALL3(CAP_INFO, 0, slots, WINDOW), CAP, 2);
	IS(CALL2(CAP_DELETE, 0, slots), CAP, 2);
}

/* A timer that is far away is one all the same. */
TEST(timers_of_higher_levels_count)
{
	struct actor a = actor_make(60);
	struct wheel *w = &this_cpu()->wheel;

	kernel_lock();
	timer_queue(context_on(&a, 1), TIMER_USER, model_time + 10000000000);
	uint64_t next = timer_next(w);
	CHECK(next > model_time && next <= model_time + 10000000000, "looked at again in time: %lu", next);
	timer_cancel(context_on(&a, 1), TIMER_USER);
	CHECK(timer_next(w) == EXO_FOREVER, "none");
	kernel_unlock();
}

TEST(flushes_that_are_asked_for)
{
	unsigned before = model_flushes;

	OK(CALL3(TLB_FLUSH, 0, 0, EXO_FLUSH_LOCAL));
	CHECK(model_flushes == before + 1, "this CPU");
	OK(CALL3(TLB_FLUSH, 0, 1, EXO_FLUSH_ALL));
	CHECK(model_flushes == before + 2, "all that run the domain");
	OK(CALL3(TLB_FLUSH, 0, 1ul << 36, EXO_FLUSH_LOCAL));
	IS(CALL3(TLB_FLUSH, 0, (1ul << 36) + 1, EXO_FLUSH_LOCAL), ARG, 2);
}

/* The first slot of a level is not the last of the one below: its timers move down. */
TEST(timers_move_down_from_the_first_slot)
{
	const uint64_t unit = 1ul << WHEEL_SHIFT, turn = unit << 12;
	struct actor a = actor_make(60);
	struct context *x = context_on(&a, 1);
	struct wheel *w = &this_cpu()->wheel;
	uint64_t begins = (model_time / turn + 2) * turn;

	model_time = begins - 1000 * unit;
	kernel_lock();
	timer_run(w, model_time);
	timer_queue(x, TIMER_USER, begins + 5 * unit);
	CHECK(x->timers[TIMER_USER].slot - 1 == WHEEL_SLOTS, "the first of level 1: %u", x->timers[TIMER_USER].slot);
	timer_run(w, begins);
	CHECK(x->timers[TIMER_USER].slot - 1 < WHEEL_SLOTS, "moved: %u", x->timers[TIMER_USER].slot);
	timer_cancel(x, TIMER_USER);
	kernel_unlock();
}

/* Among timers of one slot the one that is due fires, wherever it stands. */
TEST(timers_of_one_slot)
{
	struct actor a = actor_make(60);
	struct wheel *w = &this_cpu()->wheel;
	uint64_t base = ((model_time >> WHEEL_SHIFT) + 2) << WHEEL_SHIFT;

	for (unsigned due = 0; due < MODEL_CPUS; due++) {
		kernel_lock();
		for (unsigned i = 0; i < MODEL_CPUS; i++)
			timer_queue(context_on(&a, i), TIMER_USER, base + (i == due ? 10 : 100));
		timer_run(w, base + 10);
		for (unsigned i = 0; i < MODEL_CPUS; i++) {
			CHECK(!context_on(&a, i)->timers[TIMER_USER].slot == (i == due), "timer %u of %u", i, due);
			timer_cancel(context_on(&a, i), TIMER_USER);
		}
		kernel_unlock();
		base += 1ul << WHEEL_SHIFT;
	}
}

/* A reference is to one capability, not to whatever has its slot or its type. */
TEST(references_are_to_one_capability)
{
	struct slot *s;

	OK(CALL3(EVENT_CREATE, 90, 0, 1ul << 20));
	CHECK(!cap_find(model_init(), 90, EXO_T_EVENT, 0, 1, &s), "found");
	struct cap_ref ref = { slot_name(s), s->gen }, other = { slot_name(s), s->gen + 256 };
	CHECK(cap_ref_get(ref, EXO_T_EVENT) == s, "itself");
	CHECK(!cap_ref_get(ref, EXO_T_SLICE), "of another type");
	CHECK(!cap_ref_get(other, EXO_T_EVENT), "of another time");
}
