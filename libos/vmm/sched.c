/* sched_op and vcpu_op: waiting, ending, the guest's other vCPUs, and its account of run states.
 *
 * A vCPU waits in the kernel with its event mask set: the predicate is its own event word, so
 * that nothing has to interrupt the wait and nothing is lost before it.
 */
#include "libos/vmm/run.h"

/* ---- waiting ---------------------------------------------------------------------------- */

static void wait_event(struct vcpu *v, uint64_t deadline)
{
	struct wait w;
	wait_start(&w);
	wait_term(&w, (v->control_pfn << EXO_PAGE_SHIFT) + offsetof(struct exo_control, events), 0,
		EXO_NE, 0);
	exo_wait(&w.p, deadline, 0);
	vcpu_events(v, vcpu_events_take(v));
}

void runstate_set(struct vcpu *v, unsigned state)
{
	uint64_t now = time_now();
	struct xen_runstate_info *s = &v->state;
	s->time[s->state & 3] += now - s->entry_time;
	s->entry_time = now;
	s->state = state;
	if (v->runstate)
		guest_write(v->runstate, s, sizeof *s);
}

static void block(struct vcpu *v)
{
	v->info->mask = 0;
	stat_count(v, STAT_BLOCK);
	if (v->info->pending)
		return;
	runstate_set(v, XEN_BLOCKED);
	while (!v->info->pending)
		wait_event(v, EXO_FOREVER);
	runstate_set(v, XEN_RUNNING);
}

#define POLL_PORTS	128u

static bool any_pending(const uint32_t *port, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (__atomic_load_n(&vm.shared->evtchn_pending[port[i] / 64], __ATOMIC_SEQ_CST) >>
		    port[i] % 64 & 1)
			return true;
	return false;
}

/* Until one of some ports is pending, masked or not. */
static int64_t poll(struct vcpu *v, guest_va arg)
{
	struct xen_sched_poll p;
	uint32_t port[POLL_PORTS];
	if (!guest_read(&p, arg, sizeof p) || p.count > POLL_PORTS ||
	    !guest_read(port, p.ports, p.count * sizeof *port))
		return -XEN_EFAULT;
	for (unsigned i = 0; i < p.count; i++)
		if (port[i] >= XEN_PORTS)
			return -XEN_EINVAL;
	uint64_t deadline = p.timeout ? p.timeout : EXO_FOREVER;
	__atomic_store_n(&v->polling, true, __ATOMIC_SEQ_CST);
	runstate_set(v, XEN_BLOCKED);
	while (!any_pending(port, p.count) && !event_ready(v) && time_now() < deadline)
		wait_event(v, deadline);
	runstate_set(v, XEN_RUNNING);
	v->polling = false;
	return 0;
}

static int64_t shutdown(guest_va arg)
{
	struct xen_sched_shutdown s;
	if (!guest_read(&s, arg, sizeof s))
		return -XEN_EFAULT;
	switch (s.reason) {
	case XEN_SHUTDOWN_POWEROFF:
		vm_end(VM_END_POWEROFF, "%s", "");
	case XEN_SHUTDOWN_REBOOT:
		vm_end(VM_END_REBOOT, "%s", "");
	case XEN_SHUTDOWN_CRASH:
		vm_end(VM_END_CRASH, "the guest reports that it crashed");
	}
	return -XEN_ENOSYS;
}

int64_t call_sched_op(struct vcpu *v, const uint64_t a[6])
{
	switch (a[0]) {
	case XEN_SCHED_YIELD:
		exo_yield(0);
		return 0;
	case XEN_SCHED_BLOCK:
		block(v);
		return 0;
	case XEN_SCHED_SHUTDOWN:
		return shutdown(a[1]);
	case XEN_SCHED_POLL:
		return poll(v, a[1]);
	}
	return -XEN_ENOSYS;
}

/* ---- vCPUs -------------------------------------------------------------------------------- */

static void gates_load(struct vcpu *v, const struct xen_vcpu_context *c)
{
	for (unsigned i = 0; i < VECTORS; i++) {
		struct xen_trap_info t = c->trap[i];
		t.vector = i;
		gate_set(v, &t);
	}
	v->event_gate = (struct gate){ c->event_callback, 0, true };
	v->failsafe_gate = (struct gate){ c->failsafe_callback, 0, c->flags & XEN_CONTEXT_FAILSAFE_MASKS };
	v->syscall_gate = (struct gate){ c->syscall_callback, 0, c->flags & XEN_CONTEXT_SYSCALL_MASKS };
	v->syscall_short = v->syscall_gate.masks ? c->syscall_callback : 0;
}

static void registers_load(struct upcall_regs *r, const struct xen_user_regs *u)
{
	*r = (struct upcall_regs){
		.r15 = u->r15, .r14 = u->r14, .r13 = u->r13, .r12 = u->r12, .rbp = u->rbp, .rbx = u->rbx,
		.r11 = u->r11, .r10 = u->r10, .r9 = u->r9, .r8 = u->r8, .rax = u->rax, .rcx = u->rcx,
		.rdx = u->rdx, .rsi = u->rsi, .rdi = u->rdi,
		.up = { .rip = u->rip, .cs = XEN_SEL_CS64, .ss = XEN_SEL_SS, .rsp = u->rsp,
			.rflags = (u->rflags & ~(RFLAGS_NT | RFLAGS_RF)) | RFLAGS_IF | 2 } };
}

static int64_t initialise_from(struct vcpu *v, const struct xen_vcpu_context *c)
{
	int64_t e;
	if (!canonical(c->regs.rip) || !canonical(c->fs_base) || !canonical(c->gs_base_kernel) ||
	    !canonical(c->gs_base_user) || !(c->flags & XEN_CONTEXT_IN_KERNEL))
		return -XEN_EINVAL;
	if ((e = roots_set(v, c->cr[3] >> EXO_PAGE_SHIFT, 0)) ||
	    (c->cr[1] && (e = root_user_set(v, c->cr[1] >> EXO_PAGE_SHIFT))) || (e = vcpu_make(v)))
		return e;
	gates_load(v, c);
	registers_load(&v->start, &c->regs);
	v->kernel_sp = c->kernel_sp;
	v->start_fs = c->fs_base;
	v->start_gs = c->gs_base_kernel;
	v->start_gs_user = c->gs_base_user;
	if (c->gdt_entries <= 512 * ARRAY_LEN(v->gdt))
		gdt_set(v, c->gdt_frame, c->gdt_entries);
	return 0;
}

static int64_t initialise(struct vcpu *v, guest_va arg)
{
	uint64_t pfn;
	_Static_assert(sizeof(struct xen_vcpu_context) <= 2 * EXO_PAGE_SIZE, "two frames");
	if (v->made)
		return -XEN_EEXIST;
	if (!(pfn = frame_alloc_run(2)))
		return -XEN_ENOMEM;
	struct xen_vcpu_context *c = physmap_page(pfn);
	int64_t e = guest_read(c, arg, sizeof *c) ? initialise_from(v, c) : -XEN_EFAULT;
	frame_free_run(pfn, 2);
	return e;
}

static int64_t up(struct vcpu *v)
{
	if (!v->made)
		return -XEN_EINVAL;
	if (v->up)
		return 0;
	v->up = true;
	if (v->started)
		vcpu_kick(v);
	else
		vcpu_start(v);
	return 0;
}

/* Until another vCPU lets it go on. */
static int64_t down(struct vcpu *self, struct vcpu *v)
{
	if (v != self)
		return v->up ? -XEN_EOPNOTSUPP : 0;
	v->up = false;
	runstate_set(v, XEN_OFFLINE);
	while (!v->up)
		wait_event(v, EXO_FOREVER);
	runstate_set(v, XEN_RUNNING);
	return 0;
}

static int64_t register_runstate(struct vcpu *v, guest_va arg)
{
	struct xen_register_area area;
	if (!guest_read(&area, arg, sizeof area) || !guest_range_ok(area.address, sizeof v->state))
		return -XEN_EFAULT;
	v->runstate = area.address;
	return guest_write(v->runstate, &v->state, sizeof v->state) ? 0 : -XEN_EFAULT;
}

static int64_t register_info(struct vcpu *v, guest_va arg)
{
	struct xen_register_info info;
	return guest_read(&info, arg, sizeof info) ? vcpu_info_move(v, info.mfn, info.offset) : -XEN_EFAULT;
}

static int64_t singleshot(struct vcpu *v, guest_va arg)
{
	struct xen_set_singleshot s;
	if (!guest_read(&s, arg, sizeof s))
		return -XEN_EFAULT;
	if (s.flags & XEN_SINGLESHOT_FUTURE && s.when < time_now())
		return -XEN_ETIME;
	v->deadline = s.when ? s.when : 1;
	timer_arm(v);
	return 0;
}

#define PERIOD_MAX	(1ul << 62)

static int64_t periodic(struct vcpu *v, guest_va arg)
{
	struct xen_set_periodic p;
	if (!guest_read(&p, arg, sizeof p))
		return -XEN_EFAULT;
	if (p.period < NS_PER_MS || p.period > PERIOD_MAX)
		return -XEN_EINVAL;
	v->period = p.period;
	timer_arm(v);
	return 0;
}

/* Timers are those of the calling context. */
static int64_t timer_op(struct vcpu *v, unsigned op, guest_va arg)
{
	switch (op) {
	case XEN_VCPU_SET_PERIODIC:
		return periodic(v, arg);
	case XEN_VCPU_SET_SINGLESHOT:
		return singleshot(v, arg);
	case XEN_VCPU_STOP_PERIODIC:
		v->period = 0;
		break;
	case XEN_VCPU_STOP_SINGLESHOT:
		v->deadline = 0;
		break;
	}
	timer_arm(v);
	return 0;
}

int64_t call_vcpu_op(struct vcpu *self, const uint64_t a[6])
{
	if (a[1] >= vm.vcpus)
		return -XEN_ENOENT;
	struct vcpu *v = vm.vcpu[a[1]];
	switch (a[0]) {
	case XEN_VCPU_INITIALISE:
		return initialise(v, a[2]);
	case XEN_VCPU_UP:
		return up(v);
	case XEN_VCPU_DOWN:
		return down(self, v);
	case XEN_VCPU_IS_UP:
		return v->up;
	case XEN_VCPU_GET_RUNSTATE:
		return guest_write(a[2], &v->state, sizeof v->state) ? 0 : -XEN_EFAULT;
	case XEN_VCPU_REGISTER_RUNSTATE:
		return register_runstate(v, a[2]);
	case XEN_VCPU_REGISTER_INFO:
		return register_info(v, a[2]);
	case XEN_VCPU_SET_PERIODIC:
	case XEN_VCPU_STOP_PERIODIC:
	case XEN_VCPU_SET_SINGLESHOT:
	case XEN_VCPU_STOP_SINGLESHOT:
		if (v == self)
			return timer_op(v, a[0], a[2]);
		return a[0] == XEN_VCPU_STOP_PERIODIC && !v->period ? 0 : -XEN_EINVAL;
	}
	return -XEN_ENOSYS;
}
