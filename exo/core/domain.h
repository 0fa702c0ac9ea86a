/* What the files on domains share, below the interface in core.h. */
#ifndef EXO_DOMAIN_H
#define EXO_DOMAIN_H

#include "core.h"

#define DOMAIN_RIGHTS	(EXO_R_GRANT | EXO_R_INFO | EXO_R_GIVE | EXO_R_MANAGE | EXO_R_REVOKE | \
	EXO_R_DESTROY)

void domain_adopt(struct domain *d, struct domain *parent);	/* into the parent's list */
void domain_orphan(struct domain *d);				/* out of it */
void domain_signal(struct domain *d, uint64_t bits);		/* to all its contexts */
/* All page tables gone, all capabilities gone: may be freed with its first capability. */
bool domain_finished(const struct domain *d);
void domain_free(struct domain *d);

#endif
