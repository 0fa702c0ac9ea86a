/* A context's registers, extended state, segment bases and root: onto a CPU and off it.
 *
 * The save area is a page of the libOS: it is copied once, then checked; whatever in it
 * cannot be loaded ends the context, never the kernel.
 */
#include "exo/arch/machine.h"

#define RFLAGS_USER	0x240dd5ul	/* CF PF AF ZF SF TF DF OF AC ID: what user code may set */
#define RFLAGS_FORCED	0x202ul		/* IF: interrupts are the kernel's */
#define MXCSR_INIT	0x1f80u

uint32_t xsave_size;
static uint8_t xsave_initial[4096] __attribute__((aligned(64)));

static void xsetbv(uint32_t mask)
{
	__asm__ volatile("xsetbv" : : "c"(0), "a"(mask), "d"(0));
}

/* x87, SSE, AVX, AVX-512, PKRU: those the CPU has, in order, as far as the save area holds them. */
static void xsave_init(void)
{
	static const uint32_t steps[] = { 0x3, 0x4, 0xe0, 0x200 };
	uint32_t have = cpuid(0xd, 0).a, mask = 0;
	for (unsigned i = 0; i < 4; i++) {
		if ((have & steps[i]) != steps[i])
			continue;
		xsetbv(mask | steps[i]);
		if (cpuid(0xd, 0).b > EXO_PAGE_SIZE - EXO_SAVE_XSTATE)
			break;
		mask |= steps[i];
	}
	xsetbv(mask);
	xsave_size = cpuid(0xd, 0).b;
	*(uint32_t *)(xsave_initial + 24) = MXCSR_INIT;
}

void switch_init_cpu(void)
{
	xsave_init();
	uint64_t stub = (uint64_t)this_cpu() - PERCPU_CPU;
	wrmsr(0xc0000081, 0x0023ul << 48 | 0x0010ul << 32);	/* STAR */
	wrmsr(0xc0000082, stub);				/* LSTAR */
	wrmsr(0xc0000083, (uint64_t)compat_stub);		/* CSTAR */
	wrmsr(0xc0000084, 0x00054700ul);	/* FMASK: TF IF DF NT RF AC */
	wrmsr(0xc0000080, rdmsr(0xc0000080) | 1);		/* EFER.SCE */
}

/* Once each. */
static inline void words_copy(void *to, const void *from, size_t n)
{
	__asm__ volatile("rep movsq" : "+c"(n), "+D"(to), "+S"(from) : : "memory");
}

static void xsave(void *area)
{
	__asm__ volatile("xsave64 %0" : "+m"(*(uint8_t *)area) : "a"(~0u), "d"(~0u) : "memory");
}

/* What cannot be loaded is loaded as at the start. */
static void xrstor(const void *area)
{
	__asm__ volatile("1: xrstor64 %0\n"
		"2:\n"
		".pushsection .text.fixup, \"ax\"\n"
		"3: xrstor64 %1\n"
		"jmp 2b\n"
		".popsection\n"
		".pushsection __ex_table, \"a\"\n.quad 1b, 3b\n.popsection\n"
		: : "m"(*(const uint8_t *)area), "m"(xsave_initial), "a"(~0u), "d"(~0u) : "memory");
}

/* Both GS bases are the user's; "gs" is the active one. */
static void bases_save(struct exo_regs *s)
{
	s->fs_base = rdmsr(MSR_FS_BASE);
	s->gs_base = rdmsr(MSR_GS_BASE);
	s->kgs_base = rdmsr(MSR_KGS_BASE);
	__asm__ volatile("mov %%ds, %0" : "=m"(s->ds));
	__asm__ volatile("mov %%es, %0" : "=m"(s->es));
	__asm__ volatile("mov %%fs, %0" : "=m"(s->fs));
	__asm__ volatile("mov %%gs, %0" : "=m"(s->gs));
}

/* One that faults is loaded as 0. */
#define LOAD_SELECTOR(reg, value) ({ \
	uint32_t v_ = (value); \
	__asm__ volatile("1: mov %w0, %%" reg "\n2:\n" \
		".pushsection .text.fixup, \"ax\"\n" \
		"3: xor %k0, %k0\n mov %w0, %%" reg "\n jmp 2b\n.popsection\n" \
		".pushsection __ex_table, \"a\"\n.quad 1b, 3b\n.popsection\n" \
		: "+r"(v_)); })

static void base_load(uint32_t msr, uint64_t base) { wrmsr(msr, user_canonical(base) ? base : 0); }

/* Loading FS or GS changes its base, so bases come last.  Returns KGS', which is read once. */
static uint64_t bases_load(volatile const struct exo_regs *r)
{
	uint64_t kgs = r->kgs_base;
	LOAD_SELECTOR("ds", r->ds);
	LOAD_SELECTOR("es", r->es);
	LOAD_SELECTOR("fs", r->fs);
	LOAD_SELECTOR("gs", r->gs);
	base_load(MSR_FS_BASE, r->fs_base);
	base_load(MSR_GS_BASE, r->gs_base);
	base_load(MSR_KGS_BASE, kgs);
	return kgs;
}

/* One that faults is loaded as 0. */
static inline void bases_quick(uint64_t fs, uint64_t gs)
{
	__asm__ volatile("1: wrfsbase %0\n2: wrgsbase %1\n"
		".pushsection .text.fixup, \"ax\"\n"
		"3: xor %k0, %k0\n jmp 1b\n4: xor %k1, %k1\n jmp 2b\n.popsection\n"
		".pushsection __ex_table, \"a\"\n.quad 1b, 3b, 2b, 4b\n.popsection\n" : "+r"(fs), "+r"(gs));
}

static void segments_load(struct context *x, volatile const struct exo_regs *r)
{
	arch_tls_load(x->tls);
	ports_load(cpu_arch(this_cpu()), domain_at(x->domain));
	if (bases_load(r) || !(cpu_features_abi & EXO_FEATURE_FSGSBASE))
		x->burden = x->id;
}

void arch_burden_load(struct context *x) { segments_load(x, context_regs(x)); }

void arch_context_save(struct context *x)
{
	struct exo_regs *s = context_regs(x), *r = arch_current_regs();
	words_copy(s, r, TRAP_FRAME / 8);
	bases_save(s);
	s->in_user = x->in_user;
	xsave((uint8_t *)s + EXO_SAVE_XSTATE);
}

/* User code may run with these selectors only; the kernel forces RPL 3.  32-bit code has
 * addresses below 4 GiB: IRETQ would fault. */
static bool selectors_sanitize(struct exo_regs *r)
{
	r->cs = (r->cs & 0xffff) | 3;
	r->ss = (r->ss & 0xffff) | 3;
	if (r->ss != 0x2b && r->ss != 0xe02b)
		return false;
	if (r->cs == 0x23 || r->cs == 0xe023)
		return r->rip <= UINT32_MAX;
	return r->cs == 0x33 || r->cs == 0xe033;
}

bool arch_frame_sanitize(struct exo_regs *r)
{
	if ((r->cs != EXO_CS64_SEL || r->ss != EXO_SS_SEL) && !selectors_sanitize(r))
		return false;
	if (!user_canonical(r->rip))
		return false;
	r->rflags = (r->rflags & RFLAGS_USER) | RFLAGS_FORCED;
	return true;
}

bool arch_context_load(struct context *x)
{
	struct exo_regs *s = context_regs(x), *r = arch_current_regs();
	struct exo_regs copy;
	words_copy(&copy, s, sizeof copy / 8);
	if (!arch_frame_sanitize(&copy) || !arch_root_load(x))
		return false;
	words_copy(r, &copy, TRAP_FRAME / 8);
	segments_load(x, &copy);
	xrstor((uint8_t *)s + EXO_SAVE_XSTATE);
	return true;
}

static void cr3_load(struct cpu *c, uint64_t pfn)
{
	c->flushed = flush_clock;	/* read before the flush that it stands for */
	WRITE_CR(3, pfn << EXO_PAGE_SHIFT);
	c->root_claim = c->root = pfn;
}

/* With the lock held, so that nothing untypes the root meanwhile. */
void arch_hand_over(struct cpu *c, struct context *from, struct context *x, uint64_t rip,
	uint64_t rsp)
{
	struct exo_regs *s = context_regs(from), *t = context_regs(x), *r = CPU_REGS(c);
	if (RARE(from->burden != x->burden)) {
		bases_save(s);
	} else {
		__asm__ volatile("rdfsbase %0\n rdgsbase %1" : "=r"(s->fs_base), "=r"(s->gs_base));
		bases_quick(t->fs_base, t->gs_base);
	}
	xsave((uint8_t *)s + EXO_SAVE_XSTATE);
	xrstor((uint8_t *)t + EXO_SAVE_XSTATE);
	if (c->root != x->root_k)
		cr3_load(c, x->root_k);
	c->route_lo = x->route_lo;
	c->route_hi = x->route_hi;
	s->rax = EXO_OK;
	s->rip = r->rip;
	s->cs = EXO_CS64_SEL;
	s->rflags = r->rflags;
	s->rsp = r->rsp;
	s->ss = EXO_SS_SEL;
	s->in_user = 0;
	r->rip = rip;
	r->rflags = RFLAGS_FORCED;
	r->rsp = rsp;
}

/* Straight from the way in, as few instructions as there may be: all in one function, whose frame no
 * backtrace needs. */
__attribute__((flatten, hot, optimize("omit-frame-pointer"))) uint64_t switch_gate(struct cpu *c)
{
	return gate_call(c, (struct call *)&CPU_REGS(c)->r11);
}

void arch_context_reset(struct context *x)
{
	struct exo_regs *s = context_regs(x);
	page_zero(s);
	s->cs = EXO_CS64_SEL;
	s->ss = EXO_SS_SEL;
	s->rflags = RFLAGS_FORCED;
	*(uint32_t *)((uint8_t *)s + EXO_SAVE_XSTATE + 24) = MXCSR_INIT;
}

/* The claim makes the check safe without the lock: see root_loadable. */
__attribute__((hot)) bool arch_root_load(struct context *x)
{
	struct cpu *c = this_cpu();
	uint32_t pfn = x->in_user ? x->root_u : x->root_k;
	if (c->root != pfn || !root_loadable(x->domain, pfn)) {	/* another's: the frame changed hands */
		c->root_claim = pfn;
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (!root_loadable(x->domain, pfn)) {
			c->root_claim = c->root;
			return false;
		}
		cr3_load(c, pfn);
		trace(EXO_TR_SWITCH, 0, pfn, 0);
	}
	c->route_lo = x->in_user ? 0 : x->route_lo;
	c->route_hi = x->in_user ? 0 : x->route_hi;
	return true;
}

/* The GS base of the other class of root becomes the active one. */
void arch_swap_gs(void)
{
	__asm__ volatile("swapgs" : : : "memory");
}

void arch_context_unload(void)
{
	struct cpu *c = this_cpu();
	if (!c->root)
		return;
	cr3_load(c, kernel_root);
	c->root = 0;
	c->root_claim = 0;
}

void arch_segment_base(unsigned op, uint64_t base)
{
	static const uint32_t msr[] = { MSR_FS_BASE, MSR_GS_BASE, MSR_KGS_BASE };
	wrmsr(msr[op], base);
}
