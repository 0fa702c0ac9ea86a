/* An inner session: a POSIX session in a domain that another one started (inner.c). */
#ifndef POSIX_INNER_H
#define POSIX_INNER_H

#include "libos/posix/posix.h"

extern bool inner;			/* this is one */
void inner_attach(void);		/* finds out whether it is */
void inner_news(void);			/* EVENT_LINE came: the proxy has something */
#define INNER_WORDS	128u		/* of arguments, and of environment, with the NULL */
/* The first program's words; without any it is a shell. */
void inner_words(const char **argv, const char **env);
long inner_open(struct files *files);	/* descriptors 0, 1, 2 */
_Noreturn void inner_exit(int status);

#endif
