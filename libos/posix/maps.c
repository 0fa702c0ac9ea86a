/* /proc/PID/maps: the areas of a process as Linux prints them. */
#include "libos/posix/fileview.h"
#include "libos/posix/mm.h"

static const char *label(const struct mm *mm, const struct vma *v)
{
	if (v->flags & VMA_HEAP)
		return "[heap]";
	if (v->flags & VMA_GROWS && v->end == USER_END)
		return "[stack]";
	(void)mm;
	return v->shm ? "/dev/zero (deleted)" : "";
}

static size_t line(const struct mm *mm, const struct vma *v, char *buf, size_t n)
{
	char *path = page_alloc();
	uint64_t dev = 0, ino = 0;
	const char *name = label(mm, v);
	if (v->file && path && file_path(v->file, path, PAGE) >= 0)
		name = path;
	if (v->file)
		file_identity(v->file, &dev, &ino);
	size_t length = (size_t)snprintf(buf, n, "%08lx-%08lx %c%c%c%c %08lx %02lx:%02lx %lu",
		v->start, v->end, v->prot & PROT_READ ? 'r' : '-', v->prot & PROT_WRITE ? 'w' : '-',
		v->prot & PROT_EXEC ? 'x' : '-', v->flags & VMA_SHARED ? 's' : 'p', v->offset,
		dev >> 8, dev & 0xff, ino);
	if (*name && length < n) {
		int pad = length < 73 ? (int)(73 - length) : 1;
		length += (size_t)snprintf(buf + length, n - length, "%-*s%s", pad, "", name);
	}
	if (length + 1 < n)
		buf[length++] = '\n';
	page_free(path);
	return length < n ? length : n;
}

size_t process_maps(struct process *p, char *buf, size_t n)
{
	size_t done = 0;
	for (size_t i = 0; p->mm && i < p->mm->areas.n && done < n; i++)
		done += line(p->mm, &p->mm->areas.v[i], buf + done, n - done);
	return done;
}
