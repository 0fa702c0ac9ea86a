/* The beginning of a program of the GC runtime, in a Linux process. */
#include "libos/gc-runtime/gc.h"

static char **words;
static const char *word(unsigned i) { return words[i]; }

int main(int argc, char **argv)
{
	words = argv;
	return gc_main(argc, word);
}
