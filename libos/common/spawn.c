/* Building a domain around a program.  See spawn.h.
 *
 * Pages are placed in ascending order of address.  A page table is filled in a buffer page of
 * ours and copied into the child's frame when its range is done; when all are copied, the frames
 * are typed in that order, which is bottom-up.
 */
#include "libos/common/spawn.h"
#include "libos/common/frames.h"
#include "libos/common/pt.h"
#include "libos/common/start.h"
#include "libos/common/text.h"

#define PROGRAM_LO	0x10000ul	/* addresses that a child's image may have */

/* Pages of ours that frame_copy reads: [0] for contents, [1]-[4] for tables by level. */
static uint8_t *buffer[5];
static uint64_t buffer_pfn[5];

#define TABLES_MAX	512u
struct build {
	struct spawn *s;
	uint32_t extent, used;		/* the quota's frames handed out so far */
	uint64_t table[5];		/* open tables by level, 0 = none */
	uint64_t va;			/* the last page placed */
	uint64_t order[TABLES_MAX];	/* closed tables, as retype items */
	unsigned tables;
	uint64_t object, save, control, start_page, root;
	uint64_t stack_lo, stack_hi, control_va, start_va, args_va;
};

static bool fail(struct build *b, const char *what, uint64_t status)
{
	if (!b->s->error) {
		b->s->error = what;
		b->s->status = status;
	}
	return false;
}

/* The next frame of the quota; they were zeroed when they were given. */
static uint64_t child_frame(struct build *b)
{
	const struct exo_start_extent *e = b->s->quota;
	while (b->extent < b->s->quota_extents && b->used == e[b->extent].count) {
		b->extent++;
		b->used = 0;
	}
	if (b->extent == b->s->quota_extents) {
		fail(b, "its memory quota is too small", EXO_LIMIT);
		return 0;
	}
	return e[b->extent].pfn + b->used++;
}

static bool send(struct build *b, uint64_t pfn, unsigned which)
{
	uint64_t status = exo_copy_all(b->s->domain, pfn << EXO_PAGE_SHIFT, 0,
		buffer_pfn[which] << EXO_PAGE_SHIFT, EXO_PAGE_SIZE, 0);
	return !status || fail(b, "frame_copy", status);
}

/* ---- page tables --------------------------------------------------------------------- */

static bool table_close(struct build *b, unsigned level)
{
	if (!b->table[level])
		return true;
	if (b->tables == TABLES_MAX)
		return fail(b, "the program is too large", EXO_LIMIT);
	b->order[b->tables++] = b->table[level] << 8 | level;
	uint64_t pfn = b->table[level];
	b->table[level] = 0;
	return send(b, pfn, level);
}

static bool table_open(struct build *b, unsigned level, uint64_t va)
{
	if (!(b->table[level] = child_frame(b)))
		return false;
	memset(buffer[level], 0, EXO_PAGE_SIZE);
	if (level < 4)
		((uint64_t *)buffer[level + 1])[pt_index(va, level + 1)] =
			PTE_MAKE(b->table[level], PTE_TABLE);
	else
		b->root = b->table[4];
	return true;
}

static bool page_place(struct build *b, uint64_t va, uint64_t pfn, uint64_t flags)
{
	for (unsigned l = 1; l < 4; l++)
		if (b->table[l] && b->va >> (12 + 9 * l) != va >> (12 + 9 * l) && !table_close(b, l))
			return false;
	for (unsigned l = 4; l; l--)
		if (!b->table[l] && !table_open(b, l, va))
			return false;
	((uint64_t *)buffer[1])[pt_index(va, 1)] = PTE_MAKE(pfn, flags);
	b->va = va;
	return true;
}

static bool tables_finish(struct build *b)
{
	for (unsigned l = 1; l <= 4; l++)
		if (!table_close(b, l))
			return false;
	uint64_t status = exo_retype_all(b->s->domain, b->order, b->tables, NULL);
	return !status || fail(b, "frame_retype", status);
}

/* ---- the program's pages --------------------------------------------------------------- */

/* The part of [from, from + n), which belongs at address `at`, that falls into the page at va. */
static bool fill(uint64_t va, uint64_t at, const uint8_t *from, uint64_t n)
{
	uint64_t lo = at > va ? at : va, hi = at + n < va + EXO_PAGE_SIZE ? at + n : va + EXO_PAGE_SIZE;
	if (lo >= hi)
		return false;
	memset(buffer[0], 0, EXO_PAGE_SIZE);
	memcpy(buffer[0] + (lo - va), from + (lo - at), hi - lo);
	return true;
}

static bool place_bytes(struct build *b, uint64_t va, uint64_t end, uint64_t at, const void *from,
	uint64_t n, uint64_t flags)
{
	for (va &= -EXO_PAGE_SIZE; va < end; va += EXO_PAGE_SIZE) {
		uint64_t pfn = child_frame(b);
		if (!pfn || !page_place(b, va, pfn, flags))
			return false;
		if (fill(va, at, from, n) && !send(b, pfn, 0))
			return false;
	}
	return true;
}

static bool place_image(struct build *b)
{
	const struct elf_image *e = b->s->elf;
	for (unsigned i = 0; i < e->segments; i++) {
		const struct elf_segment *s = &e->segment[i];
		uint64_t flags = PTE_RO;
		if (s->flags & ELF_W)
			flags |= EXO_PTE_W;
		if (s->flags & ELF_X)
			flags &= ~EXO_PTE_NX;
		if (!place_bytes(b, s->vaddr, s->vaddr + s->size, s->vaddr, e->image + s->offset,
				s->file_size, flags))
			return false;
	}
	return true;
}

/* Guard page, stack, guard page, control page, start page, arguments. */
static bool place_rest(struct build *b)
{
	struct spawn *s = b->s;
	unsigned stack = s->stack_pages ? s->stack_pages : SPAWN_STACK;
	b->stack_lo = s->elf->hi + EXO_PAGE_SIZE;
	b->stack_hi = b->stack_lo + stack * EXO_PAGE_SIZE;
	b->control_va = b->stack_hi + EXO_PAGE_SIZE;
	b->start_va = b->control_va + EXO_PAGE_SIZE;
	b->args_va = b->start_va + EXO_PAGE_SIZE;
	if (!place_bytes(b, b->stack_lo, b->stack_hi, 0, NULL, 0, PTE_RW))
		return false;
	return (b->object = child_frame(b)) && (b->save = child_frame(b)) &&
		(b->control = child_frame(b)) && (b->start_page = child_frame(b)) &&
		page_place(b, b->control_va, b->control, PTE_RW) &&
		page_place(b, b->start_va, b->start_page, PTE_RW) &&
		place_bytes(b, b->args_va, b->args_va + s->args_size, b->args_va, s->args,
			s->args_size, PTE_RW);
}

/* ---- the start page --------------------------------------------------------------------- */

static void start_frames(struct build *b, struct exo_start *p)
{
	const struct exo_start_extent *e = b->s->quota;
	uint32_t used = b->used;
	for (uint32_t i = b->extent; i < b->s->quota_extents && p->extents < EXO_START_EXTENTS; i++) {
		if (e[i].count > used)
			p->extent[p->extents++] = (struct exo_start_extent){ e[i].pfn + used,
				e[i].count - used };
		used = 0;
	}
}

static bool start_caps(struct build *b, struct exo_start *p)
{
	for (unsigned i = 0; i < b->s->cap_count; i++) {
		const struct spawn_cap *c = &b->s->caps[i];
		struct exo_result r = exo_cap_copy(b->s->domain, EXO_SLOT_ANY, c->cap, c->rights,
			c->base, c->count);
		if (r.status)
			return fail(b, c->name, r.status);
		if (!start_add_cap(p, c->name, r.value))
			return fail(b, "too many capabilities", EXO_LIMIT);
	}
	return true;
}

static bool start_send(struct build *b)
{
	struct spawn *s = b->s;
	struct exo_start *p = (struct exo_start *)buffer[0];
	memset(p, 0, EXO_PAGE_SIZE);
	p->magic = EXO_START_MAGIC;
	p->version = EXO_ABI_VERSION;
	p->cpus = start_page->cpus;
	p->root = b->root;
	p->image_lo = s->elf->lo;
	p->image_hi = s->elf->hi;
	p->stack_lo = b->stack_lo;
	p->stack_hi = b->stack_hi;
	p->control = b->control_va;
	p->control_pfn = b->control;
	p->save_pfn = b->save;
	p->args = b->args_va;
	p->args_size = s->args_size;
	p->features = start_page->features;
	p->xsave_size = start_page->xsave_size;
	p->acpi_pm1a = s->acpi_pm1a;
	p->acpi_s5 = s->acpi_s5;
	for (; p->modules < s->module_count && p->modules < ARRAY_LEN(p->module); p->modules++)
		p->module[p->modules] = s->modules[p->modules];
	if (s->cmdline)
		text_copy(p->cmdline, s->cmdline, sizeof p->cmdline);
	start_frames(b, p);
	return start_caps(b, p) && send(b, b->start_page, 0);
}

/* ---- all together ------------------------------------------------------------------------ */

static bool buffers_ready(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(buffer); i++)
		if (!buffer[i] && !(buffer[i] = page_new(&buffer_pfn[i])))
			return false;
	return true;
}

static bool domain_make(struct build *b)
{
	struct spawn *s = b->s;
	struct exo_result r = exo_domain_create(EXO_SLOT_ANY, s->object, s->table);
	if (r.status)
		return fail(b, "domain_create", r.status);
	s->domain = r.value;
	for (unsigned i = 0; i < s->quota_extents; i++) {
		uint64_t status = exo_give_all(0, s->domain, s->quota[i].pfn, s->quota[i].count, NULL);
		if (status)
			return fail(b, "frame_give", status);
	}
	return true;
}

static bool context_make(struct build *b)
{
	struct spawn *s = b->s;
	struct exo_result r = exo_context_create(s->domain, b->object, b->control, b->save, s->cpu,
		EXO_SLOT_ANY);
	if (r.status)
		return fail(b, "context_create", r.status);
	s->context = r.value;
	uint64_t status = exo_context_ctl(s->context, EXO_CTX_ROOTS, b->root, 0, 0).status;
	if (!status)
		status = exo_context_ctl(s->context, EXO_CTX_ROUTE, s->elf->lo, s->elf->hi, 0).status;
	s->entry = s->elf->entry;
	s->stack = b->stack_hi;
	s->start = b->start_va;
	return !status || fail(b, "context_ctl", status);
}

bool spawn_create(struct spawn *s)
{
	static struct build build;	/* too large for an upcall stack; see spawn.h on concurrency */
	struct build *b = &build;
	memset(b, 0, sizeof *b);
	b->s = s;
	s->error = NULL;
	s->domain = s->context = 0;
	if (s->elf->pie || s->elf->lo < PROGRAM_LO || s->args_size > SPAWN_ARGS)
		return fail(b, "not a program at a fixed address", EXO_ARG);
	if (!buffers_ready())
		return fail(b, "no memory for buffers", EXO_LIMIT);
	if (domain_make(b) && place_image(b) && place_rest(b) && tables_finish(b) &&
	    context_make(b) && start_send(b))
		return true;
	if (s->domain)
		spawn_destroy(s->domain, NULL);
	s->domain = s->context = 0;
	return false;
}

uint64_t spawn_start(struct spawn *s)
{
	return exo_context_ctl(s->context, EXO_CTX_START, s->entry, s->stack, s->start).status;
}

/* ---- the end, heirs included ---------------------------------------------------------------- */

#define SLOTS_MAX	(256u * 128)	/* of a capability table */

/* Stopped, it makes no more children. */
static bool has_children(uint64_t domain)
{
	struct exo_domain_info info;
	uint64_t status;
	do
		status = exo_domain_ctl(domain, EXO_DOM_STOP, 0, 0).status;
	while (status == EXO_AGAIN);
	return !exo_domain_info(domain, &info).status && info.child;
}

/* The first slot of ours from `from` on that holds a domain's first capability, 0 = none. */
static uint64_t domain_slot(uint64_t from)
{
	struct exo_cap_info info;
	for (uint64_t i = from; i < SLOTS_MAX; i++)
		if (!exo_cap_info(0, i, &info).status && info.type == EXO_T_DOMAIN)
			return i;
	return 0;
}

/* Heirs come into our table, which may have to grow for them. */
static uint64_t end(uint64_t domain, uint64_t *frames)
{
	uint64_t status;
	while (EXO_CODE(status = exo_destroy_all(domain, frames)) == EXO_LIMIT) {
		uint64_t pfn = frame_take(), grown = pfn ? exo_cap_grow(0, pfn).status : EXO_LIMIT;
		if (grown && pfn)
			frames_put(pfn, 1);
		if (grown)
			return status;
	}
	return status ? status : exo_delete_all(0, domain);
}

uint64_t spawn_destroy(uint64_t domain, uint64_t *frames)
{
	static uint64_t ours[SLOTS_MAX / 64];	/* slots with domains that are no heirs */
	bool heirs = has_children(domain);
	memset(ours, 0, heirs ? sizeof ours : 0);
	for (uint64_t i = heirs ? domain_slot(1) : 0; i; i = domain_slot(i + 1))
		ours[i / 64] |= 1ul << i % 64;
	ours[EXO_CAP_INDEX(domain) / 64] &= ~(1ul << EXO_CAP_INDEX(domain) % 64);
	uint64_t status = end(domain, frames);
	for (uint64_t i = 0; heirs && !status && (i = domain_slot(i + 1));)
		if (!(ours[i / 64] >> i % 64 & 1)) {
			status = end(i, NULL);
			i = 0;			/* its own heirs may lie anywhere */
		}
	return status;
}
