/* Instructions in odd states. */

	.text
	/* `int n; ret` for n = 0..255, 4 bytes each (padded) */
	.globl int_stubs
	.balign 16
int_stubs:
	.set n, 0
	.rept 256
	.byte 0xcd, n
	ret
	nop
	.set n, n + 1
	.endr

	/* uint64_t odd_null(uint64_t rsp, uint64_t rflags): the null call with these; the flags
	 * after it.  A call must not use the caller's stack. */
	.globl odd_null
odd_null:
	push %rbx
	mov %rsp, %rbx
	push %rsi
	popf
	mov %rdi, %rsp
	mov $0, %eax
	syscall
	mov %rbx, %rsp
	pushf
	pop %rax
	push $2
	popf
	pop %rbx
	ret

	/* void step_null(void *): single steps over the null call */
	.globl step_null, step_null_end
step_null:
	pushf
	orq $0x100, (%rsp)
	popf
	nop
	mov $0, %eax
	syscall
	nop
step_null_end:
	pushf
	andq $~0x100, (%rsp)
	popf
	ret

	/* void mov_ss_X(void *): MOV SS holds the debug exception back into the next instruction */
.macro MOV_SS name, insn:vararg
	.globl \name
\name:
	mov %ss, %ecx
	xor %eax, %eax
	pushf
	orq $0x100, (%rsp)
	popf
	mov %ecx, %ss
	\insn
	pushf
	andq $~0x100, (%rsp)
	popf
	ret
.endm
	MOV_SS mov_ss_syscall, syscall
	MOV_SS mov_ss_int3, int3
	MOV_SS mov_ss_int, int $0x80
	MOV_SS mov_ss_ud2, ud2

	/* void iret_to(void *arg): IRETQ to { rip, cs, rflags, rsp, ss } */
	.globl iret_to
iret_to:
	pushq 32(%rdi)
	pushq 24(%rdi)
	pushq 16(%rdi)
	pushq 8(%rdi)
	pushq 0(%rdi)
	iretq

	/* void resume_to(void *frame): the call resume with RSP there; the status to AX of who
	 * comes back */
	.globl resume_to
resume_to:
	push %rbx
	mov %rsp, %rbx
	mov %rdi, %rsp
	mov $21, %eax
	syscall
	mov %rbx, %rsp
	pop %rbx
	ret

	/* Where good IRETQ and resume frames lead: as a return to who is on the stack. */
	.globl landing
landing:
	mov %rbx, %rsp
	pop %rbx
	pushf
	pop %rax
	cld
	ret
	/* uint64_t root_enter(uint64_t root): resume to the next instruction, in that root; 0, or the
	 * status */
	.globl root_enter
root_enter:
	mov %rsp, %rdx
	push $0x2b
	push %rdx
	push $0x202
	push $0x30			/* RPL 0: the K root */
	lea 1f(%rip), %rax
	push %rax
	push %rdi
	push $0
	push $0
	push $0				/* RAX */
	mov $21, %eax
	syscall
	add $72, %rsp
1:	ret

	.section .note.GNU-stack, "", @progbits
