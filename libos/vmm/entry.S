/* Ways into the monitor and back to the guest: as libos/common/upcall_entry.S, whose protocol
 * (upcall.h) this follows, with one difference: the kernel sets the event mask on every entry
 * (mask_on), so that `mask` in the saved registers is 0 for guest code; the handler of an exception
 * in the monitor itself sets it to 1.
 */
#include "libos/vmm/entry.h"
#include "libos/common/regs.inc"

.macro ENTER handler			/* struct upcall_regs, below what the kernel pushed */
	PUSH_REGS $0
	mov %rsp, %rdi
	cld
	call \handler
.endm

.macro GLOBAL name
	.globl \name
	.hidden \name
\name:
.endm

/* A fault at an instruction from `from` to here goes on at `fix` (vcpu.c); the rest is undisturbed. */
.macro FIXUP from, fix
99:	.pushsection .rodata.vmm_fixups, "a"
	.quad \from, 99b, \fix
	.popsection
.endm
	.pushsection .rodata.vmm_fixups, "a"
GLOBAL vmm_fixups
	.popsection

	.text
	/* Two ways: a page fault of guest user code, which is short as below, and the rest. */
#define FRAME(off) 24 + (off)(%rsp)	/* rip cs rflags rsp ss */
#define HERE(off) 64 + (off)(%rsp)	/* struct vcpu, from the first frame on its stack */
#define THERE(off) UPCALL_STACK_SIZE - VCPU_SPACE + (off)	/* from the stack's lowest byte */
GLOBAL vmm_enter_exception
	cmpq $FROM_U + 14, (%rsp)
	jne exception_long
	push %rcx
	push %r11
	cmpq $0, 16 + HERE(VCPU_FAULT)
	je 9f
	mov 16 + HERE(VCPU_INFO), %r11
	cmpb $0, 1(%r11)
	jne 9f
	mov 16 + HERE(VCPU_KERNEL_SP), %r11
	and $-16, %r11
	mov 8(%rsp), %rcx
1:	mov %rcx, -64(%r11)		/* struct xen_bounce_error */
	mov 0(%rsp), %rcx
	mov %rcx, -56(%r11)
	mov 16 + 16(%rsp), %rcx
	mov %rcx, -48(%r11)
	mov 16 + FRAME(0), %rcx
	mov %rcx, -40(%r11)
	mov 16 + FRAME(8), %rcx
	mov %rcx, -32(%r11)
	mov 16 + FRAME(16), %rcx
	mov %rcx, -24(%r11)
	mov 16 + FRAME(24), %rcx
	mov %rcx, -16(%r11)
	mov 16 + FRAME(32), %rcx
	mov %rcx, -8(%r11)
	FIXUP 1b, 9f
	sub $64, %r11
	mov %r11, 16 + FRAME(24)
	incq 16 + HERE(VCPU_COUNT + 16)
	mov 16 + HERE(VCPU_FAULT), %r11
	mov %r11, 16 + FRAME(0)
	mov 16 + HERE(VCPU_INFO), %r11
	mov 16 + 8(%rsp), %rcx
	mov %rcx, INFO_CR2(%r11)
	movb $1, 1(%r11)
	add $16, %rsp
	movl $0, (%rsp)			/* it is kernel code now */
	mov HERE(VCPU_PAIR), %rcx
	jmp jump_out
9:	pop %r11
	pop %rcx
exception_long:
	ENTER vcpu_on_exception
	jmp leave

GLOBAL vmm_enter_event
	ENTER vcpu_on_event
	jmp leave

	/* Three ways: a system call of guest user code, iret to user code, other hypercalls.  The first
	 * two are short: the guest's registers stay where they are, RCX and R11 are free, since the
	 * instruction has destroyed them; what is not the usual case goes the long way. */
GLOBAL vmm_enter_syscall
	testl $FROM_U, (%rsp)
	jz from_kernel
	mov HERE(VCPU_INFO), %r11
	cmpq $0, HERE(VCPU_SYSCALL)
	je syscall_long
	cmpb $0, 1(%r11)
	jne syscall_long
	mov HERE(VCPU_KERNEL_SP), %r11
	and $-16, %r11
	mov FRAME(0), %rcx
1:	mov %rcx, -56(%r11)		/* struct xen_bounce: rcx = rip, r11 = rflags */
	mov %rcx, -40(%r11)
	mov FRAME(16), %rcx
	mov %rcx, -48(%r11)
	mov %rcx, -24(%r11)
	mov FRAME(8), %rcx
	mov %rcx, -32(%r11)
	mov FRAME(24), %rcx
	mov %rcx, -16(%r11)
	mov FRAME(32), %rcx
	mov %rcx, -8(%r11)
	FIXUP 1b, syscall_long
	sub $56, %r11
	mov %r11, FRAME(24)
	incq HERE(VCPU_COUNT)
	mov HERE(VCPU_INFO), %r11
	movb $1, 1(%r11)
	mov HERE(VCPU_SYSCALL), %r11
	mov %r11, FRAME(0)
	movl $0, (%rsp)			/* it is kernel code now */
	mov HERE(VCPU_PAIR), %rcx
	jmp jump_out

from_kernel:
	cmp $XEN_IRET, %rax
	jne syscall_long
	mov %rsp, %rcx
	and $-UPCALL_STACK_SIZE, %rcx
	cmpb $0, THERE(VCPU_USER_READY)(%rcx)
	je syscall_long
	mov FRAME(24), %r11
1:	cmpq $0, 24(%r11)		/* struct xen_iret: its fourth word is resume's root */
	jne iret_long
	mov 40(%r11), %eax
	not %eax
	testb $3, %al			/* to user */
	jnz iret_long
	testl $0x200, 48(%r11)		/* unmasked */
	jz iret_long
	FIXUP 1b, iret_long
	mov THERE(VCPU_INFO)(%rcx), %rax
	movb $0, 1(%rax)
	cmpb $0, (%rax)			/* one that comes later kicks */
	jne iret_long
	incq THERE(VCPU_COUNT + 8)(%rcx)
	mov %r11, %rsp
	mov $CALL_RESUME, %eax
	syscall
GLOBAL vmm_iret_refused			/* RAX: why; see monitor_fault */
	ud2

iret_long:
	mov $XEN_IRET, %eax
syscall_long:
	ENTER vcpu_on_syscall
	jmp leave

GLOBAL vmm_leave				/* (struct upcall_regs *) */
	mov %rdi, %rsp
leave:					/* RSP = struct upcall_regs, masked */
	cmpb $0, UPCALL_OLD_MASK(%rsp)
	jne leave_masked
	testl $FROM_U, UPCALL_INFO(%rsp)
	jnz leave_to_u
	mov %rsp, %rax
	and $-UPCALL_STACK_SIZE, %rax
	mov THERE(VCPU_PAIR)(%rax), %rax
	add $UPCALL_IRET, %rsp

	/* The resume range: two ways out.  RSP tells restart which one it was. */
GLOBAL vmm_resume_lo			/* RSP = the iret frame, the registers below it */
	lock andb $0, 1(%rax)		/* locked: `pending` is read after it */
	cmpb $0, (%rax)
	jne 1f
	LOAD_MOST -UPCALL_IRET
	mov 48-UPCALL_IRET(%rsp), %r11
	mov 80-UPCALL_IRET(%rsp), %rax
	mov 88-UPCALL_IRET(%rsp), %rcx
	iretq
1:	movb $1, 1(%rax)
	jmp vmm_restart

jump_out:				/* RSP = struct exo_upcall; RCX and R11 are of no matter */
	lock andb $0, 1(%rcx)
	cmpb $0, (%rcx)
	je 1f
	movb $1, 1(%rcx)
	jmp vmm_restart
1:	mov FRAME(0), %rcx
	mov FRAME(24), %rsp
GLOBAL vmm_resume_hi			/* the stack is the guest's: an event here hits the guest */
	jmp *%rcx

GLOBAL vmm_restart			/* masked, by us or by the kernel */
	testb $8, %spl
	jz 1f
	sub $UPCALL_IRET, %rsp
	mov %rsp, %rdi
	call vcpu_on_event
	jmp leave
1:	movq $XEN_SEL_CS64, FRAME(8)
	movq $0x202, FRAME(16)
	movq $XEN_SEL_SS, FRAME(32)
	ENTER vcpu_on_event
	jmp leave

leave_masked:				/* to the monitor's own code */
	mov 48(%rsp), %r11
	LOAD_REGS
	add $UPCALL_IRET, %rsp
	iretq

#define RESUME_SIZE	80		/* struct exo_resume and a word, right below the registers */
#define REG(off)	RESUME_SIZE + (off)(%rsp)

leave_to_u:				/* only the kernel gets there */
	sub $RESUME_SIZE, %rsp
	mov REG(80), %rax
	mov %rax, 0(%rsp)		/* rax */
	mov REG(48), %rax
	mov %rax, 8(%rsp)		/* r11 */
	mov REG(88), %rax
	mov %rax, 16(%rsp)		/* rcx */
	movq $0, 24(%rsp)		/* root: the current pair */
	mov REG(UPCALL_IRET), %rax
	mov %rax, 32(%rsp)		/* rip */
	mov REG(UPCALL_IRET + 8), %rax
	or $3, %rax
	mov %rax, 40(%rsp)		/* cs: RPL 3 means the U root */
	mov REG(UPCALL_IRET + 16), %rax
	or $0x200, %rax
	mov %rax, 48(%rsp)		/* rflags: IF unmasks */
	mov REG(UPCALL_IRET + 24), %rax
	mov %rax, 56(%rsp)		/* rsp */
	mov REG(UPCALL_IRET + 32), %rax
	mov %rax, 64(%rsp)		/* ss */
	LOAD_MOST RESUME_SIZE
	mov $CALL_RESUME, %eax
	syscall
	lea RESUME_SIZE(%rsp), %rdi	/* refused */
	mov %rax, %rsi
	mov %rdi, %rsp
	call vcpu_resume_failed
	jmp leave

	/* uint64_t guest_copy(void *to, const void *from, size_t n): 0, or a fault was met. */
GLOBAL guest_copy
	mov %rdx, %rcx
	shr $3, %rcx
1:	rep movsq
	mov %edx, %ecx
	and $7, %ecx
	jz 2f
	rep movsb
2:	FIXUP 1b, 3f
	xor %eax, %eax
	ret
3:	mov $1, %eax
	ret

	.section .rodata.vmm_fixups, "a"
GLOBAL vmm_fixups_end
	.section .note.GNU-stack, "", @progbits
