/* Disk drivers against devices that are wrong: registers that read as ones or zeroes, or as
 * anything; queues that the device fills with garbage.  Nothing may take long, reach beyond its
 * registers or its memory (AddressSanitizer looks), or be called ready that is not.
 *
 * What drivers do with devices that work is tested in the machine (tests/disk).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "drivers/block.h"
#include "drivers/pci.h"

#define CHECK(x) do { if (!(x)) { printf("FAIL drivers line %d: %s, seed %lu\n", __LINE__, #x, seed); exit(1); } } while (0)
#define AHCI	0x010601u	/* classes */
#define NVME	0x010802u
#define BARS	6u
#define PIECES	8u

static uint64_t state, seed;
static uint32_t config[64];		/* of the function */
static uint8_t *bar[BARS];		/* each mapping is a piece of memory of its own */
static size_t bar_bytes[BARS];
static unsigned bars, masters;
static struct { uint8_t *at; size_t size; } dma[PIECES], own[PIECES];
static unsigned dmas, owns;
static struct block_device *device;
static unsigned finished, started;
static uint64_t now;

static uint64_t chance(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

/* ---- what the kernel offers --------------------------------------------------------- */

uint32_t pci_read(const struct pci_function *f, unsigned at) { (void)f; return config[at / 4 % 64]; }
void pci_write(const struct pci_function *f, unsigned at, uint32_t value) { (void)f; config[at / 4 % 64] = value; }
void pci_line_off(const struct pci_function *f) { (void)f; }
void pci_master(const struct pci_function *f, bool on) { (void)f; masters = on; }
uint64_t block_clock(void) { return now += 1000000; }
void block_interrupt(void *dev) { (void)dev; }
void block_found(struct block_device *dev) { device = dev; }

unsigned pci_capability(const struct pci_function *f, unsigned id, unsigned after)
{
	for (unsigned at = after ? pci_read(f, after) >> 8 & 0xfc : 0x40, i = 0; at && i < 48; i++) {
		if ((pci_read(f, at) & 0xff) == id)
			return at;
		at = pci_read(f, at) >> 8 & 0xfc;
	}
	return 0;
}

volatile void *pci_bar(const struct pci_function *f, unsigned n, uint64_t offset, uint64_t size)
{
	(void)n, (void)offset;
	CHECK(bars < BARS);
	bar_bytes[bars] = size;
	uint32_t *word = calloc(1, size);
	if (f->class == AHCI) {		/* 64 bits, port 0, a disk on it */
		word[0] = 0x80000000;
		word[0x0c / 4] = 1;
		word[0x124 / 4] = 0x101;
		word[0x128 / 4] = 3;
	} else if (f->class == NVME) {
		word[0] = 0xff;			/* entries of queues */
	}
	bar[bars] = (uint8_t *)word;
	return bar[bars++];
}

bool pci_interrupt(const struct pci_function *f, void (*handler)(void *), void *arg)
{
	(void)f, (void)handler, (void)arg;
	return chance(2);
}

void *block_memory(size_t size, size_t align, uint64_t *phys)
{
	size_t whole = (size + 4095) & -4096ul;
	uint8_t *p = aligned_alloc(4096, whole);
	memset(p, 0, whole);
	CHECK(dmas < PIECES && owns < PIECES);
	if (align) {
		dma[dmas].at = p;
		dma[dmas++].size = size;
	} else {
		own[owns].at = p;
		own[owns++].size = size;
	}
	*phys = (uintptr_t)p;
	return p;
}

void block_done(struct block_device *dev, unsigned tag, bool ok)
{
	CHECK(dev == device);
	(void)tag, (void)ok;		/* any tag: the kernel looks */
	finished++;
}

void block_text(char *to, size_t size, const void *from, size_t n, bool swapped)
{
	(void)swapped;
	memcpy(to, from, n < size - 1 ? n : size - 1);
	to[size - 1] = 0;
}

/* ---- the devices ------------------------------------------------------------------------ */

static const struct kind { const char *name; pci_probe_fn *probe; struct pci_function f; } kinds[] = {
	{ "virtio", virtio_blk_probe, { .vendor = 0x1af4, .id = 0x1042 } },
	{ "ahci", ahci_probe, { .class = AHCI } },
	{ "nvme", nvme_probe, { .class = NVME } },
};

/* The four structures of a virtio function, one capability each. */
static void config_make(void)
{
	static const uint32_t length[] = { 56, 4, 1, 24 };
	memset(config, 0, sizeof config);
	for (unsigned i = 0; i < 4; i++) {
		uint32_t *cap = &config[16 + 6 * i];
		cap[0] = PCI_CAP_VENDOR | (i < 3 ? (0x40 + 24 * (i + 1)) << 8 : 0) | 24 << 16 | (i + 1) << 24;
		cap[3] = length[i];
		cap[4] = 4;			/* notify's multiplier */
	}
}

static void fill(int how)
{
	for (unsigned i = 0; i < bars; i++)
		for (size_t at = 0; at < bar_bytes[i]; at++)
			bar[i][at] = how < 0 ? (chance(4) ? bar[i][at] : (int)chance(256)) : how;
}

static void garble(void)
{
	for (unsigned i = 0; i < dmas; i++)
		for (unsigned n = chance(200); n; n--)
			dma[i].at[chance(dma[i].size)] = chance(256);
}

/* Without some help chance never finds the way through NVMe's phases: states that are answers, in
 * the memory as nvme.c lays it out (two queues, two of completions, a page of identity). */
static void nvme_help(void)
{
	uint8_t *m = dma[0].at;
	bar[0][0x1c] = chance(2);
	memset(bar[0] + 0x1d, 0, 3);
	for (unsigned i = 0; i < 64; i++) {
		m[2 * 4096 + 16 * i + 14] = chance(8) != 0;
		m[2 * 4096 + 16 * i + 15] = 0;
	}
	m[4 * 4096 + 77] = 5;
	m[4 * 4096 + 26] = 0;
	m[4 * 4096 + 128] = m[4 * 4096 + 129] = 0;
	m[4 * 4096 + 130] = chance(2) ? 9 : 12;
}

/* A controller that lets itself be found, with one disk. */
static void probe(const struct kind *k)
{
	bars = dmas = owns = 0;
	device = NULL;
	config_make();
	CHECK(k->probe(&k->f) && device);
}

static void release(void)
{
	for (unsigned i = 0; i < bars; i++)
		free(bar[i]);
	for (unsigned i = 0; i < dmas; i++)
		free(dma[i].at);
	for (unsigned i = 0; i < owns; i++)
		free(own[i].at);
}

static void constant(const struct kind *k, int value)
{
	probe(k);
	fill(value);
	for (unsigned i = 0; i < 1000; i++)
		CHECK(device->driver->step(device, !i) != BLOCK_READY);
	device->driver->off(device);
	CHECK(!masters || k->f.class == AHCI);	/* whose other ports go on */
	release();
}

/* Steps, requests and looks at random, the device changing everything it can reach meanwhile. */
static void garbage(const struct kind *k)
{
	uint32_t frame[BLOCK_FRAMES] = { 1, 2, 3 };
	unsigned ready = 0;
	probe(k);
	for (unsigned i = 0; i < 3000; i++) {
		if (chance(3) == 0)
			fill(-1);
		if (chance(50) == 0)
			fill(chance(2) ? 0 : 0xff);
		garble();
		if (k->f.class == NVME && !ready && chance(4))
			nvme_help();
		if (chance(40) == 0 || !ready)
			ready = device->driver->step(device, chance(20) == 0) == BLOCK_READY &&
				device->depth && device->depth <= BLOCK_TAGS &&
				(device->sector_size == 512 || device->sector_size == 4096);
		if (!ready)
			continue;
		struct block_io io = { .op = chance(3), .lba = chance(1000) * 8, .sectors = 8 * (1 + chance(16)),
			.frame = frame };
		io.frames = io.sectors / 8;
		if (io.op == BLOCK_FLUSH)
			io.sectors = io.frames = 0;
		if (io.op != BLOCK_FLUSH || device->cache)
			device->driver->start(device, chance(device->depth), &io);
		started++;
		device->driver->poll(device);
	}
	device->driver->off(device);
	release();
}

int main(int argc, char **argv)
{
	uint64_t rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 20;
	for (unsigned k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
		seed = state = 1;
		finished = started = 0;
		if (kinds[k].probe != virtio_blk_probe)	/* which believes a register that it wrote */
			constant(&kinds[k], 0xff);
		constant(&kinds[k], 0);
		printf("ok drivers %s that is not there\n", kinds[k].name);
		for (seed = 1; seed <= rounds; seed++) {
			state = seed * 0x9e3779b97f4a7c15ul;
			garbage(&kinds[k]);
		}
		CHECK(started && finished);
		printf("ok drivers %s that says anything\n", kinds[k].name);
	}
	return 0;
}
