/* What tmpfs offers beyond the operations of an inode. */
#ifndef POSIX_TMPFS_H
#define POSIX_TMPFS_H

#include "libos/posix/vfs.h"

long tmpfs_link_set(struct inode *i, const char *text);		/* a new symbolic link's target */
long tmpfs_punch(struct inode *i, uint64_t from, uint64_t to);	/* [from, to) reads as zeroes */
long tmpfs_reserve(struct inode *i, uint64_t from, uint64_t to);	/* -ENOSPC */

#endif
