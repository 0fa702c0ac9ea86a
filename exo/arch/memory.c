/* The kernel's address space, the memory that boot takes, and the frame table's start.
 *
 * PML4 slots 257-263 are filled here and never change afterwards, so that every root can
 * hold a copy of the seven entries.  What frames are RAM at all is decided here; who owns
 * them and what they are used as, from then on, in exo/core.
 */
#include "exo/arch/machine.h"

#define BOOT_MAPPED	(4 * GiB)	/* by boot.S */
#define RAM_MAX		(128 * GiB)	/* names of capability slots reach that far */
#define LOW_MEMORY	0x100000ul	/* the firmware's, and real mode's */
#define MEMORY_MIN	(16ul << 20)	/* below it there is no point in going on */

uint64_t kernel_root;
uint64_t arch_kernel_pml4[7];
struct ranges memory_free, memory_data;
struct export exports[EXPORTS_MAX];
unsigned export_count;
static uint64_t *root;
static uint64_t device_next = MMIO_BASE;

void *phys_to_virt(uint64_t pa)
{
	return (void *)(DIRECT_BASE + pa);
}

static uint64_t round_up(uint64_t v, uint64_t align)
{
	return (v + align - 1) & -align;
}

/* ---- memory that boot takes --------------------------------------------------- */

/* From the top of the highest range that boot.S mapped and that has room. */
uint64_t early_alloc(uint64_t size, uint64_t align)
{
	size = round_up(size, PAGE);
	for (unsigned i = memory_free.count; i-- > 0;) {
		struct range r = memory_free.at[i];
		uint64_t end = r.end < BOOT_MAPPED ? r.end : BOOT_MAPPED;
		if (r.base >= end || end - r.base < size)
			continue;
		uint64_t base = (end - size) & -align;
		if (base < r.base)
			continue;
		ranges_remove(&memory_free, base, base + size);
		for (uint64_t p = base; p < base + size; p += PAGE)
			page_zero(phys_to_virt(p));
		return base;
	}
	panic("too little memory: no %lu KiB in one piece left", size >> 10);
}

static void find_free(void)
{
	uint64_t total = 0;
	ranges_remove(&boot_info.ram, 0, PAGE);
	if (boot_info.ram.at[boot_info.ram.count - 1].end > RAM_MAX) {
		log_print("memory: only the first %lu GiB are used\n", RAM_MAX / GiB);
		ranges_remove(&boot_info.ram, RAM_MAX, ~0ul);
	}
	memory_free = boot_info.ram;
	ranges_remove(&memory_free, 0, LOW_MEMORY);
	ranges_remove(&memory_free, KERNEL_LOAD, image_phys(image_end));
	for (unsigned i = 0; i < boot_info.modules; i++) {
		struct boot_module *m = &boot_info.module[i];
		ranges_remove(&memory_free, m->base, round_up(m->base + m->size, PAGE));
	}
	for (unsigned i = 0; i < memory_free.count; i++)
		total += memory_free.at[i].end - memory_free.at[i].base;
	log_print("memory: %lu MiB free in %u ranges\n", total >> 20, memory_free.count);
	if (total < MEMORY_MIN)
		panic("too little memory: %lu MiB free, at least %lu are needed", total >> 20,
			MEMORY_MIN >> 20);
}

/* ---- page tables ---------------------------------------------------------------- */

static uint64_t *table_below(uint64_t *entry)
{
	if (!(*entry & EXO_PTE_P))
		*entry = early_alloc(PAGE, PAGE) | EXO_PTE_P | EXO_PTE_W | EXO_PTE_A;
	return phys_to_virt(*entry & EXO_PTE_FRAME);
}

/* The entry for va, of level 1 or, of a large page, 2. */
static uint64_t *entry_of(uint64_t va, bool large)
{
	uint64_t *table = root;
	unsigned shift = 39;
	for (; shift > (large ? 21 : 12); shift -= 9)
		table = table_below(&table[va >> shift & 511]);
	return &table[va >> shift & 511];
}

/* Large pages wherever they fit. */
void memory_map(uint64_t va, uint64_t pa, uint64_t size, uint64_t flags)
{
	flags |= EXO_PTE_P | EXO_PTE_A | (flags & EXO_PTE_W ? EXO_PTE_D : 0);
	for (uint64_t end = va + size, step; va < end; va += step, pa += step) {
		bool large = !((va | pa) & (LARGE_PAGE - 1)) && end - va >= LARGE_PAGE;
		*entry_of(va, large) = pa | flags | (large ? EXO_PTE_PS : 0);
		step = large ? LARGE_PAGE : PAGE;
	}
}

static void map_image(void)
{
	uint64_t text = (uint64_t)image_start, rodata = (uint64_t)rodata_start;
	uint64_t data = (uint64_t)data_start, end = (uint64_t)image_end;
	memory_map(text, image_phys(image_start), rodata - text, 0);
	memory_map(rodata, image_phys(rodata_start), data - rodata, MAP_NX);
	memory_map(data, image_phys(data_start), end - data, MAP_NX | MAP_W);
}

/* All RAM; text and constants are read-only here too. */
static void map_direct(void)
{
	uint64_t first = image_phys(image_start), last = image_phys(data_start);
	struct ranges ram = boot_info.ram;
	ranges_remove(&ram, first, last);
	for (unsigned i = 0; i < ram.count; i++)
		memory_map(DIRECT_BASE + ram.at[i].base, ram.at[i].base, ram.at[i].end - ram.at[i].base,
			MAP_W | MAP_NX);
	memory_map(DIRECT_BASE + first, first, last - first, MAP_NX);
}

void *device_map(uint64_t pa, uint64_t size)
{
	uint64_t va = device_next, offset = pa & (PAGE - 1);
	size = round_up(size + offset, PAGE);
	memory_map(va, pa - offset, size, MAP_DEVICE);
	device_next += size + PAGE;
	return (void *)(va + offset);
}

/* The firmware's tables may lie outside of what the memory map calls RAM. */
const void *firmware_map(uint64_t pa, uint64_t size)
{
	if (!pa || pa + size < pa || pa + size > RAM_MAX)
		return NULL;
	for (uint64_t p = pa & -PAGE; p < pa + size; p += PAGE)
		if (!(*entry_of(DIRECT_BASE + p, true) & EXO_PTE_PS))
			*entry_of(DIRECT_BASE + p, false) |= p | EXO_PTE_P | EXO_PTE_A | MAP_NX;
	return phys_to_virt(pa);
}

void memory_init(void)
{
	extern uint64_t boot_pml4[];
	wrmsr(0xc0000080, rdmsr(0xc0000080) | 0x800);	/* EFER.NXE */
	find_free();
	kernel_root = early_alloc(PAGE, PAGE) >> EXO_PAGE_SHIFT;
	root = pfn_to_virt(kernel_root);
	for (unsigned i = EXO_KERNEL_SLOT_FIRST; i <= EXO_KERNEL_SLOT_LAST; i++)
		table_below(&root[i]);
	map_image();
	map_direct();
	for (unsigned i = 0; i < 7; i++) {
		arch_kernel_pml4[i] = root[EXO_KERNEL_SLOT_FIRST + i];
		/* Other CPUs start on the boot root: identity map below, the kernel's slots. */
		boot_pml4[EXO_KERNEL_SLOT_FIRST + i] = arch_kernel_pml4[i];
	}
	WRITE_CR(3, kernel_root << EXO_PAGE_SHIFT);
}

/* ---- the frame table --------------------------------------------------------------- */

void export_add(const char *name, uint64_t pa, uint64_t size)
{
	exports[export_count++] = (struct export){
		name, pa >> EXO_PAGE_SHIFT, round_up(size, PAGE) >> EXO_PAGE_SHIFT };
}

static void set_types(uint64_t pfn, uint64_t end, unsigned type)
{
	for (; pfn < end; pfn++)
		frame_set_type(pfn, type);
}

/* All RAM is the kernel's, but for what is free and the modules: that is init's to own. */
static void set_all_types(void)
{
	struct ranges rest = boot_info.ram;
	memory_data = memory_free;
	for (unsigned i = 0; i < boot_info.modules; i++) {
		struct boot_module *m = &boot_info.module[i];
		ranges_add(&memory_data, m->base, round_up(m->base + m->size, PAGE));
	}
	for (unsigned i = 0; i < memory_data.count; i++)
		ranges_remove(&rest, memory_data.at[i].base, memory_data.at[i].end);
	for (unsigned i = 0; i < rest.count; i++)
		set_types(rest.at[i].base >> EXO_PAGE_SHIFT, rest.at[i].end >> EXO_PAGE_SHIFT, EXO_F_KERNEL);
	for (unsigned i = 0; i < export_count; i++)
		set_types(exports[i].pfn, exports[i].pfn + exports[i].count, EXO_F_EXPORT);
}

void memory_finish(void)
{
	uint64_t count = boot_info.ram.at[boot_info.ram.count - 1].end >> EXO_PAGE_SHIFT;
	uint64_t size = round_up(count * sizeof(struct exo_frame), PAGE);
	uint64_t regions = round_up((count + 511) / 512 * sizeof(struct region), PAGE);
	uint64_t at = early_alloc(size, size < LARGE_PAGE ? PAGE : LARGE_PAGE);
	memory_map(FRAMES_BASE, at, size, MAP_W | MAP_NX);
	memory_map(REGIONS_BASE, early_alloc(regions, PAGE), regions, MAP_W | MAP_NX);
	export_add("frames", at, size);
	frame_tables_init((void *)FRAMES_BASE, (void *)REGIONS_BASE, count);
	set_all_types();
}
