/* Event channels: the guest's ports, by the two-level ABI.
 *
 * A port's pending and mask bits are in the shared info, which guest and monitor change by
 * atomic operations.  What a port is bound to is recorded here, under vm.lock; raising a port
 * takes no lock.
 */
#include "libos/vmm/run.h"

static struct port {
	uint8_t state;			/* enum xen_port_state; INTERDOMAIN: a back end's */
	uint8_t vcpu, virq;
	uint16_t remote;		/* UNBOUND: the domain that may bind it */
	void (*notify)(void *arg);
	void *arg;
} ports[VMM_PORTS];

/* ---- raising ---------------------------------------------------------------------------- */

bool event_ready(const struct vcpu *v)
{
	return v->info->pending && !v->info->mask && v->event_gate.address;
}

static bool bit_set(uint64_t *words, unsigned n)
{
	return __atomic_fetch_or(&words[n / 64], 1ul << n % 64, __ATOMIC_SEQ_CST) >> n % 64 & 1;
}

static bool bit_get(const uint64_t *words, unsigned n)
{
	return __atomic_load_n(&words[n / 64], __ATOMIC_SEQ_CST) >> n % 64 & 1;
}

/* The port's word is to be looked at.  True: the vCPU did not know before that there is any. */
static bool select_raise(struct vcpu *v, unsigned port)
{
	volatile struct xen_vcpu_info *info = v->info;
	__atomic_fetch_or(&info->pending_sel, 1ul << port / 64, __ATOMIC_SEQ_CST);
	return !__atomic_exchange_n(&info->pending, 1, __ATOMIC_SEQ_CST);
}

void port_raise(struct vcpu *from, unsigned port)
{
	if (!port || port >= VMM_PORTS || ports[port].state == XEN_PORT_CLOSED)
		return;
	struct vcpu *v = vm.vcpu[ports[port].vcpu];
	if (!v || bit_set(vm.shared->evtchn_pending, port))
		return;
	bool news = !bit_get(vm.shared->evtchn_mask, port) && select_raise(v, port);
	if (v != from && v->started && (news || v->polling))
		vcpu_kick(v);
}

void evtchn_raise(unsigned port) { port_raise(NULL, port); }

void virq_raise(struct vcpu *v, unsigned virq)
{
	port_raise(v, v->virq_port[virq]);
}

/* ---- binding: with vm.lock held ------------------------------------------------------------- */

static int64_t port_new(unsigned state, unsigned vcpu)
{
	for (unsigned i = 1; i < VMM_PORTS; i++)
		if (ports[i].state == XEN_PORT_CLOSED) {
			ports[i] = (struct port){ .state = state, .vcpu = vcpu };
			return i;
		}
	return -XEN_ENOSPC;
}

static int64_t port_close(unsigned port)
{
	if (!port || port >= VMM_PORTS || ports[port].state == XEN_PORT_CLOSED)
		return -XEN_EINVAL;
	struct port *p = &ports[port];
	if (p->state == XEN_PORT_VIRQ)
		vm.vcpu[p->vcpu]->virq_port[p->virq] = 0;
	*p = (struct port){ 0 };
	__atomic_fetch_and(&vm.shared->evtchn_pending[port / 64], ~(1ul << port % 64), __ATOMIC_SEQ_CST);
	return 0;
}

unsigned evtchn_backend(void (*notify)(void *arg), void *arg)
{
	lock_take(&vm.lock);
	int64_t port = port_new(XEN_PORT_INTERDOMAIN, 0);
	if (port > 0) {
		ports[port].notify = notify;
		ports[port].arg = arg;
	}
	lock_release(&vm.lock);
	return port > 0 ? port : 0;
}

int evtchn_attach(unsigned port, void (*notify)(void *arg), void *arg)
{
	int e = -XEN_EINVAL;
	lock_take(&vm.lock);
	if (port && port < VMM_PORTS && ports[port].state == XEN_PORT_UNBOUND) {
		ports[port].state = XEN_PORT_INTERDOMAIN;
		ports[port].notify = notify;
		ports[port].arg = arg;
		e = 0;
	}
	lock_release(&vm.lock);
	return e;
}

static int64_t bind_virq(struct xen_bind_virq *b)
{
	if (b->virq >= XEN_VIRQS || b->vcpu >= vm.vcpus)
		return -XEN_EINVAL;
	struct vcpu *v = vm.vcpu[b->vcpu];
	if (v->virq_port[b->virq])
		return -XEN_EEXIST;
	int64_t port = port_new(XEN_PORT_VIRQ, b->vcpu);
	if (port < 0)
		return port;
	ports[port].virq = b->virq;
	v->virq_port[b->virq] = b->port = port;
	return 0;
}

static int64_t bind_ipi(struct xen_bind_ipi *b)
{
	if (b->vcpu >= vm.vcpus)
		return -XEN_ENOENT;
	int64_t port = port_new(XEN_PORT_IPI, b->vcpu);
	b->port = port;
	return port < 0 ? port : 0;
}

static int64_t bind_vcpu(const struct xen_bind_vcpu *b)
{
	if (b->vcpu >= vm.vcpus || b->port >= VMM_PORTS)
		return -XEN_ENOENT;
	struct port *p = &ports[b->port];
	if (p->state != XEN_PORT_INTERDOMAIN && p->state != XEN_PORT_UNBOUND)
		return -XEN_EINVAL;
	p->vcpu = b->vcpu;
	return 0;
}

static int64_t alloc_unbound(struct xen_alloc_unbound *u)
{
	if (u->dom != XEN_DOMID_SELF)
		return -XEN_EPERM;
	int64_t port = port_new(XEN_PORT_UNBOUND, 0);
	if (port < 0)
		return port;
	ports[port].remote = u->remote_dom;
	u->port = port;
	return 0;
}

static int64_t port_status(struct xen_evtchn_status *s)
{
	if (!s->port || s->port >= VMM_PORTS)
		return -XEN_EINVAL;
	const struct port *p = &ports[s->port];
	s->status = p->state;
	s->vcpu = p->vcpu;
	if (p->state == XEN_PORT_VIRQ)
		s->of.virq = p->virq;
	else if (p->state == XEN_PORT_UNBOUND)
		s->of.unbound.dom = p->remote;
	else if (p->state == XEN_PORT_INTERDOMAIN)
		s->of.interdomain.dom = s->of.interdomain.port = 0;
	return 0;
}

/* ---- event_channel_op ------------------------------------------------------------------------ */

/* To a back end of the monitor's, or to another vCPU. */
static int64_t port_send(struct vcpu *v, unsigned port)
{
	if (!port || port >= VMM_PORTS)
		return -XEN_EINVAL;
	const struct port *p = &ports[port];
	void (*notify)(void *) = __atomic_load_n(&p->notify, __ATOMIC_RELAXED);	/* it may be closed now */
	if (p->state == XEN_PORT_IPI)
		port_raise(v, port);
	else if (p->state == XEN_PORT_INTERDOMAIN && notify)
		notify(p->arg);
	else if (p->state != XEN_PORT_UNBOUND)
		return -XEN_EINVAL;
	return 0;
}

static int64_t port_unmask(struct vcpu *self, unsigned port)
{
	if (!port || port >= VMM_PORTS)
		return -XEN_EINVAL;
	struct vcpu *v = vm.vcpu[ports[port].vcpu];
	__atomic_fetch_and(&vm.shared->evtchn_mask[port / 64], ~(1ul << port % 64), __ATOMIC_SEQ_CST);
	if (bit_get(vm.shared->evtchn_pending, port) && select_raise(v, port) && v != self && v->started)
		vcpu_kick(v);
	return 0;
}

union event_arg {
	struct xen_bind_virq virq;
	struct xen_bind_ipi ipi;
	struct xen_bind_vcpu vcpu;
	struct xen_alloc_unbound unbound;
	struct xen_evtchn_status status;
	struct xen_evtchn_port port;
};

static int64_t event_locked(unsigned op, union event_arg *arg)
{
	switch (op) {
	case XEN_EVTCHN_BIND_VIRQ:
		return bind_virq(&arg->virq);
	case XEN_EVTCHN_BIND_IPI:
		return bind_ipi(&arg->ipi);
	case XEN_EVTCHN_BIND_VCPU:
		return bind_vcpu(&arg->vcpu);
	case XEN_EVTCHN_ALLOC_UNBOUND:
		return alloc_unbound(&arg->unbound);
	case XEN_EVTCHN_STATUS:
		return port_status(&arg->status);
	}
	return port_close(arg->port.port);
}

/* Bytes of the argument, by operation; 0: not offered. */
static const uint8_t event_size[] = {
	[XEN_EVTCHN_BIND_VIRQ] = sizeof(struct xen_bind_virq),
	[XEN_EVTCHN_CLOSE] = sizeof(struct xen_evtchn_port),
	[XEN_EVTCHN_SEND] = sizeof(struct xen_evtchn_port),
	[XEN_EVTCHN_STATUS] = sizeof(struct xen_evtchn_status),
	[XEN_EVTCHN_ALLOC_UNBOUND] = sizeof(struct xen_alloc_unbound),
	[XEN_EVTCHN_BIND_IPI] = sizeof(struct xen_bind_ipi),
	[XEN_EVTCHN_BIND_VCPU] = sizeof(struct xen_bind_vcpu),
	[XEN_EVTCHN_UNMASK] = sizeof(struct xen_evtchn_port),
};

int64_t call_event_channel_op(struct vcpu *v, const uint64_t a[6])
{
	union event_arg arg;
	if (a[0] >= sizeof event_size || !event_size[a[0]])
		return -XEN_ENOSYS;
	if (!guest_read(&arg, a[1], event_size[a[0]]))
		return -XEN_EFAULT;
	if (a[0] == XEN_EVTCHN_SEND)
		return port_send(v, arg.port.port);
	if (a[0] == XEN_EVTCHN_UNMASK)
		return port_unmask(v, arg.port.port);
	lock_take(&vm.lock);
	int64_t e = event_locked(a[0], &arg);
	lock_release(&vm.lock);
	if (!e && a[0] != XEN_EVTCHN_CLOSE && !guest_write(a[1], &arg, event_size[a[0]]))
		return -XEN_EFAULT;
	return e;
}
