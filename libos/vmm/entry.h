/* What entry.S knows of structures and numbers: pinned in vcpu.c. */
#ifndef VMM_ENTRY_H
#define VMM_ENTRY_H

#include "libos/common/upcall.h"

#define FROM_U		0x10000		/* EXO_INFO_FROM_U */
#define INFO_SYSCALL	0x100		/* EXO_INFO_SYSCALL */
#define CALL_RESUME	21		/* EXO_CALL_RESUME */
/* A vCPU's upcall stack ends with its record, in whose page the first frames lie: what the short
 * ways touch is one page, since each load of CR3 empties small TLBs.  Behind the first vCPU's
 * record lies what fast.S reads. */
#define VCPU_SPACE	2048		/* from the stack's top to the end of UPCALL_STACK_SIZE */
#define FAST_SPACE	128		/* struct fast: the end of that */
#define VCPU_INFO	0		/* struct vcpu */
#define VCPU_KERNEL_SP	8
#define VCPU_SYSCALL	16
#define VCPU_USER_READY	24
#define VCPU_PAIR	32
#define VCPU_GS		56		/* base_of[XEN_BASE_GS_KERNEL] */
#define VCPU_FAULT	64
#define VCPU_COUNT	72		/* STAT_SYSCALL, STAT_IRET_USER, STAT_FAULT,
				 * STAT_DIRECT */
#define FAST_HYPERCALL	0		/* struct fast */
#define FAST_IRET	8
#define FAST_VCPUS	16
#define FAST_VCPU	24
#define INFO_CR2	16		/* struct xen_vcpu_info */
#ifdef __ASSEMBLER__
#define XEN_IRET	23		/* xen.h */
#define XEN_SEL_SS	0xe02b
#define XEN_SEL_CS64	0xe033
#endif

#endif
