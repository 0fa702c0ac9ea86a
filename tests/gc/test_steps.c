/* Marking in small steps while the program moves the only reference to an object from where marking
 * has not been to where it was: nothing may be lost.  Prints `ok NAME` or `FAIL NAME: why`.
 * Arguments: the collector, the pager. */
#include "libos/gc-runtime/gc.h"
#include "libos/gc-runtime/port.h"

#define CHAINS		6000u
#define LENGTH		6u
#define ROUNDS		4u
#define MOVES		10000u		/* a round */

struct item {
	struct gc_object gc;
	struct item *next;
	uint64_t number, check, more[2];
};
struct chain { struct gc_object gc; struct item *first; };
struct all { struct gc_object gc; struct chain *chain[CHAINS]; };

static struct all *all;
static uint64_t seed = 9;

static uint64_t draw(uint64_t n)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (seed >> 33) % n;
}

static void prepend(uint64_t chain, uint64_t number)
{
	struct item *i = gc_new(1, sizeof *i);
	i->number = number;
	i->check = number * 1000003;
	GC_SET(i, next, all->chain[chain]->first);
	GC_SET(all->chain[chain], first, i);
}

static void build(void)
{
	all = gc_new(CHAINS, sizeof *all);
	for (uint64_t i = 0; i < CHAINS; i++) {
		struct chain *c = gc_new(1, sizeof *c);
		GC_SET(all, chain[i], c);
	}
	for (uint64_t i = 0; i < CHAINS * LENGTH; i++)
		prepend(i % CHAINS, i);
}

/* All but the first item of two chains change places, and one first item is made anew. */
static void move(void)
{
	uint64_t a = draw(CHAINS), b = draw(CHAINS);
	struct item *one = all->chain[a]->first, *two = all->chain[b]->first, *rest = one->next;
	GC_SET(one, next, two->next);
	GC_SET(two, next, rest);
	uint64_t number = all->chain[a]->first->number;
	GC_SET(all->chain[a], first, one->next);
	prepend(a, number);
}

static const char *look(void)
{
	static bool seen[CHAINS * LENGTH];
	uint64_t n = 0;
	memset(seen, 0, sizeof seen);
	for (uint64_t i = 0; i < CHAINS; i++)
		for (struct item *at = all->chain[i]->first; at; at = at->next, n++) {
			if (at->number >= CHAINS * LENGTH || at->check != at->number * 1000003)
				return "content was lost";
			if (seen[at->number])
				return "a reference leads to another object";
			seen[at->number] = true;
		}
	return n == CHAINS * LENGTH ? NULL : "objects were lost";
}

int gc_main(unsigned argc, const char *(*arg)(unsigned i))
{
	const char *error = NULL, *name = argc > 1 ? arg(1) : "summary";
	const char *pager = argc > 2 ? arg(2) : "aware";
	struct gc_options options = { .collector = name, .pager = pager, .memory = 2 << 20,
		.heap = 64 << 20, .store = "memory", .step = 15000, .verify = true };
	gc_init(&options);
	gc_root_add(&all);
	build();
	for (unsigned round = 0; round < ROUNDS && !error; round++) {
		for (unsigned i = 0; i < MOVES; i++)
			move();
		error = look();
	}
	if (!error && !gc_stats.written)
		error = "nothing was evicted";
	if (!error && (gc_stats.full < 3 || gc_stats.steps < 2 * gc_stats.full))
		error = "marking did not take steps";
	if (error)
		port_print("FAIL gc_steps_%s_%s: %s; %lu steps, %lu full\n", name, pager, error, gc_stats.steps,
			gc_stats.full);
	else
		port_print("ok gc_steps_%s_%s\n", name, pager);
	return error != NULL;
}
