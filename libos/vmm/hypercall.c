/* The table of hypercalls, and those that belong to no other subject: multicall, iret, version,
 * memory_op, grant_table_op, callbacks, console_io.
 *
 * docs/vmm.md's table of hypercalls is made of CALLS (tools/hypercalls): one line each.
 */
#include "libos/vmm/run.h"

struct call {
	const char *name;
	hypercall_fn *fn;		/* NULL: -ENOSYS */
	const char *note;
};

#define CALL(number, text, handler, note) [number] = { text, handler, note },
static const struct call calls[XEN_CALLS] = {
	CALL(XEN_SET_TRAP_TABLE, "set_trap_table", call_set_trap_table, "the code selector is ignored")
	CALL(XEN_MMU_UPDATE, "mmu_update", call_mmu_update, "normal, machphys, preserve A/D; own domain")
	CALL(XEN_SET_GDT, "set_gdt", call_set_gdt, "recorded; descriptors 12-15 are loaded")
	CALL(XEN_STACK_SWITCH, "stack_switch", call_stack_switch, "")
	CALL(XEN_SET_CALLBACKS, "set_callbacks", call_set_callbacks, "")
	CALL(XEN_FPU_TASKSWITCH, "fpu_taskswitch", call_fpu_taskswitch, "recorded only: no #NM comes of it")
	CALL(XEN_SCHED_OP_COMPAT, "sched_op_compat", NULL, "older than sched_op")
	CALL(XEN_PLATFORM_OP, "platform_op", NULL, "dom0's")
	CALL(XEN_SET_DEBUGREG, "set_debugreg", call_set_debugreg, "recorded only")
	CALL(XEN_GET_DEBUGREG, "get_debugreg", call_get_debugreg, "")
	CALL(XEN_UPDATE_DESCRIPTOR, "update_descriptor", call_update_descriptor, "written; 12-15 are loaded")
	CALL(XEN_MEMORY_OP, "memory_op", call_memory_op, "map, M2P, sizes; no ballooning")
	CALL(XEN_MULTICALL, "multicall", call_multicall, "")
	CALL(XEN_UPDATE_VA_MAPPING, "update_va_mapping", call_update_va_mapping, "")
	CALL(XEN_SET_TIMER_OP, "set_timer_op", call_set_timer_op, "")
	CALL(XEN_EVENT_CHANNEL_OP_COMPAT, "event_channel_op_compat", NULL, "older than event_channel_op")
	CALL(XEN_VERSION, "xen_version", call_xen_version, "")
	CALL(XEN_CONSOLE_IO, "console_io", call_console_io, "write; read finds nothing")
	CALL(XEN_PHYSDEV_OP_COMPAT, "physdev_op_compat", NULL, "no physical devices")
	CALL(XEN_GRANT_TABLE_OP, "grant_table_op", call_grant_table_op, "version 1: setup, size, version")
	CALL(XEN_VM_ASSIST, "vm_assist", call_vm_assist, "what is so anyway; no run-state flag")
	CALL(XEN_UPDATE_VA_MAPPING_OTHERDOMAIN, "update_va_mapping_otherdomain", NULL, "one domain")
	CALL(XEN_IRET, "iret", NULL, "not in a multicall")
	CALL(XEN_VCPU_OP, "vcpu_op", call_vcpu_op, "no NMI, physical id, time area")
	CALL(XEN_SET_SEGMENT_BASE, "set_segment_base", call_set_segment_base, "")
	CALL(XEN_MMUEXT_OP, "mmuext_op", call_mmuext_op, "no LDT")
	CALL(XEN_XSM_OP, "xsm_op", NULL, "dom0's")
	CALL(XEN_NMI_OP, "nmi_op", NULL, "no NMI")
	CALL(XEN_SCHED_OP, "sched_op", call_sched_op, "yield, block, shutdown, poll; no suspend")
	CALL(XEN_CALLBACK_OP, "callback_op", call_callback_op, "event, failsafe, syscall")
	CALL(XEN_XENOPROF_OP, "xenoprof_op", NULL, "no profiling")
	CALL(XEN_EVENT_CHANNEL_OP, "event_channel_op", call_event_channel_op, "two-level ABI, own domain; no PIRQs, reset, FIFO")
	CALL(XEN_PHYSDEV_OP, "physdev_op", call_physdev_op, "set_iopl, without effect; no physical devices")
	CALL(XEN_HVM_OP, "hvm_op", NULL, "HVM guests'")
	CALL(XEN_SYSCTL, "sysctl", NULL, "dom0's")
	CALL(XEN_DOMCTL, "domctl", NULL, "dom0's")
	CALL(XEN_KEXEC_OP, "kexec_op", NULL, "dom0's")
	CALL(XEN_TMEM_OP, "tmem_op", NULL, "withdrawn from Xen")
	CALL(XEN_ARGO_OP, "argo_op", NULL, "one domain")
	CALL(XEN_XENPMU_OP, "xenpmu_op", NULL, "no virtual PMU")
	CALL(XEN_DM_OP, "dm_op", NULL, "HVM guests'")
};
#undef CALL

/* ---- dispatch --------------------------------------------------------------------------- */

/* Said once each (those above 63 share the last bit): a guest that goes on without it is fine. */
static void unknown(uint64_t number)
{
	static uint64_t said;
	uint64_t bit = 1ul << (number < XEN_CALLS ? number : XEN_CALLS - 1);
	char text[64];
	if (__atomic_fetch_or(&said, bit, __ATOMIC_RELAXED) & bit)
		return;
	if (number >= XEN_CALLS || !calls[number].name)
		console_raw(text, snprintf(text, sizeof text, "vmm: unknown hypercall %lu\n", number));
}

const char *hypercall_name(unsigned number)
{
	return number < XEN_CALLS && calls[number].name ? calls[number].name : "unknown";
}

static int64_t call_one(struct vcpu *v, uint64_t number, const uint64_t a[6])
{
	if (number < XEN_CALLS && calls[number].fn)
		return calls[number].fn(v, a);
	unknown(number);
	return -XEN_ENOSYS;
}

void hypercall(struct vcpu *v, struct upcall_regs *r)
{
	if (r->rax == XEN_IRET) {
		hypercall_iret(v, r);
		return;
	}
	stat_count(v, STAT_HYPERCALL);
	uint64_t number = r->rax, a[6] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };
	if (number < XEN_CALLS)
		v->calls[number]++;
	r->rax = call_one(v, number, a);
}

#define MULTICALL_MAX	1024u

int64_t call_multicall(struct vcpu *v, const uint64_t a[6])
{
	struct gather g;
	int64_t e = a[1] > MULTICALL_MAX ? -XEN_EINVAL : 0;
	gather_start(&g, v);
	for (uint64_t i = 0; !e && i < a[1]; i++) {
		struct xen_multicall m;
		guest_va at = a[0] + i * sizeof m;
		if (!guest_read(&m, at, sizeof m)) {
			e = -XEN_EFAULT;
			break;
		}
		if (m.op < XEN_CALLS)
			v->calls[m.op]++;
		at += offsetof(struct xen_multicall, result);
		if (gather_take(&g, &m, at)) {
			m.result = 0;
		} else {
			gather_run(&g);
			m.result = m.op == XEN_MULTICALL ? -XEN_EINVAL : call_one(v, m.op, m.args);
		}
		if (!guest_write(at, &m.result, sizeof m.result))
			e = -XEN_EFAULT;
	}
	gather_run(&g);
	return e;
}

/* ---- iret --------------------------------------------------------------------------------- */

/* To guest user if CS says so, else to guest kernel; what must not be chosen is not looked at. */
void hypercall_iret(struct vcpu *v, struct upcall_regs *r)
{
	struct xen_iret f;
	if (!guest_read(&f, r->up.rsp, sizeof f))
		vcpu_crash(r, "its iret frame cannot be read");
	bool user = (f.cs & 3) == 3;
	stat_count(v, user ? STAT_IRET_USER : STAT_IRET_KERNEL);
	if (user ? !v->root_u : !canonical(f.rip))
		vcpu_crash(r, "iret to %lx: %s", f.rip, user ? "there is no user root" : "not an address");
	r->rax = f.rax;
	r->rcx = f.rcx;
	r->r11 = f.r11;
	r->up.rip = f.rip;
	r->up.rsp = f.rsp;
	r->up.rflags = f.rflags | RFLAGS_IF;
	v->info->mask = !(f.rflags & RFLAGS_IF);
	if (user) {
		r->up.info |= EXO_INFO_FROM_U;
		r->up.cs = f.cs & 0xffff;
		r->up.ss = f.ss & 0xffff;
	} else {
		r->up.cs = XEN_SEL_CS64;
		r->up.ss = XEN_SEL_SS;
		r->up.rflags &= ~(RFLAGS_NT | RFLAGS_RF);
	}
}

/* ---- version ------------------------------------------------------------------------------- */

#define FEATURES (1u << XEN_FEAT_PGDIR_ABOVE_4GB | 1u << XEN_FEAT_PRESERVE_AD | \
	1u << XEN_FEAT_HIGHMEM | 1u << XEN_FEAT_GNTTAB_AVAIL_BITS)

static int64_t features(guest_va arg)
{
	struct xen_feature_info f;
	if (!guest_read(&f, arg, sizeof f))
		return -XEN_EFAULT;
	f.submap = f.submap_index ? 0 : FEATURES;
	return guest_write(arg, &f, sizeof f) ? 0 : -XEN_EFAULT;
}

static int64_t text_to(guest_va arg, const char *text, size_t size)
{
	char buffer[64] = { 0 };
	text_copy(buffer, text, sizeof buffer);
	if (size > sizeof buffer)
		size = sizeof buffer;
	return guest_write(arg, buffer, size) ? 0 : -XEN_EFAULT;
}

int64_t call_xen_version(struct vcpu *v, const uint64_t a[6])
{
	(void)v;
	static const struct xen_compile_info compile = { "gcc", "virtue", "virtue", "" };
	switch (a[0]) {
	case XEN_VERSION_NUMBER:
		return XEN_VERSION_MAJOR << 16 | XEN_VERSION_MINOR;
	case XEN_VERSION_EXTRA:
		return text_to(a[1], ".0-virtue", XEN_EXTRAVERSION_SIZE);
	case XEN_VERSION_COMPILE:
		return guest_write(a[1], &compile, sizeof compile) ? 0 : -XEN_EFAULT;
	case XEN_VERSION_CAPABILITIES:
		return text_to(a[1], "xen-3.0-x86_64 ", XEN_CAPABILITIES_SIZE);
	case XEN_VERSION_CHANGESET:
		return text_to(a[1], "", XEN_CHANGESET_SIZE);
	case XEN_VERSION_PLATFORM: {
		uint64_t start = M2P_BASE;
		return guest_write(a[1], &start, sizeof start) ? 0 : -XEN_EFAULT;
	}
	case XEN_VERSION_FEATURES:
		return features(a[1]);
	case XEN_VERSION_PAGESIZE:
		return EXO_PAGE_SIZE;
	case XEN_VERSION_HANDLE: {
		uint8_t handle[16] = { 0 };
		return guest_write(a[1], handle, sizeof handle) ? 0 : -XEN_EFAULT;
	}
	}
	return -XEN_ENOSYS;
}

/* Writable page tables work always (they are emulated), as do wide roots. */
int64_t call_vm_assist(struct vcpu *v, const uint64_t a[6])
{
	(void)v;
	return a[1] == XEN_ASSIST_WRITABLE_PT || a[1] == XEN_ASSIST_PAE_CR3 || a[1] == XEN_ASSIST_4GB ?
		0 : -XEN_EINVAL;
}

/* ---- memory_op ----------------------------------------------------------------------------- */

static int64_t memory_map(guest_va arg)
{
	struct xen_memory_map map;
	struct xen_e820 ram = { 0, vm.pages * EXO_PAGE_SIZE, XEN_E820_RAM };
	if (!guest_read(&map, arg, sizeof map))
		return -XEN_EFAULT;
	if (!map.entries)
		return -XEN_EINVAL;
	map.entries = 1;
	return guest_write(map.buffer, &ram, sizeof ram) && guest_write(arg, &map, sizeof map) ?
		0 : -XEN_EFAULT;
}

int64_t call_memory_op(struct vcpu *v, const uint64_t a[6])
{
	(void)v;
	struct xen_m2p_mapping m2p = { M2P_BASE, M2P_BASE + (1ul << 39), (1ul << 36) - 1 };
	switch (a[0]) {
	case XEN_MEM_MAX_PAGE:
		return vm.mfn_hi;
	case XEN_MEM_CURRENT:
	case XEN_MEM_MAXIMUM:
		return vm.pages;
	case XEN_MEM_MAP:
		return memory_map(a[1]);
	case XEN_MEM_M2P:
		return guest_write(a[1], &m2p, sizeof m2p) ? 0 : -XEN_EFAULT;
	}
	return -XEN_ENOSYS;
}

/* ---- grant_table_op -------------------------------------------------------------------------- */

static int64_t grant_op_setup(guest_va arg)
{
	struct xen_grant_setup s;
	uint64_t mfn[GRANT_FRAMES];
	if (!guest_read(&s, arg, sizeof s))
		return -XEN_EFAULT;
	if (s.dom != XEN_DOMID_SELF)
		s.status = XEN_GRANT_BAD_DOMAIN;
	else if (s.frames > GRANT_FRAMES || grant_setup(s.frames, mfn))
		s.status = XEN_GRANT_ERROR;
	else if (!guest_write(s.list, mfn, s.frames * sizeof *mfn))
		return -XEN_EFAULT;
	else
		s.status = XEN_GRANT_OKAY;
	return guest_write(arg, &s, sizeof s) ? 0 : -XEN_EFAULT;
}

static int64_t grant_op_size(guest_va arg)
{
	struct xen_grant_query q;
	if (!guest_read(&q, arg, sizeof q))
		return -XEN_EFAULT;
	q.frames = grant_size();
	q.max_frames = GRANT_FRAMES;
	q.status = q.dom == XEN_DOMID_SELF ? XEN_GRANT_OKAY : XEN_GRANT_BAD_DOMAIN;
	return guest_write(arg, &q, sizeof q) ? 0 : -XEN_EFAULT;
}

static int64_t grant_op_version(unsigned op, guest_va arg)
{
	struct xen_grant_get_version g;
	struct xen_grant_set_version s;
	if (op == XEN_GRANT_SET_VERSION) {
		if (!guest_read(&s, arg, sizeof s))
			return -XEN_EFAULT;
		return s.version == 1 ? 0 : -XEN_ENOSYS;
	}
	if (!guest_read(&g, arg, sizeof g))
		return -XEN_EFAULT;
	g.version = 1;
	return guest_write(arg, &g, sizeof g) ? 0 : -XEN_EFAULT;
}

int64_t call_grant_table_op(struct vcpu *v, const uint64_t a[6])
{
	(void)v;
	if (a[2] != 1)
		return a[2] ? -XEN_EINVAL : 0;
	switch (a[0]) {
	case XEN_GRANT_SETUP:
		return grant_op_setup(a[1]);
	case XEN_GRANT_QUERY_SIZE:
		return grant_op_size(a[1]);
	case XEN_GRANT_SET_VERSION:
	case XEN_GRANT_GET_VERSION:
		return grant_op_version(a[0], a[1]);
	}
	return -XEN_ENOSYS;
}

/* ---- physdev_op -------------------------------------------------------------------------------- */

/* Ports are emulated for the guest kernel whatever its I/O privilege level. */
int64_t call_physdev_op(struct vcpu *v, const uint64_t a[6])
{
	(void)v;
	return a[0] == XEN_PHYSDEV_SET_IOPL ? 0 : -XEN_ENOSYS;
}

/* ---- callbacks, console ----------------------------------------------------------------------- */

static int64_t callback_set(struct vcpu *v, unsigned type, guest_va address, unsigned flags)
{
	struct gate gate = { address, 0, flags & XEN_CALLBACK_MASKS };
	if (!canonical(address))
		return -XEN_EINVAL;
	switch (type) {
	case XEN_CALLBACK_EVENT:
		gate.masks = true;	/* events always do */
		v->event_gate = gate;
		return 0;
	case XEN_CALLBACK_FAILSAFE:
		v->failsafe_gate = gate;
		return 0;
	case XEN_CALLBACK_SYSCALL:
		v->syscall_gate = gate;
		v->syscall_short = gate.masks ? address : 0;
		return 0;
	}
	return -XEN_ENOSYS;
}

int64_t call_callback_op(struct vcpu *v, const uint64_t a[6])
{
	struct xen_callback_register c;
	struct xen_callback_unregister u;
	if (a[0] == XEN_CALLBACK_REGISTER)
		return guest_read(&c, a[1], sizeof c) ? callback_set(v, c.type, c.address, c.flags) :
			-XEN_EFAULT;
	if (a[0] == XEN_CALLBACK_UNREGISTER)
		return guest_read(&u, a[1], sizeof u) ? callback_set(v, u.type, 0, 0) : -XEN_EFAULT;
	return -XEN_ENOSYS;
}

/* The call before callback_op: event, failsafe, syscall. */
int64_t call_set_callbacks(struct vcpu *v, const uint64_t a[6])
{
	for (unsigned type = XEN_CALLBACK_EVENT; type <= XEN_CALLBACK_SYSCALL; type++)
		if (!canonical(a[type]))
			return -XEN_EINVAL;
	for (unsigned type = XEN_CALLBACK_EVENT; type <= XEN_CALLBACK_SYSCALL; type++)
		callback_set(v, type, a[type], 0);
	return 0;
}

int64_t call_console_io(struct vcpu *v, const uint64_t a[6])
{
	(void)v;
	char text[128];
	if (a[0] != XEN_CONSOLE_WRITE)
		return a[0] == XEN_CONSOLE_READ ? 0 : -XEN_ENOSYS;
	for (uint64_t done = 0, n; done < a[1]; done += n) {
		n = a[1] - done < sizeof text ? a[1] - done : sizeof text;
		if (!guest_read(text, a[2] + done, n))
			return -XEN_EFAULT;
		console_raw(text, n);
	}
	return 0;
}
