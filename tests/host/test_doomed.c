/* Frames chosen to be taken are known as such, wherever they stand among those chosen. */
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
		CHECK(!pt_get(h.table[1], 5) && frame_table[h.region + 300].owner == model_init()->id, "place %u", at);
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
		CHECK(region_doomed(d, h.region) && !region_doomed(d, h.region + 512), "region of number %u", at);
		d->doomed[at] |= DOOMED_OFFERED;
		IS(pt_set(h.table[1], 5, large, 0), BUSY, 2);
	}
	d->doomed_count = 2;
	OK(pt_set(h.table[1], 5, large, 0));
	d->doomed_count = 0;
	IS(pt_set(h.table[1], 6, pte((uint64_t)frame_count, RO | EXO_PTE_PS), 0), OWNER, 2);
}
