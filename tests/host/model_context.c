/* Contexts on the model's CPUs: their registers, and the roots that are loaded with them. */
#include <string.h>
#include "tests/host/model_cpu.h"

struct exo_regs *arch_current_regs(void) { return &cpus[here].regs; }
void arch_swap_gs(void) { }
void arch_segment_base(unsigned op, uint64_t base)
{
	uint64_t *bases[] = { &cpus[here].regs.fs_base, &cpus[here].regs.gs_base, &cpus[here].regs.kgs_base };

	*bases[op] = base;
}
void arch_tls_load(const uint64_t tls[4]) { memcpy(cpus[here].tls, tls, sizeof cpus[here].tls); }
const uint64_t *model_tls(unsigned cpu) { return cpus[cpu].tls; }

void arch_context_save(struct context *x)
{
	cpus[here].regs.in_user = x->in_user;
	memcpy(context_regs(x), &cpus[here].regs, sizeof(struct exo_regs));
}

bool arch_frame_sanitize(struct exo_regs *r)
{
	uint64_t cs = (r->cs & 0xffff) | 3, ss = (r->ss & 0xffff) | 3;

	if ((cs != 0x33 && cs != 0x23) || ss != 0x2b || (r->rip >> 47 && r->rip >> 47 != 0x1ffff))
		return false;
	r->cs = cs;
	r->ss = ss;
	r->rflags = (r->rflags & 0x240dd5) | 0x202;
	return true;
}

bool arch_root_load(struct context *x)
{
	struct cpu *c = this_cpu();
	uint32_t pfn = x->in_user ? x->root_u : x->root_k;

	c->root_claim = pfn;
	if (!root_loadable(x->domain, pfn)) {
		c->root_claim = c->root;
		return false;
	}
	if (c->root != pfn) {
		model_root_loads++;
		flush_all(&cpus[here]);
	}
	c->root = pfn;
	return true;
}

bool arch_context_load(struct context *x)
{
	struct exo_regs copy = *context_regs(x);

	if (!arch_frame_sanitize(&copy) || !arch_root_load(x))
		return false;
	cpus[here].regs = copy;
	return true;
}

void arch_hand_over(struct cpu *c, struct context *from, struct context *x, uint64_t rip, uint64_t rsp)
{
	struct exo_regs *r = &cpus[here].regs, *s = context_regs(x), saved = *context_regs(from);

	CHECK(arch_root_load(x), "its root may be loaded");
	memcpy(&saved.rip, &r->rip, sizeof saved - offsetof(struct exo_regs, rip));
	saved.rax = EXO_OK;
	CHECK(c == this_cpu() && c->current == from, "who calls");
	*context_regs(from) = saved;
	r->rip = rip;
	r->rsp = rsp;
	r->rflags = 0x202;
	memcpy(&r->fs_base, &s->fs_base, 3 * sizeof r->fs_base);
}

void arch_burden_load(struct context *x) { model_burdens += this_cpu()->current == x; }

void arch_context_unload(void)
{
	flush_all(&cpus[here]);
	this_cpu()->root = this_cpu()->root_claim = 0;
}

void arch_context_reset(struct context *x)
{
	struct exo_regs *r = context_regs(x);

	memset(r, 0, EXO_PAGE_SIZE);
	r->cs = EXO_CS64;
	r->ss = EXO_SS;
	r->rflags = 0x202;
}
