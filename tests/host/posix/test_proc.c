/* /proc: names, texts, links to objects. */
#include "tests/host/posix/shim.h"

static const char *link_of(const char *path)
{
	static char text[200];
	long n = SYS(readlink, path, text, sizeof text - 1);

	CHECK(n >= 0, "%s: %ld", path, n);
	text[n] = 0;
	return text;
}

TEST(proc_texts)
{
	CHECK(!strncmp(read_file("/proc/self/stat"), "1 (actor) S 0 1 1 0 -1 ", 23), "stat: %s",
		read_file("/proc/self/stat"));
	TEXT_IS(read_file("/proc/1/comm"), "actor\n");
	CHECK(strstr(read_file("/proc/self/status"), "Umask:\t0022\n"), "%s",
		read_file("/proc/self/status"));
	TEXT_IS(read_file("/proc/uptime"), "1.00 7.00\n");
	CHECK(strstr(read_file("/proc/meminfo"), "MemTotal:         262144 kB\n"), "%s",
		read_file("/proc/meminfo"));
	TEXT_IS(read_file("/proc/sys/kernel/hostname"), "host\n");
	IS(strlen(read_file("/proc/self/maps")), 9000);
	CHECK(!strncmp(read_file("/proc/mounts"), "rootfs / rootfs rw 0 0\nproc /proc proc ", 38),
		"%s",
		read_file("/proc/mounts"));
	CHECK(strstr(read_file("/proc/cpuinfo"), "processor\t: 1\n"), "cpuinfo");
}

TEST(proc_comm_is_written)
{
	long fd = open_path("/proc/self/comm", O_WRONLY, 0);

	IS(SYS(write, fd, "a-long-name-indeed\n", 19), 19);
	TEXT_IS(current_process()->name, "a-long-name-ind");
	fd = open_path("/proc/uptime", O_WRONLY, 0);
	IS(SYS(write, fd, "1", 1), -EIO);
}

TEST(proc_links)
{
	TEXT_IS(link_of("/proc/self"), "1");
	IS(SYS(mkdir, "/d", 0755), 0);
	IS(SYS(chdir, "/d"), 0);
	TEXT_IS(link_of("/proc/self/cwd"), "/d");
	IS(SYS(rmdir, "/d"), 0);
	TEXT_IS(link_of("/proc/self/cwd"), "/d (deleted)");
	TEXT_IS(link_of("/proc/1/root"), "/");
	IS(SYS(readlink, "/proc/self/exe", "", 1), -ENOENT);
}

TEST(proc_fds)
{
	struct linux_stat st;
	long fd = open_path("/f", O_CREAT | O_RDWR, 0600);

	IS(SYS(write, fd, "deep", 4), 4);
	TEXT_IS(link_of("/proc/self/fd/0"), "/f");
	IS(SYS(lstat, "/proc/self/fd/0", &st), 0);
	IS(st.mode, S_IFLNK | 0700);
	IS(SYS(unlink, "/f"), 0);
	TEXT_IS(link_of("/proc/self/fd/0"), "/f (deleted)");
	TEXT_IS(read_file("/dev/fd/0"), "deep");
	TEXT_IS(read_file("/dev/stdin"), "deep");
	IS(SYS(lstat, "/proc/self/fd/1", &st), -ENOENT);
	IS(SYS(dup2, open_path("/dev/null", O_RDONLY, 0), 0), 0);
	TEXT_IS(link_of("/proc/self/fd/0"), "/dev/null");
	IS(SYS(lstat, "/proc/self/fd/0", &st), 0);
	IS(st.mode, S_IFLNK | 0500);
}

TEST(proc_lists)
{
	char buf[2048], names[500] = "";
	long fd = open_path("/proc", O_RDONLY | O_DIRECTORY, 0), n;

	while ((n = SYS(getdents64, fd, buf, 100)) > 0)
		for (long at = 0; at < n; at += ((struct linux_dirent64 *)(buf + at))->length)
			strcat(strcat(names, ((struct linux_dirent64 *)(buf + at))->name), " ");
	TEXT_IS(names,
		". .. sys stat swaps mounts uptime cmdline cpuinfo loadavg meminfo modules version "
		"filesystems self thread-self 1 ");
}

static void short_lived(void)
{
}

TEST(proc_of_the_dead)
{
	struct linux_stat st;
	struct process *p = actor_start(short_lived);
	char path[40], c;
	long fd, dir;

	snprintf(path, sizeof path, "/proc/%d/stat", p->pid);
	fd = open_path(path, O_RDONLY, 0);
	path[7] = 0;
	dir = open_path(path, O_RDONLY, 0);
	CHECK(fd >= 0 && dir >= 0, "%s", path);
	settle();
	IS(SYS(read, fd, &c, 1), -ESRCH);
	IS(SYS(newfstatat, dir, "stat", &st, 0), -ENOENT);
	IS(SYS(stat, path, &st), -ENOENT);
}

TEST(proc_refuses)
{
	IS(open_path("/proc/new", O_CREAT | O_WRONLY, 0644), -EACCES);
	IS(SYS(mkdir, "/proc/new", 0755), -EPERM);
	IS(SYS(unlink, "/proc/uptime"), -EPERM);
	IS(SYS(rmdir, "/proc/sys"), -EPERM);
	IS(SYS(rename, "/proc/uptime", "/proc/x"), -EPERM);
	IS(SYS(truncate, "/proc/uptime", 0), -EPERM);
	IS(SYS(rename, "/proc/uptime", "/x"), -EXDEV);
}
