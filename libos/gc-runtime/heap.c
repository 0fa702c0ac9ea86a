/* The heap's beginning, roots, slow paths and pauses: what all collectors share.  See gc.h. */
#include "libos/gc-runtime/collector.h"
#include "libos/gc-runtime/offers.h"
#include "libos/gc-runtime/pager.h"
#include "libos/gc-runtime/port.h"
#include "libos/gc-runtime/store.h"
#include "libos/gc-runtime/trace.h"

#define GLOBALS		64u
#define PLUG_INS	16u
#define SPARE_TABLES	8192u		/* pages of addresses for tables that grow, and a share of the heap */

struct gc_mutator gc_mutator;
struct gc_stats gc_stats;
const struct gc_collector *collector;
static void *global[GLOBALS];
static unsigned globals;
static bool verify;
uint64_t gc_step;

/* Those of the runtime, the program's own, and a NULL. */
static const struct gc_collector *collectors[PLUG_INS + 1] = { &collector_summary, &collector_bookmark,
	&collector_gen, &collector_card, &collector_compact, &collector_semi };
static const struct gc_pager *pagers[PLUG_INS + 1] = { &pager_aware, &pager_lru, &pager_clock, &pager_age,
	&pager_leaf };

const char *gc_collector_name(unsigned i, const char **about)
{
	if (i >= PLUG_INS || !collectors[i])
		return NULL;
	*about = collectors[i]->about;
	return collectors[i]->name;
}

const char *gc_pager_name(unsigned i, const char **about)
{
	if (i >= PLUG_INS || !pagers[i])
		return NULL;
	*about = pagers[i]->about;
	return pagers[i]->name;
}

void gc_collector_add(const struct gc_collector *c)
{
	unsigned i = 0;
	while (i < PLUG_INS && collectors[i])
		i++;
	if (i == PLUG_INS)
		port_fail("gc: more than %u collectors\n", PLUG_INS);
	collectors[i] = c;
}

void gc_pager_add(const struct gc_pager *p)
{
	unsigned i = 0;
	while (i < PLUG_INS && pagers[i])
		i++;
	if (i == PLUG_INS)
		port_fail("gc: more than %u pagers\n", PLUG_INS);
	pagers[i] = p;
}

/* ---- frames asked back ------------------------------------------------------ */

/* The pager's victims leave, and their frames go: at once where the program was interrupted, as it
 * is by a page fault; if the runtime was, when that is done. */
static volatile unsigned busy = 1;	/* calls of the runtime under way; gc_init is the first */
static volatile bool asked;
static bool gave_all;			/* that can be given; the rest of the request is not met */

/* False: the rest at the next safepoint. */
static bool answer(void)
{
	uint64_t wanted, left;
	for (asked = false; !gave_all && (wanted = mmu_give(0)); gc_stats.revoked += wanted - left) {
		uint64_t part = wanted < 64 ? wanted : 64;
		gave_all = !paging_spare(part);
		if (gave_all) {
			port_note("gc: of the frames that are asked back %lu cannot be given\n", wanted);
			return true;
		}
		if ((left = mmu_give(part)) == wanted) {
			gc_mutator.poll = true;
			return false;
		}
	}
	return true;
}

static void on_revoke(uint64_t frames, uint64_t deadline)
{
	(void)frames, (void)deadline;
	asked = gc_mutator.poll = true;
	gave_all = false;
	if (busy || !port_idle())
		return;
	busy++;
	answer();
	busy--;
}

static void enter(void) { busy++; }

/* Who asks from the last look on finds the program. */
static void leave(void)
{
	bool all = true;
	while (!--busy && asked && all) {
		busy++;
		all = answer();
	}
}

/* ---- the beginning ---------------------------------------------------------- */

static void choose(const struct gc_options *o)
{
	unsigned i = 0, k = 0;
	while (o->collector && collectors[i] && strcmp(o->collector, collectors[i]->name))
		i++;
	while (o->pager && pagers[k] && strcmp(o->pager, pagers[k]->name))
		k++;
	if (!collectors[i])
		port_fail("gc: no collector is called %s\n", o->collector);
	if (!pagers[k])
		port_fail("gc: no pager is called %s\n", o->pager);
	collector = collectors[i];
	pager = pagers[k];
}

void gc_init(const struct gc_options *o)
{
	uint32_t heap = (o->heap ? o->heap : GC_HEAP) / MMU_PAGE;
	const char *why;
	choose(o);
	uint32_t others = heap / 16 + heap / 4 + SPARE_TABLES + OFFERS_MAX;
	int error = mmu_init(heap + others, o->memory / MMU_PAGE, &why);
	if (error)
		port_fail("gc: no memory for the heap: %s, error %d\n", why, -error);
	const char *where = o->store ? o->store : "memory";
	if ((error = slots_open(where, heap, &why)))
		port_fail("gc: store %s: %s, error %d, %s\n", where, why, -error, port_error(error));
	paging.verify = verify = o->verify;
	paging.record = gc_mutator.trace = o->trace;
	paging_init(heap, collector->marks, collector->cards);
	offers_init(o->offer / MMU_PAGE);
	mmu_on_revoke(on_revoke);
	gc_stats.start = port_time();
	gc_step = o->step ? o->step : GC_STEP;
	collector->init();
	paging_offer();
	leave();
}

/* ---- roots ------------------------------------------------------------------ */

void gc_root_add(void *root)
{
	if (globals == GLOBALS)
		port_fail("gc: more than %u global roots\n", GLOBALS);
	global[globals++] = root;
}

void roots_each(void (*visit)(gc_ref *slot))
{
	for (unsigned i = 0; i < globals; i++)
		visit(global[i]);
	for (struct gc_frame *f = gc_mutator.frames; f; f = f->next)
		for (uint32_t i = 0; i < f->n; i++)
			visit(f->root[i]);
}

/* ---- collections -------------------------------------------------------------- */

static uint32_t in_us(uint64_t ns) { return ns / 1000 > ~0u ? ~0u : ns / 1000; }

static void note_pause(uint64_t start, uint64_t ns)
{
	if (gc_stats.pauses < GC_PAUSES) {
		gc_stats.pause[gc_stats.pauses] = in_us(ns);
		gc_stats.pause_at[gc_stats.pauses] = in_us(start - gc_stats.start);
	}
	gc_stats.pauses++;
	gc_stats.gc_time += ns;
	if (ns > gc_stats.pause_max)
		gc_stats.pause_max = ns;
}

void gc_collect(enum gc_scope scope)
{
	uint64_t start = port_time();
	enter();
	paging_begin();
	collector->collect(scope);
	paging_end();
	paging_offer();
	note_pause(start, port_time() - start);
	if (verify && collector->verify)
		collector->verify();
	leave();
}

void gc_safepoint_slow(void)
{
	enter();
	gc_mutator.poll = false;
	if (paging_crowded())
		gc_collect(GC_YOUNG);
	answer();
	leave();
}

void *gc_new_slow(uint32_t refs, uint64_t bytes)
{
	uint64_t granules = (bytes + GC_GRANULE - 1) / GC_GRANULE;
	port_obey();
	gc_safepoint();
	enter();
	struct gc_object *o = collector->allocate(refs, granules);
	leave();
	return o ? o : gc_new(refs, bytes);
}
