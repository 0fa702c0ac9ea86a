/* mincore, mlock, munlock. */
#include "test.h"
#include <sys/resource.h>

#define PAGE 4096
#define CALL(...) show(#__VA_ARGS__, syscall(__VA_ARGS__))

static void residence(void)
{
	char *p = pages_map(5, PROT_READ | PROT_WRITE);
	unsigned char v[5];

	munmap(p + 4 * PAGE, PAGE);
	p[0] = p[2 * PAGE] = 1;
	CALL(SYS_mincore, p, 4 * PAGE, v);
	printf("%d %d %d %d\n", v[0] & 1, v[1] & 1, v[2] & 1, v[3] & 1);
	CALL(SYS_mincore, p, PAGE + 1, v);
	CALL(SYS_mincore, p, 0, v);
	CALL(SYS_mincore, p + 1, PAGE, v);
	CALL(SYS_mincore, p, 5 * PAGE, v);
	CALL(SYS_mincore, p, PAGE, BAD);
	CALL(SYS_mincore, p, -1l, v);
}

static void locks(void)
{
	struct rlimit small = { 2 * PAGE, 2 * PAGE };
	char *p = pages_map(5, PROT_READ | PROT_WRITE), *none = pages_map(1, PROT_NONE);
	unsigned char v[4];

	munmap(p + 4 * PAGE, PAGE);
	CALL(SYS_mlock, p + 10, PAGE);
	CALL(SYS_mincore, p, 4 * PAGE, v);
	printf("%d %d %d %d\n", v[0] & 1, v[1] & 1, v[2] & 1, v[3] & 1);
	CALL(SYS_munlock, p, PAGE);
	CALL(SYS_munlock, p, 2 * PAGE);
	CALL(SYS_munlock, p, 2 * PAGE);
	CALL(SYS_mlock, p, 0);
	CALL(SYS_mlock, p, 5 * PAGE);
	CALL(SYS_munlock, p, 5 * PAGE);
	CALL(SYS_mlock, p, -1l);
	CALL(SYS_mlock, none, PAGE);
	CALL(SYS_munlock, p, 4 * PAGE);
	CALL(SYS_munlock, none, PAGE);
	SHOW(setrlimit(RLIMIT_MEMLOCK, &small));
	SHOW(setuid(1000));
	CALL(SYS_mlock, p, 2 * PAGE);
	CALL(SYS_mlock, p, 3 * PAGE);
	CALL(SYS_munlock, p, 2 * PAGE);
	small.rlim_cur = 0;
	SHOW(setrlimit(RLIMIT_MEMLOCK, &small));
	CALL(SYS_mlock, p, PAGE);
}

int main(void)
{
	residence();
	in_child("locks", locks);
	return 0;
}
