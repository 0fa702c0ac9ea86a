/* mmap, munmap, mprotect, mremap, brk, madvise, shared and file mappings, copies after fork. */
#include "test.h"
#include <setjmp.h>
#include <sys/resource.h>

#define PAGE 4096ul

static sigjmp_buf back;

static void caught(int sig)
{
	siglongjmp(back, sig);
}

/* What happens on a read ('r') or write ('w') of an address. */
static const char *access_try(volatile char *p, char how)
{
	int sig = sigsetjmp(back, 1);

	if (sig)
		return sig == SIGBUS ? "SIGBUS" : "SIGSEGV";
	if (how == 'r')
		(void)*p;
	else
		*p = 1;
	return "ok";
}

static void show_access(const char *text, void *p)
{
	const char *r = access_try(p, 'r'), *w = access_try(p, 'w');

	printf("%s: read %s write %s\n", text, r, w);
}

static int file_make(const char *name, size_t size)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	char page[PAGE];

	for (size_t at = 0; at < size; at += PAGE) {
		size_t part = size - at < PAGE ? size - at : PAGE;

		memset(page, 'a' + at / PAGE, PAGE);
		write(fd, page, part);
	}
	return fd;
}

static void anonymous(void)
{
	char *p = pages_map(8, PROT_READ | PROT_WRITE);
	int sum = 0;

	for (size_t i = 0; i < 8 * PAGE; i++)
		sum += p[i];
	printf("zero %d, aligned %d\n", sum == 0, ((uintptr_t)p & (PAGE - 1)) == 0);
	show_access("anonymous", p);
	SHOW(mprotect(p + PAGE, PAGE, PROT_READ));
	show_access("read-only", p + PAGE);
	SHOW(mprotect(p + PAGE, PAGE, PROT_NONE));
	show_access("none", p + PAGE);
	SHOW(mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE));
	printf("content kept %d\n", p[PAGE] == 0);
	show_access("again", p + PAGE);
	SHOW(munmap(p + 2 * PAGE, PAGE));
	show_access("hole", p + 2 * PAGE);
	SHOW(munmap(p + 2 * PAGE, PAGE));
	SHOW(mprotect(p, 4 * PAGE, PROT_READ));
	show_access("before the hole", p);
	show_access("after the hole", p + 3 * PAGE);
	TRUE(mmap(p + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		  -1, 0) == p + 2 * PAGE);
	show_access("hole filled", p + 2 * PAGE);
	p[4 * PAGE] = 9;
	TRUE(mmap(p + 4 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	     p + 4 * PAGE);
	printf("replaced by zero %d\n", p[4 * PAGE] == 0);
	SHOW(munmap(p, 8 * PAGE));
	show_access("unmapped", p);
}

static void arguments(void)
{
	char *p = pages_map(1, PROT_READ);
	int r = open("/dev/null", O_RDONLY), w = file_make("w", 100), wo = open("w", O_WRONLY);

	CHECK(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0));
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0));
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 99, 0));
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, wo, 0));
	CHECK(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, r, 0));
	CHECK(syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE, w, 100));
	CHECK(mmap((void *)4097, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	CHECK(mmap((void *)-4096ul, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	CHECK(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | 0x100000, -1, 0));
	CHECK(mmap(NULL, 1ul << 50, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CHECK(syscall(SYS_munmap, p + 1, PAGE));
	CHECK(munmap(p, 0));
	CHECK(syscall(SYS_mprotect, p + 1, PAGE, PROT_READ));
	CHECK(mprotect(p, 0, PROT_READ));
	CHECK(mprotect(p, PAGE, 0x100));
	CHECK(madvise(p, PAGE, 999));
	CHECK(madvise(p + 1, PAGE, MADV_DONTNEED));
	CHECK(msync(p, PAGE, MS_SYNC));
	CHECK(msync(p + 1, PAGE, MS_SYNC));
	CHECK(munmap(p, PAGE));
	CHECK(msync(p, PAGE, MS_SYNC));
	CHECK(mprotect(p, PAGE, PROT_READ));
	close(r);
	close(w);
	close(wo);
}

static void remaps(void)
{
	char *p = pages_map(4, PROT_READ | PROT_WRITE), *q;

	memset(p, 'x', 4 * PAGE);
	TRUE(mremap(p, 4 * PAGE, 2 * PAGE, 0) == p);
	show_access("cut off", p + 2 * PAGE);
	q = mremap(p, 2 * PAGE, 300 * PAGE, MREMAP_MAYMOVE);
	printf("grown: %c %d\n", q[PAGE], q[200 * PAGE]);
	p = pages_map(2, PROT_READ | PROT_WRITE);
	TRUE(mremap(q, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p) == p);
	printf("moved: %c\n", *p);
	show_access("moved away", q);
	CHECK(mremap(p, PAGE, 0, 0));
	CHECK(mremap(BAD, PAGE, PAGE, 0));
	CHECK(mremap(q, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	munmap(q + PAGE, 299 * PAGE);
}

static void file_mappings(void)
{
	int fd = file_make("f", 3 * PAGE + 100);
	char *shared = mmap(NULL, 5 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *private = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	char *second = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE), c;

	printf("%c%c%c %c, tail %d\n", shared[0], shared[PAGE], shared[3 * PAGE], second[0],
	       shared[3 * PAGE + 100]);
	shared[PAGE] = 'S';
	private[2 * PAGE] = 'P';
	pread(fd, &c, 1, PAGE);
	printf("file %c, second %c, private %c\n", c, second[0], private[PAGE]);
	pread(fd, &c, 1, 2 * PAGE);
	printf("private write stays private: file %c\n", c);
	pwrite(fd, "W", 1, 10);
	pwrite(fd, "V", 1, 2 * PAGE);
	printf("file write: shared %c, private copy %c\n", shared[10], private[2 * PAGE]);
	show_access("last page", shared + 3 * PAGE);
	show_access("beyond the end", shared + 4 * PAGE);
	SHOW(ftruncate(fd, PAGE));
	show_access("cut file", shared + 2 * PAGE);
	SHOW(ftruncate(fd, 3 * PAGE));
	show_access("grown file", shared + 2 * PAGE);
	printf("zero %d\n", shared[2 * PAGE + 1] == 0);
	SHOW(msync(shared, 5 * PAGE, MS_SYNC));
	close(fd);
	shared[5] = 'L';
	printf("after close: %c\n", shared[5]);
	unlink("f");
	printf("after unlink: %c\n", shared[5]);
	munmap(shared, 5 * PAGE);
	munmap(private, 4 * PAGE);
	munmap(second, PAGE);
}

static void forks(void)
{
	char *private = pages_map(64, PROT_READ | PROT_WRITE);
	char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = file_make("g", PAGE), status;
	char *file = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	memset(private, 1, 64 * PAGE);
	if (fork_clean() == 0) {
		for (int i = 0; i < 64; i += 2)
			private[i * PAGE] = 2;
		*shared = 2;
		*file = 2;
		if (fork() == 0) {
			private[0] = 3;
			_exit(private[2 * PAGE] == 2 && private[PAGE] == 1 ? 0 : 1);
		}
		wait(&status);
		_exit(private[0] == 2 && status == 0 ? 0 : 1);
	}
	wait(&status);
	show_status("copies", status);
	printf("private %d %d, shared %d, file %d\n", private[0], private[2 * PAGE], *shared, *file);
	private[0] = 4;
	madvise(private, 64 * PAGE, MADV_DONTNEED);
	printf("dropped %d\n", private[0]);
	close(fd);
}

/* A mapping of /dev/zero is memory: of one's own, or shared with children. */
static void zero_device(void)
{
	int fd = open("/dev/zero", O_RDWR), ro = open("/dev/zero", O_RDONLY);
	int null = open("/dev/null", O_RDWR);
	char *shared = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *private = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 5 * PAGE);
	char *other = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	TRUE(shared != MAP_FAILED && private != MAP_FAILED && other != MAP_FAILED);
	CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0));
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, null, 0));
	close(fd);
	close(ro);
	close(null);
	printf("zero %d %d\n", shared[2 * PAGE], private[2 * PAGE]);
	if (fork_clean() == 0) {
		shared[PAGE] = private[PAGE] = 'c';
		_exit(0);
	}
	wait(NULL);
	printf("shared %d, private %d, another's %d\n", shared[PAGE], private[PAGE], other[PAGE]);
}

/* A long chain of children that each change one page of the parent's. */
static void generations(void)
{
	int *p = pages_map(16, PROT_READ | PROT_WRITE), status;

	for (int g = 0; g < 12; g++) {
		pid_t pid = fork_clean();

		if (pid) {
			waitpid(pid, &status, 0);
			if (g)
				_exit(WEXITSTATUS(status));
			show_status("generations", status);
			return;
		}
		p[g * 1024] += g + 1;
	}
	for (int g = 0; g < 12; g++)
		if (p[g * 1024] != g + 1)
			_exit(1);
	_exit(0);
}

static void break_area(void)
{
	char *start = (char *)syscall(SYS_brk, 0), *end;

	TRUE((char *)syscall(SYS_brk, start + 10 * PAGE + 5) == start + 10 * PAGE + 5);
	memset(start, 1, 10 * PAGE);
	show_access("top of the break", start + 10 * PAGE);
	TRUE((char *)syscall(SYS_brk, start + PAGE) == start + PAGE);
	TRUE((char *)syscall(SYS_brk, start + 3 * PAGE) == start + 3 * PAGE);
	printf("given back and zero %d\n", start[2 * PAGE] == 0);
	end = (char *)syscall(SYS_brk, 0);
	TRUE((char *)syscall(SYS_brk, 1) == end);
	TRUE((char *)syscall(SYS_brk, (char *)0x7fffffffffff) == end);
}

static void code(void)
{
	static const unsigned char seven[] = { 0xb8, 7, 0, 0, 0, 0xc3 };
	static const unsigned char eight[] = { 0xb8, 8, 0, 0, 0, 0xc3 };
	char *p = pages_map(1, PROT_READ | PROT_WRITE);
	int (*f)(void) = (int (*)(void))(uintptr_t)p;

	memcpy(p, seven, sizeof seven);
	SHOW(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	SHOW(f());
	show_access("code", p);
	SHOW(mprotect(p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
	memcpy(p, eight, sizeof eight);
	SHOW(f());
}

static void large(void)
{
	size_t size = 64ul << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *huge = mmap(NULL, 1ul << 38, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned sum = 0;

	for (size_t i = 0; i < size; i += PAGE)
		p[i] = i / PAGE;
	for (size_t i = 0; i < size; i += PAGE)
		sum += (unsigned char)p[i];
	printf("64 MiB: sum %u\n", sum);
	SHOW(munmap(p, size));
	TRUE(huge != MAP_FAILED);
	huge[1ul << 37] = 5;
	printf("sparse: %d %d\n", huge[1ul << 37], huge[3ul << 36]);
	SHOW(munmap(huge, 1ul << 38));
}

static void many_mappings(void)
{
	char *p = mmap(NULL, 600 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int good = 0;

	for (int i = 0; i < 600; i += 2)
		good += mprotect(p + i * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0;
	for (int i = 0; i < 600; i += 2)
		p[i * PAGE] = i / 2;
	for (int i = 0; i < 600; i += 2)
		good += p[i * PAGE] == (char)(i / 2);
	printf("%d good\n", good);
	show_access("between", p + PAGE);
	SHOW(munmap(p, 600 * PAGE));
}

int main(void)
{
	signal(SIGSEGV, caught);
	signal(SIGBUS, caught);
	anonymous();
	arguments();
	remaps();
	file_mappings();
	forks();
	zero_device();
	generations();
	break_area();
	code();
	large();
	many_mappings();
	return 0;
}
