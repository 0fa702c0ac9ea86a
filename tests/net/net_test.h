/* What the tests of exo/net share: random numbers, random filters and packets, the reference by
 * libpcap, code that runs, and counting its instructions.
 */
#ifndef NET_TEST_H
#define NET_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "exo/net/demux.h"

#define CHECK(condition, ...) do { \
		if (!(condition)) { \
			printf("FAIL net %s: %s:%d: %s: ", test_name, __FILE__, __LINE__, #condition); \
			printf(__VA_ARGS__); \
			printf(" (repeat: seed %lu)\n", test_seed); \
			exit(1); \
		} \
	} while (0)

extern const char *test_name;
extern uint64_t test_seed;

uint64_t random_word(void);
void random_seed(uint64_t seed);
static inline unsigned below(unsigned n) { return random_word() % n; }

/* ---- filters as somebody writes them (generate.c) ---- */
struct written {
	struct exo_atom atom[EXO_ATOMS_MAX];
	unsigned n;
};
struct exo_atom atom(unsigned base, unsigned offset, unsigned width, uint64_t mask, uint64_t value);
void write_filter(struct written *w);	/* any allowed one, of fields with few values each */
struct packet { uint32_t length; uint8_t byte[256]; };
void write_packet(struct packet *p);	/* of the same values; one in a few is malformed */

/* ---- libpcap (bpf.c): a program a filter, made from the atoms alone ---- */
#define BPF_MAX 1024
struct bpf_program_text { unsigned n; uint64_t code[BPF_MAX]; };
void bpf_write(struct bpf_program_text *b, const struct written *w);
bool bpf_matches(const struct bpf_program_text *b, const struct packet *p);

/* ---- a demultiplexer with memory and code (bench.c) ---- */
struct bench {
	struct demux d;
	struct filter *filter;	/* [0] is not used */
	uint32_t heads_log, filters;
	struct filter **heads;
	uint8_t *code;		/* never writable and executable at once */
	size_t code_size;
};
void bench_make(struct bench *b, uint32_t filters);
void bench_free(struct bench *b);
/* A live filter of this cube in a free place, whose index is *name (0 unless DEMUX_OK).  Any
 * overlap is allowed. */
enum demux_status bench_insert(struct bench *b, const struct cube *c, uint32_t owner, uint32_t *name);
/* Whose the packet is, by index: by the compiled code, and by the plain interpreter. */
uint32_t bench_run(const struct bench *b, const struct packet *p);
uint32_t bench_plain(const struct bench *b, const struct packet *p);
unsigned bench_count(const struct bench *b, const struct packet *p);	/* instructions it takes */

/* ---- the tests: each prints ok lines ---- */
void test_begin(const char *name);
void test_done(void);
void tests_cube(void);
void tests_demux(void);
void tests_cost(void);
void test_pairs(uint64_t pairs, unsigned filters);	/* code, plain and libpcap agree */
void test_spaces(unsigned rounds);	/* small header spaces, exhaustively */

#endif
