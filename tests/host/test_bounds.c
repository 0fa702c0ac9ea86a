/* The first frame that there is not, and frame 0, as every argument that names one. */
#include "tests/host/test.h"


static void refused(uint64_t pfn)
{
	struct exo_pt_item *item = (void *)model_window[0];
	uint32_t table = fresh(), good = fresh(), other = fresh();
	static unsigned slot = 40;

	IS(retype(pfn, EXO_KIND_PT1), OWNER, 2);
	IS(retype(pfn, 0), OWNER, 2);
	IS(CALL3(ROOT_PAIR, 0, pfn, 0), OWNER, 2);
	if (pfn) {
		IS(CALL3(ROOT_PAIR, 0, INIT_ROOT, pfn), OWNER, 3);
		IS(CALL4(CONTEXT_CTL, 0, EXO_CTX_MASK_AT, pfn, 0), OWNER, 3);
		IS(CALL4(DOMAIN_CTL, 0, EXO_DOM_PAGE, pfn, 0), OWNER, 3);
		IS(CALL5(FRAME_LEND, 0, slot, pfn, 1, EXO_R_READ), ARG, 3);
	}
	IS(CALL3(CONTEXT_CTL, 0, EXO_CTX_ROOTS, pfn), TYPE, 3);
	IS(CALL4(FRAME_GIVE, 0, 0, pfn, 1), OWNER, 3);
	IS(CALL3(FRAME_INFO, 0, pfn, WINDOW), OWNER, 2);
	IS(CALL2(CAP_GROW, 0, pfn), OWNER, 2);
	IS(CALL3(DOMAIN_CREATE, 0, pfn, good), OWNER, 2);
	IS(CALL3(DOMAIN_CREATE, 0, good, pfn), OWNER, 3);
	IS(CALL6(CONTEXT_CREATE, 0, pfn, good, other, 0, 0), OWNER, 2);
	IS(CALL6(CONTEXT_CREATE, 0, good, pfn, other, 0, 0), OWNER, 3);
	IS(CALL6(CONTEXT_CREATE, 0, good, other, pfn, 0, 0), OWNER, 4);
	IS(CALL5(FRAME_COPY, 0, pfn << 12, 0, (uint64_t)good << 12, 8), OWNER, 2);
	IS(CALL5(FRAME_COPY, 0, (uint64_t)good << 12, 0, pfn << 12, 8), OWNER, 4);
	OK(retype(table, EXO_KIND_PT1));
	IS(pt_set(table, 0, pte(pfn, RW), 0), OWNER, 2);
	item->ptr = table << 12 | EXO_PT_XCHG;
	item->val = pte(pfn, RW);
	IS(CALL4(PT_WRITE, 0, WINDOW, 1, 0), OWNER, 2);
	IS(pt_set(pfn, 0, 0, 0), OWNER, 2);
	for (unsigned level = 2; level <= 4; level++) {
		uint32_t above = fresh();

		OK(retype(above, EXO_KIND_PT1 + level - 1));
		IS(pt_set(above, 0, pte(pfn, RW), 0), OWNER, 2);
	}
	OK(CALL5(FRAME_LEND, 0, slot, MODEL_FRAMES - 1, 1, EXO_R_READ));
	IS(pt_set(table, 0, pte(pfn, RO | EXO_PTE_NX), slot), OWNER, 2);
	slot++;
	audit();
}

TEST(frames_that_are_none)
{
	refused(MODEL_FRAMES);
	refused(0);
	IS(CALL5(FRAME_LEND, 0, 50, MODEL_FRAMES - 1, 2, EXO_R_READ), ARG, 4);
	IS(CALL5(FRAME_LEND, 0, 50, MODEL_FRAMES - 1, 0, EXO_R_READ), ARG, 4);
	OK(CALL5(FRAME_LEND, 0, 50, MODEL_FRAMES - 1, 1, EXO_R_READ));
	OK(CALL5(FRAME_LEND, 0, 51, 0, MODEL_FRAMES, EXO_R_READ));
}

/* The last frame that there is, is one. */
TEST(the_last_frame_is_one)
{
	uint64_t last = MODEL_FRAMES - 1;
	uint32_t table = fresh();

	OK(retype(table, EXO_KIND_PT1));
	OK(pt_set(table, 0, pte(last, RW), 0));
	OK(pt_set(table, 0, 0, 0));
	OK(retype(last, EXO_KIND_PT4));
	OK(CALL3(CONTEXT_CTL, 0, EXO_CTX_ROOTS, last));
	CHECK(this_cpu()->root == last, "loaded");
	OK(CALL3(CONTEXT_CTL, 0, EXO_CTX_ROOTS, INIT_ROOT));
	OK(retype(last, 0));
	OK(CALL3(FRAME_INFO, 0, last, WINDOW));
}
