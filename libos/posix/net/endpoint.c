/* Endpoints: which part does what, and what is asked of all of them.  See endpoint.h. */
#include "libos/posix/net/endpoint.h"

struct endpoint *endpoints;

struct endpoint *endpoint_new(enum stack_kind kind)
{
	struct endpoint *e = memory_get(sizeof *e);
	if (!e)
		return NULL;
	e->kind = kind;
	e->last = &e->first;
	e->group = e;
	e->next = endpoints;
	e->link = &endpoints;
	if (e->next)
		e->next->link = &e->next;
	endpoints = e;
	return e;
}

void endpoint_free(struct endpoint *e)
{
	*e->link = e->next;
	if (e->next)
		e->next->link = e->link;
	stack_memory_put(e);
}

struct endpoint *stack_open(enum stack_kind kind, uint8_t protocol, void (*changed)(void *arg),
	void *arg)
{
	struct endpoint *e = endpoint_new(kind);
	if (!e)
		return NULL;
	e->protocol = protocol;
	stack_watch(e, changed, arg);
	if (kind == STACK_TCP ? connection_open(e) : datagram_open(e))
		return e;
	endpoint_free(e);
	return NULL;
}

void stack_watch(struct endpoint *e, void (*changed)(void *arg), void *arg)
{
	e->changed = changed;
	e->arg = arg;
}

ip_addr_t ip_to_bind(const struct endpoint *e, const struct stack_address *at)
{
	ip_addr_t ip = ip_of(at);
	return IP_IS_V6_VAL(ip) && ip_addr_isany_val(ip) && !e->six_only ?
		(ip_addr_t)IPADDR_ANY_TYPE_INIT : ip;
}

static struct { uint16_t first, count; } any_ports[2];	/* of TCP, of UDP */

void stack_ports_any(enum stack_kind kind, uint16_t first, uint16_t count)
{
	any_ports[kind == STACK_UDP].first = first;
	any_ports[kind == STACK_UDP].count = count;
}

bool endpoint_any_limited(const struct endpoint *e) { return any_ports[e->kind == STACK_UDP].count; }

int endpoint_bind_any(struct endpoint *e, const ip_addr_t *ip,
	err_t (*bind)(struct endpoint *e, const ip_addr_t *ip, uint16_t port))
{
	uint16_t first = any_ports[e->kind == STACK_UDP].first, count = any_ports[e->kind == STACK_UDP].count;
	uint32_t at = random_number();
	if (!count)
		return error_of(bind(e, ip, 0));
	for (unsigned i = 0; i < count; i++) {
		uint16_t port = first + (at + i) % count;
		err_t error = port_taken(e, port) ? ERR_USE : bind(e, ip, port);
		if (error != ERR_USE)
			return error_of(error);
	}
	return -EADDRINUSE;
}

int stack_bind(struct endpoint *e, const struct stack_address *at)
{
	return e->kind == STACK_TCP ? connection_bind(e, at) : datagram_bind(e, at);
}

int stack_connect(struct endpoint *e, const struct stack_address *to)
{
	int status = e->kind == STACK_TCP ? connection_connect(e, to) : datagram_connect(e, to);
	loopback_deliver();
	return status;
}

long stack_send(struct endpoint *e, const void *from, size_t n)
{
	return stack_send_to(e, from, n, NULL);
}

long stack_receive(struct endpoint *e, void *to, size_t n)
{
	return stack_receive_from(e, to, n, NULL, NULL);
}

long stack_send_to(struct endpoint *e, const void *from, size_t n, const struct stack_address *to)
{
	long done = e->kind == STACK_TCP ? connection_send(e, from, n) : datagram_send(e, from, n, to);
	loopback_deliver();
	return done;
}

long stack_receive_from(struct endpoint *e, void *to, size_t n, struct stack_address *from,
	size_t *whole)
{
	if (e->kind != STACK_TCP)
		return datagram_receive(e, to, n, from, whole, false);
	long done = connection_receive(e, to, n);
	loopback_deliver();
	return done;
}

long stack_peek(struct endpoint *e, size_t skip, void *to, size_t n, struct stack_address *from)
{
	return e->kind == STACK_TCP ? connection_peek(e, skip, to, n) :
		datagram_receive(e, to, n, from, NULL, true);
}

int stack_shutdown(struct endpoint *e)
{
	if (e->kind != STACK_TCP)
		return -ENOTCONN;
	int status = connection_shutdown(e);
	loopback_deliver();
	return status;
}

static void endpoint_end(struct endpoint *e, bool abort)
{
	if (e->kind == STACK_TCP)
		connection_close(e, abort);
	else
		datagram_close(e);
	endpoint_free(e);
	loopback_deliver();
}

void stack_close(struct endpoint *e) { endpoint_end(e, false); }
void stack_abort(struct endpoint *e) { endpoint_end(e, true); }

int stack_option(struct endpoint *e, enum stack_option option, unsigned value)
{
	switch (option) {
	case STACK_SIX_ONLY:
		e->six_only = value;
		return 0;
	case STACK_TTL:
	case STACK_TOS:
		if (e->pcb && !e->listening)
			*(option == STACK_TTL ? &e->pcb->ttl : &e->pcb->tos) = value;
		return 0;
	case STACK_OWNER:
		e->owner = value;
		return 0;
	case STACK_REUSE:
	case STACK_REUSE_PORT:
		*(option == STACK_REUSE ? &e->reuse : &e->reuse_port) = value;
		reuse_set(e);
		return 0;
	case STACK_BROADCAST:
	case STACK_KEEPALIVE:;
		uint8_t bit = option == STACK_BROADCAST ? SOF_BROADCAST : SOF_KEEPALIVE;
		if (e->pcb && !e->listening)
			e->pcb->so_options = value ? e->pcb->so_options | bit : e->pcb->so_options & ~bit;
		return 0;
	default:
		return e->kind == STACK_TCP ? connection_option(e, option, value) : -ENOPROTOOPT;
	}
}

/* ---- questions -------------------------------------------------------------------- */

struct stack_address stack_local(const struct endpoint *e)
{
	if (!e->pcb)
		return (struct stack_address){ .port = 0 };
	if (e->kind == STACK_PING || e->kind == STACK_RAW)
		return e->ping_local;
	return e->kind == STACK_UDP ? address_of(&e->udp->local_ip, e->udp->local_port) :
		address_of(&e->tcp->local_ip, e->tcp->local_port);
}

struct stack_address stack_peer(const struct endpoint *e)
{
	if (!e->pcb || !(e->connected || e->connecting))
		return (struct stack_address){ .port = 0 };
	if (e->kind == STACK_PING || e->kind == STACK_RAW)
		return e->ping_peer;
	return e->kind == STACK_UDP ? address_of(&e->udp->remote_ip, e->udp->remote_port) :
		address_of(&e->tcp->remote_ip, e->tcp->remote_port);
}

unsigned stack_poll(const struct endpoint *e)
{
	if (e->kind == STACK_TCP)
		return connection_poll(e);
	return (e->first ? STACK_READABLE : 0) | STACK_WRITABLE | (e->connected ? STACK_CONNECTED : 0) |
		(e->error ? STACK_ERROR : 0);
}

int stack_error(struct endpoint *e)
{
	int error = e->error;
	e->error = 0;
	return error;
}

size_t stack_unread(const struct endpoint *e)
{
	return e->kind == STACK_TCP ? connection_unread(e) : e->first ? e->first->data->tot_len : 0;
}

size_t stack_unsent(const struct endpoint *e)
{
	return e->kind == STACK_TCP && e->tcp && e->connected ? e->tcp->snd_lbb - e->tcp->lastack : 0;
}

struct stack_counts stack_counts(void)
{
	struct stack_counts c = { 0 };
	for (const struct endpoint *e = endpoints; e; e = e->next) {
		c.endpoints++;
		c.packets += e->datagrams + (e->unread != NULL);
	}
	for (const struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next) {
		c.connections++;
		c.unsent += p->state >= ESTABLISHED && (p->unsent || p->unacked);
	}
	return c;
}

/* lwIP's states, in Linux's numbers */
static unsigned state_of(const struct tcp_pcb *p)
{
	static const uint8_t states[] = { [CLOSED] = 7, [LISTEN] = 10, [SYN_SENT] = 2, [SYN_RCVD] = 3,
		[ESTABLISHED] = 1, [FIN_WAIT_1] = 4, [FIN_WAIT_2] = 5, [CLOSE_WAIT] = 8,
		[CLOSING] = 11, [LAST_ACK] = 9, [TIME_WAIT] = 6 };
	return states[p->state];
}

static void list_closed(const struct tcp_pcb *p, void (*see)(const struct stack_entry *, void *),
	void *arg)
{
	for (; p; p = p->next)
		if (!p->callback_arg)
			see(&(struct stack_entry){ .kind = STACK_TCP, .state = state_of(p),
				.local = address_of(&p->local_ip, p->local_port),
				.peer = address_of(&p->remote_ip, p->remote_port) }, arg);
}

void stack_list(void (*see)(const struct stack_entry *e, void *arg), void *arg)
{
	for (const struct endpoint *e = endpoints; e; e = e->next) {
		struct stack_entry s = { .kind = e->kind, .local = stack_local(e), .peer = stack_peer(e),
			.arg = e->arg, .unsent = stack_unsent(e),
			.unread = e->kind == STACK_TCP ? connection_unread(e) : e->datagram_bytes };
		s.state = e->kind == STACK_TCP && e->tcp ? state_of(e->tcp) : e->connected ? 1 : 7;
		see(&s, arg);
	}
	list_closed(tcp_active_pcbs, see, arg);
	list_closed(tcp_tw_pcbs, see, arg);
}
