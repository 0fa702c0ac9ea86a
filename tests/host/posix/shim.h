/* The files half of the POSIX libOS on the developer's machine: the processes half is played by
 * coroutines, user memory is the test's own, and time moves only when all sleep.
 *
 * A test runs as process 1 on a fresh file tree.  It may start others (actor_start), which run
 * when it sleeps or calls settle().
 */
#ifndef POSIX_SHIM_H
#define POSIX_SHIM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "libos/posix/linux_abi.h"
#include "libos/posix/syscall.h"
#include "libos/posix/vfs.h"

struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};
void test_add(struct test *t);
/* In a process of its own, on a fresh tree; tells how it went. */
bool test_run(struct test *t);

#define TEST(id) \
	static void test_##id(void); \
	static struct test entry_##id = { #id, test_##id, NULL }; \
	__attribute__((constructor)) static void add_##id(void) { test_add(&entry_##id); } \
	static void test_##id(void)

void fail(const char *file, int line, const char *format, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
#define CHECK(cond, ...) do { if (!(cond)) fail(__FILE__, __LINE__, __VA_ARGS__); } while (0)
/* A call's result must be exactly this. */
#define IS(expr, want) do { \
		long is_ = (expr), want_ = (want); \
		CHECK(is_ == want_, "%s: %ld, not %ld", #expr, is_, want_); \
	} while (0)
#define TEXT_IS(expr, want) do { \
		const char *text_ = (expr); \
		CHECK(!strcmp(text_, want), "'%s', not '%s'", text_, want); \
	} while (0)

#define U(x) ((uint64_t)(uintptr_t)(x))
#define SIX(a, b, c, d, e, f, ...) U(a), U(b), U(c), U(d), U(e), U(f)
/* SYS(open, path, flags): a system call, with what is left out as 0. */
#define SYS(name, ...) sys_##name(SIX(__VA_ARGS__, 0, 0, 0, 0, 0, 0))

/* ---- the machine's state ---- */

extern uint64_t now_ns;
extern uint64_t fault_from, fault_to;		/* user addresses that fault */
extern size_t pages_left;			/* how many more page_alloc gives */
size_t pages_used(void);
size_t objects_used(void);			/* living kmallocs */

/* ---- processes ---- */

struct process *actor_start(void (*run)(void));	/* a child of the caller, with its files */
void settle(void);				/* until all others sleep or are done */
bool actor_done(struct process *p);
uint64_t signals_of(struct process *p);		/* sent so far, bit = number */
void signals_clear(struct process *p);
void signals_ignore(struct process *p, uint64_t mask);

/* ---- what is sent to the line ---- */

extern uint8_t line_out[1 << 20];
extern size_t line_length, line_limit;		/* the UART takes no more than limit */

/* Shorthands. */
long open_path(const char *path, uint32_t flags, uint32_t mode);
void write_file(const char *path, const char *text);
const char *read_file(const char *path);	/* in a static buffer */

#endif
