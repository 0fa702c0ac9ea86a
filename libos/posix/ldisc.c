/* The line discipline: what a terminal makes of typed characters (editing, signals, echo).  It
 * behaves as Linux's n_tty.
 *
 * Left to others: written characters (ldisc_out.c); who may read and write, and sleeping (tty.c);
 * the line itself (the driver).
 */
#include "libos/posix/tty.h"

#define MASK (TTY_BUFFER - 1)

static bool flag_i(struct tty *t, uint32_t f) { return t->settings.iflag & f; }
static bool flag_l(struct tty *t, uint32_t f) { return t->settings.lflag & f; }

static bool is(struct tty *t, int which, uint8_t c)
{
	return t->settings.cc[which] != NO_CHAR && t->settings.cc[which] == c;
}

void tty_init(struct tty *t, const struct tty_driver *driver, uint64_t rdev)
{
	static const uint8_t cc[NCCS] = {
		3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22 };

	*t = (struct tty){ .driver = driver, .rdev = rdev };
	t->settings = (struct linux_termios){
		.iflag = ICRNL | IXON, .oflag = OPOST | ONLCR,
		.cflag = B38400 | CS8 | CREAD | HUPCL,
		.lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	};
	memcpy(t->settings.cc, cc, sizeof cc);
}

/* ---- echo ---- */

static void echo_raw(struct tty *t, uint8_t c)
{
	if (t->settings.oflag & OPOST)
		tty_put_processed(t, c);
	else
		t->driver->put(t, &c, 1);
}

static void echo_caret(struct tty *t, uint8_t c)
{
	echo_raw(t, '^');
	echo_raw(t, c ^ 0100);
}

static void echo(struct tty *t, uint8_t c)
{
	if (flag_l(t, ECHOCTL) && tty_control(c) && c != '\t')
		echo_caret(t, c);
	else
		echo_raw(t, c);
}

static void echo_rubout(struct tty *t)
{
	echo_raw(t, '\b');
	echo_raw(t, ' ');
	echo_raw(t, '\b');
}

static void erasing_end(struct tty *t)
{
	if (t->erasing)
		echo_raw(t, '/');
	t->erasing = false;
}

/* ---- the buffer ---- */

static void end_mark(struct tty *t, uint32_t at, bool on)
{
	uint64_t bit = 1ull << at % 64, *word = &t->line_end[(at & MASK) / 64];

	*word = on ? *word | bit : *word & ~bit;
}

static bool end_marked(struct tty *t, uint32_t at)
{
	return t->line_end[(at & MASK) / 64] >> at % 64 & 1;
}

static void store(struct tty *t, uint8_t c)
{
	if (t->head - t->tail >= TTY_BUFFER)
		return;
	t->buffer[t->head & MASK] = c;
	end_mark(t, t->head, false);
	t->head++;
}

static void store_line_end(struct tty *t, uint8_t c)
{
	if (t->head - t->tail >= TTY_BUFFER)
		t->head--;
	store(t, c);
	end_mark(t, t->head - 1, true);
	t->lines_end = t->head;
	wake(&t->readable);
}

size_t tty_receive_room(struct tty *t)
{
	size_t room = TTY_BUFFER - (t->head - t->tail);

	/* A line being typed is never in its own way: what is too much is dropped. */
	return !room && flag_l(t, ICANON) && t->lines_end == t->tail ? 1 : room;
}

size_t tty_input_bytes(struct tty *t)
{
	return (flag_l(t, ICANON) ? t->lines_end : t->head) - t->tail;
}

bool tty_readable(struct tty *t, bool for_poll)
{
	const uint8_t *cc = t->settings.cc;
	size_t need = for_poll && !cc[VTIME] && cc[VMIN] ? cc[VMIN] : 1;

	if (flag_l(t, ICANON))
		return t->lines_end != t->tail;
	return t->head - t->tail >= need;
}

size_t tty_take(struct tty *t, uint8_t *to, size_t n, bool *end)
{
	bool canon = flag_l(t, ICANON);
	size_t done = 0;

	*end = false;
	while (!*end && t->tail != (canon ? t->lines_end : t->head)) {
		uint8_t c = t->buffer[t->tail & MASK];
		bool last = canon && end_marked(t, t->tail), is_eof = last && c == NO_CHAR;

		if (done == n && !is_eof)
			break;
		if (!is_eof)
			to[done++] = c;
		t->tail++;
		*end = last;
	}
	if (t->driver->input_room)
		t->driver->input_room(t);
	return done;
}

void tty_flush_input(struct tty *t)
{
	t->tail = t->lines_end = t->head;
	t->literal = t->erasing = false;
	if (t->driver->input_room)
		t->driver->input_room(t);
}

void tty_settings_changed(struct tty *t, const struct linux_termios *old)
{
	if ((old->lflag ^ t->settings.lflag) & ICANON) {
		memset(t->line_end, 0, sizeof t->line_end);
		t->lines_end = t->tail;
		if (flag_l(t, ICANON) && t->head != t->tail) {
			end_mark(t, t->head - 1, true);
			t->lines_end = t->head;
		}
		t->literal = t->erasing = false;
	}
	if (!flag_i(t, IXON) && t->stopped) {
		t->stopped = false;
		wake(&t->writable);
	}
	wake(&t->readable);
}

/* ---- editing ---- */

/* The columns that a tab at position `at` of the line being typed took. */
static unsigned tab_width(struct tty *t, uint32_t at)
{
	uint32_t column = t->line_column;

	for (uint32_t k = t->lines_end; k != at; k++) {
		uint8_t c = t->buffer[k & MASK];

		if (c == '\t')
			column += 8 - column % 8;
		else if (tty_control(c))
			column += flag_l(t, ECHOCTL) ? 2 : 0;
		else
			column += !tty_continuation(t, c);
	}
	return 8 - column % 8;
}

static void echo_erased(struct tty *t, uint8_t c, uint32_t at, uint32_t length, bool by_char)
{
	if (flag_l(t, ECHOPRT)) {
		if (!t->erasing)
			echo_raw(t, '\\');
		t->erasing = true;
		for (uint32_t k = 0; k < length; k++)
			echo(t, t->buffer[(at + k) & MASK]);
	} else if (by_char && !flag_l(t, ECHOE)) {
		echo(t, t->settings.cc[VERASE]);
	} else if (c == '\t') {
		for (unsigned k = tab_width(t, at); k; k--)
			echo_raw(t, '\b');
	} else {
		if (tty_control(c) && flag_l(t, ECHOCTL))
			echo_rubout(t);
		if (!tty_control(c) || flag_l(t, ECHOCTL))
			echo_rubout(t);
	}
}

static bool word_char(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		c == '_' || c >= 0xc0;
}

/* Takes characters off the line being typed: one, a word, or all. */
static void erase(struct tty *t, int what)
{
	bool in_word = false;

	while (t->head != t->lines_end) {
		uint32_t at = t->head;
		uint8_t c;

		do
			c = t->buffer[--at & MASK];
		while (tty_continuation(t, c) && at != t->lines_end);
		if (tty_continuation(t, c))
			break;
		if (what == VWERASE) {
			if (!word_char(c) && in_word)
				break;
			in_word = in_word || word_char(c);
		}
		if (flag_l(t, ECHO))
			echo_erased(t, c, at, t->head - at, what == VERASE);
		t->head = at;
		if (what == VERASE)
			break;
	}
	if (t->head == t->lines_end && flag_l(t, ECHO))
		erasing_end(t);
}

static void kill_line(struct tty *t)
{
	bool quiet = !flag_l(t, ECHO);

	if (!quiet && flag_l(t, ECHOK) && flag_l(t, ECHOKE) && flag_l(t, ECHOE)) {
		erase(t, VKILL);
		return;
	}
	t->head = t->lines_end;
	if (quiet)
		return;
	erasing_end(t);
	echo(t, t->settings.cc[VKILL]);
	if (flag_l(t, ECHOK))
		echo_raw(t, '\n');
}

static void reprint(struct tty *t)
{
	erasing_end(t);
	echo(t, t->settings.cc[VREPRINT]);
	echo_raw(t, '\n');
	for (uint32_t k = t->lines_end; k != t->head; k++)
		echo(t, t->buffer[k & MASK]);
}

static void store_echoed(struct tty *t, uint8_t c)
{
	if (flag_l(t, ECHO)) {
		erasing_end(t);
		if (t->lines_end == t->head)
			t->line_column = t->column;
		if (c == '\n')
			echo_raw(t, c);
		else
			echo(t, c);
	}
	if (flag_i(t, PARMRK) && c == 0xff)
		store(t, c);
	store(t, c);
}

/* ---- special characters: true if c was one ---- */

static bool receive_flow(struct tty *t, uint8_t c)
{
	if (!flag_i(t, IXON))
		return false;
	if (is(t, VSTOP, c)) {
		t->stopped = true;
		return true;
	}
	if (is(t, VSTART, c) || (t->stopped && flag_i(t, IXANY))) {
		t->stopped = false;
		wake(&t->writable);
		return is(t, VSTART, c);
	}
	return false;
}

static bool receive_signal(struct tty *t, uint8_t c)
{
	int sig = is(t, VINTR, c) ? SIGINT : is(t, VQUIT, c) ? SIGQUIT :
		is(t, VSUSP, c) ? SIGTSTP : 0;

	if (!sig || !flag_l(t, ISIG))
		return false;
	if (!flag_l(t, NOFLSH)) {
		tty_flush_input(t);
		t->driver->flush(t);
	}
	t->stopped = false;
	if (flag_l(t, ECHO))
		echo(t, c);
	wake(&t->writable);
	tty_signal(t, sig);
	return true;
}

static bool receive_editing(struct tty *t, uint8_t c)
{
	bool extended = flag_l(t, IEXTEN);

	if (is(t, VERASE, c)) {
		erase(t, VERASE);
	} else if (is(t, VKILL, c)) {
		kill_line(t);
	} else if (extended && is(t, VWERASE, c)) {
		erase(t, VWERASE);
	} else if (extended && is(t, VLNEXT, c)) {
		t->literal = true;
		if (flag_l(t, ECHO)) {
			erasing_end(t);
			if (flag_l(t, ECHOCTL)) {
				echo_raw(t, '^');
				echo_raw(t, '\b');
			}
		}
	} else if (extended && flag_l(t, ECHO) && is(t, VREPRINT, c)) {
		reprint(t);
	} else {
		return false;
	}
	return true;
}

static bool receive_line_end(struct tty *t, uint8_t c)
{
	if (c == '\n') {
		if (flag_l(t, ECHO) || flag_l(t, ECHONL))
			echo_raw(t, '\n');
	} else if (is(t, VEOF, c)) {
		c = NO_CHAR;
	} else if (is(t, VEOL, c) || (flag_l(t, IEXTEN) && is(t, VEOL2, c))) {
		if (flag_l(t, ECHO)) {
			if (t->lines_end == t->head)
				t->line_column = t->column;
			echo(t, c);
		}
	} else {
		return false;
	}
	store_line_end(t, c);
	return true;
}

static void receive(struct tty *t, uint8_t c)
{
	if (flag_i(t, ISTRIP))
		c &= 0x7f;
	if (flag_i(t, IUCLC) && flag_l(t, IEXTEN) && c >= 'A' && c <= 'Z')
		c += 32;
	if (t->literal) {
		t->literal = false;
		store_echoed(t, c);
		return;
	}
	if (receive_flow(t, c) || receive_signal(t, c))
		return;
	if (c == '\r' && flag_i(t, IGNCR))
		return;
	if (c == '\r' && flag_i(t, ICRNL))
		c = '\n';
	else if (c == '\n' && flag_i(t, INLCR))
		c = '\r';
	if (flag_l(t, ICANON) && (receive_editing(t, c) || receive_line_end(t, c)))
		return;
	if (flag_l(t, ICANON) && t->head - t->tail >= TTY_BUFFER - 1) {
		if (flag_i(t, IMAXBEL))
			echo_raw(t, 7);
		return;
	}
	store_echoed(t, c);
}

void tty_receive(struct tty *t, const uint8_t *bytes, size_t n)
{
	if (!(t->settings.cflag & CREAD))
		return;
	for (size_t k = 0; k < n; k++)
		receive(t, bytes[k]);
	if (tty_readable(t, false))
		wake(&t->readable);
}
