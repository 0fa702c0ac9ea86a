/* Sockets: what the families (inet.c, unix.c) provide, and what all sockets have.
 *
 * An operation of a family does what can be done now, or says -EAGAIN; sleeping, descriptors and
 * signals are the callers' (socket.c, socket_io.c), but for connect, which knows itself what it
 * waits for.  All under the libOS lock.
 */
#ifndef POSIX_SOCKET_H
#define POSIX_SOCKET_H

#include "libos/posix/linux_socket.h"
#include "libos/posix/vfs.h"

#define ADDRESS_MAX	128u

struct address {
	uint32_t length;		/* 0: none */
	union {
		uint16_t family;
		uint8_t byte[ADDRESS_MAX];
		struct linux_sockaddr_in in;
		struct linux_sockaddr_in6 in6;
		struct linux_sockaddr_un un;
		struct linux_sockaddr_nl nl;
	};
};

/* Descriptors on their way from one process to another. */
struct rights {
	unsigned n;
	struct file *file[SCM_MAX_FD];
};

/* What goes with the bytes of a send or receive. */
struct message {
	unsigned flags;			/* MSG_* of the call */
	struct address address;		/* to, or from */
	struct rights *rights;		/* to be passed on, or received; kmalloc */
	struct linux_ucred creds;	/* received, if have_creds; sent, if explicit */
	bool have_creds;
	unsigned answer;		/* received: MSG_TRUNC, MSG_EOR */
};

struct socket;
struct socket_ops {
	long (*bind)(struct socket *s, const struct address *a);
	long (*listen)(struct socket *s, unsigned backlog);
	long (*connect)(struct socket *s, const struct address *a, bool wait);
	/* A new socket for a connection that came. */
	long (*accept)(struct socket *s, struct socket *new);
	long (*name)(struct socket *s, bool peer, struct address *a);
	long (*shutdown)(struct socket *s, int how);
	/* At least one byte or a whole message, or -EAGAIN; 0 received: the end. */
	long (*send)(struct socket *s, struct iter *from, struct message *m);
	long (*receive)(struct socket *s, struct iter *to, struct message *m);
	uint32_t (*poll)(struct socket *s);
	/* Of the family's own levels, and what socket_option.c passes on; -ENOPROTOOPT. */
	long (*option_set)(struct socket *s, int level, int name, int value);
	long (*option_get)(struct socket *s, int level, int name);
	long (*ioctl)(struct socket *s, uint32_t command, uint64_t arg);
	int (*error)(struct socket *s);		/* SO_ERROR: >= 0, and forgets it */
	void (*release)(struct socket *s);
};

struct socket {
	const struct socket_ops *ops;
	int family, type, protocol;
	struct wake changed;
	bool listening;
	bool read_shut, write_shut;
	uint64_t receive_ns, send_ns;		/* time-outs, 0: none */
	unsigned receive_size, send_size;	/* SO_RCVBUF, SO_SNDBUF: kept */
	bool linger;
	unsigned linger_seconds;
	uint32_t flags;				/* 1 << SO_x of those that are on or off */
	struct linux_ucred peer;		/* SO_PEERCRED */
	union {
		struct endpoint *endpoint;	/* inet.c */
		struct unix_end *end;		/* unix.c */
		struct netlink *netlink;	/* netlink.c */
	};
	bool connecting;			/* inet.c: connect() has not told the end yet */
	int option[16];				/* inet.c: values that are kept */
};

/* Gives a socket of kind type and protocol its ops; 0 or -errno. */
long inet_open(struct socket *s);
long inet_filter_set(struct socket *s, uint64_t user, uint32_t length);	/* ICMPV6_FILTER */
long unix_open(struct socket *s);
long netlink_open(struct socket *s);
/* A pair, both open; -errno: neither is. */
long unix_pair(struct socket *a, struct socket *b);

struct socket *socket_of(struct file *f);	/* NULL: it is none */
/* That of a descriptor (s NULL: its file will do): 0, and the file is to be put; -EBADF,
 * -ENOTSOCK. */
long socket_get(int fd, struct file **f, struct socket **s);
static inline bool socket_flag(const struct socket *s, unsigned option)
{
	return s->flags >> option & 1;
}
/* A sleeper's deadline. */
static inline uint64_t socket_deadline(uint64_t ns) { return ns ? time_now() + ns : ~0ull; }

/* socket_io.c */
long socket_file_read(struct file *f, struct iter *to, uint64_t *pos);
long socket_file_write(struct file *f, struct iter *from, uint64_t *pos);
long address_from_user(struct address *a, uint64_t user, uint64_t length);
/* *user_length says how much there is room for, and then how long it is (whole), or how much of it
 * was given. */
long sized_to_user(const void *value, uint32_t size, uint64_t user, uint64_t user_length, bool whole);
static inline long address_to_user(const struct address *a, uint64_t user, uint64_t user_length)
{
	return sized_to_user(a->byte, a->length, user, user_length, true);
}

/* socket_control.c: what goes with a message, from and to a call's struct msghdr */
long control_from_user(struct message *m, const struct linux_msghdr *h, int family);
void control_to_user(struct linux_msghdr *h, struct message *m, const struct socket *s);
void rights_free(struct rights *r);

#endif
