/* Revocation on Linux, where no kernel asks a process for pages: this file plays its part, for
 * tests, and keeps what it was given.  See mmu_linux.h.
 */
#include "libos/gc-runtime/mmu_linux.h"
#include "libos/gc-runtime/mmu_linux_bits.h"
#include "libos/gc-runtime/mmu_check.h"
#include "libos/gc-runtime/port.h"
#include <errno.h>

static struct {
	uint64_t *discardable;		/* bitmap by page */
	uint64_t *gone, given;		/* frames that left the pool, how many */
	uint64_t want;			/* frames asked back, not given yet */
	void (*hook)(uint64_t frames, uint64_t deadline);
	uint32_t victim[MMU_VICTIMS], victims;
	uint32_t lost[MMU_VICTIMS], lost_n, lost_read;
} asked;

int mmu_linux_revoke_init(uint32_t pages, uint64_t frames)
{
	asked.gone = port_memory(frames * sizeof *asked.gone);
	asked.discardable = port_memory((pages / 64 + 1) * sizeof *asked.discardable);
	return asked.gone && asked.discardable ? 0 : -ENOMEM;
}

uint64_t mmu_linux_given(void) { return asked.given; }

void mmu_on_revoke(void (*hook)(uint64_t frames, uint64_t deadline)) { asked.hook = hook; }

void mmu_discardable(uint32_t page, uint32_t n, bool on)
{
	if (on)
		mmu_unpublish(page, n);
	for (uint32_t i = 0; i < n; i++)
		bit_set(asked.discardable, page + i, on);
}

uint64_t mmu_give(uint64_t n)
{
	for (; n && asked.want && mmu_frames_free(); n--, asked.want--) {
		uint64_t frame = mmu_frame_take();
		asked.gone[asked.given++] = frame;
	}
	return asked.want;
}

uint64_t mmu_linux_return(uint64_t n)
{
	uint64_t i = 0;
	for (; i < n && asked.given; i++)
		mmu_frame_put(asked.gone[--asked.given]);
	return i;
}

static void take_discardable(void)
{
	for (uint32_t p = 0; p < mmu.pages && asked.want; p++)
		if (bit_test(asked.discardable, p) && mmu.pte[p] & MMU_P) {
			mmu_do(MMU_UNMAP, p, 1, 0, 0);
			mmu_give(1);
		}
}

static bool published(uint64_t frame)
{
	for (unsigned i = 0; i < asked.victims; i++)
		if (mmu_frame(asked.victim[i]) == frame)
			return true;
	return false;
}

int mmu_victims(const uint32_t *page, unsigned n)
{
	asked.victims = 0;
	for (unsigned i = 0; i < n && asked.victims < MMU_VICTIMS; i++)
		if (page[i] < mmu.pages && mmu.pte[page[i]] & MMU_P && !published(mmu_frame(page[i]))) {
			bit_set(asked.discardable, page[i], false);
			asked.victim[asked.victims++] = page[i];
		}
	return 0;
}

/* Nothing goes by force while an operation is under way. */
int mmu_unpublish(uint32_t page, uint32_t n)
{
	unsigned left = 0;
	for (unsigned i = 0; i < asked.victims; i++)
		if (asked.victim[i] - page >= n)
			asked.victim[left++] = asked.victim[i];
	asked.victims = left;
	return 0;
}

uint32_t mmu_lost(void)
{
	return asked.lost_read < asked.lost_n ? asked.lost[asked.lost_read++] : ~0u;
}

void mmu_linux_revoke(uint64_t frames, uint64_t deadline)
{
	asked.want += frames;
	take_discardable();
	if (asked.want && asked.hook)
		asked.hook(asked.want, deadline);
}

uint64_t mmu_linux_force(void)
{
	if (asked.lost_read == asked.lost_n)
		asked.lost_n = asked.lost_read = 0;
	while (asked.victims && asked.want && asked.lost_n < MMU_VICTIMS) {
		uint32_t page = asked.victim[0];
		mmu_do(MMU_UNMAP, page, 1, 0, 0);	/* and it is not in the order any more */
		asked.lost[asked.lost_n++] = page;
		mmu_give(1);
	}
	return asked.want;
}
