/* Sockets as files, and the calls that move no bytes: socket, socketpair, bind, listen, accept,
 * connect, shutdown, names.
 *
 * Left to others: bytes and messages (socket_io.c), options (socket_option.c), what a family does.
 */
#include "libos/posix/poll.h"
#include "libos/posix/socket.h"
#include "libos/posix/syscall.h"

#define BUFFER_SIZE	212992u

/* ---- as files ------------------------------------------------------------------------- */

static uint32_t socket_poll(struct file *f, struct pollset *set)
{
	struct socket *s = f->data;
	pollset_add(set, &s->changed);
	return s->ops->poll(s);
}

static long socket_ioctl(struct file *f, uint32_t command, uint64_t arg)
{
	struct socket *s = f->data;
	return s->ops->ioctl(s, command, arg);
}

static void socket_release(struct file *f)
{
	struct socket *s = f->data;
	s->ops->release(s);
	kfree(s);
}

static const struct file_ops socket_file_ops = {
	.release = socket_release,
	.read = socket_file_read,
	.write = socket_file_write,
	.poll = socket_poll,
	.ioctl = socket_ioctl,
};

struct socket *socket_of(struct file *f)
{
	return f->ops == &socket_file_ops ? f->data : NULL;
}

static struct socket *socket_new(int family, int type, int protocol)
{
	struct socket *s = kmalloc(sizeof *s);
	if (!s)
		return NULL;
	s->family = family;
	s->type = type;
	s->protocol = protocol;
	s->receive_size = s->send_size = BUFFER_SIZE;
	return s;
}

/* Takes over the socket, even on failure. */
static long socket_file(struct socket *s, uint32_t flags, struct file **out)
{
	long error = file_anonymous(&socket_file_ops, S_IFSOCK | 0777, "socket:[%lu]",
		O_RDWR | (flags & SOCK_NONBLOCK), s, out);
	if (error) {
		s->ops->release(s);
		kfree(s);
		return error;
	}
	(*out)->inode->fops = NULL;	/* by its name in /proc it cannot be opened */
	return 0;
}

static long socket_install(struct socket *s, uint32_t flags)
{
	struct file *f;
	long error = socket_file(s, flags, &f);
	return error ? error : fd_install(f, flags & SOCK_CLOEXEC);
}

/* ---- making ------------------------------------------------------------------------------ */

static long type_check(uint64_t family, uint64_t type)
{
	uint32_t flags = (uint32_t)type & ~SOCK_TYPE_MASK, kind = (uint32_t)type & SOCK_TYPE_MASK;
	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	if ((uint32_t)family >= AF_MAX)
		return -EAFNOSUPPORT;
	if (kind > SOCK_PACKET)
		return -EINVAL;
	return 0;
}

static long socket_open(struct socket *s)
{
	switch (s->family) {
	case AF_UNIX:
		return unix_open(s);
	case AF_INET:
	case AF_INET6:
		return inet_open(s);
	case AF_NETLINK:
		return netlink_open(s);
	default:
		return -EAFNOSUPPORT;
	}
}

CALL3(socket, family, type, protocol)
{
	long error = type_check(family, type);
	if (error)
		return error;
	struct socket *s = socket_new(family, type & SOCK_TYPE_MASK, protocol);
	if (!s)
		return -ENOMEM;
	error = socket_open(s);
	if (error) {
		kfree(s);
		return error;
	}
	return socket_install(s, type);
}

static long pair_install(struct socket *a, struct socket *b, uint32_t flags, uint64_t user)
{
	int32_t fd[2] = { socket_install(a, flags), -1 };
	if (fd[0] < 0) {
		b->ops->release(b);
		kfree(b);
		return fd[0];
	}
	fd[1] = socket_install(b, flags);
	if (fd[1] >= 0 && !copy_to_user(user, fd, sizeof fd))
		return 0;
	sys_close(fd[0], 0, 0, 0, 0, 0);
	if (fd[1] >= 0)
		sys_close(fd[1], 0, 0, 0, 0, 0);
	return fd[1] < 0 ? fd[1] : -EFAULT;
}

CALL4(socketpair, family, type, protocol, fds)
{
	long error = type_check(family, type);
	if (error)
		return error;
	if (family != AF_UNIX)
		return family == AF_INET || family == AF_INET6 || family == AF_NETLINK ?
			-EOPNOTSUPP : -EAFNOSUPPORT;
	struct socket *a = socket_new(family, type & SOCK_TYPE_MASK, protocol);
	struct socket *b = socket_new(family, type & SOCK_TYPE_MASK, protocol);
	error = a && b ? unix_pair(a, b) : -ENOMEM;
	if (error) {
		kfree(a);
		kfree(b);
		return error;
	}
	return pair_install(a, b, type, fds);
}

/* ---- with a socket's descriptor ------------------------------------------------------------- */

long socket_get(int fd, struct file **f, struct socket **s)
{
	*f = fd_get(fd);
	if (!*f)
		return -EBADF;
	struct socket *found = socket_of(*f);
	if (s)
		*s = found;
	if (found)
		return 0;
	file_put(*f);
	return -ENOTSOCK;
}

CALL3(bind, fd, user, length)
{
	struct address a;
	struct file *f;
	struct socket *s;
	long error = socket_get(fd, &f, &s);
	if (error)
		return error;
	error = address_from_user(&a, user, length);
	if (!error)
		error = s->ops->bind(s, &a);
	file_put(f);
	return error;
}

CALL2(listen, fd, backlog)
{
	struct file *f;
	struct socket *s;
	long error = socket_get(fd, &f, &s);
	if (error)
		return error;
	uint32_t n = backlog;
	error = s->ops->listen(s, n > SOMAXCONN ? SOMAXCONN : n);
	s->listening |= !error;
	file_put(f);
	return error;
}

CALL3(connect, fd, user, length)
{
	struct address a;
	struct file *f;
	struct socket *s;
	long error = socket_get(fd, &f, &s);
	if (error)
		return error;
	error = address_from_user(&a, user, length);
	if (!error)
		error = a.length < sizeof a.family ? -EINVAL :
			s->ops->connect(s, &a, !(f->flags & O_NONBLOCK));
	file_put(f);
	return error;
}

/* Sleeps until a connection came; in its own socket. */
static long accept_one(struct file *f, struct socket *s, struct socket *new)
{
	uint64_t deadline = socket_deadline(s->receive_ns);
	long error;
	while ((error = s->ops->accept(s, new)) == -EAGAIN && !(f->flags & O_NONBLOCK)) {
		error = sleep_on(&s->changed.queue, deadline);
		if (error)
			return error == -ETIMEDOUT ? -EAGAIN : error;
	}
	return error;
}

static long accept_file(struct file *f, struct socket *s, uint32_t flags, struct file **out)
{
	struct socket *new = socket_new(s->family, s->type, s->protocol);
	if (!new)
		return -ENOMEM;
	long error = accept_one(f, s, new);
	if (error) {
		kfree(new);
		return error;
	}
	new->flags = s->flags;
	new->receive_ns = s->receive_ns;
	new->send_ns = s->send_ns;
	return socket_file(new, flags, out);
}

static long accept_user(int fd, uint64_t user, uint64_t length, uint32_t flags)
{
	struct file *f, *new = NULL;
	struct socket *s;
	struct address a = { 0 };
	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	long error = socket_get(fd, &f, &s);
	if (error)
		return error;
	error = accept_file(f, s, flags, &new);
	file_put(f);
	if (error)
		return error;
	s = socket_of(new);
	if (user) {
		s->ops->name(s, true, &a);
		error = address_to_user(&a, user, length);
	}
	if (error) {
		file_put(new);
		return error;
	}
	return fd_install(new, flags & SOCK_CLOEXEC);
}

CALL3(accept, fd, user, length)
{
	return accept_user(fd, user, length, 0);
}

CALL4(accept4, fd, user, length, flags)
{
	return accept_user(fd, user, length, flags);
}

static long name_user(int fd, bool peer, uint64_t user, uint64_t length)
{
	struct address a = { 0 };
	struct file *f;
	struct socket *s;
	long error = socket_get(fd, &f, &s);
	if (error)
		return error;
	error = s->ops->name(s, peer, &a);
	if (!error)
		error = address_to_user(&a, user, length);
	file_put(f);
	return error;
}

CALL3(getsockname, fd, user, length)
{
	return name_user(fd, false, user, length);
}

CALL3(getpeername, fd, user, length)
{
	return name_user(fd, true, user, length);
}

CALL2(shutdown, fd, how)
{
	struct file *f;
	struct socket *s;
	long error = socket_get(fd, &f, &s);
	if (error)
		return error;
	error = (uint32_t)how > SHUT_RDWR ? -EINVAL : s->ops->shutdown(s, how);
	file_put(f);
	return error;
}
