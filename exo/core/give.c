/* Calls on plain frames: to give them away, to lend them, to look at one.
 *
 * Who may get how many is the givers' policy; here a frame leaves only when nothing refers to
 * it, every CPU has forgotten it, and its content is gone.
 */
#include "frame.h"
#include "domain.h"

#define GIVE_UNITS	64u

uint64_t call_frame_give(struct call *c)
{
	struct domain *from, *to;
	uint64_t pfn = c->rdx, count = c->r10, done;
	uint64_t n = count < BUDGET / GIVE_UNITS ? count : BUDGET / GIVE_UNITS;
	uint64_t status = cap_domain(c->rdi, EXO_R_MANAGE, 1, &from);

	if (status || (status = cap_domain(c->rsi, EXO_R_GIVE, 2, &to)))
		return status;
	for (done = 0; done < n && !status; done += !status) {
		status = frame_object_check(from, pfn + done, 3);
		if (status)
			break;
		frame_settle(pfn + done);
		page_zero(pfn_to_virt(pfn + done));
		frame_set_owner(pfn + done, to);
	}
	c->rdx = done;
	return status ? status : done < count ? EXO_AGAIN : EXO_OK;
}

uint64_t call_frame_lend(struct call *c)
{
	const uint64_t all = EXO_R_GRANT | EXO_R_READ | EXO_R_WRITE | EXO_R_EXEC;
	struct domain *d;
	struct slot cap;
	uint64_t pfn = c->rdx, count = c->r10;
	uint64_t status = cap_domain(c->rdi, EXO_R_MANAGE, 1, &d);

	if (status)
		return status;
	if (pfn >= frame_count)
		return FAIL(ARG, 3);
	if (!count || count > frame_count - pfn)
		return FAIL(ARG, 4);
	if (c->r8 & ~all)
		return FAIL(ARG, 5);
	cap = (struct slot){ .type = EXO_T_FRAMES, .rights = c->r8, .aux = d->id,
		.base = pfn, .count = count };
	return cap_insert(d, c->rsi, 2, &cap, NULL, &c->rdx);
}

uint64_t call_frame_info(struct call *c)
{
	struct domain *d;
	uint64_t status = cap_domain(c->rdi, EXO_R_MANAGE, 1, &d);

	if (status || (status = frame_own(d, c->rsi, 2)))
		return status;
	if (!user_write(c->rdx, frame_at(c->rsi), sizeof(struct exo_frame)))
		return FAIL(FAULT, 3);
	c->rdx = 0;
	return EXO_OK;
}
