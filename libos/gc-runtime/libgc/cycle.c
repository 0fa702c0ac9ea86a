/* Collections: when, and whether at once or in steps.
 *
 * At once: clear the marks, mark from the roots, decide on finalizers, sweep.
 *
 * In steps (GC_enable_incremental; after Boehm, Demers, Shenker, PLDI'91): marking goes on in
 * small pieces as memory is allocated, while the program writes.  A page's dirty bit says that
 * marked objects there may refer to others since; when nothing is left to mark, such pages are
 * looked at once more (one round without haste, one at the end), with the roots, in one pause.
 * New objects are born marked meanwhile.  Marks stay from one cycle to the next: a cycle then
 * scans only what was written since, and marks only what is new; every GC_full_freq-th, or when
 * those no longer pay, begins anew.
 *
 * On Virtue dirty bits are the hardware's: no write faults, reading them is a load a page.
 */
#include "lib.h"
#include "libos/gc-runtime/port.h"

#define LEAST		(256u << 10)	/* bytes between collections */
#define STEP_WORDS	4096u		/* scanned at a time, between looks at the clock */
#define ROUNDS		1u		/* of dirty pages before the last, which is the pause */
#define NS_PER_MS	1000000ul
#define NO_LIMIT	GC_TIME_UNLIMITED

static struct {
	bool incremental, running;
	bool gray_round;		/* marks of the last cycle are kept in this one */
	unsigned rounds;		/* of dirty pages, in this cycle */
	unsigned partial;		/* cycles since the last full one */
	uint64_t full_live;		/* bytes that the last full one left */
	uint64_t least;			/* GC_set_min_bytes_allocd */
	uint64_t seen;			/* alloc.since at the last step */
	uint64_t time, pause_max;	/* ns in collections, and the longest stop */
} cy = { .least = LEAST };

LIB_API GC_word GC_gc_no;
LIB_API int GC_dont_gc, GC_full_freq = 19;
LIB_API GC_word GC_free_space_divisor = 3;
LIB_API unsigned long GC_time_limit = 50;
static GC_on_collection_event_proc on_event;
static GC_start_callback_proc on_start;
static bool automatic = true;

static void event(GC_EventType e)
{
	if (on_event)
		on_event(e);
}

/* ---- the pause ------------------------------------------------------------------- */

static void note_pause(uint64_t start)
{
	uint64_t ns = port_time() - start;
	cy.time += ns;
	cy.pause_max = ns > cy.pause_max ? ns : cy.pause_max;
}

static void push_all(void)
{
	roots_push();
	final_push();
}

/* The program stands still from here on: what it wrote is looked at, and the roots. */
static void finish(void)
{
	if (cy.incremental)
		space_harvest(true);
	push_all();
	mark_all();
	event(GC_EVENT_MARK_END);
	final_decide();
	event(GC_EVENT_RECLAIM_START);
	alloc_sweep();
	alloc.black = false;
	cy.running = false;
	cy.seen = 0;
	if (!cy.gray_round)
		cy.full_live = alloc.live + alloc.live_atomic;
	event(GC_EVENT_RECLAIM_END);
	event(GC_EVENT_END);
	space_shrink(false);
}

static bool begin(bool full)
{
	if (!final_prepare())
		return false;
	GC_gc_no++;
	event(GC_EVENT_START);
	if (on_start)
		on_start();
	event(GC_EVENT_MARK_START);
	cy.gray_round = !full;
	cy.partial = full ? 0 : cy.partial + 1;
	cy.rounds = 0;
	if (cy.incremental)
		space_harvest(!full);
	if (full)
		mark_clear();
	return true;
}

/* ---- at once ------------------------------------------------------------------------ */

/* With a stop function, marking is given up when it says so; the marks are of no use then. */
static bool mark_until_stopped(GC_stop_func stop)
{
	push_all();
	while (!mark_some(STEP_WORDS))
		if (stop && stop())
			return false;
	return true;
}

bool cycle_now(GC_stop_func stop)
{
	uint64_t start = port_time();
	if (GC_dont_gc || (stop && stop()) || !begin(true))
		return false;
	bool done = mark_until_stopped(stop);
	if (done)
		finish();
	else
		cy.running = alloc.black = false, cy.partial = GC_full_freq;
	note_pause(start);
	final_run();
	return done;
}

/* ---- in steps ------------------------------------------------------------------------- */

static uint64_t threshold(void)
{
	uint64_t n = (2 * alloc.live + alloc.live_atomic + roots_bytes()) / GC_free_space_divisor;
	return n > cy.least ? n : cy.least;
}

static bool worth_full(void)
{
	return cy.partial >= (unsigned)GC_full_freq ||
		alloc.live + alloc.live_atomic > cy.full_live + cy.full_live / 2 + LEAST;
}

/* More dirty pages, while there is time; true: only the pause is left. */
static bool another_round(void)
{
	if (cy.rounds++ == ROUNDS)
		return true;
	space_harvest(true);
	return false;
}

/* Marks for about so many words, or until the time is up; true: the cycle is over. */
static bool step(uint64_t words)
{
	uint64_t start = port_time(), end = start + GC_time_limit * NS_PER_MS;
	for (uint64_t done = 0; done < words; done += STEP_WORDS) {
		if (mark_some(STEP_WORDS) && another_round()) {
			finish();
			note_pause(start);
			return true;
		}
		if (GC_time_limit != NO_LIMIT && port_time() > end)
			break;
	}
	note_pause(start);
	return false;
}

static void start_steps(void)
{
	if (!begin(worth_full()))
		return;
	cy.running = alloc.black = true;
	push_all();
}

/* As fast that marking all that lives is over before another half of a threshold is allocated. */
static uint64_t work(uint64_t bytes)
{
	return (bytes * 4 * (alloc.live + LEAST) / threshold() + bytes) / 8;
}

static bool time_for(uint64_t bytes) { return alloc.since > alloc.freed + bytes; }

void cycle_poll(void)
{
	if (!cy.running)
		space_poll();
	if (GC_dont_gc || !automatic)
		return;
	if (!cy.incremental) {
		if (time_for(threshold()))
			cycle_now(GC_get_stop_func());
		return;
	}
	if (!cy.running && time_for(threshold() / 2)) {
		start_steps();
		cy.seen = alloc.since;
	}
	if (cy.running && alloc.since - cy.seen >= STEP_WORDS) {
		uint64_t bytes = alloc.since - cy.seen;
		cy.seen = alloc.since;
		if (step(work(bytes)))
			final_run();
	}
}

/* ---- what programs call ------------------------------------------------------------------ */

LIB_API void GC_gcollect(void)
{
	lib_need();
	cycle_now(NULL);
}
LIB_API void GC_gcollect_and_unmap(void)
{
	GC_gcollect();
	space_shrink(true);
}
LIB_API int GC_try_to_collect(GC_stop_func stop)
{
	lib_need();
	return cycle_now(stop);
}

LIB_API void GC_enable_incremental(void)
{
	lib_need();
	if (cy.incremental || GC_get_find_leak())
		return;
	cy.incremental = true;
	cy.partial = GC_full_freq;		/* no marks yet that could be kept */
	space_harvest(false);
}
LIB_API int GC_is_incremental_mode(void) { return cy.incremental; }
LIB_API void GC_start_incremental_collection(void)
{
	if (cy.incremental && !cy.running && !GC_dont_gc)
		start_steps();
}
LIB_API int GC_collect_a_little(void)
{
	lib_need();
	if (GC_dont_gc)
		return 0;
	if (cy.incremental && !cy.running && time_for(threshold() / 2))
		start_steps();
	if (cy.running && step(STEP_WORDS))
		final_run();
	return cy.running;
}

LIB_API void GC_enable(void) { GC_dont_gc--; }
LIB_API void GC_disable(void) { GC_dont_gc++; }
LIB_API int GC_is_disabled(void) { return GC_dont_gc != 0; }
LIB_API void GC_set_disable_automatic_collection(int on) { automatic = !on; }
LIB_API int GC_get_disable_automatic_collection(void) { return !automatic; }
LIB_API void GC_set_on_collection_event(GC_on_collection_event_proc f) { on_event = f; }
LIB_API GC_on_collection_event_proc GC_get_on_collection_event(void) { return on_event; }
LIB_API void GC_set_start_callback(GC_start_callback_proc f) { on_start = f; }
LIB_API GC_start_callback_proc GC_get_start_callback(void) { return on_start; }
LIB_API void GC_set_min_bytes_allocd(size_t n) { cy.least = n; }
LIB_API size_t GC_get_min_bytes_allocd(void) { return cy.least; }
LIB_API unsigned long GC_get_full_gc_total_time(void) { return cy.time / NS_PER_MS; }
uint64_t cycle_pause_max(void) { return cy.pause_max; }
