/* Sweeps: taking entries out of a domain's page tables by the kernel's own hand, when a loan
 * ends or frames are taken by force.
 *
 * One sweep a domain at a time, its place kept in the domain, so that any caller can go on
 * with it; whoever wants another one finishes this one first.  Nobody can start a binding
 * that a sweep has passed: dying loans and doomed frames are refused.
 */
#include "table.h"
#include "domain.h"
#include "context.h"

static bool condemned(const struct domain *d, const struct slot *loan, unsigned level, uint64_t e)
{
	uint64_t pfn = entry_pfn(e);
	const struct exo_frame *f = frame_at(pfn);

	if (!(e & EXO_PTE_P))
		return false;
	if (level == 1)
		return loan ? loan_covers(loan, pfn) :
			f->owner == d->id && f->flags & FRAME_DOOMED;
	return entry_large(level, e) && !loan && region_doomed(d, pfn);
}

static void sweep_table(struct domain *d, const struct slot *loan, uint64_t pfn, unsigned level)
{
	uint64_t *entries = pfn_to_virt(pfn);

	for (unsigned i = 0; i < TABLE_ENTRIES; i++)
		if (condemned(d, loan, level, pte_read(&entries[i])))
			entry_drop(d, level, pte_exchange(&entries[i], 0));
}

static void sweep_finish(struct domain *d, struct slot *loan)
{
	d->sweep_cursor = d->sweep_for = 0;
	if (loan)
		loan->count = 0;
	else
		d->doomed_swept = true;
}

/* Tables stand first in the owner's list. */
static bool sweep_go_on(struct domain *d, unsigned *budget)
{
	struct slot *loan = d->sweep_for == SWEEP_DOOMED ? NULL : slot_at(d->sweep_for);
	uint32_t pfn;

	while ((pfn = d->sweep_cursor) && type_is_table(frame_at(pfn)->type)) {
		const struct exo_frame *f = frame_at(pfn);
		unsigned level = table_level(f->type);
		bool look = level == 1 || (level == 2 && !loan);

		if (!spend(budget, look ? TABLE_ENTRIES : 1))
			return false;
		if (look)
			sweep_table(d, loan, pfn, level);
		d->sweep_cursor = f->next == d->frames_head ? 0 : f->next;
	}
	sweep_finish(d, loan);
	return true;
}

bool sweep(struct domain *d, uint32_t what, unsigned *budget)
{
	while (d->sweep_for && d->sweep_for != what)
		if (!sweep_go_on(d, budget))
			return false;
	if (!d->sweep_for) {
		d->sweep_for = what;
		d->sweep_cursor = d->frames_head;
	}
	return sweep_go_on(d, budget);
}

/* ---- loans -------------------------------------------------------------- */

static void waits_lose(struct domain *d, const struct slot *loan)
{
	for (struct context *x = context_first(d); x; x = context_next(d, x)) {
		bool lost = false;

		if (x->state != EXO_CS_WAITING)
			continue;
		for (unsigned p = 0; p < x->pred.products; p++)
			for (unsigned t = 0; t < x->pred.terms[p]; t++)
				lost |= loan_covers(loan, x->pred.term[p][t].addr >> EXO_PAGE_SHIFT);
		if (lost)
			wait_wake(x, EXO_LOST, 0);
	}
}

/* A loan whose count is 0 covers nothing: its sweep is over. */
bool loan_end(struct slot *s, unsigned *budget)
{
	struct domain *d = slot_domain(s);

	if (s->aux == d->id)
		return true;
	waits_lose(d, s);
	if (s->count && (d->foreign || d->sweep_for == slot_name(s)) && !sweep(d, slot_name(s), budget))
		return false;
	frame_flush_for(d->foreign_stamp);
	if (d != current_domain())
		domain_signal(d, EXO_EV_LOST);
	return true;
}
