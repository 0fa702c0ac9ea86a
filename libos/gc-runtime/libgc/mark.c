/* Marking: from words that may be references to objects, and from those to their children.
 *
 * What is still to be scanned lies on a stack of ranges.  When it is full, the page of what finds
 * no room there becomes gray: its marked objects are scanned again at the end, as are those of a
 * page that was written meanwhile.
 *
 * Left to roots.c: where it begins; to cycle.c: when.
 */
#include "lib.h"
#include <gc/gc_gcj.h>
#include "libos/gc-runtime/port.h"

#define STACK_BYTES	(512u << 10)
#define PART		512u			/* words scanned before others have their turn */
#define DESCRIPTOR_WORD	8			/* gcj: where a class has its objects' descriptor */

struct GC_ms_entry { void *opaque; };	/* mark procedures pass them through */
struct range { const word *from, *to; };
static struct range *stack;
static uint32_t depth, room;
uint64_t mark_scanned;

static GC_mark_proc procs[GC_MAX_MARK_PROCS];
static unsigned procs_used = GC_RESERVED_MARK_PROCS;

void mark_init(void)
{
	stack = port_memory(STACK_BYTES);
	room = stack ? STACK_BYTES / sizeof *stack : 0;
	if (!room)
		port_fail("gc: no memory for the mark stack\n");
}

/* A range of the heap. */
static void push(const void *from, const void *to)
{
	if (depth < room) {
		stack[depth++] = (struct range){ from, to };
		return;
	}
	for (uint32_t p = mmu_page(from); p <= mmu_page((const uint8_t *)to - 1); p++)
		space.page[p].flags |= PAGE_GRAY;
}

/* ---- objects --------------------------------------------------------------------- */

static void mark_at(struct page *g, unsigned at)
{
	if (bit_test(g->mark, at) || !bit_test(g->used, at))
		return;
	bit_set(g->mark, at);
	if (kinds[g->kind].conservative) {
		uint8_t *p = object_address(g, at);
		push(p, p + g->bytes);
	} else if (kinds[g->kind].pointers)
		mark_children(g, at);
}

void mark_word(uint64_t w)
{
	uint64_t offset = w - mmu.base;
	if (offset >> MMU_SHIFT >= space.top)
		return;
	struct page *g = &space.page[offset >> MMU_SHIFT];
	if (g->state == PAGE_SMALL) {
		unsigned at = offset % MMU_PAGE / GRANULE;
		mark_at(g, (at * g->inverse >> 16) * page_granules(g));
	} else if (g->state == PAGE_LARGE ||
		   (g->state == PAGE_REST && !(g->flags & PAGE_FIRST_ONLY)))
		mark_at(&space.page[g->first], 0);
}

/* The words may be of other types, stale, or another thread's poisoned ones: they are read raw. */
__attribute__((no_sanitize("address"))) void mark_words(const word *from, uint64_t n)
{
	mark_scanned += n;
	for (; n; from++, n--)
		mark_word(*from);
}

void mark_range(const void *from, const void *to)
{
	const word *a = (const word *)(((uintptr_t)from + 7) & ~7ul);
	const word *b = (const word *)((uintptr_t)to & ~7ul);
	if (a < b && depth < room)
		stack[depth++] = (struct range){ a, b };
	else if (a < b)
		mark_words(a, b - a);
}

/* ---- descriptors -------------------------------------------------------------------- */

static uint64_t indirect(uint64_t d, const word *object)
{
	int64_t where = d & ~(uint64_t)GC_DS_TAGS;
	if (where >= 0)
		return *(const word *)((const uint8_t *)object + where);
	const uint8_t *class = (const uint8_t *)*object;
	return class ? *(const word *)(class - where - GC_INDIR_PER_OBJ_BIAS) : 0;
}

static void by_bitmap(uint64_t bits, const word *p)
{
	for (; bits; bits <<= 1, p++)
		if (bits >> 63)
			mark_word(*p);
}

static void by_proc(uint64_t d, word *p)
{
	uint64_t index = d >> GC_DS_TAG_BITS & (GC_MAX_MARK_PROCS - 1);
	struct GC_ms_entry none;
	if (procs[index])
		procs[index]((GC_word *)p, &none, &none + 1,
			d >> (GC_DS_TAG_BITS + GC_LOG_MAX_MARK_PROCS));
}

/* An object, or an element of an array, with a descriptor as gc_mark.h has them. */
static void by_descriptor(const struct page *g, uint64_t d, word *p)
{
	if ((d & GC_DS_TAGS) == GC_DS_PER_OBJECT)
		d = indirect(d, p);
	mark_scanned += 4;
	switch (d & GC_DS_TAGS) {
	case GC_DS_LENGTH:
		if (d)
			push(p, (uint8_t *)p + (d < g->bytes ? d : g->bytes));
		break;
	case GC_DS_BITMAP:
		by_bitmap(d & ~(uint64_t)GC_DS_TAGS, p);
		break;
	case GC_DS_PROC:
		by_proc(d, p);
	}
}

/* An array has its elements' size and descriptor in its last words. */
static void by_element(const struct page *g, word *p)
{
	word *end = p + g->bytes / 8 - 2;
	uint64_t words = end[0] / 8;
	for (; words && p + words <= end; p += words)
		by_descriptor(g, end[1], p);
}

void mark_children(struct page *g, unsigned at)
{
	word *p = object_address(g, at);
	if (kinds[g->kind].conservative)
		push(p, (uint8_t *)p + g->bytes);
	else if (g->kind == KIND_TYPED)
		by_descriptor(g, p[g->bytes / 8 - 1], p);
	else if (g->kind == KIND_ARRAY)
		by_element(g, p);
	else if (kinds[g->kind].pointers)
		by_descriptor(g, kinds[g->kind].descriptor ?: g->bytes, p);
}

LIB_API unsigned GC_new_proc(GC_mark_proc proc)
{
	if (procs_used == GC_MAX_MARK_PROCS)
		GC_get_abort_func()("Too many mark procedures");
	procs[procs_used] = proc;
	return procs_used++;
}
LIB_API unsigned GC_new_proc_inner(GC_mark_proc proc) { return GC_new_proc(proc); }

LIB_API struct GC_ms_entry *GC_mark_and_push(void *p, struct GC_ms_entry *top,
	struct GC_ms_entry *limit, void **from)
{
	(void)limit, (void)from;
	mark_word((uintptr_t)p);
	return top;
}

/* ---- gcj's objects: the first word is their class --------------------------------------- */

LIB_API int GC_gcj_kind, GC_gcj_debug_kind;

LIB_API void GC_init_gcj_malloc(int index, void *proc)
{
	lib_need();
	if (GC_gcj_kind)
		return;
	procs[index] = (GC_mark_proc)proc;
	GC_gcj_kind = GC_gcj_debug_kind = GC_new_kind(GC_new_free_list(),
		(-(uint64_t)DESCRIPTOR_WORD - GC_INDIR_PER_OBJ_BIAS) | GC_DS_PER_OBJECT, 0, 1);
}

static void *gcj(size_t n, void *class, uint8_t flags)
{
	void **p = alloc_object(n + 1, GC_gcj_kind, flags);
	if (p)
		*p = class;
	return p;
}

LIB_API void *GC_gcj_malloc(size_t n, void *class) { return gcj(n, class, 0); }
LIB_API void *GC_gcj_malloc_ignore_off_page(size_t n, void *class)
{
	return gcj(n, class, PAGE_FIRST_ONLY);
}
LIB_API void *GC_debug_gcj_malloc(size_t n, void *class, const char *file, int line)
{
	(void)file, (void)line;
	return gcj(n, class, 0);
}

/* ---- pages whose objects are to be scanned again ------------------------------------------ */

/* A page of a large object: only the words that lie there. */
static void mark_part(struct page *g)
{
	struct page *first = &space.page[g->first];
	const uint8_t *from = mmu_address(g - space.page), *end = mmu_address(g->first);
	end += first->bytes;
	if (!bit_test(first->mark, 0))
		return;
	if (kinds[g->kind].conservative)
		push(from, end - from < MMU_PAGE ? end : from + MMU_PAGE);
	else
		mark_children(first, 0);
}

void mark_page(struct page *g)
{
	g->flags &= ~PAGE_GRAY;
	if (!kinds[g->kind].pointers || g->state == PAGE_FREE)
		return;
	if (g->state != PAGE_SMALL) {
		mark_part(g);
		return;
	}
	for (unsigned i = 0; i < GRANULES / 64; i++)
		for (uint64_t bits = g->mark[i] & g->used[i]; bits; bits &= bits - 1)
			mark_children(g, i * 64 + __builtin_ctzl(bits));
}

/* ---- the work ----------------------------------------------------------------------------- */

static void part(void)
{
	struct range r = stack[--depth];
	if (r.to - r.from > PART) {
		stack[depth++] = (struct range){ r.from + PART, r.to };
		r.to = r.from + PART;
	}
	mark_words(r.from, r.to - r.from);
}

/* The next page that is gray; where the last call stopped, and around. */
static bool gray_page(void)
{
	static uint32_t next;
	for (uint32_t i = 0; i < space.top; i++) {
		next = next + 1 < space.top ? next + 1 : 0;
		if (space.page[next].flags & PAGE_GRAY) {
			mark_page(&space.page[next]);
			return true;
		}
	}
	return false;
}

bool mark_some(uint64_t words)
{
	uint64_t until = mark_scanned + words;
	while (mark_scanned < until) {
		if (depth)
			part();
		else if (!gray_page())
			return true;
	}
	return false;
}

void mark_all(void)
{
	while (!mark_some(~0ul >> 1))
		;
}

void mark_clear(void)
{
	depth = 0;
	for (uint32_t p = 0; p < space.top; p++) {
		struct page *g = &space.page[p];
		bool stays = kinds[g->kind].stays;
		if (g->state != PAGE_SMALL && g->state != PAGE_LARGE)
			continue;
		for (unsigned i = 0; i < GRANULES / 64; i++)
			g->mark[i] = stays ? g->used[i] : 0;
		g->flags = (g->flags & ~PAGE_GRAY) | (stays ? PAGE_GRAY : 0);
	}
}

bool mark_is(const void *p)
{
	unsigned at;
	struct page *g = object_at(p, &at);
	return !g || bit_test(g->mark, at);
}

LIB_API int GC_is_marked(const void *p) { return mark_is(p); }
LIB_API void GC_set_mark_bit(const void *p)
{
	unsigned at;
	struct page *g = object_at(p, &at);
	if (g)
		bit_set(g->mark, at);
}
LIB_API void GC_clear_mark_bit(const void *p)
{
	unsigned at;
	struct page *g = object_at(p, &at);
	if (g)
		bit_clear(g->mark, at);
}
