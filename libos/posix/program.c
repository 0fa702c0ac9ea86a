/* Checks of ELF headers.  Nothing of the file is trusted: sums are tested for overflow, and
 * segments must lie in user memory.  Mapping is exec.c's.
 */
#include "libos/posix/program.h"
#include "libos/posix/linux_abi.h"
#include "libos/posix/linux_process.h"
#include "libos/common/text.h"

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
enum { ET_EXEC = 2, ET_DYN = 3, EM_X86_64 = 62 };
#define PAGE_MASK 4095ul

int program_head(const void *head, uint64_t n, struct program *p, uint64_t *table, uint64_t *bytes)
{
	struct elf_header h;
	if (n < sizeof h)
		return -ENOEXEC;
	memcpy(&h, head, sizeof h);
	if (memcmp(h.ident, "\177ELF\2\1", 6) || h.machine != EM_X86_64 ||
	    (h.type != ET_EXEC && h.type != ET_DYN) ||
	    h.phentsize != sizeof(struct program_header) || !h.phnum || h.phnum > PROGRAM_HEADERS)
		return -ENOEXEC;
	*p = (struct program){ .pie = h.type == ET_DYN, .entry = h.entry, .count = h.phnum,
		.headers_offset = h.phoff, .lo = ~0ul };
	*table = h.phoff;
	*bytes = h.phnum * sizeof(struct program_header);
	return 0;
}

static int check_load(struct program *p, const struct program_header *h)
{
	uint64_t end = h->vaddr + h->size;
	if (h->file_size > h->size || end < h->vaddr || end > USER_END ||
	    ((h->vaddr ^ h->offset) & PAGE_MASK) || h->offset + h->file_size < h->offset)
		return -EINVAL;
	if (!h->size)
		return 0;
	uint64_t lo = h->vaddr & ~PAGE_MASK, hi = (end + PAGE_MASK) & ~PAGE_MASK;
	p->lo = lo < p->lo ? lo : p->lo;
	p->hi = hi > p->hi ? hi : p->hi;
	if (h->align > p->align && !(h->align & (h->align - 1)))
		p->align = h->align;
	if (p->headers_offset >= h->offset && p->headers_offset - h->offset < h->file_size)
		p->headers = h->vaddr + (p->headers_offset - h->offset);
	return 0;
}

int program_check(struct program *p, uint64_t file_size)
{
	p->align = PAGE_MASK + 1;
	for (unsigned i = 0; i < p->count; i++) {
		struct program_header *h = &p->header[i];
		int error = h->type == PT_LOAD ? check_load(p, h) : 0;
		if (error)
			return error;
		if (h->type == PT_INTERP) {
			if (h->file_size < 2 || h->file_size > 4096 || h->offset > file_size ||
			    h->file_size > file_size - h->offset)
				return -ENOEXEC;
			p->interp = h->offset;
			p->interp_size = h->file_size;
		}
		if (h->type == PT_GNU_STACK)
			p->exec_stack = h->flags & PF_X;
	}
	if (p->hi <= p->lo)
		return -ENOEXEC;
	return p->pie || p->lo >= 4096 ? 0 : -EPERM;
}
