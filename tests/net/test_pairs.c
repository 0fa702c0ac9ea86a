/* Random sets of filters, random packets: compiled code, plain interpreter and libpcap agree on
 * whose each packet is, while filters come and go. */
#include "net_test.h"

#define PACKETS_A_SET	400	/* after that, a fresh set */
#define PACKETS_A_CHANGE 20	/* after that, a filter comes or goes */

struct reference { struct written written; struct bpf_program_text bpf; };

/* The most specific of the filters that libpcap says match. */
static uint32_t expected(const struct bench *b, const struct reference *r, const struct packet *p)
{
	uint32_t best = 0;
	struct view v;
	bool seen = view_take(&v, p->byte, p->length);

	for (uint32_t i = 1; i <= b->filters; i++) {
		bool match;

		if (!b->filter[i].live)
			continue;
		match = bpf_matches(&r[i].bpf, p);
		CHECK(match == (seen && cube_match(&b->filter[i].cube, &v)), "filter %u: libpcap says %d", i, match);
		if (!match)
			continue;
		if (best && cube_within(&b->filter[best].cube, &b->filter[i].cube))
			continue;
		CHECK(!best || cube_within(&b->filter[i].cube, &b->filter[best].cube),
			"filters %u and %u both match, neither within the other", best, i);
		best = i;
	}
	return best;
}

static void change(struct bench *b, struct reference *r)
{
	const struct cube all = { .mask = { 0 } };
	struct written w;
	struct cube c;
	unsigned bad;
	uint32_t name = 1 + below(b->filters);

	if (b->filter[name].live && b->d.count > below(b->filters)) {
		demux_remove(&b->d, &b->filter[name]);
		return;
	}
	write_filter(&w);
	CHECK(cube_narrow(&all, w.atom, w.n, &c, &bad), "atom %u", bad);
	if (bench_insert(b, &c, random_word(), &name))
		return;
	r[name].written = w;
	bpf_write(&r[name].bpf, &w);
}

/* At a thousand filters: connections and listeners, as a busy machine has them. */
static void insert_flow(struct bench *b, struct reference *r)
{
	const struct cube all = { .mask = { 0 } };
	struct written w = { .atom = {
		atom(EXO_L2, 12, 2, 0xffff, 0x0800), atom(EXO_L3, 9, 1, 0xff, below(2) ? 6 : 17),
		atom(EXO_L4, 2, 2, 0xffff, below(300)), atom(EXO_L3, 16, 4, ~0u, 0x0a000001 + below(2)),
		atom(EXO_L3, 12, 4, ~0u, below(3)), atom(EXO_L4, 0, 2, 0xffff, below(100)) },
		.n = below(4) ? 6 : 4 };
	struct cube c;
	unsigned bad;
	uint32_t name;

	CHECK(cube_narrow(&all, w.atom, w.n, &c, &bad), "atom %u", bad);
	if (bench_insert(b, &c, 1, &name))
		return;
	r[name].written = w;
	bpf_write(&r[name].bpf, &w);
}

static void aim(const struct bench *b, struct packet *p)
{
	const struct filter *f = &b->filter[1 + below(b->filters)];
	struct view v;

	/* Half of the packets are made to match some filter as far as its bytes exist untagged. */
	if (!f->live || below(2) || !view_take(&v, p->byte, p->length) || p->byte[12] == 0x81 || p->byte[12] == 0x88)
		return;
	for (unsigned i = 0; i < 40 + 16; i++) {
		unsigned at = i < 14 ? i : i < 16 ? sizeof p->byte - 1 : i - 2;

		p->byte[at] = (p->byte[at] & ~f->cube.mask_byte[i]) | f->cube.value_byte[i];
	}
	for (unsigned i = 56; i < 80 && p->byte[14] == 0x45; i++)
		p->byte[i - 56 + 34] = (p->byte[i - 22] & ~f->cube.mask_byte[i]) | f->cube.value_byte[i];
}

/* What somebody needs who looks for the reason. */
static void show(const struct bench *b, const struct reference *r, const struct packet *p, uint32_t want,
	uint32_t code)
{
	for (uint32_t name = want, i = 0; i < 2; i++, name = code) {
		printf("# filter %u, shape %u, %u bits:\n", name, b->filter[name].shape, b->filter[name].bits);
		for (unsigned j = 0; name && j < r[name].written.n; j++) {
			const struct exo_atom *a = &r[name].written.atom[j];

			printf("#   L%u + %u, %u bytes & %lx == %lx\n", a->base + 2, a->offset, a->width, a->mask, a->value);
		}
	}
	printf("# packet of %u bytes:", p->length);
	for (unsigned i = 0; i < p->length; i++)
		printf(" %02x", p->byte[i]);
	printf("\n");
}

void test_pairs(uint64_t pairs, unsigned filters)
{
	static char name[40];
	struct reference *r = calloc(filters + 1, sizeof *r);
	struct bench b = { 0 };
	struct packet p;
	uint64_t found = 0;

	snprintf(name, sizeof name, "pairs-%u", filters);
	test_begin(name);
	for (uint64_t i = 0; i < pairs; i++) {
		uint32_t want, code, plain;

		if (i % PACKETS_A_SET == 0) {
			i ? bench_free(&b) : (void)0;
			bench_make(&b, filters);
			for (unsigned j = 0; j < 2 * filters; j++)
				filters > 100 && j > filters / 8 ? insert_flow(&b, r) : change(&b, r);
		} else if (i % PACKETS_A_CHANGE == 0) {
			change(&b, r);
		}
		write_packet(&p);
		aim(&b, &p);
		want = expected(&b, r, &p);
		code = bench_run(&b, &p);
		plain = bench_plain(&b, &p);
		if (code != want || plain != want)
			show(&b, r, &p, want, code);
		CHECK(code == want && plain == want, "packet %lu: code %u, plain %u, libpcap %u",
			i, code, plain, want);
		found += want != 0;
	}
	CHECK(found > pairs / 10, "only %lu of %lu packets were somebody's", found, pairs);
	bench_free(&b);
	free(r);
	test_done();
}
