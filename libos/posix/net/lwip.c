/* stack.h by lwIP's raw interface (Debian's source package, compiled as it is): memory, time, links
 * and addresses.  Left to others: endpoints (endpoint.h).
 */
#include "libos/posix/net/endpoint.h"
#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/init.h"
#include "lwip/nd6.h"
#include "lwip/sys.h"
#include "netif/ethernet.h"

static const struct stack_system *sys;
static struct netif netifs[STACK_LINKS];
static struct { unsigned long in_packets, in_bytes, out_packets, out_bytes; } counts[STACK_LINKS];
static unsigned links;
static bool refused;			/* a link had no room for a frame */

u32_t sys_now(void) { return sys->now_ms(); }
uint32_t stack_random(void) { return sys->random(); }
uint32_t random_number(void) { return sys->random(); }
void *stack_memory_get(size_t n) { return sys->allocate(n); }
void stack_memory_put(void *p) { sys->release(p); }
void stack_panic(const char *why)
{
	sys->panic(why);
	__builtin_unreachable();
}

void *memory_get(size_t n)
{
	void *p = sys->allocate(n);
	return p ? __builtin_memset(p, 0, n) : NULL;
}

void *stack_memory_zeroed(size_t count, size_t n) { return memory_get(count * n); }

int error_of(err_t e)
{
	switch (e) {
	case ERR_OK: return 0;
	case ERR_MEM: case ERR_BUF: return -ENOBUFS;
	case ERR_TIMEOUT: return -ETIMEDOUT;
	case ERR_RTE: case ERR_IF: return -ENETUNREACH;
	case ERR_INPROGRESS: return -EINPROGRESS;
	case ERR_USE: return -EADDRINUSE;
	case ERR_ALREADY: return -EALREADY;
	case ERR_ISCONN: return -EISCONN;
	case ERR_CONN: return -ENOTCONN;
	case ERR_ABRT: return -ECONNABORTED;
	case ERR_RST: return -ECONNRESET;
	case ERR_CLSD: return -EPIPE;
	default: return -EINVAL;
	}
}

/* ---- addresses ------------------------------------------------------------------- */

ip_addr_t ip_of(const struct stack_address *a)
{
	ip_addr_t ip = { .type = IPADDR_TYPE_V6 };
	if (stack_is_v4(a)) {
		IP_ADDR4(&ip, a->ip[12], a->ip[13], a->ip[14], a->ip[15]);
		return ip;
	}
	__builtin_memcpy(ip_2_ip6(&ip)->addr, a->ip, 16);
	if (ip6_addr_has_scope(ip_2_ip6(&ip), IP6_UNKNOWN))
		ip6_addr_set_zone(ip_2_ip6(&ip), a->zone);
	return ip;
}

struct stack_address address_of(const ip_addr_t *ip, uint16_t port)
{
	struct stack_address a = { .port = port };
	if (IP_GET_TYPE(ip) == IPADDR_TYPE_V4)
		return stack_v4((const uint8_t *)&ip_2_ip4(ip)->addr, port);
	if (IP_GET_TYPE(ip) == IPADDR_TYPE_V6) {
		__builtin_memcpy(a.ip, ip_2_ip6(ip)->addr, 16);
		a.zone = ip6_addr_zone(ip_2_ip6(ip));
	}
	return a;
}

/* ---- links ---------------------------------------------------------------------- */

void stack_init(const struct stack_system *system)
{
	sys = system;
	lwip_init();
}

static err_t frame_out(struct netif *n, struct pbuf *p)
{
	struct stack_link *link = n->state;
	static uint8_t frame[STACK_FRAME];
	if (p->tot_len > sizeof frame)
		return ERR_IF;
	pbuf_copy_partial(p, frame, p->tot_len, 0);
	if (link->send(link, frame, p->tot_len)) {
		counts[n - netifs].out_packets++;
		counts[n - netifs].out_bytes += p->tot_len;
		return ERR_OK;
	}
	refused = true;
	return ERR_MEM;
}

static err_t netif_start(struct netif *n)
{
	const struct stack_link *link = n->state;
	n->name[0] = 'e';
	n->name[1] = 't';
	n->hwaddr_len = 6;
	for (unsigned i = 0; i < 6; i++)
		n->hwaddr[i] = link->mac[i];
	n->mtu = 1500;
	n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
	n->output = etharp_output;
	n->output_ip6 = ethip6_output;
	n->linkoutput = frame_out;
	return ERR_OK;
}

static struct netif *netif_of(const struct stack_link *link)
{
	unsigned i = 0;
	while (i < links && netifs[i].state != link)
		i++;
	return i < links ? &netifs[i] : NULL;
}

int stack_link_add(struct stack_link *link)
{
	if (links == STACK_LINKS)
		return -ENOBUFS;
	struct netif *n = &netifs[links];
	if (!netif_add(n, NULL, NULL, NULL, link, netif_start, ethernet_input))
		return -ENOBUFS;
	links++;
	if (links == 1)
		netif_set_default(n);
	if (!link->four_only) {
		netif_create_ip6_linklocal_address(n, 1);
		netif_set_ip6_autoconfig_enabled(n, 1);
	}
	netif_set_up(n);
	return 0;
}

static ip4_addr_t ip4_of(const uint8_t b[4])
{
	ip4_addr_t ip;
	IP4_ADDR(&ip, b[0], b[1], b[2], b[3]);
	return ip;
}

int stack_link_address(struct stack_link *link, const uint8_t ip[4], const uint8_t mask[4],
	const uint8_t gateway[4])
{
	ip4_addr_t i = ip4_of(ip), m = ip4_of(mask), g = ip4_of(gateway);
	netif_set_addr(netif_of(link), &i, &m, &g);
	return 0;
}

int stack_link_dhcp(struct stack_link *link) { return error_of(dhcp_start(netif_of(link))); }

bool stack_link_ready(const struct stack_link *link, uint8_t ip[4])
{
	const struct netif *n = netif_of(link);
	__builtin_memcpy(ip, netif_ip4_addr(n), 4);
	return !ip4_addr_isany(netif_ip4_addr(n));
}

bool stack_link_neighbour(struct stack_link *link, const uint8_t ip[4], uint8_t mac[6])
{
	ip4_addr_t at = ip4_of(ip);
	const ip4_addr_t *known;
	struct eth_addr *eth;
	if (etharp_find_addr(netif_of(link), &at, &eth, &known) < 0) {
		etharp_query(netif_of(link), &at, NULL);
		return false;
	}
	__builtin_memcpy(mac, eth->addr, 6);
	return true;
}

struct netif *stack_route(const void *source, const void *destination)
{
	const ip4_addr_t *from = source, *to = destination;
	if (!from || ip4_addr_isany(from) || ip4_addr_isloopback(to))
		return NULL;
	if (ip4_addr_isloopback(from))
		return netif_get_by_index(1);
	for (unsigned i = 0; i < links; i++)
		if (ip4_addr_cmp(from, netif_ip4_addr(&netifs[i])))
			return &netifs[i];
	return NULL;
}

static struct { struct pbuf *p; struct netif *n; } queue[STACK_QUEUE];
static unsigned queue_first, queued;

/* Nobody on a wire is this machine's inside, though programs trust who is (RFC 1122, 3.2.1.3). */
static bool from_loopback(const uint8_t *f, size_t length)
{
	static const uint8_t six[16] = { [15] = 1 };
	return (length >= 34 && f[12] == 8 && f[13] == 0 && f[26] == 127) ||
		(length >= 54 && f[12] == 0x86 && f[13] == 0xdd && !__builtin_memcmp(f + 22, six, 16));
}

/* lwIP looks at a header's fields before it knows that there is a whole header: what it may look at
 * is there, whatever the frame's length.  Lost, as if on its way: what there is no memory for. */
void stack_input_queue(struct stack_link *link, const void *frame, size_t length)
{
	enum { HEADERS = 96 };
	struct netif *n = netif_of(link);
	size_t room = length < HEADERS ? HEADERS : length;
	struct pbuf *p = length <= STACK_FRAME + 4 && queued < STACK_QUEUE &&
		!from_loopback(frame, length) ? pbuf_alloc(PBUF_RAW, room, PBUF_RAM) : NULL;
	if (!p)
		return;
	counts[n - netifs].in_packets++;
	counts[n - netifs].in_bytes += length;
	__builtin_memset((char *)p->payload + length, 0, room - length);
	pbuf_take(p, frame, length);
	pbuf_realloc(p, length);
	queue[(queue_first + queued) % STACK_QUEUE].p = p;
	queue[(queue_first + queued++) % STACK_QUEUE].n = n;
}

bool stack_input_next(void)
{
	if (!queued)
		return false;
	struct pbuf *p = queue[queue_first].p;
	struct netif *n = queue[queue_first].n;
	queue_first = (queue_first + 1) % STACK_QUEUE;
	queued--;
	if (n->input(p, n) != ERR_OK)
		pbuf_free(p);
	loopback_deliver();
	return true;
}

void stack_input(struct stack_link *link, const void *frame, size_t length)
{
	stack_input_queue(link, frame, length);
	while (stack_input_next())
		;
}

void loopback_deliver(void) { netif_poll_all(); }

uint32_t stack_timers(void)
{
	static uint32_t looked;
	if (sys_now() - looked >= TCP_TMR_INTERVAL) {	/* a walk over all of them: not each time */
		looked = sys_now();
		connections_probe();
		connections_trim();
	}
	clocks_run();
	if (refused) {
		refused = false;
		connections_resume();
	}
	loopback_deliver();
	return clocks_next();
}

bool stack_link_info(unsigned number, struct stack_link_info *out)
{
	struct netif *n = netif_get_by_index(number);
	if (!n)
		return false;
	*out = (struct stack_link_info){ .mac = n->hwaddr_len ? n->hwaddr : NULL,
		.mtu = n->mtu ? n->mtu : 65536 };
	if (out->mac) {
		out->in_packets = counts[n - netifs].in_packets;
		out->in_bytes = counts[n - netifs].in_bytes;
		out->out_packets = counts[n - netifs].out_packets;
		out->out_bytes = counts[n - netifs].out_bytes;
	}
	__builtin_memcpy(out->ip, netif_ip4_addr(n), 4);
	__builtin_memcpy(out->mask, netif_ip4_netmask(n), 4);
	__builtin_memcpy(out->gateway, netif_ip4_gw(n), 4);
	for (int i = 0; i < LWIP_IPV6_NUM_ADDRESSES && out->v6_count < 4; i++) {
		if (!ip6_addr_isvalid(netif_ip6_addr_state(n, i)))
			continue;
		__builtin_memcpy(out->v6[out->v6_count].ip, netif_ip6_addr(n, i)->addr, 16);
		out->v6[out->v6_count++].prefix = out->mac ? 64 : 128;
	}
	return true;
}

unsigned stack_nameservers(struct stack_address out[STACK_NAMESERVERS])
{
	unsigned n = 0;
	for (unsigned i = 0; i < DNS_MAX_SERVERS; i++) {
		const ip_addr_t *ip = dns_getserver(i);
		if (!ip_addr_isany(ip))
			out[n++] = address_of(ip, 53);
	}
	return n;
}

void stack_nameserver_set(unsigned number, const struct stack_address *server)
{
	ip_addr_t ip = ip_of(server);
	dns_setserver(number, &ip);
}
