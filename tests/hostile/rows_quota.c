/* Exhaustion: every table has an end, and the end is a status.  What was used comes back. */
#include "tests/hostile/hostile.h"

/* Capabilities until the table is full, the table until frames are gone; then all away. */
static uint64_t exhaust_caps(void)
{
	uint64_t made = 0, code, grown = 0, pfn;
	struct exo_result first = exo_event_create(EXO_SLOT_ANY, 0, 1ul << 20);
	EXPECT(!first.status);
	for (unsigned round = 0; round < 8; round++) {
		while (!(code = CODE(exo_cap_copy(0, EXO_SLOT_ANY, first.value, EXO_R_SIGNAL, 0, 0))))
			made++;
		EXPECT(code == EXO_LIMIT);
		if ((pfn = frame_take()) && !exo_cap_grow(0, pfn).status)
			grown++;
	}
	EXPECT(grown == 8 && made > 7 * 128);
	EXPECT(!exo_delete_all(0, first.value));
	EXPECT(!exo_event_create(EXO_SLOT_ANY, 0, 1ul << 20).status);
	return 0;
}

/* Derivation ends at its depth; a tree of a thousand goes in bounded steps, without recursion. */
static uint64_t derive_deep(void)
{
	struct exo_result r = exo_event_create(EXO_SLOT_ANY, 0, 1ul << 20);
	uint64_t top = r.value, last = top, depth = 0, steps = 0;
	for (unsigned i = 0; i < 8; i++)
		EXPECT(!exo_cap_grow(0, frame_take()).status);
	EXPECT(!r.status);
	while (!(r = exo_cap_copy(0, EXO_SLOT_ANY, last, EXO_R_SIGNAL, 0, 0)).status && depth < 200) {
		last = r.value;
		depth++;
	}
	EXPECT(EXO_CODE(r.status) == EXO_LIMIT && depth >= 32 && depth <= 64);
	while (!exo_cap_copy(0, EXO_SLOT_ANY, top, EXO_R_SIGNAL, 0, 0).status)
		;
	do {
		r = exo_cap_revoke(0, top);
		EXPECT(++steps < 100);
	} while (EXO_CODE(r.status) == EXO_AGAIN);
	EXPECT(!r.status && CODE(exo_event_signal(last, 1ul << 20)) == EXO_CAP);
	return 0;
}

/* Every frame a page table: then there is none left, and nothing else happened. */
static uint64_t exhaust_tables(void)
{
	uint64_t status = EXO_OK, n = 0, first = 0, table;
	while ((table = pt_table_new(1 + n % 4, &status))) {
		if (!first)
			first = table;
		n++;
	}
	EXPECT(n > 100 && status == EXO_LIMIT && !frames_left());
	EXPECT(CODE(exo_cap_grow(0, first)) == EXO_TYPE);
	EXPECT(!pt_table_drop(first));
	return 0;
}

/* 255 contexts and their timers, and no 257th. */
static uint64_t exhaust_contexts(void)
{
	static uint64_t cap[300];
	uint64_t control = page_at(TEST_VA, PTE_RW), save = page_at(TEST_VA + 4096, PTE_RW), n = 0, code;
	for (unsigned i = 0; i < 4; i++)
		EXPECT(!exo_cap_grow(0, frame_take()).status);
	for (;;) {
		struct exo_result r = exo_context_create(0, frame_take(), control, save, 0, EXO_SLOT_ANY);
		code = EXO_CODE(r.status);
		if (code || n == ARRAY_LEN(cap))
			break;
		cap[n++] = r.value;
	}
	EXPECT(code == EXO_LIMIT && n == 255);
	while (n)
		EXPECT(!exo_delete_all(0, cap[--n]));
	return 0;
}

/* Timers are one a context; setting it a million times is setting it once. */
static uint64_t exhaust_timers(void)
{
	uint64_t now = time_now();
	for (unsigned i = 0; i < 100000; i++)
		EXPECT(!exo_timer_set(now + (random_next() >> random_below(60))).status);
	EXPECT(!exo_timer_set(EXO_FOREVER).status && !exo_timer_set(0).status);
	EXPECT(!exo_timer_set(EXO_FOREVER - 1).status && !exo_timer_set(1).status);
	return 0;
}

/* Pins of one frame, counted in 16 bits: waits name it as often as they can. */
static uint64_t exhaust_pins(void)
{
	struct exo_predicate p = { .products = EXO_WAIT_PRODUCTS };
	uint64_t pfn = frame_take();
	struct exo_frame f;
	for (unsigned i = 0; i < EXO_WAIT_PRODUCTS; i++) {
		p.terms[i] = EXO_WAIT_TERMS;
		for (unsigned j = 0; j < EXO_WAIT_TERMS; j++)
			p.term[i][j] = (struct exo_term){ .addr = pfn << 12, .op = EXO_EQ, .value = 77 };
	}
	for (unsigned i = 0; i < 200; i++)
		EXPECT(CODE(exo_wait(&p, time_now() + 20000, 0)) == EXO_TIMEOUT);
	EXPECT(!exo_frame_info(0, pfn, &f).status && !f.pins);
	EXPECT(!retype_one(pfn, EXO_KIND_PT1));
	p.term[0][0].addr++;
	EXPECT(CODE(exo_wait(&p, 0, 0)) == EXO_ARG);
	p.products = EXO_WAIT_PRODUCTS + 1;
	EXPECT(CODE(exo_wait(&p, 0, 0)) == EXO_ARG);
	p.products = 1;
	p.terms[0] = ~0u;
	EXPECT(CODE(exo_wait(&p, 0, 0)) == EXO_ARG);
	return 0;
}

/* Children, and children of children, until the quota is used up; the end of the first ends
 * nobody's count. */
static uint64_t exhaust_domains(void)
{
	uint64_t n = 0, code, object, table;
	for (unsigned i = 0; i < 2; i++)
		EXPECT(!exo_cap_grow(0, frame_take()).status);
	for (;;) {
		object = frame_take();
		table = frame_take();
		if (!object || !table)
			break;
		if ((code = CODE(exo_domain_create(EXO_SLOT_ANY, object, table))))
			return code == EXO_LIMIT && n > 50 ? 0 : __LINE__;
		n++;
	}
	EXPECT(n > 50);
	return 0;
}

const struct row quota_rows[] = {
	{ "exhaust-caps", exhaust_caps, EXITS, 1, NULL },
	{ "derive-deep", derive_deep, EXITS, 1, NULL },
	{ "exhaust-tables", exhaust_tables, EXITS, 1, NULL },
	{ "exhaust-contexts", exhaust_contexts, EXITS, 1, NULL },
	{ "exhaust-timers", exhaust_timers, EXITS, 1, NULL },
	{ "exhaust-pins", exhaust_pins, EXITS, 1, NULL },
	{ "exhaust-domains", exhaust_domains, EXITS, 1, NULL },
	{ NULL, NULL, EXITS, 0, NULL },
};
