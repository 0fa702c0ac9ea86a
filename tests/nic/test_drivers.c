/* Network drivers on the host: an 82574L that works, whose wire leads back to itself, and cards that
 * are wrong: registers that read as ones or zeroes, or anything; queues that the card fills with
 * garbage.  Nothing may take long or reach beyond the card's registers and the driver's memory
 * (AddressSanitizer looks), and each frame is sent or received once, in order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "drivers/block.h"
#include "drivers/net.h"
#include "drivers/pci.h"

#define CHECK(x) do { if (!(x)) { printf("FAIL nic-drivers line %d: %s, seed %lu\n", __LINE__, #x, seed); exit(1); } } while (0)
#define PIECES	8u

static uint64_t state, seed, now;
static uint32_t config[64];
static struct { uint8_t *at; size_t size; } bar[PIECES], mem[PIECES];
static unsigned bars, mems;
static bool master;
static struct net_device *device;
static unsigned received, sent;
static void (*receive)(const uint8_t *frame, unsigned length);

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
void pci_master(const struct pci_function *f, bool on) { (void)f; master = on; }
uint64_t block_clock(void) { return now += 1000000; }
void net_interrupt(void *dev) { (void)dev; }
void net_found(struct net_device *dev) { device = dev; }
void net_sent(struct net_device *dev) { CHECK(dev == device); sent++; }

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
	(void)f, (void)n, (void)offset;
	CHECK(bars < PIECES);
	bar[bars].at = calloc(1, size);
	bar[bars].size = size;
	return bar[bars++].at;
}

bool pci_interrupt(const struct pci_function *f, void (*handler)(void *), void *arg)
{
	(void)f, (void)handler, (void)arg;
	return chance(2);
}

void *block_memory(size_t size, size_t align, uint64_t *phys)
{
	CHECK(mems < PIECES);
	mem[mems].at = aligned_alloc(4096, (size + 4095) & -4096ul);
	mem[mems].size = align ? size : 0;	/* the card reaches what is aligned for it */
	memset(mem[mems].at, 0, (size + 4095) & -4096ul);
	*phys = (uintptr_t)mem[mems].at;
	return mem[mems++].at;
}

void net_received(struct net_device *dev, const uint8_t *frame, unsigned length)
{
	static volatile uint8_t sum;	/* every byte is looked at */

	CHECK(dev == device && length <= NET_BUFFER);
	for (unsigned i = 0; i < length; i++)
		sum += frame[i];
	received++;
	if (receive)
		receive(frame, length);
}

/* ---- cards ------------------------------------------------------------------------------ */

static const struct kind { const char *name; pci_probe_fn *probe; struct pci_function f; } kinds[] = {
	{ "e1000", e1000_probe, { .vendor = 0x8086, .id = 0x100e } },
	{ "e1000e", e1000_probe, { .vendor = 0x8086, .id = 0x10d3 } },
	{ "virtio", virtio_net_probe, { .vendor = 0x1af4, .id = 0x1041 } },
};

/* The four structures of a virtio function, one capability each. */
static void config_make(void)
{
	static const uint32_t length[] = { 56, 8, 1, 8 };

	memset(config, 0, sizeof config);
	for (unsigned i = 0; i < 4; i++) {
		uint32_t *cap = &config[16 + 6 * i];

		cap[0] = PCI_CAP_VENDOR | (i < 3 ? (0x40 + 24 * (i + 1)) << 8 : 0) | 24 << 16 | (i + 1) << 24;
		cap[3] = length[i];
		cap[4] = 4;			/* notify's multiplier */
	}
}

static void probe(const struct kind *k)
{
	bars = mems = 0;
	device = NULL;
	config_make();
	CHECK(k->probe(&k->f) && device && master);
}

static void release(void)
{
	device->driver->off(device);
	CHECK(!master);
	for (unsigned i = 0; i < bars; i++)
		free(bar[i].at);
	for (unsigned i = 0; i < mems; i++)
		free(mem[i].at);
}

static void constant(const struct kind *k, int value)
{
	probe(k);
	memset(bar[0].at, value, bar[0].size);
	for (unsigned i = 0; i < 1000; i++)
		CHECK(device->driver->step(device, !i) != NET_READY);
	release();
}

static void registers_change(void)
{
	int how = chance(50) ? -1 : chance(2) ? 0 : 0xff;

	for (unsigned i = 0; i < bars; i++)
		for (size_t n = how < 0 ? chance(64) : bar[i].size, at = 0; at < n; at++)
			bar[i].at[how < 0 ? chance(bar[i].size) : at] = how < 0 ? chance(256) : (unsigned)how;
}

static void memory_changes(void)
{
	for (unsigned i = 0; i < mems; i++)
		for (unsigned n = mem[i].size ? chance(300) : 0; n; n--)
			mem[i].at[chance(chance(2) ? 16384 : mem[i].size)] = chance(256);
}

/* What lets a driver find its way: an address that is valid; virtio's version, status and size. */
static void help(const struct kind *k)
{
	uint32_t word;

	if (k->f.vendor == 0x8086) {
		bar[0].at[0x5407] = 0x80;
		bar[0].at[3] = 0;
		return;
	}
	memcpy(&word, bar[0].at, 4);		/* feature select: the device answers at once */
	memset(bar[0].at + 4, 0x21, 4);
	bar[0].at[20] = chance(2) ? 0 : bar[0].at[20];
	bar[0].at[24] = 0, bar[0].at[25] = 1;
	bar[0].at[30] = bar[0].at[31] = 0;
}

static void garbage(const struct kind *k, uint64_t *ready_ever)
{
	static uint8_t payload[2048];
	bool ready = false;

	probe(k);
	receive = NULL;
	for (unsigned i = 0; i < 4000; i++) {
		if (chance(3) == 0)
			registers_change();
		memory_changes();
		if (chance(2))
			help(k);
		if (!ready || chance(100) == 0)
			ready = device->driver->step(device, chance(20) == 0) == NET_READY;
		if (!ready)
			continue;
		++*ready_ever;
		uint8_t *h = device->driver->header(device);
		if (h) {
			unsigned n = 14 + chance(NET_HEADER - 13), rest = n == NET_HEADER ? chance(1391) : 0;

			memset(h, 0x55, n);
			device->driver->send(device, n, (uintptr_t)payload, rest);
			if (chance(3))
				device->driver->kick(device);
		}
		device->driver->poll(device);
	}
	release();
}

/* ---- an 82574L that works ------------------------------------------------------------------ */

enum { STATUS = 0x8, ICR = 0xc0, IMS = 0xd0, RDH = 0x2810, RDT = 0x2818, TDH = 0x3810, TDT = 0x3818, RDBAL = 0x2800, TDBAL = 0x3800 };
struct descriptor { uint64_t addr; uint16_t length; uint8_t a, cmd, status, errors; uint16_t special; };

static uint32_t *reg(unsigned at) { return (uint32_t *)(bar[0].at + at); }

static struct descriptor *descriptor(unsigned base, unsigned n)
{
	return (struct descriptor *)(uintptr_t)(*reg(base) | (uint64_t)*reg(base + 4) << 32) + n;
}

/* Moves up to n frames from the transmit to the receive queue.  False: no descriptor is left. */
static bool wire(unsigned n)
{
	while (n-- && *reg(TDH) != *reg(TDT)) {
		struct descriptor *in = descriptor(RDBAL, *reg(RDH)), *out;
		unsigned length = 0;

		if (*reg(RDH) == *reg(RDT))
			return false;
		do {
			out = descriptor(TDBAL, *reg(TDH));
			memcpy((uint8_t *)(uintptr_t)in->addr + length, (void *)(uintptr_t)out->addr, out->length);
			length += out->length;
			*reg(TDH) = (*reg(TDH) + 1) % 256;
			out->status |= out->cmd & 8 ? 1 : 0;
		} while (!(out->cmd & 1));
		in->length = length;
		in->cmd = 0;		/* the checksum's upper half */
		in->status = 3;
		in->errors = 0;
		*reg(RDH) = (*reg(RDH) + 1) % 256;
	}
	return true;
}

static uint32_t numbers_out, numbers_in;

/* Number, length, and bytes that follow from them. */
static void frame_check(const uint8_t *frame, unsigned length)
{
	uint32_t head[2];

	memcpy(head, frame + 14, 8);
	CHECK(head[0] == numbers_in && head[1] == length);
	for (unsigned i = 22; i < length; i++)
		CHECK(frame[i] == (uint8_t)(i + head[0]));
	numbers_in++;
}

static void frame_send(uint8_t frame[2048])
{
	uint8_t *h = device->driver->header(device);
	unsigned length = 22 + chance(1497), n = length < NET_HEADER ? length : NET_HEADER;

	if (!h)
		return;
	memset(frame, 0, 22);
	memcpy(frame + 14, (uint32_t[]){ numbers_out, length }, 8);
	for (unsigned i = 22; i < length; i++)
		frame[i] = i + numbers_out;
	memcpy(h, frame, n);
	device->driver->send(device, n, (uintptr_t)frame + n, length - n);
	device->driver->kick(device);
	numbers_out++;
}

/* As many frames as there are descriptors, twice: the second time goes around the ring's end. */
static void overrun(void)
{
	receive = NULL;
	for (unsigned round = 0; round < 2; round++) {
		unsigned n = 0;

		received = 0;
		for (; *reg(RDH) != *reg(RDT); n++, *reg(RDH) = (*reg(RDH) + 1) % 256) {
			struct descriptor *in = descriptor(RDBAL, *reg(RDH));

			in->length = 60;
			in->errors = n == 7;	/* one is broken, one in two pieces, one too long */
			in->status = n == 8 ? 1 : 3;
			in->length = n == 9 ? 9000 : 60;
		}
		CHECK(n == 255);
		for (unsigned i = 0; i < 4; i++) {
			unsigned before = received;

			/* One interrupt for all: that there is more, the driver alone can tell. */
			CHECK(device->driver->poll(device) == !i);
			CHECK(received - before <= NET_QUEUE);
		}
		CHECK(received == n - 3);
	}
}

static void loop(uint64_t frames)
{
	static uint8_t frame[NET_QUEUE][2048];
	bool full = false;

	probe(&kinds[1]);
	*reg(0x5404) = 0x80000000;
	*reg(STATUS) = 2;
	receive = frame_check;
	received = sent = numbers_in = numbers_out = 0;
	CHECK(device->driver->step(device, true) == NET_BUSY);
	*reg(0) = 0;
	for (unsigned i = 0; device->driver->step(device, false) != NET_READY; i++)
		CHECK(i < 100);
	CHECK(device->link);
	while (numbers_in < frames) {
		for (unsigned n = chance(300); n; n--)
			frame_send(frame[numbers_out % NET_QUEUE]);
		full |= !device->driver->header(device);
		if (!wire(chance(400)) || chance(4))
			device->driver->poll(device);
		CHECK(sent <= numbers_out && numbers_out - sent < NET_QUEUE && received == numbers_in);
	}
	CHECK(full);
	overrun();
	for (unsigned i = 0; i < 2; i++) {
		device->interrupts = i;
		*reg(IMS) = 0;
		device->driver->poll(device);
		CHECK(*reg(IMS) == (i ? ~0u : 0));	/* the pause after a message, if there are any */
	}
	*reg(STATUS) = 0;
	*reg(ICR) = 4;			/* the link changed */
	device->driver->poll(device);
	CHECK(!device->link);
	release();
	printf("ok nic-drivers %lu frames around\n", frames);
}

int main(int argc, char **argv)
{
	uint64_t rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 10;

	seed = state = 1;
	loop(20000 * rounds / 10);
	for (unsigned k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
		uint64_t ready = 0;

		constant(&kinds[k], 0xff);
		constant(&kinds[k], 0);
		printf("ok nic-drivers %s that is not there\n", kinds[k].name);
		for (seed = 1; seed <= rounds; seed++) {
			state = seed * 0x9e3779b97f4a7c15ul;
			garbage(&kinds[k], &ready);
		}
		CHECK(ready);
		printf("ok nic-drivers %s that says anything\n", kinds[k].name);
	}
	return 0;
}
