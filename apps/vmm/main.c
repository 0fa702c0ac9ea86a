/* vmm: virtual machines, from the shell.
 *
 *	vmm run [FOLDER] [--kernel FILE] [--initrd FILE] ...	docs/vmm.md has them all
 *	vmm list | attach NAME | stop NAME [--force]
 *	vmm disk create|snapshot|list|rollback FILE ...
 *
 * What a machine is, the monitor knows (libos/vmm), which runs in a domain of its own; this program
 * starts it, serves its files, and brings its console to a terminal.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "vmm.h"

#define STOP_SECONDS	60

_Noreturn void refuse(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fputs("vmm: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	exit(STATUS_WRONG);
}

_Noreturn static void usage(int status)
{
	fputs("usage: vmm run [FOLDER] [--kernel FILE] [--initrd FILE] [--mem 256M] [--cpus N]\n"
		"               [--disk FILE[,ro] | cow:FILE | mem:SIZE]... [--append '...']\n"
		"               [--name NAME] [--detached] [--no-patch] [--stats]\n"
		"       vmm list\n"
		"       vmm attach NAME                (Ctrl-] detaches)\n"
		"       vmm stop NAME [--force]\n"
		"       vmm disk create FILE SIZE | create FILE --base BASE\n"
		"       vmm disk snapshot FILE NAME | list FILE | rollback FILE NAME\n",
		status ? stderr : stdout);
	exit(status);
}

/* Says which image is started, in a process of its own: the guest needs not wait for it. */
static pid_t image_tell(const struct options *o)
{
	char text[DIGEST_LENGTH + 1];
	const char *end = isatty(2) ? "\r\n" : "\n";	/* the terminal may be raw by now */
	pid_t pid = fork();
	if (pid)
		return pid;
	int file = open(o->kernel, O_RDONLY);
	if (file < 0 || !digest(file, text))
		_exit(1);			/* the daemon says why */
	fprintf(stderr, "vmm: kernel %s, SHA-256 %s%s", o->kernel, text, end);
	_exit(0);
}

static int run(char **words)
{
	struct options o;
	int ready[2];
	char name[NAME_LENGTH + 1] = "";
	options_parse(&o, words);
	if (pipe(ready) < 0)
		refuse("no pipe");
	pid_t pid = fork();
	if (pid < 0)
		refuse("no process for the guest");
	if (!pid) {
		close(ready[0]);
		daemon_run(&o, ready[1]);
	}
	close(ready[1]);
	fprintf(stderr, "vmm: command line: %s\n", o.append);
	pid_t teller = image_tell(&o);
	if (read(ready[0], name, sizeof name) <= 0) {
		int status;		/* it said why */
		waitpid(pid, &status, 0);
		waitpid(teller, NULL, 0);
		return WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_BUG;
	}
	int status = 0;
	if (o.detached)
		puts(name);
	else
		status = client_attach(name, true);
	waitpid(teller, NULL, 0);
	return status;
}

static int stop(char **words)
{
	const char *name = NULL;
	bool force = false;
	for (; *words; words++)
		if (!strcmp(*words, "--force"))
			force = true;
		else if (name || **words == '-')
			usage(STATUS_WRONG);
		else
			name = *words;
	if (!name)
		usage(STATUS_WRONG);
	if (!registry_pid(name))
		refuse("no guest is called %s", name);
	registry_tell(name, force ? CONTROL_KILL : CONTROL_STOP);
	if (!registry_wait(name, STOP_SECONDS))
		refuse("%s does not stop; --force destroys it", name);
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(verb, "--help") || !strcmp(verb, "help"))
		usage(0);
	if (!strcmp(verb, "run"))
		return run(argv + 2);
	if (!strcmp(verb, "list") && argc == 2)
		return registry_list();
	if (!strcmp(verb, "attach") && argc == 3)
		return client_attach(argv[2], false);
	if (!strcmp(verb, "stop"))
		return stop(argv + 2);
	if (!strcmp(verb, "disk"))
		return disk_command(argv + 2);
	usage(STATUS_WRONG);
}
