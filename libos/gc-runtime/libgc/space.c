/* The pages of the heap: which are free, which have frames, and the dirty bits of the others.
 *
 * Pages come in chunks of 64: one word of each bitmap, one call of mmu_harvest.  A chunk holds
 * either objects with pointers or objects without, as the dirty bits of the latter are of no use,
 * and on a back end that emulates them would cost faults.
 *
 * Left to alloc.c: objects.  To mmu.h: frames.
 */
#include "lib.h"
#include "libos/gc-runtime/port.h"

#define MAP_AT_ONCE	16u

struct space space;

enum sort { SORT_NONE, SORT_POINTERS, SORT_DATA };
static uint64_t *free_map;		/* bit: free, below space.top */
static uint8_t *sort;			/* by chunk */
static uint32_t hint[3];		/* by sort: the chunk to look at first */
static uint64_t wanted;			/* frames that somebody asked back */
static bool asked;			/* and nobody has looked since */

void space_init(void)
{
	uint32_t pages = sys_pages() & -CHUNK;
	const char *why;
	space.page = port_memory((uint64_t)pages * sizeof *space.page);
	free_map = port_memory(pages / 8);
	sort = port_memory(pages / CHUNK);
	if (!space.page || !free_map || !sort)
		port_fail("gc: no memory for the heap's tables\n");
	int error = mmu_init(pages, sys_frames(), &why);
	if (error)
		port_fail("gc: no heap: %s, error %d\n", why, -error);
	sys_started();
}

/* ---- frames ------------------------------------------------------------------ */

static bool mapped(uint32_t page) { return mmu.pte[page] & MMU_P; }

static bool may_map(uint32_t n)
{
	return (!space.limit || (uint64_t)(space.mapped + n) * MMU_PAGE <= space.limit) &&
		mmu_frames_free() >= n;
}

/* Frames for those of n pages that have none, some more of the chunk with them. */
static bool back(uint32_t page, uint32_t n)
{
	uint32_t end = page + n, more = (page + n + MAP_AT_ONCE) & -MAP_AT_ONCE;
	for (uint32_t i = page, k; i < end; i += k) {
		for (k = 0; i + k < more && i + k < mmu.pages && !mapped(i + k); k++)
			;
		if (!k) {
			k = 1;
			continue;
		}
		if (!may_map(k) && i + k > end)
			k = end - i;
		if (!may_map(k) || mmu_do(MMU_MAP, i, k, MMU_W | MMU_A | MMU_D, 0))
			return false;
		space.mapped += k;
	}
	return true;
}

static uint32_t unback(uint32_t page, uint32_t n)
{
	uint32_t k = 0;
	while (k < n && mapped(page + k))
		k++;
	if (k && !mmu_do(MMU_UNMAP, page, k, 0, 0))
		space.mapped -= k;
	return k ? k : 1;
}

static void note(uint64_t frames, uint64_t deadline)
{
	(void)deadline;
	wanted = frames;
	asked = true;
}

void space_note_revocation(void) { mmu_on_revoke(note); }

void space_shrink(bool all)
{
	if (wanted)
		wanted = mmu_give(wanted);		/* frames that no page has */
	for (uint32_t i = 0; i < space.top && (all || wanted); ) {
		if (!free_map[i / 64]) {
			i = (i / 64 + 1) * 64;
			continue;
		}
		i += bit_test(free_map, i) ? unback(i, 1) : 1;
		if (wanted)
			wanted = mmu_give(1);
	}
}

void space_poll(void)
{
	if (asked) {
		asked = false;
		space_shrink(false);
	}
}

/* ---- free pages ---------------------------------------------------------------- */

static bool suits(uint32_t chunk, enum sort s) { return !sort[chunk] || sort[chunk] == s; }

/* The first run of n free pages from `at` on, below the top; NO_PAGE. */
static uint32_t find(uint32_t at, uint32_t n, enum sort s, bool grow)
{
	uint32_t run = 0;
	for (uint32_t i = at; i < space.top; i++) {
		if (!(i % 64) && (!free_map[i / 64] || !suits(i / 64, s))) {
			run = 0;
			i += 63;
			continue;
		}
		run = bit_test(free_map, i) && (grow || mapped(i)) ? run + 1 : 0;
		if (run == n)
			return i + 1 - n;
	}
	return NO_PAGE;
}

/* More chunks come into use: as many as n pages need behind the free ones at the top. */
static bool raise_top(uint32_t n, enum sort s)
{
	uint32_t first = space.top, chunks;
	while (first && suits((first - 1) / 64, s) && bit_test(free_map, first - 1))
		first--;
	chunks = (first + n + CHUNK - 1 - space.top) / CHUNK;
	if (space.top + chunks * CHUNK > mmu.pages)
		return false;
	for (; chunks; chunks--, space.top += CHUNK)
		free_map[space.top / 64] = ~0ul;
	return true;
}

static uint32_t claim(uint32_t page, uint32_t n, enum sort s)
{
	for (uint32_t i = page; i < page + n; i++) {
		bit_clear(free_map, i);
		sort[i / CHUNK] = s;
	}
	return page;
}

uint32_t space_take(uint32_t n, bool pointers, bool grow)
{
	enum sort s = pointers ? SORT_POINTERS : SORT_DATA;
	uint32_t at = n == 1 ? hint[s] : 0, page = find(at * CHUNK, n, s, false);
	if (page == NO_PAGE && grow) {
		page = find(0, n, s, true);
		if (page == NO_PAGE && raise_top(n, s))
			page = find(0, n, s, true);
		if (page != NO_PAGE && !back(page, n))
			page = NO_PAGE;
	}
	if (page == NO_PAGE)
		return page;
	if (n == 1)
		hint[s] = page / CHUNK;
	return claim(page, n, s);
}

void space_free(uint32_t page, uint32_t n)
{
	for (uint32_t i = page; i < page + n; i++) {
		uint32_t chunk = i / CHUNK;
		space.page[i].state = PAGE_FREE;
		bit_set(free_map, i);
		for (enum sort s = SORT_POINTERS; s <= SORT_DATA; s++)
			hint[s] = chunk < hint[s] ? chunk : hint[s];
		if (free_map[chunk] == ~0ul)
			sort[chunk] = SORT_NONE;
	}
}

/* ---- dirty bits ------------------------------------------------------------------ */

void space_harvest(bool use)
{
	for (uint32_t chunk = 0; chunk < space.top / CHUNK; chunk++) {
		uint64_t dirty = 0;
		if (sort[chunk] != SORT_POINTERS ||
		    !mmu_harvest(chunk * CHUNK, CHUNK, MMU_D, NULL, &dirty))
			continue;
		for (; use && dirty; dirty &= dirty - 1)
			space.page[chunk * CHUNK + __builtin_ctzl(dirty)].flags |= PAGE_GRAY;
	}
}
