/* What a disk's driver and the kernel (exo/core/disk.c) are to each other.
 *
 * All functions run with the kernel's lock held and interrupts off, and never wait: a driver that
 * has to wait for its device says BUSY and is called again.  Time-outs are the kernel's.
 */
#ifndef DRIVERS_BLOCK_H
#define DRIVERS_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_TAGS	32u		/* requests at a disk, at most */
#define BLOCK_FRAMES	16u		/* of a request */
#define BLOCK_SECTOR	512u

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH };

/* One request: sectors of 512 bytes, into or out of frames; the data begins `offset` bytes into
 * the first frame and at the start of the others. */
struct block_io {
	enum block_op op;
	uint64_t lba;
	uint32_t sectors, offset;
	unsigned frames;
	const uint32_t *frame;		/* pfns, pinned until block_done */
};

enum block_state { BLOCK_BUSY, BLOCK_READY, BLOCK_FAILED };
struct block_device;

struct block_driver {
	const char *name;
	/* Brings the device up, or up again: begin with `first`, then call until it is not BUSY.
	 * Fills in what is below.  Once it is READY, nothing of before `first` is done any more,
	 * to memory or on the medium, and no tag is in use. */
	enum block_state (*step)(struct block_device *dev, bool first);
	/* Starts a request under a tag below `depth` that is not in use.  FLUSH only with `cache`. */
	void (*start)(struct block_device *dev, unsigned tag, const struct block_io *io);
	/* Calls block_done for each tag that has finished. */
	void (*poll)(struct block_device *dev);
	/* For good: the device reaches no memory any more. */
	void (*off)(struct block_device *dev);
};

struct block_device {
	const struct block_driver *driver;
	uint64_t sectors;		/* of 512 bytes */
	uint32_t sector_size;		/* bytes: requests are multiples of it */
	unsigned depth;
	bool read_only, cache;		/* has a volatile cache: BLOCK_FLUSH does something */
	bool interrupts;		/* else it has to be polled */
	char model[32];
	unsigned number;		/* the kernel's */
};

/* ---- offered to drivers by the kernel ------------------------------------ */

/* While probing: memory for good, zeroed; its physical address. */
void *block_memory(size_t size, size_t align, uint64_t *phys);
void block_found(struct block_device *dev);	/* a device to bring up */
/* From poll: the request under that tag is over; ok: as asked. */
void block_done(struct block_device *dev, unsigned tag, bool ok);
uint64_t block_clock(void);			/* ns since boot */
void block_interrupt(void *dev);		/* as a handler of pci_interrupt */

/* Words of 16 bits, with the bytes of each exchanged (ATA), or plain text; ends with a zero, without
 * blanks behind. */
void block_text(char *to, size_t size, const void *from, size_t n, bool swapped);

#endif
