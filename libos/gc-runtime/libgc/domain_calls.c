/* The system calls that a static C program of musl's makes, in a domain of its own: memory, the
 * clock, files and streams of the session through the proxy.
 *
 * A `syscall` outside this image's own text is an upcall; it goes on here, in the program's
 * context. Processes, signals between them, sockets, directories are the POSIX libOS's: -ENOSYS.
 */
#include "libos/gc-runtime/libgc/domain.h"
#include "libos/gc-runtime/port.h"

#define MEMORY		0x310000000000ul	/* where mmap gives memory, upwards */
#define FILES		32
#define ENOENT		2
#define EINTR		4
#define EBADF		9
#define ENOMEM		12
#define EINVAL		22
#define ENOTTY		25
#define EMFILE		24
#define ESPIPE		29
#define ENOSYS		38
#define O_ACCMODE	3u			/* Linux's */
#define O_CREAT		0100u
#define O_TRUNC		01000u
#define O_APPEND	02000u
#define MAP_FIXED	0x10u
#define MAP_ANONYMOUS	0x20u
#define ARCH_SET_FS	0x1002u

enum {
	SYS_READ = 0, SYS_WRITE = 1, SYS_OPEN = 2, SYS_CLOSE = 3, SYS_LSEEK = 8, SYS_MMAP = 9,
	SYS_MPROTECT = 10, SYS_MUNMAP = 11, SYS_BRK = 12, SYS_SIGACTION = 13, SYS_SIGPROCMASK = 14,
	SYS_IOCTL = 16, SYS_READV = 19, SYS_WRITEV = 20, SYS_MADVISE = 28, SYS_NANOSLEEP = 35,
	SYS_GETPID = 39, SYS_EXIT = 60, SYS_FCNTL = 72, SYS_ARCH_PRCTL = 158, SYS_GETTID = 186,
	SYS_TKILL = 200, SYS_FUTEX = 202, SYS_SET_TID_ADDRESS = 218, SYS_CLOCK_GETTIME = 228,
	SYS_EXIT_GROUP = 231, SYS_GETRANDOM = 318,
};

struct file { int number; uint64_t at; bool open, append; };
static struct file files[FILES];
static uint64_t memory_next = MEMORY;

/* ---- streams and files -------------------------------------------------------------- */

static struct file *file_of(uint64_t fd)
{
	return fd < FILES && files[fd].open ? &files[fd] : NULL;
}

static int64_t file_open(const char *path, uint64_t how)
{
	uint64_t fd = 3, access = how & O_ACCMODE;
	while (fd < FILES && files[fd].open)
		fd++;
	if (fd == FILES)
		return -EMFILE;
	int64_t number = proxy_open(path, (access != 1 ? PROXY_O_READ : 0) |
		(access ? PROXY_O_WRITE : 0) | (how & O_CREAT ? PROXY_O_CREATE : 0) |
		(how & O_TRUNC ? PROXY_O_TRUNC : 0));
	if (number < 0)
		return number;
	files[fd] = (struct file){ number, 0, true, how & O_APPEND };
	return fd;
}

static int64_t file_close(uint64_t fd)
{
	struct file *f = file_of(fd);
	if (!f)
		return fd < 3 ? 0 : -EBADF;
	f->open = false;
	return proxy_file(PROXY_CLOSE, f->number, 0, NULL, 0);
}

static int64_t size_of(const struct file *f)
{
	return proxy_file(PROXY_GETSIZE, f->number, 0, NULL, 0);
}

static int64_t transfer(uint64_t fd, void *data, uint64_t n, bool write)
{
	struct file *f = file_of(fd);
	if (!f && write && (fd == 1 || fd == 2)) {
		int64_t done = proxy_write(fd, data, n);
		proxy_obey();
		return done;
	}
	if (!f && !write && fd == 0) {
		int64_t got;
		while ((got = proxy_read(data, n)) == -EINTR)
			proxy_obey();
		return got;
	}
	if (!f)
		return -EBADF;
	if (write && f->append)
		f->at = size_of(f);
	int64_t done = proxy_transfer(write ? PROXY_WRITE : PROXY_READ, f->number, f->at, data, n);
	f->at += done > 0 ? done : 0;
	return done;
}

struct piece { void *data; uint64_t n; };

static int64_t transfer_pieces(uint64_t fd, const struct piece *p, uint64_t n, bool write)
{
	int64_t sum = 0;
	for (uint64_t i = 0; i < n; i++) {
		int64_t done = p[i].n ? transfer(fd, p[i].data, p[i].n, write) : 0;
		if (done < 0)
			return sum ? sum : done;
		sum += done;
		if ((uint64_t)done < p[i].n)
			break;
	}
	return sum;
}

static int64_t seek(uint64_t fd, int64_t by, uint64_t whence)
{
	struct file *f = file_of(fd);
	if (!f)
		return fd < 3 ? -ESPIPE : -EBADF;
	int64_t from = whence == 0 ? 0 : whence == 1 ? (int64_t)f->at : size_of(f);
	if (from < 0 || from + by < 0 || whence > 2)
		return from < 0 ? from : -EINVAL;
	return f->at = from + by;
}

/* ---- memory ---------------------------------------------------------------------------- */

#define AT_ONCE	64u

/* So many pages at a time: one flush each. */
static void unmap_some(uint64_t va, uint64_t pages)
{
	uint64_t entry[AT_ONCE];
	for (uint64_t i = 0; i < pages; i++)
		entry[i] = pt_lookup(start_page->root, va + i * EXO_PAGE_SIZE, &(unsigned){ 1 });
	if (pt_unmap(start_page->root, va, pages))
		return;
	for (uint64_t i = 0; i < pages; i++)
		if (entry[i])
			frame_free(PTE_PFN(entry[i]));
}

static void unmap(uint64_t va, uint64_t n)
{
	uint64_t pages = (n + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE;
	for (uint64_t i = 0, k; i < pages; i += k) {
		k = pages - i < AT_ONCE ? pages - i : AT_ONCE;
		unmap_some(va + i * EXO_PAGE_SIZE, k);
	}
}

/* Anonymous memory only, and never at a place that the program chose. */
static int64_t map(uint64_t n, uint64_t flags)
{
	uint64_t pages = (n + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE, va = memory_next, pfn;
	if (!n || !(flags & MAP_ANONYMOUS) || flags & MAP_FIXED)
		return -EINVAL;
	if (pages + 8 > frames_left())
		return -ENOMEM;
	for (uint64_t i = 0; i < pages; i++)
		if (!(pfn = frame_alloc_zero()) ||
		    pt_map(start_page->root, va + i * EXO_PAGE_SIZE, pfn, 1, PTE_RW, 0)) {
			unmap(va, i * EXO_PAGE_SIZE);
			return -ENOMEM;
		}
	memory_next += (pages + 1) * EXO_PAGE_SIZE;
	return va;
}

static int64_t memory_call(uint64_t number, const uint64_t *a)
{
	switch (number) {
	case SYS_MMAP:
		return map(a[1], a[3]);
	case SYS_MUNMAP:
		unmap(a[0], a[1]);
		return 0;
	case SYS_BRK:
		return 0;		/* there is none: malloc then takes mmap */
	default:
		return 0;		/* mprotect, madvise: all stays readable and writable */
	}
}

/* ---- time, identity ---------------------------------------------------------------------- */

static int64_t clock(uint64_t which, uint64_t *to)
{
	uint64_t ns = which == 0 ? time_wall() : time_now();	/* 0: CLOCK_REALTIME */
	to[0] = ns / NS_PER_SEC;
	to[1] = ns % NS_PER_SEC;
	return 0;
}

static int64_t sleep_for(const uint64_t *t)
{
	time_sleep_until(time_now() + t[0] * NS_PER_SEC + t[1]);
	return 0;
}

/* Not for secrets: malloc's seeds. */
static int64_t random_bytes(uint8_t *to, uint64_t n)
{
	uint64_t x = time_now();
	for (uint64_t i = 0; i < n; i++) {
		x = x * 6364136223846793005ul + 1442695040888963407ul;
		to[i] = x >> 56;
	}
	return n;
}

/* ---- all of them --------------------------------------------------------------------------- */

int64_t domain_call(const uint64_t *a, uint64_t number)
{
	switch (number) {
	case SYS_READ:
	case SYS_WRITE:
		return transfer(a[0], (void *)a[1], a[2], number == SYS_WRITE);
	case SYS_READV:
	case SYS_WRITEV:
		return transfer_pieces(a[0], (const struct piece *)a[1], a[2],
			number == SYS_WRITEV);
	case SYS_OPEN:
		return file_open((const char *)a[0], a[1]);
	case SYS_CLOSE:
		return file_close(a[0]);
	case SYS_LSEEK:
		return seek(a[0], a[1], a[2]);
	case SYS_MMAP: case SYS_MUNMAP: case SYS_BRK: case SYS_MPROTECT: case SYS_MADVISE:
		return memory_call(number, a);
	case SYS_IOCTL:
		return -ENOTTY;
	case SYS_CLOCK_GETTIME:
		return clock(a[0], (uint64_t *)a[1]);
	case SYS_NANOSLEEP:
		return sleep_for((const uint64_t *)a[0]);
	case SYS_GETRANDOM:
		return random_bytes((uint8_t *)a[0], a[1]);
	case SYS_GETPID: case SYS_GETTID: case SYS_SET_TID_ADDRESS:
		return 1;
	case SYS_SIGACTION: case SYS_SIGPROCMASK: case SYS_FUTEX: case SYS_FCNTL:
		return 0;
	case SYS_ARCH_PRCTL:
		return a[0] == ARCH_SET_FS && !exo_segment_set(EXO_SEG_FS, a[1], 0).status ?
			0 : -EINVAL;
	case SYS_TKILL:
		proxy_exit(128 + a[1]);
	case SYS_EXIT: case SYS_EXIT_GROUP:
		proxy_exit(a[0] & 255);
	}
	return -ENOSYS;
}
