/* gclab: runs a benchmark under a collector, a pager and a memory limit, and says what it cost.
 *
 *	gclab --collector X --pager Y --mem 96M --bench trees [--csv FILE] [--opt] [--verify]
 *
 * The same program on Virtue, in a domain of its own, and on Linux.  Left to docs/gc.md: what the
 * figures mean.
 */
#include "libos/gc-runtime/lab/lab.h"
#include "libos/gc-runtime/mmu.h"
#include "libos/gc-runtime/port.h"
#include "libos/gc-runtime/trace.h"

#define SMALL_MAX	12u		/* of --small: what is left of a benchmark is not nothing */

#define TRACE_EVENTS	(64ul << 20)
#define REQUESTS	2048u		/* buckets of the histogram: eighths of powers of two, in ns */

static const struct bench *const benches[] = { &bench_trees, &bench_binary, &bench_cache, &bench_graph,
	&bench_transactions };

static struct {
	struct gc_options gc;
	const struct bench *bench;
	const char *csv, *pauses, *utilisation, *map;
	unsigned small;
	bool optimum, quiet;
	unsigned used[4];	/* utilisation: of all, of the worst 10 ms, 100 ms, 1 s; per mille */
} lab = { .bench = &bench_trees };
static uint64_t requests[REQUESTS], requests_n, shown;

/* ---- what benchmarks call ----------------------------------------------------------------------- */

void lab_progress(uint64_t done, uint64_t all)
{
	static unsigned calls;
	if (lab.quiet || ++calls % 4096)
		return;
	uint64_t now = port_time();
	if (!shown)
		shown = gc_stats.start;
	if (now - shown < 5000000000ul)
		return;
	shown = now;
	port_print("... %lu %%, %lu collections, %lu MiB written, %lu MiB read\n", done * 100 / all,
		gc_stats.pauses, gc_stats.written >> 8,
		(gc_stats.loads_mutator + gc_stats.loads_collector) >> 8);
}

uint64_t lab_clock(void) { return port_time(); }

static unsigned bucket(uint64_t ns)
{
	unsigned log = 63 - __builtin_clzl(ns | 8);
	return log * 8 + (ns >> (log - 3) & 7);
}

void lab_request(uint64_t start)
{
	requests[bucket(port_time() - start)]++;
	requests_n++;
}

static uint64_t request_percentile(uint64_t per_mille)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < REQUESTS; i++)
		if ((sum += requests[i]) * 1000 >= requests_n * per_mille)
			return (8ul + i % 8) << (i / 8) >> 3;
	return 0;
}

/* ---- options ---------------------------------------------------------------------------------------- */

static void list(void)
{
	const char *about, *name;
	port_print("collectors:\n");
	for (unsigned i = 0; (name = gc_collector_name(i, &about)); i++)
		port_print("  %-14s %s\n", name, about);
	port_print("pagers:\n");
	for (unsigned i = 0; (name = gc_pager_name(i, &about)); i++)
		port_print("  %-14s %s\n", name, about);
	port_print("benchmarks:\n");
	for (unsigned i = 0; i < ARRAY_SIZE(benches); i++)
		port_print("  %-14s %s\n", benches[i]->name, benches[i]->about);
}

static _Noreturn void usage(void)
{
	port_fail("usage: gclab [--bench B] [--collector C] [--pager P] [--mem SIZE] [--heap SIZE]\n"
		"             [--store file[:PATH]|memory[:MIB]] [--csv FILE] [--pauses FILE]\n"
		"             [--utilisation FILE] [--map FILE] [--mmu MECHANISM]\n"
		"             [--small N] [--opt] [--verify] [--quiet]\n"
		"       gclab --list\n"
		"--small N divides the benchmark's size by 2^N; sizes end in K, M or G\n");
}

static uint64_t size_of(const char *text)
{
	char digits[24];
	size_t n = strlen(text);
	uint64_t value;
	unsigned shift = !n ? 0 : text[n - 1] == 'K' ? 10 : text[n - 1] == 'M' ? 20 :
		text[n - 1] == 'G' ? 30 : 0;
	text_copy(digits, text, sizeof digits);
	if (shift && n < sizeof digits)
		digits[n - 1] = 0;
	if (!text_number(digits, &value) || value << shift >> shift != value)
		port_fail("gclab: %s is no size\n", text);
	return value << shift;
}

/* 0, which is no limit, or one of [least, most]. */
static uint64_t size_from(const char *option, const char *text, uint64_t least, uint64_t most)
{
	uint64_t value = size_of(text);
	if (value && value < least)
		port_fail("gclab: %s %s is less than %lu bytes: K, M or G?\n", option, text, least);
	if (value > most)
		port_fail("gclab: %s %s is more than %lu\n", option, text, most);
	return value;
}

static void choose_bench(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(benches); i++)
		if (!strcmp(name, benches[i]->name)) {
			lab.bench = benches[i];
			return;
		}
	port_fail("gclab: no benchmark is called %s\n", name);
}

static void choose_mmu(const char *name)
{
	if (!mmu_select(name))
		port_fail("gclab: no mechanism of the MMU is called %s\n", name);
}

static void set_value(const char *name, const char *value)
{
	if (!strcmp(name, "--bench"))
		choose_bench(value);
	else if (!strcmp(name, "--collector"))
		lab.gc.collector = value;
	else if (!strcmp(name, "--pager"))
		lab.gc.pager = value;
	else if (!strcmp(name, "--store"))
		lab.gc.store = value;
	else if (!strcmp(name, "--mmu"))
		choose_mmu(value);
	else if (!strcmp(name, "--mem"))
		lab.gc.memory = size_from(name, value, MMU_PAGE, UINT64_MAX);
	else if (!strcmp(name, "--heap"))
		lab.gc.heap = size_of(value);
	else if (!strcmp(name, "--csv"))
		lab.csv = value;
	else if (!strcmp(name, "--pauses"))
		lab.pauses = value;
	else if (!strcmp(name, "--utilisation"))
		lab.utilisation = value;
	else if (!strcmp(name, "--map"))
		lab.map = value;
	else if (!strcmp(name, "--small"))
		lab.small = size_from(name, value, 0, SMALL_MAX);
	else
		usage();
}

/* False: nothing is to be run. */
static bool options(unsigned argc, const char *(*arg)(unsigned i))
{
	for (unsigned i = 1; i < argc; i++) {
		const char *name = arg(i);
		if (!strcmp(name, "--list")) {
			list();
			return false;
		} else if (!strcmp(name, "--opt")) {
			lab.optimum = lab.gc.trace = true;
		} else if (!strcmp(name, "--verify")) {
			lab.gc.verify = true;
		} else if (!strcmp(name, "--quiet")) {
			lab.quiet = true;
		} else if (i + 1 < argc) {
			set_value(name, arg(++i));
		} else {
			usage();
		}
	}
	return true;
}

/* ---- files of results ------------------------------------------------------------------------------- */

static void flush(struct lab_file *f)
{
	if (f->n && port_write(f->file, f->at, f->text, f->n) != f->n)
		port_fail("gclab: %s cannot be written\n", f->path);
	f->at += f->n;
	f->n = 0;
}

void lab_create(struct lab_file *f, const char *path)
{
	f->path = path;
	f->file = port_open(path, true);
	f->at = f->n = 0;
	if (f->file < 0)
		port_fail("gclab: %s cannot be written\n", path);
}

void lab_write(struct lab_file *f, const char *format, ...)
{
	va_list args;
	if (f->n > sizeof f->text - 512)
		flush(f);
	va_start(args, format);
	f->n += vsnprintf(f->text + f->n, sizeof f->text - f->n, format, args);
	va_end(args);
}

void lab_close(struct lab_file *f)
{
	flush(f);
	port_close(f->file);
}

/* ---- results ---------------------------------------------------------------------------------------- */

static void sort(uint32_t *v, uint64_t n)
{
	for (uint64_t gap = n / 2; gap; gap = gap == 2 ? 1 : gap * 5 / 11)
		for (uint64_t i = gap; i < n; i++)
			for (uint64_t k = i; k >= gap && v[k - gap] > v[k]; k -= gap) {
				uint32_t t = v[k];
				v[k] = v[k - gap];
				v[k - gap] = t;
			}
}

static uint64_t pause_percentile(uint64_t per_mille)
{
	uint64_t n = gc_stats.pauses < GC_PAUSES ? gc_stats.pauses : GC_PAUSES;
	return n ? gc_stats.pause[(n - 1) * per_mille / 1000] : 0;
}

static void print_human(uint64_t answer, uint64_t ns)
{
	const struct gc_stats *s = &gc_stats;
	const char *about, *mechanism = mmu_mechanism(&about);
	port_print("answer            %016lx\n", answer);
	port_print("mmu               %s: %s\n", mechanism, about);
	port_print("time              %lu ms, of which collections %lu ms\n", ns / 1000000,
		s->gc_time / 1000000);
	port_print("collections       %lu young, %lu full\n", s->young, s->full);
	port_print("pauses            median %lu us, 99 %% %lu us, worst %lu us\n", pause_percentile(500),
		pause_percentile(990), s->pause_max / 1000);
	port_print("utilisation       %u per mille; at worst %u of 10 ms, %u of 100 ms, %u of 1 s\n",
		lab.used[0], lab.used[1], lab.used[2], lab.used[3]);
	port_print("allocated         %lu MiB\n", s->allocated >> 20);
	port_print("frames, at most   %lu of %lu\n", s->peak, mmu_frames_total());
	port_print("store             %lu KiB written, %lu KiB read\n", s->written * 4,
		(s->loads_mutator + s->loads_collector) * 4);
	port_print("pages read        %lu by the program, %lu by the collector, %lu of them dead, %lu ahead\n",
		s->loads_mutator, s->loads_collector, s->reread_dead, s->loads_ahead);
	port_print("pages dropped     %lu dead, %lu dead in the store, %lu clean\n", s->discarded,
		s->discarded_out, s->dropped_clean);
	if (s->summary_peak)
		port_print("summaries         %lu KiB at most\n", s->summary_peak >> 10);
	if (requests_n)
		port_print("requests          median %lu ns, 99 %% %lu ns, 99.9 %% %lu ns\n",
			request_percentile(500), request_percentile(990), request_percentile(999));
}

static void print_optimum(void)
{
	struct belady b;
	uint64_t n, lost, frames = lab.gc.memory ? lab.gc.memory / MMU_PAGE : mmu_frames_total();
	uint32_t *event = trace_events(&n, &lost);
	if (lost || !belady(event, n, event + n, mmu.pages, frames, &b))
		port_fail("gclab: the trace of %lu events is too long for the memory that --opt has\n", n + lost);
	port_print("optimum           %lu KiB written, %lu KiB read, in %lu frames; %lu references\n",
		b.writes * 4, b.reads * 4, frames, b.references);
}

static const char csv_head[] = "bench,collector,pager,mem,small,answer,ms,gc_ms,young,full,pause_p50_us,"
	"pause_p99_us,pause_max_us,written,read_mutator,read_collector,read_dead,dropped_dead,"
	"dropped_dead_out,dropped_clean,peak_frames,util,util_10ms,util_100ms,util_1s,read_ahead\n";

static void write_csv(uint64_t answer, uint64_t ns)
{
	const struct gc_stats *s = &gc_stats;
	const char *about;
	char line[512];
	int file = port_open(lab.csv, true);
	int64_t size = file < 0 ? file : port_size(file);
	if (size < 0)
		port_fail("gclab: %s: error %ld\n", lab.csv, -size);
	if (!size)
		size = port_write(file, 0, csv_head, sizeof csv_head - 1);
	int n = snprintf(line, sizeof line, "%s,%s,%s,%lu,%u,%016lx,%lu,%lu,%lu,%lu,%lu,%lu,%lu,%lu,%lu,%lu,"
		"%lu,%lu,%lu,%lu,%lu,%u,%u,%u,%u,%lu\n", lab.bench->name,
		lab.gc.collector ? lab.gc.collector : gc_collector_name(0, &about),
		lab.gc.pager ? lab.gc.pager : gc_pager_name(0, &about), lab.gc.memory, lab.small, answer,
		ns / 1000000, s->gc_time / 1000000, s->young, s->full, pause_percentile(500),
		pause_percentile(990), s->pause_max / 1000, s->written, s->loads_mutator,
		s->loads_collector, s->reread_dead, s->discarded, s->discarded_out, s->dropped_clean,
		s->peak, lab.used[0], lab.used[1], lab.used[2], lab.used[3], s->loads_ahead);
	if (size < 0 || port_write(file, size, line, n) != n)
		port_fail("gclab: %s cannot be written\n", lab.csv);
	port_close(file);
}

/* Every pause in us, in ascending order: the distribution. */
static void write_pauses(void)
{
	struct lab_file f;
	lab_create(&f, lab.pauses);
	for (uint64_t i = 0; i < gc_stats.pauses && i < GC_PAUSES; i++)
		lab_write(&f, "%u\n", gc_stats.pause[i]);
	lab_close(&f);
}

/* Per mille by the window's width in us: 1, 2, 5 in each decade from 1 ms to what the run took. */
static void write_utilisation(uint64_t run)
{
	static const uint8_t digit[] = { 1, 2, 5 };
	struct lab_file f;
	lab_create(&f, lab.utilisation);
	for (uint64_t i = 0, decade = 1000; digit[i] * decade < run; i = (i + 1) % 3) {
		lab_write(&f, "%lu %u\n", digit[i] * decade, utilisation(digit[i] * decade));
		decade *= i == 2 ? 10 : 1;
	}
	lab_write(&f, "%lu %u\n", run, utilisation(0));
	lab_close(&f);
}

static void note_utilisation(void)
{
	uint64_t run = (port_time() - gc_stats.start) / 1000;
	if (!utilisation_take(run))
		return;
	for (unsigned i = 0, window = 0; i < 4; i++, window = window ? window * 10 : 10000)
		lab.used[i] = utilisation(window);
	if (lab.utilisation)
		write_utilisation(run);
}

int gc_main(unsigned argc, const char *(*arg)(unsigned i))
{
	if (!options(argc, arg))
		return 0;
	if (lab.optimum && !trace_start(TRACE_EVENTS))
		port_fail("gclab: no memory for the trace\n");
	gc_init(&lab.gc);
	if (lab.map && !map_start())
		port_fail("gclab: no memory for the page map\n");
	uint64_t start = port_time(), answer = lab.bench->run(lab.small), ns = port_time() - start;
	note_utilisation();
	sort(gc_stats.pause, gc_stats.pauses < GC_PAUSES ? gc_stats.pauses : GC_PAUSES);
	print_human(answer, ns);
	if (lab.optimum)
		print_optimum();
	if (lab.csv)
		write_csv(answer, ns);
	if (lab.pauses)
		write_pauses();
	if (lab.map)
		map_write(lab.map);
	return 0;
}
