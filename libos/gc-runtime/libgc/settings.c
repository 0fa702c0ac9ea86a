/* The beginning, and what programs set and ask: gc.h's variables, functions that set and get them,
 * statistics, messages, the environment's GC_* variables.
 *
 * Some settings have no meaning here (leak finding, marker threads, executable pages...): they keep
 * what they are given, or say that they are off, as gc.h allows.
 */
#include "lib.h"
#include <gc/gc_inline.h>
#include <gc/gc_version.h>
#include "libos/gc-runtime/port.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool lib_ready;

/* ---- messages ---------------------------------------------------------------------------- */

static int log_fd = 2;

static void vmessage(int fd, const char *format, va_list args)
{
	char text[1024];
	int n = vsnprintf(text, sizeof text, format, args);
	n = n < (int)sizeof text ? n : (int)sizeof text - 1;
	if (n > 0 && write(fd, text, n) < 0)
		return;
}

/* What bdwgc's own test program prints by. */
LIB_API void GC_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
LIB_API void GC_log_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
LIB_API void GC_err_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define PRINTER(name, fd) \
	LIB_API void name(const char *format, ...) \
	{ \
		va_list args; \
		va_start(args, format); \
		vmessage(fd, format, args); \
		va_end(args); \
	}
PRINTER(GC_printf, 1)
PRINTER(GC_log_printf, log_fd)
PRINTER(GC_err_printf, 2)
LIB_API void GC_set_log_fd(int fd) { log_fd = fd; }

static void on_abort(const char *text)
{
	if (text)
		GC_err_printf("%s\n", text);
}
/* As gc.h says: a format with one argument. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void warn(char *format, GC_word value) { GC_err_printf(format, value); }
LIB_API void GC_ignore_warn_proc(char *format, GC_word value) { (void)format, (void)value; }
static void *no_memory(size_t n) { return (void)n, NULL; }

LIB_API void (*GC_on_abort)(const char *) = on_abort;
LIB_API GC_oom_func GC_oom_fn = no_memory;
static GC_warn_proc warn_proc = warn;

LIB_API void GC_abort_on_oom(void)
{
	GC_err_printf("Insufficient memory for the allocation\n");
	exit(1);
}

/* ---- variables and their functions ----------------------------------------------------------- */

#define SETTING(type, name, first) \
	LIB_API type GC_##name = first; \
	ACCESS(type, name)
#define ACCESS(type, name) \
	LIB_API void GC_set_##name(type v) { GC_##name = v; } \
	LIB_API type GC_get_##name(void) { return GC_##name; }
#define OWN(type, name, first) \
	static type own_##name = first; \
	LIB_API void GC_set_##name(type v) { own_##name = v; } \
	LIB_API type GC_get_##name(void) { return own_##name; }

SETTING(int, all_interior_pointers, 1)
SETTING(int, finalize_on_demand, 0)
SETTING(int, java_finalization, 0)
SETTING(GC_finalizer_notifier_proc, finalizer_notifier, NULL)
SETTING(int, dont_expand, 0)
SETTING(GC_word, non_gc_bytes, 0)
SETTING(int, no_dls, 0)
SETTING(GC_word, max_retries, 0)
SETTING(int, dont_precollect, 0)
SETTING(GC_on_heap_resize_proc, on_heap_resize, NULL)
ACCESS(GC_oom_func, oom_fn)
ACCESS(int, full_freq)
ACCESS(GC_word, free_space_divisor)
ACCESS(unsigned long, time_limit)
OWN(GC_word, allocd_bytes_per_finalizer, 10000)
OWN(int, rate, 10)
OWN(int, max_prior_attempts, 1)
OWN(int, pages_executable, 0)
OWN(int, manual_vdb_allowed, 0)
OWN(int, force_unmap_on_gcollect, 0)
OWN(GC_stop_func, stop_func, NULL)
OWN(GC_toggleref_func, toggleref_func, NULL)
LIB_API int GC_find_leak, GC_use_entire_heap;
LIB_API void *GC_least_plausible_heap_addr, *GC_greatest_plausible_heap_addr;

LIB_API void GC_set_find_leak(int on)
{
	if (on)
		warn_proc((char *)"GC: no leak finding here (%lu)\n", on);
}
LIB_API int GC_get_find_leak(void) { return 0; }
LIB_API void GC_set_warn_proc(GC_warn_proc f) { warn_proc = f; }
LIB_API GC_warn_proc GC_get_warn_proc(void) { return warn_proc; }
LIB_API void GC_set_abort_func(GC_abort_func f) { GC_on_abort = f; }

/* A function that ends the program after the user's was told. */
static void abort_now(const char *text)
{
	GC_on_abort(text);
	abort();
}
LIB_API GC_abort_func GC_get_abort_func(void)
{
	return GC_on_abort == on_abort ? abort_now : GC_on_abort;
}

LIB_API void GC_set_time_limit_tv(struct GC_timeval_s t)
{
	GC_time_limit = t.tv_ms + (t.tv_nsec != 0);
}
LIB_API struct GC_timeval_s GC_get_time_limit_tv(void)
{
	return (struct GC_timeval_s){ GC_time_limit, 0 };
}
LIB_API void GC_set_max_heap_size(GC_word n) { space.limit = n; }
LIB_API int GC_expand_hp(size_t n) { return (void)n, lib_need(), 1; }
LIB_API unsigned GC_get_version(void)
{
	return GC_VERSION_MAJOR << 16 | GC_VERSION_MINOR << 8 | GC_VERSION_MICRO;
}
LIB_API int GC_incremental_protection_needs(void)
{
	return mmu_protects ? GC_PROTECTS_POINTER_HEAP : GC_PROTECTS_NONE;
}
LIB_API int GC_toggleref_add(void *p, int strong)
{
	(void)p, (void)strong;
	return GC_UNIMPLEMENTED;
}
LIB_API GC_word GC_get_gc_no(void) { return GC_gc_no; }
LIB_API int GC_is_init_called(void) { return lib_ready; }
LIB_API void GC_deinit(void) { }
LIB_API void GC_start_performance_measurement(void) { }
LIB_API void GC_start_mark_threads(void) { }
LIB_API void GC_win32_free_heap(void) { }

/* One thread: there is no lock to take, and a child of fork has a heap of its own. */
LIB_API void *GC_call_with_alloc_lock(GC_fn_type f, void *data) { return f(data); }
LIB_API void GC_set_handle_fork(int how) { (void)how; }
LIB_API void GC_atfork_prepare(void) { }
LIB_API void GC_atfork_parent(void) { }
LIB_API void GC_atfork_child(void) { }

/* ---- statistics ----------------------------------------------------------------------- */

LIB_API size_t GC_get_heap_size(void) { return (size_t)space.mapped * MMU_PAGE; }
LIB_API size_t GC_get_unmapped_bytes(void) { return 0; }
LIB_API size_t GC_get_obtained_from_os_bytes(void) { return GC_get_heap_size(); }
LIB_API size_t GC_get_bytes_since_gc(void) { return alloc.since; }
LIB_API size_t GC_get_expl_freed_bytes_since_gc(void) { return alloc.freed; }
LIB_API size_t GC_get_total_bytes(void) { return alloc.before + alloc.since; }
/* Declared by no header of Debian's, used by bdwgc's own test program. */
LIB_API void GC_incr_bytes_allocd(size_t n), GC_incr_bytes_freed(size_t n);
LIB_API void GC_incr_bytes_allocd(size_t n) { alloc.since += n; }
LIB_API void GC_incr_bytes_freed(size_t n) { alloc.freed += n; }

/* Live at the last collection, and what came and went since. */
LIB_API size_t GC_get_memory_use(void)
{
	return alloc.live + alloc.live_atomic + alloc.since - alloc.freed;
}
LIB_API size_t GC_get_free_bytes(void)
{
	size_t heap = GC_get_heap_size(), used = GC_get_memory_use();
	return used < heap ? heap - used : 0;
}
static void put(GC_word *to, GC_word value)
{
	if (to)
		*to = value;
}
LIB_API void GC_get_heap_usage_safe(GC_word *heap, GC_word *free_bytes, GC_word *unmapped,
	GC_word *since, GC_word *total)
{
	put(heap, GC_get_heap_size());
	put(free_bytes, GC_get_free_bytes());
	put(unmapped, 0);
	put(since, alloc.since);
	put(total, GC_get_total_bytes());
}
LIB_API size_t GC_get_prof_stats(struct GC_prof_stats_s *to, size_t size)
{
	struct GC_prof_stats_s s = { .heapsize_full = GC_get_heap_size(),
		.free_bytes_full = GC_get_free_bytes(), .bytes_allocd_since_gc = alloc.since,
		.allocd_bytes_before_gc = alloc.before, .gc_no = GC_gc_no,
		.expl_freed_bytes_since_gc = alloc.freed,
		.obtained_from_os_bytes = GC_get_heap_size() };
	size_t n = size < sizeof s ? size : sizeof s;
	memcpy(to, &s, n);
	if (size > n)
		memset((char *)to + n, 0xff, size - n);
	return n;
}
static void print_state(void (*print)(const char *, ...), const char *name)
{
	print("%s: heap %zu KiB, live %lu KiB of objects with pointers, %lu KiB without; %lu "
		"collections, %lu ms, the longest stop %lu us\n", name, GC_get_heap_size() >> 10,
		alloc.live >> 10, alloc.live_atomic >> 10, GC_gc_no, GC_get_full_gc_total_time(),
		cycle_pause_max() / 1000);
}
LIB_API void GC_dump_named(const char *name) { print_state(GC_printf, name ? name : "gc"); }
/* There are no free lists to print. */
LIB_API void GC_print_free_list(int kind, size_t granules) { (void)kind, (void)granules; }
LIB_API void GC_register_describe_type_fn(int kind, GC_describe_type_fn f) { (void)kind, (void)f; }
LIB_API void GC_dump(void) { GC_dump_named(NULL); }
LIB_API void GC_dump_regions(void) { GC_dump_named("regions"); }
LIB_API void GC_dump_finalization(void) { GC_dump_named("finalization"); }

/* ---- the beginning -------------------------------------------------------------------- */

static uint64_t number(const char *name)
{
	const char *s = sys_variable(name);
	char *end = NULL;
	uint64_t n = s ? strtoul(s, &end, 10) : 0;
	if (end && (*end == 'k' || *end == 'K'))
		return n << 10;
	if (end && (*end == 'm' || *end == 'M'))
		return n << 20;
	return end && (*end == 'g' || *end == 'G') ? n << 30 : n;
}

static void print_at_exit(void) { print_state(GC_log_printf, "gc"); }

static void read_environment(void)
{
	if (number("GC_MAXIMUM_HEAP_SIZE"))
		space.limit = number("GC_MAXIMUM_HEAP_SIZE");
	if (number("GC_FREE_SPACE_DIVISOR"))
		GC_free_space_divisor = number("GC_FREE_SPACE_DIVISOR");
	if (number("GC_FULL_FREQUENCY"))
		GC_full_freq = number("GC_FULL_FREQUENCY");
	if (number("GC_PAUSE_TIME_TARGET"))
		GC_time_limit = number("GC_PAUSE_TIME_TARGET");
	if (sys_variable("GC_DONT_GC"))
		GC_dont_gc++;
	if (sys_variable("GC_PRINT_STATS"))
		atexit(print_at_exit);
	if (sys_variable("GC_ENABLE_INCREMENTAL"))
		GC_enable_incremental();
}

void lib_init(void)
{
	if (lib_ready)
		return;
	mark_init();
	space_init();
	lib_ready = true;
	GC_least_plausible_heap_addr = mmu_address(0);
	GC_greatest_plausible_heap_addr = mmu_address(mmu.pages);
	roots_init();
	space_note_revocation();
	read_environment();
}

LIB_API void GC_init(void) { lib_need(); }
