/* The table of event functions.  See event.h. */
#include "libos/common/event.h"

static struct { event_fn *fn; void *arg; } table[64];
static uint64_t taken = ~EXO_EV_USER;

void event_dispatch(struct upcall_regs *r, uint64_t bits)
{
	for (; bits; bits &= bits - 1) {
		unsigned bit = __builtin_ctzll(bits);
		if (table[bit].fn)
			table[bit].fn(r, bit, table[bit].arg);
	}
}

void event_handle(unsigned bit, event_fn *fn, void *arg)
{
	if (bit >= 64)
		return;
	table[bit].fn = NULL;
	table[bit].arg = arg;
	__atomic_store_n(&table[bit].fn, fn, __ATOMIC_RELEASE);
}

int event_alloc(event_fn *fn, void *arg)
{
	uint64_t was = __atomic_load_n(&taken, __ATOMIC_RELAXED);
	unsigned bit;
	do {
		if (!~was)
			return -1;
		bit = __builtin_ctzll(~was);
	} while (!__atomic_compare_exchange_n(&taken, &was, was | 1ul << bit, false,
		__ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	event_handle(bit, fn, arg);
	return bit;
}

void event_free(unsigned bit)
{
	if (bit < 16 || bit >= 64)
		return;
	event_handle(bit, NULL, NULL);
	__atomic_fetch_and(&taken, ~(1ul << bit), __ATOMIC_RELEASE);
}
