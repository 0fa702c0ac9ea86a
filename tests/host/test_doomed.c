/* Frames chosen to be taken: in the order that was declared, each time from its start; known as such
 * wherever they stand among those chosen; and without a sweep that nobody needs. */
#include "exo/core/table.h"
#include "tests/host/test.h"

/* An actor with a whole region, mapped by one large page, and a page that declares an order. */
struct holder {
	struct actor a;
	uint32_t region, table[3];
	struct exo_domain_page *page;
};

static struct holder holder_make(void)
{
	struct holder h = { .a = actor_make(100), .region = fresh_region() };
	struct result r;

	for (unsigned done = 0; done < 512; done += r.value)
		r = CALL4(FRAME_GIVE, 0, h.a.cap, h.region + done, 512 - done);
	uint32_t page = actor_frame(&h.a);
	OK(CALL4(DOMAIN_CTL, h.a.cap, EXO_DOM_PAGE, page, 0));
	h.page = pfn_to_virt(page);
	for (unsigned i = 0; i < 3; i++)
		h.table[i] = actor_frame(&h.a);
	CHECK(model_run(1, h.a.d), "runs");
	model_on(1);
	map_tables(h.a.root, 0x400000, h.table);
	OK(pt_set(h.table[1], 5, pte(h.region, RW | EXO_PTE_PS), 0));
	model_on(0);
	return h;
}

/* The large page goes with the second frame of the order, and with the last. */
TEST(doomed_frames_are_found_behind_others)
{
	for (unsigned at = 0; at < 3; at++) {
		struct holder h = holder_make();

		for (unsigned i = 0; i < 3; i++)
			h.page->order[i] = i == at ? h.region + 300 : actor_frame(&h.a);
		h.page->order_count = 3;
		IS(CALL3(DOMAIN_REVOKE, h.a.cap, 3, 0), AGAIN, 0);
		struct result r = FINISH(CALL3(DOMAIN_REVOKE, h.a.cap, 3, 0));
		OK(r);
		CHECK(!pt_get(h.table[1], 5) &&
			frame_table[h.region + 300].owner == model_init()->id,
			"place %u", at);
		CHECK(h.page->repo_count == 3, "three, as asked for");
		audit();
	}
}

/* No large page is made over one either. */
TEST(doomed_frames_are_in_no_new_large_page)
{
	struct holder h = holder_make();
	struct domain *d = h.a.d;
	uint64_t large = pte(h.region, RW | EXO_PTE_PS);

	model_on(1);
	OK(pt_set(h.table[1], 5, 0, 0));
	for (unsigned at = 0; at < 3; at++) {
		d->doomed_count = 3;	/* as between two calls of a revocation */
		for (unsigned i = 0; i < 3; i++)
			d->doomed[i] = i == at ? h.region + 511 : h.a.first + i;
		IS(pt_set(h.table[1], 5, large, 0), BUSY, 2);
		CHECK(region_doomed(d, h.region) && !region_doomed(d, h.region + 512),
			"region of number %u", at);
		d->doomed[at] |= DOOMED_OFFERED;
		IS(pt_set(h.table[1], 5, large, 0), BUSY, 2);
	}
	d->doomed_count = 2;
	OK(pt_set(h.table[1], 5, large, 0));
	d->doomed_count = 0;
	IS(pt_set(h.table[1], 6, pte((uint64_t)frame_count, RO | EXO_PTE_PS), 0), OWNER, 2);
}

/* Each request begins with the first of the order. */
TEST(orders_begin_anew)
{
	struct actor a = actor_make(100);
	uint32_t page = actor_frame(&a), frame[6];
	struct exo_domain_page *p = pfn_to_virt(page);

	OK(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_PAGE, page, 0));
	for (unsigned i = 0; i < 6; i++)
		frame[i] = actor_frame(&a);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 3; i++)
			p->order[i] = frame[3 * round + i];
		p->order_count = 3;
		IS(CALL3(DOMAIN_REVOKE, a.cap, 2, 0), AGAIN, 0);
		OK(FINISH(CALL3(DOMAIN_REVOKE, a.cap, 2, 0)));
		for (unsigned i = 0; i < 3; i++)
			CHECK((frame_table[frame[3 * round + i]].owner == model_init()->id) == (i < 2),
				"round %u: %u", round, i);
		CHECK(p->repo_count == 2 * round + 2, "noted");
	}
}

/* What nothing maps goes without a look at page tables, whatever was given up before. */
TEST(sweeps_are_made_for_what_is_mapped)
{
	struct actor a = actor_make(600);
	uint32_t page = actor_frame(&a), mapped = actor_frame(&a), idle = actor_frame(&a), table[30];
	struct exo_domain_page *p = pfn_to_virt(page);

	OK(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_PAGE, page, 0));
	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	for (unsigned i = 0; i < 30; i++)
		OK(retype(table[i] = actor_frame(&a), EXO_KIND_PT1));
	OK(pt_set(table[0], 0, pte(mapped, RW), 0));
	model_on(0);
	for (unsigned round = 0; round < 2; round++) {
		p->order[0] = round ? idle : mapped;
		p->order_count = 1;
		IS(CALL3(DOMAIN_REVOKE, a.cap, 1, 0), AGAIN, 0);
		struct result r = CALL3(DOMAIN_REVOKE, a.cap, 1, 0);
		CHECK(r.status == (round ? EXO_OK : EXO_AGAIN), "round %u: %lx", round, r.status);
		if (!round)
			OK(CALL3(DOMAIN_REVOKE, a.cap, 0, 0));
	}
	CHECK(frame_table[idle].owner == model_init()->id && frame_table[mapped].owner == a.d->id,
		"the idle one");
}

/* As many may be wanted as there are numbers for. */
TEST(all_frames_are_asked_for)
{
	struct actor a = actor_make(60);
	uint32_t page = actor_frame(&a);

	OK(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_PAGE, page, 0));
	IS(CALL3(DOMAIN_REVOKE, a.cap, UINT32_MAX + 1ul, 0), ARG, 2);
	IS(CALL3(DOMAIN_REVOKE, a.cap, UINT32_MAX, 0), AGAIN, 0);
	CHECK(((struct exo_domain_page *)pfn_to_virt(page))->revoke_want == UINT32_MAX, "all");
	OK(CALL3(DOMAIN_REVOKE, a.cap, 0, 0));
}

/* Of a map of offers each word costs one look, however few are in it. */
TEST(offers_are_found_at_once)
{
	struct actor a = actor_make(60);
	uint32_t page = actor_frame(&a), map = actor_frame(&a), last = MODEL_FRAMES - 1;
	uint64_t *words = pfn_to_virt(map);

	OK(CALL4(FRAME_GIVE, 0, a.cap, last, 1));
	OK(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_PAGE, page, 0));
	((struct exo_domain_page *)pfn_to_virt(page))->spare[0] = map;
	for (unsigned i = 0; i < MODEL_FRAMES / 64; i++)
		words[i] = frame_table[64 * i + 63].owner == a.d->id && 64 * i + 63 < last ? 0 : 1ul << 63;
	OK(CALL3(DOMAIN_REVOKE, a.cap, 1, model_time + 1000000));
	CHECK(frame_table[last].owner == model_init()->id && !words[MODEL_FRAMES / 64 - 1],
		"the last one");
}

/* Each request looks at all offers, those too that were made before the place where the last one ended. */
TEST(offers_begin_anew)
{
	struct actor a = actor_make(60);
	uint32_t page = actor_frame(&a), map = actor_frame(&a), early = actor_frame(&a);
	uint32_t late = actor_frame(&a);
	uint64_t *words = pfn_to_virt(map);

	OK(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_PAGE, page, 0));
	((struct exo_domain_page *)pfn_to_virt(page))->spare[0] = map;
	words[late / 64] |= 1ul << late % 64;
	OK(CALL3(DOMAIN_REVOKE, a.cap, 1, model_time + 1000000));
	words[early / 64] |= 1ul << early % 64;
	OK(CALL3(DOMAIN_REVOKE, a.cap, 1, model_time + 1000000));
	CHECK(frame_table[early].owner == model_init()->id, "the earlier one");
}
