/* Calls that are carried out together, of a multicall or of one call with several operations:
 * writes of page-table entries, pins and unpins, a process's two roots.  A guest makes or ends an
 * address space by some twenty of them, one table each; here that is a few crossings.
 *
 * They are put off, in the order unpins, writes, pins: a call that would have to come between is
 * not taken before the others are done.  Who fails gets its result changed.
 */
#include "libos/vmm/run.h"

/* A result: where it lies, or for single operations their number. */
static void refuse(struct gather *g, uint64_t result)
{
	int64_t e = -XEN_EINVAL;
	if (!g->single)
		guest_write(result, &e, sizeof e);
	else if (result < g->failed)
		g->failed = result;
}

/* ---- carrying out --------------------------------------------------------------------------- */

static void tables_run(struct gather *g, struct gather_tables *t, bool pin)
{
	if (!t->n)
		return;
	lock_take(&vm.lock);
	if (pin)
		tables_pin(t->item, t->n);
	else
		tables_unpin(t->item, t->n);
	lock_release(&vm.lock);
	for (unsigned i = 0; i < t->n; i++)
		if (!t->item[i])
			refuse(g, t->result[i]);
	t->n = 0;
}

static void writes_run(struct gather *g)
{
	for (unsigned at = 0; at < g->writes; at++) {
		struct exo_result r = exo_pt_write(0, g->write + at, g->writes - at, 0, g->flush,
			g->flush_va);
		entries_changed();
		at += r.value;
		if (at < g->writes)
			refuse(g, g->result[at]);
	}
	g->writes = 0;
	g->flush = EXO_FLUSH_NONE;
}

/* Both at once: so they are a pair before the first is loaded. */
static void roots_run(struct gather *g)
{
	struct gather_root k = g->root, u = g->user;
	g->root.asked = g->user.asked = false;
	if (k.asked && roots_set(g->v, k.mfn, u.asked ? u.mfn : 0))
		refuse(g, k.result);
	if (u.asked && root_user_set(g->v, u.mfn))
		refuse(g, u.result);
}

void gather_run(struct gather *g)
{
	roots_run(g);
	tables_run(g, &g->unpin, false);
	writes_run(g);
	tables_run(g, &g->pin, true);
}

/* ---- taking --------------------------------------------------------------------------------- */

/* Several flushes are one of all. */
static void flush_add(struct gather *g, uint64_t flush, uint64_t va)
{
	uint64_t who = EXO_FLUSH_LOCAL | EXO_FLUSH_ALL;
	if (flush == EXO_FLUSH_NONE)
		return;
	if (g->flush != EXO_FLUSH_NONE)
		flush = (flush | g->flush) & who;
	g->flush = flush & EXO_FLUSH_ALL ? flush & ~(uint64_t)EXO_FLUSH_LOCAL : flush;
	g->flush_va = va;
}

static bool take_write(struct gather *g, const struct xen_multicall *m, uint64_t result)
{
	struct exo_pt_item item;
	uint64_t flush;
	if (g->root.asked || g->user.asked)
		gather_run(g);			/* the address is one of the new root's */
	if (!mapping_item(g->v, m->args, &item, &flush))
		return false;
	bool late = g->pin.n && item.val & EXO_PTE_W;	/* a pin may be why it has to fail */
	if (late || g->writes == GATHER_WRITES)
		gather_run(g);
	flush_add(g, flush, m->args[0] & -EXO_PAGE_SIZE);
	g->write[g->writes] = item;
	g->result[g->writes++] = result;
	return true;
}

static void take_table(struct gather *g, struct gather_tables *t, uint64_t item, uint64_t result)
{
	if (t->n == GATHER_TABLES)
		gather_run(g);
	t->item[t->n] = item;
	t->result[t->n++] = result;
}

/* A root with something in the upper half, but the last slot, is most likely a kernel's: the
 * monitor's slots come with the writes, so that loading it needs no more. */
static void adopt_ahead(struct gather *g, uint64_t mfn, uint64_t result)
{
	const struct note *n = note_of(mfn);
	if (!n || n->level || g->writes + RAM_ROOT_SLOTS > GATHER_WRITES ||
	    entry_next(table_of(mfn), LAST_SLOT + 1) >= TABLE_ENTRIES - 1)
		return;
	for (unsigned i = ram_slot_items(mfn, true, &g->write[g->writes]); i; i--)
		g->result[g->writes++] = result;
}

static bool is_tables(uint32_t cmd) { return cmd <= XEN_UNPIN; }
static bool is_root(uint32_t cmd) { return cmd == XEN_NEW_BASEPTR || cmd == XEN_NEW_USER_BASEPTR; }

static void take_root(struct gather *g, const struct xen_mmuext_op *op, uint64_t result)
{
	struct gather_root *r = op->cmd == XEN_NEW_BASEPTR ? &g->root : &g->user;
	if (g->user.asked || r->asked || g->writes || g->pin.n || g->unpin.n)
		gather_run(g);
	*r = (struct gather_root){ true, op->arg1, result };
}

bool gather_op(struct gather *g, const struct xen_mmuext_op *op, uint64_t result)
{
	if (is_root(op->cmd)) {
		take_root(g, op, result);
		return true;
	}
	if (!is_tables(op->cmd))
		return false;
	if (g->root.asked || g->user.asked)
		gather_run(g);
	if (op->cmd == XEN_UNPIN) {
		if (g->pin.n || (g->writes && !g->unpin.n))
			gather_run(g);
		take_table(g, &g->unpin, op->arg1 << 8 | EXO_KIND_DATA, result);
	} else {
		if (g->unpin.n)
			gather_run(g);
		if (op->cmd == XEN_PIN_L4)
			adopt_ahead(g, op->arg1, result);
		take_table(g, &g->pin, op->arg1 << 8 | (op->cmd - XEN_PIN_L1 + 1), result);
	}
	return true;
}

/* All its operations, or none. */
static bool take_mmuext(struct gather *g, const struct xen_multicall *m, uint64_t result)
{
	struct xen_mmuext_op op[GATHER_OPS];
	uint32_t n = m->args[1];
	if (n > GATHER_OPS || m->args[2] || (m->args[3] & 0xffff) != XEN_DOMID_SELF ||
	    !guest_read(op, m->args[0], n * sizeof *op))
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (!is_tables(op[i].cmd) && !is_root(op[i].cmd))
			return false;
	for (uint32_t i = 0; i < n; i++)
		gather_op(g, &op[i], result);
	return true;
}

bool gather_take(struct gather *g, const struct xen_multicall *m, guest_va result)
{
	return m->op == XEN_UPDATE_VA_MAPPING ? take_write(g, m, result) :
		m->op == XEN_MMUEXT_OP && take_mmuext(g, m, result);
}
