/* Internet sockets over loopback: connections, datagrams, both families, options, errors. */
#include "test.h"
#include <stdbool.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

static struct sockaddr_in at(const char *ip, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	a.sin_addr.s_addr = inet_addr(ip);
	return a;
}

#define ADDRESS(a) (struct sockaddr *)&(a), sizeof(a)

static void show_poll(const char *text, int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0 };

	printf("%s: %d events %x\n", text, poll(&p, 1, 0), p.revents);
}

static void wait_for(int fd, int events)
{
	struct pollfd p = { fd, events, 0 };

	TRUE(poll(&p, 1, 10000) == 1);
}

/* A listener on any port, which it tells. */
static int listener(int family, int *port)
{
	struct sockaddr_in6 a;
	socklen_t n = sizeof a;
	int s = socket(family, SOCK_STREAM, 0);

	SHOW(listen(s, 4));
	SHOW(getsockname(s, (struct sockaddr *)&a, &n));
	*port = ntohs(a.sin6_port);
	printf("length %d, a port %d\n", (int)n, *port > 0);
	return s;
}

/* Two ends of a connection. */
static int pair(int ends[2])
{
	struct sockaddr_in a, b;
	socklen_t n = sizeof a;
	int port, l = listener(AF_INET, &port);

	a = at("127.0.0.1", port);
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	SHOW(connect(ends[0], ADDRESS(a)));
	ends[1] = accept(l, (struct sockaddr *)&b, &n);
	TRUE(ends[1] >= 0 && n == sizeof b && b.sin_family == AF_INET);
	TRUE(b.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && b.sin_port != 0);
	n = sizeof a;
	SHOW(getsockname(ends[0], (struct sockaddr *)&a, &n));
	TRUE(a.sin_port == b.sin_port);
	n = sizeof a;
	SHOW(getpeername(ends[0], (struct sockaddr *)&a, &n));
	TRUE(ntohs(a.sin_port) == port);
	return l;
}

static void made(void)
{
	SHOW(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
	SHOW(socket(AF_INET, 9, 0));
	SHOW(socket(AF_INET, 77, 0));
	SHOW(socket(99, SOCK_STREAM, 0));
	SHOW(socket(AF_INET, SOCK_STREAM | 0x100000, 0));
	SHOW(socket(AF_INET, SOCK_SEQPACKET, 0));
	SHOW(socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){ 0 }));
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	SHOW(fcntl(s, F_GETFD));
	TRUE(fcntl(s, F_GETFL) == (O_RDWR | O_NONBLOCK));
	struct stat st;
	SHOW(fstat(s, &st));
	TRUE(S_ISSOCK(st.st_mode));
	SHOW(lseek(s, 0, SEEK_SET));
	show_poll("fresh", s);
	SHOW(read(s, &st, 1));
	SHOW(shutdown(s, SHUT_RD));
	SHOW(listen(1, 1));
	SHOW(listen(-1, 1));
	close(s);
}

static void options(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), on = 1, value;
	socklen_t n;
	static const int names[] = { SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ERROR, SO_ACCEPTCONN,
		SO_REUSEADDR, SO_KEEPALIVE, SO_BROADCAST };

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	for (size_t i = 0; i < COUNT(names); i++) {
		n = sizeof value;
		value = 99;
		SHOW(getsockopt(s, SOL_SOCKET, names[i], &value, &n));
		printf("%d: %d, %d bytes\n", names[i], value, (int)n);
	}
	SHOW(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
	n = sizeof value;
	SHOW(getsockopt(s, IPPROTO_TCP, TCP_NODELAY, &value, &n));
	printf("no delay %d\n", value);
	SHOW(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, 2));
	SHOW(setsockopt(s, SOL_SOCKET, 9999, &on, sizeof on));
	SHOW(setsockopt(s, SOL_SOCKET, SO_TYPE, &on, sizeof on));
	SHOW(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, BAD, sizeof on));
	SHOW(getsockopt(s, SOL_SOCKET, SO_TYPE, BAD, &n));
	SHOW(setsockopt(1, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
	struct timeval t = { 0, 50000 };
	SHOW(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
	struct linger l = { 1, 5 };
	SHOW(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof l));
	n = sizeof l;
	SHOW(getsockopt(s, SOL_SOCKET, SO_LINGER, &l, &n));
	printf("linger %d %d\n", l.l_onoff, l.l_linger);
	close(s);
}

static void streams(void)
{
	int e[2], l = pair(e), n;
	char b[64];

	show_poll("new", e[0]);
	show_poll("listener", l);
	SHOW(send(e[0], "hello world", 11, 0));
	wait_for(e[1], POLLIN);
	SHOW(ioctl(e[1], FIONREAD, &n));
	printf("%d to be read\n", n);
	SHOW(recv(e[1], b, 5, MSG_PEEK));
	SHOW(recv(e[1], b, 6, 0));
	printf("%.6s\n", b);
	SHOW(read(e[1], b, sizeof b));
	SHOW(recv(e[1], b, 1, MSG_DONTWAIT));
	struct iovec v[3] = { { "one ", 4 }, { "two ", 4 }, { "three", 5 } };
	SHOW(writev(e[1], v, 3));
	SHOW(recv(e[0], b, 13, MSG_WAITALL));
	printf("%.13s\n", b);
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 3 };
	SHOW(sendmsg(e[1], &m, MSG_NOSIGNAL));
	struct iovec w[2] = { { b, 6 }, { b + 20, 20 } };
	m = (struct msghdr){ .msg_iov = w, .msg_iovlen = 2 };
	wait_for(e[0], POLLIN);
	SHOW(recvmsg(e[0], &m, 0));
	printf("%.6s|%.7s flags %x\n", b, b + 20, m.msg_flags);
	SHOW(send(e[0], BAD, 10, 0));
	SHOW(recv(e[0], b, 4, MSG_OOB));
	SHOW(connect(e[0], ADDRESS(*(struct sockaddr_in[]){ at("127.0.0.1", 1) })));
	SHOW(listen(e[0], 1));
	SHOW(shutdown(e[0], SHUT_WR));
	wait_for(e[1], POLLIN);
	show_poll("peer has shut", e[1]);
	SHOW(read(e[1], b, 1));
	SHOW(send(e[1], "still", 5, 0));
	SHOW(recv(e[0], b, sizeof b, 0));
	signal(SIGPIPE, SIG_IGN);
	SHOW(send(e[0], "x", 1, 0));
	SHOW(shutdown(e[1], SHUT_RDWR));
	wait_for(e[0], POLLIN);
	usleep(10000);
	show_poll("both shut", e[0]);
	SHOW(read(e[0], b, 1));
	close(e[0]);
	close(e[1]);
	close(l);
}

static void pipe_signal(void)
{
	int e[2];

	signal(SIGPIPE, SIG_DFL);
	pair(e);
	shutdown(e[0], SHUT_WR);
	write(e[0], "x", 1);
	printf("not reached\n");
}

/* Much more than fits: the writer sleeps, and the bytes come in order. */
static void much(void)
{
	enum { ALL = 3000000 };
	int e[2];
	static unsigned char b[70000];
	size_t got = 0;
	bool good = true;

	pair(e);
	pid_t pid = fork_clean();
	if (!pid) {
		for (size_t i = 0; i < ALL;) {
			size_t n = ALL - i < sizeof b ? ALL - i : sizeof b;
			for (size_t k = 0; k < n; k++)
				b[k] = (i + k) * 7 >> 3;
			ssize_t w = write(e[0], b, n);
			if (w != (ssize_t)n)
				_exit(1);
			i += n;
		}
		_exit(0);
	}
	close(e[0]);
	for (ssize_t n; (n = read(e[1], b, 1 + got % sizeof b)) > 0; got += n)
		for (ssize_t k = 0; k < n; k++)
			good &= b[k] == (unsigned char)((got + k) * 7 >> 3);
	int status;
	waitpid(pid, &status, 0);
	show_status("writer", status);
	printf("%zu bytes, %s\n", got, good ? "right" : "WRONG");
	close(e[1]);
}

static void not_waiting(void)
{
	int port, l = listener(AF_INET, &port), s, error, n = 0;
	socklen_t size = sizeof error;
	struct sockaddr_in a = at("127.0.0.1", port), nobody = at("127.0.0.1", 1);
	static char b[65536];

	fcntl(l, F_SETFL, O_NONBLOCK);
	SHOW(accept(l, NULL, NULL));
	s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	TRUE(connect(s, ADDRESS(a)) == 0 || errno == EINPROGRESS);
	wait_for(s, POLLOUT);
	SHOW(getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &size));
	printf("error %d\n", error);
	wait_for(l, POLLIN);
	int c = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	SHOW(fcntl(c, F_GETFD));
	SHOW(recv(c, b, 1, 0));
	while (send(s, b, sizeof b, 0) > 0)
		n++;
	printf("full: %s, %d\n", strerror(errno), n > 0);
	show_poll("full", s);
	while (recv(c, b, sizeof b, 0) > 0 || poll(&(struct pollfd){ c, POLLIN, 0 }, 1, 100) > 0)
		;
	wait_for(s, POLLOUT);
	close(s);
	s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (connect(s, ADDRESS(nobody)) == 0 || errno != EINPROGRESS)
		printf("connect: %s\n", strerror(errno));
	wait_for(s, POLLOUT);
	show_poll("refused", s);
	SHOW(getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &size));
	printf("error %s\n", strerror(error));
	close(s);
	s = socket(AF_INET, SOCK_STREAM, 0);
	SHOW(connect(s, ADDRESS(nobody)));
	close(s);
	close(c);
	close(l);
}

static void bound(void)
{
	struct sockaddr_in a = at("127.0.0.1", 7777), elsewhere = at("192.0.2.1", 7777);
	int s = socket(AF_INET, SOCK_STREAM, 0), t = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	SHOW(bind(s, ADDRESS(elsewhere)));
	SHOW(bind(s, (struct sockaddr *)&a, 4));
	SHOW(bind(s, BAD, sizeof a));
	SHOW(bind(s, ADDRESS(a)));
	SHOW(bind(s, ADDRESS(a)));
	SHOW(bind(t, ADDRESS(a)));
	SHOW(listen(s, 1));
	setsockopt(t, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	SHOW(bind(t, ADDRESS(a)));
	close(s);
	SHOW(bind(t, ADDRESS(a)));
	close(t);
	SHOW(accept(0, NULL, NULL));
}

/* ---- one port for several ------------------------------------------------------------------ */

static int at_one_port(int type, bool reuse_port)
{
	struct sockaddr_in a = at("127.0.0.1", 7779);
	int s = socket(AF_INET, type, 0), on = 1;

	if (reuse_port)
		SHOW(setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on));
	else
		setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	SHOW(bind(s, ADDRESS(a)));
	return s;
}

static void of_another_user(void)
{
	if (!seteuid(12345))
		close(at_one_port(SOCK_STREAM, true));
}

/* So many connections; how many of them came to each listener. */
static void connections(int number, const int listeners[2], int came[2])
{
	struct sockaddr_in a = at("127.0.0.1", 7779);
	struct pollfd p[2] = { { listeners[0], POLLIN, 0 }, { listeners[1], POLLIN, 0 } };

	came[0] = came[1] = 0;
	for (int i = 0; i < number; i++) {
		int c = socket(AF_INET, SOCK_STREAM, 0);

		TRUE(!connect(c, ADDRESS(a)) && poll(p, 2, 10000) == 1);
		int which = p[1].revents != 0;
		close(accept(listeners[which], NULL, NULL));
		came[which]++;
		close(c);
	}
}

static void listeners_at_one_port(void)
{
	int l[2], came[2], on = 0, value;
	socklen_t n = sizeof value;

	l[0] = at_one_port(SOCK_STREAM, true);
	close(at_one_port(SOCK_STREAM, false));
	in_child("another user", of_another_user);
	l[1] = at_one_port(SOCK_STREAM, true);
	SHOW(getsockopt(l[1], SOL_SOCKET, SO_REUSEPORT, &value, &n));
	printf("reuse port %d\n", value);
	SHOW(listen(l[0], 8));
	close(at_one_port(SOCK_STREAM, false));
	SHOW(listen(l[1], 8));
	connections(64, l, came);
	TRUE(came[0] > 0 && came[1] > 0);
	printf("%d connections\n", came[0] + came[1]);
	close(l[0]);
	l[0] = -1;
	connections(16, l, came);
	printf("%d and %d\n", came[0], came[1]);
	l[0] = at_one_port(SOCK_STREAM, true);
	SHOW(setsockopt(l[0], SOL_SOCKET, SO_REUSEPORT, &on, sizeof on));
	SHOW(listen(l[0], 8));
	close(l[0]);
	close(l[1]);
}

/* Each sends its number; where it arrives. */
static void send_number(int number, int from, const int to[2], int where[])
{
	struct sockaddr_in a = at("127.0.0.1", 7779);
	struct pollfd p[2] = { { to[0], POLLIN, 0 }, { to[1], POLLIN, 0 } };
	char got = -1, sent = number;

	TRUE(sendto(from, &sent, 1, 0, ADDRESS(a)) == 1 && poll(p, 2, 10000) == 1);
	where[number] = p[1].revents != 0;
	TRUE(recv(to[where[number]], &got, 1, 0) == 1 && got == sent);
}

static void datagrams_at_one_port(void)
{
	enum { SENDERS = 48 };
	int u[2], from[SENDERS], first[SENDERS], second[SENDERS], came[2] = { 0 };
	struct sockaddr_in a;
	socklen_t n = sizeof a;

	u[0] = at_one_port(SOCK_DGRAM, true);
	close(at_one_port(SOCK_DGRAM, false));
	u[1] = at_one_port(SOCK_DGRAM, true);
	for (int i = 0; i < SENDERS; i++) {
		from[i] = socket(AF_INET, SOCK_DGRAM, 0);
		send_number(i, from[i], u, first);
		came[first[i]]++;
	}
	TRUE(came[0] > 0 && came[1] > 0);
	for (int i = 0; i < SENDERS; i++) {
		send_number(i, from[i], u, second);
		TRUE(first[i] == second[i]);
	}
	a = at("127.0.0.1", 0);
	SHOW(getsockname(from[0], (struct sockaddr *)&a, &n));
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	SHOW(connect(u[0], ADDRESS(a)));
	came[0] = came[1] = 0;
	for (int i = 0; i < SENDERS; i++) {
		send_number(i, from[i], u, first);
		came[first[i]]++;
		close(from[i]);
	}
	printf("one is connected: %d and %d\n", came[0], came[1]);
	close(u[0]);
	close(u[1]);
}

static void datagrams(void)
{
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0), n;
	struct sockaddr_in to = at("127.0.0.1", 7778), from, none = at("0.0.0.0", 0);
	socklen_t size = sizeof from;
	char text[32], big[2000] = "";

	show_poll("udp", a);
	SHOW(send(a, "x", 1, 0));
	SHOW(bind(b, ADDRESS(to)));
	SHOW(sendto(a, "hello", 5, 0, ADDRESS(to)));
	wait_for(b, POLLIN);
	SHOW(ioctl(b, FIONREAD, &n));
	printf("%d\n", n);
	SHOW(recvfrom(b, text, 3, MSG_PEEK | MSG_TRUNC, NULL, NULL));
	SHOW(recvfrom(b, text, sizeof text, 0, (struct sockaddr *)&from, &size));
	TRUE(from.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && size == sizeof from);
	SHOW(sendto(b, "back", 4, 0, ADDRESS(from)));
	SHOW(recv(a, text, sizeof text, 0));
	SHOW(connect(a, ADDRESS(to)));
	SHOW(send(a, "connected", 9, 0));
	struct iovec v = { text, 4 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_name = &from, .msg_namelen = sizeof from };
	SHOW(recvmsg(b, &m, 0));
	printf("flags %x, name %d\n", m.msg_flags, (int)m.msg_namelen);
	SHOW(send(a, "", 0, 0));
	SHOW(recv(b, text, sizeof text, 0));
	SHOW(recv(b, text, sizeof text, MSG_DONTWAIT));
	struct mmsghdr mm[2] = { { .msg_hdr = { .msg_iov = &v, .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = &v, .msg_iovlen = 1 } } };
	SHOW(sendmmsg(a, mm, 2, 0));
	SHOW(recvmmsg(b, mm, 2, MSG_WAITFORONE, NULL));
	printf("%u\n", mm[0].msg_len);
	SHOW(send(a, big, sizeof big, 0));
	SHOW(recv(b, big, sizeof big, 0));
	none.sin_family = AF_UNSPEC;
	SHOW(connect(a, ADDRESS(none)));
	SHOW(send(a, "x", 1, 0));
	SHOW(listen(a, 1));
	SHOW(accept(a, NULL, NULL));
	close(a);
	close(b);
}

static void six(void)
{
	int port, l = listener(AF_INET6, &port), off = 0, on = 1;
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT }, peer;
	struct sockaddr_in v4 = at("127.0.0.1", port);
	socklen_t n = sizeof peer;
	char text[64];

	int c = socket(AF_INET6, SOCK_STREAM, 0);
	SHOW(connect(c, ADDRESS(a)));
	int s = accept(l, (struct sockaddr *)&peer, &n);
	printf("%s %d\n", inet_ntop(AF_INET6, &peer.sin6_addr, text, sizeof text), (int)n);
	SHOW(write(c, "six", 3));
	SHOW(read(s, text, sizeof text));
	close(c);
	close(s);
	c = socket(AF_INET, SOCK_STREAM, 0);
	SHOW(connect(c, ADDRESS(v4)));
	n = sizeof peer;
	s = accept(l, (struct sockaddr *)&peer, &n);
	printf("%s %d\n", inet_ntop(AF_INET6, &peer.sin6_addr, text, sizeof text), (int)n);
	close(c);
	close(s);
	SHOW(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off));
	close(l);
	l = socket(AF_INET6, SOCK_STREAM, 0);
	SHOW(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on));
	a.sin6_addr = (struct in6_addr)IN6ADDR_ANY_INIT;
	SHOW(bind(l, ADDRESS(a)));
	SHOW(listen(l, 1));
	c = socket(AF_INET, SOCK_STREAM, 0);
	SHOW(connect(c, ADDRESS(v4)));
	SHOW(setsockopt(c, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on));
	close(c);
	close(l);
}

/* Descriptors: shared by fork, kept by dup, gone with the last. */
static void shared(void)
{
	int e[2];
	char b[16];

	pair(e);
	int d = dup(e[0]);
	close(e[0]);
	pid_t pid = fork_clean();
	if (!pid) {
		write(d, "child", 5);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	SHOW(recv(e[1], b, sizeof b, 0));
	SHOW(recv(e[1], b, sizeof b, MSG_DONTWAIT));
	close(d);
	SHOW(recv(e[1], b, sizeof b, 0));
	close(e[1]);
}

static void files(void)
{
	int e[2], f = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600), epoll = epoll_create1(0);
	off_t offset = 2;
	char b[32];

	pair(e);
	write(f, "0123456789", 10);
	SHOW(sendfile(e[0], f, &offset, 5));
	SHOW(recv(e[1], b, sizeof b, 0));
	printf("%.5s\n", b);
	struct epoll_event v = { .events = EPOLLIN | EPOLLET | EPOLLRDHUP, .data.u32 = 5 };
	SHOW(epoll_ctl(epoll, EPOLL_CTL_ADD, e[1], &v));
	SHOW(epoll_wait(epoll, &v, 1, 0));
	write(e[0], "a", 1);
	SHOW(epoll_wait(epoll, &v, 1, 5000));
	printf("%x %u\n", v.events, v.data.u32);
	SHOW(epoll_wait(epoll, &v, 1, 0));
	write(e[0], "b", 1);
	SHOW(epoll_wait(epoll, &v, 1, 5000));
	close(e[0]);
	SHOW(epoll_wait(epoll, &v, 1, 5000));
	printf("%x\n", v.events);
	struct timeval t = { 0, 30000 };
	int u = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(u, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
	SHOW(recv(u, b, 1, 0));
	close(u);
	close(e[1]);
}

int main(void)
{
	made();
	options();
	streams();
	in_child("write after shutdown", pipe_signal);
	much();
	not_waiting();
	bound();
	listeners_at_one_port();
	datagrams_at_one_port();
	datagrams();
	six();
	shared();
	files();
	return 0;
}
