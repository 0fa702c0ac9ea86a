/* Contexts: virtual CPUs.  Created from three frames, controlled, signalled, ended.
 *
 * A context runs on one CPU at a time.  When and where is sched.c's business and, by
 * slices, that of who holds them; what it runs is its libOS's.
 */
#include "context.h"

#define CONTEXTS_MAX	256u	/* of a domain: stopping them all is one bounded loop */

static struct link *sibling(uint32_t id) { return &context_at(id)->sibling; }

uint64_t call_context_create(struct call *c)
{
	struct domain *d;
	uint64_t status = cap_domain(c->rdi, EXO_R_MANAGE, 1, &d);
	if (status)
		return status;
	uint64_t object = c->rsi, control = c->rdx, save = c->r10;
	if ((status = frame_object_check(d, object, 2)) || (status = frame_own(d, control, 3)) ||
	    (status = frame_own(d, save, 4)))
		return status;
	if (control == save || control == object || save == object)
		return FAIL(BUSY, 2);
	if (!frame_pin_ok(control))
		return FAIL(BUSY, 3);
	if (!frame_pin_ok(save))
		return FAIL(BUSY, 4);
	if (c->r8 >= cpu_count)
		return FAIL(ARG, 5);
	if (d->contexts >= CONTEXTS_MAX)
		return FAIL(LIMIT, 1);
	struct slot cap = {
		.type = EXO_T_CONTEXT, .rights = EXO_R_GRANT | EXO_R_CONTROL | EXO_R_YIELD, .aux = object,
	};
	uint64_t slot = c->r9;
	if ((status = cap_slot_check(current_domain(), &slot, 6)))
		return status;
	struct context *x = frame_object_take(object);
	frame_pin(control);
	frame_pin(save);
	x->id = object;
	x->domain = d->id;
	x->control = control;
	x->save = save;
	x->mask_frame = control;
	x->burden = d->burden;
	x->page = pfn_to_virt(control);
	x->regs = pfn_to_virt(save);
	x->pair = (volatile uint16_t *)&x->page->pending;
	x->home = x->cpu = c->r8;
	x->state = EXO_CS_STOPPED;
	arch_context_reset(x);
	context_control(x)->number = x->id;
	ring_push(&d->context_head, x->id, sibling);
	d->contexts++;
	return cap_insert(current_domain(), slot, 6, &cap, NULL, &c->rdx);
}

bool context_destroy(struct context *x)
{
	context_stop(x, EXO_DYING);
	if (x->running)
		return false;
	struct domain *d = domain_at(x->domain);
	timer_cancel(x, TIMER_USER);
	sched_unbind(x);
	if (x->mask_frame != x->control)
		frame_unpin(x->mask_frame);
	frame_unpin(x->control);
	frame_unpin(x->save);
	ring_remove(&d->context_head, x->id, sibling);
	d->contexts--;
	frame_object_free(x->id);
	return true;
}

void context_stop(struct context *x, unsigned status)
{
	if (x->state == EXO_CS_WAITING)
		wait_wake(x, status, 0);
	sched_block(x, EXO_CS_STOPPED);
}

bool contexts_stop(struct domain *d)
{
	bool off = true;
	for (struct context *x = context_first(d); x; x = context_next(d, x)) {
		x->held |= x->state != EXO_CS_STOPPED;
		context_stop(x, EXO_EVENT);
		off &= !x->running;
	}
	return off;
}

void contexts_start(struct domain *d)
{
	for (struct context *x = context_first(d); x; x = context_next(d, x)) {
		if (x->held)
			sched_ready(x);
		x->held = 0;
	}
}

uint64_t contexts_cpus(const struct domain *d)
{
	uint64_t mask = 0;
	for (unsigned i = 0; i < cpu_count; i++) {
		struct context *x = cpu_at(i)->current;
		if (x && x->domain == d->id)
			mask |= 1ul << i;
	}
	return mask;
}

/* Coalesces: whoever finds the pending byte set needs to do nothing more. */
__attribute__((noinline)) bool context_signal(struct context *x, uint64_t bits)
{
	volatile uint8_t *pair = (volatile uint8_t *)context_pair(x);
	__atomic_fetch_or(&context_control(x)->events, bits, __ATOMIC_SEQ_CST);
	bool was = __atomic_exchange_n(&pair[0], 1, __ATOMIC_SEQ_CST);
	trace(EXO_TR_SIGNAL, x->state, x->id, bits);
	if (x->state == EXO_CS_WAITING) {
		if (!pair[1])
			wait_wake(x, EXO_EVENT, 0);
		else
			wait_check(x);
	} else if (x->running && x != this_cpu()->current && !was && !pair[1]) {
		arch_kick(x->cpu);
	}
	return !was;
}

uint64_t context_parent(uint64_t name, unsigned at, struct context **x, struct slot **parent)
{
	uint64_t status = cap_context(name, EXO_R_CONTROL, at, x);
	if (status)
		return status;
	*parent = slot_at((*x)->cap);
	return name ? cap_find(current_domain(), name, EXO_T_CONTEXT, EXO_R_CONTROL, at, parent) : EXO_OK;
}

uint64_t call_event_create(struct call *c)
{
	struct context *x;
	struct slot *parent;
	uint64_t status = context_parent(c->rsi, 2, &x, &parent);
	if (status)
		return status;
	uint64_t mask = c->rdx;
	if (!mask || mask & ~EXO_EV_USER)
		return FAIL(ARG, 3);
	struct slot cap = {
		.type = EXO_T_EVENT, .rights = EXO_R_GRANT | EXO_R_SIGNAL, .aux = x->id,
		.base = (uint32_t)mask, .count = mask >> 32,
	};
	return cap_insert(current_domain(), c->rdi, 1, &cap, parent, &c->rdx);
}

uint64_t call_event_signal(struct call *c)
{
	struct slot *s;
	uint64_t status = cap_find(current_domain(), c->rdi, EXO_T_EVENT, EXO_R_SIGNAL, 1, &s);
	if (status)
		return status;
	if (c->rsi & ~slot_mask(s))
		return FAIL(RIGHT, 2);
	c->rdx = context_signal(context_at(s->aux), c->rsi);
	return EXO_OK;
}

/* The page-table entries of `va`, from the root down, as far as they are present. */
static void walk_record(struct exo_domain_info *info, uint64_t va)
{
	uint64_t pfn = info->root;
	for (int level = 3; level >= 0 && pfn; level--) {
		const uint64_t *table = pfn_to_virt(pfn);
		uint64_t entry = pte_read(&table[va >> (12 + 9 * level) & 511]);
		info->entries[3 - level] = entry;
		if (!(entry & EXO_PTE_P) || entry & EXO_PTE_PS)
			break;
		pfn = (entry & EXO_PTE_FRAME) >> 12;
	}
}

static void record_death(struct domain *d, struct context *x, uint64_t fault_addr)
{
	struct exo_domain_info *info = &d->death;
	info->context = x->id;
	info->fault_addr = fault_addr;
	if (x->running && x == this_cpu()->current)
		__builtin_memcpy(&info->regs, arch_current_regs(), offsetof(struct exo_regs, fs_base));
	else
		__builtin_memcpy(&info->regs, context_regs(x), sizeof info->regs);
	uint32_t root = x->in_user ? x->root_u : x->root_k;
	info->root = root_loadable(d->id, root) ? root : 0;
	walk_record(info, fault_addr);
}

void regs_log(const struct exo_regs *r)
{
	log_print("  rip %lx rsp %lx rflags %lx cs %lx ss %lx\n", r->rip, r->rsp, r->rflags, r->cs, r->ss);
	log_print("  rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx rbp %lx\n", r->rax, r->rbx, r->rcx,
		r->rdx, r->rsi, r->rdi, r->rbp);
	log_print("  r8 %lx r9 %lx r10 %lx r11 %lx r12 %lx r13 %lx r14 %lx r15 %lx\n", r->r8, r->r9,
		r->r10, r->r11, r->r12, r->r13, r->r14, r->r15);
}

void context_kill(struct context *x, unsigned reason, uint64_t fault_addr, uint64_t vector,
	uint64_t error)
{
	struct domain *d = domain_at(x->domain);
	if (d->state != EXO_DS_ACTIVE && d->state != EXO_DS_STOPPED)
		return;
	d->state = EXO_DS_KILLED;
	d->reason = reason;
	record_death(d, x, fault_addr);
	struct exo_regs *r = &d->death.regs;
	r->vector = vector;
	r->error = error;
	log_print("domain %x killed: %s; context %x vector %lu error %lx address %lx\n", d->id,
		reason == EXO_DEAD_STATE ? "a state that cannot be loaded" :
		"an exception that could not be delivered", x->id, vector, error, fault_addr);
	regs_log(r);
	log_print("  root %lx entries %lx %lx %lx %lx\n", d->death.root, d->death.entries[0],
		d->death.entries[1], d->death.entries[2], d->death.entries[3]);
	if (!contexts_stop(d))
		log_print("  other contexts are being stopped\n");
	domain_signal_watch(d);
}
