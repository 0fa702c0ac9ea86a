/* Events for programs that don't want to decode bits: a table of functions by bit, for all
 * contexts of the domain; and allocation of the bits 16-63.
 *
 * Put event_dispatch into upcall_handlers.event.  Functions run on the upcall stack with
 * events masked.  Left to others: making event capabilities (exo_event_create).
 */
#ifndef COMMON_EVENT_H
#define COMMON_EVENT_H

#include "upcall.h"

typedef void event_fn(struct upcall_regs *r, unsigned bit, void *arg);

void event_dispatch(struct upcall_regs *r, uint64_t bits);
/* Sets the function of a bit; NULL: ignore it. */
void event_handle(unsigned bit, event_fn *fn, void *arg);
/* Takes a free bit of 16-63; -1 if there is none. */
int event_alloc(event_fn *fn, void *arg);
void event_free(unsigned bit);

#endif
