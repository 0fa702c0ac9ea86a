/* The frame table: who owns each frame, what it is used as, how it is referenced.
 *
 * Here are the owner lists, the 2 MiB region records, pins, flush stamps and the life of
 * object frames.  Counting of mappings is in frame.h, what entries are allowed is in table.c,
 * changes between data and page table in retype.c, the calls on frames in give.c.
 *
 * An owner's list is circular and has its page tables first, so that a sweep of them need
 * not look at data.  Stamps follow Xen's tlbflush_timestamp: a frame remembers the flush clock
 * at which its last writable mapping, its last mapping or its last use as a table went; before
 * that matters to somebody else, every CPU has to flush at a later clock.
 */
#include "frame.h"
#include "context.h"

#define PINS_MAX	(UINT16_MAX - 64)	/* a predicate may pin a frame some 32 times at once */

struct exo_frame *frame_table;
struct region *region_table;
uint64_t frame_count;
volatile uint32_t flush_clock;		/* begun by who starts CPUs; beside what is as hot */

bool frame_valid(uint64_t pfn)
{
	return pfn && pfn < frame_count && frame_at(pfn)->type != EXO_F_NONE;
}

uint64_t frame_own(struct domain *d, uint64_t pfn, unsigned at)
{
	return frame_valid(pfn) && frame_at(pfn)->owner == d->id ? EXO_OK : FAIL(OWNER, at);
}

/* ---- flush stamps ------------------------------------------------------- */

static bool clock_after(uint32_t a, uint32_t b) { return (int32_t)(a - b) > 0; }

/* The clock moves on first: a flush that starts now is later than `stamp`. */
void frame_flush_for(uint32_t stamp)
{
	uint64_t cpus = 0;

	for (unsigned i = 0; i < cpu_count; i++)
		if (!clock_after(cpu_at(i)->flushed, stamp))
			cpus |= 1ul << i;
	if (!cpus)
		return;
	flush_clock++;
	arch_flush(cpus, 0, 0);
}

void frame_settle(uint64_t pfn)
{
	uint32_t frame = frame_at(pfn)->stamp, region = region_at(pfn)->stamp;

	frame_flush_for(clock_after(region, frame) ? region : frame);
}

/* ---- owner lists -------------------------------------------------------- */

static void list_unlink(struct domain *d, uint32_t pfn)
{
	struct exo_frame *f = frame_at(pfn);
	uint32_t next = f->next == pfn ? 0 : f->next;

	if (d->sweep_cursor == pfn)	/* a sweep goes on behind it, or ends */
		d->sweep_cursor = next == d->frames_head ? 0 : next;
	if (d->take_cursor == pfn)	/* revocation walks the other way */
		d->take_cursor = f->next == d->frames_head ? 0 : f->next;
	if (d->frames_head == pfn)
		d->frames_head = next;
	frame_at(f->next)->prev = f->prev;
	frame_at(f->prev)->next = f->next;
}

/* Tables go to the front, the rest to the back: one frame, or a chain of data.  A sweep runs
 * from the front, and what a new table holds was checked after the sweep began, so that it need
 * not see it. */
static void list_link(struct domain *d, uint32_t first, uint32_t last)
{
	uint32_t head = d->frames_head ? d->frames_head : first;
	uint32_t tail = d->frames_head ? frame_at(head)->prev : last;

	frame_at(last)->next = head;
	frame_at(first)->prev = tail;
	frame_at(tail)->next = first;
	frame_at(head)->prev = last;
	d->frames_head = type_is_table(frame_at(first)->type) ? first : head;
}

/* ---- regions ------------------------------------------------------------ */

static bool type_mappable(unsigned type)
{
	return type == EXO_F_DATA || type_is_table(type);
}

static void region_adopt(struct region *r, uint64_t pfn, unsigned moved, uint32_t owner)
{
	uint64_t first = pfn & ~(uint64_t)(REGION_FRAMES - 1);

	r->owner = owner;
	if (moved == REGION_FRAMES)
		return;			/* all, and `owned` is right */
	r->owned = 0;
	for (uint64_t p = first; p < first + REGION_FRAMES && p < frame_count; p++)
		r->owned += frame_at(p)->owner == owner;
}

/* The record follows an owner until that has no frame left here, so whoever owns all 512
 * is the one it counts. */
static void region_move(uint64_t pfn, unsigned count, uint32_t from, uint32_t to)
{
	struct region *r = region_at(pfn);

	if (from == to)
		return;
	if (r->owner == to)
		r->owned += count;
	else if (r->owner == from && r->owned == count)
		region_adopt(r, pfn, count, to);
	else if (r->owner == from)
		r->owned -= count;
}

void frame_set_type(uint64_t pfn, unsigned type)
{
	struct exo_frame *f = frame_at(pfn);
	struct region *r = region_at(pfn);
	struct domain *d = domain_at(f->owner);
	bool move = d && type_is_table(type) != type_is_table(f->type);

	r->special += (type != EXO_F_DATA) - (f->type != EXO_F_DATA);
	r->unmappable += !type_mappable(type) - !type_mappable(f->type);
	if (move)
		list_unlink(d, pfn);
	f->type = type;
	if (move)
		list_link(d, pfn, pfn);
}

void frame_set_owner(uint64_t pfn, struct domain *to)
{
	struct exo_frame *f = frame_at(pfn);
	uint32_t owner = f->owner;
	struct domain *from = domain_at(owner);

	if (from) {
		list_unlink(from, pfn);
		from->frames--;
	}
	f->owner = to ? to->id : 0;
	f->flags &= ~FRAME_DOOMED;
	region_move(pfn, 1, owner, f->owner);
	if (to) {
		list_link(to, pfn, pfn);
		to->frames++;
	}
}

void frames_found(uint64_t first, uint64_t count, struct domain *to)
{
	uint64_t end = first + count;

	for (uint64_t pfn = first, stop; pfn < end; pfn = stop) {
		uint64_t next_region = (pfn | (REGION_FRAMES - 1)) + 1;

		stop = next_region < end ? next_region : end;
		for (uint64_t p = pfn; p < stop; p++)
			*frame_at(p) = (struct exo_frame){
				.owner = to->id, .type = EXO_F_DATA, .next = p + 1, .prev = p - 1 };
		region_at(pfn)->special -= stop - pfn;
		region_at(pfn)->unmappable -= stop - pfn;
		region_move(pfn, stop - pfn, 0, to->id);
	}
	list_link(to, first, end - 1);
	to->frames += count;
}

void frame_tables_init(struct exo_frame *frames, struct region *regions, uint64_t count)
{
	frame_table = frames;
	region_table = regions;
	frame_count = count;
	for (uint64_t first = 0; first < count; first += REGION_FRAMES) {
		uint64_t here = count - first < REGION_FRAMES ? count - first : REGION_FRAMES;

		*region_at(first) = (struct region){
			.owned = here, .special = REGION_FRAMES, .unmappable = REGION_FRAMES };
	}
}

/* ---- objects and pins --------------------------------------------------- */

uint64_t frame_object_check(struct domain *d, uint64_t pfn, unsigned at)
{
	uint64_t status = frame_own(d, pfn, at);

	if (status)
		return status;
	if (frame_at(pfn)->type != EXO_F_DATA)
		return FAIL(TYPE, at);
	return frame_idle(pfn) ? EXO_OK : FAIL(BUSY, at);
}

void *frame_object_take(uint64_t pfn)
{
	void *page = pfn_to_virt(pfn);

	frame_settle(pfn);
	frame_set_type(pfn, EXO_F_OBJECT);
	page_zero(page);
	return page;
}

void frame_object_free(uint64_t pfn)
{
	page_zero(pfn_to_virt(pfn));
	frame_at(pfn)->typerefs = frame_at(pfn)->pins = 0;	/* an object's: see cap.c */
	frame_set_type(pfn, EXO_F_DATA);
}

bool frame_pin_ok(uint64_t pfn)
{
	const struct exo_frame *f = frame_at(pfn);

	return f->type == EXO_F_DATA && f->pins < PINS_MAX && !(f->flags & FRAME_DOOMED);
}

void frame_pin(uint64_t pfn) { frame_at(pfn)->pins++; }
void frame_unpin(uint64_t pfn) { frame_at(pfn)->pins--; }
