/* Model disks: a driver (drivers/block.h) whose device finishes when a test says so, reaches
 * memory at any moment until then, and can be made not to answer, to fail, or not to come back. */
#ifndef HOST_MODEL_DISK_H
#define HOST_MODEL_DISK_H

#include "tests/host/model.h"
#include "exo/core/disk.h"

#define MODEL_DISKS	2u	/* 0: cache, four at a time; 1: read-only, sectors of 4 KiB, one at a time */
#define MODEL_SECTORS	8192u

struct model_disk {
	struct block_device dev;
	struct model_io {
		bool busy, over, ok;
		struct block_io io;
		uint32_t frame[BLOCK_FRAMES], owner[BLOCK_FRAMES];
	} at[BLOCK_TAGS];
	unsigned reset_steps;	/* that a reset takes */
	unsigned steps;		/* left of the one in progress */
	bool broken;		/* a reset fails */
	bool off;
	unsigned started, order[64];	/* how many requests ever, and the last sectors asked for */
};
extern struct model_disk model_disks[MODEL_DISKS];

void model_disks_boot(void);
/* The device reads and writes what it was told, once more: every frame must still be pinned, data,
 * and its owner's. */
void model_disks_dma(void);
/* The request under a tag is over; the device interrupts. */
void model_disk_finish(unsigned disk, unsigned tag, bool ok);
int model_disk_tag(unsigned disk);	/* a busy one; -1: none */

#endif
