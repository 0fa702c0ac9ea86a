/* A program on a part of a disk: says what it has, writes its first and last block, reads them
 * back, and tries the block behind. */
#include "libos/common/common.h"

VIRTUE_NOTE("bare");

static struct disk_ring ring;
static uint64_t extent, pfn;
static uint64_t *page;

static uint64_t block(unsigned op, uint64_t n)
{
	uint32_t frame = pfn;
	return disk_transfer(&ring, extent, op, n * EXO_BLOCK_SECTORS, EXO_BLOCK_SECTORS, &frame);
}

static bool kept(uint64_t n)
{
	page[0] = page[511] = 0x1234 + n;
	if (block(EXO_BLK_WRITE, n))
		return false;
	page[0] = page[511] = 0;
	return !block(EXO_BLK_READ, n) && page[0] == 0x1234 + n && page[511] == page[0];
}

int main(struct exo_start *s)
{
	static const struct upcall_handlers handlers = { .event = event_dispatch };
	struct exo_extent_info info;
	upcall_set(&handlers);
	if (frames_init(s, false) || !proxy_attach(s))
		return 1;
	extent = start_cap_at(s, CAP_DISK, 0);
	if (!extent || exo_extent_info(extent, &info).status) {
		proxy_printf(1, "no disk\n");
		proxy_exit(2);
	}
	page = page_new(&pfn);
	if (!page || disk_open(&ring, 0))
		return 3;
	bool good = kept(0) && kept(info.count - 1);
	proxy_printf(1, "%lu blocks, %s, then %s\n", info.count, good ? "kept" : "lost",
		exo_status_name(block(EXO_BLK_READ, info.count)));
	disk_close(&ring);
	proxy_exit(0);
}
