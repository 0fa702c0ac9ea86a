/* The rest of gc.h that is about objects: checks of pointers, stores, and the debugging allocators,
 * which here are the ordinary ones (GC_DEBUG compiles and runs; it finds nothing more).
 */
#include "lib.h"

/* ---- checks of pointers ------------------------------------------------------------- */

static void not_same(void *p, void *q)
{
	(void)p, (void)q;
	GC_get_abort_func()("GC_same_obj test failed");
}
static void not_valid(void *p)
{
	(void)p;
	GC_get_abort_func()("GC_is_valid_displacement test failed");
}
static void not_visible(void *p)
{
	(void)p;
	GC_get_abort_func()("GC_is_visible test failed");
}
LIB_API void (*GC_same_obj_print_proc)(void *, void *) = not_same;
LIB_API void (*GC_is_valid_displacement_print_proc)(void *) = not_valid;
LIB_API void (*GC_is_visible_print_proc)(void *) = not_visible;

/* Outside the heap nothing is known. */
LIB_API void *GC_same_obj(void *p, void *q)
{
	void *a = GC_base(p), *b = GC_base(q);
	if (a != b)
		GC_same_obj_print_proc(p, q);
	return p;
}

/* Interior pointers all count. */
LIB_API void *GC_is_valid_displacement(void *p)
{
	if (GC_is_heap_ptr(p) && !GC_base(p))
		GC_is_valid_displacement_print_proc(p);
	return p;
}
LIB_API void GC_register_displacement(size_t n) { (void)n; }
LIB_API void GC_debug_register_displacement(size_t n) { (void)n; }

static const char *sought;
static bool found;
static void seek(void *from, void *to)
{
	found |= sought >= (char *)from && sought < (char *)to;
}

/* Whether the collector would see a reference at p: on the stack, in static data, in an object. */
LIB_API void *GC_is_visible(void *p)
{
	lib_need();
	sought = p;
	found = GC_base(p) ||
		((char *)p >= (char *)__builtin_frame_address(0) && (char *)p < GC_stackbottom);
	sys_data_segments(seek);
	if (!found)
		GC_is_visible_print_proc(p);
	return p;
}

LIB_API void *GC_pre_incr(void **p, ptrdiff_t by)
{
	char *to = (char *)*p + by;
	return *p = GC_same_obj(to, *p);
}
LIB_API void *GC_post_incr(void **p, ptrdiff_t by)
{
	void *was = *p;
	GC_pre_incr(p, by);
	return was;
}

/* ---- stores --------------------------------------------------------------------------- */

/* Dirty bits see every write: nothing is to be said of one. */
LIB_API void GC_end_stubborn_change(const void *p) { (void)p; }
LIB_API void GC_change_stubborn(const void *p) { (void)p; }
LIB_API void GC_debug_end_stubborn_change(const void *p) { (void)p; }
LIB_API void GC_debug_change_stubborn(const void *p) { (void)p; }
LIB_API void GC_ptr_store_and_dirty(void *p, const void *q) { *(const void **)p = q; }
LIB_API void GC_debug_ptr_store_and_dirty(void *p, const void *q) { *(const void **)p = q; }
LIB_API void GC_noop1(GC_word w);	/* what GC_reachable_here is with other compilers */
LIB_API void GC_noop1(GC_word w) { __asm__ volatile("" : : "r"(w)); }
LIB_API void *GC_clear_stack(void *p) { return p; }

/* ---- debugging allocators ---------------------------------------------------------------- */

#define WHERE const char *file, int line
#define UNUSED (void)file, (void)line

LIB_API void *GC_debug_malloc(size_t n, WHERE) { UNUSED; return GC_malloc(n); }
LIB_API void *GC_debug_malloc_atomic(size_t n, WHERE) { UNUSED; return GC_malloc_atomic(n); }
LIB_API void *GC_debug_malloc_stubborn(size_t n, WHERE) { UNUSED; return GC_malloc(n); }
LIB_API void *GC_debug_malloc_uncollectable(size_t n, WHERE)
{
	UNUSED;
	return GC_malloc_uncollectable(n);
}
LIB_API void *GC_debug_malloc_atomic_uncollectable(size_t n, WHERE)
{
	UNUSED;
	return GC_malloc_atomic_uncollectable(n);
}
LIB_API void *GC_debug_malloc_ignore_off_page(size_t n, WHERE)
{
	UNUSED;
	return GC_malloc_ignore_off_page(n);
}
LIB_API void *GC_debug_malloc_atomic_ignore_off_page(size_t n, WHERE)
{
	UNUSED;
	return GC_malloc_atomic_ignore_off_page(n);
}
LIB_API void *GC_debug_generic_or_special_malloc(size_t n, int kind, WHERE)
{
	UNUSED;
	return GC_generic_or_special_malloc(n, kind);
}
LIB_API char *GC_debug_strdup(const char *s, WHERE) { UNUSED; return GC_strdup(s); }
LIB_API char *GC_debug_strndup(const char *s, size_t n, WHERE) { UNUSED; return GC_strndup(s, n); }
LIB_API void *GC_debug_realloc(void *p, size_t n, WHERE) { UNUSED; return GC_realloc(p, n); }
LIB_API void GC_debug_free(void *p) { GC_free(p); }
LIB_API void *GC_debug_malloc_replacement(size_t n) { return GC_malloc(n); }
LIB_API void *GC_debug_realloc_replacement(void *p, size_t n) { return GC_realloc(p, n); }
LIB_API const size_t GC_debug_header_size;
LIB_API size_t GC_get_debug_header_size(void) { return 0; }
