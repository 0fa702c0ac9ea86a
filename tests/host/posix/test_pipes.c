/* Pipes, FIFOs, poll, select, epoll, eventfd, timerfd: who sleeps, who wakes, what they see. */
#include "tests/host/posix/shim.h"

static int ends[2];
static char got[100000];
static long result;

static void pipe_new(uint32_t flags)
{
	IS(SYS(pipe2, ends, flags), 0);
}

static void read_ten(void)
{
	SYS(close, ends[1]);
	result = SYS(read, ends[0], got, 10);
}

TEST(pipe_reader_waits)
{
	struct process *p;

	pipe_new(0);
	p = actor_start(read_ten);
	settle();
	CHECK(!actor_done(p), "read of an empty pipe returned");
	IS(SYS(write, ends[1], "abc", 3), 3);
	settle();
	CHECK(actor_done(p), "the reader was not woken");
	IS(result, 3);
}

TEST(pipe_end_of_file)
{
	struct process *p;

	pipe_new(0);
	p = actor_start(read_ten);
	settle();
	IS(SYS(close, ends[1]), 0);
	settle();
	CHECK(actor_done(p), "the reader was not woken by the end");
	IS(result, 0);
}

TEST(pipe_interrupted)
{
	struct process *p;

	pipe_new(0);
	p = actor_start(read_ten);
	settle();
	signal_process(p, SIGINT);
	settle();
	IS(result, -ERESTARTSYS);
}

TEST(pipe_broken)
{
	pipe_new(0);
	IS(SYS(close, ends[0]), 0);
	IS(SYS(write, ends[1], "x", 1), -EPIPE);
	CHECK(signals_of(current_process()) >> SIGPIPE & 1, "SIGPIPE");
}

static void write_large(void)
{
	SYS(close, ends[0]);
	result = SYS(write, ends[1], got, sizeof got);
}

TEST(pipe_writer_waits)
{
	static char in[sizeof got];
	struct process *p;
	size_t n = 0;

	for (size_t k = 0; k < sizeof got; k++)
		got[k] = k % 251;
	pipe_new(0);
	p = actor_start(write_large);
	settle();
	CHECK(!actor_done(p), "a full pipe took all");
	while (n < sizeof got) {
		long part = SYS(read, ends[0], in + n, 7777);

		CHECK(part > 0, "read: %ld", part);
		n += part;
	}
	settle();
	IS(result, sizeof got);
	CHECK(!memcmp(in, got, sizeof got), "the bytes");
}

TEST(pipe_capacity)
{
	int n;

	pipe_new(O_NONBLOCK);
	IS(SYS(write, ends[1], got, 70000), 65536);
	IS(SYS(write, ends[1], "x", 1), -EAGAIN);
	IS(SYS(ioctl, ends[0], FIONREAD, &n), 0);
	IS(n, 65536);
	IS(SYS(read, ends[0], got, 4095), 4095);
	IS(SYS(write, ends[1], "x", 1), -EAGAIN);	/* a slot is freed as a whole */
	IS(SYS(read, ends[0], got, 1), 1);
	IS(SYS(write, ends[1], "xy", 2), 2);
	IS(SYS(fcntl, ends[0], F_GETPIPE_SZ), 65536);
	IS(SYS(fcntl, ends[0], F_SETPIPE_SZ, 4096), -EBUSY);
	IS(SYS(fcntl, ends[0], F_SETPIPE_SZ, 100000), 131072);
	/* What doesn't make a page fits behind "xy". */
	IS(SYS(write, ends[1], got, 70000), 65536 + 70000 % 4096);
	IS(SYS(read, ends[0], got, 70000), 70000);
	IS(SYS(lseek, ends[0], 0, SEEK_CUR), -ESPIPE);
	IS(SYS(read, ends[1], got, 1), -EBADF);
	IS(SYS(write, ends[0], got, 1), -EBADF);
}

static void write_atomic(void)
{
	result = SYS(write, ends[1], got, 4096);
}

TEST(pipe_atomic)
{
	struct process *p;

	pipe_new(0);
	IS(SYS(write, ends[1], got, 65536 - 100), 65536 - 100);
	p = actor_start(write_atomic);
	settle();
	CHECK(!actor_done(p), "it wrote a part");
	IS(SYS(read, ends[0], got, 4000), 4000);
	settle();
	CHECK(!actor_done(p), "it wrote a part");
	IS(SYS(read, ends[0], got, 96), 96);
	settle();
	CHECK(actor_done(p), "it wasn't woken");
	IS(result, 4096);
}

TEST(pipe_faults_leave_the_rest)
{
	char page[8192];
	uint64_t edge = (U(page) + 4095) & ~4095ull;

	memset(page, 'p', sizeof page);
	pipe_new(0);
	fault_from = edge;
	fault_to = edge + 4096;
	IS(SYS(write, ends[1], edge - 5, 10), 5);
	IS(SYS(write, ends[1], edge, 10), -EFAULT);
	IS(SYS(read, ends[0], edge, 10), -EFAULT);
	IS(SYS(read, ends[0], got, 10), 5);
}

/* ---- FIFOs ---- */

static void fifo_reader(void)
{
	result = open_path("/fifo", O_RDONLY, 0);
}

TEST(fifo_opens_meet)
{
	struct process *p;

	IS(SYS(mknod, "/fifo", S_IFIFO | 0600, 0), 0);
	IS(open_path("/fifo", O_WRONLY | O_NONBLOCK, 0), -ENXIO);
	p = actor_start(fifo_reader);
	settle();
	CHECK(!actor_done(p), "open for reading didn't wait");
	CHECK(open_path("/fifo", O_WRONLY, 0) >= 0, "open for writing");
	settle();
	CHECK(actor_done(p) && result >= 0, "the reader: %ld", result);
}

TEST(fifo_open_interrupted)
{
	struct process *p;

	IS(SYS(mknod, "/fifo", S_IFIFO | 0600, 0), 0);
	p = actor_start(fifo_reader);
	settle();
	signal_process(p, SIGINT);
	settle();
	IS(result, -ERESTARTSYS);
	IS(open_path("/fifo", O_WRONLY | O_NONBLOCK, 0), -ENXIO);
}

TEST(fifo_hang_up)
{
	struct linux_pollfd p = { 0, POLLIN, 0 };
	long w;

	IS(SYS(mknod, "/fifo", S_IFIFO | 0600, 0), 0);
	IS(open_path("/fifo", O_RDONLY | O_NONBLOCK, 0), 0);
	IS(SYS(poll, &p, 1, 0), 0);		/* no writer yet: not hung up */
	IS(SYS(read, 0, got, 1), 0);
	w = open_path("/fifo", O_WRONLY, 0);
	IS(SYS(read, 0, got, 1), -EAGAIN);
	IS(SYS(close, w), 0);
	IS(SYS(poll, &p, 1, 0), 1);
	IS(p.revents, POLLHUP);
}

/* ---- poll, select ---- */

static void poll_pipe(void)
{
	struct linux_pollfd p[2] = { { ends[0], POLLIN, 0 }, { -1, POLLIN, 99 } };

	result = SYS(poll, p, 2, 1000);
	CHECK(p[1].revents == 0, "a negative descriptor is no file");
	result = result * 1000 + p[0].revents;
}

TEST(poll_wakes)
{
	struct process *p;

	pipe_new(0);
	p = actor_start(poll_pipe);
	settle();
	CHECK(!actor_done(p), "poll didn't wait");
	IS(SYS(write, ends[1], "x", 1), 1);
	settle();
	IS(result, 1000 + POLLIN);
}

TEST(poll_times_out)
{
	struct linux_pollfd p = { 0, POLLIN, 0 };
	uint64_t before = now_ns;

	pipe_new(0);
	IS(SYS(poll, &p, 1, 250), 0);
	IS(now_ns - before, 250000000);
	IS(SYS(poll, 0, 0, 10), 0);
	p.fd = 77;
	IS(SYS(poll, &p, 1, -1), 1);
	IS(p.revents, POLLNVAL);
	IS(SYS(poll, &p, 5000, 0), -EINVAL);
}

TEST(select_bits)
{
	uint64_t in[16] = { 0 }, out[16] = { 0 };
	struct timespec64 t = { 0, 500000 };		/* microseconds */

	pipe_new(0);
	in[0] = 1;
	out[0] = 2;
	IS(SYS(select, 2, in, out, 0, &t), 1);
	CHECK(in[0] == 0 && out[0] == 2, "%lx %lx", in[0], out[0]);
	CHECK(t.sec == 0 && t.nsec == 500000, "what is left: %ld", t.nsec);
	in[0] = 1;
	IS(SYS(select, 1, in, 0, 0, &t), 0);
	CHECK(t.nsec == 0 && in[0] == 0, "after the timeout");
	IS(SYS(write, 1, "x", 1), 1);
	in[0] = 1;
	IS(SYS(pselect6, 1, in, 0, 0, 0, 0), 1);
	in[0] = 1 << 20;
	IS(SYS(select, 21, in, 0, 0, &t), -EBADF);
	IS(SYS(select, -1, in, 0, 0, &t), -EINVAL);
}

/* ---- epoll ---- */

static struct linux_epoll_event event;

static long epoll_one(long ep, int timeout)
{
	event = (struct linux_epoll_event){ 0 };
	return SYS(epoll_wait, ep, &event, 1, timeout);
}

static void watch(long ep, int operation, int fd, uint32_t events, long want)
{
	struct linux_epoll_event ev = { events, 42 };

	IS(SYS(epoll_ctl, ep, operation, fd, &ev), want);
}

TEST(epoll_level_and_edge)
{
	long ep = SYS(epoll_create1, 0);

	pipe_new(0);
	watch(ep, EPOLL_CTL_ADD, ends[0], POLLIN, 0);
	watch(ep, EPOLL_CTL_ADD, ends[0], POLLIN, -EEXIST);
	IS(epoll_one(ep, 0), 0);
	IS(SYS(write, ends[1], "ab", 2), 2);
	IS(epoll_one(ep, 0), 1);
	IS(event.data, 42);
	IS(epoll_one(ep, 0), 1);
	watch(ep, EPOLL_CTL_MOD, ends[0], POLLIN | EPOLLET, 0);
	IS(epoll_one(ep, 0), 1);
	IS(epoll_one(ep, 0), 0);
	IS(SYS(write, ends[1], "c", 1), 1);
	IS(epoll_one(ep, 0), 1);
	watch(ep, EPOLL_CTL_MOD, ends[0], POLLIN | EPOLLONESHOT, 0);
	IS(epoll_one(ep, 0), 1);
	IS(epoll_one(ep, 0), 0);
	watch(ep, EPOLL_CTL_DEL, ends[0], 0, 0);
	watch(ep, EPOLL_CTL_DEL, ends[0], 0, -ENOENT);
	IS(SYS(epoll_ctl, ep, EPOLL_CTL_ADD, open_path("/f", O_CREAT | O_RDWR, 0600), &event),
		-EPERM);
	IS(SYS(epoll_ctl, ep, EPOLL_CTL_ADD, ep, &event), -EINVAL);
	IS(SYS(epoll_wait, ends[0], &event, 1, 0), -EINVAL);
}

TEST(epoll_forgets_the_closed)
{
	size_t objects;
	long ep;

	IS(SYS(close, SYS(epoll_create1, 0)), 0);	/* the first makes a file system */
	objects = objects_used();
	ep = SYS(epoll_create1, 0);
	pipe_new(0);
	watch(ep, EPOLL_CTL_ADD, ends[0], POLLIN, 0);
	IS(SYS(write, ends[1], "x", 1), 1);
	IS(SYS(close, ends[0]), 0);
	IS(epoll_one(ep, 0), 0);
	watch(ep, EPOLL_CTL_ADD, ends[1], POLLOUT, 0);
	IS(SYS(close, ep), 0);
	IS(SYS(close, ends[1]), 0);
	IS(objects_used(), objects);
}

TEST(epoll_nested)
{
	long a = SYS(epoll_create1, 0), b = SYS(epoll_create1, 0);

	pipe_new(0);
	watch(a, EPOLL_CTL_ADD, b, POLLIN, 0);
	watch(b, EPOLL_CTL_ADD, a, POLLIN, -ELOOP);
	watch(b, EPOLL_CTL_ADD, ends[0], POLLIN, 0);
	IS(epoll_one(a, 0), 0);
	IS(SYS(write, ends[1], "x", 1), 1);
	IS(epoll_one(a, 0), 1);
	IS(epoll_one(b, 0), 1);
}

static long waited_on;

static void epoll_waiter(void)
{
	result = epoll_one(waited_on, -1);
}

TEST(epoll_wakes_on_added)
{
	waited_on = SYS(epoll_create1, 0);
	pipe_new(0);
	actor_start(epoll_waiter);
	settle();
	watch(waited_on, EPOLL_CTL_ADD, ends[1], POLLOUT, 0);
	settle();
	IS(result, 1);
}

/* ---- counters ---- */

TEST(eventfd_counts)
{
	uint64_t v = 5;
	long fd = SYS(eventfd2, 2, O_NONBLOCK);

	IS(SYS(write, fd, &v, 8), 8);
	IS(SYS(read, fd, &v, 8), 8);
	IS(v, 7);
	IS(SYS(read, fd, &v, 8), -EAGAIN);
	IS(SYS(read, fd, &v, 4), -EINVAL);
	fd = SYS(eventfd2, 2, EFD_SEMAPHORE | O_NONBLOCK);
	IS(SYS(read, fd, &v, 8), 8);
	IS(v, 1);
}

TEST(timerfd_expires)
{
	struct linux_itimerspec s = { { 0, 1000 }, { 0, 5000 } };
	struct linux_pollfd p = { 0, POLLIN, 0 };
	uint64_t n, start = now_ns;

	IS(SYS(timerfd_create, 1, 0), 0);
	IS(SYS(timerfd_settime, 0, 0, &s, 0), 0);
	IS(SYS(poll, &p, 1, -1), 1);
	IS(now_ns - start, 5000);
	now_ns += 2500;
	IS(SYS(read, 0, &n, 8), 8);
	IS(n, 3);
	IS(SYS(read, 0, &n, 8), 8);
	IS(n, 1);
	IS(now_ns - start, 8000);
	IS(SYS(timerfd_gettime, 0, &s), 0);
	IS(s.value.nsec, 1000);
}
