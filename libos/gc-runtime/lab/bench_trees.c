/* trees: a live tree of 64 MiB; 512 MiB are allocated in trees of 128 KiB that die at once, and every 16
 * of them a sixteenth of the live tree is walked.  In memory that holds the live tree, no collector
 * needs the disk. */
#include "libos/gc-runtime/lab/lab.h"

#define LIVE_DEPTH	21u
#define SHORT_DEPTH	12u
#define SHORT_TREES	4096u
#define PARTS		16u

struct node {
	struct gc_object gc;
	struct node *left, *right;
	uint64_t data;
};

static struct node *build(unsigned depth, uint64_t *next)
{
	struct node *n = gc_new(2, sizeof *n);
	gc_touch(n, true);
	n->data = (*next)++;
	if (depth == 1)
		return n;
	GC_ROOTS(f, &n);
	GC_SET(n, left, build(depth - 1, next));
	GC_SET(n, right, build(depth - 1, next));
	return n;
}

static uint64_t walk(const struct node *n)
{
	uint64_t sum = 0;
	while (n) {
		gc_touch(n, false);
		sum += n->data + (n->left ? walk(n->left) : 0);
		n = n->right;
	}
	return sum;
}

static const struct node *part(const struct node *root, unsigned i)
{
	for (unsigned k = 1; k < PARTS; k *= 2)
		root = i & k ? GC_GET(root, right) : GC_GET(root, left);
	return root;
}

static uint64_t run(unsigned small)
{
	uint64_t next = 0, sum = 0;
	struct node *live = NULL, *dying = NULL;
	unsigned trees = SHORT_TREES >> small;
	GC_ROOTS(f, &live, &dying);
	live = build(LIVE_DEPTH - small, &next);
	for (unsigned i = 0; i < trees; i++) {
		dying = build(SHORT_DEPTH, &next);
		sum = lab_mix(sum, dying->data);
		if (i % PARTS == PARTS - 1)
			sum = lab_mix(sum, walk(part(live, i / PARTS)));
		lab_progress(i, trees);
	}
	return lab_mix(sum, walk(live));
}

const struct bench bench_trees = { "trees", "64 MiB live, 512 MiB allocated in trees of 128 KiB", run };
