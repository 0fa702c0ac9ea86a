/* Virtual disks: what a block back end needs of a disk, and the disks that come with the monitor.
 *
 * A disk is a record that begins with a struct vdisk, whose table of functions carries it.  To
 * make one's own: fill such a record in an open function, and name that in a table `vdisk_own`
 * (docs/vmm.md has a complete example).  The disk's functions run on the I/O thread, one at a
 * time, and may block; they see neither the guest's ring nor its grants.  A request's data is not
 * in memory that a disk can touch: it puts there what it has read, and gets from there what is to
 * be written, by vdisk_put and vdisk_get.
 *
 * Hardware-free, except disk_open.c: the same code runs in the POSIX tool and in host tests, which
 * bring their own struct vfile and vdisk_page.  Functions return 0 or a negative errno (the numbers
 * are Xen's and Linux's: xen.h).
 */
#ifndef VMM_DISK_H
#define VMM_DISK_H

#include "libos/common/text.h"
#include "xen.h"

#define VDISK_SECTOR	512u		/* offsets and lengths of requests are multiples of it */
#define VDISK_BLOCK	4096u		/* what the disks here allocate by */

/* The data of one request. */
struct vdisk_io {
	void (*put)(struct vdisk_io *io, size_t at, const void *from, size_t n);
	void (*get)(struct vdisk_io *io, size_t at, void *to, size_t n);
};
/* Bytes [at, at + n) of the request's data.  What cannot be moved (the guest took its frame away)
 * is the guest's loss. */
static inline void vdisk_put(struct vdisk_io *io, size_t at, const void *from, size_t n)
{
	io->put(io, at, from, n);
}
static inline void vdisk_get(struct vdisk_io *io, size_t at, void *to, size_t n)
{
	io->get(io, at, to, n);
}
/* Data in memory, for a disk's own reads and writes. */
struct vdisk_memory {
	struct vdisk_io io;
	uint8_t *bytes;
};
struct vdisk_memory vdisk_memory(void *bytes);

struct vdisk;
struct vdisk_ops {
	/* n bytes from `offset` on, both multiples of VDISK_SECTOR, n > 0, within d->size. */
	int (*read)(struct vdisk *d, uint64_t offset, size_t n, struct vdisk_io *io);
	int (*write)(struct vdisk *d, uint64_t offset, size_t n, struct vdisk_io *io);
	/* What was written before is on the medium when it returns. */
	int (*flush)(struct vdisk *d);
	/* The bytes are of no use any more and may read as zeroes.  NULL: not offered. */
	int (*discard)(struct vdisk *d, uint64_t offset, uint64_t n);
};
struct vdisk {
	const struct vdisk_ops *ops;
	uint64_t size;			/* bytes, a multiple of VDISK_SECTOR */
	bool read_only;			/* write and discard are never called */
};

/* A file, as the disks here use one. */
struct vfile {
	/* All n bytes to or from io's bytes [at, at + n); what lies past the file's end reads as
	 * zeroes, and is made by writing. */
	int (*read)(struct vfile *f, uint64_t offset, size_t n, struct vdisk_io *io, size_t at);
	int (*write)(struct vfile *f, uint64_t offset, size_t n, struct vdisk_io *io, size_t at);
	int64_t (*size)(struct vfile *f);
	int (*sync)(struct vfile *f);
};
/* The same with the caller's memory. */
int vfile_read(struct vfile *f, uint64_t offset, void *to, size_t n);
int vfile_write(struct vfile *f, uint64_t offset, const void *from, size_t n);

uint64_t vdisk_sum(const void *bytes, size_t n);	/* a checksum against accidents */

/* A zeroed page of memory for good, NULL = none left; and one that comes back.  The monitor's are in
 * disk_open.c. */
void *vdisk_page(void);
void vdisk_page_free(void *page);
/* A sparse table of 2^27 numbers (0 at first): the place of one; NULL: it is 0, or with `make`: no
 * memory.  root is a page. */
uint64_t *vdisk_table(uint64_t *root, uint64_t index, bool make);
#define VDISK_TABLE_MAX	(1ul << 27)
void vdisk_table_drop(uint64_t *root);	/* gives back its pages and the root */

/* disk_plain.c: a file of the session, or memory that is as big as what was written to it.  Both
 * may be NULL: `why` then has a line of text. */
struct vdisk *vdisk_of_file(struct vfile *f, bool read_only, char *why, size_t size);
struct vdisk *vdisk_of_memory(uint64_t bytes, char *why, size_t size);

/* disk_cow.c: an overlay file that holds what differs from a base, with snapshots. */
#define COW_BASE	256u		/* bytes of the base's path, terminated */
#define COW_NAME	64u		/* of a snapshot's name, terminated */
#define COW_HEADERS	(2 * VDISK_BLOCK)	/* bytes before the data */
/* Makes an empty overlay in an empty file. */
int cow_create(struct vfile *overlay, const char *base_path, uint64_t base_bytes);
/* The path of the base that the overlay names. */
bool cow_base(struct vfile *overlay, char path[COW_BASE], char *why, size_t size);
struct vdisk *cow_open(struct vfile *overlay, struct vfile *base, char *why, size_t size);
/* The state of now under a name (-XEN_EEXIST: there is one); the state of then again. */
int cow_snapshot(struct vdisk *d, const char *name, uint64_t time);
int cow_rollback(struct vdisk *d, const char *name);
/* Calls `one` for each snapshot, the latest first; time as given to cow_snapshot. */
int cow_list(struct vdisk *d, void (*one)(void *arg, const char *name, uint64_t time), void *arg);
/* disk_open.c: a disk by its specification on the command line.  Find: NULL, and `why`, if that is
 * bad; open: vm_refuse then. */
struct vdisk *vdisk_find(const char *spec, char *why, size_t size);
struct vdisk *vdisk_open(const char *spec);
/* A kind of disk: `open` gets what follows the prefix. */
struct vdisk_kind {
	const char *prefix;
	struct vdisk *(*open)(const char *rest, char *why, size_t size);
};
/* Kinds that a file linked with the monitor adds; the last entry is empty. */
extern const struct vdisk_kind vdisk_own[];

#endif
