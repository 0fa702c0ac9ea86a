/* The measured paths: RDTSC, a move, the operation, RDTSC.  Under -icount the difference is the
 * operation's instructions and 2 (the move and the second RDTSC), which are taken off.
 */
#define GATE_CALL	40		/* EXO_CALL_GATE_CALL */

	.text
	.globl path_nothing, path_null, path_exception, path_resume, path_call
	.globl path_entry_exception, path_entry_syscall, path_syscall_code, path_syscall_end

.macro BEGIN
	rdtsc
	mov %eax, %esi
.endm
	/* 32 bits are enough: the difference is small */
.macro END
	rdtsc
	sub %esi, %eax
	sub $2, %eax
.endm

path_nothing:
	BEGIN
	END
	ret

path_null:
	xor %r8d, %r8d
	rdtsc
	mov %eax, %esi
	mov %r8d, %eax			/* part of the call: its number */
	syscall
	END
	dec %eax			/* the number's move is the caller's */
	ret

/* The entry point finds the frame at RSP: takes the time, and returns behind the fault. */
path_exception:
	BEGIN
	ud2
	ret				/* EAX was set by the entry point */
path_entry_exception:
	END
	addq $2, 24(%rsp)
	add $24, %rsp
	iretq

path_syscall_code:
	BEGIN
	syscall
	ret
path_syscall_end:
path_entry_syscall:
	END
	add $24, %rsp
	iretq

/* resume to the next instruction.  The frame: RAX R11 RCX root RIP CS RFLAGS RSP SS. */
path_resume:
	mov %rsp, %rdx
	push $0x2b
	push %rdx
	push $0x202
	push $0x33
	lea 1f(%rip), %rax
	push %rax
	push $0
	push $0
	push $0
	push $0
	mov $21, %r8d
	rdtsc
	mov %eax, %esi
	mov %r8d, %eax
	syscall
	add $72, %rsp			/* refused */
	mov $-1, %eax
	ret
1:	END
	dec %eax
	ret

/* path_call(number, a, b, c, d, e): a call with five arguments. */
path_call:
	push %rbx
	push %rbp
	mov %rdi, %rbx
	mov %rsi, %rdi
	mov %rdx, %rsi
	mov %rcx, %rbp
	mov %r8, %r10
	mov %r9, %r8
	xor %r9d, %r9d
	rdtsc
	mov %eax, %ecx
	push %rcx
	mov %rbp, %rdx
	mov %rbx, %rax
	syscall
	rdtsc
	pop %rcx
	sub %ecx, %eax
	sub $5, %eax			/* two moves, a push, two moves of arguments */
	pop %rbp
	pop %rbx
	ret

/* path_gate(gate, &gate_stack): to path_gate_entry, whose context calls path_gate_cap's way back.  No
 * register is touched but by the count. */
	.globl path_gate, path_gate_entry, path_gate_back, path_gate_serve
path_gate:
	mov %rsp, (%rsi)
	rdtsc
	mov %eax, %esi
	mov $GATE_CALL, %eax
	syscall
	mov $-1, %eax			/* refused, or nobody came back */
	ret
path_gate_back:
	mov %r8d, %eax
	ret
path_gate_entry:
	END
	dec %eax
	mov %eax, %r8d
	mov path_gate_cap(%rip), %rdi
	mov $GATE_CALL, %eax
	syscall
path_gate_serve:			/* wait(nothing, for ever, open) */
	xor %edi, %edi
	mov $-1, %rsi
	mov $2, %edx
	mov $23, %eax
	syscall
	jmp path_gate_serve

	.section .note.GNU-stack, "", @progbits
