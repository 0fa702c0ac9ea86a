/* Reading ELF images that may be hostile.  See elf.h. */
#include "libos/common/elf.h"
#include "libos/common/note.h"
#include "libos/common/text.h"

#define PAGE		4096ul
#define ET_EXEC		2
#define ET_DYN		3
#define EM_X86_64	62
#define PT_LOAD		1
#define PT_INTERP	3
#define PT_NOTE		4
#define PT_TLS		7
#define SHT_SYMTAB	2
#define STT_FUNC	2

struct ehdr {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct phdr {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
struct shdr {
	uint32_t name, type;
	uint64_t flags, addr, offset, size;
	uint32_t link, info;
	uint64_t addralign, entsize;
};
struct sym {
	uint32_t name;
	uint8_t info, other;
	uint16_t shndx;
	uint64_t value, size;
};

/* [offset, offset + n) lies in the file. */
static bool inside(const struct elf_image *e, uint64_t offset, uint64_t n)
{
	return offset <= e->size && n <= e->size - offset;
}

/* Copied out: the image may be unaligned. */
static bool get(const struct elf_image *e, uint64_t offset, void *to, size_t n)
{
	if (!inside(e, offset, n))
		return false;
	memcpy(to, e->image + offset, n);
	return true;
}

static const char *check_header(const struct elf_image *e, struct ehdr *h)
{
	if (!get(e, 0, h, sizeof *h))
		return "the file is too short for an ELF header";
	if (memcmp(h->ident, "\177ELF", 4))
		return "not an ELF file";
	if (h->ident[4] != 2 || h->ident[5] != 1 || h->machine != EM_X86_64)
		return "not for x86-64";
	if (h->type != ET_EXEC && h->type != ET_DYN)
		return "not a program (neither ET_EXEC nor ET_DYN)";
	if (h->phentsize != sizeof(struct phdr) || !h->phnum)
		return "no usable program headers";
	if (!inside(e, h->phoff, (uint64_t)h->phnum * sizeof(struct phdr)))
		return "the program headers lie outside the file";
	return NULL;
}

static const char *add_segment(struct elf_image *e, const struct phdr *p, uint64_t lo, uint64_t hi)
{
	if (!p->memsz)
		return NULL;
	if (p->filesz > p->memsz || !inside(e, p->offset, p->filesz))
		return "a segment lies outside the file";
	if (p->vaddr > hi || p->memsz > hi - p->vaddr || p->vaddr < lo)
		return "a segment lies outside the addresses a program may have";
	if ((p->vaddr - p->offset) % PAGE)
		return "a segment's address and file offset don't match";
	if (e->segments && p->vaddr / PAGE * PAGE < e->hi)
		return "segments overlap or are out of order";
	if (e->segments == ELF_SEGMENTS)
		return "too many segments";
	if (!e->segments)
		e->lo = p->vaddr / PAGE * PAGE;
	e->hi = (p->vaddr + p->memsz + PAGE - 1) / PAGE * PAGE;
	e->segment[e->segments++] = (struct elf_segment){ p->vaddr, p->memsz, p->offset, p->filesz,
		p->flags & (ELF_R | ELF_W | ELF_X) };
	return NULL;
}

bool elf_note(const void *notes, size_t size, char libos[12], uint32_t *version)
{
	const uint8_t *at = notes, *end = at + size;
	struct virtue_note n;
	while (end - at >= 12) {
		memcpy(&n, at, 12);
		uint64_t length = 12 + (((uint64_t)n.name_size + 3) & ~3ul) +
			(((uint64_t)n.desc_size + 3) & ~3ul);
		if (length > (uint64_t)(end - at))
			return false;
		if (length >= sizeof n && n.type == VIRTUE_NOTE_TYPE && n.name_size == 7) {
			memcpy(&n, at, sizeof n);
			if (!memcmp(n.name, "Virtue", 7)) {
				*version = n.abi_version;
				memcpy(libos, n.libos, sizeof n.libos);
				libos[sizeof n.libos - 1] = 0;
				return true;
			}
		}
		at += length;
	}
	return false;
}

static const char *take_header(struct elf_image *e, const struct phdr *p, uint64_t lo, uint64_t hi)
{
	switch (p->type) {
	case PT_LOAD:
		return add_segment(e, p, lo, hi);
	case PT_NOTE:
		if (inside(e, p->offset, p->filesz))
			elf_note(e->image + p->offset, p->filesz, e->libos, &e->abi_version);
		return NULL;
	case PT_TLS:
		e->tls = p->vaddr;
		return NULL;
	case PT_INTERP:
		if (!inside(e, p->offset, p->filesz) || !p->filesz)
			return "the interpreter's name lies outside the file";
		e->interpreter = p->offset;
		e->interpreter_size = p->filesz;
	}
	return NULL;
}

/* Where the program headers are in memory, and that the entry point is in an executable segment. */
static const char *place(struct elf_image *e, const struct ehdr *h)
{
	bool entry = false;
	uint64_t size = (uint64_t)h->phnum * sizeof(struct phdr);
	for (unsigned i = 0; i < e->segments; i++) {
		const struct elf_segment *s = &e->segment[i];
		if (h->phoff >= s->offset && size <= s->file_size &&
		    h->phoff - s->offset <= s->file_size - size)
			e->headers = s->vaddr + (h->phoff - s->offset);
		if (s->flags & ELF_X && h->entry >= s->vaddr && h->entry - s->vaddr < s->size)
			entry = true;
	}
	return entry ? NULL : "the entry point is in no executable segment";
}

const char *elf_parse(const void *image, size_t size, uint64_t lo, uint64_t hi, struct elf_image *e)
{
	struct ehdr h;
	memset(e, 0, sizeof *e);
	e->image = image;
	e->size = size;
	const char *error = check_header(e, &h);
	for (unsigned i = 0; !error && i < h.phnum; i++) {
		struct phdr p;
		get(e, h.phoff + i * sizeof p, &p, sizeof p);
		error = take_header(e, &p, lo, hi);
	}
	if (error)
		return error;
	if (!e->segments)
		return "nothing to load";
	e->pie = h.type == ET_DYN;
	e->entry = h.entry;
	e->header_count = h.phnum;
	return place(e, &h);
}

const char *elf_check_note(const struct elf_image *e, const char *libos, char *buffer, size_t n)
{
	if (!strcmp(e->libos, libos) && e->abi_version == EXO_ABI_VERSION)
		return NULL;
	if (!e->libos[0])
		snprintf(buffer, n, "the program names no libOS; this is %s, ABI version %u", libos,
			EXO_ABI_VERSION);
	else
		snprintf(buffer, n, "the program is linked with libOS %s, ABI version %u; this is %s, "
			"ABI version %u", e->libos, e->abi_version, libos, EXO_ABI_VERSION);
	return buffer;
}

/* ---- symbols ------------------------------------------------------------------------ */

static const char *symbol_name(const struct elf_image *e, const struct shdr *names, uint32_t at)
{
	if (at >= names->size || !inside(e, names->offset, names->size))
		return NULL;
	const char *name = (const char *)e->image + names->offset + at;
	size_t room = names->size - at;
	return strnlen(name, room < 256 ? room : 256) < (room < 256 ? room : 256) ? name : NULL;
}

static const char *search(const struct elf_image *e, const struct shdr *table, const struct shdr *names,
	uint64_t address, uint64_t *offset)
{
	const char *best = NULL;
	struct sym s;
	for (uint64_t at = 0; at + sizeof s <= table->size; at += sizeof s) {
		if (!get(e, table->offset + at, &s, sizeof s))
			break;
		if ((s.info & 15) != STT_FUNC || address < s.value)
			continue;
		if (address - s.value >= s.size && (s.size || address != s.value))
			continue;
		const char *name = symbol_name(e, names, s.name);
		if (name) {
			best = name;
			*offset = address - s.value;
		}
	}
	return best;
}

const char *elf_symbol(const struct elf_image *e, uint64_t address, uint64_t *offset)
{
	struct ehdr h;
	struct shdr table, names;
	if (!get(e, 0, &h, sizeof h) || h.shentsize != sizeof table)
		return NULL;
	for (unsigned i = 0; i < h.shnum; i++) {
		if (h.shoff > e->size || !get(e, h.shoff + i * sizeof table, &table, sizeof table))
			return NULL;
		if (table.type != SHT_SYMTAB || table.link >= h.shnum || table.offset > e->size)
			continue;
		if (get(e, h.shoff + table.link * sizeof names, &names, sizeof names))
			return search(e, &table, &names, address, offset);
	}
	return NULL;
}
