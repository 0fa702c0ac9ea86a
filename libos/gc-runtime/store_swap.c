/* A store in Linux's own swap space: a slot is a page of anonymous memory that the kernel was told
 * to page out.  See store.h.
 *
 * So the collectors and pagers of this runtime, which choose what leaves, use the same swap
 * partition or file, and the same path to it, as a program whose pages Linux chooses.  There must
 * be some (mkswap, swapon).  A page that was written stays in memory until the disk has it: the
 * kernel waits for it when it needs the memory.  What it cannot write it keeps, and tells nobody.
 */
#define _GNU_SOURCE
#include "libos/gc-runtime/store.h"
#include "libos/gc-runtime/mmu.h"
#include "libos/gc-runtime/port.h"
#include <errno.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

static uint8_t *area;
static int self;		/* our memory as a file: a page that cannot be read is an error, no signal */

static uint8_t *bytes_of(uint32_t slot) { return area + (uint64_t)(slot - 1) * MMU_PAGE; }

static int swap_open(const char *where, uint32_t *slots)
{
	struct sysinfo info;
	(void)where;
	sysinfo(&info);
	uint64_t pages = (uint64_t)info.freeswap * info.mem_unit / MMU_PAGE;
	if (!pages)
		return -ENODEV;
	*slots = pages < *slots ? pages : *slots;
	area = port_memory((uint64_t)*slots * MMU_PAGE);
	self = port_open("/proc/self/mem", 0);
	if (!area)
		return -ENOMEM;
	madvise(area, (uint64_t)*slots * MMU_PAGE, MADV_NOHUGEPAGE);	/* fails where there are none */
	return self < 0 ? self : 0;
}

/* The advice for n pages, in as few calls as their slots lie in a row. */
static int advise(const struct gc_io *io, unsigned n, int advice)
{
	for (unsigned i = 0, k; i < n; i += k) {
		for (k = 1; i + k < n && io[i + k].slot == io[i].slot + k; k++)
			;
		if (madvise(bytes_of(io[i].slot), (uint64_t)k * MMU_PAGE, advice))
			return -errno;
	}
	return 0;
}

static int swap_write(const struct gc_io *io, unsigned n)
{
	int error = advise(io, n, MADV_DONTNEED);	/* what was there need not be read */
	for (unsigned i = 0; i < n && !error; i++)
		memcpy(bytes_of(io[i].slot), mmu_window(io[i].frame), MMU_PAGE);
	return error ? error : advise(io, n, MADV_PAGEOUT);
}

/* All are asked for at once; afterwards the memory goes, as the swap space still has them. */
static int swap_read(const struct gc_io *io, unsigned n)
{
	int error = advise(io, n, MADV_WILLNEED);
	for (unsigned i = 0; i < n && !error; i++) {
		int64_t got = port_read(self, (uintptr_t)bytes_of(io[i].slot), mmu_window(io[i].frame),
			MMU_PAGE);
		error = got == MMU_PAGE ? 0 : got < 0 ? (int)got : -EIO;
	}
	return error ? error : advise(io, n, MADV_PAGEOUT);
}

/* Nothing is read: its place in the swap space is free at once. */
static void swap_drop(uint32_t slot) { madvise(bytes_of(slot), MMU_PAGE, MADV_DONTNEED); }

const struct gc_store store_swap = { "swap", "Linux's swap space: swap", swap_open, swap_write,
	swap_read, swap_drop };
