/* Pipes: what pipe.c offers to the rest of the files half. */
#ifndef POSIX_PIPE_H
#define POSIX_PIPE_H

#include "libos/posix/vfs.h"

#define PIPE_BUF	4096u

long pipe_size(struct file *f, int command, uint64_t arg);	/* F_SETPIPE_SZ, F_GETPIPE_SZ */
bool pipe_broken(struct file *writer);	/* nobody reads: SIGPIPE was sent */
/* Both ends of a new pipe; flags: O_NONBLOCK. */
long pipe_make(struct file **reader, struct file **writer, uint32_t flags);

/* For a libOS source that feeds a pipe (the session's input): what fits, and putting it there. */
size_t pipe_room(struct file *writer);
void pipe_feed(struct file *writer, const void *bytes, size_t n);
/* Calls `fn` whenever a reader has made room. */
void pipe_on_room(struct file *writer, void (*fn)(void));

#endif
