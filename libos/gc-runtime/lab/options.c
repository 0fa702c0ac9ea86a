/* What gclab can be asked for: one table of options, by which they are read, checked and explained;
 * the files of results; and what a domain must have for such a run (lab/gclab.sh asks for that).
 *
 * Whatever is wrong is said before anything runs, by the option's name and its value: status 2.
 * Left to gc_init: a store that cannot be opened.
 */
#include "libos/gc-runtime/lab/lab.h"
#include "libos/gc-runtime/mmu.h"
#include "libos/gc-runtime/port.h"
#include "libos/gc-runtime/trace.h"

#define MIB		(1ul << 20)
#define SMALL_MAX	12u		/* of --small: what is left of a benchmark is not nothing */
#define MEMORY_MAX	(1ul << 40)
#define HEAP_STEP	(2 * MIB)	/* as paging.c has it */
#define HEAP_MAX	(2ul << 30)
#define OFFER_MAX	(32 * MIB)	/* as offers.h has it */
#define STORE_MAX	4096u		/* MiB */
/* MiB in a domain's quota for a store in memory: at least so many, and with the limit twice that. */
#define STORE_USUAL	64u
/* Of --opt: the largest benchmark makes 21 Mi references. */
#define EVENTS		(24 * MIB)
#define EVENTS_MIN	(MIB / 2)

#if __STDC_HOSTED__
#define MECHANISMS	"auto, uffd, mprotect, none"
#else
#define MECHANISMS	"auto, hardware"
#endif

static const struct bench *const benches[] = { &bench_trees, &bench_binary, &bench_cache,
	&bench_graph, &bench_transactions };

struct lab lab = { .bench = &bench_trees };
static uint64_t session;		/* MiB that the session has for a domain; 0: nobody asks */

static _Noreturn void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
static _Noreturn void wrong(const char *format, ...)
{
	char text[768];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	port_note("gclab: %s\n", text);
	port_exit(2);
}

/* ---- values -------------------------------------------------------------------------------- */

static unsigned shift_of(char letter)
{
	switch (letter | 32) {
	case 'k': return 10;
	case 'm': return 20;
	case 'g': return 30;
	}
	return 0;
}

/* 0, or one of [least, most]. */
static uint64_t size_from(const char *option, const char *text, uint64_t least, uint64_t most)
{
	char digits[24];
	size_t n = strlen(text);
	uint64_t value;
	unsigned shift = n ? shift_of(text[n - 1]) : 0;
	text_copy(digits, text, sizeof digits);
	if (shift && n < sizeof digits)
		digits[n - 1] = 0;
	if (n >= sizeof digits || !text_number(digits, &value))
		wrong("%s '%s' is no size: 4096K, 96M and 1G are some", option, text);
	if (value > most >> shift)
		wrong("%s '%s' is more than %lu MiB", option, text, most >> 20);
	value <<= shift;
	if (value && value < least)
		wrong("%s '%s' is less than %lu KiB: with K, M or G?", option, text, least >> 10);
	return value;
}

static uint64_t number_from(const char *option, const char *text, uint64_t least, uint64_t most)
{
	uint64_t value;
	if (!text_number(text, &value) || value < least || value > most)
		wrong("%s '%s' is no number from %lu to %lu", option, text, least, most);
	return value;
}

/* The text must be one of the names; its number. */
static unsigned name_from(const char *option, const char *text,
	const char *(*name)(unsigned i, const char **about))
{
	const char *about, *one;
	char all[256];
	size_t n = 0;
	for (unsigned i = 0; (one = name(i, &about)); i++) {
		if (!strcmp(one, text))
			return i;
		n += snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", one);
	}
	wrong("%s '%s' is none of: %s", option, text, all);
}

static const char *bench_name(unsigned i, const char **about)
{
	if (i >= ARRAY_SIZE(benches))
		return NULL;
	*about = benches[i]->about;
	return benches[i]->name;
}

static void set_bench(const char *option, const char *value)
{
	lab.bench = benches[name_from(option, value, bench_name)];
}

static void set_collector(const char *option, const char *value)
{
	name_from(option, value, gc_collector_name);
	lab.gc.collector = value;
}

static void set_pager(const char *option, const char *value)
{
	name_from(option, value, gc_pager_name);
	lab.gc.pager = value;
}

static void set_mmu(const char *option, const char *value)
{
	if (!mmu_select(value))
		wrong("%s '%s' is none of: %s", option, value, MECHANISMS);
}

/* NULL: it is the store's name alone. */
static const char *store_argument(const char *value)
{
	const char *colon = strchr(value, ':');
	return colon ? colon + 1 : NULL;
}

static void set_store(const char *option, const char *value)
{
	const char *more = store_argument(value);
	char name[64];
	size_t n = more ? (size_t)(more - value) : strlen(value) + 1;
	text_copy(name, value, n < sizeof name ? n : sizeof name);
	name_from(option, name, gc_store_name);
	lab.gc.store = value;
	if (!more)
		return;
	if (!strcmp(name, "memory"))
		number_from("--store memory: its MIB", more, 1, STORE_MAX);
	else if (strcmp(name, "file"))
		wrong("%s '%s': %s takes nothing behind it", option, value, name);
	else if (!*more)
		wrong("%s '%s' has no path", option, value);
}

static void set_memory(const char *option, const char *value)
{
	lab.gc.memory = size_from(option, value, MMU_PAGE, MEMORY_MAX);
}

static void set_heap(const char *option, const char *value)
{
	lab.gc.heap = size_from(option, value, HEAP_STEP, HEAP_MAX);
	if (lab.gc.heap % HEAP_STEP)
		wrong("%s '%s' is no multiple of %lu MiB", option, value, HEAP_STEP >> 20);
}

static void set_offer(const char *option, const char *value)
{
	lab.gc.offer = size_from(option, value, MMU_PAGE, OFFER_MAX);
}

static void set_small(const char *option, const char *value)
{
	lab.small = number_from(option, value, 0, SMALL_MAX);
}

static void set_session(const char *option, const char *value)
{
	session = number_from(option, value, 1, MEMORY_MAX >> 20);
}

static void set_csv(const char *option, const char *value) { (void)option, lab.csv.path = value; }
static void set_pauses(const char *option, const char *value)
{
	(void)option, lab.pauses.path = value;
}

static void set_map(const char *option, const char *value) { (void)option, lab.map.path = value; }
static void set_used(const char *option, const char *value)
{
	(void)option, lab.utilisation.path = value;
}


static void set_optimum(const char *option, const char *value)
{
	(void)option, (void)value;
	lab.gc.trace = true;
}

static void set_verify(const char *option, const char *value)
{
	(void)option, (void)value;
	lab.gc.verify = true;
}

static void set_quiet(const char *option, const char *value)
{
	(void)option, (void)value;
	lab.quiet = true;
}

/* ---- the table ----------------------------------------------------------------------------- */

static const struct option {
	const char *name, *value;	/* value: what follows it; NULL: nothing */
	const char *about;		/* NULL: not for users */
	void (*set)(const char *option, const char *value);
} table[] = {
	{ "--bench", "NAME", "the program (trees)", set_bench },
	{ "--collector", "NAME", "(summary)", set_collector },
	{ "--pager", "NAME", "who leaves when memory is full (aware)", set_pager },
	{ "--mem", "SIZE", "frames for heap, tables and stack of marking (0: no limit)", set_memory },
	{ "--heap", "SIZE", "addresses, 2M to 2G (512M); a semispace is half of it", set_heap },
	{ "--store", "STORE", "where pages that leave go (memory)", set_store },
	{ "--offer", "SIZE", "of these frames, kept so that they may go at once, unasked (0)", set_offer },
	{ "--mmu", "NAME", "how accesses are noticed: " MECHANISMS " (auto)", set_mmu },
	{ "--small", "N", "the program's size is divided by 2^N, 0 to 12 (0)", set_small },
	{ "--csv", "FILE", "a line of figures is appended; a new file gets a heading", set_csv },
	{ "--pauses", "FILE", "every pause, us, in ascending order", set_pauses },
	{ "--utilisation", "FILE", "windows, us; what the worst left the program, per mille", set_used },
	{ "--map", "FILE", "the state of every page over time, up to 128 pictures", set_map },
	{ "--opt", NULL, "Belady's optimum for the program's own page references", set_optimum },
	{ "--verify", NULL, "check heap and returned pages after every collection", set_verify },
	{ "--quiet", NULL, "no progress on the error stream", set_quiet },
	{ "--session", "MIB", NULL, set_session },
};

static void print_names(const char *head, const char *(*name)(unsigned i, const char **about))
{
	const char *about, *one;
	port_print("%s:\n", head);
	for (unsigned i = 0; (one = name(i, &about)); i++)
		port_print("  %-14s %s\n", one, about);
}

static void list(void)
{
	print_names("collectors", gc_collector_name);
	print_names("pagers", gc_pager_name);
	print_names("benchmarks", bench_name);
	print_names("stores", gc_store_name);
}

static void help(void)
{
	port_print("usage: gclab [OPTION...]\n\n"
		"Runs a program under a collector, a pager and a limit of memory, and prints what it cost.\n\n"
		"options (what counts without them):\n");
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].about)
			port_print("  %-14s%-7s%s\n", table[i].name, table[i].value ? table[i].value : "",
				table[i].about);
	port_print("  %-21s%s\n  %-21s%s\n\n", "--list", "names only", "-h, --help", "this text");
	port_print("SIZE: bytes, or with K, M or G (of either case) KiB, MiB or GiB. A file of results\n"
		"is emptied first, but --csv's. Each option once.\n\n");
	list();
	port_print("\nexamples:\n"
		"  gclab --bench trees --collector summary --pager aware --mem 48M\n"
		"  gclab --collector semi --pager lru --mem 96M --store memory:256 --csv /tmp/runs.csv\n"
		"  gclab --bench lru-cache --small 4 --mem 2500K --opt\n\n"
		"exit status: 0, the run ended; 1, it could not go on; 2, an option is wrong\n");
}

/* ---- what a domain must have --------------------------------------------------------------- */

static uint64_t in_mib(uint64_t bytes) { return (bytes + MIB - 1) / MIB; }
static uint64_t heap_mib(void) { return in_mib(lab.gc.heap ? lab.gc.heap : GC_HEAP); }
static bool store_is(const char *name) { return !strncmp(lab.gc.store, name, strlen(name)); }

static uint64_t store_usual(void)
{
	uint64_t limit = in_mib(lab.gc.memory);
	return STORE_USUAL + (limit < STORE_USUAL ? STORE_USUAL - limit : 0);
}

static uint64_t store_mib(void)
{
	uint64_t mib = lab.gc.memory ? store_usual() : 0;
	if (!store_is("memory"))
		return 0;
	if (store_argument(lab.gc.store))
		text_number(store_argument(lab.gc.store), &mib);
	return mib;
}

/* The trace, and Belady's tables of all pages. */
static uint64_t trace_mib(void)
{
	return lab.events ? in_mib(lab.events * TRACE_ROOM) + heap_mib() / 128 + 1 : 0;
}

/* 128 pictures, a byte for each page. */
static uint64_t map_mib(void) { return lab.map.path ? heap_mib() / 32 + 1 : 0; }

/* Program, stack, and page tables. */
static uint64_t own_mib(uint64_t limit)
{
	return limit / 64 + 8 + (heap_mib() > 512 ? (heap_mib() - 512) / 128 : 0);
}

/* For the heap, where no limit is asked for: what the session has but a quarter, and at least half. */
static uint64_t usual_mib(void)
{
	uint64_t others = trace_mib() + map_mib(), room = session - session / 4;
	return room > others + session / 2 ? room - others : session / 2;
}

/* Prints words for `domain`. */
static void print_quota(void)
{
	uint64_t limit = lab.gc.memory ? in_mib(lab.gc.memory) : usual_mib();
	uint64_t need = limit + store_mib() + trace_mib() + map_mib() + own_mib(limit);
	uint64_t machine = need + need / 16 + 64;
	if (need > session)
		port_fail("gclab: a domain of %lu MiB is needed (frames %lu, --store %lu, --opt %lu, --map %lu, "
			"the rest %lu), and the session has %lu: ./virtue run --mem %luM\n", need, limit,
			store_mib(), trace_mib(), map_mib(), own_mib(limit), session, (machine + 63) & ~63ul);
	port_print("--mem %luM", need);
	if (store_is("disk"))
		port_print(" --disk 0:+%luM", heap_mib());
	port_print("\n");
}

/* ---- reading them -------------------------------------------------------------------------- */

static const struct option *find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		if (!strcmp(name, table[i].name))
			return &table[i];
	wrong("'%s' is no option; gclab --help has them all", name);
}

/* `value`: the word behind the option, NULL if there is none. */
static void set(const struct option *o, const char *value)
{
	static uint32_t seen;
	uint32_t bit = 1u << (o - table);
	if (seen & bit)
		wrong("%s is given twice", o->name);
	seen |= bit;
	if (o->value && !value)
		wrong("%s lacks its %s", o->name, o->value);
	if (o->value && !strncmp(value, "--", 2))
		wrong("%s lacks its %s: what follows is %s", o->name, o->value, value);
	o->set(o->name, value);
}

/* The files of results, which are no two the same. */
static void open_files(void)
{
	static const struct { const char *option; struct lab_file *file; } each[] = {
		{ "--csv", &lab.csv }, { "--pauses", &lab.pauses }, { "--utilisation", &lab.utilisation },
		{ "--map", &lab.map },
	};
	for (unsigned i = 0; i < ARRAY_SIZE(each); i++) {
		struct lab_file *f = each[i].file;
		for (unsigned k = 0; f->path && k < i; k++)
			if (each[k].file->path && !strcmp(f->path, each[k].file->path))
				wrong("%s and %s name the same file '%s'", each[k].option, each[i].option, f->path);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(each); i++) {
		struct lab_file *f = each[i].file;
		if (f->path && (f->file = port_open(f->path, PORT_CREATE)) < 0)
			wrong("%s '%s' cannot be opened for writing: error %d, %s", each[i].option, f->path,
				-f->file, port_error(f->file));
	}
}

/* What follows from several of them. */
static void complete(void)
{
	static char usual[24];
	open_files();
	if (lab.gc.trace)
		lab.events = (EVENTS >> lab.small) + EVENTS_MIN;
	if (!lab.gc.store)
		lab.gc.store = "memory";
	if (!__STDC_HOSTED__ && lab.gc.memory && !strcmp(lab.gc.store, "memory")) {
		snprintf(usual, sizeof usual, "memory:%lu", store_usual());	/* no more is in the quota */
		lab.gc.store = usual;
	}
}

bool lab_options(unsigned argc, const char *(*arg)(unsigned i))
{
	for (unsigned i = 1; i < argc; i++) {
		const char *name = arg(i);
		if (!strcmp(name, "--help") || !strcmp(name, "-h")) {
			help();
			return false;
		}
		if (!strcmp(name, "--list")) {
			list();
			return false;
		}
		const struct option *o = find(name);
		set(o, o->value && i + 1 < argc ? arg(i + 1) : NULL);
		i += !!o->value;
	}
	complete();
	if (session)
		print_quota();
	return !session;
}
