/* What a network card's driver and the kernel (exo/core/net.c) are to each other.
 *
 * All functions run with the kernel's lock held and interrupts off, and never wait: a driver that
 * has to wait for its device says BUSY and is called again.  Time-outs are the kernel's.  Memory and
 * the clock are those of drivers/block.h.
 */
#ifndef DRIVERS_NET_H
#define DRIVERS_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_QUEUE	128u	/* frames to be sent, or received, at a time */
#define NET_HEADER	128u	/* of a frame that is sent */
#define NET_BUFFER	2048u	/* for a frame that is received */

enum net_state { NET_BUSY, NET_READY, NET_FAILED };
struct net_device;

struct net_driver {
	const char *name;
	/* Brings the device up, or up again: begin with `first`, then call until it is not BUSY.
	 * Fills in what is below.  Once it is READY, nothing of before `first` is done to memory any
	 * more, and nothing is being sent. */
	enum net_state (*step)(struct net_device *dev, bool first);
	/* Where the first NET_HEADER bytes of the next frame go; NULL: no room. */
	void *(*header)(struct net_device *dev);
	/* Queues it: `n` bytes from there, then `rest` bytes of memory (0: nothing follows). */
	void (*send)(struct net_device *dev, unsigned n, uint64_t phys, unsigned rest);
	/* Tells the device of what was queued since the last time; may call net_sent. */
	void (*kick)(struct net_device *dev);
	/* Calls net_received and net_sent for what has happened: at most NET_QUEUE of each, in order;
	 * keeps `link` right.  True: so many came that more may be there, and no interrupt will tell. */
	bool (*poll)(struct net_device *dev);
	/* For good: the device reaches no memory any more. */
	void (*off)(struct net_device *dev);
};

struct net_device {
	const struct net_driver *driver;
	uint8_t mac[6];
	bool link;
	bool interrupts;		/* else it has to be polled, */
	bool sends_quietly;		/* and as long as it sends, if it does not interrupt for that */
	char model[32];
	unsigned number;		/* the kernel's */
};

/* ---- offered to drivers by the kernel ------------------------------------ */

void net_found(struct net_device *dev);		/* while probing: a device to bring up */
/* From poll: a frame came, without its checksum; it may be overwritten afterwards. */
void net_received(struct net_device *dev, const uint8_t *frame, unsigned length);
void net_sent(struct net_device *dev);		/* from poll or kick: the oldest frame is sent */
void net_interrupt(void *dev);			/* as a handler of pci_interrupt */

#endif
