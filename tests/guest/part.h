/* A part of a session's memory for tests that do without the physmap: the allocator without it
 * holds a few regions only.  The rest stays unused.
 */
#ifndef TEST_PART_H
#define TEST_PART_H

#include "libos/common/common.h"

/* frames_init without the physmap, on at most `count` of the frames. */
uint64_t part_init(const struct exo_start *s, uint64_t count);

#endif
