/* Where patched sites of the guest kernel (patch.c) come in: hypercalls without the kernel.
 *
 * These entries start as guest code does, on the guest's stack with the event mask clear.  Until
 * the mask is set an event may hit at any instruction: vcpu_on_event then calls fast_rewind, which
 * makes it an event at the guest's call, or of an iret at where that goes.
 */
#include "libos/vmm/entry.h"
#include "libos/common/regs.inc"

#define FAST(off) (vcpu_first + UPCALL_STACK_SIZE - FAST_SPACE + (off))(%rip)

.macro GLOBAL name
	.globl \name
	.hidden \name
\name:
.endm

/* RAX = this vCPU, by the guest kernel's GS base if there are several.  A guest that has just loaded
 * GS and not told yet is lost: it goes the way through the kernel.  RCX and R11 are scratch. */
.macro VCPU_FIND lost
	mov FAST(FAST_VCPU), %rax
	cmpl $1, FAST(FAST_VCPUS)
	je 2f
	lea FAST(FAST_VCPU), %rcx
	rdgsbase %r11
	test %r11, %r11
	jz \lost
1:	mov (%rcx), %rax
	add $8, %rcx
	test %rax, %rax
	jz \lost
	cmp %r11, VCPU_GS(%rax)
	jne 1b
2:
.endm

/* RAX = the vCPU: events are masked, at `masked`, and its upcall stack is entered. RCX = the
 * guest's stack. */
.macro STACK_ENTER masked
	mov VCPU_PAIR(%rax), %rcx
	movb $1, 1(%rcx)
GLOBAL \masked
	mov %rax, %rcx
	xchg %rcx, %rsp
.endm

/* struct upcall_regs, as the kernel and entry.S make it; then the long way. */
.macro REGISTERS rsp, rip, rcx, rax, r11
	push $XEN_SEL_SS
	push \rsp
	pushfq
	push $XEN_SEL_CS64
	push \rip
	push $0				/* error, addr, info, mask */
	push $0
	push $INFO_SYSCALL
	PUSH_REGS $0, \rax, \rcx, \r11
	mov %rsp, %rdi
	cld
	call vcpu_on_hypercall
	mov %rsp, %rdi
	jmp vmm_leave
.endm

	.text
/* Called by the site: on the stack lies where to go on.  All registers but RAX are preserved. */
GLOBAL fast_hypercall
	push %rax			/* fast_rewind counts these by their bytes: 1, 1, 2 */
	push %rcx
	push %r11
	VCPU_FIND hypercall_lost
	incq VCPU_COUNT + 24(%rax)
	STACK_ENTER fast_hypercall_masked
	lea 32(%rcx), %rax
	REGISTERS %rax, 24(%rcx), 8(%rcx), 16(%rcx), 0(%rcx)

/* Jumped to by the site, RSP = struct xen_iret.  RAX, RCX and R11 are in it. */
GLOBAL fast_iret
	VCPU_FIND iret_lost
	cmpb $0, VCPU_USER_READY(%rax)
	je iret_long
	cmpq $0, 24(%rsp)		/* the word that is resume's root */
	jne iret_long
	mov 40(%rsp), %ecx
	not %ecx
	test $3, %cl			/* to user */
	jnz iret_long
	testl $0x200, 48(%rsp)		/* unmasked */
	jz iret_long
	mov VCPU_INFO(%rax), %rcx
	movb $0, 1(%rcx)
	cmpb $0, (%rcx)			/* one that comes later kicks */
	jne iret_long
	incq VCPU_COUNT + 8(%rax)
	mov $CALL_RESUME, %eax
	syscall
	jmp vmm_iret_refused
iret_long:
	STACK_ENTER fast_iret_masked
	REGISTERS %rcx, $0, $0, $XEN_IRET, $0

hypercall_lost:
	pop %r11
	pop %rcx
	pop %rax
	jmp *FAST(FAST_HYPERCALL)
iret_lost:
	mov $XEN_IRET, %eax
	jmp *FAST(FAST_IRET)
	.section .note.GNU-stack, "", @progbits
