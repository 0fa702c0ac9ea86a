/* domain_revoke: frames are asked back, then taken (visible revocation and abort protocol, Engler
 * et al., SOSP'95).
 *
 * Frames that the domain has on offer go at once.  If they are too few it is told how many and
 * until when, and chooses itself.  After the deadline frames are taken: those of its declared order
 * first, then from the back of its owner list.  Chosen frames are marked, so that no new binding is
 * made; the domain's tables are swept, if any maps them; then they go, zeroed, to the parent, each
 * noted in the repossession vector (the end of an offer is noted by its bit).  Page tables,
 * objects, pinned frames and frames that others map by loan stay: who wants those destroys the
 * domain.
 *
 * The domain page is the domain's own memory: each word is read once, none is believed.
 */
#include "domain.h"
#include "table.h"
#include "context.h"

#define TAKE_UNITS	64u
#define SPARE_END	(EXO_SPARE_MAX * EXO_SPARE_BITS)

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
	page->revoke_want = given_back(d) < d->revoke_frames ? d->revoke_frames - given_back(d) : 0;
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
	d->revoke_told = false;
	d->spare_next = 0;
	d->order_next = 0;
	d->take_cursor = 0;
	page_update(d);
}

static void tell(struct domain *d)
{
	d->revoke_told = true;
	page_update(d);
	domain_signal(d, EXO_EV_REVOKE);
}

/* ---- offers ------------------------------------------------------------- */

/* The word of the bitmap of offers that holds a frame's bit, or NULL. */
static uint64_t *spare_word(struct domain *d, uint64_t pfn)
{
	volatile struct exo_domain_page *page = page_of(d);
	uint32_t map = page ? page->spare[pfn / EXO_SPARE_BITS] : 0;

	if (!map || frame_own(d, map, 0) || frame_at(map)->type != EXO_F_DATA)
		return NULL;
	return (uint64_t *)pfn_to_virt(map) + pfn % EXO_SPARE_BITS / 64;
}

/* The next frame on offer, or 0: none is left, or the budget is spent. */
static uint32_t spare_pick(struct domain *d, unsigned *budget)
{
	while (d->spare_next < SPARE_END && spend(budget, 1)) {
		uint32_t at = d->spare_next;
		const volatile uint64_t *word = spare_word(d, at);
		uint64_t bits = word ? *word >> at % 64 : 0;

		if (bits) {
			at += __builtin_ctzl(bits);
			d->spare_next = at + 1;
			return at;
		}
		d->spare_next = word ? (at | 63) + 1 : (at | (EXO_SPARE_BITS - 1)) + 1;
	}
	return 0;
}

/* Sets or clears the frame's bit; was it set? */
static bool spare_set(struct domain *d, uint64_t pfn, bool on)
{
	uint64_t *word = spare_word(d, pfn), bit = 1ul << pfn % 64;

	if (!word)
		return false;
	return (on ? __atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST) :
		__atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST)) & bit;
}

/* A chosen frame stays; on offer, if it was. */
static void forgive(struct domain *d, uint32_t doomed)
{
	uint32_t pfn = doomed & ~DOOMED_OFFERED;

	frame_at(pfn)->flags &= ~FRAME_DOOMED;
	if (doomed & DOOMED_OFFERED)
		spare_set(d, pfn, true);
}

static void stop_asking(struct domain *d)
{
	while (d->doomed_count)
		forgive(d, d->doomed[--d->doomed_count]);
	d->revoke_frames = 0;
	page_update(d);
}

/* ---- choosing ----------------------------------------------------------- */

static void doom(struct domain *d, uint64_t pfn, bool offered)
{
	struct exo_frame *f = frame_at(pfn);

	if (frame_own(d, pfn, 0) || f->type != EXO_F_DATA || f->pins || f->flags & FRAME_DOOMED)
		return;
	if (offered && !spare_set(d, pfn, false))
		return;
	d->doomed_swept &= frame_idle(pfn);
	f->flags |= FRAME_DOOMED;
	d->doomed[d->doomed_count++] = pfn | (offered ? DOOMED_OFFERED : 0);
}

/* The next frame of the declared order, in which a 0 is none, or 0 when that is at its end. */
static uint32_t order_pick(struct domain *d)
{
	volatile struct exo_domain_page *page = page_of(d);
	uint32_t pfn = 0;

	while (!pfn && page && d->order_next < EXO_ORDER_MAX && d->order_next < page->order_count)
		pfn = page->order[d->order_next++];
	return pfn;
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

/* Marks up to a batch of frames: those on offer, then, by force, others; none left to look at:
 * take_all. */
static void choose(struct domain *d, bool force, unsigned *budget)
{
	uint32_t want = d->revoke_frames - given_back(d), room, pfn;

	room = d->frames > d->reserve ? d->frames - d->reserve : 0;
	want = want < room ? want : room;
	want = want < DOOMED_MAX ? want : DOOMED_MAX;
	d->doomed_swept = true;
	if (d->sweep_for == SWEEP_DOOMED)	/* for frames that were spared then: begin anew */
		d->sweep_cursor = d->frames_head;
	d->take_all = !room;
	while (d->doomed_count < want && spend(budget, 1)) {
		bool offered = (pfn = spare_pick(d, budget));

		if (!pfn && d->spare_next < SPARE_END)
			break;
		if (!pfn && !(force && ((pfn = order_pick(d)) || (pfn = list_pick(d))))) {
			d->take_all = true;
			break;
		}
		doom(d, pfn, offered);
	}
}

/* ---- taking ------------------------------------------------------------- */

static void repossess(struct domain *d, uint32_t pfn, bool offered)
{
	volatile struct exo_domain_page *page = page_of(d);

	frame_settle(pfn);
	page_zero(pfn_to_virt(pfn));
	frame_set_owner(pfn, domain_at(d->parent));
	if (offered)
		return;
	if (page)
		page->repo[d->repo_count % EXO_REPO_MAX] = pfn;
	d->repo_count++;
}

static bool take_doomed(struct domain *d, unsigned *budget)
{
	while (d->doomed_count) {
		uint32_t doomed, pfn;

		if (!spend(budget, TAKE_UNITS))
			return false;
		doomed = d->doomed[--d->doomed_count];
		pfn = doomed & ~DOOMED_OFFERED;
		frame_at(pfn)->flags &= ~FRAME_DOOMED;
		if (frame_idle(pfn))
			repossess(d, pfn, doomed & DOOMED_OFFERED);
		else			/* others map it */
			forgive(d, doomed);
	}
	return true;
}

/* No frame is left that may be taken now; the next call looks again. */
static uint64_t too_little(struct domain *d, bool force)
{
	d->spare_next = d->order_next = d->take_cursor = 0;
	if (!d->revoke_told)
		tell(d);
	return force ? FAIL(LIMIT, 1) : EXO_AGAIN;
}

static uint64_t take(struct domain *d, unsigned *budget)
{
	bool force = d->revoke_told && arch_now() >= d->revoke_deadline;

	while (d->doomed_count || given_back(d) < d->revoke_frames) {
		if (!d->doomed_count)
			choose(d, force, budget);
		if (!d->doomed_count && !d->take_all)
			return EXO_AGAIN;
		if (!d->doomed_count)
			return too_little(d, force);
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
	if (!d->revoke_frames)
		ask(d, c->rsi, c->rdx);
	before = d->repo_count;
	if (!c->rsi || (given_back(d) >= d->revoke_frames && !d->doomed_count))
		status = EXO_OK;
	else
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
