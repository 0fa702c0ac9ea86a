/* The run protocol on the session's line (docs/run-protocol.md, mode=frame): standard output and
 * error as frames, standard input from frames, and at the end the status and the files asked for.
 */
#include "libos/posix/pipe.h"
#include "libos/posix/poll.h"
#include "libos/posix/tty.h"

#define FRAME_MAX	4096u
#define HEAD		3u

static struct file *stdin_writer;	/* feeds standard input; NULL: none, or ended */
static bool over;			/* the status is out: what else is written goes nowhere */

/* ---- frames out ---- */

/* Sends a frame; there must be room. */
static void frame_emit(char type, const void *payload, size_t n)
{
	uint8_t head[HEAD] = { type, n & 0xff, n >> 8 };

	line_put(head, HEAD);
	line_put(payload, n);
}

static void frame_send(char type, const void *payload, size_t n)
{
	while (line_room() < HEAD + n) {
		sleep_on(&line_writable.queue, time_now() + 1000000);
		console_output_ready();
	}
	frame_emit(type, payload, n);
}

/* ---- standard output and error ---- */

static long stream_write(struct file *f, struct iter *from, uint64_t *pos)
{
	uint8_t part[512];
	size_t done = 0;
	long error = 0;

	(void)pos;
	while (from->left && !error) {
		size_t n = smaller(from->left, sizeof part), got;

		if (over) {
			done += from->left;
			break;
		}
		if (line_room() < HEAD + n) {
			error = f->flags & O_NONBLOCK ? -EAGAIN :
				sleep_on(&line_writable.queue, NEVER);
			continue;
		}
		got = iter_take(from, part, n);
		if (got)
			frame_emit(f->inode->number, part, got);
		done += got;
		if (got < n)
			error = -EFAULT;
	}
	return done ? (long)done : error;
}

static uint32_t stream_poll(struct file *f, struct pollset *set)
{
	(void)f;
	pollset_add(set, &line_writable);
	return line_room() >= HEAD + PIPE_BUF ? POLLOUT | POLLWRNORM : 0;
}

static const struct file_ops stream_ops = {
	.write = stream_write,
	.poll = stream_poll,
};

static long stream_install(struct files *files, int fd, char type)
{
	struct file *f;
	long error = file_anonymous(&stream_ops, S_IFIFO | 0600, "pipe:[%lu]", O_WRONLY, NULL, &f);

	if (error)
		return error;
	f->inode->number = type;
	error = fd_install_at(files, fd, f, false);
	return error < 0 ? error : 0;
}

/* ---- frames in ---- */

static struct {
	uint8_t head[HEAD];
	unsigned have;			/* bytes of the head */
	uint32_t left;			/* of the payload */
	uint8_t payload[8];		/* of the short kinds */
	unsigned filled;
} in;

static void stdin_end(void)
{
	if (stdin_writer)
		file_put(stdin_writer);
	stdin_writer = NULL;
}

static uint16_t word(unsigned at)
{
	return in.payload[at] | in.payload[at + 1] << 8;
}

static void frame_over(void)
{
	in.have = 0;
	switch (in.head[0]) {
	case 'Z':
		stdin_end();
		break;
	case 'W':
		if (in.filled >= 4)
			tty_resize(&console, &(struct linux_winsize){ word(0), word(2), 0, 0 });
		break;
	case 'C':
		if (in.filled && session_pgid)
			signal_group(session_pgid, in.payload[0]);
	}
}

size_t stream_room(void)
{
	if (in.have < HEAD)
		return HEAD - in.have;
	if (in.head[0] == 'I' && stdin_writer)
		return smaller(in.left, pipe_room(stdin_writer));
	return in.left;
}

static void payload_input(const uint8_t *bytes, size_t n)
{
	if (in.head[0] == 'I' && stdin_writer)
		pipe_feed(stdin_writer, bytes, n);
	for (size_t k = 0; k < n && in.filled < sizeof in.payload; k++)
		in.payload[in.filled++] = bytes[k];
	in.left -= n;
}

void stream_input(const uint8_t *bytes, size_t n)
{
	while (n) {
		size_t part = 1;

		if (in.have < HEAD) {
			in.head[in.have++] = *bytes;
			in.left = in.head[1] | in.head[2] << 8;
			in.filled = 0;
		} else {
			part = smaller(n, in.left);
			payload_input(bytes, part);
		}
		bytes += part;
		n -= part;
		if (in.have == HEAD && !in.left)
			frame_over();
	}
}

/* ---- beginning and end ---- */

/* A file of the overlay, where there is one, else a pipe that frames feed. */
static long stdin_install(struct files *files)
{
	struct file *f;
	long error = file_open_path(AT_FDCWD, "/run/virtue/stdin", O_RDONLY, 0, &f);

	if (error) {
		error = pipe_make(&f, &stdin_writer, 0);
		if (error)
			return error;
		pipe_on_room(stdin_writer, console_resume);
	}
	error = fd_install_at(files, 0, f, false);
	return error < 0 ? error : 0;
}

long stream_open(struct files *files)
{
	long error = stdin_install(files);

	if (!error)
		error = stream_install(files, 1, 'O');
	if (!error)
		error = stream_install(files, 2, 'E');
	frame_send('R', "VIRTUE 1", 8);
	console_resume();
	return error;
}

static uint32_t crc32(uint32_t crc, const uint8_t *p, size_t n)
{
	static const uint32_t by_nibble[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158,
		0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4,
		0xa00ae278, 0xbdbdf21c,
	};

	for (; n; n--, p++) {
		crc = crc >> 4 ^ by_nibble[(crc ^ *p) & 15];
		crc = crc >> 4 ^ by_nibble[(crc ^ *p >> 4) & 15];
	}
	return crc;
}

static void file_send(uint16_t index, const char *path)
{
	struct __attribute__((packed)) {
		uint16_t index, status;
		uint64_t size;
	} head = { .index = index };
	uint8_t *page = page_alloc();
	uint32_t crc = ~0u;
	struct file *f = NULL;
	long n = page ? file_open_path(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0, &f) : -ENOMEM;

	if (f && !S_ISREG(f->inode->mode)) {	/* a device need not end */
		n = S_ISDIR(f->inode->mode) ? -EISDIR : -EINVAL;
		file_put(f);
		f = NULL;
	}
	head.status = n < 0 ? -n : 0;
	head.size = f ? f->inode->size : 0;
	frame_send('G', &head, sizeof head);
	for (uint64_t at = 0; f && (n = file_read_at(f, page, FRAME_MAX, at)) > 0; at += n) {
		crc = crc32(crc, page, n);
		frame_send('D', page, n);
	}
	crc = ~crc;
	frame_send('K', &crc, sizeof crc);
	if (f)
		file_put(f);
	if (page)
		page_free(page);
}

/* Sends what the lines of /run/virtue/get name. */
static void files_send(void)
{
	struct file *list;
	uint16_t index = 0;
	char *text, *line;

	if (file_open_path(AT_FDCWD, "/run/virtue/get", O_RDONLY, 0, &list))
		return;
	text = kmalloc(list->inode->size + 2);
	if (text && file_read_at(list, text, list->inode->size, 0) > 0) {
		for (line = text; *line; ) {
			char *end = strchr(line, '\n');

			if (end)
				*end = 0;
			if (*line)
				file_send(index++, line);
			line = end ? end + 1 : line + strlen(line);
		}
	}
	kfree(text);
	file_put(list);
}

void stream_report(int status)
{
	uint8_t byte = status;

	over = true;
	stdin_end();
	frame_send('S', &byte, 1);
	files_send();
	frame_send('B', "", 0);
}
