/* Random calls around sockets, with arguments that are half plausible: nothing they do may end the
 * session or keep memory.    fuzz SEED CALLS
 *
 * What the calls answer is not looked at; the repeatable part is which calls are made.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ROOM	60000u		/* where structures lie */
#define COUNT(a) (sizeof(a) / sizeof *(a))

static uint64_t state;
static char buffer[1 << 18];

static uint64_t any(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

static uint64_t pointer(void)
{
	static const uint64_t bad[] = { 0, 8, 0xffffffff81000000 };

	return any(8) < 3 ? bad[any(3)] : (uintptr_t)buffer + any(ROOM);
}

static uint64_t number(void)
{
	static const uint64_t special[] = { 0, -1ul, 16, 28, 1ul << 31, 1ul << 63 };

	return any(3) ? any(64) : any(2) ? any(70000) : special[any(COUNT(special))];
}

/* A structure that may be right, somewhere. */
static void place(void)
{
	char *at = buffer + (any(ROOM) & ~7ul);
	struct sockaddr_in v4 = { AF_INET, htons(7000 + any(4)), { htonl(INADDR_LOOPBACK) }, { 0 } };
	struct sockaddr_in6 v6 = { AF_INET6, htons(7000 + any(4)), 0, IN6ADDR_LOOPBACK_INIT, any(3) };
	struct sockaddr_un local = { AF_UNIX, "" };
	struct iovec v = { (void *)pointer(), number() };
	struct msghdr m = { .msg_name = (void *)pointer(), .msg_namelen = number(),
		.msg_iov = (struct iovec *)(buffer + ROOM), .msg_iovlen = any(3),
		.msg_control = (void *)pointer(), .msg_controllen = any(300) };
	struct { struct cmsghdr head; int fd; } rights = { { .cmsg_len = CMSG_LEN(4 * any(3)),
		.cmsg_level = SOL_SOCKET, .cmsg_type = any(3) }, any(20) };
	struct { uint32_t length; uint16_t type, flags; uint32_t seq, port, family; } netlink = {
		any(4) ? 20 : any(64), any(4) ? 18 + 4 * any(3) : any(64), any(4) ? 0x301 : any(0x400),
		number(), any(2), any(2) ? 0 : any(20) };

	snprintf(local.sun_path + any(2), 20, "u%d", (int)any(4));
	memcpy(buffer + ROOM, &v, sizeof v);
	switch (any(6)) {
	case 0: memcpy(at, &v4, sizeof v4); break;
	case 1: memcpy(at, &v6, sizeof v6); break;
	case 2: memcpy(at, &local, sizeof local); break;
	case 3: memcpy(at, &m, sizeof m); break;
	case 4: memcpy(at, &rights, sizeof rights); break;
	case 5: memcpy(at, &netlink, sizeof netlink); break;
	}
}

/* What a call needs to get anywhere, or to come back soon. */
static void guide(long call, uint64_t *a)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, 99 };
	static const int levels[] = { SOL_SOCKET, IPPROTO_IP, IPPROTO_TCP, IPPROTO_IPV6, 58, 17 };
	static const int requests[] = { 0x541b, 0x5411, 0x5421, 0x8912, 0x8913, 0x8915, 0x8927, 0x8933 };

	if (call == SYS_socket || call == SYS_socketpair) {
		a[0] = families[any(COUNT(families))];
		a[1] = 1 + any(5) + (any(2) ? SOCK_NONBLOCK : 0);
		a[2] = any(3) ? 0 : any(60);
	} else if (call == SYS_poll) {
		a[0] = (uintptr_t)buffer + any(ROOM);
		a[1] = any(20);
		a[2] = any(3);
	} else if (call == SYS_epoll_wait) {
		a[3] = any(3);
	} else if (call == SYS_setsockopt || call == SYS_getsockopt) {
		a[1] = levels[any(COUNT(levels))];
		a[2] = any(45);
	} else if (call == SYS_sendfile) {
		a[3] = any(100000);
	} else if (call == SYS_ioctl) {
		a[1] = requests[any(COUNT(requests))];
	}
}

static void tick(int sig) { (void)sig; }

int main(int argc, char **argv)
{
	static const int calls[] = { SYS_socket, SYS_connect, SYS_accept, SYS_sendto, SYS_recvfrom,
		SYS_sendmsg, SYS_recvmsg, SYS_shutdown, SYS_bind, SYS_listen, SYS_getsockname,
		SYS_getpeername, SYS_socketpair, SYS_setsockopt, SYS_getsockopt, SYS_accept4,
		SYS_recvmmsg, SYS_sendmmsg, SYS_read, SYS_write, SYS_close, SYS_poll, SYS_ioctl, SYS_dup,
		SYS_sendfile, SYS_epoll_create, SYS_epoll_ctl, SYS_epoll_wait, SYS_writev, SYS_readv };
	struct sigaction action = { .sa_handler = tick };	/* no SA_RESTART: it ends sleeps */
	struct itimerval often = { { 0, 2000 }, { 0, 2000 } };

	state = (argc > 1 ? strtoul(argv[1], NULL, 0) : 1) * 0x9e3779b97f4a7c15 + 1;
	sigaction(SIGALRM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	setitimer(ITIMER_REAL, &often, NULL);
	for (long n = argc > 2 ? atol(argv[2]) : 10000; n; n--) {
		long call = calls[any(COUNT(calls))];
		uint64_t a[6];

		place();
		for (size_t i = 0; i < COUNT(a); i++)
			a[i] = any(2) ? pointer() : number();
		a[0] = 3 + any(24);
		guide(call, a);
		if (call != SYS_close || !any(3))
			syscall(call, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
	return 0;
}
