/* virtio block devices on PCI (Virtual I/O Device 1.1, 2.6 split virtqueues, 4.1 PCI, 5.2 block),
 * by the modern interface alone.
 *
 * One queue.  Each tag owns a fixed chain of its descriptors: the request's header, up to sixteen
 * frames, the status byte.
 */
#include "drivers/block.h"
#include "drivers/pci.h"

#define VENDOR		0x1af4
#define TRANSITIONAL	0x1001		/* device numbers */
#define MODERN		0x1042
enum { COMMON = 1, NOTIFY, ISR, DEVICE };	/* structures that capabilities point to */

/* Common configuration: byte offsets. */
enum { FEATURE_SELECT = 0, FEATURES = 4, GUEST_SELECT = 8, GUEST_FEATURES = 12, MSIX_CONFIG = 16,
	STATUS = 20, QUEUE_SELECT = 22, QUEUE_SIZE = 24, QUEUE_MSIX = 26, QUEUE_ENABLE = 28,
	QUEUE_NOTIFY = 30, QUEUE_DESC = 32, QUEUE_AVAIL = 40, QUEUE_USED = 48, COMMON_SIZE = 56 };
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64 };
/* Device configuration. */
enum { CAPACITY = 0, SEG_MAX = 12, BLOCK_SIZE = 20, CONFIG_SIZE = 24 };
#define F_SEG_MAX	(1ul << 2)
#define F_RO		(1ul << 5)
#define F_BLK_SIZE	(1ul << 6)
#define F_FLUSH		(1ul << 9)
#define F_VERSION_1	(1ul << 32)
#define F_WANTED	(F_SEG_MAX | F_RO | F_BLK_SIZE | F_FLUSH | F_VERSION_1)

#define QUEUE_MAX	256u
#define CHAIN		(BLOCK_FRAMES + 2)
#define D_NEXT		1u
#define D_WRITE		2u		/* the device writes */
enum { IN = 0, OUT = 1, FLUSH = 4 };	/* kinds of request */

struct descriptor { uint64_t addr; uint32_t len; uint16_t flags, next; };
struct available { volatile uint16_t flags, index, ring[QUEUE_MAX]; };
struct used_element { uint32_t id, len; };
struct used { volatile uint16_t flags, index; volatile struct used_element ring[QUEUE_MAX]; };

/* In one piece of memory, by page. */
struct queue {
	struct descriptor desc[QUEUE_MAX];
	struct available avail __attribute__((aligned(4096)));
	struct used used __attribute__((aligned(4096)));
	struct { uint32_t kind, pad; uint64_t sector; } head[BLOCK_TAGS] __attribute__((aligned(4096)));
	volatile uint8_t status[BLOCK_TAGS];
};

struct virtio_blk {
	struct block_device block;
	struct pci_function pci;
	volatile uint8_t *common, *config, *isr;
	volatile uint16_t *notify;
	uint32_t notify_scale, notify_size;
	volatile uint8_t *notify_base;
	struct queue *queue;
	uint64_t phys;
	uint16_t size, used;		/* of the queue; elements of `used` that were seen */
	bool msix;
};

static uint8_t get8(volatile uint8_t *p) { return *p; }
static uint16_t get16(volatile uint8_t *p) { return *(volatile uint16_t *)p; }
static uint32_t get32(volatile uint8_t *p) { return *(volatile uint32_t *)p; }
static void put8(volatile uint8_t *p, uint8_t v) { *p = v; }
static void put16(volatile uint8_t *p, uint16_t v) { *(volatile uint16_t *)p = v; }
static void put32(volatile uint8_t *p, uint32_t v) { *(volatile uint32_t *)p = v; }
static void put64(volatile uint8_t *p, uint64_t v)
{
	put32(p, v);
	put32(p + 4, v >> 32);
}

/* ---- up ----------------------------------------------------------------------- */

static uint64_t features_get(struct virtio_blk *v)
{
	put32(v->common + FEATURE_SELECT, 1);
	uint64_t high = get32(v->common + FEATURES);
	put32(v->common + FEATURE_SELECT, 0);
	return high << 32 | get32(v->common + FEATURES);
}

static void features_set(struct virtio_blk *v, uint64_t features)
{
	put32(v->common + GUEST_SELECT, 0);
	put32(v->common + GUEST_FEATURES, features);
	put32(v->common + GUEST_SELECT, 1);
	put32(v->common + GUEST_FEATURES, features >> 32);
}

static bool queue_set(struct virtio_blk *v)
{
	put16(v->common + QUEUE_SELECT, 0);
	v->size = get16(v->common + QUEUE_SIZE);
	if (v->size > QUEUE_MAX)
		v->size = QUEUE_MAX;
	if (v->size < CHAIN || v->size & (v->size - 1))
		return false;
	put16(v->common + QUEUE_SIZE, v->size);
	put16(v->common + MSIX_CONFIG, 0xffff);
	put16(v->common + QUEUE_MSIX, v->msix ? 0 : 0xffff);
	put64(v->common + QUEUE_DESC, v->phys);
	put64(v->common + QUEUE_AVAIL, v->phys + offsetof(struct queue, avail));
	put64(v->common + QUEUE_USED, v->phys + offsetof(struct queue, used));
	uint64_t notify = (uint64_t)get16(v->common + QUEUE_NOTIFY) * v->notify_scale;
	if (notify & 1 || notify + 2 > v->notify_size)
		return false;
	v->notify = (volatile uint16_t *)(v->notify_base + notify);
	put16(v->common + QUEUE_ENABLE, 1);
	return true;
}

/* The configuration space's fields are as wide as they are read. */
static void describe(struct virtio_blk *v, uint64_t features)
{
	struct block_device *b = &v->block;
	b->sectors = get32(v->config + CAPACITY) | (uint64_t)get32(v->config + CAPACITY + 4) << 32;
	b->sector_size = features & F_BLK_SIZE ? get32(v->config + BLOCK_SIZE) : 512;
	b->read_only = features & F_RO;
	b->cache = features & F_FLUSH;
	b->depth = v->size / CHAIN < BLOCK_TAGS ? v->size / CHAIN : BLOCK_TAGS;
}

static enum block_state bring_up(struct virtio_blk *v)
{
	put8(v->common + STATUS, ACKNOWLEDGE | DRIVER);
	uint64_t features = features_get(v) & F_WANTED;
	if (!(features & F_VERSION_1))
		return BLOCK_FAILED;
	features_set(v, features);
	put8(v->common + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
	if (!(get8(v->common + STATUS) & FEATURES_OK) || !queue_set(v))
		return BLOCK_FAILED;
	if (features & F_SEG_MAX && get32(v->config + SEG_MAX) < BLOCK_FRAMES)
		return BLOCK_FAILED;
	describe(v, features);
	__builtin_memset(v->queue, 0, sizeof *v->queue);
	v->used = 0;
	put8(v->common + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
	return get8(v->common + STATUS) & NEEDS_RESET ? BLOCK_FAILED : BLOCK_READY;
}

static enum block_state step(struct block_device *dev, bool first)
{
	struct virtio_blk *v = (struct virtio_blk *)dev;
	if (first)
		put8(v->common + STATUS, 0);
	uint8_t status = get8(v->common + STATUS);
	return status == 0xff ? BLOCK_FAILED : status ? BLOCK_BUSY : bring_up(v);
}

/* ---- requests -------------------------------------------------------------------- */

/* The data's descriptors; the number of the next one. */
static unsigned data_put(struct virtio_blk *v, unsigned at, const struct block_io *io)
{
	uint32_t left = io->sectors * BLOCK_SECTOR, offset = io->offset;
	for (unsigned i = 0; i < io->frames; i++, at++) {
		uint32_t n = 4096 - offset < left ? 4096 - offset : left;
		v->queue->desc[at] = (struct descriptor){ ((uint64_t)io->frame[i] << 12) + offset, n,
			D_NEXT | (io->op == BLOCK_READ ? D_WRITE : 0), at + 1 };
		left -= n;
		offset = 0;
	}
	return at;
}

static void start(struct block_device *dev, unsigned tag, const struct block_io *io)
{
	static const uint32_t kinds[] = { [BLOCK_READ] = IN, [BLOCK_WRITE] = OUT, [BLOCK_FLUSH] = FLUSH };
	struct virtio_blk *v = (struct virtio_blk *)dev;
	struct queue *q = v->queue;
	unsigned at = tag * CHAIN;
	q->head[tag].kind = kinds[io->op];
	q->head[tag].sector = io->lba;
	q->status[tag] = 0xff;
	q->desc[at] = (struct descriptor){ v->phys + offsetof(struct queue, head) +
		tag * sizeof q->head[0], sizeof q->head[0], D_NEXT, at + 1 };
	at = data_put(v, at + 1, io);
	q->desc[at] = (struct descriptor){ v->phys + offsetof(struct queue, status) + tag, 1, D_WRITE, 0 };
	q->avail.ring[q->avail.index % v->size] = tag * CHAIN;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	q->avail.index++;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	*v->notify = 0;
}

static void poll(struct block_device *dev)
{
	struct virtio_blk *v = (struct virtio_blk *)dev;
	struct queue *q = v->queue;
	if (!v->msix)
		get8(v->isr);			/* quiet, line */
	for (unsigned i = 0; i < BLOCK_TAGS && v->used != q->used.index; i++, v->used++) {
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		unsigned tag = q->used.ring[v->used % v->size].id / CHAIN;
		if (tag < dev->depth)
			block_done(dev, tag, q->status[tag] == 0);
	}
}

static void off(struct block_device *dev)
{
	struct virtio_blk *v = (struct virtio_blk *)dev;
	pci_master(&v->pci, false);
}

/* ---- finding it --------------------------------------------------------------------- */

/* The structure that a vendor capability of that kind points to; *at: the capability. */
static volatile uint8_t *structure(const struct pci_function *f, unsigned kind, uint32_t size,
	unsigned *at)
{
	for (*at = 0; (*at = pci_capability(f, PCI_CAP_VENDOR, *at));) {
		if (pci_read(f, *at) >> 24 != kind)
			continue;
		uint32_t length = pci_read(f, *at + 12);
		if (length < size)
			continue;
		return pci_bar(f, pci_read(f, *at + 4) & 0xff, pci_read(f, *at + 8), length);
	}
	return NULL;
}

bool virtio_blk_probe(const struct pci_function *f)
{
	static const struct block_driver driver = { "virtio-blk", step, start, poll, off };
	unsigned at, notify;
	uint64_t unused;
	if (f->vendor != VENDOR || (f->id != TRANSITIONAL && f->id != MODERN))
		return false;
	volatile uint8_t *common = structure(f, COMMON, COMMON_SIZE, &at);
	volatile uint8_t *base = structure(f, NOTIFY, 2, &notify);
	volatile uint8_t *isr = structure(f, ISR, 1, &at);
	volatile uint8_t *config = structure(f, DEVICE, CONFIG_SIZE, &at);
	if (!common || !base || !isr || !config)
		return false;
	struct virtio_blk *v = block_memory(sizeof *v, 0, &unused);
	v->block.driver = &driver;
	__builtin_memcpy(v->block.model, "virtio-blk", sizeof "virtio-blk");
	v->pci = *f;
	v->common = common;
	v->config = config;
	v->isr = isr;
	v->notify_base = base;
	v->notify_scale = pci_read(f, notify + 16);
	v->notify_size = pci_read(f, notify + 12);
	v->queue = block_memory(sizeof *v->queue, 4096, &v->phys);
	pci_master(f, true);
	v->block.interrupts = pci_interrupt(f, block_interrupt, &v->block);
	v->msix = v->block.interrupts;
	block_found(&v->block);
	return true;
}
