/* The hostile libOS matrix (docs/security.md): programs that try to break out, each in a domain
 * of its own, and the tester that starts them and looks at what is left.
 *
 * One program plays both parts.  As the session it is the tester (tester.c); it spawns itself,
 * once a row, with the row's name as the child's argument.  A row's function runs in the child
 * and returns 0, or the line of the expectation that failed.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "libos/common/common.h"

enum outcome {
	EXITS,			/* with status 0 */
	DIES_EXCEPTION,		/* killed: an exception that could not be delivered */
	DIES_STATE,		/* killed: a state that cannot be loaded */
	EXITS_OR_STATE,		/* one or the other, as the race goes */
	BESIDE,			/* the tester's function starts the children itself */
	RUNS,			/* until the tester destroys it */
};

struct row {
	const char *name;	/* as in docs/security.md */
	uint64_t (*run)(void);
	enum outcome outcome;
	unsigned cpus;		/* it needs that many */
	/* The tester's part, if it has more to do than to wait: NULL, or what was wrong. */
	const char *(*beside)(void);
};
/* Tables of rows, each ended by one without a name. */
extern const struct row cap_rows[], memory_rows[], pointer_rows[], instruction_rows[], state_rows[],
	quota_rows[], time_rows[], race_rows[], disk_rows[], net_rows[], gate_rows[], offer_rows[],
	fuzz_rows[];

/* What the tester tells a child, in its argument block. */
#define SECRETS	4
struct hostile_args {
	char row[24];
	uint64_t number;	/* of the variant, for rows that run more than once */
	uint64_t seed, calls;
	uint64_t secret[SECRETS];	/* pfns of the tester's and the neighbour's own frames */
	uint64_t object, table;		/* pfns: this domain's object and capability table */
	uint64_t loan, loan_rw;	/* pfns on loan: CAP_LOAN (read only), CAP_LOAN_RW */
	uint64_t loan_dma;		/* the same to the row disk-loan-ended */
};
#define CAP_LOAN	"loan"
#define CAP_LOAN_RW	"loan-rw"
#define CAP_DISK0	"disk0"		/* in rows about disks: extents */
#define CAP_DISK_RO	"disk-ro"
#define CAP_NET0	"net0"		/* in rows about the network: a flow */
#define CAP_EVENT	"event"		/* reaches the tester: */
#define EVENT_CHILD	40
#define PEER_SLOT	100		/* the neighbour's domain, INFO only; in rows of several domains,
					 * theirs, from here on */
#define PEERS		4

/* ---- the child's tools (child.c) ------------------------------------------------------- */

extern struct exo_start *self;
extern const struct hostile_args *told;
extern unsigned cpus;

#define EXPECT(cond) do { if (!(cond)) return __LINE__; } while (0)
#define CODE(call) EXO_CODE((call).status)

struct exo_result raw_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
	uint64_t f);

/* What an instruction ended with: its vector, NO_FAULT if it went through. */
#define NO_FAULT	~0ul
struct fault { uint64_t vector, error, addr, rip, rflags, count, rip_low, rip_high; };
extern volatile struct fault fault;
extern bool fault_stepping;	/* debug exceptions are counted, and the code goes on */
extern volatile uint64_t fault_resume;	/* where to go on; 0: exceptions end the domain */
uint64_t try_call(void (*fn)(void *), void *arg);	/* fn, until it returns or faults */
uint64_t try_bytes(const uint8_t *code);	/* runs machine code, which may fault */
uint64_t try_read(uint64_t va);
uint64_t try_write(uint64_t va, uint64_t value);

uint64_t random_next(void);
static inline uint64_t random_below(uint64_t n) { return random_next() % n; }

#define TEST_VA		0x200000000ul
/* A frame, mapped at va; its pfn. */
uint64_t page_at(uint64_t va, uint64_t flags);
/* One entry, by its physical address: the status. */
uint64_t entry_set(uint64_t entry, uint64_t value, uint64_t cap);
uint64_t retype_one(uint64_t pfn, uint64_t kind);

/* Another context of this domain, on that CPU, with a stack of its own; it starts at fn(arg). */
struct second { uint64_t cap, save, object, control; struct exo_control *page; };
#define SECONDS	8
bool second_make(struct second *s, unsigned cpu, void (*fn)(void *), void *arg, unsigned n);
uint64_t second_start(struct second *s);
void nap(uint64_t ns);			/* waits, without the clock's page: by predicate of nothing */

/* rows_offers.c: a row that needs a disk. */
uint64_t offers_in_flight(void);
const char *offers_in_flight_beside(void);

uint64_t neighbour_run(void);	/* neighbour.c: no row, the tester starts it beside all */

/* ---- the tester's tools (tester.c) ------------------------------------------------------- */

extern uint64_t tester_loan_cap;	/* first capability of the frame lent to children */
void tester_sleep(uint64_t ns);
bool tester_signalled(void);	/* by the row's child, with CAP_EVENT; waits for it */
extern uint64_t tester_disk;		/* the row's extents derive from it */
bool tester_dma_ended(void);		/* ends the loan of disk-loan-ended; false: it was written to after */
const char *storm_of_peers(void);
const char *kill_during_calls(void);
const char *fuzz_beside(void);

#endif
