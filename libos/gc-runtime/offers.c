/* Frames of the heap that the kernel may take at once, unasked: as many as gc_options.offer says,
 * if there are so many to spare.  The program loses nothing by it, whatever it is doing, and
 * however short the deadline is.
 *
 * SPARE frames of the pool are mapped at addresses of their own, where nobody reads them.  STANDBY
 * pages are out, for pager and collector, and the store has them; but they are mapped still, to
 * be read.  Who writes one has it back; the oldest ones go when frames are needed.
 *
 * Left to paging.c: which pages leave, and what is read from the store.
 */
#include "libos/gc-runtime/offers.h"
#include "libos/gc-runtime/pager.h"
#include "libos/gc-runtime/port.h"

#define BATCH	32u
#define KEPT	128u			/* frames of the pool that are not put on offer */
#define SHARE	8u			/* an eighth of what memory is left is on offer at most */

static uint32_t most;			/* that are to be on offer, if that is no more than SHARE */
static uint32_t first, spare;		/* pages [first, first + spare) */
static struct page_queue standby;

void offers_init(uint32_t frames)
{
	struct table addresses;
	if (frames > OFFERS_MAX)
		port_fail("gc: at most %u frames can be on offer\n", OFFERS_MAX);
	table_init(&addresses, (uint64_t)frames * MMU_PAGE);
	first = addresses.page;
	most = frames;
}

/* While some are wanted, none but those that mmu_give gives: else more go than were asked for. */
bool offers_open(void) { return most && !mmu_give(0); }

static uint32_t wanted(void)
{
	uint64_t share = mmu_frames_total() / SHARE;
	return share < most ? share : most;
}

bool offers_full(void) { return spare + standby.n > wanted(); }

/* ---- standby -------------------------------------------------------------------------------- */

void standby_enter(uint32_t page)
{
	page_of(page)->flags |= PAGE_STANDBY;
	queue_front(&standby, page);
	mmu_discardable(page, 1, true);
}

static void forget(uint32_t page)
{
	page_of(page)->flags &= ~PAGE_STANDBY;
	queue_remove(&standby, page);
}

bool standby_back(uint32_t page)
{
	forget(page);
	if (!mmu_do(MMU_PROTECT, page, 1, MMU_W, 0))
		return true;
	gc_stats.revoked++;
	return false;
}

/* Those that did not go. */
static void unmap(const uint32_t *page, unsigned n)
{
	struct mmu_op op[BATCH];
	unsigned k = 0;
	for (unsigned i = 0; i < n; i++) {
		mmu_discardable(page[i], 1, false);
		if (mmu_frame(page[i]))
			op[k++] = (struct mmu_op){ MMU_UNMAP, page[i], 1, 0, 0 };
	}
	if (mmu_batch(op, k))
		port_fail("gc: a page that was on offer cannot be unmapped\n");
	gc_stats.revoked += n - k;
}

void standby_leave(uint32_t page)
{
	forget(page);
	unmap(&page, 1);
}

/* ---- all of them ---------------------------------------------------------------------------- */

bool offers_recall(void)
{
	uint32_t page[BATCH];
	unsigned n = 0;
	while (n < BATCH && spare)
		page[n++] = first + --spare;
	for (; n < BATCH && standby.last; n++)
		forget(page[n] = standby.last);
	unmap(page, n);
	return n;
}

/* What the kernel took is not counted any more. */
static void look(void)
{
	for (uint32_t p = standby.first, next; p; p = next) {
		next = page_of(p)->next;
		if (!mmu_frame(p)) {
			forget(p);
			gc_stats.revoked++;
		}
	}
}

bool offers_fill(void)
{
	uint32_t want = wanted();
	if (!offers_open())
		return true;
	look();
	for (uint32_t i = 0; i + standby.n < want; i++) {
		if (i < spare && mmu_frame(first + i))
			continue;
		if (mmu_frames_free() <= KEPT)
			return false;
		if (mmu_do(MMU_MAP, first + i, 1, 0, 0))
			port_fail("gc: no frame to be on offer\n");
		mmu_discardable(first + i, 1, true);
		gc_stats.revoked += i < spare;
		spare += i == spare;
	}
	return true;
}
