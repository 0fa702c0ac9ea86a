/* The kernel's calls for libOS code: the generated inline stubs, and loops that
 * carry a batch or a restartable call to its end.
 *
 * Left to others: what to do about a refusal (every function returns the status).
 */
#ifndef COMMON_CALLS_H
#define COMMON_CALLS_H

#define EXO_STUBS
#include "exo/calls.h"
#include <stdbool.h>
#include <stddef.h>

#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))

/* Each returns EXO_OK, or the status of the first item that was refused; *done (may be
 * NULL) is how many items were carried out.  `dom` as in the call: 0 = oneself. */
uint64_t exo_retype_all(uint64_t dom, const uint64_t *items, size_t n, size_t *done);
/* flags EXO_FLUSH_VA is not for batches: va is per item, and a batch may be cut.  Use 0,
 * LOCAL or ALL: the flush is done with the last part. */
uint64_t exo_pt_write_all(uint64_t dom, struct exo_pt_item *items, size_t n, uint64_t cap,
	uint64_t flags, size_t *done);
uint64_t exo_give_all(uint64_t from, uint64_t to, uint64_t pfn, uint64_t count, uint64_t *done);
/* Bytes between frames, physical addresses; src ~0: zeroes. */
uint64_t exo_copy_all(uint64_t dom, uint64_t dst, uint64_t sdom, uint64_t src, uint64_t len,
	uint64_t cap);
uint64_t exo_destroy_all(uint64_t dom, uint64_t *frames);
uint64_t exo_delete_all(uint64_t dom, uint64_t cap);
uint64_t exo_revoke_all(uint64_t dom, uint64_t cap);
/* Text of any length to the kernel's log. */
uint64_t exo_log_all(uint64_t machine, const char *text, size_t n);

/* A status as text: "BUSY", and its meaning. */
const char *exo_status_name(uint64_t status);
const char *exo_status_text(uint64_t status);

#endif
