/* domain [--mem SIZE] [--slices N] [--disk N[:[FIRST]+SIZE]] [--port N] [--inspect]
 *	-- PROGRAM ARGUMENTS...
 * domain --posix [--ports LIST] [--address A] [--mem SIZE] [--slices N] [-- PROGRAM ARGUMENTS...]
 *
 * Starts a program of another libOS, or another POSIX session, in a domain of its own and is its proxy: joins it to this
 * process's standard streams, passes signals and window size on, serves its file requests with this
 * process's permissions, and ends with its exit status.  The shell starts such programs through
 * this one.  The protocol is in docs/proxy.md; what a domain is, the session's libOS knows.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "libos/common/domain_dev.h"
#include "libos/common/proxy.h"

#define FILES_MAX	64
#define BLOCK		4096u	/* of extents */
#define IMPATIENT	2	/* seconds: a second Ctrl-C within them destroys the domain */

static int device = -1;
static int files[FILES_MAX];
static union { struct domain_message head; uint8_t bytes[DOMAIN_MESSAGE_MAX]; } in, out;
static uint8_t *const in_payload = in.bytes + sizeof(struct domain_message);
static uint8_t *const out_payload = out.bytes + sizeof(struct domain_message);
static int input_left;		/* bytes of standard input in `out` that the domain hasn't taken */
static bool input_open = true;

static void fail(const char *what)
{
	fprintf(stderr, "domain: %s: %s\n", what, strerror(errno));
	exit(126);
}

static long tell(unsigned type, unsigned value, size_t size)
{
	out.head = (struct domain_message){ type, value, size, 0 };
	return write(device, out.bytes, sizeof out.head + size);
}

/* For small messages while `out` may hold input. */
static void tell_short(unsigned type, unsigned value)
{
	struct domain_message m = { type, value, 0, 0 };
	if (write(device, &m, sizeof m) < 0 && errno != EPIPE)
		fail("/dev/domain");
}

/* ---- signals ------------------------------------------------------------------------- */

static volatile sig_atomic_t pending_signals[32];
static void on_signal(int signal) { pending_signals[signal] = 1; }

static void window_send(void)
{
	struct winsize w;
	if (ioctl(0, TIOCGWINSZ, &w) == 0)
		tell_short(DOMAIN_WINDOW, (unsigned)w.ws_row << 16 | w.ws_col);
}

static void signals_forward(void)
{
	static time_t last;
	for (int s = 1; s < 32; s++) {
		if (!pending_signals[s])
			continue;
		pending_signals[s] = 0;
		if (s == SIGWINCH)
			window_send();
		if (s == SIGINT) {
			time_t now = time(NULL);
			if (last && now - last <= IMPATIENT)
				exit(128 + SIGINT);	/* closing the device destroys it */
			last = now;
		}
		tell_short(DOMAIN_SIGNAL, s);
	}
}

/* Signals arrive only in ppoll. */
static void signals_take(sigset_t *while_waiting)
{
	static const int taken[] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGWINCH, SIGUSR1, SIGUSR2 };
	struct sigaction act = { .sa_handler = on_signal };
	sigset_t block;
	sigemptyset(&block);
	for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
		sigaction(taken[i], &act, NULL);
		sigaddset(&block, taken[i]);
	}
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &block, while_waiting);
}

/* ---- its files ------------------------------------------------------------------------ */

static int64_t result_of(int64_t n) { return n < 0 ? -errno : n; }

/* For PROXY_O_ALONE: as long as this process has it open.  What keeps nothing, anybody may have. */
static bool have_alone(int fd)
{
	struct stat s;
	return fstat(fd, &s) == 0 && (S_ISCHR(s.st_mode) || flock(fd, LOCK_EX | LOCK_NB) == 0);
}

static int64_t file_open(const char *path, uint32_t how)
{
	int flags = O_CLOEXEC, slot = 0;
	if (how & PROXY_O_WRITE)
		flags |= how & PROXY_O_READ ? O_RDWR : O_WRONLY;
	if (how & PROXY_O_CREATE)
		flags |= O_CREAT;
	if (how & PROXY_O_TRUNC)
		flags |= O_TRUNC;
	while (slot < FILES_MAX && files[slot] >= 0)
		slot++;
	if (slot == FILES_MAX)
		return -EMFILE;
	int fd = open(path, flags, 0666);
	if (fd < 0)
		return -errno;
	if (how & PROXY_O_ALONE && !have_alone(fd)) {
		int error = errno;
		close(fd);
		return -error;
	}
	files[slot] = fd;
	return slot;
}

static int64_t file_size(int fd)
{
	struct stat s;
	return fstat(fd, &s) < 0 ? -errno : s.st_size;
}

/* data: what the request sent, and where a read's bytes go. */
static int64_t serve(const struct domain_request *q, uint8_t *data)
{
	if (q->op == PROXY_OPEN)
		return file_open((char *)data, q->file);
	int fd = q->file < FILES_MAX ? files[q->file] : -1;
	switch (q->op) {
	case PROXY_READ:
		return result_of(pread(fd, data, q->length, q->offset));
	case PROXY_WRITE:
		return result_of(pwrite(fd, data, q->length, q->offset));
	case PROXY_GETSIZE:
		return file_size(fd);
	case PROXY_SETSIZE:
		return result_of(ftruncate(fd, q->offset));
	case PROXY_SYNC:
		return result_of(fsync(fd));
	case PROXY_CLOSE:
		if (fd >= 0)
			files[q->file] = -1;
		return result_of(close(fd));
	}
	return -EINVAL;
}

static void answer(void)
{
	static union { struct domain_message head; uint8_t bytes[DOMAIN_MESSAGE_MAX]; } reply;
	struct domain_request q;
	memcpy(&q, in_payload, sizeof q);
	int64_t result = serve(&q, in_payload + sizeof q);
	size_t data = q.op == PROXY_READ && result > 0 ? result : 0;
	reply.head = (struct domain_message){ DOMAIN_REPLY, in.head.value, sizeof result + data, 0 };
	memcpy(reply.bytes + sizeof reply.head, &result, sizeof result);
	memcpy(reply.bytes + sizeof reply.head + sizeof result, in_payload + sizeof q, data);
	if (write(device, reply.bytes, sizeof reply.head + reply.head.size) < 0 && errno != EPIPE)
		fail("/dev/domain");
}

/* ---- its streams ----------------------------------------------------------------------- */

static void output(int fd, const uint8_t *from, size_t n)
{
	while (n) {
		ssize_t part = write(fd, from, n);
		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0) {
			tell_short(DOMAIN_OUT_STOP, fd);
			return;
		}
		from += part;
		n -= part;
	}
}

static void take_message(void)
{
	ssize_t n = read(device, in.bytes, sizeof in.bytes);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < (ssize_t)sizeof in.head)
		fail("/dev/domain");
	switch (in.head.type) {
	case DOMAIN_OUT:
		output(in.head.value, in_payload, in.head.size);
		break;
	case DOMAIN_ASKED:
		answer();
		break;
	case DOMAIN_EXIT:
		if (in.head.size)
			fprintf(stderr, "domain: %.*s\n", (int)in.head.size, in_payload);
		exit(in.head.value);
	}
}

/* Standard input: what the domain doesn't take stays in `out`.  It is written when there is room: a
 * write that waits for that would keep us from what the domain asks for. */
static void give_input(void)
{
	if (!input_left) {
		ssize_t n = read(0, out_payload, PROXY_IN_SIZE);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			return;
		if (n <= 0) {
			input_open = false;
			tell_short(DOMAIN_IN_END, 0);
			return;
		}
		input_left = n;
		return;
	}
	long took = tell(DOMAIN_IN, 0, input_left);
	if (took < 0 && errno == EPIPE)
		input_open = false;
	took -= sizeof out.head;
	if (took <= 0)
		return;
	input_left -= took;
	memmove(out_payload, out_payload + took, input_left);
}

static void serve_forever(const sigset_t *while_waiting)
{
	for (;;) {
		struct pollfd p[2] = {
			{ .fd = device, .events = POLLIN | (input_left && input_open ? POLLOUT : 0) },
			{ .fd = input_open && !input_left ? 0 : -1, .events = POLLIN },
		};
		if (ppoll(p, 2, NULL, while_waiting) < 0 && errno != EINTR)
			fail("poll");
		signals_forward();
		if (p[0].revents & POLLIN)
			take_message();
		if (p[0].revents & POLLOUT || p[1].revents)
			give_input();
	}
}

/* ---- starting it ------------------------------------------------------------------------- */

/* As the shell finds a command. */
static int image_open(const char *name)
{
	char path[PATH_MAX];
	const char *dirs = getenv("PATH"), *end;
	if (strchr(name, '/') || !dirs)
		return open(name, O_RDONLY | O_CLOEXEC);
	for (; *dirs; dirs = *end ? end + 1 : end) {
		end = strchrnul(dirs, ':');
		snprintf(path, sizeof path, "%.*s/%s", (int)(end - dirs), dirs, name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	errno = ENOENT;
	return -1;
}

static size_t add_strings(char *to, size_t at, char **strings, uint32_t *count)
{
	for (; *strings; strings++) {
		size_t n = strlen(*strings) + 1;
		if (at + n > PROXY_ARGS_SIZE)
			break;			/* the rest of the environment is left out */
		memcpy(to + at, *strings, n);
		at += n;
		(*count)++;
	}
	return at;
}

static void start(char **argv, struct domain_start s)
{
	static char strings[PROXY_ARGS_SIZE];
	struct winsize w;
	const char *name = s.posix ? "posix" : argv[0];
	s.image = s.posix ? -1 : image_open(argv[0]);
	if (s.image < 0 && !s.posix) {
		fprintf(stderr, "domain: %s: %s\n", name, strerror(errno));
		exit(127);
	}
	size_t n = add_strings(strings, 0, argv, &s.argc);
	if (argv[s.argc]) {
		errno = E2BIG;
		fail(name);
	}
	s.strings_size = add_strings(strings, n, environ, &s.envc);
	s.strings = (uintptr_t)strings;
	if (ioctl(0, TIOCGWINSZ, &w) == 0) {
		s.rows = w.ws_row;
		s.columns = w.ws_col;
	}
	device = open("/dev/domain", O_RDWR | O_CLOEXEC);
	if (device < 0)
		fail("/dev/domain");
	if (ioctl(device, DOMAIN_START, &s) < 0) {
		fprintf(stderr, "domain: %s: %s\n", name, s.error[0] ? s.error : strerror(errno));
		exit(126);
	}
	if (!s.posix)
		close(s.image);
}

static void usage(void)
{
	fputs("usage: domain [--mem SIZE] [--slices N] [--disk N[:[FIRST]+SIZE]] [--port N] [--inspect]\n"
		"	-- PROGRAM [ARGUMENT...]\n"
		"or:    domain --posix [--ports LIST] [--address IPV4] [--mem SIZE] [--slices N]\n"
		"	[-- PROGRAM [ARGUMENT...]]\n"
		"sizes are bytes, or end with K, M or G; --disk gives it a part of the session's disk N\n"
		"that no other has (FIRST+SIZE, or up to SIZE of it), or all of it,\n"
		"--port the packets of a TCP port, --inspect the frame table and slice vectors to read;\n"
		"--posix is another session, whose sockets may be bound to the ports of LIST (8080,9000-9010),\n"
		"or have an address of their own\n", stderr);
	exit(2);
}

/* Up to the character `end`, behind which *text is then. */
static uint64_t size_parse_to(const char **text, char end)
{
	char *stop;
	uint64_t n = strtoull(*text, &stop, 10);
	if (stop == *text)
		usage();
	switch (*stop) {
	case 'G': n <<= 10;	/* fall through */
	case 'M': n <<= 10;	/* fall through */
	case 'K': n <<= 10; stop++;
	}
	if (*stop != end)
		usage();
	*text = stop + (end != 0);
	return n;
}

static uint64_t size_parse(const char *text)
{
	uint64_t n = size_parse_to(&text, 0);
	if (!n)
		usage();
	return n;
}

/* N[:[FIRST]+SIZE] */
static void disk_parse(const char *text, struct domain_start *s)
{
	if (!strchr(text, ':')) {
		s->disk = size_parse_to(&text, 0) + 1;
		return;
	}
	s->disk = size_parse_to(&text, ':') + 1;
	if (*text == '+') {
		s->disk_first = DOMAIN_ANYWHERE;
		text++;
	} else {
		s->disk_first = size_parse_to(&text, '+') / BLOCK;
	}
	s->disk_count = size_parse(text) / BLOCK;
	if (!s->disk_count)
		usage();
}

static uint16_t port_parse(const char *text)
{
	uint64_t port = size_parse(text);
	if (port > 65535)
		usage();
	return port;
}

/* N or N-N, and others behind commas */
static void ports_parse(const char *text, struct domain_start *s)
{
	for (const char *end; text; text = *end ? end + 1 : NULL) {
		unsigned first, last;
		int used = 0, more = 0;
		end = strchrnul(text, ',');
		if (sscanf(text, "%5u%n-%5u%n", &first, &used, &last, &more) < 2)
			last = first;
		used = more ? more : used;
		if (!used || text + used != end || last > 65535 || s->range_count == DOMAIN_RANGES)
			usage();
		s->range[s->range_count++] = (struct domain_ports){ first, last };
	}
}

/* Nobody else in the session is to have it, and the session's network, which answers who asks for the
 * address, has to be there: both by a socket that is bound, and never closed. */
static void port_reserve(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0) {
		fprintf(stderr, "domain: port %u: %s\n", port, strerror(errno));
		exit(126);
	}
}

int main(int argc, char **argv)
{
	struct domain_start s = { 0 };
	sigset_t while_waiting;
	int i = 1;
	for (; i < argc && argv[i][0] == '-'; i += 2) {
		if (!strcmp(argv[i], "--")) {
			i++;
			break;
		}
		if (!strcmp(argv[i], "--inspect")) {
			s.inspect = 1;
			i--;
			continue;
		}
		if (!strcmp(argv[i], "--posix")) {
			s.posix = 1;
			i--;
			continue;
		}
		if (i + 1 == argc)
			usage();
		if (!strcmp(argv[i], "--mem"))
			s.memory = size_parse(argv[i + 1]);
		else if (!strcmp(argv[i], "--slices"))
			s.slices = size_parse(argv[i + 1]);
		else if (!strcmp(argv[i], "--disk"))
			disk_parse(argv[i + 1], &s);
		else if (!strcmp(argv[i], "--port"))
			s.port = port_parse(argv[i + 1]);
		else if (!strcmp(argv[i], "--ports"))
			ports_parse(argv[i + 1], &s);
		else if (!strcmp(argv[i], "--address") && inet_pton(AF_INET, argv[i + 1], s.address) == 1 &&
			 s.address[0])
			continue;
		else
			usage();
	}
	if (s.posix ? s.port || (s.range_count && s.address[0]) : i >= argc || s.range_count || s.address[0])
		usage();
	memset(files, -1, sizeof files);
	if (s.port)
		port_reserve(s.port);
	signals_take(&while_waiting);
	start(argv + i, s);
	serve_forever(&while_waiting);
}
