/* The guest kernel's ways in and out, in the manner of a PV kernel: raw `syscall` is the
 * hypercall, number 23 is iret. */
#include "tests/pvprobe/probe.h"

/* struct guest_trap */
#define T_R11	48
#define T_RAX	80
#define T_RCX	88
#define T_RDI	112
#define T_RIP	152
#define T_CS	160
#define T_RFLAGS 168
#define T_RSP	176
#define T_SS	184

	.section .head, "a"
	.quad guest_main
	.quad trap_entry
	.quad stack_top
	.quad kernel_stack_top
	.quad guest_end

	.text
trap_entry:				/* RSP: struct bounce */
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
	mov %rsp, %rbx
	and $-16, %rsp
	call guest_trap
	mov %rbx, %rdi
trap_return:				/* RDI: struct guest_trap */
	pushq T_SS(%rdi)
	pushq T_RSP(%rdi)
	pushq T_RFLAGS(%rdi)
	pushq T_CS(%rdi)
	pushq T_RIP(%rdi)
	pushq $0
	pushq T_RCX(%rdi)
	pushq T_R11(%rdi)
	pushq T_RAX(%rdi)
	mov 0(%rdi), %r15
	mov 8(%rdi), %r14
	mov 16(%rdi), %r13
	mov 24(%rdi), %r12
	mov 32(%rdi), %rbp
	mov 40(%rdi), %rbx
	mov 56(%rdi), %r10
	mov 64(%rdi), %r9
	mov 72(%rdi), %r8
	mov 96(%rdi), %rdx
	mov 104(%rdi), %rsi
	mov T_RDI(%rdi), %rdi
	mov $HC_IRET, %eax
	syscall
	ud2

	/* void user_run(struct guest_trap *): until it traps */
	.globl user_run
user_run:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, user_run_sp(%rip)
	jmp trap_return

	/* void user_leave(void): from guest_trap, as the return of user_run */
	.globl user_leave
user_leave:
	mov user_run_sp(%rip), %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	/* void root_switch(uint64_t root): iret to the next instruction, in another K root */
	.globl root_switch
root_switch:
	mov %rsp, %rdx
	push $0x2b
	push %rdx
	push $0x202
	push $0x30			/* RPL 0: K */
	lea 1f(%rip), %rax
	push %rax
	push %rdi
	push $0
	push $0
	push $0
	mov $HC_IRET, %eax
	syscall
	ud2
1:	ret

	/* void echo(uint64_t reg[12]): HC_ECHO with these in R15 ... RBX, R10-R8, RDX RSI RDI */
	.globl echo
echo:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdi
	mov 0(%rdi), %r15
	mov 8(%rdi), %r14
	mov 16(%rdi), %r13
	mov 24(%rdi), %r12
	mov 32(%rdi), %rbp
	mov 40(%rdi), %rbx
	mov 48(%rdi), %r10
	mov 56(%rdi), %r9
	mov 64(%rdi), %r8
	mov 72(%rdi), %rdx
	mov 80(%rdi), %rsi
	mov 88(%rdi), %rdi
	mov $HC_ECHO, %eax
	syscall
	pop %rax
	mov %r15, 0(%rax)
	mov %r14, 8(%rax)
	mov %r13, 16(%rax)
	mov %r12, 24(%rax)
	mov %rbp, 32(%rax)
	mov %rbx, 40(%rax)
	mov %r10, 48(%rax)
	mov %r9, 56(%rax)
	mov %r8, 64(%rax)
	mov %rdx, 72(%rax)
	mov %rsi, 80(%rax)
	mov %rdi, 88(%rax)
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	/* uint64_t poke(uint64_t va, uint64_t v): a store that may fault; 0: it did not */
	.globl poke, poke_insn, poke_fault
poke:
	xor %eax, %eax
poke_insn:
	mov %rsi, (%rdi)
	ret
poke_fault:
	mov $1, %eax
	ret

	.bss
user_run_sp:
	.skip 8
	.balign 16
	.skip 16384
stack_top:
	.skip 8192
kernel_stack_top:
	.section .note.GNU-stack, "", @progbits
