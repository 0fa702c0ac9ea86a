/* pipe2, FIFOs, poll, select, epoll, eventfd: readiness, blocking, ends, EPIPE, EAGAIN. */
#include "test.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>

static char buf[70000];

static void basics(void)
{
	int p[2], n;

	SHOW(pipe2(p, O_CLOEXEC | O_NONBLOCK));
	SHOW(fcntl(p[0], F_GETFD));
	printf("flags %o %o\n", fcntl(p[0], F_GETFL), fcntl(p[1], F_GETFL));
	SHOW(read(p[0], buf, 1));
	SHOW(write(p[1], "hello", 5));
	SHOW(ioctl(p[0], FIONREAD, &n));
	SHOW(n);
	SHOW(read(p[0], buf, 3));
	SHOW(read(p[0], buf, 100));
	SHOW(read(p[0], buf, 0));
	SHOW(write(p[1], buf, 0));
	SHOW(write(p[0], "x", 1));
	SHOW(read(p[1], buf, 1));
	SHOW(lseek(p[0], 0, SEEK_SET));
	SHOW(pread(p[0], buf, 1, 0));
	SHOW(ftruncate(p[1], 0));
	SHOW(write(p[1], buf, sizeof buf));
	SHOW(write(p[1], buf, 1));
	SHOW(write(p[1], buf, 4096));
	SHOW(read(p[0], buf, 4095));
	SHOW(write(p[1], buf, 4096));
	SHOW(read(p[0], buf, 1));
	SHOW(write(p[1], buf, 4096));
	SHOW(read(p[0], BAD, 1));
	SHOW(close(p[1]));
	SHOW(read(p[0], buf, sizeof buf));
	SHOW(read(p[0], buf, sizeof buf));
	SHOW(close(p[0]));
	SHOW(pipe2(p, 1));
	SHOW(pipe(BAD));
	SHOW(fcntl(0, F_GETPIPE_SZ));
}

static void broken(void)
{
	int p[2];

	signal(SIGPIPE, SIG_IGN);
	pipe(p);
	close(p[0]);
	SHOW(write(p[1], "x", 1));
	SHOW(write(p[1], "x", 0));
	fflush(stdout);
	signal(SIGPIPE, SIG_DFL);
	write(p[1], "x", 1);
	printf("not reached\n");
}

static void show_poll(const char *text, int fd, short events, int timeout)
{
	struct pollfd f = { fd, events, 0 };
	int n = poll(&f, 1, timeout);

	printf("%s: poll %d events %x\n", text, n, f.revents);
}

static void polling(void)
{
	int p[2], file = open("f", O_CREAT | O_RDWR, 0600);
	int64_t start;

	pipe(p);
	show_poll("empty, read end", p[0], POLLIN, 0);
	show_poll("empty, write end", p[1], POLLOUT, 0);
	write(p[1], buf, 1);
	show_poll("a byte, read end", p[0], POLLIN | POLLOUT | POLLRDNORM, 0);
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	while (write(p[1], buf, 4096) > 0)
		;
	show_poll("full, write end", p[1], POLLOUT, 0);
	read(p[0], buf, 4097);
	show_poll("room, write end", p[1], POLLOUT, 0);
	close(p[0]);
	show_poll("no reader", p[1], POLLOUT, 0);
	close(p[1]);
	pipe(p);
	close(p[1]);
	show_poll("no writer", p[0], POLLIN, 0);
	close(p[0]);
	show_poll("closed", p[0], POLLIN, 0);
	show_poll("negative", -1, POLLIN, 0);
	show_poll("file", file, POLLIN | POLLOUT, 0);
	show_poll("/dev/null", open("/dev/null", O_RDWR), POLLIN | POLLOUT, 0);
	start = now_ms();
	SHOW(poll(NULL, 0, 60));
	TRUE(now_ms() - start >= 60);
	SHOW(poll(BAD, 1, 0));
	SHOW(poll(BAD, 0, 0));
	close(file);
}

static void wake_up(void)
{
	struct pollfd f[2];
	struct timeval limit = { 5, 0 };
	fd_set set;
	int p[2], q[2], status;
	pid_t pid;

	pipe(p);
	pipe(q);
	pid = fork_clean();
	if (!pid) {
		nap_ms(100);
		write(q[1], "x", 1);
		nap_ms(100);
		write(p[1], "y", 1);
		_exit(0);
	}
	f[0] = (struct pollfd){ p[0], POLLIN, 0 };
	f[1] = (struct pollfd){ q[0], POLLIN, 0 };
	SHOW(poll(f, 2, 5000));
	printf("%x %x\n", f[0].revents, f[1].revents);
	read(q[0], buf, 1);
	FD_ZERO(&set);
	FD_SET(p[0], &set);
	FD_SET(q[0], &set);
	SHOW(syscall(SYS_select, q[1] + 1, &set, NULL, NULL, &limit));
	printf("%d %d\n", FD_ISSET(p[0], &set) != 0, FD_ISSET(q[0], &set) != 0);
	TRUE(limit.tv_sec == 4);
	waitpid(pid, &status, 0);
	limit = (struct timeval){ 0, 50000 };
	FD_ZERO(&set);
	FD_SET(q[0], &set);
	SHOW(select(q[0] + 1, &set, NULL, NULL, &limit));
	SHOW(select(-1, NULL, NULL, NULL, NULL));
	FD_ZERO(&set);
	FD_SET(500, &set);
	SHOW(select(501, &set, NULL, NULL, &limit));
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
}

/* Writes of up to PIPE_BUF bytes are never mixed. */
static void atomic_writes(void)
{
	int p[2], mixed = 0, total = 0;
	char block[512];

	pipe(p);
	for (int w = 0; w < 3; w++)
		if (fork_clean() == 0) {
			memset(block, 'a' + w, sizeof block);
			for (int i = 0; i < 200; i++)
				write(p[1], block, sizeof block);
			_exit(0);
		}
	close(p[1]);
	for (;;) {
		size_t have = 0;
		ssize_t n;

		while (have < sizeof block && (n = read(p[0], block + have, sizeof block - have)) > 0)
			have += n;
		if (have == 0)
			break;
		for (size_t i = 1; i < have; i++)
			mixed += block[i] != block[0];
		total += have;
	}
	printf("%d bytes, %d mixed\n", total, mixed);
	close(p[0]);
	while (wait(NULL) > 0)
		;
}

static void large_transfer(void)
{
	unsigned sum = 0, expect = 0;
	long total = 0, n;
	int p[2];

	pipe(p);
	if (fork_clean() == 0) {
		for (int i = 0; i < 60; i++) {
			memset(buf, i, sizeof buf);
			if (write(p[1], buf, sizeof buf) != sizeof buf)
				_exit(1);
		}
		_exit(0);
	}
	close(p[1]);
	for (int i = 0; i < 60; i++)
		expect += i * sizeof buf;
	while ((n = read(p[0], buf, 10007)) > 0) {
		total += n;
		for (long i = 0; i < n; i++)
			sum += (unsigned char)buf[i];
	}
	printf("%ld bytes, sum right %d\n", total, sum == expect);
	close(p[0]);
	wait(NULL);
}

static void fifos(void)
{
	int r, w;

	SHOW(mkfifo("p", 0600));
	SHOW(mkfifo("p", 0600));
	SHOW(open("p", O_WRONLY | O_NONBLOCK));
	r = open("p", O_RDONLY | O_NONBLOCK);
	SHOW(r >= 0);
	SHOW(read(r, buf, 1));
	show_poll("never a writer", r, POLLIN, 0);
	w = open("p", O_WRONLY | O_NONBLOCK);
	SHOW(write(w, "abc", 3));
	SHOW(read(r, buf, 10));
	SHOW(read(r, buf, 10));
	close(w);
	SHOW(read(r, buf, 10));
	show_poll("writer gone", r, POLLIN, 0);
	close(r);
	fflush(stdout);
	if (fork() == 0) {
		w = open("p", O_WRONLY);
		write(w, "blocked open", 12);
		_exit(0);
	}
	r = open("p", O_RDONLY);
	SHOW(read(r, buf, 100));
	close(r);
	wait(NULL);
}

static void show_epoll(const char *text, int ep, int timeout)
{
	struct epoll_event e[4];
	int n = epoll_wait(ep, e, 4, timeout);

	printf("%s: %d", text, n);
	for (int i = 0; i < n; i++)
		printf(" [%u %x]", e[i].data.u32, e[i].events);
	printf("\n");
}

static void epolls(void)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = 1 };
	int ep = epoll_create1(EPOLL_CLOEXEC), p[2], q[2];

	pipe(p);
	pipe(q);
	SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e));
	SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e));
	SHOW(epoll_ctl(ep, EPOLL_CTL_MOD, q[0], &e));
	SHOW(epoll_ctl(ep, EPOLL_CTL_DEL, q[0], &e));
	SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e));
	SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, open("e", O_CREAT | O_RDWR, 0600), &e));
	SHOW(epoll_ctl(99, EPOLL_CTL_ADD, p[0], &e));
	e = (struct epoll_event){ .events = EPOLLIN | EPOLLET, .data.u32 = 2 };
	SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, q[0], &e));
	show_epoll("nothing", ep, 0);
	write(p[1], "x", 1);
	write(q[1], "x", 1);
	show_epoll("both", ep, 0);
	show_epoll("level only", ep, 0);
	write(q[1], "y", 1);
	show_epoll("edge again", ep, 0);
	e = (struct epoll_event){ .events = EPOLLIN | EPOLLONESHOT, .data.u32 = 3 };
	SHOW(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e));
	show_epoll("one shot", ep, 0);
	show_epoll("spent", ep, 0);
	close(q[1]);
	show_epoll("hang-up", ep, 0);
	SHOW(epoll_wait(ep, BAD, 1, 0));
	SHOW(epoll_wait(ep, &e, 0, 0));
	SHOW(epoll_wait(p[0], &e, 1, 0));
	show_epoll("time-out", ep, 30);
	close(ep);
}

static void event_counters(void)
{
	uint64_t v = 5;
	int fd = eventfd(3, EFD_NONBLOCK);

	SHOW(write(fd, &v, 8));
	SHOW(read(fd, &v, 8));
	SHOW(v);
	SHOW(read(fd, &v, 8));
	SHOW(read(fd, &v, 4));
	v = -1;
	SHOW(write(fd, &v, 8));
	show_poll("event counter", fd, POLLIN | POLLOUT, 0);
	close(fd);
	fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	SHOW(read(fd, &v, 8));
	SHOW(v);
	SHOW(read(fd, &v, 8));
	SHOW(read(fd, &v, 8));
	close(fd);
}

int main(void)
{
	basics();
	in_child("broken pipe", broken);
	polling();
	wake_up();
	atomic_writes();
	large_transfer();
	fifos();
	epolls();
	event_counters();
	return 0;
}
