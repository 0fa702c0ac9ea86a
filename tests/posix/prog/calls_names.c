/* Calls on names that other programs leave out: the *at and the old forms, statx, chroot. */
#include "test.h"
#include <stddef.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <utime.h>

#define CALL(...) show(#__VA_ARGS__, syscall(__VA_ARGS__))

static int dir;

static void show_owner(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		printf("%s: %s\n", path, strerror(errno));
	else
		printf("%s: mode %o owner %d:%d size %ld\n", path, st.st_mode, st.st_uid,
		       st.st_gid, S_ISDIR(st.st_mode) ? 0 : (long)st.st_size);
}

static void show_times(const char *path)
{
	struct stat st;

	stat(path, &st);
	printf("%s: %ld.%09ld %ld.%09ld\n", path, st.st_atim.tv_sec, st.st_atim.tv_nsec,
	       st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static void creating(void)
{
	int fd;

	CALL(SYS_creat, "none/x", 0600);
	CALL(SYS_creat, BAD, 0600);
	CALL(SYS_creat, ".", 0600);
	fd = syscall(SYS_creat, "made", 0666);
	SHOW(write(fd, "content", 7));
	SHOW(read(fd, &fd, 1));
	SHOW(fcntl(fd, F_GETFL) & O_ACCMODE);
	close(fd);
	show_owner("made");
	fd = syscall(SYS_creat, "made", 0600);
	close(fd);
	show_owner("made");
	CALL(SYS_mknodat, dir, "pipe", S_IFIFO | 0644, 0);
	CALL(SYS_mknodat, dir, "pipe", S_IFIFO | 0644, 0);
	CALL(SYS_mknodat, dir, "plain", 0640, 0);
	CALL(SYS_mknodat, dir, "null", S_IFCHR | 0600, makedev(1, 3));
	CALL(SYS_mknodat, dir, "folder", S_IFDIR | 0600, 0);
	CALL(SYS_mknodat, dir, "odd", 0170000, 0);
	CALL(SYS_mknodat, 99, "x", 0600, 0);
	CALL(SYS_mknodat, dir, BAD, 0600, 0);
	show_owner("dir/pipe");
	show_owner("dir/plain");
	show_owner("dir/null");
}

static void linking(void)
{
	char text[64];

	CALL(SYS_symlinkat, "../made", dir, "link");
	CALL(SYS_symlinkat, "x", dir, "link");
	CALL(SYS_symlinkat, "", dir, "empty");
	CALL(SYS_symlinkat, "x", 99, "link");
	CALL(SYS_symlinkat, "x", 0, "link");
	CALL(SYS_symlinkat, BAD, dir, "bad");
	CALL(SYS_symlinkat, "x", dir, BAD);
	CALL(SYS_readlinkat, dir, "link", text, sizeof text);
	printf("%.7s\n", text);
	CALL(SYS_readlinkat, dir, "link", text, 3);
	CALL(SYS_readlinkat, dir, "link", text, 0);
	CALL(SYS_readlinkat, dir, "link", text, -1);
	CALL(SYS_readlinkat, dir, "plain", text, sizeof text);
	CALL(SYS_readlinkat, dir, "", text, sizeof text);
	CALL(SYS_readlinkat, dir, "none", text, sizeof text);
	CALL(SYS_readlinkat, 99, "link", text, sizeof text);
	CALL(SYS_readlinkat, dir, "link", BAD, 5);
	int link = openat(dir, "link", O_PATH | O_NOFOLLOW);
	CALL(SYS_readlinkat, link, "", text, sizeof text);
	close(link);
	CALL(SYS_renameat, dir, "plain", AT_FDCWD, "moved");
	CALL(SYS_renameat, AT_FDCWD, "moved", dir, "plain");
	CALL(SYS_renameat, dir, "none", dir, "x");
	CALL(SYS_renameat, 99, "plain", dir, "x");
	CALL(SYS_renameat, dir, "plain", 99, "x");
	CALL(SYS_renameat, dir, "plain", dir, "link/x");
	CALL(SYS_renameat, dir, BAD, dir, "x");
	show_owner("dir/plain");
}

static void owners(void)
{
	CALL(SYS_fchownat, dir, "plain", 11, 12, 0);
	show_owner("dir/plain");
	CALL(SYS_fchownat, dir, "plain", -1, 13, 0);
	show_owner("dir/plain");
	CALL(SYS_fchownat, dir, "link", 14, 15, AT_SYMLINK_NOFOLLOW);
	show_owner("dir/link");
	CALL(SYS_fchownat, dir, "link", 16, 17, 0);
	show_owner("made");
	CALL(SYS_fchownat, dir, "", 18, 19, AT_EMPTY_PATH);
	show_owner("dir");
	CALL(SYS_fchownat, dir, "", 0, 0, 0);
	CALL(SYS_fchownat, dir, "plain", 0, 0, 1);
	CALL(SYS_fchownat, dir, "none", 0, 0, 0);
	CALL(SYS_fchownat, 99, "plain", 0, 0, 0);
	chmod("made", 06755);
	CALL(SYS_fchownat, AT_FDCWD, "made", 0, 0, 0);
	show_owner("made");
}

static void times(void)
{
	struct timeval tv[2] = { { 1000000000, 123456 }, { 1100000000, 654321 } };
	struct timeval bad[2] = { { 1, 1000000 }, { 1, 0 } };
	struct utimbuf old = { 1200000000, 1300000000 };
	struct stat st;
	int fd = open("made", O_RDWR);

	CALL(SYS_utime, "made", &old);
	show_times("made");
	CALL(SYS_utime, "made", NULL);
	SHOW(fstat(fd, &st));
	TRUE(st.st_mtim.tv_sec > 1300000000);
	CALL(SYS_utime, "none", &old);
	CALL(SYS_utime, "made", BAD);
	CALL(SYS_utimes, "made", tv);
	show_times("made");
	CALL(SYS_utimes, "made", bad);
	CALL(SYS_utimes, "none", tv);
	CALL(SYS_utimes, BAD, tv);
	CALL(SYS_utimes, "made", BAD);
	CALL(SYS_utimes, "made", NULL);
	CALL(SYS_futimesat, dir, "plain", tv);
	show_times("dir/plain");
	tv[1].tv_sec = 5;
	CALL(SYS_futimesat, fd, NULL, tv);
	show_times("made");
	CALL(SYS_futimesat, 99, "plain", tv);
	CALL(SYS_futimesat, dir, "none", tv);
	CALL(SYS_futimesat, dir, "plain", bad);
	close(fd);
}

/* struct statx, which musl's headers may lack */
struct extended {
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, pad;
	uint64_t ino, size, blocks, attributes_mask;
	struct { int64_t sec; uint32_t nsec, pad; } atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t more[14];
};

#define STATX(fd, path, flags, mask) \
	show("statx " #fd " " #path " " #flags " " #mask, \
	     syscall(SYS_statx, fd, path, flags, mask, &x))

static void extended_stat(void)
{
	struct extended x;
	struct stat st;

	STATX(dir, "plain", 0, 0x7ff);
	lstat("dir/plain", &st);
	printf("mask %x blksize %u nlink %u owner %u:%u mode %o size %lu\n", x.mask & 0x7ff,
	       x.blksize, x.nlink, x.uid, x.gid, x.mode, (unsigned long)x.size);
	TRUE(x.ino == st.st_ino && x.blocks == (uint64_t)st.st_blocks);
	TRUE(x.mtime.sec == st.st_mtim.tv_sec && x.mtime.nsec == st.st_mtim.tv_nsec);
	TRUE(makedev(x.dev_major, x.dev_minor) == st.st_dev);
	STATX(dir, "null", 0, 0x7ff);
	printf("device %u,%u mode %o\n", x.rdev_major, x.rdev_minor, x.mode);
	STATX(dir, "link", AT_SYMLINK_NOFOLLOW, 0x7ff);
	printf("mode %o\n", x.mode);
	STATX(dir, "link", 0, 0x7ff);
	printf("mode %o\n", x.mode);
	STATX(dir, "", AT_EMPTY_PATH, 0x7ff);
	printf("mode %o\n", x.mode);
	STATX(dir, "", 0, 0x7ff);
	STATX(dir, "none", 0, 0x7ff);
	STATX(99, "plain", 0, 0x7ff);
	STATX(dir, "plain", 0x80000000, 0x7ff);
	STATX(dir, "plain", 0x6000, 0x7ff);
	STATX(dir, "plain", 0, 0x80000000);
	STATX(dir, BAD, 0, 0x7ff);
	CALL(SYS_statx, dir, "plain", 0, 0x7ff, BAD);
}

static void accesses(void)
{
	CALL(SYS_faccessat2, dir, "plain", R_OK | W_OK, 0);
	CALL(SYS_faccessat2, dir, "plain", X_OK, AT_EACCESS);
	CALL(SYS_faccessat2, dir, "empty", F_OK, 0);
	CALL(SYS_faccessat2, dir, "link", F_OK, AT_SYMLINK_NOFOLLOW);
	CALL(SYS_faccessat2, dir, "", F_OK, AT_EMPTY_PATH);
	CALL(SYS_faccessat2, dir, "plain", 8, 0);
	CALL(SYS_faccessat2, dir, "plain", F_OK, 1);
	CALL(SYS_faccessat2, 99, "plain", F_OK, 0);
}

struct old_dirent {
	unsigned long ino, off;
	unsigned short reclen;
	char name[];
};

/* The old form: the type is the last byte of the entry. */
static void old_listing(void)
{
	char raw[512] __attribute__((aligned(8)));
	int fd = openat(dir, "list", O_RDONLY), n, count = 0;

	n = syscall(SYS_getdents, fd, raw, sizeof raw);
	printf("getdents: %d bytes\n", n);
	for (int at = 0; at < n;) {
		struct old_dirent *e = (void *)(raw + at);

		if (!strcmp(e->name, "sub") || !strcmp(e->name, "file-name"))
			printf("%s type %d length %d\n", e->name, raw[at + e->reclen - 1], e->reclen);
		count++;
		at += e->reclen;
	}
	printf("%d entries\n", count);
	CALL(SYS_getdents, fd, raw, sizeof raw);
	lseek(fd, 0, SEEK_SET);
	CALL(SYS_getdents, fd, raw, 8);
	CALL(SYS_getdents, fd, BAD, 512);
	CALL(SYS_getdents, 99, raw, sizeof raw);
	CALL(SYS_getdents, 0, raw, sizeof raw);
	close(fd);
}

static void file_systems(void)
{
	struct statfs a, b;
	int fd = open("made", O_RDONLY), pipes[2];

	SHOW(fstatfs(fd, &a));
	SHOW(statfs("made", &b));
	TRUE(a.f_type == b.f_type && a.f_bsize == b.f_bsize && a.f_namelen == 255);
	SHOW(fstatfs(99, &a));
	CALL(SYS_fstatfs, fd, BAD);
	pipe(pipes);
	SHOW(fstatfs(pipes[0], &a));
	printf("pipe: type %lx names %ld\n", (long)a.f_type, (long)a.f_namelen);
	SHOW(statfs("/proc", &a));
	printf("proc: type %lx\n", (long)a.f_type);
	close(fd);
}

static void other_root(void)
{
	char text[64];

	SHOW(chroot("none"));
	SHOW(chroot("made"));
	SHOW(chroot(BAD));
	SHOW(chroot("dir"));
	SHOW(access("/plain", F_OK));
	SHOW(access("/../plain", F_OK));
	SHOW(access("/made", F_OK));
	SHOW(access("made", F_OK));
	SHOW(chdir("/list/.."));
	SHOW(access("../list", F_OK));
	printf("%s\n", getcwd(text, sizeof text));
	SHOW(setuid(1000));
	SHOW(chroot("/"));
}

int main(void)
{
	umask(022);
	SHOW(mkdir("dir", 0755));
	SHOW(mkdir("dir/list", 0755));
	SHOW(mkdir("dir/list/sub", 0755));
	close(open("dir/list/file-name", O_CREAT | O_WRONLY, 0644));
	dir = open("dir", O_RDONLY | O_DIRECTORY);
	creating();
	linking();
	owners();
	times();
	extended_stat();
	accesses();
	old_listing();
	file_systems();
	in_child("other root", other_root);
	return 0;
}
