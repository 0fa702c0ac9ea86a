/* What the files that make a guest share. */
#ifndef VMM_LOAD_H
#define VMM_LOAD_H

#include "libos/vmm/vmm.h"
#include "libos/common/common.h"
#include "libos/vmm/image.h"

/* A file of the session. */
struct load_file { const char *path; uint32_t number; uint64_t size; };
struct load_file load_open(const char *path);
/* The whole of it; vm_refuse if it can't be read. */
void load_read(const struct load_file *f, void *to);
void load_close(const struct load_file *f);

/* The kernel, placed in the build window. */
void load_kernel(const char *path, struct image *e);

void shim_init(void);

#endif
