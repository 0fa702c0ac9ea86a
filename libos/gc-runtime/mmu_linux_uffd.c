/* Accesses noticed by userfaultfd, on Linux since 5.19: the kernel's own page-table entries are
 * changed, no mapping is split.  See mmu_linux_bits.h.
 *
 *	no D, or no W	the entry is write-protected (UFFDIO_WRITEPROTECT)
 *	no A		it is removed (MADV_DONTNEED: of shared memory the page stays), and its return is a
 *			"minor fault", which UFFDIO_CONTINUE ends
 *
 * Each is served by the thread that has it, as a SIGBUS (UFFD_FEATURE_SIGBUS): a thread that reads
 * faults from the descriptor costs two switches more.  It needs no privilege, as the faults of user
 * mode are all there are (UFFD_USER_MODE_ONLY).
 */
#define _GNU_SOURCE
#include "libos/gc-runtime/mmu_linux_bits.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FEATURES	(UFFD_FEATURE_SIGBUS | UFFD_FEATURE_MINOR_SHMEM | \
	UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM)

static int uffd;

static struct uffdio_range range(uint32_t page, uint32_t n)
{
	return (struct uffdio_range){ (uintptr_t)mmu_address(page), (uint64_t)n * MMU_PAGE };
}

/* 0 or errno.  EAGAIN: the mappings change at this moment. */
static int request(unsigned long number, void *argument)
{
	int error;
	do
		error = ioctl(uffd, number, argument) ? errno : 0;
	while (error == EAGAIN);
	return error;
}

static int start(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = FEATURES };
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	if (uffd < 0)
		return -errno;
	if (!ioctl(uffd, UFFDIO_API, &api))
		return 0;
	int error = errno;
	close(uffd);
	return -error;
}

/* Linux 6.1 says ENOENT of what is not one mapping (VMA), which pages with frames here and there
 * are not. */
static void write_protect(uint32_t page, uint32_t n, bool on)
{
	struct uffdio_writeprotect w = { range(page, n), on ? UFFDIO_WRITEPROTECT_MODE_WP :
		UFFDIO_WRITEPROTECT_MODE_DONTWAKE };
	int error = request(UFFDIO_WRITEPROTECT, &w);
	mmu_linux_must(!error || (error == ENOENT && n > 1), "UFFDIO_WRITEPROTECT");
	if (error) {
		write_protect(page, n / 2, on);
		write_protect(page + n / 2, n - n / 2, on);
	}
}

static void restrict_to(uint32_t page, uint32_t n)
{
	int access = mmu_access(mmu.pte[page]);
	if (access == PROT_NONE)
		mmu_linux_must(!madvise(mmu_address(page), (size_t)n * MMU_PAGE, MADV_DONTNEED), "madvise");
	else
		write_protect(page, n, !(access & PROT_WRITE));
}

/* A page of the memfd that has no memory yet would be given some without our being told. */
static void fill(uint32_t page, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		(void)*(volatile uint8_t *)mmu_window(mmu_frame(page + i));
}

static void map(uint32_t page, uint32_t n)
{
	int access = mmu_access(mmu.pte[page]);
	struct uffdio_register r = { .range = range(page, n),
		.mode = UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MINOR };
	if (access == PROT_NONE)
		fill(page, n);
	mmu_linux_map(page, n, PROT_READ | PROT_WRITE, access == PROT_NONE ? 0 : MAP_POPULATE);
	mmu_linux_must(!request(UFFDIO_REGISTER, &r), "UFFDIO_REGISTER");
	if (access == PROT_READ)
		write_protect(page, n, true);
}

/* False: the kernel has its entry already. */
static bool bring_back(uint32_t page)
{
	struct uffdio_continue c = { .range = range(page, 1), .mode = UFFDIO_CONTINUE_MODE_DONTWAKE };
	int error = request(UFFDIO_CONTINUE, &c);
	mmu_linux_must(!error || error == EEXIST, "UFFDIO_CONTINUE");
	return !error;
}

/* Without A the entry is gone; but the kernel also removes some by itself, when memory is short. */
static void grant(uint32_t page, bool present)
{
	bool writable = mmu_access(mmu.pte[page]) & PROT_WRITE;
	if (!present && bring_back(page) && writable)
		return;
	write_protect(page, 1, !writable);
}

const struct mmu_mechanism mmu_by_uffd = { "uffd", "userfaultfd, SIGBUS", false, start, map,
	restrict_to, grant };
