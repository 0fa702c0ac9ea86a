/* Frames of the heap that the kernel may take at once, unasked.  See offers.c. */
#ifndef GC_OFFERS_H
#define GC_OFFERS_H

#include "libos/gc-runtime/paging.h"

#define OFFERS_MAX	8192u		/* frames: 32 MiB */

void offers_init(uint32_t frames);
/* Pages that leave may go on standby. */
bool offers_open(void);
/* More is on offer than is to be. */
bool offers_full(void);
/* A page that has left, and is mapped to be read, is on standby. */
void standby_enter(uint32_t page);
/* It is none any more: mapped, to be written; false: its frame went. */
bool standby_back(uint32_t page);
/* It is none any more: not mapped. */
void standby_leave(uint32_t page);
/* Some of what is on offer is free again, as far as it is there; false: nothing is on offer. */
bool offers_recall(void);
/* What the pool has to spare is on offer; false: that is less than is to be. */
bool offers_fill(void);

#endif
