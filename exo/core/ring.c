/* Rings: how a libOS asks a device for something and hears of the end (docs/storage.md).
 *
 * Two pages of the libOS, which the kernel reads once and believes nothing of, and an object with
 * what the kernel knows itself.  A request's authority is checked when it is taken; from then on
 * its frames are pinned, and whoever takes that authority away waits for it.  The order in which
 * disks do them, and time-outs, are in disk.c.
 */
#include "table.h"
#include "disk.h"

#define RINGS_MAX	16u		/* of a domain: looking through them is one bounded loop */
#define RING_UNITS	32u		/* to look through one */
#define HELD_STEP	64u		/* rings looked at in one go, whether their time has come */

struct rings_held rings_held;

static struct link *ring_link(uint32_t id) { return &ring_at(id)->link; }
static struct link *held_link(uint32_t id) { return &ring_at(id)->held; }
static volatile struct exo_ring *header(const struct ring *r) { return pfn_to_virt(r->header); }

/* ---- completions ----------------------------------------------------------- */

void ring_tell(struct ring *r)
{
	struct slot *event = cap_ref_get(r->event, EXO_T_EVENT);

	if (r->due) {
		rings_held.count--;
		ring_remove(&rings_held.first, r->id, held_link);
	}
	r->due = 0;
	if (event)
		context_signal(context_at(event->aux), slot_mask(event));
}

/* There is a completion more: its owner is told now or later, as it said. */
static void moderate(struct ring *r)
{
	volatile struct exo_ring *h = header(r);
	uint32_t ns = h->event_ns;

	if (r->completed - h->consumed >= h->event_count) {
		ring_tell(r);
	} else if (!r->due && ns) {
		r->due = arch_now() + ns;
		rings_held.count++;
		ring_add(&rings_held.first, r->id, held_link);
		look_by(&nets_deadline, r->due);
	}
}

void rings_look(uint64_t now)
{
	unsigned n = rings_held.count < HELD_STEP ? rings_held.count : HELD_STEP;

	if (rings_held.count > HELD_STEP)
		look_by(&nets_deadline, now + 1);
	for (; n; n--) {
		struct ring *r = ring_at(rings_held.first);

		rings_held.first = r->held.next;
		if (now < r->due)
			look_by(&nets_deadline, r->due);
		else
			ring_tell(r);
	}
}

void ring_complete(struct ring *r, uint64_t id, uint64_t status, unsigned amount)
{
	volatile struct exo_ring *h = header(r);
	volatile struct exo_completion *first = h->completion, *c = first + r->completed % r->slots;

	c->id = id;
	c->status = status;
	c->sectors = amount;
	__atomic_store_n(&h->completed, ++r->completed, __ATOMIC_RELEASE);
	moderate(r);
}

void request_done(uint32_t name, unsigned code)
{
	struct request *q = request_at(name);

	for (unsigned i = 0; i < q->frames; i++)
		frame_unpin(q->frame[i]);
	q->state = REQUEST_FREE;
	ring_complete(ring_at(name / EXO_RING_SLOTS), q->id, code, code ? 0 : q->sectors);
}

/* ---- taking entries --------------------------------------------------------- */

/* Whether the request may be, by its entry; fills in where it goes. */
static uint64_t extent_check(struct domain *d, const struct exo_block_request *e, struct request *q)
{
	unsigned right = e->op == EXO_BLK_READ ? EXO_R_READ : EXO_R_WRITE;
	struct slot *s;
	uint64_t status = cap_find(d, e->extent, EXO_T_EXTENT, right, EXO_FIELD_EXTENT, &s);

	if (status)
		return status;
	const struct disk *disk = &disks[s->aux];
	uint64_t sectors = (uint64_t)s->count * EXO_BLOCK_SECTORS;
	unsigned multiple = disk->dev->sector_size / EXO_SECTOR;
	if (disk->state == DISK_GONE)
		return FAIL(GONE, EXO_FIELD_EXTENT);
	if (e->op != EXO_BLK_READ && disk->dev->read_only)
		return FAIL(STATE, EXO_FIELD_EXTENT);
	if (e->sector > sectors || e->sectors > sectors - e->sector ||
	    e->sector % multiple || e->sectors % multiple)
		return FAIL(ARG, EXO_FIELD_SECTOR);
	q->extent = slot_name(s);
	q->disk = s->aux;
	q->lba = (uint64_t)s->base * EXO_BLOCK_SECTORS + e->sector;
	return EXO_OK;
}

static uint64_t frames_check(struct domain *d, const struct exo_block_request *e, struct request *q)
{
	struct slot *loan = NULL;
	uint64_t status = EXO_OK;

	if (e->loan)
		status = cap_find(d, e->loan, EXO_T_FRAMES, 0, EXO_FIELD_LOAN, &loan);
	q->loan = slot_name(loan);
	q->frames = e->op == EXO_BLK_FLUSH ? 0 :
		(e->offset + e->sectors + EXO_BLOCK_SECTORS - 1) / EXO_BLOCK_SECTORS;
	for (unsigned i = 0; i < q->frames && !status; i++) {
		status = frame_access_check(d, loan, e->frame[i], e->op == EXO_BLK_READ,
			EXO_FIELD_FRAME, EXO_FIELD_LOAN);
		if (!status && !frame_pin_ok(e->frame[i]))
			status = FAIL(BUSY, EXO_FIELD_FRAME);
		q->frame[i] = e->frame[i];
	}
	return status;
}

static uint64_t entry_form(const struct exo_block_request *e)
{
	bool flush = e->op == EXO_BLK_FLUSH;

	if (e->op >= EXO_BLK_OPS || e->class >= EXO_BLK_CLASSES)
		return FAIL(ARG, EXO_FIELD_OP);
	for (unsigned i = 0; i < 4; i++)
		if (e->reserved[i] || (i < 3 && e->pad[i]))
			return FAIL(ARG, EXO_FIELD_NONE);
	if (flush ? e->sector || e->sectors || e->offset :
	    !e->sectors || e->offset >= EXO_BLOCK_SECTORS ||
	    e->offset + e->sectors > EXO_REQUEST_FRAMES * EXO_BLOCK_SECTORS)
		return FAIL(ARG, EXO_FIELD_SECTOR);
	return EXO_OK;
}

static void take(struct ring *r, struct domain *d, const struct exo_block_request *e)
{
	unsigned i = 0;

	while (r->request[i].state != REQUEST_FREE)
		i++;
	struct request *q = &r->request[i];
	*q = (struct request){ .id = e->id, .sectors = e->sectors, .op = e->op, .class = e->class,
		.offset = e->offset };
	uint64_t status = entry_form(e);
	if (!status)
		status = extent_check(d, e, q);
	if (!status)
		status = frames_check(d, e, q);
	if (status) {
		ring_complete(r, e->id, status, 0);
		return;
	}
	for (unsigned f = 0; f < q->frames; f++)
		frame_pin(q->frame[f]);
	disk_queue(r->id * EXO_RING_SLOTS + i);
}

/* How many entries can be taken: one for each slot that holds neither an entry nor a completion
 * that was not consumed.  -1: the libOS's index makes no sense. */
static int ring_room(const struct ring *r)
{
	uint64_t unread = r->completed - header(r)->consumed, used = unread;

	if (unread > r->slots)
		return -1;
	if (r->kind != EXO_RING_BLOCK)
		used += r->packets.last - r->packets.first;
	for (unsigned i = 0; r->kind == EXO_RING_BLOCK && i < EXO_RING_SLOTS; i++)
		used += r->request[i].state != REQUEST_FREE;
	return used < r->slots ? r->slots - used : 0;
}

/* Takes the next entry.  False: its device has no room for it now. */
static bool take_next(struct ring *r)
{
	if (r->kind != EXO_RING_BLOCK) {
		struct exo_packet copy = ((volatile struct exo_packet *)
			pfn_to_virt(r->entries))[r->taken % EXO_PACKET_SLOTS];

		if (!packet_take(r, &copy))
			return false;
		header(r)->taken = ++r->taken;
		return true;
	}
	struct exo_block_request copy = ((volatile struct exo_block_request *)
		pfn_to_virt(r->entries))[r->taken % EXO_RING_SLOTS];

	header(r)->taken = ++r->taken;
	take(r, domain_at(r->domain), &copy);
	return true;
}

uint64_t ring_take(struct ring *r, uint64_t *n)
{
	int room = ring_room(r);
	uint64_t more = __atomic_load_n(&header(r)->submitted, __ATOMIC_ACQUIRE) - r->taken;

	*n = 0;
	if (room < 0 || more > r->slots)
		return FAIL(ARG, 1);
	while (*n < more && *n < (unsigned)room && take_next(r))
		++*n;
	return *n < more ? EXO_AGAIN : EXO_OK;
}

uint64_t call_ring_submit(struct call *c)
{
	struct slot *s;
	uint64_t status = cap_find(current_domain(), c->rdi, EXO_T_RING, EXO_R_USE, 1, &s);

	if (status)
		return status;
	struct ring *r = ring_at(s->aux);
	status = ring_take(r, &c->rdx);
	if (r->kind == EXO_RING_TRANSMIT)
		net_kick(&nets[r->packets.device]);
	return status;
}

/* ---- ends --------------------------------------------------------------------- */

/* Ends r's requests that use that capability (0: all).  False: a disk still works on one. */
static bool ring_drain(struct ring *r, uint32_t cap)
{
	bool idle = true;

	for (unsigned i = 0; i < EXO_RING_SLOTS; i++) {
		struct request *q = &r->request[i];
		uint32_t name = r->id * EXO_RING_SLOTS + i;

		if (q->state == REQUEST_FREE || (cap && q->extent != cap && q->loan != cap))
			continue;
		if (q->state == REQUEST_WAITING) {
			disk_unqueue(name);
			request_done(name, EXO_DYING);
			continue;
		}
		q->dying = true;
		idle = false;
	}
	return idle;
}

bool requests_end(struct domain *d, const struct slot *s, unsigned *budget)
{
	uint32_t id = d->rings_head;
	bool idle = true;

	for (unsigned i = 0; i < d->rings; i++, id = ring_at(id)->link.next) {
		if (!spend(budget, RING_UNITS))
			return false;
		if (ring_at(id)->kind == EXO_RING_BLOCK)
			idle &= ring_drain(ring_at(id), slot_name(s));
	}
	return idle;
}

bool ring_end(struct ring *r, unsigned *budget)
{
	struct domain *d = domain_at(r->domain);

	if (!spend(budget, RING_UNITS))
		return false;
	if (!(r->kind == EXO_RING_BLOCK ? ring_drain(r, 0) : packets_end(r, budget)))
		return false;
	ring_remove(&d->rings_head, r->id, ring_link);
	d->rings--;
	ring_tell(r);			/* it is held no more */
	frame_unpin(r->header);
	frame_unpin(r->entries);
	frame_object_free(r->id);
	return true;
}

/* ---- creation -------------------------------------------------------------------- */

uint64_t call_ring_create(struct call *c)
{
	struct domain *d = current_domain();
	struct slot *event, cap = { .type = EXO_T_RING, .rights = EXO_R_USE, .aux = c->rdi };
	uint64_t object = c->rdi, pages[2] = { c->rsi, c->rdx }, slot = c->r9;
	uint64_t status = frame_object_check(d, object, 1);

	for (unsigned i = 0; i < 2 && !status; i++) {
		status = frame_own(d, pages[i], 2 + i);
		if (!status && (pages[i] == object || pages[0] == pages[1] || !frame_pin_ok(pages[i])))
			status = FAIL(BUSY, 2 + i);
	}
	if (status)
		return status;
	if (c->r10 >= EXO_RING_KINDS)
		return FAIL(ARG, 4);
	if (object >> 25 /* names of requests are 32 bits */)
		return FAIL(ARG, 1);
	if (d->rings == RINGS_MAX)
		return FAIL(LIMIT, 0);
	if ((status = cap_find(d, c->r8, EXO_T_EVENT, EXO_R_SIGNAL, 5, &event)) ||
	    (status = cap_slot_check(d, &slot, 6)))
		return status;
	struct ring *r = frame_object_take(object);
	r->id = object;
	r->domain = d->id;
	r->header = pages[0];
	r->entries = pages[1];
	r->kind = c->r10;
	r->slots = r->kind == EXO_RING_BLOCK ? EXO_RING_SLOTS : EXO_PACKET_SLOTS;
	r->event = (struct cap_ref){ slot_name(event), event->gen };
	frame_pin(r->header);
	frame_pin(r->entries);
	__builtin_memset(pfn_to_virt(r->header), 0, offsetof(struct exo_ring, completion));
	ring_add(&d->rings_head, r->id, ring_link);
	d->rings++;
	return cap_insert(d, slot, 6, &cap, NULL, &c->rdx);
}
