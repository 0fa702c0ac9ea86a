/* Clocks, sleeping, interval and POSIX timers, alarm, CPU time, sysinfo, getrandom. */
#include "test.h"
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>

static volatile int hits;

static void count(int sig)
{
	(void)sig;
	hits++;
}

static void clocks(void)
{
	static const clockid_t ids[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
					 CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW,
					 CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME };
	struct timespec a, b, r;
	struct timeval tv;

	for (size_t i = 0; i < COUNT(ids); i++) {
		int back = 0;

		clock_gettime(ids[i], &a);
		for (int n = 0; n < 1000; n++) {
			clock_gettime(ids[i], &b);
			back += b.tv_sec < a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec < a.tv_nsec);
			a = b;
		}
		printf("clock %d: back %d, in range %d, ", (int)ids[i], back,
		       b.tv_nsec >= 0 && b.tv_nsec < 1000000000);
		SHOW(clock_getres(ids[i], &r));
	}
	SHOW(syscall(SYS_clock_gettime, 99, &a));
	SHOW(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, BAD));
	SHOW(gettimeofday(&tv, NULL));
	TRUE(labs(tv.tv_sec - time(NULL)) <= 1);
	TRUE(tv.tv_sec > 1500000000);
}

static void sleeping(void)
{
	struct timespec t = { 0, 50000000 }, bad = { 0, 1000000000 }, negative = { -1, 0 }, at;
	int64_t start = now_ms();

	SHOW(nanosleep(&t, NULL));
	TRUE(now_ms() - start >= 50 && now_ms() - start < 1000);
	SHOW(nanosleep(&bad, NULL));
	SHOW(nanosleep(&negative, NULL));
	SHOW(syscall(SYS_nanosleep, BAD, NULL));
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += at.tv_nsec >= 950000000;
	at.tv_nsec = (at.tv_nsec + 50000000) % 1000000000;
	start = now_ms();
	SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL));
	TRUE(now_ms() - start >= 49);
	SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL));
	printf("%s\n", strerror(clock_nanosleep(99, 0, &t, NULL)));
	SHOW(usleep(1000));
}

static void interval(void)
{
	struct itimerval it = { { 0, 20000 }, { 0, 20000 } }, old;
	int64_t start = now_ms();

	signal(SIGALRM, count);
	SHOW(setitimer(ITIMER_REAL, &it, NULL));
	while (hits < 5)
		pause();
	TRUE(now_ms() - start >= 100);
	it = (struct itimerval){ 0 };
	SHOW(setitimer(ITIMER_REAL, &it, &old));
	printf("interval %ld\n", (long)old.it_interval.tv_usec);
	SHOW(getitimer(ITIMER_REAL, &old));
	printf("off %d\n", old.it_value.tv_sec == 0 && old.it_value.tv_usec == 0);
	it.it_value.tv_usec = 1000000;
	SHOW(setitimer(ITIMER_REAL, &it, NULL));
	it.it_value.tv_usec = 0;
	SHOW(setitimer(99, &it, NULL));
	SHOW(alarm(10));
	SHOW(alarm(0));
	hits = 0;
	SHOW(alarm(1));
	SHOW(pause());
	SHOW(hits);
	alarm(30);
	if (fork_clean() == 0)
		_exit(alarm(0));
	int status;
	wait(&status);
	show_status("alarm isn't inherited", status);
	alarm(0);
}

static void cpu_timer(void)
{
	struct itimerval it = { { 0, 0 }, { 0, 50000 } };

	hits = 0;
	signal(SIGVTALRM, count);
	SHOW(setitimer(ITIMER_VIRTUAL, &it, NULL));
	while (!hits)
		;
	SHOW(hits);
}

static void posix_timers(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec it = { { 0, 0 }, { 0, 30000000 } };
	timer_t t;

	hits = 0;
	signal(SIGUSR1, count);
	SHOW(timer_create(CLOCK_MONOTONIC, &e, &t));
	SHOW(timer_settime(t, 0, &it, NULL));
	while (!hits)
		nap_ms(5);
	SHOW(hits);
	SHOW(timer_gettime(t, &it));
	SHOW(timer_delete(t));
}

static void usage(void)
{
	struct rusage u;
	struct sysinfo si;
	struct tms tm;
	int64_t end = now_ms() + 60;

	while (now_ms() < end)
		;
	SHOW(getrusage(RUSAGE_SELF, &u));
	TRUE(u.ru_utime.tv_sec * 1000 + u.ru_utime.tv_usec / 1000 +
	     u.ru_stime.tv_sec * 1000 + u.ru_stime.tv_usec / 1000 >= 20);
	TRUE(u.ru_maxrss > 0);
	SHOW(getrusage(RUSAGE_CHILDREN, &u));
	SHOW(getrusage(99, &u));
	TRUE(times(&tm) != -1);
	SHOW(sysinfo(&si));
	TRUE(si.totalram > si.freeram && si.freeram > 0 && si.procs > 0 && si.mem_unit > 0);
	SHOW(sysinfo(BAD));
}

static int64_t us_of(struct timeval t)
{
	return t.tv_sec * 1000000 + t.tv_usec;
}

static int64_t cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* CPU time of a program that computes is user time, of one that only calls system time. */
static void split(void)
{
	static char page[1 << 20];
	struct rusage u, before, thread;
	int64_t user, system, end = cpu_ms() + 200;
	int fd = open("/dev/zero", O_RDONLY);

	getrusage(RUSAGE_SELF, &before);
	while (cpu_ms() < end)
		for (volatile int i = 0; i < 200000; i++)
			;
	getrusage(RUSAGE_SELF, &u);
	user = us_of(u.ru_utime) - us_of(before.ru_utime);
	system = us_of(u.ru_stime) - us_of(before.ru_stime);
	TRUE(user > 4 * system && user + system >= 190000);
	before = u;
	end = cpu_ms() + 200;
	while (cpu_ms() < end)
		read(fd, page, sizeof page);
	getrusage(RUSAGE_SELF, &u);
	getrusage(RUSAGE_THREAD, &thread);
	user = us_of(u.ru_utime) - us_of(before.ru_utime);
	system = us_of(u.ru_stime) - us_of(before.ru_stime);
	TRUE(system > 4 * user && user + system >= 190000);
	TRUE(us_of(thread.ru_stime) > 100000 && us_of(thread.ru_utime) > 100000);
	close(fd);
}

static void randoms(void)
{
	unsigned char a[64] = { 0 }, b[64] = { 0 };
	int different = 0;

	SHOW(getrandom(a, sizeof a, 0));
	SHOW(getrandom(b, sizeof b, GRND_NONBLOCK));
	for (size_t i = 0; i < sizeof a; i++)
		different += a[i] != b[i];
	TRUE(different > 40);
	SHOW(getrandom(a, sizeof a, 0x100));
	SHOW(getrandom(BAD, 16, 0));
	SHOW(getrandom(a, 0, 0));
}

int main(void)
{
	clocks();
	sleeping();
	interval();
	cpu_timer();
	posix_timers();
	usage();
	split();
	randoms();
	return 0;
}
