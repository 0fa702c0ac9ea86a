/* The child of revoker.c: a program of the GC runtime that is asked for frames while it runs.  Status 0:
 * it gave enough, and its objects are as they were. */
#include "libos/common/common.h"
#include "libos/gc-runtime/gc.h"
#include "libos/gc-runtime/mmu.h"

#define FRAMES		900u
#define ENOUGH		300u		/* frames given */
#define SLOTS		5000u
#define STEPS		2000000u

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

static bool right(uint64_t i)
{
	const struct item *it = list->item[i];
	for (unsigned k = 0; k < 24; k++)
		if (it->word[k] != i * 31 + k)
			return false;
	return it->name == i;
}

static bool all_right(void)
{
	for (uint64_t i = 0; i < SLOTS; i++)
		if (!right(i))
			return false;
	return true;
}

int gc_main(unsigned argc, const char *(*arg)(unsigned i))
{
	struct gc_options options = { .memory = FRAMES * MMU_PAGE, .heap = 64 << 20, .store = "memory",
		.verify = true };
	(void)argc, (void)arg;
	gc_init(&options);
	gc_root_add(&list);
	list = gc_new(SLOTS, sizeof *list);
	for (uint64_t i = 0; i < SLOTS; i++)
		renew(i);
	exo_event_signal(start_cap(start_page, "ready"), 1ul << 40);	/* READY */
	for (uint64_t step = 0; step < STEPS && mmu_frames_total() > FRAMES - ENOUGH; step++) {
		if (!right(step * 7919 % SLOTS))
			return 2;
		renew(step % SLOTS);
		gc_safepoint();
	}
	if (mmu_frames_total() > FRAMES - ENOUGH)
		return 3;
	/* and goes on with what is left, after the kernel has taken the frames */
	time_sleep_until(time_now() + 1500 * NS_PER_MS);
	for (uint64_t step = 0; step < 3 * SLOTS; step++)
		renew(step % SLOTS);
	return all_right() ? gc_stats.written ? 0 : 4 : 2;
}
