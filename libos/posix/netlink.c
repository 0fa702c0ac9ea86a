/* AF_NETLINK: links, addresses and routes, as `ip` and getifaddrs ask for them (NETLINK_ROUTE).
 *
 * A request is answered when it is sent: what is asked for is written in one datagram, the end of
 * the list in another, as Linux does.  Nothing can be changed, and nothing is told unasked: addresses
 * come by DHCP, once.  Left to others: what links there are (net/stack.h); routes of IPv6, which the
 * stack does not tell.
 */
#include "libos/posix/linux_netlink.h"
#include "libos/posix/net.h"
#include "libos/posix/poll.h"
#include "libos/posix/socket.h"

#define ANSWER_ROOM	6144u
#define REQUEST_MAX	4096u
#define QUEUE_MAX	64u		/* answers that wait */

struct netlink {
	struct answer *first, **last;
	unsigned waiting;
	uint32_t port;			/* its own address */
};

struct answer {
	struct answer *next;
	uint32_t n;
	uint8_t byte[];
};

static const struct socket_ops netlink_ops;

/* ---- writing answers ------------------------------------------------------------------- */

static struct answer *answer_new(size_t room)
{
	return kmalloc(sizeof(struct answer) + room);
}

static void answer_queue(struct socket *s, struct answer *a)
{
	struct netlink *l = s->netlink;
	*l->last = a;
	l->last = &a->next;
	l->waiting++;
	wake(&s->changed);
}

/* A message's head and the `size` bytes behind it; its length is set by message_end. */
static struct linux_nlmsghdr *message_begin(struct answer *a, const struct linux_nlmsghdr *to,
	uint16_t type, uint32_t port, const void *body, size_t size)
{
	struct linux_nlmsghdr *h = (void *)(a->byte + a->n);
	*h = (struct linux_nlmsghdr){ .type = type, .flags = NLM_F_MULTI, .seq = to->seq, .port = port };
	memcpy(h + 1, body, size);
	a->n += sizeof *h + NLMSG_ALIGN(size);
	return h;
}

static void attribute(struct answer *a, uint16_t type, const void *value, size_t n)
{
	struct linux_rtattr r = { sizeof r + n, type };
	memset(a->byte + a->n, 0, NLMSG_ALIGN(r.length));
	memcpy(a->byte + a->n, &r, sizeof r);
	memcpy(a->byte + a->n + sizeof r, value, n);
	a->n += NLMSG_ALIGN(r.length);
}

static void attribute_number(struct answer *a, uint16_t type, uint32_t value)
{
	attribute(a, type, &value, sizeof value);
}

static void message_end(struct answer *a, struct linux_nlmsghdr *h)
{
	h->length = a->byte + a->n - (uint8_t *)h;
}

/* ---- what there is --------------------------------------------------------------------- */

/* What is being answered. */
struct dump {
	struct answer *to;
	const struct linux_nlmsghdr *request;
	uint32_t port;
	int family;			/* AF_UNSPEC: all */
};

static bool wants(const struct dump *d, int family)
{
	return d->family == AF_UNSPEC || d->family == family;
}

static void link_write(const struct dump *d, unsigned number, const struct stack_link_info *i)
{
	static const uint8_t nobody[6], everybody[6] = { 255, 255, 255, 255, 255, 255 };
	const struct linux_ifinfomsg m = { .type = i->mac ? ARPHRD_ETHER : ARPHRD_LOOPBACK,
		.index = number, .flags = IFF_UP | IFF_RUNNING | IFF_LOWER_UP |
			(i->mac ? IFF_BROADCAST | IFF_MULTICAST : IFF_LOOPBACK) };
	char name[IFNAMSIZ];
	struct linux_nlmsghdr *h = message_begin(d->to, d->request, RTM_NEWLINK, d->port, &m, sizeof m);
	net_link_name(number, name);
	attribute(d->to, IFLA_IFNAME, name, strlen(name) + 1);
	attribute_number(d->to, IFLA_TXQLEN, 1000);
	attribute(d->to, IFLA_OPERSTATE, &(uint8_t){ i->mac ? IF_OPER_UP : IF_OPER_UNKNOWN }, 1);
	attribute_number(d->to, IFLA_MTU, i->mtu);
	attribute(d->to, IFLA_QDISC, "noqueue", 8);
	attribute(d->to, IFLA_ADDRESS, i->mac ? i->mac : nobody, 6);
	attribute(d->to, IFLA_BROADCAST, i->mac ? everybody : nobody, 6);
	message_end(d->to, h);
}

static unsigned prefix_of(const uint8_t mask[4])
{
	unsigned n = 0;
	while (n < 32 && mask[n / 8] >> (7 - n % 8) & 1)
		n++;
	return n;
}

static bool is_set(const uint8_t ip[4]) { return ip[0] | ip[1] | ip[2] | ip[3]; }

static void address_write(const struct dump *d, unsigned number, const struct stack_link_info *i)
{
	const struct linux_ifaddrmsg m = { AF_INET, prefix_of(i->mask), IFA_F_PERMANENT,
		i->mac ? RT_SCOPE_UNIVERSE : RT_SCOPE_HOST, number };
	uint8_t all[4];
	char name[IFNAMSIZ];
	if (!is_set(i->ip))
		return;
	struct linux_nlmsghdr *h = message_begin(d->to, d->request, RTM_NEWADDR, d->port, &m, sizeof m);
	for (unsigned k = 0; k < 4; k++)
		all[k] = i->ip[k] | (uint8_t)~i->mask[k];
	net_link_name(number, name);
	attribute(d->to, IFA_ADDRESS, i->ip, 4);
	attribute(d->to, IFA_LOCAL, i->ip, 4);
	if (i->mac)
		attribute(d->to, IFA_BROADCAST, all, 4);
	attribute(d->to, IFA_LABEL, name, strlen(name) + 1);
	message_end(d->to, h);
}

static void address6_write(const struct dump *d, unsigned number, const struct stack_link_info *i)
{
	for (unsigned k = 0; k < i->v6_count; k++) {
		const uint8_t *ip = i->v6[k].ip;
		bool local = ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
		const struct linux_ifaddrmsg m = { AF_INET6, i->v6[k].prefix, IFA_F_PERMANENT,
			!i->mac ? RT_SCOPE_HOST : local ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE, number };
		struct linux_nlmsghdr *h = message_begin(d->to, d->request, RTM_NEWADDR, d->port, &m,
			sizeof m);
		attribute(d->to, IFA_ADDRESS, ip, 16);
		message_end(d->to, h);
	}
}

/* The default route, or that of the link's own net. */
static void route_write(const struct dump *d, unsigned number, const struct stack_link_info *i,
	bool direct)
{
	const struct linux_rtmsg m = { .family = AF_INET, .to_length = direct ? prefix_of(i->mask) : 0,
		.table = RT_TABLE_MAIN, .protocol = direct ? RTPROT_KERNEL : RTPROT_BOOT,
		.scope = direct ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE, .type = RTN_UNICAST };
	uint8_t net[4];
	struct linux_nlmsghdr *h = message_begin(d->to, d->request, RTM_NEWROUTE, d->port, &m, sizeof m);
	for (unsigned k = 0; k < 4; k++)
		net[k] = i->ip[k] & i->mask[k];
	attribute_number(d->to, RTA_TABLE, RT_TABLE_MAIN);
	if (direct) {
		attribute(d->to, RTA_DST, net, 4);
		attribute(d->to, RTA_PREFSRC, i->ip, 4);
	} else {
		attribute(d->to, RTA_GATEWAY, i->gateway, 4);
	}
	attribute_number(d->to, RTA_OIF, number);
	message_end(d->to, h);
}

static void routes_write(const struct dump *d, unsigned number, const struct stack_link_info *i)
{
	if (!i->mac || !is_set(i->ip))
		return;
	if (is_set(i->gateway))
		route_write(d, number, i, false);
	route_write(d, number, i, true);
}

static void each_link(const struct dump *d,
	void (*write)(const struct dump *d, unsigned number, const struct stack_link_info *i))
{
	struct stack_link_info info;
	for (unsigned n = 1; n <= 1 + STACK_LINKS && stack_link_info(n, &info); n++)
		write(d, n, &info);
}
/* The most that one link has to say: its addresses, four of IPv6 and one of IPv4. */
_Static_assert((1 + STACK_LINKS) * 5 * 96 <= ANSWER_ROOM - 512, "an answer fits");

/* ---- requests ------------------------------------------------------------------------------ */

/* With the request behind it; one that went well with its head alone. */
static long error_answer(struct socket *s, const struct linux_nlmsghdr *request,
	const uint8_t *body, int error)
{
	const struct linux_nlmsgerr e = { error, *request };
	size_t n = error ? request->length - sizeof *request : 0;
	struct answer *a = answer_new(sizeof(struct linux_nlmsghdr) + sizeof e + NLMSG_ALIGN(n));
	if (!a)
		return -ENOBUFS;
	struct linux_nlmsghdr *h = message_begin(a, request, NLMSG_ERROR, s->netlink->port, &e, sizeof e);
	memcpy(a->byte + a->n, body, n);
	a->n += NLMSG_ALIGN(n);
	h->flags = error ? 0 : NLM_F_CAPPED;
	message_end(a, h);
	answer_queue(s, a);
	return 0;
}

static long done_answer(struct socket *s, const struct linux_nlmsghdr *request)
{
	static const int32_t none;
	struct answer *a = answer_new(sizeof(struct linux_nlmsghdr) + sizeof none);
	if (!a)
		return -ENOBUFS;
	message_end(a, message_begin(a, request, NLMSG_DONE, s->netlink->port, &none, sizeof none));
	answer_queue(s, a);
	return 0;
}

/* family: the first byte of what every request of these has behind its head. */
static long dump_answer(struct socket *s, const struct linux_nlmsghdr *request, int family)
{
	const struct dump d = { answer_new(ANSWER_ROOM), request, s->netlink->port, family };
	if (!d.to)
		return -ENOBUFS;
	if (request->type == RTM_GETLINK)
		each_link(&d, link_write);
	if (request->type == RTM_GETADDR && wants(&d, AF_INET))
		each_link(&d, address_write);
	if (request->type == RTM_GETADDR && wants(&d, AF_INET6))
		each_link(&d, address6_write);
	if (request->type == RTM_GETROUTE && wants(&d, AF_INET))
		each_link(&d, routes_write);
	if (d.to->n)
		answer_queue(s, d.to);
	else
		kfree(d.to);
	return done_answer(s, request);
}

static long request_answer(struct socket *s, const struct linux_nlmsghdr *h, const uint8_t *body)
{
	bool list = h->type == RTM_GETLINK || h->type == RTM_GETADDR || h->type == RTM_GETROUTE;
	bool asks = h->flags & NLM_F_REQUEST && h->type >= RTM_BASE;
	if (s->netlink->waiting >= QUEUE_MAX)
		return -ENOBUFS;
	if (asks && list && (h->flags & NLM_F_DUMP) == NLM_F_DUMP)
		return dump_answer(s, h, h->length > sizeof *h ? *body : AF_UNSPEC);
	return asks ? error_answer(s, h, body, -EOPNOTSUPP) :
		h->flags & NLM_F_ACK ? error_answer(s, h, body, 0) : 0;
}

/* ---- as a socket ---------------------------------------------------------------------------- */

long netlink_open(struct socket *s)
{
	if (s->type != SOCK_RAW && s->type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (s->protocol != NETLINK_ROUTE)
		return -EPROTONOSUPPORT;
	long error = net_start();
	if (error)
		return error;
	s->netlink = kmalloc(sizeof *s->netlink);
	if (!s->netlink)
		return -ENOMEM;
	s->netlink->last = &s->netlink->first;
	s->ops = &netlink_ops;
	return 0;
}

static struct answer *answer_take(struct netlink *l)
{
	struct answer *a = l->first;
	l->first = a->next;
	if (!l->first)
		l->last = &l->first;
	l->waiting--;
	return a;
}

static void netlink_release(struct socket *s)
{
	while (s->netlink->first)
		kfree(answer_take(s->netlink));
	kfree(s->netlink);
}

static void bind_first(struct netlink *l)
{
	l->port = l->port ? l->port : (uint32_t)current_process()->pid;
}

static long netlink_bind(struct socket *s, const struct address *a)
{
	if (a->length < sizeof a->nl)
		return -EINVAL;
	if (a->nl.family != AF_NETLINK)
		return -EINVAL;
	if (s->netlink->port && a->nl.port && a->nl.port != s->netlink->port)
		return -EINVAL;
	s->netlink->port = s->netlink->port ? s->netlink->port : a->nl.port;
	bind_first(s->netlink);
	return 0;
}

static long netlink_connect(struct socket *s, const struct address *a, bool wait)
{
	(void)wait;
	if (a->nl.family == AF_UNSPEC)
		return 0;
	if (a->length < sizeof a->nl || a->nl.family != AF_NETLINK)
		return -EINVAL;
	bind_first(s->netlink);
	return a->nl.port ? -ECONNREFUSED : 0;
}

static void address_make(struct address *a, uint32_t port)
{
	memset(a, 0, sizeof *a);
	a->length = sizeof a->nl;
	a->nl.family = AF_NETLINK;
	a->nl.port = port;
}

static long netlink_name(struct socket *s, bool peer, struct address *a)
{
	address_make(a, peer ? 0 : s->netlink->port);
	return 0;
}

static long netlink_send(struct socket *s, struct iter *from, struct message *m)
{
	static uint8_t request[REQUEST_MAX];
	size_t n = from->left;
	if (m->address.length && (m->address.length < sizeof m->address.nl ||
			m->address.nl.family != AF_NETLINK))
		return -EINVAL;
	if (m->address.length && m->address.nl.port)
		return -ECONNREFUSED;
	if (n > sizeof request)
		return -EMSGSIZE;
	long error = net_wait();		/* before the request is taken: it may sleep */
	if (error)
		return error;
	if (iter_take(from, request, n) < n)
		return -EFAULT;
	bind_first(s->netlink);
	for (size_t at = 0; !error && at + sizeof(struct linux_nlmsghdr) <= n;) {
		struct linux_nlmsghdr h;
		memcpy(&h, request + at, sizeof h);
		if (h.length < sizeof h || h.length > n - at)
			break;
		error = request_answer(s, &h, request + at + sizeof h);
		at += NLMSG_ALIGN(h.length);
	}
	return error ? error : (long)n;
}

static long netlink_receive(struct socket *s, struct iter *to, struct message *m)
{
	struct answer *a = s->netlink->first;
	if (!a)
		return s->read_shut ? 0 : -EAGAIN;
	size_t n = smaller(a->n, to->left), whole = a->n;
	if (iter_give(to, a->byte, n) < n)
		return -EFAULT;
	address_make(&m->address, 0);
	if (n < whole)
		m->answer |= MSG_TRUNC;
	if (!(m->flags & MSG_PEEK))
		kfree(answer_take(s->netlink));
	return m->flags & MSG_TRUNC ? whole : n;
}

static uint32_t netlink_poll(struct socket *s)
{
	return (s->netlink->first ? POLLIN | POLLRDNORM : 0) | POLLOUT | POLLWRNORM;
}

static long netlink_listen(struct socket *s, unsigned backlog)
{
	(void)s, (void)backlog;
	return -EOPNOTSUPP;
}

static long netlink_accept(struct socket *s, struct socket *new)
{
	(void)s, (void)new;
	return -EOPNOTSUPP;
}

static long netlink_shutdown(struct socket *s, int how)
{
	(void)s, (void)how;
	return -EOPNOTSUPP;
}

static long netlink_option_set(struct socket *s, int level, int name, int value)
{
	(void)s, (void)name, (void)value;
	return level == SOL_SOCKET ? 0 : -ENOPROTOOPT;
}

static long netlink_option_get(struct socket *s, int level, int name)
{
	(void)s, (void)level, (void)name;
	return -ENOPROTOOPT;
}

static long netlink_ioctl(struct socket *s, uint32_t command, uint64_t arg)
{
	(void)s;
	return net_ioctl(command, arg);
}

static int netlink_error(struct socket *s)
{
	(void)s;
	return 0;
}

static const struct socket_ops netlink_ops = {
	.bind = netlink_bind,
	.listen = netlink_listen,
	.connect = netlink_connect,
	.accept = netlink_accept,
	.name = netlink_name,
	.shutdown = netlink_shutdown,
	.send = netlink_send,
	.receive = netlink_receive,
	.poll = netlink_poll,
	.option_set = netlink_option_set,
	.option_get = netlink_option_get,
	.ioctl = netlink_ioctl,
	.error = netlink_error,
	.release = netlink_release,
};
