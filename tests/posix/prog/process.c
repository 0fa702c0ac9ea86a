/* fork, vfork, exec, wait statuses, process groups and sessions, ids, limits, orphans. */
#include "test.h"
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <sys/utsname.h>

static char *self;

static void exit_7(void)
{
	_exit(7);
}

static void exit_258(void)
{
	exit(258);
}

static void abort_now(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	abort();
}

static void kill_self(void)
{
	raise(SIGKILL);
}

static void read_null(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	*(volatile int *)BAD = 1;
}

static void statuses(void)
{
	in_child("_exit 7", exit_7);
	in_child("exit 258", exit_258);
	in_child("abort", abort_now);
	in_child("SIGKILL", kill_self);
	in_child("bad store", read_null);
}

static void waits(void)
{
	int status = -1;
	pid_t a, b;
	siginfo_t info;
	struct rusage usage;

	SHOW(wait(NULL));
	SHOW(waitpid(-1, NULL, WNOHANG));
	SHOW(waitpid(getpid(), NULL, 0));
	SHOW(waitpid(-1, NULL, 0x40000000 | 0x100));
	a = fork_clean();
	if (!a) {
		nap_ms(200);
		_exit(1);
	}
	SHOW(waitpid(a, &status, WNOHANG));
	b = fork_clean();
	if (!b)
		_exit(2);
	TRUE(waitpid(b, &status, 0) == b);
	show_status("b", status);
	TRUE(wait4(-1, &status, 0, &usage) == a);
	show_status("a", status);
	a = fork_clean();
	if (!a)
		_exit(3);
	TRUE(waitid(P_PID, a, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == a);
	printf("code %d status %d signal %d\n", info.si_code == CLD_EXITED, info.si_status,
	       info.si_signo == SIGCHLD);
	TRUE(kill(a, 0) == 0);
	TRUE(waitpid(a, &status, 0) == a);
	TRUE(kill(a, 0) < 0 && errno == ESRCH);
	SHOW(waitid(P_ALL, 0, &info, WEXITED));
	SHOW(waitid(P_ALL, 0, &info, 0));
}

static void stops(void)
{
	int status;
	pid_t a = fork_clean();

	if (!a) {
		raise(SIGSTOP);
		nap_ms(300);
		_exit(4);
	}
	TRUE(waitpid(a, &status, WUNTRACED) == a);
	show_status("stopping child", status);
	SHOW(waitpid(a, &status, WUNTRACED | WNOHANG));
	kill(a, SIGCONT);
	TRUE(waitpid(a, &status, WCONTINUED) == a);
	show_status("continuing child", status);
	TRUE(waitpid(a, &status, 0) == a);
	show_status("ending child", status);
}

static void groups(void)
{
	int status;
	pid_t a = fork_clean(), b;

	if (!a) {
		SHOW(setpgid(0, 0));
		TRUE(getpgrp() == getpid());
		SHOW(setsid());
		fflush(stdout);
		nap_ms(2000);
		_exit(0);
	}
	nap_ms(200);
	TRUE(getpgid(a) == a);
	TRUE(getsid(a) == getsid(0));
	b = fork_clean();
	if (!b) {
		setpgid(0, a);
		TRUE(getpgrp() == getppid() || getpgrp() != getpid());
		fflush(stdout);
		nap_ms(2000);
		_exit(0);
	}
	nap_ms(200);
	SHOW(kill(-a, SIGTERM));
	TRUE(waitpid(-a, &status, 0) > 0);
	show_status("group member", status);
	TRUE(waitpid(-a, &status, 0) > 0);
	show_status("group member", status);
	SHOW(waitpid(-a, &status, 0));
	SHOW(kill(-a, 0));
	SHOW(setpgid(0, 999999));
	SHOW(setpgid(999999, 0));
	SHOW(setpgid(1, 1));
	SHOW(getpgid(999999));
	SHOW(setpgid(0, -1));
	SHOW(kill(999999, 0));
	SHOW(kill(getpid(), 65));
}

static void new_session(void)
{
	TRUE(setsid() == getpid());
	TRUE(getsid(0) == getpid() && getpgrp() == getpid());
	SHOW(setsid());
	SHOW(setpgid(0, 0));
	SHOW(open("/dev/tty", O_RDWR));
}

static void run(char *const argv[])
{
	char *env[] = { "NEW=1", NULL };

	execve(self, argv, env);
	SHOW(-1);
}

static void exec_echo(void)
{
	run((char *[]){ "renamed", "--echo", "a b", "", "c", NULL });
}

static void exec_close(void)
{
	int keep = open("/dev/null", O_RDONLY), drop = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char k[8], d[8];

	snprintf(k, sizeof k, "%d", keep);
	snprintf(d, sizeof d, "%d", drop);
	run((char *[]){ "x", "--fds", k, d, NULL });
}

static void exec_signals(void)
{
	sigset_t set;

	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, (void (*)(int))exit_7);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	run((char *[]){ "x", "--signals", NULL });
}

static void execs(void)
{
	char *argv[] = { "x", NULL };
	int fd;

	in_child("exec echo", exec_echo);
	in_child("exec close-on-exec", exec_close);
	in_child("exec signals", exec_signals);
	SHOW(execve("none", argv, NULL));
	SHOW(execve(".", argv, NULL));
	fd = open("plain", O_CREAT | O_WRONLY, 0644);
	write(fd, "no program", 10);
	close(fd);
	SHOW(execve("plain", argv, NULL));
	chmod("plain", 0755);
	SHOW(execve("plain", argv, NULL));
	truncate("plain", 0);
	SHOW(execve("plain", argv, NULL));
	SHOW(execve("plain/x", argv, NULL));
	SHOW(execve(BAD, argv, NULL));
	SHOW(execve(self, BAD, NULL));
}

static void vforks(void)
{
	volatile int shared = 1;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = vfork();
	if (!pid) {
		shared = 2;
		_exit(5);
	}
	waitpid(pid, &status, 0);
	show_status("vfork child", status);
	printf("shared memory: %d\n", shared);
	fflush(stdout);
	pid = vfork();
	if (!pid) {
		char *argv[] = { "x", "--echo", "from-vfork", NULL }, *env[] = { NULL };

		execve(self, argv, env);
		_exit(6);
	}
	waitpid(pid, &status, 0);
	show_status("vfork and exec", status);
}

static void orphan(void)
{
	int fds[2], from = getpid();
	char c;
	pid_t pid;

	pipe(fds);
	pid = fork_clean();
	if (!pid) {
		if (fork() == 0) {
			close(fds[0]);
			while (getppid() != 1 && getppid() != from)
				nap_ms(10);
			write(fds[1], getppid() == 1 ? "1" : "f", 1);
		}
		_exit(0);
	}
	close(fds[1]);
	waitpid(pid, NULL, 0);
	SHOW(read(fds[0], &c, 1));
	printf("adopted by %c\n", c);
	SHOW(read(fds[0], &c, 1));
	close(fds[0]);
}

static void memory_of_fork(void)
{
	static char big[200 * 4096];
	int status, sum = 0;
	pid_t pid;

	memset(big, 1, sizeof big);
	pid = fork_clean();
	if (!pid) {
		for (size_t i = 0; i < sizeof big; i += 4096)
			sum += big[i]++;
		_exit(sum == 200 ? 0 : 1);
	}
	for (size_t i = 0; i < sizeof big; i += 4096)
		big[i] = 3;
	waitpid(pid, &status, 0);
	show_status("private copy", status);
	for (size_t i = 0; i < sizeof big; i += 4096)
		sum += big[i];
	printf("parent's sum %d\n", sum);
}

static void identity(void)
{
	struct rlimit r = { 50, 60 };
	struct utsname u;
	struct tms t;
	char name[17] = "";

	SHOW(getuid());
	SHOW(geteuid());
	SHOW(getgid());
	SHOW(setrlimit(RLIMIT_NOFILE, &r));
	SHOW(getrlimit(RLIMIT_NOFILE, &r));
	printf("%ld %ld\n", (long)r.rlim_cur, (long)r.rlim_max);
	r.rlim_cur = 70;
	SHOW(setrlimit(RLIMIT_NOFILE, &r));
	SHOW(getrlimit(99, &r));
	SHOW(getrlimit(RLIMIT_STACK, BAD));
	SHOW(prctl(PR_SET_NAME, "a-name-that-is-too-long"));
	SHOW(prctl(PR_GET_NAME, name));
	printf("%s\n", name);
	SHOW(prctl(9999, 0, 0, 0, 0));
	SHOW(uname(&u));
	printf("%s %s\n", u.sysname, u.machine);
	SHOW(uname(BAD));
	TRUE(times(&t) != -1);
	TRUE(getpid() == syscall(SYS_gettid));
	SHOW(sched_yield());
	SHOW(getpriority(PRIO_PROCESS, 0));
	SHOW(syscall(9999));
	SHOW(syscall(-1));
}

static int helper(int argc, char **argv)
{
	struct sigaction sa;
	sigset_t set;

	if (!strcmp(argv[1], "--echo")) {
		for (int i = 0; i < argc; i++)
			printf("argv[%d] = <%s>\n", i, argv[i]);
		printf("NEW=%s PATH=%s\n", getenv("NEW"), getenv("PATH"));
	} else if (!strcmp(argv[1], "--fds")) {
		SHOW(fcntl(atoi(argv[2]), F_GETFD));
		SHOW(fcntl(atoi(argv[3]), F_GETFD));
	} else if (!strcmp(argv[1], "--signals")) {
		sigaction(SIGUSR1, NULL, &sa);
		printf("ignored stays ignored: %d\n", sa.sa_handler == SIG_IGN);
		sigaction(SIGUSR2, NULL, &sa);
		printf("handler is reset: %d\n", sa.sa_handler == SIG_DFL);
		sigprocmask(SIG_BLOCK, NULL, &set);
		printf("mask stays: %d\n", sigismember(&set, SIGTERM));
	}
	return 9;
}

int main(int argc, char **argv)
{
	self = argv[0];
	if (argc > 1)
		return helper(argc, argv);
	statuses();
	waits();
	stops();
	groups();
	in_child("new session", new_session);
	execs();
	vforks();
	orphan();
	memory_of_fork();
	identity();
	return 0;
}
