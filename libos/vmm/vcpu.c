/* vCPUs: their contexts, what entry.S calls, and what happens before each return to the guest.
 *
 * A vCPU's context runs on its own upcall stack from the start: vcpu_begin leaves to the guest, and
 * whatever brings the monitor back comes in by the entry stubs.
 */
#include "libos/vmm/run.h"

_Static_assert(EXO_CALL_RESUME == CALL_RESUME && EXO_INFO_FROM_U == FROM_U &&
	EXO_INFO_SYSCALL == INFO_SYSCALL && XEN_IRET == 23 &&
	XEN_SEL_CS64 == 0xe033 && XEN_SEL_SS == 0xe02b, "entry.h");
#define AT(type, field, value) _Static_assert(offsetof(struct type, field) == (value), "entry.h")
AT(vcpu, info, VCPU_INFO);
AT(vcpu, kernel_sp, VCPU_KERNEL_SP);
AT(vcpu, syscall_short, VCPU_SYSCALL);
AT(vcpu, user_ready, VCPU_USER_READY);
AT(vcpu, pair, VCPU_PAIR);
AT(vcpu, base_of[XEN_BASE_GS_KERNEL], VCPU_GS);
AT(vcpu, fault_short, VCPU_FAULT);
AT(vcpu, count[STAT_SYSCALL], VCPU_COUNT);
AT(vcpu, count[STAT_FAULT], VCPU_COUNT + 16);
AT(vcpu, count[STAT_DIRECT], VCPU_COUNT + 24);
AT(xen_vcpu_info, cr2, INFO_CR2);
AT(vcpu, count[STAT_IRET_USER], VCPU_COUNT + 8);
AT(vcpu_place, vcpu, UPCALL_STACK_SIZE - VCPU_SPACE);
AT(vcpu_place, fast, UPCALL_STACK_SIZE - FAST_SPACE);
AT(fast, hypercall_trap, FAST_HYPERCALL);
AT(fast, iret_trap, FAST_IRET);
AT(fast, vcpus, FAST_VCPUS);
AT(fast, vcpu, FAST_VCPU);
AT(xen_bounce, ss, 48);
AT(xen_iret, flags, 24);
AT(exo_resume, root, 24);

struct vcpu_place vcpu_first __attribute__((section(".bss.upcall")));

#define STACK_PAGES	(UPCALL_STACK_SIZE / EXO_PAGE_SIZE)
#define RFLAGS_START	(RFLAGS_IF | 2)

/* ---- ends ------------------------------------------------------------------------------- */

static void registers_format(char *to, size_t n, const struct upcall_regs *r)
{
	snprintf(to, n, "rip %lx rsp %lx rflags %lx cs %lx ss %lx, %s\n"
		"  rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx rbp %lx r8 %lx\n"
		"  r9 %lx r10 %lx r11 %lx r12 %lx r13 %lx r14 %lx r15 %lx\n"
		"  trap %lx error %lx address %lx", r->up.rip, r->up.rsp, r->up.rflags, r->up.cs, r->up.ss,
		from_user(r) ? "user" : "kernel", r->rax, r->rbx, r->rcx, r->rdx, r->rsi, r->rdi, r->rbp,
		r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15,
		EXO_INFO_VECTOR(r->up.info), r->up.error, r->up.addr);
}

_Noreturn void vcpu_crash(const struct upcall_regs *r, const char *format, ...)
{
	char why[160], registers[512];
	va_list args;
	va_start(args, format);
	vsnprintf(why, sizeof why, format, args);
	va_end(args);
	registers_format(registers, sizeof registers, r);
	vm_end(VM_END_CRASH, "the guest crashed: %s\n  vCPU %u: %s", why, vcpu_of(r)->number, registers);
}

/* ---- ways in ---------------------------------------------------------------------------- */

static bool in_monitor(const struct upcall_regs *r)
{
	return !from_user(r) && r->up.rip >= (uint64_t)__text_lo && r->up.rip < (uint64_t)__text_hi;
}

/* The kernel refused the state that iret_short passed on, whose frame RSP points at. */
static void iret_refused(struct upcall_regs *r)
{
	uint64_t status = r->rax;
	hypercall_iret(vcpu_of(r), r);
	vcpu_resume_failed(r, status);
}

/* Only accesses to guest memory may fault. */
static void monitor_fault(struct upcall_regs *r)
{
	char registers[512];
	if (r->up.rip == (uint64_t)vmm_iret_refused) {
		iret_refused(r);
		return;
	}
	if (fast_rewind(vcpu_of(r), r))
		vcpu_crash(r, "its kernel stack at %lx cannot be used", r->up.rsp);
	r->mask = 1;
	for (const struct fixup *f = vmm_fixups; f < vmm_fixups_end; f++)
		if (r->up.rip >= f->from && r->up.rip < f->to) {
			r->up.rip = f->fix;
			return;
		}
	registers_format(registers, sizeof registers, r);
	vm_end(VM_END_BUG, "the monitor failed: vCPU %u: %s", vcpu_of(r)->number, registers);
}

void vcpu_on_exception(struct upcall_regs *r)
{
	struct vcpu *v = vcpu_of(r);
	if (in_monitor(r)) {
		monitor_fault(r);
		return;
	}
	guest_trap(v, r);
	vcpu_exit(v, r);
}

void vcpu_on_syscall(struct upcall_regs *r)
{
	struct vcpu *v = vcpu_of(r);
	if (!from_user(r)) {
		if (patch_on)
			patch_site(v, r);
		hypercall(v, r);
	} else if (v->syscall_gate.address) {
		stat_count(v, STAT_SYSCALL);
		r->rcx = r->up.rip;
		r->r11 = r->up.rflags;
		bounce(v, r, &v->syscall_gate);
		r->up.rflags &= ~RFLAGS_DF;
	} else {
		r->up.rip -= 2;
		guest_fault(v, r, VECTOR_UD, 0);
	}
	vcpu_exit(v, r);
}

/* From fast.S. */
void vcpu_on_hypercall(struct upcall_regs *r)
{
	struct vcpu *v = vcpu_of(r);
	hypercall(v, r);
	vcpu_exit(v, r);
}

uint64_t vcpu_events_take(struct vcpu *v)
{
	v->pair[0] = 0;
	return __atomic_exchange_n(&v->control->events, 0, __ATOMIC_SEQ_CST);
}

/* A kick needs nothing done: the exit looks. */
void vcpu_events(struct vcpu *v, uint64_t bits)
{
	if (bits & EXO_EV_TIMER)
		timer_fired(v);
	if (bits & EXO_EV_SLICE_START)
		io_yield();
}

void vcpu_on_event(struct upcall_regs *r)
{
	struct vcpu *v = vcpu_of(r);
	fast_rewind(v, r);
	stat_count(v, STAT_EVENT);
	vcpu_events(v, vcpu_events_take(v));
	vcpu_exit(v, r);
}

void vcpu_exit(struct vcpu *v, struct upcall_regs *r)
{
	if (event_ready(v)) {
		stat_count(v, STAT_CALLBACK);
		bounce(v, r, &v->event_gate);
	}
	if (from_user(r) && !v->user_ready && user_prepare(v))
		vcpu_crash(r, "its user root cannot be used with its kernel root");
}

/* The kernel refuses a state for user code: the guest kernel is told so. */
void vcpu_resume_failed(struct upcall_regs *r, uint64_t status)
{
	struct vcpu *v = vcpu_of(r);
	if (status % 256 != EXO_ARG || !v->failsafe_gate.address)
		vcpu_crash(r, "its user state cannot be loaded: %s", exo_status_text(status));
	bounce_failsafe(v, r);
	vcpu_exit(v, r);
}

/* ---- contexts --------------------------------------------------------------------------- */

void vcpu_kick(struct vcpu *v)
{
	exo_event_signal(v->event, VCPU_KICK);
}

void vcpu_info_reset(volatile struct xen_vcpu_info *info)
{
	info->pending = 0;
	info->pending_sel = 0;
	info->mask = 1;
	time_start(info);
}

/* Aligned to its size, within a run of frames; what is left of the run goes back.  NULL: no room. */
static struct vcpu_place *place_new(void)
{
	const unsigned run = 2 * STACK_PAGES - 1;
	uint64_t first = frame_alloc_run(run);
	if (!first)
		return NULL;
	uint64_t base = (first + STACK_PAGES - 1) & -(uint64_t)STACK_PAGES;
	if (base > first)
		frame_free_run(first, base - first);
	if (first + run > base + STACK_PAGES)
		frame_free_run(base + STACK_PAGES, first + run - base - STACK_PAGES);
	return physmap_page(base);
}

static void control_fill(struct vcpu *v, struct exo_control *c)
{
	upcall_init(upcall_base_of(v), c, NULL, NULL);
	v->control = c;
	v->pair = &c->pending;
	c->mask = 1;
	c->stack_hi = (uint64_t)v;
	c->resume_lo = (uint64_t)vmm_resume_lo;
	c->resume_hi = (uint64_t)vmm_resume_hi;
	c->restart = (uint64_t)vmm_restart;
	c->mask_on = 1ul << EXO_UP_EXCEPTION | 1ul << EXO_UP_SYSCALL;
	c->entry[EXO_UP_EXCEPTION] = (uint64_t)vmm_enter_exception;
	c->entry[EXO_UP_SYSCALL] = (uint64_t)vmm_enter_syscall;
	c->entry[EXO_UP_EVENT] = (uint64_t)vmm_enter_event;
}

/* In whose unused slots it runs: several guests, and a guest's vCPUs, share the CPUs out. */
static uint64_t cpu_home(const struct vcpu *v)
{
	static struct exo_domain_info self;
	if (!self.id)
		exo_domain_info(0, &self);
	return (self.id + v->number) % start_page->cpus;
}

int vcpu_make(struct vcpu *v)
{
	uint64_t trap_pfn, object = frame_take(), save = frame_alloc();
	struct exo_control *control = page_new(&v->control_pfn);
	v->trap = page_new(&trap_pfn);
	v->scratch = page_new(&v->scratch_pfn);
	if (!object || !save || !control || !v->trap || !v->scratch)
		return -XEN_ENOMEM;
	control_fill(v, control);
	struct exo_result c = exo_context_create(0, object, v->control_pfn, save, cpu_home(v),
		EXO_SLOT_ANY);
	if (c.status)
		return -XEN_ENOMEM;
	v->context = c.value;
	c = exo_event_create(EXO_SLOT_ANY, v->context, VCPU_KICK);
	v->event = c.value;
	exo_context_ctl(v->context, EXO_CTX_ROUTE, (uint64_t)__text_lo, (uint64_t)__text_hi, 0);
	exo_context_ctl(v->context, EXO_CTX_WARN, 0, 1, 0);	/* SLICE_START, for io_yield */
	v->made = !c.status;
	return v->made ? 0 : -XEN_ENOMEM;
}

/* Where the first registers on its stack lie. */
static struct upcall_regs *top_of(struct vcpu *v)
{
	return (struct upcall_regs *)v - 1;
}

/* The context's first instructions. */
_Noreturn void vcpu_begin(struct vcpu *v)
{
	struct upcall_regs *r = top_of(v);
	*r = v->start;
	segments_start(v);
	runstate_set(v, XEN_RUNNING);
	vcpu_exit(v, r);
	vmm_leave(r);
}

void vcpu_start(struct vcpu *v)
{
	uint64_t status = exo_context_ctl(v->context, EXO_CTX_ROOTS, v->root_k, 0, 0).status;
	v->started = v->up = true;
	v->user_ready = v->paired = false;
	if (!status)
		status = exo_context_ctl(v->context, EXO_CTX_START, (uint64_t)vcpu_begin,
			(uint64_t)top_of(v) - 8, (uint64_t)v).status;
	if (status)
		vm_end(VM_END_BUG, "vCPU %u cannot start: %s", v->number, exo_status_text(status));
}

static struct vcpu *vcpu_new(unsigned number)
{
	struct vcpu_place *place = number ? place_new() : &vcpu_first;
	if (!place)
		vm_refuse("too little memory for its vCPU %u", number);
	struct vcpu *v = &place->vcpu;
	memset(v, 0, sizeof *v);
	v->number = number;
	v->info = &vm.shared->vcpu_info[number];
	v->cr0 = 0x80050033;
	v->cr4 = 0x620;			/* PAE, OSFXSR, OSXMMEXCPT */
	vcpu_info_reset(v->info);
	return v;
}

void vm_run(const struct vm_start *start)
{
	notes_init(start->root);
	vm.vcpus = vm.opt.vcpus;
	wallclock_start();
	for (unsigned i = 0; i < vm.vcpus; i++)
		vm.vcpu[i] = vcpu_new(i);
	patch_init();
	struct vcpu *v = vm.vcpu[0];
	if (vcpu_make(v) || roots_set(v, start->root, 0))
		vm_refuse("too little memory for its first vCPU");
	v->start.rsi = start->start_info;
	v->start.up = (struct exo_upcall){ .rip = start->entry, .rsp = start->stack, .cs = XEN_SEL_CS64,
		.ss = XEN_SEL_SS, .rflags = RFLAGS_START };
	vcpu_start(v);
}

/* register_vcpu_info: what was in the old place goes along, and a look is forced. */
int64_t vcpu_info_move(struct vcpu *v, uint64_t mfn, uint64_t offset)
{
	volatile struct xen_vcpu_info *old = v->info;
	if (v->info_moved || offset > EXO_PAGE_SIZE - sizeof *old || offset & 7 || !ram_has(mfn))
		return -XEN_EINVAL;
	uint8_t *page = ram_share(mfn);
	if (!page)
		return -XEN_EINVAL;
	struct xen_vcpu_info *info = (struct xen_vcpu_info *)(page + offset);
	memcpy(info, (const void *)old, sizeof *info);
	info->pending_sel = ~0ul;
	__atomic_store_n(&info->pending, 1, __ATOMIC_SEQ_CST);
	v->info = info;
	v->info_moved = true;
	return 0;
}
