/* Timers: per CPU a hierarchical timing wheel (Varghese and Lauck, SOSP'87) whose links
 * lie inside the contexts, so that any number of timers needs no memory of the kernel.
 *
 * A slot of level k spans 2^(14 + 6k) ns.  A timer sits at the lowest level whose
 * current turn reaches its time; when time enters a slot of a higher level, its timers
 * move down.  A run handles at most RUN_MAX timers and goes on at the next interrupt.
 */
#include "context.h"

#define RUN_MAX	64

static struct timer *timer_at(uint32_t name)
{
	return &context_at(name >> 1)->timers[name & 1];
}

static unsigned slot_of(const struct wheel *w, uint64_t when)
{
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		unsigned shift = WHEEL_SHIFT + 6 * level;
		if ((when >> shift) - (w->now >> shift) < WHEEL_SLOTS)
			return level * WHEEL_SLOTS + (when >> shift & (WHEEL_SLOTS - 1));
	}
	/* Farther than the wheel reaches: the last slot; it is queued anew from there. */
	unsigned shift = WHEEL_SHIFT + 6 * (WHEEL_LEVELS - 1);
	return (WHEEL_LEVELS - 1) * WHEEL_SLOTS + (((w->now >> shift) - 1) & (WHEEL_SLOTS - 1));
}

static struct link *timer_link(uint32_t name) { return &timer_at(name)->link; }

static void insert(struct wheel *w, unsigned cpu, uint32_t name)
{
	struct timer *t = timer_at(name);
	unsigned slot = slot_of(w, t->when > w->now ? t->when : w->now);
	ring_add(&w->head[slot], name, timer_link);
	w->used[slot / WHEEL_SLOTS] |= 1ul << slot % WHEEL_SLOTS;
	t->slot = slot + 1;
	t->cpu = cpu;
}

static void take_out(struct wheel *w, uint32_t name)
{
	struct timer *t = timer_at(name);
	unsigned slot = t->slot - 1;
	ring_remove(&w->head[slot], name, timer_link);
	if (!w->head[slot])
		w->used[slot / WHEEL_SLOTS] &= ~(1ul << slot % WHEEL_SLOTS);
	t->slot = 0;
}

void timer_queue(struct context *x, unsigned which, uint64_t when)
{
	struct cpu *c = this_cpu();
	timer_cancel(x, which);
	x->timers[which].when = when;
	insert(&c->wheel, c->number, x->id * 2 + which);
}

void timer_cancel(struct context *x, unsigned which)
{
	struct timer *t = &x->timers[which];
	if (t->slot)
		take_out(&cpu_at(t->cpu)->wheel, x->id * 2 + which);
	t->when = 0;
}

static uint64_t rotate_right(uint64_t v, unsigned n)
{
	return n ? v >> n | v << (64 - n) : v;
}

/* The non-empty slot that begins first, of two the one of the higher level, and when; -1: none. */
static int next_slot(const struct wheel *w, uint64_t *begins)
{
	int slot = -1;
	*begins = EXO_FOREVER;
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		unsigned shift = WHEEL_SHIFT + 6 * level, here = w->now >> shift & (WHEEL_SLOTS - 1);
		if (!w->used[level])
			continue;
		unsigned ahead = __builtin_ctzl(rotate_right(w->used[level], here));
		uint64_t at = ((w->now >> shift) + ahead) << shift;
		if (at <= *begins) {
			*begins = at;
			slot = level * WHEEL_SLOTS + ((here + ahead) & (WHEEL_SLOTS - 1));
		}
	}
	return slot;
}

uint64_t timer_next(const struct wheel *w)
{
	uint64_t best = EXO_FOREVER, begins;
	int slot = next_slot(w, &begins);
	if (slot < 0 || slot >= (int)WHEEL_SLOTS)
		return begins;
	/* Within a slot of level 0 the exact time counts. */
	uint32_t name = w->head[slot];
	for (unsigned i = 0; i < RUN_MAX; i++) {
		struct timer *t = timer_at(name);
		if (t->when < best)
			best = t->when;
		name = t->link.next;
		if (name == w->head[slot])
			return best;
	}
	return begins;
}

static void fire(uint32_t name)
{
	struct context *x = context_at(name >> 1);
	x->timers[name & 1].when = 0;
	if ((name & 1) == TIMER_USER)
		context_signal(x, EXO_EV_TIMER);
	else if (!wait_check(x))
		wait_wake(x, EXO_TIMEOUT, 0);
}

/* Empties slots in order of time.  A slot of a higher level that begins is spread over
 * the lower ones; in level 0, what is due fires. */
void timer_run(struct wheel *w, uint64_t now)
{
	for (unsigned done = 0; done < RUN_MAX; done++) {
		uint64_t begins;
		int slot = next_slot(w, &begins);
		if (begins > now)
			break;
		if (begins > w->now)
			w->now = begins;
		uint32_t name = w->head[slot];
		if (slot < WHEEL_SLOTS) {
			uint32_t first = name;
			unsigned looked = 0;
			while (timer_at(name)->when > now && (name = timer_at(name)->link.next) != first &&
			       ++looked < RUN_MAX)
				;
			if (timer_at(name)->when > now)
				return;
			take_out(w, name);
			fire(name);
			continue;
		}
		unsigned cpu = timer_at(name)->cpu;
		take_out(w, name);
		insert(w, cpu, name);
	}
	if (timer_next(w) > now)
		w->now = now;
}

void look_by(uint64_t *deadline, uint64_t when)
{
	if (when >= *deadline)
		return;
	*deadline = when;
	sched_timer();
}

uint64_t call_timer_set(struct call *c)
{
	struct context *x = this_cpu()->current;
	uint64_t when = c->rdi;
	timer_cancel(x, TIMER_USER);
	if (!when || when == EXO_FOREVER)
		return EXO_OK;
	if (when <= arch_now()) {
		context_signal(x, EXO_EV_TIMER);
		return EXO_OK;
	}
	timer_queue(x, TIMER_USER, when);
	sched_timer();
	return EXO_OK;
}
