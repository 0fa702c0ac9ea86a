/* Where a C library's system call goes on: after the upcall that it caused, in the program's own
 * context, so that it may block and be interrupted as any of its code.
 *
 * RSP: the program's, less the red zone (128 bytes) and this word, the address to go back to;
 * other registers as at the `syscall`, RAX its number.  All but RAX (the result), RCX and R11 are
 * kept.
 */
	.text
	.globl domain_call_entry
domain_call_entry:
	push %rbx
	mov %rsp, %rbx
	push %r9			/* six arguments, in order from low to high addresses */
	push %r8
	push %r10
	push %rdx
	push %rsi
	push %rdi
	mov %rsp, %rdi
	mov %rax, %rsi
	and $-16, %rsp
	cld
	call domain_call
	lea -48(%rbx), %rsp
	pop %rdi
	pop %rsi
	pop %rdx
	pop %r10
	pop %r8
	pop %r9
	pop %rbx
	ret $128
	.section .note.GNU-stack, "", @progbits
