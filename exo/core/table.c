/* The rules for page-table entries, and the counts that hold them together.
 *
 * An entry above level 1 names a page table of the same owner and of exactly one level less.
 * An entry of level 1 names a data frame, or read-only a page table, of the same owner; or a
 * frame on loan.  A large page lies in a region whose 512 frames are all the owner's: the
 * region's record answers that at once.  A frame is writable through some entry or is a page
 * table, never both; entries count by their own W bit, whatever the levels above say.
 */
#include "table.h"

#define LARGE_LOW	0x1ff000ul	/* frame bits (and PAT) that a large entry has clear */

bool loan_covers(const struct slot *loan, uint64_t pfn)
{
	return loan && pfn - loan->base < loan->count && frame_at(pfn)->owner == loan->aux;
}

static uint64_t loan_check(const struct slot *loan, uint64_t pfn, uint64_t entry)
{
	const struct exo_frame *f = frame_at(pfn);
	unsigned need = EXO_R_READ;

	if (!loan_covers(loan, pfn))
		return FAIL(OWNER, 2);
	if (f->type != EXO_F_DATA && (f->type != EXO_F_EXPORT || entry & EXO_PTE_W))
		return FAIL(TYPE, 2);
	if (entry & EXO_PTE_W)
		need |= EXO_R_WRITE;
	if (!(entry & EXO_PTE_NX))
		need |= EXO_R_EXEC;
	return (loan->rights & need) == need ? EXO_OK : FAIL(RIGHT, 4);
}

static uint64_t page_check(const struct domain *d, const struct slot *loan, uint64_t entry)
{
	uint64_t pfn = entry_pfn(entry), status = EXO_OK;
	const struct exo_frame *f;

	if (!frame_valid(pfn))
		return FAIL(OWNER, 2);
	f = frame_at(pfn);
	if (f->owner != d->id)
		status = loan_check(loan, pfn, entry);
	else if (f->type != EXO_F_DATA && (!type_is_table(f->type) || entry & EXO_PTE_W))
		status = FAIL(TYPE, 2);
	if (status)
		return status;
	if (f->flags & FRAME_DOOMED)
		return FAIL(BUSY, 2);
	return f->mapped < COUNT_MAX ? EXO_OK : FAIL(LIMIT, 2);
}

bool region_doomed(const struct domain *d, uint64_t pfn)
{
	for (unsigned i = 0; i < d->doomed_count; i++)
		if ((d->doomed[i] & ~DOOMED_OFFERED) >> REGION_SHIFT == pfn >> REGION_SHIFT)
			return true;
	return false;
}

static uint64_t large_check(const struct domain *d, uint64_t entry)
{
	uint64_t pfn = entry_pfn(entry);
	const struct region *r = region_at(pfn);

	if (entry & LARGE_LOW)
		return FAIL(ENTRY, 2);
	if (pfn >= frame_count || r->owner != d->id || r->owned != REGION_FRAMES)
		return FAIL(OWNER, 2);
	if (entry & EXO_PTE_W ? r->special : r->unmappable)
		return FAIL(TYPE, 2);
	if (region_doomed(d, pfn))
		return FAIL(BUSY, 2);
	return r->large_ro < COUNT_MAX && r->large_rw < COUNT_MAX ? EXO_OK : FAIL(LIMIT, 2);
}

static uint64_t child_check(const struct domain *d, unsigned level, uint64_t entry)
{
	uint64_t pfn = entry_pfn(entry);
	const struct exo_frame *f = frame_at(pfn);

	if (!frame_valid(pfn) || f->owner != d->id)
		return FAIL(OWNER, 2);
	if (f->type != EXO_F_PT1 + level - 2)
		return FAIL(TYPE, 2);
	return f->typerefs < COUNT_MAX ? EXO_OK : FAIL(LIMIT, 2);
}

uint64_t entry_check(const struct domain *d, const struct slot *loan, unsigned level, uint64_t *value)
{
	uint64_t e = *value;

	if (!(e & EXO_PTE_P)) {
		bool harmless = arch_l1tf_safe || !(e & EXO_PTE_FRAME) || e & arch_pte_reserved;
		return harmless ? EXO_OK : FAIL(ENTRY, 2);
	}
	if (e & (PTE_BANNED | arch_pte_reserved) || (e & EXO_PTE_PS && level != 2))
		return FAIL(ENTRY, 2);
	*value = e = (e | EXO_PTE_U) & ~EXO_PTE_G;
	if (level == 1)
		return page_check(d, loan, e);
	return entry_large(level, e) ? large_check(d, e) : child_check(d, level, e);
}

void entry_take(struct domain *d, unsigned level, uint64_t entry)
{
	struct exo_frame *f = frame_at(entry_pfn(entry));
	struct region *r = region_at(entry_pfn(entry));

	if (!(entry & EXO_PTE_P))
		return;
	if (level == 1) {
		frame_mapped(f, entry & EXO_PTE_W);
		d->foreign += f->owner != d->id;
	} else if (entry_large(level, entry)) {
		*(entry & EXO_PTE_W ? &r->large_rw : &r->large_ro) += 1;
	} else {
		f->typerefs++;
	}
}

void entry_drop(struct domain *d, unsigned level, uint64_t entry)
{
	struct exo_frame *f = frame_at(entry_pfn(entry));
	struct region *r = region_at(entry_pfn(entry));

	if (!(entry & EXO_PTE_P))
		return;
	if (level == 1) {
		frame_unmapped(f, entry & EXO_PTE_W);
		if (f->owner != d->id) {
			d->foreign--;
			d->foreign_stamp = flush_clock;
		}
	} else if (entry_large(level, entry)) {
		*(entry & EXO_PTE_W ? &r->large_rw : &r->large_ro) -= 1;
		r->stamp = flush_clock;
	} else {
		f->typerefs--;
		f->stamp = flush_clock;
	}
}
