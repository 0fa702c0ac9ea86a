/* The end of a domain, in steps that each stop within the budget and go on at the next call:
 * contexts leave their CPUs, their capabilities and they go; page tables become data, from the
 * roots down; capabilities go, loans to others with all that was derived from them; at last
 * all frames go to the parent.  Children, and contexts made for others, become the parent's.
 * The domain object stays, for domain_info, until its first capability is deleted.
 *
 * Frames arrive at the parent as they were: it may look at the remains.
 */
#include "cap.h"
#include "domain.h"
#include "table.h"
#include "context.h"

#define MOVE_UNITS	8u	/* a frame to the parent; its region may have to be recounted */

static uint64_t end_running(struct domain *d, unsigned *budget)
{
	(void)budget;
	if (d->state != EXO_DS_DYING) {
		d->state = EXO_DS_DYING;
		if (!d->reason)
			d->reason = EXO_DEAD_DESTROYED;
		domain_signal_watch(d);
	}
	return contexts_stop(d) ? EXO_OK : EXO_AGAIN;
}

static uint64_t end_contexts(struct domain *d, unsigned *budget)
{
	uint64_t deleted = 0;

	while (d->context_head)
		if (!cap_delete_tree(slot_at(context_at(d->context_head)->cap), budget, &deleted))
			return EXO_AGAIN;
	d->level = 5;
	d->cursor = d->frames_head;
	return EXO_OK;
}

/* Five passes over the tables, which stand first in the list: pairs of roots end, then each
 * level, from the top, has lost its references when its turn comes.  Nobody else changes the
 * list's front meanwhile. */
static uint64_t end_tables(struct domain *d, unsigned *budget)
{
	for (unsigned units = 0; d->level; d->level--, d->cursor = d->frames_head) {
		uint32_t pfn = d->cursor, last = pfn ? frame_at(d->frames_head)->prev : 0;

		while (pfn && type_is_table(frame_at(pfn)->type)) {
			const struct exo_frame *f = frame_at(pfn);
			bool mine = table_level(f->type) == d->level;
			uint32_t next = pfn == last ? 0 : f->next;

			if (!spend(budget, mine ? TABLE_ENTRIES : 1))
				return EXO_AGAIN;
			if (d->level == 5 && f->type == EXO_F_PT4)
				root_unpair(pfn);
			if (mine && !table_untype(d, pfn, &units))
				return EXO_AGAIN;	/* a CPU is about to let go of the root */
			d->cursor = pfn = next;
		}
	}
	d->cursor = 0;
	return EXO_OK;
}

/* ---- capabilities ------------------------------------------------------- */

static struct slot *first_of(const struct slot *s)
{
	return slot_at(s->type == EXO_T_DOMAIN ? domain_at(s->aux)->cap : context_at(s->aux)->cap);
}

/* The first capability of something that lives on? */
static bool inheritable(const struct domain *d, const struct slot *s)
{
	if (s->parent || s->gen & SLOT_DYING)
		return false;
	return (s->type == EXO_T_DOMAIN && !domain_finished(domain_at(s->aux))) ||
		(s->type == EXO_T_CONTEXT && context_at(s->aux)->domain != d->id);
}

/* Moves it, with all that is derived from it, into the parent's table. */
static uint64_t inherit(struct domain *d, struct slot *s, unsigned *budget)
{
	struct domain *parent = domain_at(d->parent);
	uint64_t index = EXO_SLOT_ANY, status;
	struct slot *to;

	if (first_of(s) == s) {
		if (!cap_move_finish(s, budget))
			return EXO_AGAIN;
		if ((status = cap_slot_check(parent, &index, 0)))
			return status;
		to = domain_slot(parent, index);
		slot_fill(to, s, NULL);
		to->next = slot_name(s);
		if (s->type == EXO_T_DOMAIN) {
			domain_orphan(domain_at(s->aux));
			domain_adopt(domain_at(s->aux), parent);
		}
	}
	return cap_move_finish(first_of(s), budget) ? EXO_OK : EXO_AGAIN;
}

static bool table_used(const struct domain *d)
{
	for (unsigned i = 0; i < d->table_frames; i++)
		if (frame_at(d->table[i])->pins > (i == 0))
			return true;
	return false;
}

/* While a child ends at the same time, what it leaves may come to slots that were passed. */
static uint64_t end_caps(struct domain *d, unsigned *budget)
{
	uint64_t deleted = 0, status;

	while (d->cursor < d->table_frames * SLOTS_PER_FRAME) {
		struct slot *s = domain_slot(d, d->cursor);

		if (!spend(budget, 1))
			return EXO_AGAIN;
		if (s->type && inheritable(d, s) && (status = inherit(d, s, budget)))
			return status;
		if (s->type && !cap_delete_tree(s, budget, &deleted))
			return EXO_AGAIN;
		d->cursor++;
	}
	d->cursor = 0;
	return table_used(d) ? EXO_AGAIN : EXO_OK;
}

/* ---- frames ------------------------------------------------------------- */

static uint64_t end_frames(struct domain *d, unsigned *budget)
{
	struct domain *parent = domain_at(d->parent);

	if (d->watch.type)
		cap_clear(&d->watch);
	if (d->page)
		frame_unpin(d->page);
	d->page = 0;
	while (d->table_frames > 1) {
		if (!spend(budget, MOVE_UNITS))
			return EXO_AGAIN;
		frame_object_free(d->table[--d->table_frames]);
	}
	while (d->frames_head) {
		uint32_t pfn = d->frames_head;

		if (!spend(budget, MOVE_UNITS))
			return EXO_AGAIN;
		if (frame_at(pfn)->type == EXO_F_DATA && frame_at(pfn)->pins)
			return EXO_AGAIN;	/* a device still uses it */
		frame_settle(pfn);
		frame_set_owner(pfn, parent);
		d->returned++;
	}
	return EXO_OK;
}

/* ---- all together ------------------------------------------------------- */

static uint64_t (*const steps[])(struct domain *d, unsigned *budget) = {
	end_running, end_contexts, end_tables, end_caps, end_frames,
};
#define STEPS (sizeof steps / sizeof steps[0])

bool domain_finished(const struct domain *d) { return d->step == STEPS; }

void domain_free(struct domain *d)
{
	domain_orphan(d);
	frame_object_free(d->table[0]);
	frame_object_free(d->id);
}

uint64_t call_domain_destroy(struct call *c)
{
	struct slot *s;
	struct domain *d;
	unsigned budget = BUDGET;
	uint64_t status = cap_find(current_domain(), c->rdi, EXO_T_DOMAIN, EXO_R_DESTROY, 1, &s);

	if (status)
		return status;
	d = domain_at(s->aux);
	if (d == current_domain())
		return FAIL(STATE, 1);
	while (d->step < STEPS && !(status = steps[d->step](d, &budget)))
		d->step++;
	c->rdx = d->returned;
	return status;
}
