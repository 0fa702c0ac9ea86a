/* The probe's cases about page tables, as a PV kernel treats them: read-only while they are
 * tables, written by faulting stores or by mmu_update, built as data and typed bottom-up.
 */
#include "tests/pvprobe/guest.h"

#define TARGET	8		/* the pool's page whose mapping is changed */
#define OTHER	9
#define AD	(EXO_PTE_A | EXO_PTE_D)
#define TABLE	(EXO_PTE_P | EXO_PTE_W | EXO_PTE_U | EXO_PTE_A)
#define PAGE	(TABLE | EXO_PTE_D | EXO_PTE_NX)

static uint64_t mmu_update(struct exo_pt_item *items, uint64_t n, uint64_t *count)
{
	uint64_t value = 0, status = hypercall(HC_MMU_UPDATE, (uint64_t)items, n, &value);
	if (count)
		*count = value;
	return status;
}

static uint64_t entry_of(uint64_t table_pfn, unsigned i) { return (table_pfn << 12) + 8 * i; }
static uint64_t pte(unsigned page, uint64_t flags) { return info->pool[page] << 12 | flags; }

/* The entry of the target page, with A and D set by the processor. */
static volatile uint64_t *touched(void)
{
	pool(TARGET)[0] = 1;
	return &POOL_TABLE[TARGET];
}

/* ---- single stores ------------------------------------------------------------------------- */

const char *case_pte_mov(void)
{
	volatile uint64_t *e = touched();
	uint64_t before = *e;
	pool(OTHER)[0] = 0x0777;
	*e = pte(OTHER, PAGE);
	if (pool(TARGET)[0] != 0x0777)
		return "the new mapping is not in force";
	*e = before;
	return pool(TARGET)[0] == 1 ? NULL : "the old mapping is not back";
}

const char *case_pte_xchg(void)
{
	volatile uint64_t *e = touched();
	uint64_t before = *e, old = 0;
	__asm__ volatile("xchg %0, %1" : "+r"(old), "+m"(*e));
	if (old != before || !(old & EXO_PTE_D))
		return "the old value, or its D bit, is wrong";
	if (*e)
		return "the entry is not clear";
	if (!poke((uint64_t)pool(TARGET), 1) || poke_trap.b.addr != (uint64_t)pool(TARGET))
		return "the page is still there";
	__asm__ volatile("xchg %0, %1" : "+r"(old), "+m"(*e));
	return old == 0 && pool(TARGET)[0] == 1 ? NULL : "not restored";
}

const char *case_pte_cmpxchg(void)
{
	volatile uint64_t *e = touched();
	uint64_t before = *e, rax = before ^ EXO_PTE_W;
	bool equal;
	__asm__ volatile("lock cmpxchg %3, %1\nsete %2" : "+a"(rax), "+m"(*e), "=q"(equal)
		: "r"((uint64_t)0) : "cc");
	if (equal || rax != before || *e != before)
		return "an unequal entry was taken for equal";
	__asm__ volatile("lock cmpxchg %3, %1\nsete %2" : "+a"(rax), "+m"(*e), "=q"(equal)
		: "r"(before & ~EXO_PTE_W) : "cc");
	if (!equal || *e != (before & ~EXO_PTE_W))
		return "an equal entry was not exchanged";
	if (!poke((uint64_t)pool(TARGET), 1))
		return "still writable";
	*e = before;
	return NULL;
}

/* As fork write-protects: A and D, which the processor set, must stay. */
const char *case_pte_and(void)
{
	volatile uint64_t *e = touched();
	uint64_t before = *e;
	if ((before & AD) != AD)
		return "the processor did not set A and D";
	__asm__ volatile("lock andq %1, %0" : "+m"(*e) : "r"(~EXO_PTE_W) : "cc");
	if (*e != (before & ~EXO_PTE_W))
		return "A or D was lost";
	if (!poke((uint64_t)pool(TARGET), 1))
		return "still writable";
	__asm__ volatile("lock andq $-33, %0" : "+m"(*e) : : "cc");
	if (*e & EXO_PTE_A || !(*e & EXO_PTE_D))
		return "an immediate clears A only";
	*e = before;
	return poke((uint64_t)pool(TARGET), 2) ? "not writable again" : NULL;
}

const char *case_pte_btr(void)
{
	volatile uint64_t *e = touched();
	bool was, again;
	__asm__ volatile("lock btrq $6, %0\nsetc %1" : "+m"(*e), "=q"(was) : : "cc");
	if (!was || *e & EXO_PTE_D || !(*e & EXO_PTE_A))
		return "D was not cleared alone";
	__asm__ volatile("lock btrq %2, %0\nsetc %1" : "+m"(*e), "=q"(again) : "r"(6ul) : "cc");
	if (again)
		return "carry is wrong";
	pool(TARGET)[0] = 3;
	return *e & EXO_PTE_D ? NULL : "the processor did not set D again";
}

/* A store that the kernel refuses comes back as the fault that it was. */
const char *case_pte_refused(void)
{
	uint64_t before = *touched();
	if (!poke((uint64_t)&POOL_TABLE[TARGET], info->pool_table << 12 | PAGE))
		return "a page table was mapped writable";
	if (poke_trap.b.reason != 14 || poke_trap.b.error != 7)
		return "the fault is another one";
	if (!poke((uint64_t)&POOL_TABLE[TARGET], 0xfffffffful << 12 | PAGE))
		return "memory that nobody has was mapped";
	return POOL_TABLE[TARGET] == before ? NULL : "the entry changed";
}

const char *case_mmu_update(void)
{
	uint64_t target = entry_of(info->pool_table, TARGET), done, before = *touched();
	struct exo_pt_item items[] = {
		{ target, pte(OTHER, PAGE) }, { target | EXO_PT_SET_AD, pte(OTHER, PAGE & ~AD) },
		{ target, info->pool_table << 12 | PAGE }, { target, before },
	};
	pool(OTHER)[0] = 0x0888;
	if (!mmu_update(items, 4, &done) || done != 2)
		return "the third item is wrong, two were to be done";
	if (pool(TARGET)[0] != 0x0888)
		return "the batch is not in force";
	if ((POOL_TABLE[TARGET] & AD) != AD)
		return "A and D were not preserved";
	if (mmu_update(items + 3, 1, &done) || done != 1 || pool(TARGET)[0] != 1)
		return "not restored";
	return NULL;
}

/* ---- tables of one's own -------------------------------------------------------------------- */

enum { L3 = 4, L2, L1, DATA };	/* pages of the pool */
#define FREE_SLOT	273

static void writable(unsigned page, bool on)
{
	if (on)
		POOL_TABLE[page] = pte(page, PAGE);
	else
		__asm__ volatile("lock andq %1, %0" : "+m"(POOL_TABLE[page]) : "r"(~EXO_PTE_W) : "cc");
}

static uint64_t retype(unsigned page, uint64_t kind)
{
	return hypercall(HC_RETYPE, info->pool[page], kind, NULL);
}

static uint64_t type_of(unsigned page) { return hypercall(HC_FRAME, info->pool[page], 0, NULL); }

/* Three levels by plain stores, then read-only, then typed from the bottom. */
static const char *build(void)
{
	for (unsigned page = L3; page <= L1; page++)
		for (unsigned i = 0; i < 512; i++)
			pool(page)[i] = 0;
	pool(L1)[0] = pte(DATA, PAGE);
	pool(L2)[0] = pte(L1, TABLE);
	pool(L3)[0] = pte(L2, TABLE);
	if (!retype(L1, EXO_KIND_PT1))
		return "typed while it is writable";
	for (unsigned page = L3; page <= L1; page++)
		writable(page, false);
	if (!retype(L2, EXO_KIND_PT2))
		return "typed before its child";
	if (retype(L1, EXO_KIND_PT1) || retype(L2, EXO_KIND_PT2) || retype(L3, EXO_KIND_PT3))
		return "typing refused";
	return type_of(L3) == EXO_F_PT3 ? NULL : "not a table now";
}

static const char *unbuild(void)
{
	if (!retype(L1, EXO_KIND_DATA))
		return "untyped while referenced";
	for (unsigned page = L3; page <= L1; page++) {
		if (retype(page, EXO_KIND_DATA))
			return "untyping refused";
		writable(page, true);
	}
	return type_of(L1) == EXO_F_DATA ? NULL : "not data now";
}

static const char *use(void)
{
	volatile uint64_t *far = (uint64_t *)GUEST_FREE;
	struct exo_pt_item in = { entry_of(info->root_k, FREE_SLOT), pte(L3, TABLE) };
	struct exo_pt_item out = { in.ptr, 0 };
	if (mmu_update(&in, 1, NULL) || ROOT_VIEW[FREE_SLOT] != in.val)
		return "the root's entry was refused";
	far[0] = 0x0999;
	if (pool(DATA)[0] != 0x0999)
		return "the new tables lead elsewhere";
	pool(L1)[1] = pte(OTHER, PAGE);			/* read-only now: emulated */
	pool(OTHER)[1] = 0x0aaa;
	if (far[513] != 0x0aaa)
		return "a store to the typed table was lost";
	if (!poke((uint64_t)&POOL_TABLE[L1], pte(L1, PAGE)))
		return "a table became writable";
	return mmu_update(&out, 1, NULL) ? "clearing was refused" :
		!poke(GUEST_FREE, 1) ? "still mapped" : NULL;
}

const char *case_tables(void)
{
	const char *why = NULL;
	for (unsigned round = 0; round < 3 && !why; round++) {
		why = build();
		if (!why)
			why = use();
		if (!why)
			why = unbuild();
		if (!why && poke((uint64_t)pool(L1), 0x0bbb))
			why = "not usable as data";
	}
	return why;
}

/* ---- another pair of roots -------------------------------------------------------------------- */

enum { K2 = 10, U2 };

static const char *roots_build(void)
{
	for (unsigned i = 0; i < 512; i++)
		pool(K2)[i] = pool(U2)[i] = 0;
	pool(K2)[0] = pool(U2)[0] = ROOT_VIEW[0];
	pool(K2)[511] = ROOT_VIEW[511];
	pool(K2)[FREE_SLOT] = pte(L3, TABLE);
	pool(K2)[260] = ~0ul;				/* the kernel's: never rejected, never kept */
	writable(K2, false);
	writable(U2, false);
	if (retype(K2, EXO_KIND_PT4) || retype(U2, EXO_KIND_PT4))
		return "a root was refused";
	return hypercall(HC_PAIR, info->pool[K2], info->pool[U2], NULL) ? "pairing refused" : NULL;
}

static const char *roots_use(void)
{
	struct guest_trap t;
	if (!poke(GUEST_FREE, 1))
		return "the first root shows the second one's page";
	root_switch(info->pool[K2]);
	if (poke(GUEST_FREE, 0x0ccc) || pool(DATA)[0] != 0x0ccc)
		return "the second root is not in force";
	if (!retype(K2, EXO_KIND_DATA))
		return "a loaded root was untyped";
	user_prepare(&t, U_PEEK);
	t.rdi = GUEST_FREE;
	user_go(&t);
	if (t.b.reason != 14 || t.b.addr != GUEST_FREE)
		return "user is not in the second pair's U root";
	root_switch(info->root_k);
	return !poke(GUEST_FREE, 1) ? "the first root is not back" : NULL;
}

static const char *roots_unbuild(void)
{
	if (hypercall(HC_PAIR, info->pool[K2], 0, NULL))
		return "unpairing refused";
	for (unsigned page = K2; page <= U2; page++) {
		if (retype(page, EXO_KIND_DATA))
			return "a root was not untyped";
		writable(page, true);
	}
	return poke((uint64_t)pool(K2), 1) ? "a root's page is not data again" : NULL;
}

const char *case_root_switch(void)
{
	const char *why = build();
	if (!why)
		why = roots_build();
	if (!why)
		why = roots_use();
	if (!why)
		why = roots_unbuild();
	return why ? why : unbuild();
}
