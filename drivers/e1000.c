/* Intel's gigabit Ethernet cards 82540EM (PCI, "e1000") and 82574L (PCIe, "e1000e"), by their legacy
 * descriptors (8254x software developer's manual, chapters 3 and 13; 82574 datasheet, 7 and 10).
 *
 * One queue each way.  What is received lies in buffers of the driver; what is sent goes out from
 * a header of the driver's and a piece of memory of somebody's, a descriptor each.
 */
#include "drivers/block.h"
#include "drivers/net.h"
#include "drivers/pci.h"

#define VENDOR		0x8086
#define ID_82540EM	0x100e
#define ID_82574L	0x10d3

/* Registers: byte offsets. */
enum { CTRL = 0x0, STATUS = 0x8, CTRL_EXT = 0x18, ICR = 0xc0, ITR = 0xc4, IMS = 0xd0, IMC = 0xd8,
	IAM = 0xe0, IVAR = 0xe4, RCTL = 0x100, TCTL = 0x400, TIPG = 0x410, RDBAL = 0x2800, RDBAH = 0x2804, RDLEN = 0x2808,
	RDH = 0x2810, RDT = 0x2818, RDTR = 0x2820, TDBAL = 0x3800, TDBAH = 0x3804, TDLEN = 0x3808,
	TDH = 0x3810, TDT = 0x3818, RFCTL = 0x5008, MTA = 0x5200, RAL = 0x5400, RAH = 0x5404,
	REGISTERS = 0x8000 };
#define MTA_WORDS	128u
#define CTRL_ASDE	(1u << 5)	/* speed by negotiation */
#define CTRL_SLU	(1u << 6)	/* link up */
#define CTRL_RST	(1u << 26)
#define CTRL_EXT_IAME	(1u << 27)	/* reading ICR clears it, and masks what IAM says */
#define CTRL_EXT_AT_ONCE (1u << 29)	/* writing ones to IMS ends the pause after an interrupt */
#define RFCTL_ACK_DIS	(1u << 12)	/* no interrupt of its own for an acknowledgement */
#define STATUS_LU	(1u << 1)
#define RCTL_EN		(1u << 1)
#define RCTL_ALL	(3u << 3)	/* all addresses: filters decide */
#define RCTL_BAM	(1u << 15)
#define RCTL_SECRC	(1u << 26)	/* without the checksum */
#define TCTL_EN		(1u << 1)
#define TCTL_PSP	(1u << 3)	/* short frames are filled up */
#define TCTL_TIMES	(0xfu << 4 | 0x40u << 12)	/* of collisions: 13.4.33 */
#define TIPG_COPPER	(10u | 8u << 10 | 6u << 20)	/* 13.4.34 */
#define RAH_VALID	(1u << 31)
/* Causes of interrupts: link, overrun, received; and, of MSI-X, the receive queue and others.  Not that
 * frames were sent: who sends looks (kick), and an interrupt of that would delay the next one. */
#define CAUSES		(1u << 2 | 1u << 6 | 1u << 7 | 1u << 20 | 1u << 24)
#define CAUSE_LINK	(1u << 2)
#define IVAR_SET	(0x8u | 0x8u << 16)	/* received, other: vector 0; sent: none */

#define RING		256u		/* descriptors; a frame to be sent takes up to two */
#define GIVE		32u		/* buffers that are given back in one go */
#define FRAMES		(NET_QUEUE - 1)	/* at a time: a full ring would look like an empty one */

struct rx {
	uint64_t addr;
	uint16_t length, checksum;
	volatile uint8_t status;
	uint8_t errors;
	uint16_t special;
};
struct tx {
	uint64_t addr;
	uint16_t length;
	uint8_t cso, cmd;
	volatile uint8_t status;
	uint8_t css;
	uint16_t special;
};
#define RX_DONE		1u
#define RX_END		2u		/* the frame's last descriptor */
#define TX_DONE		1u
#define TX_END		1u		/* cmd */
#define TX_FCS		2u
#define TX_REPORT	8u

/* In one piece of memory, by page. */
struct memory {
	struct rx rx[RING];
	struct tx tx[RING];
	uint8_t header[NET_QUEUE][NET_HEADER] __attribute__((aligned(4096)));
	uint8_t buffer[RING][NET_BUFFER] __attribute__((aligned(4096)));
};

struct e1000 {
	struct net_device net;
	struct pci_function pci;
	volatile uint8_t *regs;
	struct memory *mem;
	uint64_t phys;
	uint64_t reset_at;
	unsigned rx_next;		/* descriptor that is filled next */
	unsigned rx_free;		/* before it, not yet given back */
	unsigned tx_next, tx_oldest;	/* descriptors */
	unsigned frames;		/* being sent */
	unsigned header_next;
	uint8_t last[NET_QUEUE];	/* of each frame being sent: its last descriptor */
};
_Static_assert(sizeof(struct rx) == 16 && sizeof(struct tx) == 16, "descriptors");

static uint32_t get(const struct e1000 *e, unsigned at)
{
	return *(volatile uint32_t *)(e->regs + at);
}

static void put(const struct e1000 *e, unsigned at, uint32_t v)
{
	*(volatile uint32_t *)(e->regs + at) = v;
}

/* ---- up ----------------------------------------------------------------------- */

static void rings_set(struct e1000 *e)
{
	uint64_t rx = e->phys + offsetof(struct memory, rx), tx = e->phys + offsetof(struct memory, tx);
	__builtin_memset(e->mem->rx, 0, sizeof e->mem->rx);
	__builtin_memset(e->mem->tx, 0, sizeof e->mem->tx);
	for (unsigned i = 0; i < RING; i++)
		e->mem->rx[i].addr = e->phys + offsetof(struct memory, buffer) + i * NET_BUFFER;
	e->rx_next = e->rx_free = e->tx_next = e->tx_oldest = e->frames = e->header_next = 0;
	put(e, RDBAL, rx), put(e, RDBAH, rx >> 32);
	put(e, RDLEN, sizeof e->mem->rx);
	put(e, RDH, 0), put(e, RDT, RING - 1);
	put(e, TDBAL, tx), put(e, TDBAH, tx >> 32);
	put(e, TDLEN, sizeof e->mem->tx);
	put(e, TDH, 0), put(e, TDT, 0);
}

static enum net_state bring_up(struct e1000 *e)
{
	uint32_t low = get(e, RAL), high = get(e, RAH);	/* read from the EEPROM by the reset */
	if (!(high & RAH_VALID))
		return NET_FAILED;
	for (unsigned i = 0; i < 6; i++)
		e->net.mac[i] = i < 4 ? low >> 8 * i : high >> 8 * (i - 4);
	put(e, IMC, ~0u);
	get(e, ICR);
	for (unsigned i = 0; i < MTA_WORDS; i++)
		put(e, MTA + 4 * i, 0);
	rings_set(e);
	put(e, RDTR, 0);
	put(e, ITR, 0);
	put(e, TIPG, TIPG_COPPER);
	put(e, TCTL, TCTL_EN | TCTL_PSP | TCTL_TIMES);
	put(e, RCTL, RCTL_EN | RCTL_ALL | RCTL_BAM | RCTL_SECRC);
	put(e, CTRL, get(e, CTRL) | CTRL_SLU | CTRL_ASDE);
	if (e->pci.id == ID_82574L) {
		put(e, IVAR, IVAR_SET);
		put(e, IAM, 0);
		put(e, RFCTL, RFCTL_ACK_DIS);
		put(e, CTRL_EXT, get(e, CTRL_EXT) | CTRL_EXT_IAME | CTRL_EXT_AT_ONCE);
	}
	put(e, IMS, CAUSES);
	e->net.link = get(e, STATUS) & STATUS_LU;
	return NET_READY;
}

#define RESET_NS	3000000ul	/* until then it may not be touched, nor is its EEPROM read */

static enum net_state step(struct net_device *dev, bool first)
{
	struct e1000 *e = (struct e1000 *)dev;
	if (first) {
		put(e, IMC, ~0u);
		put(e, RCTL, 0);
		put(e, TCTL, 0);
		put(e, CTRL, get(e, CTRL) | CTRL_RST);
		e->reset_at = block_clock();
		return NET_BUSY;
	}
	if (block_clock() - e->reset_at < RESET_NS)
		return NET_BUSY;
	uint32_t ctrl = get(e, CTRL);
	return ctrl == ~0u ? NET_FAILED : ctrl & CTRL_RST ? NET_BUSY : bring_up(e);
}

/* ---- frames ---------------------------------------------------------------------- */

static void *header(struct net_device *dev)
{
	struct e1000 *e = (struct e1000 *)dev;
	return e->frames < FRAMES ? e->mem->header[e->header_next] : NULL;
}

static void tx_put(struct e1000 *e, uint64_t addr, unsigned n, uint8_t cmd)
{
	e->mem->tx[e->tx_next] = (struct tx){ .addr = addr, .length = n, .cmd = cmd };
	e->tx_next = (e->tx_next + 1) % RING;
}

static void send(struct net_device *dev, unsigned n, uint64_t phys, unsigned rest)
{
	struct e1000 *e = (struct e1000 *)dev;
	uint64_t at = e->phys + offsetof(struct memory, header) + e->header_next * NET_HEADER;
	uint8_t end = TX_END | TX_REPORT | TX_FCS;
	tx_put(e, at, n, rest ? TX_FCS : end);
	if (rest)
		tx_put(e, phys, rest, end);
	e->last[e->header_next] = (e->tx_next + RING - 1) % RING;
	e->header_next = (e->header_next + 1) % NET_QUEUE;
	e->frames++;
}

static void sent_look(struct e1000 *e)
{
	while (e->frames) {
		unsigned oldest = (e->header_next + NET_QUEUE - e->frames) % NET_QUEUE;
		if (!(e->mem->tx[e->last[oldest]].status & TX_DONE))
			return;
		e->frames--;
		net_sent(&e->net);
	}
}

static void kick(struct net_device *dev)
{
	struct e1000 *e = (struct e1000 *)dev;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	put(e, TDT, e->tx_next);
	sent_look(e);			/* earlier ones, or these: an emulated card is done already */
}

/* Frames with errors, or in more than one buffer, are not taken up. */
static bool received_look(struct e1000 *e)
{
	unsigned n = 0;
	for (; n < NET_QUEUE && e->mem->rx[e->rx_next].status & RX_DONE; n++) {
		struct rx *rx = &e->mem->rx[e->rx_next];
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		unsigned status = rx->status, length = rx->length;
		if (status & RX_END && !rx->errors && length <= NET_BUFFER)
			net_received(&e->net, e->mem->buffer[e->rx_next], length);
		rx->status = 0;
		e->rx_next = (e->rx_next + 1) % RING;
	}
	e->rx_free += n;
	if (e->rx_free >= GIVE) {
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		put(e, RDT, (e->rx_next + RING - 1) % RING);
		e->rx_free = 0;
	}
	return n == NET_QUEUE;
}

static bool poll(struct net_device *dev)
{
	struct e1000 *e = (struct e1000 *)dev;
	/* Else the next interrupt would come 128 us after this one at the earliest, whatever ITR says, and
	 * once one was held back, each would come twice (QEMU).  Before ICR is read: what comes until then
	 * has interrupted already. */
	if (e->pci.id == ID_82574L && dev->interrupts)
		put(e, IMS, ~0u);
	uint32_t causes = get(e, ICR);	/* whatever comes from here on interrupts again */
	bool more = received_look(e);
	sent_look(e);
	if (!(causes & CAUSE_LINK) && (causes || dev->interrupts))
		return more;
	uint32_t status = get(e, STATUS);
	if (status != ~0u)		/* ones: it is gone; what is being sent tells */
		dev->link = status & STATUS_LU;
	return more;
}

static void off(struct net_device *dev)
{
	struct e1000 *e = (struct e1000 *)dev;
	pci_master(&e->pci, false);
}

bool e1000_probe(const struct pci_function *f)
{
	static const struct net_driver driver = { "e1000", step, header, send, kick, poll, off };
	uint64_t unused;
	if (f->vendor != VENDOR || (f->id != ID_82540EM && f->id != ID_82574L))
		return false;
	volatile uint8_t *regs = pci_bar(f, 0, 0, REGISTERS);
	if (!regs)
		return false;
	struct e1000 *e = block_memory(sizeof *e, 0, &unused);
	e->net.driver = &driver;
	if (f->id == ID_82574L)
		__builtin_memcpy(e->net.model, "Intel 82574L", sizeof "Intel 82574L");
	else
		__builtin_memcpy(e->net.model, "Intel 82540EM", sizeof "Intel 82540EM");
	e->pci = *f;
	e->regs = regs;
	e->mem = block_memory(sizeof *e->mem, 4096, &e->phys);
	put(e, IMC, ~0u);
	pci_master(f, true);
	e->net.interrupts = pci_interrupt(f, net_interrupt, &e->net);
	e->net.sends_quietly = true;
	net_found(&e->net);
	return true;
}
