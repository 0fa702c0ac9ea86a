/* Where marking begins: the data segments and what GC_add_roots names, without what
 * GC_exclude_static_roots names; the stack; registers; what the program pushes itself.
 *
 * All of the stack is scanned, GC_do_blocking's part too: that is safe, and only keeps more.
 * A libc's own heap (malloc) is not a root, as with every libgc.
 */
#include "lib.h"

#define ROOTS	1024u

struct span { uintptr_t from, to; };
struct spans { unsigned n; struct span at[ROOTS]; };
static struct spans added, excluded;
static uint64_t bytes;
static bool no_data;			/* GC_clear_roots: not even the data segments */
static GC_has_static_roots_func filter;
static GC_push_other_roots_proc others;

LIB_API char *GC_stackbottom;

static void add(struct spans *s, void *from, void *to)
{
	if (s->n == ROOTS)
		GC_get_abort_func()("Too many root sets");
	else if (from < to)
		s->at[s->n++] = (struct span){ (uintptr_t)from, (uintptr_t)to };
}

LIB_API void GC_add_roots(void *from, void *to) { add(&added, from, to); }
LIB_API void GC_exclude_static_roots(void *from, void *to) { add(&excluded, from, to); }
LIB_API void GC_clear_exclusion_table(void) { excluded.n = 0; }
LIB_API void GC_clear_roots(void)
{
	added.n = 0;
	no_data = true;
}

/* Those that lie inside [from, to). */
LIB_API void GC_remove_roots(void *from, void *to)
{
	for (unsigned i = 0; i < added.n; )
		if (added.at[i].from >= (uintptr_t)from && added.at[i].to <= (uintptr_t)to)
			added.at[i] = added.at[--added.n];
		else
			i++;
}

LIB_API int GC_is_tmp_root(void *p) { return (void)p, 0; }
LIB_API void GC_register_has_static_roots_callback(GC_has_static_roots_func f) { filter = f; }
LIB_API void GC_set_push_other_roots(GC_push_other_roots_proc f) { others = f; }
LIB_API GC_push_other_roots_proc GC_get_push_other_roots(void) { return others; }

/* ---- pushing --------------------------------------------------------------------- */

/* What lies before, between and after excluded spans. */
static void push_span(uintptr_t from, uintptr_t to)
{
	while (from < to) {
		uintptr_t end = to, next = to;
		for (unsigned i = 0; i < excluded.n; i++) {
			const struct span *x = &excluded.at[i];
			if (x->to > from && x->from < end) {
				end = x->from > from ? x->from : from;
				next = x->to < to ? x->to : to;
			}
		}
		if (from < end) {
			bytes += end - from;
			mark_range((void *)from, (void *)end);
		}
		from = next;
	}
}

static void push_segment(void *from, void *to) { push_span((uintptr_t)from, (uintptr_t)to); }

bool roots_wanted(const char *name, void *from, size_t n)
{
	return !filter || filter(name, from, n);
}

/* The registers that a function saves for its caller lie in this one's frame. */
__attribute__((noinline)) static void push_stack(void)
{
	__builtin_unwind_init();
	char *here = __builtin_frame_address(0);
	char *low = (char *)__builtin_alloca(16);
	low = low < here ? low : here;
	bytes += GC_stackbottom - low;
	mark_range(low, GC_stackbottom);
}

void roots_push(void)
{
	bytes = 0;
	if (!no_data && !GC_get_no_dls())
		sys_data_segments(push_segment);
	for (unsigned i = 0; i < added.n; i++)
		push_span(added.at[i].from, added.at[i].to);
	push_stack();
	if (others)
		others();
}

uint64_t roots_bytes(void) { return bytes; }

LIB_API void GC_push_all(void *from, void *to) { mark_range(from, to); }
LIB_API void GC_push_all_eager(void *from, void *to) { mark_range(from, to); }
LIB_API void GC_push_conditional(void *from, void *to, int all) { (void)all, mark_range(from, to); }

/* ---- the stack's other end ---------------------------------------------------------- */

void roots_init(void)
{
	if (!GC_stackbottom)
		GC_stackbottom = sys_stack_bottom();
}

LIB_API int GC_get_stack_base(struct GC_stack_base *to)
{
	to->mem_base = sys_stack_bottom();
	return GC_SUCCESS;
}

LIB_API void *GC_get_my_stackbottom(struct GC_stack_base *to)
{
	lib_need();
	to->mem_base = GC_stackbottom;
	return NULL;
}

LIB_API void GC_set_stackbottom(void *thread, const struct GC_stack_base *base)
{
	(void)thread;
	GC_stackbottom = base->mem_base;
}

LIB_API void *GC_call_with_stack_base(GC_stack_base_func f, void *arg)
{
	struct GC_stack_base base = { __builtin_frame_address(0) };
	return f(&base, arg);
}

LIB_API void *GC_do_blocking(GC_fn_type f, void *data) { return f(data); }
LIB_API void *GC_call_with_gc_active(GC_fn_type f, void *data) { return f(data); }
