/* lru-cache: a cache of pointer-free values behind a hash table and a list by recent use; skewed keys, a
 * miss replaces the oldest entry.  Old objects die, in no order. */
#include "libos/gc-runtime/lab/lab.h"

#define ENTRIES		65536u
#define OPERATIONS	1500000u
#define VALUE_MAX	768u

struct value { struct gc_object gc; uint64_t key; uint8_t bytes[]; };
struct entry {
	struct gc_object gc;
	struct entry *chain, *newer, *older;
	struct value *value;
	uint64_t key;
};
struct table { struct gc_object gc; struct entry *bucket[]; };

struct cache {
	struct table *table;
	struct entry *newest, *oldest;
	uint64_t buckets, n, most;
};
static struct cache cache;

static uint64_t place(uint64_t key) { return key * 0x9e3779b97f4a7c15ul >> 20 & (cache.buckets - 1); }

static struct entry *find(uint64_t key)
{
	struct entry *e = GC_GET(cache.table, bucket[place(key)]);
	while (e && GC_GET(e, key) != key)
		e = e->chain;
	return e;
}

static void unlink_entry(struct entry *e)
{
	if (e->newer)
		GC_SET(e->newer, older, e->older);
	else
		cache.newest = e->older;
	if (e->older)
		GC_SET(e->older, newer, e->newer);
	else
		cache.oldest = e->newer;
}

static void link_first(struct entry *e)
{
	GC_SET(e, newer, (struct entry *)NULL);
	GC_SET(e, older, cache.newest);
	if (cache.newest)
		GC_SET(cache.newest, newer, e);
	else
		cache.oldest = e;
	cache.newest = e;
}

static void drop_oldest(void)
{
	struct entry *e = cache.oldest, *at;
	uint64_t b = place(GC_GET(e, key));
	unlink_entry(e);
	at = cache.table->bucket[b];
	if (at == e) {
		GC_SET(cache.table, bucket[b], e->chain);
	} else {
		while (GC_GET(at, chain) != e)
			at = at->chain;
		GC_SET(at, chain, e->chain);
	}
	cache.n--;
}

static void insert(uint64_t key, uint64_t size)
{
	struct entry *e = NULL;
	struct value *v = NULL;
	GC_ROOTS(f, &e, &v);
	e = gc_new(4, sizeof *e);
	e->key = key;
	v = gc_new(0, sizeof *v + size);
	gc_touch(v, true);
	v->key = key;
	for (uint64_t i = 0; i < size; i += 64)
		v->bytes[i] = key + i;
	GC_SET(e, value, v);
	GC_SET(e, chain, GC_GET(cache.table, bucket[place(key)]));
	GC_SET(cache.table, bucket[place(key)], e);
	link_first(e);
	if (++cache.n > cache.most)
		drop_oldest();
}

static uint64_t run(unsigned small)
{
	uint64_t seed = 88172645463325252ul, sum = 0, hits = 0, operations = OPERATIONS >> small;
	cache = (struct cache){ .buckets = ENTRIES >> small, .most = ENTRIES >> small };
	gc_root_add(&cache.table);
	gc_root_add(&cache.newest);
	gc_root_add(&cache.oldest);
	cache.table = gc_new(cache.buckets, sizeof *cache.table + cache.buckets * 8);
	for (uint64_t i = 0; i < operations; i++) {
		uint64_t r = lab_random(&seed), range = cache.most * 4;
		uint64_t key = (r % range) * ((r >> 40) % range) / range;	/* small keys are frequent */
		struct entry *e = find(key);
		lab_progress(i, operations);
		if (!e) {
			insert(key, (r >> 32) % VALUE_MAX);
			continue;
		}
		hits++;
		sum = lab_mix(sum, GC_GET(e->value, key));
		unlink_entry(e);
		link_first(e);
	}
	return lab_mix(sum, hits);
}

const struct bench bench_cache = { "lru-cache", "pointer-free values, replaced when old", run };
