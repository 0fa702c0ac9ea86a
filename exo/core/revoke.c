/* domain_revoke: frames are asked back, then taken (visible revocation and abort protocol,
 * Engler et al., SOSP'95).
 *
 * The domain is told how many and until when, and chooses itself.  After the deadline frames
 * are taken: those of its declared order first, then from the back of its owner list.  Chosen
 * frames are marked, so that no new binding is made; the domain's tables are swept; then they go,
 * zeroed, to the parent, each noted in the repossession vector.  Page tables, objects, pinned
 * frames and frames that others map by loan stay: who wants those destroys the domain.
 *
 * The domain page is the domain's own memory: each word is read once, none is believed.
 */
#include "domain.h"
#include "table.h"
#include "context.h"

#define TAKE_UNITS	64u

static volatile struct exo_domain_page *page_of(const struct domain *d)
{
	return d->page ? pfn_to_virt(d->page) : NULL;
}

static uint32_t given_back(const struct domain *d)
{
	return d->revoke_start > d->frames ? d->revoke_start - d->frames : 0;
}

static void page_update(const struct domain *d)
{
	volatile struct exo_domain_page *page = page_of(d);

	if (!page)
		return;
	page->revoke_want = d->revoke_frames;
	page->revoke_deadline = d->revoke_deadline;
	page->revoke_asked = d->revoke_asked;
	page->repo_count = d->repo_count;
}

static void ask(struct domain *d, uint32_t frames, uint64_t deadline)
{
	d->revoke_frames = frames;
	d->revoke_start = d->frames;
	d->revoke_deadline = deadline;
	d->revoke_asked++;
	d->order_next = 0;
	d->take_cursor = 0;
	page_update(d);
	domain_signal(d, EXO_EV_REVOKE);
}

static void stop_asking(struct domain *d)
{
	while (d->doomed_count)
		frame_at(d->doomed[--d->doomed_count])->flags &= ~FRAME_DOOMED;
	d->revoke_frames = 0;
	page_update(d);
}

/* ---- choosing ----------------------------------------------------------- */

static void doom(struct domain *d, uint64_t pfn)
{
	struct exo_frame *f = frame_at(pfn);

	if (frame_own(d, pfn, 0) || f->type != EXO_F_DATA || f->pins || f->flags & FRAME_DOOMED)
		return;
	f->flags |= FRAME_DOOMED;
	d->doomed[d->doomed_count++] = pfn;
}

/* The next frame of the declared order, or 0 when that is at its end. */
static uint32_t order_pick(struct domain *d)
{
	volatile struct exo_domain_page *page = page_of(d);

	if (!page || d->order_next >= EXO_ORDER_MAX || d->order_next >= page->order_count)
		return 0;
	return page->order[d->order_next++];
}

/* The next frame from the back of the list, or 0 at its front or where tables begin. */
static uint32_t list_pick(struct domain *d)
{
	uint32_t last = d->take_cursor, pfn;

	if (!d->frames_head || last == d->frames_head)
		return 0;
	pfn = frame_at(last ? last : d->frames_head)->prev;
	if (type_is_table(frame_at(pfn)->type))
		return 0;
	d->take_cursor = pfn;
	return pfn;
}

/* Marks up to a batch of frames; none left to look at: take_all. */
static void choose(struct domain *d, unsigned *budget)
{
	uint32_t want = d->revoke_frames - given_back(d), room, pfn;

	room = d->frames > d->reserve ? d->frames - d->reserve : 0;
	want = want < room ? want : room;
	want = want < DOOMED_MAX ? want : DOOMED_MAX;
	d->doomed_swept = false;
	if (d->sweep_for == SWEEP_DOOMED)	/* for frames that were spared then: begin anew */
		d->sweep_cursor = d->frames_head;
	d->take_all = !room;
	while (d->doomed_count < want && spend(budget, 1)) {
		if (!(pfn = order_pick(d)) && !(pfn = list_pick(d))) {
			d->take_all = true;
			break;
		}
		doom(d, pfn);
	}
}

/* ---- taking ------------------------------------------------------------- */

static void repossess(struct domain *d, uint32_t pfn)
{
	volatile struct exo_domain_page *page = page_of(d);

	frame_settle(pfn);
	page_zero(pfn_to_virt(pfn));
	frame_set_owner(pfn, domain_at(d->parent));
	if (page)
		page->repo[d->repo_count % EXO_REPO_MAX] = pfn;
	d->repo_count++;
}

static bool take_doomed(struct domain *d, unsigned *budget)
{
	while (d->doomed_count) {
		uint32_t pfn = d->doomed[d->doomed_count - 1];

		if (!spend(budget, TAKE_UNITS))
			return false;
		d->doomed_count--;
		frame_at(pfn)->flags &= ~FRAME_DOOMED;
		if (frame_idle(pfn))	/* else others map it */
			repossess(d, pfn);
	}
	return true;
}

static uint64_t take(struct domain *d, unsigned *budget)
{
	while (d->doomed_count || given_back(d) < d->revoke_frames) {
		if (!d->doomed_count)
			choose(d, budget);
		if (!d->doomed_count && !d->take_all)
			return EXO_AGAIN;
		if (!d->doomed_count) {
			d->order_next = d->take_cursor = 0;	/* the next call looks again */
			return FAIL(LIMIT, 1);
		}
		if (!d->doomed_swept && !sweep(d, SWEEP_DOOMED, budget))
			return EXO_AGAIN;
		if (!take_doomed(d, budget))
			return EXO_AGAIN;
	}
	return EXO_OK;
}

uint64_t call_domain_revoke(struct call *c)
{
	struct slot *s;
	struct domain *d;
	unsigned budget = BUDGET;
	uint64_t before, status;

	status = cap_find(current_domain(), c->rdi, EXO_T_DOMAIN, EXO_R_REVOKE, 1, &s);
	if (status)
		return status;
	d = domain_at(s->aux);
	if (d->state == EXO_DS_DYING)
		return FAIL(DYING, 1);
	if (d == current_domain())
		return FAIL(STATE, 1);
	if (c->rsi > UINT32_MAX || (!c->rsi && !d->revoke_frames))
		return FAIL(ARG, 2);
	if (!d->revoke_frames) {
		ask(d, c->rsi, c->rdx);
		c->rdx = 0;
		return EXO_AGAIN;
	}
	before = d->repo_count;
	status = EXO_AGAIN;
	if (!c->rsi || (given_back(d) >= d->revoke_frames && !d->doomed_count))
		status = EXO_OK;
	else if (arch_now() >= d->revoke_deadline)
		status = take(d, &budget);
	c->rdx = given_back(d);
	if (status == EXO_OK)
		stop_asking(d);
	if (d->repo_count != before) {
		page_update(d);
		domain_signal(d, EXO_EV_REVOKE);
	}
	return status;
}
