/* Kernel images that may be hostile: a bzImage around its payload, the ELF file, its Xen notes.
 * Hardware-free: the host tests use it too.
 *
 * An ELF file is taken as a stream, since a compressed one never lies in memory as a whole: its
 * parts go to their places in the guest's memory as they come.  Functions return NULL or what is
 * wrong with the image, a text for "vmm: PATH: ...".
 */
#ifndef VMM_IMAGE_H
#define VMM_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_SEGMENTS	16
#define IMAGE_HEAD	4096u		/* the ELF and program headers lie in the first bytes */
#define IMAGE_NOTES	4096u		/* of all PT_NOTE segments together */

/* ---- the file ------------------------------------------------------------------------------- */

enum image_packing { IMAGE_PLAIN, IMAGE_LZ4, IMAGE_XZ };
struct image_payload { uint64_t offset, size; enum image_packing packing; };

/* Finds the ELF file in an image file: the whole of it, or a bzImage's payload. */
const char *image_payload(const uint8_t *file, uint64_t size, struct image_payload *out);

/* Takes the next bytes; false: no more are wanted. */
typedef bool image_sink(void *arg, const void *bytes, size_t n);
/* Unpacks a payload (decompress.c).  Memory for it comes from *heap downwards. */
struct image_heap { uint8_t *lo, *hi; };
const char *image_unpack(const struct image_payload *p, const uint8_t *file,
	struct image_heap *heap, image_sink *sink, void *arg);

/* ---- the ELF file --------------------------------------------------------------------------- */

struct image_segment { uint64_t offset, file_size, at, size; };	/* at: physical address */
struct image {
	unsigned segments, notes;
	struct image_segment segment[IMAGE_SEGMENTS];
	struct image_segment note[IMAGE_SEGMENTS];	/* at: in note_bytes */
	uint64_t hi;			/* end of the segments, of whole pages */
	uint64_t file_size;		/* that segments and notes reach to */
	/* from the notes; addresses are the guest's */
	uint64_t entry, virt_base;
	uint64_t p2m;			/* where the list is to be mapped, 0 = anywhere */
	bool mod_pfn;			/* the module may lie outside the initial mapping */
	bool is_xen;
	/* while it is taken */
	uint8_t *ram;			/* physical address 0 */
	uint64_t ram_size, taken;
	const char *error;
	uint8_t head[IMAGE_HEAD], note_bytes[IMAGE_NOTES];
};

/* ram: the guest's memory, of which ram_size bytes may be used. */
void image_start(struct image *e, void *ram, uint64_t ram_size);
image_sink image_take;			/* arg: struct image */
const char *image_end(struct image *e);

/* n bytes from va on are addresses that a guest may have. */
bool image_range(uint64_t va, uint64_t n);

#endif
