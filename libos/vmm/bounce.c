/* Guest memory by guest addresses, and the frames by which the guest kernel is entered.
 *
 * A frame that cannot be pushed ends the guest: it has no stack left to be told so, the processor's
 * triple fault.
 */
#include "libos/vmm/run.h"

#define CS_KERNEL	(XEN_SEL_CS64 & ~3u)
#define RFLAGS_CLEARED	(RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC)

bool guest_range_ok(guest_va at, size_t n)
{
	uint64_t last = at + n - 1;
	if (!n)
		return true;
	if (last < at || !canonical(at) || !canonical(last))
		return false;
	return last < M2P_BASE || at >= EXO_MONITOR_END;
}

bool guest_read(void *to, guest_va from, size_t n)
{
	return guest_range_ok(from, n) && !guest_copy(to, (const void *)from, n);
}

bool guest_write(guest_va to, const void *from, size_t n)
{
	return guest_range_ok(to, n) && !guest_copy((void *)to, from, n);
}

static void enter(struct vcpu *v, struct upcall_regs *r, const struct gate *to, const uint64_t *extra,
	unsigned n)
{
	bool user = from_user(r);
	volatile struct xen_vcpu_info *info = v->info;
	uint64_t words[16], sp = (user ? v->kernel_sp : r->up.rsp) & ~15ul;
	uint64_t mask = info->mask, cs = user ? r->up.cs | 3 : r->up.cs & 0xfffc;
	uint64_t rflags = (r->up.rflags & ~RFLAGS_IF) | (mask ? 0 : RFLAGS_IF);
	memcpy(words, extra, n * sizeof *words);
	words[n] = r->up.rip;
	words[n + 1] = cs | mask << XEN_BOUNCE_MASK_SHIFT;
	words[n + 2] = rflags;
	words[n + 3] = r->up.rsp;
	words[n + 4] = r->up.ss;
	sp -= (n + 5) * sizeof *words;
	if (!to->address || !canonical(to->address))
		vcpu_crash(r, "it has no handler for an entry");
	if (!guest_write(sp, words, (n + 5) * sizeof *words))
		vcpu_crash(r, "its kernel stack at %lx cannot be written", sp);
	if (to->masks)
		info->mask = 1;
	r->up.info &= ~(uint64_t)EXO_INFO_FROM_U;
	r->up.rip = to->address;
	r->up.cs = XEN_SEL_CS64;
	r->up.ss = XEN_SEL_SS;
	r->up.rsp = sp;
	r->up.rflags &= ~RFLAGS_CLEARED;
}

void bounce(struct vcpu *v, struct upcall_regs *r, const struct gate *to)
{
	uint64_t extra[] = { r->rcx, r->r11 };
	enter(v, r, to, extra, ARRAY_LEN(extra));
}

void bounce_error(struct vcpu *v, struct upcall_regs *r, const struct gate *to, uint64_t error)
{
	uint64_t extra[] = { r->rcx, r->r11, error };
	enter(v, r, to, extra, ARRAY_LEN(extra));
}

/* A state for user code that cannot be loaded: the selectors DS, ES, FS, GS come with it. */
void bounce_failsafe(struct vcpu *v, struct upcall_regs *r)
{
	uint16_t ds, es, fs, gs;
	__asm__("mov %%ds, %0\nmov %%es, %1\nmov %%fs, %2\nmov %%gs, %3"
		: "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
	uint64_t extra[] = { r->rcx, r->r11, ds, es, fs, gs };
	enter(v, r, &v->failsafe_gate, extra, ARRAY_LEN(extra));
}
