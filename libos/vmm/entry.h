/* What entry.S knows of structures and numbers: pinned in vcpu.c. */
#ifndef VMM_ENTRY_H
#define VMM_ENTRY_H

#include "libos/common/upcall.h"

#define FROM_U		0x10000		/* EXO_INFO_FROM_U */
#define CALL_RESUME	21		/* EXO_CALL_RESUME */
#define UPCALL_SELF	24		/* struct upcall_base */
#define VCPU_INFO	0		/* struct vcpu */
#define VCPU_KERNEL_SP	8
#define VCPU_SYSCALL	16
#define VCPU_USER_READY	24
#define VCPU_COUNT	32		/* STAT_SYSCALL, then STAT_IRET_USER */
#ifdef __ASSEMBLER__
#define XEN_IRET	23		/* xen.h */
#define XEN_SEL_SS	0xe02b
#define XEN_SEL_CS64	0xe033
#endif

#endif
