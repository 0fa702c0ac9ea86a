/* A collector that never reads an evicted page and still finds out what is live on it: when a page
 * with references leaves, its exact out-edges stay in memory.
 *
 * A summary lists, object by object in the order of their starts, how many references it has and where
 * they lead, as differences of granules: most take a byte or two.  Marking goes through summaries
 * as through objects; so garbage in the store, cycles included, is freed without a read.
 *
 * The idea: bookmarks (see bookmark.c), made exact as object stubs are in Marvin (ATC'20).
 */
#include "libos/gc-runtime/gen.h"
#include "libos/gc-runtime/port.h"

#define UNIT		32u		/* bytes; a summary's name is its first unit */
#define UNITS_MAX	128u
#define BYTES_MAX	(UNITS_MAX * UNIT - sizeof(struct summary))

struct summary {
	uint16_t units;
	bool queued;			/* objects of it were reached, and their edges not followed yet */
	uint32_t next;			/* in the queue of pages, or of free summaries */
	uint64_t followed[WORDS];	/* by granule: done in this collection */
	uint8_t edges[];
};
static struct table table;
static uint64_t used;			/* units of the table; unit 0 is nobody's */
static uint32_t free_list[UNITS_MAX + 1];
static uint32_t queue;

static struct summary *summary_at(uint32_t unit)
{
	return (struct summary *)((uint8_t *)mmu_address(table.page) + (uint64_t)unit * UNIT);
}
static struct summary *summary_of(uint32_t page) { return summary_at(page_of(page)->summary); }

static uint32_t summary_take(uint32_t bytes)
{
	uint32_t units = (sizeof(struct summary) + bytes + UNIT - 1) / UNIT, at = free_list[units];
	if (at) {
		free_list[units] = summary_at(at)->next;
	} else {
		at = used;
		used += units;
		table_grow(&table, used * UNIT);
	}
	*summary_at(at) = (struct summary){ .units = units };
	gc_stats.summary_bytes += units * UNIT;
	if (gc_stats.summary_bytes > gc_stats.summary_peak)
		gc_stats.summary_peak = gc_stats.summary_bytes;
	return at;
}

static void summary_put(uint32_t page)
{
	uint32_t at = page_of(page)->summary;
	if (!at)
		return;
	struct summary *s = summary_at(at);
	s->next = free_list[s->units];
	free_list[s->units] = at;
	gc_stats.summary_bytes -= s->units * UNIT;
	page_of(page)->summary = 0;
}

/* ---- coding ------------------------------------------------------------------ */

static uint8_t *put_number(uint8_t *to, uint64_t v)
{
	for (; v >= 128; v >>= 7)
		*to++ = v | 128;
	*to++ = v;
	return to;
}

static const uint8_t *get_number(const uint8_t *from, uint64_t *v)
{
	unsigned shift = 0;
	*v = 0;
	do {
		*v |= (uint64_t)(*from & 127) << shift;
		shift += 7;
	} while (*from++ & 128);
	return from;
}

/* Small differences of either sign are small numbers. */
static uint64_t fold(int64_t d) { return (uint64_t)d << 1 ^ (uint64_t)(d >> 63); }
static int64_t unfold(uint64_t v) { return (int64_t)(v >> 1) ^ -(int64_t)(v & 1); }

/* An object's edges: the first difference times 4 plus their number, 3 for more (the number follows);
 * then each from the one before it.  Siblings tend to lie side by side. */
static uint8_t *put_edges(uint8_t *to, uint64_t own, gc_ref *slot, uint32_t n)
{
	uint32_t some = 0, i = 0;
	for (uint32_t k = 0; k < n; k++)
		some += slot[k] != NULL;
	if (!some)
		return put_number(to, 0);
	for (; !slot[i]; i++)
		;
	to = put_number(to, fold((int64_t)(granule_of(slot[i]) - own)) << 2 | (some < 3 ? some : 3));
	if (some >= 3)
		to = put_number(to, some);
	own = granule_of(slot[i]);
	for (i++; i < n; i++)
		if (slot[i]) {
			to = put_number(to, fold((int64_t)(granule_of(slot[i]) - own)));
			own = granule_of(slot[i]);
		}
	return to;
}

static void follow_edge(uint64_t granule)
{
	region_mark_object((struct gc_object *)(mmu.base + granule * GC_GRANULE));
}

static const uint8_t *get_edges(const uint8_t *from, uint64_t own, bool follow)
{
	uint64_t v, n;
	from = get_number(from, &v);
	n = v & 3;
	if (!n)
		return from;
	if (n == 3)
		from = get_number(from, &n);
	for (v >>= 2;; from = get_number(from, &v)) {
		own += unfold(v);
		if (follow)
			follow_edge(own);
		if (!--n)
			return from;
	}
}

/* ---- leaving and coming back ---------------------------------------------------- */

static gc_ref *large_first_slot;
static uint32_t large_n;
static bool note_large(gc_ref *slot)
{
	if (!large_n++)
		large_first_slot = slot;
	return false;
}

static uint32_t encode(uint32_t p, uint8_t *edges)
{
	const uint64_t *start = page_bits(paging.start, p);
	uint8_t *to = edges, *bytes = mmu_window(mmu_frame(p));
	uint64_t own = (uint64_t)p * GRANULES;
	if (page_of(p)->space != SPACE_MATURE) {
		large_n = 0;
		region_slots(p, true, note_large);
		return put_edges(to, own, large_first_slot, large_n) - edges;
	}
	for (unsigned g = 0; g < GRANULES; g++)
		if (bit_get(start, g)) {
			struct gc_object *o = (struct gc_object *)(bytes + g * GC_GRANULE);
			to = put_edges(to, own + g, gc_slots(o), gc_refs(o));
		}
	return to - edges;
}

static void enqueue(uint32_t p)
{
	struct summary *s = summary_of(p);
	if (s->queued)
		return;
	s->queued = true;
	s->next = queue;
	queue = p;
}

static void dequeue(uint32_t p)
{
	uint32_t *at = &queue;
	while (*at != p)
		at = &summary_of(*at)->next;
	*at = summary_of(p)->next;
}

static enum page_fate leaving(uint32_t p)
{
	static uint8_t edges[8192];	/* a page's references, 5 bytes each, and 256 counts, are less */
	enum page_fate fate = gen_leaving(p);
	if (fate != PAGE_WRITE || page_of(p)->space == SPACE_NURSERY || page_of(p)->flags & PAGE_LEAF)
		return fate;
	uint32_t n = encode(p, edges);
	if (n > BYTES_MAX)
		return PAGE_KEEP;
	page_of(p)->summary = summary_take(n);
	memcpy(summary_of(p)->edges, edges, n);
	if (page_of(p)->flags & PAGE_GRAY)
		enqueue(p);
	page_of(p)->flags &= ~PAGE_GRAY;
	return PAGE_WRITE;
}

static void back(uint32_t p)
{
	if (page_of(p)->summary && summary_of(p)->queued) {
		dequeue(p);
		region_gray(p);
	}
	summary_put(p);
	if (page_of(p)->space == SPACE_MATURE)
		region_restore(p);
}

/* ---- what marking asks ------------------------------------------------------- */

static bool exact(uint32_t p)
{
	(void)p;
	return true;
}

static void reach(struct gc_object *o, uint32_t p)
{
	bit_put(paging.live, granule_of(o));
	if (!(page_of(p)->flags & PAGE_LEAF))
		enqueue(p);
}

static void edges_of_large(uint32_t p)
{
	get_edges(summary_of(p)->edges, (uint64_t)p * GRANULES, true);
}

/* The edges of the page's objects that were reached since it was followed last. */
static void follow(uint32_t p)
{
	struct summary *s = summary_of(p);
	const uint64_t *start = page_bits(paging.start, p), *live = page_bits(paging.live, p);
	const uint8_t *from = s->edges;
	s->queued = false;
	if (page_of(p)->space != SPACE_MATURE) {
		edges_of_large(p);
		return;
	}
	for (unsigned g = 0; g < GRANULES; g++) {
		if (!bit_get(start, g))
			continue;
		bool now = bit_get(live, g) && !bit_get(s->followed, g);
		if (now)
			bit_put(s->followed, g);
		from = get_edges(from, (uint64_t)p * GRANULES + g, now);
	}
}

static bool more(void)
{
	bool any = queue;
	while (queue) {
		uint32_t p = queue;
		queue = summary_of(p)->next;
		follow(p);
	}
	return any;
}

static void roots(void)
{
	queue = 0;
	for (uint32_t p = region.first; p < region.large_top; p++)
		if (page_in_use(p) && page_of(p)->state == PAGE_OUT && page_of(p)->summary) {
			memset(summary_of(p)->followed, 0, WORDS * 8);
			summary_of(p)->queued = false;
		}
}

static const struct region_hooks hooks = { roots, reach, more, edges_of_large, summary_put, exact };

static void init(void)
{
	gen_init(&hooks);
	used = 1;
	table_init(&table, (uint64_t)paging.pages * MMU_PAGE / 8);
}

const struct gc_collector collector_summary = {
	.name = "summary", .about = "gen that never reads evicted pages: exact out-edges",
	.init = init, .allocate = gen_allocate, .collect = gen_collect, .leaving = leaving,
	.back = back, .verify = region_verify,
};
