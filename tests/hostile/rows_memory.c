/* Memory that is somebody else's, the kernel's or a device's; tables that would be writable. */
#include "tests/hostile/hostile.h"

/* Frames that no domain but their owner may name: the neighbours', the kernel's image and tables,
 * firmware, local and I/O APIC, PCI configuration space, behind the end of memory. */
static const uint64_t machine_frames[] = {
	0, 1, 0x80, 0x9f, 0xb8, 0xf0, 0x200, 0x201, 0x210, 0xfec00, 0xfed00, 0xfee00, 0xb0000, 0xe0000,
	0xfffff, 0x3ffffff, 0xfffffffful, 0xffffffffful,
};

static uint64_t foreign_frame(unsigned i)
{
	if (i < SECRETS)
		return told->secret[i];
	i -= SECRETS;
	if (i < 2)
		return i ? told->table : told->object;
	i -= 2;
	return i < ARRAY_LEN(machine_frames) ? machine_frames[i] : ~0ul;
}

static bool refused(uint64_t code)
{
	return code == EXO_OWNER || code == EXO_ENTRY || code == EXO_TYPE || code == EXO_ARG;
}

static uint64_t map_not_owned(void)
{
	uint64_t pfn, status, table = pt_table_new(2, &status);
	EXPECT(page_at(TEST_VA, PTE_RW) && table);
	uint64_t entry = pt_find(self->root, TEST_VA, 1);
	for (unsigned i = 0; (pfn = foreign_frame(i)) != ~0ul; i++) {
		EXPECT(refused(entry_set(entry, PTE_MAKE(pfn, PTE_RO), 0)));
		EXPECT(refused(entry_set(entry, PTE_MAKE(pfn, PTE_RW), 0)));
		EXPECT(refused(entry_set(entry | EXO_PT_XCHG, PTE_MAKE(pfn, PTE_RWX), 0)));
		EXPECT(refused(entry_set(entry, PTE_MAKE(pfn, PTE_RO), start_cap(self, CAP_LOAN))));
		EXPECT(refused(entry_set(table << 12, PTE_MAKE(pfn, PTE_TABLE), 0)));
		EXPECT(refused(entry_set(table << 12, PTE_MAKE(pfn & ~511ul, PTE_RO | EXO_PTE_PS), 0)));
		EXPECT(refused(entry_set(pfn << 12, 0, 0)));
	}
	EXPECT(!pt_table_drop(table));
	return 0;
}

/* Every call that takes a frame. */
static uint64_t use_not_owned(void)
{
	struct exo_frame f;
	uint64_t pfn, own = frame_take(), other = frame_take();
	struct exo_predicate p = { .products = 1, .terms = { 1 } };
	for (unsigned i = 0; (pfn = foreign_frame(i)) != ~0ul; i++) {
		EXPECT(refused(CODE(exo_frame_info(0, pfn, &f))));
		EXPECT(refused(retype_one(pfn, EXO_KIND_PT1)) && refused(retype_one(pfn, EXO_KIND_DATA)));
		EXPECT(refused(CODE(exo_frame_give(0, 0, pfn, 1))));
		EXPECT(refused(CODE(exo_frame_copy(0, own << 12, 0, pfn << 12, 64, 0))));
		EXPECT(refused(CODE(exo_frame_copy(0, pfn << 12, 0, own << 12, 64, 0))));
		EXPECT(refused(CODE(exo_frame_copy(0, pfn << 12, 0, ~0ul, 64, 0))));
		EXPECT(refused(CODE(exo_cap_grow(0, pfn))));
		EXPECT(refused(CODE(exo_domain_create(EXO_SLOT_ANY, pfn, own))));
		EXPECT(refused(CODE(exo_domain_create(EXO_SLOT_ANY, own, pfn))));
		EXPECT(refused(CODE(exo_context_create(0, pfn, own, other, 0, EXO_SLOT_ANY))));
		EXPECT(refused(CODE(exo_context_create(0, own, pfn, other, 0, EXO_SLOT_ANY))));
		EXPECT(refused(CODE(exo_context_create(0, own, other, pfn, 0, EXO_SLOT_ANY))));
		EXPECT(refused(CODE(exo_root_pair(0, pfn, 0))));
		EXPECT(refused(CODE(exo_root_pair(0, self->root, pfn))) || !pfn);
		EXPECT(refused(CODE(exo_context_ctl(0, EXO_CTX_ROOTS, pfn, 0, 0))));
		EXPECT(refused(CODE(exo_context_ctl(0, EXO_CTX_ROOTS, self->root, pfn, 0))) || !pfn);
		EXPECT(refused(CODE(exo_context_ctl(0, EXO_CTX_MASK_AT, pfn, 0, 0))) || !pfn);
		EXPECT(refused(CODE(exo_domain_ctl(0, EXO_DOM_PAGE, pfn, 0))) || !pfn);
		p.term[0][0] = (struct exo_term){ .addr = pfn << 12, .op = EXO_GE };
		EXPECT(refused(CODE(exo_wait(&p, 0, 0))));
	}
	return 0;
}

/* A loan of what one doesn't own covers nothing. */
static uint64_t lend_not_owned(void)
{
	EXPECT(page_at(TEST_VA, PTE_RW));
	uint64_t entry = pt_find(self->root, TEST_VA, 1), pfn;
	for (unsigned i = 0; (pfn = foreign_frame(i)) != ~0ul; i++) {
		struct exo_result r = exo_frame_lend(0, EXO_SLOT_ANY, pfn, 1,
			EXO_R_READ | EXO_R_WRITE | EXO_R_EXEC);
		if (r.status)
			continue;
		EXPECT(refused(entry_set(entry, PTE_MAKE(pfn, PTE_RO), r.value)));
		EXPECT(!exo_delete_all(0, r.value));
	}
	return 0;
}

/* A table is never writable: not by an entry, not by a large page, not by being typed late. */
static uint64_t table_writable(void)
{
	uint64_t status, table = pt_table_new(1, &status), pfn = page_at(TEST_VA, PTE_RW);
	uint64_t entry = pt_find(self->root, TEST_VA, 1);
	EXPECT(table && pfn);
	EXPECT(entry_set(entry, PTE_MAKE(table, PTE_RW), 0) == EXO_TYPE);
	EXPECT(entry_set(entry, PTE_MAKE(self->root, PTE_RW), 0) == EXO_TYPE);
	EXPECT(!entry_set(entry, PTE_MAKE(table, PTE_RO), 0));
	EXPECT(try_write(TEST_VA, 7) == 14 && fault.error == 7);
	EXPECT(entry_set(entry | EXO_PT_SET_AD, PTE_MAKE(table, PTE_RW), 0) == EXO_TYPE);
	EXPECT(!entry_set(entry, PTE_MAKE(pfn, PTE_RW), 0));
	EXPECT(retype_one(pfn, EXO_KIND_PT1) == EXO_BUSY);
	EXPECT(retype_one(self->control_pfn, EXO_KIND_PT1) == EXO_BUSY);
	EXPECT(!entry_set(entry, PTE_MAKE(pfn, PTE_RO), 0));
	EXPECT(!retype_one(pfn, EXO_KIND_PT1));
	EXPECT(try_write(TEST_VA, 7) == 14);
	/* A table whose content maps itself writable. */
	uint64_t selfish = frame_take(), own = frame_take();
	EXPECT(!pt_map(self->root, TEST_VA + 0x1000, own, 1, PTE_RW, 0));
	*(volatile uint64_t *)(TEST_VA + 0x1000) = PTE_MAKE(selfish, PTE_RW);
	EXPECT(!exo_copy_all(0, selfish << 12, 0, own << 12, 4096, 0));
	EXPECT(retype_one(selfish, EXO_KIND_PT1) == EXO_TYPE);
	EXPECT(CODE(exo_frame_copy(0, table << 12, 0, own << 12, 8, 0)) == EXO_TYPE);
	return 0;
}

/* Objects are nobody's to see: neither this domain's own context object nor its tables. */
static uint64_t map_objects(void)
{
	static struct second s;
	EXPECT(page_at(TEST_VA, PTE_RW) && second_make(&s, 0, NULL, NULL, 0));
	uint64_t entry = pt_find(self->root, TEST_VA, 1), grown = frame_take();
	EXPECT(!exo_cap_grow(0, grown).status);
	EXPECT(entry_set(entry, PTE_MAKE(s.object, PTE_RO), 0) == EXO_TYPE);
	EXPECT(entry_set(entry, PTE_MAKE(grown, PTE_RO), 0) == EXO_TYPE);
	EXPECT(retype_one(s.object, EXO_KIND_PT1) == EXO_TYPE);
	EXPECT(retype_one(grown, EXO_KIND_DATA) == EXO_TYPE);
	EXPECT(CODE(exo_frame_copy(0, self->save_pfn << 12, 0, s.object << 12, 64, 0)) == EXO_TYPE);
	EXPECT(CODE(exo_frame_give(0, 0, s.object, 1)) != EXO_OK);
	return 0;
}

/* A page mapped many times over counts as often, and is free only when all are gone. */
static uint64_t double_map(void)
{
	uint64_t pfn = frame_take(), item = pfn << 8 | EXO_KIND_PT1;
	struct exo_frame f;
	for (unsigned i = 0; i < 600; i++)
		EXPECT(!pt_map(self->root, TEST_VA + i * 4096, pfn, 1, i & 1 ? PTE_RW : PTE_RO, 0));
	EXPECT(!exo_frame_info(0, pfn, &f).status && f.mapped == 600 && f.writable == 300);
	for (unsigned i = 0; i < 600; i++) {
		EXPECT(CODE(exo_frame_retype(0, &item, 1)) == EXO_BUSY || i == 599 || f.writable == 0);
		EXPECT(CODE(exo_frame_give(0, 0, pfn, 1)) == EXO_BUSY || f.mapped == 0);
		EXPECT(!pt_unmap(self->root, TEST_VA + i * 4096, 1));
		EXPECT(!exo_frame_info(0, pfn, &f).status && f.mapped == 599 - i);
	}
	EXPECT(!f.writable && !exo_frame_retype(0, &item, 1).status);
	return 0;
}

/* Cache types, reserved bits, large pages where there are none. */
static uint64_t cache_alias(void)
{
	uint64_t pfn = page_at(TEST_VA, PTE_RW), status;
	uint64_t entry = pt_find(self->root, TEST_VA, 1), upper = pt_find(self->root, TEST_VA, 2);
	uint64_t top = pt_find(self->root, 0x10000000000ul, 4), table = pt_table_new(3, &status);
	static const uint64_t bad[] = { EXO_PTE_PCD, EXO_PTE_PWT, EXO_PTE_PS, EXO_PTE_PCD | EXO_PTE_PWT,
		1ul << 51, 1ul << 40 };
	EXPECT(pfn && table);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		status = entry_set(entry, PTE_MAKE(pfn, PTE_RW) | bad[i], 0);
		EXPECT(status == EXO_ENTRY || status == EXO_OWNER);
	}
	EXPECT(entry_set(upper, pt_read(upper) | EXO_PTE_PCD, 0) == EXO_ENTRY);
	EXPECT(entry_set(upper, PTE_MAKE(pfn & ~511ul, PTE_RW | EXO_PTE_PS | 1ul << 12), 0) == EXO_ENTRY);
	EXPECT(entry_set(top, PTE_MAKE(table, PTE_TABLE | EXO_PTE_PS), 0) == EXO_ENTRY);
	EXPECT(entry_set(table << 12, PTE_MAKE(pfn & ~511ul, PTE_RW | EXO_PTE_PS), 0) == EXO_ENTRY);
	/* U is forced and G is cleared, silently. */
	EXPECT(!entry_set(entry, (PTE_MAKE(pfn, PTE_RW) | EXO_PTE_G) & ~EXO_PTE_U, 0));
	EXPECT((pt_read(entry) & (EXO_PTE_U | EXO_PTE_G)) == EXO_PTE_U);
	return 0;
}

/* The kernel's slots of a root are neither written nor kept nor read back. */
static uint64_t kernel_slots(void)
{
	uint64_t status, table = pt_table_new(3, &status), root = pt_table_new(4, &status);
	EXPECT(table && root);
	for (unsigned slot = EXO_KERNEL_SLOT_FIRST; slot <= EXO_KERNEL_SLOT_LAST; slot++) {
		EXPECT(entry_set((self->root << 12) + 8 * slot, 0, 0) == EXO_ENTRY);
		EXPECT(entry_set((root << 12) + 8 * slot, PTE_MAKE(table, PTE_TABLE), 0) == EXO_ENTRY);
		EXPECT(entry_set(((root << 12) + 8 * slot) | EXO_PT_XCHG, 0, 0) == EXO_ENTRY);
	}
	EXPECT(!retype_one(root, EXO_KIND_DATA));
	EXPECT(!pt_map(self->root, TEST_VA, root, 1, PTE_RO, 0));
	for (unsigned slot = EXO_KERNEL_SLOT_FIRST; slot <= EXO_KERNEL_SLOT_LAST; slot++)
		EXPECT(!((volatile uint64_t *)TEST_VA)[slot]);
	for (uint64_t va = EXO_KERNEL_BASE; va < EXO_KERNEL_END; va += 0x4000000000ul)
		EXPECT(try_read(va) == 14 && try_write(va + 0x200000, 1) == 14);
	return 0;
}

/* Loaded roots, paired roots, referenced tables: not to be taken from under a walker. */
static uint64_t root_loaded(void)
{
	uint64_t u = pt_root(self->root, 0, 1);
	EXPECT(u && retype_one(self->root, EXO_KIND_DATA) == EXO_BUSY);
	EXPECT(!exo_root_pair(0, self->root, u).status);
	EXPECT(retype_one(u, EXO_KIND_DATA) == EXO_BUSY);
	EXPECT(CODE(exo_root_pair(0, u, self->root)) != EXO_OK);
	EXPECT(CODE(exo_root_pair(0, u, u)) != EXO_OK);
	EXPECT(!exo_root_pair(0, self->root, 0).status && !retype_one(u, EXO_KIND_DATA));
	uint64_t k = pt_root(self->root, 0, 1), v = pt_root(self->root, 0, 1);
	EXPECT(k && v && CODE(exo_context_ctl(0, EXO_CTX_ROOTS, self->root, self->root, 0)) != EXO_OK);
	EXPECT(!exo_context_ctl(0, EXO_CTX_ROOTS, self->root, v, 0).status);
	EXPECT(retype_one(self->root, EXO_KIND_DATA) == EXO_BUSY);
	EXPECT(retype_one(v, EXO_KIND_DATA) == EXO_BUSY);	/* the refusal has not ended the pair */
	EXPECT(CODE(exo_root_pair(0, k, v)) == EXO_BUSY && !exo_root_pair(0, self->root, 0).status);
	EXPECT(!exo_root_pair(0, k, v).status && !retype_one(k, EXO_KIND_DATA));
	EXPECT(!retype_one(v, EXO_KIND_DATA));			/* but this has */
	uint64_t inner = PTE_PFN(pt_read(pt_find(self->root, (uint64_t)self, 4)));
	EXPECT(retype_one(inner, EXO_KIND_DATA) == EXO_BUSY);
	return 0;
}

const struct row memory_rows[] = {
	{ "map-not-owned", map_not_owned, EXITS, 1, NULL },
	{ "use-not-owned", use_not_owned, EXITS, 1, NULL },
	{ "lend-not-owned", lend_not_owned, EXITS, 1, NULL },
	{ "table-writable", table_writable, EXITS, 1, NULL },
	{ "map-objects", map_objects, EXITS, 1, NULL },
	{ "double-map", double_map, EXITS, 1, NULL },
	{ "cache-alias", cache_alias, EXITS, 1, NULL },
	{ "kernel-slots", kernel_slots, EXITS, 1, NULL },
	{ "root-loaded", root_loaded, EXITS, 1, NULL },
	{ NULL, NULL, EXITS, 0, NULL },
};
