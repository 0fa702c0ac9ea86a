/* Finalizers and disappearing links.
 *
 * Both are tables from an address to more, by open hashing, in uncollectable memory that isn't
 * scanned: so a registration keeps no object alive.  After marking, in this order: short links to
 * unmarked objects vanish; unmarked objects with a finalizer are queued, those last that others
 * in the table still refer to, and all that they refer to is marked; long links vanish.
 *
 * Left to cycle.c: when; finalizers run after it, outside the collector, before an allocation
 * returns.
 */
#include "lib.h"
#include <gc/javaxfc.h>

#define FIRST_SIZE	64u

struct entry {
	uint64_t key;			/* address of the link, or of the object; 0: free; GONE */
	uint64_t object;		/* of a link: hidden, so that it looks like no reference */
	GC_finalization_proc proc;
	void *data;
	uint8_t order;
};
enum { ORDERED, IGNORE_SELF, NO_ORDER, UNREACHABLE };
#define GONE	(~0ul)

struct table { struct entry *at; uint32_t size, used; };	/* size: a power of two */
static struct table links, long_links, finalizers;
struct queued { void *object, *data; GC_finalization_proc proc; };
static struct { struct queued *at; uint32_t first, n, size; } queue;
static bool inside;			/* a finalizer runs */

static uint64_t hide(const void *p) { return ~(uint64_t)p; }
static void *reveal(uint64_t h) { return (void *)~h; }

/* ---- tables ------------------------------------------------------------------------- */

static uint32_t hash(uint64_t key) { return key * 0x9e3779b97f4a7c15ul >> 32; }

static struct entry *look(const struct table *t, uint64_t key)
{
	for (uint32_t i = hash(key); t->size; i++) {
		struct entry *e = &t->at[i & (t->size - 1)];
		if (e->key == key)
			return e;
		if (!e->key)
			break;
	}
	return NULL;
}

static struct entry *place_for(const struct table *t, uint64_t key)
{
	uint32_t i = hash(key);
	while (t->at[i & (t->size - 1)].key)
		i++;
	return &t->at[i & (t->size - 1)];
}

/* Room for one more; half of a table is free. */
static bool make_room(struct table *t)
{
	if (t->used < t->size / 2)
		return true;
	uint32_t live = 0;
	for (uint32_t i = 0; i < t->size; i++)
		live += t->at[i].key && t->at[i].key != GONE;
	struct table to = { NULL, t->size ? t->size : FIRST_SIZE, live };
	while (live >= to.size / 4)
		to.size *= 2;
	if (!(to.at = alloc_table((uint64_t)to.size * sizeof *to.at)))
		return false;
	for (uint32_t i = 0; i < t->size; i++)
		if (t->at[i].key && t->at[i].key != GONE)
			*place_for(&to, t->at[i].key) = t->at[i];
	GC_free(t->at);
	*t = to;
	return true;
}

static struct entry *insert(struct table *t, uint64_t key)
{
	if (!make_room(t))
		return NULL;
	struct entry *e = place_for(t, key);
	*e = (struct entry){ .key = key };
	t->used++;
	return e;
}

static void each(struct table *t, void (*f)(struct entry *e))
{
	for (uint32_t i = 0; i < t->size; i++)
		if (t->at[i].key && t->at[i].key != GONE)
			f(&t->at[i]);
}

/* ---- links ------------------------------------------------------------------------------ */

static int link_add(struct table *t, void **link, const void *object)
{
	struct entry *e = look(t, (uint64_t)link);
	if (e) {
		e->object = hide(object);
		return GC_DUPLICATE;
	}
	if (!(e = insert(t, (uint64_t)link)))
		return GC_NO_MEMORY;
	e->object = hide(object);
	return GC_SUCCESS;
}

static int link_remove(struct table *t, void **link)
{
	struct entry *e = look(t, (uint64_t)link);
	if (e)
		e->key = GONE;
	return e != NULL;
}

static int link_move(struct table *t, void **link, void **to)
{
	struct entry *e = look(t, (uint64_t)link);
	if (!e)
		return GC_NOT_FOUND;
	if (link == to)
		return GC_SUCCESS;
	if (look(t, (uint64_t)to))
		return GC_DUPLICATE;
	void *object = reveal(e->object);
	e->key = GONE;
	return link_add(t, to, object);
}

LIB_API int GC_register_disappearing_link(void **link)
{
	void *base = GC_base(link);
	return base ? link_add(&links, link, base) : GC_UNIMPLEMENTED;
}
LIB_API int GC_general_register_disappearing_link(void **link, const void *object)
{
	return link_add(&links, link, object);
}
LIB_API int GC_move_disappearing_link(void **link, void **to)
{
	return link_move(&links, link, to);
}
LIB_API int GC_unregister_disappearing_link(void **link) { return link_remove(&links, link); }
LIB_API int GC_register_long_link(void **link, const void *object)
{
	return link_add(&long_links, link, object);
}
LIB_API int GC_move_long_link(void **link, void **to) { return link_move(&long_links, link, to); }
LIB_API int GC_unregister_long_link(void **link) { return link_remove(&long_links, link); }

/* A link that lies in a dead object goes with it; one to a dead object becomes NULL. */
static void link_check(struct entry *e)
{
	void **link = (void **)e->key;
	if (!mark_is(link))
		e->key = GONE;
	else if (!mark_is(reveal(e->object))) {
		*link = NULL;
		e->key = GONE;
	}
}

static void link_check_place(struct entry *e)
{
	if (!mark_is((void *)e->key))
		e->key = GONE;
}

/* ---- finalizers ----------------------------------------------------------------------------- */

static void finalizer_set(void *object, GC_finalization_proc proc, void *data,
	GC_finalization_proc *old_proc, void **old_data, uint8_t order)
{
	struct entry *e = look(&finalizers, (uint64_t)object);
	if (old_proc)
		*old_proc = e ? e->proc : NULL;
	if (old_data)
		*old_data = e ? e->data : NULL;
	if (!proc) {
		if (e)
			e->key = GONE;
		return;
	}
	if (!GC_base(object) || (!e && !(e = insert(&finalizers, (uint64_t)object))))
		return;
	e->proc = proc;
	e->data = data;
	e->order = order;
}

#define REGISTER(name, order) \
	LIB_API void GC_register_finalizer##name(void *object, GC_finalization_proc proc, \
		void *data, GC_finalization_proc *old_proc, void **old_data) \
	{ \
		finalizer_set(object, proc, data, old_proc, old_data, order); \
	} \
	LIB_API void GC_debug_register_finalizer##name(void *object, GC_finalization_proc proc, \
		void *data, GC_finalization_proc *old_proc, void **old_data) \
	{ \
		finalizer_set(object, proc, data, old_proc, old_data, order); \
	}
REGISTER(, ORDERED)
REGISTER(_ignore_self, IGNORE_SELF)
REGISTER(_no_order, NO_ORDER)
REGISTER(_unreachable, UNREACHABLE)

/* What an object that is to be finalized refers to is not finalized before it. */
static void mark_below(struct entry *e)
{
	unsigned at;
	struct page *g = object_at((void *)e->key, &at);
	if (!g) {
		e->key = GONE;		/* freed explicitly */
		return;
	}
	if (bit_test(g->mark, at) || e->order >= NO_ORDER)
		return;
	if (e->order == IGNORE_SELF) {
		bit_set(g->mark, at);	/* its references to itself find it marked, others' don't */
		mark_words(object_address(g, at), g->bytes / 8);
		bit_clear(g->mark, at);
	} else
		mark_children(g, at);
	mark_all();
}

static bool queue_add(const struct entry *e)
{
	if (queue.n == queue.size)
		return false;
	queue.at[queue.n++] = (struct queued){ (void *)e->key, e->data, e->proc };
	return true;
}

static GC_await_finalize_proc awaiting;

static void enqueue(struct entry *e)
{
	if (mark_is((void *)e->key) || !queue_add(e))
		return;
	if (awaiting)
		awaiting((void *)e->key);
	e->key = GONE;
}

/* All there may be in one collection has room before it begins. */
bool final_prepare(void)
{
	uint32_t need = queue.n - queue.first + finalizers.used;
	if (need <= queue.size - queue.first && queue.size)
		return true;
	uint32_t size = 2 * need + FIRST_SIZE;
	struct queued *at = alloc_table((uint64_t)size * sizeof *at);
	if (!at)
		return false;
	for (uint32_t i = queue.first; i < queue.n; i++)
		at[i - queue.first] = queue.at[i];
	queue.n -= queue.first;
	queue.first = 0;
	GC_free(queue.at);
	queue.at = at;
	queue.size = size;
	return true;
}

static void push_data(struct entry *e) { mark_word((uint64_t)e->data); }

void final_push(void)
{
	each(&finalizers, push_data);
	for (uint32_t i = queue.first; i < queue.n; i++) {
		mark_word((uint64_t)queue.at[i].object);
		mark_word((uint64_t)queue.at[i].data);
	}
}
LIB_API void GC_push_finalizer_structures(void) { final_push(); }

void final_decide(void)
{
	each(&links, link_check);
	each(&finalizers, mark_below);
	each(&finalizers, enqueue);
	final_push();
	mark_all();
	each(&links, link_check_place);
	each(&long_links, link_check);
}

/* ---- running them --------------------------------------------------------------------- */

LIB_API int GC_should_invoke_finalizers(void) { return queue.first < queue.n; }

LIB_API int GC_invoke_finalizers(void)
{
	int n = 0;
	for (; queue.first < queue.n; n++) {
		struct queued q = queue.at[queue.first];
		queue.at[queue.first++] = (struct queued){ 0 };
		q.proc(q.object, q.data);
	}
	return n;
}

/* Not inside another finalizer: they would nest as deep as there are any. */
void final_run(void)
{
	if (!GC_should_invoke_finalizers() || inside)
		return;
	if (GC_get_finalize_on_demand()) {
		if (GC_get_finalizer_notifier())
			GC_get_finalizer_notifier()();
		return;
	}
	inside = true;
	GC_invoke_finalizers();
	inside = false;
}

static void enqueue_any(struct entry *e)
{
	if (object_at((void *)e->key, &(unsigned){ 0 }) && queue_add(e))
		e->key = GONE;
}

/* javaxfc.h: at the end of a program. */
LIB_API void GC_finalize_all(void)
{
	while (final_prepare()) {
		each(&finalizers, enqueue_any);
		if (!GC_invoke_finalizers())
			break;
	}
}

LIB_API void GC_set_await_finalize_proc(GC_await_finalize_proc f) { awaiting = f; }
LIB_API GC_await_finalize_proc GC_get_await_finalize_proc(void) { return awaiting; }
