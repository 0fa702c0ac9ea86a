/* What GRUB tells (multiboot2): usable memory, modules, command line, the ACPI root
 * pointer.  All is copied and checked here, once; a fault in it is named and stops the boot.
 */
#include "exo/arch/machine.h"

#define MULTIBOOT2_MAGIC	0x36d76289u
#define INFO_MAX		0x100000u
enum { TAG_END = 0, TAG_CMDLINE = 1, TAG_MODULE = 3, TAG_MEMORY = 6, TAG_RSDP = 14, TAG_RSDP2 = 15 };
#define MEMORY_AVAILABLE	1

struct tag { uint32_t type, size; uint8_t data[]; };
struct memory_tag { uint32_t type, size, entry_size, version; uint8_t entries[]; };
struct memory_entry { uint64_t base, length; uint32_t type, pad; };
struct module_tag { uint32_t type, size, start, end; char name[]; };

struct boot_info boot_info;

/* ---- sets of address ranges -------------------------------------------------- */

static void ranges_insert(struct ranges *r, unsigned i, uint64_t base, uint64_t end)
{
	if (r->count == RANGES_MAX)
		panic("the memory map has more than %u ranges", RANGES_MAX);
	for (unsigned j = r->count++; j > i; j--)
		r->at[j] = r->at[j - 1];
	r->at[i] = (struct range){ base, end };
}

static void ranges_drop(struct ranges *r, unsigned i)
{
	for (r->count--; i < r->count; i++)
		r->at[i] = r->at[i + 1];
}

void ranges_remove(struct ranges *r, uint64_t base, uint64_t end)
{
	for (unsigned i = 0; i < r->count; i++) {
		struct range x = r->at[i];
		if (base >= x.end || end <= x.base)
			continue;
		ranges_drop(r, i--);
		if (x.base < base)
			ranges_insert(r, ++i, x.base, base);
		if (end < x.end)
			ranges_insert(r, ++i, end, x.end);
	}
}

/* Overlapping and touching ranges become one. */
void ranges_add(struct ranges *r, uint64_t base, uint64_t end)
{
	unsigned i = 0;
	if (base >= end)
		return;
	while (i < r->count && r->at[i].end < base)
		i++;
	while (i < r->count && r->at[i].base <= end) {
		base = r->at[i].base < base ? r->at[i].base : base;
		end = r->at[i].end > end ? r->at[i].end : end;
		ranges_drop(r, i);
	}
	ranges_insert(r, i, base, end);
}

/* ---- tags ------------------------------------------------------------------------ */

/* Available ranges shrink to whole frames, all others grow; those win where they overlap. */
static void read_memory(const struct memory_tag *t)
{
	if (t->entry_size < sizeof(struct memory_entry) - 4 || t->entry_size > t->size)
		panic("multiboot2: the memory map's entries have %u bytes", t->entry_size);
	unsigned n = (t->size - sizeof *t) / t->entry_size;
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < n; i++) {
			const struct memory_entry *e = (const void *)(t->entries + i * t->entry_size);
			uint64_t end = e->base + e->length;
			if (end < e->base || !e->length)
				continue;
			if (e->type == MEMORY_AVAILABLE && pass == 0)
				ranges_add(&boot_info.ram, (e->base + PAGE - 1) & -PAGE, end & -PAGE);
			else if (e->type != MEMORY_AVAILABLE && pass == 1)
				ranges_remove(&boot_info.ram, e->base & -PAGE, (end + PAGE - 1) & -PAGE);
		}
	}
}

static void copy_text(char *to, size_t size, const char *from, size_t length)
{
	size_t n = 0;
	while (n < size - 1 && n < length && from[n]) {
		to[n] = from[n];
		n++;
	}
	to[n] = 0;
}

/* A module's name is its command line's first word. */
static void read_module(const struct module_tag *t)
{
	size_t length = t->size - sizeof *t, n = 0;
	while (n < length && t->name[n] && t->name[n] != ' ')
		n++;
	if (t->end < t->start || t->start & (PAGE - 1))
		panic("multiboot2: module at %x-%x is not on a page boundary", t->start, t->end);
	if (n == 0 || n >= sizeof boot_info.module[0].name)
		panic("multiboot2: module at %x has no name of 1-15 characters", t->start);
	if (boot_info.modules == BOOT_MODULES)
		panic("multiboot2: more than %u modules", BOOT_MODULES);
	struct boot_module *m = &boot_info.module[boot_info.modules++];
	copy_text(m->name, sizeof m->name, t->name, n);
	m->base = t->start;
	m->size = t->end - t->start;
}

static void read_rsdp(const struct tag *t)
{
	size_t n = t->size - sizeof *t;
	/* Tag 15 (ACPI 2 and later) wins over tag 14. */
	if (t->type == TAG_RSDP && boot_info.rsdp[0])
		return;
	__builtin_memcpy(boot_info.rsdp, t->data, n < sizeof boot_info.rsdp ? n : sizeof boot_info.rsdp);
}

static void read_tag(const struct tag *t)
{
	static const uint8_t head[] = {
		[TAG_MODULE] = sizeof(struct module_tag), [TAG_MEMORY] = sizeof(struct memory_tag),
		[TAG_RSDP] = sizeof *t + 20, [TAG_RSDP2] = sizeof *t + 36,
	};
	if (t->type < sizeof head && t->size < head[t->type])
		panic("multiboot2: tag %u has only %u bytes", t->type, t->size);
	switch (t->type) {
	case TAG_CMDLINE:
		copy_text(boot_info.cmdline, sizeof boot_info.cmdline, (const char *)t->data,
			t->size - sizeof *t);
		break;
	case TAG_MODULE:
		read_module((const struct module_tag *)t);
		break;
	case TAG_MEMORY:
		read_memory((const struct memory_tag *)t);
		break;
	case TAG_RSDP:
	case TAG_RSDP2:
		read_rsdp(t);
	}
}

void boot_info_read(uint32_t magic, uint64_t at)
{
	if (magic != MULTIBOOT2_MAGIC)
		panic("not started by a multiboot2 loader (magic number %x)", magic);
	const uint32_t *info = phys_to_virt(at);
	uint32_t total = info[0], offset = 8;
	if (total > INFO_MAX)
		panic("multiboot2: %u bytes of boot information", total);
	while (offset + sizeof(struct tag) <= total) {
		const struct tag *t = (const void *)((const uint8_t *)info + offset);
		if (t->type == TAG_END)
			break;
		if (t->size < sizeof *t || t->size > total - offset)
			panic("multiboot2: tag %u at %u has a bad size, %u", t->type, offset, t->size);
		read_tag(t);
		offset += (t->size + 7) & ~7u;
	}
	if (!boot_info.ram.count)
		panic("multiboot2: no memory map");
}

bool boot_option(const char *word)
{
	for (const char *s = boot_info.cmdline; *s; s++) {
		size_t n = 0;
		while (word[n] && s[n] == word[n])
			n++;
		if (!word[n] && (!s[n] || s[n] == ' ') && (s == boot_info.cmdline || s[-1] == ' '))
			return true;
	}
	return false;
}
