/* What the host tests of the VMM's hardware-free files share: a case is a function that says ok
 * once or FAIL; `any` is a random number from the seed that the failure prints. */
#ifndef VMM_HOST_TEST_H
#define VMM_HOST_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern unsigned test_failures;
extern uint64_t test_seed, test_random;

#define CHECK(cond) do { if (!(cond)) { \
	printf("FAIL %s: line %d: %s (seed %lu)\n", __func__, __LINE__, #cond, test_seed); \
	test_failures++; return; } } while (0)
#define PASS() printf("ok %s\n", __func__)

static inline uint32_t any(void)
{
	test_random = test_random * 6364136223846793005ul + 1442695040888963407ul;
	return test_random >> 33;
}

#endif
