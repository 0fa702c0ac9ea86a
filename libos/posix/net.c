/* The session's network: the stack, the card that its flow is of, an address by DHCP.
 *
 * Everything starts with the first internet socket, so that a session without one costs nothing.
 * The address is asked for meanwhile; who needs one to go on waits for it (net_wait).  Without a
 * card, or an answer, there is loopback.  An inner session's card and address are the outer one's
 * (net_tenant.c), which gives parts of them away (net_lease.c).  Left to others: frames and rings
 * (net/card.c), protocols (net/stack.h), what programs see (inet.c, net_config.c).
 */
#include "libos/posix/linux_socket.h"
#include "libos/posix/net.h"
#include "libos/posix/net_lease.h"
#include "libos/posix/net/card.h"
#include "libos/posix/process.h"
#include "libos/posix/vfs.h"

#define END_NS	2000000000ul

static bool started, asking, told;
static struct card card;
static bool have_card;
static struct timer timer;
static uint64_t patience;		/* until when an address is waited for */
static struct wake changed;		/* there is one, or no more hope */

static uint32_t now_ms(void) { return time_now() / 1000000; }

static uint32_t any(void)
{
	uint32_t n;
	random_bytes(&n, sizeof n);
	return n;
}

/* Packets may not take the last memory. */
static void *allocate(size_t n)
{
	return frames_free() > frames_total() / 16 ? kmalloc(n) : NULL;
}

static void panics(const char *why) { posix_panic("network: %s", why); }

/* ---- the address ------------------------------------------------------------------------ */

static void address_look(void)
{
	uint8_t ip[4];
	if (!asking)
		return;
	if (stack_link_ready(&card.link, ip)) {
		posix_log("eth0: %u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
		asking = false;
		wake(&changed);
	} else if (time_now() >= patience && !told) {
		posix_log("eth0: no answer by DHCP in %lu s; it is still being asked for",
			NET_PATIENCE / 1000000000);
		told = true;
		wake(&changed);
	}
}

long net_wait(void)
{
	while (asking && !told) {
		long error = sleep_on(&changed.queue, patience);
		if (error == -ERESTARTSYS)
			return error;
		address_look();
	}
	return 0;
}

/* ---- the card ---------------------------------------------------------------------------- */

static void due(struct timer *t)
{
	(void)t;
	net_flush();
}

void net_flush(void)
{
	uint32_t ms = stack_timers();
	uint64_t tenant = have_card && tenant_is() ? tenant_look(time_now()) : FOREVER;
	bool more = have_card && card_look(&card);
	address_look();
	uint64_t when = more ? time_now() : ms == ~0u ? FOREVER : time_now() + ms * 1000000ul + 1;
	when = tenant < when ? tenant : when;
	if (timer.link && timer.when <= when && (more || timer.when > time_now()))
		return;			/* it comes early, and looks again */
	timer.fire = due;
	timer_add(&timer, when);
}

static struct exo_result event_make(void)
{
	return exo_event_create(EXO_SLOT_ANY, cpu_table[0].context, EVENT_NET);
}

static long tenant_card_start(void)
{
	static uint64_t event;
	if (!event)
		event = event_make().value;
	long error = tenant_start(&card, event);
	have_card = !error;
	return error == -ERESTARTSYS ? error : 0;
}

static void card_start(void)
{
	uint64_t flow[CARD_FLOWS];
	unsigned n = 0;
	while (n < CARD_FLOWS && (flow[n] = start_cap_at(start_page, CAP_NET, n)))
		n++;
	if (!n) {
		posix_log("there is no network card: only the session itself can be reached");
		return;
	}
	struct exo_result event = event_make();
	uint64_t status = event.status ? event.status : card_open(&card, flow, n, event.value);
	if (status) {
		posix_log("eth0: %s (argument %lu): only the session itself can be reached",
			exo_status_text(status), EXO_AT(status));
		return;
	}
	have_card = true;
	asking = !stack_link_dhcp(&card.link);
	patience = time_now() + NET_PATIENCE;
}

void net_dropped(uint64_t *in, uint64_t *out)
{
	*in = have_card ? card_dropped(&card) : 0;
	*out = have_card ? card.lost : 0;
}

long net_start(void)
{
	static const struct stack_system system = { now_ms, any, allocate, kfree, panics };
	if (!started) {
		started = true;
		stack_init(&system);
		if (!tenant_is())
			card_start();
		net_flush();
	}
	return tenant_is() && !have_card ? tenant_card_start() : 0;
}

long net_port(enum stack_kind kind, uint16_t port)
{
	enum lease_kind lease = kind == STACK_TCP ? LEASE_TCP : LEASE_UDP;
	if (!port || (kind != STACK_TCP && kind != STACK_UDP))
		return 0;
	if (tenant_is())
		return have_card ? tenant_port(lease, port) : 0;
	return lease_covers(lease, port) ? -EADDRINUSE : 0;
}

bool net_ports_only(void) { return tenant_is() && have_card && tenant_ports_only(); }

bool net_link(struct stack_link_info *out)
{
	return have_card && stack_link_info(2, out) &&
		(out->ip[0] | out->ip[1] | out->ip[2] | out->ip[3]);
}

bool net_neighbour(const uint8_t ip[4], uint8_t mac[6])
{
	bool known = have_card && stack_link_neighbour(&card.link, ip, mac);
	if (have_card)
		card_submit(&card);
	return known;
}

void net_end(void)
{
	uint64_t end = time_now() + END_NS;
	while (started && stack_counts().unsent && time_now() < end) {
		struct waitq nobody = { NULL };
		sleep_on(&nobody, time_now() + 5000000);
	}
}
