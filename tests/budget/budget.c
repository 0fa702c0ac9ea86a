/* Instruction counts of the kernel's primitives: a session of its own (`session=budget`), run under
 * -icount, where the TSC counts guest instructions.  Prints `count NAME N` lines, each the smallest
 * of several runs, from the first instruction of the operation to the first after it.
 *
 * What the counts may be is in budgets.txt; tests/budget/check compares.
 */
#include "tests/guest/report.h"

VIRTUE_NOTE("bare");

#define ROUNDS	16
#define BATCH	256
#define VA	0x200000000ul

/* paths.S: each returns the instructions between its two RDTSCs, those two and their moves excluded */
uint64_t path_null(void), path_exception(void), path_resume(void), path_nothing(void);
uint64_t path_gate(uint64_t gate, uint64_t *stack);
extern char path_gate_entry[], path_gate_back[], path_gate_serve[];
extern uint64_t path_gate_cap;
uint64_t path_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e);
extern char path_syscall_code[], path_syscall_end[], path_entry_exception[], path_entry_syscall[];

static struct exo_start *start;
static uint64_t frames[2][BATCH];
static struct exo_pt_item items[BATCH];

static void count(const char *name, uint64_t n) { report_line("count %s %lu", name, n); }

static uint64_t least(uint64_t (*path)(void))
{
	uint64_t best = ~0ul;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t n = path();
		best = n < best ? n : best;
	}
	return best;
}

/* ---- entries of page tables ------------------------------------------------------------ */

static bool pages_ready(void)
{
	for (unsigned i = 0; i < BATCH; i++) {
		frames[0][i] = frame_alloc();
		frames[1][i] = frame_alloc();
		if (!frames[1][i] || pt_map(start->root, VA + i * 4096ul, frames[0][i], 1, PTE_RW, 0))
			return false;
		items[i].ptr = pt_find(start->root, VA + i * 4096ul, 1);
	}
	return true;
}

static uint64_t batch(unsigned op, unsigned which, uint64_t flags)
{
	for (unsigned i = 0; i < BATCH; i++) {
		items[i].ptr = (items[i].ptr & ~7ul) | op;
		items[i].val = PTE_MAKE(frames[which][i], flags);
	}
	return path_call(EXO_CALL_PT_WRITE, 0, (uint64_t)items, BATCH, 0, 0) / BATCH;
}

static void entries(void)
{
	uint64_t protect = ~0ul, unprotect = ~0ul, change = ~0ul, exchange = ~0ul;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t n = batch(EXO_PT_SET, i & 1, PTE_RW);
		change = i && n < change ? n : change;
		n = batch(EXO_PT_SET, i & 1, PTE_RO);
		protect = n < protect ? n : protect;
		n = batch(EXO_PT_SET, i & 1, PTE_RW);
		unprotect = n < unprotect ? n : unprotect;
		n = batch(EXO_PT_XCHG, i & 1, PTE_RO);
		exchange = n < exchange ? n : exchange;
		batch(EXO_PT_SET, i & 1, PTE_RW);
	}
	count("pt_write_protect_entry", protect);
	count("pt_write_unprotect_entry", unprotect);
	count("pt_write_frame_entry", change);
	count("pt_write_exchange_entry", exchange);
}

static void table(void)
{
	uint64_t pfn = table_alloc(), up = ~0ul, down = ~0ul;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t item = pfn << 8 | EXO_KIND_PT1;
		uint64_t n = path_call(EXO_CALL_FRAME_RETYPE, 0, (uint64_t)&item, 1, 0, 0);
		up = n < up ? n : up;
		item = pfn << 8 | EXO_KIND_DATA;
		n = path_call(EXO_CALL_FRAME_RETYPE, 0, (uint64_t)&item, 1, 0, 0);
		down = n < down ? n : down;
	}
	count("retype_to_table", up);
	count("retype_to_data", down);
}

/* ---- other calls ------------------------------------------------------------------------ */

static void call(const char *name, uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	uint64_t best = ~0ul;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t n = path_call(number, a, b, c, d, 0);
		best = n < best ? n : best;
	}
	count(name, best);
}

static void calls(void)
{
	uint64_t a = frames[0][0] << 12, b = frames[1][0] << 12;
	upcall_mask(upcall_first);
	uint64_t event = exo_event_create(0, 0, 1ul << 20).value;
	call("event_signal", EXO_CALL_EVENT_SIGNAL, event, 1ul << 20, 0, 0);
	call("timer_set", EXO_CALL_TIMER_SET, time_now() + 1000000000, 0, 0, 0);
	call("timer_cancel", EXO_CALL_TIMER_SET, 0, 0, 0, 0);
	call("wait_past", EXO_CALL_WAIT, 0, 1, 0, 0);
	call("frame_copy_page", EXO_CALL_FRAME_COPY, 0, a, 0, b);
	call("tlb_flush_page", EXO_CALL_TLB_FLUSH, VA, 1, EXO_FLUSH_LOCAL, 0);
	upcall_unmask(upcall_first);
}

/* The upcall stack's own handlers are put aside: the entry points are in paths.S. */
static void upcalls(void)
{
	struct exo_control *c = upcall_first->control;
	uint64_t exception = c->entry[EXO_UP_EXCEPTION], syscall = c->entry[EXO_UP_SYSCALL];
	uint64_t pfn = frame_alloc();
	memcpy(physmap_page(pfn), path_syscall_code, path_syscall_end - path_syscall_code);
	pt_map(start->root, VA + 0x10000000, pfn, 1, PTE_RX, 0);
	upcall_mask(upcall_first);
	c->entry[EXO_UP_EXCEPTION] = (uint64_t)path_entry_exception;
	c->entry[EXO_UP_SYSCALL] = (uint64_t)path_entry_syscall;
	uint64_t fault = least(path_exception);
	uint64_t redirect = least((uint64_t (*)(void))(VA + 0x10000000));
	c->entry[EXO_UP_EXCEPTION] = exception;
	c->entry[EXO_UP_SYSCALL] = syscall;
	upcall_unmask(upcall_first);
	count("exception_to_upcall", fault);
	count("syscall_to_upcall", redirect);
}

/* ---- gates ------------------------------------------------------------------------------ */

uint64_t path_gate_cap;		/* of the way back */

/* A root of its own, with the same lower tables. */
static uint64_t root_copy(void)
{
	uint64_t pfn = frame_take(), item = pfn << 8 | EXO_KIND_PT4;
	exo_frame_copy(0, pfn << 12, 0, start->root << 12, EXO_PAGE_SIZE, 0);
	return exo_frame_retype(0, &item, 1).status ? 0 : pfn;
}

/* Another context that waits to be entered; 0, or what went wrong. */
static uint64_t gate_make(uint64_t *gate)
{
	uint64_t control = frame_alloc_zero(), save = frame_alloc_zero();
	struct exo_control *c = physmap_page(control);
	struct exo_result x = exo_context_create(0, frame_take(), control, save, 0, EXO_SLOT_ANY), g;
	c->gate_entry = (uint64_t)path_gate_entry;
	c->mask = 1;
	g = exo_gate_create(EXO_SLOT_ANY, x.value, 1);
	*gate = g.value;
	return x.status | g.status | exo_context_ctl(x.value, EXO_CTX_ROOTS, root_copy(), 0, 0).status |
		exo_context_ctl(x.value, EXO_CTX_ROUTE, start->image_lo, start->image_hi, 0).status |
		exo_context_ctl(x.value, EXO_CTX_START, (uint64_t)path_gate_serve, 0, 0).status |
		exo_yield(x.value).status;
}

static void gates(void)
{
	struct exo_control *c = upcall_first->control;
	uint64_t gate, best = ~0ul;
	upcall_mask(upcall_first);
	path_gate_cap = exo_gate_create(EXO_SLOT_ANY, 0, 2).value;
	c->gate_entry = (uint64_t)path_gate_back;
	if (gate_make(&gate)) {
		report_case("gates", "no second context");
		return;
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t n = path_gate(gate, &c->gate_stack);
		best = n < best ? n : best;
	}
	upcall_unmask(upcall_first);
	count("gate_call", best);
}

int main(struct exo_start *s)
{
	start = s;
	report_start(s);
	bool ready = !frames_init(s, true) && !time_init(s, 0) && pages_ready();
	report_case("setup", ready ? NULL : "frames, clock or pages");
	if (ready) {
		count("nothing", least(path_nothing));
		count("null", least(path_null));
		count("resume", least(path_resume));
		upcalls();
		entries();
		table();
		calls();
		gates();
	}
	report_end();
}
