/* The cases of the MMU interface on Linux, and revocation, whose kernel is played by the back end.
 */
#include "tests/gc/test_mmu.h"
#include "libos/gc-runtime/mmu.h"
#include "libos/gc-runtime/mmu_linux.h"
#include "libos/gc-runtime/port.h"

static uint64_t asked;
static void on_revoke(uint64_t frames, uint64_t deadline)
{
	(void)deadline;
	asked += frames;
}

static void result(const char *name, bool right)
{
	port_print(right ? "ok mmu_%s\n" : "FAIL mmu_%s: see test_mmu.c\n", name);
}

/* Discardable frames go without a word; for others the hook is asked; then by force. */
static bool revocation(void)
{
	uint64_t total = mmu_frames_total();
	uint32_t victims[2] = { 101, 100 };
	mmu_on_revoke(on_revoke);
	if (mmu_do(MMU_MAP, 100, total - 10, MMU_W, 0))
		return false;
	mmu_linux_revoke(10, 0);
	if (asked != 10 || mmu_frames_total() != total || mmu_give(10) || mmu_frames_total() != total - 10)
		return false;
	asked = 0;
	mmu_discardable(100, 4, true);
	mmu_discardable(100, 2, false);
	mmu_linux_revoke(5, 0);
	if (mmu_frames_total() != total - 12 || asked != 3 || mmu_frame(102) || !mmu_frame(101))
		return false;
	mmu_do(MMU_UNMAP, 110, 1, 0, 0);
	if (mmu_give(5) != 2)
		return false;
	mmu_victims(victims, 2);
	if (mmu_linux_force() || mmu_lost() != 101 || mmu_lost() != 100 || mmu_lost() != ~0u)
		return false;
	return mmu_frames_total() == total - 15 && !mmu_frame(100);
}

int main(void)
{
	unsigned failures = test_mmu();
	bool right = revocation();
	result("revocation", right);
	return failures || !right;
}
