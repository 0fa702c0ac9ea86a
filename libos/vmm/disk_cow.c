/* The copy-on-write virtual disk: blocks that differ from a base lie in an overlay file (cow.h has
 * its format, and how it outlives a power cut).  Making overlays, snapshots and rolling back is for
 * /bin/vmm, while no guest has them. */
#include "cow.h"

/* ---- headers and records ----------------------------------------------------------------------- */

static bool header_good(const struct cow_header *h)
{
	return h->magic == COW_MAGIC && h->sum == vdisk_sum(h, offsetof(struct cow_header, sum)) &&
		h->disk_bytes && h->disk_bytes % VDISK_SECTOR == 0 &&
		h->disk_bytes <= VDISK_TABLE_MAX * VDISK_BLOCK && h->end >= COW_FIRST && h->last < h->end &&
		h->newest < h->end && h->epoch <= h->end && strnlen(h->base, COW_BASE) < COW_BASE;
}

static bool header_read(struct vfile *f, struct cow_header *to, char *why, size_t size)
{
	struct cow_header h[2];
	for (unsigned i = 0; i < 2; i++)
		if (vfile_read(f, i * VDISK_BLOCK, &h[i], sizeof h[i]) || !header_good(&h[i]))
			h[i].sequence = 0;
	*to = h[h[1].sequence > h[0].sequence];
	if (!to->sequence)
		snprintf(why, size, "it is no copy-on-write overlay, or its headers are damaged");
	return to->sequence;
}

/* Makes what was written since the last time permanent. */
static int cow_commit(struct vfile *f, struct cow_header *h)
{
	int error = f->sync(f);
	if (error)
		return error;
	h->sequence++;
	h->sum = vdisk_sum(h, offsetof(struct cow_header, sum));
	error = vfile_write(f, h->sequence % 2 * VDISK_BLOCK, h, sizeof *h);
	return error ? error : f->sync(f);
}

static int cow_record_read(struct cow *c, uint64_t at, struct cow_record *r)
{
	int error = at >= COW_FIRST && at < c->head.end ?
		vfile_read(c->file, at * VDISK_BLOCK, r, sizeof *r) : -XEN_EINVAL;
	if (error)
		return error;
	bool good = r->magic == COW_MAGIC && r->self == at && r->previous < at &&
		r->sum == vdisk_sum(r, offsetof(struct cow_record, sum)) &&
		(r->kind == COW_MAP ? r->count <= COW_ENTRIES : r->kind == COW_SNAPSHOT &&
		r->older < at && strnlen(r->name, COW_NAME) < COW_NAME);
	return good ? 0 : -XEN_EINVAL;
}

/* Appends a record to the present history. */
static int cow_record_add(struct cow *c, struct cow_record *r, unsigned kind)
{
	r->magic = COW_MAGIC;
	r->kind = kind;
	r->self = c->head.end;
	r->previous = c->head.last;
	r->sum = vdisk_sum(r, offsetof(struct cow_record, sum));
	int error = vfile_write(c->file, r->self * VDISK_BLOCK, r, sizeof *r);
	if (!error)
		c->head.last = c->head.end++;
	return error;
}

static int cow_map_write(struct cow *c)
{
	int error = c->map->count ? cow_record_add(c, c->map, COW_MAP) : 0;
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
	if (*new && most > COW_ENTRIES - c->map->count)
		most = COW_ENTRIES - c->map->count;
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
		int error = c->map->count == COW_ENTRIES ? cow_map_write(c) : 0;
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
static int cow_seal(struct cow *c)
{
	int error = cow_commit(c->file, &c->head);
	if (!error)
		c->committed = c->head.end;
	return error;
}

static int cow_flush(struct vdisk *d)
{
	struct cow *c = cow_of(d);
	int error = cow_map_write(c);
	return error ? error : c->committed == c->head.end ? c->file->sync(c->file) : cow_seal(c);
}

/* ---- making and opening ------------------------------------------------------------------------- */

int cow_create(struct vfile *overlay, const char *base_path, uint64_t base_bytes)
{
	struct cow_header h = { .magic = COW_MAGIC, .disk_bytes = base_bytes & -(uint64_t)VDISK_SECTOR,
		.base_bytes = base_bytes, .end = COW_FIRST, .epoch = COW_FIRST };
	uint8_t zero = 0;
	if (text_copy(h.base, base_path, COW_BASE) >= COW_BASE || !h.disk_bytes)
		return -XEN_EINVAL;
	int error = vfile_write(overlay, COW_FIRST * VDISK_BLOCK - 1, &zero, 1);
	return error ? error : cow_commit(overlay, &h);
}

bool cow_base(struct vfile *overlay, char path[COW_BASE], char *why, size_t size)
{
	struct cow_header h;
	return header_read(overlay, &h, why, size) && text_copy(path, h.base, COW_BASE);
}

/* From the last record back: what is known already is later. */
static int cow_history_read(struct cow *c, uint64_t *at)
{
	struct cow_record *r = c->scratch;
	uint64_t blocks = (c->head.disk_bytes + VDISK_BLOCK - 1) / VDISK_BLOCK;
	for (*at = c->head.last; *at; *at = r->previous) {
		int error = cow_record_read(c, *at, r);
		for (uint64_t i = 0; !error && r->kind == COW_MAP && i < r->count; i++) {
			uint64_t place = r->entry[i].place, *slot;
			if (r->entry[i].block >= blocks || place < COW_FIRST || place >= *at)
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
	else if (cow_history_read(c, &at))
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
		if (!(error = cow_record_read(c, at, c->scratch)) && !strcmp(c->scratch->name, name))
			return 0;
	return error ? error : -XEN_ENOENT;
}

/* The header names another last record, and nothing before the end may change any more. */
static int turn(struct cow *c, uint64_t last)
{
	c->head.last = last;
	c->head.epoch = c->head.end;
	return cow_seal(c);
}

int cow_snapshot(struct vdisk *d, const char *name, uint64_t time)
{
	struct cow *c = cow_of(d);
	struct cow_record *r = c->scratch;
	int error = snapshot_find(c, name);
	if (error != -XEN_ENOENT)
		return error ? error : -XEN_EEXIST;
	if (!name[0] || strlen(name) >= COW_NAME)
		return -XEN_EINVAL;
	if ((error = cow_map_write(c)))
		return error;
	*r = (struct cow_record){ .older = c->head.newest, .time = time };
	text_copy(r->name, name, COW_NAME);
	if ((error = cow_record_add(c, r, COW_SNAPSHOT)))
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
	return cow_history_read(c, &at);
}

int cow_list(struct vdisk *d, void (*one)(void *arg, const char *name, uint64_t time), void *arg)
{
	struct cow *c = cow_of(d);
	int error = 0;
	for (uint64_t at = c->head.newest; at && !error; at = c->scratch->older)
		if (!(error = cow_record_read(c, at, c->scratch)))
			one(arg, c->scratch->name, c->scratch->time);
	return error;
}
