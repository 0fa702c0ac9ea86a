/* Upcalls: the entry points, the saved registers, and the way back.
 *
 * Each context has an upcall stack: UPCALL_STACK_SIZE bytes, aligned to that size, whose
 * lowest bytes hold a struct upcall_base, so that code on it finds its context by masking
 * RSP.  The entry stubs (upcall_entry.S) save the general registers on it, mask events, and call
 * the context's handlers; these may change the registers, and return.  General registers
 * only: a handler that wants to use vector registers saves them itself.
 *
 * THE WAY BACK.  Events may be pending when a handler returns, and may come at any
 * instruction after the mask is cleared.  The stub that returns does, inside the registered
 * resume range, with RSP at the iret frame and the saved registers *below* RSP:
 *
 *	clear mask; if pending, set mask and go to restart; load registers by MOV; iretq
 *
 * An event that hits inside the range makes the kernel set the mask and continue at restart
 * with RSP unchanged and nothing pushed.  Restart finds the saved registers intact below RSP
 * (the range only reads them), lowers RSP over them and handles the events as if they had
 * come first.
 *  - No event is lost: the kernel sets the event's bit, then `pending`.  The handler clears
 *    `pending`, then takes the bits with one exchange.  A later event sets `pending` again; it
 *    is seen by the test after unmasking, or, from then on, the kernel delivers it.
 *  - The stack cannot grow under a storm of events: an event is pushed only if the mask is
 *    clear.  On the upcall stack that is so (a) inside the range, where nothing is pushed,
 *    (b) in the few instructions before an exception or system call stub has set the mask,
 *    and where a handler has cleared it on purpose: one event frame each, which is gone again
 *    before the next is pushed.  So depth <= 2 * nested exceptions.
 *
 * The handler of an exception that interrupted masked code (its `mask` field is set) returns
 * without the range and leaves the mask set.
 *
 * The idea of the resume range is from restartable sequences and from Xen's critical region
 * (xen_iret_direct in Linux); upcalls that return without the kernel, from Aegis.
 */
#ifndef COMMON_UPCALL_H
#define COMMON_UPCALL_H

#define UPCALL_STACK_SIZE	16384

/* Offsets that upcall_entry.S knows; pinned below. */
#define UPCALL_PAIR		8	/* upcall_base.pair */
#define UPCALL_OLD_MASK		120	/* upcall_regs.mask */
#define UPCALL_INFO		128	/* upcall_regs.up.info */
#define UPCALL_IRET		152	/* upcall_regs.up.rip */

#ifndef __ASSEMBLER__
#include "calls.h"

/* The interrupted code's registers, as handlers see and change them. */
struct upcall_regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	uint64_t rax, rcx, rdx, rsi, rdi;
	uint64_t mask;		/* the event mask of the interrupted code: 0 or not */
	struct exo_upcall up;	/* what the kernel pushed */
};
_Static_assert(sizeof(struct upcall_regs) == 192, "stack stays 16-aligned");
_Static_assert(offsetof(struct upcall_regs, mask) == UPCALL_OLD_MASK, "upcall_entry.S");
_Static_assert(offsetof(struct upcall_regs, up) == UPCALL_INFO, "upcall_entry.S");
_Static_assert(offsetof(struct upcall_regs, up.rip) == UPCALL_IRET, "upcall_entry.S");

/* Called on the upcall stack with events masked; any may be NULL. */
struct upcall_handlers {
	/* True: resume `r`.  False (or NULL): not handled; the domain ends, and its record
	 * shows the interrupted code's registers and the fault. */
	bool (*exception)(struct upcall_regs *r);
	/* A `syscall` instruction outside the routed text; RAX is its number, up.rip follows it.
	 * NULL: as an exception that is not handled. */
	void (*syscall)(struct upcall_regs *r);
	/* Bits that were set (never 0); they are cleared already. */
	void (*event)(struct upcall_regs *r, uint64_t bits);
};

/* At the lowest bytes of an upcall stack. */
struct upcall_base {
	struct exo_control *control;
	volatile uint8_t *pair;		/* {pending, mask}: in the control page, or see MASK_AT */
	const struct upcall_handlers *handlers;
	void *self;			/* the libOS's own record of this context */
};
_Static_assert(offsetof(struct upcall_base, pair) == UPCALL_PAIR, "upcall_entry.S");

/* Fills the control page's entry points, stack bounds and resume range, and the stack's base.
 * The context may be running (start.c does so) or not yet started.  No last-chance entry is
 * set: a libOS that wants one sets control->entry[EXO_UP_LAST] and last_stack. */
void upcall_init(void *stack, struct exo_control *control, const struct upcall_handlers *h,
	void *self);
/* Changes the handlers of the first context, which start.c set up. */
void upcall_set(const struct upcall_handlers *h);
extern struct upcall_base *upcall_first;	/* the first context's */

/* The context whose upcall stack holds p (a handler's `r`, say). */
static inline struct upcall_base *upcall_base_of(const void *p)
{
	return (struct upcall_base *)((uintptr_t)p & ~(uintptr_t)(UPCALL_STACK_SIZE - 1));
}
/* Where the topmost frame of that context's stack lies: a place to build registers for
 * upcall_return when nothing else on the stack is needed any more. */
static inline struct upcall_regs *upcall_top(struct upcall_base *b)
{
	return (struct upcall_regs *)((uintptr_t)b + UPCALL_STACK_SIZE) - 1;
}

/* Leaves to r, which lies on this context's upcall stack; everything below it is given up.
 * Events must be masked; r->mask says whether they are afterwards.  Code of a U root
 * (EXO_INFO_FROM_U) is resumed through the kernel. */
_Noreturn void upcall_return(struct upcall_regs *r);
/* The same in another K root of the domain, which must map the libOS's text and this stack:
 * one call switches the root and comes back in masked, then upcall_return does the rest. */
_Noreturn void upcall_return_in(struct upcall_regs *r, uint64_t root);

/* Masks and unmasks events for ordinary code of a context.  Unmasking delivers what is
 * pending (by a null call: the kernel looks on its way out). */
static inline void upcall_mask(struct upcall_base *b)
{
	b->pair[1] = 1;
	__asm__ volatile("" : : : "memory");
}
static inline void upcall_unmask(struct upcall_base *b)
{
	__asm__ volatile("" : : : "memory");
	b->pair[1] = 0;
	__asm__ volatile("mfence" : : : "memory");
	if (b->pair[0])
		exo_null();
}
#endif
#endif
