/* Model network cards: see model_net.h. */
#include <string.h>
#include "exo/core/cap.h"
#include "tests/host/model_net.h"

struct model_net model_nets[MODEL_NETS];
uint64_t model_frames_out;
void (*model_observer)(const uint8_t *header, unsigned n);
static struct filter *heads[MODEL_NETS][4 * MODEL_ROOM];

/* Of its own, so that what the cards need doesn't change what other tests meet. */
static uint64_t hash_random(void)
{
	static uint64_t state;

	return (state += 0x9e3779b97f4a7c15ul) * 0xbf58476d1ce4e5b9ul;
}

static struct model_net *of(struct net_device *dev) { return (struct model_net *)dev; }

static void *header(struct net_device *dev)
{
	struct model_net *m = of(dev);

	CHECK(!m->off && !m->steps, "a frame for a card that is off or in reset");
	return m->started - m->sent < m->depth ? m->out[m->started % NET_QUEUE].header : NULL;
}

static void send(struct net_device *dev, unsigned n, uint64_t phys, unsigned rest)
{
	struct model_net *m = of(dev);
	struct model_frame *f = &m->out[m->started++ % NET_QUEUE];

	CHECK(m->started - m->sent <= m->depth && !m->off && !m->steps, "no room");
	CHECK(n >= 14 && n <= NET_HEADER && n + rest <= 1518, "%u + %u bytes", n, rest);
	CHECK(!rest || phys >> 12 == (phys + rest - 1) >> 12, "a frame in two pages");
	f->n = n;
	f->rest = rest;
	f->phys = phys;
	f->owner = frame_table[phys >> 12].owner;
	model_frames_out++;
	if (model_observer)
		model_observer(f->header, n);
	model_nets_dma();
}

static void kick(struct net_device *dev)
{
	of(dev)->kicked = of(dev)->started;
}

void model_nets_dma(void)
{
	for (unsigned i = 0; i < MODEL_NETS; i++)
		for (uint64_t k = model_nets[i].sent; k != model_nets[i].started; k++) {
			const struct model_frame *m = &model_nets[i].out[k % NET_QUEUE];
			const struct exo_frame *f = &frame_table[m->phys >> 12];

			CHECK(!m->rest || (f->type == EXO_F_DATA && f->pins && f->owner == m->owner),
				"card %u reads frame %lx: type %u, pins %u, owner %x (%x)", i, m->phys >> 12, f->type,
				f->pins, f->owner, m->owner);
		}
}

static bool poll(struct net_device *dev)
{
	struct model_net *m = of(dev);

	CHECK(!m->off && !m->steps, "a card that is off or in reset is asked");
	dev->link = m->link;
	unsigned n = 0;
	for (; n < NET_QUEUE && m->incoming_left; n++, m->incoming_left--) {
		uint8_t copy[NET_BUFFER];	/* the card's own; the sanitizer watches its end */

		memset(copy, 0xee, sizeof copy);
		memcpy(copy, m->incoming, m->incoming_length);
		net_received(dev, copy, m->incoming_length);
	}
	while (m->sent != m->over) {
		m->sent++;
		net_sent(dev);
	}
	return n == NET_QUEUE;
}

static enum net_state step(struct net_device *dev, bool first)
{
	struct model_net *m = of(dev);

	if (first)
		m->steps = m->reset_steps + 1;
	if (m->broken)
		return NET_FAILED;
	if (--m->steps)
		return NET_BUSY;
	m->started = m->sent = m->over = m->kicked = 0;
	m->lost = false;
	return NET_READY;
}

static void off(struct net_device *dev)
{
	of(dev)->off = true;
	of(dev)->started = of(dev)->sent = of(dev)->over = of(dev)->kicked = 0;
}

void model_nets_boot(void)
{
	static const struct net_driver driver = { "model", step, header, send, kick, poll, off };

	net_count = 0;
	nets_deadline = EXO_FOREVER;
	rings_held = (struct rings_held){ 0 };
	memset(nets, 0, sizeof nets);
	memset(heads, 0, sizeof heads);
	model_observer = NULL;
	for (unsigned i = 0; i < MODEL_NETS; i++) {
		model_nets[i] = (struct model_net){ .dev = { .driver = &driver, .mac = { 2, 0, 0, 0, 0, i },
			.interrupts = !i, .link = true, .model = "model" }, .depth = i ? 4 : NET_QUEUE, .link = true };
		demux_init(&nets[i].demux, heads[i], 8, MODEL_ROOM, hash_random);
		flow_make_all(MODEL_FLOW + i, i, MODEL_ROOM);
		net_add(&model_nets[i].dev);
	}
}

void model_net_finish(unsigned net, unsigned frames)
{
	struct model_net *m = &model_nets[net];

	CHECK(m->kicked == m->started, "card %u was not told of frames", net);
	if (!m->lost && frames <= m->started - m->over)
		m->over += frames;
	model_interrupt(net_interrupt, &m->dev);
}

void model_net_receive(unsigned net, const uint8_t *frame, unsigned length)
{
	model_net_receive_many(net, frame, length, 1);
	model_nets[net].incoming_left = 0;		/* nobody asks a card that is in reset */
}

void model_net_receive_many(unsigned net, const uint8_t *frame, unsigned length, unsigned frames)
{
	struct model_net *m = &model_nets[net];

	m->incoming = frame;
	m->incoming_length = length;
	m->incoming_left = frames;
	model_interrupt(net_interrupt, &m->dev);
}

void model_flow_put(struct domain *d, unsigned slot, unsigned net)
{
	struct slot s = { .type = EXO_T_FLOW, .rights = EXO_R_GRANT | EXO_R_USE, .aux = MODEL_FLOW + net };
	uint64_t name;

	CHECK(!cap_insert(d, slot, 0, &s, NULL, &name), "flow");
	flow_at(MODEL_FLOW + net)->cap = flow_at(MODEL_FLOW + net)->cap ? flow_at(MODEL_FLOW + net)->cap :
		slot_name(domain_slot(d, slot));
}
