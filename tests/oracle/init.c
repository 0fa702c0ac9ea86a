/*
 * The first process on Debian's Linux when Linux serves as the oracle: it runs one command as
 * Virtue's session does and speaks the same frames (docs/run-protocol.md) on COM2, so that the
 * host side is shared and what differs between two runs is the kernel alone.
 *
 * Left to others: the root file system (the same archive as Virtue's), the host's half of the
 * protocol (guest.py), and standard input from the host: here it is the file
 * /run/virtue/stdin, or empty.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define FRAME_MAX 4096
#define ENV_MAX 64

static int port;

static void die(const char *what)
{
	fprintf(stderr, "oracle init: %s: %s\n", what, strerror(errno));
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

static void write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die("write to COM2");
		p += n;
		size -= n;
	}
}

static void frame_send(char type, const void *payload, size_t size)
{
	char frame[3 + FRAME_MAX] = { type, size & 0xff, size >> 8 };

	memcpy(frame + 3, payload, size);
	write_all(port, frame, 3 + size);
}

/* The whole file with a zero byte after it, or NULL. */
static char *file_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text;
	ssize_t n;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) < 0 || !(text = malloc(st.st_size + 1)))
		die(path);
	n = read(fd, text, st.st_size);
	close(fd);
	text[n < 0 ? 0 : n] = 0;
	return text;
}

static void port_open(void)
{
	struct termios t;

	port = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (port < 0 || tcgetattr(port, &t) < 0)
		die("COM2");
	cfmakeraw(&t);
	t.c_cflag |= CLOCAL;
	cfsetspeed(&t, B115200);
	if (tcsetattr(port, TCSANOW, &t) < 0)
		die("COM2");
}

static void filesystems_mount(void)
{
	mkdir("/proc", 0555);
	mkdir("/dev", 0755);
	mkdir("/tmp", 01777);
	if (mount("proc", "/proc", "proc", 0, NULL) < 0)
		die("mount /proc");
	if (mount("dev", "/dev", "devtmpfs", 0, NULL) < 0)
		die("mount /dev");
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
}

/* The environment Virtue's session gives, then the NAME=value lines of /run/virtue/env. */
static char **environment(void)
{
	static char *env[ENV_MAX] = {
		"PATH=/sbin:/usr/sbin:/bin:/usr/bin", "HOME=/root", "USER=root", "SHELL=/bin/sh",
		"TERM=vt100",
	};
	int n = 5;
	char *line = file_read("/run/virtue/env");

	for (line = line ? strtok(line, "\n") : NULL; line && n < ENV_MAX - 1;
	     line = strtok(NULL, "\n"))
		env[n++] = line;
	return env;
}

static pid_t command_start(int out, int err)
{
	char *cmd = file_read("/run/virtue/cmd");
	char *argv[] = { "sh", "-c", cmd, NULL };
	char **env = environment();
	pid_t pid = fork();
	int in;

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	setsid();
	in = open("/run/virtue/stdin", O_RDONLY);
	if (in < 0)
		in = open("/dev/null", O_RDONLY);
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	if (in > 2)
		close(in);
	if (chdir("/root") < 0 && chdir("/") < 0)
		_exit(126);
	execve("/bin/sh", argv, env);
	_exit(127);
}

/* Forwards what is there to read; false when nothing came within the timeout. */
static bool streams_forward(struct pollfd p[2], const struct timespec *timeout,
			    const sigset_t *mask)
{
	char buf[FRAME_MAX];
	bool moved = false;

	if (ppoll(p, 2, timeout, mask) <= 0)
		return false;
	for (int i = 0; i < 2; i++) {
		ssize_t n = p[i].revents ? read(p[i].fd, buf, sizeof buf) : -1;

		if (n > 0) {
			frame_send(i ? 'E' : 'O', buf, n);
			moved = true;
		} else if (p[i].revents) {
			p[i].fd = -1;
		}
	}
	return moved;
}

static void child_ended(int sig)
{
	(void)sig;
}

/*
 * Forwards both pipes until the command has ended, then what they still hold: a daemon that the
 * command left behind keeps its end open and must not delay the verdict. Returns the status.
 */
static int command_finish(pid_t command, int out, int err)
{
	struct pollfd p[2] = { { out, POLLIN, 0 }, { err, POLLIN, 0 } };
	struct timespec now = { 0 };
	sigset_t blocked, open;
	int status;

	signal(SIGCHLD, child_ended);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &open);
	for (;;) {
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid == command)
			break;
		if (pid <= 0)
			streams_forward(p, NULL, &open);
	}
	while (streams_forward(p, &now, NULL))
		;
	return status;
}

static uint32_t crc32(uint32_t crc, const unsigned char *p, size_t n)
{
	crc = ~crc;
	while (n--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
	}
	return ~crc;
}

static void file_send(uint16_t index, const char *path)
{
	struct __attribute__((packed)) {
		uint16_t index, status;
		uint64_t size;
	} head = { .index = index };
	struct stat st = { 0 };
	int fd = open(path, O_RDONLY);
	uint32_t crc = 0;
	char buf[FRAME_MAX];
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		head.status = errno;
	head.size = st.st_size;
	frame_send('G', &head, sizeof head);
	while (fd >= 0 && (n = read(fd, buf, sizeof buf)) > 0) {
		crc = crc32(crc, (unsigned char *)buf, n);
		frame_send('D', buf, n);
	}
	frame_send('K', &crc, sizeof crc);
	if (fd >= 0)
		close(fd);
}

static void files_send(void)
{
	char *path = file_read("/run/virtue/get");
	uint16_t index = 0;

	for (path = path ? strtok(path, "\n") : NULL; path; path = strtok(NULL, "\n"))
		file_send(index++, path);
}

static unsigned char status_as_shell(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The own machine can be reached, as in Virtue's session. */
static void loopback_up(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	if (s >= 0) {
		ioctl(s, SIOCSIFFLAGS, &r);
		close(s);
	}
}

int main(void)
{
	int out[2], err[2];
	unsigned char code;
	pid_t pid;

	filesystems_mount();
	loopback_up();
	port_open();
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		die("pipe");
	frame_send('R', "VIRTUE 1", 8);
	pid = command_start(out[1], err[1]);
	close(out[1]);
	close(err[1]);
	code = status_as_shell(command_finish(pid, out[0], err[0]));
	frame_send('S', &code, 1);
	files_send();
	frame_send('B', NULL, 0);
	tcdrain(port);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
