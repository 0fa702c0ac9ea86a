/* execveat: by folder, by descriptor, through links, its errors. */
#include "test.h"

#define CALL(...) show(#__VA_ARGS__, syscall(__VA_ARGS__))

static char *argv_new[] = { "name", "ran", "two words", NULL }, *env_new[] = { "V=1", NULL };
static int folder, program;

static void copy_self(const char *from, const char *to)
{
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT, 0755);
	char part[4096];
	ssize_t n;

	while ((n = read(in, part, sizeof part)) > 0)
		write(out, part, n);
	close(in);
	close(out);
}

static void by_folder(void)
{
	CALL(SYS_execveat, folder, "program", argv_new, env_new, 0);
}

static void by_descriptor(void)
{
	CALL(SYS_execveat, program, "", argv_new, env_new, AT_EMPTY_PATH);
}

static void by_link(void)
{
	CALL(SYS_execveat, folder, "link", argv_new, env_new, 0);
}

static void by_path(void)
{
	CALL(SYS_execveat, AT_FDCWD, "dir/program", argv_new, env_new, 0);
}

static void script(void)
{
	CALL(SYS_execveat, folder, "script", argv_new, env_new, 0);
}

static void errors(void)
{
	CALL(SYS_execveat, folder, "none", argv_new, env_new, 0);
	CALL(SYS_execveat, folder, "", argv_new, env_new, 0);
	CALL(SYS_execveat, folder, "", argv_new, env_new, AT_EMPTY_PATH);
	CALL(SYS_execveat, folder, "link", argv_new, env_new, AT_SYMLINK_NOFOLLOW);
	CALL(SYS_execveat, folder, "program", argv_new, env_new, 1);
	CALL(SYS_execveat, folder, "plain", argv_new, env_new, 0);
	CALL(SYS_execveat, 99, "program", argv_new, env_new, 0);
	CALL(SYS_execveat, 99, "", argv_new, env_new, AT_EMPTY_PATH);
	CALL(SYS_execveat, program, "x", argv_new, env_new, 0);
	CALL(SYS_execveat, folder, BAD, argv_new, env_new, 0);
	CALL(SYS_execveat, folder, "program", BAD, env_new, 0);
}

static int ran(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		printf("argument %s\n", argv[i]);
	printf("V=%s\n", getenv("V"));
	return 9;
}

int main(int argc, char **argv)
{
	int fd;

	if (argc > 1)
		return ran(argc, argv);
	umask(022);
	mkdir("dir", 0755);
	copy_self(argv[0], "dir/program");
	symlink("program", "dir/link");
	close(open("dir/plain", O_WRONLY | O_CREAT, 0644));
	fd = open("dir/script", O_WRONLY | O_CREAT, 0755);
	write(fd, "#!/bin/sh\necho script $1 $2\n", 28);
	close(fd);
	folder = open("dir", O_RDONLY);
	program = open("dir/program", O_RDONLY);
	in_child("by folder", by_folder);
	in_child("by descriptor", by_descriptor);
	in_child("by link", by_link);
	in_child("by path", by_path);
	in_child("script", script);
	errors();
	return 0;
}
