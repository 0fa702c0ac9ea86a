/* Frames on offer, which revocation takes first. */
#include <string.h>
#include "tests/host/test.h"


static void offer(uint64_t *map, uint32_t pfn) { map[pfn / 64] |= 1ul << pfn % 64; }
static bool offered(const uint64_t *map, uint32_t pfn) { return map[pfn / 64] >> pfn % 64 & 1; }

static bool revoke_event(void) { return context_control(cpu_at(1)->current)->events & EXO_EV_REVOKE; }

/* The domain's page with one bitmap. */
static uint64_t *offers_of(struct actor *a, struct exo_domain_page **page)
{
	uint32_t map = actor_frame(a);

	*page = give_page(a);
	(*page)->spare[0] = map;
	return pfn_to_virt(map);
}

/* What is on offer goes at once, mapped or not, and nobody is told. */
TEST(revoke_takes_offers)
{
	struct actor a = actor_make(200);
	struct exo_domain_page *page;
	uint64_t *map = offers_of(&a, &page);
	uint32_t t[3], first = a.next + 40, before = model_init()->frames;
	uint8_t byte = 1;
	struct result r;

	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	tables_of(&a, t);
	OK(pt_set(t[0], 7, pte(first + 7, RW), 0));
	CHECK(model_access(1, 0x400000 + 7 * 4096, true, &byte), "mapped");
	model_on(0);
	for (unsigned i = 0; i < 100; i++)
		offer(map, first + i);
	r = FINISH(CALL3(DOMAIN_REVOKE, a.cap, 50, model_time + 1000000));
	OK(r);
	CHECK(r.value == 50 && model_init()->frames == before + 50 && !page->revoke_want, "taken");
	CHECK(!page->repo_count && !revoke_event(), "without a word");
	for (unsigned i = 0; i < 100; i++) {
		bool gone = frame_table[first + i].owner == model_init()->id;

		CHECK(gone == (i < 50) && offered(map, first + i) == !gone, "bits tell: %u", i);
	}
	CHECK(!model_access(1, 0x400000 + 7 * 4096, true, &byte) && !pt_get(t[0], 7), "unreachable");
	/* Oneself took one back. */
	map[(first + 50) / 64] &= ~(1ul << (first + 50) % 64);
	OK(FINISH(CALL3(DOMAIN_REVOKE, a.cap, 49, model_time + 1000000)));
	CHECK(frame_table[first + 50].owner == a.d->id && !revoke_event(), "the last ones");
	audit();
}

/* Too few are on offer: told once; what is offered then goes before the deadline. */
TEST(revoke_asks_for_more)
{
	struct actor a = actor_make(200);
	struct exo_domain_page *page;
	uint64_t *map = offers_of(&a, &page), deadline = model_time + 1000000;
	uint32_t first = a.next + 40;
	struct result r;

	CHECK(model_run(1, a.d), "runs");
	for (unsigned i = 0; i < 10; i++)
		offer(map, first + i);
	for (unsigned i = 0; i < 3; i++) {
		IS(r = CALL3(DOMAIN_REVOKE, a.cap, 12, deadline), AGAIN, 0);
		CHECK(r.value == 10 && page->revoke_want == 2 && revoke_event() == !i, "told once: %u", i);
		context_control(cpu_at(1)->current)->events = 0;
	}
	offer(map, first + 20);
	offer(map, first + 2);		/* of others by now */
	IS(CALL3(DOMAIN_REVOKE, a.cap, 12, deadline), AGAIN, 0);
	offer(map, first + 21);
	r = CALL3(DOMAIN_REVOKE, a.cap, 12, deadline);
	OK(r);
	CHECK(r.value == 12 && !page->repo_count, "complied");
	/* With nothing on offer, by force. */
	IS(CALL3(DOMAIN_REVOKE, a.cap, 3, 0), AGAIN, 0);
	OK(FINISH(CALL3(DOMAIN_REVOKE, a.cap, 3, 0)));
	CHECK(page->repo_count == 3, "logged");
	audit();
}

/* Nonsense on offer, a bitmap that is none, frames that cannot go. */
TEST(revoke_believes_no_offer)
{
	struct actor a = actor_make(200);
	struct exo_domain_page *page;
	uint64_t *map = offers_of(&a, &page);
	uint32_t t[3], bitmap = page->spare[0], lent = a.next + 30, copies[3] = { fresh(), fresh(), fresh() };
	uint64_t name;
	struct result r;

	map_tables(INIT_ROOT, 0x400000, copies);
	CHECK(model_run(1, a.d), "runs");
	OK(CALL5(FRAME_LEND, a.cap, 30, lent, 1, EXO_R_READ | EXO_R_GRANT));
	struct slot *s = slot_at(a.d->table[0] * 128 + 30), copy = *s;
	CHECK(!cap_insert(model_init(), 100, 0, &copy, s, &name), "copy");
	OK(pt_set(copies[0], 0, pte(lent, RO | EXO_PTE_NX), 100));
	model_on(1);
	tables_of(&a, t);
	model_on(0);
	for (unsigned k = 1; k < EXO_SPARE_MAX; k++)
		page->spare[k] = (uint32_t[]){ 3, ~0u, t[0], bitmap }[k % 4];
	memset(map, 0xff, EXO_PAGE_SIZE);
	map[bitmap / 64] &= ~(1ul << bitmap % 64);
	do
		r = CALL3(DOMAIN_REVOKE, a.cap, 1000, model_time + 1000000);
	while (!revoke_event());
	IS(r, AGAIN, 0);
	audit();
	CHECK(frame_table[bitmap].owner == a.d->id && offered(map, 3) && offered(map, t[0]), "its own bits stay");
	CHECK(frame_table[t[0]].type == EXO_F_PT1 && frame_table[lent].mapped == 1, "tables and loans stay");
	CHECK(frame_table[lent].owner == a.d->id && offered(map, lent), "on offer again");
	/* All the others went. */
	for (uint32_t pfn = 1; pfn < MODEL_FRAMES; pfn++)
		CHECK(frame_table[pfn].owner != a.d->id || frame_table[pfn].type != EXO_F_DATA ||
			frame_table[pfn].pins || pfn == bitmap || pfn == lent, "frame %x is left", pfn);
}

/* A large page goes with a frame of it. */
TEST(revoke_takes_offers_out_of_large_pages)
{
	struct actor a = actor_make(60);
	struct exo_domain_page *page;
	uint64_t *map = offers_of(&a, &page);
	uint32_t region = fresh_region(), t[3];
	struct result r;

	for (unsigned done = 0; done < 512; done += r.value)
		r = CALL4(FRAME_GIVE, 0, a.cap, region + done, 512 - done);
	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	tables_of(&a, t);
	OK(pt_set(t[1], 5, pte(region, RW | EXO_PTE_PS), 0));
	model_on(0);
	offer(map, region + 77);
	OK(FINISH(CALL3(DOMAIN_REVOKE, a.cap, 1, model_time + 1000000)));
	CHECK(frame_table[region + 77].owner == model_init()->id && !pt_get(t[1], 5), "both went");
	audit();
}

/* A request that is taken back leaves on offer what was. */
TEST(revoke_gives_offers_back)
{
	struct actor a = actor_make(1000);
	struct exo_domain_page *page;
	uint64_t *map = offers_of(&a, &page);
	uint32_t t[3], first = a.next + 100;

	CHECK(model_run(1, a.d), "runs");
	model_on(1);
	tables_of(&a, t);
	for (unsigned i = 0; i < 40; i++)
		OK(retype(actor_frame(&a), EXO_KIND_PT1));
	for (unsigned i = 0; i < 20; i++) {
		OK(pt_set(t[0], i, pte(first + i, RW), 0));
		offer(map, first + i);
	}
	model_on(0);
	IS(CALL3(DOMAIN_REVOKE, a.cap, 20, model_time + 1000000), AGAIN, 0);
	CHECK(a.d->doomed_count == 20 && !offered(map, first), "in the middle");
	audit();
	OK(CALL3(DOMAIN_REVOKE, a.cap, 0, 0));
	for (unsigned i = 0; i < 20; i++)
		CHECK(offered(map, first + i) && !frame_table[first + i].flags, "on offer again: %u", i);
	audit();
}
