/* A guest's terminal: copies between standard streams and the guest's daemon.
 *
 * On a terminal, that is put into raw mode, so that the guest's own line discipline has every key;
 * Ctrl-] alone stays ours and detaches. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include "vmm.h"

#define DETACH_KEY	0x1d
#define PART		4096

static const char *guest;
static char fifo_path[128];
static struct termios cooked;
static bool raw;

static void terminal_restore(void)
{
	if (raw)
		tcsetattr(0, TCSAFLUSH, &cooked);
	raw = false;
	unlink(fifo_path);
	rmdir(control_path(guest, ""));	/* where the guest left it empty */
}

static void terminal_raw(void)
{
	struct termios t;
	if (!isatty(0) || tcgetattr(0, &cooked) < 0)
		return;
	t = cooked;
	cfmakeraw(&t);
	raw = tcsetattr(0, TCSAFLUSH, &t) == 0;
}

static volatile sig_atomic_t interrupted;
static void on_signal(int signal) { interrupted = signal; }

/* Signals arrive only in ppoll. */
static void signals_take(sigset_t *while_waiting)
{
	static const int taken[] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP };
	struct sigaction act = { .sa_handler = on_signal };
	sigset_t block;
	sigemptyset(&block);
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
		sigaction(taken[i], &act, NULL);
		sigaddset(&block, taken[i]);
	}
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &block, while_waiting);
}

static void write_all(int fd, const char *from, size_t n)
{
	while (n) {
		ssize_t part = write(fd, from, n);
		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return;		/* nobody reads: the guest goes on */
		from += part;
		n -= part;
	}
}

static bool read_all(int fd, void *to, size_t n)
{
	while (n) {
		ssize_t part = read(fd, to, n);
		if (part < 0 && errno == EINTR)
			continue;
		if (part <= 0)
			return false;
		to = (char *)to + part;
		n -= part;
	}
	return true;
}

/* ---- the guest's output ------------------------------------------------------------------------------- */

static void copy_out(int from, int to, size_t n)
{
	char part[PART];
	while (n) {
		size_t now = n < PART ? n : PART;
		if (!read_all(from, part, now))
			return;
		write_all(to, part, now);
		n -= now;
	}
}

/* One message.  True: it was the last one. */
static bool output_take(int from, int *status)
{
	struct terminal_message m;
	if (!read_all(from, &m, sizeof m)) {
		fprintf(stderr, "vmm: %s: its process died\r\n", guest);
		*status = STATUS_BUG;
		return true;
	}
	switch (m.type) {
	case TERMINAL_OUT:
	case TERMINAL_ERR:
		copy_out(from, m.type, m.value);
		return false;
	case TERMINAL_TAKEN:
		fprintf(stderr, "vmm: %s: process %u is attached\r\n", guest, m.value);
		*status = STATUS_WRONG;
		return true;
	}
	*status = m.value;
	return true;
}

/* ---- the terminal's input ------------------------------------------------------------------------------- */

/* What the daemon hasn't taken yet.  To wait for it here would be for ever: it may be waiting for us
 * to take what the guest says. */
static char typed[PART];
static size_t typed_left;

static void typed_give(int to)
{
	ssize_t n = write(to, typed, typed_left);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		n = typed_left;		/* it ends */
	if (n <= 0)
		return;
	typed_left -= n;
	memmove(typed, typed + n, typed_left);
}

/* 1: detach; -1: end of file. */
static int input_take(int to)
{
	ssize_t n = read(0, typed, sizeof typed);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0)
		return -1;
	char *key = raw ? memchr(typed, DETACH_KEY, n) : NULL;
	typed_left = key ? key - typed : n;
	typed_give(to);
	return key != NULL;
}

static int detach(void)
{
	registry_tell(guest, CONTROL_DETACH);
	terminal_restore();
	fprintf(stderr, "vmm: %s runs on; vmm attach %s\n", guest, guest);
	return 0;
}

static int interrupt(bool owner)
{
	registry_tell(guest, owner && interrupted != SIGHUP ? CONTROL_KILL : CONTROL_DETACH);
	return 128 + interrupted;
}

static int serve(int from, int to, bool owner, const sigset_t *while_waiting)
{
	int status = 0, input = 0;
	for (;;) {
		struct pollfd p[3] = {
			{ .fd = from, .events = POLLIN },
			{ .fd = input < 0 || typed_left ? -1 : 0, .events = POLLIN },
			{ .fd = typed_left ? to : -1, .events = POLLOUT },
		};
		if (ppoll(p, 3, NULL, while_waiting) < 0 && errno != EINTR)
			return STATUS_BUG;
		if (interrupted)
			return interrupt(owner);
		if (p[0].revents && output_take(from, &status))
			return status;
		if (p[2].revents)
			typed_give(to);
		if (p[1].revents && (input = input_take(to)) > 0)
			return detach();
	}
}

/* ---- attaching ---------------------------------------------------------------------------------------------- */

/* A guest that ended while nobody watched: what it said last, and its status. */
static int end_show(void)
{
	int status;
	char part[PART];
	size_t n;
	FILE *f = name_valid(guest) ? fopen(control_path(guest, "end"), "r") : NULL;
	if (!f || fscanf(f, "%d", &status) != 1 || getc(f) != '\n')
		refuse("no guest is called %s", guest);
	while ((n = fread(part, 1, sizeof part, f)))
		write_all(1, part, n);
	fclose(f);
	registry_leave(guest, false);
	return status;
}

/* Open before the daemon is asked to write to it. */
static int fifo_make(void)
{
	char file[32];
	snprintf(file, sizeof file, "terminal.%d", getpid());
	strcpy(fifo_path, control_path(guest, file));
	unlink(fifo_path);
	int fd = mkfifo(fifo_path, 0600) < 0 ? -1 : open(fifo_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		refuse("%s: %s", fifo_path, strerror(errno));
	fcntl(fd, F_SETFL, 0);
	return fd;
}

int client_attach(const char *name, bool owner)
{
	sigset_t while_waiting;
	guest = name;
	if (!registry_pid(name))
		return end_show();
	signals_take(&while_waiting);
	int from = fifo_make();
	atexit(terminal_restore);
	int to = open(control_path(name, "input"), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (to < 0)
		refuse("%s: %s", control_path(name, "input"), strerror(errno));
	registry_tell(name, CONTROL_ATTACH);
	terminal_raw();
	int status = serve(from, to, owner, &while_waiting);
	terminal_restore();
	return status;
}
