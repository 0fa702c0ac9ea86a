/* The child of revoker.c that publishes an order (mmu_victims) and does not answer: what goes by
 * force is what it published, in that order, told once each by mmu_lost, and nothing else.
 *
 * It says on a page that it shares with its parent (victims.h) when it wants to be asked, and for
 * what.  Option `case`; status 0, or the line of the check that failed.
 */
#include "tests/gc/victims.h"
#include "libos/common/common.h"
#include "libos/gc-runtime/gc.h"
#include "libos/gc-runtime/mmu.h"
#include "libos/gc-runtime/port.h"

#define REGION		4096u
#define FRAMES		1600u
#define PAGES		600u		/* mapped at the beginning */
#define ELSEWHERE	2048u		/* where pages move to */
#define EBUSY		16
#define CHECK(what)	do { if (!(what)) return __LINE__; } while (0)
#define RUN(part)	do { int line_ = part; if (line_) return line_; } while (0)

static volatile struct board *board;
static bool lost[REGION];		/* told, and not refilled */
static uint32_t refills;
static uint64_t total;			/* frames that are left */

/* ---- pages ----------------------------------------------------------------------------------- */

static uint64_t word_of(uint64_t name, unsigned i)
{
	return (name * 512 + i) * 0x9e3779b97f4a7c15ul + 1;
}

static void fill(uint32_t page, uint64_t name)
{
	for (unsigned i = 0; i < 512; i++)
		((volatile uint64_t *)mmu_address(page))[i] = word_of(name, i);
}

/* Its content, where it is mapped and in the window. */
static bool is(uint32_t page, uint64_t name)
{
	const volatile uint64_t *at = mmu_address(page), *window = mmu_window(mmu_frame(page));
	for (unsigned i = 0; i < 512; i++)
		if (at[i] != word_of(name, i) || window[i] != at[i])
			return false;
	return true;
}

/* A page that was lost comes back, with other content. */
static bool on_fault(const struct mmu_fault *f)
{
	if (f->page >= REGION || !lost[f->page] || mmu_do(MMU_MAP, f->page, 1, MMU_W | MMU_ZERO, 0))
		return false;
	lost[f->page] = false;
	refills++;
	return true;
}

static bool dirty(uint32_t page) { return page % 3 == 0; }

static int start(void)
{
	const char *why;
	CHECK(!mmu_init(REGION, FRAMES, &why));
	mmu_on_fault(on_fault);
	CHECK(!mmu_do(MMU_MAP, 0, PAGES, MMU_W, 0));
	for (uint32_t p = 0; p < PAGES; p++)
		fill(p, p);
	mmu_harvest(0, REGION, MMU_D, NULL, NULL);
	for (uint32_t p = 0; p < PAGES; p++)
		if (dirty(p))
			fill(p, p);
	total = mmu_frames_total();
	return 0;
}

/* All pages that were not lost are as they were; those that were are not mapped. */
static int rest(void)
{
	for (uint32_t p = 0; p < PAGES; p++)
		if (lost[p])
			CHECK(!mmu_frame(p));
		else
			CHECK(mmu_frame(p) && is(p, p) && dirty(p) == !!(mmu.pte[p] & MMU_D));
	return 0;
}

/* ---- requests -------------------------------------------------------------------------------- */

static void ask(uint64_t frames, uint64_t most, uint64_t patience)
{
	board->frames = frames;
	board->most = most;
	board->patience = patience;
	__atomic_add_fetch(&board->asked, 1, __ATOMIC_SEQ_CST);
}

static bool answered(void) { return board->done == board->asked; }

static void take(uint64_t frames, uint64_t most)
{
	for (ask(frames, most, 0); !answered();)
		exo_yield(0);
}

/* Exactly these n pages were lost, and are told, in whatever order; once. */
static int told(const uint32_t *page, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint32_t p = mmu_lost();
		bool mine = false;
		for (unsigned k = 0; k < n; k++)
			mine |= page[k] == p;
		CHECK(mine && !lost[p]);
		lost[p] = true;
	}
	CHECK(mmu_lost() == ~0u);
	total -= n;
	CHECK(mmu_frames_total() == total);
	return 0;
}

static uint32_t order[2 * MMU_VICTIMS];
static void scattered(unsigned n, uint32_t from)
{
	for (unsigned i = 0; i < n; i++)
		order[i] = (from + i * 37) % PAGES;
}

/* ---- cases ----------------------------------------------------------------------------------- */

/* One frame, then more at a time: always the next ones. */
static int in_order(void)
{
	unsigned next = 0;
	scattered(MMU_VICTIMS, 5);
	CHECK(!mmu_victims(order, MMU_VICTIMS));
	for (unsigned a = 1, b = 1; next < MMU_VICTIMS; b += a, a = b - a) {
		unsigned k = a < MMU_VICTIMS - next ? a : MMU_VICTIMS - next;
		take(k, k);
		CHECK(!board->status && board->value == k);
		RUN(told(order + next, k));
		RUN(rest());
		next += k;
	}
	return 0;
}

/* Pages that were lost fault, and are filled anew. */
static int refilled(void)
{
	scattered(40, 11);
	CHECK(!mmu_victims(order, 40));
	take(40, 40);
	RUN(told(order, 40));
	for (unsigned i = 0; i < 40; i++) {
		CHECK(!*(volatile uint64_t *)mmu_address(order[i]) && refills == i + 1);
		fill(order[i], order[i]);
		if (!dirty(order[i]))
			mmu_harvest(order[i] & -64u, 64, MMU_D, NULL, NULL);
	}
	for (uint32_t p = 0; p < PAGES; p++)
		CHECK(!lost[p] && is(p, p));
	return 0;
}

/* More is wanted than the order has, and no more may go. */
static int longer(void)
{
	scattered(10, 3);
	CHECK(!mmu_victims(order, 10));
	take(25, 10);
	CHECK(EXO_CODE(board->status) == EXO_LIMIT && board->value == 10);
	RUN(told(order, 10));
	return rest();
}

/* Pages that are none, not mapped, named twice, too many. */
static int names(void)
{
	static uint32_t bad[4 * MMU_VICTIMS];
	unsigned n = 0;
	CHECK(!mmu_do(MMU_ALIAS, 0, 1, MMU_W, ELSEWHERE));
	scattered(MMU_VICTIMS + 20, 0);		/* page 0 is the first */
	for (unsigned i = 0; i < MMU_VICTIMS + 20; i++) {
		const uint32_t none[] = { ~0u, REGION, REGION - 1, 1u << 31, ELSEWHERE, PAGES };
		bad[n++] = order[i];
		bad[n++] = i % 2 ? order[i / 2] : none[i / 2 % ARRAY_SIZE(none)];
	}
	CHECK(!mmu_victims(bad, n));
	take(MMU_VICTIMS + 20, MMU_VICTIMS);
	CHECK(EXO_CODE(board->status) == EXO_LIMIT && board->value == MMU_VICTIMS);
	CHECK(!mmu_frame(ELSEWHERE));
	RUN(told(order, MMU_VICTIMS));
	return rest();
}

/* What a batch works on, or is discardable, is in the order no more; its frame may show another
 * page by then. */
static int left(void)
{
	scattered(70, 0);
	mmu_discardable(order[55], 1, true);	/* until it is in the order */
	CHECK(!mmu_victims(order, 70));
	for (unsigned i = 0; i < 10; i++) {
		uint32_t *at = order + i, p = at[0], outside = p + 1;
		CHECK(!mmu_do(MMU_UNMAP, p, 1, 0, 0) && !mmu_do(MMU_MAP, p, 1, MMU_W, 0));
		fill(p, p);
		CHECK(!mmu_do(MMU_MOVE, p = at[10], 1, 0, ELSEWHERE + i));
		CHECK(!mmu_do(MMU_MOVE, ELSEWHERE + i, 1, 0, p));
		CHECK(!mmu_do(MMU_SWAP, p = at[20], 1, 0, outside) && !mmu_do(MMU_SWAP, p, 1, 0, outside));
		CHECK(!mmu_do(MMU_PROTECT, at[30], 1, 0, 0));
		mmu_discardable(at[40], 1, true);
	}
	mmu_harvest(0, REGION, MMU_D, NULL, NULL);
	for (uint32_t p = 0; p < PAGES; p++)
		if (dirty(p) && mmu.pte[p] & MMU_W)
			fill(p, p);
	take(31, 30);
	CHECK(EXO_CODE(board->status) == EXO_LIMIT && board->value == 30);
	total -= 10;				/* the discardable ones, of which nobody tells */
	RUN(told(order + 50, 20));
	for (unsigned i = 0; i < 70; i++) {
		CHECK(!!mmu_frame(order[i]) == (i < 40));
		CHECK(i >= 40 || is(order[i], order[i]));
	}
	return 0;
}

#define PATIENCE	(60 * NS_PER_MS)

/* Another order than the last, with pages of it in other places. */
static int reorder(uint32_t *to)
{
	static unsigned turn;
	turn++;
	for (unsigned i = 0; i < MMU_VICTIMS; i++)
		to[i] = (turn * 53 + i * 41) % PAGES;
	return mmu_victims(to, MMU_VICTIMS);
}

/* A new order while a request waits: it counts.  Once frames go by force the order stands. */
static int changed(void)
{
	unsigned n = MMU_VICTIMS, refused = 0, kept = 0;
	scattered(n, 1);
	CHECK(!mmu_victims(order, n));
	uint64_t start = time_now();
	ask(n - 10, n - 10, PATIENCE);
	while (!answered() && time_now() < start + PATIENCE / 2) {
		CHECK(!reorder(order));
		exo_yield(0);
	}
	while (!answered() && mmu_frame(order[0]))
		exo_yield(0);
	for (; !answered() && mmu_frame(order[n - 11]); exo_yield(0)) {	/* not all are gone yet */
		refused += reorder(order + n) == -EBUSY;
		for (unsigned i = 0; i < n; i++)
			kept += mmu_do(MMU_PROTECT, order[i], 1, MMU_W, 0) == -EBUSY;
	}
	while (!answered())
		exo_yield(0);
	CHECK(!board->status && board->value == n - 10 && refused && kept);
	RUN(told(order, n - 10));
	RUN(rest());
	CHECK(!mmu_victims(order, 0) && !mmu_do(MMU_UNMAP, order[n - 1], 1, 0, 0));	/* it is over */
	return 0;
}

/* It changes all the time, also as the deadline passes: what goes is of the last order, or of those
 * before it (one accepted when the request is just over counts as one), and is told once. */
static int race_for(unsigned n, uint64_t patience)
{
	static uint32_t last[3][MMU_VICTIMS], next[MMU_VICTIMS];
	bool published[REGION] = { false };
	unsigned gone = 0;
	int error = reorder(last[0]);
	for (ask(n, n, patience); !answered();) {
		if (error || (error = reorder(next)))
			continue;
		memmove(last[1], last[0], 2 * sizeof last[0]);
		memcpy(last[0], next, sizeof next);
	}
	CHECK(!error || error == -EBUSY);
	CHECK(!board->status && board->value == n);
	for (unsigned i = 0; i < 3 * MMU_VICTIMS; i++)
		published[last[i / MMU_VICTIMS][i % MMU_VICTIMS]] = true;
	for (uint32_t p; (p = mmu_lost()) != ~0u; gone++) {
		CHECK(published[p] && !lost[p]);
		lost[p] = true;
	}
	total -= gone;
	CHECK(gone == n && mmu_frames_total() == total);
	return rest();
}

static int race(void)
{
	RUN(race_for(MMU_VICTIMS - 10, PATIENCE));
	for (unsigned i = 0; i < 24; i++)
		RUN(race_for(4, NS_PER_MS + i * 37 * NS_PER_MS / 1000));
	return 0;
}

/* Nobody asks what was lost for some orders. */
static int unasked(void)
{
	static uint32_t all[4 * 100];
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 100; i++)
			all[round * 100 + i] = order[i] = (round * 100 + i) * 37 % PAGES;
		CHECK(!mmu_victims(order, 100));
		take(100, 100);
		CHECK(!board->status && board->value == 100);
	}
	RUN(told(all, 400));
	return rest();
}

#define OTHERS		0x290000000000ul
#define TABLE_SPAN	0x200000ul
#define TABLES		40u

/* Discardable pages are taken back while some go: who is mapped afterwards stays so. */
static int back(void)
{
	static bool mine[PAGES];
	unsigned gone = 0;
	uint64_t status;
	for (unsigned i = 0; i < TABLES; i++)		/* so that they are swept in several calls */
		CHECK(pt_make(start_page->root, OTHERS + i * TABLE_SPAN, 1, &status));
	mmu_discardable(0, PAGES, true);
	for (ask(PAGES / 2, PAGES / 2, 0); !answered(); exo_yield(0))
		for (uint32_t p = 1; mmu_frames_total() < total && p < PAGES; p += 2) {
			mmu_discardable(p, 1, false);
			if (!mine[p] && (mine[p] = mmu_frame(p)))
				fill(p, p + PAGES);
		}
	CHECK(!board->status && board->value == PAGES / 2);
	for (uint32_t p = 0; p < PAGES; p++) {
		mmu_discardable(p, 1, false);
		CHECK(mmu_frame(p) ? is(p, mine[p] ? p + PAGES : p) : !mine[p]);
		gone += !mmu_frame(p);
	}
	CHECK(gone == PAGES / 2 && mmu_frames_total() == total - gone);
	return 0;
}

/* The domain page by hand: numbers that are no frames (0 is none), not its own, tables, pinned,
 * twice. */
static int garbage(void)
{
	struct exo_domain_page *mine;
	uint64_t pfn = frame_alloc_zero();
	struct exo_cap_info info;
	unsigned n = 0;
	CHECK(pfn && frame_apart(pfn));
	mine = physmap_page(pfn);
	scattered(20, 9);
	CHECK(!mmu_victims(order, 20));
	CHECK(!exo_cap_info(0, start_cap(start_page, CAP_BOARD), &info).status);
	const uint32_t bad[] = { 0, 1, 0x100, 0xfee00, ~0u, 1u << 31, 1u << 24, info.base,
		start_page->root, pfn, pfn };
	for (unsigned i = 0; i < 20; i++) {
		mine->order[n++] = mmu_frame(order[i]);
		for (unsigned k = 0; k < 3; k++)
			mine->order[n++] = i % 2 ? mine->order[i] : bad[(3 * i + k) % ARRAY_SIZE(bad)];
	}
	mine->order_count = ~0ul;
	CHECK(!exo_domain_ctl(0, EXO_DOM_PAGE, pfn, 0).status);
	take(20, 20);
	CHECK(!board->status && board->value == 20);
	CHECK(mine->repo_count == 20 && !mine->revoke_want);
	for (unsigned i = 0; i < 20; i++)	/* the vector has each of them, once */
		for (unsigned k = 0; k < i; k++)
			CHECK(mine->repo[i] && mine->repo[i] != mine->repo[k]);
	RUN(told(order, 20));
	return rest();
}

static const struct { const char *name; int (*run)(void); } cases[] = {
	{ "order", in_order }, { "refilled", refilled }, { "longer", longer }, { "names", names },
	{ "left", left }, { "changed", changed }, { "race", race }, { "unasked", unasked },
	{ "back", back }, { "garbage", garbage },
};

static volatile struct board *board_map(void)
{
	struct exo_cap_info info;
	uint64_t cap = start_cap(start_page, CAP_BOARD), va = pt_window(1);
	if (!va || exo_cap_info(0, cap, &info).status ||
	    pt_map(start_page->root, va, info.base, 1, PTE_RW, cap))
		return NULL;
	return (struct board *)va;
}

int gc_main(unsigned argc, const char *(*arg)(unsigned i))
{
	char name[16];
	(void)argc, (void)arg;
	CHECK((board = board_map()));
	CHECK(start_option(start_page, "case", name, sizeof name) >= 0);
	RUN(start());
	exo_event_signal(start_cap(start_page, "ready"), 1ul << 40);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		if (!strcmp(cases[i].name, name))
			return cases[i].run();
	return __LINE__;
}
