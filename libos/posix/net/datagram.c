/* UDP, raw packets and ping, by lwIP.  See endpoint.h.
 *
 * What comes waits in a queue, as many bytes as a socket of Linux holds; more is lost.
 */
#include "libos/posix/net/endpoint.h"
#include "lwip/icmp6.h"
#include "lwip/inet_chksum.h"
#include "lwip/prot/icmp.h"

#define BYTES_MAX	(208u * 1024)	/* that wait at an endpoint */
#define NUMBER_MAX	256u
#define ICMP		1u
#define ICMP6		58u

static void datagram_queue(struct endpoint *e, struct pbuf *p, const struct stack_address *from)
{
	struct datagram *d = e->datagrams < NUMBER_MAX && e->datagram_bytes + p->tot_len <= BYTES_MAX ?
		memory_get(sizeof *d) : NULL;
	if (!d) {
		pbuf_free(p);
		return;
	}
	d->data = p;
	d->from = *from;
	*e->last = d;
	e->last = &d->next;
	e->datagrams++;
	e->datagram_bytes += p->tot_len;
	tell(e);
}

static void udp_came(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *ip,
	u16_t port)
{
	struct stack_address from = address_of(ip, port);
	struct endpoint *e = arg;
	(void)pcb;
	datagram_queue(e->connected ? e : group_pick(e, ip, port), p, &from);
}

/* Is it an answer to what was sent from the port? */
static bool ping_mine(const struct endpoint *e, const struct pbuf *p)
{
	uint8_t type = e->protocol == ICMP ? ICMP_ER : ICMP6_TYPE_EREP;
	return p->tot_len >= sizeof(struct icmp_echo_hdr) && pbuf_get_at(p, 0) == type &&
		(pbuf_get_at(p, 4) << 8 | pbuf_get_at(p, 5)) == e->ping_local.port;
}

void stack_filter(struct endpoint *e, const uint32_t types[8])
{
	__builtin_memcpy(e->filter, types, sizeof e->filter);
}

static bool filtered(const struct endpoint *e, const struct pbuf *p)
{
	uint8_t type = pbuf_get_at(p, 0);
	return e->kind == STACK_RAW && e->protocol == ICMP6 && e->filter[type / 32] >> type % 32 & 1;
}

/* A copy is queued: the packet may be others' too, and the stack's own. */
static u8_t raw_came(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *ip)
{
	struct endpoint *e = arg;
	struct stack_address from = address_of(ip, 0);
	struct pbuf *copy = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
	(void)pcb;
	if (!copy)
		return 0;
	if (e->kind == STACK_PING || IP_IS_V6(ip))	/* no header */
		pbuf_remove_header(copy, IP_IS_V6(ip) ? IP6_HLEN : (pbuf_get_at(copy, 0) & 15) * 4);
	if (filtered(e, copy) || (e->kind == STACK_PING && !ping_mine(e, copy)))
		pbuf_free(copy);
	else
		datagram_queue(e, copy, &from);
	return 0;
}

bool datagram_open(struct endpoint *e)
{
	if (e->kind == STACK_UDP) {
		e->udp = udp_new_ip_type(IPADDR_TYPE_ANY);
		if (e->udp)
			udp_recv(e->udp, udp_came, e);
		return e->udp;
	}
	e->raw = raw_new_ip_type(e->protocol == ICMP6 ? IPADDR_TYPE_V6 : IPADDR_TYPE_V4, e->protocol);
	if (!e->raw)
		return false;
	raw_recv(e->raw, raw_came, e);
	if (e->protocol == ICMP6) {
		e->raw->chksum_reqd = 1;
		e->raw->chksum_offset = 2;
	}
	return true;
}

/* An identifier that no other has; 0: none. */
static uint16_t ping_port(uint16_t wanted)
{
	uint16_t port = wanted ? wanted : random_number() | 1;
	for (unsigned tries = 0; tries < 0x10000; tries++, port++) {
		const struct endpoint *e = endpoints;
		while (e && (e->kind != STACK_PING || e->ping_local.port != port))
			e = e->next;
		if (!e && port)
			return port;
		if (wanted)
			return 0;
	}
	return 0;
}

static int ping_bind(struct endpoint *e, const struct stack_address *at)
{
	ip_addr_t ip = ip_to_bind(e, at);
	uint16_t port = e->kind == STACK_PING ? ping_port(at->port) : 0;
	if (e->kind == STACK_PING && !port)
		return -EADDRINUSE;
	e->ping_local = *at;
	e->ping_local.port = port;
	return error_of(raw_bind(e->raw, &ip));
}

static err_t bind_to(struct endpoint *e, const ip_addr_t *ip, uint16_t port)
{
	return udp_bind(e->udp, ip, port);
}

int datagram_bind(struct endpoint *e, const struct stack_address *at)
{
	ip_addr_t ip = ip_to_bind(e, at);
	if (e->kind != STACK_UDP)
		return ping_bind(e, at);
	if (e->udp->local_port)
		return -EINVAL;
	if (at->port && address_taken(e, &ip, at->port))
		return -EADDRINUSE;
	int status = at->port ? error_of(bind_to(e, &ip, at->port)) :
		endpoint_bind_any(e, &ip, bind_to);
	if (!status)
		group_join(e);
	return status;
}

static void datagram_disconnect(struct endpoint *e)
{
	if (e->kind == STACK_UDP)
		udp_disconnect(e->udp);
	else
		raw_disconnect(e->raw);
	e->connected = false;
}

/* Where it will leave from is decided now, as the program may ask. */
static int source_choose(struct endpoint *e, const ip_addr_t *to)
{
	struct netif *n = ip_route(&e->pcb->local_ip, to);
	const ip_addr_t *own = n ? ip_netif_get_local_ip(n, to) : NULL;
	if (!own || (IP_IS_V4(own) && ip4_addr_isany(ip_2_ip4(own))))
		return -ENETUNREACH;
	if (ip_addr_isany(&e->pcb->local_ip))
		ip_addr_copy(e->pcb->local_ip, *own);
	return 0;
}

int datagram_connect(struct endpoint *e, const struct stack_address *to)
{
	if (!to) {
		datagram_disconnect(e);
		return 0;
	}
	ip_addr_t ip = ip_of(to);
	int status = source_choose(e, &ip);
	if (status)
		return status;
	status = error_of(e->kind == STACK_UDP ? udp_connect(e->udp, &ip, to->port) :
		raw_connect(e->raw, &ip));
	e->ping_peer = *to;
	e->connected = !status;
	return status;
}

/* ---- data ------------------------------------------------------------------------- */

/* The identifier is the socket's, and the sum follows from it. */
static int ping_complete(struct endpoint *e, struct pbuf *p)
{
	struct icmp_echo_hdr *h = p->payload;
	const struct stack_address any = { .port = 0 };
	if (p->len < sizeof *h)
		return -EINVAL;
	if (h->type != (e->protocol == ICMP ? ICMP_ECHO : ICMP6_TYPE_EREQ) || h->code)
		return -EINVAL;
	int status = e->ping_local.port ? 0 : ping_bind(e, &any);
	h->id = lwip_htons(e->ping_local.port);
	h->chksum = 0;
	if (e->protocol == ICMP)
		h->chksum = inet_chksum_pbuf(p);
	return status;
}

static err_t datagram_put(struct endpoint *e, struct pbuf *p, const struct stack_address *to)
{
	if (!to)
		return e->kind == STACK_UDP ? udp_send(e->udp, p) : raw_send(e->raw, p);
	ip_addr_t ip = ip_of(to);
	return e->kind == STACK_UDP ? udp_sendto(e->udp, p, &ip, to->port) :
		raw_sendto(e->raw, p, &ip);
}

static bool to_everybody(const struct stack_address *to)
{
	ip_addr_t ip = ip_of(to);
	struct netif *n = IP_IS_V4_VAL(ip) ? ip4_route(ip_2_ip4(&ip)) : NULL;
	return IP_IS_V4_VAL(ip) && (ip_2_ip4(&ip)->addr == IPADDR_BROADCAST ||
		(n && ip4_addr_isbroadcast(ip_2_ip4(&ip), n)));
}

long datagram_send(struct endpoint *e, const void *from, size_t n, const struct stack_address *to)
{
	if (!to && !e->connected)
		return -EDESTADDRREQ;
	if (n > (e->kind == STACK_UDP ? 65507 : 65515))
		return -EMSGSIZE;
	if (to && !(e->pcb->so_options & SOF_BROADCAST) && to_everybody(to))
		return -EACCES;
	struct pbuf *p = pbuf_alloc(e->kind == STACK_UDP ? PBUF_TRANSPORT : PBUF_IP, n, PBUF_RAM);
	if (!p)
		return -ENOBUFS;
	pbuf_take(p, from, n);
	int status = e->kind == STACK_PING ? ping_complete(e, p) : 0;
	if (!status)
		status = error_of(datagram_put(e, p, to));
	pbuf_free(p);
	return status ? status : (long)n;
}

static void datagram_drop(struct endpoint *e)
{
	struct datagram *d = e->first;
	e->first = d->next;
	if (!e->first)
		e->last = &e->first;
	e->datagrams--;
	e->datagram_bytes -= d->data->tot_len;
	pbuf_free(d->data);
	stack_memory_put(d);
}

long datagram_receive(struct endpoint *e, void *to, size_t n, struct stack_address *from,
	size_t *whole, bool stay)
{
	struct datagram *d = e->first;
	if (e->error)
		return stack_error(e);
	if (!d)
		return -EAGAIN;
	long done = pbuf_copy_partial(d->data, to, n < 0xffff ? n : 0xffff, 0);
	if (from)
		*from = d->from;
	if (whole)
		*whole = d->data->tot_len;
	if (!stay)
		datagram_drop(e);
	return done;
}

void datagram_close(struct endpoint *e)
{
	while (e->first)
		datagram_drop(e);
	group_leave(e);
	if (e->kind == STACK_UDP)
		udp_remove(e->udp);
	else
		raw_remove(e->raw);
}
