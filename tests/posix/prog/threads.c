/* Threads: create, join, TLS, mutex, condition, barrier, futex, cancel, signals, fork and exec. */
#include "test.h"
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define THREADS 8

/* musl has no linux/futex.h */
enum { FUTEX_WAIT, FUTEX_WAKE, FUTEX_REQUEUE = 3, FUTEX_CMP_REQUEUE, FUTEX_PRIVATE_FLAG = 128,
       FUTEX_WAIT_PRIVATE = FUTEX_WAIT | FUTEX_PRIVATE_FLAG };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static _Thread_local long tls = 5;
static long counter, turn, order_wrong;
static char *self;

static void *add(void *arg)
{
	long id = (long)arg;

	tls += id;
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
	}
	return (void *)tls;
}

static void joins(void)
{
	pthread_t t[THREADS];
	void *result;
	long sum = 0;

	for (long i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, add, (void *)i);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], &result);
		sum += (long)result;
	}
	printf("counter %ld, tls sum %ld, mine %ld\n", counter, sum, tls);
}

static void *take_turns(void *arg)
{
	long id = (long)arg;

	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&mutex);
		while (turn % 4 != id)
			pthread_cond_wait(&cond, &mutex);
		order_wrong += turn % 4 != id;
		turn++;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void conditions(void)
{
	struct timespec t;
	pthread_t th[4];

	for (long i = 0; i < 4; i++)
		pthread_create(&th[i], NULL, take_turns, (void *)i);
	for (int i = 0; i < 4; i++)
		pthread_join(th[i], NULL);
	printf("turns %ld, wrong %ld\n", turn, order_wrong);
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += t.tv_nsec >= 950000000;
	t.tv_nsec = (t.tv_nsec + 50000000) % 1000000000;
	pthread_mutex_lock(&mutex);
	printf("timed wait: %s\n", strerror(pthread_cond_timedwait(&cond, &mutex, &t)));
	pthread_mutex_unlock(&mutex);
}

static pthread_barrier_t barrier;
static int arrived[THREADS];

static void *meet(void *arg)
{
	long id = (long)arg, serial = 0, early = 0;

	for (int round = 1; round <= 50; round++) {
		arrived[id] = round;
		serial += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
		for (int i = 0; i < THREADS; i++)
			early += arrived[i] < round;
		pthread_barrier_wait(&barrier);
	}
	return (void *)(early * 1000 + serial);
}

static void barriers(void)
{
	pthread_t t[THREADS];
	void *result;
	long sum = 0;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (long i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, meet, (void *)i);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], &result);
		sum += (long)result;
	}
	printf("barrier: %ld\n", sum);
}

static sem_t started;

static void cleaned(void *arg)
{
	printf("cleanup %s\n", (char *)arg);
}

static void *cancelled(void *arg)
{
	int p[2];
	char c;

	pthread_cleanup_push(cleaned, "outer");
	pthread_cleanup_push(cleaned, "inner");
	pipe(p);
	sem_post(&started);
	if (arg)
		while (read(p[0], &c, 1) >= 0)
			;
	for (;;)
		pause();
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	return NULL;
}

static void cancels(void)
{
	pthread_t t;
	void *result;

	sem_init(&started, 0, 0);
	for (long blocked = 0; blocked < 2; blocked++) {
		pthread_create(&t, NULL, cancelled, (void *)blocked);
		while (sem_wait(&started) < 0)
			;
		nap_ms(30);
		pthread_cancel(t);
		pthread_join(t, &result);
		printf("cancelled %d\n", result == PTHREAD_CANCELED);
	}
}

static volatile pthread_t handled_by;
static volatile int handled;

static void handler(int sig)
{
	(void)sig;
	handled_by = pthread_self();
	handled++;
}

static void *sleep_for_signal(void *arg)
{
	(void)arg;
	sem_post(&started);
	while (!handled)
		nap_ms(5);
	return NULL;
}

static void signals(void)
{
	sigset_t set;
	pthread_t t;

	signal(SIGUSR1, handler);
	pthread_create(&t, NULL, sleep_for_signal, NULL);
	while (sem_wait(&started) < 0)
		;
	pthread_kill(t, SIGUSR1);
	pthread_join(t, NULL);
	printf("to the thread: %d\n", handled_by == t);
	handled = 0;
	pthread_create(&t, NULL, sleep_for_signal, NULL);
	while (sem_wait(&started) < 0)
		;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGUSR1);
	pthread_join(t, NULL);
	printf("to one that doesn't block it: %d\n", handled_by == t);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static int word;

static void *wake_later(void *arg)
{
	nap_ms(50);
	__atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
	return (void *)syscall(SYS_futex, &word, FUTEX_WAKE | (long)arg, INT_MAX, NULL, NULL, 0);
}

static void futexes(void)
{
	struct timespec t = { 0, 30000000 }, bad = { 0, 1000000000 };
	static int other;
	void *woken;
	pthread_t th;

	SHOW(syscall(SYS_futex, &word, FUTEX_WAIT, 7, NULL, NULL, 0));
	SHOW(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &t, NULL, 0));
	SHOW(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &bad, NULL, 0));
	SHOW(syscall(SYS_futex, (char *)&word + 1, FUTEX_WAIT, 0, NULL, NULL, 0));
	SHOW(syscall(SYS_futex, BAD, FUTEX_WAIT, 0, NULL, NULL, 0));
	SHOW(syscall(SYS_futex, &word, 99, 0, NULL, NULL, 0));
	SHOW(syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0));
	SHOW(syscall(SYS_futex, &word, FUTEX_REQUEUE, 1, 1l, &other, 0));
	SHOW(syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE, 1, 1l, &other, 5));
	pthread_create(&th, NULL, wake_later, (void *)FUTEX_PRIVATE_FLAG);
	SHOW(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
	pthread_join(th, &woken);
	printf("woken %ld\n", (long)woken);
}

/* A futex in memory that two processes share. */
static void shared_futex(void)
{
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (fork_clean() == 0) {
		nap_ms(80);
		*shared = 1;
		syscall(SYS_futex, shared, FUTEX_WAKE, 1, NULL, NULL, 0);
		_exit(0);
	}
	while (*shared == 0)
		syscall(SYS_futex, shared, FUTEX_WAIT, 0, NULL, NULL, 0);
	printf("shared futex %d\n", *shared);
	wait(NULL);
}

static volatile int spin_on = 1;

static void *spin(void *arg)
{
	volatile long *n = arg;

	while (spin_on)
		++*n;
	return NULL;
}

static void forking(void)
{
	static long spins[3];
	pthread_t t[3];
	int status;
	pid_t pid;

	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, spin, &spins[i]);
	nap_ms(50);
	for (int i = 0; i < 5; i++) {
		pid = fork_clean();
		if (!pid) {
			long before = spins[0];

			nap_ms(20);
			_exit(spins[0] == before ? 10 + i : 1);
		}
		waitpid(pid, &status, 0);
		show_status("only the caller lives in the child", status);
	}
	spin_on = 0;
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	printf("all have run %d\n", spins[0] && spins[1] && spins[2]);
}

static void *exec_here(void *arg)
{
	char *argv[] = { "x", "--child", NULL }, *env[] = { NULL };

	(void)arg;
	nap_ms(30);
	execve(self, argv, env);
	return NULL;
}

static void exec_from_thread(void)
{
	pthread_t t;

	pthread_create(&t, NULL, exec_here, NULL);
	for (;;)
		pause();
}

static void *exit_here(void *arg)
{
	(void)arg;
	nap_ms(30);
	_exit(33);
}

static void exit_from_thread(void)
{
	pthread_t t;

	pthread_create(&t, NULL, exit_here, NULL);
	for (;;)
		pause();
}

static void *crash_here(void *arg)
{
	*(volatile char *)BAD = 1;
	return arg;
}

static void crash_in_thread(void)
{
	pthread_t t;

	pthread_create(&t, NULL, crash_here, NULL);
	for (;;)
		pause();
}

static void *last_words(void *arg)
{
	nap_ms(60);
	printf("the last thread\n");
	return arg;
}

/* In a fresh image: musl's last thread of a forked child hangs in exit(). */
static void leave_by_exec(void)
{
	char *argv[] = { "x", "--leave", NULL }, *env[] = { NULL };

	execve(self, argv, env);
}

static void main_leaves_first(void)
{
	pthread_t t;

	pthread_create(&t, NULL, last_words, NULL);
	pthread_exit(NULL);
}

/* ---- a file that is closed while another thread waits for it ---- */

#define CLOSED 8
#define WAITERS 24

static void *wait_for_nothing(void *arg)
{
	struct epoll_event e;

	return (void *)(long)epoll_wait((int)(long)arg, &e, 1, 400);
}

/* By a list that takes the room of a socket. */
static void *wait_for_one(void *arg)
{
	struct pollfd p[22];

	for (unsigned i = 0; i < COUNT(p); i++)
		p[i] = (struct pollfd){ i == 3 ? (int)(long)arg : -1, POLLIN, 0 };
	return (void *)(long)(poll(p, COUNT(p), 20000) == 1 && p[3].revents == POLLIN);
}

/* Who waited for sockets leaves no trace in what comes to lie in their place. */
static void closed_while_watched(void)
{
	int set = epoll_create1(0), closed[CLOSED], ends[2];
	struct epoll_event e = { .events = EPOLLIN };
	pthread_t waits, t[WAITERS];
	void *found, *one;
	long woken = 0;

	SHOW(pipe(ends));
	for (int i = 0; i < CLOSED; i++) {
		closed[i] = socket(AF_INET, SOCK_DGRAM, 0);
		epoll_ctl(set, EPOLL_CTL_ADD, closed[i], &e);
	}
	pthread_create(&waits, NULL, wait_for_nothing, (void *)(long)set);
	usleep(100000);
	for (int i = 0; i < CLOSED; i++)
		close(closed[i]);
	for (int i = 0; i < WAITERS; i++)
		pthread_create(&t[i], NULL, wait_for_one, (void *)(long)ends[0]);
	pthread_join(waits, &found);
	SHOW(write(ends[1], "!", 1));
	for (int i = 0; i < WAITERS; i++) {
		pthread_join(t[i], &one);
		woken += (long)one;
	}
	close(ends[0]);
	close(ends[1]);
	close(set);
	printf("closed while watched: %ld, %ld of %d\n", (long)found, woken, WAITERS);
}

static void *nothing(void *arg)
{
	return arg;
}

static void many(void)
{
	pthread_attr_t attr;
	pthread_t t;
	int made = 0;

	for (int i = 0; i < 300; i++) {
		made += pthread_create(&t, NULL, nothing, NULL) == 0;
		pthread_join(t, NULL);
	}
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < 50; i++)
		made += pthread_create(&t, &attr, nothing, NULL) == 0;
	printf("made %d\n", made);
}

int main(int argc, char **argv)
{
	self = argv[0];
	if (argc > 1 && !strcmp(argv[1], "--leave"))
		main_leaves_first();
	if (argc > 1) {
		printf("alone after exec: %d\n", getpid() == syscall(SYS_gettid));
		return 21;
	}
	joins();
	conditions();
	barriers();
	cancels();
	signals();
	futexes();
	shared_futex();
	forking();
	in_child("exec from a thread", exec_from_thread);
	in_child("exit from a thread", exit_from_thread);
	in_child("crash in a thread", crash_in_thread);
	in_child("main leaves first", leave_by_exec);
	closed_while_watched();
	many();
	return 0;
}
