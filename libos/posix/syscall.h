/* Declares the handlers of syscalls.def, and how to define one:
 *
 *	CALL2(fstat, fd, buf) { ... }		long sys_fstat(uint64_t fd, uint64_t buf, ...)
 */
#ifndef POSIX_SYSCALL_H
#define POSIX_SYSCALL_H

#include "libos/posix/posix.h"

#define X(number, name, state, handler, test) syscall_fn handler;
#include "libos/posix/syscalls.def"
#undef X

#define CALL0(name) long sys_##name(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t)
#define CALL1(name, a) \
	long sys_##name(uint64_t a, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t)
#define CALL2(name, a, b) \
	long sys_##name(uint64_t a, uint64_t b, uint64_t, uint64_t, uint64_t, uint64_t)
#define CALL3(name, a, b, c) \
	long sys_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t, uint64_t, uint64_t)
#define CALL4(name, a, b, c, d) \
	long sys_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t, uint64_t)
#define CALL5(name, a, b, c, d, e) \
	long sys_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t)
#define CALL6(name, a, b, c, d, e, f) \
	long sys_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)

#endif
