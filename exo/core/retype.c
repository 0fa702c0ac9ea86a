/* frame_retype: data frames become page tables, and page tables data; and root pairs.
 *
 * A frame becomes a table bottom-up: its 512 entries are checked as if written one by one, and
 * what they name must be typed already, so there is no recursion.  Before its content is read,
 * every CPU that could still write it through an old translation has flushed; before a table
 * is data again, every CPU that could still walk it has.
 */
#include "table.h"
#include "context.h"

#define ITEMS_MAX	32u
#define ITEM_UNITS	64u	/* and one for each entry that is not 0 */

/* ---- data to table ------------------------------------------------------ */

/* The next entry from i on that is not 0: most are. */
static unsigned entry_next(const uint64_t *e, unsigned i)
{
	while (i < TABLE_ENTRIES && !e[i])
		i += i % 8 == 0 && !(e[i + 1] | e[i + 2] | e[i + 3] | e[i + 4] | e[i + 5] |
			e[i + 6] | e[i + 7]) ? 8 : 1;
	return i;
}

static uint64_t entries_check(const struct domain *d, const uint64_t *entries, unsigned level,
	unsigned *units)
{
	uint64_t status = EXO_OK;

	for (unsigned i = entry_next(entries, 0); !status && i < TABLE_ENTRIES;
	     i = entry_next(entries, i + 1)) {
		uint64_t value = entries[i];

		++*units;
		if (!is_kernel_slot(level, i))
			status = entry_check(d, NULL, level, &value);
	}
	return status;
}

static void entries_commit(struct domain *d, uint64_t *entries, unsigned level)
{
	for (unsigned i = entry_next(entries, 0); i < TABLE_ENTRIES; i = entry_next(entries, i + 1)) {
		uint64_t value = entries[i];

		if (is_kernel_slot(level, i))
			continue;
		entry_check(d, NULL, level, &value);
		entry_take(d, level, value);
		if (value != entries[i])
			pte_store(&entries[i], value);
	}
	for (unsigned i = EXO_KERNEL_SLOT_FIRST; level == 4 && i <= EXO_KERNEL_SLOT_LAST; i++)
		pte_store(&entries[i], arch_kernel_pml4[i - EXO_KERNEL_SLOT_FIRST]);
}

/* Levels below 4 get their type before the check: a table may not hold a writable mapping of
 * itself.  Level 4 gets it last: whoever sees the type may load the root (root_loadable). */
uint64_t table_make(struct domain *d, uint64_t pfn, unsigned level, unsigned *units)
{
	const struct exo_frame *f = frame_at(pfn);
	unsigned type = EXO_F_PT1 + level - 1;
	uint64_t *entries = pfn_to_virt(pfn), status;

	if (f->type != EXO_F_DATA)
		return FAIL(TYPE, 2);
	if (f->pins || f->writable || f->flags & FRAME_DOOMED || region_at(pfn)->large_rw)
		return FAIL(BUSY, 2);
	frame_settle(pfn);
	if (level < 4)
		frame_set_type(pfn, type);
	status = entries_check(d, entries, level, units);
	if (!status)
		entries_commit(d, entries, level);
	if (status && level < 4)
		frame_set_type(pfn, EXO_F_DATA);
	if (!status && level == 4)
		frame_set_type(pfn, type);
	return status;
}

/* ---- table to data ------------------------------------------------------ */

__attribute__((hot)) bool root_loadable(uint32_t domain, uint64_t pfn)
{
	return pfn < frame_count &&
		__atomic_load_n(&frame_at(pfn)->type, __ATOMIC_ACQUIRE) == EXO_F_PT4 &&
		frame_at(pfn)->owner == domain;
}

/* Takes the type of a root away unless some CPU has it loaded or is about to.  A CPU claims,
 * then looks at the type; here the type goes first, then the claims are looked at.  PT3 counts
 * like PT4 everywhere, but is no root. */
static bool root_withdraw(uint64_t pfn)
{
	uint8_t *type = &frame_at(pfn)->type;

	__atomic_store_n(type, EXO_F_PT3, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < cpu_count; i++)
		if (cpu_at(i)->root_claim == pfn || cpu_at(i)->root == pfn) {
			__atomic_store_n(type, EXO_F_PT4, __ATOMIC_SEQ_CST);
			return false;
		}
	cap_era++;
	return true;
}

/* Kernel slots do not become the owner's to read. */
static void entries_drop(struct domain *d, uint64_t *entries, unsigned level, unsigned *units)
{
	for (unsigned i = entry_next(entries, 0); i < TABLE_ENTRIES; i = entry_next(entries, i + 1), ++*units)
		if (is_kernel_slot(level, i))
			pte_store(&entries[i], 0);
		else
			entry_drop(d, level, entries[i]);
}

bool table_untype(struct domain *d, uint64_t pfn, unsigned *units)
{
	unsigned level = table_level(frame_at(pfn)->type);

	if (level == 4 && !root_withdraw(pfn))
		return false;
	if (level == 4)
		root_unpair(pfn);
	frame_settle(pfn);
	frame_set_type(pfn, EXO_F_DATA);
	entries_drop(d, pfn_to_virt(pfn), level, units);
	return true;
}

static uint64_t unmake(struct domain *d, uint64_t pfn, unsigned *units)
{
	const struct exo_frame *f = frame_at(pfn);

	if (!type_is_table(f->type))
		return FAIL(TYPE, 2);
	return !f->typerefs && table_untype(d, pfn, units) ? EXO_OK : FAIL(BUSY, 2);
}

uint64_t call_frame_retype(struct call *c)
{
	uint64_t items[ITEMS_MAX], total = c->rdx, done;
	uint64_t n = total < ITEMS_MAX ? total : ITEMS_MAX;
	unsigned units = 0;
	struct domain *d;
	uint64_t status = cap_domain(c->rdi, EXO_R_MANAGE, 1, &d);

	if (status)
		return status;
	if (!user_read(items, c->rsi, n * sizeof items[0]))
		return FAIL(FAULT, 2);
	for (done = 0; done < n && units < BUDGET; done++, units += ITEM_UNITS) {
		uint64_t pfn = items[done] >> 8, kind = items[done] & 0xff;

		status = kind > EXO_KIND_PT4 ? FAIL(ARG, 2) : frame_own(d, pfn, 2);
		if (!status)
			status = kind ? table_make(d, pfn, kind, &units) : unmake(d, pfn, &units);
		if (status)
			break;
	}
	c->rdx = done;
	return status ? status : done < total ? EXO_AGAIN : EXO_OK;
}

/* ---- pairs -------------------------------------------------------------- */

/* A K root's `writable` is the pfn of its U partner. */
void root_unpair(uint64_t k)
{
	uint32_t u = frame_at(k)->writable;

	if (!u)
		return;
	frame_at(k)->writable = 0;
	frame_at(u)->typerefs--;
	frame_at(u)->flags &= ~FRAME_ROOT_U;
}

uint64_t root_pair(struct domain *d, uint64_t k, uint64_t u, unsigned at)
{
	uint64_t status = frame_own(d, k, at);

	if (status || (u && (status = frame_own(d, u, at + 1))))
		return status;
	if (frame_at(k)->type != EXO_F_PT4)
		return FAIL(TYPE, at);
	if (frame_at(k)->flags & FRAME_ROOT_U)
		return FAIL(STATE, at);
	if (u && frame_at(u)->type != EXO_F_PT4)
		return FAIL(TYPE, at + 1);
	if (u && (u == k || frame_at(u)->writable))
		return FAIL(STATE, at + 1);
	if (u && u != frame_at(k)->writable && frame_at(u)->flags & FRAME_ROOT_U)
		return FAIL(BUSY, at + 1);
	root_unpair(k);
	if (u) {
		frame_at(k)->writable = u;
		frame_at(u)->typerefs++;
		frame_at(u)->flags |= FRAME_ROOT_U;
	}
	return EXO_OK;
}

uint64_t call_root_pair(struct call *c)
{
	struct domain *d;
	uint64_t u = c->rdx, status = cap_domain(c->rdi, EXO_R_MANAGE, 1, &d);

	c->rdx = 0;
	return status ? status : root_pair(d, c->rsi, u, 2);
}
