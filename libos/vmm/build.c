/* The start of a guest: where everything lies in its memory, its first page tables, the p2m list,
 * the start page.  The layout is that of Xen's domain builder:
 *
 *	page 0 ... kernel [module] [p2m list] start page, store, console, tables, stack, slack
 *	behind the initial mapping: [module] [p2m list and its tables]
 *
 * where module and list lie depends on the kernel's notes.  The initial mapping shows the pages in
 * order from VIRT_BASE on, page tables read-only; the tables get their types when the build
 * window is gone, lowest level first.
 *
 * Left to others: running it (vcpu.c), the time in its shared page.
 */
#include "libos/vmm/load.h"

#define SLACK		(512ul << 10)	/* mapped behind the stack, at least */
#define MAP_ALIGN	(4ul << 20)
#define PTE_GUEST_RO	(EXO_PTE_P | EXO_PTE_U | EXO_PTE_A)
#define PTE_GUEST_RW	(PTE_GUEST_RO | EXO_PTE_W | EXO_PTE_D)
#define RETYPE_BATCH	64u

/* The tables that map a range: those of a level are adjacent. */
struct tables {
	uint64_t va, pages;
	uint64_t first[5], count[5];	/* by level: pfns */
};

static struct image image;
static struct plan {
	struct load_file module;
	uint64_t module_pfn, module_pages;
	uint64_t p2m_pfn, p2m_pages;
	uint64_t p2m_frames;		/* with the tables that map it apart */
	uint64_t start_pfn, store_pfn, console_pfn, stack_pfn;
	uint64_t pages;			/* used in all */
	struct tables map, p2m;
} plan;

static uint64_t pages_of(uint64_t bytes) { return (bytes + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE; }
static uint64_t guest_va_of(uint64_t pfn) { return image.virt_base + pfn * EXO_PAGE_SIZE; }

/* ---- the plan ------------------------------------------------------------------------------- */

/* Which table of that level, counted from the address space's first. */
static uint64_t table_number(uint64_t va, unsigned level)
{
	return (va & ((1ul << 48) - 1)) >> (EXO_PAGE_SHIFT + 9 * level);
}

/* Gives the tables for [va, va + pages) frames from `at` on, highest level first; the next. */
static uint64_t tables_plan(struct tables *t, uint64_t va, uint64_t pages, unsigned top,
	uint64_t at)
{
	*t = (struct tables){ .va = va, .pages = pages };
	for (unsigned level = top; level; level--) {
		t->first[level] = at;
		t->count[level] = table_number(va + pages * EXO_PAGE_SIZE - 1, level) -
			table_number(va, level) + 1;
		at += t->count[level];
	}
	return at;
}

/* The tables map themselves, so their number depends on itself. */
static uint64_t map_plan(uint64_t at)
{
	uint64_t tables = 0, next, end;
	for (;; tables = next) {
		plan.stack_pfn = at + tables;
		end = (guest_va_of(plan.stack_pfn + 1) + SLACK + MAP_ALIGN - 1) & -MAP_ALIGN;
		end = (end - image.virt_base) / EXO_PAGE_SIZE;
		if (!image_range(image.virt_base, end * EXO_PAGE_SIZE))
			vm_refuse("%s: its first mapping reaches addresses that no guest may have",
				vm.opt.kernel);
		next = tables_plan(&plan.map, image.virt_base, end, 4, at) - at;
		if (next == tables || end > vm.pages)
			return end;
	}
}

/* The list mapped apart: where a guest may have it, and not by the first mapping's root entries. */
static void p2m_check(void)
{
	uint64_t bytes = plan.p2m_pages * EXO_PAGE_SIZE, end = image.p2m + bytes - 1;
	uint64_t map_end = plan.map.va + plan.map.pages * EXO_PAGE_SIZE - 1;
	if (!image_range(image.p2m, bytes) || (pt_index(image.p2m, 4) <= pt_index(map_end, 4) &&
	    pt_index(end, 4) >= pt_index(plan.map.va, 4)))
		vm_refuse("%s: its notes put the p2m list where it cannot be (INIT_P2M)",
			vm.opt.kernel);
}

static void plan_make(void)
{
	uint64_t at = image.hi / EXO_PAGE_SIZE;
	bool apart = image.mod_pfn;
	plan.module_pages = pages_of(plan.module.size);
	plan.p2m_pages = plan.p2m_frames = pages_of(vm.pages * 8);
	if (!apart) {
		plan.module_pfn = at;
		at += plan.module_pages;
	}
	if (!image.p2m) {
		plan.p2m_pfn = at;
		at += plan.p2m_pages;
	}
	plan.start_pfn = at++;
	plan.store_pfn = at++;
	plan.console_pfn = at++;
	at = map_plan(at);
	if (apart) {
		plan.module_pfn = at;
		at += plan.module_pages;
	}
	if (image.p2m) {
		p2m_check();
		plan.p2m_pfn = at;
		at = tables_plan(&plan.p2m, image.p2m, plan.p2m_pages, 3, at + plan.p2m_pages);
		plan.p2m_frames = at - plan.p2m_pfn;
	}
	plan.pages = at;
	if (at > vm.pages)
		vm_refuse("%luM of memory are too little: kernel and initrd need %luM",
			vm.pages >> 8, (at + 255) >> 8);
}

/* ---- page tables ---------------------------------------------------------------------------- */

static uint64_t *table_entry(const struct tables *t, unsigned level, uint64_t va)
{
	uint64_t number = table_number(va, level) - table_number(t->va, level);
	uint64_t *table = ram_build(t->first[level] + number);
	return &table[pt_index(va, level)];
}

static bool is_table(uint64_t pfn)
{
	uint64_t end = plan.map.first[1] + plan.map.count[1];
	return pfn >= plan.map.first[4] && pfn < end;
}

/* Maps the pages from pfn on; the top level's entry, if its table is another's, is not made. */
static void tables_fill(const struct tables *t, unsigned top, uint64_t pfn)
{
	uint64_t end = t->va + t->pages * EXO_PAGE_SIZE;
	for (unsigned level = top; level; level--)
		memset(ram_build(t->first[level]), 0, t->count[level] * EXO_PAGE_SIZE);
	for (uint64_t va = t->va; va != end; va += EXO_PAGE_SIZE, pfn++)
		*table_entry(t, 1, va) = PTE_MAKE(vm.p2m[pfn],
			is_table(pfn) ? PTE_GUEST_RO : PTE_GUEST_RW);
	for (unsigned level = 1; level < top; level++)
		for (uint64_t i = 0; i < t->count[level]; i++) {
			uint64_t va = t->va + (i << (EXO_PAGE_SHIFT + 9 * level));
			uint64_t mfn = vm.p2m[t->first[level] + i];
			*table_entry(t, level + 1, va) = PTE_MAKE(mfn, PTE_GUEST_RW);
		}
}

static void tables_make(void)
{
	tables_fill(&plan.map, 4, 0);
	if (!image.p2m)
		return;
	tables_fill(&plan.p2m, 3, plan.p2m_pfn);
	uint64_t *root = ram_build(plan.map.first[4]);
	for (uint64_t i = 0; i < plan.p2m.count[3]; i++)
		root[pt_index(image.p2m + (i << 39), 4)] =
			PTE_MAKE(vm.p2m[plan.p2m.first[3] + i], PTE_GUEST_RW);
}

static void tables_type(const struct tables *t, unsigned level)
{
	uint64_t item[RETYPE_BATCH];
	for (uint64_t i = 0, n; i < t->count[level]; i += n) {
		for (n = 0; n < RETYPE_BATCH && i + n < t->count[level]; n++)
			item[n] = (uint64_t)vm.p2m[t->first[level] + i + n] << 8 | level;
		uint64_t status = exo_retype_all(0, item, n, NULL);
		if (status)
			vm_end(VM_END_BUG, "the first page tables, level %u: %s", level,
				exo_status_text(status));
	}
}

/* ---- pages ---------------------------------------------------------------------------------- */

static void p2m_fill(void)
{
	uint64_t *list = ram_build(plan.p2m_pfn);
	for (uint64_t i = 0; i < plan.p2m_pages * EXO_PAGE_SIZE / 8; i++)
		list[i] = i < vm.pages ? vm.p2m[i] : ~0ul;
}

static void start_fill(void)
{
	struct xen_start_info *s = memset(ram_build(plan.start_pfn), 0, EXO_PAGE_SIZE);
	text_copy(s->magic, XEN_START_MAGIC, sizeof s->magic);
	text_copy(s->cmdline, vm.opt.append, sizeof s->cmdline);
	s->pages = vm.pages;
	s->shared_info = vm.shared_mfn << EXO_PAGE_SHIFT;
	s->store_mfn = vm.store_mfn = vm.p2m[plan.store_pfn];
	s->store_port = vm.store_port;
	s->console_mfn = vm.console_mfn = vm.p2m[plan.console_pfn];
	s->console_port = vm.console_port;
	s->pt_base = guest_va_of(plan.map.first[4]);
	s->pt_frames = plan.stack_pfn - plan.map.first[4];
	s->mfn_list = image.p2m ? image.p2m : guest_va_of(plan.p2m_pfn);
	if (image.p2m) {
		s->flags |= XEN_SIF_VIRT_P2M;
		s->p2m_pfn = plan.p2m_pfn;
		s->p2m_frames = plan.p2m_frames;
	}
	if (!plan.module_pages)
		return;
	s->mod_size = plan.module.size;
	s->mod_start = image.mod_pfn ? plan.module_pfn : guest_va_of(plan.module_pfn);
	if (image.mod_pfn)
		s->flags |= XEN_SIF_MOD_PFN;
}

static void module_read(void)
{
	uint64_t bytes = plan.module_pages * EXO_PAGE_SIZE;
	if (!bytes)
		return;
	uint8_t *to = ram_build(plan.module_pfn);
	memset(to + bytes - EXO_PAGE_SIZE, 0, EXO_PAGE_SIZE);
	load_read(&plan.module, to);
	load_close(&plan.module);
}

/* ---- all together --------------------------------------------------------------------------- */

void vm_build(struct vm_start *start)
{
	shim_init();
	load_kernel(vm.opt.kernel, &image);
	if (vm.opt.initrd)
		plan.module = load_open(vm.opt.initrd);
	plan_make();
	module_read();
	p2m_fill();
	start_fill();
	memset(ram_build(plan.store_pfn), 0, EXO_PAGE_SIZE);
	memset(ram_build(plan.console_pfn), 0, EXO_PAGE_SIZE);
	memset(ram_build(plan.stack_pfn), 0, EXO_PAGE_SIZE);
	tables_make();
	ram_build_end();
	for (unsigned level = 1; level <= 4; level++) {
		tables_type(&plan.map, level);
		tables_type(&plan.p2m, level);
	}
	vm.console_page = ram_share(vm.console_mfn);
	vm.store_page = ram_share(vm.store_mfn);
	*start = (struct vm_start){ .root = vm.p2m[plan.map.first[4]], .entry = image.entry,
		.stack = guest_va_of(plan.stack_pfn + 1),
		.start_info = guest_va_of(plan.start_pfn) };
	if (!vm.console_page || !vm.store_page || ram_root_slots(start->root, true))
		vm_end(VM_END_BUG, "the first root, or the console's page");
}
