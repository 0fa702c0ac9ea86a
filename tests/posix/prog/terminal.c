/*
 * Terminals, through a pseudo-terminal: what is shown of what is typed, what a reader gets, modes,
 * signals, job control, hang-up.
 */
#include "test.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <termios.h>

static int master, slave;

static void show_bytes(const char *what, const char *p, long n)
{
	printf("%s:", what);
	if (n < 0)
		printf(" %s", strerror(errno));
	for (long k = 0; k < n; k++)
		printf((unsigned char)p[k] > ' ' && p[k] < 127 ? "%c" : " %03o ",
			(unsigned char)p[k]);
	printf("\n");
}

static void shown(void)
{
	char buf[500];
	struct pollfd p = { master, POLLIN, 0 };
	long n = 0, part;

	while (n < 400 && poll(&p, 1, 60) > 0 && (part = read(master, buf + n, sizeof buf - n)) > 0)
		n += part;
	show_bytes("  shown", buf, n);
}

static void type(const char *text, size_t n)
{
	show_bytes("typed", text, n);
	if (write(master, text, n) < 0)
		perror("type");
	shown();
}
#define TYPE(text) type(text, sizeof text - 1)

static void get(size_t n)
{
	char buf[500];
	struct pollfd p = { slave, POLLIN, 0 };

	if (poll(&p, 1, 60) > 0)
		show_bytes("  read", buf, read(slave, buf, n));
	else
		printf("  nothing to read\n");
}

static void modes(int lflag_off, int iflag_off, int oflag_off)
{
	struct termios t;

	tcgetattr(slave, &t);
	t.c_lflag &= ~lflag_off;
	t.c_iflag &= ~iflag_off;
	t.c_oflag &= ~oflag_off;
	tcsetattr(slave, TCSANOW, &t);
}

static void lines(void)
{
	TYPE("hello\r");
	get(100);
	TYPE("ab\177c\177\177\177d\n");
	get(100);
	TYPE("one two  \027x y\025z\n");
	get(100);
	TYPE("a\001b\t\177\177\177c\n");
	get(100);
	TYPE("x\026\003y\022\n");
	get(100);
	TYPE("part of\n");
	get(3);
	get(100);
	TYPE("\004");
	get(100);
	TYPE("ab\004");
	get(2);
	get(100);
	TYPE("one\ntwo\n");
	get(100);
	get(100);
	printf("written %ld\n", (long)write(slave, "a\tb\n\r", 5));
	shown();
}

static void special(void)
{
	struct termios t, old;

	tcgetattr(slave, &old);
	t = old;
	t.c_lflag &= ~ECHOE;
	tcsetattr(slave, TCSANOW, &t);
	TYPE("ab\177\177\177\n");
	get(100);
	t = old;
	t.c_lflag &= ~ECHOKE;
	tcsetattr(slave, TCSANOW, &t);
	TYPE("ab\025c\n");
	get(100);
	t = old;
	t.c_lflag &= ~ECHOCTL;
	tcsetattr(slave, TCSANOW, &t);
	TYPE("a\001\002\177b\n");
	get(100);
	t = old;
	t.c_lflag |= ECHOPRT;
	tcsetattr(slave, TCSANOW, &t);
	TYPE("abc\177\177d\n");
	get(100);
	t = old;
	t.c_lflag = (t.c_lflag & ~ECHO) | ECHONL;
	tcsetattr(slave, TCSANOW, &t);
	TYPE("quiet\177t\n");
	get(100);
	t = old;
	t.c_cc[VEOL] = ';';
	t.c_cc[VERASE] = 'k';
	tcsetattr(slave, TCSANOW, &t);
	TYPE("abk;\n");
	get(100);
	get(100);
	t = old;
	t.c_iflag |= IUTF8;
	tcsetattr(slave, TCSANOW, &t);
	TYPE("a\303\274\177\177b\n");
	get(100);
	t = old;
	t.c_iflag = (t.c_iflag & ~ICRNL) | INLCR | ISTRIP;
	tcsetattr(slave, TCSANOW, &t);
	TYPE("\341\n\r");
	tcsetattr(slave, TCSANOW, &old);
	TYPE("\n");
	get(100);
	t = old;
	t.c_oflag &= ~ONLCR;
	t.c_oflag |= OCRNL | XTABS;
	tcsetattr(slave, TCSANOW, &t);
	printf("written %ld\n", (long)write(slave, "a\tb\n\r", 5));
	shown();
	tcsetattr(slave, TCSANOW, &old);
}

static void raw(void)
{
	struct termios t, old;
	int n;

	tcgetattr(slave, &old);
	TYPE("left over");
	modes(ICANON | ECHO | ISIG | IEXTEN, ICRNL | IXON, OPOST);
	get(4);
	get(100);
	TYPE("a\003\r\004");
	SHOW(ioctl(slave, FIONREAD, &n));
	SHOW(n);
	get(100);
	SHOW(write(slave, "x\n", 2));
	shown();
	tcgetattr(slave, &t);
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 1;
	tcsetattr(slave, TCSANOW, &t);
	SHOW(read(slave, &n, 1));
	t.c_cc[VTIME] = 0;
	tcsetattr(slave, TCSANOW, &t);
	SHOW(read(slave, &n, 1));
	t.c_cc[VMIN] = 3;
	tcsetattr(slave, TCSANOW, &t);
	TYPE("12");
	get(100);
	TYPE("3");
	get(100);
	fcntl(slave, F_SETFL, O_NONBLOCK);
	SHOW(read(slave, &n, 1));
	fcntl(slave, F_SETFL, 0);
	TYPE("gone");
	SHOW(tcflush(slave, TCIFLUSH));
	SHOW(ioctl(slave, FIONREAD, &n));
	SHOW(n);
	TYPE("gone");
	tcsetattr(slave, TCSAFLUSH, &old);
	TYPE("kept\n");
	get(100);
}

static const char *caught = "none";

static void catch(int sig)
{
	caught = sig == SIGINT ? "INT" : sig == SIGQUIT ? "QUIT" : sig == SIGTSTP ? "TSTP" :
		sig == SIGWINCH ? "WINCH" : sig == SIGTTIN ? "TTIN" :
		sig == SIGTTOU ? "TTOU" : "HUP";
}

static void show_caught(void)
{
	printf("  caught %s\n", caught);
	caught = "none";
}

static void signals(void)
{
	struct winsize w = { 10, 20, 0, 0 };

	for (int k = 0; k < 6; k++)
		signal(((int[]){ SIGINT, SIGQUIT, SIGTSTP, SIGWINCH, SIGTTIN, SIGTTOU })[k], catch);
	TYPE("lost\003");
	show_caught();
	TYPE("\034");
	show_caught();
	TYPE("\032");
	show_caught();
	get(10);
	modes(0, 0, 0);
	SHOW(ioctl(master, TIOCSWINSZ, &w));
	show_caught();
	SHOW(ioctl(master, TIOCSWINSZ, &w));
	show_caught();
	SHOW(ioctl(slave, TIOCGWINSZ, &w));
	SHOW(w.ws_row * 100 + w.ws_col);
	TYPE("\023");
	fcntl(slave, F_SETFL, O_NONBLOCK);
	SHOW(write(slave, "x", 1));
	TYPE("\021");
	SHOW(write(slave, "x", 1));
	shown();
	fcntl(slave, F_SETFL, 0);
}

static void background(void)
{
	char c;
	struct termios t;

	setpgid(0, 0);
	tcgetattr(slave, &t);
	signal(SIGTTIN, SIG_IGN);
	SHOW(read(slave, &c, 1));
	signal(SIGTTOU, SIG_IGN);
	SHOW(tcsetattr(slave, TCSANOW, &t));
	SHOW(write(slave, "bg", 2));
	SHOW(tcsetpgrp(slave, getpgrp()));
	SHOW(tcgetpgrp(slave) == getpgrp());
	SHOW(tcsetpgrp(slave, getppid()));
	signal(SIGTTIN, SIG_DFL);
	SHOW(read(slave, &c, 1));
}

static void stopped_by_read(void)
{
	char c;
	int status;
	pid_t pid = fork_clean();

	if (pid == 0) {
		setpgid(0, 0);
		signal(SIGTTIN, SIG_DFL);
		_exit(read(slave, &c, 1) + 10);
	}
	waitpid(pid, &status, WUNTRACED);
	show_status("background read", status);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	show_status("background read", status);
}

static void groups(void)
{
	SHOW(tcgetpgrp(slave) == getpgrp());
	SHOW(tcgetsid(slave) == getsid(0));
	SHOW(tcsetpgrp(slave, 1));
	SHOW(tcsetpgrp(slave, 99999));
	SHOW(ioctl(slave, TIOCSCTTY, 0));
	stopped_by_read();
	in_child("background", background);
	shown();
}

static void hang_up(void)
{
	char c;
	struct pollfd p = { slave, POLLIN, 0 };

	signal(SIGHUP, catch);
	close(master);
	show_caught();
	SHOW(poll(&p, 1, 0));
	SHOW(p.revents);
	SHOW(read(slave, &c, 1));
	SHOW(write(slave, "x", 1));
	SHOW(ioctl(slave, TIOCGWINSZ, &c));
	SHOW(open("/dev/tty", O_RDWR));
}

static void session(void)
{
	setsid();
	master = posix_openpt(O_RDWR | O_NOCTTY);
	CHECK(master);
	grantpt(master);
	SHOW(unlockpt(master));
	CHECK(open("/dev/tty", O_RDWR));
	slave = open(ptsname(master), O_RDWR);
	CHECK(slave);
	CHECK(open("/dev/tty", O_RDWR));
	SHOW(isatty(slave));
	SHOW(isatty(0));
	lines();
	special();
	raw();
	signals();
	groups();
	hang_up();
}

static void master_sees(void)
{
	char buf[10];
	struct pollfd p;

	master = posix_openpt(O_RDWR | O_NOCTTY);
	unlockpt(master);
	p = (struct pollfd){ master, POLLIN | POLLOUT, 0 };
	SHOW(poll(&p, 1, 0));
	SHOW(p.revents);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	SHOW(write(slave, "end\n", 4));
	close(slave);
	SHOW(read(master, buf, 10));
	SHOW(read(master, buf, 10));
	SHOW(poll(&p, 1, 0));
	SHOW(p.revents);
}

int main(void)
{
	mkdir("/dev/pts", 0755);
	mount("devpts", "/dev/pts", "devpts", 0, NULL);
	in_child("session", session);
	master_sees();
	return 0;
}
