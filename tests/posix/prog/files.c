/* open, read, write, lseek, pread, pwrite, readv, writev, ftruncate, dup, fcntl, their errors. */
#include "test.h"
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static char buf[64];

static void show_content(const char *path)
{
	int fd = open(path, O_RDONLY), c, n = 0;
	FILE *f = fdopen(fd, "r");

	printf("%s:", path);
	while ((c = getc(f)) != EOF && n++ < 60)
		printf(c >= ' ' && c < 127 ? "%c" : "\\%03o", c);
	printf("\n");
	fclose(f);
}

static void opening(void)
{
	int fd;

	SHOW(open("none", O_RDONLY));
	SHOW(open("", O_RDONLY));
	SHOW(open("f", O_WRONLY | O_CREAT | O_EXCL, 0600));
	SHOW(open("f", O_WRONLY | O_CREAT | O_EXCL, 0600));
	SHOW(open("f/x", O_RDONLY));
	SHOW(open("f", O_RDONLY | O_DIRECTORY));
	SHOW(open(".", O_WRONLY));
	SHOW(open(".", O_RDWR | O_CREAT, 0600));
	SHOW(open(BAD, O_RDONLY));
	SHOW(symlink("f", "l"));
	SHOW(open("l", O_RDONLY | O_NOFOLLOW));
	SHOW(open("l", O_WRONLY | O_CREAT | O_EXCL, 0600));
	fd = open("l", O_PATH | O_NOFOLLOW);
	SHOW(fd);
	SHOW(read(fd, buf, 1));
	SHOW(close(fd));
	SHOW(openat(AT_FDCWD, "f", O_RDONLY));
	SHOW(openat(99, "f", O_RDONLY));
	SHOW(openat(3, "x", O_RDONLY));
	SHOW(close(4));
	SHOW(close(3));
	SHOW(close(3));
	SHOW(close(-1));
	fd = open(".", O_TMPFILE | O_RDWR, 0600);
	SHOW(fd);
	SHOW(write(fd, "tmp", 3));
	SHOW(close(fd));
}

static void positions(void)
{
	int fd = open("p", O_RDWR | O_CREAT | O_TRUNC, 0600);

	SHOW(write(fd, "0123456789", 10));
	SHOW(lseek(fd, 0, SEEK_CUR));
	SHOW(lseek(fd, -3, SEEK_END));
	SHOW(read(fd, buf, sizeof buf));
	SHOW(read(fd, buf, sizeof buf));
	SHOW(lseek(fd, -1, SEEK_SET));
	SHOW(lseek(fd, 0, 99));
	SHOW(lseek(fd, 20, SEEK_SET));
	SHOW(write(fd, "end", 3));
	SHOW(pwrite(fd, "XY", 2, 4));
	SHOW(pread(fd, buf, 5, 2));
	printf("%.5s\n", buf);
	SHOW(pread(fd, buf, 5, 1000));
	SHOW(pread(fd, buf, 5, -1));
	SHOW(lseek(fd, 0, SEEK_CUR));
	show_content("p");
	SHOW(ftruncate(fd, 5));
	SHOW(ftruncate(fd, 8));
	SHOW(ftruncate(fd, -1));
	SHOW(truncate("p", 7));
	SHOW(truncate("none", 7));
	SHOW(truncate(".", 7));
	show_content("p");
	SHOW(lseek(fd, 5000, SEEK_SET));
	SHOW(write(fd, "x", 1));
	SHOW(lseek(fd, 0, SEEK_END));
	SHOW(lseek(fd, 6000, SEEK_DATA));
	close(fd);
	SHOW(lseek(fd, 0, SEEK_SET));
	fd = open("p", O_RDONLY);
	SHOW(write(fd, "x", 1));
	SHOW(ftruncate(fd, 1));
	close(fd);
	fd = open("p", O_WRONLY | O_APPEND);
	SHOW(read(fd, buf, 1));
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(write(fd, "app", 3));
	SHOW(lseek(fd, 0, SEEK_CUR));
	SHOW(pwrite(fd, "q", 1, 0));
	SHOW(lseek(fd, 0, SEEK_END));
	close(fd);
}

static void vectors(void)
{
	int fd = open("v", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char a[3], b[4], c[10];
	struct iovec out[3] = { { "abc", 3 }, { "", 0 }, { "defgh", 5 } };
	struct iovec in[3] = { { a, 3 }, { b, 4 }, { c, 10 } };
	struct iovec bad[2] = { { "ok", 2 }, { BAD, 4 } };
	struct iovec huge[1] = { { a, (size_t)-1 } };

	SHOW(writev(fd, out, 3));
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(readv(fd, in, 3));
	printf("%.3s|%.4s|%.1s\n", a, b, c);
	SHOW(preadv(fd, in, 2, 1));
	printf("%.3s|%.4s\n", a, b);
	SHOW(pwritev(fd, out, 3, 2));
	SHOW(writev(fd, bad, 2));
	SHOW(writev(fd, bad + 1, 1));
	SHOW(writev(fd, huge, 1));
	SHOW(writev(fd, out, -1));
	SHOW(writev(fd, out, IOV_MAX + 1));
	SHOW(writev(fd, NULL, 0));
	SHOW(readv(fd, BAD, 1));
	SHOW(write(fd, BAD, 5));
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(read(fd, BAD, 5));
	SHOW(read(fd, BAD, 0));
	close(fd);
	show_content("v");
}

/* A buffer that ends at a hole: only what is there is written. */
static void partial_buffer(void)
{
	char *p = pages_map(2, PROT_READ | PROT_WRITE);
	int fd = open("h", O_RDWR | O_CREAT | O_TRUNC, 0600);

	memset(p, 'x', 4096);
	munmap(p + 4096, 4096);
	SHOW(write(fd, p + 4090, 6));
	SHOW(write(fd, p + 4096, 1));
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(read(fd, p + 4095, 1));
	close(fd);
}

static void duplicates(void)
{
	int fd = open("d", O_RDWR | O_CREAT | O_TRUNC, 0600), other;

	other = dup(fd);
	SHOW(other - fd);
	SHOW(write(fd, "one", 3));
	SHOW(write(other, "two", 3));
	SHOW(dup2(fd, 20));
	SHOW(write(20, "three", 5));
	SHOW(dup2(fd, fd));
	SHOW(dup3(fd, fd, 0));
	SHOW(dup3(fd, 21, O_CLOEXEC));
	SHOW(fcntl(21, F_GETFD));
	SHOW(fcntl(20, F_GETFD));
	SHOW(dup2(fd, 21));
	SHOW(fcntl(21, F_GETFD));
	SHOW(dup(99));
	SHOW(dup2(99, 5));
	SHOW(dup2(fd, -1));
	SHOW(dup2(fd, 100000000));
	SHOW(dup3(fd, 22, 1));
	SHOW(fcntl(fd, F_DUPFD, 30));
	SHOW(fcntl(fd, F_DUPFD, 30));
	SHOW(fcntl(fd, F_DUPFD_CLOEXEC, 40));
	SHOW(fcntl(40, F_GETFD));
	SHOW(fcntl(fd, F_DUPFD, -1));
	SHOW(fcntl(fd, F_DUPFD, 100000000));
	close(fd);
	SHOW(write(other, "four", 4));
	show_content("d");
}

static void flags(void)
{
	int fd = open("g", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);

	printf("flags %o\n", fcntl(fd, F_GETFL) & ~O_LARGEFILE);
	SHOW(fcntl(fd, F_SETFL, O_NONBLOCK));
	printf("flags %o\n", fcntl(fd, F_GETFL) & ~O_LARGEFILE);
	SHOW(fcntl(fd, F_SETFD, FD_CLOEXEC));
	SHOW(fcntl(fd, F_GETFD));
	SHOW(fcntl(fd, 9999, 0));
	SHOW(fcntl(99, F_GETFL));
	SHOW(ioctl(fd, TIOCGWINSZ, buf));
	SHOW(ioctl(fd, FIOCLEX));
	SHOW(isatty(fd));
	SHOW(fsync(fd));
	SHOW(fdatasync(fd));
	SHOW(fsync(99));
	close(fd);
}

static void locks(void)
{
	int fd = open("k", O_RDWR | O_CREAT, 0600);
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	SHOW(fcntl(fd, F_SETLK, &all));
	all.l_type = F_WRLCK;
	SHOW(fcntl(fd, F_GETLK, &all));
	printf("type %d\n", all.l_type);
	fflush(stdout);
	if (fork() == 0) {
		SHOW(fcntl(fd, F_SETLK, &all));
		all.l_type = F_WRLCK;
		SHOW(fcntl(fd, F_GETLK, &all));
		printf("type %d by parent %d\n", all.l_type, all.l_pid == getppid());
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	close(fd);
}

static void sending(void)
{
	int in = open("s", O_RDWR | O_CREAT | O_TRUNC, 0600);
	int out = open("t", O_RDWR | O_CREAT | O_TRUNC, 0600);
	off_t at = 2;

	SHOW(write(in, "abcdefghij", 10));
	SHOW(sendfile(out, in, &at, 4));
	SHOW(at);
	SHOW(lseek(in, 0, SEEK_CUR));
	SHOW(lseek(in, 7, SEEK_SET));
	SHOW(sendfile(out, in, NULL, 100));
	SHOW(sendfile(out, in, NULL, 100));
	SHOW(sendfile(out, 99, NULL, 1));
	at = 0;
	SHOW(syscall(SYS_copy_file_range, in, &at, out, NULL, 3, 0));
	show_content("t");
	close(in);
	close(out);
}

int main(void)
{
	umask(022);
	opening();
	positions();
	vectors();
	partial_buffer();
	duplicates();
	flags();
	locks();
	sending();
	return 0;
}
