/* Frames are asked back while a program runs, at every step, with a deadline that has passed: the
 * runtime gives them there and then, without a safepoint, and the program notices nothing.  Now and
 * then many, for good; at the others a few, which come back.  In collections, too: then they go when
 * that is done.  On Linux, whose back end plays the kernel.
 * Arguments: collector, pager; `offers`: frames are on offer, most requests are met by these, and
 * the runtime is not asked; `full`: the store has room for a part of the heap. */
#include "libos/gc-runtime/gc.h"
#include "libos/gc-runtime/paging.h"
#include "libos/gc-runtime/mmu_linux.h"
#include "libos/gc-runtime/port.h"
#include "libos/gc-runtime/store.h"

#define FRAMES		1200u
#define LEAST		430u		/* frames that are left at the end */
#define SLOTS		6000u		/* live objects of 256 bytes on average: 1.5 MiB and their table */
#define MOST		150u		/* at a time: more than are kept free */
#define FEW		40u		/* at a time, and given back */
#define STEPS		8000u
#define STEPS_OFFER	2000u
#define OFFER		200u		/* or an eighth of what is left */

struct item { struct gc_object gc; struct item *other; uint64_t name, words, word[]; };
struct list { struct gc_object gc; struct item *item[SLOTS]; };

static struct list *list;
static uint64_t seed = 7;

static uint64_t draw(uint64_t n)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (seed >> 33) % n;
}

static void renew(uint64_t i)
{
	uint64_t words = draw(60);
	struct item *it = gc_new(1, sizeof *it + words * 8);
	it->name = i;
	it->words = words;
	for (uint64_t k = 0; k < words; k++)
		it->word[k] = i * 31 + k;
	GC_SET(list, item[i], it);
	GC_SET(it, other, list->item[draw(SLOTS)]);
	if (it->other && draw(4))
		GC_SET(it, other, (struct item *)NULL);
}

static bool right(uint64_t i)
{
	const struct item *it = list->item[i];
	if (!it)
		return true;
	for (uint64_t k = 0; k < it->words; k++)
		if (it->word[k] != i * 31 + k)
			return false;
	return it->name == i && (!it->other || it->other->name < SLOTS);
}

static uint64_t asked;		/* frames that are gone */
static unsigned inside;			/* of the requests: in collections */
static unsigned unasked;		/* that were met by what is on offer */

/* As pages come and go. */
static void in_collections(void)
{
	if (!paging.collecting || asked > FRAMES - LEAST || draw(300))
		return;
	inside++;
	asked++;
	mmu_linux_revoke(1, 0);
}

static bool all_right(void)
{
	for (uint64_t i = 0; i < SLOTS; i++)
		if (!right(i))
			return false;
	return true;
}

/* More is asked for than the store has room for: what can go does, and the program works on. */
static const char *run_full(void)
{
	for (uint64_t i = 0; i < SLOTS; i++)
		renew(i);
	for (unsigned k = 0; k < 3; k++) {
		mmu_linux_revoke(FRAMES * 10, 0);
		if (!all_right())
			return "content was lost";
	}
	if (!slots_full())
		return "the store has room";
	return gc_stats.revoked ? NULL : "nothing was given";
}

/* Any answer is right but one: a frame more or less than was asked for. */
static const char *run(bool offer)
{
	for (uint64_t i = 0; i < 4 * SLOTS; i++)
		renew(i % SLOTS);
	uint64_t steps = offer ? STEPS_OFFER : STEPS;
	for (uint64_t step = 0; step < steps; step++) {
		renew(draw(SLOTS));
		if (!right(draw(SLOTS)))
			return "content was lost";
		bool many = !(step % 499) && FRAMES - asked > LEAST + FEW + MOST;
		uint64_t n = 1 + draw(many ? MOST : FEW);
		if (mmu_frames_total() != FRAMES - asked)
			return "a collection left frames that were asked for";
		uint64_t given = gc_stats.revoked;
		mmu_linux_revoke(n, 0);
		unasked += gc_stats.revoked == given;
		asked += n;
		if (mmu_frames_total() != FRAMES - asked)
			return "frames that were asked for did not go";
		if (step % 2)
			gc_safepoint();
		if (offer && !(step % 8))
			gc_collect(GC_YOUNG);
		if (many)
			continue;
		if (mmu_linux_return(n) != n)
			return "frames that went do not come back";
		asked -= n;
	}
	mmu_linux_revoke(FRAMES * 10, 0);	/* and it goes on, with what it cannot give */
	for (uint64_t i = 0; i < SLOTS; i++) {
		if (!right(i))
			return "content was lost";
		renew(i);
	}
	if ((!offer && asked < FRAMES - LEAST - FEW - MOST) || !inside)
		return "too little was asked for";
	if (offer ? unasked < STEPS_OFFER / 4 : unasked)
		return offer ? "too little was on offer" : "frames went that were not on offer";
	return gc_stats.revoked ? NULL : "free frames were enough";
}

int gc_main(unsigned argc, const char *(*arg)(unsigned i))
{
	struct gc_options options = { .memory = FRAMES * MMU_PAGE, .heap = 64 << 20, .store = "memory",
		.verify = true };
	const char *mode = argc == 4 ? arg(3) : "";
	bool full = !strcmp(mode, "full");
	if (argc >= 3) {
		options.collector = arg(1);
		options.pager = arg(2);
	}
	if (full)
		options.store = "memory:1";
	if (!strcmp(mode, "offers"))
		options.offer = OFFER * MMU_PAGE;
	gc_init(&options);
	gc_root_add(&list);
	paging.observe = in_collections;
	list = gc_new(SLOTS, sizeof *list);
	const char *error = full ? run_full() : run(options.offer), *gap = *mode ? "_" : "";
	if (error)
		port_print("FAIL gc_revoke_%s_%s%s%s: %s\n", arg(1), arg(2), gap, mode, error);
	else
		port_print("ok gc_revoke_%s_%s%s%s\n", arg(1), arg(2), gap, mode);
	return error != NULL;
}
