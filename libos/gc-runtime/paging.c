/* Paging of the heap.  See paging.h. */
#include "libos/gc-runtime/collector.h"
#include "libos/gc-runtime/offers.h"
#include "libos/gc-runtime/pager.h"
#include "libos/gc-runtime/port.h"
#include "libos/gc-runtime/store.h"
#include "libos/gc-runtime/trace.h"

#define BATCH		32u	/* pages that leave at once: one write, one flush */
#define RESERVE		48u	/* frames for the tables that grow while a batch leaves */
#define SLACK		64u	/* frames that a program needs to go on, beside what cannot leave */
#define SEGMENTS_MAX	4096u
#define HARVEST		4096u	/* pages of one harvest */

struct paging paging;
const struct gc_pager *pager;
static bool ready[SEGMENTS_MAX];
static uint32_t tables_at;		/* the next page for tables */
static bool evicting;
static bool exhausted;			/* no page can leave */
static bool pressed;			/* something was evicted: who is used is of interest */

static bool on_fault(const struct mmu_fault *f);

/* ---- tables -------------------------------------------------------------------------------- */

static uint32_t tables_take(uint64_t pages)
{
	uint32_t at = tables_at;
	if (pages > mmu.pages - tables_at)
		port_fail("gc: no addresses left for tables\n");
	tables_at += pages;
	return at;
}

static void table_map(uint32_t page)
{
	if (mmu.pte[page] & MMU_P)
		return;
	paging_room(1);
	if (mmu_do(MMU_MAP, page, 1, MMU_W | MMU_A | MMU_D | MMU_ZERO, 0))
		port_fail("gc: no frame for a table\n");
}

void table_init(struct table *t, uint64_t most)
{
	t->most = (most + MMU_PAGE - 1) / MMU_PAGE;
	t->page = tables_take(t->most);
	t->have = 0;
}

void table_grow(struct table *t, uint64_t bytes)
{
	while ((uint64_t)t->have * MMU_PAGE < bytes) {
		if (t->have == t->most)
			port_fail("gc: a table is larger than was planned\n");
		table_map(t->page + t->have++);
	}
}

void paging_init(uint32_t heap, bool marks, bool cards)
{
	uint32_t one = heap / SEGMENT;
	if (heap % (4 * SEGMENT) || one > SEGMENTS_MAX)
		port_fail("gc: a heap has a multiple of 2 MiB of addresses, at most 2 GiB\n");
	paging.pages = tables_at = heap;
	paging.ready = ready;
	paging.page = mmu_address(tables_take(one));
	paging.start = mmu_address(tables_take(one));
	paging.live = mmu_address(tables_take(one));
	paging.mark = marks ? mmu_address(tables_take(one)) : NULL;
	paging.card = cards ? mmu_address(tables_take(one / 4)) : NULL;
	if (pager->init)
		pager->init();
	mmu_on_fault(on_fault);
}

void paging_ready(uint32_t page)
{
	uint32_t s = page / SEGMENT;
	if (ready[s])
		return;
	table_map(mmu_page(paging.page) + s);
	table_map(mmu_page(paging.start) + s);
	table_map(mmu_page(paging.live) + s);
	if (paging.mark)
		table_map(mmu_page(paging.mark) + s);
	if (paging.card)
		table_map(mmu_page(paging.card) + s / 4);
	ready[s] = true;
}

/* ---- leaving --------------------------------------------------------------------------------- */

/* Not cryptography: a lost or torn page must be seen. */
uint32_t paging_hash(uint32_t page)
{
	const uint64_t *w = mmu_window(mmu_frame(page));
	uint64_t h = 0x9e3779b97f4a7c15ul;
	for (unsigned i = 0; i < MMU_PAGE / 8; i++)
		h = (h ^ w[i]) * 0xff51afd7ed558ccdul + (h >> 29);
	return h ^ h >> 32;
}

static void slot_drop(uint32_t p)
{
	if (page_of(p)->slot)
		slot_put(page_of(p)->slot);
	page_of(p)->slot = 0;
}

/* The page is not resident any more; its frame goes with the batch. */
static void gone(uint32_t p, enum page_state state)
{
	page_of(p)->state = state;
	page_of(p)->flags &= ~PAGE_DIRTY;
	paging.resident--;
	if (pager->left)
		pager->left(p);
}

static void plan_write(uint32_t p, struct gc_io *io, unsigned *writes)
{
	struct page *r = page_of(p);
	if (paging.verify)
		r->hash = paging_hash(p);
	if (!paging_differs(p)) {
		gc_stats.dropped_clean++;
		return;
	}
	if (!r->slot && !(r->slot = slot_take()))
		port_fail("gc: the store %s is full (%u pages); the heap's data is intact up to here\n",
			store->name, slots_used());
	io[(*writes)++] = (struct gc_io){ r->slot, mmu_frame(p) };
}

/* In the midst of the program: before nothing can leave, the next gc_new or gc_safepoint collects. */
static void refused(void)
{
	paging.refused += !paging.collecting;
	if (!paging_crowded())
		return;
	gc_mutator.poll = true;
	gc_mutator.end = NULL;		/* an allocation under way is not disturbed: see gc_new */
}

static bool stays(uint32_t p)
{
	if (pager->kept)
		pager->kept(p);
	return false;
}

/* What happens to a victim; false: it stays.  Where the store is full others leave first, which
 * need no place there. */
static bool plan(uint32_t p, struct gc_io *io, unsigned *writes)
{
	bool free = page_of(p)->space == SPACE_FREE;
	if (!page_of(p)->slot && slots_full() && !paging.forced)
		return stays(p);
	enum page_fate fate = !free && collector->leaving ? collector->leaving(p) : PAGE_WRITE;
	if (fate == PAGE_KEEP) {
		gc_stats.kept++;
		refused();
		return stays(p);
	}
	if (fate == PAGE_WRITE) {
		plan_write(p, io, writes);
		gone(p, PAGE_OUT);
	} else {
		slot_drop(p);
		gc_stats.discarded++;
		gone(p, PAGE_NONE);
	}
	return true;
}

static void observe(void)
{
	if (paging.observe)
		paging.observe();
}

/* Their frames go to the pool; of pages that the store has, by way of standby. */
static void leave(const uint32_t *page, unsigned n)
{
	struct mmu_op op[BATCH];
	bool wait = pager->discards && offers_open();
	for (unsigned i = 0; i < n; i++) {
		bool out = wait && page_of(page[i])->state == PAGE_OUT;
		op[i] = (struct mmu_op){ out ? MMU_PROTECT : MMU_UNMAP, page[i], 1, 0, 0 };
	}
	if (mmu_batch(op, n))
		port_fail("gc: a victim was not mapped\n");
	for (unsigned i = 0; i < n; i++)
		if (op[i].op == MMU_PROTECT)
			standby_enter(page[i]);
}

/* Up to BATCH victims leave; how many did. */
static unsigned evict(void)
{
	uint32_t victim[BATCH];
	struct gc_io io[BATCH];
	unsigned writes = 0, leaves = 0, n = pager->victims(victim, BATCH);
	int error;
	observe();
	for (unsigned i = 0; i < n; i++)
		if (page_of(victim[i])->state == PAGE_IN && plan(victim[i], io, &writes))
			victim[leaves++] = victim[i];
	if (writes && (error = store->write(io, writes)))
		port_fail("gc: the store %s cannot be written: error %d, %s\n", store->name, -error,
			port_error(error));
	gc_stats.written += writes;
	leave(victim, leaves);
	exhausted = !n;
	return leaves;
}

/* `must`: pages leave, too, that collectors had better kept.  False: so many cannot be free. */
static bool make_room(uint64_t need, bool must)
{
	unsigned in_vain = 0, rounds = must ? 4 : 1;
	evicting = pressed = true;
	while (mmu_frames_free() < need && in_vain <= rounds + rounds * paging.resident / BATCH) {
		bool some = (!offers_full() && evict()) || offers_recall();
		in_vain = some ? 0 : in_vain + 1;
		if (!some && exhausted)
			break;
		paging.forced = must && in_vain > 2 + 2 * paging.resident / BATCH;
	}
	evicting = paging.forced = false;
	return mmu_frames_free() >= need;
}

void paging_room(uint64_t n)
{
	uint64_t need = evicting ? n : n + RESERVE;
	if (mmu_frames_free() >= need)
		return;
	if (evicting)
		port_fail("gc: the reserve of %u frames is used up\n", RESERVE);
	if (make_room(need, true))
		return;
	if (exhausted)
		port_fail("gc: out of memory: %lu frames, none of them can leave\n", mmu_frames_total());
	port_fail("gc: out of memory: the collector keeps all of %u pages\n", paging.resident);
}

bool paging_spare(uint64_t n) { return make_room(n + RESERVE + SLACK, false); }

void paging_offer(void)
{
	unsigned left = 1;
	while (left && !offers_fill()) {
		evicting = pressed = true;
		left = evict();
		evicting = false;
	}
}

/* ---- coming ----------------------------------------------------------------------------------- */

static void note_peak(void)
{
	uint64_t used = mmu_frames_total() - mmu_frames_free();
	if (used > gc_stats.peak)
		gc_stats.peak = used;
}

static void came(uint32_t p, bool from_store)
{
	page_of(p)->state = PAGE_IN;
	page_of(p)->age = 0;
	paging.resident++;
	if (pager->arrived)
		pager->arrived(p, from_store);
	note_peak();
}

/* Its content is mapped, as the store has it. */
static void returned(uint32_t p)
{
	const struct page *r = page_of(p);
	if (paging.verify && paging_hash(p) != r->hash)
		port_fail("gc: page %u came back from the store with other content\n", p);
	came(p, true);
	if (collector->back && r->space != SPACE_FREE)
		collector->back(p);
}

/* Its content was read into the frame. */
static void loaded(uint32_t p, uint64_t frame, unsigned bits)
{
	if (mmu_do(MMU_MAP_FRAME, p, 1, MMU_W | bits, frame))
		port_fail("gc: a page that was out is mapped\n");
	if (paging.collecting)
		gc_stats.loads_collector++;
	else
		gc_stats.loads_mutator++;
	if (page_of(p)->space == SPACE_FREE)
		gc_stats.reread_dead++;
	returned(p);
}

static bool is_out(uint32_t p)
{
	return page_of(p)->state == PAGE_OUT && !(page_of(p)->flags & PAGE_STANDBY);
}

/* [*from, *end): what one request reads when p is wanted: the pages of p's cluster that are out, and
 * lie as far from p in the store as here. */
static void cluster(uint32_t p, uint32_t *from, uint32_t *end)
{
	uint32_t many = pager->cluster ? pager->cluster : 1, first = p - p % many;
	uint32_t skew = page_of(p)->slot - p;
	for (*from = p; *from > first && is_out(*from - 1) &&
	     page_of(*from - 1)->slot - (*from - 1) == skew; --*from)
		;
	for (*end = p + 1; *end < first + many && is_out(*end) &&
	     page_of(*end)->slot - *end == skew; ++*end)
		;
}

static void load(uint32_t p, bool write)
{
	struct gc_io io[GC_CLUSTER];
	uint32_t from, end, n;
	port_obey();
	if (page_of(p)->flags & PAGE_STANDBY && standby_back(p)) {
		returned(p);
		return;
	}
	paging_room(pager->cluster ? pager->cluster : 1);
	cluster(p, &from, &end);
	n = end - from;
	for (uint32_t i = 0; i < n; i++)
		io[i] = (struct gc_io){ page_of(from + i)->slot, mmu_frame_take() };
	int error = store->read(io, n);
	if (error)
		port_fail("gc: the store %s cannot be read: error %d, %s\n", store->name, -error,
			port_error(error));
	for (uint32_t i = 0; i < n; i++)
		loaded(from + i, io[i].frame, from + i != p ? 0 : write ? MMU_A | MMU_D : MMU_A);
	gc_stats.loads_ahead += n - 1;
}

static void map_run(uint32_t page, uint32_t n)
{
	paging_room(n);
	if (mmu_do(MMU_MAP, page, n, MMU_W | MMU_A | MMU_D, 0))
		port_fail("gc: no frames for fresh pages\n");
	for (uint32_t i = 0; i < n; i++)
		came(page + i, false);
	if (paging.record)
		trace_born(page, n);
	observe();
}

static void set_flags(uint32_t page, uint32_t n, unsigned flags)
{
	const unsigned kinds = PAGE_LEAF | PAGE_STAYS;
	for (uint32_t i = 0; i < n; i++) {
		paging_ready(page + i);
		page_of(page + i)->flags = (page_of(page + i)->flags & ~kinds) | flags;
	}
}

void paging_fresh(uint32_t page, uint32_t n, unsigned flags)
{
	set_flags(page, n, flags);
	for (uint32_t i = 0, k; i < n; i += k) {
		struct page *r = page_of(page + i);
		for (k = 0; k < BATCH && i + k < n && page_of(page + i + k)->state == PAGE_NONE; k++)
			;
		if (k) {
			map_run(page + i, k);
			continue;
		}
		if (r->state == PAGE_OUT)
			load(page + i, true);
		r->flags |= PAGE_DIRTY;
		k = 1;
	}
}

static void drop(uint32_t p)
{
	struct page *r = page_of(p);
	if (r->flags & PAGE_STANDBY)
		standby_leave(p);
	slot_drop(p);
	if (r->state == PAGE_IN) {
		gone(p, PAGE_NONE);
		mmu_do(MMU_UNMAP, p, 1, 0, 0);
	}
	r->state = PAGE_NONE;
}

void paging_discard(uint32_t page, uint32_t n)
{
	if (paging.record)
		trace_died(page, n);
	for (uint32_t p = page; pager->discards && p < page + n; p++) {
		gc_stats.discarded += page_of(p)->state == PAGE_IN;
		gc_stats.discarded_out += page_of(p)->state == PAGE_OUT;
		drop(p);
	}
}

/* ---- moving --------------------------------------------------------------------------------- */

/* The record's part; true: the page is mapped. */
static bool move_record(uint32_t from, uint32_t to)
{
	if (page_of(from)->flags & PAGE_STANDBY)
		standby_leave(from);
	struct page *old = page_of(from), *new = page_of(to), was = *old;
	bool in = was.state == PAGE_IN;
	drop(to);
	if (in)
		gone(from, PAGE_NONE);
	*new = (struct page){ .space = was.space, .flags = was.flags & ~PAGE_SEEN, .slot = was.slot,
		.hash = was.hash, .count = was.count, .state = was.state };
	*old = (struct page){ .space = SPACE_FREE };
	if (in)
		came(to, false);
	return in;
}

void paging_move(uint32_t from, uint32_t to, uint32_t n)
{
	struct mmu_op op[BATCH];
	for (uint32_t done = 0, k; done < n; done += k) {
		unsigned ops = 0;
		/* no two operations of a batch share pages */
		for (k = 0; k < BATCH && k < from - to && done + k < n; k++) {
			paging_ready(to + done + k);
			if (move_record(from + done + k, to + done + k))
				op[ops++] = (struct mmu_op){ MMU_MOVE, from + done + k, 1, 0, to + done + k };
		}
		if (mmu_batch(op, ops))
			port_fail("gc: pages cannot be moved\n");
	}
	gc_stats.moved += n;
	if (paging.record) {
		trace_died(from, n);
		trace_born(to, n);
	}
}

/* ---- faults ---------------------------------------------------------------------------------- */

static bool on_fault(const struct mmu_fault *f)
{
	uint32_t p = f->page;
	if (p >= paging.pages || !ready[p / SEGMENT] || evicting)
		return false;
	if (f->mapped && !(page_of(p)->flags & PAGE_STANDBY))
		return false;
	if (page_of(p)->state != PAGE_OUT || page_of(p)->space == SPACE_FREE)
		return false;
	load(p, f->write);
	return true;
}

/* ---- harvests -------------------------------------------------------------------------------- */

static uint32_t harvest_end(uint32_t page, uint32_t end)
{
	return end - page < HARVEST ? end : page + HARVEST;
}

/* [*page, *end): the next stretch of segments that exist. */
static bool next_stretch(uint32_t *page, uint32_t *end)
{
	if (*page < paging.quiet)
		*page = paging.quiet;
	while (*page < paging.pages && !ready[*page / SEGMENT])
		*page += SEGMENT;
	*end = *page;
	while (*end < paging.pages && ready[*end / SEGMENT])
		*end += SEGMENT;
	return *page < *end;
}

/* Who has left is of no interest, though it was read on standby. */
static void older(uint32_t page, uint32_t n, uint64_t *a)
{
	for (uint32_t i = 0; i < n; i++) {
		struct page *r = page_of(page + i);
		if (r->state != PAGE_IN)
			a[i / 64] &= ~(1ul << i % 64);
		else if (a[i / 64] >> i % 64 & 1)
			r->age = 0;
	}
}

void paging_touches(bool forget)
{
	uint64_t a[HARVEST / 64];
	for (uint32_t page = 0, end; next_stretch(&page, &end); page = end)
		for (uint32_t p = page, stop; p < end; p = stop) {
			stop = harvest_end(p, end);
			if (!mmu_harvest(p, stop - p, MMU_A, a, NULL) || forget)
				continue;
			older(p, stop - p, a);
			if (pager->touched)
				pager->touched(p, a, stop - p);
		}
}

void paging_watch(uint32_t page, uint32_t n)
{
	uint64_t d[HARVEST / 64];
	uint32_t last = page + n;
	page &= -64u;
	for (uint32_t stop; page < last; page = stop) {
		stop = harvest_end(page, last);
		if (!mmu_harvest(page, stop - page, MMU_D, NULL, d))
			continue;
		for (uint32_t i = 0; i < stop - page; i++)
			if (d[i / 64] >> i % 64 & 1 && page_of(page + i)->state == PAGE_IN)
				page_of(page + i)->flags |= PAGE_DIRTY;
	}
}

void paging_begin(void)
{
	if (pager->discards && pressed)
		paging_touches(false);
	paging.collecting = true;
	observe();
}

void paging_end(void)
{
	paging.collecting = false;
	paging.refused = 0;
	observe();
	if (!pager->discards)
		return;
	if (pressed)
		paging_touches(true);
	for (uint32_t page = 0, end; next_stretch(&page, &end); page = end)
		for (uint32_t p = page; p < end; p++)
			if (page_of(p)->age < 255)
				page_of(p)->age++;
	if (pager->collected)
		pager->collected();
}
