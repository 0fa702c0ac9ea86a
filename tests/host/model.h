/* A model machine for the hardware-free core: memory, CPUs with TLBs and paging-structure
 * caches, page walkers, time.  It implements exo/core/arch.h, so that the core runs on the
 * developer's machine, under sanitizers, at full speed.
 *
 * The CPUs are as nasty as the architecture permits: they cache whatever they walk, forget only
 * when told, and use stale translations at every moment the kernel gives them (model_race).
 * After every store to a page table the model checks the entry by rules of its own.
 */
#ifndef HOST_MODEL_H
#define HOST_MODEL_H

#include "exo/core/context.h"

#define MODEL_FRAMES	4096u
#define MODEL_CPUS	4u
#define MODEL_KERNEL	16u		/* frames 0-15 are the kernel's */
#define MODEL_NOTHING	0xa5		/* fills frame 0, at which nobody has anything to look for */
#define MODEL_EXPORT	16u		/* frames 16-19 are exported */
#define MODEL_EXPORTS	4u
#define MODEL_RAM	20u		/* init's frames start here */
/* User buffers of each CPU that need no page tables. */
#define WINDOW		0x7f0000000000ul
#define WINDOW_SIZE	0x20000ul

struct result { uint64_t status, value; };

extern uint8_t model_memory[];
extern uint8_t model_window[MODEL_CPUS][WINDOW_SIZE];
extern uint64_t model_time;
extern unsigned model_races;	/* user accesses by stale or fresh translations, so far */
extern unsigned model_flushes;	/* flush rounds */
extern unsigned model_root_loads;	/* of another root than before */
extern unsigned model_entry_reads;	/* of page tables, by the kernel */
extern unsigned model_logged;	/* lines for the log */
extern bool model_quiet;	/* drop log_print */

/* A machine with init: a root, and a context for each CPU, running. */
void model_boot(uint64_t seed);
struct domain *model_init(void);
/* The CPU that the next calls run on. */
void model_on(unsigned cpu);
struct result call(unsigned number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
	uint64_t f);
bool model_kicked(unsigned cpu);	/* since its last step */
/* So far: interrupt lines unmasked, changes of ports, burdens loaded apart. */
extern unsigned model_unmasked, model_ports, model_burdens;
/* Lets a CPU, or all, do what they were kicked to do. */
void model_step(unsigned cpu);
void model_step_all(void);
/* Runs d's context on the CPU. */
bool model_run(unsigned cpu, struct domain *d);
/* An access by the program that runs on the CPU; false: page fault. */
bool model_access(unsigned cpu, uint64_t va, bool write, uint8_t *byte);
void model_timer(unsigned cpu);	/* the timer interrupt, if it is due */
uint64_t model_timer_at(unsigned cpu);	/* when it is */
const uint64_t *model_tls(unsigned cpu);	/* its four descriptors */

/* A device's interrupt, on the present CPU. */
void model_interrupt(void (*handler)(void *), void *arg);

bool model_panics(void (*f)(void));	/* does it end in panic()? */

uint64_t model_random(void);
void model_seed(uint64_t seed);

/* Protection as the model sees it. */
bool model_may_access(const struct domain *d, uint64_t pfn, bool write, bool exec);
bool model_entry_ok(const struct domain *d, unsigned level, unsigned index, uint64_t entry);
void model_check_caches(void);	/* no CPU holds a translation that is not allowed any more */

/* Recomputes everything that the kernel counts and links (audit.c); ends the program at the first
 * difference. */
void audit(void);

void check_failed(const char *file, int line, const char *format, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
#define CHECK(x, ...)	do { if (!(x)) check_failed(__FILE__, __LINE__, __VA_ARGS__); } while (0)

#endif
