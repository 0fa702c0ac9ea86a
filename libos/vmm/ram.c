/* The guest's frames: which they are, and the windows on them.  See vmm.h and the table of slots in
 * docs/vmm-design.md.
 *
 * Frames are taken cold, so that the physmap shows none of them writable, and in the order in
 * which the allocator gives them: whole 2 MiB regions first.  A region that is the guest's as a
 * whole is one large page in each window; the read-only window may show page tables so.
 *
 * Left to others: what the frames are used as.
 */
#include "libos/vmm/vmm.h"

#define LARGE_PAGES	512u
#define LARGE_MASK	(LARGE_PAGES * EXO_PAGE_SIZE - 1)
#define M2P_NONE	(~0ul)		/* no frame of the guest's */
#define SHARES		64u

struct vm vm;
uint64_t *ram_bitmap;

static struct {
	uint64_t va;			/* of SHARES pages whose tables are there */
	bool used[SHARES];
	struct lock lock;
} share;

static void must(uint64_t status, const char *what)
{
	if (status)
		vm_refuse("%s: %s", what, exo_status_text(status));
}

void *ram_memory(uint64_t bytes)
{
	uint64_t n = (bytes + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE, va = pt_window(n);
	must(va ? EXO_OK : EXO_LIMIT, "address space for the monitor");
	for (uint64_t i = 0; i < n; i++) {
		uint64_t pfn = frame_alloc_zero();
		must(!pfn ? EXO_LIMIT : pt_map(vm.monitor_root, va + i * EXO_PAGE_SIZE, pfn, 1,
			PTE_RW, 0), "memory for the monitor");
	}
	return (void *)va;
}

/* ---- the frames ----------------------------------------------------------------------------- */

static void take_frames(void)
{
	struct exo_start_extent got[32];
	for (uint64_t n = 0; n < vm.pages;) {
		if (!frames_take(vm.pages - n, got, ARRAY_LEN(got)))
			vm_refuse("the domain has %lu frames less than the guest needs",
				vm.pages - n);
		for (unsigned i = 0; i < ARRAY_LEN(got) && got[i].count; i++)
			for (uint32_t k = 0; k < got[i].count; k++)
				vm.p2m[n++] = got[i].pfn + k;
	}
}

static void note_frames(void)
{
	vm.mfn_lo = ~0ul;
	for (uint64_t i = 0; i < vm.pages; i++) {
		if (vm.p2m[i] < vm.mfn_lo)
			vm.mfn_lo = vm.p2m[i];
		if (vm.p2m[i] >= vm.mfn_hi)
			vm.mfn_hi = vm.p2m[i] + 1;
	}
	vm.mfn_lo -= vm.mfn_lo % LARGE_PAGES;
	ram_bitmap = ram_memory((vm.mfn_hi - vm.mfn_lo + 63) / 64 * 8);
	for (uint64_t i = 0; i < vm.pages; i++) {
		uint64_t bit = vm.p2m[i] - vm.mfn_lo;
		ram_bitmap[bit / 64] |= 1ul << bit % 64;
	}
}

/* ---- the M2P: one page of it covers a region ------------------------------------------------ */

static uint64_t *m2p_page(uint64_t mfn)
{
	uint64_t e = pt_lookup(vm.monitor_root, M2P_BASE + mfn * 8, NULL);
	return e ? physmap_page(PTE_PFN(e)) : NULL;
}

static uint64_t *m2p_page_make(uint64_t mfn)
{
	uint64_t *page = m2p_page(mfn), pfn;
	if (page)
		return page;
	must((pfn = frame_alloc()) ? EXO_OK : EXO_LIMIT, "memory for the M2P");
	page = physmap_page(pfn);
	memset(page, M2P_NONE & 255, EXO_PAGE_SIZE);
	must(pt_map(vm.monitor_root, (M2P_BASE + mfn * 8) & -EXO_PAGE_SIZE, pfn, 1, PTE_RO, 0),
		"M2P");
	return page;
}

void m2p_set(uint64_t mfn, uint64_t pfn)
{
	uint64_t *page = m2p_page(mfn);
	if (page)
		page[mfn % LARGE_PAGES] = pfn;
}

/* ---- the windows ---------------------------------------------------------------------------- */

/* n frames within a region. */
static uint64_t window_map(uint64_t va, uint64_t mfn, uint64_t n, uint64_t flags)
{
	uint64_t status;
	if (n < LARGE_PAGES || va & LARGE_MASK)
		return pt_map(vm.monitor_root, va, mfn, n, flags, 0);
	struct exo_pt_item item = { pt_make(vm.monitor_root, va, 2, &status),
		PTE_MAKE(mfn, flags | EXO_PTE_PS) };
	return status ? status : exo_pt_write_all(0, &item, 1, 0, EXO_FLUSH_NONE, NULL);
}

/* How many of the frames from pfn on are adjacent and in one region. */
static uint64_t run_length(uint64_t pfn)
{
	uint64_t mfn = vm.p2m[pfn], n = 1, most = LARGE_PAGES - mfn % LARGE_PAGES;
	while (n < most && pfn + n < vm.pages && vm.p2m[pfn + n] == mfn + n)
		n++;
	return n;
}

static void show_frames(void)
{
	for (uint64_t pfn = 0, n; pfn < vm.pages; pfn += n) {
		uint64_t mfn = vm.p2m[pfn], *page = m2p_page_make(mfn);
		n = run_length(pfn);
		for (uint64_t i = 0; i < n; i++)
			page[mfn % LARGE_PAGES + i] = pfn + i;
		must(window_map(RAM_BASE + mfn * EXO_PAGE_SIZE, mfn, n, PTE_RO), "RAM window");
		must(window_map(BUILD_BASE + pfn * EXO_PAGE_SIZE, mfn, n, PTE_RW), "build window");
	}
}

void ram_init(uint64_t pages)
{
	uint64_t need = pages + VMM_OVERHEAD(pages), status = EXO_OK;
	if (frames_left() < need)
		vm_refuse("%luM of memory need %lu frames, the domain has %lu", pages >> 8, need,
			frames_left());
	vm.pages = pages;
	vm.p2m = ram_memory(pages * sizeof *vm.p2m);
	take_frames();
	note_frames();
	show_frames();
	share.va = pt_window(SHARES);
	for (unsigned i = 0; share.va && i < SHARES && !status; i++)
		pt_make(vm.monitor_root, share.va + i * EXO_PAGE_SIZE, 1, &status);
	must(share.va ? status : EXO_LIMIT, "address space for shared pages");
}

void ram_build_end(void)
{
	must(pt_free(vm.monitor_root, BUILD_SLOT, BUILD_SLOT, false), "build window");
	must(exo_tlb_flush(0, 0, EXO_FLUSH_ALL).status, "build window");
}

unsigned ram_slot_items(uint64_t mfn, bool on, struct exo_pt_item item[RAM_ROOT_SLOTS])
{
	static const unsigned slots[RAM_ROOT_SLOTS] = { M2P_SLOT, MONITOR_SLOT, PHYSMAP_SLOT, RAM_SLOT };
	const uint64_t *table = ram_page(mfn);
	unsigned n = 0;
	for (unsigned i = 0; i < RAM_ROOT_SLOTS; i++) {
		uint64_t ours = on ? pt_read((vm.monitor_root << EXO_PAGE_SHIFT) + 8 * slots[i]) : 0;
		if ((table[slots[i]] ^ ours) & (EXO_PTE_FRAME | EXO_PTE_P))
			item[n++] = (struct exo_pt_item){ (mfn << EXO_PAGE_SHIFT) + 8 * slots[i], ours };
	}
	return n;
}

uint64_t ram_root_slots(uint64_t mfn, bool on)
{
	struct exo_pt_item item[RAM_ROOT_SLOTS];
	unsigned n = ram_slot_items(mfn, on, item);
	return n ? exo_pt_write_all(0, item, n, 0, EXO_FLUSH_NONE, NULL) : EXO_OK;
}

/* ---- writable views for good ---------------------------------------------------------------- */

static uint64_t share_write(unsigned i, uint64_t entry, uint64_t flush)
{
	struct exo_pt_item item = { pt_find(vm.monitor_root, share.va + i * EXO_PAGE_SIZE, 1),
		entry };
	return exo_pt_write_all(0, &item, 1, 0, flush, NULL);
}

void *ram_share(uint64_t mfn)
{
	void *page = NULL;
	lock_take(&share.lock);
	for (unsigned i = 0; !page && i < SHARES; i++) {
		if (share.used[i])
			continue;
		if (share_write(i, PTE_MAKE(mfn, PTE_RW), EXO_FLUSH_NONE))
			break;
		share.used[i] = true;
		page = (void *)(share.va + i * EXO_PAGE_SIZE);
	}
	lock_release(&share.lock);
	return page;
}

void ram_unshare(void *page)
{
	unsigned i = ((uint64_t)page - share.va) / EXO_PAGE_SIZE;
	lock_take(&share.lock);
	if (!share_write(i, 0, EXO_FLUSH_ALL))
		share.used[i] = false;
	lock_release(&share.lock);
}
