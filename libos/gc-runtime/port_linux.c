/* The surroundings, in a Linux process.  See port.h. */
#define _GNU_SOURCE
#include "libos/gc-runtime/port.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void port_print(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
}

_Noreturn void port_fail(const char *format, ...)
{
	va_list args;
	fflush(stdout);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	_exit(1);
}

void port_note(const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (write(2, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1) < 0)
		return;			/* nobody reads it */
}

_Noreturn void port_exit(int status)
{
	fflush(stdout);
	_exit(status);
}

const char *port_error(int error) { return strerror(-error); }

void port_obey(void) {}

uint64_t port_time(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ul + t.tv_nsec;
}

static bool have_alone(int fd)
{
	struct stat s;
	return !fstat(fd, &s) && (S_ISCHR(s.st_mode) || !flock(fd, LOCK_EX | LOCK_NB));
}

int port_open(const char *path, unsigned how)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | (how & PORT_CREATE ? O_CREAT : 0), 0600);
	if (fd < 0 || !(how & PORT_ALONE) || have_alone(fd))
		return fd < 0 ? -errno : fd;
	int error = errno;
	close(fd);
	return -error;
}

int64_t port_read(int file, uint64_t at, void *to, uint64_t n)
{
	ssize_t got = pread(file, to, n, at);
	return got < 0 ? -errno : got;
}

int64_t port_write(int file, uint64_t at, const void *from, uint64_t n)
{
	ssize_t done = pwrite(file, from, n, at);
	return done < 0 ? -errno : done;
}

int64_t port_size(int file)
{
	off_t n = lseek(file, 0, SEEK_END);
	return n < 0 ? -errno : n;
}

int64_t port_resize(int file, uint64_t size) { return ftruncate(file, size) ? -errno : 0; }
void port_close(int file) { close(file); }

bool port_idle(void) { return true; }	/* hooks are called, and interrupt nothing */

void *port_memory(uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}
