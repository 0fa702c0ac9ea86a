/* The audit: recomputes from scratch what the kernel keeps incrementally, by reading all
 * page tables, owner lists, capability tables and contexts, and compares.  It knows the data
 * structures, not the code that maintains them.
 */
#include <string.h>
#include "tests/host/model.h"
#include "exo/core/disk.h"
#include "exo/core/frame.h"

#define DOMAINS_MAX	1024u

struct tally {		/* recomputed, per frame */
	uint32_t writable, mapped, typerefs, pins, listed, object;
};

static struct tally tally[MODEL_FRAMES];
static uint32_t large_ro[MODEL_FRAMES / 512], large_rw[MODEL_FRAMES / 512];
static struct domain *domains[DOMAINS_MAX];
static unsigned domain_total, held_total, doomed_total, requests_waiting;

#define AUDIT(x, ...)	CHECK(x, "audit: " __VA_ARGS__)

/* ---- domains ------------------------------------------------------------ */

static void gather_domains(void)
{
	domain_total = 1;
	domains[0] = model_init();
	for (unsigned i = 0; i < domain_total; i++) {
		struct domain *d = domains[i];
		uint32_t child = d->first_child;

		AUDIT(frame_table[d->id].type == EXO_F_OBJECT, "domain %x is no object", d->id);
		tally[d->id].object++;
		while (child) {
			struct domain *c = domain_at(child);

			AUDIT(c->parent == d->id && domain_at(c->sibling.next)->sibling.prev == child,
				"child %x of %x is linked wrongly", child, d->id);
			AUDIT(domain_total < DOMAINS_MAX, "domains form a ring");
			domains[domain_total++] = c;
			child = c->sibling.next == d->first_child ? 0 : c->sibling.next;
		}
	}
}

static void check_list(struct domain *d)
{
	uint32_t pfn = d->frames_head, n = 0;
	bool data = false;

	while (n < d->frames) {
		struct exo_frame *f = &frame_table[pfn];
		bool table = f->type >= EXO_F_PT1 && f->type <= EXO_F_PT4;

		AUDIT(pfn && pfn < MODEL_FRAMES && f->owner == d->id, "list of %x holds %x", d->id, pfn);
		AUDIT(!tally[pfn].listed++, "frame %x is listed twice", pfn);
		AUDIT(frame_table[f->next].prev == pfn, "frame %x is linked wrongly", pfn);
		AUDIT(!table || !data, "table %x stands behind data", pfn);
		data |= !table;
		pfn = f->next;
		n++;
	}
	AUDIT(pfn == d->frames_head, "list of %x is longer than %u", d->id, n);
	for (unsigned i = 0; d->state != EXO_DS_DYING && i < d->doomed_count; i++) {
		const struct exo_frame *f = &frame_table[d->doomed[i] & ~DOOMED_OFFERED];

		AUDIT(f->flags & FRAME_DOOMED && f->owner == d->id, "frame %x is not to be taken", d->doomed[i]);
	}
	doomed_total += d->state != EXO_DS_DYING ? d->doomed_count : 0;
}

/* ---- page tables -------------------------------------------------------- */

static void count_entry(struct domain *d, unsigned level, uint64_t e, uint32_t *foreign)
{
	uint64_t pfn = (e & EXO_PTE_FRAME) >> 12;

	if (!(e & EXO_PTE_P))
		return;
	if (level == 1) {
		tally[pfn].mapped++;
		tally[pfn].writable += (e & EXO_PTE_W) != 0;
		*foreign += frame_table[pfn].owner != d->id;
	} else if (level == 2 && e & EXO_PTE_PS) {
		++*(e & EXO_PTE_W ? &large_rw[pfn / 512] : &large_ro[pfn / 512]);
	} else {
		tally[pfn].typerefs++;
	}
}

static void count_tables(struct domain *d)
{
	uint32_t foreign = 0;

	for (uint32_t pfn = 1; pfn < MODEL_FRAMES; pfn++) {
		const struct exo_frame *f = &frame_table[pfn];
		const uint64_t *e = pfn_to_virt(pfn);
		unsigned level = f->type - EXO_F_PT1 + 1;

		if (f->owner != d->id || f->type < EXO_F_PT1 || f->type > EXO_F_PT4)
			continue;
		for (unsigned i = 0; i < 512; i++) {
			AUDIT(model_entry_ok(d, level, i, e[i]), "entry %u of table %x (level %u) is %lx", i, pfn,
				level, e[i]);
			if (level < 4 || i < 257 || i > 263)
				count_entry(d, level, e[i], &foreign);
		}
		if (level == 4 && f->writable) {
			AUDIT(frame_table[f->writable].flags & FRAME_ROOT_U, "partner of %x", pfn);
			tally[f->writable].typerefs++;
		}
	}
	AUDIT(foreign == d->foreign, "domain %x: %u foreign entries, counted %u", d->id, foreign, d->foreign);
}

/* ---- capabilities ------------------------------------------------------- */

/* By pfn: what a flow gave to those derived from it. */
static uint32_t room_of_children[MODEL_FRAMES];
static bool is_flow[MODEL_FRAMES];

static void check_flow(const struct slot *s)
{
	const struct flow *f = flow_at(s->aux), *from = f->parent ? flow_at(f->parent) : NULL;

	AUDIT(f->id == s->aux && f->device < net_count, "capability to no flow");
	AUDIT(f->cap == slot_name(s) || (slot_at(s->parent)->type == EXO_T_FLOW && slot_at(s->parent)->aux == f->id),
		"a copy of flow %x derives from another one", f->id);
	if (f->cap != slot_name(s) || !from)
		return;
	tally[s->aux].object++;
	is_flow[s->aux] = true;
	AUDIT(cube_within(&f->filter.cube, &from->filter.cube), "flow %x is not within its parent", f->id);
	AUDIT(!(f->directions & ~from->directions), "flow %x has more directions than its parent", f->id);
	AUDIT(slot_at(s->parent)->type == EXO_T_FLOW && slot_at(s->parent)->aux == from->id, "flow %x: parent", f->id);
	room_of_children[from->id % MODEL_FRAMES] += f->given;
}

static void check_object(const struct slot *s)
{
	if (s->type == EXO_T_DOMAIN) {
		AUDIT(tally[s->aux].object && domain_at(s->aux)->id == s->aux, "capability to no domain");
		AUDIT(s->parent || slot_at(domain_at(s->aux)->cap) == s || slot_at(domain_at(s->aux)->cap)->next ==
			slot_name(s), "first capability of domain %x", s->aux);
	}
	if (s->type == EXO_T_CONTEXT || s->type == EXO_T_EVENT || s->type == EXO_T_GATE)
		AUDIT(frame_table[s->aux].type == EXO_F_OBJECT && context_at(s->aux)->id == s->aux,
			"capability to no context");
	if (s->type == EXO_T_RING)
		AUDIT(tally[s->aux].object && ring_at(s->aux)->domain == slot_domain(s)->id,
			"capability to no ring");
	if (s->type == EXO_T_FLOW)
		check_flow(s);
	if (s->type == EXO_T_EVENT || s->type == EXO_T_GATE)
		AUDIT(s->parent, "an event or gate derives from its context");
}

static void check_slot(const struct slot *s)
{
	const struct slot *parent = slot_at(s->parent);
	unsigned depth = 0;

	AUDIT(s->type < EXO_T_COUNT, "slot %x", slot_name(s));
	for (const struct slot *p = s; p; p = slot_at(p->parent))
		AUDIT(++depth <= DERIVE_DEPTH, "derivation is too deep");
	check_object(s);
	if (!parent)
		return;
	AUDIT(parent->type == s->type || (parent->type == EXO_T_CONTEXT &&
		(s->type == EXO_T_EVENT || s->type == EXO_T_GATE)),
		"a capability changed its type");
	AUDIT(s->prev ? slot_at(s->prev)->next == slot_name(s) : parent->child == slot_name(s),
		"slot %x is linked wrongly", slot_name(s));
	AUDIT(!s->next || slot_at(s->next)->prev == slot_name(s), "slot %x's next", slot_name(s));
	AUDIT(!s->next || slot_at(s->next)->parent == s->parent, "slot %x's sibling", slot_name(s));
	if (s->type != parent->type)
		return;
	AUDIT(!(s->rights & ~parent->rights), "a copy has more rights");
	if (s->type == EXO_T_FRAMES || s->type == EXO_T_SLICE || s->type == EXO_T_EXTENT)
		AUDIT(s->aux == parent->aux && (!s->count || !parent->count || (s->base >= parent->base &&
			s->base + s->count <= parent->base + parent->count)), "a copy covers more");
	if (s->type == EXO_T_EVENT)
		AUDIT(!(slot_mask(s) & ~slot_mask(parent)), "a copy has more bits");
}

static void check_caps(struct domain *d)
{
	for (unsigned t = 0; t < d->table_frames; t++) {
		struct slot *s = pfn_to_virt(d->table[t]);
		unsigned used = t == 0;

		AUDIT(frame_table[d->table[t]].type == EXO_F_OBJECT && frame_table[d->table[t]].typerefs == d->id,
			"table frame %x", d->table[t]);
		tally[d->table[t]].object++;
		for (unsigned i = 0; i < SLOTS_PER_FRAME; i++) {
			AUDIT(s[i].gen & SLOT_GEN, "a generation of 0");
			if (s[i].type) {
				check_slot(&s[i]);
				used++;
			} else {
				AUDIT(!s[i].parent && !s[i].child && !s[i].next && !s[i].prev && !s[i].rights,
					"free slot %u of %x is linked", i, d->id);
			}
		}
		AUDIT(used == frame_table[d->table[t]].pins, "table %x: %u slots in use, counted %u", d->table[t],
			used, frame_table[d->table[t]].pins);
	}
	if (d->watch.type)
		check_slot(&d->watch);
	AUDIT(d->sweep_for <= 1 || (slot_domain(slot_at(d->sweep_for)) == d &&
		slot_at(d->sweep_for)->type == EXO_T_FRAMES), "domain %x sweeps for nobody", d->id);
	AUDIT(d == domains[0] || slot_domain(slot_at(d->cap))->id == d->parent, "domain %x's first capability",
		d->id);
}

/* ---- contexts ----------------------------------------------------------- */

static void check_contexts(struct domain *d)
{
	unsigned n = 0;

	for (struct context *x = context_first(d); x; x = context_next(d, x), n++) {
		AUDIT(x->domain == d->id && n < d->contexts &&
			context_at(x->sibling.next)->sibling.prev == x->id, "context %x of %x", x->id, d->id);
		tally[x->id].object++;
		tally[x->control].pins++;
		tally[x->save].pins++;
		if (x->mask_frame != x->control)
			tally[x->mask_frame].pins++;
		for (unsigned p = 0; x->state == EXO_CS_WAITING && p < x->pred.products; p++)
			for (unsigned t = 0; t < x->pred.terms[p]; t++)
				tally[x->pred.term[p][t].addr >> 12].pins++;
		AUDIT(slot_at(x->cap)->type == EXO_T_CONTEXT && slot_at(x->cap)->aux == x->id,
			"context %x's first capability", x->id);
		AUDIT(!x->running || cpu_at(x->cpu)->current == x, "context %x runs nowhere", x->id);
		AUDIT(!x->open || (!x->running && x->state != EXO_CS_STOPPED), "context %x is open", x->id);
		AUDIT(!x->queued == (x->state != EXO_CS_READY), "context %x in the ring", x->id);
	}
	AUDIT(n == d->contexts, "domain %x has %u contexts, counted %u", d->id, n, d->contexts);
	if (d->page)
		tally[d->page].pins++;
}

/* ---- rings ------------------------------------------------------------------ */

static void check_requests(struct domain *d, const struct ring *r)
{
	uint32_t id = r->id;

	for (unsigned i = 0; i < EXO_RING_SLOTS; i++) {
		const struct request *q = &r->request[i];

		for (unsigned f = 0; q->state != REQUEST_FREE && f < q->frames; f++)
			tally[q->frame[f]].pins++;
		requests_waiting += q->state == REQUEST_WAITING;
		AUDIT(q->state == REQUEST_FREE || q->disk < disk_count, "request %u of ring %x", i, id);
		AUDIT(q->state == REQUEST_FREE || (slot_at(q->extent)->type == EXO_T_EXTENT &&
			slot_domain(slot_at(q->extent)) == d), "request %u of ring %x outlived its extent", i, id);
		AUDIT(q->state == REQUEST_FREE || !q->loan || (slot_at(q->loan)->type == EXO_T_FRAMES &&
			slot_domain(slot_at(q->loan)) == d), "request %u of ring %x outlived its loan", i, id);
	}
}

static void check_packets(const struct ring *r)
{
	const struct packet_ring *p = &r->packets;
	uint32_t id = p->flow_head;

	AUDIT(p->last - p->first <= EXO_PACKET_SLOTS, "ring %x has %lu packets", r->id, p->last - p->first);
	for (uint64_t n = p->first; n != p->last; n++)
		tally[p->slot[n % EXO_PACKET_SLOTS].frame].pins++;
	AUDIT(!p->flows == !id, "ring %x: %u flows, but head %x", r->id, p->flows, id);
	for (unsigned n = 0; n < p->flows; n++, id = flow_at(id)->link.next) {
		const struct flow *f = flow_at(id);
		const struct slot *by = slot_at(f->bound_by);

		AUDIT(f->ring == r->id && f->device == p->device, "flow %x of ring %x", id, r->id);
		AUDIT(by->type == EXO_T_FLOW && by->aux == id, "flow %x outlived its binding", id);
		AUDIT(f->filter.live == (r->kind == EXO_RING_RECEIVE), "flow %x: live %u", id, f->filter.live);
		AUDIT(r->kind != EXO_RING_RECEIVE || f->filter.owner == r->domain, "flow %x: owner", id);
	}
	AUDIT(id == p->flow_head, "ring %x: flows are linked wrongly", r->id);
}

static void check_rings(struct domain *d)
{
	uint32_t id = d->rings_head;

	AUDIT(!d->rings == !id, "domain %x: %u rings, but head %x", d->id, d->rings, id);
	for (unsigned n = 0; n < d->rings; n++, id = ring_at(id)->link.next) {
		const struct ring *r = ring_at(id);

		AUDIT(frame_table[id].type == EXO_F_OBJECT && r->id == id && r->domain == d->id, "ring %x", id);
		tally[id].object++;
		tally[r->header].pins++;
		tally[r->entries].pins++;
		held_total += r->due != 0;
		AUDIT(r->due <= model_time + ~0u, "ring %x is held back for too long", id);
		if (r->kind == EXO_RING_BLOCK)
			check_requests(d, r);
		else
			check_packets(r);
	}
	AUDIT(id == d->rings_head, "domain %x: rings are linked wrongly", d->id);
}

static void check_held(void)
{
	uint32_t id = rings_held.first;

	AUDIT(rings_held.count == held_total && !id == !held_total, "%u rings are held, not %u",
		rings_held.count, held_total);
	for (unsigned n = 0; n < held_total; n++, id = ring_at(id)->held.next)
		AUDIT(ring_at(id)->due && ring_at(ring_at(id)->held.next)->held.prev == id,
			"ring %x is linked wrongly", id);
	AUDIT(id == rings_held.first, "held rings are linked wrongly");
	AUDIT(!held_total || nets_deadline != EXO_FOREVER, "nobody looks at held rings");
}

static void check_queue(unsigned disk, unsigned class)
{
	uint32_t name = disks[disk].waiting[class];

	if (name)
		do {
			const struct request *q = request_at(name);

			AUDIT(q->state == REQUEST_WAITING && q->disk == disk && q->class == class && requests_waiting--,
				"disk %u's queue %u has request %x", disk, class, name);
			AUDIT(request_at(q->link.next)->link.prev == name, "request %x is linked wrongly", name);
			name = q->link.next;
		} while (name != disks[disk].waiting[class]);
}

static void check_disks(void)
{
	for (unsigned i = 0; i < disk_count; i++) {
		unsigned issued = 0, background = 0;

		for (unsigned class = 0; class < EXO_BLK_CLASSES; class++)
			check_queue(i, class);
		AUDIT(disks_deadline != EXO_FOREVER || disks[i].state == DISK_GONE ||
			(disks[i].state == DISK_READY && !disks[i].issued), "nobody looks at disk %u", i);

		for (unsigned tag = 0; tag < BLOCK_TAGS; tag++) {
			uint32_t name = disks[i].tag[tag];

			if (!name)
				continue;
			AUDIT(frame_table[name / EXO_RING_SLOTS].type == EXO_F_OBJECT &&
				request_at(name)->state == REQUEST_ISSUED && request_at(name)->disk == i,
				"disk %u has request %x", i, name);
			issued++;
			background += request_at(name)->class != EXO_BLK_DEMAND;
		}
		AUDIT(issued == disks[i].issued && background == disks[i].background,
			"disk %u: %u requests, counted %u", i, issued, disks[i].issued);
	}
	AUDIT(!requests_waiting, "%u requests wait in no queue", requests_waiting);
}

static void check_neighbours(const struct demux *d, const struct filter *f)
{
	for (unsigned k = 0; k < d->shapes; k++) {
		const struct filter *other = d->shape[d->order[k]].list;

		for (unsigned n = d->shape[d->order[k]].filters; n; n--, other = other->next)
			AUDIT(other == f || !cube_overlap(&f->cube, &other->cube) ||
				cube_within(&f->cube, &other->cube) != cube_within(&other->cube, &f->cube),
				"live filters cross, or are the same");
	}
}

/* Live filters are disjoint or nested; room is neither made nor lost. */
static void check_nets(void)
{
	for (uint32_t pfn = 1; pfn < MODEL_FRAMES; pfn++)
		AUDIT(!is_flow[pfn] || flow_at(pfn)->given == flow_at(pfn)->room + flow_at(pfn)->filter.live +
			room_of_children[pfn], "flow %x has lost room", pfn);
	for (unsigned i = 0; i < net_count; i++) {
		const struct demux *d = &nets[i].demux;
		unsigned filters = 0;

		for (unsigned k = 0; k < d->shapes; k++) {
			const struct filter *f = d->shape[d->order[k]].list;

			for (unsigned n = d->shape[d->order[k]].filters; n; n--, f = f->next) {
				const struct flow *flow = (const struct flow *)f;

				filters++;
				AUDIT(flow->ring && ring_at(flow->ring)->kind == EXO_RING_RECEIVE, "a live filter without ring");
				check_neighbours(d, f);
			}
		}
		AUDIT(filters == d->count && filters <= d->max, "card %u: %u filters, counted %u", i, filters, d->count);
		AUDIT(nets[i].started - nets[i].sent <= NET_QUEUE, "card %u sends too much", i);
	}
}

static void check_waiting_rings(void)
{
	unsigned waits = 0;

	for (unsigned i = 0; i < domain_total; i++) {
		uint32_t id = domains[i]->rings_head;

		for (unsigned n = 0; n < domains[i]->rings; n++, id = ring_at(id)->link.next)
			waits += ring_at(id)->kind != EXO_RING_BLOCK && ring_at(id)->packets.waits;
	}
	for (unsigned i = 0; i < net_count; i++) {
		uint32_t id = nets[i].waiting;

		if (id)
			do {
				const struct packet_ring *p = &ring_at(id)->packets;

				AUDIT(p->waits && p->device == i && waits--, "ring %x waits for card %u", id, i);
				AUDIT(ring_at(p->waiting.next)->packets.waiting.prev == id, "ring %x is linked wrongly", id);
				id = p->waiting.next;
			} while (id != nets[i].waiting);
	}
	AUDIT(!waits, "%u rings wait for room, and no card knows", waits);
}

/* ---- CPUs and who is theirs ---------------------------------------------- */

static uint32_t slots_of[MODEL_FRAMES];		/* by context */
static unsigned queued_total, timers_total;

static bool is_context(uint32_t id)
{
	return id < MODEL_FRAMES && frame_table[id].type == EXO_F_OBJECT && context_at(id)->id == id;
}

static void count_slots(const struct cpu *c)
{
	for (unsigned i = 0; i < EXO_SLICES; i++) {
		const struct exo_slice *s = &c->slices->slice[i];

		AUDIT(!s->context == !s->domain && (!s->context || (is_context(s->context) &&
			context_at(s->context)->domain == s->domain)), "slot %u of CPU %u is %x's", i, c->number, s->context);
		slots_of[s->context]++;
	}
}

static void check_ready(const struct cpu *c)
{
	const struct context *x = context_at(c->ready);

	if (x)
		do {
			AUDIT(x->queued == c->number + 1 && queued_total--, "CPU %u's ring holds %x", c->number, x->id);
			AUDIT(context_at(x->ready.next)->ready.prev == x->id, "context %x is linked wrongly", x->id);
			x = context_at(x->ready.next);
		} while (x->id != c->ready);
}

/* A timer stands where its time is looked for: in a slot that has not been passed. */
static void check_timer(const struct wheel *w, const struct timer *t, unsigned slot)
{
	unsigned level = slot / WHEEL_SLOTS, shift = WHEEL_SHIFT + 6 * level;
	uint64_t ahead = (t->when >> shift) - (w->now >> shift);

	AUDIT(t->when && t->slot == slot + 1 && &cpu_at(t->cpu)->wheel == w && timers_total--, "a timer in slot %u", slot);
	AUDIT(t->when <= w->now || level == WHEEL_LEVELS - 1 || (ahead < WHEEL_SLOTS &&
		(t->when >> shift) % WHEEL_SLOTS == slot % WHEEL_SLOTS), "%lu in slot %u at %lu", t->when, slot, w->now);
}

static void check_wheel(const struct wheel *w)
{
	for (unsigned slot = 0; slot < WHEEL_LEVELS * WHEEL_SLOTS; slot++) {
		uint32_t name = w->head[slot];

		AUDIT(!name == !(w->used[slot / WHEEL_SLOTS] >> slot % WHEEL_SLOTS & 1), "slot %u's bit", slot);
		if (name)
			do {
				const struct timer *t = &context_at(name / 2)->timers[name % 2];

				check_timer(w, t, slot);
				AUDIT(context_at(t->link.next / 2)->timers[t->link.next % 2].link.prev == name,
					"timer %x is linked wrongly", name);
				name = t->link.next;
			} while (name != w->head[slot]);
	}
}

static void check_shares(struct domain *d)
{
	uint32_t slices = 0;

	for (struct context *x = context_first(d); x; x = context_next(d, x)) {
		AUDIT(x->slices == slots_of[x->id], "context %x has %u slots, counted %u", x->id, slots_of[x->id], x->slices);
		AUDIT(!x->timers[TIMER_WAIT].slot || x->state == EXO_CS_WAITING, "context %x has a deadline", x->id);
		slices += x->slices;
		queued_total += x->queued != 0;
		timers_total += (x->timers[0].slot != 0) + (x->timers[1].slot != 0);
	}
	AUDIT(slices == d->slices, "domain %x has %u slots, counted %u", d->id, slices, d->slices);
}

static void check_current(const struct cpu *c)
{
	const struct context *x = c->current;

	AUDIT(c->slice == &c->slices->slice[c->slot] && c->slices->now == c->slot, "CPU %u's slot", c->number);
	AUDIT(c->slices->running == (x ? x->id : 0), "CPU %u tells of %x", c->number, c->slices->running);
	AUDIT(!c->donee || is_context(c->donee->id), "CPU %u's rest is given to nobody", c->number);
	AUDIT(!c->payer == !x && (!x || is_context(c->payer->id)), "nobody pays for CPU %u", c->number);
	AUDIT(!x || (c->control == x->page && c->pair == x->pair && x->cpu == c->number), "CPU %u runs %x", c->number,
		x->id);
}

static void check_cpus(void)
{
	memset(slots_of, 0, sizeof slots_of);
	queued_total = timers_total = 0;
	for (unsigned i = 0; i < cpu_count; i++)
		count_slots(cpu_at(i));
	for (unsigned i = 0; i < domain_total; i++)
		check_shares(domains[i]);
	for (unsigned i = 0; i < cpu_count; i++) {
		const struct cpu *c = cpu_at(i);

		check_ready(c);
		check_wheel(&c->wheel);
		check_current(c);
		AUDIT(!c->current || (frame_table[c->current->id].type == EXO_F_OBJECT && c->current->running),
			"CPU %u runs a context that is none", i);
		AUDIT(!c->root || root_loadable(frame_table[c->root].owner, c->root),
			"CPU %u has frame %x loaded, which is no root", i, c->root);
		AUDIT(!c->current || !c->root || frame_table[c->root].owner == c->current->domain,
			"CPU %u runs in another domain's root", i);
	}
	AUDIT(!queued_total && !timers_total, "%u contexts and %u timers are in no ring", queued_total, timers_total);
}

/* ---- frames ------------------------------------------------------------- */

static void check_frame(uint32_t pfn)
{
	const struct exo_frame *f = &frame_table[pfn];
	const struct tally *t = &tally[pfn];
	bool table = f->type >= EXO_F_PT1 && f->type <= EXO_F_PT4;

	doomed_total -= f->flags & FRAME_DOOMED && domain_at(f->owner)->state != EXO_DS_DYING;
	AUDIT(t->listed == (f->owner != 0), "frame %x is on %u lists", pfn, t->listed);
	if (f->type == EXO_F_OBJECT) {
		AUDIT(t->object == 1 && !t->mapped && !t->typerefs && !f->mapped && !f->writable,
			"object %x: held %u times, mapped %u", pfn, t->object, t->mapped);
		return;
	}
	AUDIT(!t->object, "frame %x of type %u holds an object", pfn, f->type);
	AUDIT(f->mapped == t->mapped, "frame %x: mapped %u, counted %u", pfn, t->mapped, f->mapped);
	AUDIT(f->type == EXO_F_PT4 || f->writable == t->writable, "frame %x: writable %u, counted %u", pfn,
		t->writable, f->writable);
	AUDIT(f->typerefs == t->typerefs, "frame %x: references %u, counted %u", pfn, t->typerefs, f->typerefs);
	AUDIT(f->pins == t->pins, "frame %x: pins %u, counted %u", pfn, t->pins, f->pins);
	AUDIT(!table || (!t->writable && !large_rw[pfn / 512] && !t->pins), "table %x can be written", pfn);
	AUDIT(table || !t->typerefs, "frame %x of type %u is used as a table", pfn, f->type);
	AUDIT(f->type != EXO_F_KERNEL || !t->mapped, "kernel frame %x is mapped", pfn);
	AUDIT(!(f->flags & FRAME_ROOT_U) || (f->type == EXO_F_PT4 && t->typerefs == 1), "partner %x", pfn);
}

static void check_region(uint32_t index)
{
	const struct region *r = &region_table[index];
	unsigned owned = 0, special = 0, unmappable = 0, same = 0;
	uint32_t first = frame_table[index * 512].owner;

	for (uint32_t pfn = index * 512; pfn < index * 512 + 512; pfn++) {
		unsigned type = frame_table[pfn].type;

		owned += frame_table[pfn].owner == r->owner;
		same += frame_table[pfn].owner == first;
		special += type != EXO_F_DATA;
		unmappable += type != EXO_F_DATA && (type < EXO_F_PT1 || type > EXO_F_PT4);
	}
	AUDIT(owned == r->owned && special == r->special && unmappable == r->unmappable,
		"region %u: owned %u special %u unmappable %u, counted %u %u %u", index, owned, special,
		unmappable, r->owned, r->special, r->unmappable);
	AUDIT(same < 512 || r->owner == first, "region %u has one owner, and does not know", index);
	AUDIT(large_ro[index] == r->large_ro && large_rw[index] == r->large_rw, "region %u: large pages", index);
	AUDIT(!(large_ro[index] || large_rw[index]) || !unmappable, "region %u: large page over objects", index);
	AUDIT(!large_rw[index] || !special, "region %u: writable large page over tables", index);
}

void audit(void)
{
	memset(tally, 0, sizeof tally);
	memset(room_of_children, 0, sizeof room_of_children);
	memset(is_flow, 0, sizeof is_flow);
	memset(large_ro, 0, sizeof large_ro);
	memset(large_rw, 0, sizeof large_rw);
	held_total = requests_waiting = doomed_total = 0;
	gather_domains();
	for (unsigned i = 0; i < domain_total; i++) {
		check_list(domains[i]);
		count_tables(domains[i]);
		check_contexts(domains[i]);
		check_rings(domains[i]);
	}
	for (unsigned i = 0; i < domain_total; i++)
		check_caps(domains[i]);
	for (uint32_t pfn = 1; pfn < MODEL_FRAMES; pfn++)
		check_frame(pfn);
	AUDIT(!doomed_total, "frames are to be taken, and nobody knows");
	for (uint32_t i = 0; i < MODEL_FRAMES / 512; i++)
		check_region(i);
	for (unsigned i = 0; i < EXO_PAGE_SIZE; i++)
		AUDIT(((uint8_t *)pfn_to_virt(0))[i] == MODEL_NOTHING, "something was written to nothing");
	AUDIT(!frame_table[0].pins && !frame_table[0].mapped && !frame_table[0].writable &&
		!frame_table[0].typerefs, "frame 0 is used");
	check_held();
	check_disks();
	check_nets();
	check_waiting_rings();
	check_cpus();
	model_check_caches();
}
