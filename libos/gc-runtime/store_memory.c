/* A store in memory outside the pool: for tests, and where there is no disk.  It grows as it is
 * written.  See store.h.
 */
#include "libos/gc-runtime/store.h"
#include "libos/gc-runtime/mmu.h"
#include "libos/gc-runtime/port.h"

#define CHUNK	256u			/* pages */
#define CHUNKS	2048u
#define EINVAL		22
#define ENOMEM	12

static uint8_t *chunk[CHUNKS];

/* `where`: how many MiB, else as much as is wanted. */
static int memory_open(const char *where, uint32_t *slots)
{
	uint64_t mib;
	if (*where && (!text_number(where, &mib) || !mib))
		return -EINVAL;
	if (*where && mib < *slots >> 8)
		*slots = mib << 8;
	return 0;
}

/* NULL: no memory is left for it. */
static uint8_t *place(uint32_t slot)
{
	uint8_t **c = &chunk[(slot - 1) / CHUNK];
	if (!*c)
		*c = port_memory(CHUNK * MMU_PAGE);
	return *c ? *c + (uint64_t)((slot - 1) % CHUNK) * MMU_PAGE : NULL;
}

static int memory_write(const struct gc_io *io, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t *to = place(io[i].slot);
		if (!to)
			return -ENOMEM;
		memcpy(to, mmu_window(io[i].frame), MMU_PAGE);
	}
	return 0;
}

static int memory_read(const struct gc_io *io, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		memcpy(mmu_window(io[i].frame), place(io[i].slot), MMU_PAGE);
	return 0;
}

const struct gc_store store_memory = { "memory", "memory outside the limit: memory[:MIB]",
	memory_open, memory_write, memory_read, NULL };
