/* What all virtual disks share: data in memory, files, sparse tables.  See disk.h. */
#include "disk.h"

#define PER_PAGE	512u

static void memory_put(struct vdisk_io *io, size_t at, const void *from, size_t n)
{
	memcpy(((struct vdisk_memory *)io)->bytes + at, from, n);
}

static void memory_get(struct vdisk_io *io, size_t at, void *to, size_t n)
{
	memcpy(to, ((struct vdisk_memory *)io)->bytes + at, n);
}

struct vdisk_memory vdisk_memory(void *bytes)
{
	return (struct vdisk_memory){ { memory_put, memory_get }, bytes };
}

int vfile_read(struct vfile *f, uint64_t offset, void *to, size_t n)
{
	struct vdisk_memory m = vdisk_memory(to);
	return f->read(f, offset, n, &m.io, 0);
}

int vfile_write(struct vfile *f, uint64_t offset, const void *from, size_t n)
{
	struct vdisk_memory m = vdisk_memory((void *)(uintptr_t)from);
	return f->write(f, offset, n, &m.io, 0);
}

uint64_t vdisk_sum(const void *bytes, size_t n)
{
	const uint8_t *at = bytes;
	uint64_t sum = 0xcbf29ce484222325ul;		/* FNV-1a */
	for (; n; n--)
		sum = (sum ^ *at++) * 0x100000001b3ul;
	return sum;
}

uint64_t *vdisk_table(uint64_t *root, uint64_t index, bool make)
{
	uint64_t *table = root;
	if (index >= VDISK_TABLE_MAX)
		return NULL;
	for (unsigned shift = 18; shift; shift -= 9) {
		uint64_t *entry = &table[index >> shift & (PER_PAGE - 1)];
		if (!*entry && (!make || !(*entry = (uint64_t)vdisk_page())))
			return NULL;
		table = (uint64_t *)*entry;
	}
	return &table[index & (PER_PAGE - 1)];
}

void vdisk_table_drop(uint64_t *root)
{
	for (unsigned i = 0; i < PER_PAGE; i++) {
		uint64_t *middle = (uint64_t *)root[i];
		for (unsigned j = 0; middle && j < PER_PAGE; j++)
			if (middle[j])
				vdisk_page_free((void *)middle[j]);
		if (middle)
			vdisk_page_free(middle);
	}
	vdisk_page_free(root);
}
