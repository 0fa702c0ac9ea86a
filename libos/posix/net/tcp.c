/* Connections and listeners, by lwIP.  See endpoint.h.
 *
 * lwIP's callbacks queue what came and tell; nothing is called back from within an operation but
 * `changed`.  Its control blocks (pcb) may end before ours: then `tcp` is NULL and `error` says why.
 */
#include "libos/posix/net/endpoint.h"

#define BACKLOG_MAX	128u
#define BACKLOG_GROUP	255u	/* of those that share a port, together */
#define SMALL		256u	/* bytes of a segment */
#define GATHERED	960u
#define TIME_WAIT_MAX	128u	/* lwIP looks at each of them for each packet */

/* A small segment takes a packet's memory for itself; when it has to wait it shares one.  False: it
 * stays as it is. */
static bool unread_gather(struct endpoint *e, struct pbuf *p)
{
	if (!e->unread || p->tot_len > SMALL)
		return false;
	if (p->tot_len > e->unread_room) {
		struct pbuf *all = pbuf_alloc(PBUF_RAW, GATHERED, PBUF_RAM);
		if (!all)
			return false;
		all->len = 0;
		e->unread_last = e->unread_last->next = all;
		e->unread_room = GATHERED;
	}
	pbuf_copy_partial(p, (char *)e->unread_last->payload + e->unread_last->len, p->tot_len, 0);
	e->unread_last->len += p->tot_len;
	e->unread_room -= p->tot_len;
	pbuf_free(p);
	return true;
}

/* Behind what is unread, whose total lengths nobody keeps: a long queue is not walked. */
static void unread_put(struct endpoint *e, struct pbuf *p)
{
	if (unread_gather(e, p))
		return;
	e->unread_room = 0;
	if (e->unread)
		e->unread_last->next = p;
	else
		e->unread = p;
	while (p->next)
		p = p->next;
	e->unread_last = p;
}

/* The pcb is gone already: after an error, or (ERR_CLSD) as both sides have closed. */
static void tcp_failed(void *arg, err_t error)
{
	struct endpoint *e = arg;
	e->tcp = NULL;
	e->error = error == ERR_CLSD ? 0 : e->connecting && error == ERR_RST ? -ECONNREFUSED :
		error == ERR_ABRT ? -ETIMEDOUT : error_of(error);
	e->ended = true;
	e->connected = e->connecting = false;
	tell(e);
}

/* The pcb is gone, maybe without another word: so ends one that has waited for late packets. */
static void pcb_ended(u8_t id, void *data)
{
	struct endpoint *e = data;
	(void)id;
	if (e) {
		e->tcp = NULL;
		e->connected = false;
	}
}

static void pcb_leave(struct tcp_pcb *pcb)
{
	tcp_ext_arg_set(pcb, 0, NULL);
	tcp_arg(pcb, NULL);
	tcp_recv(pcb, NULL);
	tcp_sent(pcb, NULL);
	tcp_err(pcb, NULL);
}

static err_t tcp_came(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	struct endpoint *e = arg;
	(void)pcb, (void)error;
	if (p)
		unread_put(e, p);
	else
		e->ended = true;
	tell(e);
	return ERR_OK;
}

static err_t tcp_left(void *arg, struct tcp_pcb *pcb, u16_t n)
{
	(void)pcb, (void)n;
	tell(arg);
	return ERR_OK;
}

static void tcp_attach(struct endpoint *e, struct tcp_pcb *pcb)
{
	static const struct tcp_ext_arg_callbacks ends = { .destroy = pcb_ended };
	e->tcp = pcb;
	tcp_ext_arg_set_callbacks(pcb, 0, &ends);
	tcp_ext_arg_set(pcb, 0, e);
	tcp_arg(pcb, e);
	tcp_recv(pcb, tcp_came);
	tcp_sent(pcb, tcp_left);
	tcp_err(pcb, tcp_failed);
}

bool connection_open(struct endpoint *e)
{
	struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
	if (pcb)
		tcp_attach(e, pcb);
	return pcb;
}

static err_t bind_to(struct endpoint *e, const ip_addr_t *ip, uint16_t port)
{
	return tcp_bind(e->tcp, ip, port);
}

int connection_bind(struct endpoint *e, const struct stack_address *at)
{
	ip_addr_t ip = ip_to_bind(e, at);
	if (!e->tcp || e->listening || e->connected || e->connecting || e->tcp->local_port)
		return -EINVAL;
	if (at->port && address_taken(e, &ip, at->port))
		return -EADDRINUSE;
	return at->port ? error_of(bind_to(e, &ip, at->port)) : endpoint_bind_any(e, &ip, bind_to);
}

/* A connection came.  While it waits to be accepted lwIP counts it, and passes over who asks for
 * another one when there are enough: it asks again. */
static err_t tcp_arrived(void *arg, struct tcp_pcb *pcb, err_t error)
{
	struct endpoint *l, *e, **last;
	if (error != ERR_OK || !pcb)
		return ERR_VAL;
	l = group_pick(arg, &pcb->remote_ip, pcb->remote_port);
	e = l->waiting < l->backlog ? endpoint_new(STACK_TCP) : NULL;
	if (!e)
		return ERR_MEM;		/* of a group, one has too many: lwIP resets it */
	tcp_backlog_delayed(pcb);
	tcp_attach(e, pcb);
	e->connected = true;
	e->listener = l;
	e->reuse = l->reuse;
	e->reuse_port = l->reuse_port;
	e->owner = l->owner;
	stack_watch(e, l->changed, l->arg);
	for (last = &l->accepted; *last; last = &(*last)->accepted_next)
		;
	*last = e;
	l->waiting++;
	tell(l);
	return ERR_OK;
}

/* Those of a group have one control block. */
static bool listen_with_others(struct endpoint *e)
{
	struct endpoint *o = group_join(e);
	if (!o)
		return false;
	struct tcp_pcb_listen *l = (struct tcp_pcb_listen *)o->tcp;
	l->backlog = l->backlog + e->backlog < BACKLOG_GROUP ? l->backlog + e->backlog : BACKLOG_GROUP;
	pcb_leave(e->tcp);
	tcp_close(e->tcp);
	e->tcp = o->tcp;
	e->listening = true;
	return true;
}

int stack_listen(struct endpoint *e, unsigned backlog)
{
	err_t error;
	if (e->kind != STACK_TCP)
		return -EOPNOTSUPP;
	if (!e->tcp || e->connected || e->connecting)
		return -EINVAL;
	e->backlog = backlog < 1 ? 1 : backlog > BACKLOG_MAX ? BACKLOG_MAX : backlog;
	if (e->listening) {
		tcp_backlog_set(e->tcp, e->backlog);
		return 0;
	}
	if (e->tcp->local_port && address_taken(e, &e->tcp->local_ip, e->tcp->local_port))
		return -EADDRINUSE;
	if (e->tcp->local_port && listen_with_others(e))
		return 0;
	if (!e->tcp->local_port) {
		int status = endpoint_bind_any(e, &e->tcp->local_ip, bind_to);
		if (status)
			return status;
	}
	struct tcp_pcb *l = tcp_listen_with_backlog_and_err(e->tcp, e->backlog, &error);
	if (!l)
		return error_of(error);
	tcp_ext_arg_set(l, 0, NULL);	/* its group's */
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

int connection_connect(struct endpoint *e, const struct stack_address *to)
{
	ip_addr_t ip = ip_of(to);
	if (e->listening || e->connected)
		return -EISCONN;
	if (e->connecting)
		return -EALREADY;
	if (!e->tcp && !connection_open(e))	/* again, after a failure */
		return -ENOBUFS;
	e->ended = e->shut = false;
	int status = 0;
	if (!e->tcp->local_port && endpoint_any_limited(e))
		status = endpoint_bind_any(e, &e->tcp->local_ip, bind_to);
	if (!status)
		status = error_of(tcp_connect(e->tcp, &ip, to->port, tcp_reached));
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
	l->accepted = e->accepted_next;
	l->waiting--;
	if (e->tcp)
		tcp_backlog_accepted(e->tcp);
	e->listener = e->accepted_next = NULL;
	*out = e;
	return 0;
}

/* ---- data ------------------------------------------------------------------------- */

long connection_send(struct endpoint *e, const void *from, size_t n)
{
	if (e->error)
		return stack_error(e);
	if (!e->tcp || e->shut)
		return -EPIPE;
	if (!e->connected)
		return e->connecting ? -EAGAIN : -EPIPE;
	size_t done = 0;
	while (done < n) {
		size_t room = tcp_sndbuf(e->tcp), part = n - done < room ? n - done : room;
		uint8_t more = e->corked ? TCP_WRITE_FLAG_MORE : 0;
		if (!part || tcp_write(e->tcp, (const char *)from + done, part,
				TCP_WRITE_FLAG_COPY | more) != ERR_OK)
			break;
		done += part;
	}
	/* Who waits for room with the cork in gets some. */
	if (done && (!e->corked || tcp_sndbuf(e->tcp) < TCP_SNDLOWAT))
		tcp_output(e->tcp);
	if (done || !n)
		return done;
	/* If nothing is under way there is no memory, and nobody will tell of any. */
	return tcp_sndqueuelen(e->tcp) ? -EAGAIN : -ENOBUFS;
}

static void unread_drop(struct endpoint *e)
{
	struct pbuf *p = e->unread;
	e->read = 0;
	e->unread = p->next;
	if (p->next)
		pbuf_ref(p->next);	/* it outlives the one before */
	pbuf_free(p);
}

long connection_receive(struct endpoint *e, void *to, size_t n)
{
	size_t done = 0;
	while (e->unread && done < n) {
		struct pbuf *p = e->unread;
		size_t part = p->len - e->read < n - done ? p->len - e->read : n - done;
		__builtin_memcpy((char *)to + done, (char *)p->payload + e->read, part);
		done += part;
		e->read += part;
		if (e->read == p->len)
			unread_drop(e);
	}
	for (size_t left = done, part; left && e->tcp; left -= part) {
		part = left < 0xffff ? left : 0xffff;
		tcp_recved(e->tcp, part);
	}
	if (done || !n)
		return done;
	if (e->error)
		return stack_error(e);
	return e->ended ? 0 : e->connected || e->connecting ? -EAGAIN : -ENOTCONN;
}

long connection_peek(struct endpoint *e, size_t skip, void *to, size_t n)
{
	size_t done = 0, at = e->read + skip;
	for (const struct pbuf *p = e->unread; p && done < n; p = p->next) {
		if (at >= p->len) {
			at -= p->len;
			continue;
		}
		size_t part = p->len - at < n - done ? p->len - at : n - done;
		__builtin_memcpy((char *)to + done, (char *)p->payload + at, part);
		done += part;
		at = 0;
	}
	if (done || !n || skip)
		return done;
	return e->ended ? 0 : e->connected || e->connecting ? -EAGAIN : -ENOTCONN;
}

size_t connection_unread(const struct endpoint *e)
{
	size_t n = 0;
	for (const struct pbuf *p = e->unread; p; p = p->next)
		n += p->len;
	return n - e->read;
}

/* ---- the end ---------------------------------------------------------------------- */

int connection_shutdown(struct endpoint *e)
{
	if (!e->tcp || !e->connected)
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
		at = &(*at)->accepted_next;
	*at = e->accepted_next;
	e->listener->waiting--;
}

static void tcp_detach(struct endpoint *e, bool abort)
{
	struct tcp_pcb *pcb = e->tcp;
	bool unread = e->unread;
	if (unread)
		pbuf_free(e->unread);
	e->unread = NULL;
	e->tcp = NULL;
	if (!pcb)
		return;
	if (e->listening) {
		struct endpoint *other = group_leave(e);
		tcp_arg(pcb, other);
		if (!other)
			tcp_close(pcb);
		return;
	}
	pcb_leave(pcb);
	if (unread || abort || tcp_close(pcb) != ERR_OK)
		tcp_abort(pcb);
}

void connection_close(struct endpoint *e, bool abort)
{
	while (e->accepted)
		stack_close(e->accepted);	/* these have none themselves */
	if (e->listener)
		unlink_accepted(e);
	tcp_detach(e, abort);
}

void connections_trim(void)
{
	struct tcp_pcb *p = tcp_tw_pcbs;
	for (unsigned n = 1; p && n < TIME_WAIT_MAX; n++)
		p = p->next;
	while (p && p->next)
		tcp_abort(p->next);		/* in this state it is only forgotten */
}

/* Some peers (QEMU's user network) do not tell when their window opens again: they are asked every
 * half a second, however often they had none.  lwIP counts in such steps, and waits ever longer, which
 * is left to it where no answer comes: after twelve it gives up, some minutes later. */
void connections_probe(void)
{
	for (struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next)
		if (p->persist_backoff && p->persist_probe < 2) {
			p->persist_backoff = 1;
			p->persist_cnt = 2;
		}
}

void connections_resume(void)
{
	for (struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next)
		if (p->unsent)
			tcp_output(p);
}

/* ---- questions, options ----------------------------------------------------------- */

unsigned connection_poll(const struct endpoint *e)
{
	if (e->listening)
		return STACK_LISTENS | (e->accepted ? STACK_READABLE : 0);
	bool room = e->connected && !e->shut && e->tcp && tcp_sndbuf(e->tcp) >= TCP_SNDLOWAT &&
		tcp_sndqueuelen(e->tcp) < TCP_SNDQUEUELOWAT;
	return (e->unread || e->ended || e->error ? STACK_READABLE : 0) |
		(e->ended ? STACK_ENDED : 0) | (e->shut ? STACK_SHUT : 0) |
		(e->connected ? STACK_CONNECTED : 0) | (e->connecting ? STACK_CONNECTING : 0) |
		(e->error ? STACK_ERROR : 0) | (room || e->error ? STACK_WRITABLE : 0);
}

int connection_option(struct endpoint *e, enum stack_option option, unsigned value)
{
	if (!e->tcp || e->listening)
		return 0;
	switch (option) {
	case STACK_NODELAY:
		if (value)
			tcp_nagle_disable(e->tcp);
		else
			tcp_nagle_enable(e->tcp);
		break;
	case STACK_CORK:
		if (e->corked == value)
			return 0;
		e->corked = value;
		break;
	case STACK_KEEP_IDLE:
		e->tcp->keep_idle = value * 1000;
		break;
	case STACK_KEEP_INTERVAL:
		e->tcp->keep_intvl = value * 1000;
		break;
	case STACK_KEEP_COUNT:
		e->tcp->keep_cnt = value;
		break;
	default:
		return -ENOPROTOOPT;
	}
	if (e->connected && !e->corked)
		tcp_output(e->tcp);
	return 0;
}
