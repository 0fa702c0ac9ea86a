/* Waiting with a signal mask and with times: ppoll, pselect6, epoll_create, epoll_pwait, eventfd2,
 * timerfd. */
#include "test.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/timerfd.h>

#define CALL(...) show(#__VA_ARGS__, syscall(__VA_ARGS__))

static volatile int hits;
static int ends[2];
static uint64_t none_blocked;

static void count(int sig)
{
	(void)sig;
	hits++;
}

static void wait_masked(const char *text, long (*call)(void))
{
	sigset_t set, old;

	hits = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGUSR1);
	show(text, call());
	printf("hits %d\n", hits);
	sigprocmask(SIG_SETMASK, NULL, &set);
	printf("blocked again %d\n", sigismember(&set, SIGUSR1));
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static long masked_ppoll(void)
{
	struct pollfd f = { ends[0], POLLIN, 0 };

	return syscall(SYS_ppoll, &f, 1, NULL, &none_blocked, 8);
}

static long masked_pselect(void)
{
	struct { void *set; size_t size; } mask = { &none_blocked, 8 };

	return syscall(SYS_pselect6, 0, NULL, NULL, NULL, NULL, &mask);
}

static long masked_epoll(void)
{
	struct epoll_event e;

	return syscall(SYS_epoll_pwait, epoll_create1(0), &e, 1, -1, &none_blocked, 8);
}

static void polls(void)
{
	struct pollfd f[2] = { { ends[0], POLLIN, 0 }, { ends[1], POLLOUT, 0 } };
	struct timespec t = { 0, 30000000 }, bad = { 0, 1000000000 }, negative = { -1, 0 };

	CALL(SYS_ppoll, f, 2, NULL, NULL, 0);
	printf("%x %x\n", f[0].revents, f[1].revents);
	CALL(SYS_ppoll, f, 1, &t, NULL, 8);
	TRUE(t.tv_sec == 0 && t.tv_nsec == 0);
	CALL(SYS_ppoll, f, 1, &bad, NULL, 8);
	CALL(SYS_ppoll, f, 1, &negative, NULL, 8);
	CALL(SYS_ppoll, f, 1, BAD, NULL, 8);
	CALL(SYS_ppoll, f, 1, &t, &none_blocked, 4);
	CALL(SYS_ppoll, f, 1, &t, BAD, 8);
	CALL(SYS_ppoll, BAD, 1, &t, NULL, 8);
}

static void selects(void)
{
	struct timespec t = { 0, 30000000 }, bad = { 0, 1000000000 };
	struct { void *set; size_t size; } mask = { &none_blocked, 4 };
	fd_set in, out;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(ends[0], &in);
	FD_SET(ends[1], &out);
	CALL(SYS_pselect6, ends[1] + 1, &in, &out, NULL, NULL, NULL);
	printf("in %d out %d\n", FD_ISSET(ends[0], &in), FD_ISSET(ends[1], &out));
	FD_SET(ends[0], &in);
	CALL(SYS_pselect6, ends[0] + 1, &in, NULL, NULL, &t, NULL);
	printf("in %d left %d\n", FD_ISSET(ends[0], &in), t.tv_nsec != 0);
	CALL(SYS_pselect6, -1, NULL, NULL, NULL, NULL, NULL);
	CALL(SYS_pselect6, 0, NULL, NULL, NULL, &bad, NULL);
	CALL(SYS_pselect6, 0, NULL, NULL, NULL, BAD, NULL);
	CALL(SYS_pselect6, 0, NULL, NULL, NULL, &t, BAD);
	CALL(SYS_pselect6, 0, NULL, NULL, NULL, &t, &mask);
	CALL(SYS_pselect6, 10, BAD, NULL, NULL, &t, NULL);
}

static void epolls(void)
{
	struct epoll_event e = { EPOLLOUT, { .u64 = 77 } };
	int ep = syscall(SYS_epoll_create, 1);

	SHOW(fcntl(ep, F_GETFD));
	CALL(SYS_epoll_create, 0);
	CALL(SYS_epoll_create, -1);
	SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, ends[1], &e));
	CALL(SYS_epoll_pwait, ep, &e, 1, 0, NULL, 8);
	printf("%x %ld\n", e.events, (long)e.data.u64);
	CALL(SYS_epoll_pwait, ep, &e, 0, 0, NULL, 8);
	CALL(SYS_epoll_pwait, ep, &e, 1, 0, &none_blocked, 4);
	CALL(SYS_epoll_pwait, 99, &e, 1, 0, NULL, 8);
	close(ep);
}

static void event_counters(void)
{
	uint64_t v = 0;
	int fd = syscall(SYS_eventfd2, 3, O_NONBLOCK | O_CLOEXEC | 1);

	SHOW(fcntl(fd, F_GETFD));
	for (int i = 0; i < 4; i++) {
		SHOW(read(fd, &v, 8));
		SHOW(v);
	}
	v = ~0ul - 1;
	SHOW(write(fd, &v, 8));
	v = 1;
	SHOW(write(fd, &v, 8));
	CALL(SYS_eventfd2, 0, 0x100);
	close(fd);
}

static void timers(void)
{
	struct itimerspec it = { { 0, 20000000 }, { 0, 20000000 } }, now;
	struct itimerspec bad = { { 0, 0 }, { 0, 1000000000 } };
	struct pollfd f = { .events = POLLIN };
	uint64_t v = 0;

	f.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	SHOW(fcntl(f.fd, F_GETFD));
	SHOW(read(f.fd, &v, 8));
	SHOW(timerfd_gettime(f.fd, &now));
	TRUE(now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
	SHOW(timerfd_settime(f.fd, 0, &it, NULL));
	SHOW(poll(&f, 1, 5000));
	SHOW(read(f.fd, &v, 8));
	TRUE(v >= 1);
	SHOW(timerfd_gettime(f.fd, &now));
	printf("interval %ld\n", now.it_interval.tv_nsec);
	SHOW(read(f.fd, &v, 4));
	SHOW(timerfd_settime(f.fd, 0, &bad, NULL));
	SHOW(timerfd_settime(f.fd, 0x100, &it, NULL));
	SHOW(timerfd_settime(0, 0, &it, NULL));
	SHOW(timerfd_settime(99, 0, &it, NULL));
	SHOW(timerfd_gettime(99, &now));
	SHOW(timerfd_create(99, 0));
	SHOW(timerfd_create(CLOCK_MONOTONIC, 1));
	close(f.fd);
}

int main(void)
{
	signal(SIGUSR1, count);
	SHOW(pipe(ends));
	polls();
	selects();
	epolls();
	event_counters();
	timers();
	wait_masked("ppoll", masked_ppoll);
	wait_masked("pselect6", masked_pselect);
	wait_masked("epoll_pwait", masked_epoll);
	return 0;
}
