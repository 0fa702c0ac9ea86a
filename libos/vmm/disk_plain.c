/* The plain virtual disk: a file of the POSIX session as it is, or memory.
 *
 * Memory is allocated by the page when it is first written; what was not written reads as
 * zeroes.  It is lost when the guest ends.
 */
#include "disk.h"

/* ---- a file --------------------------------------------------------------------------------- */

struct file_disk {
	struct vdisk disk;
	struct vfile *file;
};

static struct vfile *file_of(struct vdisk *d) { return ((struct file_disk *)d)->file; }

static int file_read(struct vdisk *d, uint64_t offset, size_t n, struct vdisk_io *io)
{
	return file_of(d)->read(file_of(d), offset, n, io, 0);
}

static int file_write(struct vdisk *d, uint64_t offset, size_t n, struct vdisk_io *io)
{
	return file_of(d)->write(file_of(d), offset, n, io, 0);
}

static int file_flush(struct vdisk *d) { return file_of(d)->sync(file_of(d)); }

struct vdisk *vdisk_of_file(struct vfile *f, bool read_only, char *why, size_t size)
{
	static const struct vdisk_ops ops = { file_read, file_write, file_flush, NULL };
	struct file_disk *d = vdisk_page();
	int64_t bytes = f->size(f);
	if (!d || bytes < (int64_t)VDISK_SECTOR) {
		snprintf(why, size, d ? "it is smaller than a sector" : "no memory for the disk");
		return NULL;
	}
	*d = (struct file_disk){ { &ops, bytes & -(int64_t)VDISK_SECTOR, read_only }, f };
	return &d->disk;
}

/* ---- memory ------------------------------------------------------------------------------------ */

struct memory_disk {
	struct vdisk disk;
	uint64_t *table;		/* by block: the address of its page, 0 = zeroes */
};

static uint64_t *page_at(struct vdisk *d, uint64_t offset, bool make)
{
	return vdisk_table(((struct memory_disk *)d)->table, offset / VDISK_BLOCK, make);
}

static size_t part_of_block(uint64_t offset, size_t n)
{
	size_t rest = VDISK_BLOCK - offset % VDISK_BLOCK;
	return n < rest ? n : rest;
}

static int memory_read(struct vdisk *d, uint64_t offset, size_t n, struct vdisk_io *io)
{
	static const uint8_t zeroes[VDISK_BLOCK];
	for (size_t at = 0, part; at < n; at += part) {
		part = part_of_block(offset + at, n - at);
		uint64_t *page = page_at(d, offset + at, false);
		const uint8_t *from = page && *page ? (uint8_t *)*page : zeroes;
		vdisk_put(io, at, from + (offset + at) % VDISK_BLOCK, part);
	}
	return 0;
}

static int memory_write(struct vdisk *d, uint64_t offset, size_t n, struct vdisk_io *io)
{
	for (size_t at = 0, part; at < n; at += part) {
		part = part_of_block(offset + at, n - at);
		uint64_t *page = page_at(d, offset + at, true);
		if (!page || (!*page && !(*page = (uint64_t)vdisk_page())))
			return -XEN_ENOSPC;
		vdisk_get(io, at, (uint8_t *)*page + (offset + at) % VDISK_BLOCK, part);
	}
	return 0;
}

static int memory_flush(struct vdisk *d)
{
	(void)d;
	return 0;
}

static int memory_discard(struct vdisk *d, uint64_t offset, uint64_t n)
{
	uint64_t end = (offset + n) / VDISK_BLOCK;
	for (uint64_t b = (offset + VDISK_BLOCK - 1) / VDISK_BLOCK; b < end; b++) {
		uint64_t *page = page_at(d, b * VDISK_BLOCK, false);
		if (page && *page) {
			vdisk_page_free((void *)*page);
			*page = 0;
		}
	}
	return 0;
}

struct vdisk *vdisk_of_memory(uint64_t bytes, char *why, size_t size)
{
	static const struct vdisk_ops ops = { memory_read, memory_write, memory_flush, memory_discard };
	struct memory_disk *d = vdisk_page();
	uint64_t *table = vdisk_page();
	if (!d || !table || bytes < VDISK_SECTOR || bytes > VDISK_TABLE_MAX * VDISK_BLOCK) {
		snprintf(why, size, d && table ? "its size must be from 512 bytes to 512G" :
			"no memory for the disk");
		return NULL;
	}
	*d = (struct memory_disk){ { &ops, bytes & -(uint64_t)VDISK_SECTOR, false }, table };
	return &d->disk;
}
