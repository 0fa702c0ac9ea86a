/* Ways back: the range that an event makes start anew, and what a resume does not do. */
#include "tests/host/test.h"

#define STACK	(WINDOW + 0x8000)

static struct exo_control *control(void) { return context_control(this_cpu()->current); }
static struct exo_regs *regs(void) { return arch_current_regs(); }

static uint64_t event_at(uint64_t rip)
{
	control()->entry[EXO_UP_EVENT] = 0x3000;
	control()->stack_lo = STACK;
	control()->stack_hi = STACK + 0x1000;
	control()->resume_lo = 0x700;
	control()->resume_hi = 0x800;
	control()->restart = 0x900;
	control()->pending = 1;
	control()->mask = 0;
	regs()->rip = rip;
	regs()->rsp = 0x5555;
	CALL0(NULL);
	CHECK(control()->mask == 1, "masked");
	return regs()->rip;
}

TEST(resume_ranges_begin_and_end)
{
	CHECK(event_at(0x6ff) == 0x3000, "before it");
	CHECK(event_at(0x700) == 0x900 && regs()->rsp == 0x5555, "its first");
	CHECK(event_at(0x7ff) == 0x900, "its last");
	CHECK(event_at(0x800) == 0x3000, "behind it");
	this_cpu()->current->in_user = 1;
	CHECK(event_at(0x700) == 0x3000, "not in the U root");
	CHECK(!this_cpu()->current->in_user, "from where an upcall leads to K");
}

static void resume(uint64_t root, uint64_t cs)
{
	struct exo_resume *f = (void *)(model_window[0] + 0x100);

	*f = (struct exo_resume){ .rip = 0x4444, .cs = cs, .rflags = 0x202, .rsp = 0x66, .ss = EXO_SS, .root = root };
	regs()->rsp = WINDOW + 0x100;
	OK(CALL0(RESUME));
}

/* A root is loaded when there is one to load. */
TEST(resumes_load_no_root_in_vain)
{
	uint32_t u = fresh(), k = fresh();
	unsigned before = model_root_loads;

	resume(0, EXO_CS64);
	resume(0, EXO_CS64 & ~3);
	CHECK(model_root_loads == before, "in the same root");
	OK(retype(k, EXO_KIND_PT4));
	OK(retype(u, EXO_KIND_PT4));
	OK(CALL3(ROOT_PAIR, 0, k, u));
	before = model_root_loads;
	resume(k, EXO_CS64 & ~3);
	CHECK(model_root_loads == before + 1 && this_cpu()->root == k, "another one");
	resume(0, EXO_CS64 & ~3);
	CHECK(model_root_loads == before + 1, "K goes on");
	resume(0, EXO_CS64);
	CHECK(model_root_loads == before + 2 && this_cpu()->root == u, "the partner");
}

/* Whatever the program had there, an upcall enters 64-bit code with interrupts on. */
TEST(upcalls_enter_a_known_state)
{
	control()->entry[EXO_UP_EXCEPTION] = 0x1000;
	control()->stack_lo = STACK;
	control()->stack_hi = STACK + 0x1000;
	regs()->rip = 0x777;
	regs()->cs = EXO_CS64 & ~0x30ul;
	regs()->ss = 0;
	regs()->rflags = 0x40ed7;
	upcall_deliver(EXO_UP_EXCEPTION, 3, 0, 0);
	CHECK(regs()->rip == 0x1000 && regs()->cs == EXO_CS64 && regs()->ss == EXO_SS &&
		regs()->rflags == 0x202,
		"entered");
	struct exo_upcall *f = (void *)(model_window[0] + (regs()->rsp - WINDOW));
	CHECK(f->rflags == 0x40ed7 && f->cs == (EXO_CS64 & ~0x30ul) && !f->ss,
		"and told of the other one");
}

/* The running context's mask moves at once. */
TEST(masks_move_at_once)
{
	uint32_t page = fresh();

	OK(CALL4(CONTEXT_CTL, 0, EXO_CTX_MASK_AT, page, 4094));
	CHECK(this_cpu()->pair == (void *)((uint8_t *)pfn_to_virt(page) + 4094), "there");
	audit();
	OK(CALL4(CONTEXT_CTL, 0, EXO_CTX_MASK_AT, 0, 0));
	CHECK(this_cpu()->pair == (void *)&control()->pending && !frame_table[page].pins,
		"and back");
	audit();
}
