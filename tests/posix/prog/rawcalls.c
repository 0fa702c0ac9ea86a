/*
 * The file calls that a C library no longer makes, or makes only in one form: by their numbers.
 */
#include "test.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <utime.h>

static char buf[4096];

static void file_make(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

static void show_times(const char *path)
{
	struct stat st;

	stat(path, &st);
	printf("%s: %ld.%09ld %ld.%09ld\n", path, (long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
		(long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static void times(void)
{
	struct utimbuf u = { 1000, 2000 };
	struct timeval t[2] = { { 3000, 4 }, { 5000, 999999 } };
	int dir = open(".", O_RDONLY | O_DIRECTORY), fd;

	file_make("t", "x");
	SHOW(syscall(SYS_utime, "t", &u));
	show_times("t");
	SHOW(syscall(SYS_utimes, "t", t));
	show_times("t");
	t[0].tv_usec = 1000000;
	SHOW(syscall(SYS_utimes, "t", t));
	t[0].tv_usec = -1;
	SHOW(syscall(SYS_futimesat, dir, "t", t));
	t[0].tv_usec = 7;
	t[0].tv_sec = -8;
	SHOW(syscall(SYS_futimesat, dir, "t", t));
	show_times("t");
	fd = open("t", O_RDWR);
	t[0].tv_sec = 1;
	SHOW(syscall(SYS_futimesat, fd, NULL, t));
	show_times("t");
	SHOW(syscall(SYS_utime, "none", &u));
	SHOW(syscall(SYS_utime, "t", BAD));
	SHOW(syscall(SYS_utime, "t", NULL));
	SHOW(syscall(SYS_utimensat, fd, NULL, BAD, 0));
	SHOW(syscall(SYS_utimensat, AT_FDCWD, NULL, NULL, 0));
	SHOW(syscall(SYS_utimensat, AT_FDCWD, "t", NULL, 7));
	close(fd);
	close(dir);
}

static void at_calls(void)
{
	int dir = open(".", O_RDONLY | O_DIRECTORY), fd;
	long n;

	SHOW(syscall(SYS_creat, "c", 0640));
	fd = open("c", O_RDWR);
	SHOW(syscall(SYS_mknodat, dir, "fifo", S_IFIFO | 0600, 0));
	SHOW(syscall(SYS_mknodat, dir, "fifo", S_IFIFO | 0600, 0));
	SHOW(syscall(SYS_mknodat, dir, "d", S_IFDIR | 0700, 0));
	SHOW(syscall(SYS_mknodat, dir, "odd", 0170000, 0));
	SHOW(syscall(SYS_symlinkat, "c", dir, "l"));
	SHOW(syscall(SYS_symlinkat, "", dir, "e"));
	SHOW(syscall(SYS_symlinkat, "x", fd, "e"));
	memset(buf, 0, sizeof buf);
	SHOW(syscall(SYS_readlinkat, dir, "l", buf, 100));
	SHOW(syscall(SYS_readlinkat, dir, "l", buf, 0));
	SHOW(syscall(SYS_readlinkat, dir, "c", buf, 100));
	SHOW(syscall(SYS_readlinkat, dir, "", buf, 100));
	SHOW(syscall(SYS_renameat, dir, "l", dir, "m"));
	SHOW(syscall(SYS_renameat, dir, "none", dir, "m"));
	SHOW(syscall(SYS_renameat, 99, "m", dir, "n"));
	SHOW(syscall(SYS_fchownat, dir, "m", 3, 4, AT_SYMLINK_NOFOLLOW));
	SHOW(syscall(SYS_fchownat, fd, "", 5, 6, AT_EMPTY_PATH));
	SHOW(syscall(SYS_fchownat, dir, "m", 3, 4, 0x4000));
	SHOW(syscall(SYS_faccessat2, dir, "c", R_OK, 0));
	SHOW(syscall(SYS_faccessat2, dir, "c", X_OK, AT_EACCESS));
	SHOW(syscall(SYS_faccessat2, dir, "c", 9, 0));
	SHOW(syscall(SYS_faccessat2, dir, "c", R_OK, 1));
	n = syscall(SYS_getdents, dir, buf, sizeof buf);
	printf("getdents: %s\n", n > 0 ? "entries" : "none");
	SHOW(syscall(SYS_getdents, dir, buf, sizeof buf));
	SHOW(syscall(SYS_getdents, fd, buf, sizeof buf));
	lseek(dir, 0, SEEK_SET);
	SHOW(syscall(SYS_getdents64, dir, buf, 3));
	SHOW(syscall(SYS_getdents64, dir, BAD, 4096));
	close(fd);
	close(dir);
}

static void attributes(void)
{
	int fd = open("c", O_RDWR);

	SHOW(syscall(SYS_setxattr, "c", "user.x", "v", 1, 0));
	SHOW(syscall(SYS_lsetxattr, "m", "user.x", "v", 1, 0));
	SHOW(syscall(SYS_fsetxattr, fd, "bad", "v", 1, 0));
	SHOW(syscall(SYS_getxattr, "c", "user.x", buf, 10));
	SHOW(syscall(SYS_getxattr, "none", "user.x", buf, 10));
	SHOW(syscall(SYS_getxattr, "c", "trusted.x", buf, 10));
	SHOW(syscall(SYS_lgetxattr, "m", "security.x", buf, 10));
	SHOW(syscall(SYS_fgetxattr, fd, "", buf, 10));
	SHOW(syscall(SYS_fgetxattr, 99, "user.x", buf, 10));
	SHOW(syscall(SYS_getxattr, "c", "system.posix_acl_access", buf, 10));
	SHOW(syscall(SYS_listxattr, "c", buf, 0));
	SHOW(syscall(SYS_llistxattr, "none", buf, 10));
	SHOW(syscall(SYS_flistxattr, fd, buf, 10));
	SHOW(syscall(SYS_removexattr, "c", "user.x"));
	SHOW(syscall(SYS_lremovexattr, "m", "trusted.x"));
	SHOW(syscall(SYS_fremovexattr, fd, "user.x"));
	close(fd);
}

static void advice(void)
{
	int fd = open("c", O_RDWR), p[2], w = open("c", O_WRONLY);

	if (pipe(p))
		perror("pipe");
	SHOW(syscall(SYS_fadvise64, fd, 0, 0, POSIX_FADV_SEQUENTIAL));
	SHOW(syscall(SYS_fadvise64, fd, 0, 0, 99));
	SHOW(syscall(SYS_fadvise64, fd, 0, -1, 0));
	SHOW(syscall(SYS_fadvise64, p[0], 0, 0, 0));
	SHOW(syscall(SYS_readahead, fd, 0, 10));
	SHOW(syscall(SYS_readahead, w, 0, 10));
	SHOW(syscall(SYS_readahead, p[0], 0, 10));
	SHOW(syscall(SYS_sync));
	SHOW(syscall(SYS_syncfs, fd));
	SHOW(syscall(SYS_syncfs, 99));
	SHOW(fsync(p[0]));
	SHOW(fdatasync(fd));
	close(p[0]);
	close(p[1]);
	close(fd);
	close(w);
}

static void allocation(void)
{
	struct stat st;
	int fd = open("a", O_RDWR | O_CREAT | O_TRUNC, 0600), r = open("a", O_RDONLY);

	SHOW(fallocate(fd, 0, 0, 10000));
	SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE, 10000, 10000));
	fstat(fd, &st);
	printf("%ld bytes, %ld blocks\n", (long)st.st_size, (long)st.st_blocks);
	SHOW(pwrite(fd, "data", 4, 4094));
	SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 4095));
	SHOW(pread(fd, buf, 4, 4094));
	printf("%d %c\n", buf[0], buf[1]);
	fstat(fd, &st);
	printf("%ld bytes, %ld blocks\n", (long)st.st_size, (long)st.st_blocks);
	SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 4095));
	SHOW(fallocate(fd, 0, 0, 0));
	SHOW(fallocate(fd, 0, -1, 5));
	SHOW(fallocate(r, 0, 0, 5));
	SHOW(ftruncate(fd, 5));
	fstat(fd, &st);
	printf("%ld bytes, %ld blocks\n", (long)st.st_size, (long)st.st_blocks);
	close(fd);
	close(r);
}

static void memory_file(void)
{
	struct stat st;
	int fd = syscall(SYS_memfd_create, "name", MFD_CLOEXEC);

	SHOW(write(fd, "text", 4));
	fstat(fd, &st);
	printf("mode %o, %lu names\n", st.st_mode, (unsigned long)st.st_nlink);
	SHOW(fcntl(fd, F_GETFD));
	SHOW(pread(fd, buf, 10, 1));
	SHOW(syscall(SYS_memfd_create, "x", 0x8000));
	SHOW(syscall(SYS_memfd_create, BAD, 0));
	snprintf(buf, sizeof buf, "/proc/self/fd/%d", fd);
	memset(buf + 100, 0, 100);
	SHOW(readlink(buf, buf + 100, 99));
	printf("%s\n", buf + 100);
	close(fd);
}

static void ranges(void)
{
	int fd = dup2(1, 20);

	SHOW(dup2(1, 22));
	SHOW(syscall(SYS_close_range, 21, 22, 0));
	SHOW(fcntl(fd, F_GETFD));
	SHOW(fcntl(22, F_GETFD));
	SHOW(syscall(SYS_close_range, 20, ~0u, 4));	/* CLOSE_RANGE_CLOEXEC */
	SHOW(fcntl(fd, F_GETFD));
	SHOW(syscall(SYS_close_range, 5, 4, 0));
	SHOW(syscall(SYS_close_range, 5, 6, 8));
	close(fd);
}

static void counters(void)
{
	struct itimerspec t = { { 0, 0 }, { 0, 20000000 } };
	struct epoll_event ev = { .events = EPOLLIN };
	struct timespec zero = { 0, 0 };
	fd_set set;
	int fd = syscall(SYS_eventfd2, 1, EFD_NONBLOCK), timer = timerfd_create(CLOCK_MONOTONIC, 0);
	int ep = syscall(SYS_epoll_create, 1);
	uint64_t n = 0;

	SHOW(syscall(SYS_epoll_create, 0));
	SHOW(syscall(SYS_epoll_create1, 1));
	SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, timer, &ev));
	SHOW(timerfd_settime(timer, 0, &t, NULL));
	SHOW(syscall(SYS_epoll_pwait, ep, &ev, 1, 2000, NULL, 8));
	SHOW(read(timer, &n, 8));
	SHOW(n);
	SHOW(timerfd_gettime(timer, &t));
	SHOW(t.it_value.tv_nsec);
	SHOW(timerfd_settime(fd, 0, &t, NULL));
	SHOW(timerfd_create(99, 0));
	FD_ZERO(&set);
	FD_SET(fd, &set);
	SHOW(syscall(SYS_pselect6, fd + 1, &set, NULL, NULL, &zero, NULL));
	SHOW(FD_ISSET(fd, &set));
	SHOW(syscall(SYS_pselect6, -1, &set, NULL, NULL, &zero, NULL));
	SHOW(syscall(SYS_ppoll, NULL, 0, &zero, NULL, 8));
	SHOW(syscall(SYS_ppoll, NULL, 0, &zero, buf, 4));
	zero.tv_nsec = -1;
	SHOW(syscall(SYS_ppoll, NULL, 0, &zero, NULL, 8));
	close(fd);
	close(timer);
	close(ep);
}

static void mounts(void)
{
	struct statfs fs;
	int fd;

	SHOW(mkdir("mnt", 0755));
	file_make("mnt/hidden", "");
	SHOW(mount("none", "mnt", "tmpfs", 0, "size=64k,mode=1711"));
	SHOW(statfs("mnt", &fs));
	printf("type %lx, %lu of %lu blocks of %ld, names of %ld\n", (long)fs.f_type,
		(unsigned long)fs.f_bfree, (unsigned long)fs.f_blocks, (long)fs.f_bsize,
		(long)fs.f_namelen);
	SHOW(access("mnt/hidden", F_OK));
	file_make("mnt/f", "x");
	fd = open("mnt/f", O_RDWR);
	SHOW(syscall(SYS_fstatfs, fd, &fs));
	printf("%lu of %lu blocks\n", (unsigned long)fs.f_bfree, (unsigned long)fs.f_blocks);
	memset(buf, 'x', sizeof buf);
	for (int k = 0; k < 15; k++)
		if (write(fd, buf, sizeof buf) < 0)
			perror("write");
	SHOW(write(fd, buf, sizeof buf));
	SHOW(write(fd, buf, sizeof buf));
	SHOW(rename("mnt/f", "f"));
	SHOW(link("mnt/f", "f"));
	SHOW(rmdir("mnt"));
	SHOW(umount2("mnt", 0));
	close(fd);
	SHOW(mount("none", "mnt", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	SHOW(open("mnt/g", O_CREAT | O_WRONLY, 0600));
	SHOW(unlink("mnt/f"));
	SHOW(chmod("mnt/f", 0));
	SHOW(access("mnt/f", W_OK));
	SHOW(umount2("mnt", 0));
	SHOW(umount2("mnt", 0));
	SHOW(access("mnt/hidden", F_OK));
	SHOW(mount("none", "mnt", "nofs", 0, NULL));
	SHOW(mount("none", "none", "tmpfs", 0, NULL));
	SHOW(syscall(SYS_statfs, "none", &fs));
	SHOW(syscall(SYS_fstatfs, 99, &fs));
}

int main(void)
{
	times();
	at_calls();
	attributes();
	advice();
	allocation();
	memory_file();
	ranges();
	counters();
	mounts();
	return 0;
}
