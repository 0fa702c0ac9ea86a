/* The domains that the unit tests make, and what they do as a rule. */
#include "tests/host/play.h"

static uint32_t next_fresh, next_region;

void actors_begin(void)
{
	next_fresh = MODEL_RAM + 20;
	next_region = 2048;
}

uint32_t fresh(void) { return next_fresh++; }
uint32_t fresh_region(void) { return next_region += 512; }

struct result retype(uint64_t pfn, unsigned kind)
{
	*(uint64_t *)model_window[this_cpu()->number] = pfn << 8 | kind;
	return CALL3(FRAME_RETYPE, 0, WINDOW, 1);
}

struct result pt_set(uint64_t table, unsigned index, uint64_t value, uint64_t cap)
{
	struct exo_pt_item *item = (struct exo_pt_item *)model_window[this_cpu()->number];

	item->ptr = (table << 12) + index * 8;
	item->val = value;
	return CALL4(PT_WRITE, 0, WINDOW, 1, cap);
}

uint64_t pt_get(uint64_t table, unsigned index)
{
	return ((uint64_t *)pfn_to_virt(table))[index];
}

void map_tables(uint64_t root, uint64_t va, const uint32_t tables[3])
{
	for (unsigned i = 0; i < 3; i++)
		OK(retype(tables[i], EXO_KIND_PT1 + i));
	OK(pt_set(root, va >> 39 & 511, pte(tables[2], RW), 0));
	OK(pt_set(tables[2], va >> 30 & 511, pte(tables[1], RW), 0));
	OK(pt_set(tables[1], va >> 21 & 511, pte(tables[0], RW), 0));
}

uint32_t actor_frame(struct actor *a) { return a->next++; }

struct actor actor_make(unsigned count)
{
	struct actor a = { .first = next_fresh, .root = next_fresh, .next = next_fresh + 1 };
	uint32_t object = next_fresh + count, last = a.first + count, contexts[MODEL_CPUS];
	struct result r;

	next_fresh += count + 2;
	r = CALL3(DOMAIN_CREATE, 0, object, object + 1);
	OK(r);
	a.cap = r.value;
	a.d = domain_at(object);
	for (unsigned done = 0; done < count; done += r.value) {
		r = CALL4(FRAME_GIVE, 0, a.cap, a.first + done, count - done);
		CHECK(EXO_CODE(r.status) <= EXO_AGAIN, "give: %lx", r.status);
	}
	*(uint64_t *)model_window[this_cpu()->number] = (uint64_t)a.root << 8 | EXO_KIND_PT4;
	OK(CALL3(FRAME_RETYPE, a.cap, WINDOW, 1));
	for (unsigned i = 0; i < MODEL_CPUS; i++) {
		last -= 3;
		r = CALL6(CONTEXT_CREATE, a.cap, last, last + 1, last + 2, i, 0);
		OK(r);
		contexts[i] = r.value;
		((uint8_t *)pfn_to_virt(last + 1))[offsetof(struct exo_control, mask)] = 1;
		OK(CALL3(CONTEXT_CTL, contexts[i], EXO_CTX_ROOTS, a.root));
	}
	return a;
}

struct context *context_on(const struct actor *a, unsigned cpu)
{
	struct context *x = context_first(a->d);

	while (x->home != cpu)
		x = context_next(a->d, x);
	return x;
}

void context_begin(struct context *x)
{
	OK(CALL4(CONTEXT_CTL, x->cap % 128, EXO_CTX_START, 0x1000, 0));
	context_control(x)->mask = 1;
	model_step_all();
}

void slots_share(struct context *even, struct context *odd, uint64_t length)
{
	struct slot all = { .type = EXO_T_SLICE, .rights = 7, .aux = 1, .base = 0, .count = 64 };
	uint64_t name;

	CHECK(!cap_insert(model_init(), 90, 0, &all, NULL, &name), "insert");
	for (unsigned i = 0; i < 64; i++)
		OK(CALL4(SLICE_CTL, 90, i, length, (i & 1 ? odd : even)->cap % 128));
}

void slots_begin(struct context *even, struct context *odd, uint64_t length)
{
	context_begin(even);
	context_begin(odd);
	for (unsigned i = 0; i < 40; i++) {
		model_time += length / 2;
		model_timer(1);
	}
}

void tick_at(unsigned cpu, uint64_t when)
{
	unsigned was = this_cpu()->number;

	model_on(cpu);
	kernel_lock();
	model_time = when - 10;
	sched_tick();
	kernel_unlock();
	CALL0(NULL);
	model_on(was);
}

void tables_of(struct actor *a, uint32_t t[3])
{
	for (unsigned i = 0; i < 3; i++)
		t[i] = actor_frame(a);
	map_tables(a->root, 0x400000, t);
}

struct exo_domain_page *give_page(struct actor *a)
{
	uint32_t pfn = actor_frame(a);

	OK(CALL4(DOMAIN_CTL, a->cap, EXO_DOM_PAGE, pfn, 0));
	return pfn_to_virt(pfn);
}

void upcalls_on(void)
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

struct actor actor_on_1(void)
{
	struct actor a = actor_make(100);

	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	upcalls_on();
	return a;
}
