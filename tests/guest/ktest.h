/* The kernel tests that run as a session (`session=ktest`): what their files offer each other.
 *
 * A case is a function that returns NULL, or what was wrong.  Cases run in the order of the table
 * in ktest.c, in one domain, and leave behind no mapping, handler or capability that they made.
 */
#ifndef KTEST_H
#define KTEST_H

#include "libos/common/common.h"

struct test { const char *name; const char *(*run)(void); };
extern const struct test cap_tests[], memory_tests[], upcall_tests[], time_tests[], context_tests[],
	domain_tests[], proxy_tests[], gate_tests[], burden_tests[];

const char *many_domains(unsigned n);

#define STRING_(x) #x
#define STRING(x) STRING_(x)
#define CHECK(cond) do { if (!(cond)) return __FILE__ ":" STRING(__LINE__) ": " #cond; } while (0)
/* The code of a call's status; on failure the report says which code it was. */
#define IS(call, code) CHECK(got(call) == EXO_##code)
uint64_t got(uint64_t status);		/* remembers the code for the report */

#define TEST_VA		0x200000000ul	/* addresses for cases: nothing else is there */
extern struct exo_start *machine;

/* Sets handlers for one case; NULL: the defaults. */
void handle(const struct upcall_handlers *h);
/* A call with any number and arguments. */
struct exo_result raw_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c);

#endif
