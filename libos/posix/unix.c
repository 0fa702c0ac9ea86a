/* Sockets of AF_UNIX: streams, datagrams, and packets in order, with descriptors and credentials.
 *
 * Here are the ends: how they come, meet and go, and what options they have.  An end outlives its
 * socket while others point at it.  Left to others: names (unix_names.c), bytes (unix_io.c),
 * sleeping (socket_io.c).
 */
#include "libos/posix/unix.h"

struct unix_end *unix_ends;
static const struct socket_ops unix_ops;

/* ---- life ---------------------------------------------------------------------------- */

struct linux_ucred unix_creds(void)
{
	const struct process *p = current_process();
	return (struct linux_ucred){ p->pid, p->euid, p->egid };
}

static struct unix_end *end_new(int type)
{
	struct unix_end *e = kmalloc(sizeof *e);
	if (!e)
		return NULL;
	e->refs = 1;
	e->type = type;
	e->last = &e->first;
	e->name.length = FAMILY;
	e->name.family = AF_UNIX;
	e->owner = unix_creds();
	e->next = unix_ends;
	unix_ends = e;
	return e;
}

void end_put(struct unix_end *e)
{
	if (--e->refs)
		return;
	struct unix_end **at = &unix_ends;
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	kfree(e);
}

void end_changed(struct unix_end *e)
{
	if (e->s)
		wake(&e->s->changed);
}

static void end_close(struct unix_end *e)
{
	bool unread = e->first;
	struct unix_end *peer = e->peer, *w;
	e->s = NULL;
	e->closed = true;
	packets_drop(e);
	while ((w = e->waiting)) {
		e->waiting = w->waiting_next;
		if (w->peer)
			w->peer->error = ECONNRESET;
		end_close(w);
	}
	e->peer = NULL;
	if (peer && e->type != SOCK_DGRAM) {
		peer->error = unread ? ECONNRESET : peer->error;
		end_changed(peer);
	}
	if (peer)
		end_put(peer);
	if (e->inode)
		inode_put(e->inode);
	e->inode = NULL;
	room_made(e);
	end_put(e);
}

static void unix_release(struct socket *s)
{
	if (s->end)
		end_close(s->end);
}

long unix_open(struct socket *s)
{
	if (s->protocol && s->protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (s->type == SOCK_RAW)
		s->type = SOCK_DGRAM;
	if (s->type != SOCK_STREAM && s->type != SOCK_DGRAM && s->type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	s->end = end_new(s->type);
	if (!s->end)
		return -ENOMEM;
	s->end->s = s;
	s->ops = &unix_ops;
	s->protocol = 0;
	s->peer = (struct linux_ucred){ 0, ~0u, ~0u };
	return 0;
}

static void join(struct unix_end *a, struct unix_end *b)
{
	a->peer = b;
	b->peer = a;
	a->refs++;
	b->refs++;
	a->connected = b->connected = true;
}

long unix_pair(struct socket *a, struct socket *b)
{
	long error = unix_open(a);
	if (!error && (error = unix_open(b)))
		end_put(a->end);
	if (error)
		return error;
	join(a->end, b->end);
	a->peer = b->peer = unix_creds();
	return 0;
}

/* ---- connections ---------------------------------------------------------------------------- */

static long unix_listen(struct socket *s, unsigned backlog)
{
	struct unix_end *e = s->end;
	if (e->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	if (!e->bound || e->connected)
		return -EINVAL;
	e->listens = true;
	e->backlog = backlog;
	e->owner = unix_creds();
	room_made(e);
	return 0;
}

/* The listener, when it has room; counted. */
static long listener_wait(struct socket *s, const struct address *a, bool wait,
	struct unix_end **out)
{
	uint64_t deadline = socket_deadline(s->send_ns);
	for (;;) {
		long error = unix_find(a, s->type, out);
		if (error)
			return error;
		if (!(*out)->listens || (*out)->read_shut)
			return -ECONNREFUSED;
		if ((*out)->waiting_count <= (*out)->backlog)
			return 0;
		if (!wait)
			return -EAGAIN;
		room_await(s->end, *out);
		error = sleep_on(&s->changed.queue, deadline);
		if (error)
			return error == -ETIMEDOUT ? -EAGAIN : error;
	}
}

static long stream_connect(struct socket *s, const struct address *a, bool wait)
{
	struct unix_end *e = s->end, *l, *new, **last;
	long error = listener_wait(s, a, wait, &l);
	if (error)
		return error;
	if (e->listens || e->connected)
		return e->listens ? -EINVAL : -EISCONN;
	if (!(new = end_new(e->type)))
		return -ENOMEM;
	new->name = l->name;
	join(e, new);
	s->peer = l->owner;
	for (last = &l->waiting; *last; last = &(*last)->waiting_next)
		;
	*last = new;
	l->waiting_count++;
	end_changed(l);
	return 0;
}

void peer_set(struct unix_end *e, struct unix_end *peer)
{
	if (peer)
		peer->refs++;
	if (e->peer)
		end_put(e->peer);
	e->peer = peer;
	e->connected = peer;
	end_changed(e);
}

static long unix_connect(struct socket *s, const struct address *a, bool wait)
{
	struct unix_end *to;
	if (s->type != SOCK_DGRAM)
		return stream_connect(s, a, wait);
	if (a->family == AF_UNSPEC) {
		peer_set(s->end, NULL);
		return 0;
	}
	long error = unix_find(a, s->type, &to);
	if (!error && to->peer && to->peer != s->end)
		error = -EPERM;
	if (!error)
		peer_set(s->end, to);
	return error;
}

static long unix_accept(struct socket *s, struct socket *new)
{
	struct unix_end *e = s->end, *w = e->waiting;
	if (e->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	if (!e->listens || e->read_shut)
		return -EINVAL;
	if (!w)
		return -EAGAIN;
	if (e->waiting_count-- == e->backlog + 1)
		room_made(e);
	e->waiting = w->waiting_next;
	w->s = new;
	new->end = w;
	new->ops = &unix_ops;
	new->peer = w->peer ? w->peer->owner : (struct linux_ucred){ 0 };
	return 0;
}

static long unix_shutdown(struct socket *s, int how)
{
	struct unix_end *e = s->end, *peer = e->type == SOCK_DGRAM ? NULL : e->peer;
	e->read_shut |= how != SHUT_WR;
	e->write_shut |= how != SHUT_RD;
	if (peer) {
		peer->write_shut |= how != SHUT_WR;
		peer->read_shut |= how != SHUT_RD;
		end_changed(peer);
	}
	end_changed(e);
	room_made(e);
	return 0;
}

/* ---- errors and options ------------------------------------------------------------ */

static int unix_error(struct socket *s)
{
	int error = s->end->error;
	s->end->error = 0;
	return error;
}

static long unix_option_set(struct socket *s, int level, int name, int value)
{
	(void)s, (void)name, (void)value;
	return level == SOL_SOCKET ? 0 : -EOPNOTSUPP;
}

static long unix_option_get(struct socket *s, int level, int name)
{
	(void)s, (void)level, (void)name;
	return -EOPNOTSUPP;
}

static const struct socket_ops unix_ops = {
	.bind = unix_bind,
	.listen = unix_listen,
	.connect = unix_connect,
	.accept = unix_accept,
	.name = unix_name,
	.shutdown = unix_shutdown,
	.send = unix_send,
	.receive = unix_receive,
	.poll = unix_poll,
	.option_set = unix_option_set,
	.option_get = unix_option_get,
	.ioctl = unix_ioctl,
	.error = unix_error,
	.release = unix_release,
};
