/* The kernel's objects and what its files offer each other.
 *
 * Everything in exo/core is hardware-free: it reaches the machine only through
 * arch.h, so that the same code runs on the host under a model of TLBs and
 * page walkers.  One ticket lock (arch.h) guards all of it except the paths
 * that say otherwise.
 *
 * Objects live in frames that a domain donated (type EXO_F_OBJECT); an object's
 * id is the pfn of its frame.  There is no allocator.
 */
#ifndef EXO_CORE_H
#define EXO_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include "../abi/abi.h"
#include "exo/calls.h"		/* generated; EXO_STUBS undefined: codes and numbers only */
#include "arch.h"
#include "link.h"

#define BUDGET		4096u	/* units of work a call may do (design: bounded kernel paths) */
#define DERIVE_DEPTH	64	/* of capabilities */
#define COUNT_MAX	0xfffff000u	/* reference counts refuse beyond this (a table may add 512) */

/* A condition that a hot path need not be good at. */
#define RARE(condition) __builtin_expect_with_probability(!!(condition), 0, 1.0)

static inline bool spend(unsigned *budget, unsigned units)
{
	if (*budget < units)
		return false;
	*budget -= units;
	return true;
}

/* Status with the argument at fault: FAIL(OWNER, 3). */
#define FAIL(code, at)	((uint64_t)EXO_##code | (uint64_t)(at) << 8)

/* A call's arguments as registers, laid out as entry.S saves them (part of struct
 * exo_regs); the value goes to RDX, the status is returned and goes to RAX. */
struct call {
	uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
};
typedef uint64_t call_fn(struct call *c);
#define X(number, name, args) call_fn call_##name;
#include "exo/dispatch.inc"
#undef X
uint64_t call_dispatch(uint64_t number, struct call *c);	/* lock held */
/* The end of a call whose answer goes to the caller's memory, as argument `at` says. */
uint64_t answer_write(struct call *c, uint64_t to, const void *answer, size_t size, unsigned at);

/* ---- capability slots (cap.c) ------------------------------------------- */

/* A slot's global name: pfn of its table frame * 128 + index in it; 0 = none.
 * Table frames lie below 2^25 (128 GiB). */
struct slot {
	uint8_t type;		/* enum exo_type */
	uint8_t rights;
	uint16_t gen;		/* 12 bits, and SLOT_DYING */
	uint32_t aux;		/* frames: lender's id (0 = kernel); domain, context, event, ring: the object;
				 * slice: CPU; device: number; extent: disk */
	uint32_t base, count;	/* frames, slices, extents: range; event: the 64-bit mask (event_mask) */
	uint32_t parent, child, next, prev;	/* derivation tree, as global names */
};
_Static_assert(sizeof(struct slot) == 32, "capability slot");
#define SLOT_DYING	0x8000u	/* being deleted; so is, then, all that is derived from it */
#define SLOT_GEN	0x0fffu
#define SLOTS_PER_FRAME	(EXO_PAGE_SIZE / sizeof(struct slot))
#define TABLE_FRAMES	256

static inline uint64_t slot_mask(const struct slot *s) { return (uint64_t)s->count << 32 | s->base; }

struct domain;
struct context;

struct slot *slot_at(uint32_t name);
uint32_t slot_name(const struct slot *s);
/* Finds a live capability by its user-visible name; `at` is the argument's index
 * for the status.  type EXO_T_NONE accepts any type. */
uint64_t cap_find(struct domain *d, uint64_t name, unsigned type, unsigned rights, unsigned at,
	struct slot **out);
/* Resolves a `dom` argument: 0 = the current domain, else a domain capability
 * with `right`; refuses a dying domain. */
uint64_t cap_domain(uint64_t name, unsigned right, unsigned at, struct domain **out);
/* Resolves a context argument: 0 = the current one (if allowed). */
uint64_t cap_context(uint64_t name, unsigned right, unsigned at, struct context **out);
/* Is d's slot `index` free (0 = any)?  *index becomes the one to use. */
uint64_t cap_slot_check(struct domain *d, uint64_t *index, unsigned at);
/* Puts a new capability into d's slot `index` (0 = any); parent may be NULL: an object's
 * first capability.  *name receives the user-visible name.  Checks as cap_slot_check, and the
 * depth of derivation; done before anything is changed. */
uint64_t cap_insert(struct domain *d, uint64_t index, unsigned at, const struct slot *value,
	struct slot *parent, uint64_t *name);
struct domain *slot_domain(const struct slot *s);	/* in whose table it lies */
/* Unlinks and clears one slot without descendants. */
void cap_clear(struct slot *s);
/* What a name was found to mean, it means until this changes: a capability or a root went, or is about
 * to. */
extern uint64_t cap_era;
/* A weak reference to a capability, valid while that slot is not reused. */
struct cap_ref { uint32_t name; uint32_t gen; };
struct slot *cap_ref_get(struct cap_ref ref, unsigned type);

/* ---- frames (frame.c) --------------------------------------------------- */

extern struct exo_frame *frame_table;	/* by pfn */
extern uint64_t frame_count;		/* entries in it */

/* Each 2 MiB region's record, so that a large mapping is admitted in O(1). */
struct region {
	uint32_t owner;		/* whose frames `owned` counts */
	uint16_t owned;
	uint16_t special;	/* frames that are not plain data (tables, objects, ...) */
	uint16_t unmappable;	/* frames that may not even be mapped read-only */
	uint16_t pad;
	uint32_t large_ro, large_rw;	/* large mappings */
	uint32_t stamp;
};
extern struct region *region_table;	/* by pfn / 512 */

#define FRAME_DOOMED	0x01	/* exo_frame.flags: being swept out of page tables */
#define FRAME_ROOT_U	0x02	/* PT4: it is somebody's U partner */

bool frame_valid(uint64_t pfn);
uint64_t frame_own(struct domain *d, uint64_t pfn, unsigned at);	/* OK: RAM of d */
/* Own, data, unmapped, unpinned: may become an object.  Check first, then take. */
uint64_t frame_object_check(struct domain *d, uint64_t pfn, unsigned at);
void *frame_object_take(uint64_t pfn);	/* flushed, zeroed, type OBJECT; returns its address */
void frame_object_free(uint64_t pfn);	/* zeroed, back to data of its owner */
/* A pinned frame stays data of its owner: the kernel or a device uses it. */
bool frame_pin_ok(uint64_t pfn);	/* data, and the count has room */
void frame_pin(uint64_t pfn);
void frame_unpin(uint64_t pfn);
void frame_set_owner(uint64_t pfn, struct domain *to);	/* moves it between owner lists */
void frame_set_type(uint64_t pfn, unsigned type);	/* keeps list order and region counts right */
/* At boot: `count` zeroed entries, and records for ceil(count / 512) regions.  All frames
 * start as EXO_F_NONE of the kernel; frame_set_type, frame_set_owner, and frames_found for many
 * at a time do the rest. */
void frame_tables_init(struct exo_frame *frames, struct region *regions, uint64_t count);
/* Frames of no type, one or more, become data of a domain, without the work of doing it singly. */
void frames_found(uint64_t first, uint64_t count, struct domain *to);

/* Flush stamps: a frame needs a flush if some CPU has not flushed fully since its stamp. */
extern volatile uint32_t flush_clock;
void frame_flush_for(uint32_t stamp);	/* one IPI round to the CPUs that need it, if any */

/* ---- page tables (table.c, retype.c) ------------------------------------ */

/* Is pfn a PT4 of that domain that may be loaded?  Lock-free: see root_claim in context.h. */
bool root_loadable(uint32_t domain, uint64_t pfn);
/* The flush that EXO_FLUSH_* flags ask for, on behalf of d. */
uint64_t flush_check(uint64_t flags, uint64_t va, uint64_t pages, unsigned at_flags, unsigned at_va);
void flush_do(const struct domain *d, uint64_t flags, uint64_t va, uint64_t pages);

/* ---- domains (domain.c, destroy.c, revoke.c) ---------------------------- */

#define DOMAIN_PORTS	8
#define DOOMED_MAX	128	/* frames taken at a time, after one sweep */
#define DOOMED_OFFERED	0x80000000u	/* with a doomed frame: it was on offer */

struct domain {
	uint32_t id, parent;
	uint32_t first_child;		/* the last made */
	struct link sibling;		/* the parent's children */
	uint8_t state, reason;		/* enum exo_domain_state, exo_reason */
	uint8_t step;			/* of destruction */
	uint8_t level;			/* of destruction: the page tables untyped now */
	uint64_t status;
	uint32_t frames_head, frames;	/* owner list (circular), length */
	uint32_t table_frames;		/* capability table */
	uint32_t table[TABLE_FRAMES];
	uint32_t page;			/* domain page, 0 = none */
	uint32_t reserve;
	uint32_t contexts, context_head;	/* the last made: a ring through context.sibling */
	uint32_t slices;		/* bound to its contexts */
	uint32_t rings, rings_head;	/* of requests to devices: see disk.h */
	struct slot watch __attribute__((aligned(32)));	/* derived from the watcher's event capability */
	uint64_t watch_bits;
	uint64_t run_time;		/* ns of its contexts, up to their last switch */
	struct { uint16_t first, count; } ports[DOMAIN_PORTS];
	uint32_t burden;		/* its id, once it has had some: see struct context */
	/* revocation */
	uint32_t revoke_frames, revoke_start;	/* wanted; `frames` when asked */
	uint64_t revoke_deadline;
	uint64_t revoke_asked, repo_count;	/* as in the domain page, which is not read back */
	bool revoke_told;		/* what was on offer is too little: the event was signalled */
	uint32_t spare_next;		/* frame whose offer is looked at next */
	uint32_t order_next;		/* of the domain page's order: looked at next */
	uint32_t take_cursor;		/* of the owner list, from the back: looked at last, 0 = none */
	bool take_all;			/* both have been looked through */
	uint32_t doomed_count, doomed[DOOMED_MAX];	/* FRAME_DOOMED: chosen to be taken */
	bool doomed_swept;		/* nothing of d maps them any more */
	/* the sweep of its page tables in progress (sweep.c) */
	uint32_t sweep_for;		/* SWEEP_DOOMED, or the slot of a loan that ends; 0 = none */
	uint32_t sweep_cursor;		/* frame to look at next */
	uint32_t foreign;		/* entries of its page tables that map others' frames */
	uint32_t foreign_stamp;		/* flush clock when the last such entry went */
	uint32_t cap;			/* slot of its first capability; it lies in the parent's table */
	uint32_t returned;		/* frames given to the parent in destruction */
	uint32_t cursor;		/* of destruction: table or slot to look at next */
	struct exo_domain_info death;	/* filled when a context ends it */
};
_Static_assert(sizeof(struct domain) <= EXO_PAGE_SIZE, "domain object");

struct domain *domain_at(uint32_t id);	/* NULL if 0 */
/* Makes an empty domain of two checked object frames (parent NULL: the first domain). */
struct domain *domain_make(uint64_t object, uint64_t table, struct domain *parent);
void domain_signal_watch(struct domain *d);
extern uint32_t domain_init_id;		/* the first domain: parent of orphans */

/* ---- contexts (context.c and friends): see context.h -------------------- */

#endif
