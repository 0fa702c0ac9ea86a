/* binary-trees: one tree that lives, and trees of all depths that are built, counted and dropped (after
 * the benchmarks game's program of that name, itself after Ellis and Kovac's GCBench). */
#include "libos/gc-runtime/lab/lab.h"

#define DEPTH_MIN	4u
#define DEPTH_MAX	18u

struct node {
	struct gc_object gc;
	struct node *left, *right;
};

static struct node *build(unsigned depth)
{
	struct node *n = gc_new(2, sizeof *n);
	gc_touch(n, true);
	if (!depth)
		return n;
	GC_ROOTS(f, &n);
	GC_SET(n, left, build(depth - 1));
	GC_SET(n, right, build(depth - 1));
	return n;
}

static uint64_t count(const struct node *n)
{
	gc_touch(n, false);
	return n->left ? 1 + count(n->left) + count(n->right) : 1;
}

static uint64_t run(unsigned small)
{
	unsigned most = DEPTH_MAX - small;
	uint64_t sum = 0, done = 0, all = 0;
	struct node *live = NULL;
	GC_ROOTS(f, &live);
	sum = lab_mix(sum, count(build(most + 1)));
	live = build(most);
	for (unsigned depth = DEPTH_MIN; depth <= most; depth += 2)
		all += 2ul << (most + DEPTH_MIN);		/* nodes, and as many more as trees */
	for (unsigned depth = DEPTH_MIN; depth <= most; depth += 2) {
		uint64_t trees = 1ul << (most - depth + DEPTH_MIN), nodes = 0;
		for (uint64_t i = 0; i < trees; i++, done += 2ul << depth) {
			lab_progress(done, all);
			nodes += count(build(depth));
		}
		sum = lab_mix(sum, nodes);
	}
	return lab_mix(sum, count(live));
}

const struct bench bench_binary = { "binary-trees", "trees of all depths, built and dropped", run };
