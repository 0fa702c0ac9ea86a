/* Reading kernel images.  See image.h.
 *
 * Every offset, size and count is from an untrusted file: sums are checked for overflow, and
 * nothing outside the bytes given and the memory given is touched.
 */
#include "libos/vmm/image.h"
#include "libos/vmm/xen.h"
#include "libos/common/text.h"

#define PAGE		4096ul
#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))
#define HOLE_LO		0xffff800000000000ul	/* addresses that a guest may not use */
#define HOLE_HI		0xffff880000000000ul

/* ---- bzImage -------------------------------------------------------------------------------- */

#define BOOT_HEADER_END		0x250u
#define SECTOR			512u

static uint16_t get16(const uint8_t *p) { return p[0] | p[1] << 8; }
static uint32_t get32(const uint8_t *p) { return get16(p) | (uint32_t)get16(p + 2) << 16; }

static const struct {
	const char *magic;
	unsigned length;
	enum image_packing packing;
} packings[] = {
	{ "\x02\x21\x4c\x18", 4, IMAGE_LZ4 }, { "\xfd" "7zXZ\0", 6, IMAGE_XZ },
};
static const struct { const char *magic; unsigned length; const char *error; } others[] = {
	{ "\x1f\x8b", 2, "its kernel is packed by gzip; LZ4 and XZ are known" },
	{ "\x28\xb5\x2f\xfd", 4, "its kernel is packed by zstd; LZ4 and XZ are known" },
	{ "BZh", 3, "its kernel is packed by bzip2; LZ4 and XZ are known" },
	{ "\x89LZO", 4, "its kernel is packed by LZO; LZ4 and XZ are known" },
	{ "\x5d\0\0", 3, "its kernel is packed by LZMA; LZ4 and XZ are known" },
};

static const char *payload_kind(const uint8_t *at, struct image_payload *out)
{
	for (unsigned i = 0; i < ARRAY_LEN(packings); i++)
		if (out->size >= packings[i].length &&
		    !memcmp(at, packings[i].magic, packings[i].length)) {
			out->packing = packings[i].packing;
			return NULL;
		}
	for (unsigned i = 0; i < ARRAY_LEN(others); i++)
		if (out->size >= others[i].length && !memcmp(at, others[i].magic, others[i].length))
			return others[i].error;
	return "its kernel is packed in a way that is not known";
}

static const char *bzimage(const uint8_t *file, uint64_t size, struct image_payload *out)
{
	if (size < BOOT_HEADER_END)
		return "the file is truncated: no boot header";
	if (get16(file + 0x206) < 0x208)
		return "its boot protocol is too old: the header names no payload";
	unsigned setup = file[0x1f1] ? file[0x1f1] : 4;
	out->offset = (uint64_t)(setup + 1) * SECTOR + get32(file + 0x248);
	out->size = get32(file + 0x24c);
	if (out->offset > size || out->size > size - out->offset)
		return "the file is truncated: its kernel goes on behind its end";
	return payload_kind(file + out->offset, out);
}

const char *image_payload(const uint8_t *file, uint64_t size, struct image_payload *out)
{
	*out = (struct image_payload){ 0, size, IMAGE_PLAIN };
	if (size >= 4 && !memcmp(file, "\177ELF", 4))
		return NULL;
	if (size >= 0x206 && !memcmp(file + 0x202, "HdrS", 4) && get16(file + 0x1fe) == 0xaa55)
		return bzimage(file, size, out);
	return size ? "neither a bzImage nor an ELF file" : "the file is empty";
}

/* ---- ELF headers ---------------------------------------------------------------------------- */

#define ET_EXEC		2
#define EM_X86_64	62
#define PT_LOAD		1
#define PT_NOTE		4

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

static const char *add_segment(struct image *e, const struct phdr *p)
{
	if (!p->memsz)
		return NULL;
	if (e->segments == IMAGE_SEGMENTS)
		return "too many segments";
	if (p->filesz > p->memsz || p->offset > ~p->filesz)
		return "a segment's sizes make no sense";
	if (p->paddr > e->ram_size || p->memsz > e->ram_size - p->paddr)
		return "its segments reach beyond the guest's memory (less what unpacking takes)";
	for (unsigned i = 0; i < e->segments; i++) {
		const struct image_segment *s = &e->segment[i];
		if (p->paddr < s->at + s->size && s->at < p->paddr + p->memsz)
			return "segments overlap";
	}
	e->segment[e->segments++] = (struct image_segment){ p->offset, p->filesz, p->paddr,
		p->memsz };
	memset(e->ram + p->paddr + p->filesz, 0, p->memsz - p->filesz);
	if (e->hi < p->paddr + p->memsz)
		e->hi = (p->paddr + p->memsz + PAGE - 1) / PAGE * PAGE;
	return NULL;
}

static const char *add_note(struct image *e, const struct phdr *p)
{
	uint64_t used = e->notes ? e->note[e->notes - 1].at + e->note[e->notes - 1].size : 0;
	used = (used + 3) & ~3ul;
	if (!p->filesz)
		return NULL;
	if (e->notes == IMAGE_SEGMENTS || p->filesz > IMAGE_NOTES - used || p->offset > ~p->filesz)
		return "its notes are too many";
	e->note[e->notes++] = (struct image_segment){ p->offset, p->filesz, used, p->filesz };
	return NULL;
}

static const char *read_headers(struct image *e, size_t have)
{
	struct ehdr h;
	struct phdr p;
	const char *error = NULL;
	if (have < sizeof h)
		return "the kernel is too short for an ELF header";
	memcpy(&h, e->head, sizeof h);
	if (memcmp(h.ident, "\177ELF", 4))
		return "what it contains is not an ELF file";
	if (h.ident[4] != 2 || h.ident[5] != 1 || h.machine != EM_X86_64)
		return "not for x86-64";
	if (h.type != ET_EXEC || h.phentsize != sizeof p || !h.phnum)
		return "not a kernel: no executable with program headers";
	if (h.phoff > have || h.phnum > (have - h.phoff) / sizeof p)
		return "the program headers lie outside the file's first page";
	e->entry = h.entry;
	for (unsigned i = 0; i < h.phnum && !error; i++) {
		memcpy(&p, e->head + h.phoff + i * sizeof p, sizeof p);
		if (p.type != PT_LOAD && p.type != PT_NOTE)
			continue;
		error = p.type == PT_LOAD ? add_segment(e, &p) : add_note(e, &p);
		if (p.offset + p.filesz > e->file_size)
			e->file_size = p.offset + p.filesz;
	}
	return error ? error : e->segments ? NULL : "nothing to load";
}

/* ---- its bytes ------------------------------------------------------------------------------ */

/* The part of [at, at + n) of the file that is the segment's. */
static void place(const struct image_segment *s, uint8_t *base, uint64_t at, const uint8_t *from,
	size_t n)
{
	uint64_t lo = s->offset > at ? s->offset : at, end = s->offset + s->file_size;
	uint64_t hi = end < at + n ? end : at + n;
	if (lo < hi)
		memcpy(base + s->at + (lo - s->offset), from + (lo - at), hi - lo);
}

static void place_all(struct image *e, uint64_t at, const uint8_t *from, size_t n)
{
	for (unsigned i = 0; i < e->segments; i++)
		place(&e->segment[i], e->ram, at, from, n);
	for (unsigned i = 0; i < e->notes; i++)
		place(&e->note[i], e->note_bytes, at, from, n);
}

/* The first page is kept until the headers in it can be read. */
static size_t take_head(struct image *e, const uint8_t *from, size_t n)
{
	size_t part = IMAGE_HEAD - e->taken < n ? IMAGE_HEAD - e->taken : n;
	memcpy(e->head + e->taken, from, part);
	e->taken += part;
	if (e->taken == IMAGE_HEAD && !(e->error = read_headers(e, IMAGE_HEAD)))
		place_all(e, 0, e->head, IMAGE_HEAD);
	return part;
}

void image_start(struct image *e, void *ram, uint64_t ram_size)
{
	memset(e, 0, sizeof *e);
	e->ram = ram;
	e->ram_size = ram_size;
}

bool image_take(void *arg, const void *bytes, size_t n)
{
	struct image *e = arg;
	const uint8_t *from = bytes;
	if (e->taken < IMAGE_HEAD) {
		size_t part = take_head(e, from, n);
		from += part;
		n -= part;
	}
	if (n && !e->error) {
		place_all(e, e->taken, from, n);
		e->taken += n;
	}
	return !e->error;
}

/* ---- Xen notes ------------------------------------------------------------------------------ */

static const char *take_note(struct image *e, uint32_t type, const uint8_t *desc, uint32_t size)
{
	uint64_t number = 0;
	bool is_number = size == 4 || size == 8;
	if (is_number)
		memcpy(&number, desc, size);
	switch (type) {
	case XEN_NOTE_XEN_VERSION:
		e->is_xen = size >= 7 && !memcmp(desc, "xen-3.0", 7);
		return e->is_xen ? NULL : "its notes ask for another Xen than xen-3.0";
	case XEN_NOTE_ENTRY:
		e->entry = number;
		break;
	case XEN_NOTE_VIRT_BASE:
		e->virt_base = number;
		break;
	case XEN_NOTE_INIT_P2M:
		e->p2m = number;
		break;
	case XEN_NOTE_MOD_START_PFN:
		e->mod_pfn = number;
		break;
	case XEN_NOTE_PADDR_OFFSET:
		if (number)
			return "its physical addresses do not count from 0 (note PADDR_OFFSET)";
		break;
	case XEN_NOTE_HYPERCALL_PAGE:
		return "it wants a hypercall page, which this monitor does not make";
	default:
		return NULL;
	}
	return is_number ? NULL : "a Xen note has the wrong size";
}

static const char *take_notes(struct image *e, const uint8_t *at, size_t size)
{
	const char *error = NULL;
	while (size >= 12 && !error) {
		uint32_t name = get32(at), desc = get32(at + 4), type = get32(at + 8);
		uint64_t name_room = ((uint64_t)name + 3) & ~3ul;
		uint64_t room = ((uint64_t)desc + 3) & ~3ul;
		if (name_room > size - 12 || desc > size - 12 - name_room)
			return "a note is longer than its segment";
		if (name == 4 && !memcmp(at + 12, "Xen", 4))
			error = take_note(e, type, at + 12 + name_room, desc);
		if (room > size - 12 - name_room)
			room = desc;
		at += 12 + name_room + room;
		size -= 12 + name_room + room;
	}
	return error;
}

bool image_range(uint64_t va, uint64_t n)
{
	bool canonical = va + (1ul << 47) < 1ul << 48;
	uint64_t end = va < HOLE_LO ? 1ul << 47 : 0;	/* of this half; 0 = 2^64 */
	return canonical && n <= end - va && (va < HOLE_LO || va >= HOLE_HI);
}

static const char *check_notes(const struct image *e)
{
	if (!e->is_xen)
		return "it has no Xen notes: not built for paravirtualization";
	if (e->virt_base % PAGE || !image_range(e->virt_base, e->hi))
		return "its notes give addresses that no guest may have (VIRT_BASE)";
	if (e->entry - e->virt_base >= e->hi)
		return "its entry point lies outside the kernel (ENTRY)";
	if (e->p2m % PAGE || !image_range(e->p2m, e->ram_size / PAGE * 8))
		return "its notes give addresses that no guest may have (INIT_P2M)";
	if (e->p2m >> 39 == e->virt_base >> 39 && e->p2m)
		return "its notes put the p2m list beside the kernel (INIT_P2M)";
	return NULL;
}

const char *image_end(struct image *e)
{
	if (e->taken < IMAGE_HEAD && !e->error) {
		e->error = read_headers(e, e->taken);
		if (!e->error)
			place_all(e, 0, e->head, e->taken);
	}
	if (!e->error && e->taken < e->file_size)
		e->error = "the file is truncated: a segment goes on behind its end";
	for (unsigned i = 0; i < e->notes && !e->error; i++)
		e->error = take_notes(e, e->note_bytes + e->note[i].at, e->note[i].size);
	if (!e->error)
		e->error = check_notes(e);
	return e->error;
}
