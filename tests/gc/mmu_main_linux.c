/* The cases of the MMU interface on Linux under one mechanism; what the kernel says of the same
 * pages; and revocation, whose kernel is played by the back end.
 *
 *	mmu [auto|uffd|mprotect]	the cases
 *	mmu none			what is left of them where accesses are not noticed
 *	mmu refused			where userfaultfd is forbidden, as in a container
 */
#include "tests/gc/test_mmu.h"
#include "libos/gc-runtime/mmu.h"
#include "libos/gc-runtime/mmu_linux.h"
#include "libos/gc-runtime/port.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of an entry of /proc/self/pagemap */
#define SOFT_DIRTY	(1ul << 55)
#define UFFD_WP		(1ul << 57)
#define PRESENT		(1ul << 63)

static int failures;

static void result(const char *name, bool right)
{
	const char *about, *mechanism = mmu_mechanism(&about);
	port_print(right ? "ok mmu_%s_%s\n" : "FAIL mmu_%s_%s: see mmu_main_linux.c\n", mechanism, name);
	failures += !right;
}

/* ---- revocation --------------------------------------------------------------------------- */

static uint64_t asked;
static void on_revoke(uint64_t frames, uint64_t deadline)
{
	(void)deadline;
	asked += frames;
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

/* ---- the kernel's word -------------------------------------------------------------------- */

#define PAGES	64u

static uint64_t pagemap(const void *p)
{
	static int file = -1;
	uint64_t entry = 0;
	if (file < 0)
		file = open("/proc/self/pagemap", O_RDONLY);
	return pread(file, &entry, 8, (uintptr_t)p / MMU_PAGE * 8) == 8 ? entry : 0;
}

/* From now on a page that is written is soft-dirty; false: not in this kernel. */
static bool soft_dirty(void)
{
	static volatile uint64_t word;
	int file = open("/proc/self/clear_refs", O_WRONLY);
	bool right = file >= 0 && write(file, "4", 1) == 1;
	bool before = pagemap((void *)&word) & SOFT_DIRTY;
	close(file);
	word = 1;
	return right && !before && pagemap((void *)&word) & SOFT_DIRTY;
}

static volatile uint64_t *word_of(uint32_t page) { return mmu_address(page); }

/* The soft-dirty bits of the kernel are those of the entries, after writes here and there.  Not
 * under uffd: before Linux 6.2 a page whose write-protection by it is lifted can be written
 * without becoming soft-dirty. */
static bool dirty_alike(void)
{
	uint64_t d;
	unsigned differ = 0;
	if (mmu_do(MMU_MAP, 0, PAGES, MMU_W | MMU_A | MMU_D | MMU_ZERO, 0))
		return false;
	for (unsigned round = 1; round < 20; round++) {
		mmu_harvest(0, PAGES, MMU_D, NULL, &d);
		soft_dirty();
		for (uint32_t p = round % 5; p < PAGES; p += round)
			word_of(p)[round] = p;
		for (uint32_t p = 0; p < PAGES; p++)
			differ += !(pagemap(mmu_address(p)) & SOFT_DIRTY) != !(mmu.pte[p] & MMU_D);
	}
	return !mmu_do(MMU_UNMAP, 0, PAGES, 0, 0) && !differ;
}

/* A translation is there only with A, and can be written only with D. */
static bool entries_alike(void)
{
	unsigned differ = 0;
	if (mmu_do(MMU_MAP, 0, PAGES, MMU_W | MMU_A | MMU_D | MMU_ZERO, 0))
		return false;
	mmu_harvest(0, PAGES, MMU_A | MMU_D, NULL, NULL);
	for (uint32_t p = 0; p < PAGES; p += 3)
		if (p % 2)
			word_of(p)[1] = p;
		else
			(void)*word_of(p);
	for (uint32_t p = 0; p < PAGES; p++) {
		uint64_t kernel = pagemap(mmu_address(p));
		differ += !(kernel & PRESENT) != !(mmu.pte[p] & MMU_A);
		differ += kernel & PRESENT && !(kernel & UFFD_WP) != !!(mmu.pte[p] & MMU_D);
	}
	return !mmu_do(MMU_UNMAP, 0, PAGES, 0, 0) && !differ;
}

/* ---- the beginning ------------------------------------------------------------------------ */

/* From now on userfaultfd is EPERM. */
static bool forbid_userfaultfd(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_userfaultfd, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(code), code };
	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
		!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* Pages are written and read, and always seem to have been; frames stay where they are. */
static int blind(void)
{
	const char *why;
	uint64_t a = 0, d = 0;
	if (!mmu_select("none") || mmu_init(PAGES, PAGES, &why) != -EINVAL || mmu_init(PAGES, 0, &why))
		return port_print("FAIL mmu_none: its beginning, and no limit\n"), 1;
	volatile uint8_t *at = mmu_address(5);
	result("mapped", !mmu_do(MMU_MAP, 5, 2, MMU_W, 0) && mmu_frames_free() == PAGES - 2);
	*at = 7;
	result("window", *(uint8_t *)mmu_window(mmu_frame(5)) == 7);
	mmu_harvest(4, 4, MMU_A | MMU_D, &a, &d);
	result("harvest", mmu_harvest(4, 4, MMU_A | MMU_D, &a, &d) == 2 && a == 6 && d == 6);
	result("stays", mmu_do(MMU_MOVE, 5, 1, 0, 9) == -EINVAL &&
		mmu_do(MMU_DETACH, 5, 1, 0, 0) == -EINVAL && !mmu_frame_take() && *at == 7);
	result("zero", !mmu_do(MMU_UNMAP, 5, 2, 0, 0) && mmu_frames_free() == PAGES &&
		!mmu_do(MMU_MAP, 5, 1, MMU_W | MMU_ZERO, 0) && !*at);
	return failures;
}

static int refused(void)
{
	const char *why, *about;
	if (!forbid_userfaultfd())
		return port_print("FAIL mmu_refused: no filter\n"), 1;
	if (!mmu_select("uffd") || mmu_init(PAGES, PAGES, &why) != -EPERM)
		return port_print("FAIL mmu_refused: uffd was not refused\n"), 1;
	if (!mmu_select("auto") || mmu_init(PAGES, PAGES, &why) ||
	    strcmp(mmu_mechanism(&about), "mprotect"))
		return port_print("FAIL mmu_refused: auto is not mprotect\n"), 1;
	return port_print("ok mmu_refused\n"), 0;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "auto", *about;
	if (!strcmp(how, "refused"))
		return refused();
	if (!strcmp(how, "none"))
		return blind();
	if (!mmu_select(how))
		return port_print("FAIL mmu_select: there is no %s\n", how), 1;
	if (test_mmu())
		return 1;
	if (!strcmp(mmu_mechanism(&about), "uffd"))
		result("pagemap", entries_alike());
	else if (soft_dirty())
		result("soft_dirty", dirty_alike());
	result("revocation", revocation());
	return failures;
}
