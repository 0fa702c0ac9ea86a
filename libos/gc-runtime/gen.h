/* The generational part, for the collectors that add to it.  See gen.c. */
#ifndef GC_GEN_H
#define GC_GEN_H

#include "libos/gc-runtime/region.h"

void gen_init(const struct region_hooks *hooks);
void gen_collect(enum gc_scope scope);
struct gc_object *gen_allocate(uint32_t refs, uint64_t granules);
enum page_fate gen_leaving(uint32_t page);

#endif
