/* What the entry stubs call, and the setting up of a context for upcalls.  See upcall.h. */
#include "libos/common/upcall.h"

_Static_assert(EXO_CALL_RESUME == 21 && EXO_INFO_FROM_U == 0x10000, "upcall_entry.S");

extern char upcall_enter_exception[], upcall_enter_syscall[], upcall_enter_event[];
extern char upcall_resume_lo[], upcall_resume_hi[];
void upcall_on_exception(struct upcall_regs *r);
void upcall_on_syscall(struct upcall_regs *r);
void upcall_on_event(struct upcall_regs *r);

#define VECTOR_INT3	3

void upcall_init(void *stack, struct exo_control *c, const struct upcall_handlers *h, void *self)
{
	struct upcall_base *b = stack;
	c->mask = 1;
	b->control = c;
	b->pair = &c->pending;
	b->handlers = h;
	b->self = self;
	c->stack_lo = (uint64_t)(b + 1);
	c->stack_hi = (uint64_t)stack + UPCALL_STACK_SIZE;
	c->resume_lo = (uint64_t)upcall_resume_lo;
	c->resume_hi = (uint64_t)upcall_resume_hi;
	c->restart = (uint64_t)upcall_resume_hi;
	c->mask_on = 0;
	c->entry[EXO_UP_EXCEPTION] = (uint64_t)upcall_enter_exception;
	c->entry[EXO_UP_SYSCALL] = (uint64_t)upcall_enter_syscall;
	c->entry[EXO_UP_EVENT] = (uint64_t)upcall_enter_event;
	__atomic_store_n(&c->mask, 0, __ATOMIC_SEQ_CST);
}

/* Takes back the entry points, so that the same fault, met again on return, cannot be delivered:
 * the kernel then ends the domain and records the faulting code's registers, not ours. */
static void refuse(struct upcall_regs *r, unsigned class)
{
	struct exo_control *c = upcall_base_of(r)->control;
	c->entry[class] = 0;
	c->entry[EXO_UP_LAST] = 0;
	if (class == EXO_UP_SYSCALL)
		r->up.rip -= 2;
	else if (EXO_INFO_VECTOR(r->up.info) == VECTOR_INT3)
		r->up.rip -= 1;
}

void upcall_on_exception(struct upcall_regs *r)
{
	const struct upcall_handlers *h = upcall_base_of(r)->handlers;
	if (!h->exception || !h->exception(r))
		refuse(r, EXO_UP_EXCEPTION);
}

void upcall_on_syscall(struct upcall_regs *r)
{
	const struct upcall_handlers *h = upcall_base_of(r)->handlers;
	if (h->syscall)
		h->syscall(r);
	else
		refuse(r, EXO_UP_SYSCALL);
}

void upcall_on_event(struct upcall_regs *r)
{
	struct upcall_base *b = upcall_base_of(r);
	b->pair[0] = 0;
	uint64_t bits = __atomic_exchange_n(&b->control->events, 0, __ATOMIC_SEQ_CST);
	if (bits && b->handlers->event)
		b->handlers->event(r, bits);
}
