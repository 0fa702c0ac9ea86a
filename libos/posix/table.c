/* The system call tables, from syscalls.def; unknown numbers. */
#include "libos/posix/process.h"
#include "libos/posix/syscall.h"
#include "libos/posix/trace.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
syscall_fn *const syscall_table[SYSCALLS] = {
	[0 ... SYSCALLS - 1] = sys_unknown,
#define X(number, name, state, handler, test) [number] = handler,
#include "libos/posix/syscalls.def"
#undef X
};
#pragma GCC diagnostic pop

/* Every entry of a traced process's table. */
syscall_fn *const trace_table[SYSCALLS] = { [0 ... SYSCALLS - 1] = trace_call };

static const char *const names[SYSCALLS] = {
#define X(number, name, state, handler, test) [number] = #name,
#include "libos/posix/syscalls.def"
#undef X
};

const char *syscall_name(unsigned number)
{
	return number < SYSCALLS ? names[number] : NULL;
}

/* One line in the log for each number. */
CALL0(unknown)
{
	static uint64_t told[SYSCALLS / 64 + 1];
	uint64_t number = (uint64_t)this_thread()->regs->call;
	uint64_t slot = number < SYSCALLS ? number : SYSCALLS;
	if (number < SYSCALLS && names[number])
		return -ENOSYS;
	if (!(told[slot / 64] >> slot % 64 & 1)) {
		told[slot / 64] |= 1ul << slot % 64;
		posix_log("system call %lu is not there (%s[%d])", number, this_task()->p.name,
			this_task()->p.pid);
	}
	return -ENOSYS;
}
