/* Endpoints by lwIP: what the parts of stack.h's implementation share.
 *
 * lwip.c has links, time and memory; endpoint.c what all endpoints do, and which part does it;
 * tcp.c connections; datagram.c UDP, raw packets and ping; reuse.c addresses of several;
 * clocks.c what lwIP does from time to time.
 */
#ifndef POSIX_NET_ENDPOINT_H
#define POSIX_NET_ENDPOINT_H

#include <errno.h>
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/raw.h"
#include "lwip/tcp.h"
#include "lwip/udp.h"
#include "libos/posix/net/stack.h"

#pragma GCC visibility push(hidden)

struct datagram {
	struct datagram *next;
	struct pbuf *data;
	struct stack_address from;
};

struct endpoint {
	enum stack_kind kind;
	uint8_t protocol;		/* of RAW and PING */
	bool listening, connected, connecting;
	bool ended, shut;		/* by the peer; by us */
	bool six_only, corked;
	bool reuse, reuse_port;		/* options, as set */
	uint32_t owner;
	struct endpoint *group;		/* a ring of those that share a port; itself: alone */
	int error;
	void (*changed)(void *arg);
	void *arg;
	union {				/* NULL: lwIP's control block has ended before ours */
		struct tcp_pcb *tcp;
		struct udp_pcb *udp;
		struct raw_pcb *raw;
		struct ip_pcb *pcb;
	};
	struct endpoint *next, **link;	/* all */

	struct pbuf *unread, *unread_last;	/* TCP */
	size_t unread_room;		/* bytes that the last one still takes */
	size_t read;			/* bytes of its first pbuf that were taken */
	struct endpoint *accepted, *accepted_next;	/* connections that came, oldest first */
	struct endpoint *listener;	/* while it waits there */
	unsigned waiting, backlog;

	struct datagram *first, **last;	/* others: what came */
	unsigned datagrams;
	size_t datagram_bytes;
	struct stack_address ping_local, ping_peer;
	uint32_t filter[8];		/* RAW of ICMPv6: types that are not wanted */
};

/* lwip.c */
void *memory_get(size_t n);		/* zeroed */
int error_of(err_t e);
ip_addr_t ip_of(const struct stack_address *a);
struct stack_address address_of(const ip_addr_t *ip, uint16_t port);
uint32_t random_number(void);
/* What an operation sent to ourselves arrives; at the end of each that may send. */
void loopback_deliver(void);

/* clocks.c */
void clocks_run(void);			/* does what is due */
uint32_t clocks_next(void);		/* in how many ms something is again, ~0: never */

/* endpoint.c */
extern struct endpoint *endpoints;
struct endpoint *endpoint_new(enum stack_kind kind);
void endpoint_free(struct endpoint *e);
static inline void tell(const struct endpoint *e)
{
	if (e->changed)
		e->changed(e->arg);
}
bool endpoint_any_limited(const struct endpoint *e);	/* by stack_ports_any */
/* Binds by `bind` to a port that is free, of those of stack_ports_any. */
int endpoint_bind_any(struct endpoint *e, const ip_addr_t *ip,
	err_t (*bind)(struct endpoint *e, const ip_addr_t *ip, uint16_t port));
/* The address to bind to: one of both kinds unless the endpoint is IPv6's alone. */
ip_addr_t ip_to_bind(const struct endpoint *e, const struct stack_address *at);

/* reuse.c: of TCP and UDP */
/* Has another one that address, that e may not share? */
bool address_taken(const struct endpoint *e, const ip_addr_t *ip, uint16_t port);
bool port_taken(const struct endpoint *e, uint16_t port);	/* by another, shared or not */
void reuse_set(struct endpoint *e);	/* after a change of its options */
/* With those of its address, UDP's that are bound or TCP's that listen; one of them, NULL: alone. */
struct endpoint *group_join(struct endpoint *e);
struct endpoint *group_leave(struct endpoint *e);	/* one that stays, or NULL */
/* Whose that is what comes from there, of e's group. */
struct endpoint *group_pick(struct endpoint *e, const ip_addr_t *ip, uint16_t port);

/* tcp.c */
bool connection_open(struct endpoint *e);
int connection_bind(struct endpoint *e, const struct stack_address *at);
int connection_connect(struct endpoint *e, const struct stack_address *to);
long connection_send(struct endpoint *e, const void *from, size_t n);
long connection_receive(struct endpoint *e, void *to, size_t n);
long connection_peek(struct endpoint *e, size_t skip, void *to, size_t n);
size_t connection_unread(const struct endpoint *e);
int connection_shutdown(struct endpoint *e);
void connection_close(struct endpoint *e, bool abort);
unsigned connection_poll(const struct endpoint *e);
int connection_option(struct endpoint *e, enum stack_option option, unsigned value);
/* Closed connections that wait for late packets: only so many, the oldest go. */
void connections_trim(void);
void connections_probe(void);
void connections_resume(void);		/* they send what there was no room for */

/* datagram.c */
bool datagram_open(struct endpoint *e);
int datagram_bind(struct endpoint *e, const struct stack_address *at);
int datagram_connect(struct endpoint *e, const struct stack_address *to);
long datagram_send(struct endpoint *e, const void *from, size_t n, const struct stack_address *to);
long datagram_receive(struct endpoint *e, void *to, size_t n, struct stack_address *from,
	size_t *whole, bool stay);
void datagram_close(struct endpoint *e);

#pragma GCC visibility pop

#endif
