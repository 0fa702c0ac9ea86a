/* The MMU interface on Linux: frames are the pages of a memfd, mappings are mmap's.
 *
 * The program can't read its page tables there, so this file keeps an array in their place, whose
 * accessed and dirty bits are set by signals: how the kernel comes to send them is a mechanism's
 * (mmu_linux_bits.h).  Under a mechanism that sees nothing there is no memfd: each page has a frame
 * of its own, its anonymous memory.
 *
 * Left to others: the same as mmu.h says; revocation, which has no counterpart on Linux and is
 * played by mmu_linux_revoke.c.
 */
#define _GNU_SOURCE
#include "libos/gc-runtime/mmu_check.h"
#include "libos/gc-runtime/mmu_linux.h"
#include "libos/gc-runtime/mmu_linux_bits.h"
#include "libos/gc-runtime/port.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

#define BASE		0x200000000000ul
#define AREAS		1048576		/* mappings that the kernel should allow: one a page, at worst */

struct mmu mmu;
static struct {
	int fd;
	const struct mmu_mechanism *bits;	/* in use; before mmu_init the chosen one, NULL: any */
	uint64_t *pte;			/* what mmu.pte shows */
	uint64_t *free;			/* bitmap by frame - 1 */
	uint64_t frames, left, hint;	/* numbers in use; free; where to look next */
	bool (*fault)(const struct mmu_fault *f);
} lx;
/* The first ones first, where the choice is free. */
static const struct mmu_mechanism *const mechanisms[] = { &mmu_by_uffd, &mmu_by_mprotect,
	&mmu_by_none };

/* ---- frames ------------------------------------------------------------------------------- */

uint64_t mmu_frames_free(void) { return lx.left; }
uint64_t mmu_frames_total(void) { return lx.frames - mmu_linux_given(); }

/* Next fit: frames that were freed together are mapped together again, by one mmap. */
uint64_t mmu_frame_take(void)
{
	uint64_t words = (lx.frames + 63) / 64, w = lx.hint / 64;
	if (!lx.left || lx.bits->blind)
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

/* The page's own, where pages have such. */
static uint64_t frame_for(uint32_t page)
{
	if (!lx.bits->blind)
		return mmu_frame_take();
	bit_set(lx.free, page, false);
	lx.left--;
	return page + 1;
}

void mmu_frame_put(uint64_t frame)
{
	bit_set(lx.free, frame - 1, true);
	lx.left++;
}

/* ---- mappings -------------------------------------------------------------------------------- */

/* How many pages from i on (at most n) one call can serve: equal access, and, for mappings,
 * adjacent frames. */
static uint32_t run(uint32_t page, uint32_t n, bool frames)
{
	uint32_t k = 1;
	uint64_t first = lx.pte[page];
	while (k < n && mmu_access(lx.pte[page + k]) == mmu_access(first) &&
	       (lx.pte[page + k] & MMU_P) == (first & MMU_P) &&
	       (!frames || !(first & MMU_P) ||
		(lx.pte[page + k] & MMU_FRAME) == (first & MMU_FRAME) + (uint64_t)k * MMU_PAGE))
		k++;
	return k;
}

void mmu_linux_must(bool ok, const char *what)
{
	if (!ok)
		port_fail("mmu: %s failed, errno %d%s\n", what, errno,
			errno == ENOMEM ? " (see /proc/sys/vm/max_map_count)" : "");
}

static void map_fixed(uint32_t page, uint32_t n, int protection, int flags, int fd, uint64_t at)
{
	void *want = mmu_address(page);
	mmu_linux_must(mmap(want, (size_t)n * MMU_PAGE, protection, flags | MAP_FIXED, fd, at) == want,
		"mmap");
}

void mmu_linux_map(uint32_t page, uint32_t n, int protection, int flags)
{
	map_fixed(page, n, protection, MAP_SHARED | flags, lx.fd, (lx.pte[page] & MMU_FRAME) - MMU_PAGE);
}

/* Makes the kernel's mappings of n pages what the array says. */
static void install(uint32_t page, uint32_t n)
{
	for (uint32_t end = page + n, k; page < end; page += k) {
		k = run(page, end - page, true);
		if (lx.pte[page] & MMU_P)
			lx.bits->map(page, k);
		else
			map_fixed(page, k, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	}
}

static void restrict_to(uint32_t page, uint32_t n)
{
	for (uint32_t end = page + n, k; page < end; page += k) {
		k = run(page, end - page, false);
		if (lx.pte[page] & MMU_P)
			lx.bits->restrict_to(page, k);
	}
}

/* ---- batches ------------------------------------------------------------------------------- */

bool mmu_frame_taken(uint64_t frame)
{
	return frame && frame <= lx.frames && !bit_test(lx.free, frame - 1);
}

/* Bits that are always set, as nobody sees what would set them. */
static uint64_t unseen(void) { return lx.bits->blind ? MMU_A | MMU_D : 0; }

static void map_new(const struct mmu_op *o)
{
	for (uint32_t i = 0; i < o->n; i++) {
		uint64_t frame = o->op == MMU_MAP ? frame_for(o->page + i) : o->arg;
		if (o->prot & MMU_ZERO && !lx.bits->blind)	/* what it maps is new */
			memset(mmu_window(frame), 0, MMU_PAGE);
		lx.pte[o->page + i] = frame << MMU_SHIFT | MMU_P | (o->prot & (MMU_W | MMU_A | MMU_D)) |
			unseen();
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
	int error = mmu_settle(op, n);
	if (!error)
		error = mmu_check(op, n);
	for (unsigned i = 0; i < n && !error && lx.bits->blind; i++)
		error = op[i].op == MMU_MAP || op[i].op == MMU_UNMAP || op[i].op == MMU_PROTECT ? 0 : -EINVAL;
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
		*e &= ~(uint64_t)which | unseen();
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
static bool emulate(uint32_t page, bool write, bool present)
{
	uint64_t e = lx.pte[page];
	if (!(e & MMU_P) || (write && !(e & MMU_W)))
		return false;
	lx.pte[page] |= write ? MMU_A | MMU_D : MMU_A;
	lx.bits->grant(page, present);
	return true;
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
	static bool inside;
	const ucontext_t *u = context;
	uint64_t error = u->uc_mcontext.gregs[REG_ERR];		/* x86's: bit 0 present, bit 1 a write */
	bool write = error & 2;
	void *at = info->si_addr;
	(void)signal;
	if (!mmu_inside(at) || inside)
		port_fail("mmu: access to %p%s, ip 0x%llx\n", at, inside ? " while serving a fault" : "",
			u->uc_mcontext.gregs[REG_RIP]);
	if (emulate(mmu_page(at), write, error & 1))
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

bool mmu_select(const char *mechanism)
{
	lx.bits = NULL;
	for (unsigned i = 0; i < ARRAY_SIZE(mechanisms); i++)
		if (!strcmp(mechanism, mechanisms[i]->name))
			lx.bits = mechanisms[i];
	return lx.bits || !strcmp(mechanism, "auto");
}

const char *mmu_mechanism(const char **about)
{
	*about = lx.bits->about;
	return lx.bits->name;
}

/* The chosen mechanism, or the first that the kernel offers. */
static int start_bits(void)
{
	int error = lx.bits ? lx.bits->start() : -ENOSYS;
	for (unsigned i = 0; !lx.bits && i < ARRAY_SIZE(mechanisms); i++)
		if (!(error = mechanisms[i]->start()))
			lx.bits = mechanisms[i];
	return error;
}

static int catch_signals(void)
{
	struct sigaction act = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER };
	return sigaction(SIGSEGV, &act, NULL) || sigaction(SIGBUS, &act, NULL) ? -errno : 0;
}

static void *reserve(uint64_t at, uint64_t size, int protect, int flags, int fd)
{
	void *p = mmap((void *)at, size, protect, flags, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

/* Where frame 1 shows. */
static void *frames_open(uint64_t frames)
{
	if (lx.bits->blind)
		return (void *)BASE;
	lx.fd = memfd_create("frames", MFD_CLOEXEC);
	if (lx.fd < 0 || ftruncate(lx.fd, frames * MMU_PAGE))
		return NULL;
	return reserve(0, frames * MMU_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, lx.fd);
}

int mmu_init(uint32_t pages, uint64_t frames, const char **why)
{
	const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	*why = "the kernel does not offer the chosen way to notice writes";
	int error = start_bits();
	if (error)
		return error;
	*why = "who does not see accesses keeps to no limit";
	if (lx.bits->blind && frames)
		return -EINVAL;
	frames = frames ? frames : pages;
	allow_areas();
	*why = "memfd_create, mmap";
	uint8_t *window = frames_open(frames);
	lx.pte = reserve(0, pages * sizeof *lx.pte, PROT_READ | PROT_WRITE, anonymous, -1);
	lx.free = reserve(0, (frames + 63) / 64 * 8, PROT_READ | PROT_WRITE, anonymous, -1);
	void *region = reserve(BASE, (uint64_t)pages * MMU_PAGE, PROT_NONE,
		anonymous | MAP_FIXED_NOREPLACE, -1);
	if (!window || !lx.pte || !lx.free || region != (void *)BASE ||
	    mmu_linux_revoke_init(pages, frames))
		return -errno;
	mmu = (struct mmu){ BASE, pages, lx.pte, (uintptr_t)window - MMU_PAGE };
	for (uint64_t i = 0; i < frames; i++)
		bit_set(lx.free, i, true);
	lx.frames = lx.left = frames;
	*why = "sigaction";
	return catch_signals();
}
