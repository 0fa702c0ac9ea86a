/* The ways into the libOS and back to user code, and between libOS stacks.
 *
 * Protocol: docs/posix-design.md, 1.  On entry RSP points at the kernel's frame (struct
 * exo_upcall) on the running thread's libOS stack, and events are masked.  The registers go
 * below it: struct regs.  What is done about the entry is decided in C.
 */
#include "libos/posix/layout.h"
#include "libos/common/regs.inc"

#define FLAGS_CLEAN	2
#define FLAGS_TF	0x100

	.text
	.globl entry_syscall, entry_exception, entry_event
	.globl thread_begin, entry_resume_lo, entry_resume_hi, entry_restart

/* ---- system calls ------------------------------------------------------------ */

	.balign 16
entry_syscall:
	PUSH_REGS %rax
	cld
	mov $1, %r11d
	xchg %r11d, libos_lock(%rip)
	test %r11d, %r11d
	jnz lock_wait
locked:
	cmp $SYSCALLS, %rax
	jae bad_number
	mov TOP_TABLE(%rsp), %r11
	mov %r10, %rcx
	call *(%r11, %rax, 8)
called:
	mov %rax, 80(%rsp)
	cmpl $0, TOP_WORK(%rsp)
	jne work
	testb $FLAGS_TF >> 8, REGS_RFLAGS+1(%rsp)
	jnz work				/* only IRETQ leaves single stepping to the user */
	movl $0, libos_lock(%rip)
	mov 112(%rsp), %rdi
	mov 104(%rsp), %rsi
	mov 96(%rsp), %rdx
	mov 72(%rsp), %r8
	mov 64(%rsp), %r9
	mov 56(%rsp), %r10
	push REGS_RFLAGS(%rsp)
	popf
	mov TOP_CONTROL(%rsp), %r11
entry_resume_lo:
	movb $0, CONTROL_MASK(%r11)
	movzbl CONTROL_PENDING(%r11), %ecx	/* leaves the flags alone, as does JRCXZ */
	jrcxz 1f
	jmp entry_again
full_unmask:
	movb $0, CONTROL_MASK(%r11)
	cmpb $0, CONTROL_PENDING(%r11)
	jne entry_again
	mov 48(%rsp), %r11
	jmp tail_full
1:	mov REGS_RIP(%rsp), %rcx
	mov REGS_RFLAGS(%rsp), %r11
	mov REGS_RSP(%rsp), %rsp
entry_resume_hi:

/* Behind the range: the event entry knows these addresses. */
tail_jump:					/* RSP is the user's */
	jmp *%rcx
tail_full:					/* struct regs is whole */
	add $REGS_RIP, %rsp
tail_iret:					/* all registers are the user's */
	iretq

	/* Events came while they were masked. */
entry_again:
	mov TOP_CONTROL(%rsp), %r11
	movb $1, CONTROL_MASK(%r11)
entry_restart:
	push $FLAGS_CLEAN			/* POPF may have loaded the user's DF, NT, AC */
	popf
	mov %rsp, %rdi
	call leave_again
	jmp leave_full

work:
	mov %rsp, %rdi
	call leave_work
leave_full:
	LOAD_REGS
	mov TOP_CONTROL(%rsp), %r11
	jmp full_unmask

	/* The arguments are in struct regs. */
lock_wait:
	call libos_lock_wait
	mov 80(%rsp), %rax
	mov 56(%rsp), %r10
	mov 64(%rsp), %r9
	mov 72(%rsp), %r8
	mov 96(%rsp), %rdx
	mov 104(%rsp), %rsi
	mov 112(%rsp), %rdi
	jmp locked

bad_number:
	call sys_unknown
	jmp called

/* ---- exceptions and events ------------------------------------------------------ */

	/* The libOS lies in the upper half, where user code may jump too, but to nothing. */
	.balign 16
entry_exception:
	cmpq $0, 24(%rsp)
	jl in_upper_half
exception_user_code:
	PUSH_REGS $-1
	cld
	mov %rsp, %rdi
	call exception_user
	jmp leave_full

in_upper_half:
	push %rax
	lea __text_lo(%rip), %rax
	cmp %rax, 32(%rsp)
	jb user_jumped
	lea __text_hi(%rip), %rax
	cmp %rax, 32(%rsp)
	jae user_jumped
	pop %rax
	PUSH_REGS $-1				/* a copy routine's, or a defect */
	cld
	mov %rsp, %rdi
	call exception_libos
	LOAD_REGS
	mov 48(%rsp), %r11
	add $REGS_RIP, %rsp
	iretq

user_jumped:
	pop %rax
	jmp exception_user_code

	.balign 16
entry_event:
	cmpq $0, 24(%rsp)
	jl event_in_libos
event_user_code:
	PUSH_REGS $-1
	cld
	mov %rsp, %rdi
	call event_user
	jmp leave_full

	/* Unmasked libOS code is the idle loop's wait, and the tails. */
event_in_libos:
	push %rax
	lea tail_jump(%rip), %rax
	cmp %rax, 32(%rsp)
	je at_tail_jump
	lea tail_full(%rip), %rax
	cmp %rax, 32(%rsp)
	je at_tail_full
	lea tail_iret(%rip), %rax
	cmp %rax, 32(%rsp)
	je at_tail_iret
	pop %rax
	add $24, %rsp
	iretq					/* idle: it looks for itself; events stay masked */
at_tail_jump:
	pop %rax
	mov %rcx, 24(%rsp)
	jmp event_user_code
at_tail_full:
	mov 56(%rsp), %rsp
	jmp entry_restart
at_tail_iret:
	pop %rax
	mov 48(%rsp), %rsp
	sub $24, %rsp
	jmp event_user_code

/* ---- stacks --------------------------------------------------------------------- */

	/* void stack_switch(uint64_t *save, uint64_t load) */
	.globl stack_switch
stack_switch:
	PUSH_PRESERVED
	mov %rsp, (%rdi)
	mov %rsi, %rsp
	POP_PRESERVED
	ret

	/* A new thread's stack is struct regs, below it this address and six registers. */
thread_begin:
	call thread_first
	mov %rsp, %rdi
	call leave_work
	jmp leave_full

	/* void stack_call(uint64_t sp, void (*fn)(void)): goes on there for good */
	.globl stack_call
stack_call:
	mov %rdi, %rsp
	xor %ebp, %ebp
	call *%rsi
	ud2

	/* uint64_t root_load(uint64_t root): `resume` to the next instruction, masked.
	 * The frame, at RSP: RAX R11 RCX root RIP CS RFLAGS RSP SS. */
	.globl root_load
root_load:
	mov %rsp, %rdx
	push $0x2b
	push %rdx
	push $2
	push $0x33
	lea 1f(%rip), %rax
	push %rax
	push %rdi
	push $0
	push $0
	push $0
	mov $21, %eax				/* EXO_CALL_RESUME */
	syscall
	add $72, %rsp				/* refused: RAX is the status */
1:	ret

	.section .note.GNU-stack, "", @progbits
