/* Hypercalls by the very instructions of Linux, which the monitor rewrites when they first trap
 * (libos/vmm/patch.c), between functions' padding as in Linux's text. */

	/* site_call, site_iret: where the bytes of interest are. */
	.globl site_call, site_iret, site_registers, site_return
	.text
	.balign 64, 0xcc
site_call:
	push %rcx
	push %r11
	syscall
	pop %r11
	pop %rcx
	ret
	.balign 64, 0xcc

/* bool site_return(void): whether hypercall iret goes where its frame says, with its registers. */
site_return:
	mov %rsp, %rax
	push $0xe02b
	push %rax
	pushfq
	push $0xe030			/* to the kernel */
	lea 1f(%rip), %rax
	push %rax
	push $0
	push $0x123			/* rcx */
	push $0x456			/* r11 */
	push $0x789			/* rax */
site_iret:
	mov $23, %eax
	syscall
	ud2
	.balign 64, 0xcc
1:	sub $0x789, %eax
	sub $0x123, %ecx
	sub $0x456, %r11d
	or %ecx, %eax
	or %r11d, %eax
	sete %al
	movzbl %al, %eax
	ret

	.macro EACH what
	\what rbx, 0x1111111122222222
	\what rbp, 0x2222222233333333
	\what rcx, 0x3333333344444444
	\what rdx, 0x4444444455555555
	\what rsi, 0x5555555566666666
	\what r8, 0x6666666677777777
	\what r9, 0x7777777788888888
	\what r10, 0x8888888899999999
	\what r11, 0x99999999aaaaaaaa
	\what r12, 0xaaaaaaaabbbbbbbb
	\what r13, 0xbbbbbbbbcccccccc
	\what r14, 0xccccccccdddddddd
	\what r15, 0xddddddddeeeeeeee
	.endm
	.macro SET reg, value
	movabs $\value, %\reg
	.endm
	.macro COMPARE reg, value
	movabs $\value, %rax
	cmp %rax, %\reg
	jne 1f
	.endm

/* bool site_registers(void): whether xen_version(version) keeps all registers and answers. */
site_registers:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	EACH SET
	xor %edi, %edi
	mov $17, %eax
	call site_call
	cmp $0x40011, %rax
	jne 1f
	EACH COMPARE
	mov $1, %eax
	jmp 2f
1:	xor %eax, %eax
2:	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	.section .note.GNU-stack, "", @progbits
