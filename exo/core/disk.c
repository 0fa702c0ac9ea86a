/* Disks: which request goes to the device next, and what becomes of those that do not come back.
 *
 * A queue for each class and disk, first come, first served.  A driver (drivers/block.h) works on
 * a request under a tag.  A disk that does not answer in time is reset, without anybody waiting:
 * the driver is asked to go on at each look.  One that cannot be reset loses its access to memory,
 * so that every request ends.
 *
 * Whether a request is allowed was decided in ring.c.
 */
#include "disk.h"

#define ANSWER_NS	5000000000ul	/* a request that takes longer is lost */
#define RESET_NS	5000000000ul
#define LOOK_NS		500000000ul	/* for time-outs */
#define POLL_NS		20000000ul	/* where interrupts may not arrive */
#define STEP_NS		1000000ul	/* of a reset */
#define TRIES		2u		/* after the first */
#define FAIR		8u		/* every so many starts the last class is the first */

struct disk disks[DISKS_MAX];
unsigned disk_count;
uint64_t disks_deadline = EXO_FOREVER;

/* What each disk was when it came: extents were made for that one. */
static struct block_device known[DISKS_MAX];

static bool same_disk(const struct block_device *a, const struct block_device *b)
{
	return a->sectors == b->sectors && a->depth == b->depth && a->sector_size == b->sector_size;
}

void disk_add(struct block_device *dev)
{
	if (disk_count == DISKS_MAX) {
		log_print("disk: more than %u: %s is not used\n", DISKS_MAX, dev->model);
		dev->driver->off(dev);
		return;
	}
	dev->number = disk_count;
	known[disk_count] = *dev;
	disks[disk_count++] = (struct disk){ .dev = dev };
}

/* ---- starting --------------------------------------------------------------- */

static struct link *request_link(uint32_t name) { return &request_at(name)->link; }

/* The class whose turn it is; EXO_BLK_CLASSES: none may start. */
static unsigned class_pick(const struct disk *d)
{
	bool low = d->background >= (d->dev->depth > 1 ? d->dev->depth / 2 : 1);
	bool reverse = d->turn % FAIR == FAIR - 1;

	for (unsigned i = 0; i < EXO_BLK_CLASSES; i++) {
		unsigned class = reverse ? EXO_BLK_CLASSES - 1 - i : i;

		if (d->waiting[class] && (class == EXO_BLK_DEMAND || !low))
			return class;
	}
	return EXO_BLK_CLASSES;
}

static void issue(struct disk *d, unsigned tag, uint32_t name)
{
	struct request *r = request_at(name);
	struct block_io io = { .op = r->op, .lba = r->lba, .sectors = r->sectors,
		.offset = r->offset * EXO_SECTOR, .frames = r->frames, .frame = r->frame };

	ring_remove(&d->waiting[r->class], name, request_link);
	r->state = REQUEST_ISSUED;
	r->deadline = arch_now() + ANSWER_NS;
	d->tag[tag] = name;
	d->issued++;
	d->background += r->class != EXO_BLK_DEMAND;
	d->turn++;
	d->dev->driver->start(d->dev, tag, &io);
}

/* When to look at a disk again. */
static uint64_t interval(const struct disk *d)
{
	if (d->state == DISK_RESETTING)
		return STEP_NS;
	if (d->state == DISK_GONE || !d->issued)
		return EXO_FOREVER;
	return d->dev->interrupts ? LOOK_NS : POLL_NS;
}

static void dispatch(struct disk *d)
{
	unsigned tag = 0, class;
	uint64_t ns;

	while (d->state == DISK_READY && d->issued < d->dev->depth &&
	       (class = class_pick(d)) < EXO_BLK_CLASSES) {
		while (d->tag[tag])
			tag++;
		issue(d, tag, d->waiting[class]);
	}
	ns = interval(d);
	if (ns != EXO_FOREVER)
		look_by(&disks_deadline, arch_now() + ns);
}

void disk_queue(uint32_t name)
{
	struct request *r = request_at(name);
	struct disk *d = &disks[r->disk];

	if (r->op == EXO_BLK_FLUSH && !d->dev->cache) {
		request_done(name, EXO_OK);
		return;
	}
	r->state = REQUEST_WAITING;
	ring_add(&d->waiting[r->class], name, request_link);
	dispatch(d);
}

void disk_unqueue(uint32_t name)
{
	struct request *r = request_at(name);

	ring_remove(&disks[r->disk].waiting[r->class], name, request_link);
}

/* ---- ending ------------------------------------------------------------------- */

/* Takes the request off its tag. */
static uint32_t untag(struct disk *d, unsigned tag)
{
	uint32_t name = d->tag[tag];

	d->tag[tag] = 0;
	d->issued--;
	d->background -= request_at(name)->class != EXO_BLK_DEMAND;
	return name;
}

void block_done(struct block_device *dev, unsigned tag, bool ok)
{
	struct disk *d = &disks[dev->number];

	if (tag < BLOCK_TAGS && d->tag[tag])
		request_done(untag(d, tag), ok ? EXO_OK : EXO_IO);
}

uint64_t block_clock(void) { return arch_now(); }

void block_interrupt(void *arg)
{
	struct block_device *dev = arg;
	struct disk *d = &disks[dev->number];

	if (d->dev != dev || d->state != DISK_READY)
		return;
	dev->driver->poll(dev);
	dispatch(d);
}

static void end_all(struct disk *d, unsigned code)
{
	for (unsigned tag = 0; tag < BLOCK_TAGS; tag++)
		if (d->tag[tag])
			request_done(untag(d, tag), code);
	for (unsigned class = 0; class < EXO_BLK_CLASSES; class++)
		while (d->waiting[class]) {
			uint32_t name = d->waiting[class];

			disk_unqueue(name);
			request_done(name, code);
		}
}

static void disk_gone(struct disk *d, const char *why)
{
	log_print("disk%u: %s: given up\n", d->dev->number, why);
	d->dev->driver->off(d->dev);
	d->state = DISK_GONE;
	end_all(d, EXO_GONE);
}

/* ---- time-outs ------------------------------------------------------------------ */

/* After a reset: what was lost by it is done again. */
static void again(struct disk *d)
{
	for (unsigned tag = 0; tag < BLOCK_TAGS; tag++) {
		if (!d->tag[tag])
			continue;
		uint32_t name = untag(d, tag);
		struct request *r = request_at(name);

		if (r->deadline <= d->reset_started)
			request_done(name, EXO_TIMEOUT);
		else if (r->dying)
			request_done(name, EXO_DYING);
		else if (r->tries++ == TRIES)
			request_done(name, EXO_IO);
		else {
			r->state = REQUEST_WAITING;
			ring_add(&d->waiting[r->class], name, request_link);
		}
	}
}

static void reset_go_on(struct disk *d, bool first, uint64_t now)
{
	enum block_state state = d->dev->driver->step(d->dev, first);

	if (state == BLOCK_READY && !same_disk(d->dev, &known[d->dev->number])) {
		disk_gone(d, "is another one after a reset");
	} else if (state == BLOCK_READY) {
		d->state = DISK_READY;
		again(d);
	} else if (state == BLOCK_FAILED) {
		disk_gone(d, "cannot be reset");
	} else if (now > d->reset_started + RESET_NS) {
		disk_gone(d, "does not come back from a reset");
	}
}

static bool overdue(const struct disk *d, uint64_t now)
{
	for (unsigned tag = 0; tag < BLOCK_TAGS; tag++)
		if (d->tag[tag] && request_at(d->tag[tag])->deadline <= now)
			return true;
	return false;
}

static void look(struct disk *d, uint64_t now)
{
	if (d->state == DISK_READY && d->issued) {
		d->dev->driver->poll(d->dev);
		if (overdue(d, now)) {
			log_print("disk%u: no answer in %lu s: reset\n", d->dev->number,
				ANSWER_NS / 1000000000);
			d->state = DISK_RESETTING;
			d->reset_started = now;
			d->resets++;
			reset_go_on(d, true, now);
		}
	} else if (d->state == DISK_RESETTING) {
		reset_go_on(d, false, now);
	}
	dispatch(d);
}

void disks_tick(uint64_t now)
{
	disks_deadline = EXO_FOREVER;
	for (unsigned i = 0; i < disk_count; i++)
		look(&disks[i], now);
}

/* ---- extents --------------------------------------------------------------------- */

uint64_t call_extent_info(struct call *c)
{
	struct slot *s;
	struct exo_extent_info info;
	uint64_t status = cap_find(current_domain(), c->rdi, EXO_T_EXTENT, 0, 1, &s);

	if (status)
		return status;
	const struct disk *d = &disks[s->aux];
	info = (struct exo_extent_info){
		.base = s->base, .count = s->count, .disk = s->aux, .sector = d->dev->sector_size,
		.flags = (d->dev->read_only ? EXO_DISK_READ_ONLY : 0) |
			(d->dev->cache ? EXO_DISK_CACHE : 0) |
			(d->state == DISK_GONE ? EXO_DISK_GONE : 0),
		.depth = d->dev->depth, .resets = d->resets,
	};
	__builtin_memcpy(info.model, d->dev->model, sizeof d->dev->model);
	return answer_write(c, c->rsi, &info, sizeof info, 2);
}
