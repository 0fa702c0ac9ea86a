/* The session's serial line as files see it: a ring of output bytes, the terminal on it, and the
 * way in.  In mode=frame the line carries the run protocol (stream.c) and there is no terminal; nor
 * is there one in an inner session (inner.c).
 *
 * Left to others: the UART (uart.c).
 */
#include "libos/posix/inner.h"
#include "libos/posix/poll.h"
#include "libos/posix/tty.h"

#define RING_SIZE 65536u		/* a power of two */

struct tty console;
bool session_framed;
int session_pgid;
struct wake line_writable;

static uint8_t ring[RING_SIZE];
static uint32_t ring_head, ring_tail;	/* bytes put and sent ever */

size_t line_queued(void)
{
	return ring_head - ring_tail;
}

size_t line_room(void)
{
	return RING_SIZE - line_queued();
}

/* Gives the UART what it takes. */
static void pump(void)
{
	while (ring_tail != ring_head) {
		uint32_t at = ring_tail % RING_SIZE;
		size_t n = smaller(line_queued(), RING_SIZE - at);
		size_t took = console_write_raw(ring + at, n);

		ring_tail += took;
		if (took < n)
			return;
	}
}

size_t line_put(const void *bytes, size_t n)
{
	n = smaller(n, line_room());
	for (size_t done = 0; done < n; ) {
		uint32_t at = ring_head % RING_SIZE;
		size_t part = smaller(n - done, RING_SIZE - at);

		memcpy(ring + at, (const uint8_t *)bytes + done, part);
		ring_head += part;
		done += part;
	}
	pump();
	return n;
}

void console_output_ready(void)
{
	pump();
	wake(&line_writable);
	wake(&console.writable);
}

/* ---- the terminal ---- */

static size_t console_put(struct tty *t, const uint8_t *bytes, size_t n)
{
	(void)t;
	return session_framed ? n : line_put(bytes, n);
}

static size_t console_put_room(struct tty *t)
{
	(void)t;
	return line_room();
}

static size_t console_queued(struct tty *t)
{
	(void)t;
	return session_framed ? 0 : line_queued();
}

static void console_flush(struct tty *t)
{
	(void)t;
	if (!session_framed)
		ring_tail = ring_head;
}

static void console_input_room(struct tty *t)
{
	(void)t;
	if (!session_framed)
		console_resume();
}

static const struct tty_driver driver = {
	.put = console_put,
	.room = console_put_room,
	.queued = console_queued,
	.flush = console_flush,
	.input_room = console_input_room,
};

size_t console_room(void)
{
	return session_framed ? stream_room() : tty_receive_room(&console);
}

void console_input(const uint8_t *bytes, size_t n)
{
	if (session_framed)
		stream_input(bytes, n);
	else
		tty_receive(&console, bytes, n);
}

/* ---- the session ---- */

static long terminal_open(struct files *files)
{
	struct file *f;
	long error = file_open_path(AT_FDCWD, "/dev/ttyS1", O_RDWR, 0, &f);

	for (int fd = 0; fd < 3 && !error; fd++) {
		file_get(f);
		error = fd_install_at(files, fd, f, false) < 0 ? -ENOMEM : 0;
	}
	if (!error)
		file_put(f);
	return error;
}

void console_init(void)
{
	tty_init(&console, &driver, MAKEDEV(4, 65));
}

long console_open(struct files *f, bool framed)
{
	session_framed = framed || inner;
	return inner ? inner_open(f) : framed ? stream_open(f) : terminal_open(f);
}

void session_report(int status)
{
	if (session_framed && !inner)
		stream_report(status);
	while (line_queued()) {
		sleep_on(&line_writable.queue, time_now() + 1000000);
		pump();
	}
}
