/* Two CPUs of one domain against each other, and domains against domains. */
#include "tests/hostile/hostile.h"

/* ---- one domain, two contexts: retype, map, unmap, copy, lend and revoke ---------------------- */

#define FRAMES	12
#define STEPS	4000u
#define RACE_TIME (NS_PER_SEC / 2)	/* at most: a busy host makes CPUs wait long for each other */
#define RACE_VA	0x280000000ul
static uint64_t frames[FRAMES], race_entries;
static uint64_t finished;
static volatile bool forever = true;

struct racer { uint64_t state; };
static uint64_t dice(struct racer *r, uint64_t n)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return r->state % n;
}

static uint64_t some_frame(struct racer *r) { return frames[dice(r, FRAMES)]; }

static void some_entry(struct racer *r)
{
	static const uint64_t flags[] = { PTE_RO, PTE_RW, PTE_RWX, PTE_TABLE };
	static const uint64_t ops[] = { EXO_PT_SET, EXO_PT_SET_AD, EXO_PT_XCHG };
	uint64_t table = dice(r, 3) ? race_entries : some_frame(r) << 12;
	uint64_t value = dice(r, 3) ? PTE_MAKE(some_frame(r), flags[dice(r, 4)]) : 0;
	struct exo_pt_item item = { (table + 8 * dice(r, 16)) | ops[dice(r, 3)], value };
	exo_pt_write(0, &item, 1, 0, dice(r, 3), 0);
}

static void some_loan(struct racer *r)
{
	struct exo_result loan = exo_frame_lend(0, EXO_SLOT_ANY, some_frame(r), 1 + dice(r, 3),
		EXO_R_GRANT | EXO_R_READ | EXO_R_WRITE);
	if (loan.status)
		return;
	struct exo_result copy = exo_cap_copy(0, EXO_SLOT_ANY, loan.value, EXO_R_READ, 0, 0);
	struct exo_pt_item item = { race_entries + 8 * dice(r, 16), PTE_MAKE(some_frame(r), PTE_RO) };
	exo_pt_write(0, &item, 1, copy.value, 0, 0);
	exo_delete_all(0, loan.value);
}

static void racer(void *arg)
{
	struct racer *r = arg;
	for (uint64_t i = 0, until = time_now() + RACE_TIME; i < STEPS && time_now() < until; i++) {
		uint64_t bitmap[16], item = some_frame(r) << 8 | dice(r, 5);
		switch (dice(r, 6)) {
		case 0:
			exo_frame_retype(0, &item, 1);
			break;
		case 1: case 2:
			some_entry(r);
			break;
		case 3:
			some_loan(r);
			break;
		case 4:
			exo_pt_clean(0, some_frame(r), 0, 512, bitmap, EXO_CLEAN_A | EXO_CLEAN_D);
			break;
		case 5:
			exo_frame_copy(0, some_frame(r) << 12, 0, dice(r, 2) ? ~0ul : some_frame(r) << 12, 4096, 0);
			break;
		}
	}
	__atomic_fetch_add(&finished, 1, __ATOMIC_RELEASE);
}

/* In the end all entries are taken out again, tables from the top, and no count is left over. */
static uint64_t race_retype(void)
{
	static struct second s;
	static struct racer r[2];
	struct exo_frame f;
	r[0].state = told->seed * 2 + 1;
	r[1].state = told->seed * 3 + 7;
	for (unsigned i = 0; i < FRAMES; i++)
		EXPECT((frames[i] = frame_alloc_zero()));
	EXPECT(page_at(RACE_VA + 511 * 4096, PTE_RO));
	race_entries = pt_find(self->root, RACE_VA, 1);
	EXPECT(race_entries && second_make(&s, 1, racer, &r[1], 0) && !second_start(&s));
	racer(&r[0]);
	for (uint64_t until = time_now() + 40 * NS_PER_SEC; __atomic_load_n(&finished, __ATOMIC_ACQUIRE) != 2;) {
		EXPECT(time_now() < until);
		exo_yield(0);
	}
	for (unsigned i = 0; i < 16; i++)
		EXPECT(!entry_set(race_entries + 8 * i, 0, 0));
	for (unsigned round = 0; round < 5; round++)
		for (unsigned i = 0; i < FRAMES; i++)
			retype_one(frames[i], EXO_KIND_DATA);
	for (unsigned i = 0; i < FRAMES; i++) {
		EXPECT(!exo_frame_info(0, frames[i], &f).status && f.type == EXO_F_DATA);
		EXPECT(!f.mapped && !f.writable && !f.typerefs && !f.pins);
	}
	return 0;
}

/* A root that one CPU loads while the other untypes it.  If the slice ends while it is loaded, it
 * may be gone when the context is to go on: that is the domain's end. */
static uint64_t rooted, root_stop;

uint64_t root_enter(uint64_t root);	/* stubs.S */
static void root_typer(void *arg)
{
	(void)arg;
	while (!root_stop) {
		retype_one(rooted, EXO_KIND_DATA);
		retype_one(rooted, EXO_KIND_PT4);
	}
	root_stop = 2;
}

static uint64_t race_root(void)
{
	static struct second s;
	unsigned entered = 0, refused = 0;
	rooted = pt_root(self->root, 0, 511);
	EXPECT(rooted && second_make(&s, 1, root_typer, NULL, 0) && !second_start(&s));
	for (uint64_t start = time_now(); time_now() - start < RACE_TIME || !entered || !refused;) {
		EXPECT(time_now() - start < 40 * NS_PER_SEC);
		if (root_enter(rooted))
			refused++;
		else
			entered++;
		EXPECT(!root_enter(self->root));
	}
	root_stop = 1;
	while (*(volatile uint64_t *)&root_stop != 2)
		exo_yield(0);
	return 0;
}

/* ---- four domains that hold capabilities of each other ----------------------------------------- */

static uint64_t peer_cap(unsigned i) { return PEER_SLOT + i; }

/* Asks frames back from all others, lends to them, gives, stops and starts them. */
static uint64_t peers(void)
{
	struct racer r = { told->seed * 5 + told->number * 77 + 1 };
	uint64_t pfn = frame_take();
	while (forever) {
		uint64_t peer = peer_cap(dice(&r, PEERS));
		switch (dice(&r, 6)) {
		case 0:
			exo_domain_revoke(peer, 1 + dice(&r, 4), time_now());
			break;
		case 1: {
			struct exo_result loan = exo_frame_lend(0, EXO_SLOT_ANY, pfn, 1, EXO_R_GRANT | EXO_R_READ);
			exo_cap_copy(peer, EXO_SLOT_ANY, loan.value, EXO_R_READ, 0, 0);
			exo_delete_all(0, loan.value);
			break;
		}
		case 2:
			exo_frame_give(0, peer, frame_take(), 1);
			break;
		case 3:
			exo_domain_ctl(peer, EXO_DOM_STOP, 0, 0);
			exo_domain_ctl(peer, EXO_DOM_START, 0, 0);
			break;
		case 4:
			exo_frame_copy(peer, pfn << 12, 0, ~0ul, 64, 0);
			break;
		case 5:
			exo_yield(0);
		}
	}
	return 1;
}

/* ---- one call for ever, until the tester ends the domain ---------------------------------------- */

static uint64_t call_forever(void)
{
	uint64_t n = told->number, pfn = frame_take(), buffer = 0x290000000;
	struct racer r = { told->seed + n * 3 + 1 };
	page_at(buffer, PTE_RW);
	while (forever) {
		uint64_t a[6];
		for (unsigned i = 0; i < 6; i++) {
			const uint64_t pick[] = { 0, 1, pfn, pfn << 12, buffer, buffer + dice(&r, 4096), dice(&r, 64),
				start_cap(self, CAP_LOAN), start_cap(self, CAP_EVENT), self->control_pfn, self->root };
			a[i] = pick[dice(&r, ARRAY_LEN(pick))];
		}
		if (n == EXO_CALL_DOMAIN_CTL && a[1] == EXO_DOM_EXIT)
			continue;
		if (n == EXO_CALL_WAIT)
			a[1] = time_now() + dice(&r, 100000);
		raw_call(n, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
	return 1;
}

const struct row race_rows[] = {
	{ "race-retype", race_retype, EXITS, 2, NULL },
	{ "race-root", race_root, EXITS_OR_STATE, 2, NULL },
	{ "peers", peers, BESIDE, 1, storm_of_peers },
	{ "kill-in-call", call_forever, BESIDE, 1, kill_during_calls },
	{ NULL, NULL, EXITS, 0, NULL },
};
