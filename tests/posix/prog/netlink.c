/* NETLINK_ROUTE: what programs learn of links and addresses, by getifaddrs and by messages of their
 * own.  Only the loopback link is the same on all machines. */
#include "test.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

#define ADDRESS(a) (struct sockaddr *)&(a), sizeof(a)

struct request { struct nlmsghdr h; struct rtgenmsg g; };

static void text_of(const struct sockaddr *a, char text[INET6_ADDRSTRLEN])
{
	inet_ntop(a->sa_family, a->sa_family == AF_INET ?
		(void *)&((struct sockaddr_in *)a)->sin_addr :
		(void *)&((struct sockaddr_in6 *)a)->sin6_addr, text, INET6_ADDRSTRLEN);
}

static void by_the_library(void)
{
	struct ifaddrs *all;
	char at[INET6_ADDRSTRLEN], mask[INET6_ADDRSTRLEN];

	SHOW(getifaddrs(&all));
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		if (strcmp(i->ifa_name, "lo") || !i->ifa_addr)
			continue;
		printf("family %d, flags %x\n", i->ifa_addr->sa_family,
			i->ifa_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_BROADCAST));
		if (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6)
			continue;
		text_of(i->ifa_addr, at);
		text_of(i->ifa_netmask, mask);
		printf("%s mask %s\n", at, mask);
	}
	freeifaddrs(all);
	SHOW(if_nametoindex("lo"));
	SHOW(if_nametoindex("none9"));
}

static void refused(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK }, wrong = { .nl_family = AF_INET };
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	char b[16];

	SHOW(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE));
	SHOW(socket(AF_NETLINK, SOCK_RAW, 99));
	SHOW(bind(s, (struct sockaddr *)&a, 4));
	SHOW(bind(s, ADDRESS(wrong)));
	SHOW(listen(s, 1));
	SHOW(accept(s, NULL, NULL));
	SHOW(shutdown(s, SHUT_RDWR));
	SHOW(recv(s, b, sizeof b, MSG_DONTWAIT));
	a.nl_pid = 0x7fffff;
	SHOW(sendto(s, "0123456789", 10, 0, ADDRESS(a)));
	SHOW(send(s, "0123456789", 10, 0));		/* not even a head: passed over */
	SHOW(recv(s, b, sizeof b, MSG_DONTWAIT));
	close(s);
}

static void names(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK };
	socklen_t n = sizeof a;
	int s = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE);

	SHOW(getsockname(s, (struct sockaddr *)&a, &n));
	printf("%d bytes, family %d, port %u\n", (int)n, a.nl_family, a.nl_pid);
	SHOW(bind(s, ADDRESS(a)));
	SHOW(getsockname(s, (struct sockaddr *)&a, &n));
	TRUE(a.nl_pid == (uint32_t)getpid());
	SHOW(bind(s, ADDRESS(a)));
	a.nl_pid++;
	SHOW(bind(s, ADDRESS(a)));
	SHOW(getpeername(s, (struct sockaddr *)&a, &n));
	printf("port %u\n", a.nl_pid);
	close(s);
}

static void link_show(const struct nlmsghdr *h)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);
	int left = IFLA_PAYLOAD(h);

	if (i->ifi_index != 1)
		return;
	printf("link: type %d, flags %x\n", i->ifi_type, i->ifi_flags & (IFF_UP | IFF_LOOPBACK));
	for (const struct rtattr *r = IFLA_RTA(i); RTA_OK(r, left); r = RTA_NEXT(r, left))
		if (r->rta_type == IFLA_IFNAME)
			printf("name %s\n", (char *)RTA_DATA(r));
		else if (r->rta_type == IFLA_MTU)
			printf("mtu %u\n", *(uint32_t *)RTA_DATA(r));
		else if (r->rta_type == IFLA_ADDRESS)
			printf("address of %d bytes\n", (int)RTA_PAYLOAD(r));
}

static void address_show(const struct nlmsghdr *h)
{
	const struct ifaddrmsg *i = NLMSG_DATA(h);
	int left = IFA_PAYLOAD(h);
	char text[INET6_ADDRSTRLEN];

	if (i->ifa_index != 1)
		return;
	printf("address: family %d, /%d, scope %d, flags %x\n", i->ifa_family, i->ifa_prefixlen,
		i->ifa_scope, i->ifa_flags);
	for (const struct rtattr *r = IFA_RTA(i); RTA_OK(r, left); r = RTA_NEXT(r, left))
		if (r->rta_type == IFA_LABEL)
			printf("label %s\n", (char *)RTA_DATA(r));
		else if (r->rta_type == IFA_ADDRESS || r->rta_type == IFA_LOCAL)
			printf("%d: %s\n", r->rta_type,
				inet_ntop(i->ifa_family, RTA_DATA(r), text, sizeof text));
}

static bool message_show(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);

	if (h->nlmsg_seq != 77 || h->nlmsg_pid != (uint32_t)getpid())
		printf("not an answer: %u for %u\n", h->nlmsg_seq, h->nlmsg_pid);
	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
		link_show(h);
		return true;
	case RTM_NEWADDR:
		address_show(h);
		return true;
	case NLMSG_ERROR:
		printf("error %d, %u bytes, flags %x; of type %d\n", e->error, h->nlmsg_len,
			h->nlmsg_flags, e->msg.nlmsg_type);
		return false;
	default:
		printf("type %d, %d bytes, multi %d\n", h->nlmsg_type, (int)h->nlmsg_len,
			h->nlmsg_flags & NLM_F_MULTI);
		return false;
	}
}

/* Lines of other links than lo are left out, and so is how many messages there are. */
static void ask(int s, int type, int flags, int family)
{
	struct request r = { { sizeof r, type, flags, 77, 0 }, { family } };
	static _Alignas(8) char b[32768];
	struct sockaddr_nl from;
	socklen_t size = sizeof from;
	struct pollfd p = { s, POLLIN, 0 };
	bool more = true;

	printf("type %d, flags %x, family %d\n", type, flags, family);
	CHECK(send(s, &r, sizeof r, 0));
	while (more && poll(&p, 1, 300) == 1) {
		long n = recv(s, NULL, 0, MSG_PEEK | MSG_TRUNC);
		long got = recvfrom(s, b, sizeof b, 0, (struct sockaddr *)&from, &size);

		if (n != got || size != sizeof from || from.nl_pid)
			printf("%ld, %ld, from %u\n", n, got, from.nl_pid);
		for (struct nlmsghdr *h = (void *)b; more && NLMSG_OK(h, got); h = NLMSG_NEXT(h, got))
			more = message_show(h);
	}
	TRUE(recv(s, b, sizeof b, MSG_DONTWAIT) == -1);
}

int main(void)
{
	by_the_library();
	refused();
	names();
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	ask(s, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, AF_UNSPEC);
	ask(s, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, AF_UNSPEC);
	ask(s, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, AF_INET);
	ask(s, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, AF_INET6);
	ask(s, NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, AF_UNSPEC);
	ask(s, NLMSG_NOOP, NLM_F_REQUEST, AF_UNSPEC);
	ask(s, RTM_GETLINK, NLM_F_ACK, AF_UNSPEC);
	ask(s, 250, NLM_F_REQUEST, AF_UNSPEC);
	close(s);
	return 0;
}
