/* Sockets of AF_UNIX: streams, datagrams, and packets in order, with descriptors and credentials.
 *
 * Each end has a queue of packets that were sent to it.  A stream's reader takes bytes from as many
 * as it likes; what a packet brings with it comes with its first byte.  An end outlives its socket
 * while others point at it.  Who waits for room in a queue is woken by going through all ends: it
 * happens only after a queue was full.  Left to others: sleeping, control messages (socket_io.c).
 */
#include "libos/posix/poll.h"
#include "libos/posix/socket.h"

#define PART		32768u		/* of a stream's write, in one packet */
#define OVERHEAD	256u		/* counted for each packet, as its memory is */
#define DATAGRAMS	10u		/* that wait, and one more: Linux's max_dgram_qlen */
#define PATH_ROOM	sizeof(((struct linux_sockaddr_un *)0)->path)
#define FAMILY		sizeof(uint16_t)

struct packet {
	struct packet *next;
	struct unix_end *from;		/* counted; its name is told as it is when it is asked for */
	struct linux_ucred creds;
	struct rights *rights;
	uint32_t n, at;			/* bytes; taken already */
	uint8_t byte[];
};

struct unix_end {
	struct unix_end *next;		/* all */
	struct socket *s;		/* NULL: closed, or not accepted yet */
	struct unix_end *peer;		/* counted */
	unsigned refs;
	int type;
	bool closed, read_shut, write_shut, connected, listens, bound, awaited;
	int error;
	struct address name;
	struct inode *inode;		/* bound to a name of the file system */
	struct linux_ucred owner;	/* who made, or listens */
	struct packet *first, **last;
	size_t bytes, packets;
	struct unix_end *waiting, *waiting_next;	/* connections that came, oldest first */
	unsigned waiting_count, backlog;
	struct unix_end *full;		/* it waits for room there; not counted: only compared */
};

static struct unix_end *ends;
static const struct socket_ops unix_ops;

/* ---- life ---------------------------------------------------------------------------- */

static struct linux_ucred creds_now(void)
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
	e->owner = creds_now();
	e->next = ends;
	ends = e;
	return e;
}

static void end_put(struct unix_end *e)
{
	if (--e->refs)
		return;
	struct unix_end **at = &ends;
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	kfree(e);
}

static void packet_free(struct packet *p)
{
	rights_free(p->rights);
	end_put(p->from);
	kfree(p);
}

static void end_changed(struct unix_end *e)
{
	if (e->s)
		wake(&e->s->changed);
}

/* There is no room at `to`: e is to hear when there is. */
static void room_await(struct unix_end *e, struct unix_end *to)
{
	e->full = to;
	to->awaited = true;
}

/* There is room at e again, or never any more. */
static void room_made(struct unix_end *e)
{
	struct unix_end *other = e->awaited ? ends : NULL;
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

static void end_close(struct unix_end *e)
{
	bool unread = e->first;
	struct unix_end *peer = e->peer, *w;
	e->s = NULL;
	e->closed = true;
	while (e->first)
		packet_free(packet_unlink(e));
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
	a->peer = b->peer = creds_now();
	return 0;
}

/* ---- names ---------------------------------------------------------------------------------- */

static bool abstract(const struct address *a) { return a->length > FAMILY && !a->un.path[0]; }

static long name_check(const struct address *a)
{
	if (a->length < FAMILY || a->length > sizeof a->un || a->family != AF_UNIX)
		return -EINVAL;
	return 0;
}

/* The end that a name belongs to; not counted. */
static struct unix_end *find_abstract(const struct address *a)
{
	struct unix_end *e = ends;
	while (e && (e->closed || !e->bound || !abstract(&e->name) || e->name.length != a->length ||
			memcmp(e->name.byte, a->byte, a->length)))
		e = e->next;
	return e;
}

static void path_text(const struct address *a, char text[PATH_ROOM + 1])
{
	memcpy(text, a->un.path, a->length - FAMILY);
	text[a->length - FAMILY] = 0;
}

static long find_path(const struct address *a, struct unix_end **out)
{
	char text[PATH_ROOM + 1];
	struct walk w;
	struct inode *i;
	path_text(a, text);
	long error = walk_path(&w, AT_FDCWD, text, WALK_FOLLOW);
	if (!error && !w.found)
		error = -ENOENT;
	if (!error) {
		i = w.found->inode;
		error = inode_permission(i, MAY_WRITE);
		*out = ends;
		while (*out && ((*out)->closed || (*out)->inode != i))
			*out = (*out)->next;
		if (!error && !*out)
			error = -ECONNREFUSED;
	}
	walk_end(&w);
	return error;
}

static long find(const struct address *a, int type, struct unix_end **out)
{
	long error = name_check(a);
	if (!error && a->length == FAMILY)
		error = -EINVAL;
	if (!error && abstract(a))
		error = (*out = find_abstract(a)) ? 0 : -ECONNREFUSED;
	else if (!error)
		error = find_path(a, out);
	return error ? error : (*out)->type != type ? -EPROTOTYPE : 0;
}

/* A name of five digits that nobody has. */
static long bind_any(struct unix_end *e)
{
	static uint32_t next;
	for (unsigned tries = 0; tries < 1 << 20; tries++) {
		struct address a = { .family = AF_UNIX };
		snprintf(a.un.path + 1, PATH_ROOM - 1, "%05x", next++ & 0xfffff);
		a.length = FAMILY + 6;
		if (!find_abstract(&a)) {
			e->name = a;
			e->bound = true;
			return 0;
		}
	}
	return -ENOSPC;
}

static long bind_path(struct unix_end *e, const struct address *a)
{
	char text[PATH_ROOM + 1];
	struct dentry *d;
	path_text(a, text);
	long error = name_make(text, S_IFSOCK | 0777, &d);
	if (error)
		return error == -EEXIST ? -EADDRINUSE : error;
	e->inode = d->inode;
	inode_get(e->inode);
	dentry_put(d);
	e->bound = true;
	e->name = *a;
	e->name.length = FAMILY + strlen(text) + 1;
	e->name.un.path[e->name.length - FAMILY - 1] = 0;
	return 0;
}

static long unix_bind(struct socket *s, const struct address *a)
{
	struct unix_end *e = s->end;
	long error = name_check(a);
	if (error)
		return error;
	if (a->length == FAMILY)
		return e->bound ? 0 : bind_any(e);
	if (e->bound)
		return -EINVAL;
	if (!abstract(a))
		return bind_path(e, a);
	if (find_abstract(a))
		return -EADDRINUSE;
	e->name = *a;
	e->bound = true;
	return 0;
}

static long unix_name(struct socket *s, bool peer, struct address *a)
{
	const struct unix_end *e = peer ? s->end->peer : s->end;
	if (!e)
		return -ENOTCONN;
	*a = e->name;
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
	e->owner = creds_now();
	room_made(e);
	return 0;
}

/* The listener, when it has room; counted. */
static long listener_wait(struct socket *s, const struct address *a, bool wait,
	struct unix_end **out)
{
	uint64_t deadline = socket_deadline(s->send_ns);
	for (;;) {
		long error = find(a, s->type, out);
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

static void peer_set(struct unix_end *e, struct unix_end *peer)
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
	long error = find(a, s->type, &to);
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

/* ---- sending ------------------------------------------------------------------------------------ */

static struct packet *packet_make(struct unix_end *e, struct iter *from, size_t n, struct message *m)
{
	struct packet *p = kmalloc(sizeof *p + n);
	if (!p)
		return NULL;
	p->n = n;
	p->from = e;
	p->creds = m->have_creds ? m->creds : creds_now();
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
		long error = find(&m->address, s->type, &to);
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

static long unix_send(struct socket *s, struct iter *from, struct message *m)
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

static long unix_receive(struct socket *s, struct iter *to, struct message *m)
{
	struct unix_end *e = s->end;
	if (e->listens)
		return -EINVAL;
	if (!e->first)
		return nothing(e);
	return e->type == SOCK_STREAM ? stream_receive(e, to, m) : packet_receive(e, to, m);
}

/* ---- questions --------------------------------------------------------------------------------------- */

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

static uint32_t unix_poll(struct socket *s)
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

static long unix_ioctl(struct socket *s, uint32_t command, uint64_t arg)
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
		return -ENOTTY;
	}
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
