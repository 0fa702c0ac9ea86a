/* Host tests of the block back end: this program is the front end, well-behaved and then hostile.
 * `vmm-blk [ROUNDS SEED]`. */
#define main bare_main		/* what start.h declares is not this program's */
#include "libos/vmm/io.h"
#undef main
#include "libos/vmm/disk.h"
#include "test.h"

unsigned test_failures;
uint64_t test_seed = 1, test_random;

/* ---- what the back end needs of the monitor ------------------------------------------------- */

struct vm vm;
#define FRAMES	64u
#define REFS	512u
#define MFN	100u			/* of the first */
static uint8_t memory[FRAMES][EXO_PAGE_SIZE] __attribute__((aligned(4096)));
static struct { uint32_t mfn; bool valid, readonly; unsigned used; } grants[REFS];
static unsigned raised, kicks, shares, attached;
static char values[64][2][96];
static unsigned value_count;

void evtchn_raise(unsigned port) { raised += port == 9; }
int evtchn_attach(unsigned port, void (*notify)(void *arg), void *arg)
{
	(void)notify;
	(void)arg;
	attached++;
	return port == 9 ? 0 : -XEN_EINVAL;
}
void io_kick(uint64_t bits) { kicks += bits != 0; }
uint64_t grant_get(uint32_t ref, bool write)
{
	if (ref >= REFS || !grants[ref].valid || (write && grants[ref].readonly))
		return 0;
	grants[ref].used++;
	return grants[ref].mfn;
}
void grant_put(uint32_t ref) { grants[ref].used--; }
void *ram_share(uint64_t mfn) { return shares++, memory[mfn - MFN]; }
void ram_unshare(void *page) { shares -= page != NULL; }
static uint8_t *frame_byte(uint64_t phys, size_t n)
{
	if (phys / EXO_PAGE_SIZE - MFN >= FRAMES || phys % EXO_PAGE_SIZE + n > EXO_PAGE_SIZE)
		abort();
	return (uint8_t *)memory + phys - MFN * EXO_PAGE_SIZE;
}
bool io_to_guest(uint64_t phys, const void *from, size_t n)
{
	return memcpy(frame_byte(phys, n), from, n);
}
void io_from_guest(void *to, uint64_t phys, size_t n) { memcpy(to, frame_byte(phys, n), n); }
static char *value(const char *path, bool make)
{
	for (unsigned i = 0; i < value_count; i++)
		if (!strcmp(values[i][0], path))
			return values[i][1];
	if (!make || value_count == 64)
		return NULL;
	strcpy(values[value_count][0], path);
	return values[value_count++][1];
}
int store_set(const char *path, const char *text)
{
	text_copy(value(path, true), text, 96);
	return 0;
}
int store_set_number(const char *path, uint64_t n)
{
	sprintf(value(path, true), "%lu", n);
	return 0;
}
int store_get(const char *path, char *to, size_t size)
{
	char *v = value(path, false);
	return v ? (int)text_copy(to, v, size) : -XEN_ENOENT;
}
int store_get_number(const char *path, uint64_t *n)
{
	char *v = value(path, false);
	return !v ? -XEN_ENOENT : text_number(v, n) ? 0 : -XEN_EINVAL;
}
void *vdisk_page(void) { return calloc(1, VDISK_BLOCK); }
void vdisk_page_free(void *page) { free(page); }

/* ---- the disk: checks what it is asked for ------------------------------------------------------ */

#define SIZE	(1024u * 1024)
static uint8_t content[SIZE];
static unsigned disk_calls, bad_calls;
static int fails;

static int move(struct vdisk *d, uint64_t offset, size_t n, struct vdisk_io *io, bool write)
{
	disk_calls++;
	if (!n || offset % 512 || n % 512 || offset > d->size || n > d->size - offset ||
	    (write && d->read_only)) {
		bad_calls++;
		return -XEN_EIO;
	}
	for (size_t at = 0, part; at < n && !fails; at += part) {
		part = 1 + any() % 9000;
		part = part < n - at ? part : n - at;
		if (write)
			vdisk_get(io, at, content + offset + at, part);
		else
			vdisk_put(io, at, content + offset + at, part);
	}
	return fails;
}
static int disk_read(struct vdisk *d, uint64_t o, size_t n, struct vdisk_io *io) { return move(d, o, n, io, false); }
static int disk_write(struct vdisk *d, uint64_t o, size_t n, struct vdisk_io *io) { return move(d, o, n, io, true); }
static int disk_flush(struct vdisk *d) { (void)d; return fails; }
static const struct vdisk_ops ops = { disk_read, disk_write, disk_flush, NULL };
static struct vdisk disk = { &ops, SIZE, false };
struct vdisk *vdisk_open(const char *spec) { (void)spec; return &disk; }

/* ---- the front end --------------------------------------------------------------------------------- */

#define FRONT	STORE_HOME "/device/vbd/51712/"
#define BACK	STORE_BACK "/51712/"
static struct xen_blk_ring *const ring = (struct xen_blk_ring *)memory[0];
static uint32_t answered;

static unsigned back_state(void) { return atoi(value(BACK "state", true)); }

static void front_state(unsigned state)
{
	store_set_number(FRONT "state", state);
	blk_store_changed(FRONT "state");
}

static bool connect(void)
{
	memset(ring, 0, sizeof *ring);
	ring->ring.request_event = ring->ring.reply_event = 1;
	answered = 0;
	for (unsigned i = 0; i < REFS; i++) {
		grants[i].mfn = MFN + i % FRAMES;
		grants[i].valid = true;
		grants[i].readonly = false;
		grants[i].used = 0;
	}
	store_set(FRONT "ring-ref", "0");
	store_set(FRONT "event-channel", "9");
	front_state(XEN_BUS_INITIALISED);
	return back_state() == XEN_BUS_CONNECTED;
}

static void disconnect(void)
{
	front_state(XEN_BUS_CLOSING);
	front_state(XEN_BUS_CLOSED);
	front_state(XEN_BUS_INITIALISING);
}

static struct xen_blk_request *ask(unsigned op, uint64_t sector, unsigned segments)
{
	struct xen_blk_request *q = &ring->entry[ring->ring.request_prod % XEN_BLK_ENTRIES].request;
	*q = (struct xen_blk_request){ .op = op, .segments = segments, .sector = sector,
		.id = ring->ring.request_prod };
	for (unsigned i = 0; i < segments && i < XEN_BLK_SEGMENTS; i++)
		q->segment[i] = (struct xen_blk_segment){ .ref = 1 + i, .last = 7 };
	ring->ring.request_prod++;
	return q;
}

/* The status of the next reply; 1: there is none. */
static int next_status(void)
{
	if (answered == ring->ring.reply_prod)
		return 1;
	return ring->entry[answered++ % XEN_BLK_ENTRIES].reply.status;
}

static int carry_out(void)
{
	blk_serve(0);
	return next_status();
}

static void states(void)
{
	CHECK(back_state() == XEN_BUS_INIT_WAIT && !strcmp(value(BACK "sectors", true), "2048"));
	CHECK(connect() && shares == 1 && grants[0].used == 1 && kicks);
	front_state(XEN_BUS_CONNECTED);
	CHECK(back_state() == XEN_BUS_CONNECTED && shares == 1);
	front_state(XEN_BUS_CLOSING);
	CHECK(back_state() == XEN_BUS_CLOSING);
	front_state(XEN_BUS_CLOSED);
	CHECK(back_state() == XEN_BUS_CLOSED && !shares && !grants[0].used);
	front_state(XEN_BUS_INITIALISING);
	CHECK(back_state() == XEN_BUS_INIT_WAIT && connect());
	disconnect();
	store_set(FRONT "event-channel", "10");
	front_state(XEN_BUS_INITIALISED);
	CHECK(back_state() == XEN_BUS_CLOSED && !shares && !grants[0].used);
	front_state(XEN_BUS_INITIALISING);
	store_set(FRONT "ring-ref", "99999");
	front_state(XEN_BUS_INITIALISED);
	CHECK(back_state() == XEN_BUS_CLOSED && !shares && value(BACK "error", false));
	front_state(XEN_BUS_INITIALISING);
	store_set(FRONT "ring-ref", "words");
	front_state(XEN_BUS_INITIALISED);
	CHECK(back_state() == XEN_BUS_CLOSED && !shares);
	front_state(XEN_BUS_INITIALISING);
	PASS();
}

static void data(void)
{
	CHECK(connect());
	for (unsigned i = 0; i < SIZE; i++)
		content[i] = any();
	for (unsigned i = 1; i <= 11; i++)
		memset(memory[i], 0, EXO_PAGE_SIZE);
	ask(XEN_BLK_READ, 16, 11);
	CHECK(carry_out() == XEN_BLK_OKAY && !memcmp(memory[1], content + 8192, 11 * 4096));
	struct xen_blk_request *q = ask(XEN_BLK_WRITE, 100, 2);
	q->segment[0].first = 3;
	q->segment[1].last = 0;
	CHECK(carry_out() == XEN_BLK_OKAY && !memcmp(content + 51200, memory[1] + 1536, 2560) &&
		!memcmp(content + 53760, memory[2], 512));
	unsigned calls = disk_calls;
	for (unsigned i = 0; i < 4; i++)	/* in a row: one request to the disk */
		ask(XEN_BLK_READ, 8 * i, 1)->segment[0].ref = 20 + i;
	CHECK(carry_out() == XEN_BLK_OKAY && disk_calls == calls + 1);
	for (unsigned i = 0; i < 3; i++)
		CHECK(next_status() == XEN_BLK_OKAY);
	CHECK(next_status() == 1 && !memcmp(memory[20], content, 4 * 4096));
	ask(XEN_BLK_READ, 0, 1);		/* a hole, another direction: requests of their own */
	ask(XEN_BLK_READ, 16, 1);
	ask(XEN_BLK_WRITE, 24, 1);
	ask(XEN_BLK_FLUSH, 0, 0);
	calls = disk_calls;
	CHECK(carry_out() == 0 && next_status() == 0 && next_status() == 0 && next_status() == 0);
	CHECK(disk_calls == calls + 3);
	fails = -XEN_EIO;
	ask(XEN_BLK_READ, 0, 1);
	ask(XEN_BLK_FLUSH, 0, 0);
	CHECK(carry_out() == XEN_BLK_ERROR && next_status() == XEN_BLK_ERROR);
	fails = 0;
	for (unsigned i = 1; i < REFS; i++)
		CHECK(!grants[i].used);
	disconnect();
	PASS();
}

static void refused(void)
{
	CHECK(connect());
	unsigned calls = disk_calls;
	ask(XEN_BLK_READ, 0, 0);
	CHECK(carry_out() == XEN_BLK_ERROR);
	ask(XEN_BLK_READ, 0, 12);
	CHECK(carry_out() == XEN_BLK_ERROR);
	ask(XEN_BLK_READ, 2048, 1);
	CHECK(carry_out() == XEN_BLK_ERROR);
	ask(XEN_BLK_READ, 2041, 1);
	CHECK(carry_out() == XEN_BLK_ERROR);
	ask(XEN_BLK_READ, ~0ul / 512, 1);
	CHECK(carry_out() == XEN_BLK_ERROR);
	ask(XEN_BLK_READ, 1ul << 55, 1);
	CHECK(carry_out() == XEN_BLK_ERROR);
	ask(XEN_BLK_READ, 0, 1)->segment[0].last = 8;
	CHECK(carry_out() == XEN_BLK_ERROR);
	ask(XEN_BLK_READ, 0, 1)->segment[0].first = 8;
	CHECK(carry_out() == XEN_BLK_ERROR);
	ask(XEN_BLK_READ, 0, 2)->segment[1].ref = REFS;
	CHECK(carry_out() == XEN_BLK_ERROR);
	grants[1].readonly = true;
	ask(XEN_BLK_READ, 0, 1);
	CHECK(carry_out() == XEN_BLK_ERROR && disk_calls == calls);
	ask(XEN_BLK_WRITE, 0, 1);
	CHECK(carry_out() == XEN_BLK_OKAY);
	disk.read_only = true;
	ask(XEN_BLK_WRITE, 0, 1);
	CHECK(carry_out() == XEN_BLK_ERROR);
	disk.read_only = false;
	ask(XEN_BLK_DISCARD, 0, 0);
	CHECK(carry_out() == XEN_BLK_UNSUPPORTED);
	ask(XEN_BLK_INDIRECT, 0, 0);
	CHECK(carry_out() == XEN_BLK_UNSUPPORTED);
	ask(77, 0, 0);
	CHECK(carry_out() == XEN_BLK_UNSUPPORTED);
	for (unsigned i = 1; i < REFS; i++)
		CHECK(!grants[i].used);
	ring->ring.request_prod += 33;
	blk_serve(0);
	CHECK(back_state() == XEN_BUS_CLOSED && !shares && !bad_calls);
	disconnect();
	PASS();
}

/* Whoever doesn't want to be told isn't. */
static void notices(void)
{
	CHECK(connect());
	raised = 0;
	ask(XEN_BLK_READ, 0, 1);
	CHECK(carry_out() == 0 && raised == 1);
	ask(XEN_BLK_READ, 0, 1);
	CHECK(carry_out() == 0 && raised == 1);
	ring->ring.reply_event = answered + 2;
	ask(XEN_BLK_READ, 0, 1);
	CHECK(carry_out() == 0 && raised == 1);
	ask(XEN_BLK_READ, 0, 1);
	CHECK(carry_out() == 0 && raised == 2 && ring->ring.request_event == answered + 1);
	disconnect();
	PASS();
}

static void hostile(unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		if (back_state() != XEN_BUS_CONNECTED) {
			disconnect();
			CHECK(connect());
		}
		for (unsigned n = any() % 40; n; n--) {
			struct xen_blk_request *q = ask(any() % 8, any() % 2100, any() % 13);
			for (unsigned k = any() % 8; k; k--)
				((uint8_t *)q)[any() % sizeof *q] = any() % 3 ? any() % 16 : any();
		}
		if (any() % 8 == 0)
			((uint8_t *)ring)[any() % 16] = any();
		if (any() % 16 == 0)
			grants[any() % REFS].valid = any() % 2;
		if (any() % 32 == 0)
			front_state(any() % 9);
		blk_serve(0);
		CHECK(!bad_calls && shares <= 1);
		for (unsigned k = 1; k < REFS; k++)
			CHECK(!grants[k].used);
	}
	PASS();
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? atoi(argv[1]) : 3000;
	test_seed = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
	test_random = test_seed;
	vm.opt.disks = 1;
	vm.opt.disk[0] = "test";
	blk_init();
	states();
	data();
	refused();
	notices();
	hostile(rounds);
	return test_failures != 0;
}
