/* The store's slots.  See store.h.
 *
 * Next fit, so that pages that leave together lie together; within a part of the store that grows only
 * when three quarters of it are used, so that the store stays as small as what is in it.
 */
#include "libos/gc-runtime/store.h"
#include "libos/gc-runtime/gc.h"
#include "libos/gc-runtime/port.h"
#include <stddef.h>

#define SLOTS_MAX	524288u
#define STEP		256u

const struct gc_store *store;
static uint64_t used[SLOTS_MAX / 64 + 1];
static uint32_t slots, taken, hint, top;

static const struct gc_store *const stores[] = { &store_file, &store_memory,
#if __STDC_HOSTED__
	&store_swap,
#else
	&store_disk,
#endif
};

const char *gc_store_name(unsigned i, const char **about)
{
	if (i >= ARRAY_SIZE(stores))
		return NULL;
	*about = stores[i]->about;
	return stores[i]->name;
}

int slots_open(const char *option, uint32_t want, const char **why)
{
	*why = "there is no such store";
	for (unsigned i = 0; i < ARRAY_SIZE(stores); i++) {
		size_t n = strlen(stores[i]->name);
		if (strncmp(option, stores[i]->name, n) || (option[n] && option[n] != ':'))
			continue;
		store = stores[i];
		slots = want < SLOTS_MAX ? want : SLOTS_MAX;
		*why = "it cannot be opened";
		return store->open(option[n] ? option + n + 1 : "", &slots);
	}
	return -1;
}

uint32_t slots_used(void) { return taken; }
bool slots_full(void) { return taken == slots; }

static void extend(void)
{
	if (top < slots && (uint64_t)taken * 4 >= (uint64_t)top * 3)
		top = slots - top < STEP ? slots : top + STEP;
}

uint32_t slot_take(void)
{
	extend();
	uint32_t words = (top + 63) / 64;
	if (taken == slots)
		return 0;
	for (uint32_t k = 0; k <= words; k++) {
		uint32_t w = (hint / 64 + k) % words;
		uint64_t free = ~used[w];
		if (!k)
			free &= ~0ul << hint % 64;
		uint32_t at = w * 64 + (free ? __builtin_ctzl(free) : 0);
		if (!free || at >= top)
			continue;
		used[w] |= 1ul << at % 64;
		taken++;
		hint = (at + 1) % (words * 64);
		return at + 1;
	}
	return 0;
}

void slot_put(uint32_t slot)
{
	used[(slot - 1) / 64] &= ~(1ul << (slot - 1) % 64);
	taken--;
	if (store->drop)
		store->drop(slot);
}
