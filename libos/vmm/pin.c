/* What guest frames are used as: promotion to page tables, demotion, pins.
 *
 * A guest expects an entry, a pin or a base pointer to make a table of whatever it names; the
 * kernel wants every table typed before something names it.  So the tree below is walked, and typed
 * bottom-up in batches; and a table that nothing uses any more becomes data at once, top-down.
 * The kernel checks each entry: a mistake in these notes costs the guest, nobody else.
 */
#include "libos/vmm/run.h"

#define BATCH		64u
#define CHUNK		512u		/* notes in a page */
#define IS_TABLE(e)	(((e) & (EXO_PTE_P | EXO_PTE_PS)) == EXO_PTE_P)

_Static_assert(sizeof(struct note) * CHUNK == EXO_PAGE_SIZE, "a chunk is a page");

static struct note **chunks;		/* by (mfn - vm.mfn_lo) / CHUNK */

struct batch {
	uint64_t item[BATCH];
	unsigned n;
};

struct note *note_of(uint64_t mfn)
{
	return ram_has(mfn) ? &chunks[(mfn - vm.mfn_lo) / CHUNK][(mfn - vm.mfn_lo) % CHUNK] : NULL;
}

unsigned entry_next(const uint64_t *e, unsigned i)
{
	while (i < TABLE_ENTRIES && !e[i])
		i += i % 8 == 0 && !(e[i + 1] | e[i + 2] | e[i + 3] | e[i + 4] | e[i + 5] |
			e[i + 6] | e[i + 7]) ? 8 : 1;
	return i;
}

#define FOR_ENTRIES(i, table) \
	for (unsigned i = entry_next(table, 0); i < TABLE_ENTRIES; i = entry_next(table, i + 1))

/* ---- demotion --------------------------------------------------------------------------- */

static void demote_flush(struct batch *b)
{
	for (size_t at = 0, done; at < b->n; at += done + 1)	/* behind a refusal: the next */
		exo_retype_all(0, b->item + at, b->n - at, &done);
	b->n = 0;
}

static void pair_forget(struct note *n)
{
	struct note *partner = note_of(n->pair);
	n->pair = partner->pair = 0;
	n->user = partner->user = 0;
}

void table_unpair(uint64_t mfn)
{
	struct note *n = note_of(mfn);
	if (!n->pair)
		return;
	exo_root_pair(0, n->user ? n->pair : mfn, 0);
	pair_forget(n);
}

/* Top-down: its own item comes before those of what it alone has used. */
static void demote(struct batch *b, uint64_t mfn)
{
	struct note *n = note_of(mfn);
	unsigned level = n->level;
	if (level == 4 && n->user)
		table_unpair(mfn);
	else if (level == 4 && n->pair)
		pair_forget(n);		/* the kernel ends it with the root */
	if (b->n == BATCH)
		demote_flush(b);
	b->item[b->n++] = mfn << 8 | EXO_KIND_DATA;
	n->level = n->adopted = 0;
	if (level == 1)
		return;
	FOR_ENTRIES(i, table_of(mfn)) {
		uint64_t e = table_of(mfn)[i];
		struct note *child = IS_TABLE(e) ? note_of(PTE_PFN(e)) : NULL;
		if (child && child->refs && !--child->refs && !child->pinned && child->level)
			demote(b, PTE_PFN(e));
	}
}

static void demote_if_unused(uint64_t mfn)
{
	struct note *n = note_of(mfn);
	struct batch b = { .n = 0 };
	if (!n || n->refs || n->pinned || !n->level)
		return;
	demote(&b, mfn);
	demote_flush(&b);
}

void table_ref(uint64_t mfn)
{
	struct note *n = note_of(mfn);
	if (n)
		n->refs++;
}

void table_unref(uint64_t mfn)
{
	struct note *n = note_of(mfn);
	if (n && n->refs)
		n->refs--;
	demote_if_unused(mfn);
}

/* ---- promotion ---------------------------------------------------------------------------- */

/* The slots that are not the guest's hold nothing or what every K root has: an L4 that the guest
 * copied from one.  Anything else goes. */
static void slots_clean(uint64_t mfn)
{
	const uint64_t *e = table_of(mfn), ours = vm.monitor_root << EXO_PAGE_SHIFT;
	for (unsigned i = M2P_SLOT; i <= LAST_SLOT; i++)
		if (e[i] && !is_kernel_slot(i) && (e[i] ^ pt_read(ours + 8 * i)) & EXO_PTE_FRAME) {
			exo_frame_copy(0, (mfn << EXO_PAGE_SHIFT) + 8 * M2P_SLOT, 0, ~0ul,
				8 * (LAST_SLOT + 1 - M2P_SLOT), 0);
			return;
		}
}

static void children_ref(uint64_t mfn, unsigned level)
{
	if (level == 1)
		return;
	FOR_ENTRIES(i, table_of(mfn))
		if (IS_TABLE(table_of(mfn)[i]))
			table_ref(PTE_PFN(table_of(mfn)[i]));
}

/* What the kernel refuses is data still, and so is what was to use it. */
static int64_t promote_flush(struct batch *b)
{
	int64_t e = 0;
	for (size_t at = 0, done; at < b->n; at += done + 1) {
		exo_retype_all(0, b->item + at, b->n - at, &done);
		for (size_t i = at; i < at + done; i++)
			children_ref(b->item[i] >> 8, b->item[i] & 0xff);
		if (at + done < b->n) {
			note_of(b->item[at + done] >> 8)->level = 0;
			e = -XEN_EINVAL;
		}
	}
	b->n = 0;
	return e;
}

static int64_t collect(struct batch *b, uint64_t mfn, unsigned level);

static int64_t collect_children(struct batch *b, uint64_t mfn, unsigned level)
{
	int64_t e = 0;
	FOR_ENTRIES(i, table_of(mfn)) {
		uint64_t entry = table_of(mfn)[i];
		bool ours = level == 4 && i >= M2P_SLOT && i <= LAST_SLOT;
		if (!IS_TABLE(entry) || ours)
			continue;
		struct note *child = note_of(PTE_PFN(entry));
		if (child && child->level != 4)
			child->place = place_of(note_of(mfn), level, i);
		if ((e = collect(b, PTE_PFN(entry), level - 1)))
			break;
	}
	return e;
}

/* Bottom-up.  A frame's level is set first: one that is found again below itself is refused. */
static int64_t collect(struct batch *b, uint64_t mfn, unsigned level)
{
	struct note *n = note_of(mfn);
	int64_t e = 0;
	if (!n || (n->level && n->level != level))
		return -XEN_EINVAL;
	if (n->level)
		return 0;
	if (level == 4) {
		n->pair = 0;
		slots_clean(mfn);
	}
	n->level = level;
	if (level > 1)
		e = collect_children(b, mfn, level);
	if (!e && b->n == BATCH)
		e = promote_flush(b);
	if (e)
		n->level = 0;
	else
		b->item[b->n++] = mfn << 8 | level;
	return e;
}

/* After a failure: tables below that were typed for nothing. */
static void unwind(uint64_t mfn, unsigned level)
{
	struct note *n = note_of(mfn);
	if (!n)
		return;
	if (n->level) {
		demote_if_unused(mfn);
		return;
	}
	if (level == 1)
		return;
	FOR_ENTRIES(i, table_of(mfn))
		if (IS_TABLE(table_of(mfn)[i]))
			unwind(PTE_PFN(table_of(mfn)[i]), level - 1);
}

int64_t table_promote(uint64_t mfn, unsigned level)
{
	struct batch b = { .n = 0 };
	int64_t e = collect(&b, mfn, level), flushed = promote_flush(&b);
	if (!e)
		e = flushed;
	if (e)
		unwind(mfn, level);
	return e;
}

/* ---- pins ----------------------------------------------------------------------------------- */

void tables_pin(uint64_t *item, unsigned n)
{
	struct batch b = { .n = 0 };
	for (unsigned i = 0; i < n; i++) {
		struct note *note = note_of(item[i] >> 8);
		if (!note || note->pinned) {
			item[i] = 0;
			continue;
		}
		note->pinned = 1;
		collect(&b, item[i] >> 8, item[i] & 0xff);
	}
	promote_flush(&b);
	for (unsigned i = 0; i < n; i++)
		if (item[i] && note_of(item[i] >> 8)->level != (item[i] & 0xff))
			note_of(item[i] >> 8)->pinned = 0;
	for (unsigned i = 0; i < n; i++)
		if (item[i] && !note_of(item[i] >> 8)->pinned) {
			unwind(item[i] >> 8, item[i] & 0xff);
			item[i] = 0;
		}
}

void tables_unpin(uint64_t *item, unsigned n)
{
	struct batch b = { .n = 0 };
	for (unsigned i = 0; i < n; i++) {
		struct note *note = note_of(item[i] >> 8);
		if (!note || !note->pinned) {
			item[i] = 0;
			continue;
		}
		note->pinned = 0;
		if (!note->refs)
			demote(&b, item[i] >> 8);
	}
	demote_flush(&b);
}

/* The tables that the builder typed, below a root. */
static void adopt(uint64_t mfn, unsigned level)
{
	struct note *n = note_of(mfn);
	if (!n || n->level)
		return;
	n->level = level;
	for (unsigned i = 0; level > 1 && i < TABLE_ENTRIES; i++) {
		bool ours = level == 4 && i >= M2P_SLOT && i <= LAST_SLOT;
		uint64_t e = table_of(mfn)[i];
		if (ours || !IS_TABLE(e))
			continue;
		adopt(PTE_PFN(e), level - 1);
		table_ref(PTE_PFN(e));
	}
}

void notes_init(uint64_t root)
{
	uint64_t n = (vm.mfn_hi - vm.mfn_lo + CHUNK - 1) / CHUNK, pfn;
	chunks = ram_memory(n * sizeof *chunks);
	for (uint64_t i = 0; i < vm.pages; i++) {
		struct note **c = &chunks[(vm.p2m[i] - vm.mfn_lo) / CHUNK];
		if (!*c && !(*c = page_new(&pfn)))
			vm_refuse("too little memory for notes on the guest's frames");
	}
	adopt(root, 4);
	note_of(root)->pinned = note_of(root)->adopted = 1;
}
