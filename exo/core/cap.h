/* What the files on capabilities share, below the interface in core.h. */
#ifndef EXO_CAP_H
#define EXO_CAP_H

#include "core.h"

#define TABLE_PFN_BITS	25	/* a slot's global name is pfn * 128 + index, in 32 bits */

struct slot *domain_slot(const struct domain *d, uint64_t index);
void cap_table_add(struct domain *d, uint64_t pfn);	/* checked: an object frame to be */
/* Like cap_find, but a dying capability of any type will do. */
uint64_t cap_find_any(struct domain *d, uint64_t name, unsigned at, struct slot **out);
uint64_t cap_depth_check(const struct slot *parent);	/* may it have children? */
void slot_link(struct slot *s, struct slot *parent);	/* as its first child */
void slot_unlink(struct slot *s);
void slot_fill(struct slot *s, const struct slot *value, struct slot *parent);

/* When a first capability was moved to another slot, its `next` names the old one until all
 * that was derived from it has moved over.  False when the budget is used up: call again. */
bool cap_move_finish(struct slot *first, unsigned *budget);
/* Deletes a capability with all that is derived from it, from the leaves up; the slot itself
 * last.  False when the budget is used up: call again. */
bool cap_delete_tree(struct slot *s, unsigned *budget, uint64_t *deleted);

#endif
