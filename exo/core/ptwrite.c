/* pt_write: batches of page-table entries, the hottest call of every libOS.
 *
 * Each item is checked by table.c's rules, then written.  Most items of a batch are SETs in one
 * table of level 1, to the domain's own data frames: entries_fast does those by the same
 * rules in some 30 instructions if the frame stays, 60 if it changes.  SET and SET_AD have Xen's mmu_update numbers, so that a paravirtual guest's
 * array can be passed through.
 *
 * In a data frame an item is a plain store: a table is often filled before it is typed, by one who
 * has no writable mapping of it, and its entries are checked when it becomes a table.
 */
#include "table.h"
#include "context.h"

#define CHUNK	128u	/* items copied in at a time */

/* Bits of a level-1 entry that, while they stay as they are, leave all as it was, apart from
 * the count of writable mappings. */
#define FAST_SAME	(~(EXO_PTE_W | EXO_PTE_A | EXO_PTE_D | EXO_PTE_SW))
#define DATA		0u
#define NO_TABLE	1ul	/* equal to no table, as it is not aligned */

struct batch {
	struct domain *d;
	const struct slot *loan;
	uint64_t base;		/* physical address of the last item's table */
	uint64_t *entries;
	unsigned level;		/* DATA: a table under construction, its entries are not checked yet */
	uint64_t user;		/* where the chunk's items lie, and their size */
	size_t size;
	bool returns;		/* the chunk has old values for the caller */
};

static uint64_t batch_table(struct batch *b, uint64_t pfn)
{
	const struct exo_frame *f = frame_at(pfn);

	if (!frame_valid(pfn) || f->owner != b->d->id)
		return FAIL(OWNER, 2);
	if (!type_is_table(f->type) && f->type != EXO_F_DATA)
		return FAIL(TYPE, 2);
	b->base = pfn << EXO_PAGE_SHIFT;
	b->level = f->type == EXO_F_DATA ? DATA : table_level(f->type);
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
	if (b->level != DATA) {
		entry_take(b->d, b->level, value);
		entry_drop(b->d, b->level, *old);
	}
	return true;
}

/* Old values go back to the caller: its array must be writable, before anything is done. */
static bool returns_ok(struct batch *b, const struct exo_pt_item *items)
{
	if (!b->returns)
		b->returns = user_write(b->user, items, b->size);
	return b->returns;
}

/* One item, or CAS's two.  *used tells how many; 0: CAS's second is not in this chunk. */
static uint64_t item_run(struct batch *b, struct exo_pt_item *items, unsigned at, unsigned n,
	unsigned *used)
{
	struct exo_pt_item *item = &items[at];
	uint64_t op = item->ptr & 7, value = item->val, old, status;
	unsigned index = item->ptr >> 3 & (TABLE_ENTRIES - 1);
	bool returns = op == EXO_PT_XCHG || op == EXO_PT_CAS;

	*used = 0;
	if (op != EXO_PT_SET && op != EXO_PT_SET_AD && !returns)
		return FAIL(ARG, 2);
	if (is_kernel_slot(b->level, index))
		return FAIL(ENTRY, 2);
	if (b->level != DATA && (status = entry_check(b->d, b->loan, b->level, &value)))
		return status;
	if (op == EXO_PT_CAS && at + 1 == n)
		return EXO_OK;
	if (returns && !returns_ok(b, items))
		return FAIL(FAULT, 2);
	if (op == EXO_PT_CAS)
		old = item[1].ptr;
	entry_write(b, &b->entries[index], op, value, &old);
	if (op == EXO_PT_XCHG)
		item->val = old;
	else if (op == EXO_PT_CAS)
		item[1].ptr = old;
	*used = op == EXO_PT_CAS ? 2 : 1;
	return EXO_OK;
}

/* ---- the fast way ------------------------------------------------------- */

/* What the loop keeps in registers. */
struct fast {
	uint8_t *frames;	/* the frame table */
	uint64_t mask;		/* of a frame's offset in it */
	uint64_t limit;		/* of that offset */
	uint64_t plain;		/* head of an own data frame's entry, unpinned: owner, type, flags, pins */
	uint64_t banned;
	uint32_t clock;
};
#define FRAME_SHIFT	5
_Static_assert(sizeof(struct exo_frame) == 1 << FRAME_SHIFT, "shift");
_Static_assert(offsetof(struct exo_frame, type) == 4 && offsetof(struct exo_frame, pins) == 6, "head");

static inline uint64_t frame_offset(const struct fast *k, uint64_t entry)
{
	return entry >> (EXO_PAGE_SHIFT - FRAME_SHIFT) & k->mask;
}

static inline bool is_plain(const struct fast *k, const struct exo_frame *f)
{
	uint64_t head;

	__builtin_memcpy(&head, f, sizeof head);
	return head == k->plain;
}

/* From a plain frame or nothing to a plain frame, or to 0.  False: not that simple, nothing is
 * done. */
static inline bool entry_replace(const struct fast *k, uint64_t *e, uint64_t value)
{
	uint64_t old = pte_read(e), offset = frame_offset(k, value);
	struct exo_frame *from = (struct exo_frame *)(k->frames + frame_offset(k, old));
	struct exo_frame *to = (struct exo_frame *)(k->frames + offset);

	if (!(old & EXO_PTE_P))
		from = NULL;
	else if (!is_plain(k, from))
		return false;
	if (value & EXO_PTE_P) {
		if ((value & k->banned) != EXO_PTE_U || offset >= k->limit || !is_plain(k, to) ||
		    to->mapped >= COUNT_MAX)
			return false;
		to->mapped++;
		if (value & EXO_PTE_W)
			to->writable++;
	} else if (value) {
		return false;
	}
	pte_store(e, value);
	if (from) {
		from->mapped--;
		if (old & EXO_PTE_W)
			from->writable--;
		from->stamp = k->clock;
	}
	return true;
}

/* The count of writable mappings follows the W bit. */
static inline bool entry_toggle(const struct fast *k, uint64_t value)
{
	struct exo_frame *f = (struct exo_frame *)(k->frames + frame_offset(k, value));

	if (!(value & EXO_PTE_W)) {
		f->writable--;
		f->stamp = k->clock;
		return true;
	}
	if (!is_plain(k, f))
		return false;
	f->writable++;
	return true;
}

/* SETs in the current table, of level 1.  Returns how many items it did; the one that stopped it
 * goes the long way. */
static __attribute__((noinline)) unsigned entries_fast(const struct batch *b,
	const struct exo_pt_item *items, unsigned n)
{
	struct fast k = {
		.frames = (uint8_t *)frame_table,
		.mask = EXO_PTE_FRAME >> (EXO_PAGE_SHIFT - FRAME_SHIFT),
		.limit = frame_count << FRAME_SHIFT,
		.plain = b->d->id | (uint64_t)EXO_F_DATA << 32,
		.banned = PTE_BANNED | EXO_PTE_PS | EXO_PTE_G | EXO_PTE_U | arch_pte_reserved,
		.clock = flush_clock,
	};
	const uint8_t *end = (const uint8_t *)(items + n);
	int64_t at = -(int64_t)(n * sizeof *items);	/* from the end: one register counts and points */

	__asm__("" : "+r"(k.mask));	/* a register, not a constant to be loaded each time */
	for (; at; at += sizeof *items) {
		const struct exo_pt_item *item = (const struct exo_pt_item *)(end + at);
		uint64_t offset = item->ptr ^ b->base, value = item->val, diff, *e;

		if (offset & ~0xff8ul)
			break;
		e = (uint64_t *)((uint8_t *)b->entries + offset);
		diff = pte_read(e) ^ value;
		if (diff & FAST_SAME) {
			if (!entry_replace(&k, e, value))
				break;
			continue;
		}
		if (__builtin_expect(diff & EXO_PTE_W && value & EXO_PTE_P, true) && !entry_toggle(&k, value))
			break;
		pte_store(e, value);
	}
	return n + at / (int64_t)sizeof *items;
}

/* ---- the batch ---------------------------------------------------------- */

static uint64_t items_run(struct batch *b, struct exo_pt_item *items, unsigned n, unsigned *done)
{
	unsigned used;
	uint64_t status;

	for (*done = 0; *done < n; *done += used) {
		uint64_t ptr = items[*done].ptr;

		if ((ptr & ~(EXO_PAGE_SIZE - 1)) != b->base && (status = batch_table(b, ptr >> EXO_PAGE_SHIFT)))
			return status;
		if (b->level == 1 && (used = entries_fast(b, items + *done, n - *done)))
			continue;
		status = item_run(b, items, *done, n, &used);
		if (status || !used)
			return status;
	}
	return EXO_OK;
}

static uint64_t chunk_run(struct batch *b, uint64_t at, unsigned n, unsigned *done)
{
	struct exo_pt_item items[CHUNK];
	uint64_t status;

	*done = 0;
	b->user = at;
	b->size = n * sizeof items[0];
	b->returns = false;
	if (!user_read(items, at, b->size))
		return FAIL(FAULT, 2);
	status = items_run(b, items, n, done);
	if (b->returns && !user_write(at, items, b->size) && !status)
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
	if (!status && done < total)	/* out of budget, or the last is a CAS without its second item */
		status = done == n || done + 1 < total ? EXO_AGAIN : FAIL(ARG, 2);
	c->rdx = done;
	return status;
}
