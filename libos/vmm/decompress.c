/* Unpacking a bzImage's payload, by Debian's liblz4 and liblzma.  See image.h.
 *
 * Linux's build packs its kernel as a stream of LZ4's old frame format or of XZ, and appends the
 * size of what is packed, which is checked.
 */
#include <lz4.h>
#include <lzma.h>
#include "libos/vmm/image.h"
#include "libos/common/text.h"

#define LZ4_MAGIC	4u
#define LZ4_BLOCK	(8ul << 20)	/* what a block unpacks to, at most */
#define XZ_PART		(1ul << 20)
#define XZ_MEMORY	(192ul << 20)	/* a dictionary that is larger is refused */
#define SIZE_BYTES	4u

static const char too_little[] = "the guest's memory is too little to unpack the kernel in";
static const char damaged[] = "its packed kernel is damaged";

static uint32_t get32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static void *heap_take(struct image_heap *heap, size_t n)
{
	n = (n + 63) & ~63ul;
	if (heap->lo > heap->hi || n > (size_t)(heap->hi - heap->lo))
		return NULL;
	return heap->hi -= n;
}

/* Blocks, each after its packed size; they don't refer to each other. */
static const char *unpack_lz4(const uint8_t *in, size_t n, uint64_t *total, struct image_heap *heap,
	image_sink *sink, void *arg)
{
	char *block = heap_take(heap, LZ4_BLOCK);
	if (!block)
		return too_little;
	for (size_t at = LZ4_MAGIC, packed; at < n; at += packed) {
		if (n - at < 4)
			return damaged;
		packed = get32(in + at);
		at += 4;
		if (packed > n - at || packed > LZ4_COMPRESSBOUND(LZ4_BLOCK))
			return damaged;
		int size = LZ4_decompress_safe((const char *)in + at, block, packed, LZ4_BLOCK);
		if (size <= 0)
			return damaged;
		*total += size;
		if (!sink(arg, block, size))
			return NULL;
	}
	return NULL;
}

static void *xz_alloc(void *opaque, size_t count, size_t size)
{
	return heap_take(opaque, count * size);
}
static void xz_free(void *opaque, void *p)
{
	(void)opaque;
	(void)p;
}

static const char *unpack_xz(const uint8_t *in, size_t n, uint64_t *total, struct image_heap *heap,
	image_sink *sink, void *arg)
{
	const lzma_allocator allocator = { xz_alloc, xz_free, heap };
	lzma_stream s = { .allocator = &allocator, .next_in = in, .avail_in = n };
	uint8_t *part = heap_take(heap, XZ_PART);
	lzma_ret r = part ? lzma_stream_decoder(&s, XZ_MEMORY, 0) : LZMA_MEM_ERROR;
	while (r == LZMA_OK) {
		s.next_out = part;
		s.avail_out = XZ_PART;
		r = lzma_code(&s, LZMA_FINISH);
		size_t size = XZ_PART - s.avail_out;
		*total += size;
		if (size && !sink(arg, part, size))
			return NULL;
	}
	if (r == LZMA_MEM_ERROR || r == LZMA_MEMLIMIT_ERROR)
		return too_little;
	return r == LZMA_STREAM_END && !s.avail_in ? NULL : damaged;
}

const char *image_unpack(const struct image_payload *p, const uint8_t *file,
	struct image_heap *heap, image_sink *sink, void *arg)
{
	const uint8_t *in = file + p->offset;
	uint64_t total = 0;
	if (p->packing == IMAGE_PLAIN) {
		sink(arg, in, p->size);
		return NULL;
	}
	if (p->size < SIZE_BYTES + 4)
		return damaged;
	size_t n = p->size - SIZE_BYTES;
	const char *error = p->packing == IMAGE_LZ4 ? unpack_lz4(in, n, &total, heap, sink, arg) :
		unpack_xz(in, n, &total, heap, sink, arg);
	return error ? error : (uint32_t)total == get32(in + n) ? NULL : damaged;
}
