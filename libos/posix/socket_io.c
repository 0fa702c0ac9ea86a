/* Bytes and messages through sockets: read, write, send*, recv*, with their addresses and flags.
 *
 * A family's operation tries; here is who sleeps and tries again.  Left to others: descriptors and
 * credentials that go with a message (socket_control.c).
 */
#include "libos/posix/poll.h"
#include "libos/posix/socket.h"
#include "libos/posix/syscall.h"

#define BATCH_MAX	1024u		/* messages of a sendmmsg or recvmmsg */

/* ---- addresses ------------------------------------------------------------------------- */

long address_from_user(struct address *a, uint64_t user, uint64_t length)
{
	memset(a, 0, sizeof *a);
	if ((int32_t)length < 0 || (uint32_t)length > sizeof a->byte)
		return -EINVAL;
	a->length = length;
	return a->length && copy_from_user(a->byte, user, a->length) ? -EFAULT : 0;
}

long sized_to_user(const void *value, uint32_t size, uint64_t user, uint64_t user_length,
	bool whole)
{
	int32_t room;
	if (copy_from_user(&room, user_length, sizeof room))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	uint32_t given = smaller(size, room);
	return copy_to_user(user, value, given) ||
		copy_to_user(user_length, whole ? &size : &given, sizeof size) ? -EFAULT : 0;
}

/* ---- trying until it goes --------------------------------------------------------------- */

static long again(struct file *f, struct socket *s, unsigned flags, uint64_t deadline)
{
	if ((f->flags & O_NONBLOCK) || (flags & MSG_DONTWAIT))
		return -EAGAIN;
	long error = sleep_on(&s->changed.queue, deadline);
	return error == -ETIMEDOUT ? -EAGAIN : error;
}

static long broken(long error, const struct socket *s, unsigned flags)
{
	if (error == -EPIPE && s->type != SOCK_DGRAM && !(flags & MSG_NOSIGNAL))
		signal_process(current_process(), SIGPIPE);
	return error;
}

static long send_all(struct file *f, struct iter *from, struct message *m)
{
	struct socket *s = f->data;
	uint64_t deadline = socket_deadline(s->send_ns);
	size_t all = from->left;
	long error = 0;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	do {
		long n = s->ops->send(s, from, m);
		if (n == -EAGAIN)
			error = again(f, s, m->flags, deadline);
		else if (n < 0)
			error = n;
		else if (s->type != SOCK_STREAM)
			return n;
	} while (!error && from->left);
	return s->type == SOCK_STREAM && all > from->left ? (long)(all - from->left) :
		broken(error, s, m->flags);
}

static long receive_some(struct file *f, struct iter *to, struct message *m)
{
	struct socket *s = f->data;
	uint64_t deadline = socket_deadline(s->receive_ns);
	bool all = m->flags & MSG_WAITALL && s->type == SOCK_STREAM && !(m->flags & MSG_PEEK);
	size_t done = 0;
	long error = 0;
	if (m->flags & MSG_OOB)
		return -EINVAL;
	if (m->flags & MSG_ERRQUEUE)
		return -EAGAIN;
	do {
		long n = s->ops->receive(s, to, m);
		if (n == -EAGAIN)
			error = again(f, s, m->flags, deadline);
		else if (n <= 0)
			return n || done ? (done ? (long)done : n) : 0;
		else
			done += n;
	} while (!error && (!done || (all && to->left)));
	return done ? (long)done : error;
}

long socket_file_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct message m = { 0 };
	(void)pos;
	if (!to->left)
		return 0;
	long n = receive_some(f, to, &m);
	rights_free(m.rights);
	return n;
}

long socket_file_write(struct file *f, struct iter *from, uint64_t *pos)
{
	struct message m = { 0 };
	(void)pos;
	return send_all(f, from, &m);
}

/* ---- one buffer --------------------------------------------------------------------------- */

static struct iter iter_of(struct iovec *one, uint64_t base, uint64_t n)
{
	*one = (struct iovec){ base, smaller(n, RW_MAX) };
	return (struct iter){ one, 0, one->length, false };
}

CALL6(sendto, fd, base, n, flags, to, length)
{
	struct message m = { .flags = flags };
	struct iovec one;
	struct iter it = iter_of(&one, base, n);
	struct file *f;
	long error = socket_get(fd, &f, NULL);
	if (error)
		return error;
	if (to)
		error = address_from_user(&m.address, to, length);
	if (!error)
		error = send_all(f, &it, &m);
	file_put(f);
	return error;
}

CALL6(recvfrom, fd, base, n, flags, from, length)
{
	struct message m = { .flags = flags };
	struct iovec one;
	struct iter it = iter_of(&one, base, n);
	struct file *f;
	long error = socket_get(fd, &f, NULL), done;
	if (error)
		return error;
	done = receive_some(f, &it, &m);
	rights_free(m.rights);
	if (done >= 0 && from)
		error = address_to_user(&m.address, from, length);
	file_put(f);
	return error ? error : done;
}

/* ---- messages ----------------------------------------------------------------------------------- */

/* The segments, in kmalloc'ed memory. */
static long segments_from_user(const struct linux_msghdr *h, struct iovec **v, struct iter *it)
{
	size_t sum = 0;
	if (h->segment_count > IOV_MAX)
		return -EMSGSIZE;
	*v = kmalloc(h->segment_count * sizeof **v + 1);
	if (!*v)
		return -ENOMEM;
	if (copy_from_user(*v, h->segments, h->segment_count * sizeof **v)) {
		kfree(*v);
		return -EFAULT;
	}
	for (size_t i = 0; i < h->segment_count; i++) {
		if ((int64_t)(*v)[i].length < 0) {
			kfree(*v);
			return -EINVAL;
		}
		(*v)[i].length = smaller((*v)[i].length, RW_MAX - sum);
		sum += (*v)[i].length;
	}
	*it = (struct iter){ *v, 0, sum, false };
	return 0;
}

static long message_send(struct file *f, uint64_t user, uint64_t flags)
{
	struct linux_msghdr h;
	struct message m = { .flags = flags };
	struct iovec *v;
	struct iter it;
	if (copy_from_user(&h, user, sizeof h))
		return -EFAULT;
	long error = h.name && h.name_length ?
		address_from_user(&m.address, h.name, smaller(h.name_length, ADDRESS_MAX)) : 0;
	if (!error)
		error = segments_from_user(&h, &v, &it);
	if (error)
		return error;
	error = control_from_user(&m, &h, socket_of(f)->family);
	if (!error)
		error = send_all(f, &it, &m);
	rights_free(m.rights);
	kfree(v);
	return error;
}

static long message_receive(struct file *f, uint64_t user, uint64_t flags)
{
	struct linux_msghdr h;
	struct message m = { .flags = flags };
	struct iovec *v;
	struct iter it;
	if (copy_from_user(&h, user, sizeof h))
		return -EFAULT;
	long error = segments_from_user(&h, &v, &it);
	if (error)
		return error;
	long done = receive_some(f, &it, &m);
	kfree(v);
	if (done >= 0) {
		if (h.name && copy_to_user(h.name, m.address.byte,
				smaller(h.name_length, m.address.length)))
			error = -EFAULT;
		h.name_length = h.name ? m.address.length : h.name_length;
		control_to_user(&h, &m, socket_of(f));
		if (copy_to_user(user, &h, sizeof h))
			error = -EFAULT;
	}
	rights_free(m.rights);
	return error ? error : done;
}

static long with_message(int fd, uint64_t user, uint64_t flags,
	long (*fn)(struct file *f, uint64_t user, uint64_t flags))
{
	struct file *f;
	long error = socket_get(fd, &f, NULL);
	if (error)
		return error;
	error = fn(f, user, flags);
	file_put(f);
	return error;
}

CALL3(sendmsg, fd, user, flags)
{
	return with_message(fd, user, flags, message_send);
}

CALL3(recvmsg, fd, user, flags)
{
	return with_message(fd, user, flags, message_receive);
}

/* One after the other; an error after the first is told by the next call. */
static long messages(struct file *f, uint64_t user, uint32_t n, uint64_t flags, uint64_t deadline,
	long (*fn)(struct file *f, uint64_t user, uint64_t flags))
{
	uint32_t done = 0;
	for (; done < n; done++) {
		uint64_t at = user + done * sizeof(struct linux_mmsghdr);
		long moved = fn(f, at, flags & ~(uint64_t)MSG_WAITFORONE);
		uint32_t length = moved;
		if (moved >= 0 && copy_to_user(at + offsetof(struct linux_mmsghdr, length), &length,
				sizeof length))
			moved = -EFAULT;
		if (moved < 0)
			return done ? (long)done : moved;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (deadline != NEVER && time_now() >= deadline)
			return done + 1;
	}
	return done;
}

CALL4(sendmmsg, fd, user, n, flags)
{
	struct file *f;
	long error = socket_get(fd, &f, NULL);
	if (error)
		return error;
	error = messages(f, user, smaller((uint32_t)n, BATCH_MAX), flags, NEVER, message_send);
	file_put(f);
	return error;
}

CALL5(recvmmsg, fd, user, n, flags, timeout)
{
	struct file *f;
	uint64_t deadline;
	long error = deadline_from_user(timeout, &deadline);
	if (!error)
		error = socket_get(fd, &f, NULL);
	if (error)
		return error;
	error = messages(f, user, smaller((uint32_t)n, BATCH_MAX), flags, deadline, message_receive);
	file_put(f);
	return error;
}
