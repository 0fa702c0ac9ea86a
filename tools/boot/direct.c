/*
 * Stands in for GRUB where a run has to repeat bit for bit (./virtue run --icount): QEMU's own
 * loader puts this program, the kernel and the modules into memory before the first instruction,
 * so that no disc answers at a time that differs from run to run; and it is faster.
 *
 * QEMU speaks multiboot1 to us (first module: the kernel's ELF file; the rest: `FILE NAME`), and we
 * speak multiboot2 to the kernel, with the tags that it gets from GRUB: command line, modules,
 * memory, memory map, RSDP. Everything else (video, UEFI) is left to GRUB.
 * Sources: Multiboot Specification 0.6.96 and 2.0 (GNU).
 */
#include <stddef.h>
#include <stdint.h>

#define MULTIBOOT1_MAGIC 0x2badb002
#define COM1 0x3f8
#define INFO_SIZE 16384
#define LOAD 1

enum tag_type {
	TAG_END = 0, TAG_COMMAND_LINE = 1, TAG_LOADER = 2, TAG_MODULE = 3, TAG_MEMORY = 4,
	TAG_MAP = 6, TAG_RSDP1 = 14, TAG_RSDP2 = 15,
};

struct multiboot1 {
	uint32_t flags, memory_lower, memory_upper, boot_device;
	const char *command_line;
	uint32_t module_count;
	const struct module1 *modules;
	uint32_t symbols[4], map_size;
	const char *map;
};

struct module1 {
	const char *start;
	const char *end;
	const char *name;
	uint32_t reserved;
};

struct map_entry1 {
	uint32_t size;
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));

struct elf_header {
	uint8_t magic[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, segments, sections;
	uint32_t flags;
	uint16_t size, segment_size, segment_count;
};

struct elf_segment {
	uint32_t type, flags;
	uint64_t offset, address, load_address, file_size, memory_size, align;
};

void direct_main(uint32_t magic, const struct multiboot1 *from);
_Noreturn void kernel_enter(uint32_t entry, const void *info);
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);

/* The linker's names for where this program lies. */
extern char __executable_start[];

static char info[INFO_SIZE] __attribute__((aligned(8)));
static uint32_t info_used = 8;

void *memcpy(void *to, const void *from, size_t size)
{
	char *t = to;
	const char *f = from;

	while (size--)
		*t++ = *f++;
	return to;
}

void *memset(void *to, int value, size_t size)
{
	char *t = to;

	while (size--)
		*t++ = (char)value;
	return to;
}

static uint32_t length(const char *s)
{
	uint32_t n = 0;

	while (s[n])
		n++;
	return n;
}

static void print(const char *s)
{
	for (; *s; s++)
		__asm__ volatile("outb %0, %w1" :: "a"(*s), "d"(COM1));
}

_Noreturn static void fail(const char *why)
{
	print("direct boot: ");
	print(why);
	print("\n");
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* The text after the first blank, as the first word is the file's name. */
static const char *after_word(const char *s)
{
	while (*s && *s != ' ')
		s++;
	while (*s == ' ')
		s++;
	return s;
}

/* Multiboot2 information */

static void *tag_add(uint32_t type, uint32_t content_size)
{
	uint32_t *tag = (uint32_t *)(info + info_used);

	if (content_size > INFO_SIZE - 32 - info_used)
		fail("too much boot information");
	tag[0] = type;
	tag[1] = 8 + content_size;
	info_used += (8 + content_size + 7) & ~7u;
	return tag + 2;
}

static void text_add(uint32_t type, const char *s)
{
	memcpy(tag_add(type, length(s) + 1), s, length(s) + 1);
}

static void module_add(const struct module1 *module)
{
	const char *name = after_word(module->name);
	char *content = tag_add(TAG_MODULE, 8 + length(name) + 1);

	memcpy(content, module, 8);	/* start and end */
	memcpy(content + 8, name, length(name) + 1);
}

static void memory_add(const struct multiboot1 *from)
{
	uint32_t *content = tag_add(TAG_MEMORY, 8);

	content[0] = from->memory_lower;
	content[1] = from->memory_upper;
}

static void map_add(const struct multiboot1 *from)
{
	uint32_t *content = tag_add(TAG_MAP, 8);

	content[0] = 24;	/* size of an entry */
	content[1] = 0;		/* version */
	for (uint32_t at = 0; at < from->map_size;) {
		const struct map_entry1 *entry = (const void *)(from->map + at);
		char *to = info + info_used;

		if (info_used > INFO_SIZE - 64)
			fail("too much boot information");
		memcpy(to, &entry->base, 20);
		memset(to + 20, 0, 4);
		info_used += 24;
		content[-1] += 24;
		at += entry->size + 4;
	}
}

static int is_rsdp(const char *p)
{
	static const char magic[8] = "RSD PTR ";
	uint8_t sum = 0;

	for (int i = 0; i < 8; i++)
		if (p[i] != magic[i])
			return 0;
	for (int i = 0; i < 20; i++)
		sum += (uint8_t)p[i];
	return sum == 0;
}

static void rsdp_add(void)
{
	for (const char *p = (const char *)0xe0000; p < (const char *)0xfffe0; p += 16) {
		if (!is_rsdp(p))
			continue;
		memcpy(tag_add(TAG_RSDP1, 20), p, 20);
		if (p[15] >= 2)		/* revision */
			memcpy(tag_add(TAG_RSDP2, 36), p, 36);
		return;
	}
}

/* The kernel */

static void segment_load(const char *file, const struct elf_segment *segment)
{
	char *to = (char *)(uint32_t)segment->load_address;
	uint32_t size = (uint32_t)segment->memory_size;
	uint32_t file_size = (uint32_t)segment->file_size;

	if (segment->load_address + segment->memory_size > (uint32_t)__executable_start)
		fail("the kernel is too large");
	memcpy(to, file + segment->offset, file_size);
	memset(to + file_size, 0, size - file_size);
}

static int is_elf64(const struct elf_header *header)
{
	static const uint8_t magic[5] = { 0x7f, 'E', 'L', 'F', 2 };

	for (uint32_t i = 0; i < sizeof magic; i++)
		if (header->magic[i] != magic[i])
			return 0;
	return 1;
}

/* Loads the segments; the physical address of the entry, which the file may give as a virtual
 * one, as GRUB has it too. */
static uint32_t kernel_load(const char *file)
{
	const struct elf_header *header = (const void *)file;
	uint32_t entry = 0;

	if (!is_elf64(header))
		fail("the kernel is not a 64-bit ELF file");
	for (uint32_t i = 0; i < header->segment_count; i++) {
		const struct elf_segment *segment = (const void *)
			(file + header->segments + i * header->segment_size);

		if (segment->type != LOAD)
			continue;
		segment_load(file, segment);
		if (header->entry - segment->address < segment->memory_size)
			entry = (uint32_t)(header->entry - segment->address +
				segment->load_address);
	}
	if (!entry)
		fail("the kernel's entry lies in no segment");
	return entry;
}

void direct_main(uint32_t magic, const struct multiboot1 *from)
{
	uint32_t entry;

	if (magic != MULTIBOOT1_MAGIC || !from->module_count)
		fail("not started by QEMU's loader with a kernel");
	entry = kernel_load(from->modules[0].start);
	text_add(TAG_COMMAND_LINE, after_word(from->command_line));
	text_add(TAG_LOADER, "virtue-direct");
	for (uint32_t i = 1; i < from->module_count; i++)
		module_add(&from->modules[i]);
	memory_add(from);
	map_add(from);
	rsdp_add();
	tag_add(TAG_END, 0);
	memcpy(info, &info_used, 4);
	kernel_enter(entry, info);
}
