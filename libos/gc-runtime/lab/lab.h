/* The lab: benchmarks that run on the GC runtime's C API alone, and their runner (gclab.c). */
#ifndef GC_LAB_H
#define GC_LAB_H

#include "libos/gc-runtime/gc.h"

struct bench {
	const char *name, *about;
	/* Runs it, 1/2^small of its full size; the answer, which no collector or pager changes. */
	uint64_t (*run)(unsigned small);
};
extern const struct bench bench_trees, bench_binary, bench_cache, bench_graph, bench_transactions;

/* Says how far a run is, in thousandths; prints at most once in five seconds. */
void lab_progress(uint64_t done, uint64_t all);
/* Notes how long a request took, for benchmarks that have some: between two calls of one. */
uint64_t lab_clock(void);
void lab_request(uint64_t start);

/* The run took `end` us; false: it had more pauses than were noted.  To be called before
 * gc_stats.pause is sorted. */
bool utilisation_take(uint64_t end);
/* Per mille of the worst window of so many us that the program had; of all of the run, if the window
 * is 0 or longer. */
unsigned utilisation(uint64_t window);

/* The page map is recorded from now on; false: no memory for it. */
bool map_start(void);
void map_write(const char *path);

/* A file of results, written from its beginning; ends the program if it cannot be. */
struct lab_file { const char *path; int file; uint64_t at; unsigned n; char text[4096]; };
void lab_create(struct lab_file *f, const char *path);
void lab_write(struct lab_file *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
void lab_close(struct lab_file *f);

/* xorshift64*: the same sequence everywhere. */
static inline uint64_t lab_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dul;
}
static inline uint64_t lab_mix(uint64_t sum, uint64_t value)
{
	return (sum ^ value) * 0x9e3779b97f4a7c15ul + (sum >> 31);
}

#endif
