/* An inner session, in a domain that a program of another session, its proxy, has started: its
 * standard streams, signals and status are the proxy's (docs/proxy.md), as it has no line.
 *
 * The proxy is asked for a signal all the time: each one has what came looked at (inner_news), and
 * wakes who waits for room.  Left to others: its network (net_lease.c); the outer side (domain.c).
 */
#include "libos/posix/inner.h"
#include "libos/posix/pipe.h"
#include "libos/posix/poll.h"
#include "libos/common/proxy.h"
#include "libos/common/start.h"

bool inner;
static struct file *stdin_writer;	/* feeds standard input; NULL: none yet, or ended */
static struct wake writable;

void inner_attach(void)
{
	inner = proxy_attach(start_page);
}

/* ---- what comes ------------------------------------------------------------------------ */

static void input_take(void)
{
	uint8_t part[512];
	size_t n;
	while (stdin_writer && (n = proxy_take(part, smaller(sizeof part, pipe_room(stdin_writer)))))
		pipe_feed(stdin_writer, part, n);
	if (!stdin_writer || !proxy_input_ended() || !pipe_room(stdin_writer))
		return;
	file_put(stdin_writer);
	stdin_writer = NULL;
}

static void signals_take(void)
{
	uint64_t bits = proxy_signals();
	for (int s = 1; bits; s++, bits >>= 1)
		if (bits & 1 && s != SIGWINCH && session_pgid)
			signal_group(session_pgid, s);
}

/* Armed before it looks: what changes later comes as another event. */
void inner_news(void)
{
	proxy_arm();
	input_take();
	signals_take();
	wake(&writable);
}

/* ---- what goes --------------------------------------------------------------------------- */

static size_t sink_put(struct file *f, struct iter *from)
{
	uint8_t part[512];
	size_t n = smaller(smaller(from->left, sizeof part), proxy_room(f->inode->number));
	n = iter_take(from, part, n);
	return n ? proxy_put(f->inode->number, part, n) : 0;
}

static long sink_write(struct file *f, struct iter *from, uint64_t *pos)
{
	size_t done = 0;
	long error = 0;
	(void)pos;
	while (from->left && !error) {
		if (proxy_stopped(f->inode->number)) {
			signal_process(current_process(), SIGPIPE);
			error = -EPIPE;
		} else if (!proxy_room(f->inode->number)) {
			error = f->flags & O_NONBLOCK ? -EAGAIN : sleep_on(&writable.queue, NEVER);
		} else {
			size_t n = sink_put(f, from);
			done += n;
			error = n ? 0 : -EFAULT;
		}
	}
	return done ? (long)done : error;
}

static uint32_t sink_poll(struct file *f, struct pollset *set)
{
	pollset_add(set, &writable);
	return proxy_stopped(f->inode->number) ? POLLERR | POLLOUT :
		proxy_room(f->inode->number) >= PIPE_BUF ? POLLOUT | POLLWRNORM : 0;
}

static const struct file_ops sink_ops = { .write = sink_write, .poll = sink_poll };

static long sink_install(struct files *files, int fd)
{
	struct file *f;
	long error = file_anonymous(&sink_ops, S_IFIFO | 0600, "pipe:[%lu]", O_WRONLY, NULL, &f);
	if (error)
		return error;
	f->inode->number = fd;
	error = fd_install_at(files, fd, f, false);
	return error < 0 ? error : 0;
}

/* ---- beginning and end ------------------------------------------------------------------- */

/* A shell looks for the program, and says so if there is none. */
void inner_words(const char **argv, const char **env)
{
	static const char *const shell[] = { "sh", "-c", "exec \"$0\" \"$@\"" };
	unsigned n = 0, words = proxy_argc();
	for (; words && n < sizeof shell / sizeof *shell; n++)
		argv[n] = shell[n];
	for (unsigned i = 0; i < words && n < INNER_WORDS - 1; i++)
		argv[n++] = proxy_arg(i);
	if (!words)
		argv[n++] = "sh";
	argv[n] = NULL;
	for (n = 0; n < INNER_WORDS - 1 && *proxy_env_at(n); n++)
		env[n] = proxy_env_at(n);
	env[n] = NULL;
}

long inner_open(struct files *files)
{
	struct file *reader;
	long error = pipe_make(&reader, &stdin_writer, 0);
	if (error)
		return error;
	pipe_on_room(stdin_writer, inner_news);
	error = fd_install_at(files, 0, reader, false);
	for (int fd = 1; fd <= 2 && error >= 0; fd++)
		error = sink_install(files, fd);
	inner_news();
	return error < 0 ? error : 0;
}

void inner_exit(int status)
{
	proxy_exit(status);
}
