/* Memory of the libOS: frames with counts, and small and large pieces of them.
 *
 * Frames come from libos/common, a stack of recently freed ones in front of it; all are seen
 * through the physmap.  Small pieces lie in pages of one size each; large ones are runs of
 * adjacent frames.  A frame's count says what it is: shared frames count their users, heap
 * frames carry a mark.  Under libos_lock.
 */
#include "libos/posix/mm.h"
#include "libos/common/frames.h"

#define REGION_FRAMES	512
#define REGIONS		16384		/* 32 GiB */
#define MARK_RUN	0x80000000u	/* first frame of a run; low bits: how many */
#define MARK_SLAB	0x40000000u	/* low bits: class */
#define CACHE_MAX	1024

static uint32_t *region_counts[REGIONS];
static uint32_t cache[CACHE_MAX];
static size_t cached;

static uint32_t *frame_count_of(uint32_t pfn)
{
	uint32_t region = pfn / REGION_FRAMES;
	if (region >= REGIONS)
		posix_panic("frame %x is beyond the supported memory", pfn);
	if (!region_counts[region]) {
		uint64_t frame = frame_alloc_zero();
		if (!frame)
			posix_panic("no memory for the frame counts");
		/* a page holds the counts of two regions */
		region_counts[region & ~1u] = physmap_page(frame);
		region_counts[region | 1u] = (uint32_t *)physmap_page(frame) + REGION_FRAMES;
	}
	return &region_counts[region][pfn % REGION_FRAMES];
}

static uint32_t frame_raw(void)
{
	if (cached)
		return cache[--cached];
	return (uint32_t)frame_alloc();
}

static void frame_release(uint32_t pfn)
{
	if (cached < CACHE_MAX)
		cache[cached++] = pfn;
	else
		frame_free(pfn);
}

uint32_t frame_new(void)
{
	uint32_t pfn = frame_raw();
	if (pfn)
		*frame_count_of(pfn) = 1;
	return pfn;
}

uint32_t frame_count(uint32_t pfn)
{
	return *frame_count_of(pfn);
}

void frame_get(uint32_t pfn)
{
	++*frame_count_of(pfn);
}

void frame_put(uint32_t pfn)
{
	uint32_t *count = frame_count_of(pfn);
	if (!*count)
		posix_panic("frame %x is given back once too often", pfn);
	if (!--*count)
		frame_release(pfn);
}

void *frame_page(uint32_t pfn)
{
	return physmap_page(pfn);
}

uint32_t page_frame(const void *page)
{
	return (uint32_t)physmap_pfn(page);
}

/* By words: a `rep` is slow in an emulator, and no slower than this elsewhere. */
void page_zero(void *page)
{
	uint64_t *p = page;
	for (unsigned i = 0; i < 4096 / 8; i += 8) {
		p[i] = p[i + 1] = p[i + 2] = p[i + 3] = 0;
		p[i + 4] = p[i + 5] = p[i + 6] = p[i + 7] = 0;
		__asm__ volatile("" : : : "memory");
	}
}

void *page_alloc(void)
{
	uint32_t pfn = frame_new();
	if (!pfn)
		return NULL;
	page_zero(frame_page(pfn));
	return frame_page(pfn);
}

void page_free(void *page)
{
	if (page)
		frame_put(page_frame(page));
}

size_t frames_free(void)
{
	return frames_left() + cached;
}

size_t frames_total(void)
{
	return frames_owned();
}

/* ---- pieces ----------------------------------------------------------------------- */

struct slab {
	struct slab *next, **link;	/* of its class, with room; link NULL: not listed */
	void *free;
	uint32_t used, class;
};
static const uint16_t class_size[] = {
	32, 64, 96, 128, 192, 256, 336, 496, 672, 1008, 1344, 2016
};
#define CLASSES (sizeof class_size / sizeof *class_size)
#define SLAB_ROOM (4096 - 64)
static struct slab *with_room[CLASSES];

static void slab_list(struct slab *s)
{
	s->next = with_room[s->class];
	s->link = &with_room[s->class];
	if (s->next)
		s->next->link = &s->next;
	with_room[s->class] = s;
}

static void slab_unlist(struct slab *s)
{
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	s->link = NULL;
}

static struct slab *slab_new(uint32_t class)
{
	uint32_t pfn = frame_raw();
	if (!pfn)
		return NULL;
	*frame_count_of(pfn) = MARK_SLAB | class;
	struct slab *s = frame_page(pfn);
	*s = (struct slab){ .class = class };
	uint32_t size = class_size[class];
	for (uint32_t at = 64; at + size <= 64 + SLAB_ROOM; at += size) {
		void **piece = (void **)((char *)s + at);
		*piece = s->free;
		s->free = piece;
	}
	slab_list(s);
	return s;
}

static void *small_alloc(size_t n)
{
	uint32_t class = 0;
	while (class_size[class] < n)
		class++;
	struct slab *s = with_room[class];
	if (!s && !(s = slab_new(class)))
		return NULL;
	void *p = s->free;
	s->free = *(void **)p;
	s->used++;
	if (!s->free)
		slab_unlist(s);
	return memset(p, 0, n);
}

static void small_free(struct slab *s, void *p)
{
	*(void **)p = s->free;
	s->free = p;
	if (!s->link)
		slab_list(s);
	if (--s->used || (with_room[s->class] == s && !s->next))
		return;			/* the last page of a class stays */
	slab_unlist(s);
	*frame_count_of(page_frame(s)) = 0;
	frame_release(page_frame(s));
}

static void *large_alloc(size_t n)
{
	unsigned frames = (unsigned)((n + 4095) / 4096);
	if (n > REGION_FRAMES * 4096ul)
		return NULL;
	uint32_t pfn = frames == 1 ? frame_raw() : (uint32_t)frame_alloc_run(frames);
	if (!pfn)
		return NULL;
	*frame_count_of(pfn) = MARK_RUN | frames;
	for (unsigned i = 0; i < frames; i++)
		page_zero(frame_page(pfn + i));
	return frame_page(pfn);
}

void *kmalloc(size_t n)
{
	return n <= class_size[CLASSES - 1] ? small_alloc(n) : large_alloc(n);
}

static struct slab *slab_of(void *p)
{
	return (struct slab *)((uintptr_t)p & ~4095ul);
}

void kfree(void *p)
{
	if (!p)
		return;
	uint32_t pfn = page_frame(p), *count = frame_count_of(pfn), mark = *count;
	if (mark & MARK_SLAB) {
		small_free(slab_of(p), p);
		return;
	}
	if (!(mark & MARK_RUN))
		posix_panic("kfree of %p, which is none of kmalloc's", p);
	*count = 0;
	if ((mark & ~MARK_RUN) == 1)
		frame_release(pfn);
	else
		frame_free_run(pfn, mark & ~MARK_RUN);
}

void *krealloc(void *p, size_t n)
{
	if (!p)
		return kmalloc(n);
	uint32_t mark = frame_count(page_frame(p));
	size_t room = mark & MARK_SLAB ? class_size[mark & ~MARK_SLAB] : (mark & ~MARK_RUN) * 4096ul;
	if (n <= room && 2 * n > room)
		return p;
	void *to = kmalloc(n);
	if (to) {
		memcpy(to, p, n < room ? n : room);
		kfree(p);
	}
	return to;
}
