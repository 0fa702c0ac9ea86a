/* The libgc-compatible library, by what gc.h promises: prints `ok NAME` and `FAIL NAME: why`.
 *
 * As the collector is conservative, words left on the stack may keep an object: cases with many
 * objects allow for a few.  What gctest and cordtest of Debian's source cover is left to them.
 */
#include <gc.h>
#include <gc/gc_typed.h>
#include <gc/javaxfc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY	1000
#define FEW	20		/* kept by mere chance, at most */
#define NOINLINE __attribute__((noinline))

static bool failed;

static void check(const char *name, bool right, const char *why, long value)
{
	const char *how = GC_is_incremental_mode() ? "_in_steps" : "";
	failed |= !right;
	if (right)
		printf("ok libgc_%s%s\n", name, how);
	else
		printf("FAIL libgc_%s%s: %s (%ld)\n", name, how, why, value);
	fflush(stdout);
}

/* Overwrites what calls left on the stack. */
NOINLINE static void wipe(void)
{
	volatile char here[16384];
	memset((void *)here, 0, sizeof here);
}

static void collect(void)
{
	wipe();
	for (int i = 0; i < 3; i++)
		GC_gcollect();
}

/* ---- what is kept, what is not --------------------------------------------------------- */

static uintptr_t weak[MANY];		/* an address while its object lives */

static long weak_left(void)
{
	long n = 0;
	for (int i = 0; i < MANY; i++)
		n += weak[i] != 0;
	return n;
}

static void watch(int i, void *object)
{
	weak[i] = ~(uintptr_t)object;
	GC_general_register_disappearing_link((void **)&weak[i], object);
}

struct node { struct node *next; uint64_t data[3]; };

NOINLINE static struct node *make_list(int n)
{
	struct node *list = NULL;
	for (int i = 0; i < n; i++) {
		struct node *p = GC_malloc(sizeof *p);
		p->next = list;
		p->data[0] = i;
		watch(i, p);
		list = p;
	}
	return list;
}

static struct node *held;

NOINLINE static void test_reach(void)
{
	held = make_list(MANY);
	collect();
	check("kept", weak_left() == MANY, "objects lost that a global refers to", weak_left());
	long sum = 0;
	for (struct node *p = held; p; p = p->next)
		sum += p->data[0];
	check("content", sum == MANY * (MANY - 1) / 2, "wrong content", sum);
	held = (struct node *)((char *)held + 17);	/* an interior pointer does */
	collect();
	check("interior", weak_left() == MANY, "lost by an interior pointer", weak_left());
	held = NULL;
	collect();
	check("dropped", weak_left() <= FEW, "garbage kept", weak_left());
}

NOINLINE static void test_atomic(void)
{
	uintptr_t *table = GC_malloc_atomic(MANY * sizeof *table);
	for (int i = 0; i < MANY; i++) {
		void *p = GC_malloc(40);
		table[i] = (uintptr_t)p;
		watch(i, p);
	}
	collect();
	check("atomic", weak_left() <= FEW, "kept by an object without pointers", weak_left());
	GC_reachable_here(table);
}

/* Deep and wide: each level leaves 511 references to be looked at later, more than any mark stack
 * has room for. */
#define LEVELS	100
struct level { struct node *leaf[511]; struct level *next; };
static struct level *volatile levels;

NOINLINE static void make_levels(void)
{
	for (int n = 0; n < LEVELS; n++) {
		struct level *l = GC_malloc(sizeof *l);
		l->next = levels;
		levels = l;
		for (int i = 0; i < 511; i++) {
			l->leaf[i] = GC_malloc(sizeof **l->leaf);
			l->leaf[i]->next = GC_malloc(sizeof **l->leaf);
			l->leaf[i]->next->data[1] = i;
		}
	}
}

NOINLINE static void test_deep(void)
{
	long wrong = 0;
	make_levels();
	collect();
	for (int i = 0; i < 4 * LEVELS * 511; i++)
		((struct node *)GC_malloc(sizeof(struct node)))->data[1] = ~0ul;
	for (struct level *l = levels; l; l = l->next)
		for (int i = 0; i < 511; i++)
			wrong += l->leaf[i]->next->data[1] != (uint64_t)i;
	check("deep", !wrong, "objects lost", wrong);
	levels = NULL;
}

NOINLINE static void test_uncollectable(void)
{
	static uintptr_t hidden;
	void **p = GC_malloc_uncollectable(sizeof *p);
	*p = make_list(MANY);
	hidden = ~(uintptr_t)p;
	p = NULL;
	collect();
	check("uncollectable", weak_left() == MANY, "lost below an uncollectable object",
		weak_left());
	p = (void **)~hidden;
	GC_free(p);
	p = NULL;
	collect();
	check("freed", weak_left() <= FEW, "kept by a freed object", weak_left());
}

NOINLINE static void test_roots(void)
{
	struct node **p = malloc(2 * sizeof *p);
	p[0] = make_list(MANY);
	GC_add_roots(p, p + 1);
	collect();
	check("add_roots", weak_left() == MANY, "lost below a root of the program's own",
		weak_left());
	GC_exclude_static_roots(p, p + 1);
	collect();
	check("exclude_roots", weak_left() <= FEW, "kept by an excluded root", weak_left());
	GC_clear_exclusion_table();
	GC_remove_roots(p, p + 1);
	free(p);
}

NOINLINE static void test_typed(void)
{
	GC_word bitmap[3] = { 0 }, one[1] = { 0 };
	GC_set_bit(bitmap, 0);
	GC_set_bit(bitmap, 150);
	GC_set_bit(one, 1);
	GC_descr d = GC_make_descriptor(bitmap, 151), small = GC_make_descriptor(one, 2);
	uintptr_t *p = GC_malloc_explicitly_typed(160 * sizeof *p, d);
	uintptr_t *array = GC_calloc_explicitly_typed(MANY, 2 * sizeof *array, small);
	for (int i = 0; i < 160; i++) {
		void *q = GC_malloc(24);
		p[i] = (uintptr_t)q;
		watch(i, q);
	}
	for (int i = 160; i < MANY; i++) {
		void *q = GC_malloc(24);
		array[i] = (uintptr_t)q;	/* odd words are references */
		watch(i, q);
	}
	collect();
	long kept = weak_left(), right = 2 + (MANY - 160) / 2;
	check("typed", kept >= right && kept <= right + FEW, "kept by descriptors", kept - right);
	check("typed_right", weak[0] && weak[150] && weak[161], "the wrong ones", 0);
	GC_reachable_here(p);
	GC_reachable_here(array);
}

/* ---- allocation --------------------------------------------------------------------------- */

static void test_sizes(void)
{
	bool zero = true, sizes = true, base = true;
	for (size_t n = 0; n < 20000; n = n * 5 / 4 + 1) {
		char *p = GC_malloc(n);
		for (size_t i = 0; i < n; i++)
			zero &= !p[i];
		memset(p, 0xaa, n);
		sizes &= GC_size(p) > n;
		base &= GC_base(p + n) == p && GC_base(p + n / 2) == p && !((uintptr_t)p % 16);
		if (n % 3 == 0)
			GC_free(p);
	}
	check("zeroed", zero, "GC_malloc gave memory that isn't zero", 0);
	check("sizes", sizes, "GC_size", 0);
	check("base", base, "GC_base", 0);
}

static void test_realloc(void)
{
	unsigned char *p = GC_malloc(10);
	bool same = true;
	size_t old = 10;
	memset(p, 7, 10);
	for (size_t n = 10; n < 100000; old = n, n = n * 3 / 2) {
		p = GC_realloc(p, n);
		for (size_t i = 0; i < old; i++)
			same &= p[i] == 7;
		for (size_t i = old; i < n; i++)
			same &= !p[i];
		memset(p, 7, n);
	}
	p = GC_realloc(p, 5);
	same &= p[4] == 7 && GC_size(p) < 100;
	check("realloc", same, "content", 0);
	char *s = GC_strdup("a string"), *t = GC_strndup(s, 4);
	check("strings", !strcmp(s, "a string") && !strcmp(t, "a st"), "strdup, strndup", 0);
	void *aligned[4];
	bool fits = true;
	for (int i = 0; i < 4; i++)
		fits &= !GC_posix_memalign(&aligned[i], 64u << 3 * i, 100) &&
			!((uintptr_t)aligned[i] % (64u << 3 * i)) &&
			GC_base((char *)aligned[i] + 99);
	check("memalign", fits, "not aligned, or not inside an object", 0);
}

static size_t asked;
static void *no_memory(size_t n) { asked = n; return NULL; }

static void test_limit(void)
{
	GC_oom_func before = GC_get_oom_fn();
	GC_set_max_heap_size(GC_get_heap_size() + (1 << 20));
	GC_set_oom_fn(no_memory);
	void *p = GC_malloc(64 << 20);
	check("oom", !p && asked >= 64 << 20, "memory beyond the limit", (long)asked);
	volatile size_t huge = ~(size_t)0;
	check("oom_huge", !GC_malloc(huge) && !GC_malloc(huge - 4096), "absurd sizes", 0);
	GC_set_oom_fn(before);
	GC_set_max_heap_size(0);
	check("after_oom", GC_malloc(1 << 20) != NULL, "no memory afterwards", 0);
}

NOINLINE static void fill(void)
{
	for (int i = 0; i < 200; i++)
		*(char *)GC_malloc(1 << 16) = 1;
}

static void test_return(void)
{
	GC_disable();
	fill();
	GC_enable();
	size_t full = GC_get_heap_size();
	wipe();
	GC_gcollect_and_unmap();
	check("unmapped", GC_get_heap_size() < full / 2, "memory not given back",
		(long)GC_get_heap_size());
}

/* ---- finalizers ------------------------------------------------------------------------------ */

static int order[8], ran;
static struct node *revived;

static void finalize(void *object, void *data)
{
	(void)object;
	order[ran++ % 8] = (int)(intptr_t)data;
}

/* a -> b -> b: and, with `close`, back to a */
NOINLINE static void make_chain(bool no_order, bool close)
{
	struct node *b = GC_malloc(sizeof *b), *a = GC_malloc(sizeof *a);
	a->next = b;
	b->next = close ? a : NULL;
	if (no_order) {
		GC_register_finalizer_no_order(a, finalize, (void *)1, NULL, NULL);
		GC_register_finalizer_no_order(b, finalize, (void *)2, NULL, NULL);
	} else {
		GC_register_finalizer(a, finalize, (void *)1, NULL, NULL);
		GC_register_finalizer(b, finalize, (void *)2, NULL, NULL);
	}
}

NOINLINE static void make_self(bool ignore)
{
	struct node *a = GC_malloc(sizeof *a);
	a->next = a;
	(ignore ? GC_register_finalizer_ignore_self : GC_register_finalizer)(a, finalize, (void *)3,
		NULL, NULL);
}

static int rounds_until(int n)
{
	int rounds = 0;
	for (ran = 0; ran < n && rounds < 10; rounds++) {
		wipe();
		GC_gcollect();
	}
	return rounds;
}

static void revive(void *object, void *data)
{
	(void)data;
	revived = object;
}

static uintptr_t short_link, long_link;

NOINLINE static void make_revived(void)
{
	struct node *p = GC_malloc(sizeof *p);
	p->data[0] = 42;
	short_link = long_link = ~(uintptr_t)p;
	GC_general_register_disappearing_link((void **)&short_link, p);
	GC_register_long_link((void **)&long_link, p);
	GC_register_finalizer(p, revive, NULL, NULL, NULL);
}

static void test_finalizers(void)
{
	make_chain(false, false);
	int rounds = rounds_until(2);
	check("order", ran == 2 && order[0] == 1 && order[1] == 2 && rounds >= 2, "order", ran);
	make_chain(true, false);
	check("no_order", rounds_until(2) < 10, "not run", ran);
	make_chain(true, true);
	check("no_order_cycle", rounds_until(2) < 10, "not run", ran);
	make_self(true);
	check("ignore_self", rounds_until(1) < 10, "not run", ran);
	make_self(false);
	check("self", rounds_until(1) == 10, "run in spite of a cycle", ran);
	make_chain(false, true);
	check("cycle", rounds_until(1) == 10, "run in spite of a cycle", ran);
	make_revived();
	for (int i = 0; i < 10 && !revived; i++)
		collect();
	check("revived", revived && revived->data[0] == 42 && !short_link && long_link,
		"links of an object that its finalizer revives", revived != NULL);
	revived = NULL;
	for (int i = 0; i < 10 && long_link; i++)
		collect();
	check("long_link", !long_link, "still there", 0);
}

/* ---- collection in steps: an independent shadow of what the program wrote ------------- */

#define TABLES	1024
#define SLOTS	64
#define BETWEEN	100		/* nodes between two tables, for marking to take a while */
struct cell { uint64_t id, again, rest[4]; };
struct table { struct node *next; struct cell *slot[SLOTS]; };
static struct table *volatile first_table;	/* refers to all of them */
static uintptr_t hidden_table[TABLES];	/* their addresses, not as references */
static uint64_t shadow[TABLES * SLOTS];
static uint64_t seed;

static unsigned draw(unsigned n)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (seed >> 33) % n;
}

static struct cell **slot(unsigned i)
{
	return &((struct table *)~hidden_table[i / SLOTS])->slot[i % SLOTS];
}

static void renew(unsigned i)
{
	struct cell *c = GC_malloc(sizeof *c);
	c->id = c->again = shadow[i] = seed;
	*slot(i) = c;
}

NOINLINE static void make_tables(void)
{
	struct node *next = NULL;
	for (int t = TABLES - 1; t >= 0; t--) {
		struct table *table = GC_malloc(sizeof *table);
		table->next = next;
		hidden_table[t] = ~(uintptr_t)table;
		next = (struct node *)table;
		for (int i = 0; t && i < BETWEEN; i++) {
			struct node *p = GC_malloc(sizeof *p);
			p->next = next;
			next = p;
		}
		first_table = (struct table *)next;
	}
}

/* References change places: from objects that marking has not reached yet to those that it has
 * left. */
static void exchange(unsigned i, unsigned j)
{
	struct cell *c = *slot(i);
	uint64_t id = shadow[i];
	*slot(i) = *slot(j);
	shadow[i] = shadow[j];
	*slot(j) = c;
	shadow[j] = id;
}

static long wrong_cells(void)
{
	long wrong = 0;
	for (int i = 0; i < TABLES * SLOTS; i++)
		wrong += (*slot(i))->id != shadow[i] || (*slot(i))->again != shadow[i];
	return wrong;
}

static void test_shadow(void)
{
	seed = 4711;
	make_tables();
	for (unsigned i = 0; i < TABLES * SLOTS; i++)
		renew(i);
	unsigned long before = GC_get_gc_no();
	long wrong = 0;
	for (unsigned t = 0; t < 600000; t++) {
		exchange(draw(TABLES * SLOTS), draw(TABLES * SLOTS));
		renew(draw(TABLES * SLOTS));
		if (t % 100000 == 0)
			wrong += wrong_cells();
	}
	wrong += wrong_cells();
	unsigned long cycles = GC_get_gc_no() - before;
	check("shadow", !wrong && cycles >= 3, wrong ? "cells lost" : "too few collections",
		wrong ? wrong : (long)cycles);
	first_table = NULL;
}

/* ---- the process ---------------------------------------------------------------------- */

static void test_fork(void)
{
	held = make_list(MANY);
	pid_t pid = fork();
	if (!pid) {
		for (struct node *p = held; p; p = p->next)
			p->data[0] = 1;
		held = NULL;
		fill();
		collect();
		_exit(weak_left() > FEW);
	}
	int status = -1;
	waitpid(pid, &status, 0);
	check("fork_child", pid > 0 && !status, "the child's heap", status);
	long sum = 0;
	for (struct node *p = held; p; p = p->next)
		sum += p->data[0];
	check("fork_parent", sum == MANY * (MANY - 1) / 2, "the child wrote in it", sum);
	held = NULL;
}

static sigjmp_buf back;
static void caught(int n) { siglongjmp(back, n); }

static void test_fault(void)
{
	char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!sigsetjmp(back, 1)) {
		*page = 1;
		check("fault", false, "no fault", 0);
	} else
		check("fault", true, "", 0);
	munmap(page, 4096);
}

int main(int argc, char **argv)
{
	bool machine = argc > 1 && !strcmp(argv[1], "--domain");
	if (!machine)
		signal(SIGSEGV, caught);	/* before the library's */
	GC_INIT();
	test_sizes();
	test_realloc();
	test_reach();
	test_atomic();
	test_deep();
	test_uncollectable();
	test_roots();
	test_typed();
	test_finalizers();
	test_limit();
	test_return();
	test_shadow();
	GC_enable_incremental();
	check("incremental", GC_is_incremental_mode(), "not switched on", 0);
	test_shadow();
	test_reach();
	test_typed();
	test_finalizers();
	if (!machine) {
		test_fork();
		test_fault();
	}
	return failed;
}
