/* Files of the session into the guest's memory.  See load.h.
 *
 * A kernel's file lies at the top of the guest's memory while it is unpacked, and below it what
 * the unpacking needs: memory that the guest has anyway.
 */
#include "libos/vmm/load.h"

struct load_file load_open(const char *path)
{
	int64_t number = proxy_open(path, PROXY_O_READ);
	if (number < 0)
		vm_refuse("%s: cannot be opened (error %ld)", path, -number);
	int64_t size = proxy_file(PROXY_GETSIZE, number, 0, NULL, 0);
	if (size < 0)
		vm_refuse("%s: cannot be read (error %ld)", path, -size);
	return (struct load_file){ path, number, size };
}

void load_read(const struct load_file *f, void *to)
{
	int64_t n = proxy_transfer(PROXY_READ, f->number, 0, to, f->size);
	if (n < 0)
		vm_refuse("%s: cannot be read (error %ld)", f->path, -n);
	if ((uint64_t)n != f->size)
		vm_refuse("%s: it got shorter while it was read", f->path);
}

void load_close(const struct load_file *f) { proxy_file(PROXY_CLOSE, f->number, 0, NULL, 0); }

struct kernel {
	struct image *image;
	struct image_heap heap;
};

/* What is placed and what unpacking needs stay apart. */
static bool take(void *arg, const void *bytes, size_t n)
{
	struct kernel *k = arg;
	if (!k->image->segments)
		k->image->ram_size = k->heap.hi - k->image->ram;
	bool more = image_take(k->image, bytes, n);
	k->heap.lo = k->image->ram + k->image->hi;
	return more;
}

void load_kernel(const char *path, struct image *e)
{
	struct load_file f = load_open(path);
	struct image_payload payload;
	uint8_t *ram = ram_build(0), *end = ram + vm.pages * EXO_PAGE_SIZE;
	uint64_t room = (f.size + EXO_PAGE_SIZE - 1) & -EXO_PAGE_SIZE;
	if (room > (uint64_t)(end - ram))
		vm_refuse("%s: %luM of memory are too little for the file", path, vm.pages >> 8);
	uint8_t *file = end - room;
	load_read(&f, file);
	load_close(&f);
	image_start(e, ram, file - ram);
	struct kernel k = { e, { ram, file } };
	const char *error = image_payload(file, f.size, &payload);
	if (!error)
		error = image_unpack(&payload, file, &k.heap, take, &k);
	if (e->error || !error)
		error = image_end(e);
	if (error)
		vm_refuse("%s: %s", path, error);
}
