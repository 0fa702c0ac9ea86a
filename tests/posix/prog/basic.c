/* Program start: arguments, environment, auxiliary vector, constructors, exit handlers, stack. */
#include "test.h"
#include <elf.h>
#include <sys/auxv.h>

extern char **environ;
static int constructed, zeroed[1000], filled[4] = { 1, 2, 3, 4 };
static _Thread_local int tls_zero, tls_seven = 7;

__attribute__((constructor)) static void construct(void)
{
	constructed = 1;
}

static void last(void)
{
	printf("last exit handler\n");
}

static void first(void)
{
	printf("first exit handler\n");
}

static int depth(int n)
{
	volatile char room[4096];

	room[0] = n;
	return n ? depth(n - 1) + room[0] - room[0] + 1 : 0;
}

static void show_vector(void)
{
	printf("page size %ld\n", getauxval(AT_PAGESZ));
	printf("clock ticks %ld\n", getauxval(AT_CLKTCK));
	printf("ids %ld %ld %ld %ld secure %ld\n", getauxval(AT_UID), getauxval(AT_EUID),
	       getauxval(AT_GID), getauxval(AT_EGID), getauxval(AT_SECURE));
	printf("program headers of %ld bytes\n", getauxval(AT_PHENT));
	TRUE(getauxval(AT_PHNUM) > 2);
	TRUE(((Elf64_Phdr *)getauxval(AT_PHDR))->p_type != 0);
	TRUE(getauxval(AT_ENTRY) != 0);
	TRUE(getauxval(AT_RANDOM) != 0);
	printf("exec name %s\n", strrchr((char *)getauxval(AT_EXECFN), '/'));
	printf("platform %s\n", (char *)getauxval(AT_PLATFORM));
}

int main(int argc, char **argv)
{
	int sum = 0, local;

	for (size_t i = 0; i < COUNT(zeroed); i++)
		sum += zeroed[i];
	printf("argc %d, argv[argc] null %d, name %s\n", argc, !argv[argc], strrchr(argv[0], '/'));
	printf("constructed %d, bss %d, data %d, tls %d %d\n", constructed, sum, filled[3], tls_zero,
	       tls_seven);
	for (char **e = environ; *e; e++)
		printf("env %s\n", *e);
	show_vector();
	printf("stack: 16-byte aligned %d, 1000 pages deep %d\n",
	       ((uintptr_t)__builtin_frame_address(0) & 15) == 0, depth(1000));
	TRUE((char *)&local < (char *)argv);
	atexit(last);
	atexit(first);
	return 42;
}
