/* NVMe controllers (NVM Express 1.4): namespace 1, one pair of I/O queues beside the admin queues.
 *
 * A tag is a command identifier and owns a part of a page for its list of frames.  Bringing it up
 * is a chain of phases, each of which waits for a bit or for the completion of one command.
 */
#include "drivers/block.h"
#include "drivers/pci.h"

#define CLASS		0x010802u
#define BAR_SIZE	0x2000u		/* registers, and doorbells of four queues at stride 4 */
enum { CAP = 0, CAP_HIGH = 4, CC = 0x14, CSTS = 0x1c, AQA = 0x24, ASQ = 0x28,
	ACQ = 0x30, DOORBELLS = 0x1000 };
#define CC_ON		(6u << 16 | 4u << 20 | 1u)	/* entries of 64 and 16 bytes, enabled */
#define CSTS_READY	1u
#define CSTS_FATAL	2u

enum { ADMIN_CREATE_SQ = 1, ADMIN_CREATE_CQ = 5, ADMIN_IDENTIFY = 6, ADMIN_FEATURES = 9 };
enum { IO_FLUSH = 0, IO_WRITE = 1, IO_READ = 2 };
#define ENTRIES		64u		/* of each queue, at most */
#define FRAMES_SHIFT	4		/* a transfer may have 2^4 frames */
#define LIST		(BLOCK_FRAMES * 8)

struct command {
	uint8_t op, flags;
	uint16_t id;
	uint32_t nsid;
	uint64_t pad, meta, prp1, prp2;
	uint32_t dw10, dw11, dw12, dw13, dw14, dw15;
};
_Static_assert(sizeof(struct command) == 64, "submission entry");
struct completion { uint32_t result, pad; uint16_t head, queue, id, status; };
_Static_assert(sizeof(struct completion) == 16, "completion entry");

/* In one piece of memory, a page each. */
struct memory {
	struct command sq[2][ENTRIES];
	volatile struct completion cq[2][4096 / sizeof(struct completion)];
	uint8_t identity[4096];
	uint64_t list[BLOCK_TAGS][LIST / 8];
};

struct queue { uint16_t tail, head; uint8_t phase; };	/* of submission, of completion */
enum phase { OFF, ON, CONTROLLER, NAMESPACE, QUEUES, CREATE_CQ, CREATE_SQ, UP };

struct nvme {
	struct block_device block;
	struct pci_function pci;
	volatile uint8_t *regs;
	unsigned stride;		/* of doorbells, bytes */
	uint16_t entries;
	struct memory *m;
	uint64_t phys;
	struct queue queue[2];		/* admin, I/O */
	enum phase phase;
	uint8_t shift;			/* log2 of the sector size */
};

static uint32_t get(struct nvme *n, unsigned at) { return *(volatile uint32_t *)(n->regs + at); }
static void put(struct nvme *n, unsigned at, uint32_t v) { *(volatile uint32_t *)(n->regs + at) = v; }
static void put64(struct nvme *n, unsigned at, uint64_t v)
{
	put(n, at, v);
	put(n, at + 4, v >> 32);
}

/* ---- queues -------------------------------------------------------------------- */

static void submit(struct nvme *n, unsigned q, const struct command *c)
{
	struct queue *queue = &n->queue[q];
	n->m->sq[q][queue->tail] = *c;
	queue->tail = (queue->tail + 1) % n->entries;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	put(n, DOORBELLS + 2 * q * n->stride, queue->tail);
}

/* The next completion; false: there is none. */
static bool take(struct nvme *n, unsigned q, uint16_t *id, bool *ok)
{
	struct queue *queue = &n->queue[q];
	volatile struct completion *c = &n->m->cq[q][queue->head];
	uint16_t status = c->status;
	if ((status & 1) != queue->phase)
		return false;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	*id = c->id;
	*ok = !(status >> 1);
	if (++queue->head == n->entries) {
		queue->head = 0;
		queue->phase ^= 1;
	}
	put(n, DOORBELLS + (2 * q + 1) * n->stride, queue->head);
	return true;
}

/* ---- up --------------------------------------------------------------------------- */

static uint64_t at(const struct nvme *n, const volatile void *p)
{
	return n->phys + ((uintptr_t)p - (uintptr_t)n->m);
}

static void enable(struct nvme *n)
{
	__builtin_memset(n->m, 0, sizeof *n->m);
	for (unsigned q = 0; q < 2; q++)
		n->queue[q] = (struct queue){ .phase = 1 };
	put(n, AQA, (uint32_t)(n->entries - 1) << 16 | (n->entries - 1));
	put64(n, ASQ, at(n, n->m->sq[0]));
	put64(n, ACQ, at(n, n->m->cq[0]));
	put(n, CC, CC_ON);
}

/* The command of a phase that has one. */
static void ask(struct nvme *n)
{
	uint32_t size = (uint32_t)(n->entries - 1) << 16 | 1;
	struct command c = { .op = ADMIN_IDENTIFY, .prp1 = at(n, n->m->identity) };
	switch (n->phase) {
	case CONTROLLER:
		c.dw10 = 1;
		break;
	case NAMESPACE:
		c.nsid = 1;
		break;
	case QUEUES:
		c = (struct command){ .op = ADMIN_FEATURES, .dw10 = 7 };	/* one pair */
		break;
	case CREATE_CQ:
		c = (struct command){ .op = ADMIN_CREATE_CQ, .prp1 = at(n, n->m->cq[1]), .dw10 = size,
			.dw11 = 3 };		/* vector 0, interrupts on, in one piece */
		break;
	default:
		c = (struct command){ .op = ADMIN_CREATE_SQ, .prp1 = at(n, n->m->sq[1]), .dw10 = size,
			.dw11 = 1u << 16 | 1 };
	}
	submit(n, 0, &c);
}

/* What the controller says of itself; false: it cannot do what is needed. */
static bool controller_read(struct nvme *n)
{
	const uint8_t *id = n->m->identity;
	block_text(n->block.model, sizeof n->block.model, id + 24, 40, false);
	n->block.cache = id[525] & 1;
	return !id[77] || id[77] >= FRAMES_SHIFT;
}

static bool namespace_read(struct nvme *n)
{
	const uint8_t *id = n->m->identity;
	uint64_t size;
	uint32_t format;
	__builtin_memcpy(&size, id, sizeof size);
	__builtin_memcpy(&format, id + 128 + 4 * (id[26] & 15), sizeof format);
	n->shift = format >> 16 & 0xff;
	if (format & 0xffff || n->shift < 9 || n->shift > 12)	/* metadata */
		return false;
	n->block.sectors = size << (n->shift - 9);
	n->block.sector_size = 1u << n->shift;
	n->block.read_only = id[99] & 1;
	n->block.depth = n->entries <= BLOCK_TAGS ? n->entries - 1u : BLOCK_TAGS;
	return true;
}

/* A phase's command is done: goes on to the next. */
static enum block_state command_done(struct nvme *n, bool ok)
{
	if (!ok || (n->phase == CONTROLLER && !controller_read(n)) ||
	    (n->phase == NAMESPACE && !namespace_read(n)))
		return BLOCK_FAILED;
	if (++n->phase == UP)
		return BLOCK_READY;
	ask(n);
	return BLOCK_BUSY;
}

static enum block_state step(struct block_device *dev, bool first)
{
	struct nvme *n = (struct nvme *)dev;
	uint16_t id;
	bool ok;
	if (first) {
		if (n->phase == UP)		/* a reset may leave a line asserted (QEMU's does): polled from now on */
			pci_line_off(&n->pci);
		n->phase = OFF;
		put(n, CC, 0);
	}
	uint32_t status = get(n, CSTS);
	if (status == ~0u || (n->phase > ON && status & CSTS_FATAL))
		return BLOCK_FAILED;
	if (n->phase == OFF && !(status & CSTS_READY)) {
		enable(n);
		n->phase = ON;
	} else if (n->phase == ON && status & CSTS_READY) {
		n->phase = CONTROLLER;
		ask(n);
	} else if (n->phase > ON && take(n, 0, &id, &ok)) {
		return command_done(n, ok);
	}
	return BLOCK_BUSY;
}

/* ---- requests ------------------------------------------------------------------------ */

static void start(struct block_device *dev, unsigned tag, const struct block_io *io)
{
	static const uint8_t ops[] = { [BLOCK_READ] = IO_READ, [BLOCK_WRITE] = IO_WRITE,
		[BLOCK_FLUSH] = IO_FLUSH };
	struct nvme *n = (struct nvme *)dev;
	struct command c = { .op = ops[io->op], .id = tag, .nsid = 1 };
	if (io->op != BLOCK_FLUSH) {
		uint64_t lba = io->lba >> (n->shift - 9);
		c.dw10 = lba;
		c.dw11 = lba >> 32;
		c.dw12 = (io->sectors >> (n->shift - 9)) - 1;
		c.prp1 = ((uint64_t)io->frame[0] << 12) + io->offset;
	}
	for (unsigned i = 1; i < io->frames; i++)
		n->m->list[tag][i - 1] = (uint64_t)io->frame[i] << 12;
	if (io->frames == 2)
		c.prp2 = n->m->list[tag][0];
	else if (io->frames > 2)
		c.prp2 = at(n, n->m->list[tag]);
	submit(n, 1, &c);
}

static void poll(struct block_device *dev)
{
	struct nvme *n = (struct nvme *)dev;
	uint16_t id;
	bool ok;
	for (unsigned i = 0; i < ENTRIES && take(n, 1, &id, &ok); i++)
		block_done(dev, id, ok);
}

static void off(struct block_device *dev)
{
	pci_master(&((struct nvme *)dev)->pci, false);
}

bool nvme_probe(const struct pci_function *f)
{
	static const struct block_driver driver = { "nvme", step, start, poll, off };
	uint64_t unused;
	if (f->class != CLASS)
		return false;
	volatile uint8_t *regs = pci_bar(f, 0, 0, BAR_SIZE);
	if (!regs)
		return false;
	struct nvme *n = block_memory(sizeof *n, 0, &unused);
	n->block.driver = &driver;
	n->pci = *f;
	n->regs = regs;
	n->stride = 4u << (get(n, CAP_HIGH) & 15);
	n->entries = (get(n, CAP) & 0xffff) + 1 < ENTRIES ? (get(n, CAP) & 0xffff) + 1 : ENTRIES;
	if (n->stride > (BAR_SIZE - DOORBELLS) / 4 || get(n, CAP_HIGH) >> 16 & 15)
		return false;		/* doorbells out of reach; no pages of 4 KiB */
	n->m = block_memory(sizeof *n->m, 4096, &n->phys);
	pci_master(f, true);
	n->block.interrupts = pci_interrupt(f, block_interrupt, &n->block);
	block_found(&n->block);
	return true;
}
