/* Address spaces as a whole: made, copied by fork, emptied, and areas put in and taken out.
 *
 * The system calls on top are in mmap.c.
 */
#include "libos/posix/mm.h"
#include "libos/posix/process.h"

struct mm *mm_new(void)
{
	struct mm *mm = kmalloc(sizeof *mm);
	if (!mm)
		return NULL;
	uint64_t limit = this_task() ? this_task()->limit[RLIMIT_STACK].soft : 8ul << 20;
	*mm = (struct mm){ .refs = 1, .root = root_get(), .cached_base = ~0ul,
		.stack_limit = limit };
	if (!mm->root) {
		kfree(mm);
		return NULL;
	}
	uint64_t below = limit < 128ul << 20 ? 128ul << 20 : limit;
	if (below > USER_END / 6 * 5)
		below = USER_END / 6 * 5;
	mm->mmap_top = page_down(USER_END - below - STACK_GAP);
	return mm;
}

/* Clears the entries of [start, end) and puts their pages.  In an open batch. */
static void drop_range(struct mm *mm, uint64_t start, uint64_t end)
{
	mm->pages_most = mm_pages_most(mm);
	for (uint64_t va = pt1_next(mm, start, end); va < end; va = pt1_next(mm, va, end)) {
		uint64_t *pt1 = pt1_find(mm, va), stop = (va | 0x1ffffful) + 1;
		for (stop = stop < end ? stop : end; va < stop; va += PAGE)
			if (pt1[pt1_index(va)]) {
				batch_drop(&pt1[pt1_index(va)]);
				mm->pages--;
			}
	}
}

void mm_put(struct mm *mm)
{
	if (--mm->refs)
		return;
	batch_start(mm);
	for (size_t i = 0; i < mm->areas.n; i++)
		drop_range(mm, mm->areas.v[i].start, mm->areas.v[i].end);
	tables_free(mm);
	root_put(mm->root);
	vmas_clear(&mm->areas);
	if (mm->exe)
		file_put(mm->exe);
	kfree(mm);
}

int mm_unmap(struct mm *mm, uint64_t start, uint64_t end)
{
	size_t first = vma_index(&mm->areas, start);
	if (first == mm->areas.n || mm->areas.v[first].start >= end)
		return 0;
	int error = vma_cut(&mm->areas, start, end);
	if (error)
		return error;
	batch_start(mm);
	for (size_t i = vma_index(&mm->areas, start); i < mm->areas.n && mm->areas.v[i].start < end; i++)
		drop_range(mm, mm->areas.v[i].start, mm->areas.v[i].end);
	batch_end();
	return vma_remove(&mm->areas, start, end);
}

int mm_map(struct mm *mm, struct vma v)
{
	int error = mm_unmap(mm, v.start, v.end);
	return error ? error : vma_insert(&mm->areas, v);
}

void mm_forget(struct mm *mm, uint64_t start, uint64_t end)
{
	batch_start(mm);
	drop_range(mm, start, end);
	batch_end();
}

uint64_t mm_pages_most(struct mm *mm)
{
	return mm->pages > mm->pages_most ? mm->pages : mm->pages_most;
}

uint64_t mm_place(struct mm *mm, uint64_t size)
{
	return vma_gap(&mm->areas, size, USER_LOW, mm->mmap_top);
}

uint64_t mm_pages_of(const struct mm *mm)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < mm->areas.n; i++)
		sum += (mm->areas.v[i].end - mm->areas.v[i].start) / PAGE;
	return sum;
}

/* ---- fork --------------------------------------------------------------------------- */

static uint64_t child_entry(const struct vma *v, uint64_t e)
{
	return v->flags & VMA_SHARED ? e : e & ~EXO_PTE_W;
}

/* One table's worth: [va, end) of area v. */
static bool copy_chunk(struct mm *parent, struct mm *child, const struct vma *v, uint64_t va,
	uint64_t end)
{
	uint64_t *from = pt1_find(parent, va), *to = NULL;
	for (; va < end; va += PAGE) {
		uint64_t e = from[pt1_index(va)];
		if (!e || e & PTE_FILE)		/* the child fetches it from the file */
			continue;
		if (!to && !(to = pt1_make(child, va)))
			return false;
		frame_get(pte_pfn(e));
		batch_set(&to[pt1_index(va)], child_entry(v, e));
		child->pages++;
		if (e & EXO_PTE_P && child_entry(v, e) != e)
			batch_protect(&from[pt1_index(va)], e & ~EXO_PTE_W);
	}
	return true;
}

static bool copy_area(struct mm *parent, struct mm *child, const struct vma *v)
{
	for (uint64_t va = pt1_next(parent, v->start, v->end); va < v->end;
	     va = pt1_next(parent, va, v->end)) {
		uint64_t stop = (va | 0x1ffffful) + 1;
		stop = stop < v->end ? stop : v->end;
		if (!copy_chunk(parent, child, v, va, stop))
			return false;
		va = stop;
	}
	return true;
}

struct mm *mm_fork(struct mm *parent)
{
	struct mm *child = mm_new();
	if (!child)
		return NULL;
	bool ok = !vmas_copy(&child->areas, &parent->areas);
	child->brk_start = parent->brk_start;
	child->brk = parent->brk;
	child->mmap_top = parent->mmap_top;
	child->stack_limit = parent->stack_limit;
	child->arg_start = parent->arg_start;
	child->arg_end = parent->arg_end;
	child->env_start = parent->env_start;
	child->env_end = parent->env_end;
	child->exe = parent->exe;
	if (child->exe)
		file_get(child->exe);
	batch_start(parent);	/* the child's root is loaded nowhere yet: nothing to flush there */
	for (size_t i = 0; ok && i < child->areas.n; i++)
		ok = copy_area(parent, child, &child->areas.v[i]);
	batch_end();
	if (!ok) {
		mm_put(child);
		return NULL;
	}
	return child;
}
