/* The allocator of the domain's frames.  See frames.h.
 *
 * Left to physmap.c: what the window shows, and the frames for page tables; to promise.c: frames
 * that are still to come.
 */
#include "libos/common/frames_own.h"

#define STATIC_REGIONS	24

static struct region static_regions[STATIC_REGIONS];
struct own own = { .region = static_regions, .max = STATIC_REGIONS };

uint64_t frames_left(void) { return own.left + promised(); }
uint64_t frames_owned(void) { return own.owned + promised(); }

/* ---- regions --------------------------------------------------------------------- */

struct region *region_find(uint32_t number, unsigned *place)
{
	unsigned lo = 0, hi = own.count;
	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		if (own.region[mid].number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (place)
		*place = lo;
	return lo < own.count && own.region[lo].number == number ? &own.region[lo] : NULL;
}

struct region *region_get(uint32_t number)
{
	unsigned at;
	struct region *r = region_find(number, &at);
	if (r || own.count == own.max)
		return r;
	memmove(own.region + at + 1, own.region + at, (own.count++ - at) * sizeof *own.region);
	own.region[at] = (struct region){ .number = number };
	return &own.region[at];
}

void mark_free(struct region *r, unsigned bit)
{
	r->bits[bit / 64] |= 1ul << bit % 64;
	r->free++;
	own.left++;
	hint_at(r);
}

static void mark_used(struct region *r, unsigned bit)
{
	r->bits[bit / 64] &= ~(1ul << bit % 64);
	r->free--;
	own.left--;
}


struct region *region_with(enum region_map map)
{
	for (unsigned i = own.hint[map]; i < own.count; i++)
		if (own.region[i].map == map && own.region[i].free) {
			own.hint[map] = i;
			return &own.region[i];
		}
	own.hint[map] = own.count;
	return NULL;
}

uint64_t take_one(struct region *r)
{
	unsigned w = 0;
	while (!r->bits[w])
		w++;
	unsigned bit = w * 64 + __builtin_ctzll(r->bits[w]);
	mark_used(r, bit);
	return region_pfn(r) + bit;
}

/* ---- data ------------------------------------------------------------------------- */

static struct region *data_region(void)
{
	struct region *r;
	if (!own.windowed)
		return region_with(COLD);
	if ((r = region_with(LARGE)) || (r = region_with(SMALL)))
		return r;
	r = region_with(COLD);
	return r && window_warm(r) ? r : NULL;
}

uint64_t frame_alloc(void)
{
	struct region *r;
	lock_take(&own.lock);
	supply(false);
	while (!(r = data_region()) && supply(true))
		;
	uint64_t pfn = r ? take_one(r) : 0;
	lock_release(&own.lock);
	return pfn;
}

uint64_t frame_alloc_zero(void)
{
	uint64_t pfn = frame_alloc();
	if (pfn && own.windowed)
		memset(physmap_page(pfn), 0, EXO_PAGE_SIZE);
	else if (pfn)
		exo_copy_all(0, pfn << EXO_PAGE_SHIFT, 0, ~0ul, EXO_PAGE_SIZE, 0);
	return pfn;
}

void frame_free(uint64_t pfn) { frame_free_run(pfn, 1); }

void frame_free_run(uint64_t pfn, unsigned count)
{
	lock_take(&own.lock);
	struct region *r = region_find(pfn / PER_REGION, NULL);
	for (unsigned i = 0; r && i < count; i++)
		if (!is_free(r, pfn % PER_REGION + i))
			mark_free(r, pfn % PER_REGION + i);
	lock_release(&own.lock);
}

static uint64_t take_run(struct region *r, unsigned count)
{
	unsigned n = 0;
	if (r->free < count)
		return 0;
	for (unsigned bit = 0; bit < PER_REGION; bit++) {
		n = is_free(r, bit) ? n + 1 : 0;
		if (n < count)
			continue;
		for (unsigned i = 0; i < count; i++)
			mark_used(r, bit - i);
		return region_pfn(r) + bit + 1 - count;
	}
	return 0;
}

uint64_t frame_alloc_run(unsigned count)
{
	uint64_t pfn = 0;
	if (!count || count > PER_REGION)
		return 0;
	lock_take(&own.lock);
	do {
		for (unsigned i = 0; !pfn && i < own.count; i++)
			if (!own.windowed || own.region[i].map != COLD)
				pfn = take_run(&own.region[i], count);
		for (unsigned i = 0; !pfn && i < own.count; i++) {
			struct region *r = &own.region[i];
			if (r->map == COLD && r->free >= count && window_warm(r))
				pfn = take_run(r, count);
		}
	} while (!pfn && supply(true));
	lock_release(&own.lock);
	return pfn;
}

/* ---- frames without a mapping -------------------------------------------------------- */

/* A region to take unmapped frames from: a COLD one, a LARGE one that is wholly free, or, frame
 * by frame, a SMALL one, for which a LARGE one may have to be split. */
static struct region *cold_region(void)
{
	struct region *r = region_with(COLD);
	if (r || !own.windowed)
		return r;
	for (unsigned i = own.count; i-- > 0;) {
		r = &own.region[i];
		if (r->map == LARGE && r->free == PER_REGION && window_cool(r))
			return r;
	}
	if ((r = region_with(SMALL)))
		return r;
	r = region_with(LARGE);
	return r && window_warm(r) ? r : NULL;
}

static uint64_t take_unmapped(void)
{
	struct region *r;
	while (!(r = cold_region()))
		if (!supply(true))
			return 0;
	uint64_t pfn = take_one(r);
	if (r->map != SMALL || !window_set(r, pfn % PER_REGION, 0))
		return pfn;
	mark_free(r, pfn % PER_REGION);
	return 0;
}

uint64_t frame_take(void)
{
	lock_take(&own.lock);
	uint64_t pfn = take_unmapped();
	lock_release(&own.lock);
	return pfn;
}

uint64_t frames_take(uint64_t count, struct exo_start_extent *out, size_t max)
{
	uint64_t got = 0, pfn;
	size_t n = 0;
	lock_take(&own.lock);
	while (got < count && (pfn = take_unmapped())) {
		if (n && out[n - 1].pfn + out[n - 1].count == pfn) {
			out[n - 1].count++;
		} else if (n < max) {
			out[n++] = (struct exo_start_extent){ pfn, 1 };
		} else {
			struct region *r = region_find(pfn / PER_REGION, NULL);
			if (r->map != SMALL || !window_set(r, pfn % PER_REGION, PTE_RW))
				mark_free(r, pfn % PER_REGION);
			break;
		}
		got++;
	}
	if (n < max)
		out[n] = (struct exo_start_extent){ 0, 0 };
	lock_release(&own.lock);
	return got;
}

bool put_one(uint64_t pfn)
{
	uint32_t number = pfn / PER_REGION;
	struct region *r = own.windowed ? region_find(number, NULL) : region_get(number);
	if (!r || r->map == LARGE || is_free(r, pfn % PER_REGION))
		return false;
	if (r->map == SMALL && window_set(r, pfn % PER_REGION, PTE_RW))
		return false;
	mark_free(r, pfn % PER_REGION);
	return true;
}

bool frames_put(uint64_t pfn, uint64_t count)
{
	bool all = true;
	lock_take(&own.lock);
	for (uint64_t i = 0; i < count; i++)
		all &= put_one(pfn + i);
	lock_release(&own.lock);
	return all;
}

uint64_t frames_init(const struct exo_start *s, bool physmap)
{
	own.root = s->root;
	if (physmap)
		return physmap_start(s);
	for (unsigned i = 0; i < s->extents; i++)
		for (uint64_t k = 0; k < s->extent[i].count; k++) {
			if (!put_one(s->extent[i].pfn + k))
				return EXO_LIMIT;	/* more regions than there is room for */
			own.owned++;
		}
	return EXO_OK;
}
