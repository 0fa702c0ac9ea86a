/* The line discipline's other half: what a terminal makes of written characters (new lines, tabs,
 * columns), as Linux's n_tty.
 */
#include "libos/posix/tty.h"

static bool flag_o(struct tty *t, uint32_t f) { return t->settings.oflag & f; }

static const uint8_t blanks[8] = "        ";

bool tty_put_processed(struct tty *t, uint8_t c)
{
	size_t n;

	switch (c) {
	case '\n':
		if (!flag_o(t, ONLCR)) {
			t->column = flag_o(t, ONLRET) ? 0 : t->column;
			break;
		}
		if (t->driver->room(t) < 2)
			return false;
		t->column = t->line_column = 0;
		return t->driver->put(t, (const uint8_t *)"\r\n", 2);
	case '\r':
		if (flag_o(t, ONOCR) && t->column == 0)
			return true;
		if (flag_o(t, OCRNL))
			c = '\n';
		else
			t->line_column = 0;
		t->column = flag_o(t, OCRNL) && !flag_o(t, ONLRET) ? t->column : 0;
		break;
	case '\t':
		n = 8 - t->column % 8;
		if (t->driver->room(t) < n)
			return false;
		t->column += n;
		if ((t->settings.oflag & TABDLY) == XTABS)
			return t->driver->put(t, blanks, n);
		break;
	case '\b':
		t->column -= t->column > 0;
		break;
	default:
		if (!tty_control(c) && flag_o(t, OLCUC) && c >= 'a' && c <= 'z')
			c -= 32;
		t->column += !tty_control(c) && !tty_continuation(t, c);
	}
	return t->driver->put(t, &c, 1);
}

/* The length of the run of bytes that need no processing. */
static size_t plain_run(const uint8_t *p, size_t n)
{
	size_t k = 0;

	while (k < n && !tty_control(p[k]) && p[k] < 0x80)
		k++;
	return k;
}

size_t tty_put(struct tty *t, const uint8_t *bytes, size_t n)
{
	size_t done = 0;

	if (t->stopped)
		return 0;
	if (!flag_o(t, OPOST))
		return t->driver->put(t, bytes, n);
	while (done < n) {
		size_t run = flag_o(t, OLCUC) ? 0 : plain_run(bytes + done, n - done);

		if (run) {
			size_t took = t->driver->put(t, bytes + done, run);

			t->column += took;
			done += took;
			if (took < run)
				break;
		} else if (tty_put_processed(t, bytes[done])) {
			done++;
		} else {
			break;
		}
	}
	return done;
}
