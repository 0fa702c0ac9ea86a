/* Ways into the monitor and back to the guest: as libos/common/upcall_entry.S, whose protocol
 * (upcall.h) this follows, with one difference: the kernel sets the event mask on every entry
 * (mask_on), so that `mask` in the saved registers is 0 for guest code; the handler of an exception
 * in the monitor itself sets it to 1.
 */
#include "libos/common/upcall.h"

#define FROM_U		0x10000		/* EXO_INFO_FROM_U */
#define CALL_RESUME	21		/* EXO_CALL_RESUME (vcpu.c pins both) */

.macro ENTER handler			/* struct upcall_regs, below what the kernel pushed */
	push $0
	push %rdi
	push %rsi
	push %rdx
	push %rcx
	push %rax
	push %r8
	push %r9
	push %r10
	push %r11
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, %rdi
	cld
	call \handler
.endm

.macro LOAD base			/* all but the registers that resume or IRETQ loads */
	mov 0+\base(%rsp), %r15
	mov 8+\base(%rsp), %r14
	mov 16+\base(%rsp), %r13
	mov 24+\base(%rsp), %r12
	mov 32+\base(%rsp), %rbp
	mov 40+\base(%rsp), %rbx
	mov 56+\base(%rsp), %r10
	mov 64+\base(%rsp), %r9
	mov 72+\base(%rsp), %r8
	mov 96+\base(%rsp), %rdx
	mov 104+\base(%rsp), %rsi
	mov 112+\base(%rsp), %rdi
.endm

.macro GLOBAL name
	.globl \name
	.hidden \name
\name:
.endm

	.text
GLOBAL vmm_enter_exception
	ENTER vcpu_on_exception
	jmp leave

GLOBAL vmm_enter_syscall
	ENTER vcpu_on_syscall
	jmp leave

GLOBAL vmm_enter_event
	ENTER vcpu_on_event
	jmp leave

GLOBAL vmm_leave				/* (struct upcall_regs *) */
	mov %rdi, %rsp
leave:					/* RSP = struct upcall_regs, masked */
	cmpb $0, UPCALL_OLD_MASK(%rsp)
	jne leave_masked
	testl $FROM_U, UPCALL_INFO(%rsp)
	jnz leave_to_u
	mov %rsp, %rax
	and $-UPCALL_STACK_SIZE, %rax
	mov UPCALL_PAIR(%rax), %rax
	add $UPCALL_IRET, %rsp

GLOBAL vmm_resume_lo			/* RSP = the iret frame, the registers below it */
	lock andb $0, 1(%rax)		/* locked: `pending` is read after it */
	cmpb $0, (%rax)
	jne 1f
	LOAD -UPCALL_IRET
	mov 48-UPCALL_IRET(%rsp), %r11
	mov 80-UPCALL_IRET(%rsp), %rax
	mov 88-UPCALL_IRET(%rsp), %rcx
	iretq
1:	movb $1, 1(%rax)
GLOBAL vmm_resume_hi			/* and restart: masked, by us or by the kernel */
	sub $UPCALL_IRET, %rsp
	mov %rsp, %rdi
	call vcpu_on_event
	jmp leave

leave_masked:				/* to the monitor's own code */
	LOAD 0
	mov 48(%rsp), %r11
	mov 88(%rsp), %rcx
	mov 80(%rsp), %rax
	add $UPCALL_IRET, %rsp
	iretq

#define RESUME_SIZE	80		/* struct exo_resume and a word, right below the registers */
#define REG(off)	RESUME_SIZE + (off)(%rsp)

leave_to_u:				/* only the kernel gets there */
	sub $RESUME_SIZE, %rsp
	mov REG(80), %rax
	mov %rax, 0(%rsp)		/* rax */
	mov REG(48), %rax
	mov %rax, 8(%rsp)		/* r11 */
	mov REG(88), %rax
	mov %rax, 16(%rsp)		/* rcx */
	movq $0, 24(%rsp)		/* root: the current pair */
	mov REG(UPCALL_IRET), %rax
	mov %rax, 32(%rsp)		/* rip */
	mov REG(UPCALL_IRET + 8), %rax
	or $3, %rax
	mov %rax, 40(%rsp)		/* cs: RPL 3 means the U root */
	mov REG(UPCALL_IRET + 16), %rax
	or $0x200, %rax
	mov %rax, 48(%rsp)		/* rflags: IF unmasks */
	mov REG(UPCALL_IRET + 24), %rax
	mov %rax, 56(%rsp)		/* rsp */
	mov REG(UPCALL_IRET + 32), %rax
	mov %rax, 64(%rsp)		/* ss */
	LOAD RESUME_SIZE
	mov $CALL_RESUME, %eax
	syscall
	lea RESUME_SIZE(%rsp), %rdi	/* refused */
	mov %rax, %rsi
	mov %rdi, %rsp
	call vcpu_resume_failed
	jmp leave

	/* uint64_t guest_copy(void *to, const void *from, size_t n): what was not copied.  A fault
	 * at guest_copy_insn goes on at guest_copy_fault, which is the end. */
GLOBAL guest_copy
	mov %rdx, %rcx
GLOBAL guest_copy_insn
	rep movsb
GLOBAL guest_copy_fault
	mov %rcx, %rax
	ret
	.section .note.GNU-stack, "", @progbits
