/* Through a gate and back: see gate.h.  Nothing is kept in registers over it. */
#include "libos/common/regs.inc"

#define GATE_CALL	40
#define CONTROL_ENTRY	0x98
#define CONTROL_STACK	0xa0

	.text
	.hidden	gate_cross, gate_entered
	.globl	gate_cross, gate_entered

/* uint64_t gate_cross(uint64_t gate, struct exo_control *own): 0, or the call's status.  Who calls
 * goes on at 1: when its turn comes, or at 2: when it is entered. */
gate_cross:
	PUSH_PRESERVED
	lea	2f(%rip), %rax
	mov	%rax, CONTROL_ENTRY(%rsi)
	mov	%rsp, CONTROL_STACK(%rsi)
	mov	$GATE_CALL, %eax
	syscall
1:	jmp	3f
2:	xor	%eax, %eax
3:	POP_PRESERVED
	ret

/* A server's gate_entry: RDI = the badge; at RSP lies its struct gate_server. */
gate_entered:
	xor	%ebp, %ebp
	mov	%rdi, %rsi
	mov	(%rsp), %rdi
	call	gate_serve
	test	%rax, %rax
	jz	1f
	mov	%rax, %rdi
	mov	$GATE_CALL, %eax
	syscall				/* refused if the caller has gone on */
1:	call	gate_rest

	.section .note.GNU-stack, "", @progbits
