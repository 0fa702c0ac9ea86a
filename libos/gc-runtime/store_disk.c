/* A store on a disk's extent (docs/storage.md), which the domain was given as `disk0`.  See store.h.
 *
 * Pages whose slots follow each other go in one request; all requests of a batch are in flight together.
 * Pages that leave are of class write-back, pages that somebody waits for of class demand.
 */
#include "libos/gc-runtime/store.h"
#include "libos/gc-runtime/gc.h"
#include "libos/gc-runtime/port.h"
#include "libos/common/common.h"
#include "libos/common/disk.h"

#define EIO	5
#define ENODEV	19
#define EROFS	30
#define ETIME	110

static struct disk_ring ring;
static uint64_t extent;

static int disk_store_open(const char *where, uint32_t *slots)
{
	struct exo_extent_info info;
	struct exo_cap_info held;
	(void)where;
	extent = start_cap_at(start_page, CAP_DISK, 0);
	if (!extent || exo_cap_info(0, extent, &held).status || exo_extent_info(extent, &info).status)
		return -ENODEV;
	if (info.flags & EXO_DISK_READ_ONLY || !(held.rights & EXO_R_WRITE))
		return -EROFS;
	if (info.count < *slots)
		*slots = info.count;
	return disk_open(&ring, 0) ? -ENODEV : 0;
}

static int error_of(uint64_t status)
{
	switch (EXO_CODE(status)) {
	case EXO_OK:
		return 0;
	case EXO_TIMEOUT:
		return -ETIME;
	case EXO_STATE:
		return -EROFS;
	case EXO_GONE:
	case EXO_DYING:
		return -ENODEV;
	}
	return -EIO;
}

/* Waits for one request; the first error stays. */
static void reap(int *error)
{
	struct exo_completion c;
	if (!disk_get(&ring, &c) && !(disk_wait(&ring, EXO_FOREVER) && disk_get(&ring, &c)))
		c.status = EXO_IO;
	if (!*error)
		*error = error_of(c.status);
}

/* A request of the first pages of io; how many it took. */
static unsigned put(const struct gc_io *io, unsigned n, unsigned op, unsigned class)
{
	struct exo_block_request q = { .extent = extent, .op = op, .class = class,
		.sector = (uint64_t)(io->slot - 1) * EXO_BLOCK_SECTORS };
	unsigned k = 0;
	for (; k < n && k < EXO_REQUEST_FRAMES && io[k].slot == io->slot + k; k++)
		q.frame[k] = io[k].frame;
	q.sectors = k * EXO_BLOCK_SECTORS;
	disk_put(&ring, &q);
	*(op == EXO_BLK_READ ? &gc_stats.disk_reads : &gc_stats.disk_writes) += 1;
	return k;
}

static int transfer(const struct gc_io *io, unsigned n, unsigned op, unsigned class)
{
	unsigned flying = 0;
	int error = 0;
	for (unsigned i = 0; i < n; flying++) {
		if (!disk_room(&ring)) {
			disk_submit(&ring);
			reap(&error);
			flying--;
		}
		i += put(io + i, n - i, op, class);
	}
	if (disk_submit(&ring))
		return -EIO;
	while (flying--)
		reap(&error);
	return error;
}

static int disk_store_write(const struct gc_io *io, unsigned n)
{
	return transfer(io, n, EXO_BLK_WRITE, EXO_BLK_WRITEBACK);
}
static int disk_store_read(const struct gc_io *io, unsigned n)
{
	return transfer(io, n, EXO_BLK_READ, EXO_BLK_DEMAND);
}

const struct gc_store store_disk = { "disk", "the extent disk0: disk", disk_store_open,
	disk_store_write, disk_store_read, NULL };
