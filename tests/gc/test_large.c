/* Large objects that come and go: under each collector their content and references stay, and `compact`
 * moves them without a copy.  Prints `ok NAME` or `FAIL NAME: why`.  Argument: the collector. */
#include "libos/gc-runtime/gc.h"
#include "libos/gc-runtime/port.h"

#define OBJECTS		200u
#define ROUNDS		30u
#define REFS		700u		/* more than a page of them */

struct large {
	struct gc_object gc;
	struct large *to[REFS];
	uint64_t number, words, word[];
};
struct list { struct gc_object gc; struct large *item[OBJECTS]; };

static struct list *list;
static uint64_t seed = 5;

static uint64_t draw(uint64_t n)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (seed >> 33) % n;
}

static void renew(uint64_t i)
{
	uint64_t words = draw(6000);
	struct large *l = gc_new(REFS, sizeof *l + words * 8);
	l->number = i;
	l->words = words;
	for (uint64_t k = 0; k < words; k += 64)
		l->word[k] = i * 1000003 + k;
	GC_SET(list, item[i], l);
	for (unsigned k = 0; k < 3; k++)
		GC_SET(l, to[draw(REFS)], list->item[draw(OBJECTS)]);
}

static const char *look(void)
{
	for (uint64_t i = 0; i < OBJECTS; i++) {
		const struct large *l = list->item[i];
		if (!l)
			continue;
		if (l->number != i)
			return "a reference leads to another object";
		for (uint64_t k = 0; k < l->words; k += 64)
			if (l->word[k] != i * 1000003 + k)
				return "content was lost";
		for (unsigned k = 0; k < REFS; k++)
			if (l->to[k] && l->to[k]->number >= OBJECTS)
				return "a reference leads nowhere";
	}
	return NULL;
}

int gc_main(unsigned argc, const char *(*arg)(unsigned i))
{
	const char *error = NULL, *name = argc > 1 ? arg(1) : "compact";
	struct gc_options options = { .collector = name, .memory = 5 << 20, .heap = 192 << 20,
		.store = "memory", .verify = true };
	gc_init(&options);
	gc_root_add(&list);
	list = gc_new(OBJECTS, sizeof *list);
	for (unsigned round = 0; round < ROUNDS && !error; round++) {
		for (unsigned i = 0; i < OBJECTS / 4; i++)
			renew(draw(OBJECTS));
		for (unsigned i = 0; i < OBJECTS / 4; i++)	/* what nobody refers to dies */
			GC_SET(list, item[draw(OBJECTS)], (struct large *)NULL);
		for (unsigned i = 0; i < OBJECTS; i++)
			for (unsigned k = 0; list->item[i] && k < REFS; k++)
				if (list->item[i]->to[k] && draw(2))
					GC_SET(list->item[i], to[k], (struct large *)NULL);
		gc_collect(GC_FULL);
		error = look();
	}
	if (!error && !gc_stats.written)
		error = "nothing was evicted";
	if (!error && !strcmp(name, "compact") && !gc_stats.moved)
		error = "nothing was moved";
	if (error)
		port_print("FAIL gc_large_%s: %s\n", name, error);
	else
		port_print("ok gc_large_%s\n", name);
	return error != NULL;
}
