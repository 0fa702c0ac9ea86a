/* Sockets of AF_UNIX: pairs, names, the three kinds, descriptors and credentials, ends. */
#include "test.h"
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un named(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path, name);
	return a;
}

#define ADDRESS(a) (struct sockaddr *)&(a), sizeof(a)

static void show_poll(const char *text, int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLRDHUP, 0 };

	printf("%s: %d events %x\n", text, poll(&p, 1, 0), p.revents);
}

static void show_name(const char *text, int fd, bool peer)
{
	struct sockaddr_un a = { 0 };
	socklen_t n = sizeof a;
	int r = peer ? getpeername(fd, (struct sockaddr *)&a, &n) :
		getsockname(fd, (struct sockaddr *)&a, &n);

	if (r < 0)
		printf("%s: %s\n", text, strerror(errno));
	else
		printf("%s: length %d, '%s'\n", text, (int)n, n > 2 ? a.sun_path : "");
	errno = 0;
}

static void pairs(int type)
{
	int e[2], n;
	char b[100];

	printf("type %d\n", type);
	SHOW(socketpair(AF_UNIX, type, 0, e));
	show_poll("new", e[0]);
	show_name("own", e[0], false);
	show_name("peer", e[0], true);
	SHOW(write(e[0], "one", 3));
	SHOW(write(e[0], "two2", 4));
	SHOW(ioctl(e[1], FIONREAD, &n));
	printf("%d\n", n);
	SHOW(recv(e[1], b, 2, MSG_PEEK));
	SHOW(recv(e[1], b, 5, 0));
	printf("%.2s\n", b);
	SHOW(recv(e[1], b, sizeof b, MSG_DONTWAIT));
	SHOW(recv(e[1], b, sizeof b, MSG_DONTWAIT));
	SHOW(send(e[0], "truncated", 9, 0));
	SHOW(recv(e[1], b, 3, MSG_TRUNC));
	recv(e[1], b, sizeof b, MSG_DONTWAIT);
	SHOW(connect(e[0], ADDRESS(*(struct sockaddr_un[]){ named("nobody") })));
	SHOW(shutdown(e[0], SHUT_WR));
	show_poll("shut", e[0]);
	show_poll("its peer", e[1]);
	SHOW(recv(e[1], b, 1, MSG_DONTWAIT));
	SHOW(send(e[0], "x", 1, MSG_NOSIGNAL));
	SHOW(send(e[1], "y", 1, MSG_NOSIGNAL));
	SHOW(close(e[1]));
	show_poll("closed", e[0]);
	SHOW(recv(e[0], b, 1, MSG_DONTWAIT));
	SHOW(recv(e[0], b, 1, MSG_DONTWAIT));
	SHOW(send(e[0], "x", 1, MSG_NOSIGNAL));
	close(e[0]);
}

static void unread(void)
{
	int e[2];
	char c;

	socketpair(AF_UNIX, SOCK_STREAM, 0, e);
	write(e[0], "unread", 6);
	close(e[1]);
	show_poll("closed with something unread", e[0]);
	SHOW(read(e[0], &c, 1));
	SHOW(read(e[0], &c, 1));
	write(e[0], "x", 1);
	printf("not reached\n");
}

static void names(void)
{
	struct sockaddr_un a = named("s"), none = named("none"), hidden = { .sun_family = AF_UNIX };
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), s;
	struct stat st;
	char b[10];

	unlink("s");
	show_poll("fresh", c);
	SHOW(listen(l, 2));
	SHOW(connect(c, ADDRESS(a)));
	SHOW(bind(l, ADDRESS(a)));
	SHOW(bind(l, ADDRESS(none)));
	SHOW(bind(c, ADDRESS(a)));
	SHOW(connect(c, ADDRESS(a)));
	SHOW(stat("s", &st));
	TRUE(S_ISSOCK(st.st_mode));
	SHOW(open("s", O_RDWR));
	SHOW(listen(l, 2));
	SHOW(connect(c, ADDRESS(a)));
	SHOW(write(c, "early", 5));
	show_poll("listener", l);
	SHOW((s = accept(l, NULL, NULL)) >= 0 ? 0 : -1);
	SHOW(read(s, b, sizeof b));
	show_name("listener", l, false);
	show_name("accepted", s, false);
	show_name("its peer", s, true);
	show_name("peer of the client", c, true);
	struct ucred u;
	socklen_t n = sizeof u;
	SHOW(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &u, &n));
	TRUE(u.pid == getpid() && u.uid == getuid() && u.gid == getgid());
	SHOW(connect(c, ADDRESS(a)));
	close(c);
	close(s);
	c = socket(AF_UNIX, SOCK_DGRAM, 0);
	SHOW(connect(c, ADDRESS(a)));
	close(c);
	c = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	SHOW(connect(c, ADDRESS(none)));
	SHOW(connect(c, (struct sockaddr *)&a, 1));
	SHOW(connect(c, BAD, sizeof a));
	close(l);
	SHOW(connect(c, ADDRESS(a)));
	strcpy(hidden.sun_path + 1, "hidden");
	l = socket(AF_UNIX, SOCK_STREAM, 0);
	SHOW(bind(l, (struct sockaddr *)&hidden, 9));
	SHOW(listen(l, 0));
	SHOW(connect(c, (struct sockaddr *)&hidden, 10));
	SHOW(connect(c, (struct sockaddr *)&hidden, 9));
	int d = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	SHOW(connect(d, (struct sockaddr *)&hidden, 9));
	close(l);
	SHOW(read(c, b, 1));
	close(c);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	SHOW(bind(c, (struct sockaddr *)&hidden, 2));
	struct sockaddr_un own = { 0 };
	n = sizeof own;
	SHOW(getsockname(c, (struct sockaddr *)&own, &n));
	printf("%d bytes, abstract %d\n", (int)n, own.sun_path[0] == 0);
	SHOW(unlink("s"));
}

static void datagrams(void)
{
	struct sockaddr_un a = named("d"), b = named("e"), from;
	int s = socket(AF_UNIX, SOCK_DGRAM, 0), t = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	socklen_t n = sizeof from;
	char text[20];
	int sent = 0;

	unlink("d");
	unlink("e");
	SHOW(bind(s, ADDRESS(a)));
	SHOW(sendto(t, "nameless", 8, 0, ADDRESS(a)));
	SHOW(bind(t, ADDRESS(b)));
	SHOW(sendto(t, "named", 5, 0, ADDRESS(a)));
	SHOW(recvfrom(s, text, sizeof text, 0, (struct sockaddr *)&from, &n));
	printf("from %d bytes\n", (int)n);
	n = sizeof from;
	SHOW(recvfrom(s, text, sizeof text, 0, (struct sockaddr *)&from, &n));
	printf("from %d bytes %s\n", (int)n, from.sun_path);
	SHOW(send(t, "x", 1, 0));
	SHOW(connect(t, ADDRESS(a)));
	while (send(t, "fill", 4, 0) == 4)
		sent++;
	printf("%d went, then %s\n", sent, strerror(errno));
	show_poll("full", t);
	SHOW(recv(s, text, sizeof text, 0));
	show_poll("room", t);
	SHOW(close(s));
	SHOW(send(t, "x", 1, 0));
	SHOW(listen(t, 1));
	close(t);
	unlink("d");
	unlink("e");
}

/* Passes a descriptor; and takes one, and reads the file. */
static void pass(int through, int fd)
{
	char byte = 'p';
	union { char bytes[256]; struct cmsghdr align; } out = { 0 };
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = out.bytes,
		.msg_controllen = CMSG_SPACE(sizeof fd) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	SHOW(sendmsg(through, &m, 0));
}

static void take(int through, int room)
{
	char byte = 0, text[64] = "";
	union { char bytes[256]; struct cmsghdr align; } in = { 0 };
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = in.bytes,
		.msg_controllen = room };
	int fd = -1;

	SHOW(recvmsg(through, &m, MSG_CMSG_CLOEXEC));
	printf("flags %x, %d bytes of control\n", m.msg_flags & ~MSG_CMSG_CLOEXEC, (int)m.msg_controllen);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (!c)
		return;
	printf("level %d type %d length %d\n", c->cmsg_level, c->cmsg_type, (int)c->cmsg_len);
	if (c->cmsg_len < CMSG_LEN(sizeof fd))
		return;
	memcpy(&fd, CMSG_DATA(c), sizeof fd);
	SHOW(pread(fd, text, sizeof text, 0));
	SHOW(fcntl(fd, F_GETFD));
	printf("%s\n", text);
	close(fd);
}

static void rights(void)
{
	int e[2], f = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600), on = 1;
	struct ucred u;
	char b[8];

	write(f, "content", 7);
	socketpair(AF_UNIX, SOCK_STREAM, 0, e);
	pass(e[0], f);
	take(e[1], 64);
	pass(e[0], f);
	take(e[1], 8);
	pass(e[0], 99);
	pass(e[0], f);
	SHOW(read(e[1], b, sizeof b));
	pid_t pid = fork_clean();
	if (!pid) {
		close(f);
		f = open("g", O_RDWR | O_CREAT | O_TRUNC, 0600);
		write(f, "of the child", 12);
		pass(e[0], f);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	take(e[1], 64);
	SHOW(setsockopt(e[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
	write(e[0], "c", 1);
	union { char bytes[256]; struct cmsghdr align; } in = { 0 };
	struct iovec v = { b, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = in.bytes,
		.msg_controllen = sizeof in };
	SHOW(recvmsg(e[1], &m, 0));
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_CREDENTIALS) {
		memcpy(&u, CMSG_DATA(c), sizeof u);
		TRUE(u.pid == getpid() && u.uid == getuid());
	}
	close(e[0]);
	close(e[1]);
	close(f);
}

/* More than fits, and a reader in another process. */
static void much(void)
{
	enum { ALL = 2000000 };
	static unsigned char b[50000];
	int e[2], status;
	size_t got = 0;
	bool good = true;

	socketpair(AF_UNIX, SOCK_STREAM, 0, e);
	pid_t pid = fork_clean();
	if (!pid) {
		close(e[1]);
		for (size_t i = 0; i < ALL; i += sizeof b) {
			for (size_t k = 0; k < sizeof b; k++)
				b[k] = (i + k) * 3 >> 2;
			if (write(e[0], b, sizeof b) != sizeof b)
				_exit(1);
		}
		_exit(0);
	}
	close(e[0]);
	for (ssize_t n; (n = read(e[1], b, 1 + got % sizeof b)) > 0; got += n)
		for (ssize_t k = 0; k < n; k++)
			good &= b[k] == (unsigned char)((got + k) * 3 >> 2);
	waitpid(pid, &status, 0);
	show_status("writer", status);
	printf("%zu bytes, %s\n", got, good ? "right" : "WRONG");
	close(e[1]);
}

int main(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	SHOW(socket(AF_UNIX, SOCK_STREAM, 5));
	SHOW(socket(AF_UNIX, SOCK_RDM, 0));
	SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, BAD));
	for (size_t i = 0; i < COUNT(types); i++)
		pairs(types[i]);
	in_child("unread", unread);
	names();
	datagrams();
	rights();
	much();
	return 0;
}
