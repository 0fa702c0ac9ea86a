/* What other programs leave out of time: restart_syscall, overruns of POSIX timers, setting the
 * clock as somebody who may not. */
#include "test.h"
#include <sys/time.h>

#define CALL(...) show(#__VA_ARGS__, syscall(__VA_ARGS__))

/* A stopped and continued nanosleep goes on by itself until its time; by hand there is nothing to
 * restart. */
static void restarting(void)
{
	int status;
	pid_t pid;

	CALL(SYS_restart_syscall);
	pid = fork_clean();
	if (!pid) {
		struct timespec t = { 1, 500000000 };
		int64_t start = now_ms();

		SHOW(nanosleep(&t, NULL));
		TRUE(now_ms() - start >= 1500);
		CALL(SYS_restart_syscall);
		_exit(0);
	}
	until_asleep(pid);
	kill(pid, SIGSTOP);
	TRUE(waitpid(pid, &status, WUNTRACED) == pid);
	show_status("sleeper", status);
	nap_ms(50);
	kill(pid, SIGCONT);
	waitpid(pid, &status, 0);
	show_status("sleeper", status);
}

/* While the signal is blocked, expiries that find it pending are counted. */
static void overruns(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct itimerspec it = { { 0, 10000000 }, { 0, 10000000 } }, off = { 0 };
	struct timespec zero = { 0 };
	siginfo_t info = { 0 };
	sigset_t set;
	timer_t t;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	SHOW(timer_create(CLOCK_MONOTONIC, &e, &t));
	SHOW(timer_getoverrun(t));
	SHOW(timer_settime(t, 0, &it, NULL));
	nap_ms(200);
	TRUE(sigtimedwait(&set, &info, &zero) == SIGRTMIN);
	printf("code %d\n", info.si_code);
	TRUE(timer_getoverrun(t) >= 10);
	TRUE(info.si_overrun == timer_getoverrun(t));
	SHOW(timer_settime(t, 0, &off, NULL));
	SHOW(timer_delete(t));
	SHOW(syscall(SYS_timer_getoverrun, 12345));
	SHOW(syscall(SYS_timer_delete, 12345));
	SHOW(syscall(SYS_timer_settime, 12345, 0, &it, NULL));
	SHOW(syscall(SYS_timer_gettime, 12345, &it));
}

static void setting(void)
{
	struct timespec ts = { 1000000000, 0 }, bad = { 0, 1000000000 };
	struct timeval tv = { 1000000000, 0 }, bad_tv = { 0, 1000001 };

	SHOW(setuid(1000));
	CALL(SYS_settimeofday, &tv, NULL);
	CALL(SYS_settimeofday, BAD, NULL);
	CALL(SYS_settimeofday, &bad_tv, NULL);
	CALL(SYS_clock_settime, CLOCK_REALTIME, &ts);
	CALL(SYS_clock_settime, CLOCK_REALTIME, BAD);
	CALL(SYS_clock_settime, CLOCK_REALTIME, &bad);
	CALL(SYS_clock_settime, CLOCK_MONOTONIC, &ts);
	CALL(SYS_clock_settime, 99, &ts);
}

int main(void)
{
	restarting();
	overruns();
	in_child("setting", setting);
	return 0;
}
