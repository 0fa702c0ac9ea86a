/* Contexts: what context_ctl and segment_set take. */
#include "tests/host/test.h"

TEST(context_control_checks)
{
	struct actor a = actor_make(100);
	uint32_t object = fresh(), page = fresh(), save = fresh();
	uint64_t x = context_first(a.d)->cap % 128;
	struct result r;

	IS(CALL6(CONTEXT_CREATE, 99, object, page, save, 0, 0), CAP, 1);
	IS(CALL6(CONTEXT_CREATE, 0, 3, page, save, 0, 0), OWNER, 2);
	IS(CALL6(CONTEXT_CREATE, 0, object, 3, save, 0, 0), OWNER, 3);
	IS(CALL6(CONTEXT_CREATE, 0, object, page, 3, 0, 0), OWNER, 4);
	IS(CALL6(CONTEXT_CREATE, 0, object, page, page, 0, 0), BUSY, 2);
	IS(CALL6(CONTEXT_CREATE, 0, object, MODEL_RAM, save, 0, 0), BUSY, 3);
	IS(CALL6(CONTEXT_CREATE, 0, object, page, MODEL_RAM, 0, 0), BUSY, 4);
	IS(CALL6(CONTEXT_CREATE, 0, object, page, save, MODEL_CPUS, 0), ARG, 5);
	IS(CALL6(CONTEXT_CREATE, 0, object, page, save, 0, 1000), ARG, 6);
	IS(CALL3(CONTEXT_CTL, x, 99, 0), ARG, 2);
	IS(CALL3(CONTEXT_CTL, 77, EXO_CTX_STATE, 0), CAP, 1);
	IS(CALL3(CONTEXT_CTL, x, EXO_CTX_ROOTS, page), TYPE, 3);
	IS(CALL4(CONTEXT_CTL, x, EXO_CTX_ROUTE, 5, 4), ARG, 3);
	OK(CALL4(CONTEXT_CTL, x, EXO_CTX_ROUTE, 0x1000, 0x2000));
	CHECK(context_first(a.d)->route_lo == 0x1000 &&
		context_first(a.d)->route_hi == 0x2000, "route");
	IS(CALL4(CONTEXT_CTL, x, EXO_CTX_MASK_AT, a.next, 4095), ARG, 4);
	IS(CALL4(CONTEXT_CTL, x, EXO_CTX_MASK_AT, page, 0), OWNER, 3);
	IS(CALL4(CONTEXT_CTL, x, EXO_CTX_MASK_AT, a.root, 0), BUSY, 3);
	OK(CALL4(CONTEXT_CTL, x, EXO_CTX_MASK_AT, a.next, 4094));
	OK(CALL4(CONTEXT_CTL, x, EXO_CTX_MASK_AT, a.next, 16));
	OK(CALL4(CONTEXT_CTL, x, EXO_CTX_MASK_AT, a.next + 1, 16));
	audit();
	OK(CALL4(CONTEXT_CTL, x, EXO_CTX_MASK_AT, 0, 0));
	IS(CALL3(CONTEXT_CTL, x, EXO_CTX_HOME, MODEL_CPUS), ARG, 3);
	OK(CALL3(CONTEXT_CTL, x, EXO_CTX_HOME, 2));
	IS(CALL3(CONTEXT_CTL, x, EXO_CTX_START, 1ul << 47), ARG, 3);
	OK(CALL5(CONTEXT_CTL, x, EXO_CTX_START, 0x4000, 0x8000, 0x77));
	CHECK(context_regs(context_first(a.d))->rip == 0x4000 &&
		context_regs(context_first(a.d))->rsp == 0x8000 &&
		context_regs(context_first(a.d))->rdi == 0x77, "registers");
	model_step_all();
	IS(CALL4(CONTEXT_CTL, x, EXO_CTX_START, 0x4000, 0x8000), STATE, 1);
	IS(CALL4(CONTEXT_CTL, x, EXO_CTX_RUN, 0, 0), STATE, 1);
	FINISH(CALL3(CONTEXT_CTL, x, EXO_CTX_STOP, 0));
	r = CALL3(CONTEXT_CTL, x, EXO_CTX_STATE, 0);
	CHECK(r.value == EXO_CS_STOPPED, "stopped");
	OK(CALL3(CONTEXT_CTL, x, EXO_CTX_RUN, 0));
	IS(CALL3(CONTEXT_CTL, x, EXO_CTX_HOME, 1), STATE, 1);
	CHECK(model_run(2, a.d), "runs elsewhere");
	CHECK(CALL3(CONTEXT_CTL, x, EXO_CTX_STATE, 0).value == EXO_CS_RUNNING, "running");
	IS(CALL3(CONTEXT_CTL, x, EXO_CTX_ROOTS, a.root), STATE, 1);
	IS(CALL4(CONTEXT_CTL, x, EXO_CTX_ROUTE, 0, 0), STATE, 1);
	IS(CALL4(CONTEXT_CTL, x, EXO_CTX_MASK_AT, 0, 0), STATE, 1);
	OK(CALL3(CONTEXT_CTL, 0, EXO_CTX_ROOTS, MODEL_RAM + 3));
	OK(CALL4(CONTEXT_CTL, 0, EXO_CTX_ROUTE, 0x1000, 0x2000));
	CHECK(this_cpu()->route_lo == 0x1000 && this_cpu()->route_hi == 0x2000, "at once");
	OK(CALL4(CONTEXT_CTL, 0, EXO_CTX_ROUTE, 0x7fffffffe000ul, 0x7ffffffff000ul));
	IS(CALL4(CONTEXT_CTL, 0, EXO_CTX_ROUTE, 0x7fffffffe000ul, 1ul << 48), ARG, 3);
	OK(CALL4(CONTEXT_CTL, 0, EXO_CTX_ROUTE, 0x1000, 0x2000));
	OK(CALL4(CONTEXT_CTL, 0, EXO_CTX_MASK_AT, page, 0));
	OK(CALL4(CONTEXT_CTL, 0, EXO_CTX_MASK_AT, 0, 0));
	OK(FINISH(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_STOP, 0, 0)));
	IS(CALL3(CONTEXT_CTL, x, EXO_CTX_START, 0), STATE, 1);
	IS(CALL3(CONTEXT_CTL, x, EXO_CTX_RUN, 0), STATE, 1);
}

TEST(segments)
{
	const uint64_t data = 0x00cff2000000fffful;

	OK(CALL2(SEGMENT_SET, EXO_SEG_FS, 0x1234));
	IS(CALL2(SEGMENT_SET, EXO_SEG_GS, 1ul << 50), ARG, 2);
	OK(CALL2(SEGMENT_SET, EXO_SEG_KGS, 0xffffff0000000000ul));
	OK(CALL3(SEGMENT_SET, EXO_SEG_TLS, 12, data));
	OK(CALL3(SEGMENT_SET, EXO_SEG_TLS, 15, 0));
	IS(CALL3(SEGMENT_SET, EXO_SEG_TLS, 11, data), ARG, 2);
	IS(CALL3(SEGMENT_SET, EXO_SEG_TLS, 16, data), ARG, 2);
	IS(CALL3(SEGMENT_SET, EXO_SEG_TLS, 12, 0x00af9a000000fffful), ARG, 3);
	IS(CALL3(SEGMENT_SET, EXO_SEG_TLS, 12, 0x00ef92000000fffful), ARG, 3);
	IS(CALL1(SEGMENT_SET, 9), ARG, 1);
}
