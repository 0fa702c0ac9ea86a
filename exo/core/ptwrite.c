/* pt_write: batches of page-table entries, the hottest call of every libOS.
 *
 * Each item is checked by table.c's rules, then written.  Most items of a batch lie in one
 * table of level 1 and keep the frame: those are done in entries_fast, in some thirty
 * instructions.  SET and SET_AD have Xen's mmu_update numbers, so that a paravirtual guest's
 * array can be passed through.
 */
#include "table.h"
#include "context.h"

#define CHUNK	32u	/* items copied in at a time */

/* Bits of a level-1 entry that, while they stay as they are, leave all as it was, apart from
 * the count of writable mappings. */
#define FAST_SAME	(~(EXO_PTE_W | EXO_PTE_A | EXO_PTE_D | EXO_PTE_SW))
#define NO_TABLE	1ul	/* never equal to an entry's address, as it is not aligned */

struct batch {
	struct domain *d;
	const struct slot *loan;
	uint64_t base;		/* physical address of the last item's table */
	uint64_t *entries;
	unsigned level;
};

static uint64_t batch_table(struct batch *b, uint64_t pfn)
{
	const struct exo_frame *f = frame_at(pfn);

	if (!frame_valid(pfn) || f->owner != b->d->id)
		return FAIL(OWNER, 2);
	if (!type_is_table(f->type))
		return FAIL(TYPE, 2);
	b->base = pfn << EXO_PAGE_SHIFT;
	b->level = table_level(f->type);
	b->entries = pfn_to_virt(pfn);
	return EXO_OK;
}

/* The checked write itself.  Counts follow the store: nothing else looks at them before. */
static bool entry_write(struct batch *b, uint64_t *e, unsigned op, uint64_t value, uint64_t *old)
{
	if (op == EXO_PT_CAS) {
		if (!pte_compare_set(e, old, value))
			return false;
	} else if (op == EXO_PT_SET_AD) {
		const uint64_t keep = EXO_PTE_A | EXO_PTE_D;

		*old = pte_read(e);
		while (!pte_compare_set(e, old, (value & ~keep) | (*old & keep)))
			;	/* the hardware sets at most two bits more */
	} else if (op == EXO_PT_XCHG) {
		*old = pte_exchange(e, value);
	} else {
		*old = pte_read(e);
		pte_store(e, value);
	}
	entry_take(b->d, b->level, value);
	entry_drop(b->d, b->level, *old);
	return true;
}

/* One item, or CAS's two.  *used tells how many; 0: CAS's second is not in this chunk. */
static uint64_t item_run(struct batch *b, struct exo_pt_item *item, unsigned left, unsigned *used)
{
	uint64_t op = item->ptr & 7, value = item->val, old, status;
	unsigned index = item->ptr >> 3 & (TABLE_ENTRIES - 1);

	*used = 0;
	if (op != EXO_PT_SET && op != EXO_PT_SET_AD && op != EXO_PT_XCHG && op != EXO_PT_CAS)
		return FAIL(ARG, 2);
	if (is_kernel_slot(b->level, index))
		return FAIL(ENTRY, 2);
	if ((status = entry_check(b->d, b->loan, b->level, &value)))
		return status;
	if (op == EXO_PT_CAS) {
		if (left < 2)
			return EXO_OK;
		old = item[1].ptr;
		entry_write(b, &b->entries[index], op, value, &old);
		item[1].ptr = old;
		*used = 2;
		return EXO_OK;
	}
	entry_write(b, &b->entries[index], op, value, &old);
	if (op == EXO_PT_XCHG)
		item->val = old;
	*used = 1;
	return EXO_OK;
}

/* SETs in the current level-1 table that keep frame, P and NX: only the count of writable
 * mappings can change.  Returns how many it did; the item that stopped it goes the long way. */
static unsigned entries_fast(const struct batch *b, const struct exo_pt_item *items, unsigned n)
{
	const uint64_t base = b->base;
	const uint32_t id = b->d->id;
	unsigned i;

	for (i = 0; i < n; i++) {
		uint64_t offset = items[i].ptr ^ base, value = items[i].val, *e, diff;

		if (offset & ~0xff8ul)
			break;
		e = &b->entries[offset >> 3];
		diff = pte_read(e) ^ value;
		if (diff & FAST_SAME)
			break;
		if (diff & EXO_PTE_W && value & EXO_PTE_P) {
			struct exo_frame *f = frame_at(entry_pfn(value));

			if (!(value & EXO_PTE_W))
				frame_write_lost(f);
			else if (f->owner == id && f->type == EXO_F_DATA && !f->flags)
				f->writable++;
			else
				break;
		}
		pte_store(e, value);
	}
	return i;
}

static uint64_t items_run(struct batch *b, struct exo_pt_item *items, unsigned n, unsigned *done)
{
	unsigned used;
	uint64_t status;

	for (*done = 0; *done < n; *done += used) {
		struct exo_pt_item *item = items + *done;

		if ((item->ptr & ~(EXO_PAGE_SIZE - 1)) != b->base &&
		    (status = batch_table(b, item->ptr >> EXO_PAGE_SHIFT)))
			return status;
		if (b->level == 1 && (used = entries_fast(b, item, n - *done)))
			continue;
		status = item_run(b, item, n - *done, &used);
		if (status || !used)
			return status;
	}
	return EXO_OK;
}

/* Old values go back to the caller: the array must be writable, before anything is done. */
static bool chunk_returns(const struct exo_pt_item *items, unsigned n)
{
	uint64_t ops = 0;

	for (unsigned i = 0; i < n; i++)
		ops |= items[i].ptr;
	return ops & EXO_PT_XCHG;	/* bit 2: XCHG and CAS */
}

static uint64_t chunk_run(struct batch *b, uint64_t at, unsigned n, unsigned *done)
{
	struct exo_pt_item items[CHUNK];
	size_t size = n * sizeof items[0];
	uint64_t status;
	bool returns;

	*done = 0;
	if (!user_read(items, at, size))
		return FAIL(FAULT, 2);
	returns = chunk_returns(items, n);
	if (returns && !user_write(at, items, size))
		return FAIL(FAULT, 2);
	status = items_run(b, items, n, done);
	if (returns && !user_write(at, items, size) && !status)
		status = FAIL(FAULT, 2);	/* the batch itself unmapped it */
	return status;
}

uint64_t call_pt_write(struct call *c)
{
	struct batch b = { .base = NO_TABLE };
	uint64_t total = c->rdx, n = total < BUDGET ? total : BUDGET, done = 0;
	unsigned did = 0;
	struct slot *loan = NULL;
	uint64_t status = cap_domain(c->rdi, EXO_R_MANAGE, 1, &b.d);

	if (!status && c->r10)
		status = cap_find(b.d, c->r10, EXO_T_FRAMES, 0, 4, &loan);
	if (!status)
		status = flush_check(c->r8, c->r9, n, 5, 6);
	if (status)
		return status;
	b.loan = loan;
	do {
		uint64_t left = n - done;

		status = chunk_run(&b, c->rsi + done * sizeof(struct exo_pt_item),
			left < CHUNK ? left : CHUNK, &did);
		done += did;
	} while (!status && did && done < n);
	if (done)
		flush_do(b.d, c->r8, c->r9, done);
	if (!status && done < total)	/* out of budget, or a CAS that lacks its second item */
		status = done + 1 < total ? EXO_AGAIN : FAIL(ARG, 2);
	c->rdx = done;
	return status;
}
