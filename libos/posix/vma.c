/* The areas of an address space: a sorted array.
 *
 * Says what ought to be mapped where; knows nothing of page tables.  Hardware-free.
 * A search is binary; an insertion moves the tail, which for the few hundred areas of real
 * programs is cheaper than a tree's pointers.
 */
#include "libos/posix/mm.h"

#define AREAS_MAX 65530			/* Linux's vm.max_map_count */

static void ref(const struct vma *v)
{
	if (v->file)
		file_get(v->file);
	if (v->shm)
		shm_get(v->shm);
}

static void unref(const struct vma *v)
{
	if (v->file)
		file_put(v->file);
	if (v->shm)
		shm_put(v->shm);
}

size_t vma_index(const struct vmas *m, uint64_t addr)
{
	size_t lo = 0, hi = m->n;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (m->v[mid].end > addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

struct vma *vma_find(const struct vmas *m, uint64_t addr)
{
	size_t i = vma_index(m, addr);
	return i < m->n && m->v[i].start <= addr ? &m->v[i] : NULL;
}

static int make_room(struct vmas *m, size_t at)
{
	if (m->n >= AREAS_MAX)
		return -ENOMEM;
	if (m->n == m->room) {
		size_t room = m->room ? m->room * 2 : 16;
		struct vma *v = krealloc(m->v, room * sizeof *v);
		if (!v)
			return -ENOMEM;
		m->v = v;
		m->room = room;
	}
	memmove(&m->v[at + 1], &m->v[at], (m->n - at) * sizeof *m->v);
	m->n++;
	return 0;
}

static bool joins(const struct vma *a, const struct vma *b)
{
	return a->end == b->start && a->prot == b->prot && a->flags == b->flags &&
		a->file == b->file && a->shm == b->shm &&
		((!a->file && !a->shm) || a->offset + (a->end - a->start) == b->offset);
}

/* Joins area i with its successor, if they fit. */
static bool join(struct vmas *m, size_t i)
{
	if (i + 1 >= m->n || !joins(&m->v[i], &m->v[i + 1]))
		return false;
	m->v[i].end = m->v[i + 1].end;
	unref(&m->v[i + 1]);
	m->n--;
	memmove(&m->v[i + 1], &m->v[i + 2], (m->n - i - 1) * sizeof *m->v);
	return true;
}

void vma_merge(struct vmas *m, uint64_t start, uint64_t end)
{
	size_t i = vma_index(m, start);
	if (i)
		i--;
	while (i < m->n && m->v[i].start <= end)
		if (!join(m, i))
			i++;
}

int vma_insert(struct vmas *m, struct vma v)
{
	size_t i = vma_index(m, v.start);
	int error = make_room(m, i);
	if (error)
		return error;
	m->v[i] = v;
	join(m, i);
	if (i)
		join(m, i - 1);
	return 0;
}

static int cut_at(struct vmas *m, uint64_t addr)
{
	struct vma *v = vma_find(m, addr);
	if (!v || v->start == addr)
		return 0;
	size_t i = (size_t)(v - m->v);
	int error = make_room(m, i + 1);
	if (error)
		return error;
	m->v[i + 1] = m->v[i];
	m->v[i].end = m->v[i + 1].start = addr;
	m->v[i + 1].offset += addr - m->v[i].start;
	ref(&m->v[i]);
	return 0;
}

int vma_cut(struct vmas *m, uint64_t start, uint64_t end)
{
	int error = cut_at(m, start);
	return error ? error : cut_at(m, end);
}

int vma_remove(struct vmas *m, uint64_t start, uint64_t end)
{
	int error = vma_cut(m, start, end);
	if (error)
		return error;
	size_t i = vma_index(m, start), last = i;
	for (; last < m->n && m->v[last].start < end; last++)
		unref(&m->v[last]);
	memmove(&m->v[i], &m->v[last], (m->n - last) * sizeof *m->v);
	m->n -= last - i;
	return 0;
}

bool vma_free(const struct vmas *m, uint64_t start, uint64_t end)
{
	size_t i = vma_index(m, start);
	return i == m->n || m->v[i].start >= end;
}

uint64_t vma_hole(const struct vmas *m, uint64_t start, uint64_t end)
{
	for (size_t i = vma_index(m, start); start < end; i++) {
		if (i == m->n || m->v[i].start > start)
			return start;
		start = m->v[i].end;
	}
	return end;
}

bool vma_covered(const struct vmas *m, uint64_t start, uint64_t end)
{
	return vma_hole(m, start, end) == end;
}

uint64_t vma_gap(const struct vmas *m, uint64_t size, uint64_t lo, uint64_t hi)
{
	for (size_t i = vma_index(m, hi);; i--) {
		if (i < m->n && m->v[i].start < hi)
			hi = m->v[i].start;
		uint64_t bottom = i && m->v[i - 1].end > lo ? m->v[i - 1].end : lo;
		if (hi >= bottom && hi - bottom >= size)
			return hi - size;
		if (!i || bottom == lo)
			return 0;
	}
}

int vmas_copy(struct vmas *to, const struct vmas *from)
{
	*to = (struct vmas){ .v = kmalloc(from->n * sizeof *to->v), .n = from->n, .room = from->n };
	if (!to->v) {
		*to = (struct vmas){ 0 };
		return -ENOMEM;
	}
	memcpy(to->v, from->v, from->n * sizeof *to->v);
	for (size_t i = 0; i < to->n; i++)
		ref(&to->v[i]);
	return 0;
}

void vmas_clear(struct vmas *m)
{
	for (size_t i = 0; i < m->n; i++)
		unref(&m->v[i]);
	kfree(m->v);
	*m = (struct vmas){ 0 };
}
