/* TCP, UDP and ICMP for sockets: what a stack offers, whichever it is.
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
	void *(*allocate)(size_t n);		/* NULL: no more; a packet may be lost then */
	void (*release)(void *p);
	void (*panic)(const char *why);		/* does not return */
};
void stack_init(const struct stack_system *system);

/* IPv6, or IPv4 as ::ffff:a.b.c.d; all zero: any address of both.  In the order of the network. */
struct stack_address {
	uint8_t ip[16];
	uint16_t port;			/* in the host's order */
	uint8_t zone;			/* number of the link that an address fe80::/10 is of; 0: any */
};
static inline bool stack_is_v4(const struct stack_address *a)
{
	unsigned zeros = 0;
	while (zeros < 10 && !a->ip[zeros])
		zeros++;
	return zeros == 10 && a->ip[10] == 0xff && a->ip[11] == 0xff;
}
static inline struct stack_address stack_v4(const uint8_t ip[4], uint16_t port)
{
	return (struct stack_address){ { [10] = 0xff, 0xff, ip[0], ip[1], ip[2], ip[3] }, port, 0 };
}

/* ---- links ---------------------------------------------------------------------- */

#define STACK_LINKS	4u
#define STACK_FRAME	1514u
#define STACK_NAMESERVERS 3u

/* A card, or part of one.  A packet leaves by the link whose address is its source. */
struct stack_link {
	uint8_t mac[6];
	/* False: it has no room; connections try again at stack_timers, others have lost it. */
	bool (*send)(struct stack_link *link, const void *frame, size_t length);
	void *arg;			/* the caller's */
	bool four_only;			/* no IPv6 goes that way */
};
/* The link is there for good, and has an IPv6 address of its own making.  IPv4 addresses are in the
 * order of the network. */
int stack_link_add(struct stack_link *link);
int stack_link_address(struct stack_link *link, const uint8_t ip[4], const uint8_t mask[4],
	const uint8_t gateway[4]);
int stack_link_dhcp(struct stack_link *link);		/* asks for one */
bool stack_link_ready(const struct stack_link *link, uint8_t ip[4]);	/* it has one: */
/* Who has that address on the link; if nobody knows, it is asked for. */
bool stack_link_neighbour(struct stack_link *link, const uint8_t ip[4], uint8_t mac[6]);
void stack_input(struct stack_link *link, const void *frame, size_t length);
/* In two steps, as a card has room for few frames: copied and queued; and the oldest of all that are
 * queued looked at (false: there was none). */
#define STACK_QUEUE	1024u
void stack_input_queue(struct stack_link *link, const void *frame, size_t length);
bool stack_input_next(void);
/* Does what is due; milliseconds until there is something to do again. */
uint32_t stack_timers(void);

/* All links as users see them: 1 is loopback, then those that were added. */
struct stack_link_info {
	const uint8_t *mac;		/* NULL: loopback */
	uint8_t ip[4], mask[4], gateway[4];
	unsigned mtu;
	unsigned long in_packets, in_bytes, out_packets, out_bytes;	/* not of loopback */
	unsigned v6_count;
	struct { uint8_t ip[16], prefix; } v6[4];	/* those that may be used */
};
bool stack_link_info(unsigned number, struct stack_link_info *out);	/* false: no such link */
/* Servers of names that DHCP or a router told of. */
unsigned stack_nameservers(struct stack_address out[STACK_NAMESERVERS]);
void stack_nameserver_set(unsigned number, const struct stack_address *server);

/* ---- endpoints ------------------------------------------------------------------- */

/* RAW: packets of one protocol, with their IPv4 headers when they are received, and without any
 * when sent.  PING: ICMP echo alone, without headers; the identifier is the port. */
enum stack_kind { STACK_TCP, STACK_UDP, STACK_RAW, STACK_PING };
struct endpoint;

/* protocol: of RAW and PING (1: ICMP, 58: ICMPv6).  NULL: there is no memory. */
struct endpoint *stack_open(enum stack_kind kind, uint8_t protocol, void (*changed)(void *arg),
	void *arg);
int stack_bind(struct endpoint *e, const struct stack_address *at);	/* port 0: any free */
/* Any free one is of these, for STACK_TCP or STACK_UDP (count 0: of the last quarter). */
void stack_ports_any(enum stack_kind kind, uint16_t first, uint16_t count);
int stack_listen(struct endpoint *e, unsigned backlog);
/* -EINPROGRESS: `changed` tells when it is decided (stack_poll, stack_error).  Not TCP: who is sent
 * to, and alone received from; NULL: nobody any more. */
int stack_connect(struct endpoint *e, const struct stack_address *to);
/* A connection that came, whose `changed` is the listener's until stack_watch; -EAGAIN: none. */
int stack_accept(struct endpoint *listener, struct endpoint **out);
void stack_watch(struct endpoint *e, void (*changed)(void *arg), void *arg);
/* Bytes taken or given; -EAGAIN: none now.  Receiving 0: the peer has shut down. */
long stack_send(struct endpoint *e, const void *from, size_t n);
long stack_receive(struct endpoint *e, void *to, size_t n);
/* What stack_receive would give, from `skip` bytes on, and it stays (not TCP: skip is 0). */
long stack_peek(struct endpoint *e, size_t skip, void *to, size_t n, struct stack_address *from);
/* Not TCP: one datagram; what doesn't fit is lost, and *whole says how long it was (NULL: ignored).
 * to or from NULL: that of stack_connect. */
long stack_send_to(struct endpoint *e, const void *from, size_t n, const struct stack_address *to);
long stack_receive_from(struct endpoint *e, void *to, size_t n, struct stack_address *from,
	size_t *whole);
size_t stack_unread(const struct endpoint *e);	/* bytes; not TCP: of the first datagram */
size_t stack_unsent(const struct endpoint *e);	/* TCP: bytes not acknowledged */
int stack_shutdown(struct endpoint *e);		/* nothing more will be sent */
/* It is gone; what was sent still goes out, unless something was left unread (then: reset). */
void stack_close(struct endpoint *e);
void stack_abort(struct endpoint *e);		/* the same, and a connection is reset */
struct stack_address stack_local(const struct endpoint *e), stack_peer(const struct endpoint *e);

enum stack_option {
	STACK_REUSE,		/* the address may be bound although old connections have it */
	STACK_REUSE_PORT,	/* TCP, UDP: several of one owner share it, and what comes there */
	STACK_OWNER,
	STACK_SIX_ONLY,		/* any address means IPv6's */
	STACK_BROADCAST,	/* may be sent to */
	STACK_NODELAY,		/* TCP: small segments leave at once */
	STACK_CORK,		/* TCP: they don't leave before the option is gone */
	STACK_KEEPALIVE,
	STACK_KEEP_IDLE, STACK_KEEP_INTERVAL, STACK_KEEP_COUNT,	/* seconds, seconds, times */
	STACK_TTL, STACK_TOS,
};
int stack_option(struct endpoint *e, enum stack_option option, unsigned value);

/* RAW of ICMPv6: types whose bits are set are not received. */
void stack_filter(struct endpoint *e, const uint32_t types[8]);

#define STACK_READABLE	1u	/* stack_receive or stack_accept would not say EAGAIN */
#define STACK_WRITABLE	2u
#define STACK_ENDED	4u	/* by the peer, or an error */
#define STACK_SHUT	8u	/* by stack_shutdown */
#define STACK_CONNECTED	16u
#define STACK_CONNECTING 32u
#define STACK_LISTENS	64u
#define STACK_ERROR	128u	/* stack_error has one */
unsigned stack_poll(const struct endpoint *e);
int stack_error(struct endpoint *e);		/* -errno or 0, and forgets it */

/* In use now; unsent: connections, closed or not, that have something left to send. */
struct stack_counts { unsigned endpoints, connections, packets, unsent; };
struct stack_counts stack_counts(void);

/* For lists of what there is: calls `see` for each endpoint, and each connection that was closed and
 * has not ended; state as Linux numbers TCP's. */
struct stack_entry {
	enum stack_kind kind;
	struct stack_address local, peer;
	unsigned state;
	void *arg;			/* as given to stack_open or stack_watch */
	size_t unsent, unread;
};
void stack_list(void (*see)(const struct stack_entry *e, void *arg), void *arg);

#endif
