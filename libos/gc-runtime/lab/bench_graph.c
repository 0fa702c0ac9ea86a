/* graph: nodes with arrays of neighbours; random walks, and edges that are turned elsewhere: references
 * between old objects change, and no page is better than another. */
#include "libos/gc-runtime/lab/lab.h"

#define NODES		400000u
#define STEPS		6000000u
#define DEGREE		4u
#define REWIRE		16u		/* one step in so many changes an edge, one in 16 of these a node */

struct node {
	struct gc_object gc;
	struct node *to[DEGREE];
	uint64_t name, visits;
};
struct nodes { struct gc_object gc; struct node *node[]; };

static struct nodes *all;

static struct node *node_new(uint64_t name)
{
	struct node *n = gc_new(DEGREE, sizeof *n);
	gc_touch(n, true);
	n->name = name;
	return n;
}

static void connect(uint64_t from, uint64_t n, uint64_t *seed)
{
	for (unsigned k = 0; k < DEGREE; k++) {
		struct node *to = GC_GET(all, node[lab_random(seed) % n]);
		GC_SET(all->node[from], to[k], to);
	}
}

static uint64_t walk(uint64_t n, uint64_t steps, uint64_t *seed)
{
	struct node *at = GC_GET(all, node[0]);
	uint64_t sum = 0;
	GC_ROOTS(f, &at);
	for (uint64_t i = 0; i < steps; i++) {
		uint64_t r = lab_random(seed);
		gc_touch(at, true);
		at->visits++;
		sum = lab_mix(sum, at->name);
		if (!(r >> 8 & (REWIRE - 1))) {
			GC_SET(at, to[r % DEGREE], GC_GET(all, node[(r >> 16) % n]));
			if (!(r >> 12 & 15)) {		/* a node is replaced: it lives while edges lead to it */
				uint64_t which = (r >> 20) % n;
				struct node *new = node_new(n + i);
				GC_SET(all, node[which], new);
				connect(which, n, seed);
				at = GC_GET(all, node[(r >> 24) % n]);
			}
			gc_safepoint();
		}
		at = GC_GET(at, to[r >> 4 & (DEGREE - 1)]);
		lab_progress(i, steps);
	}
	return sum;
}

static uint64_t run(unsigned small)
{
	uint64_t seed = 1234567, n = NODES >> small;
	gc_root_add(&all);
	all = gc_new(n, sizeof *all + n * 8);
	for (uint64_t i = 0; i < n; i++) {
		struct node *new = node_new(i);
		GC_SET(all, node[i], new);
	}
	for (uint64_t i = 0; i < n; i++)
		connect(i, n, &seed), gc_safepoint();
	return walk(n, STEPS >> small, &seed);
}

const struct bench bench_graph = { "graph", "random walks over old objects whose edges change", run };
