/* Calls on open files that other programs leave out: syncing, advice, copying, locks of whole
 * files, reserving room, files without a name, and extended attributes. */
#include "test.h"
#include <sys/file.h>
#include <sys/xattr.h>

#define CALL(...) show(#__VA_ARGS__, syscall(__VA_ARGS__))

static int rw, ro, wo, folder, ends[2];

static void syncing(void)
{
	CALL(SYS_sync);
	CALL(SYS_syncfs, rw);
	CALL(SYS_syncfs, folder);
	CALL(SYS_syncfs, 99);
	CALL(SYS_readahead, rw, 0l, 4096);
	CALL(SYS_readahead, wo, 0l, 4096);
	CALL(SYS_readahead, ends[0], 0l, 4096);
	CALL(SYS_readahead, folder, 0l, 4096);
	CALL(SYS_readahead, 99, 0l, 4096);
	for (int advice = 0; advice <= 6; advice++)
		show("fadvise64", syscall(SYS_fadvise64, rw, 0l, 0l, advice));
	CALL(SYS_fadvise64, rw, 0l, -1l, 0);
	CALL(SYS_fadvise64, ends[0], 0l, 0l, 0);
	CALL(SYS_fadvise64, folder, 0l, 0l, 0);
	CALL(SYS_fadvise64, 99, 0l, 0l, 0);
}

#define COPY(in, from, out, to, n, flags) \
	show("copy_file_range " #in " " #from " " #out " " #to " " #n " " #flags, \
	     syscall(SYS_copy_file_range, in, from, out, to, (size_t)(n), flags))

static void copying(void)
{
	int64_t a = 2, b = 100, far = 1l << 40;
	char text[8] = "";

	COPY(rw, &a, rw, &b, 5, 0);
	printf("positions %ld %ld\n", (long)a, (long)b);
	pread(rw, text, 5, 100);
	printf("%s\n", text);
	lseek(rw, 0, SEEK_SET);
	COPY(rw, NULL, wo, NULL, 3, 0);
	printf("positions %ld %ld\n", (long)lseek(rw, 0, SEEK_CUR), (long)lseek(wo, 0, SEEK_CUR));
	COPY(rw, &far, wo, NULL, 3, 0);
	COPY(rw, NULL, wo, NULL, 0, 0);
	COPY(rw, NULL, wo, NULL, 3, 1);
	COPY(wo, NULL, rw, NULL, 3, 0);
	COPY(rw, NULL, ro, NULL, 3, 0);
	COPY(folder, NULL, wo, NULL, 3, 0);
	COPY(rw, NULL, folder, NULL, 3, 0);
	COPY(ends[0], NULL, wo, NULL, 3, 0);
	COPY(rw, NULL, ends[1], NULL, 3, 0);
	COPY(99, NULL, wo, NULL, 3, 0);
	COPY(rw, NULL, 99, NULL, 3, 0);
	COPY(rw, BAD, wo, NULL, 3, 0);
	a = 0;
	b = 2;
	COPY(rw, &a, rw, &b, 5, 0);
	a = -1;
	COPY(rw, &a, wo, NULL, 3, 0);
}

static void try_lock(void)
{
	int other = open("rw", O_RDONLY);

	SHOW(flock(other, LOCK_SH | LOCK_NB));
	SHOW(flock(other, LOCK_EX | LOCK_NB));
	SHOW(flock(rw, LOCK_UN));
	SHOW(flock(other, LOCK_EX | LOCK_NB));
}

static void locking(void)
{
	SHOW(flock(rw, LOCK_EX));
	in_child("against exclusive", try_lock);
	SHOW(flock(rw, LOCK_SH));
	in_child("against shared", try_lock);
	SHOW(flock(rw, LOCK_UN));
	SHOW(flock(rw, LOCK_UN));
	SHOW(flock(rw, 0));
	SHOW(flock(rw, 16));
	SHOW(flock(rw, 32));
	SHOW(flock(99, LOCK_EX));
}

static void reserving(void)
{
	struct stat st;

	CALL(SYS_fallocate, rw, 0, 0l, 10000l);
	fstat(rw, &st);
	printf("size %ld blocks %ld\n", (long)st.st_size, (long)st.st_blocks);
	CALL(SYS_fallocate, rw, 1, 0l, 20000l);
	fstat(rw, &st);
	printf("size %ld blocks %ld\n", (long)st.st_size, (long)st.st_blocks);
	CALL(SYS_fallocate, rw, 3, 0l, 8192l);
	fstat(rw, &st);
	printf("size %ld blocks %ld\n", (long)st.st_size, (long)st.st_blocks);
	CALL(SYS_fallocate, rw, 2, 0l, 4096l);
	CALL(SYS_fallocate, rw, 0, -1l, 4096l);
	CALL(SYS_fallocate, rw, 0, 0l, 0l);
	CALL(SYS_fallocate, ro, 0, 0l, 10l);
	CALL(SYS_fallocate, ends[1], 0, 0l, 10l);
	CALL(SYS_fallocate, 99, 0, 0l, 10l);
}

static void nameless(void)
{
	char text[8] = "";
	int fd = syscall(SYS_memfd_create, "name", 1);

	SHOW(fcntl(fd, F_GETFD));
	SHOW(write(fd, "abc", 3));
	SHOW(pread(fd, text, 8, 0));
	SHOW(ftruncate(fd, 1));
	SHOW(lseek(fd, 0, SEEK_END));
	CALL(SYS_memfd_create, BAD, 0);
	CALL(SYS_memfd_create, "name", 0x80000000);
	SHOW(dup2(fd, 200));
	SHOW(dup2(fd, 201));
	CALL(SYS_close_range, 200, 300, 0);
	SHOW(fcntl(200, F_GETFD));
	CALL(SYS_close_range, 201, 200, 0);
	CALL(SYS_close_range, 200, 300, 0x100);
	SHOW(dup2(fd, 202));
	CALL(SYS_close_range, 202, ~0u, 4);
	SHOW(fcntl(202, F_GETFD));
	close(202);
	close(fd);
}

static void attributes_get(void)
{
	char text[64];

	SHOW(getxattr("rw", "user.x", text, sizeof text));
	SHOW(getxattr("rw", "trusted.x", text, sizeof text));
	SHOW(getxattr("rw", "odd", text, sizeof text));
	SHOW(getxattr("rw", "", text, sizeof text));
	SHOW(getxattr("none", "trusted.x", text, sizeof text));
	SHOW(getxattr("rw", BAD, text, sizeof text));
	SHOW(getxattr(BAD, "trusted.x", text, sizeof text));
	SHOW(lgetxattr("sym", "trusted.x", text, sizeof text));
	SHOW(lgetxattr("none", "trusted.x", text, sizeof text));
	SHOW(fgetxattr(rw, "trusted.x", text, sizeof text));
	SHOW(fgetxattr(rw, "user.x", text, sizeof text));
	SHOW(fgetxattr(99, "trusted.x", text, sizeof text));
	SHOW(listxattr("rw", text, sizeof text));
	SHOW(listxattr("rw", NULL, 0));
	SHOW(listxattr("none", text, sizeof text));
	SHOW(llistxattr("sym", text, sizeof text));
	SHOW(llistxattr("none", text, sizeof text));
	SHOW(flistxattr(rw, text, sizeof text));
	SHOW(flistxattr(99, text, sizeof text));
	SHOW(removexattr("rw", "trusted.x"));
	SHOW(removexattr("rw", "user.x"));
	SHOW(removexattr("none", "trusted.x"));
	SHOW(lremovexattr("sym", "trusted.x"));
	SHOW(lremovexattr("none", "trusted.x"));
	SHOW(fremovexattr(rw, "trusted.x"));
	SHOW(fremovexattr(99, "trusted.x"));
}

static void attributes_set(void)
{
	char longest[300];

	memset(longest, 'n', sizeof longest);
	memcpy(longest, "user.", 5);
	longest[299] = 0;
	SHOW(setxattr("rw", "user.x", "v", 1, 0));
	SHOW(setxattr("rw", "odd", "v", 1, 0));
	SHOW(setxattr("rw", "", "v", 1, 0));
	SHOW(setxattr("rw", longest, "v", 1, 0));
	SHOW(setxattr("none", "user.x", "v", 1, 0));
	SHOW(setxattr("rw", BAD, "v", 1, 0));
	SHOW(lsetxattr("rw", "user.x", "v", 1, 0));
	SHOW(lsetxattr("none", "user.x", "v", 1, 0));
	SHOW(fsetxattr(rw, "user.x", "v", 1, 0));
	SHOW(fsetxattr(99, "user.x", "v", 1, 0));
}

int main(void)
{
	umask(022);
	rw = open("rw", O_RDWR | O_CREAT, 0644);
	SHOW(write(rw, "0123456789", 10));
	ro = open("rw", O_RDONLY);
	wo = open("wo", O_WRONLY | O_CREAT, 0644);
	SHOW(symlink("rw", "sym"));
	folder = open(".", O_RDONLY);
	SHOW(pipe(ends));
	syncing();
	copying();
	locking();
	reserving();
	nameless();
	attributes_get();
	attributes_set();
	return 0;
}
