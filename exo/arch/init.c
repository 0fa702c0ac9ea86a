/* The first domain, made of the boot module `init`: a static ELF program at a fixed address.
 *
 * It gets everything: all free frames, a capability to each CPU's slices and to each device,
 * and read-only loans of what the kernel exports.  How that is divided is its business.
 * Above its image lie, as for any domain that libos/common starts, a guard page, a stack, a
 * guard page, the control page and the start page.
 *
 * Runs once, before other CPUs do anything; a fault in the module is named and ends the boot.
 */
#include "exo/arch/machine.h"
#include "exo/core/cap.h"
#include "exo/core/device.h"
#include "exo/core/disk.h"
#include "exo/core/domain.h"
#include "exo/core/table.h"

#define STACK_PAGES	16
#define PTE_USER	(EXO_PTE_P | EXO_PTE_U | EXO_PTE_A)
#define PTE_TABLE	(PTE_USER | EXO_PTE_W)
#define PTE_RW		(PTE_USER | EXO_PTE_W | EXO_PTE_NX)

struct elf_header {
	uint64_t ident, pad;
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct elf_segment { uint32_t type, flags; uint64_t offset, vaddr, paddr, filesz, memsz, align; };
#define ELF_IDENT	0x00010102464c457ful	/* 64 bits, little endian, version 1, no ABI */
#define ELF_EXEC	2
#define ELF_X86_64	62
#define ELF_LOAD	1
#define ELF_X		1
#define ELF_W		2

static struct domain *init;
static struct exo_start *start;
static uint64_t table[5];		/* its page tables, one of each level ... */
static uint64_t base;			/* ... for the 2 MiB from here */

static void must(uint64_t status, const char *what)
{
	if (status)
		panic("init: %s refused (%lx)", what, status);
}

/* A zeroed frame of init's. */
static uint64_t take(void)
{
	if (!memory_free.count)
		panic("too little memory for the first domain");
	uint64_t pa = memory_free.at[0].base;
	ranges_remove(&memory_free, pa, pa + PAGE);
	page_zero(phys_to_virt(pa));
	return pa >> EXO_PAGE_SHIFT;
}

/* ---- its address space ------------------------------------------------------------- */

/* Plain data until tables_type. */
static void tables_make(uint64_t va)
{
	base = va & -LARGE_PAGE;
	for (unsigned level = 1; level <= 4; level++) {
		uint64_t *entries = pfn_to_virt(table[level] = take());
		if (level > 1)
			entries[va >> (3 + 9 * level) & 511] = table[level - 1] << EXO_PAGE_SHIFT | PTE_TABLE;
	}
}

static void place(uint64_t va, uint64_t pfn, uint64_t flags)
{
	uint64_t *entry = (uint64_t *)pfn_to_virt(table[1]) + (va >> EXO_PAGE_SHIFT & 511);
	if ((va & -LARGE_PAGE) != base || *entry)
		panic("module init: its pages overlap, or do not fit into the 2 MiB at %lx", base);
	*entry = pfn << EXO_PAGE_SHIFT | flags;
}

static void tables_type(void)
{
	for (unsigned level = 1, units = 0; level <= 4; level++)
		must(table_make(init, table[level], level, &units), "a page table");
}

/* ---- its program --------------------------------------------------------------------- */

/* Page by page: from the file as far as it goes, zeroes behind. */
static void load_segment(const uint8_t *file, const struct elf_segment *s)
{
	uint64_t flags = PTE_USER | (s->flags & ELF_W ? EXO_PTE_W : 0) | (s->flags & ELF_X ? 0 : EXO_PTE_NX);
	uint64_t file_end = s->vaddr + s->filesz;
	for (uint64_t va = s->vaddr & -PAGE; va < s->vaddr + s->memsz; va += PAGE) {
		uint64_t pfn = take(), from = va > s->vaddr ? va : s->vaddr;
		uint64_t to = va + PAGE < file_end ? va + PAGE : file_end;
		if (from < to)
			__builtin_memcpy((uint8_t *)pfn_to_virt(pfn) + (from - va),
				file + s->offset + (from - s->vaddr), to - from);
		place(va, pfn, flags);
		start->image_hi = va + PAGE;
	}
}

/* Segments are in ascending order.  Returns the entry point; where that leads is init's affair. */
static uint64_t load(const struct boot_module *m)
{
	const struct elf_header *h = phys_to_virt(m->base);
	if (m->size < sizeof *h || h->ident != ELF_IDENT || h->machine != ELF_X86_64 ||
	    h->type != ELF_EXEC || h->phentsize != sizeof(struct elf_segment))
		panic("module init is no ELF program at a fixed address for x86-64");
	const struct elf_segment *s = (const void *)((const uint8_t *)h + h->phoff);
	if (h->phoff > m->size || m->size - h->phoff < h->phnum * sizeof *s)
		panic("module init: bad program headers");
	for (unsigned i = 0; i < h->phnum; i++, s++) {
		if (s->type != ELF_LOAD || !s->memsz)
			continue;
		if (s->offset > m->size || s->filesz > m->size - s->offset || s->filesz > s->memsz)
			panic("module init is cut off: segment at %lx", s->vaddr);
		if (!start->image_hi) {
			start->image_lo = s->vaddr & -PAGE;
			tables_make(s->vaddr);
		}
		load_segment((const uint8_t *)h, s);
	}
	if (!start->image_hi)
		panic("module init has no segments");
	return h->entry;
}

/* ---- its capabilities ----------------------------------------------------------------- */

static void name_cap(const char *name, int number, uint64_t cap)
{
	if (start->caps == EXO_START_CAPS) {
		log_print("init: no room in its start page for %s\n", name);
		return;
	}
	struct exo_start_cap *c = &start->cap[start->caps++];
	unsigned n = 0;
	for (; name[n]; n++)
		c->name[n] = name[n];
	if (number >= 10)
		c->name[n++] = '0' + number / 10;
	if (number >= 0)
		c->name[n++] = '0' + number % 10;
	c->cap = cap;
}

static uint64_t give_cap(const char *name, int number, const struct slot *value)
{
	uint64_t cap;
	if (cap_insert(init, 0, 0, value, NULL, &cap))
		panic("init: no room for capability %s", name);
	name_cap(name, number, cap);
	return cap;
}

static void give_device(const char *name, uint16_t port, uint16_t count, int irq)
{
	struct device d = { .port = port, .port_count = count, .has_irq = irq >= 0 };
	if (irq >= 0)
		d.gsi = acpi.irq[irq].gsi;
	give_cap(name, -1, &(struct slot){
		.type = EXO_T_DEVICE, .rights = EXO_R_GRANT | EXO_R_USE, .aux = device_add(&d) });
}

/* Of whole blocks; a capability reaches 2^32 of them. */
static void give_extent(unsigned disk)
{
	uint64_t blocks = disks[disk].dev->sectors / EXO_BLOCK_SECTORS;
	give_cap("disk", disk, &(struct slot){
		.type = EXO_T_EXTENT, .rights = EXO_R_GRANT | EXO_R_READ | EXO_R_WRITE, .aux = disk,
		.count = blocks < UINT32_MAX ? blocks : UINT32_MAX });
}

static void give_flow(unsigned net)
{
	uint64_t cap = give_cap("net", net, &(struct slot){
		.type = EXO_T_FLOW, .rights = EXO_R_GRANT | EXO_R_USE, .aux = nets[net].all });
	flow_at(nets[net].all)->cap = slot_name(domain_slot(init, EXO_CAP_INDEX(cap)));
}

static void give_caps(void)
{
	give_cap("self", -1, &(struct slot){
		.type = EXO_T_DOMAIN, .rights = DOMAIN_RIGHTS, .aux = init->id });
	give_cap("machine", -1, &(struct slot){
		.type = EXO_T_MACHINE, .rights = EXO_R_GRANT | EXO_R_LOG | EXO_R_TRACE | EXO_R_RESET });
	give_device("com1", 0x3f8, 8, 4);
	give_device("com2", 0x2f8, 8, 3);
	give_device("rtc", 0x70, 2, 8);
	give_device("debug", 0xf4, 4, -1);
	if (acpi.pm1a)
		give_device("power", acpi.pm1a, 2, -1);
	for (unsigned i = 0; i < disk_count; i++)
		give_extent(i);
	for (unsigned i = 0; i < net_count; i++)
		give_flow(i);
	for (unsigned i = 0; i < export_count; i++)
		give_cap(exports[i].name, -1, &(struct slot){
			.type = EXO_T_FRAMES, .rights = EXO_R_GRANT | EXO_R_READ,
			.base = exports[i].pfn, .count = exports[i].count });
	for (unsigned i = 0; i < cpu_count; i++)
		give_cap("slice", i, &(struct slot){
			.type = EXO_T_SLICE, .rights = EXO_R_GRANT | EXO_R_BIND | EXO_R_LENGTH, .aux = i,
			.count = EXO_SLICES });
}

/* ---- its frames -------------------------------------------------------------------------- */

/* All but the domain object and its first table, which stay the kernel's. */
static void give_frames(void)
{
	uint64_t object = take(), slots = take();
	init = domain_make(object, slots, NULL);
	domain_init_id = init->id;
	ranges_remove(&memory_data, object << EXO_PAGE_SHIFT, (object + 1) << EXO_PAGE_SHIFT);
	ranges_remove(&memory_data, slots << EXO_PAGE_SHIFT, (slots + 1) << EXO_PAGE_SHIFT);
	for (unsigned i = 0; i < memory_data.count; i++) {
		const struct range *r = &memory_data.at[i];
		frames_found(r->base >> EXO_PAGE_SHIFT, (r->end - r->base) >> EXO_PAGE_SHIFT, init);
	}
}

static void list_frames(void)
{
	for (unsigned i = 0; i < memory_free.count; i++) {
		struct range r = memory_free.at[i];
		if (start->extents == EXO_START_EXTENTS) {
			log_print("init: not all memory ranges fit into its start page\n");
			return;
		}
		start->extent[start->extents++] = (struct exo_start_extent){
			r.base >> EXO_PAGE_SHIFT, (r.end - r.base) >> EXO_PAGE_SHIFT };
	}
}

static void list_modules(const struct boot_module *self)
{
	for (unsigned i = 0; i < boot_info.modules; i++) {
		const struct boot_module *m = &boot_info.module[i];
		if (m == self)
			continue;
		struct exo_start_module *to = &start->module[start->modules++];
		__builtin_memcpy(to->name, m->name, sizeof to->name);
		to->pfn = m->base >> EXO_PAGE_SHIFT;
		to->size = m->size;
	}
}

/* ---- all together -------------------------------------------------------------------------- */

static const struct boot_module *find_module(void)
{
	for (unsigned i = 0; i < boot_info.modules; i++)
		if (!__builtin_memcmp(boot_info.module[i].name, "init", 5))
			return &boot_info.module[i];
	panic("there is no boot module named init");
}

static uint64_t place_rest(void)
{
	uint64_t va = start->image_hi + PAGE;
	start->stack_lo = va;
	for (unsigned i = 0; i < STACK_PAGES; i++, va += PAGE)
		place(va, take(), PTE_RW);
	start->stack_hi = va;
	start->control = va += PAGE;
	start->control_pfn = take();
	start->save_pfn = take();
	place(va, start->control_pfn, PTE_RW);
	place(va + PAGE, ((uint64_t)start - DIRECT_BASE) >> EXO_PAGE_SHIFT, PTE_RW);
	return va + PAGE;
}

static void describe(void)
{
	start->magic = EXO_START_MAGIC;
	start->version = EXO_ABI_VERSION;
	start->cpus = cpu_count;
	start->root = table[4];
	start->features = cpu_features_abi;
	start->xsave_size = xsave_size;
	start->acpi_pm1a = acpi.pm1a;
	start->acpi_s5 = acpi.s5;
	__builtin_memcpy(start->cmdline, boot_info.cmdline, sizeof start->cmdline);
}

static uint64_t act(call_fn *f, const char *what, struct call c)
{
	must(f(&c), what);
	return c.rdx;
}

/* By the calls that a domain makes its contexts with: the boot CPU acts for init. */
static void make_context(uint64_t entry, uint64_t start_va)
{
	static struct context acting;
	acting.domain = init->id;
	this_cpu()->current = &acting;
	uint64_t context = act(call_context_create, "its context", (struct call){
		.rsi = take(), .rdx = start->control_pfn, .r10 = start->save_pfn });
	name_cap("context", -1, context);
	act(call_context_ctl, "its root", (struct call){
		.rdi = context, .rsi = EXO_CTX_ROOTS, .rdx = table[4] });
	act(call_context_ctl, "its text", (struct call){
		.rdi = context, .rsi = EXO_CTX_ROUTE, .rdx = start->image_lo, .r10 = start->image_hi });
	act(call_context_ctl, "its start", (struct call){
		.rdi = context, .rsi = EXO_CTX_START, .rdx = entry, .r10 = start->stack_hi, .r8 = start_va });
	this_cpu()->current = NULL;
}

void init_create(void)
{
	const struct boot_module *m = find_module();
	give_frames();
	start = pfn_to_virt(take());
	uint64_t entry = load(m), start_va = place_rest();
	tables_type();
	describe();
	give_caps();
	list_modules(m);
	make_context(entry, start_va);
	ranges_add(&memory_free, m->base, (m->base + m->size + PAGE - 1) & -PAGE);
	list_frames();
	log_print("init: domain %x, %u frames, program at %lx-%lx\n", init->id, init->frames,
		start->image_lo, start->image_hi);
}
