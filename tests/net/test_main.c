/* Runs the tests of exo/net.
 *
 *	net			all, small
 *	net pairs N FILTERS SEED	N packets against sets of up to FILTERS filters
 *	net spaces N SEED	N exhaustive header spaces
 */
#include "net_test.h"

const char *test_name = "";
uint64_t test_seed = 1;

void test_begin(const char *name)
{
	test_name = name;
	random_seed(test_seed);
}

void test_done(void)
{
	printf("ok net %s\n", test_name);
	fflush(stdout);
}

static uint64_t argument(int argc, char **argv, int i, uint64_t otherwise)
{
	return i < argc ? strtoull(argv[i], NULL, 0) : otherwise;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "pairs")) {
		test_seed = argument(argc, argv, 4, 1);
		test_pairs(argument(argc, argv, 2, 100000), argument(argc, argv, 3, 16));
	} else if (argc > 1 && !strcmp(argv[1], "spaces")) {
		test_seed = argument(argc, argv, 3, 1);
		test_spaces(argument(argc, argv, 2, 100));
	} else {
		tests_cube();
		tests_demux();
		tests_cost();
		test_pairs(100000, 16);
		test_pairs(500, 1000);
		test_spaces(20);
	}
	return 0;
}
