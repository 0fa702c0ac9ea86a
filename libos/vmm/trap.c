/* Exceptions of the guest: what the monitor carries out itself (emulate.c), and the rest, which goes
 * to the guest's virtual IDT.
 */
#include "libos/vmm/run.h"

#define PF_WRITE_PROTECTED	3u	/* the page is there, the access a write */
#define PF_USER			4u
#define ERROR_IDT		2u	/* of #GP: the vector's gate could not be used */
#define ERROR_VECTORS	(1ul << 8 | 1ul << 10 | 1ul << 11 | 1ul << 12 | 1ul << 13 | 1ul << 14 | \
	1ul << 17 | 1ul << 21)
#define INT_LENGTH	2u

void guest_fault(struct vcpu *v, struct upcall_regs *r, unsigned vector, uint64_t error)
{
	const struct gate *g = &v->trap[vector];
	if (!g->address)
		vcpu_crash(r, "exception %u, error %lx, address %lx, and it has no handler", vector, error,
			r->up.addr);
	stat_count(v, vector == VECTOR_PF ? STAT_FAULT : STAT_EXCEPTION);
	if (vector == VECTOR_DB)
		v->dr[6] |= r->up.rflags & RFLAGS_TF ? 0x4000 : 0;
	if (ERROR_VECTORS >> vector & 1)
		bounce_error(v, r, g, error);
	else
		bounce(v, r, g);
}

/* INT n: the kernel's IDT has no gate for it, the guest's may. */
static bool software_interrupt(struct vcpu *v, struct upcall_regs *r)
{
	uint8_t code[INT_LENGTH];
	if (!(r->up.error & ERROR_IDT) || !guest_read(code, r->up.rip, sizeof code) || code[0] != 0xcd)
		return false;
	const struct gate *g = &v->trap[code[1]];
	if (!g->address || (from_user(r) && g->dpl < 3))
		return false;
	stat_count(v, STAT_EXCEPTION);
	r->up.rip += INT_LENGTH;
	bounce(v, r, g);
	return true;
}

static bool carried_out(struct vcpu *v, struct upcall_regs *r, unsigned vector)
{
	if (vector == VECTOR_GP && software_interrupt(v, r))
		return true;
	if (from_user(r))
		return false;
	switch (vector) {
	case VECTOR_PF:
		return (r->up.error & PF_WRITE_PROTECTED) == PF_WRITE_PROTECTED && emulate_store(v, r);
	case VECTOR_GP:
		return emulate_privileged(v, r);
	case VECTOR_UD:
		return emulate_cpuid(v, r);
	}
	return false;
}

/* Guest kernel code runs in ring 3 as well: its faults are not a user's. */
void guest_trap(struct vcpu *v, struct upcall_regs *r)
{
	unsigned vector = EXO_INFO_VECTOR(r->up.info);
	uint64_t error = r->up.error;
	if (carried_out(v, r, vector))
		return;
	if (vector == VECTOR_PF) {
		v->info->cr2 = r->up.addr;
		if (!from_user(r))
			error &= ~(uint64_t)PF_USER;
	}
	guest_fault(v, r, vector, error);
}

/* ---- the virtual IDT ------------------------------------------------------------------------ */

void gate_set(struct vcpu *v, const struct xen_trap_info *t)
{
	struct gate g = { t->address, XEN_TRAP_DPL(t->flags), t->flags & XEN_TRAP_MASKS };
	v->trap[t->vector] = g;
	if (t->vector == VECTOR_PF)
		v->fault_short = g.masks ? g.address : 0;
}

int64_t call_set_trap_table(struct vcpu *v, const uint64_t a[6])
{
	for (unsigned i = 0; !a[0] && i < VECTORS; i++)
		gate_set(v, &(struct xen_trap_info){ .vector = i });
	for (uint64_t at = a[0]; a[0]; at += sizeof(struct xen_trap_info)) {
		struct xen_trap_info t;
		if (!guest_read(&t, at, sizeof t))
			return -XEN_EFAULT;
		if (!t.address)
			break;
		if (!canonical(t.address))
			return -XEN_EINVAL;
		gate_set(v, &t);
	}
	return 0;
}

int64_t call_stack_switch(struct vcpu *v, const uint64_t a[6])
{
	v->kernel_sp = a[1];
	return 0;
}
