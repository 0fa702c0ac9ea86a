/* virtio network cards on PCI (Virtual I/O Device 1.1, 2.6 split virtqueues, 4.1 PCI, 5.1 network),
 * by the modern interface alone, without offloads.
 *
 * A queue each way.  Before each frame lies a header of twelve bytes, all zero.  Buffers for what is
 * received are the driver's; what is sent is a chain: header and the frame's first bytes, which
 * are the driver's, and the rest, which is somebody's.
 */
#include "drivers/block.h"
#include "drivers/net.h"
#include "drivers/pci.h"

#define VENDOR		0x1af4
#define TRANSITIONAL	0x1000		/* device numbers */
#define MODERN		0x1041
enum { COMMON = 1, NOTIFY, ISR, DEVICE };	/* structures that capabilities point to */

/* Common configuration: byte offsets. */
enum { FEATURE_SELECT = 0, FEATURES = 4, GUEST_SELECT = 8, GUEST_FEATURES = 12, MSIX_CONFIG = 16,
	STATUS = 20, QUEUE_SELECT = 22, QUEUE_SIZE = 24, QUEUE_MSIX = 26, QUEUE_ENABLE = 28,
	QUEUE_NOTIFY = 30, QUEUE_DESC = 32, QUEUE_AVAIL = 40, QUEUE_USED = 48, COMMON_SIZE = 56 };
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64 };
/* Device configuration. */
enum { MAC = 0, LINK = 6, CONFIG_SIZE = 8 };
#define F_MAC		(1ul << 5)
#define F_STATUS	(1ul << 16)
#define F_VERSION_1	(1ul << 32)
#define F_WANTED	(F_MAC | F_STATUS | F_VERSION_1)

#define SIZE		256u		/* of a queue, if the device has as much */
#define FRAMES		(NET_QUEUE - 1)
#define HEADER		12u		/* before each frame */
#define D_NEXT		1u
#define D_WRITE		2u		/* the device writes */
#define QUIET		1u		/* flags of `available` and `used`: the other side need not be told */
#define BUFFER		(NET_BUFFER + 64)	/* with the header before it */

struct descriptor { uint64_t addr; uint32_t len; uint16_t flags, next; };
struct available { volatile uint16_t flags, index, ring[SIZE]; };
struct used_element { uint32_t id, len; };
struct used { volatile uint16_t flags, index; volatile struct used_element ring[SIZE]; };

struct queue {
	struct descriptor desc[SIZE];
	struct available avail __attribute__((aligned(4096)));
	struct used used __attribute__((aligned(4096)));
} __attribute__((aligned(4096)));

/* In one piece of memory. */
struct memory {
	struct queue queue[2];		/* receive, transmit */
	uint8_t header[NET_QUEUE][HEADER + 4 + NET_HEADER] __attribute__((aligned(4096)));
	uint8_t buffer[SIZE][BUFFER] __attribute__((aligned(4096)));
};

struct virtio_net {
	struct net_device net;
	struct pci_function pci;
	volatile uint8_t *common, *config, *isr, *notify_base;
	uint32_t notify_scale, notify_length;
	volatile uint16_t *notify[2];
	struct memory *mem;
	uint64_t phys;
	uint16_t size[2], used[2];	/* of a queue; elements of `used` that were seen */
	unsigned frames, next;		/* being sent; where the next one's header goes */
	bool sent[NET_QUEUE];		/* of those: the card is done, with an older one not yet */
	bool has_link;
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

/* What was made available to a queue is told of, unless the device looks in any case. */
static void notify(struct virtio_net *v, unsigned n)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!(v->mem->queue[n].used.flags & QUIET))
		*v->notify[n] = n;
}

/* ---- up ----------------------------------------------------------------------- */

static bool features_agree(struct virtio_net *v, uint64_t *features)
{
	put32(v->common + FEATURE_SELECT, 1);
	*features = (uint64_t)get32(v->common + FEATURES) << 32;
	put32(v->common + FEATURE_SELECT, 0);
	*features = (*features | get32(v->common + FEATURES)) & F_WANTED;
	put32(v->common + GUEST_SELECT, 0);
	put32(v->common + GUEST_FEATURES, *features);
	put32(v->common + GUEST_SELECT, 1);
	put32(v->common + GUEST_FEATURES, *features >> 32);
	put8(v->common + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
	return *features & F_VERSION_1 && *features & F_MAC && get8(v->common + STATUS) & FEATURES_OK;
}

static bool queue_set(struct virtio_net *v, unsigned n)
{
	uint64_t at = v->phys + offsetof(struct memory, queue) + n * sizeof(struct queue);
	put16(v->common + QUEUE_SELECT, n);
	unsigned size = get16(v->common + QUEUE_SIZE);
	if (size > SIZE)
		size = SIZE;
	uint64_t notify = get16(v->common + QUEUE_NOTIFY) * (uint64_t)v->notify_scale;
	if (size < 2 || size & (size - 1) || notify + 2 > v->notify_length)
		return false;
	v->size[n] = size;
	v->used[n] = 0;
	put16(v->common + QUEUE_SIZE, size);
	put16(v->common + QUEUE_MSIX, v->net.interrupts ? 0 : 0xffff);
	put64(v->common + QUEUE_DESC, at);
	put64(v->common + QUEUE_AVAIL, at + offsetof(struct queue, avail));
	put64(v->common + QUEUE_USED, at + offsetof(struct queue, used));
	v->notify[n] = (volatile uint16_t *)(v->notify_base + notify);
	put16(v->common + QUEUE_ENABLE, 1);
	return true;
}

/* Buffer i, which is descriptor i's, may be filled (again). */
static void buffer_give(struct virtio_net *v, unsigned i)
{
	struct queue *q = &v->mem->queue[0];
	q->avail.ring[q->avail.index % v->size[0]] = i;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	q->avail.index++;
}

static void buffers_give(struct virtio_net *v)
{
	for (unsigned i = 0; i < v->size[0]; i++) {
		v->mem->queue[0].desc[i] = (struct descriptor){ v->phys + offsetof(struct memory, buffer) +
			i * BUFFER, BUFFER, D_WRITE, 0 };
		buffer_give(v, i);
	}
	notify(v, 0);
}

static bool link_get(const struct virtio_net *v) { return !v->has_link || get16(v->config + LINK) & 1; }

static enum net_state bring_up(struct virtio_net *v)
{
	uint64_t features;
	put8(v->common + STATUS, ACKNOWLEDGE | DRIVER);
	if (!features_agree(v, &features))
		return NET_FAILED;
	__builtin_memset(v->mem, 0, offsetof(struct memory, buffer));
	put16(v->common + MSIX_CONFIG, v->net.interrupts ? 0 : 0xffff);	/* the link */
	if (!queue_set(v, 0) || !queue_set(v, 1))
		return NET_FAILED;
	for (unsigned i = 0; i < 6; i++)
		v->net.mac[i] = get8(v->config + MAC + i);
	v->mem->queue[1].avail.flags = QUIET;	/* who sends looks */
	v->has_link = features & F_STATUS;
	v->frames = v->next = 0;
	__builtin_memset(v->sent, 0, sizeof v->sent);
	put8(v->common + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
	if (get8(v->common + STATUS) & NEEDS_RESET)
		return NET_FAILED;
	buffers_give(v);
	v->net.link = link_get(v);
	return NET_READY;
}

static enum net_state step(struct net_device *dev, bool first)
{
	struct virtio_net *v = (struct virtio_net *)dev;
	if (first)
		put8(v->common + STATUS, 0);
	uint8_t status = get8(v->common + STATUS);
	return status == 0xff ? NET_FAILED : status ? NET_BUSY : bring_up(v);
}

/* ---- frames ---------------------------------------------------------------------- */

/* Each frame that is sent has two descriptors of its own. */
static unsigned frames_max(const struct virtio_net *v)
{
	unsigned n = v->size[1] / 2u;
	return n < FRAMES ? n : FRAMES;
}

static void *header(struct net_device *dev)
{
	struct virtio_net *v = (struct virtio_net *)dev;
	return v->frames < frames_max(v) ? v->mem->header[v->next] + HEADER : NULL;
}

static void send(struct net_device *dev, unsigned n, uint64_t phys, unsigned rest)
{
	struct virtio_net *v = (struct virtio_net *)dev;
	struct queue *q = &v->mem->queue[1];
	unsigned at = v->next * 2;
	uint8_t *frame = v->mem->header[v->next];
	while (n < 60 && !rest)		/* the card fills nothing up */
		frame[HEADER + n++] = 0;
	q->desc[at] = (struct descriptor){ v->phys + (uint64_t)(frame - (uint8_t *)v->mem), HEADER + n,
		rest ? D_NEXT : 0, at + 1 };
	q->desc[at + 1] = (struct descriptor){ phys, rest, 0, 0 };
	q->avail.ring[q->avail.index % v->size[1]] = at;
	v->next = (v->next + 1) % frames_max(v);
	v->frames++;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	q->avail.index++;
}

static bool received_look(struct virtio_net *v)
{
	struct queue *q = &v->mem->queue[0];
	unsigned n = 0;
	for (; n < NET_QUEUE && v->used[0] != q->used.index; n++, v->used[0]++) {
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		uint32_t id = q->used.ring[v->used[0] % v->size[0]].id;
		uint32_t length = q->used.ring[v->used[0] % v->size[0]].len;
		if (id >= v->size[0])
			continue;	/* a card that errs loses a buffer */
		if (length > HEADER && length <= HEADER + NET_BUFFER)
			net_received(&v->net, v->mem->buffer[id] + HEADER, length - HEADER);
		buffer_give(v, id);
	}
	if (n)
		notify(v, 0);
	return n == NET_QUEUE;
}

static void sent_look(struct virtio_net *v)
{
	struct queue *q = &v->mem->queue[1];
	unsigned max = frames_max(v);
	for (unsigned n = 0; n < NET_QUEUE && v->used[1] != q->used.index; n++, v->used[1]++) {
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		uint32_t id = q->used.ring[v->used[1] % v->size[1]].id;
		if (id / 2 < max)
			v->sent[id / 2] = true;
	}
	while (v->frames && v->sent[(v->next + max - v->frames) % max]) {
		v->sent[(v->next + max - v->frames) % max] = false;
		v->frames--;
		net_sent(&v->net);
	}
}

static void kick(struct net_device *dev)
{
	struct virtio_net *v = (struct virtio_net *)dev;
	notify(v, 1);
	sent_look(v);
}

static bool poll(struct net_device *dev)
{
	struct virtio_net *v = (struct virtio_net *)dev;
	if (!dev->interrupts)
		get8(v->isr);			/* quiet, line */
	bool more = received_look(v);
	sent_look(v);
	dev->link = link_get(v);
	return more;
}

static void off(struct net_device *dev)
{
	struct virtio_net *v = (struct virtio_net *)dev;
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

bool virtio_net_probe(const struct pci_function *f)
{
	static const struct net_driver driver = { "virtio-net", step, header, send, kick, poll, off };
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
	struct virtio_net *v = block_memory(sizeof *v, 0, &unused);
	v->net.driver = &driver;
	__builtin_memcpy(v->net.model, "virtio-net", sizeof "virtio-net");
	v->pci = *f;
	v->common = common;
	v->config = config;
	v->isr = isr;
	v->notify_base = base;
	v->notify_scale = pci_read(f, notify + 16);
	v->notify_length = pci_read(f, notify + 12);
	v->mem = block_memory(sizeof *v->mem, 4096, &v->phys);
	pci_master(f, true);
	v->net.interrupts = pci_interrupt(f, net_interrupt, &v->net);
	v->net.sends_quietly = true;
	net_found(&v->net);
	return true;
}
