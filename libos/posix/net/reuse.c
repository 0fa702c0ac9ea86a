/* Endpoints of one address: who may have it too, and who gets what comes there.  See endpoint.h.
 *
 * The rules are Linux's, of SO_REUSEADDR and SO_REUSEPORT.  Those that share a port by the latter are
 * a ring: a peer's packets and connections always go to the same one, by hash, as long as it does not
 * change.  lwIP knows one bit for both options, and only whether two may be bound.
 */
#include "libos/posix/net/endpoint.h"

static const ip_addr_t *local_ip(const struct endpoint *e) { return &e->pcb->local_ip; }

static uint16_t local_port(const struct endpoint *e)
{
	return e->kind == STACK_TCP ? e->tcp->local_port : e->udp->local_port;
}

static bool same_kind(const struct endpoint *e, const struct endpoint *o)
{
	return o != e && o->kind == e->kind && o->pcb;
}

static bool overlap(const ip_addr_t *a, const ip_addr_t *b)
{
	return (ip_addr_isany(a) || ip_addr_isany(b) || ip_addr_cmp(a, b)) &&
		(IP_GET_TYPE(a) == IP_GET_TYPE(b) || IP_IS_ANY_TYPE_VAL(*a) || IP_IS_ANY_TYPE_VAL(*b));
}

static bool one_group(const struct endpoint *e, const struct endpoint *o)
{
	return e->reuse_port && o->reuse_port && e->owner == o->owner;
}

/* What somebody listens on is not shared by SO_REUSEADDR. */
bool address_taken(const struct endpoint *e, const ip_addr_t *ip, uint16_t port)
{
	for (const struct endpoint *o = endpoints; o; o = o->next)
		if (same_kind(e, o) && local_port(o) == port && overlap(local_ip(o), ip) &&
		    !one_group(e, o) && !(e->reuse && o->reuse && !o->listening))
			return true;
	return false;
}

bool port_taken(const struct endpoint *e, uint16_t port)
{
	for (const struct endpoint *o = endpoints; o; o = o->next)
		if (same_kind(e, o) && local_port(o) == port)
			return true;
	return false;
}

void reuse_set(struct endpoint *e)
{
	if (!e->pcb || e->listening)
		return;
	if (e->reuse || e->reuse_port)
		e->pcb->so_options |= SOF_REUSEADDR;
	else
		e->pcb->so_options &= ~SOF_REUSEADDR;
}

/* ---- the ring ----------------------------------------------------------------------- */

struct endpoint *group_join(struct endpoint *e)
{
	struct endpoint *o = e->reuse_port ? endpoints : NULL;
	for (; o; o = o->next)
		if (same_kind(e, o) && one_group(e, o) && (o->kind != STACK_TCP || o->listening) &&
		    local_port(o) == local_port(e) && ip_addr_cmp(local_ip(o), local_ip(e)))
			break;
	if (o) {
		e->group = o->group;
		o->group = e;
	}
	return o;
}

struct endpoint *group_leave(struct endpoint *e)
{
	struct endpoint *before = e->group;
	while (before->group != e)
		before = before->group;
	before->group = e->group;
	e->group = e;
	return before == e ? NULL : before;
}

/* FNV-1a, mixed at the end, as the low bits of ports hardly differ. */
static uint32_t hash(const ip_addr_t *ip, uint16_t port)
{
	static uint32_t secret;
	const struct stack_address a = address_of(ip, port);
	secret = secret ? secret : random_number() | 1;
	uint32_t h = secret;
	for (unsigned i = 0; i < sizeof a.ip; i++)
		h = (h ^ a.ip[i]) * 0x01000193;
	h = (h ^ (port & 255)) * 0x01000193;
	h = (h ^ port >> 8) * 0x01000193;
	h = (h ^ h >> 16) * 0x85ebca6b;
	return h ^ h >> 13;
}

/* One that is connected has a peer of its own. */
struct endpoint *group_pick(struct endpoint *e, const ip_addr_t *ip, uint16_t port)
{
	unsigned n = 0;
	struct endpoint *o = e;
	do
		n += !o->connected;
	while ((o = o->group) != e);
	if (n < 2)
		return e;
	for (unsigned left = hash(ip, port) % n;; o = o->group)
		if (!o->connected && !left--)
			return o;
}
