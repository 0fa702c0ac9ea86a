/* Block I/O by one ring: see disk.h. */
#include "disk.h"
#include "event.h"
#include "frames.h"
#include "pt.h"
#include "text.h"

static uint64_t event_make(struct disk_ring *r)
{
	r->bit = event_alloc(NULL, NULL);
	if (r->bit < 0)
		return EXO_LIMIT;
	struct exo_result e = exo_event_create(EXO_SLOT_ANY, 0, 1ul << r->bit);
	r->event = e.value;
	return e.status;
}

uint64_t disk_open(struct disk_ring *r, uint64_t event)
{
	*r = (struct disk_ring){ .bit = -1 };
	r->head = page_new(&r->head_pfn);
	r->entry = page_new(&r->entry_pfn);
	r->object = frame_take();
	uint64_t status = r->head && r->entry && r->object ? EXO_OK : EXO_LIMIT;
	if (!status && !event)
		status = event_make(r);
	if (!status) {
		struct exo_result ring = exo_ring_create(r->object, r->head_pfn, r->entry_pfn,
			EXO_RING_BLOCK, event ? event : r->event, EXO_SLOT_ANY);
		status = ring.status;
		r->cap = status ? 0 : ring.value;
	}
	if (status)
		disk_close(r);
	return status;
}

/* Pages in a window are there for good. */
void disk_close(struct disk_ring *r)
{
	if (r->cap)
		exo_delete_all(0, r->cap);
	if (r->event)
		exo_delete_all(0, r->event);
	if (r->bit >= 0)
		event_free(r->bit);
	if (r->object)
		frames_put(r->object, 1);
	if (physmap_on() && r->head)
		frame_free(r->head_pfn);
	if (physmap_on() && r->entry)
		frame_free(r->entry_pfn);
	*r = (struct disk_ring){ .bit = -1 };
}

/* The kernel takes an entry only with a slot for its completion, so it is enough to count those
 * that are out. */
bool disk_room(const struct disk_ring *r)
{
	return r->submitted - r->consumed < EXO_RING_SLOTS;
}

void disk_put(struct disk_ring *r, const struct exo_block_request *q)
{
	r->entry[r->submitted % EXO_RING_SLOTS] = *q;
	__atomic_store_n(&r->head->submitted, ++r->submitted, __ATOMIC_RELEASE);
}

uint64_t disk_submit(struct disk_ring *r)
{
	return exo_ring_submit(r->cap).status;
}

bool disk_get(struct disk_ring *r, struct exo_completion *out)
{
	if (__atomic_load_n(&r->head->completed, __ATOMIC_ACQUIRE) == r->consumed)
		return false;
	*out = r->head->completion[r->consumed % EXO_RING_SLOTS];
	__atomic_store_n(&r->head->consumed, ++r->consumed, __ATOMIC_RELEASE);
	return true;
}

bool disk_wait(struct disk_ring *r, uint64_t deadline)
{
	struct exo_predicate p = { .products = 1, .terms = { 1 } };
	p.term[0][0] = (struct exo_term){ .op = EXO_NE, .value = r->consumed,
		.addr = (r->head_pfn << EXO_PAGE_SHIFT) + offsetof(struct exo_ring, completed) };
	while (__atomic_load_n(&r->head->completed, __ATOMIC_ACQUIRE) == r->consumed) {
		uint64_t code = EXO_CODE(exo_wait(&p, deadline, 0).status);
		if (code != EXO_OK && code != EXO_EVENT)
			break;
	}
	return __atomic_load_n(&r->head->completed, __ATOMIC_ACQUIRE) != r->consumed;
}

uint64_t disk_transfer(struct disk_ring *r, uint64_t extent, unsigned op, uint64_t sector,
	unsigned sectors, const uint32_t *frame)
{
	struct exo_block_request q = { .extent = extent, .op = op, .sector = sector,
		.sectors = sectors };
	struct exo_completion c;
	for (unsigned i = 0; i < EXO_REQUEST_FRAMES && i * EXO_BLOCK_SECTORS < sectors; i++)
		q.frame[i] = frame[i];
	disk_put(r, &q);
	uint64_t status = disk_submit(r);
	if (status)
		return status;
	if (!disk_wait(r, EXO_FOREVER) || !disk_get(r, &c))
		return EXO_LOST;
	return c.status;
}
