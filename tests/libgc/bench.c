/* What collecting in steps costs: a live tree of nodes, and many short-lived ones, of which some
 * replace parts of it.  Prints the answer, the time, collections, and the longest stop.
 *
 * 	bench [--steps] [MEGABYTES-LIVE [MEGABYTES-ALLOCATED]]
 */
#include <gc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct node { struct node *left, *right; uint64_t value; };
#define NODE_BYTES	32u		/* as the collector rounds it */
#define PART_DEPTH	8		/* of the short-lived trees: 511 nodes */

static uint64_t seed = 1;
static unsigned draw(void)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return seed >> 33;
}

static struct node *make(int depth)
{
	struct node *n = GC_MALLOC(sizeof *n);
	if (!n) {
		puts("Out of memory");
		exit(1);
	}
	n->value = draw();
	if (depth) {
		GC_PTR_STORE_AND_DIRTY(&n->left, make(depth - 1));
		GC_PTR_STORE_AND_DIRTY(&n->right, make(depth - 1));
	}
	return n;
}

static uint64_t sum(const struct node *n)
{
	return n ? n->value * 31 + sum(n->left) * 7 + sum(n->right) : 0;
}

/* The subtree of PART_DEPTH at a random place becomes another. */
static void replace(struct node *root, int depth, struct node *part)
{
	for (; depth > PART_DEPTH + 1; depth--)
		root = draw() & 1 ? root->left : root->right;
	if (draw() & 1)
		GC_PTR_STORE_AND_DIRTY(&root->left, part);
	else
		GC_PTR_STORE_AND_DIRTY(&root->right, part);
}

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ul + t.tv_nsec;
}

int main(int argc, char **argv)
{
	int steps = argc > 1 && !strcmp(argv[1], "--steps");
	uint64_t live = argc > 1 + steps ? strtoul(argv[1 + steps], NULL, 10) : 16;
	uint64_t all = argc > 2 + steps ? strtoul(argv[2 + steps], NULL, 10) :
		8 * live;
	int depth = PART_DEPTH + 2;
	uint64_t start = now(), longest = 0, before;
	GC_INIT();
	if (steps)
		GC_enable_incremental();
	while ((2ul << depth) * NODE_BYTES < live << 20)
		depth++;
	struct node *root = make(depth);
	uint64_t parts = (all << 20) / ((2ul << PART_DEPTH) * NODE_BYTES);
	for (uint64_t i = 0; i < parts; i++) {
		before = now();
		struct node *part = make(PART_DEPTH);
		longest = now() - before > longest ? now() - before : longest;
		if (i % 8 == 0)
			replace(root, depth, part);
	}
	uint64_t answer = sum(root), time = now() - start;
	printf("answer %016lx, %lu us, %lu collections, longest %lu us, heap %lu KiB\n",
		(unsigned long)answer, (unsigned long)time / 1000, (unsigned long)GC_get_gc_no(),
		(unsigned long)longest / 1000, (unsigned long)GC_get_heap_size() >> 10);
	return 0;
}
