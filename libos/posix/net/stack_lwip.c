/* stack.h by lwIP's raw interface (Debian's source package, compiled as it is).
 *
 * lwIP's callbacks queue what came and tell; nothing is called back from within an operation but
 * `changed`.  Its control blocks (pcb) may end before ours: then `pcb` is NULL and `error` says why.
 */
#include <errno.h>
#include "lwip/init.h"
#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/memp.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/sys.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"
#include "lwip/udp.h"
#include "netif/ethernet.h"
#include "libos/posix/net/stack.h"

#define ENDPOINTS	640u
#define DATAGRAMS	64u		/* that wait at an endpoint */
#define BACKLOG_MAX	128u

struct datagram { struct pbuf *data; struct stack_address from; };

struct endpoint {
	bool used, listening, connected, connecting;
	bool ended, shut;		/* by the peer; by us */
	enum stack_kind kind;
	int error;
	void (*changed)(void *arg);
	void *arg;
	union { struct tcp_pcb *tcp; struct udp_pcb *udp; };
	struct pbuf *unread;		/* TCP */
	size_t read;			/* bytes of its first pbuf that were taken */
	struct endpoint *accepted, *next;	/* connections that came, oldest first; the next of them */
	struct endpoint *listener;	/* while it waits there */
	unsigned waiting, backlog;
	struct datagram datagram[DATAGRAMS];
	unsigned first, datagrams;
};

static const struct stack_system *sys;
static struct endpoint endpoints[ENDPOINTS];
static struct netif netifs[STACK_LINKS];
static unsigned links;

u32_t sys_now(void) { return sys->now_ms(); }
uint32_t stack_random(void) { return sys->random(); }
void stack_panic(const char *why)
{
	sys->panic(why);
	__builtin_unreachable();
}

static int error_of(err_t e)
{
	switch (e) {
	case ERR_OK: return 0;
	case ERR_MEM: case ERR_BUF: return -ENOBUFS;
	case ERR_TIMEOUT: return -ETIMEDOUT;
	case ERR_RTE: return -ENETUNREACH;
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

static ip_addr_t ip_of(const uint8_t b[4])
{
	ip_addr_t ip;
	IP_ADDR4(&ip, b[0], b[1], b[2], b[3]);
	return ip;
}

static struct stack_address address_of(const ip_addr_t *ip, uint16_t port)
{
	struct stack_address a = { .port = port };
	for (unsigned i = 0; i < 4; i++)
		a.ip[i] = ip4_addr_get_byte(ip_2_ip4(ip), i);
	return a;
}

static void tell(const struct endpoint *e)
{
	if (e->changed)
		e->changed(e->arg);
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
	link->send(link, frame, p->tot_len);
	return ERR_OK;
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
	netif_set_up(n);
	return 0;
}

int stack_link_address(struct stack_link *link, const uint8_t ip[4], const uint8_t mask[4], const uint8_t gateway[4])
{
	ip_addr_t i = ip_of(ip), m = ip_of(mask), g = ip_of(gateway);
	netif_set_addr(netif_of(link), ip_2_ip4(&i), ip_2_ip4(&m), ip_2_ip4(&g));
	return 0;
}

int stack_link_dhcp(struct stack_link *link) { return error_of(dhcp_start(netif_of(link))); }

bool stack_link_ready(const struct stack_link *link, uint8_t ip[4])
{
	const struct netif *n = netif_of(link);
	struct stack_address a = address_of(netif_ip_addr4(n), 0);
	__builtin_memcpy(ip, a.ip, 4);
	return !ip4_addr_isany(netif_ip4_addr(n));
}

struct netif *stack_route(const void *source)
{
	const ip4_addr_t *from = source;
	for (unsigned i = 0; from && !ip4_addr_isany(from) && i < links; i++)
		if (ip4_addr_cmp(from, netif_ip4_addr(&netifs[i])))
			return &netifs[i];
	return NULL;
}

void stack_input(struct stack_link *link, const void *frame, size_t length)
{
	struct netif *n = netif_of(link);
	struct pbuf *p = length <= STACK_FRAME + 4 ? pbuf_alloc(PBUF_RAW, length, PBUF_POOL) : NULL;
	if (!p)
		return;			/* as if it had been lost on its way */
	pbuf_take(p, frame, length);
	if (n->input(p, n) != ERR_OK)
		pbuf_free(p);
}

uint32_t stack_timers(void)
{
	sys_check_timeouts();
	return sys_timeouts_sleeptime();
}

/* ---- endpoints ------------------------------------------------------------------- */

static struct endpoint *endpoint_new(enum stack_kind kind)
{
	for (unsigned i = 0; i < ENDPOINTS; i++)
		if (!endpoints[i].used) {
			endpoints[i] = (struct endpoint){ .used = true, .kind = kind };
			return &endpoints[i];
		}
	return NULL;
}

static err_t tcp_came(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	struct endpoint *e = arg;
	(void)pcb, (void)error;
	if (!p)
		e->ended = true;
	else if (e->unread)
		pbuf_cat(e->unread, p);
	else
		e->unread = p;
	tell(e);
	return ERR_OK;
}

static err_t tcp_left(void *arg, struct tcp_pcb *pcb, u16_t n)
{
	(void)pcb, (void)n;
	tell(arg);
	return ERR_OK;
}

/* The pcb is gone already: after an error, or (ERR_CLSD) as both sides have closed. */
static void tcp_failed(void *arg, err_t error)
{
	struct endpoint *e = arg;
	e->tcp = NULL;
	e->error = error == ERR_CLSD ? 0 : e->connecting && error == ERR_RST ? -ECONNREFUSED :
		e->connecting && error == ERR_ABRT ? -ETIMEDOUT : error_of(error);
	e->ended = true;
	e->connected = e->connecting = false;
	tell(e);
}

static void tcp_attach(struct endpoint *e, struct tcp_pcb *pcb)
{
	e->tcp = pcb;
	tcp_arg(pcb, e);
	tcp_recv(pcb, tcp_came);
	tcp_sent(pcb, tcp_left);
	tcp_err(pcb, tcp_failed);
}

static void udp_came(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *ip, u16_t port)
{
	struct endpoint *e = arg;
	(void)pcb;
	if (e->datagrams == DATAGRAMS) {
		pbuf_free(p);
		return;
	}
	e->datagram[(e->first + e->datagrams++) % DATAGRAMS] = (struct datagram){ p, address_of(ip, port) };
	tell(e);
}

struct endpoint *stack_open(enum stack_kind kind, void (*changed)(void *arg), void *arg)
{
	struct endpoint *e = endpoint_new(kind);
	if (!e)
		return NULL;
	stack_watch(e, changed, arg);
	if (kind == STACK_UDP) {
		e->udp = udp_new();
		if (e->udp)
			udp_recv(e->udp, udp_came, e);
	} else {
		struct tcp_pcb *pcb = tcp_new();
		if (pcb)
			tcp_attach(e, pcb);
	}
	e->used = e->tcp != NULL;
	return e->used ? e : NULL;
}

void stack_watch(struct endpoint *e, void (*changed)(void *arg), void *arg)
{
	e->changed = changed;
	e->arg = arg;
}

int stack_bind(struct endpoint *e, const struct stack_address *at)
{
	ip_addr_t ip = ip_of(at->ip);
	if (!e->tcp || e->listening || e->connected || e->connecting)
		return -EINVAL;
	return error_of(e->kind == STACK_UDP ? udp_bind(e->udp, &ip, at->port) : tcp_bind(e->tcp, &ip, at->port));
}

/* A connection came; a full listener's comes again later. */
static err_t tcp_arrived(void *arg, struct tcp_pcb *pcb, err_t error)
{
	struct endpoint *l = arg, *e, **last;
	if (error != ERR_OK || !pcb)
		return ERR_VAL;
	e = l->waiting < l->backlog ? endpoint_new(STACK_TCP) : NULL;
	if (!e)
		return ERR_MEM;		/* lwIP resets it */
	tcp_attach(e, pcb);
	e->connected = true;
	e->listener = l;
	stack_watch(e, l->changed, l->arg);
	for (last = &l->accepted; *last; last = &(*last)->next)
		;
	*last = e;
	l->waiting++;
	tell(l);
	return ERR_OK;
}

int stack_listen(struct endpoint *e, unsigned backlog)
{
	err_t error;
	if (e->kind != STACK_TCP)
		return -EOPNOTSUPP;
	if (!e->tcp || e->connected || e->connecting)
		return -EINVAL;
	e->backlog = backlog < 1 ? 1 : backlog > BACKLOG_MAX ? BACKLOG_MAX : backlog;
	if (e->listening)
		return 0;
	struct tcp_pcb *l = tcp_listen_with_backlog_and_err(e->tcp, e->backlog, &error);
	if (!l)
		return error_of(error);
	e->tcp = l;
	e->listening = true;
	tcp_accept(l, tcp_arrived);
	return 0;
}

static err_t tcp_reached(void *arg, struct tcp_pcb *pcb, err_t error)
{
	struct endpoint *e = arg;
	(void)pcb, (void)error;
	e->connecting = false;
	e->connected = true;
	tell(e);
	return ERR_OK;
}

int stack_connect(struct endpoint *e, const struct stack_address *to)
{
	ip_addr_t ip = ip_of(to->ip);
	if (!e->tcp || e->listening)
		return -EINVAL;
	if (e->kind == STACK_UDP) {
		int status = error_of(udp_connect(e->udp, &ip, to->port));
		e->connected = !status;
		return status;
	}
	if (e->connected || e->connecting)
		return e->connected ? -EISCONN : -EALREADY;
	int status = error_of(tcp_connect(e->tcp, &ip, to->port, tcp_reached));
	e->connecting = !status;
	return status ? status : -EINPROGRESS;
}

int stack_accept(struct endpoint *l, struct endpoint **out)
{
	struct endpoint *e = l->accepted;
	if (!l->listening)
		return -EINVAL;
	if (!e)
		return -EAGAIN;
	l->accepted = e->next;
	l->waiting--;
	e->listener = e->next = NULL;
	*out = e;
	return 0;
}

/* ---- data ------------------------------------------------------------------------- */

static int error_take(struct endpoint *e)
{
	int error = e->error;
	e->error = 0;
	return error;
}

long stack_send(struct endpoint *e, const void *from, size_t n)
{
	if (e->kind == STACK_UDP)
		return stack_send_to(e, from, n, NULL);
	if (e->error)
		return error_take(e);
	if (!e->tcp || e->shut)
		return -EPIPE;
	if (!e->connected)
		return e->connecting ? -EAGAIN : -ENOTCONN;
	size_t done = 0;
	while (done < n) {
		size_t room = tcp_sndbuf(e->tcp), part = n - done < room ? n - done : room;
		if (part > 0xffff)
			part = 0xffff;
		if (!part || tcp_write(e->tcp, (const char *)from + done, part, TCP_WRITE_FLAG_COPY) != ERR_OK)
			break;
		done += part;
	}
	if (done)
		tcp_output(e->tcp);
	return done || !n ? (long)done : -EAGAIN;
}

long stack_receive(struct endpoint *e, void *to, size_t n)
{
	if (e->kind == STACK_UDP)
		return stack_receive_from(e, to, n, NULL);
	size_t done = 0;
	while (e->unread && done < n) {
		struct pbuf *p = e->unread;
		size_t part = p->len - e->read < n - done ? p->len - e->read : n - done;
		__builtin_memcpy((char *)to + done, (char *)p->payload + e->read, part);
		done += part;
		e->read += part;
		if (e->read < p->len)
			break;
		e->read = 0;
		e->unread = p->next;
		if (p->next)
			pbuf_ref(p->next);	/* it outlives the one before */
		pbuf_free(p);
	}
	for (size_t left = done; left && e->tcp; left -= left < 0xffff ? left : 0xffff)
		tcp_recved(e->tcp, left < 0xffff ? left : 0xffff);
	if (done || !n)
		return done;
	if (e->error)
		return error_take(e);
	return e->ended ? 0 : e->connected || e->connecting ? -EAGAIN : -ENOTCONN;
}

long stack_send_to(struct endpoint *e, const void *from, size_t n, const struct stack_address *to)
{
	if (e->kind != STACK_UDP || (!to && !e->connected))
		return e->kind == STACK_UDP ? -EDESTADDRREQ : stack_send(e, from, n);
	if (n > 65507)
		return -EMSGSIZE;
	struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, n, PBUF_RAM);
	if (!p)
		return -ENOBUFS;
	pbuf_take(p, from, n);
	err_t error;
	if (to) {
		ip_addr_t ip = ip_of(to->ip);
		error = udp_sendto(e->udp, p, &ip, to->port);
	} else {
		error = udp_send(e->udp, p);
	}
	pbuf_free(p);
	return error == ERR_OK ? (long)n : error_of(error);
}

long stack_receive_from(struct endpoint *e, void *to, size_t n, struct stack_address *from)
{
	if (e->kind != STACK_UDP)
		return stack_receive(e, to, n);
	if (!e->datagrams)
		return -EAGAIN;
	struct datagram *d = &e->datagram[e->first];
	long done = pbuf_copy_partial(d->data, to, n < 0xffff ? n : 0xffff, 0);
	if (from)
		*from = d->from;
	pbuf_free(d->data);
	e->first = (e->first + 1) % DATAGRAMS;
	e->datagrams--;
	return done;
}

/* ---- the end ---------------------------------------------------------------------- */

int stack_shutdown(struct endpoint *e)
{
	if (e->kind == STACK_UDP || !e->tcp || !e->connected)
		return -ENOTCONN;
	if (e->shut)
		return 0;
	e->shut = true;
	return error_of(tcp_shutdown(e->tcp, 0, 1));
}

static void unlink_accepted(struct endpoint *e)
{
	struct endpoint **at = &e->listener->accepted;
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	e->listener->waiting--;
}

static void tcp_detach(struct endpoint *e)
{
	struct tcp_pcb *pcb = e->tcp;
	bool unread = e->unread;
	if (unread)
		pbuf_free(e->unread);
	e->unread = NULL;
	e->tcp = NULL;
	if (!pcb)
		return;
	tcp_arg(pcb, NULL);
	if (!e->listening) {
		tcp_recv(pcb, NULL);
		tcp_sent(pcb, NULL);
		tcp_err(pcb, NULL);
	}
	if (unread || tcp_close(pcb) != ERR_OK)
		tcp_abort(pcb);
}

void stack_close(struct endpoint *e)
{
	if (e->kind == STACK_UDP) {
		for (; e->datagrams; e->datagrams--, e->first = (e->first + 1) % DATAGRAMS)
			pbuf_free(e->datagram[e->first].data);
		udp_remove(e->udp);
	} else {
		while (e->accepted)
			stack_close(e->accepted);	/* these have none themselves */
		if (e->listener)
			unlink_accepted(e);
		tcp_detach(e);
	}
	e->used = false;
}

/* ---- questions -------------------------------------------------------------------- */

struct stack_address stack_local(const struct endpoint *e)
{
	if (!e->tcp)
		return (struct stack_address){ .port = 0 };
	return e->kind == STACK_UDP ? address_of(&e->udp->local_ip, e->udp->local_port) :
		address_of(&e->tcp->local_ip, e->tcp->local_port);
}

struct stack_address stack_peer(const struct endpoint *e)
{
	if (!e->tcp || !e->connected)
		return (struct stack_address){ .port = 0 };
	return e->kind == STACK_UDP ? address_of(&e->udp->remote_ip, e->udp->remote_port) :
		address_of(&e->tcp->remote_ip, e->tcp->remote_port);
}

unsigned stack_poll(const struct endpoint *e)
{
	if (e->kind == STACK_UDP)
		return (e->datagrams ? STACK_READABLE : 0) | STACK_WRITABLE;
	if (e->listening)
		return e->accepted ? STACK_READABLE : 0;
	return (e->unread || e->ended || e->error ? STACK_READABLE : 0) | (e->ended ? STACK_ENDED : 0) |
		(e->error || (e->connected && e->tcp && tcp_sndbuf(e->tcp) >= TCP_SNDLOWAT &&
		tcp_sndqueuelen(e->tcp) < TCP_SNDQUEUELOWAT) ? STACK_WRITABLE : 0);
}

int stack_error(struct endpoint *e) { return error_take(e); }

struct stack_counts stack_counts(void)
{
	struct stack_counts c = { 0 };
	for (unsigned i = 0; i < ENDPOINTS; i++) {
		c.endpoints += endpoints[i].used;
		c.packets += endpoints[i].used ? endpoints[i].datagrams + (endpoints[i].unread != NULL) : 0;
	}
	for (struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next)
		c.connections++;
	return c;
}
