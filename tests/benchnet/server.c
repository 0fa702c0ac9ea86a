/* The same server on every system (tests/benchnet/run): pages by HTTP on port 80, kept connections
 * included; datagrams echoed on UDP port 7.
 *
 * usage: server [tso-off INTERFACE].  One process, epoll, pages in memory: what a careful program does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIZE_MAX_	102400
#define REQUEST		2048

enum kind { LISTEN_HTTP, ECHO_UDP, HTTP };
struct link {
	int fd;
	enum kind kind;
	int keep, filled;
	const char *left;		/* of the answer */
	size_t left_size;
	char text[REQUEST + 1];
};

static int epoll;
static char page[2][2][SIZE_MAX_ + 200];	/* by size, by whether the connection goes on */
static size_t page_size[2][2];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void watch(struct link *l, int op, unsigned events)
{
	struct epoll_event e = { .events = events, .data.ptr = l };
	if (epoll_ctl(epoll, op, l->fd, &e))
		die("epoll_ctl");
}

static struct link *link_new(int fd, enum kind kind, unsigned events)
{
	struct link *l = calloc(1, sizeof *l);
	if (!l)
		die("memory");
	l->fd = fd;
	l->kind = kind;
	watch(l, EPOLL_CTL_ADD, events);
	return l;
}

static void link_end(struct link *l)
{
	close(l->fd);
	free(l);
}

static void listen_at(unsigned port, int type, enum kind kind)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0), one = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) || (type == SOCK_STREAM && listen(fd, 128)))
		die("a port");
	link_new(fd, kind, EPOLLIN);
}

static void pages_make(void)
{
	static const size_t sizes[2] = { 1024, SIZE_MAX_ };
	for (int i = 0; i < 2; i++)
		for (int keep = 0; keep < 2; keep++) {
			int n = sprintf(page[i][keep], "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\n"
				"Content-Length: %zu\r\nConnection: %s\r\n\r\n", sizes[i], keep ? "keep-alive" : "close");
			memset(page[i][keep] + n, 'x', sizes[i]);
			page_size[i][keep] = n + sizes[i];
		}
}

/* Sends what is left; 0: it is not done. */
static int pour(struct link *l)
{
	while (l->left_size) {
		ssize_t n = send(l->fd, l->left, l->left_size, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			watch(l, EPOLL_CTL_MOD, EPOLLOUT);
			return 0;
		}
		if (n <= 0)
			l->keep = l->left_size = 0;
		else
			l->left += n, l->left_size -= n;
	}
	return 1;
}

static void answer(struct link *l)
{
	int big = strstr(l->text, " /100k") != NULL;
	l->keep = strstr(l->text, "HTTP/1.1") ? !strcasestr(l->text, "connection: close") :
		strcasestr(l->text, "connection: keep-alive") != NULL;
	l->left = page[big][l->keep];
	l->left_size = page_size[big][l->keep];
	l->filled = 0;
	if (pour(l) && !l->keep)
		link_end(l);
}

static void http(struct link *l, unsigned events)
{
	if (events & EPOLLOUT) {
		if (!pour(l))
			return;
		if (!l->keep) {
			link_end(l);
			return;
		}
		watch(l, EPOLL_CTL_MOD, EPOLLIN);
	}
	ssize_t n = recv(l->fd, l->text + l->filled, REQUEST - l->filled, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		link_end(l);
		return;
	}
	l->filled += n;
	l->text[l->filled] = 0;
	if (strstr(l->text, "\r\n\r\n"))
		answer(l);
}

static void accept_all(struct link *l)
{
	int fd, one = 1;
	while ((fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		link_new(fd, HTTP, EPOLLIN);
	}
}

static void echo(int fd)
{
	struct sockaddr_in from;
	socklen_t size = sizeof from;
	char text[2048];
	ssize_t n;
	while ((n = recvfrom(fd, text, sizeof text, 0, (struct sockaddr *)&from, &size)) >= 0)
		sendto(fd, text, n, 0, (struct sockaddr *)&from, size);
}

/* As `ethtool -K INTERFACE tso off`. */
static void tso_off(const char *interface)
{
	struct { uint32_t command, value; } off = { 0x1f, 0 };	/* ETHTOOL_STSO */
	struct ifreq r = { 0 };
	strncpy(r.ifr_name, interface, IFNAMSIZ - 1);
	r.ifr_data = (char *)&off;
	if (ioctl(socket(AF_INET, SOCK_DGRAM, 0), 0x8946, &r))	/* SIOCETHTOOL */
		die("tso off");
}

int main(int argc, char **argv)
{
	struct epoll_event events[64];
	if (argc == 3 && !strcmp(argv[1], "tso-off"))
		tso_off(argv[2]);
	if ((epoll = epoll_create1(0)) < 0)
		die("epoll");
	pages_make();
	listen_at(80, SOCK_STREAM, LISTEN_HTTP);
	listen_at(7, SOCK_DGRAM, ECHO_UDP);
	for (;;) {
		int n = epoll_wait(epoll, events, 64, -1);
		for (int i = 0; i < n; i++) {
			struct link *l = events[i].data.ptr;
			if (l->kind == LISTEN_HTTP)
				accept_all(l);
			else if (l->kind == ECHO_UDP)
				echo(l->fd);
			else
				http(l, events[i].events);
		}
	}
}
