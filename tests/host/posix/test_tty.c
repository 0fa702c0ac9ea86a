/* Terminals: the line discipline by what is typed, shown and read; job control; the protocol. */
#include "libos/posix/tty.h"
#include "tests/host/posix/shim.h"

static long fd;

static void type(const char *text)
{
	console_input((const uint8_t *)text, strlen(text));
}

/* What has been shown since the last call. */
static const char *shown(void)
{
	line_out[line_length] = 0;
	line_length = 0;
	return (const char *)line_out;
}

static const char *read_line(void)
{
	static char text[5000];
	long n = SYS(read, fd, text, sizeof text - 1);

	CHECK(n >= 0, "read: %ld", n);
	text[n] = 0;
	return text;
}

static void terminal(void)
{
	IS(console_open(current_process()->files, false), 0);
	fd = 0;
	CHECK(current_process()->tty == &console, "no controlling terminal");
}

static struct linux_termios settings(void)
{
	struct linux_termios t;

	IS(SYS(ioctl, fd, TCGETS, &t), 0);
	return t;
}

static void settings_change(uint32_t iflag, uint32_t oflag, uint32_t lflag)	/* turned off */
{
	struct linux_termios t = settings();

	t.iflag &= ~iflag;
	t.oflag &= ~oflag;
	t.lflag &= ~lflag;
	IS(SYS(ioctl, fd, TCSETS, &t), 0);
}

TEST(tty_line)
{
	terminal();
	type("hello\r");
	TEXT_IS(shown(), "hello\r\n");
	TEXT_IS(read_line(), "hello\n");
	IS(SYS(write, fd, "a\tb\n", 4), 4);
	TEXT_IS(shown(), "a\tb\r\n");
}

TEST(tty_part_of_a_line)
{
	char buf[4];

	terminal();
	type("abcdef\nx\n");
	IS(SYS(read, fd, buf, 4), 4);
	TEXT_IS(read_line(), "ef\n");
	TEXT_IS(read_line(), "x\n");
}

TEST(tty_editing)
{
	terminal();
	type("ab\177c");
	TEXT_IS(shown(), "ab\b \bc");
	type("\025one two\027x\r");
	TEXT_IS(shown(), "\b \b\b \bone two\b \b\b \b\b \bx\r\n");
	TEXT_IS(read_line(), "one x\n");
	type("\003");
	shown();
	type("a\001b\177\177");
	TEXT_IS(shown(), "a^Ab\b \b\b \b\b \b");
	type("\t\177z\n");		/* the line began behind "^C": a tab from column 3 to 8 */
	TEXT_IS(shown(), "\t\b\b\b\b\bz\r\n");
	TEXT_IS(read_line(), "az\n");
}

TEST(tty_literal_and_reprint)
{
	terminal();
	type("x\026\003y\022");
	TEXT_IS(shown(), "x^\b^Cy^R\r\nx^Cy");
	type("\n");
	TEXT_IS(read_line(), "x\003y\n");
}

TEST(tty_end_of_file)
{
	char buf[3];

	terminal();
	type("\004");
	TEXT_IS(read_line(), "");
	type("ab\004");
	TEXT_IS(read_line(), "ab");
	type("abc\004x\n");
	IS(SYS(read, fd, buf, 3), 3);		/* its end goes with it */
	TEXT_IS(read_line(), "x\n");
}

TEST(tty_signals)
{
	struct process *me = current_process();

	terminal();
	type("lost\003");
	CHECK(signals_of(me) >> SIGINT & 1, "SIGINT");
	TEXT_IS(shown(), "lost^C");
	type("\034\032");
	CHECK(signals_of(me) >> SIGQUIT & 1 && signals_of(me) >> SIGTSTP & 1, "SIGQUIT, SIGTSTP");
	type("kept\n");
	TEXT_IS(read_line(), "kept\n");
	settings_change(0, 0, ISIG);
	signals_clear(me);
	type("\003\n");
	TEXT_IS(read_line(), "\003\n");
	IS(signals_of(me), 0);
}

TEST(tty_raw)
{
	struct linux_termios t;
	char buf[10] = "";
	uint64_t before;

	terminal();
	settings_change(ICRNL | IXON, OPOST, ICANON | ECHO | ISIG | IEXTEN);
	type("a\003\r");
	IS(SYS(read, fd, buf, 10), 3);
	TEXT_IS(buf, "a\003\r");
	TEXT_IS(shown(), "");
	t = settings();
	t.cc[VMIN] = 0;
	t.cc[VTIME] = 5;
	IS(SYS(ioctl, fd, TCSETS, &t), 0);
	before = now_ns;
	IS(SYS(read, fd, buf, 10), 0);
	IS(now_ns - before, 500000000);
	t.cc[VTIME] = 0;
	IS(SYS(ioctl, fd, TCSETS, &t), 0);
	IS(SYS(read, fd, buf, 10), 0);
	IS(now_ns - before, 500000000);
}

static char raw[10];
static long raw_result;

static void raw_reader(void)
{
	raw_result = SYS(read, fd, raw, 10);
}

TEST(tty_raw_minimum)
{
	struct linux_termios t;
	struct process *p;

	terminal();
	settings_change(0, 0, ICANON | ECHO);
	t = settings();
	t.cc[VMIN] = 3;
	IS(SYS(ioctl, fd, TCSETS, &t), 0);
	p = actor_start(raw_reader);
	type("ab");
	settle();
	CHECK(!actor_done(p), "two bytes were enough");
	type("cd");
	settle();
	IS(raw_result, 4);
	t.cc[VTIME] = 1;
	IS(SYS(ioctl, fd, TCSETS, &t), 0);
	type("x");
	raw_reader();				/* the gap after a byte ends it */
	IS(raw_result, 1);
}

TEST(tty_mode_change_keeps_input)
{
	terminal();
	type("part");
	settings_change(0, 0, ICANON);
	TEXT_IS(read_line(), "part");
}

TEST(tty_flow)
{
	terminal();
	IS(SYS(fcntl, fd, F_SETFL, O_NONBLOCK), 0);
	type("\023");
	IS(SYS(write, fd, "x", 1), -EAGAIN);
	type("\021");
	IS(SYS(write, fd, "x", 1), 1);
	TEXT_IS(shown(), "x");
}

static void background(void)
{
	char c;
	int32_t group;
	struct process *me = current_process();

	me->pgid = 55;
	raw_result = SYS(read, fd, &c, 1);
	CHECK(signals_of(me) >> SIGTTIN & 1, "SIGTTIN");
	signals_clear(me);
	IS(SYS(write, fd, "b", 1), 1);		/* no TOSTOP */
	group = 55;
	IS(SYS(ioctl, fd, TIOCSPGRP, &group), -ERESTARTSYS);
	CHECK(signals_of(me) >> SIGTTOU & 1, "SIGTTOU");
	signals_clear(me);
	signals_ignore(me, 1ull << SIGTTOU | 1ull << SIGTTIN);
	IS(SYS(read, fd, &c, 1), -EIO);
	IS(SYS(ioctl, fd, TIOCSPGRP, &group), 0);
	IS(SYS(ioctl, fd, TIOCGPGRP, &group), 0);
	IS(group, 55);
}

TEST(tty_job_control)
{
	int32_t group = 77;

	terminal();
	IS(SYS(ioctl, fd, TIOCGPGRP, &group), 0);
	IS(group, 1);
	group = 77;
	IS(SYS(ioctl, fd, TIOCSPGRP, &group), -ESRCH);
	actor_start(background);
	settle();
	IS(raw_result, -ERESTARTSYS);
}

TEST(tty_hang_up)
{
	struct process *me = current_process();
	char c;

	terminal();
	tty_hangup(me);
	CHECK(signals_of(me) >> SIGHUP & 1, "SIGHUP");
	CHECK(!me->tty, "the terminal is still there");
	IS(SYS(read, fd, &c, 1), 0);
	IS(SYS(write, fd, "x", 1), -EIO);
	CHECK(open_path("/dev/console", O_RDWR, 0) >= 0, "a new opening");
}

TEST(tty_window)
{
	struct linux_winsize w = { 24, 80, 0, 0 };

	terminal();
	IS(SYS(ioctl, fd, TIOCSWINSZ, &w), 0);
	CHECK(signals_of(current_process()) >> SIGWINCH & 1, "SIGWINCH");
	w.rows = 0;
	IS(SYS(ioctl, fd, TIOCGWINSZ, &w), 0);
	IS(w.rows, 24);
	IS(SYS(ioctl, open_path("/f", O_CREAT | O_RDWR, 0600), TIOCGWINSZ, &w), -ENOTTY);
}

TEST(tty_input_is_bounded)
{
	terminal();
	for (int k = 0; k < 5000; k++) {
		CHECK(console_room() > 0, "a line must always end");
		type("x");
	}
	type("\n");
	IS(strlen(read_line()), 4096);
}

TEST(tty_slow_line)
{
	struct process *p;

	terminal();
	line_limit = 0;
	p = actor_start(raw_reader);
	for (int k = 0; k < 65536; k += 4096) {
		static char text[4096];

		memset(text, 'x', sizeof text);
		IS(SYS(write, fd, text, sizeof text), 4096);
	}
	IS(SYS(fcntl, fd, F_SETFL, O_NONBLOCK), 0);
	IS(SYS(write, fd, "y", 1), -EAGAIN);
	line_limit = sizeof line_out;
	console_output_ready();
	IS(line_length, 65536);
	type("\n");
	settle();
	CHECK(actor_done(p), "the reader");
}

/* ---- pseudo-terminals ---- */

static long pty_open(long *slave)
{
	long master = open_path("/dev/ptmx", O_RDWR | O_NOCTTY, 0);
	int32_t n = -1, unlock = 0;
	char name[20];

	IS(SYS(ioctl, master, TIOCGPTN, &n), 0);
	snprintf(name, sizeof name, "/dev/pts/%d", n);
	IS(open_path(name, O_RDWR, 0), -EIO);
	IS(SYS(ioctl, master, TIOCSPTLCK, &unlock), 0);
	*slave = open_path(name, O_RDWR, 0);
	CHECK(*slave >= 0, "%s: %ld", name, *slave);
	return master;
}

TEST(pty_pair)
{
	char buf[20] = "";
	long slave, master = pty_open(&slave);
	size_t objects = objects_used();

	CHECK(current_process()->tty, "the first opened terminal is controlling");
	IS(SYS(write, master, "in\r", 3), 3);
	IS(SYS(read, slave, buf, 20), 3);
	TEXT_IS(buf, "in\n");
	IS(SYS(read, master, buf, 20), 4);		/* the echo */
	IS(SYS(write, slave, "out\n", 4), 4);
	memset(buf, 0, sizeof buf);
	IS(SYS(read, master, buf, 20), 5);
	TEXT_IS(buf, "out\r\n");
	IS(SYS(close, slave), 0);
	IS(SYS(read, master, buf, 20), -EIO);
	IS(SYS(close, master), 0);
	CHECK(!current_process()->tty, "the terminal is gone");
	CHECK(objects_used() < objects, "it leaked");
}

TEST(pty_master_closes)
{
	char c;
	long slave, master = pty_open(&slave);

	IS(SYS(close, master), 0);
	CHECK(signals_of(current_process()) >> SIGHUP & 1, "SIGHUP");
	IS(SYS(read, slave, &c, 1), 0);
	IS(SYS(close, slave), 0);
	IS(open_path("/dev/pts/0", O_RDWR, 0), -ENOENT);
}

/* ---- the run protocol ---- */

static void frame_type(char kind, const char *text)
{
	uint8_t head[3] = { kind, strlen(text), 0 };

	console_input(head, 3);
	type(text);
}

TEST(stream_frames)
{
	char buf[20] = "";

	IS(console_open(current_process()->files, true), 0);
	CHECK(line_length == 11 && !memcmp(line_out, "R\10\0VIRTUE 1", 11), "the first frame");
	line_length = 0;
	IS(SYS(write, 1, "hi", 2), 2);
	IS(SYS(write, 2, "err", 3), 3);
	CHECK(line_length == 11 && !memcmp(line_out, "O\2\0hiE\3\0err", 11), "the frames");
	frame_type('I', "data");
	frame_type('Z', "");
	IS(SYS(read, 0, buf, 20), 4);
	TEXT_IS(buf, "data");
	IS(SYS(read, 0, buf, 20), 0);
	session_pgid = 1;
	frame_type('C', "\2");
	CHECK(signals_of(current_process()) >> SIGINT & 1, "SIGINT");
	IS(SYS(lseek, 1, 0, SEEK_CUR), -ESPIPE);
	IS(SYS(ioctl, 1, TCGETS, buf), -ENOTTY);
}

TEST(stream_input_waits_for_the_reader)
{
	static uint8_t part[4096];
	uint8_t head[3] = { 'I', 0, 16 };
	size_t fed = 0;

	IS(console_open(current_process()->files, true), 0);
	while (console_room()) {
		console_input(head, 3);
		for (size_t left = sizeof part; left && console_room(); ) {
			size_t n = smaller(left, console_room());

			console_input(part, n);
			left -= n;
			fed += n;
		}
	}
	IS(fed, 65536);
	IS(SYS(read, 0, part, 4096), 4096);
	CHECK(console_room() > 0, "no room after a read");
}

TEST(stream_report)
{
	const char *want = "S\1\0\7G\14\0\0\0\0\0\11\0\0\0\0\0\0\0D\11\000123456789"
		"K\4\0\x26\x39\xf4\xcb"
		"G\14\0\1\0\2\0\0\0\0\0\0\0\0\0K\4\0\0\0\0\0B\0\0";

	IS(SYS(mkdir, "/run", 0755), 0);
	IS(SYS(mkdir, "/run/virtue", 0755), 0);
	write_file("/run/virtue/get", "/nine\n/none\n");
	write_file("/nine", "123456789");
	IS(console_open(current_process()->files, true), 0);
	line_length = 0;
	session_report(7);
	IS(line_length, 63);
	CHECK(!memcmp(line_out, want, 63), "the frames");
}
