/* A store in memory outside the pool: for tests, and where there is no disk.  See store.h. */
#include "libos/gc-runtime/store.h"
#include "libos/gc-runtime/mmu.h"
#include "libos/gc-runtime/port.h"

static uint8_t *pages;

/* `where`: how many MiB, else as much as is wanted. */
static int memory_open(const char *where, uint32_t *slots)
{
	uint64_t mib;
	if (*where && text_number(where, &mib) && mib << 8 < *slots)
		*slots = mib << 8;
	pages = port_memory((uint64_t)*slots * MMU_PAGE);
	return pages ? 0 : -12;
}

static uint8_t *place(uint32_t slot) { return pages + (uint64_t)(slot - 1) * MMU_PAGE; }

static int memory_write(const struct gc_io *io, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		memcpy(place(io[i].slot), mmu_window(io[i].frame), MMU_PAGE);
	return 0;
}

static int memory_read(const struct gc_io *io, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		memcpy(mmu_window(io[i].frame), place(io[i].slot), MMU_PAGE);
	return 0;
}

const struct gc_store store_memory = { "memory", "memory outside the limit: memory[:MIB]",
	memory_open, memory_write, memory_read };
