/* The block back end: one virtual disk each behind a guest's ring, as Linux's blkfront and GRUB
 * know it.
 *
 * The state machine is in the store: the front end writes ring-ref, event-channel and state 3; we
 * map the ring, bind the port and become 4; 5 and 6 close it, 1 begins anew.
 *
 * Everything in ring and store is the guest's and may be hostile: positions are checked, a
 * request is copied before it is looked at, grants are checked and marked as in use while we move
 * their data.  Data goes straight between the guest's frames and where the disk has it: out of the
 * guest by the RAM window, into it by frame_copy, so that we need no writable mapping.  Requests
 * that lie in a row on the disk are one request to it.
 */
#include "disk.h"
#include "io.h"

#define DISKS		4u
#define FIRST_ID	51712u		/* xvda; xvdb and so on are 16 apart */
#define PARTS		(XEN_BLK_ENTRIES * XEN_BLK_SEGMENTS)
#define INFO_READ_ONLY	4u

static struct blk {
	struct vdisk *disk;
	char front[48], back[48];	/* directories in the store */
	uint64_t front_state;
	volatile struct xen_blk_ring *ring;	/* NULL: not connected */
	uint32_t ref;			/* of the ring */
	unsigned port;
	uint32_t cons, prod;		/* requests taken, replies given */
} blks[DISKS];

/* Requests that are carried out as one. */
static struct batch {
	struct vdisk_io io;
	unsigned op, requests, parts;
	uint64_t offset, bytes;
	bool lost;			/* some of the guest's frames could not be written */
	uint64_t id[XEN_BLK_ENTRIES];
	struct { uint64_t phys; uint32_t size, ref; } part[PARTS];
} batch;

/* ---- the data of a batch -------------------------------------------------------------------- */

/* The part of the batch that byte `at` lies in; *in: where in it. */
static unsigned part_find(size_t at, size_t *in)
{
	unsigned i = 0;
	for (; i < batch.parts && at >= batch.part[i].size; i++)
		at -= batch.part[i].size;
	*in = at;
	return i;
}

static void guest_put(struct vdisk_io *io, size_t at, const void *from, size_t n)
{
	const uint8_t *bytes = from;
	size_t in, size;
	(void)io;
	for (unsigned i = part_find(at, &in); n && i < batch.parts; n -= size, bytes += size) {
		size_t rest = EXO_PAGE_SIZE - (uintptr_t)bytes % EXO_PAGE_SIZE;
		size = batch.part[i].size - in;
		size = size < rest ? size : rest;
		size = size < n ? size : n;
		if (!io_to_guest(batch.part[i].phys + in, bytes, size))
			batch.lost = true;
		in += size;
		if (in == batch.part[i].size) {
			in = 0;
			i++;
		}
	}
}

static void guest_get(struct vdisk_io *io, size_t at, void *to, size_t n)
{
	uint8_t *bytes = to;
	size_t in, size;
	(void)io;
	for (unsigned i = part_find(at, &in); n && i < batch.parts; i++, in = 0, n -= size, bytes += size) {
		size = batch.part[i].size - in < n ? batch.part[i].size - in : n;
		io_from_guest(bytes, batch.part[i].phys + in, size);
	}
}

/* ---- requests and replies ----------------------------------------------------------------------- */

static void reply(struct blk *b, uint64_t id, unsigned op, int error)
{
	b->ring->entry[b->prod++ % XEN_BLK_ENTRIES].reply = (struct xen_blk_reply){ .id = id, .op = op,
		.status = !error ? XEN_BLK_OKAY : error == -XEN_EOPNOTSUPP ? XEN_BLK_UNSUPPORTED :
		XEN_BLK_ERROR };
}

/* Shows the replies to the guest, and tells it if it wants to be told. */
static void replies_push(struct blk *b)
{
	uint32_t was = b->ring->ring.reply_prod;
	if (was == b->prod)
		return;
	__atomic_store_n(&b->ring->ring.reply_prod, b->prod, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (b->prod - b->ring->ring.reply_event < b->prod - was)
		evtchn_raise(b->port);
}

static void parts_drop(unsigned from)
{
	while (batch.parts > from)
		grant_put(batch.part[--batch.parts].ref);
}

static void batch_run(struct blk *b)
{
	const struct vdisk_ops *ops = b->disk->ops;
	if (!batch.requests)
		return;
	int error = batch.op == XEN_BLK_READ ? ops->read(b->disk, batch.offset, batch.bytes, &batch.io) :
		ops->write(b->disk, batch.offset, batch.bytes, &batch.io);
	parts_drop(0);
	for (unsigned i = 0; i < batch.requests; i++)
		reply(b, batch.id[i], batch.op, error ? error : batch.lost ? -XEN_EIO : 0);
	batch.requests = 0;
	batch.lost = false;
	replies_push(b);
}

static bool in_disk(const struct blk *b, uint64_t sector, uint64_t sectors)
{
	uint64_t all = b->disk->size / VDISK_SECTOR;
	return sectors && sectors <= all && sector <= all - sectors;
}

/* Adds the request's segments to the batch; false: one of them is bad. */
static bool parts_add(const struct xen_blk_request *q, uint64_t *bytes)
{
	*bytes = 0;
	for (unsigned i = 0; i < q->segments; i++) {
		const struct xen_blk_segment *s = &q->segment[i];
		if (s->first > s->last || s->last >= EXO_PAGE_SIZE / VDISK_SECTOR)
			return false;
		uint64_t mfn = grant_get(s->ref, q->op == XEN_BLK_READ);
		if (!mfn)
			return false;
		uint32_t size = (s->last - s->first + 1) * VDISK_SECTOR;
		batch.part[batch.parts].phys = mfn * EXO_PAGE_SIZE + s->first * VDISK_SECTOR;
		batch.part[batch.parts].size = size;
		batch.part[batch.parts++].ref = s->ref;
		*bytes += size;
	}
	return true;
}

static int transfer(struct blk *b, const struct xen_blk_request *q)
{
	uint64_t bytes;
	if (!q->segments || q->segments > XEN_BLK_SEGMENTS)
		return -XEN_EINVAL;
	if (q->op == XEN_BLK_WRITE && b->disk->read_only)
		return -XEN_EROFS;
	if (batch.requests && (batch.op != q->op ||
	    batch.offset + batch.bytes != q->sector * VDISK_SECTOR || q->sector >> 54))
		batch_run(b);
	unsigned before = batch.parts;
	if (!parts_add(q, &bytes) || !in_disk(b, q->sector, bytes / VDISK_SECTOR)) {
		parts_drop(before);
		return -XEN_EINVAL;
	}
	if (!batch.requests) {
		batch.op = q->op;
		batch.offset = q->sector * VDISK_SECTOR;
		batch.bytes = 0;
	}
	batch.id[batch.requests++] = q->id;
	batch.bytes += bytes;
	return 0;
}

static int discard(struct blk *b, const struct xen_blk_discard *q)
{
	if (!b->disk->ops->discard || b->disk->read_only)
		return -XEN_EOPNOTSUPP;
	if (!in_disk(b, q->sector, q->sectors))
		return -XEN_EINVAL;
	return b->disk->ops->discard(b->disk, q->sector * VDISK_SECTOR, q->sectors * VDISK_SECTOR);
}

static void request(struct blk *b, const struct xen_blk_request *q)
{
	int error = -XEN_EOPNOTSUPP;
	if (q->op == XEN_BLK_READ || q->op == XEN_BLK_WRITE) {
		if ((error = transfer(b, q)))
			reply(b, q->id, q->op, error);
		return;
	}
	batch_run(b);
	if (q->op == XEN_BLK_FLUSH)
		error = b->disk->ops->flush(b->disk);
	else if (q->op == XEN_BLK_DISCARD)
		error = discard(b, (const struct xen_blk_discard *)q);
	reply(b, q->id, q->op, error);
}

/* ---- the state machine ------------------------------------------------------------------------------ */

static const char *in(const char *dir, const char *name)
{
	static char path[96];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static void state_set(struct blk *b, unsigned state) { store_set_number(in(b->back, "state"), state); }

static void disconnect(struct blk *b)
{
	if (!b->ring)
		return;
	ram_unshare((void *)b->ring);
	grant_put(b->ref);
	b->ring = NULL;
}

static void fail(struct blk *b, const char *what)
{
	store_set(in(b->back, "error"), what);
	disconnect(b);
	state_set(b, XEN_BUS_CLOSED);
}

static void on_send(void *arg) { io_kick(IO_BLK((uintptr_t)arg)); }

static void connect(struct blk *b)
{
	uint64_t ref, port;
	char protocol[32] = "x86_64-abi";
	store_get(in(b->front, "protocol"), protocol, sizeof protocol);
	if (store_get_number(in(b->front, "ring-ref"), &ref) || ref >> 32 ||
	    store_get_number(in(b->front, "event-channel"), &port) || port >= VMM_PORTS ||
	    strcmp(protocol, "x86_64-abi")) {
		fail(b, "ring-ref, event-channel or protocol cannot be read");
		return;
	}
	uint64_t mfn = grant_get(ref, true);
	void *ring = mfn ? ram_share(mfn) : NULL;
	if (!ring || evtchn_attach(port, on_send, (void *)(uintptr_t)(b - blks))) {
		if (ring)
			ram_unshare(ring);
		if (mfn)
			grant_put(ref);
		fail(b, ring ? "the event channel cannot be bound" : "the ring's grant is no good");
		return;
	}
	b->ring = ring;
	b->ref = ref;
	b->port = port;
	b->cons = b->prod = 0;
	state_set(b, XEN_BUS_CONNECTED);
	io_kick(IO_BLK(b - blks));
}

static void front_changed(struct blk *b, uint64_t state)
{
	switch (state) {
	case XEN_BUS_INITIALISING:
		disconnect(b);
		state_set(b, XEN_BUS_INIT_WAIT);
		break;
	case XEN_BUS_INITIALISED: case XEN_BUS_CONNECTED:
		if (!b->ring)
			connect(b);
		break;
	case XEN_BUS_CLOSING:
		state_set(b, XEN_BUS_CLOSING);
		break;
	default:
		disconnect(b);
		state_set(b, XEN_BUS_CLOSED);
	}
}

void blk_store_changed(const char *path)
{
	for (struct blk *b = blks; b < blks + DISKS; b++) {
		uint64_t state = XEN_BUS_UNKNOWN;
		if (!b->disk || strncmp(path, STORE_HOME "/device", sizeof STORE_HOME + 6))
			continue;
		store_get_number(in(b->front, "state"), &state);
		if (state == b->front_state)
			continue;
		b->front_state = state;
		front_changed(b, state);
	}
}

void blk_serve(unsigned n)
{
	struct blk *b = &blks[n];
	if (!b->ring)
		return;
	uint32_t prod = __atomic_load_n(&b->ring->ring.request_prod, __ATOMIC_ACQUIRE);
	if (prod - b->cons > XEN_BLK_ENTRIES) {
		fail(b, "the ring's positions are no good");
		return;
	}
	while (b->cons != prod) {
		struct xen_blk_request q = b->ring->entry[b->cons++ % XEN_BLK_ENTRIES].request;
		request(b, &q);
	}
	batch_run(b);
	replies_push(b);
	__atomic_store_n(&b->ring->ring.request_event, b->cons + 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&b->ring->ring.request_prod, __ATOMIC_SEQ_CST) != b->cons)
		io_kick(IO_BLK(n));
}

/* ---- making the disks --------------------------------------------------------------------------------- */

static void describe(struct blk *b, unsigned id)
{
	char name[5] = { 'x', 'v', 'd', 'a' + (b - blks), 0 };
	bool ro = b->disk->read_only, discards = b->disk->ops->discard && !ro;
	store_set(in(b->back, "frontend"), b->front);
	store_set(in(b->back, "frontend-id"), "1");
	store_set(in(b->back, "online"), "1");
	store_set(in(b->back, "dev"), name);
	store_set(in(b->back, "mode"), ro ? "r" : "w");
	store_set_number(in(b->back, "sectors"), b->disk->size / VDISK_SECTOR);
	store_set_number(in(b->back, "sector-size"), VDISK_SECTOR);
	store_set_number(in(b->back, "physical-sector-size"), VDISK_BLOCK);
	store_set_number(in(b->back, "info"), ro ? INFO_READ_ONLY : 0);
	store_set(in(b->back, "feature-flush-cache"), "1");
	store_set(in(b->back, "feature-discard"), discards ? "1" : "0");
	store_set_number(in(b->back, "discard-granularity"), VDISK_BLOCK);
	store_set(in(b->front, "backend"), b->back);
	store_set(in(b->front, "backend-id"), "0");
	store_set_number(in(b->front, "virtual-device"), id);
	store_set(in(b->front, "device-type"), "disk");
	state_set(b, XEN_BUS_INIT_WAIT);
	store_set_number(in(b->front, "state"), XEN_BUS_INITIALISING);
	b->front_state = XEN_BUS_INITIALISING;
}

void blk_init(void)
{
	batch.io = (struct vdisk_io){ guest_put, guest_get };
	for (unsigned i = 0; i < vm.opt.disks && i < DISKS; i++) {
		struct blk *b = &blks[i];
		b->disk = vdisk_open(vm.opt.disk[i]);
		snprintf(b->front, sizeof b->front, "%s/device/vbd/%u", STORE_HOME, FIRST_ID + 16 * i);
		snprintf(b->back, sizeof b->back, "%s/%u", STORE_BACK, FIRST_ID + 16 * i);
		describe(b, FIRST_ID + 16 * i);
	}
}

void blk_close(void)
{
	for (struct blk *b = blks; b < blks + DISKS; b++)
		if (b->disk)
			b->disk->ops->flush(b->disk);
}
