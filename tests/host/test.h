/* What the unit tests share: a registry, and short names for the calls. */
#ifndef HOST_TEST_H
#define HOST_TEST_H

#include "tests/host/model.h"

struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};
void test_add(struct test *t);

/* TEST(name) { ... } defines a test; it runs on a freshly booted model. */
#define TEST(id) \
	static void test_##id(void); \
	static struct test entry_##id = { #id, test_##id, NULL }; \
	__attribute__((constructor)) static void add_##id(void) { test_add(&entry_##id); } \
	static void test_##id(void)

/* A call's status must be exactly this. */
#define IS(r, code, at)	do { \
		uint64_t status_ = (r).status; \
		CHECK(status_ == FAIL(code, at), "%s: status %lu at %lu", #r, status_ & 0xff, status_ >> 8); \
	} while (0)
#define OK(r)	IS(r, OK, 0)

#define CALL0(n)			call(EXO_CALL_##n, 0, 0, 0, 0, 0, 0)
#define CALL1(n, a)			call(EXO_CALL_##n, a, 0, 0, 0, 0, 0)
#define CALL2(n, a, b)			call(EXO_CALL_##n, a, b, 0, 0, 0, 0)
#define CALL3(n, a, b, c)		call(EXO_CALL_##n, a, b, c, 0, 0, 0)
#define CALL4(n, a, b, c, d)		call(EXO_CALL_##n, a, b, c, d, 0, 0)
#define CALL5(n, a, b, c, d, e)		call(EXO_CALL_##n, a, b, c, d, e, 0)
#define CALL6(n, a, b, c, d, e, f)	call(EXO_CALL_##n, a, b, c, d, e, f)

void actors_begin(void);	/* on a machine that was booted */
/* A data frame of init that no test has used yet. */
uint32_t fresh(void);
uint32_t fresh_region(void);	/* 512 of them, aligned */

/* A domain with `frames` frames from `first` on, a root at `first`, and a context on each CPU
 * (its objects are the last frames).  Made by init, whose capability is `cap`. */
struct actor {
	struct domain *d;
	uint32_t cap, first, root;
	uint32_t next;		/* first frame not used by the tests */
};
struct actor actor_make(unsigned frames);
uint32_t actor_frame(struct actor *a);
void tables_of(struct actor *a, uint32_t t[3]);		/* of level 1 to 3, for 0x400000 */
struct exo_domain_page *give_page(struct actor *a);	/* by who made it */
/* Its context at home on that CPU; started there, deaf to events. */
struct context *context_on(const struct actor *a, unsigned cpu);
void context_begin(struct context *x);
/* All slots of CPU 1, of this length, alternately for two contexts there: init's slot 90. */
void slots_share(struct context *even, struct context *odd, uint64_t length);
/* Both begin, and what was there before has ended. */
void slots_begin(struct context *even, struct context *odd, uint64_t length);
/* The timer's interrupt on a CPU at this very moment: the model's clock goes on when it is read. */
void tick_at(unsigned cpu, uint64_t when);

/* On the calling CPU, for the domain that runs there: */
struct result retype(uint64_t pfn, unsigned kind);
struct result pt_set(uint64_t table, unsigned index, uint64_t value, uint64_t cap);
uint64_t pt_get(uint64_t table, unsigned index);
/* Tables for va under the root, made of four fresh frames [tables, tables + 3). */
void map_tables(uint64_t root, uint64_t va, const uint32_t tables[3]);

/* Repeats a call while it returns AGAIN (with other CPUs' turns between). */
#define FINISH(expr)	({ \
		struct result r_; \
		unsigned tries_ = 0; \
		do { r_ = (expr); model_step_all(); CHECK(++tries_ < 10000, "no end"); } \
		while (EXO_CODE(r_.status) == EXO_AGAIN); \
		r_; })

#define INIT_ROOT (MODEL_RAM + 3)	/* the first domain's */
#define RW	(EXO_PTE_P | EXO_PTE_W | EXO_PTE_U)
#define RO	(EXO_PTE_P | EXO_PTE_U)
static inline uint64_t pte(uint64_t pfn, uint64_t bits) { return pfn << 12 | bits; }

#endif
