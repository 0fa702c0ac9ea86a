/* Overlays from outside, by /bin/vmm: making them, snapshots, rolling back, while no guest has them;
 * and what an untrusted monitor may write to one. */
#include "cow.h"

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

bool cow_keeps_base(const char *base, uint64_t offset, const void *bytes, size_t n)
{
	struct cow_header h;
	if (offset % VDISK_BLOCK || n != sizeof h)
		return false;
	memcpy(&h, bytes, sizeof h);
	return strnlen(h.base, COW_BASE) < COW_BASE && !strcmp(h.base, base);
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
