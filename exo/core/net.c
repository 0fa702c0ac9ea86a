/* Network devices: frames on their way out, and what becomes of them when a device does not
 * answer.
 *
 * A frame is handed to the driver at once or not at all: nothing queues in the kernel.  Who found
 * no room is told by its ring's event when there is some again.
 */
#include "disk.h"

#define ANSWER_NS	2000000000ul	/* a frame that is not sent by then is lost */
#define RESET_NS	5000000000ul
#define LOOK_NS		500000000ul	/* for time-outs */
#define POLL_NS		1000000ul	/* where interrupts may not arrive */
#define STEP_NS		1000000ul	/* of a reset */

struct net nets[NETS_MAX];
unsigned net_count;
uint64_t nets_deadline = EXO_FOREVER;

static struct link *waiting_link(uint32_t id) { return &ring_at(id)->packets.waiting; }

/* When to look at a device again. */
static uint64_t interval(const struct net *n)
{
	if (n->state == NET_STATE_RESETTING)
		return STEP_NS;
	if (n->state == NET_STATE_GONE)
		return EXO_FOREVER;
	if (n->started == n->sent && !n->waiting)
		return n->dev->interrupts ? EXO_FOREVER : POLL_NS;
	return n->dev->interrupts && !n->dev->sends_quietly ? LOOK_NS : POLL_NS;
}

static void look_again(const struct net *n)
{
	uint64_t ns = interval(n);

	if (ns != EXO_FOREVER)
		look_by(&nets_deadline, arch_now() + ns);
}

void net_add(struct net_device *dev)
{
	dev->number = net_count;
	nets[net_count].dev = dev;
	nets[net_count].state = NET_STATE_READY;
	look_again(&nets[net_count++]);
}

/* ---- sending --------------------------------------------------------------------- */

void *net_header(struct net *n, struct ring *r)
{
	void *at = n->state == NET_STATE_READY && n->started - n->sent < NET_QUEUE ?
		n->dev->driver->header(n->dev) : NULL;

	if (at || r->packets.waits)
		return at;
	r->packets.waits = true;
	ring_add(&n->waiting, r->id, waiting_link);
	return NULL;
}

void net_wait_end(struct net *n, struct ring *r)
{
	ring_remove(&n->waiting, r->id, waiting_link);
	r->packets.waits = false;
}

void net_send(struct net *n, struct ring *r, unsigned header, uint64_t phys, unsigned rest)
{
	n->sending[n->started++ % NET_QUEUE] = r->id;
	if (n->started - n->sent == 1)
		n->deadline = arch_now() + ANSWER_NS;
	n->dev->driver->send(n->dev, header, phys, rest);
	n->queued = true;
}

/* Those that found no room may try again: as many as can be waiting, NET_QUEUE at a time. */
static void room_tell(struct net *n)
{
	for (unsigned i = 0; n->waiting && n->started - n->sent < NET_QUEUE && i < NET_QUEUE; i++) {
		struct ring *r = ring_at(n->waiting);

		net_wait_end(n, r);
		ring_tell(r);
	}
}

void net_kick(struct net *n)
{
	if (!n->queued)
		return;
	n->queued = false;
	n->dev->driver->kick(n->dev);
	room_tell(n);
	look_again(n);
}

static void oldest_done(struct net *n, unsigned code)
{
	uint32_t ring = n->sending[n->sent++ % NET_QUEUE];

	n->deadline = arch_now() + ANSWER_NS;
	packet_done(ring_at(ring), code, 0);
}

void net_sent(struct net_device *dev)
{
	struct net *n = &nets[dev->number];

	if (n->started != n->sent)
		oldest_done(n, EXO_OK);
}

static void poll(struct net *n)
{
	bool link = n->dev->link;

	if (n->dev->driver->poll(n->dev))
		look_by(&nets_deadline, arch_now() + 1);
	room_tell(n);
	if (n->dev->link != link)
		log_print("net%u: link %s\n", n->dev->number, link ? "down" : "up");
}

void net_interrupt(void *arg)
{
	struct net_device *dev = arg;
	struct net *n = &nets[dev->number];

	if (n->dev == dev && n->state == NET_STATE_READY)
		poll(n);
}

/* ---- time-outs ---------------------------------------------------------------------- */

static void end_all(struct net *n, unsigned code)
{
	while (n->started != n->sent)
		oldest_done(n, code);
	room_tell(n);
}

static void reset_go_on(struct net *n, bool first, uint64_t now)
{
	enum net_state state = n->dev->driver->step(n->dev, first);

	if (state == NET_READY) {
		n->state = NET_STATE_READY;
		end_all(n, EXO_TIMEOUT);
		return;
	}
	if (state == NET_BUSY && now <= n->reset_started + RESET_NS)
		return;
	log_print("net%u: does not come back from a reset: given up\n", n->dev->number);
	n->dev->driver->off(n->dev);
	n->dev->link = false;
	n->state = NET_STATE_GONE;
	end_all(n, EXO_GONE);
}

static void look(struct net *n, uint64_t now)
{
	if (n->state == NET_STATE_READY) {
		poll(n);
		if (n->started != n->sent && now >= n->deadline) {
			log_print("net%u: no answer in %lu s: reset\n", n->dev->number,
				ANSWER_NS / 1000000000);
			n->state = NET_STATE_RESETTING;
			n->reset_started = now;
			reset_go_on(n, true, now);
		}
	} else if (n->state == NET_STATE_RESETTING) {
		reset_go_on(n, false, now);
	}
	look_again(n);
}

void nets_tick(uint64_t now)
{
	nets_deadline = EXO_FOREVER;
	for (unsigned i = 0; i < net_count; i++)
		look(&nets[i], now);
	rings_look(now);
}
