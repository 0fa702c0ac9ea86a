/* frame_copy: moves bytes between frames by the kernel's own map, so that a libOS needs no
 * writable alias of what is, or becomes, a page table.
 */
#include "table.h"
#include "context.h"

#define COPY_UNITS	64u
#define ZEROES		(~0ul)	/* as source: fill with zeroes */

uint64_t frame_access_check(const struct domain *d, const struct slot *loan, uint64_t pfn, bool write,
	unsigned at, unsigned at_loan)
{
	unsigned type, right = write ? EXO_R_WRITE : EXO_R_READ;

	if (!frame_valid(pfn))
		return FAIL(OWNER, at);
	type = frame_at(pfn)->type;
	if (frame_at(pfn)->owner == d->id)
		return type == EXO_F_DATA || (!write && type_is_table(type)) ? EXO_OK : FAIL(TYPE, at);
	if (!loan_covers(loan, pfn))
		return FAIL(OWNER, at);
	if (!(loan->rights & right))
		return FAIL(RIGHT, at_loan);
	return type == EXO_F_DATA || (!write && type == EXO_F_EXPORT) ? EXO_OK : FAIL(TYPE, at);
}

static void bytes_move(uint64_t dst, uint64_t src, uint64_t n)
{
	void *to = phys_to_virt(dst), *from = src == ZEROES ? NULL : phys_to_virt(src);

	if (n < EXO_PAGE_SIZE)
		from ? __builtin_memmove(to, from, n) : __builtin_memset(to, 0, n);
	else if (from)
		page_copy(to, from);
	else
		page_zero(to);
}

static uint64_t page_rest(uint64_t pa) { return EXO_PAGE_SIZE - pa % EXO_PAGE_SIZE; }

uint64_t call_frame_copy(struct call *c)
{
	struct domain *to, *from;
	struct slot *loan = NULL;
	uint64_t dst = c->rsi, src = c->r10, len = c->r8, done = 0;
	unsigned budget = BUDGET;
	uint64_t status = cap_domain(c->rdi, EXO_R_MANAGE, 1, &to);

	if (!status)
		status = cap_domain(c->rdx, EXO_R_MANAGE, 3, &from);
	if (!status && c->r9)
		status = cap_find(current_domain(), c->r9, EXO_T_FRAMES, 0, 6, &loan);
	if (status)
		return status;
	while (done < len && spend(&budget, COPY_UNITS)) {
		uint64_t n = len - done, at = src == ZEROES ? ZEROES : src + done;

		if (n > page_rest(dst + done))
			n = page_rest(dst + done);
		if (at != ZEROES && n > page_rest(at))
			n = page_rest(at);
		status = frame_access_check(to, loan, (dst + done) >> EXO_PAGE_SHIFT, true, 2, 6);
		if (!status && src != ZEROES)
			status = frame_access_check(from, loan, at >> EXO_PAGE_SHIFT, false, 4, 6);
		if (status)
			break;
		bytes_move(dst + done, at, n);
		done += n;
	}
	c->rdx = done;
	return status ? status : done < len ? EXO_AGAIN : EXO_OK;
}
