/* Numbers that C and assembly share: libOS stacks, the saved registers on them, addresses. */
#ifndef POSIX_LAYOUT_H
#define POSIX_LAYOUT_H

#define STACK_STRIDE	0x10000
#define STACK_SIZE	0x8000		/* mapped, at the upper end of the stride */
#define STACK_TOP_SIZE	64

/* struct regs, then struct stack_top */
#define REGS_CALL	120
#define REGS_RIP	152
#define REGS_RFLAGS	168
#define REGS_RSP	176
#define TOP		192
#define TOP_CONTROL	(TOP + 0)
#define TOP_TABLE	(TOP + 8)
#define TOP_WORK	(TOP + 16)

#define CONTROL_PENDING	0x60
#define CONTROL_MASK	0x61

#define SYSCALLS	512

/* A private system call for `strace`: a number that no Linux will use. */
#define SYS_TRACE_ME	511

#endif
