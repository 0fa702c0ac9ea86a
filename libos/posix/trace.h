/* strace: the decoding of system calls (strace.c). */
#ifndef POSIX_TRACE_H
#define POSIX_TRACE_H

#include "libos/posix/posix.h"

syscall_fn trace_call;

#endif
