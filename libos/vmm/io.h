/* What the I/O thread's files offer each other: io.c (the loop), console.c, store.c, blk.c.
 *
 * All of it runs on the I/O thread alone, except the notify functions, which only io_kick.
 * A `serve` function does what can be done now, never blocks on the guest, and is called again
 * after each kick.
 */
#ifndef VMM_IO_H
#define VMM_IO_H

#include "vmm.h"

/* io.c: bytes between the monitor's memory and guest frames, by physical address; nothing crosses a
 * page.  False: that frame is no data any more. */
bool io_to_guest(uint64_t phys, const void *from, size_t n);
void io_from_guest(void *to, uint64_t phys, size_t n);

/* console.c */
void console_init(void);
void console_serve(void);
unsigned console_wants(void);		/* PROXY_WAIT_*: what it waits for at the proxy */
void console_drain(void);		/* the output that is there now, blocking */

/* store.c.  Paths are absolute. */
#define STORE_HOME	"/local/domain/1"	/* of the guest; relative paths begin here */
#define STORE_BACK	"/local/domain/0/backend/vbd/1"	/* of our back ends */
void store_init(void);
void store_serve(void);
int store_get(const char *path, char *to, size_t size);	/* terminated; length or -errno */
int store_get_number(const char *path, uint64_t *n);
int store_set_number(const char *path, uint64_t n);
/* What the monitor owns and the guest may only read. */
int store_read_only(const char *path);

/* blk.c */
void blk_init(void);			/* opens the disks; vm_refuse if one is bad */
void blk_serve(unsigned disk);
void blk_store_changed(const char *path);	/* the guest changed something there */
void blk_close(void);			/* all written to the files */

#endif
