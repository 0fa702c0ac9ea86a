/* setsockopt and getsockopt: what all sockets have; the rest is the family's.
 *
 * Options whose meaning a family doesn't need are kept and told, as long as a program that sets them
 * is none the wiser (sizes of buffers, priorities).
 */
#include "libos/posix/socket.h"
#include "libos/posix/syscall.h"

#define SIZE_MIN	2304u		/* Linux's least SO_RCVBUF */
#define SIZE_SEND_MIN	4608u
#define SIZE_MAX_SET	212992u

struct linux_linger { int32_t on, seconds; };
struct linux_timeval { int64_t sec, usec; };

/* ---- setting -------------------------------------------------------------------------- */

static long value_from_user(void *to, uint32_t size, uint64_t user, uint32_t length)
{
	if (length < size)
		return -EINVAL;
	return copy_from_user(to, user, size) ? -EFAULT : 0;
}

static long timeout_set(uint64_t user, uint32_t length, uint64_t *ns)
{
	struct linux_timeval t;
	long error = value_from_user(&t, sizeof t, user, length);
	if (error)
		return error;
	if (t.usec < 0 || t.usec >= 1000000)
		return -EDOM;
	*ns = t.sec < 0 ? 0 : smaller(t.sec, 1ul << 32) * 1000000000ul + t.usec * 1000;
	return 0;
}

static long linger_set(struct socket *s, uint64_t user, uint32_t length)
{
	struct linux_linger l;
	long error = value_from_user(&l, sizeof l, user, length);
	if (error)
		return error;
	s->linger = l.on;
	s->linger_seconds = l.seconds;
	return 0;
}

static unsigned size_set(int value, unsigned least)
{
	return larger(smaller((uint32_t)value, SIZE_MAX_SET) * 2, least);
}

static long number_set(struct socket *s, int name, int value)
{
	switch (name) {
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
		s->send_size = size_set(value, SIZE_SEND_MIN);
		return 0;
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		s->receive_size = size_set(value, SIZE_MIN);
		return 0;
	case SO_TYPE:
	case SO_ERROR:
	case SO_PROTOCOL:
	case SO_DOMAIN:
	case SO_ACCEPTCONN:
	case SO_PEERCRED:
	case SO_SNDLOWAT:
		return -ENOPROTOOPT;
	case SO_REUSEADDR:
	case SO_REUSEPORT:
	case SO_KEEPALIVE:
	case SO_BROADCAST:
	case SO_PASSCRED:
	case SO_DEBUG:
	case SO_DONTROUTE:
	case SO_OOBINLINE:
		s->flags = value ? s->flags | 1u << name : s->flags & ~(1u << name);
		return s->ops->option_set(s, SOL_SOCKET, name, value);
	case SO_PRIORITY:
	case SO_RCVLOWAT:
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static long option_set(struct socket *s, int level, int name, uint64_t user, uint32_t length)
{
	int32_t value;
	uint8_t byte;
	if ((int32_t)length < 0)
		return -EINVAL;
	if (level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO))
		return timeout_set(user, length, name == SO_RCVTIMEO ? &s->receive_ns : &s->send_ns);
	if (level == SOL_SOCKET && name == SO_LINGER)
		return linger_set(s, user, length);
	if (level == IPPROTO_ICMPV6 && name == ICMPV6_FILTER)
		return inet_filter_set(s, user, length);
	bool short_one = level == IPPROTO_IP && length && length < sizeof value;
	long error = short_one ? value_from_user(&byte, sizeof byte, user, length) :
		value_from_user(&value, sizeof value, user, length);
	if (error)
		return error;
	if (short_one)
		value = byte;
	return level == SOL_SOCKET ? number_set(s, name, value) :
		s->ops->option_set(s, level, name, value);
}

CALL5(setsockopt, fd, level, name, user, length)
{
	struct file *f;
	struct socket *s;
	long error = socket_get(fd, &f, &s);
	if (error)
		return error;
	error = option_set(s, level, name, user, length);
	file_put(f);
	return error;
}

/* ---- asking --------------------------------------------------------------------------- */

static long bytes_give(const void *value, uint32_t size, uint64_t user, uint64_t user_length)
{
	return sized_to_user(value, size, user, user_length, false);
}

static long number_get(struct socket *s, int name)
{
	switch (name) {
	case SO_TYPE:
		return s->type;
	case SO_DOMAIN:
		return s->family;
	case SO_PROTOCOL:
		return s->protocol;
	case SO_ERROR:
		return s->ops->error(s);
	case SO_ACCEPTCONN:
		return s->listening;
	case SO_SNDBUF:
		return s->send_size;
	case SO_RCVBUF:
		return s->receive_size;
	case SO_RCVLOWAT:
	case SO_SNDLOWAT:
		return 1;
	case SO_PRIORITY:
		return 0;
	case SO_REUSEADDR:
	case SO_REUSEPORT:
	case SO_KEEPALIVE:
	case SO_BROADCAST:
	case SO_PASSCRED:
	case SO_DEBUG:
	case SO_DONTROUTE:
	case SO_OOBINLINE:
		return socket_flag(s, name);
	default:
		return -ENOPROTOOPT;
	}
}

static long option_get(struct socket *s, int level, int name, uint64_t user, uint64_t length)
{
	if (level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO)) {
		uint64_t ns = name == SO_RCVTIMEO ? s->receive_ns : s->send_ns;
		struct linux_timeval t = { ns / 1000000000, ns % 1000000000 / 1000 };
		return bytes_give(&t, sizeof t, user, length);
	}
	if (level == SOL_SOCKET && name == SO_LINGER) {
		struct linux_linger l = { s->linger, s->linger_seconds };
		return bytes_give(&l, sizeof l, user, length);
	}
	if (level == SOL_SOCKET && name == SO_PEERCRED)
		return bytes_give(&s->peer, sizeof s->peer, user, length);
	long value = level == SOL_SOCKET ? number_get(s, name) : s->ops->option_get(s, level, name);
	int32_t number = value;
	return value < 0 ? value : bytes_give(&number, sizeof number, user, length);
}

CALL5(getsockopt, fd, level, name, user, length)
{
	struct file *f;
	struct socket *s;
	long error = socket_get(fd, &f, &s);
	if (error)
		return error;
	error = option_get(s, level, name, user, length);
	file_put(f);
	return error;
}
