/* TCP and UDP for sockets: what a stack offers, whichever it is.
 *
 * Endpoints never block: operations give a value >= 0 or -errno, and `changed` is called when one
 * may go otherwise than before.  Frames come in by stack_input and go out by a link's send; time is
 * the caller's.  One call at a time (the libOS lock), and none from within `changed` or `send`.
 * Left to others: descriptors, waiting, options of sockets; flows and rings.
 */
#ifndef POSIX_NET_STACK_H
#define POSIX_NET_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the stack needs; the functions may be called from any operation. */
struct stack_system {
	uint32_t (*now_ms)(void);
	uint32_t (*random)(void);
	void (*panic)(const char *why);		/* does not return */
};
void stack_init(const struct stack_system *system);

/* ---- links ---------------------------------------------------------------------- */

#define STACK_LINKS	4u
#define STACK_FRAME	1514u

/* A card, or part of one.  A packet leaves by the link whose address is its source. */
struct stack_link {
	uint8_t mac[6];
	void (*send)(struct stack_link *link, const void *frame, size_t length);
	void *arg;			/* the caller's */
};
/* The link is there for good.  IPv4 addresses are in the order of the network, as bytes. */
int stack_link_add(struct stack_link *link);
int stack_link_address(struct stack_link *link, const uint8_t ip[4], const uint8_t mask[4], const uint8_t gateway[4]);
int stack_link_dhcp(struct stack_link *link);		/* asks for one */
bool stack_link_ready(const struct stack_link *link, uint8_t ip[4]);	/* it has one: */
void stack_input(struct stack_link *link, const void *frame, size_t length);
/* Does what is due; milliseconds until there is something to do again. */
uint32_t stack_timers(void);

/* ---- endpoints ------------------------------------------------------------------- */

enum stack_kind { STACK_TCP, STACK_UDP };
struct stack_address { uint8_t ip[4]; uint16_t port; };	/* port in the host's order */
struct endpoint;

/* NULL: there are too many. */
struct endpoint *stack_open(enum stack_kind kind, void (*changed)(void *arg), void *arg);
int stack_bind(struct endpoint *e, const struct stack_address *at);	/* ip 0: any; port 0: any free */
int stack_listen(struct endpoint *e, unsigned backlog);
/* -EINPROGRESS: `changed` tells when it is decided (stack_poll, stack_error). */
int stack_connect(struct endpoint *e, const struct stack_address *to);
/* A connection that came, whose `changed` is the listener's until stack_watch; -EAGAIN: none. */
int stack_accept(struct endpoint *listener, struct endpoint **out);
void stack_watch(struct endpoint *e, void (*changed)(void *arg), void *arg);
/* Bytes taken or given; -EAGAIN: none now.  Receiving 0: the peer has shut down. */
long stack_send(struct endpoint *e, const void *from, size_t n);
long stack_receive(struct endpoint *e, void *to, size_t n);
/* UDP: one datagram; what doesn't fit is lost.  to or from NULL: that of stack_connect. */
long stack_send_to(struct endpoint *e, const void *from, size_t n, const struct stack_address *to);
long stack_receive_from(struct endpoint *e, void *to, size_t n, struct stack_address *from);
int stack_shutdown(struct endpoint *e);		/* nothing more will be sent */
/* It is gone; what was sent still goes out, unless something was left unread (then: reset). */
void stack_close(struct endpoint *e);
struct stack_address stack_local(const struct endpoint *e), stack_peer(const struct endpoint *e);

#define STACK_READABLE	1u	/* stack_receive or stack_accept would not say EAGAIN */
#define STACK_WRITABLE	2u
#define STACK_ENDED	4u	/* by the peer, or an error */
unsigned stack_poll(const struct endpoint *e);
int stack_error(struct endpoint *e);		/* -errno or 0, and forgets it */

struct stack_counts { unsigned endpoints, connections, packets; };	/* in use now */
struct stack_counts stack_counts(void);

#endif
