/* The frame of a signal handler on the user's stack, exactly Linux's struct rt_sigframe, and
 * rt_sigreturn; the alternate stack.
 *
 * From the highest address: the red zone, the XSAVE image (64-aligned, with Linux's magic words),
 * siginfo, ucontext, the return address.
 */
#include "libos/posix/signal.h"
#include "libos/posix/syscall.h"

#define RED_ZONE	128
#define XSAVE_HEADER	512
#define XSAVE_LEGACY	3ul		/* x87 and SSE */
#define FLAGS_USER	0x50dd5ul	/* AC OF DF TF SF ZF AF PF CF RF */
#define FLAGS_FIXED	0x202ul

/* ---- alternate stack --------------------------------------------------------------- */

static bool on_alt(const struct thread *t, uint64_t sp)
{
	return t->alt_size && !(t->alt_flags & SS_AUTODISARM) && sp > t->alt_sp &&
		sp - t->alt_sp <= t->alt_size;
}

static struct sigaltstack alt_state(const struct thread *t)
{
	uint32_t flags = !t->alt_size ? SS_DISABLE : on_alt(t, t->regs->up.rsp) ? SS_ONSTACK : 0;
	return (struct sigaltstack){ .sp = t->alt_sp, .size = t->alt_size,
		.flags = flags | (t->alt_flags & SS_AUTODISARM) };
}

static long alt_set(struct thread *t, const struct sigaltstack *s)
{
	uint32_t mode = s->flags & ~SS_AUTODISARM;
	if (on_alt(t, t->regs->up.rsp))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode)
		return -EINVAL;
	if (mode != SS_DISABLE && s->size < MINSIGSTKSZ)
		return -ENOMEM;
	t->alt_sp = mode == SS_DISABLE ? 0 : s->sp;
	t->alt_size = mode == SS_DISABLE ? 0 : s->size;
	t->alt_flags = s->flags;
	return 0;
}

CALL2(sigaltstack, new, old)
{
	struct thread *t = this_thread();
	struct sigaltstack s, before = alt_state(t);
	if (new && copy_from_user(&s, new, sizeof s))
		return -EFAULT;
	long error = new ? alt_set(t, &s) : 0;
	if (!error && old)
		error = copy_to_user(old, &before, sizeof before);
	return error;
}

/* ---- extended state ------------------------------------------------------------------ */

static int xstate_push(uint64_t at)
{
	struct fpx_sw_bytes sw = { FP_XSTATE_MAGIC1, (uint32_t)xsave_size + 4, xsave_mask,
		(uint32_t)xsave_size, { 0 } };
	uint32_t magic2 = FP_XSTATE_MAGIC2;
	uint64_t present;
	if (!user_ok(at, xsave_size + 4) || clear_user(at + XSAVE_HEADER, 64) ||
	    user_xsave(at, xsave_mask) || copy_from_user(&present, at + XSAVE_HEADER, 8))
		return -EFAULT;
	present |= XSAVE_LEGACY;
	return copy_to_user(at + XSAVE_HEADER, &present, 8) ||
		copy_to_user(at + FPX_SW_OFFSET, &sw, sizeof sw) ||
		copy_to_user(at + xsave_size, &magic2, 4) ? -EFAULT : 0;
}

/* From a user image, or the initial state (at = 0).  The libOS's copy is what is loaded: the
 * user could change the image meanwhile. */
static int xstate_pop(struct thread *t, uint64_t at)
{
	struct fpx_sw_bytes sw;
	uint32_t magic2 = 0;
	memset(t->xstate, 0, xsave_size);
	if (at) {
		if (copy_from_user(t->xstate, at, XSAVE_HEADER))
			return -EFAULT;
		memcpy(&sw, t->xstate + FPX_SW_OFFSET, sizeof sw);
		if (sw.magic1 == FP_XSTATE_MAGIC1 && sw.xstate_size == xsave_size &&
		    !copy_from_user(&magic2, at + xsave_size, 4) && magic2 == FP_XSTATE_MAGIC2) {
			if (copy_from_user(t->xstate + XSAVE_HEADER, at + XSAVE_HEADER,
					xsave_size - XSAVE_HEADER))
				return -EFAULT;
			*(uint64_t *)(t->xstate + XSAVE_HEADER) &= xsave_mask;
		} else {
			*(uint64_t *)(t->xstate + XSAVE_HEADER) = XSAVE_LEGACY;
		}
	} else {
		*(uint16_t *)t->xstate = 0x37f;
		*(uint32_t *)(t->xstate + 24) = 0x1f80;
	}
	return user_xrstor((uint64_t)t->xstate, xsave_mask) ? -EFAULT : 0;
}

/* ---- the frame -------------------------------------------------------------------------- */

static void context_fill(struct sigcontext *c, const struct regs *r)
{
	*c = (struct sigcontext){
		.r8 = r->r8, .r9 = r->r9, .r10 = r->r10, .r11 = r->r11, .r12 = r->r12, .r13 = r->r13,
		.r14 = r->r14, .r15 = r->r15, .rdi = r->rdi, .rsi = r->rsi, .rbp = r->rbp,
		.rbx = r->rbx, .rdx = r->rdx, .rax = r->rax, .rcx = r->rcx, .rsp = r->up.rsp,
		.rip = r->up.rip, .rflags = r->up.rflags, .cs = EXO_CS64, .ss = EXO_SS,
	};
	if (EXO_INFO_VECTOR(r->up.info) < 32) {
		c->vector = EXO_INFO_VECTOR(r->up.info);
		c->error = r->up.error;
		c->cr2 = c->vector == VECTOR_PAGE ? r->up.addr : 0;
	}
}

static uint64_t frame_place(struct thread *t, struct regs *r, const struct sigaction *a,
	uint64_t *xstate)
{
	uint64_t sp = r->up.rsp - RED_ZONE;
	if (a->flags & SA_ONSTACK && t->alt_size && !on_alt(t, r->up.rsp))
		sp = t->alt_sp + t->alt_size;
	sp = (sp - xsave_size - 4) & ~63ul;
	*xstate = sp;
	return ((sp - sizeof(struct rt_sigframe)) & ~15ul) - 8;
}

bool sigframe_push(struct regs *r, const struct siginfo *info, const struct sigaction *a)
{
	struct thread *t = this_thread();
	uint64_t xstate, at = frame_place(t, r, a, &xstate);
	struct rt_sigframe f = { .restorer = a->restorer, .info = *info,
		.uc = { .flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
			.stack = alt_state(t),
			.sigmask = t->restore_blocked ? t->saved_blocked : t->blocked } };
	context_fill(&f.uc.mcontext, r);
	f.uc.mcontext.oldmask = f.uc.sigmask;
	f.uc.mcontext.fpstate = xstate;
	f.uc.stack.pad = 0;
	if (a->handler >= USER_END || (on_alt(t, r->up.rsp) && !on_alt(t, at)))
		return false;
	if (xstate_push(xstate) || copy_to_user(at, &f, sizeof f))
		return false;
	if (t->alt_flags & SS_AUTODISARM && a->flags & SA_ONSTACK)
		t->alt_sp = t->alt_size = t->alt_flags = 0;
	r->rdi = (uint64_t)info->signo;
	r->rsi = at + offsetof(struct rt_sigframe, info);
	r->rdx = at + offsetof(struct rt_sigframe, uc);
	r->rax = 0;
	r->up.rip = a->handler;
	r->up.rsp = at;
	r->up.rflags &= ~0x10500ul;		/* DF TF RF */
	r->call = -1;
	return true;
}

static void context_load(const struct sigcontext *c, struct regs *r)
{
	r->r8 = c->r8;
	r->r9 = c->r9;
	r->r10 = c->r10;
	r->r11 = c->r11;
	r->r12 = c->r12;
	r->r13 = c->r13;
	r->r14 = c->r14;
	r->r15 = c->r15;
	r->rdi = c->rdi;
	r->rsi = c->rsi;
	r->rbp = c->rbp;
	r->rbx = c->rbx;
	r->rdx = c->rdx;
	r->rax = c->rax;
	r->rcx = c->rcx;
	r->up.rsp = c->rsp;
	r->up.rip = c->rip;
	r->up.rflags = (c->rflags & FLAGS_USER) | FLAGS_FIXED;
}

CALL0(rt_sigreturn)
{
	struct thread *t = this_thread();
	struct regs *r = t->regs;
	struct rt_sigframe f;
	r->call = -1;
	work_set(t, WORK_REGS);
	if (copy_from_user(&f, r->up.rsp - 8, sizeof f) || f.uc.mcontext.rip >= USER_END ||
	    xstate_pop(t, f.uc.mcontext.fpstate)) {
		signal_force(t, &(struct siginfo){ .signo = SIG_SEGV, .code = SI_KERNEL });
		return 0;
	}
	context_load(&f.uc.mcontext, r);
	signal_mask_set(t, f.uc.sigmask);
	alt_set(t, &f.uc.stack);
	return (long)r->rax;
}
