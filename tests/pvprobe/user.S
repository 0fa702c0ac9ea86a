/* Guest user code, at USER_BASE: a table of entries, then the code. */
#include "tests/pvprobe/probe.h"

	.text
	.quad u_echo, u_gs, u_spin, u_peek, u_selectors, u_compat

	/* RCX and R11 as resumed, then two system calls in a row */
u_echo:
	mov %rcx, USER_DATA
	mov %r11, USER_DATA + 8
	syscall
	mov %rcx, USER_DATA
	mov %r11, USER_DATA + 8
	syscall
	ud2
u_gs:
	mov %gs:0, %rax
	syscall
	jmp u_gs
u_spin:
	incq USER_DATA
	jmp u_spin
u_peek:
	mov (%rdi), %rax
	syscall
	ud2
u_selectors:
	mov %cs, %eax
	mov %ss, %edx
	syscall
	ud2
	.code32
u_compat:
	mov %cs, %eax
	int $0x80
	.section .note.GNU-stack, "", @progbits
