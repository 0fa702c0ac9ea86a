/* gc_typed.h: objects whose descriptor says which words are references.
 *
 * A descriptor is one of gc_mark.h's: a length, a bitmap of up to 62 words, or, for longer
 * bitmaps, a mark procedure of this file with the number of a bitmap that is kept for good.  A
 * typed object has its descriptor in its last word; an array its elements' size and descriptor in
 * its last two.
 */
#include "lib.h"
#include <gc/gc_typed.h>

#define BITS		62u
#define LONG_BITMAPS	4096u

struct bitmap { uint64_t words; uint64_t bits[]; };
static struct bitmap *long_bitmap[LONG_BITMAPS];
static unsigned long_bitmaps, long_proc;

static struct GC_ms_entry *mark_long(GC_word *object, struct GC_ms_entry *top,
	struct GC_ms_entry *limit, GC_word number)
{
	const struct bitmap *b = long_bitmap[number];
	(void)limit;
	for (uint64_t i = 0; i < b->words; i++)
		if (bit_test(b->bits, i))
			mark_word(((word *)object)[i]);
	return top;
}

/* The number of words up to the last reference. */
static uint64_t length_of(const GC_word *bm, size_t n)
{
	while (n && !GC_get_bit(bm, n - 1))
		n--;
	return n;
}

static GC_descr make_long(const GC_word *bm, uint64_t n)
{
	struct bitmap *b = long_bitmaps == LONG_BITMAPS ? NULL :
		GC_malloc_atomic_uncollectable(sizeof *b + (n + 63) / 64 * 8);
	if (!b)
		return n * sizeof(GC_word);	/* conservative, as gc_typed.h allows */
	if (!long_proc)
		long_proc = GC_new_proc(mark_long);
	b->words = n;
	memcpy(b->bits, bm, (n + 63) / 64 * 8);
	long_bitmap[long_bitmaps] = b;
	return GC_MAKE_PROC(long_proc, (GC_word)long_bitmaps++);
}

LIB_API GC_descr GC_make_descriptor(const GC_word *bm, size_t bits)
{
	uint64_t n = length_of(bm, bits), i, d = 0;
	for (i = 0; i < n && GC_get_bit(bm, i); i++)
		;
	if (i == n)
		return n * sizeof(GC_word);	/* all of them: a length; none: 0 */
	if (n > BITS)
		return make_long(bm, n);
	for (i = 0; i < n; i++)
		d |= (GC_word)GC_get_bit(bm, i) << (63 - i);
	return d | GC_DS_BITMAP;
}

/* Marking must find the descriptor before anything else is allocated: it is written at once. */
static void *typed(size_t n, unsigned kind, uint64_t next_to_last, GC_descr d, uint8_t flags)
{
	uint64_t extra = kind == KIND_ARRAY ? 2 : 1, size = n + extra * sizeof(GC_word);
	word *p = size < n ? GC_get_oom_fn()(n) : alloc_object(size, kind, flags);
	if (!p)
		return NULL;
	uint64_t words = GC_size(p) / 8;
	if (kind == KIND_ARRAY)
		p[words - 2] = next_to_last;
	p[words - 1] = d;
	return p;
}

LIB_API void *GC_malloc_explicitly_typed(size_t n, GC_descr d)
{
	return typed(n, KIND_TYPED, 0, d, 0);
}
LIB_API void *GC_malloc_explicitly_typed_ignore_off_page(size_t n, GC_descr d)
{
	return typed(n, KIND_TYPED, 0, d, PAGE_FIRST_ONLY);
}
LIB_API void *GC_calloc_explicitly_typed(size_t count, size_t n, GC_descr d)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, n, &bytes))
		return GC_get_oom_fn()(~(size_t)0);
	return typed(bytes, KIND_ARRAY, n, d, 0);
}
