/* What mappings see of a file that got shorter or a hole: the pages go from all address spaces,
 * private copies too, and a later access finds what the file holds then, or SIGBUS.
 */
#include "libos/posix/mm.h"

/* The part of an area that shows pages [first, end) of its file; false: none. */
static bool overlap(const struct vma *v, uint64_t first, uint64_t end, uint64_t *from, uint64_t *to)
{
	uint64_t base = v->offset / PAGE, pages = (v->end - v->start) / PAGE;

	if (first >= base + pages || end <= base)
		return false;
	*from = v->start + (first > base ? first - base : 0) * PAGE;
	*to = end - base < pages ? v->start + (end - base) * PAGE : v->end;
	return true;
}

void file_unmap(struct inode *i, uint64_t first, uint64_t end)
{
	for (struct process *p = process_next(0); p; p = process_next(p->pid)) {
		for (size_t k = 0; p->mm && k < p->mm->areas.n; k++) {
			struct vma *v = &p->mm->areas.v[k];
			uint64_t from, to;

			if (v->file && file_inode(v->file) == i && overlap(v, first, end, &from, &to))
				mm_forget(p->mm, from, to);
		}
	}
}
