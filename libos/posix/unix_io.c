/* What goes through sockets of AF_UNIX, and whether it would.
 *
 * Each end has a queue of packets that were sent to it.  A stream's reader takes bytes from as many
 * as it likes; what a packet brings with it comes with its first byte.  Who waits for room in a queue
 * is woken by going through all ends: it happens only after a queue was full.
 */
#include "libos/posix/net.h"
#include "libos/posix/poll.h"
#include "libos/posix/unix.h"

#define PART		32768u		/* of a stream's write, in one packet */
#define OVERHEAD	256u		/* counted for each packet, as its memory is */
#define DATAGRAMS	10u		/* that wait, and one more: Linux's max_dgram_qlen */

struct packet {
	struct packet *next;
	struct unix_end *from;		/* counted; its name is told as it is when it is asked for */
	struct linux_ucred creds;
	struct rights *rights;
	uint32_t n, at;			/* bytes; taken already */
	uint8_t byte[];
};

/* ---- queues -------------------------------------------------------------------------- */

static void packet_free(struct packet *p)
{
	rights_free(p->rights);
	end_put(p->from);
	kfree(p);
}

void room_await(struct unix_end *e, struct unix_end *to)
{
	e->full = to;
	to->awaited = true;
}

void room_made(struct unix_end *e)
{
	struct unix_end *other = e->awaited ? unix_ends : NULL;
	e->awaited = false;
	for (; other; other = other->next)
		if (other->full == e) {
			other->full = NULL;
			end_changed(other);
		}
}

static struct packet *packet_unlink(struct unix_end *e)
{
	struct packet *p = e->first;
	e->first = p->next;
	if (!e->first)
		e->last = &e->first;
	e->bytes -= p->n + OVERHEAD;
	e->packets--;
	return p;
}

void packets_drop(struct unix_end *e)
{
	while (e->first)
		packet_free(packet_unlink(e));
}

/* ---- sending ------------------------------------------------------------------------------------ */

static struct packet *packet_make(struct unix_end *e, struct iter *from, size_t n, struct message *m)
{
	struct packet *p = kmalloc(sizeof *p + n);
	if (!p)
		return NULL;
	p->n = n;
	p->from = e;
	p->creds = m->have_creds ? m->creds : unix_creds();
	if (iter_take(from, p->byte, n) == n) {
		e->refs++;
		return p;
	}
	kfree(p);
	return NULL;
}

static void packet_link(struct unix_end *to, struct packet *p, struct message *m)
{
	p->rights = m->rights;
	m->rights = NULL;
	*to->last = p;
	to->last = &p->next;
	to->bytes += p->n + OVERHEAD;
	to->packets++;
	end_changed(to);
}

static long stream_send(struct socket *s, struct iter *from, struct message *m)
{
	struct unix_end *e = s->end, *to = e->peer;
	if (m->address.length)
		return e->connected ? -EISCONN : -EOPNOTSUPP;
	if (!e->connected)
		return -ENOTCONN;
	if (e->write_shut || to->closed || to->read_shut)
		return -EPIPE;
	if (!from->left)
		return 0;
	if (to->bytes >= s->send_size) {
		room_await(e, to);
		return -EAGAIN;
	}
	size_t n = smaller(smaller(from->left, PART), s->send_size - to->bytes);
	struct packet *p = packet_make(e, from, n, m);
	if (!p)
		return -EFAULT;
	packet_link(to, p, m);
	return n;
}

static bool queue_full(const struct unix_end *to)
{
	return to->packets > DATAGRAMS;
}

/* A whole packet: a datagram, or of a connection. */
static long packet_send(struct socket *s, struct iter *from, struct message *m)
{
	struct unix_end *e = s->end, *to = e->peer;
	if (s->type == SOCK_SEQPACKET && !e->connected)
		return -ENOTCONN;
	if (s->type == SOCK_DGRAM && m->address.length) {
		long error = unix_find(&m->address, s->type, &to);
		if (error)
			return error;
	}
	if (!to)
		return -ENOTCONN;
	if (from->left > s->send_size - 32)
		return -EMSGSIZE;
	if (e->write_shut)
		return -EPIPE;
	if (s->type == SOCK_DGRAM && to->closed) {
		if (to == e->peer)
			peer_set(e, NULL);
		return -ECONNREFUSED;
	}
	if (to->closed || to->read_shut)
		return -EPIPE;
	if (to->peer && to->peer != e && s->type == SOCK_DGRAM)
		return -EPERM;
	if (s->type == SOCK_DGRAM ? queue_full(to) && to != e : to->bytes + from->left > s->send_size) {
		room_await(e, to);
		return -EAGAIN;
	}
	size_t n = from->left;
	struct packet *p = packet_make(e, from, n, m);
	if (!p)
		return -EFAULT;
	packet_link(to, p, m);
	return n;
}

long unix_send(struct socket *s, struct iter *from, struct message *m)
{
	return s->type == SOCK_STREAM ? stream_send(s, from, m) : packet_send(s, from, m);
}

/* ---- receiving ----------------------------------------------------------------------------------- */

static void taken(struct unix_end *e)
{
	struct packet *p = packet_unlink(e);
	packet_free(p);
	room_made(e);
}

static void brings(struct packet *p, struct message *m)
{
	m->creds = p->creds;
	m->have_creds = true;
	if (!(m->flags & MSG_PEEK)) {
		m->rights = p->rights;
		p->rights = NULL;
	}
}

/* Nothing is there: is it the end? */
static long nothing(struct unix_end *e)
{
	long error = -e->error;
	e->error = 0;
	if (error)
		return error;
	if (e->read_shut || (e->connected && e->type != SOCK_DGRAM && e->peer->closed))
		return 0;
	return e->connected || e->type == SOCK_DGRAM ? -EAGAIN :
		e->type == SOCK_STREAM ? -EINVAL : -ENOTCONN;
}

static long stream_receive(struct unix_end *e, struct iter *to, struct message *m)
{
	size_t done = 0;
	for (struct packet *p = e->first, *next; p && to->left && !m->rights; p = next) {
		bool other = done && memcmp(&p->creds, &m->creds, sizeof p->creds);
		if (other && socket_flag(e->s, SO_PASSCRED))
			break;
		size_t n = smaller(p->n - p->at, to->left);
		next = p->next;
		brings(p, m);
		if (iter_give(to, p->byte + p->at, n) < n)
			return done ? (long)done : -EFAULT;
		done += n;
		if (m->flags & MSG_PEEK)
			continue;
		p->at += n;
		if (p->at == p->n)
			taken(e);
	}
	return done;
}

static long packet_receive(struct unix_end *e, struct iter *to, struct message *m)
{
	struct packet *p = e->first;
	size_t n = smaller(p->n, to->left), whole = p->n;
	if (iter_give(to, p->byte, n) < n)
		return -EFAULT;
	if (p->from->bound && e->type == SOCK_DGRAM)
		m->address = p->from->name;
	brings(p, m);
	if (n < whole)
		m->answer |= MSG_TRUNC;
	if (!(m->flags & MSG_PEEK))
		taken(e);
	return m->flags & MSG_TRUNC ? whole : n;
}

long unix_receive(struct socket *s, struct iter *to, struct message *m)
{
	struct unix_end *e = s->end;
	if (e->listens)
		return -EINVAL;
	if (!e->first)
		return nothing(e);
	return e->type == SOCK_STREAM ? stream_receive(e, to, m) : packet_receive(e, to, m);
}

/* ---- questions ---------------------------------------------------------------------------- */

static uint32_t stream_poll(struct unix_end *e, const struct socket *s)
{
	bool gone = e->connected && e->peer->closed;
	bool ended = e->read_shut || gone, no_more = e->write_shut || gone;
	bool room = !e->connected || gone || e->peer->bytes * 4 <= s->send_size;
	bool fresh = !e->connected && !e->listens;
	if (!room)
		room_await(e, e->peer);
	return (e->first || ended || e->waiting ? POLLIN | POLLRDNORM : 0) |
		(room && !e->listens ? POLLOUT | POLLWRNORM | POLLWRBAND : 0) |
		(ended ? POLLRDHUP : 0) | (fresh || (ended && no_more) ? POLLHUP : 0) |
		(e->error ? POLLERR : 0);
}

uint32_t unix_poll(struct socket *s)
{
	struct unix_end *e = s->end;
	if (e->type != SOCK_DGRAM)
		return stream_poll(e, s);
	bool room = !e->peer || e->peer == e || e->peer->closed || e->peer->peer == e ||
		!queue_full(e->peer);
	if (!room)
		room_await(e, e->peer);
	return (e->first || e->read_shut ? POLLIN | POLLRDNORM : 0) |
		(room ? POLLOUT | POLLWRNORM | POLLWRBAND : 0) | (e->read_shut ? POLLRDHUP : 0) |
		(e->read_shut && e->write_shut ? POLLHUP : 0) | (e->error ? POLLERR : 0);
}

long unix_ioctl(struct socket *s, uint32_t command, uint64_t arg)
{
	const struct unix_end *e = s->end;
	int32_t n = 0;
	switch (command) {
	case FIONREAD:
		if (e->listens)
			return -EINVAL;
		for (const struct packet *p = e->first; p; p = e->type == SOCK_DGRAM ? NULL : p->next)
			n += p->n - p->at;
		return copy_to_user(arg, &n, sizeof n);
	case SIOCOUTQ:
		n = e->connected && e->type != SOCK_DGRAM ? e->peer->bytes : 0;
		return copy_to_user(arg, &n, sizeof n);
	default:
		return net_ioctl(command, arg);		/* about links any socket may ask */
	}
}
