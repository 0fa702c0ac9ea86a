/* The files that the monitor may open: those that the user named, and nothing else, as the monitor
 * is as trustworthy as its guest.  They are opened before the guest starts, once; a number of the
 * proxy protocol is an index into this table.
 *
 * What it writes stays within a disk: a plain one keeps its size; an overlay gets, in one run, at most
 * each block of the disk and a record for it, and goes on naming the base that it named. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "libos/common/domain_dev.h"
#include "libos/common/proxy.h"
#include "libos/vmm/cow.h"
#include "vmm.h"

#define FILES_MAX	(2 + 2 * DISKS)

static struct served {
	const char *name;
	int fd;
	bool writable;
	uint64_t limit;			/* its size at most */
	const char *base;		/* of an overlay */
} files[FILES_MAX];
static unsigned count;

static struct served *file_add(const char *option, const char *name, bool writable)
{
	struct stat s;
	int fd = open(name, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &s) < 0)
		refuse("%s %s: %s", option, name, strerror(errno));
	if (!S_ISREG(s.st_mode))
		refuse("%s %s: not a regular file", option, name);
	if (!strcmp(option, "--disk") && flock(fd, (writable ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0)
		refuse("%s %s: in use by another guest, or given twice", option, name);
	files[count] = (struct served){ name, fd, writable, s.st_size, NULL };
	return &files[count++];
}

static uint64_t disk_memory;
uint64_t files_disk_memory(void) { return disk_memory; }

/* As libos/vmm/disk_open.c has it: PATH[,ro], cow:PATH (and its base), mem:SIZE. */
static void disk_add(const char *spec)
{
	const char *comma = strrchr(spec, ',');
	bool overlay = !strncmp(spec, "cow:", 4), read_only = !overlay && comma && !strcmp(comma, ",ro");
	if (!strncmp(spec, "mem:", 4)) {
		disk_memory += size_parse(spec + 4, "--disk mem:");
		return;
	}
	char *name = strndup(spec + 4 * overlay, read_only ? (size_t)(comma - spec) : strlen(spec));
	if (!name)
		refuse("no memory");
	struct served *f = file_add("--disk", name, !read_only);
	if (overlay) {
		f->base = disk_base(name, f->fd);
		f->limit += 2 * file_add("--disk", f->base, false)->limit + COW_HEADERS;
	}
}

void files_open(const struct options *o)
{
	file_add("--kernel", o->kernel, false);
	if (o->initrd)
		file_add("--initrd", o->initrd, false);
	for (unsigned i = 0; i < o->disks; i++)
		disk_add(o->disk[i]);
}

static int64_t file_find(const char *name, uint32_t how)
{
	int64_t error = -EACCES;
	for (unsigned i = 0; i < count; i++)
		if (!strcmp(files[i].name, name) && !(how & (PROXY_O_CREATE | PROXY_O_TRUNC)) &&
		    (files[i].writable || !(how & PROXY_O_WRITE)))
			return i;
	return error;
}

static int64_t result_of(int64_t n) { return n < 0 ? -errno : n; }

static int64_t file_size(int fd)
{
	struct stat s;
	return fstat(fd, &s) < 0 ? -errno : s.st_size;
}

/* Bytes for the headers of an overlay go on naming its base. */
static bool keeps_base(const char *base, uint64_t offset, const void *bytes, size_t n)
{
	struct cow_header h;
	if (offset % VDISK_BLOCK || n != sizeof h)
		return false;
	memcpy(&h, bytes, sizeof h);
	return strnlen(h.base, COW_BASE) < COW_BASE && !strcmp(h.base, base);
}

static int64_t file_write(const struct served *f, const uint8_t *from, uint64_t n, uint64_t offset)
{
	if (n > f->limit || offset > f->limit - n)
		return -ENOSPC;
	if (f->base && offset < COW_HEADERS && !keeps_base(f->base, offset, from, n))
		return -EPERM;
	return result_of(pwrite(f->fd, from, n, offset));
}

int64_t files_serve(const struct domain_request *q, uint8_t *data)
{
	if (q->op == PROXY_OPEN)
		return file_find((char *)data, q->file);
	if (q->file >= count)
		return -EBADF;
	int fd = files[q->file].fd;
	switch (q->op) {
	case PROXY_READ:
		return result_of(pread(fd, data, q->length, q->offset));
	case PROXY_WRITE:
		return file_write(&files[q->file], data, q->length, q->offset);
	case PROXY_GETSIZE:
		return file_size(fd);
	case PROXY_SYNC:
		return result_of(fsync(fd));
	case PROXY_CLOSE:
		return 0;
	}
	return -EINVAL;
}
