/* Terminals: the line discipline (ldisc.c), the calls on a terminal (tty.c), and the two kinds of
 * line behind one: the session's serial line (console.c) and pseudo-terminals (pty.c).
 */
#ifndef POSIX_TTY_H
#define POSIX_TTY_H

#include "libos/posix/vfs.h"

#define TTY_BUFFER 4096u		/* a power of two */

struct tty;

/* The line behind a terminal. */
struct tty_driver {
	size_t (*put)(struct tty *t, const uint8_t *bytes, size_t n);	/* how many it took */
	size_t (*room)(struct tty *t);
	size_t (*queued)(struct tty *t);	/* bytes not sent yet */
	void (*flush)(struct tty *t);		/* forgets them */
	void (*input_room)(struct tty *t);	/* the terminal can take input again */
	void (*closed)(struct tty *t);		/* its last file is; may free it */
	/* The last two may be NULL. */
};

struct tty {
	const struct tty_driver *driver;
	void *data;				/* of the driver */
	struct linux_termios settings;
	struct linux_winsize size;
	int session, foreground;		/* 0 = none */
	uint64_t rdev;
	uint32_t hangups;			/* files opened before the last are dead */
	uint32_t users;				/* open files */

	/* Input: counters of bytes ever; place in buffer: modulo its size. */
	uint8_t buffer[TTY_BUFFER];
	uint64_t line_end[TTY_BUFFER / 64];	/* bit: this byte ends a line */
	uint32_t head, lines_end, tail;		/* written; behind the last whole line; read */
	bool literal;				/* the next is taken as it is (VLNEXT) */
	bool erasing;
	bool stopped;				/* Ctrl-S */
	uint32_t column, line_column;		/* of the output; where the line typed began */
	struct wake readable, writable;
};

/* ---- ldisc.c, ldisc_out.c ---- */

#define NO_CHAR 0			/* a cc of this value means: none */

void tty_init(struct tty *t, const struct tty_driver *driver, uint64_t rdev);
void tty_receive(struct tty *t, const uint8_t *bytes, size_t n);
size_t tty_receive_room(struct tty *t);
bool tty_readable(struct tty *t, bool for_poll);
size_t tty_input_bytes(struct tty *t);
/* Takes input out: in canonical mode at most one line (or what is left of it). */
size_t tty_take(struct tty *t, uint8_t *to, size_t n, bool *end);
static inline bool tty_control(uint8_t c) { return c < 32 || c == 127; }
static inline bool tty_continuation(struct tty *t, uint8_t c)	/* of a UTF-8 character */
{
	return (t->settings.iflag & IUTF8) && (c & 0xc0) == 0x80;
}
/* One character with its processing; false: no room for all of it. */
bool tty_put_processed(struct tty *t, uint8_t c);
/* Processed output: how many bytes of the caller's went out. */
size_t tty_put(struct tty *t, const uint8_t *bytes, size_t n);
void tty_flush_input(struct tty *t);
void tty_settings_changed(struct tty *t, const struct linux_termios *old);

/* ---- tty.c ---- */

extern const struct file_ops tty_ops;		/* file.data: the terminal */
long tty_attach(struct tty *t, struct file *f);	/* an open file of it; may become controlling */
void tty_signal(struct tty *t, int sig);		/* to the foreground group */
void tty_lost(struct tty *t);			/* the line is gone: SIGHUP, end of file */
void tty_resize(struct tty *t, const struct linux_winsize *size);
long tty_ioctl(struct tty *t, struct file *f, uint32_t command, uint64_t arg);

/* ---- console.c ---- */

extern struct tty console;
void console_init(void);
extern bool session_framed;
/* Bytes for the serial line: how many there was room for. */
size_t line_put(const void *bytes, size_t n);
size_t line_room(void);
size_t line_queued(void);
extern struct wake line_writable;

/* ---- stream.c: the run protocol ---- */

size_t stream_room(void);
void stream_input(const uint8_t *bytes, size_t n);
long stream_open(struct files *f);
void stream_report(int status);

/* ---- pty.c ---- */

struct super *pts_new(void);
long ptmx_open(struct file *f);

#endif
