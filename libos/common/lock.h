/* A spin lock between contexts of one domain.
 *
 * A context that holds it may be interrupted by its own upcalls: take it with events masked
 * wherever a handler takes it too.  A waiter yields, since the holder's slice may be over.
 */
#ifndef COMMON_LOCK_H
#define COMMON_LOCK_H

#include "calls.h"

struct lock { uint32_t held; };

static inline bool lock_try(struct lock *l)
{
	return !__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE);
}
static inline void lock_take(struct lock *l)
{
	for (unsigned spins = 1; !lock_try(l); spins++) {
		__asm__ volatile("pause");
		if (spins % 256 == 0)
			exo_yield(0);
	}
}
static inline void lock_release(struct lock *l)
{
	__atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
}

#endif
