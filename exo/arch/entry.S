/* The ways into the kernel and out of it.
 *
 * SYSCALL lands in a stub page that is mapped once per CPU at a fixed distance below that
 * CPU's data (struct cpu), so that both are addressed RIP-relative: the kernel uses neither
 * GS nor user memory to find itself.  Exceptions and interrupts land on the CPU's
 * stack by the TSS; NMI, #DB, #DF and #MC on stacks of their own.
 *
 * On the CPU's stack, right below its top, lies the interrupted code's state in the
 * layout of struct exo_regs.  The six registers that C preserves (rbx, rbp, r12-r15)
 * are left in place on the quick paths and stored only on the slow one, which may
 * change what runs (kernel_exit).
 *
 * What is allowed, what runs next, and what an upcall looks like is decided in C.
 */
#include "exo/arch/layout.h"

#define R_R15	0
#define R_R14	8
#define R_R13	16
#define R_R12	24
#define R_RBP	32
#define R_RBX	40
#define R_R11	48
#define R_R10	56
#define R_R9	64
#define R_R8	72
#define R_RAX	80
#define R_RCX	88
#define R_RDX	96
#define R_RSI	104
#define R_RDI	112
#define R_VECTOR 120
#define R_ERROR	128
#define R_RIP	136
#define R_CS	144
#define R_RFLAGS 152
#define R_RSP	160
#define R_SS	168

/* struct cpu's fields, from the stub's alias */
#define CPU(off) (syscall_stub + PERCPU_CPU + (off))(%rip)
#define CPU_USER_RSP	0x00
#define CPU_STACK	0x08
#define CPU_ROUTE_LO	0x10
#define CPU_ROUTE_HI	0x18
#define CPU_PAIR	0x30
#define CPU_RESCHED	0x38
#define RESUME		21		/* EXO_CALL_RESUME */
#define GATE_CALL	40		/* EXO_CALL_GATE_CALL */

.macro PUSH_VOLATILE
	push %rdi
	push %rsi
	push %rdx
	push %rcx
	push %rax
	push %r8
	push %r9
	push %r10
	push %r11
.endm

.macro PUSH_PRESERVED
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
.endm

.macro POP_VOLATILE
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rax
	pop %rcx
	pop %rdx
	pop %rsi
	pop %rdi
	add $16, %rsp
.endm

.macro POP_ALL
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	POP_VOLATILE
.endm

/* An IDT entry clears AC: patched to CLAC where SMAP is on. */
.macro CLAC_SITE
	.pushsection .smap_sites, "a"
	.quad 9f
	.popsection
9:	.byte 0x0f, 0x1f, SMAP_CLAC
.endm

.macro FIXUP from, to
	.pushsection __ex_table, "a"
	.quad \from, \to
	.popsection
.endm

/* ---- SYSCALL ------------------------------------------------------------- */

	.section .text.syscall_stub, "ax", @progbits
	.balign 4096
	.globl syscall_stub
	.hidden syscall_stub
syscall_stub:
	mov %rsp, CPU(CPU_USER_RSP)
	mov CPU(CPU_STACK), %rsp
	sub $TRAP_FRAME_SIZE, %rsp
	mov %rcx, R_RIP(%rsp)
	mov %r11, R_RFLAGS(%rsp)
	mov %rdi, R_RDI(%rsp)
	mov %rsi, R_RSI(%rsp)
	mov %rdx, R_RDX(%rsp)
	mov %r8, R_R8(%rsp)
	mov %r9, R_R9(%rsp)
	mov %r10, R_R10(%rsp)
	/* RCX points behind the instruction: inside the libOS text is (lo, hi]. */
	cmp %rcx, CPU(CPU_ROUTE_LO)
	jae syscall_redirected
	cmp %rcx, CPU(CPU_ROUTE_HI)
	jb syscall_redirected
	mov CPU(CPU_USER_RSP), %rcx
	mov %rcx, R_RSP(%rsp)
	cmp $RESUME, %rax
	je syscall_resume
	cmp $GATE_CALL, %rax
	je syscall_gate
	mov %rax, %rdi
	lea R_R11(%rsp), %rsi
	call *stub_call_enter(%rip)
syscall_out:
	cmpq $0, CPU(CPU_RESCHED)
	jne syscall_slow
	mov CPU(CPU_PAIR), %rcx
	cmpw $1, (%rcx)
	je syscall_slow
	mov R_RDX(%rsp), %rdx
	mov R_RSI(%rsp), %rsi
	mov R_RDI(%rsp), %rdi
	mov R_R8(%rsp), %r8
	mov R_R9(%rsp), %r9
	mov R_R10(%rsp), %r10
	mov R_RIP(%rsp), %rcx
	mov R_RFLAGS(%rsp), %r11
	mov R_RSP(%rsp), %rsp
	sysretq

syscall_redirected:
	mov CPU(CPU_USER_RSP), %rcx
	mov %rcx, R_RSP(%rsp)
	mov %rax, R_RAX(%rsp)
	movq $EXO_CS64_SEL, R_CS(%rsp)
	movq $EXO_SS_SEL, R_SS(%rsp)
	call *stub_call_redirect(%rip)
	mov R_RAX(%rsp), %rax
	jmp syscall_out

	/* Who goes on from here may be another one, with these registers. */
syscall_gate:
	lea CPU(0), %rdi
	call *stub_call_gate(%rip)
	jmp syscall_out

	/* On success the frame holds the state to load; RBX and the like are still the user's. */
syscall_resume:
	call *stub_call_resume(%rip)
	test %rax, %rax
	jnz syscall_out
	mov CPU(CPU_PAIR), %rcx
	cmpw $1, (%rcx)
	je syscall_resume_slow
	add $R_R11, %rsp
	POP_VOLATILE
	cmp %rcx, (%rsp)
	je 2f
1:	jmp *stub_exit_iret(%rip)	/* its fix-up has no alias */
	/* It looks as a system call would have left it: SYSRETQ, which reads no descriptors, loads the
	 * same.  Not with TF, whose trap would come an instruction too early. */
2:	cmp %r11, R_RFLAGS - R_RIP(%rsp)
	jne 1b
	cmpw $EXO_CS64_SEL, R_CS - R_RIP(%rsp)
	jne 1b
	cmpw $EXO_SS_SEL, R_SS - R_RIP(%rsp)
	jne 1b
	testb $1, 1 + R_RFLAGS - R_RIP(%rsp)
	jnz 1b
	mov R_RSP - R_RIP(%rsp), %rsp
	sysretq

	/* What SYSCALL destroys is filled in only here. */
syscall_slow:
	mov %rax, R_RAX(%rsp)
	mov R_RIP(%rsp), %rcx
	mov %rcx, R_RCX(%rsp)
	mov R_RFLAGS(%rsp), %rcx
	mov %rcx, R_R11(%rsp)
	movq $EXO_CS64_SEL, R_CS(%rsp)
	movq $EXO_SS_SEL, R_SS(%rsp)
syscall_resume_slow:
	movq $0x100, R_VECTOR(%rsp)	/* EXO_INFO_SYSCALL */
	movq $0, R_ERROR(%rsp)
	jmp *stub_exit_slow(%rip)

	.balign 8
stub_call_enter:	.quad call_enter
stub_call_gate:		.quad switch_gate
stub_call_redirect:	.quad call_redirect
stub_call_resume:	.quad call_resume
stub_exit_slow:		.quad exit_slow
stub_exit_iret:		.quad exit_iret
	.balign 4096

	.text
	/* SYSCALL from 32-bit code (AMD): there is no such interface; #UD semantics
	 * would need an address, so the code simply sees ENOSYS. */
	.globl compat_stub
	.hidden compat_stub
compat_stub:
	mov $-38, %eax
	sysretl

/* ---- exceptions and interrupts ----------------------------------------------- */

	.altmacro
.macro STUB vector
	.balign 8
stub_\vector:
	.if \vector == 8 || (\vector >= 10 && \vector <= 14) || \vector == 17 || \vector == 21 || \vector == 29 || \vector == 30
	.else
	push $0
	.endif
	push $\vector
	.if \vector == 1 || \vector == 2 || \vector == 8 || \vector == 18
	jmp trap_ist_entry
	.else
	jmp trap_entry
	.endif
	.pushsection .rodata.trap_stubs, "a"
	.quad stub_\vector
	.popsection
.endm

	.pushsection .rodata.trap_stubs, "a"
	.balign 8
	.globl trap_stubs
	.hidden trap_stubs
trap_stubs:
	.popsection

	.set i, 0
	.rept 256
	STUB %i
	.set i, i + 1
	.endr

	.section .text.hot, "ax", @progbits
trap_entry:
	cld
	CLAC_SITE
	testb $3, 24(%rsp)		/* CS */
	jz trap_from_kernel
	PUSH_VOLATILE
	sub $R_R11, %rsp
	mov %rsp, %rdi
	call trap_user
trap_out:
	mov %rsp, %rax
	and $~(PERCPU_SIZE - 1), %rax
	cmpq $0, PERCPU_CPU + CPU_RESCHED(%rax)
	jne exit_slow
	mov PERCPU_CPU + CPU_PAIR(%rax), %rcx
	cmpw $1, (%rcx)
	je exit_slow
	add $R_R11, %rsp
	POP_VOLATILE
exit_volatile_iret:
	iretq
	FIXUP exit_volatile_iret, exit_bad_state

trap_from_kernel:
	PUSH_VOLATILE
	PUSH_PRESERVED
	mov %rsp, %rdi
	call trap_kernel
	POP_ALL
	iretq

/* NMI, #DB, #DF, #MC: on stacks of their own.  trap_ist tells whether this is a user's #DB,
 * which goes on on the CPU's stack like any other exception. */
trap_ist_entry:
	cld
	CLAC_SITE
	PUSH_VOLATILE
	PUSH_PRESERVED
	mov %rsp, %rdi
	call trap_ist
	test %eax, %eax
	jnz 1f
	POP_ALL
	iretq
1:	mov %rsp, %rsi
	mov %rsp, %rdi
	and $~(PERCPU_SIZE - 1), %rdi
	mov PERCPU_CPU + CPU_STACK(%rdi), %rdi
	sub $TRAP_FRAME_SIZE, %rdi
	mov %rdi, %rsp
	mov $TRAP_FRAME_SIZE / 8, %ecx
	rep movsq
	mov %rsp, %rdi
	call trap_user
	jmp trap_out

/* ---- the slow way out ------------------------------------------------------------ */

exit_slow:
	mov %r15, R_R15(%rsp)
	mov %r14, R_R14(%rsp)
	mov %r13, R_R13(%rsp)
	mov %r12, R_R12(%rsp)
	mov %rbp, R_RBP(%rsp)
	mov %rbx, R_RBX(%rsp)
exit_picked:
	xor %ebp, %ebp			/* ends backtraces */
	call kernel_exit
	POP_ALL
exit_iret:
	iretq
	FIXUP exit_iret, exit_bad_state

/* An IRETQ faulted: the state cannot be loaded.  RSP is at its five words and the general
 * registers are the user's: the frame is made anew, for the record. */
exit_bad_state:
	push $0
	push $0
	PUSH_VOLATILE
	PUSH_PRESERVED
	xor %ebp, %ebp
	call trap_bad_state
	jmp exit_picked

	.globl schedule_forever
	.hidden schedule_forever
schedule_forever:
	mov %rsp, %rax
	and $~(PERCPU_SIZE - 1), %rax
	mov PERCPU_CPU + CPU_STACK(%rax), %rsp
	sub $TRAP_FRAME_SIZE, %rsp
	jmp exit_picked

	.section .note.GNU-stack, "", @progbits
