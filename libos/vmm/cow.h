/* The overlay file of the copy-on-write disk: its format, for disk_cow.c and for who looks at what is
 * written to one.
 *
 * FORMAT.  Blocks of 4 KiB.  Blocks 0 and 1 are headers, written in turn: the valid one with
 * the higher sequence counts.  After them, in the order of time, lie data blocks and records.  A map
 * record says where disk blocks lie; a snapshot record names the state of its time.  Each record
 * names the one before it in its history (`previous`), so that histories are a tree, whose root is
 * the base: a state is the records from its last one back, the later entry for a block
 * counting.  Rolling back makes a snapshot's record the last one; nothing is lost by it.
 *
 * CRASHES.  A flush syncs data and records, then writes a header that names them, and syncs it.
 * What no header names does not exist; what the header names is never changed, except data
 * blocks from `epoch` on, which belong to the present state alone and are overwritten in place as
 * any disk's are.  So a torn write costs what was not flushed.  Headers and records have
 * checksums; every number in them is checked: a damaged overlay is refused.
 *
 * Left to others: reclaiming blocks of states that nobody wants any more.
 */
#ifndef VMM_COW_H
#define VMM_COW_H

#include "disk.h"

#define COW_MAGIC		0x32574f4375747269ul
#define COW_FIRST	(COW_HEADERS / VDISK_BLOCK)	/* block after the headers */
#define COW_ENTRIES	252u

/* end: blocks of the file that are in use; last: the record of the present state, newest: the
 * snapshot record made last, 0 = none; epoch: the first block that no snapshot knows. */
struct cow_header {
	uint64_t magic, sequence, disk_bytes, base_bytes, end, last, newest, epoch;
	char base[COW_BASE];
	uint64_t sum;
};
enum { COW_MAP = 1, COW_SNAPSHOT = 2 };
/* self: its own block number; previous: earlier in this history, 0 = the base; count: entries of a
 * map; older: the snapshot made before, in any history. */
struct cow_record {
	uint64_t magic, self, kind, previous, count, older, time;
	union {
		struct { uint64_t block, place; } entry[COW_ENTRIES];
		char name[COW_NAME];
	};
	uint64_t sum;
};
_Static_assert(sizeof(struct cow_record) == VDISK_BLOCK, "record");

struct cow {
	struct vdisk disk;
	struct vfile *file, *base;
	struct cow_header head;
	uint64_t committed;		/* head.end of the header in the file */
	uint64_t *table;		/* by disk block: the file's block, 0 = the base's */
	struct cow_record *map, *scratch;	/* the map that is being filled */
	uint8_t *block;
};
_Static_assert(sizeof(struct cow) <= VDISK_BLOCK, "a page");

static inline struct cow *cow_of(struct vdisk *d) { return (struct cow *)d; }

#endif
