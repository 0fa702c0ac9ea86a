/* vmm disk: makes virtual disks, and takes, lists and goes back to their snapshots.
 *
 *	vmm disk create FILE SIZE		a plain disk, all zeroes: any file is one
 *	vmm disk create FILE --base BASE	an overlay: BASE stays as it is, FILE gets what differs
 *	vmm disk snapshot FILE NAME		the overlay's state of now, under a name
 *	vmm disk list FILE
 *	vmm disk rollback FILE NAME		the state of then again
 *
 * The overlay's format is the monitor's (libos/vmm/cow.h), whose code is compiled in here. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "libos/vmm/disk.h"
#include "vmm.h"

#define PART		65536u

/* ---- files, as the disk code wants them -------------------------------------------------------- */

struct file {
	struct vfile vfile;
	int fd;
};

static int fd_of(struct vfile *f) { return ((struct file *)f)->fd; }

static int file_read(struct vfile *f, uint64_t offset, size_t n, struct vdisk_io *io, size_t at)
{
	static uint8_t part[PART];
	for (size_t done = 0, now; done < n; done += now) {
		now = n - done < PART ? n - done : PART;
		ssize_t got = pread(fd_of(f), part, now, offset + done);
		if (got < 0)
			return -errno;
		memset(part + got, 0, now - got);
		vdisk_put(io, at + done, part, now);
	}
	return 0;
}

static int file_write(struct vfile *f, uint64_t offset, size_t n, struct vdisk_io *io, size_t at)
{
	static uint8_t part[PART];
	for (size_t done = 0, now; done < n; done += now) {
		now = n - done < PART ? n - done : PART;
		vdisk_get(io, at + done, part, now);
		ssize_t put = pwrite(fd_of(f), part, now, offset + done);
		if (put != (ssize_t)now)
			return put < 0 ? -errno : -ENOSPC;
	}
	return 0;
}

static int64_t file_size(struct vfile *f)
{
	struct stat s;
	return fstat(fd_of(f), &s) < 0 ? -errno : s.st_size;
}

static int file_sync(struct vfile *f)
{
	return fsync(fd_of(f)) < 0 ? -errno : 0;
}

static struct file file_of(int fd)
{
	return (struct file){ { file_read, file_write, file_size, file_sync }, fd };
}

void *vdisk_page(void)
{
	return calloc(1, VDISK_BLOCK);
}

void vdisk_page_free(void *page)
{
	free(page);
}

char *disk_base(const char *name, int fd)
{
	char path[COW_BASE], why[128];
	struct file f = file_of(fd);
	if (!cow_base(&f.vfile, path, why, sizeof why))
		refuse("--disk cow:%s: %s", name, why);
	return strdup(path);
}

/* ---- the verbs ------------------------------------------------------------------------------------- */

static int disk_file(const char *name, int flags)
{
	int fd = open(name, flags | O_CLOEXEC, 0666);
	if (fd < 0)
		refuse("%s: %s", name, strerror(errno));
	if (flock(fd, (flags & O_ACCMODE ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0)
		refuse("%s: in use by a guest", name);
	return fd;
}

/* A record of the disk; it and the files are wanted until this program ends. */
static struct vdisk *overlay_open(const char *name, int flags)
{
	static struct file overlay, base;
	char path[COW_BASE], why[160];
	overlay = file_of(disk_file(name, flags));
	if (!cow_base(&overlay.vfile, path, why, sizeof why))
		refuse("%s: %s", name, why);
	base = file_of(disk_file(path, O_RDONLY));
	struct vdisk *d = cow_open(&overlay.vfile, &base.vfile, why, sizeof why);
	if (!d)
		refuse("%s: %s", name, why);
	return d;
}

static int create_plain(const char *name, const char *size)
{
	uint64_t bytes = size_parse(size, "SIZE");
	int fd = disk_file(name, O_RDWR | O_CREAT | O_EXCL);
	if (ftruncate(fd, bytes) < 0)
		refuse("%s: %s", name, strerror(errno));
	return 0;
}

/* The base is named by its whole path, so that the overlay can be used from anywhere. */
static int create_overlay(const char *name, const char *base_name)
{
	char path[PATH_MAX];
	struct file base = file_of(disk_file(base_name, O_RDONLY));
	if (!realpath(base_name, path))
		refuse("%s: %s", base_name, strerror(errno));
	struct file overlay = file_of(disk_file(name, O_RDWR | O_CREAT | O_EXCL));
	int error = cow_create(&overlay.vfile, path, file_size(&base.vfile));
	if (!error)
		return 0;
	unlink(name);
	refuse("%s: %s", name, strerror(-error));
}

static int snapshot(const char *name, const char *snapshot_name)
{
	int error = cow_snapshot(overlay_open(name, O_RDWR), snapshot_name, time(NULL));
	if (error == -EEXIST)
		refuse("%s: there is a snapshot %s", name, snapshot_name);
	if (error)
		refuse("%s: snapshot %s: %s", name, snapshot_name, strerror(-error));
	return 0;
}

static int rollback(const char *name, const char *snapshot_name)
{
	int error = cow_rollback(overlay_open(name, O_RDWR), snapshot_name);
	if (error == -ENOENT)
		refuse("%s: there is no snapshot %s", name, snapshot_name);
	if (error)
		refuse("%s: rollback: %s", name, strerror(-error));
	return 0;
}

/* A guest that has taken over its monitor may have written it: any time, any bytes. */
static void snapshot_print(void *arg, const char *name, uint64_t when)
{
	char text[32];
	time_t seconds = when;
	const struct tm *then = localtime(&seconds);
	(void)arg;
	if (!then || !strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", then))
		strcpy(text, "?");
	printf("%s  ", text);
	for (; *name; name++)
		putchar(*name < ' ' || *name > '~' ? '?' : *name);
	putchar('\n');
}

static int list(const char *name)
{
	int error = cow_list(overlay_open(name, O_RDONLY), snapshot_print, NULL);
	if (error)
		refuse("%s: %s", name, strerror(-error));
	return 0;
}

int disk_command(char **words)
{
	int n = 0;
	while (words[n])
		n++;
	const char *verb = n ? words[0] : "";
	if (n == 4 && !strcmp(verb, "create") && !strcmp(words[2], "--base"))
		return create_overlay(words[1], words[3]);
	if (n == 3 && !strcmp(verb, "create"))
		return create_plain(words[1], words[2]);
	if (n == 3 && !strcmp(verb, "snapshot"))
		return snapshot(words[1], words[2]);
	if (n == 3 && !strcmp(verb, "rollback"))
		return rollback(words[1], words[2]);
	if (n == 2 && !strcmp(verb, "list"))
		return list(words[1]);
	refuse("disk: create FILE SIZE | create FILE --base BASE | snapshot FILE NAME | list FILE | "
		"rollback FILE NAME");
}
