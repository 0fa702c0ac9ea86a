/* Disks, and requests on their way to them. */
#ifndef EXO_DISK_H
#define EXO_DISK_H

#include "context.h"
#include "net.h"
#include "drivers/block.h"

/* ---- requests (ring.c): they lie in their ring's object ------------------- */

enum request_state { REQUEST_FREE, REQUEST_WAITING, REQUEST_ISSUED };

/* A request is named by its ring: id * EXO_RING_SLOTS + index. */
struct request {
	uint64_t id;			/* the libOS's */
	uint64_t lba;			/* sector of the disk */
	uint64_t deadline;		/* once issued */
	uint32_t extent, loan;		/* slots of the capabilities used; 0: none */
	struct link link;		/* waiting requests of a class */
	uint16_t sectors;
	uint8_t op, class, offset, frames;
	uint8_t state, disk, tries;
	bool dying;			/* a capability that it uses is being deleted */
	uint32_t frame[EXO_REQUEST_FRAMES];	/* pinned */
};

struct ring {
	uint32_t id, domain;
	uint32_t header, entries;	/* pinned frames */
	struct link link;		/* the domain's rings */
	struct cap_ref event;
	uint64_t taken, completed;	/* as in the header, which is not read back */
	uint64_t due;			/* when the owner is to be told of completions; 0: it was */
	struct link held;		/* rings with such a time */
	uint32_t kind, slots;
	union {
		struct request request[EXO_RING_SLOTS];
		struct packet_ring packets;	/* net.h */
	};
};
_Static_assert(sizeof(struct ring) <= EXO_PAGE_SIZE, "ring object");

static inline struct ring *ring_at(uint32_t id) { return pfn_to_virt(id); }
static inline struct request *request_at(uint32_t name)
{
	return &ring_at(name / EXO_RING_SLOTS)->request[name % EXO_RING_SLOTS];
}
/* Writes a completion, for which ring_room left room. */
void ring_complete(struct ring *r, uint64_t id, uint64_t status, unsigned amount);
/* Its event. */
void ring_tell(struct ring *r);
/* Takes what was submitted, as far as there is room; status of ring_submit. */
uint64_t ring_take(struct ring *r, uint64_t *n);
/* Unpins its frames and completes it, with a code. */
void request_done(uint32_t name, unsigned code);
/* A capability in d's table (slot s) ends: requests that use it end.  False: a disk still works on
 * one. */
bool requests_end(struct domain *d, const struct slot *s, unsigned *budget);
/* The ring's first capability ends.  False: as above. */
bool ring_end(struct ring *r, unsigned *budget);
/* Rings whose owners wait to be told of completions; those whose time has come are. */
extern struct rings_held { uint32_t first, count; } rings_held;
void rings_look(uint64_t now);

/* ---- disks (disk.c) -------------------------------------------------------- */

#define DISKS_MAX	8u

enum disk_state { DISK_READY, DISK_RESETTING, DISK_GONE };

struct disk {
	struct block_device *dev;
	uint32_t waiting[EXO_BLK_CLASSES];	/* rings of requests */
	uint32_t tag[BLOCK_TAGS];		/* the request at the disk under it; 0: unused */
	unsigned issued, background;	/* how many; of classes other than DEMAND */
	unsigned turn;			/* counts starts */
	uint8_t state;
	uint64_t reset_started, resets;
};
extern struct disk disks[DISKS_MAX];
extern unsigned disk_count;

void disk_add(struct block_device *dev);	/* at boot; it gets its number */
void disk_queue(uint32_t name);		/* a request whose disk is set: waits, or starts */
void disk_unqueue(uint32_t name);	/* one that waits */

/* When somebody has to look at the disks again; EXO_FOREVER: never. */
extern uint64_t disks_deadline;
void disks_tick(uint64_t now);

#endif
