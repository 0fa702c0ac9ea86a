/* gclab as a Linux program. */
#include "libos/gc-runtime/lab/main.h"

static char **words;
static const char *word(unsigned i) { return words[i]; }

int main(int argc, char **argv)
{
	words = argv;
	return lab_main(argc, word);
}
