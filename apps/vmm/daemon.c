/* A guest's daemon: starts the monitor, is its proxy, and connects the console with whoever is
 * attached.  Without anybody, the console's output is kept to a limit, the oldest given up first; with
 * somebody, nothing is lost: then a terminal that doesn't take it makes the guest wait. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "libos/common/domain_dev.h"
#include "libos/common/proxy.h"
#include "vmm.h"

#define BACKLOG		16384u		/* output kept for who attaches */
#define OUT_MAX		65536u		/* output on its way to the terminal */
#define OVERHEAD	(16ul << 20)	/* the monitor itself, and what it needs for each page */
#define OVERHEAD_OF(memory) (OVERHEAD + (memory) / 64)

static struct options *options;
static int device = -1, control = -1, input = -1, terminal = -1;
static int terminal_pid;
static bool waiting;		/* for the first terminal, which is to see all */
static bool stop_asked;
static union { struct domain_message head; uint8_t bytes[DOMAIN_MESSAGE_MAX]; } in, typed, reply;
#define PAYLOAD(message) ((message).bytes + sizeof(struct domain_message))
static size_t typed_left;	/* console input in `typed` that the monitor hasn't taken */
static char backlog[BACKLOG];
static size_t backlog_used;
static uint8_t out[OUT_MAX + BACKLOG + DOMAIN_MESSAGE_MAX + 64];
static size_t out_used;

_Noreturn static void fail(const char *what)
{
	fprintf(stderr, "vmm: %s: %s: %s\n", options->name, what, strerror(errno));
	exit(STATUS_BUG);
}

/* ---- to the terminal --------------------------------------------------------------------------- */

static void terminal_close(void)
{
	if (terminal >= 0)
		close(terminal);
	terminal = -1;
	terminal_pid = 0;
	out_used = 0;
}

static void terminal_flush(void)
{
	ssize_t n = write(terminal, out, out_used);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		terminal_close();
	if (n > 0) {
		out_used -= n;
		memmove(out, out + n, out_used);
	}
}

static void terminal_send(uint32_t type, uint32_t value, const void *bytes, size_t n)
{
	struct terminal_message m = { type, value };
	if (terminal < 0 || out_used + sizeof m + n > sizeof out)
		return;
	memcpy(out + out_used, &m, sizeof m);
	memcpy(out + out_used + sizeof m, bytes, n);
	out_used += sizeof m + n;
	terminal_flush();
}

static void backlog_add(const char *from, size_t n)
{
	if (n > BACKLOG) {
		from += n - BACKLOG;
		n = BACKLOG;
	}
	size_t over = backlog_used + n > BACKLOG ? backlog_used + n - BACKLOG : 0;
	backlog_used -= over;
	memmove(backlog, backlog + over, backlog_used);
	memcpy(backlog + backlog_used, from, n);
	backlog_used += n;
}

static void output(uint32_t type, const void *bytes, size_t n)
{
	backlog_add(bytes, n);
	terminal_send(type, n, bytes, n);
}

__attribute__((format(printf, 1, 2))) static void message(const char *format, ...)
{
	char text[300];
	va_list args;
	va_start(args, format);
	int n = snprintf(text, sizeof text, "vmm: %s: ", options->name);
	n += vsnprintf(text + n, sizeof text - n - 1, format, args);
	va_end(args);
	n = n < (int)sizeof text - 2 ? n : (int)sizeof text - 2;
	text[n++] = '\n';
	output(TERMINAL_ERR, text, n);
}

/* ---- the end ------------------------------------------------------------------------------------ */

static void end_keep(int status)
{
	FILE *f = fopen(control_path(options->name, "end"), "w");
	if (!f)
		return;
	fprintf(f, "%d\n", status);
	fwrite(backlog, 1, backlog_used, f);
	fclose(f);
}

_Noreturn static void end(int status)
{
	bool seen = terminal >= 0;
	close(device);
	if (!seen)
		end_keep(status);
	registry_leave(options->name, !seen);	/* the name is free before anybody hears of it */
	terminal_send(TERMINAL_END, status, NULL, 0);
	while (terminal >= 0 && out_used) {
		struct pollfd p = { .fd = terminal, .events = POLLOUT };
		poll(&p, 1, -1);
		terminal_flush();
	}
	exit(0);
}

static int status_of(unsigned status, const char *why, int length)
{
	switch (status) {
	case STATUS_OFF: case STATUS_WRONG: case STATUS_CRASH: case STATUS_STOPPED: case STATUS_REBOOT:
	case STATUS_BUG:
		return status;
	}
	message("the monitor failed (status %u)%s%.*s", status, length ? ": " : "", length, why);
	return STATUS_BUG;
}

static const char *start(void);

static void monitor_ended(void)
{
	int status = status_of(in.head.value, (char *)PAYLOAD(in), in.head.size);
	if (stop_asked)
		end(STATUS_STOPPED);
	if (status != STATUS_REBOOT)
		end(status);
	message("starts again");
	close(device);
	typed_left = 0;
	const char *error = start();
	if (error) {
		message("%s", error);
		end(STATUS_WRONG);
	}
}

/* ---- the monitor --------------------------------------------------------------------------------- */

static void tell(unsigned type, unsigned value)
{
	struct domain_message m = { type, value, 0, 0 };
	if (write(device, &m, sizeof m) < 0 && errno != EPIPE)
		fail("/dev/domain");
}

static void answer(void)
{
	struct domain_request q;
	memcpy(&q, PAYLOAD(in), sizeof q);
	int64_t result = files_serve(&q, PAYLOAD(in) + sizeof q);
	size_t data = q.op == PROXY_READ && result > 0 ? result : 0;
	reply.head = (struct domain_message){ DOMAIN_REPLY, in.head.value, sizeof result + data, 0 };
	memcpy(PAYLOAD(reply), &result, sizeof result);
	memcpy(PAYLOAD(reply) + sizeof result, PAYLOAD(in) + sizeof q, data);
	if (write(device, reply.bytes, sizeof reply.head + reply.head.size) < 0 && errno != EPIPE)
		fail("/dev/domain");
}

static void monitor_serve(void)
{
	ssize_t n = read(device, in.bytes, sizeof in.bytes);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < (ssize_t)sizeof in.head)
		fail("/dev/domain");
	switch (in.head.type) {
	case DOMAIN_OUT:
		output(in.head.value == 1 ? TERMINAL_OUT : TERMINAL_ERR, PAYLOAD(in), in.head.size);
		break;
	case DOMAIN_ASKED:
		answer();
		break;
	case DOMAIN_EXIT:
		monitor_ended();
	}
}

/* What was typed, as far as the monitor takes it: when it does, as a write that waits for that would
 * keep us from what the monitor asks for. */
static void typed_give(void)
{
	typed.head = (struct domain_message){ DOMAIN_IN, 0, typed_left, 0 };
	ssize_t took = write(device, typed.bytes, sizeof typed.head + typed_left);
	if (took < 0 && errno == EPIPE)
		typed_left = 0;		/* it ends */
	took -= sizeof typed.head;
	if (took <= 0)
		return;
	typed_left -= took;
	memmove(PAYLOAD(typed), PAYLOAD(typed) + took, typed_left);
}

static void typed_take(void)
{
	ssize_t n = read(input, PAYLOAD(typed), PROXY_IN_SIZE);
	if (n > 0)
		typed_left = n;
}

/* ---- those who ask ------------------------------------------------------------------------------------ */

static int terminal_open(int pid)
{
	char file[32];
	snprintf(file, sizeof file, "terminal.%d", pid);
	return open(control_path(options->name, file), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

static void attach(int pid)
{
	int fd = terminal_open(pid);
	if (fd < 0)
		return;
	if (terminal >= 0 && kill(terminal_pid, 0) == 0) {
		struct terminal_message m = { TERMINAL_TAKEN, terminal_pid };
		if (write(fd, &m, sizeof m) < 0)
			errno = 0;	/* it went away */
		close(fd);
		return;
	}
	terminal_close();
	terminal = fd;
	terminal_pid = pid;
	waiting = false;
	terminal_send(TERMINAL_OUT, backlog_used, backlog, backlog_used);
}

static void control_serve(void)
{
	struct control_message m;
	if (read(control, &m, sizeof m) != sizeof m)
		return;
	switch (m.type) {
	case CONTROL_ATTACH:
		attach(m.pid);
		break;
	case CONTROL_DETACH:
		if (m.pid == terminal_pid)
			terminal_close();
		break;
	case CONTROL_STOP:
		stop_asked = true;
		tell(DOMAIN_SIGNAL, SIGTERM);
		break;
	case CONTROL_KILL:
		message("destroyed");
		end(STATUS_STOPPED);
	}
}

_Noreturn static void serve_forever(void)
{
	for (;;) {
		bool room = !waiting && (terminal < 0 || out_used < OUT_MAX);
		struct pollfd p[4] = {
			{ .fd = device, .events = (room ? POLLIN : 0) | (typed_left ? POLLOUT : 0) },
			{ .fd = control, .events = POLLIN },
			{ .fd = typed_left ? -1 : input, .events = POLLIN },
			{ .fd = terminal, .events = out_used ? POLLOUT : 0 },
		};
		if (poll(p, 4, -1) < 0 && errno != EINTR)
			fail("poll");
		if (p[3].revents & POLLERR)
			terminal_close();
		else if (p[3].revents)
			terminal_flush();
		if (p[1].revents)
			control_serve();
		if (p[0].revents & POLLOUT)
			typed_give();
		if (p[2].revents)
			typed_take();
		if (p[0].revents & POLLIN && room)
			monitor_serve();
	}
}

/* ---- starting it --------------------------------------------------------------------------------------- */

static char strings[PROXY_ARGS_SIZE];

/* What there is no room for is counted all the same. */
static void word_add(struct domain_start *s, const char *word)
{
	size_t n = strlen(word) + 1;
	if (s->strings_size + n <= sizeof strings)
		memcpy(strings + s->strings_size, word, n);
	s->strings_size += n;
	s->argc++;
}

static void option_add(struct domain_start *s, const char *option, const char *value)
{
	word_add(s, option);
	word_add(s, value);
}

static void words_add(struct domain_start *s, const struct options *o)
{
	char text[32];
	snprintf(text, sizeof text, "vmm:%s", o->name);
	word_add(s, text);
	option_add(s, "--name", o->name);
	option_add(s, "--kernel", o->kernel);
	if (o->initrd)
		option_add(s, "--initrd", o->initrd);
	snprintf(text, sizeof text, "%lu", o->memory);
	option_add(s, "--mem", text);
	snprintf(text, sizeof text, "%u", o->vcpus);
	option_add(s, "--vcpus", text);
	for (unsigned i = 0; i < o->disks; i++)
		option_add(s, "--disk", o->disk[i]);
	option_add(s, "--append", o->append);
	if (o->no_patch)
		word_add(s, "--no-patch");
	if (o->stats)
		word_add(s, "--stats");
}

/* NULL, or why the guest cannot be had. */
static const char *start(void)
{
	static struct domain_start s;
	s = (struct domain_start){ .strings = (uintptr_t)strings };
	s.memory = options->memory + OVERHEAD_OF(options->memory);
	s.memory += files_disk_memory() + files_disk_memory() / 128;	/* and tables */
	words_add(&s, options);
	if (s.strings_size > sizeof strings)
		return "--append and the file names are too long";
	s.image = open(MONITOR, O_RDONLY | O_CLOEXEC);
	if (s.image < 0)
		fail(MONITOR);
	device = open("/dev/domain", O_RDWR | O_CLOEXEC);
	if (device < 0)
		fail("/dev/domain");
	if (ioctl(device, DOMAIN_START, &s) == 0)
		errno = 0;
	else if (errno == ENOMEM)
		snprintf(s.error, sizeof s.error, "not enough memory: a guest of %luM needs %luM",
			options->memory >> 20, s.memory >> 20);
	else if (!s.error[0])
		snprintf(s.error, sizeof s.error, "%s: %s", MONITOR, strerror(errno));
	close(s.image);
	return s.error[0] ? s.error : NULL;
}

static int fifo_open(const char *file)
{
	int fd = open(control_path(options->name, file), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		fail(file);
	return fd;
}

/* From here on, what the guest and we have to say goes to who is attached. */
static void streams_leave(void)
{
	int null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
}

_Noreturn void daemon_run(struct options *o, int ready)
{
	options = o;
	setsid();
	signal(SIGPIPE, SIG_IGN);
	files_open(o);
	registry_enter(o);
	control = fifo_open("control");
	input = fifo_open("input");
	const char *error = start();
	if (error) {
		registry_leave(o->name, false);
		refuse("%s: %s", o->name, error);
	}
	waiting = !o->detached;
	streams_leave();
	if (write(ready, o->name, strlen(o->name) + 1) < 0)
		waiting = false;	/* who started us is gone */
	close(ready);
	serve_forever();
}
