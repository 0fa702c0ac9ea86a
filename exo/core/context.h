/* Contexts (virtual CPUs), CPUs, and how they meet. */
#ifndef EXO_CONTEXT_H
#define EXO_CONTEXT_H

#include "core.h"

/* ---- timers (timer.c): a hierarchical wheel, its links inside the contexts -- */

#define WHEEL_LEVELS	7
#define WHEEL_SLOTS	64
#define WHEEL_SHIFT	14	/* a slot of level 0 is 2^14 ns, of level k 2^(14 + 6k) */

/* A timer is named by its context: id * 2 + TIMER_USER or TIMER_WAIT. */
#define TIMER_USER	0	/* timer_set */
#define TIMER_WAIT	1	/* wait's deadline */
struct timer {
	uint64_t when;		/* ns; 0 = not set */
	struct link link;	/* timers in the same slot */
	uint16_t slot;		/* level * 64 + index + 1, 0 = not queued */
	uint16_t cpu;		/* whose wheel */
};
struct wheel {
	uint64_t now;		/* time up to which slots were emptied */
	uint64_t used[WHEEL_LEVELS];	/* bit per non-empty slot */
	uint32_t head[WHEEL_LEVELS * WHEEL_SLOTS];
};
void timer_queue(struct context *x, unsigned which, uint64_t when);
void timer_cancel(struct context *x, unsigned which);
uint64_t timer_next(const struct wheel *w);	/* earliest time to look again; ~0: none */
void timer_run(struct wheel *w, uint64_t now);	/* fires what is due, bounded */
/* The kernel's own: disks_deadline or nets_deadline comes by then, on whatever CPU. */
void look_by(uint64_t *deadline, uint64_t when);

/* ---- CPUs ---------------------------------------------------------------- */

struct context;

/* cpu->resched: bits. */
#define EXO_RESCHED_PICK	1	/* look for another context before returning */

/* What the core keeps per CPU.  The first fields' offsets are known to entry.S. */
struct cpu {
	uint64_t user_rsp;	/* 0x00 scratch of the SYSCALL entry */
	uint64_t stack_top;	/* 0x08 kernel stack */
	uint64_t route_lo;	/* 0x10 libOS text of the running context: `syscall` instructions ... */
	uint64_t route_hi;	/* 0x18 ... in [lo, hi) reach the kernel.  Empty in a U root */
	struct context *current;	/* 0x20 NULL: idle */
	struct exo_control *control;	/* 0x28 its control page */
	volatile uint16_t *pair;	/* 0x30 its {pending, mask} bytes: 0x0001 = deliver */
	uint64_t resched;	/* 0x38 non-zero: look for another context before returning */

	uint32_t number;
	volatile uint32_t flushed;	/* flush_clock at the last full flush */
	volatile uint32_t root;		/* pfn loaded in CR3, 0 = the kernel's own */
	volatile uint32_t root_claim;	/* pfn about to be loaded: see root_loadable */

	uint32_t ready;		/* head of the ring of ready contexts at home here, 0 = none */
	uint32_t slot;		/* of the slice vector: the one that runs, */
	struct exo_slice *slice;	/* which is this */
	uint64_t slot_start, slot_end;
	uint64_t switched;	/* since when payer pays */
	struct context *payer;	/* whose slice or turn it is, whoever runs by gates; NULL: idle */
	struct context *donee;	/* whom the rest of the slice was given to */
	bool passed;		/* the slot's own context gave the rest away */
	struct exo_slice_page *slices;
	struct wheel wheel;
};

struct context {
	uint32_t id, domain;
	uint32_t control, save;		/* pinned frames */
	uint32_t mask_frame;		/* where the {pending, mask} pair lies, as a rule `control` */
	uint32_t root_k, root_u;	/* the current pair; root_u = 0: none */
	uint64_t route_lo, route_hi;
	struct exo_control *page;	/* `control`, */
	struct exo_regs *regs;		/* `save` */
	volatile uint16_t *pair;	/* and its {pending, mask} bytes, as the kernel maps them */
	uint64_t warn;
	uint32_t cpu;			/* where it runs or last ran */
	uint32_t home;			/* where it takes unused slots */
	uint32_t burden;		/* what a switch has to load as a rule has not: its own id if there may be
					 * TLS descriptors or a KGS base, its domain's if I/O ports, 0: nothing */
	union {				/* all at once: see CONTEXT_OPEN */
		struct {
			uint8_t state;	/* enum exo_context_state */
			uint8_t running;	/* it is some CPU's current one (`cpu`), whatever its state */
			uint8_t open;	/* gates may enter it, as it has not run since it said so */
			uint8_t warned;	/* of this slice's end */
			uint8_t woken;	/* wait's result (wake_*) is to be put into RAX and RDX */
		};
		uint64_t standing;
	};
	uint8_t in_user;		/* running in the U root */
	uint8_t queued;			/* ready: in a CPU's ring, its home's but if it moved; the CPU + 1 */
	uint8_t held;			/* stopped with its domain: goes on with it */
	uint8_t want_start;		/* wants SLICE_START, */
	uint8_t notices;		/* it or SLICE_END */
	uint64_t wake_status, wake_value;
	bool fatal;			/* an upcall could not be delivered: to be killed */
	uint64_t fatal_addr, fatal_vector, fatal_error;
	struct link ready;		/* ready ring of its home CPU */
	struct link sibling;		/* the domain's contexts */
	uint32_t slices;		/* bound to it */
	uint32_t cap;			/* slot of its first capability (cap.c keeps it) */
	uint64_t run_time;
	uint64_t tls[4];
	struct timer timers[2];		/* TIMER_USER, TIMER_WAIT */
	/* The gate that it called last, and what was found and checked there in that era (gate.c).  A root
	 * is checked whenever one is set, so that it may be loaded in the era in which it was found so. */
	uint64_t gate, gate_era, gate_badge, gate_entry;
	struct context *gate_to;
	struct exo_predicate pred;	/* of the wait in progress; its frames are pinned */
};
_Static_assert(sizeof(struct context) <= EXO_PAGE_SIZE, "context object");

/* What a gate asks and tells of both sides, in little-endian words: who left by a gate is ready and
 * open, and who is entered by one runs. */
#define CONTEXT_OPEN	(EXO_CS_READY | 1ul << 8 * (offsetof(struct context, open) - \
	offsetof(struct context, state)))
#define CONTEXT_RUNS	(EXO_CS_READY | 1ul << 8 * (offsetof(struct context, running) - \
	offsetof(struct context, state)))

static inline struct context *context_at(uint32_t id) { return id ? pfn_to_virt(id) : NULL; }
/* A domain's contexts, the last made first; NULL: there is none, or no more. */
static inline struct context *context_first(const struct domain *d) { return context_at(d->context_head); }
static inline struct context *context_next(const struct domain *d, const struct context *x)
{
	return x->sibling.next == d->context_head ? NULL : context_at(x->sibling.next);
}

static inline struct exo_control *context_control(const struct context *x) { return x->page; }
static inline struct exo_regs *context_regs(const struct context *x) { return x->regs; }
static inline volatile uint16_t *context_pair(const struct context *x) { return x->pair; }
/* The domain of the running context (every call has one). */
static inline struct domain *current_domain(void) { return domain_at(this_cpu()->current->domain); }

/* ---- scheduling (sched.c) ------------------------------------------------ */

/* Chooses what this CPU runs next and makes it current (NULL = idle); on the way out of
 * the kernel, when cpu->resched is set.  Saves and loads through arch_context_*. */
void sched_pick(void);
void sched_ready(struct context *x);	/* x may run: queues it, kicks a CPU that waits for it */
void sched_block(struct context *x, unsigned state);	/* x may not run any more; its CPU reschedules */
/* x, which is ready and ran nowhere, has been loaded in the place of `from`, which is ready
 * henceforth.  Who pays is the same. */
void sched_hand_over(struct cpu *c, struct context *from, struct context *x);
uint64_t sched_running_time(const struct domain *d);	/* that its contexts have not been charged yet */
void sched_tick(void);			/* the timer interrupt */
void sched_timer(void);			/* arms this CPU's timer for what comes next */
void sched_unbind(struct context *x);	/* out of all slice vectors */
void sched_init_cpu(struct cpu *c, struct exo_slice_page *page);

/* ---- wait (wait.c) ------------------------------------------------------- */

void wait_wake(struct context *x, unsigned status, uint64_t value);	/* ends its wait */
bool wait_check(struct context *x);	/* wakes it if its predicate holds */

/* Registers and extended state of the current context to and from its save area
 * (exo/arch/switch.c).  Load returns false if the state cannot be loaded. */
void arch_context_save(struct context *x);
bool arch_context_load(struct context *x);
/* Puts the current context, in the middle of a call, into its save area so that it goes on behind that
 * with OK, but for its general registers, which stay; loads x, whose root may be loaded, but for them and,
 * if their burdens differ, for x's burden. */
void arch_hand_over(struct cpu *c, struct context *from, struct context *x, uint64_t rip, uint64_t rsp);
void arch_burden_load(struct context *x);
void arch_context_unload(void);		/* nothing runs: load the kernel's root */
/* While a context is current, its registers are on the kernel stack: */
struct exo_regs *arch_current_regs(void);
/* Loads the root of the current context that matches x->in_user; false: not loadable. */
bool arch_root_load(struct context *x);
void arch_swap_gs(void);			/* with every change between U and K root */
/* Makes loadable what user code asks for: RPL 3, allowed selectors and flags, canonical RIP;
 * false: it cannot be. */
bool arch_frame_sanitize(struct exo_regs *r);
void arch_context_reset(struct context *x);	/* the save area as of a fresh start */
void arch_segment_base(unsigned op, uint64_t base);	/* enum exo_segment_op FS, GS, KGS */
void arch_tls_load(const uint64_t tls[4]);	/* into this CPU's GDT, entries 12-15 */

/* ---- gates (gate.c) ------------------------------------------------------ */

uint64_t gate_call(struct cpu *cpu, struct call *c);	/* the call, lock and all, on this CPU */

/* ---- upcalls (upcall.c) --------------------------------------------------- */

/* Makes the current context enter class's entry point with the frame pushed.  If that
 * fails, tries the last chance; failing that, the context is killed on the slow way out. */
void upcall_deliver(unsigned class, uint64_t info, uint64_t addr, uint64_t error);
/* Kills the current context if that was so.  At the start of the slow way out. */
void upcall_fatal(void);
/* If an event is pending and unmasked, delivers it.  On every way out. */
void upcall_events(void);
/* Ends the current context's domain, by EXO_DEAD_EXCEPTION or STATE, and leaves the record. */
void context_kill(struct context *x, unsigned reason, uint64_t fault_addr, uint64_t vector, uint64_t error);
void regs_log(const struct exo_regs *r);

/* Offered to cap.c, destroy.c, revoke.c, devices. */
/* Unpins its frames and frees the object.  False: it still runs on another CPU, which was
 * kicked: return AGAIN. */
bool context_destroy(struct context *x) __attribute__((warn_unused_result));
/* The context that a capability of the caller's (CONTROL; 0: its own) names, and the capability from
 * which one that reaches the context is to be derived, so that it goes with it. */
uint64_t context_parent(uint64_t name, unsigned at, struct context **x, struct slot **parent);
/* Sets bits for a context and reaches it.  True if none was pending before. */
bool context_signal(struct context *x, uint64_t bits);
/* Takes all contexts of a domain off their CPUs.  False: some CPU still has to let go of
 * one (it was kicked): the caller returns AGAIN and tries later. */
bool contexts_stop(struct domain *d) __attribute__((warn_unused_result));
void contexts_start(struct domain *d);	/* those that contexts_stop stopped go on */
/* Off its CPU (kicked, if that is another one); a wait ends with `status`. */
void context_stop(struct context *x, unsigned status);
/* Bits of the CPUs that run a context of the domain now. */
uint64_t contexts_cpus(const struct domain *d);
/* A slice or device capability of d goes: contexts of d are unbound from slots [first,
 * first + count) of the CPU; d's ports and interrupt binding of the device end. */
void slices_lose(struct domain *d, uint32_t cpu, uint32_t first, uint32_t count);
void device_lose(struct domain *d, uint32_t device);

#endif
