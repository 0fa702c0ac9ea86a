/* SATA disks on AHCI controllers (AHCI 1.3.1; ATA8-ACS): each port with a disk is a device.
 *
 * One command at a time, by READ and WRITE DMA EXT, without native queuing.  Optical drives and
 * whatever else sits behind a port are left alone.
 */
#include "drivers/block.h"
#include "drivers/pci.h"

#define CLASS		0x010601u
#define PORTS		30u		/* that a page of registers has room for */
#define HBA_SIZE	0x1000u
enum { CAP = 0, GHC = 4, IS = 8, PI = 0x0c };
#define CAP_64		0x80000000u
#define GHC_ON		0x80000002u	/* AHCI mode, interrupts */
/* Of a port. */
enum { PORT = 0x100, PORT_SIZE = 0x80 };
enum { CLB = 0, FB = 8, P_IS = 0x10, P_IE = 0x14, CMD = 0x18, TFD = 0x20, SIG = 0x24, SSTS = 0x28,
	SCTL = 0x2c, SERR = 0x30, CI = 0x38 };
#define CMD_START	1u
#define CMD_FIS		0x10u
#define CMD_FIS_RUNS	0x4000u
#define CMD_RUNS	0x8000u
#define IS_ERRORS	0x78000000u	/* task file, host bus, interface */
#define IE_ALL		0x7840000fu	/* those, a device that comes or goes, FISes */
#define TFD_ERROR	0x01u
#define TFD_BUSY	0x88u		/* BSY, DRQ */
#define DET		0x0fu
#define DET_UP		3u
#define SIG_DISK	0x00000101u
#define SIG_OPTICAL	0xeb140101u
#define LINK_RESET_NS	2000000ul
#define SPINS		200u

enum { READ_DMA = 0x25, WRITE_DMA = 0x35, FLUSH = 0xea, IDENTIFY = 0xec };

struct header { uint32_t flags, done; uint64_t table, pad[2]; };
struct region { uint64_t at; uint32_t pad, last; };
struct table { uint8_t fis[128]; struct region region[BLOCK_FRAMES]; };
struct memory {			/* a page */
	struct header list[32];
	uint8_t received[256];
	struct table table;
	uint8_t identity[512];
};

enum phase { STOP, STOP_FIS, LINK, LINK_UP, QUIET, IDENTITY, UP };

struct port {
	struct block_device block;
	struct pci_function pci;
	volatile uint8_t *hba, *regs;
	unsigned n;
	struct memory *m;
	uint64_t phys, since;
	enum phase phase;
	bool busy, failed;
};
struct hba { unsigned ports; struct port *port[PORTS]; };

static uint32_t get(struct port *p, unsigned at) { return *(volatile uint32_t *)(p->regs + at); }
static void put(struct port *p, unsigned at, uint32_t v) { *(volatile uint32_t *)(p->regs + at) = v; }

/* ---- commands ------------------------------------------------------------------- */

/* In slot 0; the table's regions are set. */
static void command(struct port *p, uint8_t what, uint64_t lba, uint16_t sectors, unsigned regions,
	bool write)
{
	uint8_t *fis = p->m->table.fis;
	__builtin_memset(fis, 0, 20);
	fis[0] = 0x27;			/* host to device, */
	fis[1] = 0x80;			/* a command */
	fis[2] = what;
	for (unsigned i = 0; i < 3; i++) {
		fis[4 + i] = lba >> 8 * i;
		fis[8 + i] = lba >> (24 + 8 * i);
	}
	fis[7] = 0x40;			/* LBA */
	fis[12] = sectors;
	fis[13] = sectors >> 8;
	p->m->list[0] = (struct header){ .flags = regions << 16 | (write ? 0x40 : 0) | 5,
		.table = p->phys + offsetof(struct memory, table) };
	p->busy = true;
	p->failed = false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	put(p, CI, 1);
}

/* Is the command over?  After an error the port is stopped and started anew, which takes a moment
 * that nobody waits for. */
static bool command_over(struct port *p)
{
	bool issued = get(p, CI) & 1;	/* first: whoever clears it (QEMU: on errors too) set status before */
	uint32_t status = get(p, P_IS);
	put(p, P_IS, status);
	*(volatile uint32_t *)(p->hba + IS) = 1u << p->n;
	/* The task file may hold the last command's error until this one is over. */
	if (status & IS_ERRORS || (!p->failed && !issued && get(p, TFD) & TFD_ERROR)) {
		p->failed = true;
		put(p, CMD, get(p, CMD) & ~CMD_START);
	}
	if (!p->failed)		/* registers of a controller that is gone may read as zeroes */
		return !issued && get(p, CMD) & CMD_START;
	for (unsigned i = 0; get(p, CMD) & CMD_RUNS; i++)
		if (i == SPINS)
			return false;
	put(p, SERR, ~0u);
	put(p, P_IS, ~0u);
	put(p, CMD, get(p, CMD) | CMD_START);
	return true;
}

static void start(struct block_device *dev, unsigned tag, const struct block_io *io)
{
	static const uint8_t what[] = { [BLOCK_READ] = READ_DMA, [BLOCK_WRITE] = WRITE_DMA,
		[BLOCK_FLUSH] = FLUSH };
	struct port *p = (struct port *)dev;
	uint32_t left = io->sectors * BLOCK_SECTOR, offset = io->offset, unit = dev->sector_size / BLOCK_SECTOR;
	(void)tag;
	for (unsigned i = 0; i < io->frames; i++) {
		uint32_t n = 4096 - offset < left ? 4096 - offset : left;
		p->m->table.region[i] = (struct region){ ((uint64_t)io->frame[i] << 12) + offset, 0, n - 1 };
		left -= n;
		offset = 0;
	}
	command(p, what[io->op], io->lba / unit, io->sectors / unit, io->frames, io->op == BLOCK_WRITE);
}

static void poll(struct block_device *dev)
{
	struct port *p = (struct port *)dev;
	if (!p->busy || !command_over(p))
		return;
	p->busy = false;
	block_done(dev, 0, !p->failed);
}

/* ---- up -------------------------------------------------------------------------- */

static uint16_t word(const struct port *p, unsigned n)
{
	return p->m->identity[2 * n] | p->m->identity[2 * n + 1] << 8;
}

static enum block_state describe(struct port *p)
{
	struct block_device *b = &p->block;
	if (p->failed || !(word(p, 83) & 0x400))	/* addresses of 48 bits */
		return BLOCK_FAILED;
	block_text(b->model, sizeof b->model, p->m->identity + 54, 40, true);
	b->sector_size = 512;
	if ((word(p, 106) & 0xd000) == 0x5000)
		b->sector_size = (word(p, 117) | (uint32_t)word(p, 118) << 16) * 2;
	b->sectors = (word(p, 100) | (uint64_t)word(p, 101) << 16 | (uint64_t)word(p, 102) << 32 |
		(uint64_t)word(p, 103) << 48) * (b->sector_size / BLOCK_SECTOR);
	b->cache = word(p, 85) & 0x20;
	b->depth = 1;
	p->busy = false;
	put(p, P_IS, ~0u);
	put(p, P_IE, IE_ALL);
	return BLOCK_READY;
}

static void link_up(struct port *p)
{
	put(p, SERR, ~0u);
	put(p, CLB, p->phys);
	put(p, CLB + 4, p->phys >> 32);
	put(p, FB, p->phys + offsetof(struct memory, received));
	put(p, FB + 4, (p->phys + offsetof(struct memory, received)) >> 32);
	put(p, CMD, get(p, CMD) | CMD_FIS);
}

static void identify(struct port *p)
{
	put(p, CMD, get(p, CMD) | CMD_START);
	p->m->table.region[0] = (struct region){ p->phys + offsetof(struct memory, identity), 0, 511 };
	command(p, IDENTIFY, 0, 0, 1, false);
}

/* Goes on as far as it can without waiting. */
static enum block_state step(struct block_device *dev, bool first)
{
	struct port *p = (struct port *)dev;
	if (first) {
		p->phase = STOP;
		put(p, P_IE, 0);
		put(p, CMD, get(p, CMD) & ~CMD_START);
	}
	if (get(p, CMD) == ~0u)
		return BLOCK_FAILED;
	if (p->phase == STOP && !(get(p, CMD) & CMD_RUNS)) {
		put(p, CMD, get(p, CMD) & ~CMD_FIS);
		p->phase = STOP_FIS;
	}
	if (p->phase == STOP_FIS && !(get(p, CMD) & CMD_FIS_RUNS)) {
		put(p, SCTL, (get(p, SCTL) & ~DET) | 1);	/* resets the link, for a millisecond */
		p->since = block_clock();
		p->phase = LINK;
	}
	if (p->phase == LINK && block_clock() - p->since > LINK_RESET_NS) {
		put(p, SCTL, get(p, SCTL) & ~DET);
		p->phase = LINK_UP;
	}
	if (p->phase == LINK_UP && (get(p, SSTS) & DET) == DET_UP) {
		link_up(p);
		p->phase = QUIET;
	}
	if (p->phase == QUIET && !(get(p, TFD) & TFD_BUSY)) {
		if (get(p, SIG) != SIG_DISK)
			return BLOCK_FAILED;
		identify(p);
		p->phase = IDENTITY;
	}
	return p->phase == IDENTITY && command_over(p) ? describe(p) : BLOCK_BUSY;
}

/* Other ports go on, if this one can be stopped. */
static void off(struct block_device *dev)
{
	struct port *p = (struct port *)dev;
	put(p, P_IE, 0);
	put(p, CMD, get(p, CMD) & ~(CMD_START | CMD_FIS));
	if (get(p, CMD) & (CMD_RUNS | CMD_FIS_RUNS))
		pci_master(&p->pci, false);
}

/* ---- finding them ------------------------------------------------------------------- */

static void interrupt(void *arg)
{
	struct hba *h = arg;
	for (unsigned i = 0; i < h->ports; i++)
		block_interrupt(&h->port[i]->block);
}

static struct port *port_make(const struct pci_function *f, volatile uint8_t *hba, unsigned n)
{
	static const struct block_driver driver = { "ahci", step, start, poll, off };
	volatile uint8_t *regs = hba + PORT + n * PORT_SIZE;
	uint32_t signature = *(volatile uint32_t *)(regs + SIG);
	uint64_t unused;
	if (!(*(volatile uint32_t *)(regs + SSTS) & DET) || signature == SIG_OPTICAL)
		return NULL;
	struct port *p = block_memory(sizeof *p, 0, &unused);
	p->block.driver = &driver;
	p->pci = *f;
	p->hba = hba;
	p->regs = regs;
	p->n = n;
	p->m = block_memory(sizeof *p->m, 4096, &p->phys);
	return p;
}

bool ahci_probe(const struct pci_function *f)
{
	uint64_t unused;
	if (f->class != CLASS)
		return false;
	volatile uint8_t *hba = pci_bar(f, 5, 0, HBA_SIZE);
	volatile uint32_t *regs = (volatile uint32_t *)hba;
	if (!hba || !(regs[CAP / 4] & CAP_64))
		return false;
	struct hba *h = block_memory(sizeof *h, 0, &unused);
	regs[GHC / 4] = GHC_ON;
	for (unsigned n = 0; n < PORTS; n++)
		if (regs[PI / 4] >> n & 1 && (h->port[h->ports] = port_make(f, hba, n)))
			h->ports++;
	if (!h->ports)
		return false;
	pci_master(f, true);
	bool interrupts = pci_interrupt(f, interrupt, h);
	for (unsigned i = 0; i < h->ports; i++) {
		h->port[i]->block.interrupts = interrupts;
		block_found(&h->port[i]->block);
	}
	return true;
}
