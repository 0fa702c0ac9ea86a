/* Sockets of AF_UNIX: what their parts share.
 *
 * unix.c has ends and connections, unix_names.c names, unix_io.c what goes through.
 */
#ifndef POSIX_UNIX_H
#define POSIX_UNIX_H

#include "libos/posix/socket.h"

#define FAMILY		sizeof(uint16_t)	/* an address without a name */

struct packet;
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

/* unix.c */
extern struct unix_end *unix_ends;
struct linux_ucred unix_creds(void);	/* the caller's */
void end_put(struct unix_end *e);
void end_changed(struct unix_end *e);
void peer_set(struct unix_end *e, struct unix_end *peer);

/* unix_names.c */
long unix_bind(struct socket *s, const struct address *a);
long unix_name(struct socket *s, bool peer, struct address *a);
/* The end of that type that a name belongs to; not counted. */
long unix_find(const struct address *a, int type, struct unix_end **out);

/* unix_io.c */
long unix_send(struct socket *s, struct iter *from, struct message *m);
long unix_receive(struct socket *s, struct iter *to, struct message *m);
uint32_t unix_poll(struct socket *s);
long unix_ioctl(struct socket *s, uint32_t command, uint64_t arg);
void packets_drop(struct unix_end *e);
/* There is no room at `to`: e is to hear when there is. */
void room_await(struct unix_end *e, struct unix_end *to);
/* There is room at e again, or never any more. */
void room_made(struct unix_end *e);

#endif
