/* The copy-on-write virtual disk: an overlay file that holds the blocks that differ from a base,
 * with snapshots.
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
#include "disk.h"

#define MAGIC		0x32574f4375747269ul
#define FIRST		2u		/* block after the headers */
#define ENTRIES		252u

/* end: blocks of the file that are in use; last: the record of the present state, newest: the
 * snapshot record made last, 0 = none; epoch: the first block that no snapshot knows. */
struct header {
	uint64_t magic, sequence, disk_bytes, base_bytes, end, last, newest, epoch;
	char base[COW_BASE];
	uint64_t sum;
};
enum { MAP = 1, SNAPSHOT = 2 };
/* self: its own block number; previous: earlier in this history, 0 = the base; count: entries of a
 * map; older: the snapshot made before, in any history. */
struct record {
	uint64_t magic, self, kind, previous, count, older, time;
	union {
		struct { uint64_t block, place; } entry[ENTRIES];
		char name[COW_NAME];
	};
	uint64_t sum;
};
_Static_assert(sizeof(struct record) == VDISK_BLOCK, "record");

struct cow {
	struct vdisk disk;
	struct vfile *file, *base;
	struct header head;
	uint64_t committed;		/* head.end of the header in the file */
	uint64_t *table;		/* by disk block: the file's block, 0 = the base's */
	struct record *map, *scratch;	/* the map that is being filled */
	uint8_t *block;
};
_Static_assert(sizeof(struct cow) <= VDISK_BLOCK, "a page");

static struct cow *cow_of(struct vdisk *d) { return (struct cow *)d; }

/* ---- headers and records ----------------------------------------------------------------------- */

static bool header_good(const struct header *h)
{
	return h->magic == MAGIC && h->sum == vdisk_sum(h, offsetof(struct header, sum)) &&
		h->disk_bytes && h->disk_bytes % VDISK_SECTOR == 0 &&
		h->disk_bytes <= VDISK_TABLE_MAX * VDISK_BLOCK && h->end >= FIRST && h->last < h->end &&
		h->newest < h->end && h->epoch <= h->end && strnlen(h->base, COW_BASE) < COW_BASE;
}

static bool header_read(struct vfile *f, struct header *to, char *why, size_t size)
{
	struct header h[2];
	for (unsigned i = 0; i < 2; i++)
		if (vfile_read(f, i * VDISK_BLOCK, &h[i], sizeof h[i]) || !header_good(&h[i]))
			h[i].sequence = 0;
	*to = h[h[1].sequence > h[0].sequence];
	if (!to->sequence)
		snprintf(why, size, "it is no copy-on-write overlay, or its headers are damaged");
	return to->sequence;
}

/* Makes what was written since the last time permanent. */
static int commit(struct vfile *f, struct header *h)
{
	int error = f->sync(f);
	if (error)
		return error;
	h->sequence++;
	h->sum = vdisk_sum(h, offsetof(struct header, sum));
	error = vfile_write(f, h->sequence % 2 * VDISK_BLOCK, h, sizeof *h);
	return error ? error : f->sync(f);
}

static int record_read(struct cow *c, uint64_t at, struct record *r)
{
	int error = at >= FIRST && at < c->head.end ? vfile_read(c->file, at * VDISK_BLOCK, r, sizeof *r) :
		-XEN_EINVAL;
	if (error)
		return error;
	bool good = r->magic == MAGIC && r->self == at && r->sum == vdisk_sum(r, offsetof(struct record, sum)) &&
		r->previous < at && (r->kind == MAP ? r->count <= ENTRIES : r->kind == SNAPSHOT &&
		r->older < at && strnlen(r->name, COW_NAME) < COW_NAME);
	return good ? 0 : -XEN_EINVAL;
}

/* Appends a record to the present history. */
static int record_add(struct cow *c, struct record *r, unsigned kind)
{
	r->magic = MAGIC;
	r->kind = kind;
	r->self = c->head.end;
	r->previous = c->head.last;
	r->sum = vdisk_sum(r, offsetof(struct record, sum));
	int error = vfile_write(c->file, r->self * VDISK_BLOCK, r, sizeof *r);
	if (!error)
		c->head.last = c->head.end++;
	return error;
}

static int map_write(struct cow *c)
{
	int error = c->map->count ? record_add(c, c->map, MAP) : 0;
	if (!error)
		c->map->count = 0;
	return error;
}

/* ---- reading and writing -------------------------------------------------------------------------- */

/* The file's block of a disk block, 0 = the base's. */
static uint64_t place_of(struct cow *c, uint64_t block)
{
	uint64_t *slot = vdisk_table(c->table, block, false);
	return slot ? *slot : 0;
}

static int cow_read(struct vdisk *d, uint64_t offset, size_t n, struct vdisk_io *io)
{
	struct cow *c = cow_of(d);
	int error = 0;
	for (size_t at = 0, run; !error && at < n; at += run) {
		uint64_t block = (offset + at) / VDISK_BLOCK, in = (offset + at) % VDISK_BLOCK;
		uint64_t place = place_of(c, block), next = 1;
		for (run = VDISK_BLOCK - in; run < n - at; run += VDISK_BLOCK, next++)
			if (place_of(c, block + next) != (place ? place + next : 0))
				break;
		if (run > n - at)
			run = n - at;
		error = place ? c->file->read(c->file, place * VDISK_BLOCK + in, run, io, at) :
			c->base->read(c->base, offset + at, run, io, at);
	}
	return error;
}

/* A part of a block that must not be changed where it is: the rest comes along. */
static int copy_part(struct cow *c, uint64_t block, uint64_t in, size_t n, struct vdisk_io *io, size_t at)
{
	uint64_t place = place_of(c, block);
	int error = place ? vfile_read(c->file, place * VDISK_BLOCK, c->block, VDISK_BLOCK) :
		vfile_read(c->base, block * VDISK_BLOCK, c->block, VDISK_BLOCK);
	if (error)
		return error;
	vdisk_get(io, at, c->block + in, n);
	return vfile_write(c->file, c->head.end * VDISK_BLOCK, c->block, VDISK_BLOCK);
}

/* `count` blocks lie at the file's end now. */
static void map_add(struct cow *c, uint64_t block, unsigned count)
{
	for (unsigned i = 0; i < count; i++, c->head.end++) {
		*vdisk_table(c->table, block + i, false) = c->head.end;
		c->map->entry[c->map->count].block = block + i;
		c->map->entry[c->map->count++].place = c->head.end;
	}
}

/* How many blocks from `block` on may be written in one piece to adjacent places: at most `most`,
 * all at their own place (>= epoch) or all new.  0: no memory. */
static unsigned run_of(struct cow *c, uint64_t block, unsigned most, bool *new)
{
	uint64_t first = place_of(c, block);
	unsigned n = 0;
	*new = first < c->head.epoch;
	if (*new && most > ENTRIES - c->map->count)
		most = ENTRIES - c->map->count;
	for (; n < most; n++) {
		uint64_t *slot = vdisk_table(c->table, block + n, true);
		if (!slot || (*new ? *slot >= c->head.epoch : *slot != first + n))
			break;
	}
	return n;
}

static int cow_write(struct vdisk *d, uint64_t offset, size_t n, struct vdisk_io *io)
{
	struct cow *c = cow_of(d);
	for (size_t at = 0, size; at < n; at += size) {
		uint64_t block = (offset + at) / VDISK_BLOCK, in = (offset + at) % VDISK_BLOCK;
		bool new, part = in || n - at < VDISK_BLOCK;
		int error = c->map->count == ENTRIES ? map_write(c) : 0;
		unsigned run = error ? 0 : run_of(c, block, part ? 1 : (n - at) / VDISK_BLOCK, &new);
		if (!run)
			return error ? error : -XEN_ENOSPC;
		size = part && n - at > VDISK_BLOCK - in ? VDISK_BLOCK - in : part ? n - at : run * VDISK_BLOCK;
		uint64_t place = new ? c->head.end : place_of(c, block);
		error = new && part ? copy_part(c, block, in, size, io, at) :
			c->file->write(c->file, place * VDISK_BLOCK + in, size, io, at);
		if (error)
			return error;
		if (new)
			map_add(c, block, run);
	}
	return 0;
}

/* The header in the file is what we have in memory. */
static int seal(struct cow *c)
{
	int error = commit(c->file, &c->head);
	if (!error)
		c->committed = c->head.end;
	return error;
}

static int cow_flush(struct vdisk *d)
{
	struct cow *c = cow_of(d);
	int error = map_write(c);
	if (error)
		return error;
	return c->committed == c->head.end ? c->file->sync(c->file) : seal(c);
}

/* ---- making and opening ------------------------------------------------------------------------- */

int cow_create(struct vfile *overlay, const char *base_path, uint64_t base_bytes)
{
	struct header h = { .magic = MAGIC, .disk_bytes = base_bytes & -(uint64_t)VDISK_SECTOR,
		.base_bytes = base_bytes, .end = FIRST, .epoch = FIRST };
	uint8_t zero = 0;
	if (text_copy(h.base, base_path, COW_BASE) >= COW_BASE || !h.disk_bytes)
		return -XEN_EINVAL;
	int error = vfile_write(overlay, FIRST * VDISK_BLOCK - 1, &zero, 1);
	return error ? error : commit(overlay, &h);
}

bool cow_base(struct vfile *overlay, char path[COW_BASE], char *why, size_t size)
{
	struct header h;
	return header_read(overlay, &h, why, size) && text_copy(path, h.base, COW_BASE);
}

/* From the last record back: what is known already is later. */
static int history_read(struct cow *c, uint64_t *at)
{
	struct record *r = c->scratch;
	uint64_t blocks = (c->head.disk_bytes + VDISK_BLOCK - 1) / VDISK_BLOCK;
	for (*at = c->head.last; *at; *at = r->previous) {
		int error = record_read(c, *at, r);
		for (uint64_t i = 0; !error && r->kind == MAP && i < r->count; i++) {
			uint64_t place = r->entry[i].place, *slot;
			if (r->entry[i].block >= blocks || place < FIRST || place >= *at)
				return -XEN_EINVAL;
			if (!(slot = vdisk_table(c->table, r->entry[i].block, true)))
				return -XEN_ENOMEM;
			if (!*slot)
				*slot = place;
		}
		if (error)
			return error;
	}
	return 0;
}

struct vdisk *cow_open(struct vfile *overlay, struct vfile *base, char *why, size_t size)
{
	static const struct vdisk_ops ops = { cow_read, cow_write, cow_flush, NULL };
	struct cow *c = vdisk_page();
	uint64_t at;
	if (!c || !(c->table = vdisk_page()) || !(c->map = vdisk_page()) || !(c->scratch = vdisk_page()) ||
	    !(c->block = vdisk_page())) {
		snprintf(why, size, "no memory for the disk");
		return NULL;
	}
	if (!header_read(overlay, &c->head, why, size))
		return NULL;
	c->file = overlay;
	c->base = base;
	c->committed = c->head.end;
	c->disk = (struct vdisk){ &ops, c->head.disk_bytes, false };
	if (base->size(base) != (int64_t)c->head.base_bytes)
		snprintf(why, size, "its base %s has %ld bytes, not the %lu of when it was made", c->head.base,
			(long)base->size(base), c->head.base_bytes);
	else if (overlay->size(overlay) < (int64_t)(c->head.end * VDISK_BLOCK))
		snprintf(why, size, "it is truncated: %ld bytes of %lu", (long)overlay->size(overlay),
			c->head.end * VDISK_BLOCK);
	else if (history_read(c, &at))
		snprintf(why, size, "it is damaged: the record at block %lu", at);
	else
		return &c->disk;
	return NULL;
}

/* ---- snapshots ------------------------------------------------------------------------------------ */

/* Finds a snapshot, which is then in c->scratch; 0, -XEN_ENOENT, or an error. */
static int snapshot_find(struct cow *c, const char *name)
{
	int error = 0;
	for (uint64_t at = c->head.newest; at && !error; at = c->scratch->older)
		if (!(error = record_read(c, at, c->scratch)) && !strcmp(c->scratch->name, name))
			return 0;
	return error ? error : -XEN_ENOENT;
}

/* The header names another last record, and nothing before the end may change any more. */
static int turn(struct cow *c, uint64_t last)
{
	c->head.last = last;
	c->head.epoch = c->head.end;
	return seal(c);
}

int cow_snapshot(struct vdisk *d, const char *name, uint64_t time)
{
	struct cow *c = cow_of(d);
	struct record *r = c->scratch;
	int error = snapshot_find(c, name);
	if (error != -XEN_ENOENT)
		return error ? error : -XEN_EEXIST;
	if (!name[0] || strlen(name) >= COW_NAME)
		return -XEN_EINVAL;
	if ((error = map_write(c)))
		return error;
	*r = (struct record){ .older = c->head.newest, .time = time };
	text_copy(r->name, name, COW_NAME);
	if ((error = record_add(c, r, SNAPSHOT)))
		return error;
	c->head.newest = c->head.last;
	return turn(c, c->head.last);
}

int cow_rollback(struct vdisk *d, const char *name)
{
	struct cow *c = cow_of(d);
	uint64_t at, *table = vdisk_page();
	int error = table ? snapshot_find(c, name) : -XEN_ENOMEM;
	if (error)
		return error;
	c->map->count = 0;
	if ((error = turn(c, c->scratch->self)))
		return error;
	vdisk_table_drop(c->table);
	c->table = table;
	return history_read(c, &at);
}

int cow_list(struct vdisk *d, void (*one)(void *arg, const char *name, uint64_t time), void *arg)
{
	struct cow *c = cow_of(d);
	int error = 0;
	for (uint64_t at = c->head.newest; at && !error; at = c->scratch->older)
		if (!(error = record_read(c, at, c->scratch)))
			one(arg, c->scratch->name, c->scratch->time);
	return error;
}
