/* gclab: runs a benchmark under a collector, a pager and a memory limit, and says what it cost.
 *
 * The same program on Virtue, in a domain of its own, and on Linux.  Left to others: what can be asked
 * for (options.c), progress (progress.c); to docs/gc.md: what the figures mean.
 */
#include "libos/gc-runtime/lab/lab.h"
#include "libos/gc-runtime/mmu.h"
#include "libos/gc-runtime/port.h"
#include "libos/gc-runtime/trace.h"

#define EINVAL		22
#define REQUESTS	2048u		/* buckets of the histogram: eighths of powers of two, in ns */

static unsigned used[4];	/* utilisation: of all, of the worst 10 ms, 100 ms, 1 s; per mille */
static uint64_t requests[REQUESTS], requests_n;

/* ---- what benchmarks call ----------------------------------------------------------------------- */

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

/* ---- files of results ------------------------------------------------------------------------------- */

static void flush(struct lab_file *f)
{
	int64_t n = f->n ? port_write(f->file, f->at, f->text, f->n) : 0;
	if (n != f->n)
		port_fail("gclab: %s cannot be written: error %ld, %s\n", f->path, n < 0 ? -n : 0,
			n < 0 ? port_error(n) : "not all of it");
	f->at += f->n;
	f->n = 0;
}

void lab_empty(struct lab_file *f)
{
	int64_t error = port_resize(f->file, 0);
	f->at = f->n = 0;
	if (error && error != -EINVAL)
		port_fail("gclab: %s cannot be emptied: error %ld, %s\n", f->path, -error,
			port_error(error));
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
		used[0], used[1], used[2], used[3]);
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
	if (lost)
		port_fail("gclab: --opt: the program made %lu page references, the trace has room for %lu\n",
			n + lost, n);
	if (!belady(event, n, event + n, mmu.pages, frames, &b))
		port_fail("gclab: --opt: no memory for Belady's tables\n");
	port_print("optimum           %lu KiB written, %lu KiB read, in %lu frames; %lu references\n",
		b.writes * 4, b.reads * 4, frames, b.references);
}

static const char csv_head[] = "bench,collector,pager,mem,small,answer,ms,gc_ms,young,full,pause_p50_us,"
	"pause_p99_us,pause_max_us,written,read_mutator,read_collector,read_dead,dropped_dead,"
	"dropped_dead_out,dropped_clean,peak_frames,util,util_10ms,util_100ms,util_1s,read_ahead,"
	"disk_reads,disk_writes\n";

/* A line at its end. */
static void write_csv(uint64_t answer, uint64_t ns)
{
	const struct gc_stats *s = &gc_stats;
	const char *about;
	int64_t size = port_size(lab.csv.file);
	lab.csv.at = size > 0 ? size : 0;
	if (!lab.csv.at)
		lab_write(&lab.csv, "%s", csv_head);
	lab_write(&lab.csv, "%s,%s,%s,%lu,%u,%016lx,%lu,%lu,%lu,%lu,%lu,%lu,%lu,%lu,%lu,%lu,"
		"%lu,%lu,%lu,%lu,%lu,%u,%u,%u,%u,%lu,%lu,%lu\n", lab.bench->name,
		lab.gc.collector ? lab.gc.collector : gc_collector_name(0, &about),
		lab.gc.pager ? lab.gc.pager : gc_pager_name(0, &about), lab.gc.memory, lab.small, answer,
		ns / 1000000, s->gc_time / 1000000, s->young, s->full, pause_percentile(500),
		pause_percentile(990), s->pause_max / 1000, s->written, s->loads_mutator,
		s->loads_collector, s->reread_dead, s->discarded, s->discarded_out, s->dropped_clean,
		s->peak, used[0], used[1], used[2], used[3], s->loads_ahead,
		s->disk_reads, s->disk_writes);
	lab_close(&lab.csv);
}

/* Every pause in us, in ascending order: the distribution. */
static void write_pauses(void)
{
	lab_empty(&lab.pauses);
	for (uint64_t i = 0; i < gc_stats.pauses && i < GC_PAUSES; i++)
		lab_write(&lab.pauses, "%u\n", gc_stats.pause[i]);
	lab_close(&lab.pauses);
}

/* Per mille by the window's width in us: 1, 2, 5 in each decade from 1 ms to what the run took. */
static void write_utilisation(uint64_t run)
{
	static const uint8_t digit[] = { 1, 2, 5 };
	struct lab_file *f = &lab.utilisation;
	lab_empty(f);
	for (uint64_t i = 0, decade = 1000; digit[i] * decade < run; i = (i + 1) % 3) {
		lab_write(f, "%lu %u\n", digit[i] * decade, utilisation(digit[i] * decade));
		decade *= i == 2 ? 10 : 1;
	}
	lab_write(f, "%lu %u\n", run, utilisation(0));
	lab_close(f);
}

static void note_utilisation(void)
{
	uint64_t run = (port_time() - gc_stats.start) / 1000;
	if (!utilisation_take(run))
		return;
	for (unsigned i = 0, window = 0; i < 4; i++, window = window ? window * 10 : 10000)
		used[i] = utilisation(window);
	if (lab.utilisation.path)
		write_utilisation(run);
}

static void start(void)
{
	if (lab.events && !trace_start(lab.events))
		port_fail("gclab: --opt: no memory for its trace, %lu MiB beside all else\n",
			lab.events * TRACE_ROOM >> 20);
	gc_init(&lab.gc);
	if (lab.map.path && !map_start())
		port_fail("gclab: --map: no memory for its pictures\n");
	progress_start(lab.map.path ? map_take : NULL);
}

static void report(uint64_t answer, uint64_t ns)
{
	note_utilisation();
	sort(gc_stats.pause, gc_stats.pauses < GC_PAUSES ? gc_stats.pauses : GC_PAUSES);
	print_human(answer, ns);
	if (lab.csv.path)
		write_csv(answer, ns);
	if (lab.pauses.path)
		write_pauses();
	if (lab.map.path)
		map_write(&lab.map);
	if (lab.events)
		print_optimum();
}

int gc_main(unsigned argc, const char *(*arg)(unsigned i))
{
	if (!lab_options(argc, arg))
		return 0;
	start();
	uint64_t begin = port_time(), answer = lab.bench->run(lab.small);
	report(answer, port_time() - begin);
	return 0;
}
