/*
 * Runs a list of test jobs inside the tested system, one after the other in a clean folder, and
 * reports each on standard output so that a crash of the system loses one job at most.
 *
 *	driver JOBS		a line a job: NAME SECONDS FLAGS FOLDER WORD...
 *
 * FLAGS: `-`, or `m` when standard error goes where standard output goes. FOLDER: `-` for an
 * empty one at /tmp/w. WORDs are executed as they are, without a shell. The stream is
 *	B NAME\n					a job begins
 *	R NAME STATUS OUT ERR\n			it ended; OUT, then ERR bytes follow
 * STATUS is as a shell reports it, or 124 when the time was over.
 *
 * It uses few system calls (fork, setsid, execve, wait4, kill, nanosleep, files), for it runs on
 * a young system. Left to others: what is right (the same jobs on Linux), and restarts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX 32
#define OUTPUT_MAX (1 << 20)
#define OUT_FILE "/tmp/.out"
#define ERR_FILE "/tmp/.err"
#define WORK "/tmp/w"
#define TIME_OVER 124

static char *const environment[] = {
	"PATH=/t/bin:/sbin:/usr/sbin:/bin:/usr/bin", "HOME=/root", "LC_ALL=C", "THIS_SH=/bin/sh",
	NULL,
};

struct job {
	char *name, *flags, *folder;
	int seconds;
	char *words[WORDS_MAX];
};

static void write_all(const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(1, p, size);

		if (n < 0 && errno != EINTR)
			_exit(125);
		if (n > 0) {
			p += n;
			size -= n;
		}
	}
}

static void say(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	write_all(line, strlen(line));
}

/* Splits a line in place; false for an empty or malformed one. */
static int job_parse(char *line, struct job *job)
{
	char *save, *seconds;
	int n = 0;

	job->name = strtok_r(line, " \n", &save);
	seconds = strtok_r(NULL, " \n", &save);
	job->flags = strtok_r(NULL, " \n", &save);
	job->folder = strtok_r(NULL, " \n", &save);
	if (!job->folder)
		return 0;
	job->seconds = atoi(seconds);
	while (n < WORDS_MAX - 1 && (job->words[n] = strtok_r(NULL, " \n", &save)))
		n++;
	job->words[n] = NULL;
	return n > 0;
}

static void redirect(const char *path, int flags, int fd)
{
	int from = open(path, flags, 0644);

	if (from < 0)
		_exit(125);
	if (from != fd) {
		dup2(from, fd);
		close(from);
	}
}

static void job_exec(const struct job *job)
{
	setsid();
	if (chdir(job->folder[0] == '-' ? WORK : job->folder) < 0)
		_exit(125);
	redirect("/dev/null", O_RDONLY, 0);
	redirect(OUT_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 1);
	redirect(ERR_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 2);
	if (strchr(job->flags, 'm'))
		dup2(1, 2);
	execvpe(job->words[0], job->words, environment);
	_exit(127);
}

/* Waits with growing naps; at the end of the time kills the job's whole group. */
static int job_wait(pid_t pid, int seconds)
{
	struct timespec now, nap = { 0, 1000000 };
	time_t end;
	int status;

	clock_gettime(CLOCK_MONOTONIC, &now);
	end = now.tv_sec + seconds;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end) {
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return TIME_OVER;
		}
		nanosleep(&nap, NULL);
		if (nap.tv_nsec < 20000000)
			nap.tv_nsec += nap.tv_nsec / 4;
	}
	kill(-pid, SIGKILL);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static size_t output_size(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return 0;
	return st.st_size > OUTPUT_MAX ? OUTPUT_MAX : st.st_size;
}

/* Sends exactly `size` bytes, padded if the file has shrunk, so that the stream stays framed. */
static void output_send(const char *path, size_t size)
{
	static char buf[4096];
	int fd = open(path, O_RDONLY);

	while (size > 0) {
		size_t part = size < sizeof buf ? size : sizeof buf;
		ssize_t n = read(fd, buf, part);

		if (n <= 0) {
			memset(buf, 0, part);
			n = part;
		}
		write_all(buf, n);
		size -= n;
	}
	close(fd);
}

static void folder_renew(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/busybox", "rm", "-rf", WORK, NULL);
		_exit(127);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	mkdir(WORK, 0755);
}

static void job_run(const struct job *job)
{
	size_t out, err;
	int status;
	pid_t pid;

	folder_renew();
	say("B %s\n", job->name);
	pid = fork();
	if (pid == 0)
		job_exec(job);
	status = pid < 0 ? 125 : job_wait(pid, job->seconds);
	out = output_size(OUT_FILE);
	err = output_size(ERR_FILE);
	say("R %s %d %zu %zu\n", job->name, status, out, err);
	output_send(OUT_FILE, out);
	output_send(ERR_FILE, err);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

int main(int argc, char **argv)
{
	FILE *list = argc == 2 ? fopen(argv[1], "re") : NULL;
	static char line[4096];
	struct job job;

	if (!list)
		return 125;
	for (int sig = 1; sig < 32; sig++)
		signal(sig, SIG_DFL); /* busybox's sh leaves SIGQUIT ignored */
	umask(022);
	mkdir("/tmp", 01777);
	while (fgets(line, sizeof line, list))
		if (job_parse(line, &job))
			job_run(&job);
	return 0;
}
