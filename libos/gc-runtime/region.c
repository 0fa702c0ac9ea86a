/* The mature and the large space: allocation, marking, sweeping.  See region.h. */
#include "libos/gc-runtime/region.h"
#include "libos/gc-runtime/port.h"

#define LARGE_SHARE	3u	/* of the addresses, 1/3 is for large objects */
#define RECYCLE		8u	/* a page with fewer free lines is not worth it */
#define AHEAD		8u	/* pages made resident at once */

struct region region;
static struct run {
	uint8_t *at, *end;	/* the hole that is being filled */
	uint32_t page;		/* its page; 0: none */
	uint32_t recycled;	/* pages below it have no holes left */
	uint32_t spare, spares;	/* fresh pages in hand */
} run[2];			/* with references; pointer-free */
static uint32_t fresh_hint, large_hint;

static struct table stack_table;
static uint64_t stack_n;
static uint64_t scanned;		/* words, since marking began */
static bool any_gray;			/* some page may be */

void region_init(uint32_t first, uint32_t end, const struct region_hooks *hooks)
{
	uint32_t large = ((end - first) / LARGE_SHARE) & -SEGMENT;
	region = (struct region){ .first = first, .end = end - large, .top = first,
		.large = end - large, .large_end = end, .large_top = end - large, .hooks = hooks };
	fresh_hint = first;
	large_hint = region.large;
	run[0].recycled = run[1].recycled = first;
	table_init(&stack_table, (uint64_t)(end - first) * MMU_PAGE / 16);
}

/* ---- small objects ------------------------------------------------------------------------- */

static bool is_free(uint32_t p)
{
	return !paging.ready[p / SEGMENT] || page_of(p)->space == SPACE_FREE;
}

/* The next hole of the run's page at or after `at`. */
static bool hole(struct run *r, uint8_t *at)
{
	uint8_t *base = mmu_address(r->page);
	const uint8_t *line = (const uint8_t *)page_bits(paging.live, r->page);
	uint32_t i = (at - base + LINE - 1) / LINE, k;
	while (i < LINES && line[i])
		i++;
	for (k = i; k < LINES && !line[k]; k++)
		;
	r->at = base + i * LINE;
	r->end = base + k * LINE;
	return i < k;
}

static bool recycle(struct run *r, bool leaf)
{
	for (uint32_t p = r->recycled; p < region.top; p++) {
		struct page *g = page_of(p);
		if (g->space != SPACE_MATURE || g->state != PAGE_IN || g->count < RECYCLE ||
		    !(g->flags & PAGE_LEAF) == leaf)
			continue;
		g->count = 0;
		r->recycled = p + 1;
		r->page = p;
		return true;
	}
	r->recycled = region.top;
	return false;
}

/* Up to AHEAD fresh pages in a row. */
static bool fresh(struct run *r, bool leaf)
{
	uint32_t p = fresh_hint, n = 0, size = region.end - region.first;
	if (r->spares)
		goto one;
	for (uint32_t k = 0; k < size && !is_free(p); k++)
		p = p + 1 < region.end ? p + 1 : region.first;
	while (n < AHEAD && p + n < region.end && is_free(p + n))
		n++;
	if (!n)
		return false;
	fresh_hint = p + n < region.end ? p + n : region.first;
	paging_fresh(p, n, leaf ? PAGE_LEAF : 0);
	for (uint32_t i = 0; i < n; i++) {
		page_of(p + i)->space = SPACE_MATURE;
		page_of(p + i)->count = 0;
	}
	region.used += n;
	region.top = p + n > region.top ? p + n : region.top;
	r->spare = p;
	r->spares = n;
one:
	r->page = r->spare++;
	r->spares--;
	return true;
}

struct gc_object *region_alloc(uint32_t granules, bool leaf)
{
	struct run *r = &run[leaf];
	uint32_t size = granules * GC_GRANULE;
	while (!r->page || size > (uint64_t)(r->end - r->at)) {
		if (r->page && hole(r, r->end))
			continue;
		if (!recycle(r, leaf) && !fresh(r, leaf))
			return NULL;
		r->at = r->end = mmu_address(r->page);
	}
	struct gc_object *o = (struct gc_object *)r->at;
	r->at += size;
	region_gray(mmu_page(o));
	bit_put(paging.start, granule_of(o));
	region_cover(o, granules);
	return o;
}

bool region_filling(uint32_t page)
{
	for (unsigned i = 0; i < 2; i++)
		if (run[i].page == page || page - run[i].spare < run[i].spares)
			return true;
	return false;
}

void region_cover(const struct gc_object *o, uint64_t granules)
{
	uint64_t g = granule_of(o), end = g + granules;
	while (g < end) {
		uint64_t n = 64 - g % 64 < end - g ? 64 - g % 64 : end - g;
		paging.live[g / 64] |= (n < 64 ? (1ul << n) - 1 : ~0ul) << g % 64;
		g += n;
	}
}

/* ---- large objects ---------------------------------------------------------------------------- */

static uint32_t large_find(uint32_t from, uint32_t end, uint32_t n)
{
	uint32_t have = 0;
	for (uint32_t p = from; p < end; p++) {
		have = is_free(p) ? have + 1 : 0;
		if (have == n)
			return p + 1 - n;
	}
	return 0;
}

struct gc_object *region_alloc_large(uint32_t refs, uint64_t granules)
{
	uint32_t n = (granules * GC_GRANULE + MMU_PAGE - 1) / MMU_PAGE;
	uint32_t p = large_find(large_hint, region.large_end, n);
	if (!p && !(p = large_find(region.large, region.large_end, n)))
		return NULL;
	large_hint = p + n;
	region.large_top = p + n > region.large_top ? p + n : region.large_top;
	region.used += n;
	for (uint32_t i = 0; i < n; i++) {
		bool leaf = (uint64_t)i * (MMU_PAGE / 8) > refs;
		paging_fresh(p + i, 1, leaf ? PAGE_LEAF : 0);
		page_of(p + i)->space = i ? SPACE_REST : SPACE_LARGE;
		page_of(p + i)->count = i ? p : refs;
		memset(mmu_address(p + i), 0, MMU_PAGE);
	}
	struct gc_object *o = mmu_address(p);
	o->header = granules << 32 | (uint64_t)refs << 1;
	bit_put(paging.start, granule_of(o));
	bit_put(paging.live, granule_of(o));
	return o;
}

uint32_t region_large_end(uint32_t first)
{
	uint32_t p = first + 1;
	while (p < region.large_end && page_in_use(p) && page_of(p)->space == SPACE_REST)
		p++;
	return p;
}

/* ---- slots ------------------------------------------------------------------------------------ */

/* The references of a large object that lie on one of its pages. */
static bool large_slots(uint32_t page, uint8_t *bytes, bool (*visit)(gc_ref *slot))
{
	uint32_t first = page_of(page)->space == SPACE_LARGE ? page : page_of(page)->count;
	uint64_t before = (uint64_t)(page - first) * (MMU_PAGE / 8), end = 1ul + page_of(first)->count;
	for (uint64_t i = before ? before : 1; i < end && i < before + MMU_PAGE / 8; i++)
		if (visit((gc_ref *)bytes + (i - before)))
			return true;
	return false;
}

bool region_slots(uint32_t page, bool window, bool (*visit)(gc_ref *slot))
{
	uint8_t *bytes = window ? mmu_window(mmu_frame(page)) : mmu_address(page);
	const uint64_t *start = page_bits(paging.start, page);
	if (page_of(page)->flags & PAGE_LEAF)
		return false;
	if (page_of(page)->space != SPACE_MATURE)
		return large_slots(page, bytes, visit);
	for (unsigned w = 0; w < WORDS; w++)
		for (uint64_t bits = start[w]; bits; bits &= bits - 1) {
			struct gc_object *o = (struct gc_object *)(bytes +
				(w * 64 + __builtin_ctzl(bits)) * GC_GRANULE);
			for (uint32_t i = 0, n = gc_refs(o); i < n; i++)
				if (visit(&gc_slots(o)[i]))
					return true;
		}
	return false;
}

void region_each(uint32_t page, const uint64_t *map, void (*visit)(struct gc_object *o))
{
	const uint64_t *start = page_bits(paging.start, page);
	uint8_t *bytes = mmu_address(page);
	for (unsigned w = 0; w < WORDS; w++)
		for (uint64_t bits = start[w] & map[(uint64_t)page * WORDS + w]; bits; bits &= bits - 1)
			visit((struct gc_object *)(bytes + (w * 64 + __builtin_ctzl(bits)) * GC_GRANULE));
}

void region_cover_page(uint32_t page)
{
	const uint8_t *bytes = mmu_window(mmu_frame(page));
	const uint64_t *start = page_bits(paging.start, page);
	for (unsigned g = 0; g < GRANULES; g++)
		if (bit_get(start, g))
			region_cover((struct gc_object *)mmu_address(page) + 2 * g,
				gc_granules((const struct gc_object *)bytes + 2 * g));
}

void region_restore(uint32_t page)
{
	uint64_t *start = page_bits(paging.start, page), all[WORDS];
	memcpy(all, start, sizeof all);
	for (unsigned w = 0; w < WORDS; w++)
		start[w] &= page_bits(paging.live, page)[w];
	region_cover_page(page);
	if (region.marking)		/* the others may be reached yet */
		memcpy(start, all, sizeof all);
}

/* ---- marking ---------------------------------------------------------------- */

/* Pages may leave for it. */
static void stack_room(uint32_t words) { table_grow(&stack_table, (stack_n + words) * 8); }

void region_push(uint64_t word)
{
	uint64_t *stack = mmu_address(stack_table.page);
	stack_room(1);
	stack[stack_n++] = word;
}

uint64_t region_depth(void) { return stack_n; }

bool region_pop(uint64_t *word, uint64_t base)
{
	const uint64_t *stack = mmu_address(stack_table.page);
	if (stack_n == base)
		return false;
	*word = stack[--stack_n];
	return true;
}

/* On the stack: a small object; or a page of a large one + 1, which no address is. */
void region_mark_object(struct gc_object *o)
{
	uint32_t p = mmu_page(o);
	uint64_t g = granule_of(o);
	if (p < region.first || bit_get(paging.live, g))
		return;
	if (page_of(p)->space == SPACE_LARGE) {
		bit_put(paging.live, g);
		if (page_of(p)->count)
			region_push((uint64_t)p << 1 | 1);
	} else if (region.hooks && page_of(p)->state == PAGE_OUT) {
		region.hooks->reach(o, p);
	} else {
		region_cover(o, gc_granules(o));
		if (gc_refs(o))
			region_push((uintptr_t)o);
	}
}

void region_mark(gc_ref *slot)
{
	if (*slot)
		region_mark_object(*slot);
}

static bool mark_slot(gc_ref *slot)
{
	region_mark(slot);
	return false;
}

static void scan_object(struct gc_object *o)
{
	uint32_t n = gc_refs(o);
	scanned += n + 2;
	for (uint32_t i = 0; i < n; i++)
		region_mark(&gc_slots(o)[i]);
}

static void scan_large(uint32_t page)
{
	uint32_t next = page + 1;
	stack_room(1 + MMU_PAGE / 8);
	scanned += MMU_PAGE / 8;
	if (next < region.large_end && page_in_use(next) && page_of(next)->space == SPACE_REST &&
	    !(page_of(next)->flags & PAGE_LEAF))
		region_push((uint64_t)next << 1 | 1);
	if (region.hooks && page_of(page)->state == PAGE_OUT)
		region.hooks->edges(page);
	else
		region_slots(page, false, mark_slot);
}

static void scan(uint64_t word)
{
	struct gc_object *o = (struct gc_object *)word;
	if (word & 1) {
		scan_large(word >> 1);
		return;
	}
	if (page_of(mmu_page(o))->state == PAGE_IN)
		stack_room(gc_refs(o));
	if (region.hooks && page_of(mmu_page(o))->state == PAGE_OUT) {
		region.hooks->reach(o, mmu_page(o));	/* it left since it was marked */
	} else {
		scan_object(o);
	}
}

/* ---- gray pages ------------------------------------------------------------ */

void region_gray(uint32_t page)
{
	if (!region.marking || page_of(page)->flags & PAGE_LEAF)
		return;
	page_of(page)->flags |= PAGE_GRAY;
	any_gray = true;
}

static void scan_gray(uint32_t page)
{
	stack_room(MMU_PAGE / 8);
	if (!(page_of(page)->flags & PAGE_GRAY))
		return;			/* it left for that, and the hooks have its edges */
	page_of(page)->flags &= ~PAGE_GRAY;
	scanned += MMU_PAGE / 8;
	if (page_of(page)->space == SPACE_MATURE)
		region_each(page, paging.live, scan_object);
	else
		region_slots(page, false, mark_slot);
}

static bool scan_grays(void)
{
	bool was = any_gray;
	any_gray = false;
	for (uint32_t p = region.first; was && p < region.large_top; p++)
		if (page_in_use(p) && page_of(p)->flags & PAGE_GRAY)
			scan_gray(p);
	return was;
}

static void forget_grays(void)
{
	any_gray = false;
	for (uint32_t p = region.first; p < region.large_top; p++)
		if (page_in_use(p))
			page_of(p)->flags &= ~PAGE_GRAY;
}

/* ---- sweeping -------------------------------------------------------------- */

/* All of an evicted page may be known to live; of a large object only some pages are out. */
static bool stays_live(uint32_t p)
{
	return region.hooks && page_of(p)->state == PAGE_OUT && page_of(p)->space == SPACE_MATURE &&
		!region.hooks->exact(p);
}

static void clear_live(uint32_t first, uint32_t end)
{
	for (uint32_t p = first; p < end; p++)
		if (page_in_use(p) && !stays_live(p))
			memset(page_bits(paging.live, p), 0, WORDS * 8);
}

static void free_page(uint32_t p)
{
	if (region.hooks && page_of(p)->state == PAGE_OUT)
		region.hooks->freed(p);
	memset(page_bits(paging.start, p), 0, WORDS * 8);
	page_of(p)->space = SPACE_FREE;
	page_of(p)->flags &= ~PAGE_GRAY;
	page_of(p)->count = 0;
	paging_discard(p, 1);
	region.used--;
}

static void sweep_page(uint32_t p)
{
	uint64_t *live = page_bits(paging.live, p), *start = page_bits(paging.start, p), any = 0;
	const uint8_t *line = (const uint8_t *)live;
	uint32_t free = 0;
	for (unsigned w = 0; w < WORDS; w++)
		any |= live[w];
	if (!any) {
		free_page(p);
		return;
	}
	if (page_of(p)->state == PAGE_OUT && region.hooks)
		return;		/* only the first granules are known to be live: see hooks' `back` */
	for (unsigned w = 0; w < WORDS; w++)
		start[w] &= live[w];
	for (unsigned i = 0; i < LINES; i++)
		free += !line[i];
	page_of(p)->count = free;
}

static void sweep(void)
{
	memset(run, 0, sizeof run);
	run[0].recycled = run[1].recycled = region.first;
	for (uint32_t p = region.first; p < region.top; p++)
		if (page_in_use(p))
			sweep_page(p);
	for (uint32_t p = region.large, end; p < region.large_top; p = end) {
		end = p + 1;
		if (!page_in_use(p))
			continue;
		end = region_large_end(p);
		if (!bit_get(paging.live, granule_of(mmu_address(p))))
			for (uint32_t i = p; i < end; i++)
				free_page(i);
	}
	large_hint = region.large;
	fresh_hint = region.first;
}

/* ---- collections ----------------------------------------------------------------- */

void region_begin(void)
{
	region.marking = true;
	stack_n = scanned = 0;
	forget_grays();
	memset(run, 0, sizeof run);
	run[0].recycled = run[1].recycled = region.end;
	clear_live(region.first, region.top);
	clear_live(region.large, region.large_top);
	if (region.hooks)
		region.hooks->roots();
}

bool region_step(uint64_t words)
{
	uint64_t word, end = scanned + words;
	roots_each(region_mark);
	do
		while (scanned < end && region_pop(&word, 0))
			scan(word);
	while (scanned < end && (scan_grays() || (region.hooks && region.hooks->more())));
	return scanned < end;
}

void region_end(void)
{
	while (!region_step(~0ul / 2))
		;
	sweep();
	region.marking = false;
}
