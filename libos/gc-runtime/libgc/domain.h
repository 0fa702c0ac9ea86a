/* A static C program in a domain of its own, on the exokernel back end of mmu.h. */
#ifndef LIBGC_DOMAIN_H
#define LIBGC_DOMAIN_H

#include "libos/common/common.h"

/* domain_entry.S: where a program's `syscall` goes on; it calls domain_call. */
extern char domain_call_entry[];
/* A Linux system call: its arguments and number; the result, or -errno. */
int64_t domain_call(const uint64_t *a, uint64_t number);
/* lib.h's questions to the surroundings. */
extern const bool mmu_protects;
uint32_t sys_pages(void);
uint64_t sys_frames(void);
void sys_started(void);

#endif
