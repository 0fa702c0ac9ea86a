/* See part.h. */
#include "tests/guest/part.h"

uint64_t part_init(const struct exo_start *s, uint64_t count)
{
	struct exo_start part = { .root = s->root };
	for (unsigned i = 0; i < s->extents && count; i++) {
		struct exo_start_extent *e = &part.extent[part.extents++];
		*e = s->extent[i];
		if (e->count > count)
			e->count = count;
		count -= e->count;
	}
	return frames_init(&part, false);
}
