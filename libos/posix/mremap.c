/* mremap: growing, shrinking and moving an area, entries and all. */
#include "libos/posix/mm.h"
#include "libos/posix/syscall.h"

/* Moves the entries of n bytes; the frames keep their counts. */
static int entries_move(struct mm *mm, uint64_t from, uint64_t to, uint64_t n)
{
	for (uint64_t at = pt1_next(mm, from, from + n); at < from + n; at += PAGE) {
		uint64_t *old = pt1_find(mm, at);
		if (!old) {
			at = pt1_next(mm, at, from + n) - PAGE;
			continue;
		}
		if (!old[pt1_index(at)])
			continue;
		uint64_t e = old[pt1_index(at)], *new = pt1_make(mm, to + (at - from));
		if (!new)
			return -ENOMEM;
		old = pt1_find(mm, at);
		batch_set(&old[pt1_index(at)], 0);
		batch_set(&new[pt1_index(to + (at - from))], e);
		batch_narrow();
	}
	return 0;
}

/* Moves the area's first `old` bytes at `addr` to `to`, then of size `size`. */
static long move(struct mm *mm, uint64_t addr, uint64_t old, uint64_t to, uint64_t size)
{
	int error = vma_cut(&mm->areas, addr, addr + old);
	if (error)
		return error;
	struct vma v = *vma_find(&mm->areas, addr);
	v.start = to;
	v.end = to + size;
	if (v.file)
		file_get(v.file);
	if (v.shm)
		shm_get(v.shm);
	error = mm_map(mm, v);
	if (error) {
		if (v.file)
			file_put(v.file);
		if (v.shm)
			shm_put(v.shm);
		return error;
	}
	batch_start(mm);
	error = entries_move(mm, addr, to, old < size ? old : size);
	batch_end();
	if (!error)
		error = mm_unmap(mm, addr, addr + old);
	return error ? error : (long)to;
}

/* In place, if nothing lies behind. */
static bool extend(struct mm *mm, struct vma *v, uint64_t end)
{
	if (end > USER_END || !vma_free(&mm->areas, v->end, end))
		return false;
	if (v->shm && (v->offset + (end - v->start)) / PAGE > v->shm->pages)
		return false;
	v->end = end;
	vma_merge(&mm->areas, v->start, end);
	return true;
}

CALL5(mremap, addr, old, size, flags, to)
{
	struct mm *mm = this_thread()->mm;
	if (flags & ~3ul || addr & (PAGE - 1) || (flags & MREMAP_FIXED && !(flags & MREMAP_MAYMOVE)))
		return -EINVAL;
	old = page_up(old);
	size = page_up(size);
	if (!size || size > USER_END || old > USER_END)
		return -EINVAL;
	struct vma *v = vma_find(&mm->areas, addr);
	if (!v || addr + old > v->end)
		return -EFAULT;
	if (!old && !(v->flags & VMA_SHARED))
		return -EINVAL;
	if (flags & MREMAP_FIXED) {
		if (to & (PAGE - 1) || to > USER_END - size || (to < addr + old && addr < to + size))
			return -EINVAL;
		return move(mm, addr, old, to, size);
	}
	if (size <= old) {
		int error = mm_unmap(mm, addr + size, addr + old);
		return error ? error : (long)addr;
	}
	if (addr + old == v->end && extend(mm, v, addr + size))
		return (long)addr;
	if (!(flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	to = mm_place(mm, size);
	return to ? move(mm, addr, old, to, size) : -ENOMEM;
}
