/* CPU time: per CPU a linear vector of slices (Aegis), each bound to a context by who
 * holds it, and a ring of ready contexts that share what nobody uses.
 *
 * The kernel knows no priorities.  A slot goes to the context bound to it if that is
 * ready; else to the ring, in turn.  A context gets a warning before its slice ends and
 * is saved by force at the end.  How slots are bound is policy, and somewhere else.
 *
 * Who runs stays in its ring: a switch touches none (as L4's lazy queues), and the ring's turn
 * passes over those that run, of whom there are no more than CPUs.
 */
#include "disk.h"

#define SLICE_DEFAULT	10000000ul	/* ns, until who holds the slice changes it */
#define SLICE_MIN	100000ul
#define SLICE_MAX	1000000000ul

/* ---- the ready ring ---------------------------------------------------------- */

static struct link *ready_link(uint32_t id) { return &context_at(id)->ready; }

static void enqueue(struct context *x)
{
	if (x->queued)
		return;
	ring_add(&cpu_at(x->home)->ready, x->id, ready_link);
	x->queued = x->home + 1;
}

static void dequeue(struct context *x)
{
	if (x->queued)
		ring_remove(&cpu_at(x->queued - 1)->ready, x->id, ready_link);
	x->queued = 0;
}

/* A CPU has to look again if it idles or if its present slot belongs to x. */
static void notify(struct cpu *c, const struct context *x)
{
	bool owns = c->slice->context == x->id && c->current != x;
	if (!owns && !(c->number == x->home && (!c->current || c->current->state != EXO_CS_READY)))
		return;
	if (c == this_cpu())
		c->resched |= EXO_RESCHED_PICK;
	else
		arch_kick(c->number);
}

__attribute__((noinline)) void sched_ready(struct context *x)
{
	x->state = EXO_CS_READY;
	enqueue(x);
	if (x->running)		/* it was about to leave its CPU, and stays */
		return;
	for (unsigned i = 0; i < cpu_count; i++)
		notify(cpu_at(i), x);
}

void sched_block(struct context *x, unsigned state)
{
	x->state = state;
	x->open = 0;
	dequeue(x);
	if (!x->running)
		return;
	if (x == this_cpu()->current)
		this_cpu()->resched |= EXO_RESCHED_PICK;
	else
		arch_kick(x->cpu);
}

/* ---- slots ------------------------------------------------------------------- */

static void slot_next(struct cpu *c, uint64_t now)
{
	struct exo_slice_page *page = c->slices;
	c->slot = c->slot + 1 < page->count ? c->slot + 1 : 0;
	c->slice = &page->slice[c->slot];
	c->slot_start = now;
	c->slot_end = now + c->slice->length;
	c->passed = false;
	c->donee = NULL;
	page->now = c->slot;
}

/* Charges the time since the last look to who pays. */
static void account(struct cpu *c, uint64_t now)
{
	struct context *x = c->payer;
	uint64_t spent = now - c->switched;
	c->switched = now;
	if (!x) {
		c->slices->idle += spent;
		return;
	}
	*(c->slice->context == x->id ? &c->slice->used : &c->slice->given) += spent;
	x->run_time += spent;
	((struct domain *)pfn_to_virt(x->domain))->run_time += spent;
	context_control(x)->run_time = x->run_time;
}

uint64_t sched_running_time(const struct domain *d)
{
	uint64_t now = arch_now(), sum = 0;
	for (unsigned i = 0; i < cpu_count; i++) {
		struct cpu *c = cpu_at(i);
		if (c->payer && c->payer->domain == d->id && now > c->switched)
			sum += now - c->switched;
	}
	return sum;
}

/* Ready, and not running on another CPU.  A slice's start is one of the moments at which
 * a predicate is looked at. */
static bool may_run(struct cpu *c, struct context *x)
{
	if (x->state == EXO_CS_WAITING)
		wait_check(x);
	return x->state == EXO_CS_READY && (!x->running || x == c->current);
}

/* The ring's next that does not run. */
static struct context *turn(struct cpu *c)
{
	struct context *x = context_at(c->ready);
	while (x && x->running)
		x = x->ready.next == c->ready ? NULL : context_at(x->ready.next);
	if (x)
		c->ready = x->ready.next;
	return x;
}

static struct context *choose(struct cpu *c, bool ended)
{
	struct context *owner = context_at(c->slice->context);
	if (c->donee && may_run(c, c->donee))
		return c->donee;
	if (owner && !c->passed && may_run(c, owner))
		return owner;
	bool stay = c->current && c->current->state == EXO_CS_READY;
	if (stay && !ended && !c->passed)
		return c->current;
	struct context *next = turn(c);
	if (next)
		return next;
	if (owner && may_run(c, owner))
		return owner;
	return stay ? c->current : NULL;
}

/* ---- switching ---------------------------------------------------------------- */

/* x, which was the current context, has been saved. */
static inline void stand_down(struct cpu *c, struct context *x)
{
	if (x->home != c->number && x->state == EXO_CS_READY) {
		dequeue(x);	/* it may have moved while it ran, */
		sched_ready(x);	/* and another CPU may take it */
	}
}

static void switch_out(struct cpu *c, bool forced)
{
	struct context *x = c->current;
	arch_context_save(x);
	x->running = 0;
	stand_down(c, x);
	c->current = NULL;
	if (forced)
		context_control(x)->forced++;
}

/* x becomes the current context. */
static inline void step_up(struct cpu *c, struct context *x)
{
	x->cpu = c->number;
	c->current = x;
	c->pair = context_pair(x);
	struct exo_control *ctl = c->control = context_control(x);
	ctl->cpu = c->number;
	ctl->switches++;
	ctl->slice_start = c->slot_start;
	ctl->slice_end = c->slot_end;
	c->slices->switches++;
	c->slices->running = x->id;
}

/* It has been loaded: told so. */
static void switched_in(struct context *x)
{
	trace(EXO_TR_SWITCH, 1, x->id, x->domain);
	if (x->want_start)
		context_signal(x, EXO_EV_SLICE_START);
}

static bool switch_in(struct cpu *c, struct context *x)
{
	x->running = 1;
	x->open = 0;
	x->warned = 0;
	step_up(c, x);
	if (!arch_context_load(x)) {
		context_kill(x, EXO_DEAD_STATE, 0, 0, 0);
		dequeue(x);
		x->running = 0;
		c->current = NULL;
		return false;
	}
	switched_in(x);
	return true;
}

/* What few of those that a gate leads from or to ask for. */
static __attribute__((noinline)) void handed_over(struct cpu *c, struct context *from, struct context *x)
{
	if (from->burden != x->burden)
		arch_burden_load(x);
	stand_down(c, from);
	switched_in(x);
	if (x->warn)
		sched_timer();
}

void sched_hand_over(struct cpu *c, struct context *from, struct context *x)
{
	unsigned state = from->state;
	from->standing = CONTEXT_OPEN;
	if (RARE(state != EXO_CS_READY))	/* being stopped */
		from->standing = state;
	x->standing = CONTEXT_RUNS;
	step_up(c, x);
	c->donee = x;
	if (RARE(from->burden != x->burden) || RARE(from->home != c->number) || RARE(x->notices) ||
	    RARE(trace_kinds))
		handed_over(c, from, x);
}

/* wait's result goes into the registers of a context that is woken, once they are loaded. */
static void deliver_wait(struct context *x)
{
	struct exo_regs *r = arch_current_regs();
	if (!x->woken)
		return;
	x->woken = 0;
	r->rax = x->wake_status;
	r->rdx = x->wake_value;
}

void sched_pick(void)
{
	struct cpu *c = this_cpu();
	uint64_t now = arch_now();
	bool ended = now >= c->slot_end;
	account(c, now);
	if (ended)
		slot_next(c, now);
	/* Each failure to load takes a context out of the ring. */
	for (;;) {
		struct context *x = choose(c, ended);
		if (ended || x != c->current || !x)
			c->payer = x;
		if (x && x == c->current)
			break;
		if (c->current)
			switch_out(c, ended && c->current->state == EXO_CS_READY);
		if (!x) {
			arch_context_unload();
			c->slices->running = 0;
			break;
		}
		if (switch_in(c, x))
			break;
	}
	if (c->current)
		deliver_wait(c->current);
	sched_timer();
}

/* ---- the timer ----------------------------------------------------------------- */

static uint64_t warn_time(const struct cpu *c)
{
	const struct context *x = c->current;
	return x && x->warn && !x->warned ? c->slot_end - x->warn : EXO_FOREVER;
}

__attribute__((noinline)) void sched_timer(void)
{
	struct cpu *c = this_cpu();
	uint64_t next = timer_next(&c->wheel), warn = warn_time(c);
	if (c->current && c->slot_end < next)
		next = c->slot_end;
	if (disks_deadline < next)
		next = disks_deadline;
	if (nets_deadline < next)
		next = nets_deadline;
	arch_timer_arm(warn < next ? warn : next);
}

void sched_tick(void)
{
	struct cpu *c = this_cpu();
	uint64_t now = arch_now();
	timer_run(&c->wheel, now);
	if (now >= disks_deadline)
		disks_tick(now);
	if (now >= nets_deadline)
		nets_tick(now);
	if (now >= warn_time(c)) {
		c->current->warned = 1;
		context_signal(c->current, EXO_EV_SLICE_END);
	}
	if (now >= c->slot_end)
		c->resched |= EXO_RESCHED_PICK;
	sched_timer();
}

void sched_init_cpu(struct cpu *c, struct exo_slice_page *page)
{
	c->slices = page;
	c->slice = page->slice;
	page->cpu = c->number;
	page->count = EXO_SLICES;
	for (unsigned i = 0; i < EXO_SLICES; i++)
		page->slice[i].length = SLICE_DEFAULT;
	c->wheel.now = c->switched = c->slot_start = arch_now();
	c->slot_end = c->slot_start + SLICE_DEFAULT;
	c->resched = EXO_RESCHED_PICK;
}

/* ---- calls ----------------------------------------------------------------------- */

static void unbind(struct exo_slice *s)
{
	struct context *x = context_at(s->context);
	if (x) {
		x->slices--;
		domain_at(x->domain)->slices--;
	}
	s->context = s->domain = 0;
}

void sched_unbind(struct context *x)
{
	for (unsigned i = 0; i < cpu_count; i++) {
		struct cpu *c = cpu_at(i);
		for (unsigned j = 0; j < EXO_SLICES; j++)
			if (c->slices->slice[j].context == x->id)
				unbind(&c->slices->slice[j]);
		if (c->donee == x)
			c->donee = NULL;
		if (c->payer == x) {
			account(c, arch_now());
			c->payer = c->current;
		}
	}
}

/* A slice capability of d ends, and with it what d bound by it. */
void slices_lose(struct domain *d, uint32_t cpu, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++)
		if (cpu_at(cpu)->slices->slice[i].domain == d->id)
			unbind(&cpu_at(cpu)->slices->slice[i]);
}

uint64_t call_slice_ctl(struct call *c)
{
	struct slot *cap;
	struct context *x = NULL;
	uint64_t status = cap_find(current_domain(), c->rdi, EXO_T_SLICE, EXO_R_BIND, 1, &cap);
	if (status)
		return status;
	if (c->rsi >= cap->count)
		return FAIL(ARG, 2);
	if (c->rdx && !(cap->rights & EXO_R_LENGTH))
		return FAIL(RIGHT, 1);
	if (c->rdx && (c->rdx < SLICE_MIN || c->rdx > SLICE_MAX))
		return FAIL(ARG, 3);
	if (c->r10 && (status = cap_context(c->r10, EXO_R_YIELD, 4, &x)))
		return status;
	struct exo_slice *s = &cpu_at(cap->aux)->slices->slice[cap->base + c->rsi];
	if (c->rdx)
		s->length = c->rdx;
	unbind(s);
	if (x) {
		s->context = x->id;
		s->domain = x->domain;
		x->slices++;
		domain_at(x->domain)->slices++;
	}
	return EXO_OK;
}

uint64_t call_yield(struct call *c)
{
	struct cpu *cpu = this_cpu();
	struct context *to = NULL;
	uint64_t status;
	if (c->rdi && (status = cap_context(c->rdi, EXO_R_YIELD, 1, &to)))
		return status;
	if (to && (to->state != EXO_CS_READY || (to->running && to != cpu->current)))
		return FAIL(STATE, 1);
	cpu->donee = to;
	cpu->passed = true;
	cpu->resched |= EXO_RESCHED_PICK;
	return EXO_OK;
}
