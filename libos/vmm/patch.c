/* Hot hypercall sites of the guest kernel are rewritten into calls of the monitor (fast.S): then
 * a hypercall costs no crossing beyond what it asks of the kernel.  The idea is from X-Containers
 * (ASPLOS'19), and from Xen's own hypercall page.  The image file stays as it is.
 *
 * A site is known by its bytes when it first traps: Linux has one for all hypercalls and one for
 * iret.  The monitor is too far for a near jump, so one goes by 14 bytes of the padding (INT3)
 * that ends some function nearby.  What does not look exactly like this is left alone.
 *
 * What may stand in the middle of a site when it changes: a hypercall's changes as a whole, so
 * that must be before the guest has a handler for events, when nothing can stand there but the
 * call that has trapped.  Of iret's only the first instruction changes.  Both while one vCPU runs.
 */
#include "libos/vmm/run.h"

#define SEEN		61u		/* sites that were looked at and left alone */
#define NEAR_PAGES	256u
#define INT3		0xcc
#define JUMP_SIZE	14u		/* jmp *0(%rip) and its pointer */

/* push rcx, r11; syscall; pop r11, rcx; and ret, for a copy of it */
static const uint8_t hypercall_code[] = { 0x51, 0x41, 0x53, 0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3 };
#define HYPERCALL_SIZE	8u
#define HYPERCALL_TRAPS	5u		/* where RIP is in it */
static const uint8_t iret_code[] = { 0xb8, XEN_IRET, 0, 0, 0, 0x0f, 0x05 };	/* mov, syscall */

bool patch_on;

void patch_init(void)
{
	bool found = vm.vcpus == 1 || start_page->features & EXO_FEATURE_FSGSBASE;
	for (unsigned i = 0; i < vm.vcpus; i++)
		vcpu_first.fast.vcpu[i] = vm.vcpu[i];
	vcpu_first.fast.vcpus = vm.vcpus;
	patch_on = vm.opt.patch && found;
}

/* ---- the guest's text ----------------------------------------------------------------------- */

/* Within a page, whatever the guest's tables allow itself. */
static bool poke(struct vcpu *v, uint64_t va, const uint8_t *bytes, size_t n)
{
	uint64_t entry = mmu_walk(v->root_k, va, 1);
	uint64_t e = entry ? *(const volatile uint64_t *)(RAM_BASE + entry) : 0;
	if (!(e & EXO_PTE_P) || !ram_has(PTE_PFN(e)) || va % EXO_PAGE_SIZE + n > EXO_PAGE_SIZE)
		return false;
	memcpy(v->scratch, bytes, n);
	return !exo_frame_copy(0, (e & EXO_PTE_FRAME) + va % EXO_PAGE_SIZE, 0,
		v->scratch_pfn << EXO_PAGE_SHIFT, n, 0).status;
}

/* JUMP_SIZE bytes up to the next function, in this page; 0: none. */
static uint64_t padding_in(struct vcpu *v, uint64_t page)
{
	const uint8_t *code = (const uint8_t *)v->scratch;
	if (!guest_read(v->scratch, page, EXO_PAGE_SIZE))
		return 0;
	for (unsigned end = 16; end <= EXO_PAGE_SIZE; end += 16) {
		unsigned n = 0;
		while (n < JUMP_SIZE && code[end - 1 - n] == INT3)
			n++;
		if (n == JUMP_SIZE)
			return page + end - JUMP_SIZE;
	}
	return 0;
}

static uint64_t padding_near(struct vcpu *v, uint64_t va)
{
	uint64_t page = va & -EXO_PAGE_SIZE, at = 0;
	for (uint64_t i = 0; !at && i < NEAR_PAGES; i++)
		if (!(at = padding_in(v, page + i * EXO_PAGE_SIZE)))
			at = padding_in(v, page - i * EXO_PAGE_SIZE);
	return at;
}

/* Writes code into some padding nearby: where; 0: not possible. */
static uint64_t padding_use(struct vcpu *v, uint64_t near, const uint8_t *code, size_t n)
{
	uint64_t at = padding_near(v, near);
	return at && poke(v, at, code, n) ? at : 0;
}

/* Writes a CALL or JMP (opcode) to `target`, by a jump in some padding, and what follows it. */
static bool site_change(struct vcpu *v, uint64_t site, uint8_t opcode, const char *target,
	const char *rest, size_t rest_size)
{
	uint8_t jump[JUMP_SIZE] = { 0xff, 0x25 }, code[8] = { opcode };
	uint64_t to = (uint64_t)target, at;
	memcpy(jump + 6, &to, sizeof to);
	if (!(at = padding_use(v, site, jump, sizeof jump)))
		return false;
	int32_t distance = at - (site + 5);
	memcpy(code + 1, &distance, sizeof distance);
	memcpy(code + 5, rest, rest_size);
	return poke(v, site, code, 5 + rest_size);
}

/* ---- sites ---------------------------------------------------------------------------------- */

static bool is_code(uint64_t site, const uint8_t *code, size_t n)
{
	uint8_t there[8];
	return guest_read(there, site, n) && !memcmp(there, code, n);
}

/* The call under way goes on behind the site, as its last two instructions would. */
static void patch_hypercall(struct vcpu *v, struct upcall_regs *r)
{
	uint64_t site = r->up.rip - HYPERCALL_TRAPS, saved[2];
	if (v->event_gate.address || !is_code(site, hypercall_code, HYPERCALL_SIZE) ||
	    !guest_read(saved, r->up.rsp, sizeof saved))
		return;
	vcpu_first.fast.hypercall_trap = padding_use(v, site, hypercall_code, sizeof hypercall_code);
	if (!vcpu_first.fast.hypercall_trap || !site_change(v, site, 0xe8, fast_hypercall, "\x0f\x1f\x00", 3))
		return;
	r->r11 = saved[0];
	r->rcx = saved[1];
	r->up.rsp += sizeof saved;
	r->up.rip = site + HYPERCALL_SIZE;
}

/* Behind the jump its last instruction is still there. */
static void patch_iret(struct vcpu *v, struct upcall_regs *r)
{
	uint64_t site = r->up.rip - sizeof iret_code;
	vcpu_first.fast.iret_trap = r->up.rip - 2;
	if (is_code(site, iret_code, sizeof iret_code))
		site_change(v, site, 0xe9, fast_iret, "", 0);
}

void patch_site(struct vcpu *v, struct upcall_regs *r)
{
	static uint64_t seen[SEEN];
	unsigned up = 0;
	if (seen[r->up.rip % SEEN] == r->up.rip)
		return;
	seen[r->up.rip % SEEN] = r->up.rip;
	for (unsigned i = 0; i < vm.vcpus; i++)
		up += vm.vcpu[i]->up;
	if (up > 1)
		return;
	if (r->rax == XEN_IRET)
		patch_iret(v, r);
	else
		patch_hypercall(v, r);
}

/* ---- events in fast.S ----------------------------------------------------------------------- */

bool fast_rewind(struct vcpu *v, struct upcall_regs *r)
{
	const uint64_t *sp = (const uint64_t *)r->up.rsp;
	uint64_t at = r->up.rip - (uint64_t)fast_hypercall;
	if (from_user(r))
		return false;
	if (r->up.rip >= (uint64_t)fast_iret && r->up.rip < (uint64_t)fast_iret_masked) {
		hypercall_iret(v, r);
		return true;
	}
	if (at >= (uint64_t)(fast_hypercall_masked - fast_hypercall))
		return false;
	if (at >= 4)
		r->r11 = *sp++;
	if (at >= 2)
		r->rcx = *sp++;
	if (at >= 1)
		r->rax = *sp++;
	r->up.rip = *sp++ - 5;
	r->up.rsp = (uint64_t)sp;
	return true;
}
