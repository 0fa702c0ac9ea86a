/* The fuzzer: two hostile domains call the kernel with arguments that the ABI's grammar makes
 * plausible or absurd, on four CPUs with caches, while their programs read and write
 * memory, lend each other frames, make children and are destroyed.  Every few thousand
 * calls all invariants are recomputed.
 *
 * usage: fuzz N [SEED]
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "tests/host/model.h"
#include "tests/host/kinds.h"
#include "exo/core/device.h"
#include "tests/host/model_disk.h"
#include "tests/host/model_net.h"

#define HOSTILE		2u
#define FRAMES		300u	/* that each starts with */
#define FIRST		64u
#define AUDIT_EVERY	2000u
#define LIFE		4000u	/* calls until both are destroyed and made anew */

static const struct grammar_call grammar[] = {
#include "exo/grammar.inc"
};

struct hostile {
	struct domain *d;
	uint32_t first, cap;
};
static struct hostile hostile[HOSTILE];
static uint32_t region;		/* 512 frames, for large pages */
static uint64_t done, histogram[EXO_CALL_COUNT][EXO_STATUS_COUNT];
static char repeat[100];

static unsigned chance(unsigned n) { return model_random() % n; }
static uint8_t *window(void) { return model_window[this_cpu()->number]; }

/* ---- arguments ---------------------------------------------------------- */

static const uint64_t odd[] = { 0, 1, 7, 63, 64, 512, 4096, 4097, 0xfff, 0xfffff, 0xffffffff, 1ul << 32,
	1ul << 47, 0xffff800000000000ul, EXO_KERNEL_BASE, ~0ul, ~0xffful };

static uint64_t any(void)
{
	return chance(3) ? odd[chance(sizeof odd / sizeof odd[0])] : model_random() >> chance(64);
}

static struct hostile *whose(void)
{
	for (unsigned i = 0; i < HOSTILE; i++)
		if (this_cpu()->current->domain == hostile[i].d->id)
			return &hostile[i];
	return &hostile[0];
}

/* Mostly one of a few own frames, so that what one call does another one meets. */
static uint64_t pick_pfn(void)
{
	unsigned roll = chance(40);

	if (roll == 0)
		return any();
	if (roll == 1)
		return chance(MODEL_FRAMES + 2);
	if (roll < 4)
		return region + chance(4);
	return (roll < 7 ? hostile[chance(HOSTILE)].first : whose()->first) + chance(roll < 30 ? 24 : FRAMES);
}

/* A frame of that type among the few, if chance finds one. */
static uint64_t pick_type(unsigned type)
{
	uint64_t pfn = pick_pfn();

	for (unsigned i = 0; i < 20 && (pfn >= MODEL_FRAMES || frame_table[pfn].type != type ||
	     frame_table[pfn].owner != this_cpu()->current->domain); i++)
		pfn = pick_pfn();
	return pfn;
}

static uint64_t pick_entry(unsigned level)
{
	uint64_t bits = EXO_PTE_P | EXO_PTE_U, pfn;

	if (chance(6) == 0)
		return chance(4) ? 0 : any();
	bits |= chance(2) ? EXO_PTE_W : 0;
	bits |= chance(3) ? 0 : EXO_PTE_NX;
	bits |= model_random() & (EXO_PTE_A | EXO_PTE_D | 0xe00);
	if (chance(30) == 0)
		bits |= 1ul << chance(64);
	if (level == 2 && chance(4) == 0)
		return region << 12 | bits | EXO_PTE_PS;
	pfn = level > 1 ? pick_type(EXO_F_PT1 + level - 2) : chance(10) ? pick_type(EXO_F_DATA) : pick_pfn();
	return (pfn << 12 & EXO_PTE_FRAME) | bits;
}

static unsigned pick_index(void) { return chance(12) ? chance(4) : chance(512); }

static void fill_items(struct exo_pt_item *item, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned level = 1 + (chance(3) == 0 ? chance(4) : 0), op = chance(4) ? 0 : chance(30) ? 4 : chance(8);
		uint64_t table = pick_type(EXO_F_PT1 + level - 1);

		item[i].ptr = (table << 12) + pick_index() * 8 + op;
		item[i].val = pick_entry(level);
		if (chance(4) == 0 && table < MODEL_FRAMES)	/* what CAS expects */
			item[i].ptr = ((uint64_t *)pfn_to_virt(table))[pick_index()];
	}
}

static void fill_predicate(struct exo_predicate *p)
{
	memset(p, 0, sizeof *p);
	p->products = chance(EXO_WAIT_PRODUCTS + (chance(20) == 0));
	for (unsigned i = 0; i < p->products; i++) {
		p->terms[i] = 1 + chance(EXO_WAIT_TERMS + (chance(20) == 0));
		for (unsigned j = 0; j < EXO_WAIT_TERMS; j++)
			p->term[i][j] = (struct exo_term){ .addr = (pick_pfn() << 12) + chance(512) * 8,
				.op = chance(EXO_CMP_COUNT + (chance(20) == 0)),
				.cap = chance(2) ? 0 : chance(24), .value = chance(3) };
	}
}

static uint64_t pick_retype(void)
{
	uint64_t pfn = chance(3) ? pick_pfn() : pick_type(EXO_F_PT1 + chance(4));
	bool data = pfn < MODEL_FRAMES && frame_table[pfn].type == EXO_F_DATA;
	unsigned kind = data ? 1 + chance(3) : 0;

	return pfn << 8 | (chance(20) ? kind : chance(6));
}

static uint64_t buffer(enum kind kind)
{
	uint64_t *word = (uint64_t *)window();

	if (chance(30) == 0)
		return any();
	if (chance(20) == 0)
		return chance(4) << 12;		/* its own memory */
	if (kind == K_BUF_PT_ITEM)
		fill_items((struct exo_pt_item *)word, 40);
	else if (kind == K_BUF_PREDICATE)
		fill_predicate((struct exo_predicate *)word);
	else if (kind == K_BUF_U64)
		for (unsigned i = 0; i < 12; i++)
			word[i] = pick_retype();
	return WINDOW;
}

/* A capability of that type that the domain has, if chance finds one. */
static uint64_t pick_cap(unsigned type)
{
	const struct domain *d = domain_at(this_cpu()->current->domain);

	for (unsigned i = 0; i < 40; i++) {
		uint64_t index = chance(chance(4) ? 24 : 128);

		if (((struct slot *)pfn_to_virt(d->table[0]))[index].type == type)
			return index;
	}
	return chance(40);
}

static uint64_t argument(enum kind kind)
{
	static const uint8_t types[] = { [K_CAP_FRAMES] = EXO_T_FRAMES, [K_CAP_DOMAIN] = EXO_T_DOMAIN,
		[K_CAP_CONTEXT] = EXO_T_CONTEXT, [K_CAP_EVENT] = EXO_T_EVENT, [K_CAP_SLICE] = EXO_T_SLICE,
		[K_CAP_DEVICE] = EXO_T_DEVICE, [K_CAP_MACHINE] = EXO_T_MACHINE,
		[K_CAP_EXTENT] = EXO_T_EXTENT, [K_CAP_RING] = EXO_T_RING,
		[K_CAP_FLOW] = EXO_T_FLOW, [K_CAP_GATE] = EXO_T_GATE };

	switch (kind) {
	case K_NONE:
		return 0;
	case K_DOM:
		return chance(5) ? 0 : chance(8) ? pick_cap(EXO_T_DOMAIN) : chance(24);
	case K_SLOT:
		return chance(2) ? 0 : chance(30) ? 20 + chance(40) : any();
	case K_PFN:
		return chance(3) ? pick_pfn() : pick_type(EXO_F_PT1 + chance(4));
	case K_PHYS:
		return chance(20) ? (pick_pfn() << 12) + chance(4096) : any();
	case K_COUNT:
		return chance(20) ? chance(8) : chance(2) ? chance(600) : any();
	case K_FLAGS:
		return chance(20) ? chance(8) : chance(2) ? chance(32) : any();
	case K_TIME:
		return chance(3) ? model_time + chance(100000) : any();
	case K_VA:
		return chance(3) ? chance(8) << 12 : any();
	case K_OP:
		return chance(11);
	case K_ANY:
		return chance(3) == 0 ? any() : chance(2) ? pick_pfn() : model_random() & 0xff0000;
	default:
		if (kind >= K_BUF_CAP_INFO)
			return buffer(kind);
		if (kind == K_CAP_ANY)
			return chance(4) ? pick_cap(chance(EXO_T_COUNT)) : chance(60);
		return chance(6) == 0 ? 0 : chance(10) ? pick_cap(types[kind]) : chance(60);
	}
}

/* ---- what programs do --------------------------------------------------- */

/* Data frames hold what may become a page table, or must not. */
static void scribble(void)
{
	uint64_t pfn = pick_type(EXO_F_DATA), *word;

	if (pfn >= MODEL_FRAMES || frame_table[pfn].type != EXO_F_DATA || frame_table[pfn].pins ||
	    frame_table[pfn].owner != this_cpu()->current->domain)
		return;
	word = pfn_to_virt(pfn);
	if (chance(3) == 0)
		memset(word, 0, EXO_PAGE_SIZE);
	for (unsigned i = chance(3); i > 0; i--)
		word[pick_index()] = pick_entry(1 + chance(3));
}

static void programs_run(void)
{
	for (unsigned cpu = 0; cpu < MODEL_CPUS; cpu++) {
		uint64_t va = (uint64_t)chance(4) << 12 | chance(8) * 8;

		for (unsigned level = 2; level < 5; level++)
			va |= (uint64_t)(chance(3) ? chance(2) * (level == 2) : chance(4)) << (3 + 9 * level);
		uint8_t byte = chance(3) == 0 ? 0x63 : 0;

		model_access(cpu, va, chance(2), &byte);
	}
}

/* The disks go on: finish, fail, or say nothing until they are reset. */
static void disks_run(void)
{
	for (unsigned i = 0; i < MODEL_DISKS; i++) {
		int tag = model_disk_tag(i);

		if (tag >= 0 && chance(3) == 0)
			model_disk_finish(i, tag, chance(8));
		if (tag >= 0 && chance(400) == 0)
			model_time += 5100000000ul;
		model_disks[i].reset_steps = chance(4);
	}
	model_disks_dma();
}

/* Little variety, so that packets, flows and permissions meet. */
static void packet_write(uint8_t *p)
{
	memset(p, 0, 60);
	p[0] = chance(2);
	p[6] = chance(2);
	p[12] = 8;
	p[14] = 0x45;
	p[17] = 46;
	p[23] = 6 + chance(2);
	p[37] = chance(3);
}

static void nets_run(void)
{
	uint8_t packet[60];

	for (unsigned i = 0; i < MODEL_NETS; i++) {
		model_net_finish(i, chance(3));
		model_nets[i].lost |= chance(2000) == 0;
		if (model_nets[i].lost && chance(100) == 0)
			model_time += 2100000000ul;
		model_nets[i].reset_steps = chance(4);
		packet_write(packet);
		model_net_receive(i, packet, sizeof packet);
	}
	model_nets_dma();
}

/* ---- the two domains ---------------------------------------------------- */

static struct result must(struct result r, const char *what)
{
	CHECK(r.status == EXO_OK, "%s: status %lx", what, r.status);
	return r;
}

static void init_runs(void)
{
	for (unsigned cpu = 0; cpu < MODEL_CPUS; cpu++) {
		model_step(cpu);
		CHECK(model_run(cpu, model_init()), "init does not get CPU %u", cpu);
	}
	model_on(0);
}

static void finish(unsigned number, uint64_t a, uint64_t b)
{
	for (unsigned i = 0; i < 100000; i++) {
		if (!this_cpu()->current || this_cpu()->current->domain != domain_init_id)	/* its slice ended */
			init_runs();
		uint64_t status = call(number, a, b, 0, 0, 0, 0).status;

		if (status != EXO_AGAIN) {
			CHECK(status == EXO_OK, "%s: status %lx", grammar[number].name, status);
			return;
		}
		model_step_all();
		disks_run();
		nets_run();
		model_timer(0);
	}
	CHECK(false, "%s does not end", grammar[number].name);
}

/* Page tables to start from: a path down to two tables of level 1. */
static void plant(const struct hostile *h)
{
	struct exo_pt_item *item = (struct exo_pt_item *)(window() + 4096);
	uint64_t *list = (uint64_t *)window(), t = h->first, bits = EXO_PTE_P | EXO_PTE_W | EXO_PTE_U;

	for (unsigned i = 0; i < 4; i++)	/* t + 1, t + 2 of level 1, t + 3 of 2, t + 4 of 3 */
		list[i] = (t + 1 + i) << 8 | (i < 2 ? EXO_KIND_PT1 : i);
	must(call(EXO_CALL_FRAME_RETYPE, h->cap, WINDOW, 4, 0, 0, 0), "tables");
	item[0] = (struct exo_pt_item){ t << 12, (t + 4) << 12 | bits };
	item[1] = (struct exo_pt_item){ (t + 4) << 12, (t + 3) << 12 | bits };
	item[2] = (struct exo_pt_item){ (t + 3) << 12, (t + 1) << 12 | bits };
	item[3] = (struct exo_pt_item){ ((t + 3) << 12) + 8, (t + 2) << 12 | bits };
	for (unsigned i = 0; i < 8; i++)
		item[4 + i] = (struct exo_pt_item){ ((t + 1 + i / 4) << 12) + i % 4 * 8, (t + 10 + i) << 12 | bits };
	must(call(EXO_CALL_PT_WRITE, h->cap, WINDOW + 4096, 12, 0, 0, 0), "entries");
}

static void make(struct hostile *h, unsigned number)
{
	uint32_t object = FIRST + number * (FRAMES + 2) + FRAMES, pfn = h->first = object - FRAMES;
	struct result r = must(call(EXO_CALL_DOMAIN_CREATE, 0, object, object + 1, 0, 0, 0), "create");

	h->cap = r.value;
	h->d = domain_at(object);
	for (unsigned given = 0; given < FRAMES; given += r.value)
		r = call(EXO_CALL_FRAME_GIVE, 0, h->cap, pfn + given, FRAMES - given, 0, 0);
	*(uint64_t *)window() = (uint64_t)pfn << 8 | EXO_KIND_PT4;
	must(call(EXO_CALL_FRAME_RETYPE, h->cap, WINDOW, 1, 0, 0, 0), "root");
	plant(h);
	for (unsigned i = 0; i < MODEL_CPUS; i++) {
		uint32_t x = object - 3 * (i + 1);

		r = must(call(EXO_CALL_CONTEXT_CREATE, h->cap, x, x + 1, x + 2, i, 0), "context");
		((struct exo_control *)pfn_to_virt(x + 1))->mask = 1;
		((struct exo_control *)pfn_to_virt(x + 1))->gate_entry = 0x1000;
		must(call(EXO_CALL_CONTEXT_CTL, r.value, EXO_CTX_ROOTS, pfn, 0, 0, 0), "roots");
		must(call(EXO_CALL_CAP_COPY, h->cap, 10 + i, r.value, 7, 0, 0), "context capability");
	}
}

/* What each may do to the other, to itself and to the machine. */
static void endow(struct hostile *h, const struct hostile *peer)
{
	struct slot s = { 0 };
	uint64_t name;

	must(call(EXO_CALL_CAP_COPY, h->cap, 1, peer->cap, EXO_R_GRANT | EXO_R_GIVE | EXO_R_INFO, 0, 0), "peer");
	must(call(EXO_CALL_CAP_COPY, h->cap, 2, h->cap, 0x3f, 0, 0), "self");
	if (chance(2))
		must(call(EXO_CALL_CAP_COPY, h->cap, 3, peer->cap, 0x1f, 0, 0), "peer's manager");
	s = (struct slot){ .type = EXO_T_FRAMES, .rights = 0xf, .base = MODEL_EXPORT, .count = MODEL_EXPORTS };
	CHECK(!cap_insert(h->d, 4, 0, &s, NULL, &name), "exports");
	s = (struct slot){ .type = EXO_T_FRAMES, .rights = 0xf, .aux = model_init()->id, .base = region + 3,
		.count = 2 };
	CHECK(!cap_insert(h->d, 5, 0, &s, NULL, &name), "loan");
	s = (struct slot){ .type = EXO_T_SLICE, .rights = 7, .aux = 1 + (h == hostile), .count = 8 };
	CHECK(!cap_insert(h->d, 6, 0, &s, NULL, &name), "slices");
	s = (struct slot){ .type = EXO_T_MACHINE, .rights = EXO_R_LOG | EXO_R_TRACE };
	CHECK(!cap_insert(h->d, 7, 0, &s, NULL, &name), "machine");
	s = (struct slot){ .type = EXO_T_DEVICE, .rights = EXO_R_USE | EXO_R_GRANT };
	CHECK(!cap_insert(h->d, 8, 0, &s, NULL, &name), "device");
	for (unsigned i = 0; i < MODEL_DISKS; i++) {
		s = (struct slot){ .type = EXO_T_EXTENT, .rights = 7, .aux = i, .base = h == hostile ? 0 : 500,
			.count = 400 };
		CHECK(!cap_insert(h->d, 14 + i, 0, &s, NULL, &name), "extent");
	}
	for (unsigned i = 0; i < MODEL_NETS; i++) {
		if (!flow_at(MODEL_FLOW + i)->cap)
			model_flow_put(model_init(), 120 + i, i);
		CHECK(!cap_insert(h->d, 16 + i, 0, &(struct slot){ .type = EXO_T_FLOW, .aux = MODEL_FLOW + i,
			.rights = EXO_R_USE | EXO_R_GRANT }, slot_at(flow_at(MODEL_FLOW + i)->cap), &name), "flow");
	}
}

static void make_both(void)
{
	struct result r = { 0 };

	init_runs();
	for (unsigned i = 0; i < HOSTILE; i++)
		make(&hostile[i], i);
	if (chance(2))
		for (unsigned given = 0; given < 512; given += r.value)
			r = call(EXO_CALL_FRAME_GIVE, 0, hostile[0].cap, region + given, 512 - given, 0, 0);
	for (unsigned i = 0; i < HOSTILE; i++)
		endow(&hostile[i], &hostile[1 - i]);
}

/* All that init had comes back, to the last frame. */
static void end_both(uint32_t frames)
{
	struct domain *init = model_init();

	init_runs();
	for (unsigned i = 0; i < HOSTILE; i++) {
		finish(EXO_CALL_DOMAIN_DESTROY, hostile[i].cap, 0);
		finish(EXO_CALL_CAP_DELETE, 0, hostile[i].cap);
	}
	while (init->first_child) {		/* what they made is init's now */
		uint32_t cap = domain_at(init->first_child)->cap % SLOTS_PER_FRAME;

		finish(EXO_CALL_DOMAIN_DESTROY, cap, 0);
		finish(EXO_CALL_CAP_DELETE, 0, cap);
	}
	audit();
	CHECK(init->frames == frames, "init has %u frames of %u", init->frames, frames);
	for (uint32_t pfn = FIRST; pfn < MODEL_FRAMES; pfn++)
		CHECK(frame_table[pfn].type == EXO_F_DATA && frame_table[pfn].owner == init->id &&
			!frame_table[pfn].mapped && !frame_table[pfn].pins && !frame_table[pfn].flags,
			"frame %x is not as it was", pfn);
}

/* A hostile program has frames on offer: its own, others', the bitmap itself. */
static void offer(const struct hostile *h)
{
	struct exo_domain_page *page = h->d->page ? pfn_to_virt(h->d->page) : NULL;
	uint32_t map = h->first + chance(24);

	if (!page) {
		call(EXO_CALL_DOMAIN_CTL, h->cap, EXO_DOM_PAGE, map, 0, 0, 0);
		return;
	}
	page->spare[chance(3)] = chance(8) ? map : any();
	if (frame_table[map].owner == h->d->id && frame_table[map].type == EXO_F_DATA)
		((uint64_t *)pfn_to_virt(map))[h->first / 64] = model_random();
}

/* Init meddles: asks frames back, by force too. */
static void meddle(void)
{
	const struct hostile *h = &hostile[chance(HOSTILE)];

	if (!model_run(0, model_init()))
		return;
	model_on(0);
	if (chance(3) == 0)
		offer(h);
	call(EXO_CALL_DOMAIN_REVOKE, h->cap, chance(8), model_time + chance(2000), 0, 0, 0);
	if (chance(4) == 0)
		call(EXO_CALL_DOMAIN_CTL, h->cap, EXO_DOM_START, 0, 0, 0, 0);
	if (chance(8) == 0)
		call(EXO_CALL_CAP_REVOKE, 0, h->cap, 0, 0, 0, 0);
	model_run(0, hostile[chance(HOSTILE)].d);
}

static void fill_packets(struct ring *r, struct exo_ring *h)
{
	for (unsigned n = chance(6); n; n--) {
		struct exo_packet *e = (struct exo_packet *)pfn_to_virt(r->entries) + h->submitted++ % EXO_PACKET_SLOTS;

		*e = (struct exo_packet){ .frame = chance(30) ? pick_type(EXO_F_DATA) : pick_pfn(),
			.offset = chance(3) ? 0 : any(), .length = chance(20) ? 60 + chance(1600) : any(),
			.reserved = { chance(50) == 0 } };
		if (e->frame < MODEL_FRAMES && frame_table[e->frame].type == EXO_F_DATA && !e->offset)
			packet_write(pfn_to_virt(e->frame));
	}
}

/* Entries of a ring, most of them sensible. */
static void fill_ring(uint64_t name)
{
	struct domain *d = current_domain();
	struct slot *s;

	if (cap_find(d, name, EXO_T_RING, 0, 1, &s))
		return;
	struct ring *r = ring_at(s->aux);
	struct exo_ring *h = pfn_to_virt(r->header);
	if (!chance(8)) {
		h->event_count = chance(40);
		h->event_ns = chance(20) ? chance(3000000) : any();
	}
	if (r->kind != EXO_RING_BLOCK) {
		h->consumed = chance(200) ? h->completed : any();
		h->submitted = r->taken;
		fill_packets(r, h);
		return;
	}
	h->consumed = chance(200) ? h->completed : any();
	h->submitted = r->taken;
	for (unsigned n = chance(6); n; n--) {
		struct exo_block_request *e = (struct exo_block_request *)pfn_to_virt(r->entries) +
			h->submitted++ % EXO_RING_SLOTS;

		*e = (struct exo_block_request){ .extent = pick_cap(EXO_T_EXTENT), .sector = chance(3300),
			.sectors = chance(130), .op = chance(EXO_BLK_OPS + !chance(20)), .offset = chance(9) * !chance(3),
			.class = chance(EXO_BLK_CLASSES + !chance(20)), .loan = chance(3) ? 0 : pick_cap(EXO_T_FRAMES) };
		if (e->op == EXO_BLK_FLUSH && chance(4))
			e->sector = e->sectors = e->offset = 0;
		if (chance(2))
			e->sector &= ~7ul, e->sectors = (e->sectors & 15) * 8;
		for (unsigned i = 0; i < EXO_REQUEST_FRAMES; i++)
			e->frame[i] = chance(30) ? pick_type(EXO_F_DATA) : pick_pfn();
	}
	if (chance(100) == 0)
		h->submitted = any();
}

/* Within a flow that there is, in a frame that may hold it. */
static void sensible_flow(uint64_t a[6])
{
	static const struct exo_atom atoms[] = { { EXO_L2, 2, 12, 0, 0xffff, 0x0800 }, { EXO_L2, 1, 0, 0, 1, 1 },
		{ EXO_L2, 1, 6, 0, 1, 1 }, { EXO_L3, 1, 9, 0, 0xff, 6 }, { EXO_L4, 2, 2, 0, 0xffff, 1 },
		{ EXO_L4, 2, 2, 0, 0xffff, 2 } };
	struct exo_atom *out = (struct exo_atom *)window();

	a[0] = pick_cap(EXO_T_FLOW);
	a[1] = whose()->first + 24 + chance(FRAMES - 40);
	a[2] = WINDOW;
	a[3] = 1 + chance(3);
	for (unsigned i = 0; i < a[3]; i++)
		out[i] = atoms[i && chance(2) ? chance(6) : 0];
	a[4] = EXO_FLOW_OPTIONS(1 + chance(3), chance(12));
	a[5] = 0;
}

static void hostile_call(void)
{
	static const uint8_t often[] = { EXO_CALL_PT_WRITE, EXO_CALL_FRAME_RETYPE, EXO_CALL_PT_WRITE,
		EXO_CALL_CAP_COPY, EXO_CALL_FRAME_LEND, EXO_CALL_CAP_DELETE, EXO_CALL_FRAME_GIVE,
		EXO_CALL_RING_SUBMIT, EXO_CALL_FLOW_DERIVE, EXO_CALL_FLOW_BIND, EXO_CALL_GATE_CALL, EXO_CALL_WAIT };
	unsigned number = chance(2) ? often[chance(sizeof often)] : chance(EXO_CALL_COUNT);
	uint64_t a[6];
	struct result r;

	for (unsigned i = 0; i < 6; i++)
		a[i] = i < grammar[number].args ? argument(grammar[number].kind[i]) : 0;
	if (number == EXO_CALL_CAP_COPY && chance(3))
		a[4] = a[5] = 0;
	/* Objects are made elsewhere than where tables and mappings meet. */
	if (number == EXO_CALL_DOMAIN_CREATE || number == EXO_CALL_CONTEXT_CREATE || number == EXO_CALL_CAP_GROW)
		for (unsigned i = 1; i < 4; i++)
			if (grammar[number].kind[i] == K_PFN && chance(10))
				a[i] = whose()->first + 24 + chance(FRAMES - 40);
	if (number == EXO_CALL_RESUME) {
		arch_current_regs()->rsp = WINDOW;
		*(struct exo_resume *)window() = (struct exo_resume){ .cs = chance(3) ? EXO_CS64 : any(),
			.ss = EXO_SS, .rflags = 0x202, .rip = any() };
	}
	if (number == EXO_CALL_WAIT && chance(2)) {	/* for gates */
		a[0] = 0;
		a[1] = model_time + chance(1000000);
		a[2] = EXO_WAIT_OPEN;
	}
	if (number == EXO_CALL_RING_SUBMIT)
		fill_ring(a[0]);
	if (number == EXO_CALL_FLOW_DERIVE && chance(10))
		sensible_flow(a);
	if (number == EXO_CALL_RING_CREATE && chance(10)) {
		a[4] = pick_cap(EXO_T_EVENT);
		a[3] = chance(3);
		for (unsigned i = 0; i < 3; i++)
			a[i] = whose()->first + 24 + chance(FRAMES - 40);
	}
	r = call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	CHECK(EXO_CODE(r.status) < EXO_STATUS_COUNT || number == EXO_CALL_RESUME, "%s: status %lx",
		grammar[number].name, r.status);
	if (EXO_CODE(r.status) < EXO_STATUS_COUNT)
		histogram[number][EXO_CODE(r.status)]++;
	done++;
}

static void turn(void)
{
	unsigned cpu = chance(MODEL_CPUS);

	model_step(cpu);
	if (chance(10) == 0)
		model_timer(cpu);
	if (chance(300) == 0)
		meddle();
	if (chance(50) == 0 || !cpu_at(cpu)->current)
		model_run(cpu, hostile[chance(HOSTILE)].d);
	model_on(cpu);
	disks_run();
	nets_run();
	programs_run();
	if (!cpu_at(cpu)->current || this_cpu()->current->domain == domain_init_id)
		return;
	if (chance(4) == 0)
		scribble();
	hostile_call();
}

static void report(int signal)
{
	(void)signal;
	(void)!write(2, repeat, strlen(repeat));
	_exit(1);
}

static void print_histogram(void)
{
	for (unsigned n = 0; n < EXO_CALL_COUNT; n++) {
		printf("  %-16s", grammar[n].name);
		for (unsigned s = 0; s < EXO_STATUS_COUNT; s++)
			if (histogram[n][s])
				printf(" %u:%lu", s, histogram[n][s]);
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 0) : 100000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL);
	uint64_t next_audit = AUDIT_EVERY, idle = 0;
	uint32_t frames;

	snprintf(repeat, sizeof repeat, "FAIL fuzz: repeat with: %s %lu %lu\n", argv[0], n, seed);
	signal(SIGABRT, report);
	model_boot(seed);
	device_add(&(struct device){ .port = 0x60, .port_count = 5, .has_irq = true, .gsi = 1 });
	region = 2048;
	frames = model_init()->frames;
	while (done < n) {
		make_both();
		for (uint64_t end = done + LIFE; done < end && done < n && idle < 10000;) {
			uint64_t before = done;

			turn();
			idle = done == before ? idle + 1 : 0;
			if (done >= next_audit) {
				audit();
				next_audit = done + AUDIT_EVERY;
			}
		}
		idle = 0;
		end_both(frames);
	}
	if (getenv("FUZZ_VERBOSE"))
		print_histogram();
	printf("ok fuzz %lu calls, seed %lu, %u accesses behind the kernel's back\n", done, seed, model_races);
	return 0;
}
