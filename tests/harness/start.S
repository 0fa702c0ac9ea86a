/*
 * Multiboot2 header and entry of the harness' test kernel: a stack, then fake_main (fake.c).
 */
	.section .multiboot, "a"
	.balign 8
header:
	.long 0xe85250d6, 0, header_end - header
	.long -(0xe85250d6 + (header_end - header))
	.word 0, 0
	.long 8
header_end:

	.text
	.globl _start
_start:
	movl $stack_end, %esp
	pushl %ebx
	pushl %eax
	call fake_main
	hlt

	.bss
	.balign 16
	.skip 16384
stack_end:

	.section .note.GNU-stack, "", @progbits
