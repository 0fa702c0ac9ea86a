/* The child of revoker.c: a program of the GC runtime that is asked for frames while it runs.  Status
 * 0: it gave enough, and its objects are as they were.  Options: `collector`, `pager`;
 * `mode=loop`: it comes to no safepoint meanwhile; `mode=offers`: in little memory, of which some is
 * on offer, and nothing else may go. */
#include "libos/common/common.h"
#include "libos/gc-runtime/gc.h"
#include "libos/gc-runtime/mmu.h"

#define FRAMES		900u
#define ENOUGH		300u		/* frames given */
#define TIGHT		480u		/* frames in mode=offers; on offer, if that is no more than an eighth; */
#define OFFERS		100u
#define UNASKED		72u		/* frames that go unasked */
#define SLOTS		5000u
#define STEPS		2000000u
#define PATIENCE	(20 * NS_PER_SEC)

struct item { struct gc_object gc; uint64_t name, word[24]; };
struct list { struct gc_object gc; struct item *item[SLOTS]; };

static struct list *list;

static void renew(uint64_t i)
{
	struct item *it = gc_new(0, sizeof *it);
	it->name = i;
	for (unsigned k = 0; k < 24; k++)
		it->word[k] = i * 31 + k;
	GC_SET(list, item[i], it);
}

static bool is(const struct item *it, uint64_t name)
{
	for (unsigned k = 0; k < 24; k++)
		if (it->word[k] != name * 31 + k)
			return false;
	return it->name == name;
}

static bool right(uint64_t i) { return is(list->item[i], i); }

static bool all_right(void)
{
	for (uint64_t i = 0; i < SLOTS; i++)
		if (!right(i))
			return false;
	return true;
}

static bool enough(void) { return mmu_frames_total() <= FRAMES - ENOUGH; }

/* Reads, writes, and stores of references: items change their places, and their content twice. */
static int loop(void)
{
	uint64_t until = time_now() + PATIENCE;
	for (uint64_t step = 0; !enough() && time_now() < until; step++) {
		uint64_t i = step * 7919 % SLOTS, k = step * 31 % SLOTS;
		struct item *one = list->item[i], *two = list->item[k];
		GC_SET(list, item[i], two);
		GC_SET(list, item[k], one);
		one->word[step % 24]++;
		if (two != one && !is(two, two->name))
			return 2;
		one->word[step % 24]--;
	}
	gc_collect(GC_FULL);			/* and looks at the heap */
	static bool seen[SLOTS];
	for (uint64_t i = 0; i < SLOTS; i++) {
		const struct item *it = list->item[i];
		if (it->name >= SLOTS || seen[it->name] || !is(it, it->name))
			return 2;
		seen[it->name] = true;
	}
	for (uint64_t i = 0; i < SLOTS; i++)
		renew(i);
	return !enough() ? 3 : gc_stats.revoked < ENOUGH ? 4 : all_right() ? 0 : 2;
}

/* Most pages are in the store, or could be. */
static int offers(void)
{
	uint64_t until = time_now() + PATIENCE;
	for (uint64_t step = 0; mmu_frames_total() > TIGHT - UNASKED && time_now() < until; step++) {
		if (!right(step * 7919 % SLOTS))
			return 2;
		renew(step % SLOTS);
	}
	return mmu_frames_total() != TIGHT - UNASKED ? 3 : !gc_stats.loads_mutator ? 4 : all_right() ? 0 : 2;
}

int gc_main(unsigned argc, const char *(*arg)(unsigned i))
{
	struct gc_options options = { .memory = FRAMES * MMU_PAGE, .heap = 64 << 20, .store = "memory",
		.verify = true };
	static char collector[16], pager[16], mode[8];
	(void)argc, (void)arg;
	if (start_option(start_page, "collector", collector, sizeof collector) > 0)
		options.collector = collector;
	if (start_option(start_page, "pager", pager, sizeof pager) > 0)
		options.pager = pager;
	bool moded = start_option(start_page, "mode", mode, sizeof mode) > 0, offering = moded && *mode == 'o';
	if (offering) {
		options.memory = TIGHT * MMU_PAGE;
		options.offer = OFFERS * MMU_PAGE;
	}
	gc_init(&options);
	gc_root_add(&list);
	list = gc_new(SLOTS, sizeof *list);
	for (uint64_t i = 0; i < SLOTS; i++)
		renew(i);
	exo_event_signal(start_cap(start_page, "ready"), 1ul << 40);	/* READY */
	if (moded)
		return offering ? offers() : loop();
	for (uint64_t step = 0; step < STEPS && !enough(); step++) {
		if (!right(step * 7919 % SLOTS))
			return 2;
		renew(step % SLOTS);
		gc_safepoint();
	}
	if (!enough())
		return 3;
	/* and goes on with what is left, after the kernel has taken the frames */
	time_sleep_until(time_now() + 1500 * NS_PER_MS);
	for (uint64_t step = 0; step < 3 * SLOTS; step++)
		renew(step % SLOTS);
	return all_right() ? gc_stats.written ? 0 : 4 : 2;
}
