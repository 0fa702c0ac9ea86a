/* /proc: text being made, and the two tables of what is there (proc_system.c, proc_process.c). */
#ifndef POSIX_PROC_H
#define POSIX_PROC_H

#include "libos/posix/vfs.h"

/* Text that grows; lost: there was no memory for all of it. */
struct text {
	char *buf;
	size_t n, room;
	bool lost;
};
void text_print(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Space for n more bytes, at t->buf + t->n; NULL: no memory. */
char *text_space(struct text *t, size_t n);

/* A name in /proc.  p is the process of /proc/PID, else NULL; n the descriptor of /proc/PID/fd. */
struct proc_node {
	const char *name;
	uint32_t mode;
	void (*show)(struct text *t, struct process *p);
	long (*write)(struct process *p, const char *text, size_t n);
	long (*readlink)(struct process *p, int n, char *buf, size_t size);
	long (*follow)(struct process *p, int n, struct dentry **out);
	const struct proc_node *children;	/* ends with a NULL name */
	/* A folder with `follow` holds a process's descriptors. */
};
extern const struct proc_node proc_system[], proc_process[], proc_fd_node;
extern const struct proc_node proc_net[];	/* net_config.c */

#endif
