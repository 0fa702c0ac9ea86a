/* Devices: who may use a machine's I/O ports and hear its interrupts.
 *
 * A device capability names an entry of a table that boot fills.  Ports are opened for
 * the contexts of one domain at a time; an interrupt is masked when it is delivered, as
 * an event, and unmasked by who holds the device.  What the device does is the
 * holder's affair: only devices that cannot reach memory by themselves are given out.
 */
#include "device.h"

static struct device devices[DEVICES_MAX];
static unsigned device_count;

unsigned device_add(const struct device *dev)
{
	if (device_count == DEVICES_MAX)
		panic("more than %u devices", DEVICES_MAX);
	devices[device_count] = *dev;
	return device_count++;
}

void device_interrupt(unsigned gsi)
{
	for (unsigned i = 0; i < device_count; i++) {
		struct device *dev = &devices[i];
		if (!dev->has_irq || dev->gsi != gsi)
			continue;
		struct slot *s = cap_ref_get(dev->event, EXO_T_EVENT);
		if (s)
			context_signal(context_at(s->aux), dev->bits);
	}
}

/* The ports go from whoever had them to the caller. */
static uint64_t ports_open(struct device *dev)
{
	struct domain *d = current_domain();
	struct domain *before = domain_at(dev->ports_owner);
	unsigned i;
	if (!dev->port_count)
		return FAIL(STATE, 1);
	for (i = 0; i < DOMAIN_PORTS && d->ports[i].count && d->ports[i].first != dev->port; i++)
		;
	if (i == DOMAIN_PORTS)
		return FAIL(LIMIT, 1);
	for (unsigned j = 0; before && before != d && j < DOMAIN_PORTS; j++)
		if (before->ports[j].first == dev->port)
			before->ports[j].count = 0;
	d->ports[i].first = dev->port;
	d->ports[i].count = dev->port_count;
	dev->ports_owner = d->id;
	d->burden = d->id;
	for (struct context *x = context_first(d); x; x = context_next(d, x))
		x->burden = x->burden ? x->burden : d->id;
	arch_ports_changed();
	return EXO_OK;
}

static uint64_t bind(struct device *dev, uint64_t event, uint64_t bits)
{
	struct slot *s;
	uint64_t status = cap_find(current_domain(), event, EXO_T_EVENT, EXO_R_SIGNAL, 3, &s);
	if (status)
		return status;
	if (!dev->has_irq)
		return FAIL(STATE, 1);
	if (!bits || bits & ~slot_mask(s))
		return FAIL(RIGHT, 4);
	dev->event = (struct cap_ref){ slot_name(s), s->gen };
	dev->bits = bits;
	arch_irq_unmask(dev->gsi);
	return EXO_OK;
}

uint64_t call_device_ctl(struct call *c)
{
	struct slot *s;
	uint64_t status = cap_find(current_domain(), c->rdi, EXO_T_DEVICE, EXO_R_USE, 1, &s);
	if (status)
		return status;
	struct device *dev = &devices[s->aux];
	switch (c->rsi) {
	case EXO_DEV_PORTS:
		return ports_open(dev);
	case EXO_DEV_BIND:
		return bind(dev, c->rdx, c->r10);
	case EXO_DEV_ACK:
		if (!dev->has_irq)
			return FAIL(STATE, 1);
		arch_irq_unmask(dev->gsi);
		return EXO_OK;
	}
	return FAIL(ARG, 2);
}

/* A capability of d to the device ends, and with it what d bound by it. */
void device_lose(struct domain *d, uint32_t device)
{
	struct device *dev = &devices[device];
	struct slot *s = cap_ref_get(dev->event, EXO_T_EVENT);
	if (s && slot_domain(s) == d)
		dev->event = (struct cap_ref){ 0 };
	if (dev->ports_owner != d->id)
		return;
	for (unsigned i = 0; i < DOMAIN_PORTS; i++)
		if (d->ports[i].first == dev->port)
			d->ports[i].count = 0;
	dev->ports_owner = 0;
	arch_ports_changed();
}
