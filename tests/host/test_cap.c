/* Capabilities: look-up, copies, narrowing, derivation, deletion. */
#include "tests/host/test.h"

TEST(cap_copy_narrows)
{
	struct exo_cap_info *info = (void *)model_window[0];
	struct result r = CALL5(FRAME_LEND, 0, 7, 100, 50, EXO_R_READ | EXO_R_WRITE | EXO_R_GRANT);

	OK(r);
	CHECK(EXO_CAP_INDEX(r.value) == 7, "named slot");
	OK(CALL3(CAP_INFO, 0, r.value, WINDOW));
	CHECK(info->type == EXO_T_FRAMES && info->base == 100 && info->count == 50 &&
		info->aux == model_init()->id && info->gen == EXO_CAP_GEN(r.value), "info");
	r = CALL6(CAP_COPY, 0, 8, 7, EXO_R_READ, 110, 5);
	OK(r);
	OK(CALL3(CAP_INFO, 0, r.value, WINDOW));
	CHECK(info->rights == EXO_R_READ && info->base == 110 && info->count == 5, "copy's info");
	IS(CALL6(CAP_COPY, 0, 8, 7, EXO_R_READ, 0, 0), BUSY, 2);
	IS(CALL6(CAP_COPY, 0, 9, 8, EXO_R_WRITE, 0, 0), RIGHT, 4);
	IS(CALL6(CAP_COPY, 0, 9, 8, EXO_R_READ, 109, 1), ARG, 5);
	IS(CALL6(CAP_COPY, 0, 9, 8, EXO_R_READ, 115, 1), ARG, 5);
	IS(CALL6(CAP_COPY, 0, 9, 8, EXO_R_READ, 114, 2), ARG, 6);
	IS(CALL6(CAP_COPY, 0, 9, 8, EXO_R_READ, 114, 0), ARG, 6);
	IS(CALL6(CAP_COPY, 0, 9, 6, EXO_R_READ, 0, 0), CAP, 3);
	IS(CALL6(CAP_COPY, 0, 128, 7, EXO_R_READ, 0, 0), ARG, 2);
	IS(CALL6(CAP_COPY, 0, 0, 0, EXO_R_READ, 0, 0), CAP, 3);
	IS(CALL3(CAP_INFO, 0, 8, 0x1000), FAULT, 3);
	IS(CALL3(CAP_INFO, 0, 1000, WINDOW), CAP, 2);
	IS(CALL3(CAP_INFO, 7, 8, WINDOW), TYPE, 1);
}

TEST(cap_generations)
{
	uint64_t old = CALL5(FRAME_LEND, 0, 7, 100, 50, EXO_R_READ).value, now;

	OK(CALL2(CAP_DELETE, 0, old));
	IS(CALL2(CAP_DELETE, 0, old), CAP, 2);
	now = CALL5(FRAME_LEND, 0, 7, 100, 50, EXO_R_READ).value;
	CHECK(now != old, "the generation changes");
	IS(CALL3(CAP_INFO, 0, old, WINDOW), CAP, 2);
	OK(CALL3(CAP_INFO, 0, now, WINDOW));
	OK(CALL3(CAP_INFO, 0, 7, WINDOW));
	for (unsigned i = 0; i < 5000; i++) {
		OK(CALL2(CAP_DELETE, 0, 7));
		now = CALL5(FRAME_LEND, 0, 7, 100, 50, EXO_R_READ).value;
		CHECK(EXO_CAP_GEN(now), "generation 0 means any");
	}
	IS(CALL3(CAP_INFO, 0, now | 1ul << 32, WINDOW), CAP, 2);
}

TEST(cap_events_narrow)
{
	struct exo_cap_info *info = (void *)model_window[0];
	uint64_t ctx = model_init()->context_head, mask = 0xff0000000000ul | 0x30000;
	struct result r = CALL3(EVENT_CREATE, 20, 0, mask);

	(void)ctx;
	OK(r);
	OK(CALL3(CAP_INFO, 0, 20, WINDOW));
	CHECK(info->base == mask, "mask");
	IS(CALL6(CAP_COPY, 0, 21, 20, EXO_R_SIGNAL, 0x40000, 0), ARG, 5);
	IS(CALL6(CAP_COPY, 0, 21, 20, EXO_R_SIGNAL, 0x10000, 1), ARG, 6);
	OK(CALL6(CAP_COPY, 0, 21, 20, EXO_R_SIGNAL, 0x110000010000ul, 0));
	OK(CALL3(CAP_INFO, 0, 21, WINDOW));
	CHECK(info->base == 0x110000010000ul, "narrowed mask");
	OK(CALL6(CAP_COPY, 0, 22, 20, EXO_R_SIGNAL, 0, 0));
}

TEST(cap_depth_is_bounded)
{
	OK(CALL5(FRAME_LEND, 0, 20, 100, 1, EXO_R_READ));
	for (unsigned i = 20; i < 20 + DERIVE_DEPTH - 1; i++)
		OK(CALL6(CAP_COPY, 0, i + 1, i, EXO_R_READ, 0, 0));
	IS(CALL6(CAP_COPY, 0, 100, 19 + DERIVE_DEPTH, EXO_R_READ, 0, 0), LIMIT, 0);
	audit();
	CHECK(CALL3(CAP_REVOKE, 0, 49, 7).value == DERIVE_DEPTH - 30, "all behind the thirtieth");
	IS(CALL3(CAP_INFO, 0, 50, WINDOW), CAP, 2);
	OK(CALL3(CAP_INFO, 0, 49, WINDOW));
	CHECK(CALL2(CAP_DELETE, 0, 20).value == 30, "thirty are left");
}

TEST(cap_table_grows)
{
	uint32_t pfn = fresh(), other = fresh();
	unsigned made = 0;
	struct result r;

	while (!(r = CALL5(FRAME_LEND, 0, 0, 100, 1, EXO_R_READ)).status)
		made++;
	IS(r, LIMIT, 2);
	CHECK(made > 100 && made < 128, "made %u", made);
	r = CALL2(CAP_GROW, 0, pfn);
	OK(r);
	CHECK(r.value == 256, "slots %lu", r.value);
	IS(CALL2(CAP_GROW, 0, pfn), TYPE, 2);
	IS(CALL2(CAP_GROW, 0, 3), OWNER, 2);
	OK(CALL5(FRAME_LEND, 0, 0, 100, 1, EXO_R_READ));
	OK(CALL5(FRAME_LEND, 0, 200, 100, 1, EXO_R_READ));
	audit();
	while (model_init()->table_frames < TABLE_FRAMES)
		OK(CALL2(CAP_GROW, 0, fresh()));
	IS(CALL2(CAP_GROW, 0, other), LIMIT, 1);
	OK(CALL5(FRAME_LEND, 0, 32767, 100, 1, EXO_R_READ));
	IS(CALL5(FRAME_LEND, 0, 32768, 100, 1, EXO_R_READ), ARG, 2);
}

TEST(cap_delete_is_bounded_and_restartable)
{
	unsigned total = 1;
	struct result r;

	for (unsigned i = 0; i < 80; i++)
		OK(CALL2(CAP_GROW, 0, fresh()));
	OK(CALL5(FRAME_LEND, 0, 5, 100, 1, EXO_R_READ));
	for (unsigned i = 0; i < 9000; i++, total++)
		OK(CALL6(CAP_COPY, 0, 0, 5, EXO_R_READ, 0, 0));
	r = CALL2(CAP_DELETE, 0, 5);
	IS(r, AGAIN, 0);
	total -= r.value;
	CHECK(r.value <= BUDGET && r.value > 1000, "bounded: %lu", r.value);
	audit();
	/* What is dying can be neither used nor copied, wherever in the tree it is. */
	IS(CALL6(CAP_COPY, 0, 0, 5, EXO_R_READ, 0, 0), DYING, 3);
	for (unsigned i = 100; i < 10000; i++)
		if (slot_at(model_init()->table[i / 128] * 128 + i % 128)->type == EXO_T_FRAMES) {
			IS(CALL6(CAP_COPY, 0, 0, i, EXO_R_READ, 0, 0), DYING, 3);
			break;
		}
	while ((r = CALL2(CAP_DELETE, 0, 5)).status == EXO_AGAIN)
		total -= r.value;
	OK(r);
	CHECK(total == r.value, "all deleted");
}

TEST(cap_needs_grant_to_leave)
{
	struct actor a = actor_make(40);

	OK(CALL5(FRAME_LEND, 0, 60, 100, 1, EXO_R_READ));
	IS(CALL6(CAP_COPY, a.cap, 9, 60, EXO_R_READ, 0, 0), RIGHT, 3);
	OK(CALL5(FRAME_LEND, 0, 61, 100, 1, EXO_R_READ | EXO_R_GRANT));
	OK(CALL6(CAP_COPY, a.cap, 9, 61, EXO_R_READ, 0, 0));
	OK(CALL6(CAP_COPY, 0, 62, a.cap, EXO_R_INFO | EXO_R_MANAGE, 0, 0));
	IS(CALL6(CAP_COPY, 62, 10, 61, EXO_R_READ, 0, 0), RIGHT, 1);
	IS(CALL6(CAP_COPY, 0, 63, a.cap, EXO_R_INFO, 5, 0), ARG, 5);
	IS(CALL2(CAP_DELETE, 0, a.cap), BUSY, 2);
	OK(CALL2(CAP_DELETE, 62, 9));
	OK(CALL2(CAP_REVOKE, 0, 61));
	IS(CALL2(CAP_REVOKE, 0, 70), CAP, 2);
	OK(CALL2(CAP_REVOKE, 0, a.cap));
	IS(CALL2(CAP_REVOKE, 62, 9), CAP, 1);
}
