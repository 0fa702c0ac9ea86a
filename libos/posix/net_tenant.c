/* The inner side of leases (net_lease.h): a card that is a part of the outer session's.
 *
 * With an address of its own the part is all that belongs to it, ARP too.  Without one it is ports of
 * the outer session's address: a block for connections from here, and others as sockets are bound to
 * them.  ARP then is the outer session's, which is asked instead: what the stack would ask the wire, and
 * what it would have answered, are made into calls and frames here.
 */
#include "libos/posix/inner.h"
#include "libos/posix/linux_socket.h"
#include "libos/posix/net.h"
#include "libos/posix/net/card.h"
#include "libos/posix/net_lease.h"
#include "libos/posix/process.h"

#define ASK_NS		20000000ul	/* between looks whether there is an address */
#define NEIGHBOUR_NS	2000000ul	/* ... or whether a neighbour has answered */
#define NEIGHBOUR_ASKS	500u
#define WANTED		8u

struct held { enum lease_kind kind; uint32_t first, count; uint64_t flow[2]; };
static struct held held[CARD_FILTERS];
static unsigned held_count;
static struct card *card;		/* NULL: not open */
static bool own_address;
static uint8_t own_ip[4];
static struct { uint8_t ip[4]; unsigned asks; } wanted[WANTED];	/* asks: how many more */

bool tenant_is(void) { return inner && start_cap(start_page, CAP_NET_GATE); }

static long ask(enum lease_op op, uint64_t w[GATE_WORDS])
{
	int64_t result;
	uint64_t status = gate_ask(start_cap(start_page, CAP_NET_GATE), this_cpu()->control,
		proxy_gate(), op, w, &result);
	return status ? -EIO : result;
}

/* ---- neighbours ------------------------------------------------------------------------- */

enum { ARP_OP = 20, ARP_SENDER_MAC = 22, ARP_SENDER = 28, ARP_TARGET_MAC = 32, ARP_TARGET = 38,
	ARP_END = 42 };

/* As if it had answered. */
static void neighbour_arrives(const uint8_t ip[4], const uint8_t mac[6])
{
	static const uint8_t head[] = { 8, 6, 0, 1, 8, 0, 6, 4, 0, 2 };	/* ARP, Ethernet, IPv4, answer */
	uint8_t frame[ARP_END];
	memcpy(frame, card->link.mac, 6);
	memcpy(frame + 6, mac, 6);
	memcpy(frame + 12, head, sizeof head);
	memcpy(frame + ARP_SENDER_MAC, mac, 6);
	memcpy(frame + ARP_SENDER, ip, 4);
	memcpy(frame + ARP_TARGET_MAC, card->link.mac, 6);
	memcpy(frame + ARP_TARGET, own_ip, 4);
	stack_input_queue(&card->link, frame, sizeof frame);
}

static bool neighbour_ask(const uint8_t ip[4])
{
	uint64_t w[GATE_WORDS] = { 0 };
	memcpy(w, ip, 4);
	if (ask(LEASE_NEIGHBOUR, w))
		return false;
	neighbour_arrives(ip, (const uint8_t *)w);
	return true;
}

static void neighbour_want(const uint8_t ip[4])
{
	unsigned i = 0;
	while (i < WANTED && wanted[i].asks && memcmp(wanted[i].ip, ip, 4))
		i++;
	if (!memcmp(ip, own_ip, 4) || i == WANTED || neighbour_ask(ip))
		return;
	memcpy(wanted[i].ip, ip, 4);
	wanted[i].asks = NEIGHBOUR_ASKS;
}

uint64_t tenant_look(uint64_t now)
{
	static uint64_t next;
	bool more = false;
	for (unsigned i = 0; i < WANTED; i++) {
		if (wanted[i].asks && now >= next)
			wanted[i].asks = neighbour_ask(wanted[i].ip) ? 0 : wanted[i].asks - 1;
		more |= wanted[i].asks;
	}
	if (now >= next)
		next = now + NEIGHBOUR_NS;
	return more ? next : FOREVER;
}

static bool tenant_send(struct stack_link *link, const void *frame, size_t length)
{
	const uint8_t *b = frame;
	if (length < ARP_END || b[12] != 8 || b[13] != 6)
		return card_send(link, frame, length);
	if (b[ARP_OP + 1] == 1)
		neighbour_want(b + ARP_TARGET);
	return true;
}

/* ---- leases -------------------------------------------------------------------------------- */

static long take(enum lease_kind kind, uint16_t port, struct held *h)
{
	uint64_t w[GATE_WORDS] = { kind, port };
	long error = held_count == CARD_FILTERS ? -ENOBUFS : ask(LEASE_TAKE, w);
	if (!error)
		*h = (struct held){ kind, w[1], w[2], { w[3], w[4] } };
	return error;
}

static void drop(const struct held *h)
{
	uint64_t w[GATE_WORDS] = { h->kind, h->first };
	card_forget(card, h->flow[0]);
	ask(LEASE_DROP, w);
}

static long lease_add(enum lease_kind kind, uint16_t port)
{
	struct held h;
	long error = take(kind, port, &h);
	if (error)
		return error;
	if (card_add(card, h.flow[0], h.flow[1])) {
		drop(&h);
		return -ENOBUFS;
	}
	held[held_count++] = h;
	return 0;
}

struct search { const struct held *h; bool found; };

static void use_see(const struct stack_entry *e, void *arg)
{
	struct search *s = arg;
	s->found |= e->kind == (s->h->kind == LEASE_TCP ? STACK_TCP : STACK_UDP) &&
		e->local.port - s->h->first < s->h->count;
}

/* Those that no socket uses any more, but for the blocks, which came first. */
static bool leases_trim(void)
{
	unsigned before = held_count;
	for (unsigned i = 2; i < held_count; i++) {
		struct search s = { &held[i], false };
		stack_list(use_see, &s);
		if (s.found)
			continue;
		drop(&held[i]);
		held[i--] = held[--held_count];
	}
	return held_count < before;
}

bool tenant_ports_only(void) { return !own_address; }

long tenant_port(enum lease_kind kind, uint16_t port)
{
	if (own_address)
		return 0;
	for (unsigned i = 0; i < held_count; i++)
		if (held[i].kind == kind && port - held[i].first < held[i].count)
			return 0;
	long error = lease_add(kind, port);
	return error == -ENOBUFS && leases_trim() ? lease_add(kind, port) : error;
}

/* ---- the card ------------------------------------------------------------------------------- */

static long first_leases(void)
{
	static const enum lease_kind of_address[] = { LEASE_IP, LEASE_ARP };
	static const enum lease_kind of_ports[] = { LEASE_TCP, LEASE_UDP };
	long error = 0;
	for (held_count = 0; held_count < 2 && !error; held_count++)
		error = take((own_address ? of_address : of_ports)[held_count], 0, &held[held_count]);
	return error;
}

static void address_set(struct card *c, const uint64_t w[GATE_WORDS])
{
	uint8_t mask[4], gateway[4], name_server[4];
	memcpy(own_ip, &w[1], 4);
	memcpy(mask, (const uint8_t *)&w[1] + 4, 4);
	memcpy(gateway, &w[2], 4);
	memcpy(name_server, (const uint8_t *)&w[2] + 4, 4);
	const struct stack_address server = stack_v4(name_server, 53);
	stack_link_address(&c->link, own_ip, mask, gateway);
	if (w[2] >> 32)
		stack_nameserver_set(0, &server);
}

static long open_card(struct card *c, uint64_t event, const uint64_t w[GATE_WORDS])
{
	own_address = w[0] & LEASE_OWN_ADDRESS;
	long error = first_leases();
	if (error)
		return error;
	const uint64_t flow[] = { held[0].flow[0], held[0].flow[1], held[1].flow[0], held[1].flow[1] };
	c->link.four_only = true;
	uint64_t status = card_open(c, flow, 4, event);
	if (status) {
		posix_log("eth0: %s (argument %lu)", exo_status_text(status), EXO_AT(status));
		return -EIO;
	}
	card = c;
	if (!own_address) {
		c->link.send = tenant_send;
		stack_ports_any(STACK_TCP, held[0].first, held[0].count);
		stack_ports_any(STACK_UDP, held[1].first, held[1].count);
	}
	address_set(c, w);
	return 0;
}

long tenant_start(struct card *c, uint64_t event)
{
	static uint64_t end;
	struct waitq nobody = { NULL };
	uint64_t w[GATE_WORDS] = { 0 };
	long error;
	end = end ? end : time_now() + NET_PATIENCE;
	while ((error = ask(LEASE_CONFIG, w)) == -EAGAIN && time_now() < end)
		if (sleep_on(&nobody, time_now() + ASK_NS) == -ERESTARTSYS)
			return -ERESTARTSYS;
	return card || error ? error : open_card(c, event, w);
}
