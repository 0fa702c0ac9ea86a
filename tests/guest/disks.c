/* Block storage: extents and rings, on the first disk that can be written (none: passed over). */
#include "tests/guest/ktest.h"

#define SECTORS		8u
#define DEADLINE	(30 * NS_PER_SEC)

static uint64_t extent;
static struct disk_ring ring;

/* An extent with the rights to write, on a disk that lets it. */
static bool disk_find(void)
{
	struct exo_extent_info info;
	for (unsigned i = 0; i < 8; i++) {
		extent = start_cap_at(machine, CAP_DISK, i);
		if (extent && !exo_extent_info(extent, &info).status &&
		    !(info.flags & (EXO_DISK_READ_ONLY | EXO_DISK_GONE)))
			return true;
	}
	extent = 0;
	return false;
}

static void fill(void *page, uint64_t seed)
{
	for (unsigned i = 0; i < 512; i++)
		((uint64_t *)page)[i] = seed * 0x9e3779b97f4a7c15ul + i;
}

static bool filled(const void *page, uint64_t seed)
{
	for (unsigned i = 0; i < 512; i++)
		if (((const uint64_t *)page)[i] != seed * 0x9e3779b97f4a7c15ul + i)
			return false;
	return true;
}

/* Written, overwritten in memory, read back; at both ends of the extent. */
static const char *disk_round(void)
{
	struct exo_extent_info info;
	uint64_t pfn = frame_alloc();
	uint32_t frame = pfn;
	void *page = physmap_page(pfn);
	if (!disk_find())
		return NULL;
	IS(exo_extent_info(extent, &info).status, OK);
	CHECK(info.count > 64 && info.model[0]);
	IS(disk_open(&ring, 0), OK);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t block = i & 1 ? info.count - 1 - i : i;
		fill(page, i + 1);
		IS(disk_transfer(&ring, extent, EXO_BLK_WRITE, block * SECTORS, SECTORS, &frame), OK);
	}
	IS(disk_transfer(&ring, extent, EXO_BLK_FLUSH, 0, 0, NULL), OK);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t block = i & 1 ? info.count - 1 - i : i;
		fill(page, 99);
		IS(disk_transfer(&ring, extent, EXO_BLK_READ, block * SECTORS, SECTORS, &frame), OK);
		CHECK(filled(page, i + 1));
	}
	disk_close(&ring);
	frame_free(pfn);
	return NULL;
}

const struct test disk_tests[] = {
	{ "disk_round", disk_round },
	{ NULL, NULL }
};
