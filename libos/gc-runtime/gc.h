/* The C API of the GC runtime: objects, roots, allocation, collections.
 *
 * OBJECTS.  An object is a C struct whose first member is struct gc_object, followed by its
 * references (pointers to objects, or NULL), followed by plain data.  It starts zeroed, at a
 * multiple of 16, and moves in collections: a pointer in a variable that is not a root is stale
 * after gc_new, gc_safepoint or gc_collect.  No interior pointers.
 *
 * ROOTS.  GC_ROOTS(f, &a, &b) declares that the variables a and b hold objects or NULL until the
 * enclosing block ends.  Globals: gc_root_add.
 *
 * For one thread, the mutator.  Collections happen only inside gc_new, gc_safepoint, gc_collect.
 *
 * After Whippet's embedder API and the MPS's formats, cut down to what collectors here need.
 */
#ifndef GC_H
#define GC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GC_GRANULE	16u
#define GC_SMALL	2048u		/* bytes of the largest small object; larger ones lie on pages
					 * of their own */

/* Header: bit 0 forwarded (then the rest is the new address), 1-31 references, 32-63 granules. */
struct gc_object { uint64_t header; };

static inline uint32_t gc_refs(const struct gc_object *o) { return (uint32_t)o->header >> 1; }
static inline uint64_t gc_granules(const struct gc_object *o) { return o->header >> 32; }
/* A reference wherever it is stored, of whatever type the program gave it. */
typedef struct gc_object *__attribute__((may_alias)) gc_ref;
static inline gc_ref *gc_slots(struct gc_object *o) { return (gc_ref *)(o + 1); }

/* ---- the mutator's state ------------------------------------------------------------------- */

struct gc_frame {
	struct gc_frame *next;
	uint32_t n;
	void *const *root;	/* n addresses of variables */
};
struct gc_mutator {
	uint8_t *bump, *end;		/* zeroed memory for small objects; end is NULL where none is left */
	struct gc_frame *frames;
	uint8_t *cards;			/* biased: the card of address a is cards[a >> GC_CARD]; NULL: none */
	volatile bool poll;		/* gc_safepoint has something to do */
	bool trace;			/* gc_touch records */
};
extern struct gc_mutator gc_mutator;
#define GC_CARD	9

static inline void gc_frame_pop(struct gc_frame *f) { gc_mutator.frames = f->next; }
#define GC_ROOTS(name, ...) \
	void *const name##_roots[] = { __VA_ARGS__ }; \
	struct gc_frame name __attribute__((cleanup(gc_frame_pop))) = { gc_mutator.frames, \
		sizeof name##_roots / sizeof *name##_roots, name##_roots }; \
	gc_mutator.frames = &name

/* ---- allocation ------------------------------------------------------------------------------ */

void *gc_new_slow(uint32_t refs, uint64_t bytes);

/* A zeroed object of `bytes` (header included) whose first `refs` words after the header are
 * references.  Never NULL: without memory the program ends with a message. */
static inline void *gc_new(uint32_t refs, uint64_t bytes)
{
	uint64_t size = (bytes + GC_GRANULE - 1) & -(uint64_t)GC_GRANULE;
	uint8_t *p = gc_mutator.bump;
	if (size > GC_SMALL || (int64_t)size > (int64_t)((uintptr_t)gc_mutator.end - (uintptr_t)p))
		return gc_new_slow(refs, bytes);
	gc_mutator.bump = p + size;
	((struct gc_object *)p)->header = (size / GC_GRANULE) << 32 | (uint64_t)refs << 1;
	return p;
}

/* ---- access ---------------------------------------------------------------- */

void gc_touch_slow(const void *p, bool write);
/* Programs whose page references are to be recorded (gclab --opt) call it with what they read or
 * write. */
static inline void gc_touch(const void *p, bool write)
{
	if (__builtin_expect(gc_mutator.trace, 0))
		gc_touch_slow(p, write);
}
#define GC_GET(object, field) (gc_touch(object, false), (object)->field)

/* Before a store of a reference into an object: its page may leave between any two instructions,
 * and with the card already marked it leaves as one that was written. */
static inline void gc_writes(const void *slot)
{
	gc_touch(slot, true);
	if (gc_mutator.cards) {
		gc_mutator.cards[(uintptr_t)slot >> GC_CARD] = 1;
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	}
}
/* Every store of a reference into an object goes through this.  `value` is computed first: it may
 * allocate. */
#define GC_SET(object, field, value) do { \
		__auto_type gc_value = (value); \
		gc_writes(&(object)->field); \
		(object)->field = gc_value; \
	} while (0)

/* ---- life -------------------------------------------------------------------- */

struct gc_options {
	const char *collector, *pager, *store;	/* NULL: the first of the list */
	uint64_t memory;	/* bytes of frames for everything; 0: as much as there is */
	uint64_t heap;		/* bytes of addresses; 0: GC_HEAP */
	uint64_t offer;		/* bytes of frames to be kept so that they may go at once, unasked */
	uint64_t step;		/* words that marking scans in a young collection; 0: GC_STEP */
	bool verify;		/* walk the heap after each collection, hash pages in the store */
	bool trace;		/* record page references */
};
#define GC_HEAP	(512ul << 20)
#define GC_STEP	(1ul << 19)

/* Ends the program with a message if it can't. */
void gc_init(const struct gc_options *options);
/* The address of a variable that holds an object or NULL, for good. */
void gc_root_add(void *root);
enum gc_scope { GC_YOUNG, GC_FULL };
void gc_collect(enum gc_scope scope);

void gc_safepoint_slow(void);
static inline void gc_safepoint(void)
{
	if (gc_mutator.poll)
		gc_safepoint_slow();
}

/* Where a program begins, on Virtue and on Linux: argument i, 0 is its name.  The result is its exit
 * status. */
int gc_main(unsigned argc, const char *(*arg)(unsigned i));

/* ---- what happened ---------------------------------------------------------------------------- */

#define GC_PAUSES	65536u
struct gc_stats {
	uint64_t start;			/* ns */
	uint64_t allocated;		/* bytes of chunks and large objects */
	uint64_t young, full;		/* collections */
	uint64_t steps;			/* young ones that also marked a part of the heap */
	uint64_t gc_time, pauses, pause_max;	/* ns; a pause is a collection */
	uint64_t loads_mutator, loads_collector;	/* pages read from the store, by whose access */
	uint64_t loads_ahead;		/* of both: nobody asked for them yet */
	uint64_t written;		/* pages to the store */
	uint64_t disk_reads, disk_writes;	/* requests to the disk of the store of that name */
	uint64_t dropped_clean;		/* evicted without a write: the store had them */
	uint64_t discarded;		/* resident pages dropped as dead */
	uint64_t discarded_out;		/* pages in the store dropped as dead, unread */
	uint64_t reread_dead;		/* pages read though their content was dead */
	uint64_t kept;			/* victims the collector refused */
	uint64_t revoked;		/* frames given back */
	uint64_t moved;			/* pages that changed their address, without a copy */
	uint64_t peak;			/* frames in use, at most */
	uint64_t summary_bytes, summary_peak;	/* of out-edge summaries */
	uint32_t pause[GC_PAUSES];	/* us */
	uint32_t pause_at[GC_PAUSES];	/* us from `start` to its beginning */
};
extern struct gc_stats gc_stats;

/* Names and one line on each, for --list; NULL past the end. */
const char *gc_collector_name(unsigned i, const char **about);
const char *gc_pager_name(unsigned i, const char **about);
const char *gc_store_name(unsigned i, const char **about);

#endif
