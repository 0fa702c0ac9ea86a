/* mmu_update, update_va_mapping, mmuext_op: the guest's page tables, by direct paging.
 *
 * Entries of level 1, and of tables that are still data, go to the kernel as they are, a batch a
 * call.  Above, what an entry names is promoted first, and what it named may be demoted after
 * (pin.c), under vm.lock.
 */
#include "libos/vmm/run.h"

#define BATCH		32u
#define AHEAD		16u		/* pages */

/* ---- walking and writing ------------------------------------------------------------------ */

uint64_t mmu_walk(uint64_t root, uint64_t va, unsigned level)
{
	uint64_t table = root;
	for (unsigned l = 4; l > level; l--) {
		uint64_t e = table_of(table)[pt_index(va, l)];
		if (!(e & EXO_PTE_P) || e & EXO_PTE_PS || !ram_has(PTE_PFN(e)))
			return 0;
		table = PTE_PFN(e);
	}
	return (table << EXO_PAGE_SHIFT) + 8 * pt_index(va, level);
}

/* ---- flushes ahead --------------------------------------------------------------------------- */

/* A guest that takes an entry away by a store flushes its page next.  That is done with the store,
 * where the page is known; then the guest's flush asks nothing of the kernel.  What was flushed
 * counts until any vCPU has written an entry otherwise, or loaded a root: a translation that came
 * since could be out of date. */
uint64_t entry_changes;
static struct ahead {
	uint64_t at;			/* entry_changes, at which the rest is true */
	unsigned n;
	uint64_t va[AHEAD];
} ahead[VMM_VCPUS];

/* Of the lower half, whose last page is no address; 0: not known. */
static uint64_t page_of(uint64_t entry)
{
	uint64_t place = note_of(entry >> EXO_PAGE_SHIFT)->place, slot = entry % EXO_PAGE_SIZE / 8;
	uint64_t va = place << 21 | slot << EXO_PAGE_SHIFT;
	return place && va < (1ul << 47) - EXO_PAGE_SIZE ? va : 0;
}

int64_t entry_clear(const struct vcpu *v, uint64_t entry, uint64_t value, uint64_t *old)
{
	struct ahead *a = &ahead[v->number];
	struct exo_pt_item item = { entry | EXO_PT_XCHG, value };
	uint64_t va = page_of(entry), before = __atomic_load_n(&entry_changes, __ATOMIC_SEQ_CST);
	uint64_t flush = va ? EXO_FLUSH_LOCAL | EXO_FLUSH_VA : EXO_FLUSH_NONE;
	if (exo_pt_write(0, &item, 1, 0, flush, va).status)
		return -XEN_EINVAL;
	*old = item.val;
	bool alone = __atomic_fetch_add(&entry_changes, 1, __ATOMIC_SEQ_CST) == before;
	if (!alone || a->at != before)
		a->n = 0;
	if (alone && va && a->n < AHEAD)
		a->va[a->n++] = va;
	a->at = before + 1;
	return 0;
}

static bool is_flushed(const struct vcpu *v, uint64_t va)
{
	const struct ahead *a = &ahead[v->number];
	unsigned i = 0;
	while (i < a->n && a->va[i] != va)
		i++;
	return i < a->n && a->at == __atomic_load_n(&entry_changes, __ATOMIC_SEQ_CST);
}

/* ---- entries --------------------------------------------------------------------------------- */

static int64_t write_checked(uint64_t entry, unsigned op, uint64_t value, uint64_t *old)
{
	struct exo_pt_item item[2] = { { entry | op, value }, { *old, 0 } };
	unsigned n = op == EXO_PT_CAS ? 2 : 1;
	uint64_t status = exo_pt_write(0, item, n, 0, EXO_FLUSH_NONE, 0).status;
	entries_changed();
	if (status)
		return -XEN_EINVAL;
	*old = op == EXO_PT_CAS ? item[1].ptr : item[0].val;
	return 0;
}

static bool names_table(unsigned level, uint64_t e)
{
	return level > 1 && (e & (EXO_PTE_P | EXO_PTE_PS)) == EXO_PTE_P;
}

/* Above level 1.  The promoted child is held by a reference until it is known to be used. */
static int64_t write_upper(uint64_t entry, unsigned level, unsigned op, uint64_t value, uint64_t *old)
{
	unsigned slot = entry % EXO_PAGE_SIZE / 8;
	uint64_t expected = *old;
	int64_t e = 0;
	if (level == 4 && slot >= M2P_SLOT && slot <= LAST_SLOT)
		return -XEN_EPERM;
	lock_take(&vm.lock);
	if (names_table(level, value) && !(e = table_promote(PTE_PFN(value), level - 1))) {
		const struct note *above = note_of(entry >> EXO_PAGE_SHIFT);
		note_of(PTE_PFN(value))->place = place_of(above, level, slot);
		table_ref(PTE_PFN(value));
	}
	if (!e) {
		e = write_checked(entry, op, value, old);
		bool written = !e && (op != EXO_PT_CAS || *old == expected);
		uint64_t unused = written ? *old : value;
		if (names_table(level, unused))
			table_unref(PTE_PFN(unused));
	}
	lock_release(&vm.lock);
	return e;
}

int64_t entry_write(uint64_t entry, unsigned op, uint64_t value, uint64_t *old)
{
	const struct note *n = note_of(entry >> EXO_PAGE_SHIFT);
	if (!n)
		return -XEN_EINVAL;
	return n->level > 1 ? write_upper(entry, n->level, op, value, old) :
		write_checked(entry, op, value, old);
}

/* ---- mmu_update ----------------------------------------------------------------------------- */

/* What the kernel can take as it is: an entry of level 1, or of a table that is data still. */
static bool is_plain(const struct xen_mmu_update *item)
{
	unsigned op = item->ptr & 7;
	const struct note *n = note_of(item->ptr >> EXO_PAGE_SHIFT);
	return n && n->level <= 1 && (op == XEN_MMU_NORMAL || op == XEN_MMU_PRESERVE_AD);
}

static int64_t update_other(const struct xen_mmu_update *item)
{
	unsigned op = item->ptr & 7;
	uint64_t entry = item->ptr & ~7ul, old = 0;
	if (!note_of(entry >> EXO_PAGE_SHIFT))
		return -XEN_EINVAL;
	switch (op) {
	case XEN_MMU_MACHPHYS:
		m2p_set(entry >> EXO_PAGE_SHIFT, item->val);
		return 0;
	case XEN_MMU_NORMAL:
	case XEN_MMU_PRESERVE_AD:
		return entry_write(entry, op == XEN_MMU_NORMAL ? EXO_PT_XCHG : EXO_PT_SET_AD, item->val, &old);
	}
	return -XEN_EINVAL;
}

/* *done counts those carried out. */
static int64_t updates_run(struct xen_mmu_update *item, unsigned n, uint32_t *done)
{
	for (unsigned i = 0, plain; i < n; i += plain) {
		for (plain = 0; i + plain < n && is_plain(&item[i + plain]); plain++)
			;
		if (plain) {
			struct exo_result r = exo_pt_write(0, (struct exo_pt_item *)&item[i], plain, 0,
				EXO_FLUSH_NONE, 0);
			entries_changed();
			*done += r.value;
			if (r.status)
				return -XEN_EINVAL;
			continue;
		}
		int64_t e = update_other(&item[i]);
		if (e)
			return e;
		*done += plain = 1;
	}
	return 0;
}

int64_t call_mmu_update(struct vcpu *v, const uint64_t a[6])
{
	struct xen_mmu_update item[BATCH];
	_Static_assert(sizeof *item == sizeof(struct exo_pt_item), "passed on as they are");
	uint32_t count = a[1], done = 0;
	int64_t e = 0;
	(void)v;
	if ((a[3] & 0xffff) != XEN_DOMID_SELF || a[3] >> 16 & 0xffff)
		return -XEN_EPERM;
	for (uint32_t i = 0, n; !e && i < count; i += n) {
		n = count - i < BATCH ? count - i : BATCH;
		e = guest_read(item, a[0] + i * sizeof *item, n * sizeof *item) ?
			updates_run(item, n, &done) : -XEN_EFAULT;
	}
	if (a[2] && !guest_write(a[2], &done, sizeof done))
		return -XEN_EFAULT;
	return e;
}

/* ---- update_va_mapping ------------------------------------------------------------------------- */

bool mapping_item(const struct vcpu *v, const uint64_t a[6], struct exo_pt_item *item,
	uint64_t *flush)
{
	bool may_be = canonical(a[0]) && guest_range_ok(a[0], 1);
	uint64_t entry = may_be ? mmu_walk(v->root_k, a[0], 1) : 0;
	*flush = a[2] & ~(uint64_t)XEN_UVMF_KIND ? EXO_FLUSH_ALL : EXO_FLUSH_LOCAL;
	*item = (struct exo_pt_item){ entry | EXO_PT_SET, a[1] };
	switch (a[2] & XEN_UVMF_KIND) {
	case 0:
		*flush = EXO_FLUSH_NONE;
		break;
	case XEN_UVMF_INVLPG:
		*flush |= EXO_FLUSH_VA;
		break;
	}
	return entry;
}

int64_t call_update_va_mapping(struct vcpu *v, const uint64_t a[6])
{
	struct exo_pt_item item;
	uint64_t flush;
	if (!mapping_item(v, a, &item, &flush))
		return -XEN_EINVAL;
	uint64_t status = exo_pt_write(0, &item, 1, 0, flush, a[0] & -EXO_PAGE_SIZE).status;
	entries_changed();
	return status ? -XEN_EINVAL : 0;
}

/* ---- roots ------------------------------------------------------------------------------------- */

/* Loads k, and makes u (0: nothing) the user root that the kernel loads with it. */
static uint64_t pair_load(uint64_t k, uint64_t u)
{
	if (u && note_of(k)->pair != u) {
		table_unpair(k);
		table_unpair(u);
	} else {
		u = 0;
	}
	uint64_t status = exo_context_ctl(0, EXO_CTX_ROOTS, k, u, 0).status;
	if (u && !status) {
		note_of(k)->pair = u;
		note_of(u)->pair = k;
		note_of(u)->user = 1;
	}
	return status;
}

/* One with the monitor's slots is a kernel root: user code would see the monitor. */
static bool is_user_root(uint64_t u)
{
	const struct note *n = note_of(u);
	return n && n->level == 4 && !n->adopted && !ram_root_slots(u, false);
}

static void user_ready_set(struct vcpu *v, bool paired)
{
	v->paired = paired;
	v->user_ready = paired && !v->gs_late;
}

/* Loads a kernel root: at once if this is the calling vCPU, else when it starts. */
static int64_t kernel_root_load(struct vcpu *v, uint64_t k, uint64_t u)
{
	struct note *n = note_of(k);
	if (!n)
		return -XEN_EINVAL;
	int64_t e = table_promote(k, 4);
	if (!e && !n->adopted && ram_root_slots(k, true))
		e = -XEN_EINVAL;
	if (!e)
		n->adopted = 1;
	table_ref(k);
	if (!e && v->up && pair_load(k, k != u && is_user_root(u) ? u : 0))
		e = -XEN_EINVAL;
	uint64_t unused = e ? k : v->root_k;
	if (!e)
		v->root_k = k;
	entries_changed();
	if (unused)
		table_unref(unused);
	return e;
}

int64_t roots_set(struct vcpu *v, uint64_t k, uint64_t u)
{
	if (v->up && k == v->root_k)
		return exo_tlb_flush(0, 0, EXO_FLUSH_LOCAL).status ? -XEN_EINVAL : 0;
	lock_take(&vm.lock);
	int64_t e = kernel_root_load(v, k, u);
	user_ready_set(v, v->root_u && note_of(v->root_k)->pair == v->root_u);
	lock_release(&vm.lock);
	return e;
}

int64_t root_user_set(struct vcpu *v, uint64_t u)
{
	struct note *n = u ? note_of(u) : NULL;
	int64_t e = 0;
	if (u && (!n || u == v->root_k || n->adopted))
		return -XEN_EINVAL;
	lock_take(&vm.lock);
	if (u && !(e = table_promote(u, 4))) {
		table_ref(u);
		if (!is_user_root(u))
			e = -XEN_EINVAL;
	}
	uint64_t unused = e ? u : v->root_u;
	if (!e)
		v->root_u = u;
	user_ready_set(v, v->root_u && note_of(v->root_k)->pair == v->root_u);
	if (unused)
		table_unref(unused);
	lock_release(&vm.lock);
	return e;
}

/* The kernel's pair is what the guest asked for. */
static uint64_t roots_pair(const struct vcpu *v)
{
	lock_take(&vm.lock);
	uint64_t status = pair_load(v->root_k, v->root_u);
	lock_release(&vm.lock);
	return status;
}

/* Before code of the user root runs. */
int64_t user_prepare(struct vcpu *v)
{
	if (!v->root_u)
		return -XEN_EINVAL;
	if (v->gs_late)
		exo_segment_set(EXO_SEG_KGS, v->base_of[XEN_BASE_GS_USER], 0);
	v->gs_late = false;
	user_ready_set(v, v->paired || !roots_pair(v));
	return v->user_ready ? 0 : -XEN_EINVAL;
}

/* ---- mmuext_op ----------------------------------------------------------------------------------- */

static int64_t flush_op(const struct vcpu *v, unsigned cmd, uint64_t va)
{
	bool local = cmd == XEN_TLB_FLUSH_LOCAL || cmd == XEN_INVLPG_LOCAL;
	bool page = cmd == XEN_INVLPG_LOCAL || cmd == XEN_INVLPG_MULTI || cmd == XEN_INVLPG_ALL;
	if (cmd == XEN_INVLPG_LOCAL && is_flushed(v, va & -EXO_PAGE_SIZE))
		return 0;
	return exo_tlb_flush(page ? va & -EXO_PAGE_SIZE : 0, page, local ? EXO_FLUSH_LOCAL :
		EXO_FLUSH_ALL).status ? -XEN_EINVAL : 0;
}

static int64_t page_op(unsigned cmd, uint64_t to, uint64_t from)
{
	if (!ram_has(to) || (cmd == XEN_COPY_PAGE && !ram_has(from)))
		return -XEN_EINVAL;
	return exo_frame_copy(0, to << EXO_PAGE_SHIFT, 0, cmd == XEN_COPY_PAGE ? from << EXO_PAGE_SHIFT :
		~0ul, EXO_PAGE_SIZE, 0).status ? -XEN_EINVAL : 0;
}

/* What gather.c doesn't take. */
static int64_t mmuext_one(const struct vcpu *v, const struct xen_mmuext_op *op)
{
	switch (op->cmd) {
	case XEN_TLB_FLUSH_LOCAL: case XEN_INVLPG_LOCAL: case XEN_TLB_FLUSH_MULTI:
	case XEN_INVLPG_MULTI: case XEN_TLB_FLUSH_ALL: case XEN_INVLPG_ALL:
		return flush_op(v, op->cmd, op->arg1);
	case XEN_FLUSH_CACHE: case XEN_FLUSH_CACHE_GLOBAL:
		return 0;		/* no device sees the guest's memory */
	case XEN_SET_LDT:
		return op->arg2 ? -XEN_ENOSYS : 0;
	case XEN_CLEAR_PAGE: case XEN_COPY_PAGE:
		return page_op(op->cmd, op->arg1, op->arg2);
	}
	return -XEN_ENOSYS;
}

int64_t call_mmuext_op(struct vcpu *v, const uint64_t a[6])
{
	int64_t e = 0;
	uint32_t done = 0, n = a[1];
	struct gather g;
	gather_start(&g, v);
	g.single = true;
	g.failed = n;
	if ((a[3] & 0xffff) != XEN_DOMID_SELF)
		return -XEN_EPERM;
	for (; !e && done < n && g.failed == n; done++) {
		struct xen_mmuext_op op;
		if (!guest_read(&op, a[0] + done * sizeof op, sizeof op)) {
			e = -XEN_EFAULT;
		} else if (!gather_op(&g, &op, done)) {
			gather_run(&g);
			e = mmuext_one(v, &op);
		}
	}
	done -= !!e;
	gather_run(&g);
	if (g.failed < n) {
		done = g.failed;
		e = -XEN_EINVAL;
	}
	if (a[2] && !guest_write(a[2], &done, sizeof done))
		return -XEN_EFAULT;
	return e;
}
