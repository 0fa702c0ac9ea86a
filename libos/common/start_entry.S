/* The entry point of a domain's first context: RDI = start page, RSP = top of the stack. */
	.section .text.start, "ax"
	.globl _start
_start:
	xor %ebp, %ebp			/* ends backtraces */
	and $-16, %rsp
	call start_here
	ud2
	.section .note.GNU-stack, "", @progbits
