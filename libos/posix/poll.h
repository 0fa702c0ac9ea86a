/* Polling: what poll.c offers to the rest of the files half. */
#ifndef POSIX_POLL_H
#define POSIX_POLL_H

#include "libos/posix/vfs.h"

#define POLL_READY (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)
#define NEVER (~0ull)

uint32_t file_poll(struct file *f, struct pollset *set);
/* Before f goes: who polls it, and does not hold it, leaves its queues. */
void pollers_end(struct file *f);
void pollset_init(struct pollset *set, uint64_t deadline);
void pollset_end(struct pollset *set);
/* Sleeps on all that was added; as sleep_on.  Then the set is empty again. */
long pollset_sleep(struct pollset *set);

/* Deadlines from timeouts: NULL = never. */
long deadline_from_user(uint64_t timespec, uint64_t *deadline);
uint64_t deadline_after(uint64_t seconds, uint64_t ns);

/* A signal mask from user memory for the length of this call; 0 or -errno. */
long mask_from_user(uint64_t mask, uint64_t size);

void epoll_forget(struct file *f);	/* f is closed: out of all sets */

#endif
