/* The entry stubs of upcalls, and the way back.  The protocol is explained in upcall.h. */
#include "libos/common/upcall.h"
#include "libos/common/regs.inc"

#define FROM_U		0x10000		/* EXO_INFO_FROM_U */
#define CALL_RESUME	21		/* EXO_CALL_RESUME (upcall.c pins both) */

.macro SAVE				/* below what the kernel pushed: struct upcall_regs */
	PUSH_REGS $0			/* mask: events come only unmasked */
	mov %rsp, %rdi
.endm

.macro PAIR reg				/* this context's {pending, mask} */
	mov %rsp, \reg
	and $-UPCALL_STACK_SIZE, \reg
	mov UPCALL_PAIR(\reg), \reg
.endm

.macro MASK				/* remembers the mask, then sets it */
	PAIR %rax
	mov 1(%rax), %cl
	mov %cl, UPCALL_OLD_MASK(%rsp)
	movb $1, 1(%rax)
.endm

	.text
	.globl upcall_enter_exception, upcall_enter_syscall, upcall_enter_event
	.hidden upcall_enter_exception, upcall_enter_syscall, upcall_enter_event
upcall_enter_exception:
	SAVE
	MASK
	call upcall_on_exception
	jmp leave

upcall_enter_syscall:
	SAVE
	MASK
	call upcall_on_syscall
	jmp leave

upcall_enter_event:			/* the kernel has set the mask */
	SAVE
handle_events:
	call upcall_on_event
leave:					/* RSP = struct upcall_regs, masked */
	testl $FROM_U, UPCALL_INFO(%rsp)
	jnz leave_to_u
	cmpb $0, UPCALL_OLD_MASK(%rsp)
	jne leave_masked
	PAIR %rax
	add $UPCALL_IRET, %rsp

	.globl upcall_resume_lo, upcall_resume_hi
	.hidden upcall_resume_lo, upcall_resume_hi
upcall_resume_lo:			/* RSP = the iret frame, the registers below it */
	lock andb $0, 1(%rax)		/* locked: `pending` is read after it */
	cmpb $0, (%rax)
	jne 1f
	mov 48-UPCALL_IRET(%rsp), %r11
	LOAD_REGS -UPCALL_IRET
	iretq
1:	movb $1, 1(%rax)
upcall_resume_hi:			/* and restart: masked, by us or by the kernel */
	sub $UPCALL_IRET, %rsp
	mov %rsp, %rdi
	jmp handle_events

leave_masked:
	mov 48(%rsp), %r11
	LOAD_REGS
	add $UPCALL_IRET, %rsp
	iretq

	.globl upcall_return
	.hidden upcall_return
upcall_return:				/* (struct upcall_regs *) */
	mov %rdi, %rsp
	jmp leave

	/* struct exo_resume, built right below struct upcall_regs: resume finds it at RSP */
#define RESUME_SIZE	80
#define RESUME_ROOT	24
#define REG(off)	RESUME_SIZE + (off)(%rsp)

	/* The interrupted code ran in the U root: only the kernel gets there. */
leave_to_u:
	sub $RESUME_SIZE, %rsp
	mov REG(80), %rax
	mov %rax, 0(%rsp)		/* rax */
	mov REG(48), %rax
	mov %rax, 8(%rsp)		/* r11 */
	mov REG(88), %rax
	mov %rax, 16(%rsp)		/* rcx */
	movq $0, 24(%rsp)		/* root: the current pair */
	movq $0, RESUME_ROOT(%rsp)	/* the current pair */
	mov REG(UPCALL_IRET), %rax
	mov %rax, 32(%rsp)		/* rip */
	mov REG(UPCALL_IRET + 8), %rax
	or $3, %rax
	mov %rax, 40(%rsp)		/* cs: RPL 3 means the U root */
	mov REG(UPCALL_IRET + 16), %rax
	and $~0x200, %rax
	cmpb $0, REG(UPCALL_OLD_MASK)
	jne 1f
	or $0x200, %rax
1:	mov %rax, 48(%rsp)		/* rflags: IF unmasks */
	mov REG(UPCALL_IRET + 24), %rax
	mov %rax, 56(%rsp)		/* rsp */
	mov REG(UPCALL_IRET + 32), %rax
	mov %rax, 64(%rsp)		/* ss */
	LOAD_MOST RESUME_SIZE
	mov $CALL_RESUME, %eax
	syscall
	ud2

	.globl upcall_return_in
	.hidden upcall_return_in
upcall_return_in:			/* (struct upcall_regs *, root) */
	lea -RESUME_SIZE(%rdi), %rsp
	mov %rsi, 24(%rsp)
	lea leave(%rip), %rax
	mov %rsi, RESUME_ROOT(%rsp)
	mov %rax, 32(%rsp)
	movq $0x30, 40(%rsp)		/* RPL 0: the K root */
	movq $2, 48(%rsp)		/* IF clear: stay masked */
	mov %rdi, 56(%rsp)
	movq $0x2b, 64(%rsp)
	mov $CALL_RESUME, %eax
	syscall
	ud2
	.section .note.GNU-stack, "", @progbits
