/* Parts of disks that are let to domains: no block that can be written is two domains' at a time.
 *
 * Numbers only, and not for concurrent use.  Left to others: the capabilities, and to end a part
 * only when no request of who had it can be in flight any more (a destroyed domain has none).
 */
#ifndef COMMON_DISK_PART_H
#define COMMON_DISK_PART_H

#include <stdbool.h>
#include <stdint.h>

struct disk_part {
	uint64_t first, count;		/* blocks of the disk; count 0: it is not let */
	uint32_t disk;			/* the kernel's number */
	bool write;			/* false: others may have the same blocks, to be read */
	struct disk_part *next;
};

/* Lets exactly these blocks.  NULL, or another one that has blocks of them; then count is 0. */
const struct disk_part *disk_part_let(struct disk_part *p);
/* Lets up to p->count blocks within [p->first, end) that nobody else has: the first place with so
 * many, or else the largest.  NULL, or if all blocks are let one that has some (count is 0). */
const struct disk_part *disk_part_find(struct disk_part *p, uint64_t end);
void disk_part_end(struct disk_part *p);

#endif
