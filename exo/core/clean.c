/* pt_clean: reads and clears accessed and dirty bits of a range of entries.
 *
 * The flush comes before the return: a page whose D bit was found and cleared may be read
 * then, and a later write to it sets D again.
 */
#include "table.h"
#include "context.h"

#define WORDS	(TABLE_ENTRIES / 64)

/* Did it have any of the bits? */
static bool entry_clean(uint64_t *e, unsigned index, uint64_t bits, uint64_t map[2 * WORDS])
{
	uint64_t old = pte_read(e);

	if (!(old & EXO_PTE_P) || !(old & bits))
		return false;
	while (!pte_compare_set(e, &old, old & ~bits))
		;	/* the hardware sets at most two bits more */
	map[index / 64] |= (uint64_t)((old & bits & EXO_PTE_A) != 0) << index % 64;
	map[WORDS + index / 64] |= (uint64_t)((old & bits & EXO_PTE_D) != 0) << index % 64;
	return true;
}

uint64_t call_pt_clean(struct call *c)
{
	struct domain *d;
	uint64_t map[2 * WORDS] = { 0 }, bits = 0, found = 0;
	uint64_t pfn = c->rsi, first = c->rdx, n = c->r10;
	uint64_t status = cap_domain(c->rdi, EXO_R_MANAGE, 1, &d);

	if (status || (status = frame_own(d, pfn, 2)))
		return status;
	if (frame_at(pfn)->type != EXO_F_PT1)
		return FAIL(TYPE, 2);
	if (first >= TABLE_ENTRIES)
		return FAIL(ARG, 3);
	if (!n || n > TABLE_ENTRIES - first)
		return FAIL(ARG, 4);
	if (!c->r9 || c->r9 & ~(uint64_t)(EXO_CLEAN_A | EXO_CLEAN_D))
		return FAIL(ARG, 6);
	if (!user_write(c->r8, map, sizeof map))
		return FAIL(FAULT, 5);
	bits |= c->r9 & EXO_CLEAN_A ? EXO_PTE_A : 0;
	bits |= c->r9 & EXO_CLEAN_D ? EXO_PTE_D : 0;
	for (uint64_t i = first; i < first + n; i++)
		found += entry_clean((uint64_t *)pfn_to_virt(pfn) + i, i, bits, map);
	flush_do(d, EXO_FLUSH_ALL, 0, 0);
	c->rdx = found;
	return user_write(c->r8, map, sizeof map) ? EXO_OK : FAIL(FAULT, 5);
}
