/* Leases: how an inner session gets a part of the outer one's card, by gate (docs/net-design.md).
 *
 * The inner session (net_tenant.c) asks, by calls of the gate `net-gate` with a message in its proxy's
 * frames; the outer one (net_lease.c) decides, derives and gives.  Nothing of it is believed but the
 * badge: what it may have was said when it was started.
 */
#ifndef POSIX_NET_LEASE_H
#define POSIX_NET_LEASE_H

#include "libos/posix/posix.h"

enum lease_op {
	/* -> LEASE_OWN_ADDRESS or 0; address | mask << 32; gateway | name server << 32, as IPv4 lies in
	 * memory; hardware address.  EAGAIN: there is no address yet */
	LEASE_CONFIG,
	/* kind, port (0: any block of LEASE_BLOCK ports) -> kind, first port, count, flow to receive,
	 * flow to send, in the caller's table.  EACCES: not one that it may have; EADDRINUSE: another
	 * has it */
	LEASE_TAKE,
	LEASE_DROP,		/* kind, first port: it goes back */
	LEASE_NEIGHBOUR,	/* address -> hardware address; EAGAIN: it is being asked for */
};
enum lease_kind { LEASE_TCP = 6, LEASE_UDP = 17,	/* as IP numbers them: ports */
	LEASE_IP = 256, LEASE_ARP };			/* all of its own address */
#define LEASE_OWN_ADDRESS	1u
#define LEASE_BLOCK		1024u
#define LEASE_BLOCK_FIRST	32768u	/* blocks lie between here and DOMAIN_PORT_MAX */

/* ---- the outer session: net_lease.c -------------------------------------------------- */

struct domain_start;
struct domain_host;
struct spawn_cap;
struct lessee;
/* A gate for a domain that is to be made, as the request wants it; *out: NULL if there is no card to
 * have a part of.  0, or -errno with q->error filled. */
long lessee_new(struct domain_start *q, struct lessee **out, struct spawn_cap *gift);
void lessee_begin(struct lessee *l, struct domain_host *host);	/* it was made */
void lessee_end(struct lessee *l);	/* NULL: nothing.  Before the domain goes, or after */
/* Is it another's?  Also for sockets of this session. */
bool lease_covers(enum lease_kind kind, uint16_t port);

/* ---- the inner session: net_tenant.c -------------------------------------------------- */

struct card;
bool tenant_is(void);
/* Gets address and ports and opens the card; sleeps while the outer session has none, at most
 * NET_PATIENCE.  0, or -errno: there is only the session itself. */
long tenant_start(struct card *card, uint64_t event);
/* Has a lease of the port, maybe from now on: 0, -EACCES, -EADDRINUSE, -ENOBUFS. */
long tenant_port(enum lease_kind kind, uint16_t port);
bool tenant_ports_only(void);		/* it has no address of its own */
uint64_t tenant_look(uint64_t now);	/* at what is being waited for; when to do it again */

#endif
