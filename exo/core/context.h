/* Contexts (virtual CPUs), CPUs, and how they meet. */
#ifndef EXO_CONTEXT_H
#define EXO_CONTEXT_H

#include "core.h"

struct timer {
	uint64_t when;		/* ns; 0 = not set */
	uint32_t next, prev;	/* pfns of contexts in the same wheel slot */
	uint32_t wheel_slot;	/* level * 64 + index + 1, 0 = not queued */
};

struct context {
	uint32_t id, domain;
	uint32_t control, save;		/* pinned frames */
	uint32_t mask_frame, mask_offset;	/* where the {pending, mask} pair lies */
	uint32_t root_k, root_u;	/* the current pair; root_u = 0: none */
	uint64_t route_lo, route_hi;
	uint64_t warn;
	uint32_t cpu;			/* where it runs or last ran */
	uint32_t home;			/* where it takes unused slots */
	uint8_t state;			/* enum exo_context_state */
	uint8_t in_user;		/* running in the U root */
	uint8_t stop;			/* asked to leave its CPU */
	uint8_t wake_tag;		/* wait's result while READY: status */
	uint8_t waiting_call;		/* the saved state is inside wait(): result goes to RAX/RDX */
	uint8_t warned, queued;
	uint32_t ready_next, ready_prev;	/* ready ring of its home CPU */
	uint32_t sibling_next, sibling_prev;	/* the domain's contexts */
	uint32_t slices;		/* bound to it */
	uint64_t run_time, switched_in;
	uint64_t tls[4];
	struct timer timer;		/* timer_set */
	struct timer deadline;		/* wait */
	struct exo_predicate pred;	/* of the wait in progress; its frames are pinned */
};
_Static_assert(sizeof(struct context) <= EXO_PAGE_SIZE, "context object");

static inline struct context *context_at(uint32_t id) { return id ? pfn_to_virt(id) : NULL; }

/* Offered to cap.c, destroy.c, revoke.c, devices. */
void context_destroy(struct context *x);	/* stops it, unpins, frees the object */
/* Sets bits for a context and reaches it.  True if none was pending before. */
bool context_signal(struct context *x, uint64_t bits);
/* Takes all contexts of a domain off their CPUs (waits for other CPUs). */
void contexts_stop(struct domain *d);
/* Bits of the CPUs that run a context of the domain now. */
uint64_t contexts_cpus(const struct domain *d);
/* Drops a dying frame from waits: contexts of d whose predicate names it wake with LOST. */
void contexts_lose_frame(struct domain *d, uint64_t pfn);

#endif
