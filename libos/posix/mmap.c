/* The system calls of memory: mmap, munmap, mprotect, brk, madvise, msync, mincore, mlock.
 *
 * Checks arguments as Linux does and leaves the work to mm.c, vma.c and tables.c.
 */
#include "libos/posix/fileview.h"
#include "libos/posix/mm.h"
#include "libos/posix/syscall.h"

static struct mm *mine(void)
{
	return this_thread()->mm;
}

static bool range_bad(uint64_t start, uint64_t length)
{
	return start & (PAGE - 1) || length > USER_END || start > USER_END - page_up(length);
}

/* ---- mmap, munmap ------------------------------------------------------------------ */

/* How the access mode of the descriptor limits a mapping. */
static long file_allows(struct file *f, uint32_t prot, bool shared)
{
	int mode = file_mode(f);
	if (mode & O_PATH)
		return -EBADF;
	if ((mode & O_ACCMODE) == O_WRONLY)
		return -EACCES;
	return shared && prot & PROT_WRITE && (mode & O_ACCMODE) != O_RDWR ? -EACCES : 0;
}

static long area_backing(struct vma *v, uint64_t flags, int fd, uint64_t offset)
{
	bool shared = (flags & MAP_TYPE) != MAP_PRIVATE;
	v->flags = shared ? VMA_SHARED : 0;
	if (flags & MAP_GROWSDOWN)
		v->flags |= VMA_GROWS;
	struct file *f = flags & MAP_ANONYMOUS ? NULL : fd_file(fd);
	if (!f && !(flags & MAP_ANONYMOUS))
		return -EBADF;
	long error = f ? file_allows(f, v->prot, shared) : 0;
	if (error)
		return error;
	if (!f || file_is_zeroes(f)) {
		if (shared && !(v->shm = shm_new((v->end - v->start) / PAGE)))
			return -ENOMEM;
		return 0;
	}
	long page = file_page(f, offset / PAGE, false);
	if (page == -ENODEV || page == -EACCES || page == -EPERM)
		return page;
	if (page >= 0)
		frame_put((uint32_t)page);
	v->offset = offset;
	v->file = f;
	file_get(f);
	return 0;
}

static void populate(struct mm *mm, uint64_t start, uint64_t end)
{
	struct vma *v = vma_find(&mm->areas, start);
	for (uint64_t va = start; v && va < end; va += PAGE)
		if (mm_touch(mm, va, v->prot & PROT_WRITE && !(v->flags & VMA_SHARED)))
			break;
}

CALL6(mmap, addr, length, prot, flags, fd, offset)
{
	struct mm *mm = mine();
	unsigned type = flags & MAP_TYPE;
	if (!length || offset & (PAGE - 1) || type < MAP_SHARED || type > MAP_SHARED_VALIDATE)
		return -EINVAL;
	length = page_up(length);
	if (!length || length > USER_END)
		return -ENOMEM;
	if (offset + length < offset)
		return -EOVERFLOW;
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (addr & (PAGE - 1))
			return -EINVAL;
		if (addr > USER_END - length)
			return -ENOMEM;
		if (flags & MAP_FIXED_NOREPLACE && !vma_free(&mm->areas, addr, addr + length))
			return -EEXIST;
	} else {
		addr = page_down(addr);
		if (addr < USER_LOW || addr > USER_END - length ||
		    !vma_free(&mm->areas, addr, addr + length))
			addr = flags & MAP_32BIT ?
				vma_gap(&mm->areas, length, 0x40000000, 0x80000000) : mm_place(mm, length);
		if (!addr)
			return -ENOMEM;
	}
	if (mm_pages_of(mm) * PAGE + length > this_task()->limit[RLIMIT_AS].soft)
		return -ENOMEM;
	struct vma v = { .start = addr, .end = addr + length,
		.prot = prot & (PROT_READ | PROT_WRITE | PROT_EXEC) };
	long error = area_backing(&v, flags, (int)fd, offset);
	if (!error && (error = mm_map(mm, v))) {
		if (v.file)
			file_put(v.file);
		if (v.shm)
			shm_put(v.shm);
	}
	if (error)
		return error;
	if (flags & (MAP_POPULATE | MAP_LOCKED))
		populate(mm, addr, addr + length);
	return (long)addr;
}

CALL2(munmap, addr, length)
{
	if (!length || range_bad(addr, length))
		return -EINVAL;
	return mm_unmap(mine(), addr, addr + page_up(length));
}

/* ---- mprotect ------------------------------------------------------------------------ */

/* What a present or hidden page's entry is to be under the area's new rights. */
static uint64_t entry_under(const struct vma *v, uint64_t e)
{
	if (!(v->prot & (PROT_READ | PROT_WRITE | PROT_EXEC)))
		return e & EXO_PTE_P ? pte_hide(e) : e;
	uint32_t pfn = pte_pfn(e);
	bool write = v->prot & PROT_WRITE && (v->flags & VMA_SHARED ?
		!v->file || e & EXO_PTE_W : frame_count(pfn) == 1);
	return pte_of(pfn, v->prot, write) | (e & PTE_FILE);
}

static void protect_area(struct mm *mm, const struct vma *v)
{
	for (uint64_t va = pt1_next(mm, v->start, v->end); va < v->end; va = pt1_next(mm, va, v->end)) {
		uint64_t *pt1 = pt1_find(mm, va), stop = (va | 0x1ffffful) + 1;
		for (stop = stop < v->end ? stop : v->end; va < stop; va += PAGE) {
			uint64_t *e = &pt1[pt1_index(va)];
			if (!*e)
				continue;
			if (*e & EXO_PTE_P)
				batch_narrow();
			batch_set(e, entry_under(v, *e));
		}
	}
}

static int protect(struct mm *mm, uint64_t start, uint64_t end, uint32_t prot)
{
	int error = vma_cut(&mm->areas, start, end);
	if (error)
		return error;
	batch_start(mm);
	for (size_t i = vma_index(&mm->areas, start); i < mm->areas.n && mm->areas.v[i].start < end; i++) {
		struct vma *v = &mm->areas.v[i];
		if (v->prot == prot)
			continue;
		v->prot = prot;
		protect_area(mm, v);
	}
	batch_end();
	vma_merge(&mm->areas, start, end);
	return 0;
}

CALL3(mprotect, addr, length, prot)
{
	struct mm *mm = mine();
	bool down = prot & PROT_GROWSDOWN;
	prot &= ~(uint64_t)PROT_GROWSDOWN;
	if (addr & (PAGE - 1) || prot & ~7ul)
		return -EINVAL;
	if (!length)
		return 0;
	if (range_bad(addr, length))
		return -ENOMEM;
	uint64_t end = addr + page_up(length);
	struct vma *first = vma_find(&mm->areas, addr);
	if (down && first && first->flags & VMA_GROWS)
		addr = first->start;
	for (size_t i = vma_index(&mm->areas, addr); i < mm->areas.n && mm->areas.v[i].start < end; i++) {
		struct vma *v = &mm->areas.v[i];
		if (v->file && v->flags & VMA_SHARED && prot & PROT_WRITE &&
		    (file_mode(v->file) & O_ACCMODE) != O_RDWR)
			return -EACCES;
	}
	uint64_t hole = vma_hole(&mm->areas, addr, end);	/* Linux has changed what lies before it */
	int error = protect(mm, addr, hole, (uint32_t)prot);
	return error ? error : hole < end ? -ENOMEM : 0;
}

/* ---- brk -------------------------------------------------------------------------------- */

CALL1(brk, to)
{
	struct mm *mm = mine();
	uint64_t old = page_up(mm->brk), new = page_up(to);
	if (to < mm->brk_start || to - mm->brk_start > this_task()->limit[RLIMIT_DATA].soft ||
	    new > mm->mmap_top)
		return (long)mm->brk;
	if (new < old && mm_unmap(mm, new, old))
		return (long)mm->brk;
	if (new > old) {
		struct vma v = { .start = old, .end = new, .prot = PROT_READ | PROT_WRITE,
			.flags = VMA_HEAP };
		if (!vma_free(&mm->areas, old, new + PAGE) || vma_insert(&mm->areas, v))
			return (long)mm->brk;
	}
	mm->brk = to;
	return (long)to;
}

/* ---- madvise, msync, mincore, mlock -------------------------------------------------------- */

CALL3(madvise, addr, length, advice)
{
	struct mm *mm = mine();
	if (advice > MADV_DODUMP || (advice > MADV_DONTNEED && advice < MADV_FREE) || range_bad(addr, length))
		return -EINVAL;
	uint64_t end = addr + page_up(length);
	if (advice == MADV_DONTNEED || advice == MADV_FREE) {
		for (size_t i = vma_index(&mm->areas, addr); i < mm->areas.n && mm->areas.v[i].start < end; i++)
			if (mm->areas.v[i].flags & VMA_LOCKED ||
			    (advice == MADV_FREE && (mm->areas.v[i].file || mm->areas.v[i].shm)))
				return -EINVAL;
		mm_forget(mm, addr, end);
	}
	return vma_covered(&mm->areas, addr, end) ? 0 : -ENOMEM;
}

CALL3(msync, addr, length, flags)
{
	if (flags & ~7ul || (flags & MS_ASYNC && flags & MS_SYNC) || addr & (PAGE - 1))
		return -EINVAL;
	if (range_bad(addr, length))
		return -ENOMEM;
	return vma_covered(&mine()->areas, addr, addr + page_up(length)) ? 0 : -ENOMEM;
}

CALL3(mincore, addr, length, vector)
{
	struct mm *mm = mine();
	if (addr & (PAGE - 1))
		return -EINVAL;
	if (range_bad(addr, length) || !vma_covered(&mm->areas, addr, addr + page_up(length)))
		return -ENOMEM;
	for (uint64_t i = 0; i < page_up(length) / PAGE; i++) {
		uint64_t *pt1 = pt1_find(mm, addr + i * PAGE);
		uint8_t present = pt1 && pt1[pt1_index(addr + i * PAGE)];
		if (copy_to_user(vector + i, &present, 1))
			return -EFAULT;
	}
	return 0;
}

/* ---- locking: nothing is ever paged out, a locked page is one that is there ---- */

/* Bytes that would be locked with [start, end). */
static uint64_t locked_with(struct mm *mm, uint64_t start, uint64_t end)
{
	uint64_t n = end - start;
	for (size_t i = 0; i < mm->areas.n; i++) {
		struct vma *v = &mm->areas.v[i];
		if (!(v->flags & VMA_LOCKED))
			continue;
		n += v->end - v->start;
		if (v->start < end && v->end > start)
			n -= (v->end < end ? v->end : end) - (v->start > start ? v->start : start);
	}
	return n;
}

static long lock_allowed(struct mm *mm, uint64_t start, uint64_t end)
{
	uint64_t limit = this_task()->limit[RLIMIT_MEMLOCK].soft;
	if (!current_process()->euid)
		return 0;
	return !limit ? -EPERM : locked_with(mm, start, end) > limit ? -ENOMEM : 0;
}

/* Linux rounds the length up before it looks for an overflow: -1 is nothing. */
static long lock_mark(struct mm *mm, uint64_t start, uint64_t end, bool on)
{
	if (end < start)
		return -EINVAL;
	if (!vma_covered(&mm->areas, start, end))
		return -ENOMEM;
	int error = vma_cut(&mm->areas, start, end);
	if (error)
		return error;
	for (size_t i = vma_index(&mm->areas, start); i < mm->areas.n && mm->areas.v[i].start < end; i++)
		mm->areas.v[i].flags = on ? mm->areas.v[i].flags | VMA_LOCKED :
			mm->areas.v[i].flags & ~VMA_LOCKED;
	return 0;
}

CALL2(mlock, addr, length)
{
	struct mm *mm = mine();
	uint64_t start = page_down(addr), end = start + page_up(length + (addr & (PAGE - 1)));
	if (end == start)
		return 0;
	long error = end < start ? -EINVAL : lock_allowed(mm, start, end);
	if (!error)
		error = lock_mark(mm, start, end, true);
	for (uint64_t at = start; !error && at < end;) {
		struct vma *v = vma_find(&mm->areas, at);
		uint64_t stop = v->end < end ? v->end : end;
		error = v->prot & (PROT_READ | PROT_WRITE | PROT_EXEC) ? 0 : -ENOMEM;
		if (!error)
			populate(mm, at, stop);
		at = stop;
	}
	vma_merge(&mm->areas, start, end);
	return error;
}

CALL2(munlock, addr, length)
{
	struct mm *mm = mine();
	uint64_t start = page_down(addr), end = start + page_up(length + (addr & (PAGE - 1)));
	long error = end == start ? 0 : lock_mark(mm, start, end, false);
	if (end > start)
		vma_merge(&mm->areas, start, end);
	return error;
}
