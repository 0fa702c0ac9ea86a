/* Internet sockets: AF_INET and AF_INET6 over the stack (net/stack.h).
 *
 * The stack's addresses are IPv6's, with IPv4 mapped into them; a socket of AF_INET sees its part
 * only.  Left to others: sleeping but for connect (socket_io.c), the card (net.c).
 */
#include "libos/posix/net.h"
#include "libos/posix/socket.h"

#define PORT_PRIVILEGED	1024u
#define BOUNCE		65536u
/* Who listens has room for so many that connect at once, even if it asked for less: Linux, too, answers
 * all of them, by cookies, and those that are passed over ask again after seconds. */
#define QUEUE		128u

static uint8_t bounce[BOUNCE];		/* between user memory and the stack; not kept over a sleep */
static const struct socket_ops inet_ops;

/* Values that are kept for getsockopt, by place in s->option; level, name, what is there first. */
enum kept { KEPT_TTL, KEPT_TOS, KEPT_NODELAY, KEPT_CORK, KEPT_IDLE, KEPT_INTERVAL, KEPT_COUNT,
	KEPT_SIX_ONLY, KEPT_HOPS, KEPT_TCLASS };
static const struct { int level, name, first, stack; } kept[] = {
	[KEPT_TTL] = { IPPROTO_IP, IP_TTL, 64, STACK_TTL },
	[KEPT_TOS] = { IPPROTO_IP, IP_TOS, 0, STACK_TOS },
	[KEPT_NODELAY] = { IPPROTO_TCP, TCP_NODELAY, 0, STACK_NODELAY },
	[KEPT_CORK] = { IPPROTO_TCP, TCP_CORK, 0, STACK_CORK },
	[KEPT_IDLE] = { IPPROTO_TCP, TCP_KEEPIDLE, 7200, STACK_KEEP_IDLE },
	[KEPT_INTERVAL] = { IPPROTO_TCP, TCP_KEEPINTVL, 75, STACK_KEEP_INTERVAL },
	[KEPT_COUNT] = { IPPROTO_TCP, TCP_KEEPCNT, 9, STACK_KEEP_COUNT },
	[KEPT_SIX_ONLY] = { IPPROTO_IPV6, IPV6_V6ONLY, 0, STACK_SIX_ONLY },
	[KEPT_HOPS] = { IPPROTO_IPV6, IPV6_UNICAST_HOPS, 64, STACK_TTL },
	[KEPT_TCLASS] = { IPPROTO_IPV6, IPV6_TCLASS, 0, STACK_TOS },
};
#define KEPT (sizeof kept / sizeof *kept)

static void changed(void *arg)
{
	struct socket *s = arg;
	wake(&s->changed);
}

/* ---- addresses ------------------------------------------------------------------------- */

static uint16_t swapped(uint16_t n) { return n << 8 | n >> 8; }

/* 0, -EINVAL, -EAFNOSUPPORT */
static long address_to_stack(const struct socket *s, const struct address *a,
	struct stack_address *out)
{
	if (s->family == AF_INET) {
		if (a->length < sizeof a->in)
			return -EINVAL;
		if (a->family != AF_INET)
			return -EAFNOSUPPORT;
		*out = stack_v4(a->in.ip, swapped(a->in.port));
		return 0;
	}
	if (a->length < offsetof(struct linux_sockaddr_in6, scope))
		return -EINVAL;
	if (a->family != AF_INET6)
		return -EAFNOSUPPORT;
	*out = (struct stack_address){ .port = swapped(a->in6.port) };
	memcpy(out->ip, a->in6.ip, sizeof out->ip);
	if (a->length >= sizeof a->in6)
		out->zone = a->in6.scope;
	return 0;
}

static void address_from_stack(const struct socket *s, const struct stack_address *from,
	struct address *a)
{
	memset(a, 0, sizeof *a);
	a->family = s->family;
	a->in.port = swapped(from->port);
	if (s->family == AF_INET) {
		a->length = sizeof a->in;
		memcpy(a->in.ip, from->ip + 12, sizeof a->in.ip);
		return;
	}
	a->length = sizeof a->in6;
	memcpy(a->in6.ip, from->ip, sizeof a->in6.ip);
	a->in6.scope = from->zone;
}

static bool is_any(const struct stack_address *a)
{
	unsigned zeros = stack_is_v4(a) ? 12 : 0;
	while (zeros < 16 && !a->ip[zeros])
		zeros++;
	return zeros == 16;
}

static bool is_loopback(const struct stack_address *a)
{
	static const uint8_t six[16] = { [15] = 1 };
	return stack_is_v4(a) ? a->ip[12] == 127 : !memcmp(a->ip, six, sizeof six);
}

static bool is_own(const struct stack_address *a)
{
	struct stack_link_info info;
	for (unsigned n = 1; stack_link_info(n, &info); n++) {
		if (stack_is_v4(a) && !memcmp(a->ip + 12, info.ip, 4))
			return true;
		for (unsigned i = 0; i < info.v6_count; i++)
			if (!memcmp(a->ip, info.v6[i].ip, 16))
				return true;
	}
	return false;
}

/* Any address as a target means the own machine, as on Linux. */
static long target(struct socket *s, const struct address *a, struct stack_address *to)
{
	long error = address_to_stack(s, a, to);
	if (error)
		return error;
	if (is_any(to) && s->family == AF_INET)
		*to = stack_v4((const uint8_t[4]){ 127, 0, 0, 1 }, to->port);
	else if (is_any(to))
		to->ip[15] = 1;
	return is_loopback(to) || is_own(to) ? 0 : net_wait();
}

/* A socket of AF_INET without an address gets IPv4's. */
static long bind_first(struct socket *s)
{
	static const uint8_t any[4];
	struct stack_address at = s->family == AF_INET ? stack_v4(any, 0) :
		(struct stack_address){ .port = 0 };
	return stack_local(s->endpoint).port || s->type == SOCK_RAW ? 0 :
		stack_bind(s->endpoint, &at);
}

/* ---- opening ------------------------------------------------------------------------------- */

static long kind_of(struct socket *s, enum stack_kind *kind)
{
	int icmp = s->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	switch (s->type) {
	case SOCK_STREAM:
		*kind = STACK_TCP;
		if (s->protocol && s->protocol != IPPROTO_TCP)
			return -EPROTONOSUPPORT;
		s->protocol = IPPROTO_TCP;
		return 0;
	case SOCK_DGRAM:
		*kind = s->protocol == icmp ? STACK_PING : STACK_UDP;
		if (s->protocol && s->protocol != IPPROTO_UDP && s->protocol != icmp)
			return -EPROTONOSUPPORT;
		s->protocol = s->protocol ? s->protocol : IPPROTO_UDP;
		return 0;
	case SOCK_RAW:
		*kind = STACK_RAW;
		if (!s->protocol || s->protocol == IPPROTO_RAW || (uint32_t)s->protocol > 255)
			return -EPROTONOSUPPORT;
		return current_process()->euid ? -EPERM : 0;
	default:
		return -ESOCKTNOSUPPORT;
	}
}

long inet_open(struct socket *s)
{
	enum stack_kind kind;
	long error = kind_of(s, &kind);
	if (!error)
		error = net_start();
	if (error)
		return error;
	if ((kind == STACK_RAW || kind == STACK_PING) && net_ports_only())
		return -EACCES;
	s->endpoint = stack_open(kind, s->protocol, changed, s);
	if (!s->endpoint)
		return -ENOBUFS;
	s->ops = &inet_ops;
	stack_option(s->endpoint, STACK_OWNER, current_process()->euid);
	for (unsigned i = 0; i < KEPT; i++)
		s->option[i] = kept[i].first;
	return 0;
}

static void inet_release(struct socket *s)
{
	if (!s->endpoint)
		return;
	if (s->linger && !s->linger_seconds)
		stack_abort(s->endpoint);
	else
		stack_close(s->endpoint);
	net_flush();
}

static long inet_bind(struct socket *s, const struct address *a)
{
	struct stack_address at;
	long error = address_to_stack(s, a, &at);
	if (error)
		return error;
	if (s->family == AF_INET6 && stack_is_v4(&at) && s->option[KEPT_SIX_ONLY])
		return -EINVAL;
	if (!is_any(&at) && !is_own(&at)) {
		error = net_wait();
		if (error || !is_own(&at))
			return error ? error : -EADDRNOTAVAIL;
	}
	if (at.port && at.port < PORT_PRIVILEGED && current_process()->euid)
		return -EACCES;
	error = is_loopback(&at) ? 0 : net_port(s->type == SOCK_STREAM ? STACK_TCP :
		s->protocol == IPPROTO_UDP ? STACK_UDP : STACK_RAW, at.port);
	return error ? error : stack_bind(s->endpoint, &at);
}

static long inet_listen(struct socket *s, unsigned backlog)
{
	if (s->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	long error = stack_poll(s->endpoint) & STACK_LISTENS ? 0 : bind_first(s);
	return error ? error : stack_listen(s->endpoint, backlog < QUEUE ? QUEUE : backlog);
}

/* ---- connecting ------------------------------------------------------------------------------ */

static long connect_end(struct socket *s, bool wait)
{
	uint64_t deadline = socket_deadline(s->send_ns);
	while (stack_poll(s->endpoint) & STACK_CONNECTING) {
		if (!wait)
			return -EINPROGRESS;
		long error = sleep_on(&s->changed.queue, deadline);
		if (error)
			return error == -ETIMEDOUT ? -EINPROGRESS : error;
	}
	s->connecting = false;
	return stack_error(s->endpoint);
}

static long disconnect(struct socket *s)
{
	return s->type == SOCK_STREAM ? -EINVAL : stack_connect(s->endpoint, NULL);
}

static long inet_connect(struct socket *s, const struct address *a, bool wait)
{
	struct stack_address to;
	if (a->family == AF_UNSPEC)
		return disconnect(s);
	if (s->connecting && !wait && stack_poll(s->endpoint) & STACK_CONNECTING)
		return -EALREADY;
	if (s->connecting)		/* begun before: by a call without waiting, or before a signal */
		return connect_end(s, wait);
	long error = target(s, a, &to);
	if (error)
		return error;
	if (s->type != SOCK_STREAM) {
		error = bind_first(s);
		return error ? error : stack_connect(s->endpoint, &to);
	}
	error = stack_connect(s->endpoint, &to);
	net_flush();
	if (error != -EINPROGRESS)
		return error;
	s->connecting = true;
	return wait ? connect_end(s, true) : -EINPROGRESS;	/* even if it is decided already */
}

static long inet_accept(struct socket *s, struct socket *new)
{
	if (s->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	if (s->read_shut)
		return -EINVAL;
	long error = stack_accept(s->endpoint, &new->endpoint);
	if (error)
		return error;
	new->ops = &inet_ops;
	stack_watch(new->endpoint, changed, new);
	for (unsigned i = 0; i < KEPT; i++) {
		new->option[i] = s->option[i];
		if (s->option[i] != kept[i].first)
			stack_option(new->endpoint, kept[i].stack, s->option[i]);
	}
	return 0;
}

static long inet_name(struct socket *s, bool peer, struct address *a)
{
	unsigned state = stack_poll(s->endpoint);
	struct stack_address at = peer ? stack_peer(s->endpoint) : stack_local(s->endpoint);
	if (peer && !(state & STACK_CONNECTED))
		return -ENOTCONN;
	address_from_stack(s, &at, a);
	return 0;
}

static long inet_shutdown(struct socket *s, int how)
{
	unsigned state = stack_poll(s->endpoint);
	if (state & STACK_LISTENS)
		s->read_shut = how != SHUT_WR;
	else if (!(state & (STACK_CONNECTED | STACK_CONNECTING)))
		return -ENOTCONN;
	else if (how != SHUT_RD && s->type == SOCK_STREAM)
		stack_shutdown(s->endpoint);
	if (how != SHUT_WR)
		s->read_shut = true;
	if (how != SHUT_RD)
		s->write_shut = true;
	net_flush();
	wake(&s->changed);
	return 0;
}

/* ---- bytes --------------------------------------------------------------------------------------- */

/* What the stack doesn't take stays with the caller. */
static long stream_send(struct socket *s, struct iter *from)
{
	struct iter before = *from;
	if (s->write_shut)
		return -EPIPE;
	if (!from->left)
		return 0;
	unsigned state = stack_poll(s->endpoint);
	if (!(state & (STACK_WRITABLE | STACK_ERROR | STACK_ENDED)) &&
	    state & (STACK_CONNECTED | STACK_CONNECTING))
		return -EAGAIN;
	size_t n = iter_take(from, bounce, smaller(from->left, BOUNCE));
	if (!n)
		return -EFAULT;
	long sent = stack_send(s->endpoint, bounce, n);
	if (sent != (long)n) {
		*from = before;
		if (sent > 0)
			iter_take(from, bounce, sent);
	}
	return sent;
}

static long datagram_send(struct socket *s, struct iter *from, struct message *m)
{
	struct stack_address to;
	size_t n = from->left;
	long error = m->address.length ? target(s, &m->address, &to) : 0;
	if (!error)
		error = bind_first(s);
	if (error)
		return error;
	if (s->write_shut)
		return -EPIPE;
	if (n > BOUNCE)
		return -EMSGSIZE;
	if (iter_take(from, bounce, n) < n)
		return -EFAULT;
	return stack_send_to(s->endpoint, bounce, n, m->address.length ? &to : NULL);
}

static long inet_send(struct socket *s, struct iter *from, struct message *m)
{
	bool more = m->flags & MSG_MORE && s->type == SOCK_STREAM;
	if (more && !s->option[KEPT_CORK])
		stack_option(s->endpoint, STACK_CORK, 1);
	long n = s->type == SOCK_STREAM ? stream_send(s, from) : datagram_send(s, from, m);
	if (!more && s->type == SOCK_STREAM && !s->option[KEPT_CORK])
		stack_option(s->endpoint, STACK_CORK, 0);
	net_flush();
	return n;
}

static long stream_receive(struct socket *s, struct iter *to, struct message *m)
{
	size_t n = smaller(to->left, BOUNCE);
	long got = m->flags & MSG_PEEK ? stack_peek(s->endpoint, 0, bounce, n, NULL) :
		stack_receive(s->endpoint, bounce, n);
	if (got == -EAGAIN && s->read_shut)
		return 0;
	if (got <= 0 || m->flags & MSG_TRUNC)
		return got;
	return iter_give(to, bounce, got) == (size_t)got ? got : -EFAULT;
}

static long datagram_receive(struct socket *s, struct iter *to, struct message *m)
{
	struct stack_address from;
	size_t room = to->left, whole = stack_unread(s->endpoint);
	long got = m->flags & MSG_PEEK ?
		stack_peek(s->endpoint, 0, bounce, smaller(room, BOUNCE), &from) :
		stack_receive_from(s->endpoint, bounce, smaller(room, BOUNCE), &from, &whole);
	if (got == -EAGAIN && s->read_shut)
		return 0;
	if (got < 0)
		return got;
	address_from_stack(s, &from, &m->address);
	if (whole > room)
		m->answer |= MSG_TRUNC;
	if (iter_give(to, bounce, got) < (size_t)got)
		return -EFAULT;
	return m->flags & MSG_TRUNC ? (long)whole : got;
}

static long inet_receive(struct socket *s, struct iter *to, struct message *m)
{
	if (s->type != SOCK_STREAM)
		return datagram_receive(s, to, m);
	long n = stream_receive(s, to, m);
	if (n > 0)
		net_flush();		/* the window opens */
	return n;
}

/* ---- questions ------------------------------------------------------------------------------------ */

static uint32_t inet_poll(struct socket *s)
{
	unsigned p = stack_poll(s->endpoint);
	uint32_t events = (p & STACK_READABLE || s->read_shut ? POLLIN | POLLRDNORM : 0) |
		(p & STACK_WRITABLE || p & STACK_SHUT ? POLLOUT | POLLWRNORM : 0) |
		(p & STACK_ENDED || s->read_shut ? POLLRDHUP : 0) | (p & STACK_ERROR ? POLLERR : 0);
	bool fresh = s->type == SOCK_STREAM &&
		!(p & (STACK_CONNECTED | STACK_CONNECTING | STACK_LISTENS));
	if (fresh)
		events |= POLLOUT | POLLWRNORM | POLLHUP;
	if ((p & STACK_ENDED || s->read_shut) && s->write_shut)
		events |= POLLHUP;
	return events;
}

static int inet_error(struct socket *s) { return -stack_error(s->endpoint); }

static bool value_ok(unsigned i, int value)
{
	switch (i) {
	case KEPT_TTL:
		return value == -1 || (value >= 1 && value <= 255);
	case KEPT_HOPS:
	case KEPT_TCLASS:
		return value >= -1 && value <= 255;
	case KEPT_IDLE:
	case KEPT_INTERVAL:
		return value >= 1 && value <= 32767;
	case KEPT_COUNT:
		return value >= 1 && value <= 127;
	default:
		return true;
	}
}

static bool accepted_without_effect(int level, int name)
{
	return (level == IPPROTO_IP && (name == IP_RECVERR || name == IP_MTU_DISCOVER ||
			name == IP_MULTICAST_TTL || name == IP_MULTICAST_LOOP)) ||
		(level == IPPROTO_IPV6 && name == IPV6_RECVERR) ||
		(level == IPPROTO_TCP && (name == TCP_QUICKACK || name == TCP_DEFER_ACCEPT ||
			name == TCP_USER_TIMEOUT || name == TCP_SYNCNT || name == TCP_LINGER2 ||
			name == TCP_WINDOW_CLAMP));
}

static long inet_option_set(struct socket *s, int level, int name, int value)
{
	if (level == SOL_SOCKET)
		return name == SO_REUSEADDR ? stack_option(s->endpoint, STACK_REUSE, value) :
			name == SO_REUSEPORT ? stack_option(s->endpoint, STACK_REUSE_PORT, value) :
			name == SO_BROADCAST ? stack_option(s->endpoint, STACK_BROADCAST, value) :
			name == SO_KEEPALIVE ? stack_option(s->endpoint, STACK_KEEPALIVE, value) : 0;
	if ((level == IPPROTO_TCP && s->type != SOCK_STREAM) ||
	    (level == IPPROTO_IPV6 && s->family != AF_INET6))
		return -ENOPROTOOPT;
	for (unsigned i = 0; i < KEPT; i++) {
		if (kept[i].level != level || kept[i].name != name)
			continue;
		if (!value_ok(i, value) || (i == KEPT_SIX_ONLY && stack_local(s->endpoint).port))
			return -EINVAL;
		bool is_flag = i == KEPT_NODELAY || i == KEPT_CORK || i == KEPT_SIX_ONLY;
		s->option[i] = value == -1 ? kept[i].first : is_flag ? value != 0 : value;
		long error = stack_option(s->endpoint, kept[i].stack, s->option[i]);
		net_flush();
		return error;
	}
	return accepted_without_effect(level, name) ? 0 : -ENOPROTOOPT;
}

long inet_filter_set(struct socket *s, uint64_t user, uint32_t length)
{
	uint32_t types[8] = { 0 };
	if (s->type != SOCK_RAW || s->family != AF_INET6 || s->protocol != IPPROTO_ICMPV6)
		return -ENOPROTOOPT;
	if (copy_from_user(types, user, smaller(length, sizeof types)))
		return -EFAULT;
	stack_filter(s->endpoint, types);
	return 0;
}

static long inet_option_get(struct socket *s, int level, int name)
{
	if ((level == IPPROTO_TCP && s->type != SOCK_STREAM) ||
	    (level == IPPROTO_IPV6 && s->family != AF_INET6))
		return level == IPPROTO_TCP ? -EOPNOTSUPP : -ENOPROTOOPT;
	for (unsigned i = 0; i < KEPT; i++)
		if (kept[i].level == level && kept[i].name == name)
			return s->option[i];
	if (level == IPPROTO_TCP && name == TCP_MAXSEG)
		return stack_poll(s->endpoint) & STACK_CONNECTED ? 1448 : 536;
	return accepted_without_effect(level, name) ? 0 : -ENOPROTOOPT;
}

static long inet_ioctl(struct socket *s, uint32_t command, uint64_t arg)
{
	int32_t n;
	switch (command) {
	case FIONREAD:
		if (stack_poll(s->endpoint) & STACK_LISTENS)
			return -EINVAL;
		n = stack_unread(s->endpoint);
		return copy_to_user(arg, &n, sizeof n);
	case SIOCOUTQ:
		n = stack_unsent(s->endpoint);
		return copy_to_user(arg, &n, sizeof n);
	case SIOCATMARK:
		n = 0;
		return copy_to_user(arg, &n, sizeof n);
	default:
		return net_ioctl(command, arg);
	}
}

static const struct socket_ops inet_ops = {
	.bind = inet_bind,
	.listen = inet_listen,
	.connect = inet_connect,
	.accept = inet_accept,
	.name = inet_name,
	.shutdown = inet_shutdown,
	.send = inet_send,
	.receive = inet_receive,
	.poll = inet_poll,
	.option_set = inet_option_set,
	.option_get = inet_option_get,
	.ioctl = inet_ioctl,
	.error = inet_error,
	.release = inet_release,
};
