/* Protection by rules of the model's own: what a domain may reach, what an entry may hold, what
 * caches may know.
 */
#include "tests/host/model_cpu.h"

static bool on_loan(const struct domain *d, uint64_t pfn, unsigned rights)
{
	for (unsigned t = 0; t < d->table_frames; t++) {
		const struct slot *s = pfn_to_virt(d->table[t]);

		for (unsigned i = 0; i < SLOTS_PER_FRAME; i++)
			if (s[i].type == EXO_T_FRAMES && pfn >= s[i].base && pfn - s[i].base < s[i].count &&
			    frame_table[pfn].owner == s[i].aux && (s[i].rights & rights) == rights)
				return true;
	}
	return false;
}

bool model_may_access(const struct domain *d, uint64_t pfn, bool write, bool exec)
{
	unsigned type;

	if (pfn == 0 || pfn >= MODEL_FRAMES)
		return false;
	type = frame_table[pfn].type;
	if (frame_table[pfn].owner == d->id)
		return type == EXO_F_DATA || (!write && type >= EXO_F_PT1 && type <= EXO_F_PT4);
	/* Who makes a page table of a frame that others read lets them read that. */
	if (type != EXO_F_DATA && (write || (type != EXO_F_EXPORT && (type < EXO_F_PT1 || type > EXO_F_PT4))))
		return false;
	return on_loan(d, pfn, EXO_R_READ | (write ? EXO_R_WRITE : 0) | (exec ? EXO_R_EXEC : 0));
}

bool model_entry_ok(const struct domain *d, unsigned level, unsigned index, uint64_t e)
{
	uint64_t pfn = (e & EXO_PTE_FRAME) >> 12;

	if (level == 4 && index >= 257 && index <= 263)
		return e == arch_kernel_pml4[index - 257];
	if (!(e & EXO_PTE_P))
		return arch_l1tf_safe || !(e & EXO_PTE_FRAME) || e & arch_pte_reserved;
	if (!(e & EXO_PTE_U) || e & (EXO_PTE_G | EXO_PTE_PWT | EXO_PTE_PCD) || pfn >= MODEL_FRAMES)
		return false;
	if (level == 1)
		return !(e & EXO_PTE_PS) && model_may_access(d, pfn, e & EXO_PTE_W, !(e & EXO_PTE_NX));
	if (level == 2 && e & EXO_PTE_PS) {
		if (pfn % 512)
			return false;
		for (unsigned i = 0; i < 512; i++)
			if (frame_table[pfn + i].owner != d->id || !model_may_access(d, pfn + i, e & EXO_PTE_W, true))
				return false;
		return true;
	}
	return !(e & EXO_PTE_PS) && frame_table[pfn].owner == d->id && frame_table[pfn].type == EXO_F_PT1 + level - 2;
}

void model_check_caches(void)
{
	for (unsigned c = 0; c < MODEL_CPUS; c++) {
		for (unsigned i = 0; i < TLB_ENTRIES; i++) {
			const struct translation *t = &cpus[c].tlb[i];

			for (unsigned p = 0; t->valid && p < (t->large ? 512u : 1u); p++)
				CHECK(model_may_access(domain_at(t->owner), t->pfn + p, t->writable, false),
					"cpu %u: stale translation %lx -> frame %lx%s", c, t->va, t->pfn + p,
					t->writable ? " writable" : "");
		}
		for (unsigned i = 0; i < PSC_ENTRIES; i++) {
			const struct structure *s = &cpus[c].psc[i];

			CHECK(!s->valid || (frame_table[s->pfn].type == EXO_F_PT1 + s->level - 1 &&
				frame_table[s->pfn].owner == s->owner),
				"cpu %u: stale structure entry level %u -> frame %lx", c, s->level, s->pfn);
		}
	}
}
