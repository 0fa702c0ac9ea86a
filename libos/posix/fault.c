/* Page faults: demand paging, copy-on-write, growth of stacks.
 *
 * Says what page an address is to have, by its area, and maps it.  A fault that cannot be
 * served is returned as the signal that Linux would send.  Nothing here sleeps.
 */
#include "libos/posix/mm.h"

#define AROUND		16		/* pages of a file mapped at one fault */

void page_copy(void *to, const void *from)
{
	uint64_t *d = to;
	const uint64_t *s = from;
	for (unsigned i = 0; i < 512; i += 4) {
		uint64_t a = s[i], b = s[i + 1], c = s[i + 2], e = s[i + 3];
		d[i] = a;
		d[i + 1] = b;
		d[i + 2] = c;
		d[i + 3] = e;
	}
}

static const struct fault served;

static struct fault fail(int signal, int code, uint64_t addr)
{
	return (struct fault){ signal, code, addr };
}

/* The page of a file or shared area, counted; -errno. */
static long backing_page(const struct vma *v, uint64_t va, bool write)
{
	uint64_t index = (v->offset + (page_down(va) - v->start)) / PAGE;
	if (v->shm)
		return shm_page(v->shm, index);
	return file_page(v->file, index, write && v->flags & VMA_SHARED);
}

static struct fault backing_failed(long error, uint64_t addr)
{
	if (error == -ENOMEM)
		return fail(SIG_KILL, SI_KERNEL, addr);
	return fail(SIG_BUS, BUS_ADRERR, addr);
}

static uint64_t file_bit(const struct vma *v)
{
	return v->file && !(v->flags & VMA_SHARED) ? PTE_FILE : 0;
}

/* Read-only pages around addr that the file has already and that aren't mapped. */
static void map_around(struct mm *mm, const struct vma *v, uint64_t addr, uint64_t *pt1)
{
	uint64_t base = addr & ~0x1ffffful, from = addr & ~(AROUND * PAGE - 1);
	uint64_t to = from + AROUND * PAGE, file_end = page_up(file_size(v->file));
	from = from > v->start ? from : v->start;
	to = to < v->end ? to : v->end;
	batch_start(mm);
	for (uint64_t va = from > base ? from : base; va < to; va += PAGE) {
		uint64_t *e = &pt1[pt1_index(va)];
		if (*e || v->offset + (va - v->start) >= file_end)
			continue;
		long pfn = backing_page(v, va, false);
		if (pfn < 0)
			continue;
		batch_set(e, pte_of((uint32_t)pfn, v->prot, false) | file_bit(v));
		mm->pages++;
	}
	batch_end();
}

/* A private page of one's own, with the content of `from` (0: zeroes). */
static uint32_t private_page(uint32_t from)
{
	uint32_t pfn = frame_new();
	if (!pfn)
		return 0;
	if (from && from != zero_pfn)
		page_copy(frame_page(pfn), frame_page(from));
	else
		page_zero(frame_page(pfn));
	return pfn;
}

static struct fault map_anonymous(struct mm *mm, const struct vma *v, uint64_t *e, uint64_t addr,
	bool write)
{
	uint32_t pfn = zero_pfn;
	if (write)
		pfn = private_page(0);
	else
		frame_get(pfn);
	if (!pfn)
		return fail(SIG_KILL, SI_KERNEL, addr);
	pte_set(e, pte_of(pfn, v->prot, write));
	mm->pages++;
	return served;
}

static struct fault map_backed(struct mm *mm, const struct vma *v, uint64_t *e, uint64_t addr,
	bool write)
{
	long pfn = backing_page(v, addr, write);
	uint64_t bit = write ? 0 : file_bit(v);
	if (pfn < 0)
		return backing_failed(pfn, addr);
	if (write && !(v->flags & VMA_SHARED)) {
		uint32_t own = private_page((uint32_t)pfn);
		frame_put((uint32_t)pfn);
		if (!own)
			return fail(SIG_KILL, SI_KERNEL, addr);
		pfn = own;
	}
	pte_set(e, pte_of((uint32_t)pfn, v->prot, write) | bit);
	mm->pages++;
	if (!write && v->file)
		map_around(mm, v, addr, e - pt1_index(addr));
	return served;
}

/* A write to a page that is mapped read-only in an area that may be written. */
static struct fault make_writable(struct mm *mm, const struct vma *v, uint64_t *e, uint64_t addr)
{
	uint32_t pfn = pte_pfn(*e);
	if (v->flags & VMA_SHARED) {
		if (v->file) {		/* the file may have to give the page room first */
			long page = backing_page(v, addr, true);
			if (page < 0)
				return backing_failed(page, addr);
			if (page != (long)pfn) {
				pte_replace(mm, page_down(addr), e, pte_of((uint32_t)page, v->prot, true));
				frame_put(pfn);
				return served;
			}
			frame_put(pfn);
		}
	} else if (frame_count(pfn) > 1) {
		uint32_t own = private_page(pfn);
		if (!own)
			return fail(SIG_KILL, SI_KERNEL, addr);
		pte_replace(mm, page_down(addr), e, pte_of(own, v->prot, true));
		frame_put(pfn);
		return served;
	}
	pte_set(e, pte_of(pfn, v->prot, true));
	return served;
}

/* The stack below its area: grows to its limit, unless something lies close below. */
static struct vma *grow(struct mm *mm, uint64_t addr)
{
	size_t i = vma_index(&mm->areas, addr);
	struct vma *v = &mm->areas.v[i];
	if (i == mm->areas.n || !(v->flags & VMA_GROWS) || v->end - page_down(addr) > mm->stack_limit)
		return NULL;
	if (i && v->prot && v[-1].end + 256 * PAGE > addr && !(v[-1].flags & VMA_GROWS))
		return NULL;
	v->start = page_down(addr);
	return v;
}

static bool allowed(const struct vma *v, uint64_t error)
{
	if (error & FAULT_WRITE)
		return v->prot & PROT_WRITE;
	if (error & FAULT_FETCH)
		return v->prot & PROT_EXEC;
	return v->prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
}

struct fault mm_fault(struct mm *mm, uint64_t addr, uint64_t error)
{
	bool write = error & FAULT_WRITE;
	if (addr >= USER_END)
		return fail(SIG_SEGV, SEGV_MAPERR, addr);
	struct vma *v = vma_find(&mm->areas, addr);
	if (!v && !(v = grow(mm, addr)))
		return fail(SIG_SEGV, SEGV_MAPERR, addr);
	if (!allowed(v, error))
		return fail(SIG_SEGV, SEGV_ACCERR, addr);
	uint64_t *pt1 = pt1_make(mm, addr);
	if (!pt1)
		return fail(SIG_KILL, SI_KERNEL, addr);
	uint64_t *e = &pt1[pt1_index(addr)];
	if (*e & EXO_PTE_P)		/* else a stale translation: the fault has removed it */
		return write && !(*e & EXO_PTE_W) ? make_writable(mm, v, e, addr) : served;
	if (*e) {
		pte_set(e, pte_of(pte_pfn(*e), v->prot, false) | (*e & PTE_FILE));
		return write ? make_writable(mm, v, e, addr) : served;
	}
	if (v->file || v->shm)
		return map_backed(mm, v, e, addr, write);
	return map_anonymous(mm, v, e, addr, write);
}

int mm_touch(struct mm *mm, uint64_t addr, bool write)
{
	return mm_fault(mm, addr, write ? FAULT_WRITE : 0).signal ? -EFAULT : 0;
}

/* ---- anonymous shared memory ------------------------------------------------------- */

struct shm *shm_new(size_t pages)
{
	struct shm *s = kmalloc(sizeof *s);
	if (!s)
		return NULL;
	*s = (struct shm){ .refs = 1, .pages = pages, .pfn = kmalloc(pages * sizeof *s->pfn) };
	if (!s->pfn) {
		kfree(s);
		return NULL;
	}
	return s;
}

void shm_get(struct shm *s)
{
	s->refs++;
}

void shm_put(struct shm *s)
{
	if (--s->refs)
		return;
	for (size_t i = 0; i < s->pages; i++)
		if (s->pfn[i])
			frame_put(s->pfn[i]);
	kfree(s->pfn);
	kfree(s);
}

long shm_page(struct shm *s, uint64_t index)
{
	if (index >= s->pages)
		return -ENXIO;
	if (!s->pfn[index] && !(s->pfn[index] = private_page(0)))
		return -ENOMEM;
	frame_get(s->pfn[index]);
	return s->pfn[index];
}
