/* What the processes half needs of files beyond posix.h, in terms of vfs.h (fileview.c). */
#ifndef POSIX_FILEVIEW_H
#define POSIX_FILEVIEW_H

#include "libos/posix/posix.h"

int file_mode(struct file *f);			/* O_* flags it was opened with */
bool file_is_zeroes(struct file *f);		/* /dev/zero: a mapping of it is memory */
void file_identity(struct file *f, uint64_t *dev, uint64_t *ino);
long file_write_kernel(struct file *f, const char *text, size_t n);	/* from libOS memory */
char *file_text(const char *path);		/* a whole file, terminated; to be kfree'd; NULL */
long directory_enter(const char *path);		/* chdir */

#endif
