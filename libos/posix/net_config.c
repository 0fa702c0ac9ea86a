/* What programs are told of links, addresses, routes and connections: the ioctl requests of
 * ifconfig and route, and /proc/net.  Nothing can be set: addresses come by DHCP.
 *
 * /proc/net/pnp names the servers of names, as Linux's does when the kernel has asked for its
 * address; /etc/resolv.conf leads there, and who reads it waits for the answer.
 */
#include "libos/posix/net.h"
#include "libos/posix/proc.h"
#include "libos/posix/socket.h"

#define METRIC		0u

void net_link_name(unsigned number, char *name)
{
	memset(name, 0, IFNAMSIZ);
	if (number == 1)
		snprintf(name, IFNAMSIZ, "lo");
	else
		snprintf(name, IFNAMSIZ, "eth%u", number - 2);
}

static unsigned link_find(const char *name)
{
	char own[IFNAMSIZ];
	struct stack_link_info info;
	for (unsigned n = 1; stack_link_info(n, &info); n++) {
		net_link_name(n, own);
		if (!strncmp(own, name, IFNAMSIZ))
			return n;
	}
	return 0;
}

static bool has_address(const struct stack_link_info *i)
{
	return i->ip[0] | i->ip[1] | i->ip[2] | i->ip[3];
}

/* ---- ioctl ------------------------------------------------------------------------------- */

static void address_put(struct linux_ifreq *r, const uint8_t ip[4])
{
	memset(r->bytes, 0, sizeof r->bytes);
	r->address.family = AF_INET;
	memcpy(r->address.ip, ip, 4);
}

/* Requests that ask for an address. */
static long address_request(uint32_t command, struct linux_ifreq *r, const struct stack_link_info *i)
{
	uint8_t all[4];
	if (!has_address(i))
		return -EADDRNOTAVAIL;
	for (unsigned k = 0; k < 4; k++)
		all[k] = i->mac ? i->ip[k] | (uint8_t)~i->mask[k] : 0;
	address_put(r, command == SIOCGIFNETMASK ? i->mask : command == SIOCGIFBRDADDR ? all : i->ip);
	return 0;
}

static long link_request(uint32_t command, struct linux_ifreq *r, unsigned number,
	const struct stack_link_info *i)
{
	switch (command) {
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK:
		return address_request(command, r, i);
	}
	memset(r->bytes, 0, sizeof r->bytes);
	switch (command) {
	case SIOCGIFFLAGS:
		r->flags = IFF_UP | IFF_RUNNING | (i->mac ? IFF_BROADCAST | IFF_MULTICAST : IFF_LOOPBACK);
		return 0;
	case SIOCGIFHWADDR:
		r->hardware.family = i->mac ? ARPHRD_ETHER : ARPHRD_LOOPBACK;
		if (i->mac)
			memcpy(r->hardware.mac, i->mac, 6);
		return 0;
	case SIOCGIFMTU:
		r->number = i->mtu;
		return 0;
	case SIOCGIFINDEX:
		r->number = number;
		return 0;
	case SIOCGIFTXQLEN:
		r->number = 1000;
		return 0;
	default:			/* metric, map */
		return 0;
	}
}

static long list_request(uint64_t arg)
{
	struct linux_ifconf c;
	struct stack_link_info info;
	struct linux_ifreq r;
	int32_t done = 0;
	if (copy_from_user(&c, arg, sizeof c))
		return -EFAULT;
	for (unsigned n = 1; stack_link_info(n, &info); n++) {
		if (!has_address(&info))
			continue;
		net_link_name(n, r.name);
		address_put(&r, info.ip);
		if (c.buffer && done + (int32_t)sizeof r > c.length)
			break;
		if (c.buffer && copy_to_user(c.buffer + done, &r, sizeof r))
			return -EFAULT;
		done += sizeof r;
	}
	c.length = done;
	return copy_to_user(arg, &c, sizeof c);
}

static bool known(uint32_t command)
{
	return command == SIOCGIFFLAGS || command == SIOCGIFADDR || command == SIOCGIFDSTADDR ||
		command == SIOCGIFBRDADDR || command == SIOCGIFNETMASK || command == SIOCGIFMETRIC ||
		command == SIOCGIFMTU || command == SIOCGIFHWADDR || command == SIOCGIFINDEX ||
		command == SIOCGIFTXQLEN || command == SIOCGIFMAP;
}

long net_ioctl(uint32_t command, uint64_t arg)
{
	struct linux_ifreq r;
	struct stack_link_info info;
	if (command != SIOCGIFCONF && command != SIOCGIFNAME && !known(command))
		return -ENOTTY;
	long error = net_start();
	if (!error && command != SIOCGIFNAME)
		error = net_wait();
	if (error)
		return error;
	if (command == SIOCGIFCONF)
		return list_request(arg);
	if (copy_from_user(&r, arg, sizeof r))
		return -EFAULT;
	unsigned n = command == SIOCGIFNAME ? (unsigned)r.number : link_find(r.name);
	if (!n || !stack_link_info(n, &info))
		return -ENODEV;
	if (command == SIOCGIFNAME)
		net_link_name(n, r.name);
	else
		error = link_request(command, &r, n, &info);
	return error ? error : copy_to_user(arg, &r, sizeof r);
}

/* ---- /proc/net ---------------------------------------------------------------------------- */

/* False: nothing to show, as there was no memory or a signal came. */
static bool ready(void) { return !net_start() && !net_wait(); }

static uint32_t word(const uint8_t b[4])
{
	uint32_t n;
	memcpy(&n, b, sizeof n);
	return n;
}

static void show_net_pnp(struct text *t, struct process *p)
{
	struct stack_address s[STACK_NAMESERVERS];
	(void)p;
	unsigned n = ready() ? stack_nameservers(s) : 0;
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *b = s[i].ip;
		if (stack_is_v4(&s[i]))
			text_print(t, "nameserver %u.%u.%u.%u\n", b[12], b[13], b[14], b[15]);
		else
			text_print(t, "nameserver %x:%x:%x:%x:%x:%x:%x:%x\n", b[0] << 8 | b[1],
				b[2] << 8 | b[3], b[4] << 8 | b[5], b[6] << 8 | b[7], b[8] << 8 | b[9],
				b[10] << 8 | b[11], b[12] << 8 | b[13], b[14] << 8 | b[15]);
	}
}

static void show_net_dev(struct text *t, struct process *p)
{
	struct stack_link_info info;
	uint64_t in = 0, out = 0;
	char name[IFNAMSIZ];
	(void)p;
	text_print(t, "Inter-|   Receive                                                |  Transmit\n"
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets "
		"errs drop fifo colls carrier compressed\n");
	for (unsigned n = 1; ready() && stack_link_info(n, &info); n++) {
		net_link_name(n, name);
		if (n == 2)
			net_dropped(&in, &out);
		text_print(t, "%6s: %7lu %7lu    0 %4lu    0     0          0         0 %8lu %7lu    0 %4lu"
			"    0     0       0          0\n", name, info.in_bytes, info.in_packets, in,
			info.out_bytes, info.out_packets, out);
	}
}

static void route_line(struct text *t, const char *name, uint32_t to, uint32_t by, uint32_t mask)
{
	text_print(t, "%s\t%08X\t%08X\t%04X\t0\t0\t%u\t%08X\t0\t0\t0\n", name, to, by,
		by ? 3u : 1u, METRIC, mask);
}

static void show_net_route(struct text *t, struct process *p)
{
	struct stack_link_info i;
	char name[IFNAMSIZ];
	(void)p;
	text_print(t, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\t"
		"IRTT\n");
	for (unsigned n = 2; ready() && stack_link_info(n, &i); n++) {
		if (!has_address(&i))
			continue;
		net_link_name(n, name);
		if (word(i.gateway))
			route_line(t, name, 0, word(i.gateway), 0);
		route_line(t, name, word(i.ip) & word(i.mask), 0, word(i.mask));
	}
}

static void show_net_if_inet6(struct text *t, struct process *p)
{
	struct stack_link_info i;
	char name[IFNAMSIZ];
	(void)p;
	for (unsigned n = 1; ready() && stack_link_info(n, &i); n++)
		for (unsigned k = 0; k < i.v6_count; k++) {
			const uint8_t *b = i.v6[k].ip;
			bool local = b[0] == 0xfe && (b[1] & 0xc0) == 0x80;
			net_link_name(n, name);
			for (unsigned c = 0; c < 16; c++)
				text_print(t, "%02x", b[c]);
			text_print(t, " %02x %02x %02x 80 %8s\n", n, i.v6[k].prefix,
				!i.mac ? 0x10u : local ? 0x20u : 0u, name);
		}
}

/* ---- connections -------------------------------------------------------------------------------- */

struct listing { struct text *t; enum stack_kind kind; bool six; unsigned n; };

static void address_print(struct text *t, const struct stack_address *a, bool six)
{
	for (unsigned i = six ? 0 : 12; i < 16; i += 4)
		text_print(t, "%08X", word(a->ip + i));
	text_print(t, ":%04X", a->port);
}

static void connection_print(const struct stack_entry *e, void *arg)
{
	struct listing *l = arg;
	const struct socket *s = e->arg;
	bool six = s ? s->family == AF_INET6 : !stack_is_v4(&e->local);
	if (e->kind != l->kind || six != l->six || !e->local.port)
		return;
	text_print(l->t, "%4u: ", l->n++);
	address_print(l->t, &e->local, six);
	text_print(l->t, " ");
	address_print(l->t, &e->peer, six);
	text_print(l->t, " %02X %08lX:%08lX 00:00000000 00000000     0        0 0 1 0\n", e->state,
		e->unsent, e->unread);
}

static void connections_show(struct text *t, enum stack_kind kind, bool six)
{
	struct listing l = { t, kind, six, 0 };
	text_print(t, six ? "  sl  local_address                         remote_address             "
		"           st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" :
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
		"timeout inode\n");
	if (ready())
		stack_list(connection_print, &l);
}

#define SHOW(name, kind, six) \
	static void show_net_##name(struct text *t, struct process *p) \
	{ \
		(void)p; \
		connections_show(t, kind, six); \
	}
SHOW(tcp, STACK_TCP, false)
SHOW(tcp6, STACK_TCP, true)
SHOW(udp, STACK_UDP, false)
SHOW(udp6, STACK_UDP, true)

#define RO	(S_IFREG | 0444)
const struct proc_node proc_net[] = {
	{ "dev", RO, .show = show_net_dev }, { "pnp", RO, .show = show_net_pnp },
	{ "tcp", RO, .show = show_net_tcp }, { "udp", RO, .show = show_net_udp },
	{ "tcp6", RO, .show = show_net_tcp6 }, { "udp6", RO, .show = show_net_udp6 },
	{ "route", RO, .show = show_net_route }, { "if_inet6", RO, .show = show_net_if_inet6 },
	{ NULL },
};
