/* Revocation: by consent, and by force after the deadline. */
#include <string.h>
#include "tests/host/test.h"


TEST(revoke_by_consent)
{
	struct actor a = actor_make(100);
	struct exo_domain_page *page = give_page(&a);
	uint64_t deadline = model_time + 1000000;
	struct result r;

	CHECK(model_run(1, a.d), "runs");
	IS(CALL3(DOMAIN_REVOKE, a.cap, 0, deadline), ARG, 2);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 1ul << 32, deadline), ARG, 2);
	IS(CALL3(DOMAIN_REVOKE, 120, 1, deadline), CAP, 1);
	r = CALL3(DOMAIN_REVOKE, a.cap, 5, deadline);
	IS(r, AGAIN, 0);
	CHECK(page->revoke_want == 5 && page->revoke_deadline == deadline && page->revoke_asked == 1 &&
		!r.value, "asked");
	CHECK(context_control(cpu_at(1)->current)->events & EXO_EV_REVOKE, "told");
	r = CALL3(DOMAIN_REVOKE, a.cap, 5, deadline);
	IS(r, AGAIN, 0);
	context_control(cpu_at(1)->current)->events = 0;
	IS(CALL3(DOMAIN_REVOKE, a.cap, 5, deadline), AGAIN, 0);
	CHECK(!context_control(cpu_at(1)->current)->events, "told once");
	OK(CALL4(FRAME_GIVE, a.cap, 0, a.next, 5));
	r = CALL3(DOMAIN_REVOKE, a.cap, 5, deadline);
	OK(r);
	CHECK(r.value == 5 && !page->revoke_want && !page->repo_count, "complied");
	/* Asking again, and thinking better of it. */
	IS(CALL3(DOMAIN_REVOKE, a.cap, 5, deadline), AGAIN, 0);
	OK(CALL3(DOMAIN_REVOKE, a.cap, 0, 0));
	CHECK(!page->revoke_want && page->revoke_asked == 2, "cancelled");
}

TEST(revoke_by_force)
{
	struct actor a = actor_make(200);
	struct exo_domain_page *page = give_page(&a);
	uint32_t t[3], *order = page->order, before = model_init()->frames;
	uint8_t byte = 1;
	struct result r;

	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	tables_of(&a, t);
	for (unsigned i = 0; i < 50; i++)
		OK(pt_set(t[0], i, pte(a.next + i, RW), 0));
	for (unsigned i = 0; i < 50; i++)
		CHECK(model_access(1, 0x400000 + i * 4096, true, &byte), "mapped");
	order[0] = a.next + 40;		/* its own wishes, and nonsense */
	order[1] = 3;
	order[2] = ~0u;
	order[3] = t[0];
	order[4] = a.next + 10;
	order[5] = a.next + 40;
	page->order_count = ~0ul;
	model_on(0);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 40, model_time - 1), AGAIN, 0);
	context_control(cpu_at(1)->current)->events = 0;
	r = FINISH(CALL3(DOMAIN_REVOKE, a.cap, 40, 0));
	OK(r);
	audit();
	CHECK(r.value == 40 && model_init()->frames == before + 40, "taken");
	CHECK(page->repo_count == 40 && page->revoke_want == 0, "logged");
	bool first = false, second = false;
	for (unsigned i = 0; i < 40; i++) {
		uint32_t pfn = page->repo[i];
		const uint64_t *p = pfn_to_virt(pfn);

		first |= pfn == a.next + 40;
		second |= pfn == a.next + 10;
		CHECK(frame_table[pfn].owner == model_init()->id && !*p && !memcmp(p, p + 1, 4088), "zeroed");
	}
	CHECK(first && second, "the declared order comes first");
	CHECK(!model_access(1, 0x400000 + 10 * 4096, true, &byte), "unreachable");
	CHECK(!pt_get(t[0], 40), "swept");
	CHECK(context_control(cpu_at(1)->current)->events & EXO_EV_REVOKE, "told");
}

/* Entries of the order that name nothing are passed over: none stands for any frame. */
TEST(revoke_passes_over_holes)
{
	struct actor a = actor_make(100);
	struct exo_domain_page *page = give_page(&a);
	struct result r;

	CHECK(model_run(1, a.d), "runs");
	page->order[50] = a.next + 40;		/* behind more holes than it has objects at its end */
	page->order[52] = a.next + 10;
	page->order_count = 53;
	model_on(0);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 2, model_time - 1), AGAIN, 0);
	r = FINISH(CALL3(DOMAIN_REVOKE, a.cap, 2, 0));
	OK(r);
	CHECK(page->repo_count == 2 && page->repo[0] + page->repo[1] == 2 * a.next + 50, "these two");
	audit();
}

TEST(revoke_spares_the_reserve)
{
	struct actor a = actor_make(200);
	uint32_t t[3];
	struct result r;

	OK(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_RESERVE, 150, 0));
	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	tables_of(&a, t);
	model_on(0);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 100, 0), AGAIN, 0);
	r = FINISH(CALL3(DOMAIN_REVOKE, a.cap, 100, 0));
	IS(r, LIMIT, 1);
	CHECK(r.value == 50 && a.d->frames == 150, "down to the reserve: %lu", r.value);
	OK(CALL4(DOMAIN_CTL, a.cap, EXO_DOM_RESERVE, 0, 0));
	r = FINISH(CALL3(DOMAIN_REVOKE, a.cap, 100, 0));
	OK(r);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 1000, 0), AGAIN, 0);
	r = FINISH(CALL3(DOMAIN_REVOKE, a.cap, 1000, 0));
	IS(r, LIMIT, 1);
	/* What is left is in use: tables, objects, pinned frames. */
	for (uint32_t pfn = 1; pfn < MODEL_FRAMES; pfn++)
		CHECK(frame_table[pfn].owner != a.d->id || frame_table[pfn].type != EXO_F_DATA ||
			frame_table[pfn].pins, "frame %x is left", pfn);
	audit();
}

/* Doomed frames take part in nothing; those on loan stay; large pages go too. */
TEST(revoke_meets_the_unwilling)
{
	struct actor a = actor_make(60);
	uint32_t t[3], u[3] = { fresh(), fresh(), fresh() }, region = fresh_region(), lent;
	uint8_t byte = 1;
	struct result r;

	for (unsigned done = 0; done < 512; done += r.value)
		r = CALL4(FRAME_GIVE, 0, a.cap, region + done, 512 - done);
	map_tables(INIT_ROOT, 0x400000, u);
	lent = region + 511;
	CHECK(model_run(1, a.d), "runs");
	OK(CALL5(FRAME_LEND, a.cap, 30, lent, 1, EXO_R_READ | EXO_R_GRANT));
	/* The kernel's own hand plays the accomplice's part in passing it on. */
	struct slot *s = slot_at(a.d->table[0] * 128 + 30);
	uint64_t name;
	struct slot copy = *s;
	CHECK(!cap_insert(model_init(), 100, 0, &copy, s, &name), "copy");
	OK(pt_set(u[0], 0, pte(lent, RO | EXO_PTE_NX), 100));
	model_on(1);
	tables_of(&a, t);
	OK(pt_set(t[1], 5, pte(region, RW | EXO_PTE_PS), 0));
	CHECK(model_access(1, 0xa00000 + 0x5000, true, &byte), "mapped");
	model_on(0);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 30, 0), AGAIN, 0);
	r = FINISH(CALL3(DOMAIN_REVOKE, a.cap, 30, 0));
	OK(r);
	CHECK(!pt_get(t[1], 5), "the large page is gone");
	CHECK(frame_table[lent].owner == a.d->id && frame_table[lent].mapped == 1, "the lent frame stays");
	CHECK(!model_access(1, 0xa00000 + 0x5000, true, &byte), "unreachable");
	audit();
}

/* Only large pages with a doomed frame in them go, and no tables. */
TEST(revoke_hits_what_it_must)
{
	struct actor a = actor_make(60);
	uint32_t first = fresh_region(), second = fresh_region(), t[3], page;
	struct result r;

	for (unsigned done = 0; done < 1024; done += r.value)
		r = CALL4(FRAME_GIVE, 0, a.cap, first + done, 1024 - done);
	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	tables_of(&a, t);
	OK(retype(first + 9, EXO_KIND_PT1));
	OK(pt_set(t[1], 5, pte(second, RW | EXO_PTE_PS), 0));
	OK(pt_set(t[1], 6, pte(first, RO | EXO_PTE_PS), 0));
	OK(pt_set(t[1], 7, pte(first + 9, RW), 0));
	page = actor_frame(&a);
	OK(CALL4(DOMAIN_CTL, 0, EXO_DOM_PAGE, page, 0));
	((struct exo_domain_page *)pfn_to_virt(page))->order[0] = first + 3;
	((struct exo_domain_page *)pfn_to_virt(page))->order[1] = first + 9;
	((struct exo_domain_page *)pfn_to_virt(page))->order[2] = page;
	((struct exo_domain_page *)pfn_to_virt(page))->order[3] = first + 4;
	((struct exo_domain_page *)pfn_to_virt(page))->order_count = 4;
	OK(pt_set(t[0], 0, pte(first + 9, RO), 0));
	OK(pt_set(t[0], 1, pte(page, RW), 0));
	model_on(0);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 2, 0), AGAIN, 0);
	OK(FINISH(CALL3(DOMAIN_REVOKE, a.cap, 2, 0)));
	CHECK(frame_table[first + 3].owner == model_init()->id, "taken");
	CHECK(pt_get(t[0], 0) && pt_get(t[0], 1), "what cannot be taken stays mapped");
	CHECK(pt_get(t[1], 5) && !pt_get(t[1], 6) && pt_get(t[1], 7), "the rest stays");
}

/* Batch after batch from the back of the list, whatever was taken before. */
TEST(revoke_many)
{
	struct actor a = actor_make(60);
	uint32_t region = fresh_region(), before;
	struct result r;

	for (unsigned done = 0; done < 512; done += r.value)
		r = CALL4(FRAME_GIVE, 0, a.cap, region + done, 512 - done);
	before = model_init()->frames;
	IS(CALL3(DOMAIN_REVOKE, a.cap, 300, 0), AGAIN, 0);
	OK(FINISH(CALL3(DOMAIN_REVOKE, a.cap, 300, 0)));
	CHECK(model_init()->frames == before + 300, "taken");
}

/* The frames that force takes first, mapped, so that a sweep has to be made: behind them in the list are
 * the objects of contexts. */
static void map_last(const struct actor *a, unsigned frames, uint32_t table)
{
	for (unsigned i = 0; i < 40; i++)
		OK(pt_set(table, 100 + i, pte(a->first + frames - 3 * MODEL_CPUS - 1 - i, RO), 0));
}

/* A request taken back in the middle of a sweep does not confuse the next one. */
TEST(revoke_twice)
{
	struct actor a = actor_make(600);
	uint32_t t[3], table[30], pfn;
	struct result r;

	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	tables_of(&a, t);
	for (unsigned i = 0; i < 30; i++)
		OK(retype(table[i] = actor_frame(&a), EXO_KIND_PT1));
	pfn = actor_frame(&a);
	for (unsigned i = 0; i < 30; i++)
		OK(pt_set(table[i], 0, pte(pfn, RW), 0));
	map_last(&a, 600, table[0]);
	model_on(0);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 5, 0), AGAIN, 0);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 5, 0), AGAIN, 0);
	CHECK(a.d->doomed_count == 5 && a.d->sweep_for == 1, "in the middle");
	OK(CALL3(DOMAIN_REVOKE, a.cap, 0, 0));
	CHECK(!a.d->doomed_count, "spared");
	model_on(1);
	struct exo_domain_page *page = pfn_to_virt(actor_frame(&a));
	OK(CALL4(DOMAIN_CTL, 0, EXO_DOM_PAGE, a.next - 1, 0));
	page->order[0] = pfn;
	page->order_count = 1;
	model_on(0);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 1, 0), AGAIN, 0);
	r = FINISH(CALL3(DOMAIN_REVOKE, a.cap, 1, 0));
	OK(r);
	CHECK(page->repo[0] == pfn && frame_table[pfn].owner == model_init()->id, "the one it would rather lose");
}

TEST(doomed_frames_are_refused)
{
	struct actor a = actor_make(1000);
	uint32_t t[3], doomed;
	struct result r;

	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	tables_of(&a, t);
	for (unsigned i = 0; i < 40; i++)
		OK(retype(actor_frame(&a), EXO_KIND_PT1));
	map_last(&a, 1000, t[0]);
	model_on(0);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 30, 0), AGAIN, 0);
	r = CALL3(DOMAIN_REVOKE, a.cap, 30, 0);
	IS(r, AGAIN, 0);
	CHECK(a.d->doomed_count == 30, "chosen");
	audit();
	doomed = a.d->doomed[0];
	model_on(1);
	IS(pt_set(t[0], 0, pte(doomed, RO), 0), BUSY, 2);
	IS(retype(doomed, EXO_KIND_PT1), BUSY, 2);
	IS(CALL2(CAP_GROW, 0, doomed), BUSY, 2);
	IS(CALL4(DOMAIN_CTL, 0, EXO_DOM_PAGE, doomed, 0), TYPE, 3);
	IS(CALL4(CONTEXT_CTL, 0, EXO_CTX_MASK_AT, doomed, 0), BUSY, 3);
	model_on(0);
	IS(CALL4(FRAME_GIVE, a.cap, 0, doomed, 1), BUSY, 3);
	if (model_random() & 1) {
		OK(CALL3(DOMAIN_REVOKE, a.cap, 0, 0));
		CHECK(!a.d->doomed_count && !frame_table[doomed].flags, "forgiven");
	}
	OK(FINISH(CALL1(DOMAIN_DESTROY, a.cap)));
	CHECK(!frame_table[doomed].flags, "clean");
}
