/* The folder /run/vmm: which guests there are, and the ways to their daemons.  A daemon that died
 * leaves its folder; the next guest of that name takes it over, as its lock is free. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "libos/common/domain_dev.h"
#include "vmm.h"

#define PATHS		8
#define DOMAINS		4096

const char *control_path(const char *name, const char *file)
{
	static char path[PATHS][sizeof RUN_FOLDER + NAME_LENGTH + 40];
	static unsigned next;
	char *to = path[next++ % PATHS];
	snprintf(to, sizeof path[0], RUN_FOLDER "/%.*s%s%.32s", NAME_LENGTH, name, *file ? "/" : "", file);
	return to;
}

/* ---- a daemon's entry ---------------------------------------------------------------------------- */

static void folder_make(const char *path)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		refuse("%s: %s", path, strerror(errno));
}

/* Takes the lock, which this process holds until its end; -1: another one has it. */
static int name_take(const char *name)
{
	int fd = -1;
	for (int again = 0; fd < 0 && again < 2; again++) {	/* a leaving one removed the folder */
		folder_make(control_path(name, ""));
		fd = open(control_path(name, "pid"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	}
	if (fd < 0)
		refuse("%s: %s", control_path(name, "pid"), strerror(errno));
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	close(fd);
	return -1;
}

static int name_choose(struct options *o)
{
	size_t n = strlen(o->name);
	int fd = name_take(o->name);
	if (fd < 0 && o->named)
		refuse("--name %s: a guest of that name runs", o->name);
	for (unsigned i = 2; fd < 0 && i < 100; i++) {
		sprintf(o->name + n, "-%u", i);
		fd = name_take(o->name);
	}
	if (fd < 0)
		refuse("too many guests are called %s", o->name);
	return fd;
}

static void fifo_make(const char *name, const char *file)
{
	const char *path = control_path(name, file);
	unlink(path);
	if (mkfifo(path, 0600) < 0)
		refuse("%s: %s", path, strerror(errno));
}

static void info_write(const struct options *o)
{
	FILE *f = fopen(control_path(o->name, "info"), "w");
	if (!f)
		refuse("%s: %s", control_path(o->name, "info"), strerror(errno));
	fprintf(f, "%lu %u\n", o->memory, o->vcpus);
	fclose(f);
}

void registry_enter(struct options *o)
{
	folder_make("/run");
	folder_make(RUN_FOLDER);
	int lock = name_choose(o);
	unlink(control_path(o->name, "end"));
	fifo_make(o->name, "control");
	fifo_make(o->name, "input");
	info_write(o);
	if (ftruncate(lock, 0) < 0 || dprintf(lock, "%d\n", getpid()) < 0)
		refuse("%s: %s", control_path(o->name, "pid"), strerror(errno));
}

void registry_leave(const char *name, bool keep_end)
{
	static const char *const files[] = { "info", "end", "control", "input", "pid" };
	for (size_t i = keep_end ? 2 : 0; i < sizeof files / sizeof *files; i++)
		unlink(control_path(name, files[i]));
	rmdir(control_path(name, ""));
}

/* ---- the others' view ------------------------------------------------------------------------------ */

/* The lock's file, and whether nobody has the lock. */
static int lock_open(const char *name, int how, bool *got)
{
	int fd = name_valid(name) ? open(control_path(name, "pid"), O_RDONLY | O_CLOEXEC) : -1;
	*got = fd >= 0 && !flock(fd, how);
	return fd;
}

int registry_pid(const char *name)
{
	bool free;
	char text[16] = "";
	int fd = lock_open(name, LOCK_SH | LOCK_NB, &free);
	if (fd < 0)
		return 0;
	if (!free && read(fd, text, sizeof text - 1) < 0)
		*text = 0;
	close(fd);
	return atoi(text);
}

static void on_alarm(int signal) { (void)signal; }

bool registry_wait(const char *name, unsigned seconds)
{
	bool free;
	struct sigaction act = { .sa_handler = on_alarm };	/* no SA_RESTART: flock ends */
	sigaction(SIGALRM, &act, NULL);
	alarm(seconds);
	int fd = lock_open(name, LOCK_SH, &free);
	alarm(0);
	if (fd >= 0)
		close(fd);
	return free || fd < 0;
}

void registry_tell(const char *name, enum control_type type)
{
	struct control_message m = { type, getpid() };
	int fd = open(control_path(name, "control"), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || write(fd, &m, sizeof m) != sizeof m)
		refuse("%s: %s", control_path(name, "control"), strerror(errno));
	close(fd);
}

/* ---- vmm list -------------------------------------------------------------------------------------- */

static struct domain_entry domains[DOMAINS];

static int domains_read(void)
{
	struct domain_list list = { (uintptr_t)domains, DOMAINS, 0 };
	int fd = open("/dev/domain", O_RDWR | O_CLOEXEC), n = fd < 0 ? -1 : ioctl(fd, DOMAIN_LIST, &list);
	if (n < 0)
		refuse("/dev/domain: %s", strerror(errno));
	close(fd);
	return n < DOMAINS ? n : DOMAINS;
}

static const struct domain_entry *domain_of(int pid, int n)
{
	for (int i = 0; i < n; i++)
		if (domains[i].pid == pid)
			return &domains[i];
	return NULL;
}

static int file_number(const char *name, const char *file, unsigned long *first, unsigned *second)
{
	FILE *f = fopen(control_path(name, file), "r");
	int n = f ? fscanf(f, "%lu %u", first, second) : 0;
	if (f)
		fclose(f);
	return n;
}

static void guest_print(const char *name, int n)
{
	unsigned long memory = 0, status;
	unsigned vcpus = 0, unused;
	int pid = registry_pid(name);
	const struct domain_entry *d = pid ? domain_of(pid, n) : NULL;
	char state[24] = "starting";
	file_number(name, "info", &memory, &vcpus);
	if (d)
		strcpy(state, d->state == 1 ? "stopped" : "running");
	else if (!pid && file_number(name, "end", &status, &unused))
		snprintf(state, sizeof state, "ended %lu", status);
	else if (!pid)
		return;
	printf("%-20s %6d %7luM %5u %10.2f %s\n", name, pid, memory >> 20, vcpus,
		d ? d->run_time / 1e9 : 0, state);
}

int registry_list(void)
{
	struct dirent **names;
	int domain_count = domains_read(), n = scandir(RUN_FOLDER, &names, NULL, alphasort);
	printf("%-20s %6s %8s %5s %10s %s\n", "NAME", "PID", "MEMORY", "VCPUS", "CPU-SEC", "STATE");
	for (int i = 0; i < n; i++)
		if (name_valid(names[i]->d_name))
			guest_print(names[i]->d_name, domain_count);
	return 0;
}
