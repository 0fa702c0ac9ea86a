/* The outer side of leases (net_lease.h): which part of the card's flow an inner session gets.
 *
 * Policy: a block of ports for connections of its own for who asks; other ports if the request that
 * started it named them; an address if it named one.  A port is had by one session at a time: what this
 * session's sockets have is not given, and what is given is not theirs (net.c).
 *
 * The service runs in a context of its own, entered by gates, on a caller's time.  It holds the
 * libOS's lock, and never sleeps.
 */
#include "libos/posix/linux_socket.h"
#include "libos/posix/net_lease.h"
#include "libos/posix/net.h"
#include "libos/posix/process.h"
#include "libos/common/domain_host.h"
#include "libos/common/gate.h"

struct lease {
	struct lease *next;
	enum lease_kind kind;
	uint32_t first, count;		/* ports; of an address: 0, 0 */
	bool any;			/* the block for who asks */
	struct flow_part part;
	uint64_t theirs[2];		/* to receive, to send: in the lessee's table */
};

struct lessee {
	struct lessee *next;
	uint64_t badge;
	struct domain_host *host;	/* NULL: not made yet */
	uint64_t gate, back;		/* to the service; to the domain's first context */
	uint8_t address[4];		/* all 0: this session's */
	unsigned range_count;
	struct domain_ports range[DOMAIN_RANGES];
	struct lease *leases;
};
static struct lessee *lessees;
static struct gate_server server;

static bool own_address(const struct lessee *l)
{
	return l->address[0] | l->address[1] | l->address[2] | l->address[3];
}

/* ---- who has which port ------------------------------------------------------------------ */

static bool leased(enum lease_kind kind, uint32_t first, uint32_t count)
{
	for (const struct lessee *l = lessees; l; l = l->next)
		for (const struct lease *e = l->leases; e; e = e->next)
			if (e->kind == kind && first < e->first + e->count && e->first < first + count)
				return true;
	return false;
}

bool lease_covers(enum lease_kind kind, uint16_t port) { return leased(kind, port, 1); }

struct question { enum stack_kind kind; uint32_t first, count; bool found; };

static void bound_see(const struct stack_entry *e, void *arg)
{
	struct question *q = arg;
	q->found |= e->kind == q->kind && e->local.port - q->first < q->count;
}

static bool taken(enum lease_kind kind, uint32_t first, uint32_t count)
{
	struct question q = { kind == LEASE_TCP ? STACK_TCP : STACK_UDP, first, count, false };
	stack_list(bound_see, &q);
	return q.found || leased(kind, first, count);
}

/* The largest aligned block around a port that lies in a range that it may have. */
static uint32_t block_around(const struct lessee *l, uint16_t port)
{
	uint32_t count = 0;
	for (unsigned i = 0; i < l->range_count; i++) {
		const struct domain_ports *r = &l->range[i];
		for (uint32_t n = 1; (port & -n) >= r->first && (port & -n) + n - 1 <= r->last; n *= 2)
			count = n > count ? n : count;
	}
	return count;
}

static long ports_choose(const struct lessee *l, struct lease *e, uint16_t port)
{
	e->count = port ? block_around(l, port) : LEASE_BLOCK;
	e->first = port ? port & -e->count : LEASE_BLOCK_FIRST;
	e->any = !port;
	if (!e->count)
		return -EACCES;
	while (taken(e->kind, e->first, e->count)) {
		if (port) {
			e->count /= 2;
			e->first = port & -e->count;
		} else {
			e->first += LEASE_BLOCK;
		}
		if (!e->count || e->first + e->count - 1 > DOMAIN_PORT_MAX)
			return -EADDRINUSE;
	}
	return 0;
}

/* ---- leases -------------------------------------------------------------------------------- */

static void lease_end(struct lease *e)
{
	flow_part_end(&e->part);
	kfree(e);
}

static uint64_t part_make(const struct lessee *l, struct lease *e, const uint8_t ip[4])
{
	uint64_t wide = start_cap_at(start_page, CAP_NET, 0);
	switch (e->kind) {
	case LEASE_IP:
		return flow_ip(&e->part, wide, l->address);
	case LEASE_ARP:
		return flow_arp(&e->part, wide, l->address);
	default:
		return flow_ports(&e->part, wide, e->kind, e->first, e->count, ip);
	}
}

static uint64_t part_give(const struct lessee *l, struct lease *e)
{
	for (unsigned i = 0; i < 2; i++) {
		struct exo_result r = exo_cap_copy(l->host->domain, EXO_SLOT_ANY,
			i ? e->part.out : e->part.in, EXO_R_USE, 0, 0);
		if (r.status)
			return r.status;
		e->theirs[i] = r.value;
	}
	return EXO_OK;
}

/* The one that a request was answered by before. */
static struct lease *lease_find(const struct lessee *l, enum lease_kind kind, uint16_t port)
{
	struct lease *e = l->leases;
	while (e && !(e->kind == kind && (!e->count || (port ? port - e->first < e->count : e->any))))
		e = e->next;
	return e;
}

static long lease_make(struct lessee *l, enum lease_kind kind, uint16_t port, struct lease **out)
{
	struct stack_link_info link;
	struct lease *e = kmalloc(sizeof *e);
	bool ports = kind == LEASE_TCP || kind == LEASE_UDP;
	if (!e || !net_link(&link)) {
		kfree(e);
		return e ? -EAGAIN : -ENOMEM;
	}
	e->kind = kind;
	long error = ports == own_address(l) ? -EACCES : ports ? ports_choose(l, e, port) : 0;
	if (!error && (part_make(l, e, link.ip) || part_give(l, e)))
		error = -ENOBUFS;
	if (error) {
		lease_end(e);
		return error;
	}
	e->next = l->leases;
	*out = l->leases = e;
	return 0;
}

/* ---- the service --------------------------------------------------------------------------- */

static uint64_t word(const uint8_t b[4])
{
	uint32_t n;
	memcpy(&n, b, sizeof n);
	return n;
}

static long serve_config(const struct lessee *l, uint64_t w[GATE_WORDS])
{
	struct stack_link_info link;
	struct stack_address servers[STACK_NAMESERVERS];
	if (!net_link(&link))
		return -EAGAIN;
	bool own = own_address(l), named = stack_nameservers(servers) && stack_is_v4(&servers[0]);
	w[0] = own ? LEASE_OWN_ADDRESS : 0;
	w[1] = word(own ? l->address : link.ip) | word(link.mask) << 32;
	w[2] = word(link.gateway) | (named ? word(servers[0].ip + 12) << 32 : 0);
	w[3] = 0;
	memcpy(&w[3], link.mac, 6);
	return 0;
}

static long serve_take(struct lessee *l, uint64_t w[GATE_WORDS])
{
	enum lease_kind kind = w[0];
	bool known = w[0] == LEASE_TCP || w[0] == LEASE_UDP || w[0] == LEASE_IP || w[0] == LEASE_ARP;
	if (!known || w[1] > 65535)
		return -EINVAL;
	struct lease *e = lease_find(l, kind, w[1]);
	long error = e ? 0 : lease_make(l, kind, w[1], &e);
	if (error)
		return error;
	w[1] = e->first;
	w[2] = e->count;
	w[3] = e->theirs[0];
	w[4] = e->theirs[1];
	return 0;
}

static long serve_drop(struct lessee *l, const uint64_t w[GATE_WORDS])
{
	for (struct lease **p = &l->leases; *p; p = &(*p)->next)
		if ((*p)->kind == w[0] && (*p)->first == w[1]) {
			struct lease *e = *p;
			*p = e->next;
			lease_end(e);
			return 0;
		}
	return -ENOENT;
}

static long serve_neighbour(uint64_t w[GATE_WORDS])
{
	uint8_t ip[4], mac[8] = { 0 };
	memcpy(ip, &w[0], sizeof ip);
	if (!net_neighbour(ip, mac))
		return -EAGAIN;
	memcpy(&w[0], mac, sizeof mac);
	return 0;
}

static long serve_one(struct lessee *l, unsigned op, uint64_t w[GATE_WORDS])
{
	switch (op) {
	case LEASE_CONFIG:
		return serve_config(l, w);
	case LEASE_TAKE:
		return serve_take(l, w);
	case LEASE_DROP:
		return serve_drop(l, w);
	case LEASE_NEIGHBOUR:
		return own_address(l) ? -EACCES : serve_neighbour(w);
	}
	return -EINVAL;
}

static uint64_t serve(void *arg, uint64_t badge)
{
	struct gate_message m;
	struct lessee *l = lessees;
	(void)arg;
	lock_take(&libos_lock);
	for (l = lessees; l && l->badge != badge; l = l->next)
		;
	if (l && l->host) {
		struct gate_message *shared = &l->host->proxy.page->gate;
		if (gate_take(shared, &m))
			gate_answer(shared, serve_one(l, m.op, m.word), m.word);
	}
	uint64_t back = l ? l->back : 0;
	lock_release(&libos_lock);
	return back;
}

/* ---- lessees --------------------------------------------------------------------------------- */

static uint64_t server_ready(void)
{
	server.serve = serve;
	return server.context ? EXO_OK :
		gate_server_start(&server, cpu_table[0].number, start_page->root);
}

static long refuse(struct domain_start *q, long error, const char *why)
{
	text_copy(q->error, why, sizeof q->error);
	return error;
}

/* One that a machine on the session's network may have, and that is nobody's we know. */
static long address_check(struct domain_start *q)
{
	const uint8_t *a = q->address;
	struct stack_link_info link;
	if (!a[0] || a[0] == 127 || a[0] >= 224)
		return refuse(q, -EINVAL, "no machine can have the address");
	for (const struct lessee *l = lessees; l; l = l->next)
		if (own_address(l) && !memcmp(l->address, a, 4))
			return refuse(q, -EADDRINUSE, "another domain has the address");
	if (!net_link(&link))
		return 0;
	uint32_t mask = word(link.mask), host = word(a) & ~mask;
	if (!memcmp(link.ip, a, 4))
		return refuse(q, -EADDRINUSE, "the address is the session's own");
	if ((word(a) ^ word(link.ip)) & mask)
		return refuse(q, -EINVAL, "the address is none of the session's network");
	if (!host || host == (uint32_t)~mask)
		return refuse(q, -EINVAL, "the address is the network's own");
	return memcmp(link.gateway, a, 4) ? 0 :
		refuse(q, -EADDRINUSE, "the address is the gateway's");
}

/* What was asked for. */
static long request_check(struct domain_start *q)
{
	if (q->range_count > DOMAIN_RANGES)
		return refuse(q, -EINVAL, "too many ranges of ports");
	for (unsigned i = 0; i < q->range_count; i++)
		if (!q->range[i].first || q->range[i].first > q->range[i].last ||
		    q->range[i].last > DOMAIN_PORT_MAX)
			return refuse(q, -EINVAL, "ports that can be had are 1 to 49151");
	return word(q->address) ? address_check(q) : 0;
}

long lessee_new(struct domain_start *q, struct lessee **out, struct spawn_cap *gift)
{
	static uint64_t badges;
	*out = NULL;
	long error = request_check(q);
	if (error)
		return error;
	if (!start_cap_at(start_page, CAP_NET, 0))
		return q->range_count || word(q->address) ?
			refuse(q, -ENODEV, "the session has no network card to give a part of") : 0;
	struct lessee *l = kmalloc(sizeof *l);
	if (!l || (error = net_start()) || server_ready()) {
		kfree(l);
		return error ? error : -ENOMEM;
	}
	struct exo_result r = exo_gate_create(EXO_SLOT_ANY, server.context, ++badges);
	if (r.status) {
		kfree(l);
		return refuse(q, -ENOMEM, exo_status_text(r.status));
	}
	l->badge = badges;
	l->gate = r.value;
	memcpy(l->address, q->address, sizeof l->address);
	l->range_count = q->range_count;
	memcpy(l->range, q->range, sizeof l->range);
	l->next = lessees;
	*out = lessees = l;
	*gift = (struct spawn_cap){ CAP_NET_GATE, l->gate, EXO_R_CALL, 0, 0 };
	return 0;
}

void lessee_begin(struct lessee *l, struct domain_host *host)
{
	if (!l)
		return;
	l->host = host;
	l->back = exo_gate_create(EXO_SLOT_ANY, host->context, 0).value;
}

void lessee_end(struct lessee *l)
{
	struct lessee **p = &lessees;
	if (!l)
		return;
	while (*p != l)
		p = &(*p)->next;
	*p = l->next;
	exo_delete_all(0, l->gate);
	while (l->leases) {
		struct lease *e = l->leases;
		l->leases = e->next;
		lease_end(e);
	}
	kfree(l);
}
