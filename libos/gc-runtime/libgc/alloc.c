/* Objects in pages.
 *
 * A small object lies in a page of objects of one size and kind; which of its places are taken is a
 * bitmap outside the page, so that the sweep is used &= mark, touches no object and writes no page,
 * and a word that looks like a reference to a free place refers to nothing.  New objects take the
 * free places of a page from low to high addresses.  A large object has pages of its own.
 *
 * As all of the region's addresses are far from small numbers and from text, no black list is kept.
 *
 * Left to space.c: pages; to mark.c: which objects live.
 */
#include "lib.h"
#include <gc/gc_inline.h>

#define CLASSES 40u

struct kind kinds[KINDS] = {
	[KIND_ATOMIC] = { 0, false, false, false, false },
	[KIND_NORMAL] = { 0, true, true, false, true },
	[KIND_UNCOLLECTABLE] = { 0, true, true, true, true },
	[KIND_ATOMIC_UNCOLLECTABLE] = { 0, false, false, true, false },
	[KIND_TYPED] = { 0, true, true, false, false },
	[KIND_ARRAY] = { 0, true, true, false, false },
};
struct alloc alloc;
static unsigned kinds_used = KIND_FIRST_OWN;
static uint32_t current[KINDS][CLASSES], listed[KINDS][CLASSES];	/* page + 1; 0: none */

/* ---- sizes --------------------------------------------------------------------- */

static uint8_t class_of[SMALL_MAX / GRANULE + 1];	/* by granules */
static uint16_t class_granules[CLASSES];

/* Up to 16 granules each has a class; above, the largest of those of which as many fit. */
__attribute__((constructor)) static void make_classes(void)
{
	unsigned class = 0, g = 1;
	while (g <= SMALL_MAX / GRANULE) {
		unsigned to = g <= 16 ? g : GRANULES / (GRANULES / g);
		class_granules[class] = to;
		for (; g <= to; g++)
			class_of[g] = class;
		class++;
	}
}

LIB_API size_t GC_get_size_map_at(int i)
{
	if (i < 0 || i > (int)SMALL_MAX)
		return (size_t)-1;
	return class_granules[class_of[i ? (i + GRANULE) / GRANULE : 1]];
}

/* ---- small objects ---------------------------------------------------------------- */

static bool in_use(uint32_t p) { return p != 0; }

static void list(struct page *g)
{
	uint32_t *head = &listed[g->kind][g->class];
	if (g->flags & PAGE_LISTED)
		return;
	g->next = *head;
	g->flags |= PAGE_LISTED;
	*head = g - space.page + 1;
}

static struct page *unlist(unsigned kind, unsigned class)
{
	uint32_t *head = &listed[kind][class];
	if (!in_use(*head))
		return NULL;
	struct page *g = &space.page[*head - 1];
	*head = g->next;
	g->flags &= ~PAGE_LISTED;
	return g;
}

static struct page *new_page(unsigned kind, unsigned class, bool grow)
{
	uint32_t p = space_take(1, kinds[kind].pointers, grow);
	if (p == NO_PAGE)
		return NULL;
	unsigned size = class_granules[class];
	space.page[p] = (struct page){ .state = PAGE_SMALL, .kind = kind, .class = class,
		.bytes = size * GRANULE, .inverse = 65536 / size + 1, .first = p };
	return &space.page[p];
}

/* A free place of the page, which is no longer free; GRANULES: none. */
static unsigned place(struct page *g)
{
	unsigned size = page_granules(g), at = g->cursor;
	while (at + size <= GRANULES && bit_test(g->used, at))
		at += size;
	g->cursor = at + size <= GRANULES ? at + size : GRANULES;
	if (at + size > GRANULES)
		return GRANULES;
	bit_set(g->used, at);
	if (alloc.black || kinds[g->kind].stays)
		bit_set(g->mark, at);
	return at;
}

static void *place_in(uint32_t *now, unsigned kind)
{
	struct page *g = &space.page[*now - 1];
	unsigned at = place(g);
	if (at == GRANULES)
		return NULL;
	void *p = object_address(g, at);
	alloc.since += g->bytes;
	if (kinds[kind].clear)
		memset(p, 0, g->bytes);
	return p;
}

static void *small(unsigned kind, unsigned class, bool grow)
{
	uint32_t *now = &current[kind][class];
	void *p;
	for (;;) {
		if (in_use(*now) && (p = place_in(now, kind)))
			return p;
		struct page *g = unlist(kind, class);
		if (!g && !(g = new_page(kind, class, grow)))
			return NULL;
		*now = g - space.page + 1;
	}
}

/* ---- large objects ----------------------------------------------------------------- */

static void *large(uint64_t bytes, unsigned kind, uint8_t flags, bool grow)
{
	uint64_t n = (bytes + MMU_PAGE - 1) / MMU_PAGE;
	uint32_t p = n > mmu.pages ? NO_PAGE : space_take(n, kinds[kind].pointers, grow);
	if (p == NO_PAGE)
		return NULL;
	for (uint32_t i = 0; i < n; i++)
		space.page[p + i] = (struct page){ .state = i ? PAGE_REST : PAGE_LARGE,
			.kind = kind, .bytes = bytes, .first = p, .flags = flags };
	bit_set(space.page[p].used, 0);
	if (alloc.black || kinds[kind].stays)
		bit_set(space.page[p].mark, 0);
	alloc.since += bytes;
	if (kinds[kind].clear)
		memset(mmu_address(p), 0, bytes);
	return mmu_address(p);
}

static void *attempt(uint64_t bytes, unsigned kind, uint8_t flags, bool grow)
{
	return bytes <= SMALL_MAX ? small(kind, class_of[bytes / GRANULE], grow) :
		large(bytes, kind, flags, grow);
}

/* With the memory there is; after a collection; with more memory. */
void *alloc_object(uint64_t bytes, unsigned kind, uint8_t flags)
{
	uint64_t size = bytes < GRANULE ? GRANULE : (bytes + GRANULE - 1) & -(uint64_t)GRANULE;
	void *p = NULL;
	lib_need();
	if (size >= bytes) {
		if (size > SMALL_MAX || !in_use(current[kind][class_of[size / GRANULE]]) ||
		    !(p = place_in(&current[kind][class_of[size / GRANULE]], kind))) {
			cycle_poll();
			p = attempt(size, kind, flags, true);
		}
		if (!p && cycle_now(NULL))
			p = attempt(size, kind, flags, true);
	}
	return p ? p : GC_get_oom_fn()(bytes);
}

void *alloc_table(uint64_t bytes)
{
	uint64_t size = (bytes + GRANULE - 1) & -(uint64_t)GRANULE;
	void *p = attempt(size, KIND_ATOMIC_UNCOLLECTABLE, 0, true);
	return p ? memset(p, 0, size) : NULL;
}

/* ---- what words refer to -------------------------------------------------------------- */

struct page *object_at(const void *p, unsigned *granule)
{
	if (!lib_ready || !mmu_inside(p))
		return NULL;
	struct page *g = &space.page[mmu_page(p)];
	unsigned at = (uintptr_t)p % MMU_PAGE / GRANULE;
	*granule = 0;
	switch (g->state) {
	case PAGE_SMALL:
		*granule = (at * g->inverse >> 16) * page_granules(g);
		break;
	case PAGE_REST:
		g = &space.page[g->first];
		break;
	case PAGE_FREE:
		return NULL;
	}
	return bit_test(g->used, *granule) ? g : NULL;
}

LIB_API void *GC_base(void *p)
{
	unsigned at;
	struct page *g = object_at(p, &at);
	return g ? object_address(g, at) : NULL;
}

LIB_API size_t GC_size(const void *p)
{
	unsigned at;
	struct page *g = object_at(p, &at);
	return g ? g->bytes : 0;
}

LIB_API int GC_is_heap_ptr(const void *p)
{
	return lib_ready && mmu_inside(p) && space.page[mmu_page(p)].state != PAGE_FREE;
}

LIB_API int GC_get_kind_and_size(const void *p, size_t *size)
{
	unsigned at;
	struct page *g = object_at(p, &at);
	if (size)
		*size = g ? g->bytes : 0;
	return g ? g->kind : -1;
}

/* ---- the end of objects ------------------------------------------------------------------ */

static void drop_large(struct page *g)
{
	space_free(g - space.page, (g->bytes + MMU_PAGE - 1) / MMU_PAGE);
}

LIB_API void GC_free(void *p)
{
	unsigned at;
	struct page *g = p ? object_at(p, &at) : NULL;
	if (!g || object_address(g, at) != p)
		return;
	alloc.freed += g->bytes;
	if (g->state == PAGE_LARGE) {
		drop_large(g);
		return;
	}
	bit_clear(g->used, at);
	bit_clear(g->mark, at);
	if (at < g->cursor)
		g->cursor = at;
	if (current[g->kind][g->class] != g - space.page + 1)
		list(g);
}

static void count_live(const struct page *g, unsigned objects)
{
	alloc.live += kinds[g->kind].pointers ? objects * g->bytes : 0;
	alloc.live_atomic += kinds[g->kind].pointers ? 0 : objects * g->bytes;
}

static void sweep_small(struct page *g)
{
	unsigned n = 0;
	g->flags = 0;
	for (unsigned i = 0; i < GRANULES / 64; i++)
		n += __builtin_popcountl(g->used[i] &= g->mark[i]);
	g->cursor = 0;
	if (!n)
		space_free(g - space.page, 1);
	else if (n < GRANULES / page_granules(g))
		list(g);
	count_live(g, n);
}

void alloc_sweep(void)
{
	memset(current, 0, sizeof current);
	memset(listed, 0, sizeof listed);
	alloc.before += alloc.since;
	alloc.since = alloc.freed = alloc.live = alloc.live_atomic = 0;
	/* From high to low: lists begin with low pages, which so fill up first */
	for (uint32_t p = space.top; p--; ) {
		struct page *g = &space.page[p];
		if (g->state == PAGE_SMALL)
			sweep_small(g);
		else if (g->state == PAGE_LARGE && !bit_test(g->mark, 0))
			drop_large(g);
		else if (g->state == PAGE_LARGE)
			count_live(g, 1);
	}
}

LIB_API void GC_enumerate_reachable_objects_inner(GC_reachable_object_proc each, void *data)
{
	for (uint32_t p = 0; p < space.top; p++) {
		struct page *g = &space.page[p];
		if (g->state != PAGE_SMALL && g->state != PAGE_LARGE)
			continue;
		for (unsigned at = 0; at < GRANULES; at++)
			if (bit_test(g->mark, at) && bit_test(g->used, at))
				each(object_address(g, at), g->bytes, data);
	}
}

/* ---- the public allocators ---------------------------------------------------------------- */

/* A byte more than asked: a pointer past the end refers to the object, too. */
static uint64_t with_end(size_t bytes) { return bytes + 1 ? bytes + 1 : bytes; }

LIB_API void *GC_malloc_kind(size_t n, int kind) { return alloc_object(with_end(n), kind, 0); }
LIB_API void *GC_malloc(size_t n) { return alloc_object(with_end(n), KIND_NORMAL, 0); }
LIB_API void *GC_malloc_atomic(size_t n) { return alloc_object(with_end(n), KIND_ATOMIC, 0); }
LIB_API void *GC_malloc_stubborn(size_t n) { return GC_malloc(n); }
LIB_API void *GC_malloc_uncollectable(size_t n) { return alloc_object(n, KIND_UNCOLLECTABLE, 0); }
LIB_API void *GC_malloc_atomic_uncollectable(size_t n)
{
	return alloc_object(n, KIND_ATOMIC_UNCOLLECTABLE, 0);
}
LIB_API void *GC_malloc_ignore_off_page(size_t n)
{
	return alloc_object(with_end(n), KIND_NORMAL, PAGE_FIRST_ONLY);
}
LIB_API void *GC_malloc_atomic_ignore_off_page(size_t n)
{
	return alloc_object(with_end(n), KIND_ATOMIC, PAGE_FIRST_ONLY);
}
LIB_API void *GC_generic_malloc(size_t n, int kind) { return alloc_object(with_end(n), kind, 0); }
LIB_API void *GC_generic_or_special_malloc(size_t n, int kind)
{
	return GC_generic_malloc(n, kind);
}
LIB_API void *GC_generic_malloc_uncollectable(size_t n, int kind)
{
	return kinds[kind].pointers ? GC_malloc_uncollectable(n) :
		GC_malloc_atomic_uncollectable(n);
}
LIB_API void *GC_generic_malloc_ignore_off_page(size_t n, int kind)
{
	return alloc_object(with_end(n), kind, PAGE_FIRST_ONLY);
}

/* Whether an object may stay where it is with another size: it fits, and little is wasted. */
LIB_API void *GC_realloc(void *old, size_t n)
{
	unsigned at;
	struct page *g = old ? object_at(old, &at) : NULL;
	if (!g)
		return GC_malloc(n);
	if (!n) {
		GC_free(old);
		return NULL;
	}
	uint64_t keep = n < g->bytes ? n : g->bytes;
	if (n < g->bytes && n >= g->bytes / 2) {
		if (kinds[g->kind].clear)
			memset((uint8_t *)old + n, 0, g->bytes - n);
		return old;
	}
	void *p = alloc_object(with_end(n), g->kind, g->flags & PAGE_FIRST_ONLY);
	if (!p)
		return NULL;
	memcpy(p, old, keep);
	GC_free(old);
	return p;
}

LIB_API void *GC_memalign(size_t align, size_t n)
{
	if (align <= GRANULE)
		return GC_malloc(n);
	uintptr_t p = n + align < n ? 0 : (uintptr_t)GC_malloc(n + align - GRANULE);
	return (void *)((p + align - 1) & -align);
}

LIB_API int GC_posix_memalign(void **to, size_t align, size_t n)
{
	if (align & (align - 1) || align < sizeof(void *))
		return 22;	/* EINVAL */
	*to = GC_memalign(align, n);
	return *to ? 0 : 12;	/* ENOMEM */
}

LIB_API char *GC_strndup(const char *s, size_t n)
{
	size_t length = strnlen(s, n);
	char *to = GC_malloc_atomic(length + 1);
	if (to) {
		memcpy(to, s, length);
		to[length] = 0;
	}
	return to;
}

LIB_API char *GC_strdup(const char *s) { return s ? GC_strndup(s, strlen(s)) : NULL; }

/* A list of objects, linked by their first words.  Of objects that aren't scanned it has one: the
 * collector would not find the others. */
LIB_API void GC_generic_malloc_many(size_t n, int kind, void **result)
{
	void *list_of = NULL;
	for (unsigned i = 0; i < (kinds[kind].conservative ? 64 : 1); i++) {
		void **p = alloc_object(n, kind, 0);
		if (!p)
			break;
		*p = list_of;
		list_of = p;
	}
	*result = list_of;
}

LIB_API void *GC_malloc_many(size_t n)
{
	void *result;
	GC_generic_malloc_many(with_end(n), KIND_NORMAL, &result);
	return result;
}

/* ---- kinds of the program's own ------------------------------------------------------- */

LIB_API unsigned GC_new_kind(void **free_list, GC_word descriptor, int add_size, int clear)
{
	(void)free_list;
	if (kinds_used == KINDS)
		GC_get_abort_func()("Too many kinds of objects");
	kinds[kinds_used] = (struct kind){ descriptor, descriptor || add_size, clear, false,
		!descriptor && add_size };
	return kinds_used++;
}
LIB_API unsigned GC_new_kind_inner(void **free_list, GC_word d, int add_size, int clear)
{
	return GC_new_kind(free_list, d, add_size, clear);
}
/* A place for the free list that gc_mark.h's GC_new_kind wants; there are none here. */
LIB_API void **GC_new_free_list(void) { return GC_malloc_uncollectable(sizeof(void *)); }
LIB_API void **GC_new_free_list_inner(void) { return GC_new_free_list(); }
