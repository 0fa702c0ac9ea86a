/* Names: stat family, link, unlink, rename, mkdir, symlink, getdents64, chmod, getcwd, times. */
#include "test.h"
#include <dirent.h>
#include <limits.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#define renameat2(...) syscall(SYS_renameat2, __VA_ARGS__)

static void show_stat(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0) {
		printf("lstat %s: %s\n", path, strerror(errno));
		return;
	}
	printf("lstat %s: mode %o links %ld size %ld uid %d blksize %ld\n", path, st.st_mode,
	       S_ISDIR(st.st_mode) ? 0 : (long)st.st_nlink,
	       S_ISDIR(st.st_mode) ? 0 : (long)st.st_size, st.st_uid, (long)st.st_blksize);
}

static void touch(const char *path)
{
	close(open(path, O_WRONLY | O_CREAT, 0644));
}

static void stats(void)
{
	struct stat st;

	touch("a");
	mkdir("dir", 0750);
	symlink("a", "sym");
	mkfifo("fifo", 0640);
	show_stat("a");
	show_stat("dir");
	show_stat("sym");
	show_stat("fifo");
	show_stat("none");
	SHOW(stat("a/b", &st));
	SHOW(stat("", &st));
	SHOW(syscall(SYS_stat, BAD, &st));
	SHOW(syscall(SYS_stat, "a", BAD));
	SHOW(fstat(99, &st));
	SHOW(fstatat(AT_FDCWD, "sym", &st, AT_SYMLINK_NOFOLLOW));
	TRUE(S_ISLNK(st.st_mode));
	SHOW(fstatat(0, "", &st, AT_EMPTY_PATH));
	SHOW(fstatat(AT_FDCWD, "a", &st, 0x80000000));
	SHOW(stat("/dev/null", &st));
	printf("/dev/null is %d,%d\n", major(st.st_rdev), minor(st.st_rdev));
	SHOW(access("a", F_OK));
	SHOW(access("a", X_OK));
	SHOW(access("a", R_OK | W_OK));
	SHOW(access("a", 8));
	SHOW(access("none", F_OK));
	SHOW(faccessat(AT_FDCWD, "sym", F_OK, AT_SYMLINK_NOFOLLOW));
}

static void links(void)
{
	char text[PATH_MAX];

	SHOW(link("a", "b"));
	SHOW(link("a", "b"));
	SHOW(link("none", "c"));
	SHOW(link("dir", "c"));
	SHOW(link("a", "dir/none/c"));
	SHOW(link("sym", "symlink2"));
	show_stat("symlink2");
	SHOW(linkat(AT_FDCWD, "sym", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
	show_stat("followed");
	SHOW(symlink("", "e"));
	SHOW(symlink("x", "sym"));
	SHOW(readlink("sym", text, sizeof text));
	SHOW(readlink("sym", text, 0));
	SHOW(readlink("a", text, sizeof text));
	SHOW(readlink("none", text, sizeof text));
	SHOW(symlink("0123456789", "long"));
	SHOW(readlink("long", text, 4));
	SHOW(unlink("dir"));
	SHOW(unlink("none"));
	SHOW(unlink("a/x"));
	SHOW(rmdir("a"));
	SHOW(rmdir("."));
	SHOW(rmdir("dir/.."));
	SHOW(rmdir("/"));
	SHOW(unlinkat(AT_FDCWD, "dir", AT_REMOVEDIR));
	SHOW(unlinkat(AT_FDCWD, "a", 4));
	SHOW(unlink("symlink2"));
	SHOW(mkdir("dir", 0777));
	SHOW(mkdir("dir", 0777));
	SHOW(mkdir("sym", 0777));
	SHOW(mkdir("none/x", 0777));
	SHOW(mkdir("dir/sub/", 0777));
	SHOW(mkdir("/", 0777));
	SHOW(mkdirat(99, "x", 0777));
}

static void renames(void)
{
	touch("r1");
	touch("r2");
	mkdir("d1", 0755);
	mkdir("d2", 0755);
	touch("d2/inside");
	SHOW(rename("r1", "r1"));
	SHOW(rename("r1", "r3"));
	SHOW(rename("r1", "r4"));
	SHOW(rename("r3", "d1"));
	SHOW(rename("d1", "r3"));
	SHOW(rename("d1", "d2"));
	SHOW(rename("d2", "d1"));
	SHOW(rename("d1", "d1/x"));
	SHOW(rename("d1/inside", "./r2"));
	SHOW(rename(".", "x"));
	SHOW(rename("d1", ".."));
	SHOW(rename("r2", "none/x"));
	SHOW(link("r2", "r2b"));
	SHOW(rename("r2", "r2b"));
	show_stat("r2");
	SHOW(renameat2(AT_FDCWD, "r2", AT_FDCWD, "r2b", RENAME_NOREPLACE));
	SHOW(renameat2(AT_FDCWD, "r3", AT_FDCWD, "d1", RENAME_EXCHANGE));
	show_stat("r3");
	show_stat("d1");
	SHOW(renameat2(AT_FDCWD, "r2", AT_FDCWD, "r5", 0x100));
	SHOW(rename("r3", BAD));
}

static int name_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void directories(void)
{
	char *names[64], raw[64];
	struct dirent *e;
	int n = 0, fd;
	DIR *d;

	mkdir("list", 0755);
	SHOW(chdir("list"));
	for (int i = 0; i < 40; i++) {
		snprintf(raw, sizeof raw, "file-%02d", i);
		touch(raw);
	}
	d = opendir(".");
	while ((e = readdir(d)) && n < 64) {
		char kind = e->d_type == DT_DIR ? 'd' : e->d_type == DT_REG ? 'f' : '?';

		asprintf(&names[n++], "%s %c", e->d_name, kind);
	}
	qsort(names, n, sizeof *names, name_order);
	printf("%d entries, %s, %s, %s, %s\n", n, names[0], names[1], names[2], names[n - 1]);
	rewinddir(d);
	n = 0;
	while (readdir(d))
		n++;
	printf("again %d\n", n);
	rewinddir(d);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			unlink(e->d_name);
	closedir(d);
	fd = open(".", O_RDONLY | O_DIRECTORY);
	n = syscall(SYS_getdents64, fd, raw, sizeof raw);
	printf("empty folder: %d bytes\n", n);
	SHOW(syscall(SYS_getdents64, fd, raw, sizeof raw));
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(syscall(SYS_getdents64, fd, raw, 8));
	SHOW(syscall(SYS_getdents64, 99, raw, sizeof raw));
	SHOW(syscall(SYS_getdents64, fd, BAD, 64));
	SHOW(read(fd, raw, 1));
	SHOW(rmdir("../list"));
	SHOW(syscall(SYS_getdents64, fd, raw, sizeof raw));
	SHOW(open("x", O_CREAT | O_WRONLY, 0600));
	errno = 0;
	TRUE(getcwd(raw, sizeof raw) == NULL && errno == ENOENT);
	SHOW(fchdir(fd));
	SHOW(chdir(".."));
	close(fd);
}

static void working_folder(void)
{
	char text[PATH_MAX];
	int fd = open(".", O_RDONLY);

	printf("%s\n", getcwd(text, sizeof text));
	SHOW(syscall(SYS_getcwd, text, 3));
	SHOW(syscall(SYS_getcwd, BAD, 100));
	mkdir("cwd", 0755);
	symlink("cwd", "cwdlink");
	SHOW(chdir("cwdlink"));
	printf("%s\n", getcwd(text, sizeof text));
	SHOW(chdir("none"));
	SHOW(chdir("/dev/null"));
	SHOW(fchdir(0));
	SHOW(fchdir(fd));
	printf("%s\n", getcwd(text, sizeof text));
	SHOW(chdir("/../.."));
	printf("%s\n", getcwd(text, sizeof text));
	SHOW(fchdir(fd));
	close(fd);
}

static void modes(void)
{
	struct timespec t[2] = { { 1000000000, 123456789 }, { 1100000000, 987654321 } };
	struct stat st;
	int fd;

	umask(027);
	fd = open("m", O_CREAT | O_RDWR, 0666);
	show_stat("m");
	SHOW(umask(022));
	SHOW(chmod("m", 04711));
	show_stat("m");
	SHOW(fchmod(fd, 0100644));
	show_stat("m");
	SHOW(chmod("none", 0));
	SHOW(fchmodat(AT_FDCWD, "sym", 0600, AT_SYMLINK_NOFOLLOW));
	SHOW(chown("m", 5, -1));
	SHOW(fchown(fd, -1, 6));
	SHOW(lchown("sym", 7, 7));
	show_stat("m");
	SHOW(utimensat(AT_FDCWD, "m", t, 0));
	SHOW(fstat(fd, &st));
	printf("%ld.%09ld %ld.%09ld\n", st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec,
	       st.st_mtim.tv_nsec);
	t[0].tv_nsec = UTIME_OMIT;
	t[1].tv_nsec = UTIME_NOW;
	SHOW(futimens(fd, t));
	SHOW(fstat(fd, &st));
	TRUE(st.st_atim.tv_sec == 1000000000 && st.st_mtim.tv_sec > 1100000000);
	t[0].tv_nsec = 1000000000;
	SHOW(futimens(fd, t));
	SHOW(utimensat(AT_FDCWD, "none", NULL, 0));
	close(fd);
}

static void limits(void)
{
	char name[300], path[PATH_MAX + 10];
	struct statfs fs;

	memset(name, 'n', sizeof name);
	name[255] = 0;
	SHOW(mkdir(name, 0700));
	name[255] = 'n';
	name[256] = 0;
	CHECK(mkdir(name, 0700));
	memset(path, '/', sizeof path);
	path[PATH_MAX - 1] = 0;
	SHOW(access(path, F_OK));
	path[PATH_MAX - 1] = '/';
	path[PATH_MAX] = 0;
	SHOW(access(path, F_OK));
	SHOW(statfs(".", &fs));
	printf("names up to %ld\n", (long)fs.f_namelen);
	SHOW(statfs("none", &fs));
	SHOW(mknod("node", S_IFCHR | 0600, makedev(1, 3)));
	show_stat("node");
	SHOW(mknod("plain", S_IFREG | 0600, 0));
	SHOW(mknod("bad", 0170000, 0));
}

int main(void)
{
	umask(022);
	stats();
	links();
	renames();
	directories();
	working_folder();
	modes();
	limits();
	return 0;
}
