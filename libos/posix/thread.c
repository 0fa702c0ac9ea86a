/* Threads: their records and libOS stacks, and the small calls about them.
 *
 * Stacks lie in an area of their own, shared by all roots, each with unmapped pages below; used
 * ones are kept for the next thread.  How threads begin and end: fork.c, exit.c.
 */
#include "libos/posix/mm.h"
#include "libos/posix/signal.h"
#include "libos/posix/syscall.h"
#include "libos/common/pt.h"

#define STACKS		(EXO_MONITOR_BASE + 2 * 0x8000000000ul)	/* PML4 slot 266 */
#define STACKS_MAX	65536u

static struct stack_top *spare;		/* linked by spare[0] */
static unsigned stacks;

static struct stack_top *stack_new(void)
{
	if (stacks == STACKS_MAX)
		return NULL;
	uint64_t top = STACKS + (stacks + 1ul) * STACK_STRIDE;
	for (uint64_t va = top - STACK_SIZE; va < top; va += PAGE) {
		uint32_t pfn = frame_new();
		if (!pfn || pt_map(start_page->root, va, pfn, 1, PTE_RW, 0))
			return NULL;
		page_zero(frame_page(pfn));
	}
	stacks++;
	return (struct stack_top *)top - 1;
}

static struct stack_top *stack_get(void)
{
	struct stack_top *s = spare;
	if (!s)
		return stack_new();
	spare = (struct stack_top *)s->spare[0];
	return s;
}

static void stack_put(struct stack_top *s)
{
	s->spare[0] = (uint64_t)spare;
	spare = s;
}

/* XSAVE images are 64-aligned: pieces of whole pages. */
static uint8_t *xstate_new(void)
{
	return kmalloc(xsave_size > PAGE ? xsave_size : PAGE);
}

struct thread *thread_new(struct task *task)
{
	struct thread *t = kmalloc(sizeof *t);
	struct stack_top *top = t ? stack_get() : NULL;
	uint8_t *xstate = top ? xstate_new() : NULL;
	if (!xstate) {
		if (top)
			stack_put(top);
		kfree(t);
		return NULL;
	}
	*top = (struct stack_top){ .table = syscall_table, .thread = t };
	t->top = top;
	t->regs = (struct regs *)top - 1;
	t->task = task;
	t->xstate = xstate;
	thread_signals_init(t);
	uint64_t *sp = (uint64_t *)t->regs;
	*--sp = (uint64_t)thread_begin;
	for (unsigned i = 0; i < 6; i++)
		*--sp = 0;
	t->sp = (uint64_t)sp;
	return t;
}

void thread_free(struct thread *t)
{
	for (unsigned i = 0; i < cpu_count; i++)
		if (cpu_table[i].state_of == t)
			cpu_table[i].state_of = NULL;
	stack_put(t->top);
	kfree(t->xstate);
	kfree(t);
}

/* ---- calls --------------------------------------------------------------------------- */

CALL0(gettid)
{
	return this_thread()->tid;
}

CALL1(set_tid_address, at)
{
	this_thread()->clear_tid = at;
	return this_thread()->tid;
}

CALL2(set_robust_list, at, size)
{
	if (size != 24)
		return -EINVAL;
	this_thread()->robust_list = at;
	return 0;
}

CALL3(get_robust_list, tid, to, size_to)
{
	struct thread *t = tid ? thread_find((int)tid) : this_thread();
	uint64_t size = 24;
	if (!t)
		return -ESRCH;
	return copy_to_user(size_to, &size, 8) || copy_to_user(to, &t->robust_list, 8) ? -EFAULT : 0;
}

CALL2(arch_prctl, code, value)
{
	struct thread *t = this_thread();
	bool fs = code == ARCH_SET_FS || code == ARCH_GET_FS;
	uint64_t *base = fs ? &t->fs_base : &t->gs_base;
	if (code < ARCH_SET_GS || code > ARCH_GET_GS)
		return -EINVAL;
	if (code == ARCH_GET_FS || code == ARCH_GET_GS) {
		bases_read(t);
		return copy_to_user(value, base, 8);
	}
	if (value >= USER_END)
		return -EPERM;
	bases_read(t);
	*base = value;
	bases_write(t);
	return 0;
}

CALL0(sched_yield)
{
	work_set(this_thread(), WORK_YIELD);
	return 0;
}
