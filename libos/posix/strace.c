/* strace inside the session: system calls of a traced process, decoded, on the descriptor 2 of
 * the process that asked for it.
 *
 * /bin/strace (apps/strace) makes a private call and then executes the command.  A traced
 * thread's call table holds trace_call everywhere, so others pay nothing.
 */
#include "libos/posix/process.h"
#include "libos/posix/syscall.h"
#include "libos/posix/fileview.h"
#include "libos/posix/trace.h"

#define LINE_MAX	512
#define TEXT_MAX	32		/* bytes of a string that are shown */

/* One letter an argument: d decimal, x hexadecimal, s string, b buffer whose length follows,
 * p path, f descriptor or AT_FDCWD, o octal, g signal. */
static const struct { const char *name, *args; } forms[] = {
	{ "read", "dxd" }, { "write", "dbd" }, { "open", "pxo" }, { "close", "d" }, { "stat", "px" },
	{ "fstat", "dx" }, { "lstat", "px" }, { "lseek", "ddd" }, { "mmap", "xdxxdx" },
	{ "mprotect", "xdx" }, { "munmap", "xd" }, { "brk", "x" }, { "rt_sigaction", "gxxd" },
	{ "rt_sigprocmask", "dxxd" }, { "ioctl", "dxx" }, { "pread64", "dxdd" }, { "pwrite64", "dbdd" },
	{ "readv", "dxd" }, { "writev", "dxd" }, { "access", "po" }, { "pipe", "x" }, { "dup", "d" },
	{ "dup2", "dd" }, { "dup3", "ddx" }, { "nanosleep", "xx" }, { "getpid", "" }, { "clone", "xxxxx" },
	{ "fork", "" }, { "vfork", "" }, { "execve", "pxx" }, { "exit", "d" }, { "exit_group", "d" },
	{ "wait4", "dxxx" }, { "kill", "dg" }, { "tkill", "dg" }, { "tgkill", "ddg" }, { "uname", "x" },
	{ "fcntl", "ddx" }, { "ftruncate", "dd" }, { "truncate", "pd" }, { "getcwd", "xd" },
	{ "chdir", "p" }, { "fchdir", "d" }, { "rename", "pp" }, { "mkdir", "po" }, { "rmdir", "p" },
	{ "creat", "po" }, { "link", "pp" }, { "unlink", "p" }, { "symlink", "pp" },
	{ "readlink", "pxd" }, { "chmod", "po" }, { "umask", "o" }, { "getuid", "" }, { "getgid", "" },
	{ "geteuid", "" }, { "getegid", "" }, { "setpgid", "dd" }, { "getppid", "" },
	{ "getpgrp", "" }, { "setsid", "" }, { "arch_prctl", "xx" }, { "gettid", "" },
	{ "getdents64", "dxd" }, { "set_tid_address", "x" }, { "clock_gettime", "dx" },
	{ "openat", "fpxo" }, { "mkdirat", "fpo" }, { "newfstatat", "fpxx" }, { "unlinkat", "fpx" },
	{ "readlinkat", "fpxd" }, { "faccessat", "fpo" }, { "faccessat2", "fpox" },
	{ "utimensat", "fpxx" }, { "pipe2", "xx" }, { "prlimit64", "ddxx" }, { "getrandom", "xdx" },
	{ "futex", "xdddxd" }, { "poll", "xdd" }, { "statx", "fpxxx" }, { "sendfile", "ddxd" },
};

struct line { char text[LINE_MAX]; size_t n; };

static void __attribute__((format(printf, 2, 3))) add(struct line *l, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int n = vsnprintf(l->text + l->n, LINE_MAX - l->n, format, args);
	va_end(args);
	l->n = l->n + (size_t)n < LINE_MAX ? l->n + (size_t)n : LINE_MAX - 1;
}

static void add_text(struct line *l, const char *text, size_t n, bool more)
{
	add(l, "\"");
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c == '\n')
			add(l, "\\n");
		else if (c == '\t')
			add(l, "\\t");
		else if (c == '"' || c == '\\')
			add(l, "\\%c", c);
		else if (c >= ' ' && c < 127)
			add(l, "%c", c);
		else
			add(l, "\\%u%u%u", c >> 6, c >> 3 & 7, c & 7);
	}
	add(l, more ? "\"..." : "\"");
}

static void add_string(struct line *l, uint64_t at, size_t limit, bool terminated)
{
	char text[LINE_MAX / 2];
	limit = limit < sizeof text ? limit : sizeof text;
	if (terminated) {
		long n = string_from_user(text, at, limit);
		if (n == -EFAULT)
			add(l, at ? "0x%lx" : "NULL", at);
		else
			add_text(l, text, n < 0 ? limit : (size_t)n, n < 0);
	} else if (copy_from_user(text, at, limit)) {
		add(l, "0x%lx", at);
	} else {
		add_text(l, text, limit, false);
	}
}

static void add_arg(struct line *l, char form, uint64_t v, uint64_t next)
{
	switch (form) {
	case 'p':
		add_string(l, v, LINE_MAX / 2, true);
		break;
	case 'b':
		add_string(l, v, next < TEXT_MAX ? next : TEXT_MAX, false);
		if (next > TEXT_MAX)
			add(l, "...");
		break;
	case 'f':
		if ((int)v == AT_FDCWD) {
			add(l, "AT_FDCWD");
			break;
		}
		/* fall through */
	case 'd':
	case 'g':
		add(l, "%d", (int)v);
		break;
	case 'o':
		add(l, "0%u%u%u", (unsigned)(v >> 6 & 7), (unsigned)(v >> 3 & 7), (unsigned)(v & 7));
		break;
	default:
		add(l, v ? "0x%lx" : "NULL", v);
	}
}

static const char *form_of(const char *name)
{
	for (size_t i = 0; name && i < sizeof forms / sizeof forms[0]; i++)
		if (!strcmp(forms[i].name, name))
			return forms[i].args;
	return "xxxxxx";
}

static void flush(struct line *l)
{
	struct file *sink = this_task()->trace;
	if (sink)
		file_write_kernel(sink, l->text, l->n);
}

static void add_call(struct line *l, unsigned number, const uint64_t *args)
{
	const char *name = syscall_name(number), *form = form_of(name);
	add(l, "[%d] ", this_task()->p.pid);
	if (name)
		add(l, "%s(", name);
	else
		add(l, "syscall_%u(", number);
	for (unsigned i = 0; form[i]; i++) {
		add(l, i ? ", " : "");
		add_arg(l, form[i], args[i], i < 5 ? args[i + 1] : 0);
	}
}

long trace_call(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	struct thread *t = this_thread();
	unsigned number = (unsigned)t->regs->call;
	const uint64_t args[6] = { a, b, c, d, e, f };
	struct line l = { .n = 0 };
	add_call(&l, number, args);
	bool leaves = number == 60 || number == 231 || number == 15;
	if (leaves) {
		add(&l, ") = ?\n");
		flush(&l);
		return syscall_table[number](a, b, c, d, e, f);
	}
	long result = syscall_table[number](a, b, c, d, e, f);
	if (result < 0 && result >= -4095)
		add(&l, ") = -1 (errno %ld)\n", -result);
	else if (result > 0xffffff)
		add(&l, ") = 0x%lx\n", result);
	else
		add(&l, ") = %ld\n", result);
	flush(&l);
	return result;
}

void trace_exit(struct thread *t)
{
	struct line l = { .n = 0 };
	int status = t->task->status;
	if (!t->task->dying && t->task->nthreads > 1)
		return;
	if (status & 0x7f)
		add(&l, "[%d] +++ killed by signal %d +++\n", t->task->p.pid, status & 0x7f);
	else
		add(&l, "[%d] +++ exited with %d +++\n", t->task->p.pid, status >> 8 & 0xff);
	flush(&l);
	trace_end(t->task);
}

/* Whoever reads what it is written to may wait for its end. */
void trace_end(struct task *t)
{
	if (t->trace)
		file_put(t->trace);
	t->trace = NULL;
}

/* From now on the caller's system calls, and those of its descendants, are shown on its
 * descriptor 2. */
CALL1(trace_me, on)
{
	struct thread *t = this_thread();
	struct file *f = fd_file(2);
	if (on && !f)
		return -EBADF;
	trace_end(t->task);
	if (on) {
		file_get(f);
		t->task->trace = f;
	}
	t->top->table = on ? trace_table : syscall_table;
	return 0;
}
