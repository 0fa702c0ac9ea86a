/* pv_iret and the guest's images. */
#include "libos/common/upcall.h"

#define CALL_RESUME 21

	.text
	/* void pv_iret(struct upcall_regs *r): the guest kernel's nine words go to the kernel as
	 * they lie on its stack; every other register is the guest's. */
	.globl pv_iret
pv_iret:
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
	mov UPCALL_IRET + 24(%rdi), %rsp
	mov 112(%rdi), %rdi
	mov $CALL_RESUME, %eax
	syscall
	mov %rax, %rdi
	and $-16, %rsp
	call pv_iret_refused

	.section .rodata
	.globl guest_image, guest_image_end, user_image, user_image_end
	.balign 8
guest_image:
	.incbin GUEST_IMAGE
guest_image_end:
	.balign 8
user_image:
	.incbin USER_IMAGE
user_image_end:
	.section .note.GNU-stack, "", @progbits
