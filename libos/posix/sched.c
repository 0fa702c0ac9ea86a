/* Threads over contexts: one run queue, sleeping and waking, the idle loop.
 *
 * Protocol: docs/posix-design.md, 2.  All under libos_lock.  What a thread waits for, and
 * signals, are left to others.
 */
#include "libos/posix/mm.h"
#include "libos/posix/net.h"
#include "libos/posix/process.h"
#include "libos/posix/signal.h"

#define SLICE_NS	10000000ul	/* a thread's turn while others are ready */
#define SLICE_SHORT_NS	1000000ul	/* ... and another CPU is idle */
#define SAMPLE_NS	4000000ul	/* between looks whether user code or the libOS runs */
#define NAP_NS		200000ul	/* so long a CPU stays awake for the next packet */

struct cpu cpu_table[CPU_MAX];
unsigned cpu_count = 1;
struct lock libos_lock;
uint64_t xsave_mask, xsave_size;
bool have_fsgsbase;

static struct thread *ready_head, **ready_end = &ready_head;
static unsigned idle_count;

/* ---- the run queue ------------------------------------------------------------ */

static void ready_push(struct thread *t)
{
	t->state = THREAD_READY;
	t->queue_next = NULL;
	*ready_end = t;
	ready_end = &t->queue_next;
	stack_top()->work |= WORK_SCHED;
}

static struct thread *ready_pop(void)
{
	struct thread *t = ready_head;
	if (t) {
		ready_head = t->queue_next;
		if (!ready_head)
			ready_end = &ready_head;
	}
	return t;
}

void thread_ready(struct thread *t)
{
	ready_push(t);
}

/* ---- a thread's state beyond the general registers --------------------------------- */

void bases_read(struct thread *t)
{
	if (have_fsgsbase) {
		__asm__ volatile("rdfsbase %0" : "=r"(t->fs_base));
		__asm__ volatile("rdgsbase %0" : "=r"(t->gs_base));
	}
}

void bases_write(const struct thread *t)
{
	if (have_fsgsbase) {
		__asm__ volatile("wrfsbase %0" : : "r"(t->fs_base));
		__asm__ volatile("wrgsbase %0" : : "r"(t->gs_base));
	} else {
		exo_segment_set(EXO_SEG_FS, t->fs_base, 0);
		exo_segment_set(EXO_SEG_GS, t->gs_base, 0);
	}
}

void thread_state_save(struct thread *t)
{
	if (t != this_cpu()->state_of)
		return;
	bases_read(t);
	user_xsave((uint64_t)t->xstate, xsave_mask);
}

static void state_load(struct cpu *c, struct thread *t)
{
	if (c->state_of == t && t->ran_on == c)
		return;
	bases_write(t);
	if (user_xrstor((uint64_t)t->xstate, xsave_mask))
		posix_panic("thread %d: its extended state cannot be loaded", t->tid);
	c->state_of = t;
}

void thread_state_load(struct thread *t)
{
	state_load(this_cpu(), t);
}

/* ---- switching -------------------------------------------------------------------- */

void mm_load(struct mm *mm)
{
	struct cpu *c = this_cpu();
	if (c->root == mm->root)
		return;
	uint64_t status = root_load(mm->root);
	if (status)
		posix_panic("root %x: %s", mm->root, exo_status_text(status));
	c->root = mm->root;
}

/* First on the new stack. */
void sched_switched(void);
void sched_switched(void)
{
	struct cpu *c = this_cpu();
	struct thread *t = c->thread;
	c->control->stack_lo = (uint64_t)(t->top + 1) - STACK_SIZE;
	c->control->stack_hi = (uint64_t)t->top;
	if (t->mm) {
		mm_load(t->mm);
		state_load(c, t);
		t->ran_on = c;
		if (ready_head || timer_earliest() < c->armed || c->sample < c->armed ||
		    t->task->cpu_next != FOREVER)
			work_set(t, WORK_SCHED);
	}
	if (c->dead) {
		thread_free(c->dead);
		c->dead = NULL;
	}
}

/* CPU time is counted exactly; which part of it is user and which system time is told by samples, as
 * on Linux: what ran since the last look counts as the last sample found the thread. */
void sched_account(void)
{
	struct cpu *c = this_cpu();
	struct thread *t = c->thread;
	uint64_t now = time_now(), ran = now - c->since;
	c->since = now;
	if (t == c->idle) {
		c->idle_ns += ran;
		return;
	}
	t->run_ns += ran;
	if (t->in_system)
		t->system_ns += ran;
	if (t->task)
		*(t->in_system ? &t->task->p.system_time : &t->task->p.user_time) += ran;
}

/* The moments are the same for all, whoever runs when they come. */
static void sample(struct cpu *c, uint64_t now)
{
	if (now < c->sample)
		return;
	c->sample = (now / SAMPLE_NS + 1) * SAMPLE_NS;
	if (c->thread == c->idle)
		return;
	c->thread->in_system = !c->in_user;
	sched_account();
}

/* When to look next whether others should have this CPU, or an idle one. */
static void look_set(struct cpu *c, uint64_t now)
{
	c->look = now + (idle_count ? SLICE_SHORT_NS : SLICE_NS);
}

void schedule(void)
{
	struct cpu *c = this_cpu();
	struct thread *last = c->thread, *next = ready_pop();
	if (!next)
		next = c->idle;
	if (next == last) {
		last->state = THREAD_RUNNING;
		return;
	}
	sched_account();
	c->turn = c->since;
	look_set(c, c->since);
	if (c->sample < c->since)	/* nobody looked while the CPU was idle */
		c->sample = (c->since / SAMPLE_NS + 1) * SAMPLE_NS;
	if (last->mm && last->state != THREAD_DEAD)
		thread_state_save(last);
	next->state = THREAD_RUNNING;
	next->top->control = c->control;
	next->top->cpu = c;
	c->thread = next;
	stack_switch(&last->sp, next->sp);
	sched_switched();
}

void thread_yield(void)
{
	stack_top()->work &= ~WORK_YIELD;
	if (!ready_head)
		return;
	ready_push(this_thread());
	schedule();
}

uint64_t thread_time(struct thread *t)
{
	return t->run_ns + (t->state == THREAD_RUNNING && t->top->cpu->thread == t ?
		time_now() - t->top->cpu->since : 0);
}

/* ---- sleeping and waking ------------------------------------------------------------ */

void thread_wake(struct thread *t, int why)
{
	if (t->state != THREAD_SLEEPING)
		return;
	t->woken = why;
	t->task->p.state = 'R';
	ready_push(t);
}

static void sleep_over(struct timer *timer)
{
	struct thread *t = (struct thread *)((char *)timer - offsetof(struct thread, timer));
	thread_wake(t, -ETIMEDOUT);
}

int sleep_until_woken(uint64_t deadline, bool deaf)
{
	struct thread *t = this_thread();
	t->deaf = deaf;
	if (!deaf && t->top->work & (WORK_SIGNAL | WORK_DIE | WORK_STOP) && signal_wakes(t))
		return -ERESTARTSYS;
	if (deadline != FOREVER) {
		if (deadline <= time_now())
			return -ETIMEDOUT;
		t->timer.fire = sleep_over;
		timer_add(&t->timer, deadline);
	}
	t->state = THREAD_SLEEPING;
	t->task->p.state = 'S';
	schedule();
	timer_remove(&t->timer);
	return t->woken;
}

static void waiter_link(struct waiter *w, struct waitq *q)
{
	struct waiter **end = &q->head;
	while (*end)
		end = &(*end)->next;
	*w = (struct waiter){ .link = end, .thread = this_thread(), .queue = q };
	*end = w;
}

static void waiter_unlink(struct waiter *w)
{
	if (!w->link)
		return;
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	w->link = NULL;
}

static int sleep_linked(struct waitq **queues, struct waiter *w, size_t n, uint64_t deadline)
{
	for (size_t i = 0; i < n; i++)
		waiter_link(&w[i], queues[i]);
	int result = sleep_until_woken(deadline, false);
	for (size_t i = 0; i < n; i++)
		waiter_unlink(&w[i]);
	return result;
}

int sleep_on_many(struct waitq **queues, size_t n, uint64_t deadline)
{
	struct waiter few[8];
	if (n <= sizeof few / sizeof *few)
		return sleep_linked(queues, few, n, deadline);
	struct waiter *many = kmalloc(n * sizeof *many);
	if (!many)
		return -ENOMEM;
	int result = sleep_linked(queues, many, n, deadline);
	kfree(many);
	return result;
}

int sleep_on(struct waitq *q, uint64_t deadline)
{
	return sleep_on_many(&q, 1, deadline);
}

void wake_one(struct waitq *q)
{
	struct waiter *w = q->head;
	if (w) {
		waiter_unlink(w);
		thread_wake(w->thread, 0);
	}
}

void wake_all(struct waitq *q)
{
	while (q->head)
		wake_one(q);
}

void work_set(struct thread *t, uint32_t why)
{
	t->top->work |= why;
}

void thread_interrupt(struct thread *t)
{
	if (t->state == THREAD_SLEEPING && !t->deaf && signal_wakes(t))
		thread_wake(t, -ERESTARTSYS);
	else if (t->state == THREAD_RUNNING && t != this_thread())
		exo_event_signal(t->top->cpu->event, EVENT_KICK);
}

/* ---- timer, idle, other CPUs ---------------------------------------------------------- */

static void kick_idle(void)
{
	for (unsigned i = 0; i < cpu_count; i++)
		if (cpu_table[i].idling) {
			cpu_table[i].idling = false;	/* told already */
			exo_event_signal(cpu_table[i].event, EVENT_KICK);
			return;
		}
}

void sched_arm(void)
{
	struct cpu *c = this_cpu();
	uint64_t when = timer_earliest();
	if (c->sample < when)
		when = c->sample;
	if (ready_head && c->look < when)
		when = c->look;
	if (c->thread->task->cpu_next != FOREVER) {
		uint64_t end = time_now() + cpu_timers_left(c->thread->task);
		when = end < when ? end : when;
	}
	if (when < c->armed) {
		exo_timer_set(when);
		c->armed = when;
	}
}

void sched_tick(uint64_t now)
{
	struct cpu *c = this_cpu();
	sample(c, now);
	timers_run(now);
	if (c->thread->task && c->thread->task->cpu_next != FOREVER)
		cpu_timers_check(c->thread->task);
	if (now < c->look || c->thread == c->idle)
		return;
	look_set(c, now);
	if (!ready_head)
		return;
	if (idle_count)
		kick_idle();
	if (now - c->turn >= SLICE_NS)
		work_set(c->thread, WORK_YIELD);
}

/* Until an event comes, or that time.  Whom a packet woke soon the next one finds awake: answers come at
 * the pace of questions, and to be woken takes as long as to answer. */
static void nap(struct cpu *c, uint64_t until)
{
	uint64_t began = time_now(), end = began + NAP_NS < until ? began + NAP_NS : until;
	if (c->short_nap)
		while (!__atomic_load_n(&c->control->pending, __ATOMIC_RELAXED) && time_now() < end)
			;
	exo_wait(NULL, until, EXO_WAIT_UNMASK);
	c->control->mask = 1;
	c->short_nap = __atomic_load_n(&c->control->events, __ATOMIC_RELAXED) & EVENT_NET &&
		time_now() - began < NAP_NS;
}

void idle_loop(void)
{
	struct cpu *c = this_cpu();
	for (;;) {
		events_take();
		timers_run(time_now());
		if (ready_head) {
			schedule();
			continue;
		}
		c->idling = true;
		idle_count++;
		uint64_t until = timer_earliest();
		lock_release(&libos_lock);
		nap(c, until);
		lock_take(&libos_lock);
		c->idling = false;
		idle_count--;
	}
}

int cpus(void)
{
	return (int)cpu_count;
}

uint64_t cpu_idle_ns(void)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < cpu_count; i++)
		sum += cpu_table[i].idle_ns + (cpu_table[i].thread == cpu_table[i].idle ?
			time_now() - cpu_table[i].since : 0);
	return sum;
}

uint64_t cpu_busy_ns(void)
{
	return cpu_count * time_now() - cpu_idle_ns();
}
