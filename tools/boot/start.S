/*
 * Multiboot1 header, and the ways into direct.c and out of it to the kernel.
 * QEMU looks for the header in the first 8 KiB of the file: so it opens the text.
 */
	.text
	.balign 4
	.long 0x1badb002, 3, -(0x1badb002 + 3)	/* page-aligned modules; memory map */

	.globl _start
_start:
	movl $stack_end, %esp
	pushl %ebx
	pushl %eax
	call direct_main

	.globl kernel_enter
kernel_enter:	/* (entry, information) */
	movl 4(%esp), %ecx
	movl 8(%esp), %ebx
	movl $0x36d76289, %eax
	jmp *%ecx

	.bss
	.balign 16
	.skip 8192
stack_end:

	.section .note.GNU-stack, "", @progbits
