/* The tests' guest: notes, entry, and the handler of the page faults that it expects. */
	.macro note type, value:vararg
	.long 4, 2f - 1f, \type
	.asciz "Xen"
1:	\value
2:	.balign 4
	.endm

	.section .note.xen, "a", @note
	.balign 4
	note 6, .asciz "tests"			/* GUEST_OS */
	note 5, .asciz "xen-3.0"		/* XEN_VERSION */
	note 8, .asciz "generic"		/* LOADER */
	note 1, .quad _start			/* ENTRY */
	note 3, .quad 0xffffffff80000000	/* VIRT_BASE */
	note 4, .quad 0				/* PADDR_OFFSET */
#ifdef P2M
	note 15, .quad P2M			/* INIT_P2M: else the list lies beside the kernel */
#endif

	.text
	.globl _start
_start:
	cld
	mov %rsi, %rdi
	lea stack_end(%rip), %rsp
	call guest_main
	ud2

/* bool try_write(void *to, uint64_t value), try_read(const void *from, uint64_t *value): whether no
 * page fault came of it. */
	.globl try_write, try_read
try_write:
	lea 1f(%rip), %rdx
	mov %rdx, recover(%rip)
	mov %rsi, (%rdi)
	mov $1, %eax
	ret
try_read:
	lea 1f(%rip), %rdx
	mov %rdx, recover(%rip)
	mov (%rdi), %rax
	mov %rax, (%rsi)
	mov $1, %eax
	ret
1:	xor %eax, %eax
	ret

/* RCX, R11 and the error code lie over the frame of IRETQ, whose CS says that the kernel was
 * interrupted and is none to be loaded: back goes the hypercall iret. */
	.globl on_page_fault
on_page_fault:
	mov recover(%rip), %rcx
	mov %rcx, 24(%rsp)
	pop %rcx
	pop %r11
	movq $0, (%rsp)			/* flags, in the error code's place */
	push %rcx
	push %r11
	push %rax
	mov $23, %eax
	syscall

/* calls_make(gadget, count): random kernel calls by a `syscall; ret` of the monitor's.  Left out are
 * those that would end or stop the caller at once: domain_ctl, domain_destroy, resume, wait. */
	.globl calls_make
calls_make:
	mov %rdi, %r15
	mov %rsi, %rbx
	mov $0x9e3779b97f4a7c15, %rbp
1:	call 2f
	mov %rbp, %rdi
	call 2f
	mov %rbp, %rsi
	call 2f
	mov %ebp, %edx
	and $0xfff, %edx
	call 2f
	mov %rbp, %r10
	mov %rbp, %r8
	shr $40, %r8
	mov %rbp, %r9
	shr $56, %r9
	test $1, %bpl			/* half of the first arguments are small, as capabilities are */
	jz 4f
	and $63, %edi
4:	call 2f
	mov %ebp, %eax
	shr $7, %eax
	and $63, %eax
	movabs $0xa00180, %rcx		/* 7, 8, 21, 23 */
	bt %rax, %rcx
	jc 1b
	call *%r15
	dec %rbx
	jnz 1b
	ret
2:	mov %rbp, %rcx			/* xorshift */
	shl $13, %rcx
	xor %rcx, %rbp
	mov %rbp, %rcx
	shr $7, %rcx
	xor %rcx, %rbp
	mov %rbp, %rcx
	shl $17, %rcx
	xor %rcx, %rbp
	ret

	.bss
	.balign 8
recover:
	.skip 8
	.balign 16
	.skip 16384
stack_end:

	.section .note.GNU-stack, "", @progbits
