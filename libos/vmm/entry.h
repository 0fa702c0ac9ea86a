/* What entry.S knows of structures and numbers: pinned in vcpu.c. */
#ifndef VMM_ENTRY_H
#define VMM_ENTRY_H

#include "libos/common/upcall.h"

#define FROM_U		0x10000		/* EXO_INFO_FROM_U */
#define INFO_SYSCALL	0x100		/* EXO_INFO_SYSCALL */
#define CALL_RESUME	21		/* EXO_CALL_RESUME */
#define UPCALL_SELF	24		/* struct upcall_base */
#define VCPU_INFO	0		/* struct vcpu */
#define VCPU_KERNEL_SP	8
#define VCPU_SYSCALL	16
#define VCPU_USER_READY	24
#define VCPU_BASE	32
#define VCPU_GS		56		/* base_of[XEN_BASE_GS_KERNEL] */
#define VCPU_FAULT	64
#define VCPU_COUNT	72		/* STAT_SYSCALL, STAT_IRET_USER, STAT_FAULT,
				 * STAT_DIRECT */
#define INFO_CR2	16		/* struct xen_vcpu_info */
#ifdef __ASSEMBLER__
#define XEN_IRET	23		/* xen.h */
#define XEN_SEL_SS	0xe02b
#define XEN_SEL_CS64	0xe033
#endif

#endif
