/* Files and names: what the comparison with Linux (linux.c) can't see or aims at too seldom. */
#include "tests/host/posix/shim.h"

static struct linux_stat stat_of(const char *path)
{
	struct linux_stat st;

	IS(SYS(lstat, path, &st), 0);
	return st;
}

static long mkfile(const char *path)
{
	long fd = open_path(path, O_RDWR | O_CREAT | O_EXCL, 0644);

	CHECK(fd >= 0, "%s: %ld", path, fd);
	return fd;
}

TEST(read_write)
{
	char buf[16] = "";
	long fd = mkfile("/f");

	IS(SYS(write, fd, "hello", 5), 5);
	IS(SYS(lseek, fd, 0, SEEK_SET), 0);
	IS(SYS(read, fd, buf, 16), 5);
	TEXT_IS(buf, "hello");
	IS(SYS(read, fd, buf, 16), 0);
	IS(SYS(pwrite64, fd, "J", 1, 0), 1);
	TEXT_IS(read_file("/f"), "Jello");
}

TEST(lowest_descriptor)
{
	long a = mkfile("/a"), b = mkfile("/b"), c = mkfile("/c");

	IS(a, 0);
	IS(c, 2);
	IS(SYS(close, b), 0);
	IS(SYS(dup, a), 1);
	IS(SYS(fcntl, a, F_DUPFD, 1), 3);
	IS(SYS(fcntl, a, F_DUPFD_CLOEXEC, 100), 100);
	IS(SYS(fcntl, 100, F_GETFD), FD_CLOEXEC);
	IS(SYS(fcntl, a, F_DUPFD, 1024), -EINVAL);
	IS(SYS(dup2, a, 1024), -EBADF);
	current_process()->limit_nofile = 4;
	IS(SYS(dup, a), -EMFILE);
	IS(open_path("/new", O_CREAT | O_WRONLY, 0644), -EMFILE);
	IS(open_path("/a", O_RDONLY, 0), -EMFILE);
}

TEST(sparse_blocks)
{
	struct linux_stat st;
	char buf[10] = "xxxxxxxxx";
	long fd = mkfile("/f");

	IS(SYS(pwrite64, fd, "z", 1, 1ull << 40), 1);
	IS(SYS(fstat, fd, &st), 0);
	IS(st.size, (1ll << 40) + 1);
	IS(st.blocks, 8);
	IS(SYS(pread64, fd, buf, 10, 1ull << 39), 10);
	IS(buf[0] | buf[9], 0);
	IS(SYS(lseek, fd, 0, SEEK_DATA), 1ll << 40);
	IS(SYS(lseek, fd, 0, SEEK_HOLE), 0);
	IS(SYS(ftruncate, fd, 5), 0);
	IS(SYS(fstat, fd, &st), 0);
	IS(st.blocks, 0);
}

TEST(truncate_zeroes_tail)
{
	char buf[8] = "";
	long fd = mkfile("/f");

	IS(SYS(write, fd, "abcdefgh", 8), 8);
	IS(SYS(ftruncate, fd, 3), 0);
	IS(SYS(ftruncate, fd, 8), 0);
	IS(SYS(pread64, fd, buf, 8, 0), 8);
	CHECK(!memcmp(buf, "abc\0\0\0\0\0", 8), "the tail survived");
}

TEST(memory_comes_back)
{
	char page[4096];
	size_t pages = pages_used(), objects = objects_used();
	long fd = mkfile("/big");

	memset(page, 'x', sizeof page);
	for (int k = 0; k < 1000; k++)
		IS(SYS(write, fd, page, sizeof page), 4096);
	IS(SYS(pwrite64, fd, "y", 1, 1ull << 45), 1);
	IS(SYS(unlink, "/big"), 0);
	CHECK(pages_used() > pages + 1000, "a deleted file lives while it is open");
	IS(SYS(close, fd), 0);
	IS(pages_used(), pages);
	IS(objects_used(), objects);
}

TEST(no_space)
{
	char buf[3 * 4096] = "";
	long fd = mkfile("/f");

	pages_left = 3;			/* two of data and a node */
	IS(SYS(write, fd, buf, sizeof buf), 2 * 4096);
	IS(SYS(write, fd, buf, 1), -ENOSPC);
	pages_left = 100;
	IS(SYS(write, fd, buf, 1), 1);
}

TEST(faults)
{
	char buf[2 * 4096 + 10];
	uint64_t edge = (U(buf) + 4096) & ~4095ull;
	long fd = mkfile("/f");

	memset(buf, 'a', sizeof buf);
	IS(SYS(write, fd, buf, sizeof buf), sizeof buf);
	fault_from = edge;
	fault_to = edge + 4096;
	IS(SYS(pread64, fd, edge - 10, 20, 0), 10);
	IS(SYS(pread64, fd, edge, 20, 0), -EFAULT);
	IS(SYS(pwrite64, fd, edge - 10, 20, 0), 10);
	IS(SYS(pwrite64, fd, edge, 20, 0), -EFAULT);
	IS(SYS(read, fd, 8, 1), 0);		/* at the end: nothing to copy */
	IS(SYS(pread64, fd, 8, 1, 0), -EFAULT);
	IS(SYS(open, edge, O_RDONLY), -EFAULT);
	IS(SYS(stat, "/f", edge), -EFAULT);
	IS(SYS(read, fd, -1, 5), -EFAULT);
	IS(SYS(read, fd, buf, -1), -EFAULT);
}

TEST(vectors)
{
	char a[3] = "", b[8] = "";
	struct iovec v[3] = { { U("he"), 2 }, { 0, 0 }, { U("llo!"), 4 } };
	struct iovec r[2] = { { U(a), 2 }, { U(b), 7 } };
	long fd = mkfile("/f");

	IS(SYS(writev, fd, v, 3), 6);
	IS(SYS(preadv, fd, r, 2, 0), 6);
	TEXT_IS(a, "he");
	TEXT_IS(b, "llo!");
	IS(SYS(readv, fd, r, 1025), -EINVAL);
	r[1].length = -1;
	IS(SYS(readv, fd, r, 2), -EINVAL);
	IS(SYS(writev, fd, v, 0), 0);
}

TEST(listing_newest_first)
{
	char buf[512];
	const char *want[] = { ".", "..", "c", "a", "b" };
	struct linux_dirent64 *e = (void *)buf;
	int k = 0;
	long fd, n;

	IS(SYS(mkdir, "/d", 0755), 0);
	write_file("/d/a", "");
	write_file("/d/b", "");
	write_file("/d/x", "");
	IS(SYS(unlink, "/d/x"), 0);
	write_file("/d/y", "");
	IS(SYS(rename, "/d/b", "/d/z"), 0);	/* a rename makes it the newest */
	IS(SYS(rename, "/d/z", "/d/b"), 0);
	IS(SYS(unlink, "/d/y"), 0);
	write_file("/d/c", "");
	IS(SYS(unlink, "/d/b"), 0);
	IS(SYS(link, "/d/a", "/d/b"), 0);
	IS(SYS(rename, "/d/c", "/d/c2"), 0);
	IS(SYS(rename, "/d/c2", "/d/c"), 0);
	IS(SYS(unlink, "/d/a"), 0);
	IS(SYS(link, "/d/b", "/d/a"), 0);
	IS(SYS(rename, "/d/c", "/d/t"), 0);
	IS(SYS(rename, "/d/t", "/d/c"), 0);
	fd = open_path("/d", O_RDONLY | O_DIRECTORY, 0);
	n = SYS(getdents64, fd, buf, sizeof buf);
	while ((char *)e < buf + n) {
		TEXT_IS(e->name, want[k++]);
		e = (void *)((char *)e + e->length);
	}
	IS(k, 5);
	IS(SYS(getdents64, fd, buf, sizeof buf), 0);
	IS(SYS(lseek, fd, 0, SEEK_SET), 0);
	IS(SYS(getdents64, fd, buf, 10), -EINVAL);
}

TEST(removal_while_listing)
{
	char name[20], buf[128];
	int left = 100;
	long fd, n;

	IS(SYS(mkdir, "/d", 0755), 0);
	for (int k = 0; k < left; k++) {
		snprintf(name, sizeof name, "/d/%d", k);
		write_file(name, "");
	}
	fd = open_path("/d", O_RDONLY, 0);
	while ((n = SYS(getdents64, fd, buf, sizeof buf)) > 0) {
		for (char *p = buf; p < buf + n; p += ((struct linux_dirent64 *)p)->length) {
			struct linux_dirent64 *e = (void *)p;

			if (e->name[0] == '.')
				continue;
			snprintf(name, sizeof name, "/d/%s", e->name);
			IS(SYS(unlink, name), 0);
			left--;
		}
	}
	IS(n, 0);
	IS(left, 0);
	IS(SYS(rmdir, "/d"), 0);
	IS(SYS(getdents64, fd, buf, sizeof buf), -ENOENT);
}

TEST(times)
{
	struct linux_stat a, b;
	struct timespec64 t[2] = { { -5, 7 }, { 99999999999, 0 } };

	write_file("/f", "x");
	a = stat_of("/f");
	now_ns += 5;
	read_file("/f");			/* relatime: the first read after a write counts */
	b = stat_of("/f");
	CHECK(b.atime.nsec == a.atime.nsec + 5 && b.mtime.nsec == a.mtime.nsec, "read");
	now_ns += 5;
	read_file("/f");
	IS(stat_of("/f").atime.nsec, b.atime.nsec);
	IS(SYS(chmod, "/f", 0600), 0);
	b = stat_of("/f");
	CHECK(b.ctime.nsec == a.ctime.nsec + 10 && b.mtime.nsec == a.mtime.nsec, "chmod");
	IS(SYS(utimensat, AT_FDCWD, "/f", t, 0), 0);
	b = stat_of("/f");
	CHECK(b.atime.sec == -5 && b.atime.nsec == 7 && b.mtime.sec == 99999999999, "utimensat");
	t[0].nsec = UTIME_OMIT;
	t[1].nsec = UTIME_NOW;
	IS(SYS(utimensat, AT_FDCWD, "/f", t, 0), 0);
	b = stat_of("/f");
	CHECK(b.atime.sec == -5 && b.mtime.nsec == a.mtime.nsec + 10, "omit and now");
	t[1].nsec = 1000000000;
	IS(SYS(utimensat, AT_FDCWD, "/f", t, 0), -EINVAL);
}

TEST(append_and_truncate_flags)
{
	long fd, one;

	write_file("/f", "abc");
	fd = open_path("/f", O_WRONLY | O_APPEND, 0);
	one = open_path("/f", O_WRONLY, 0);
	IS(SYS(write, one, "X", 1), 1);
	IS(SYS(write, fd, "d", 1), 1);
	TEXT_IS(read_file("/f"), "Xbcd");
	IS(SYS(fcntl, fd, F_GETFL), O_WRONLY | O_APPEND | O_LARGEFILE);
	IS(SYS(fcntl, fd, F_SETFL, O_NONBLOCK), 0);
	IS(SYS(fcntl, fd, F_GETFL), O_WRONLY | O_NONBLOCK | O_LARGEFILE);
	IS(open_path("/f", O_RDONLY | O_TRUNC, 0), 2);
	IS(stat_of("/f").size, 0);
}

TEST(symlink_limit)
{
	char from[20], to[20];

	write_file("/l0", "end");
	for (int k = 0; k < 45; k++) {
		snprintf(from, sizeof from, "l%d", k);
		snprintf(to, sizeof to, "/l%d", k + 1);
		IS(SYS(symlink, from, to), 0);
	}
	CHECK(open_path("/l40", O_RDONLY, 0) >= 0, "40 links");
	IS(open_path("/l41", O_RDONLY, 0), -ELOOP);
}

TEST(permissions)
{
	struct process *me = current_process();

	IS(SYS(mkdir, "/d", 0700), 0);
	IS(SYS(mkdir, "/s", 0777), 0);
	IS(SYS(chmod, "/s", 01777), 0);
	write_file("/s/root", "secret");
	IS(SYS(chmod, "/s/root", 0640), 0);
	me->uid = me->euid = me->gid = me->egid = 1000;
	IS(open_path("/d/x", O_RDONLY, 0), -EACCES);
	IS(open_path("/x", O_CREAT | O_WRONLY, 0644), -EACCES);
	IS(open_path("/s/root", O_RDONLY, 0), -EACCES);
	IS(SYS(unlink, "/s/root"), -EPERM);
	IS(SYS(chmod, "/s/root", 0666), -EPERM);
	IS(SYS(chown, "/s/root", 1000, 1000), -EPERM);
	IS(SYS(access, "/s/root", 4), -EACCES);
	write_file("/s/mine", "x");
	IS(stat_of("/s/mine").uid, 1000);
	IS(SYS(chmod, "/s/mine", 0), 0);
	IS(open_path("/s/mine", O_RDONLY, 0), -EACCES);
	IS(SYS(mknod, "/s/dev", S_IFCHR | 0666, 0x103), -EPERM);
	IS(SYS(chroot, "/s"), -EPERM);
	me->euid = 0;
	IS(SYS(access, "/s/root", 4), -EACCES);	/* by the real ids */
	IS(SYS(faccessat2, AT_FDCWD, "/s/root", 4, AT_EACCESS), 0);
}

TEST(chroot_holds)
{
	char buf[64];

	IS(SYS(mkdir, "/jail", 0755), 0);
	IS(SYS(mkdir, "/jail/in", 0755), 0);
	IS(SYS(chroot, "/jail"), 0);
	IS(SYS(chdir, "/in"), 0);
	IS(SYS(getcwd, buf, sizeof buf), 4);
	TEXT_IS(buf, "/in");
	IS(SYS(chdir, "../../../.."), 0);
	IS(SYS(getcwd, buf, sizeof buf), 2);
	IS(SYS(chdir, "/proc"), -ENOENT);
}

TEST(mounts_are_crossed)
{
	struct linux_stat st;
	struct linux_statfs fs;
	char buf[64];

	IS(SYS(mkdir, "/m", 0755), 0);
	write_file("/m/hidden", "");
	IS(SYS(mount, "none", "/m", "tmpfs", 0, "size=1m,mode=1700"), 0);
	IS(SYS(stat, "/m/hidden", &st), -ENOENT);
	IS(stat_of("/m").mode, S_IFDIR | 01700);
	CHECK(stat_of("/m").dev != stat_of("/").dev, "the device");
	write_file("/m/f", "1");
	IS(SYS(statfs, "/m/f", &fs), 0);
	CHECK(fs.blocks == 256 && fs.bfree == 255, "%lu %lu", fs.blocks, fs.bfree);
	IS(SYS(rename, "/m/f", "/f"), -EXDEV);
	IS(SYS(link, "/m/f", "/f"), -EXDEV);
	IS(SYS(rmdir, "/m"), -EBUSY);
	IS(SYS(chdir, "/m"), 0);
	IS(SYS(getcwd, buf, 64), 3);
	IS(SYS(umount2, "/m", 0), -EBUSY);
	IS(SYS(chdir, ".."), 0);
	IS(SYS(mount, "", "/m", "", MS_REMOUNT | MS_RDONLY, 0), 0);
	IS(open_path("/m/g", O_CREAT | O_WRONLY, 0644), -EROFS);
	IS(SYS(unlink, "/m/f"), -EROFS);
	IS(SYS(umount2, "/m", 0), 0);
	IS(SYS(stat, "/m/hidden", &st), 0);
	IS(SYS(mount, "none", "/m", "nofs", 0, 0), -ENODEV);
}

TEST(record_locks)
{
	struct linux_flock l = { F_WRLCK, SEEK_SET, 10, 10, 0 };
	long fd = mkfile("/f");

	IS(SYS(fcntl, fd, F_SETLK, &l), 0);
	IS(SYS(fcntl, fd, F_GETLK, &l), 0);
	IS(l.type, F_UNLCK);			/* one's own is no obstacle */
	l = (struct linux_flock){ F_UNLCK, SEEK_SET, 13, 2, 0 };
	IS(SYS(fcntl, fd, F_SETLK, &l), 0);	/* splits it */
	IS(SYS(flock, fd, LOCK_EX | LOCK_NB), 0);
}

static long shared_fd;

static void locker(void)
{
	struct linux_flock l = { F_WRLCK, SEEK_SET, 0, 0, 0 };

	IS(SYS(fcntl, shared_fd, F_GETLK, &l), 0);
	CHECK(l.type == F_WRLCK && l.start == 10 && l.length == 10 && l.pid == 1, "GETLK");
	l = (struct linux_flock){ F_RDLCK, SEEK_SET, 15, 1, 0 };
	IS(SYS(fcntl, shared_fd, F_SETLK, &l), -EAGAIN);
	IS(SYS(fcntl, shared_fd, F_SETLKW, &l), 0);
}

TEST(record_locks_wait)
{
	struct linux_flock l = { F_WRLCK, SEEK_SET, 10, 10, 0 };
	struct process *p;

	shared_fd = mkfile("/f");
	IS(SYS(fcntl, shared_fd, F_SETLK, &l), 0);
	p = actor_start(locker);
	settle();
	CHECK(!actor_done(p), "it got the lock");
	IS(SYS(close, SYS(dup, shared_fd)), 0);		/* any close gives up all */
	settle();
	CHECK(actor_done(p), "it didn't get the lock");
}

TEST(memfd)
{
	char link[64] = "";
	struct linux_stat st;

	IS(SYS(memfd_create, "name", MFD_CLOEXEC), 0);
	IS(SYS(write, 0, "data", 4), 4);
	IS(SYS(fstat, 0, &st), 0);
	CHECK(st.nlink == 0 && st.mode == (S_IFREG | 0777), "%o %lu", st.mode, st.nlink);
	IS(SYS(readlink, "/proc/self/fd/0", link, 63), 21);
	TEXT_IS(link, "/memfd:name (deleted)");
	TEXT_IS(read_file("/proc/self/fd/0"), "data");
}

TEST(nameless_file_gets_a_name)
{
	long fd = open_path("/tmp", O_TMPFILE | O_RDWR, 0600);

	CHECK(fd >= 0, "O_TMPFILE: %ld", fd);
	IS(SYS(write, fd, "late", 4), 4);
	IS(SYS(linkat, fd, "", AT_FDCWD, "/tmp/named", AT_EMPTY_PATH), 0);
	TEXT_IS(read_file("/tmp/named"), "late");
	IS(stat_of("/tmp/named").nlink, 1);
}

TEST(shared_pages)
{
	long fd = mkfile("/f");
	struct file *f = fd_file(fd);
	long pfn;

	IS(SYS(write, fd, "page", 4), 4);
	pfn = file_page(f, 0, true);
	CHECK(pfn >= 0 && !memcmp(frame_page(pfn), "page", 4), "the page");
	memcpy(frame_page(pfn), "PAGE", 4);
	TEXT_IS(read_file("/f"), "PAGE");
	IS(file_page(f, 1, false), -EFAULT);
	IS(SYS(unlink, "/f"), 0);
	IS(SYS(close, fd), 0);
	CHECK(!memcmp(frame_page(pfn), "PAGE", 4), "a mapped page outlives its file");
	frame_put(pfn);
}

TEST(devices)
{
	char buf[8] = "xxxxxxx";
	long fd = open_path("/dev/zero", O_RDWR, 0);

	IS(SYS(read, fd, buf, 8), 8);
	IS(buf[7], 0);
	IS(SYS(write, fd, buf, 8), 8);
	fd = open_path("/dev/full", O_RDWR, 0);
	IS(SYS(write, fd, buf, 8), -ENOSPC);
	fd = open_path("/dev/null", O_RDWR | O_TRUNC | O_CREAT, 0644);
	IS(SYS(read, fd, buf, 8), 0);
	IS(SYS(write, fd, buf, 8), 8);
	IS(SYS(lseek, fd, 100, SEEK_SET), 0);
	IS(open_path("/dev/tty", O_RDWR, 0), -ENXIO);
	IS(SYS(mknod, "/n", S_IFCHR | 0600, MAKEDEV(9, 9)), 0);
	IS(open_path("/n", O_RDONLY, 0), -ENXIO);
	IS(SYS(mknod, "/s", S_IFSOCK | 0600, 0), 0);
	IS(open_path("/s", O_RDONLY, 0), -ENXIO);
}

TEST(limit_file_size)
{
	long fd = mkfile("/f");

	current_process()->limit_fsize = 10;
	IS(SYS(write, fd, "0123456789abc", 13), 10);
	IS(SYS(write, fd, "x", 1), -EFBIG);
	CHECK(signals_of(current_process()) >> SIGXFSZ & 1, "SIGXFSZ");
	IS(SYS(ftruncate, fd, 11), -EFBIG);
	IS(SYS(ftruncate, fd, 4), 0);
}
