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

/* What was asked for, by options.c. */
struct lab_file { const char *path; int file; uint64_t at; unsigned n; char text[4096]; };
struct lab {
	struct gc_options gc;
	const struct bench *bench;
	struct lab_file csv, pauses, utilisation, map;	/* path: NULL if nobody wants it */
	uint64_t events;		/* that the trace of --opt has room for; 0: no trace */
	unsigned small;
	bool quiet;
};
extern struct lab lab;
/* Reads the options, opens the files of results; ends the program with status 2 if one is wrong.
 * False: all that was asked for has been printed. */
bool lab_options(unsigned argc, const char *(*arg)(unsigned i));

/* Progress on the error stream, a line in some two seconds, also while pages come and go; `observe`
 * (or NULL) is called then, too. */
void progress_start(void (*observe)(void));
void progress_look(uint64_t done, uint64_t all);
extern uint32_t progress_calls;		/* until it looks at the clock again */
/* How far the run is, of any unit; as often as a benchmark likes. */
static inline void lab_progress(uint64_t done, uint64_t all)
{
	if (__builtin_expect(!--progress_calls, 0))
		progress_look(done, all);
}
/* Notes how long a request took, for benchmarks that have some: between two calls of one. */
uint64_t lab_clock(void);
void lab_request(uint64_t start);

/* The run took `end` us; false: it had more pauses than were noted.  To be called before
 * gc_stats.pause is sorted. */
bool utilisation_take(uint64_t end);
/* Per mille of the worst window of so many us that the program had; of all of the run, if the window
 * is 0 or longer. */
unsigned utilisation(uint64_t window);

/* The page map has room; false: no memory for it.  map_take: a picture, if one is due. */
bool map_start(void);
void map_take(void);
void map_write(struct lab_file *f);

/* An open file of results is emptied, written, closed; they end the program if it cannot be. */
void lab_empty(struct lab_file *f);
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
