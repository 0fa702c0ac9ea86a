/* A backing store: pages by slot number, 1 to slots.
 *
 * Batches, so that a store with a queue can have them all in flight; a call returns when the batch is
 * done.  0 or -errno; after an error the content of the slots of that batch is undefined, the frames
 * are as they were (write) or undefined (read).
 */
#ifndef GC_STORE_H
#define GC_STORE_H

#include <stdbool.h>
#include <stdint.h>

struct gc_io { uint32_t slot; uint64_t frame; };	/* mmu_window shows the frame's bytes */
struct gc_store {
	const char *name, *about;
	/* `where`: what follows the name and a colon in the option, or "".  Up to *slots pages; says how
	 * many there are. */
	int (*open)(const char *where, uint32_t *slots);
	int (*write)(const struct gc_io *io, unsigned n);
	int (*read)(const struct gc_io *io, unsigned n);
	void (*drop)(uint32_t slot);	/* its content is of no use any more; NULL: of no interest */
};
extern const struct gc_store store_memory, store_file;
extern const struct gc_store store_disk;	/* on Virtue only */
extern const struct gc_store store_swap;	/* on Linux only */

/* Slots, by slots.c. */
int slots_open(const char *option, uint32_t want, const char **why);	/* "memory", "file:PATH" */
uint32_t slot_take(void);		/* 0: the store is full */
void slot_put(uint32_t slot);
uint32_t slots_used(void);
bool slots_full(void);
extern const struct gc_store *store;

#endif
