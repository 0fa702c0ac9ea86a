/* The MMU interface on Linux: frames are the pages of a memfd, mappings are mmap's.
 *
 * The program can't read its page tables there, so this file keeps an array in their place and
 * emulates the accessed and dirty bits by protection: a page without A is PROT_NONE, one without D
 * is PROT_READ, and the SIGSEGV sets the bit and lifts the protection, as Boehm's collector and
 * user-level pagers do.  Works on any Linux since 3.17.
 *
 * Left to others: the same as mmu.h says.  Revocation has no counterpart on Linux: mmu_linux_revoke
 * plays the part of the kernel, for tests.
 */
#define _GNU_SOURCE
#include "libos/gc-runtime/mmu_check.h"
#include "libos/gc-runtime/mmu_linux.h"
#include "libos/gc-runtime/port.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define BASE		0x200000000000ul
#define AREAS		1048576		/* mappings that the kernel should allow: one a page, at worst */

struct mmu mmu;
static struct {
	int fd;
	uint64_t *pte;			/* what mmu.pte shows */
	uint64_t *free;			/* bitmap by frame - 1 */
	uint64_t frames, left, hint;	/* numbers in use; free; where to look next */
	uint64_t *gone, given;		/* frames that left the pool, how many */
	bool (*fault)(const struct mmu_fault *f);
	void (*revoke)(uint64_t frames, uint64_t deadline);
	uint64_t *discardable;
	uint64_t want;			/* frames asked back, not given yet */
	uint32_t victim[MMU_VICTIMS], victims;
	uint32_t lost[MMU_VICTIMS], lost_n, lost_read;
} lx;

static bool bit_test(const uint64_t *map, uint64_t i) { return map[i / 64] >> i % 64 & 1; }
static void bit_set(uint64_t *map, uint64_t i, bool on)
{
	map[i / 64] = (map[i / 64] & ~(1ul << i % 64)) | (uint64_t)on << i % 64;
}

/* ---- frames ------------------------------------------------------------------------------- */

uint64_t mmu_frames_free(void) { return lx.left; }
uint64_t mmu_frames_total(void) { return lx.frames - lx.given; }

/* Next fit: frames that were freed together are mapped together again, by one mmap. */
uint64_t mmu_frame_take(void)
{
	uint64_t words = (lx.frames + 63) / 64, w = lx.hint / 64;
	if (!lx.left)
		return 0;
	uint64_t bits = lx.free[w] & ~0ul << lx.hint % 64;
	while (!bits)
		bits = lx.free[w = (w + 1) % words];
	uint64_t i = w * 64 + __builtin_ctzl(bits);
	bit_set(lx.free, i, false);
	lx.hint = (i + 1) % (words * 64);
	lx.left--;
	return i + 1;
}

void mmu_frame_put(uint64_t frame)
{
	bit_set(lx.free, frame - 1, true);
	lx.left++;
}

/* ---- mappings -------------------------------------------------------------------------------- */

static int protection(uint64_t e)
{
	if (!(e & MMU_A))
		return PROT_NONE;
	return e & MMU_W && e & MMU_D ? PROT_READ | PROT_WRITE : PROT_READ;
}

/* How many pages from i on (at most n) one system call can serve: equal protection, and, for
 * mappings, adjacent frames. */
static uint32_t run(uint32_t page, uint32_t n, bool frames)
{
	uint32_t k = 1;
	uint64_t first = lx.pte[page];
	while (k < n && protection(lx.pte[page + k]) == protection(first) &&
	       (lx.pte[page + k] & MMU_P) == (first & MMU_P) &&
	       (!frames || !(first & MMU_P) ||
		(lx.pte[page + k] & MMU_FRAME) == (first & MMU_FRAME) + (uint64_t)k * MMU_PAGE))
		k++;
	return k;
}

static void must(bool ok, const char *what)
{
	if (!ok)
		port_fail("mmu: %s failed, errno %d%s\n", what, errno,
			errno == ENOMEM ? " (see /proc/sys/vm/max_map_count)" : "");
}

/* Makes the kernel's mappings of n pages what the array says. */
static void install(uint32_t page, uint32_t n)
{
	for (uint32_t i = 0, k; i < n; i += k) {
		uint64_t e = lx.pte[page + i];
		k = run(page + i, n - i, true);
		void *at = mmu_address(page + i);
		void *got = e & MMU_P ?
			mmap(at, (size_t)k * MMU_PAGE, protection(e), MAP_SHARED | MAP_FIXED, lx.fd,
				(off_t)((e & MMU_FRAME) - MMU_PAGE)) :
			mmap(at, (size_t)k * MMU_PAGE, PROT_NONE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
		must(got == at, "mmap");
	}
}

static void restrict_to(uint32_t page, uint32_t n)
{
	for (uint32_t i = 0, k; i < n; i += k) {
		k = run(page + i, n - i, false);
		if (lx.pte[page + i] & MMU_P)
			must(!mprotect(mmu_address(page + i), (size_t)k * MMU_PAGE,
				protection(lx.pte[page + i])), "mprotect");
	}
}

/* ---- batches ------------------------------------------------------------------------------- */

bool mmu_frame_taken(uint64_t frame)
{
	return frame && frame <= lx.frames && !bit_test(lx.free, frame - 1);
}

static void map_new(const struct mmu_op *o)
{
	for (uint32_t i = 0; i < o->n; i++) {
		uint64_t frame = o->op == MMU_MAP ? mmu_frame_take() : o->arg;
		if (o->prot & MMU_ZERO)
			memset(mmu_window(frame), 0, MMU_PAGE);
		lx.pte[o->page + i] = frame << MMU_SHIFT | MMU_P | (o->prot & (MMU_W | MMU_A | MMU_D));
	}
	install(o->page, o->n);
}

static void unmap(const struct mmu_op *o)
{
	for (uint32_t i = 0; i < o->n; i++) {
		if (o->op == MMU_UNMAP)
			mmu_frame_put(mmu_frame(o->page + i));
		lx.pte[o->page + i] = 0;
	}
	install(o->page, o->n);
}

static void exchange(const struct mmu_op *o)
{
	for (uint32_t i = 0; i < o->n; i++) {
		uint64_t e = lx.pte[o->page + i], other = lx.pte[o->arg + i];
		lx.pte[o->page + i] = o->op == MMU_ALIAS ? e : other;
		lx.pte[o->arg + i] = o->op == MMU_ALIAS ?
			(e & (MMU_FRAME | MMU_P)) | (o->prot & (MMU_W | MMU_A | MMU_D)) : e;
	}
	install(o->page, o->n);
	install(o->arg, o->n);
}

static void carry_out(const struct mmu_op *o)
{
	switch (o->op) {
	case MMU_MAP:
	case MMU_MAP_FRAME:
		map_new(o);
		break;
	case MMU_UNMAP:
	case MMU_DETACH:
		unmap(o);
		break;
	case MMU_PROTECT:
		for (uint32_t i = 0; i < o->n; i++)
			lx.pte[o->page + i] = (lx.pte[o->page + i] & ~MMU_W) | (o->prot & MMU_W);
		restrict_to(o->page, o->n);
		break;
	default:
		exchange(o);
	}
}

int mmu_batch(const struct mmu_op *op, unsigned n)
{
	mmu_settle(op, n);
	int error = mmu_check(op, n);
	for (unsigned i = 0; i < n && !error; i++)
		if (op[i].n)
			carry_out(&op[i]);
	return error;
}

uint32_t mmu_harvest(uint32_t page, uint32_t n, uint32_t which, uint64_t *a, uint64_t *d)
{
	uint32_t found = 0, first = n, last = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t *e = &lx.pte[page + i], was = *e & MMU_P ? *e : 0;
		if (a && !(i % 64))
			a[i / 64] = 0;
		if (d && !(i % 64))
			d[i / 64] = 0;
		if (a && was & which & MMU_A)
			bit_set(a, i, true);
		if (d && was & which & MMU_D)
			bit_set(d, i, true);
		if (!(was & which))
			continue;
		*e &= ~(uint64_t)which;
		found++;
		first = i < first ? i : first;
		last = i;
	}
	if (found)
		restrict_to(page + first, last - first + 1);
	return found;
}

/* ---- faults ------------------------------------------------------------------ */

void mmu_on_fault(bool (*hook)(const struct mmu_fault *f)) { lx.fault = hook; }

/* The access that the hardware would have recorded in the entry. */
static bool emulate(uint32_t page, bool write)
{
	uint64_t e = lx.pte[page];
	if (!(e & MMU_P) || (write && !(e & MMU_W)))
		return false;
	lx.pte[page] |= write ? MMU_A | MMU_D : MMU_A;
	restrict_to(page, 1);
	return true;
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
	static bool inside;
	const ucontext_t *u = context;
	bool write = u->uc_mcontext.gregs[REG_ERR] & 2;
	void *at = info->si_addr;
	(void)signal;
	if (!mmu_inside(at) || inside)
		port_fail("mmu: access to %p%s, ip 0x%llx\n", at, inside ? " while serving a fault" : "",
			u->uc_mcontext.gregs[REG_RIP]);
	if (emulate(mmu_page(at), write))
		return;
	struct mmu_fault f = { mmu_page(at), write, lx.pte[mmu_page(at)] & MMU_P, (uintptr_t)at,
		u->uc_mcontext.gregs[REG_RIP] };
	inside = true;
	if (!lx.fault || !lx.fault(&f))
		port_fail("mmu: page fault at %p (%s), ip 0x%lx\n", at, write ? "write" : "read", f.ip);
	inside = false;
}

/* ---- the beginning --------------------------------------------------------------------------- */

/* One area a page is possible; as root the limit can be raised.  If not, must() tells. */
static void allow_areas(void)
{
	int fd = open("/proc/sys/vm/max_map_count", O_RDWR | O_CLOEXEC);
	char text[32] = "";
	if (fd >= 0 && read(fd, text, sizeof text - 1) > 0 && atol(text) < AREAS) {
		int n = snprintf(text, sizeof text, "%d", AREAS);
		if (pwrite(fd, text, n, 0) != n)
			errno = 0;
	}
	if (fd >= 0)
		close(fd);
}

static void *reserve(void *at, uint64_t size, int protect, int flags, int fd)
{
	void *p = mmap(at, size, protect, flags, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

int mmu_init(uint32_t pages, uint64_t frames, const char **why)
{
	const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	frames = frames ? frames : pages;	/* no limit */
	uint64_t words = (frames + 63) / 64;
	allow_areas();
	lx.fd = memfd_create("frames", MFD_CLOEXEC);
	*why = "memfd_create";
	if (lx.fd < 0 || ftruncate(lx.fd, frames * MMU_PAGE))
		return -errno;
	*why = "mmap";
	uint8_t *window = reserve(NULL, frames * MMU_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, lx.fd);
	lx.pte = reserve(NULL, pages * sizeof *lx.pte, PROT_READ | PROT_WRITE, anonymous, -1);
	lx.free = reserve(NULL, words * 8, PROT_READ | PROT_WRITE, anonymous, -1);
	lx.gone = reserve(NULL, frames * 8, PROT_READ | PROT_WRITE, anonymous, -1);
	lx.discardable = reserve(NULL, (pages / 64 + 1) * 8, PROT_READ | PROT_WRITE, anonymous, -1);
	if (!window || !lx.pte || !lx.free || !lx.gone || !lx.discardable || reserve((void *)BASE, (uint64_t)pages *
			MMU_PAGE, PROT_NONE, anonymous | MAP_FIXED_NOREPLACE, -1) != (void *)BASE)
		return -errno;
	mmu = (struct mmu){ BASE, pages, lx.pte, (uintptr_t)window - MMU_PAGE };
	for (uint64_t i = 0; i < frames; i++)
		bit_set(lx.free, i, true);
	lx.frames = lx.left = frames;
	struct sigaction act = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER };
	*why = "sigaction";
	return sigaction(SIGSEGV, &act, NULL) ? -errno : 0;
}

/* ---- revocation, as the kernel would do it ----------------------------------- */

void mmu_on_revoke(void (*hook)(uint64_t frames, uint64_t deadline)) { lx.revoke = hook; }

void mmu_discardable(uint32_t page, uint32_t n, bool on)
{
	for (uint32_t i = 0; i < n; i++)
		bit_set(lx.discardable, page + i, on);
}

uint64_t mmu_give(uint64_t n)
{
	for (; n && lx.want && lx.left; n--, lx.want--)
		lx.gone[lx.given++] = mmu_frame_take();
	return lx.want;
}

uint64_t mmu_linux_return(uint64_t n)
{
	uint64_t i = 0;
	for (; i < n && lx.given; i++)
		mmu_frame_put(lx.gone[--lx.given]);
	return i;
}

static void take_discardable(void)
{
	for (uint32_t p = 0; p < mmu.pages && lx.want; p++)
		if (bit_test(lx.discardable, p) && lx.pte[p] & MMU_P) {
			mmu_do(MMU_UNMAP, p, 1, 0, 0);
			mmu_give(1);
		}
}

void mmu_victims(const uint32_t *page, unsigned n)
{
	lx.victims = n < MMU_VICTIMS ? n : MMU_VICTIMS;
	memcpy(lx.victim, page, lx.victims * sizeof *page);
}

uint32_t mmu_lost(void) { return lx.lost_read < lx.lost_n ? lx.lost[lx.lost_read++] : ~0u; }

void mmu_linux_revoke(uint64_t frames, uint64_t deadline)
{
	lx.want += frames;
	take_discardable();
	if (lx.want && lx.revoke)
		lx.revoke(lx.want, deadline);
}

uint64_t mmu_linux_force(void)
{
	lx.lost_n = lx.lost_read = 0;
	for (unsigned i = 0; i < lx.victims && lx.want; i++)
		if (lx.pte[lx.victim[i]] & MMU_P) {
			mmu_do(MMU_UNMAP, lx.victim[i], 1, 0, 0);
			lx.lost[lx.lost_n++] = lx.victim[i];
			mmu_give(1);
		}
	return lx.want;
}
