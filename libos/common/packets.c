/* Packets by rings: see packets.h. */
#include "packets.h"
#include "frames.h"
#include "pt.h"

uint64_t packets_open(struct packets *r, unsigned kind, uint64_t event)
{
	*r = (struct packets){ 0 };
	r->head = page_new(&r->head_pfn);
	r->entry = page_new(&r->entry_pfn);
	r->object = frame_take();
	uint64_t status = EXO_LIMIT;
	if (r->head && r->entry && r->object) {
		struct exo_result ring = exo_ring_create(r->object, r->head_pfn, r->entry_pfn, kind, event,
			EXO_SLOT_ANY);
		status = ring.status;
		r->cap = status ? 0 : ring.value;
	}
	if (status)
		packets_close(r);
	return status;
}

/* Pages in a window are there for good. */
void packets_close(struct packets *r)
{
	if (r->cap)
		exo_delete_all(0, r->cap);
	if (r->object)
		frames_put(r->object, 1);
	if (physmap_on() && r->head)
		frame_free(r->head_pfn);
	if (physmap_on() && r->entry)
		frame_free(r->entry_pfn);
	*r = (struct packets){ 0 };
}

bool packets_room(const struct packets *r)
{
	return r->submitted - r->consumed < EXO_PACKET_SLOTS;
}

void packets_put(struct packets *r, uint64_t id, uint32_t frame, unsigned offset, unsigned length)
{
	r->entry[r->submitted % EXO_PACKET_SLOTS] = (struct exo_packet){ .id = id, .frame = frame,
		.offset = offset, .length = length };
	__atomic_store_n(&r->head->submitted, ++r->submitted, __ATOMIC_RELEASE);
}

uint64_t packets_submit(struct packets *r)
{
	return exo_ring_submit(r->cap).status;
}

bool packets_get(struct packets *r, struct exo_completion *out)
{
	const struct exo_completion *first = r->head->completion;
	if (__atomic_load_n(&r->head->completed, __ATOMIC_ACQUIRE) == r->consumed)
		return false;
	*out = first[r->consumed % EXO_PACKET_SLOTS];
	__atomic_store_n(&r->head->consumed, ++r->consumed, __ATOMIC_RELEASE);
	return true;
}

bool packets_wait(struct packets *r, uint64_t deadline)
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
