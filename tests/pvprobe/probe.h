/* What the toy monitor and its guest agree on: addresses, hypercalls, frames.
 *
 *	0x400000		guest user: code, then data at 0x600000
 *	slot 264		the monitor (K roots only)
 *	0xffff888000000000	free for tables that the guest builds (slot 273, as Linux's direct map)
 *	0xffffffff81000000	guest kernel: image; pool of pages; read-only view of page tables
 */
#ifndef PROBE_H
#define PROBE_H

#define USER_BASE	0x400000
#define USER_DATA	0x600000
#define GUEST_BASE	0xffffffff81000000
#define GUEST_POOL	0xffffffff81200000	/* PROBE_POOL pages, read-write; one PT1 of their own */
#define GUEST_TABLES	0xffffffff81400000	/* read-only: the pool's PT1, then the first K root */
#define GUEST_FREE	0xffff888000000000
#define PROBE_POOL	16

#define HC_MMU_UPDATE	1	/* items, n: Xen's mmu_update, passed straight to pt_write */
#define HC_IRET		23	/* nine words at RSP, passed straight to resume */
#define HC_REPORT	100	/* name, why (0: passed) */
#define HC_ECHO		101	/* every register but RAX RCX R11 RSP comes back inverted */
#define HC_RETYPE	102	/* pfn, kind */
#define HC_PAIR		103	/* K, U */
#define HC_MASK_AT	104	/* pfn, offset, address of the {pending, mask} pair */
#define HC_RAISE	105	/* an event to oneself */
#define HC_TIMER	106	/* ns from now */
#define HC_FRAME	107	/* pfn -> type */
#define HC_FLUSH	108
#define HC_DONE		109
#define HC_TRAP		110	/* struct guest_trap: one that no case expects; the end */

/* Patterns in registers: distinct, non-canonical in part, never 0. */
#define PATTERN(i)	(0x9e3779b97f4a7c15 * ((i) + 1))

#define FROM_USER	0x10000	/* EXO_INFO_FROM_U */

#ifndef __ASSEMBLER__
#include <stdint.h>

/* The guest image starts with it. */
struct guest_head {
	uint64_t entry;		/* RDI: struct probe_info */
	uint64_t trap;		/* entered with struct bounce at RSP */
	uint64_t stack;		/* to start on */
	uint64_t kernel_sp;	/* for traps from guest user */
	uint64_t image_end;
};

/* In the pool's first page, filled by the monitor. */
struct probe_info {
	uint64_t smash;		/* 1: only overwrite the monitor's stack, at: */
	uint64_t monitor_stack, monitor_stack_size;
	uint64_t root_k, root_u;
	uint64_t monitor_text;
	uint64_t pool[PROBE_POOL];	/* pfns */
	uint64_t pool_table;		/* pfn of their PT1 */
};

/* Pushed on the guest kernel's stack: what happened (a vector, EXO_INFO_SYSCALL or
 * EXO_INFO_EVENT), then as Xen does it, CS with the RPL telling user from kernel, and RFLAGS.IF
 * telling the event mask. */
struct bounce {
	uint64_t reason, addr, error, info, rip, cs, rflags, rsp, ss;
};
struct guest_trap {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	uint64_t rax, rcx, rdx, rsi, rdi;
	struct bounce b;
};
#endif

#endif
