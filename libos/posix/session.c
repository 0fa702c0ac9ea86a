/* The session: pid 1, which is libOS code, and the first program.
 *
 * Pid 1 starts the shell (or the run protocol's command, docs/run-protocol.md), adopts orphans,
 * and ends the domain when the first program has ended.
 */
#include "libos/posix/fileview.h"
#include "libos/posix/inner.h"
#include "libos/posix/net.h"
#include "libos/posix/process.h"
#include "libos/posix/signal.h"
#include "libos/common/start.h"

#define ENV_MAX 64

static bool stopping;
static int first_pid;

void session_stop(void)
{
	stopping = true;
	wake_all(&task_init->child_wait);
}

void session_exit(int status)
{
	if (inner)
		inner_exit(status);
	domain_exit((uint64_t)status);
}

static bool framed(void)
{
	char mode[16];
	return start_option(start_page, "mode", mode, sizeof mode) > 0 && !strcmp(mode, "frame");
}

/* ---- the first program ------------------------------------------------------------------- */

static unsigned environment(const char **env)
{
	static const char *const base[] = {
		"PATH=/sbin:/usr/sbin:/bin:/usr/bin", "HOME=/root", "USER=root", "SHELL=/bin/sh",
		"TERM=vt100",
	};
	unsigned n = 0;
	for (; n < sizeof base / sizeof base[0]; n++)
		env[n] = base[n];
	char *line = file_text("/run/virtue/env");
	while (line && *line && n < ENV_MAX - 1) {
		char *end = strchr(line, '\n');
		if (*line != '\n')
			env[n++] = line;
		if (!end)
			break;
		*end = 0;
		line = end + 1;
	}
	env[n] = NULL;
	return n;
}

/* The thread of pid 2, before it becomes the program. */
static void become_first(void)
{
	const char *env[INNER_WORDS], *argv[INNER_WORDS] = { "-sh" };
	struct task *t = this_task();
	char *command = framed() ? file_text("/run/virtue/cmd") : NULL;
	if (inner) {
		inner_words(argv, env);
	} else {
		if (command) {
			argv[0] = "sh";
			argv[1] = "-c";
			argv[2] = command;
		}
		environment(env);
	}
	long error = console_open(t->p.files, framed());
	if (error)
		posix_log("the session's descriptors: error %ld", -error);
	if (directory_enter("/root"))
		directory_enter("/");
	error = exec_kernel("/bin/sh", argv, env);
	if (error) {
		posix_log("/bin/sh: error %ld", -error);
		thread_exit(127 << 8);
	}
}

static struct task *new_process(struct task *parent, void (*begin)(void))
{
	struct task *t = task_new(parent);
	struct thread *th = t ? thread_new(t) : NULL;
	if (!th || !(t->p.files = files_new()) || !(t->p.fs = fs_new()) ||
	    !(t->p.signals = signals_new(NULL)))
		posix_panic("no memory for the first processes");
	th->begin = begin;
	task_add_thread(t, th, t->p.pid);
	thread_ready(th);
	return t;
}

/* ---- pid 1 ----------------------------------------------------------------------------------- */

static int shell_status(int status)
{
	return status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
}

/* Takes the status of children that have ended; true: the first one was among them. */
static bool reap(int *status)
{
	bool first = false;
	struct task *next;
	for (struct task *c = task_init->children; c; c = next) {
		next = c->sibling;
		if (!task_is_zombie(c))
			continue;
		if (c->p.pid == first_pid) {
			first = true;
			*status = shell_status(c->status);
		}
		task_free(c);
	}
	return first;
}

static void init_main(void)
{
	int status = 0;
	struct task *first = new_process(task_init, become_first);
	text_copy(task_init->p.name, "init", sizeof task_init->p.name);
	text_copy(first->p.name, "sh", sizeof first->p.name);
	first->p.pgid = first->p.sid = first_pid = first->p.pid;
	session_pgid = first_pid;
	while (!reap(&status) && !stopping)
		sleep_on(&task_init->child_wait, FOREVER);
	net_end();
	session_report(status);
	session_exit(status);
}

void session_begin(void)
{
	task_init = new_process(NULL, init_main);
}
