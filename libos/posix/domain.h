/* /dev/domain: programs of other libOSes, in domains of their own (docs/proxy.md). */
#ifndef POSIX_DOMAIN_H
#define POSIX_DOMAIN_H

#include "libos/posix/posix.h"

#define EVENT_DOMAIN	(1ul << 18)	/* some domain has news: see events_take */
#define DOMAIN_TOOL	"/bin/domain"

struct file_ops;
extern const struct file_ops domain_ops;
void domain_news(void);			/* EVENT_DOMAIN came */
/* Is this ELF file a program of another libOS?  Then exec starts DOMAIN_TOOL in its place. */
bool domain_program(struct file *f, const void *head, long n);

#endif
