/* The part of mmu.h that this library needs, for processes that fork: pages are the process's own
 * anonymous memory, so that parent and child have a heap each, which the frames of mmu_linux.c, a
 * memfd's pages, would share.  For Linux and for the POSIX libOS.
 *
 * Dirty bits are emulated: a page without D is read-only, and a SIGSEGV sets the bit.  Other
 * faults go to the handler that the program had.  Accessed bits, moves, aliases and frames by
 * name do not exist here; there is no limit of frames but the machine's.
 */
#define _GNU_SOURCE
#include "lib.h"
#include "libos/gc-runtime/port.h"
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define BASE		0x200000000000ul
#define GROUP		16u		/* pages; see dirty() */
#define ADDRESSES	(16ul << 30)	/* of the heap, at most: as many as the machine's memory */

struct mmu mmu;
const bool mmu_protects = true;
static uint64_t *pte;
static struct sigaction before;

uint32_t sys_pages(void)
{
	uint64_t pages = sysconf(_SC_PHYS_PAGES), most = ADDRESSES / MMU_PAGE;
	return pages < most ? pages : most;
}
uint64_t sys_frames(void) { return 0; }
void sys_started(void) { }
uint64_t mmu_frames_free(void) { return mmu.pages; }
uint64_t mmu_give(uint64_t n) { return (void)n, 0; }
void mmu_on_revoke(void (*hook)(uint64_t frames, uint64_t deadline)) { (void)hook; }

static bool protect(uint32_t page, uint32_t n, int how)
{
	return !mprotect(mmu_address(page), (size_t)n * MMU_PAGE, how);
}

static int carry_out(const struct mmu_op *o)
{
	bool map = o->op == MMU_MAP;
	if (!map && o->op != MMU_UNMAP)
		return -EINVAL;
	if (!map && madvise(mmu_address(o->page), (size_t)o->n * MMU_PAGE, MADV_DONTNEED))
		return -errno;
	if (!protect(o->page, o->n, map ? PROT_READ | PROT_WRITE : PROT_NONE))
		return -errno;
	for (uint32_t i = 0; i < o->n; i++)
		pte[o->page + i] = map ? MMU_P | MMU_W | MMU_A | MMU_D : 0;
	return 0;
}

int mmu_batch(const struct mmu_op *op, unsigned n)
{
	int error = 0;
	for (unsigned i = 0; i < n && !error; i++)
		error = carry_out(&op[i]);
	return error;
}

/* Pages in a row are protected by one call. */
uint32_t mmu_harvest(uint32_t page, uint32_t n, uint32_t which, uint64_t *a, uint64_t *d)
{
	uint32_t found = 0;
	(void)which, (void)a;
	memset(d, 0, (n + 63) / 64 * 8);
	for (uint32_t i = 0, k; i < n; i += k ? k : 1) {
		for (k = 0; i + k < n && pte[page + i + k] & MMU_D; k++) {
			pte[page + i + k] &= ~(uint64_t)MMU_D;
			bit_set(d, i + k);
		}
		if (k && !protect(page + i, k, PROT_READ))
			port_fail("gc: mprotect failed, errno %d\n", errno);
		found += k;
	}
	return found;
}

/* The handler that the program had, or the end that the fault would have been. */
static void pass_on(int signal_number, siginfo_t *info, void *context)
{
	if (before.sa_flags & SA_SIGINFO)
		before.sa_sigaction(signal_number, info, context);
	else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
		before.sa_handler(signal_number);
	else
		signal(signal_number, SIG_DFL);		/* and again */
}

static bool clean(uint32_t page) { return (pte[page] & (MMU_P | MMU_D)) == MMU_P; }

/* A page is written: its clean neighbours become dirty with it, as they mostly would one by one. */
static bool dirty(uint32_t page)
{
	uint32_t first = page, end = page + 1;
	while (first % GROUP && clean(first - 1))
		first--;
	while (end % GROUP && clean(end))
		end++;
	if (!protect(first, end - first, PROT_READ | PROT_WRITE))
		return false;
	for (; first < end; first++)
		pte[first] |= MMU_D;
	return true;
}

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
	uint32_t page = mmu_page(info->si_addr);
	int error = errno;
	if (!mmu_inside(info->si_addr) || !clean(page) || !dirty(page))
		pass_on(signal_number, info, context);
	errno = error;
}

int mmu_init(uint32_t pages, uint64_t frames, const char **why)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	size_t size = (size_t)pages * MMU_PAGE;
	struct sigaction act = { .sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };
	(void)frames;
	*why = "mmap";
	if (mmap((void *)BASE, size, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0) != (void *)BASE)
		return -errno;
	if (!(pte = port_memory(pages * sizeof *pte)))
		return -ENOMEM;
	mmu = (struct mmu){ BASE, pages, pte, 0 };
	*why = "sigaction";
	return sigaction(SIGSEGV, &act, &before) ? -errno : 0;
}
